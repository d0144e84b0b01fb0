//! DEBUG: for tests of clients and of the server. It runs with every stripe held, as it stops Redis's only
//! thread: DEBUG SLEEP keeps everybody waiting.

use std::time::Duration;

use engine::Deadline;

use crate::ctx::Ctx;
use crate::debug_protocol::protocol;
use crate::debug_value::{digest, digest_value, object, quicklist_packed_threshold};
use crate::error::Error;
use crate::glob::{Case, glob_matches};
use crate::number::int;
use crate::persistence::{loadaof, reload};
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&DEBUG];

static DEBUG: Command = Command {
    name: "debug",
    arity: -2,
    flags: flags::ADMIN | flags::NOSCRIPT | flags::LOADING | flags::STALE | flags::PROTECTED,
    locks: Locks::Everything,
    run: debug,
    summary: "A container for commands that tests use.",
    since: "1.0.0",
    group: "server",
    complexity: "Depends on the subcommand.",
    ..Command::BLANK
};

/// A subcommand. COMMAND does not list these: they are not for clients to rely on.
struct Part {
    name: &'static str,
    /// Arguments after the name, at least and at most.
    args: (usize, usize),
    syntax: &'static str,
    summary: &'static str,
    run: fn(&mut Ctx<'_, '_>) -> Outcome,
}

static PARTS: &[Part] = &[
    Part {
        name: "CHANGE-REPL-ID",
        args: (0, 0),
        syntax: "",
        summary: "Gives the data's history another name.",
        run: |ctx| done(ctx, |ctx| ctx.host.change_replication_id()),
    },
    Part {
        name: "CONFIG-REWRITE-FORCE-ALL",
        args: (0, 0),
        syntax: "",
        summary: "Writes every directive to the configuration file, defaults too.",
        run: |ctx| done(ctx, |ctx| ctx.host.config_rewrite_all()),
    },
    Part {
        name: "DIGEST",
        args: (0, 0),
        syntax: "",
        summary: "Gives a fingerprint of all keys and values.",
        run: digest,
    },
    Part {
        name: "DIGEST-VALUE",
        args: (0, usize::MAX),
        syntax: "<key> [<key> ...]",
        summary: "Gives a fingerprint of each key's value.",
        run: digest_value,
    },
    Part {
        name: "ERROR",
        args: (1, 1),
        syntax: "<string>",
        summary: "Replies with this error.",
        run: |ctx| Err(Error::Bytes(ctx.args.at(2).into())),
    },
    Part { name: "HELP", args: (0, 0), syntax: "", summary: "Prints this help.", run: debug_help },
    Part {
        name: "LOADAOF",
        args: (0, 0),
        syntax: "",
        summary: "Empties the store and reads the log back.",
        run: loadaof,
    },
    Part {
        name: "LOG",
        args: (1, 1),
        syntax: "<message>",
        summary: "Writes a message to the server's log.",
        run: |ctx| {
            done(ctx, |ctx| {
                ctx.host.log(&String::from_utf8_lossy(ctx.args.at(2)));
                Ok(())
            })
        },
    },
    Part { name: "OBJECT", args: (1, 1), syntax: "<key>", summary: "Tells how a key is kept.", run: object },
    Part {
        name: "POPULATE",
        args: (1, 3),
        syntax: "<count> [<prefix>] [<size>]",
        summary: "Makes keys named <prefix>:<number>, without an effect.",
        run: populate,
    },
    Part {
        name: "PROTOCOL",
        args: (1, 1),
        syntax: "<type>",
        summary: "Replies with a value of this type.",
        run: protocol,
    },
    Part {
        name: "QUICKLIST-PACKED-THRESHOLD",
        args: (1, 1),
        syntax: "<size>",
        summary: "Checks the size: large items of lists always stand apart.",
        run: quicklist_packed_threshold,
    },
    Part {
        name: "RELOAD",
        args: (0, usize::MAX),
        syntax: "[MERGE] [NOFLUSH] [NOSAVE]",
        summary: "Writes a snapshot, empties the store and reads the snapshot back.",
        run: reload,
    },
    Part {
        name: "SET-ACTIVE-EXPIRE",
        args: (1, 1),
        syntax: "<0|1>",
        summary: "Stops or resumes the removal of expired keys that nobody asks for.",
        run: |ctx| {
            done(ctx, |ctx| {
                ctx.host.set_active_expire(int(ctx.args.at(2)).is_ok_and(|n| n != 0));
                Ok(())
            })
        },
    },
    Part {
        name: "SLEEP",
        args: (1, 1),
        syntax: "<seconds>",
        summary: "Keeps everybody waiting. Fractions are allowed.",
        run: sleep,
    },
    Part {
        name: "STRINGMATCH-TEST",
        args: (0, 0),
        syntax: "",
        summary: "Matches random strings against random patterns.",
        run: stringmatch_test,
    },
];

fn debug(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if !ctx.host.debug_allowed(ctx.session) {
        return Err(Error::Text(
            "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it \
             from a local connection, otherwise you need to set this option in the configuration file, and then \
             restart the server.",
        ));
    }
    let (name, args) = (ctx.args.at(1), ctx.args.len() - 2);
    let fits = |part: &&Part| {
        name.eq_ignore_ascii_case(part.name.as_bytes()) && (part.args.0..=part.args.1).contains(&args)
    };
    match PARTS.iter().find(fits) {
        Some(part) => (part.run)(ctx),
        None => {
            let name = &name[..name.len().min(128)];
            let text =
                [b"ERR unknown subcommand or wrong number of arguments for '", name, b"'. Try DEBUG HELP."];
            Err(Error::Bytes(text.concat().into()))
        }
    }
}

/// Does something and answers OK.
fn done(ctx: &mut Ctx<'_, '_>, run: impl FnOnce(&mut Ctx<'_, '_>) -> Outcome) -> Outcome {
    run(ctx)?;
    ctx.reply.ok();
    Ok(())
}

fn debug_help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let others = || PARTS.iter().filter(|part| part.name != "HELP");
    ctx.reply.array(1 + 2 * others().count() + 2);
    ctx.reply.simple("DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for part in others().chain(PARTS.iter().filter(|part| part.name == "HELP")) {
        ctx.reply.simple(format!("{} {}", part.name, part.syntax).trim_end());
        ctx.reply.simple(&format!("    {}", part.summary));
    }
    Ok(())
}

fn sleep(ctx: &mut Ctx<'_, '_>) -> Outcome {
    // As Redis reads it: what is no number is none.
    let text = std::str::from_utf8(ctx.args.at(2)).unwrap_or_default();
    let seconds: f64 = text.parse().unwrap_or(0.0);
    ctx.host.sleep(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    ctx.reply.ok();
    Ok(())
}

/// Keys that POPULATE makes at most: more would keep everybody waiting for minutes.
const POPULATE_MAX: i64 = 100_000_000;

fn populate(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let positive = |arg| {
        let n = int(arg).ok().and_then(|n| usize::try_from(n).ok());
        n.ok_or(Error::Text("ERR value is out of range, must be positive"))
    };
    let count = positive(ctx.args.at(2))?.min(POPULATE_MAX as usize);
    let prefix = ctx.args.get(3).unwrap_or(b"key");
    let size = ctx.args.get(4).map(positive).transpose()?.filter(|&size| size > 0);
    if size.is_some_and(|size| size > ctx.host.bulk_bytes_max()) {
        return Err(Error::Text("ERR value is out of range, must be positive"));
    }
    for i in 0..count {
        let name = [prefix, b":", i.to_string().as_bytes()].concat();
        let key = ctx.db.key(&name);
        if ctx.db.peek(key).is_none() {
            let mut value = format!("value:{i}").into_bytes();
            value.resize(size.unwrap_or(value.len()), 0);
            ctx.db.set_string(key, &value, Deadline::Never);
        }
    }
    ctx.no_effect();
    ctx.reply.ok();
    Ok(())
}

/// Strings and patterns that STRINGMATCH-TEST tries.
const MATCHES: usize = 100_000;

fn stringmatch_test(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let rng = &mut ctx.db.turn.rng;
    let mut text = |alphabet: &[u8]| -> Vec<u8> {
        let len = rng.below(16);
        (0..len).map(|_| alphabet[rng.below(alphabet.len() as u64) as usize]).collect()
    };
    for _ in 0..MATCHES {
        let (string, pattern) = (text(b"abc-^]\\"), text(b"abc-^[]\\*?"));
        // The question is not whether it matches, but whether that is ever answered.
        std::hint::black_box(glob_matches(&pattern, &string, Case::Sensitive));
    }
    ctx.reply.simple("Apparently Ebbtide did not crash: test passed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Client, TestHost};

    #[test]
    fn it_must_be_allowed() {
        let mut client = Client::of(TestHost { password: Some(b"p"), ..TestHost::default() });
        client.send("AUTH p");
        assert!(
            client.text("DEBUG SLEEP 0").starts_with("ERR DEBUG command not allowed. If the enable-debug")
        );
        assert_eq!(client.calls().len(), 1, "only AUTH's");
    }

    #[test]
    fn unknown_parts_are_named() {
        let mut client = Client::new();
        for part in ["foo", "sleep", "log a b"] {
            let name = part.split(' ').next().unwrap();
            assert_eq!(
                client.text(&format!("DEBUG {part}")),
                format!("ERR unknown subcommand or wrong number of arguments for '{name}'. Try DEBUG HELP.")
            );
        }
        let lines = client.value("DEBUG HELP").as_slice().unwrap().len();
        assert_eq!(lines, 1 + 2 * super::PARTS.len());
    }

    #[test]
    fn the_process_is_asked() {
        let mut client = Client::new();
        for line in ["SLEEP 0.5", "SLEEP x", "SET-ACTIVE-EXPIRE 0", "LOG hello", "CHANGE-REPL-ID"] {
            assert_eq!(client.send(&format!("DEBUG {line}")), "+OK\r\n", "{line}");
        }
        assert_eq!(
            client.calls(),
            ["sleep 500ms", "sleep 0ns", "active expire false", "log hello", "change replication id"]
        );
        assert_eq!(client.send("DEBUG ERROR 'OWN text'"), "-OWN text\r\n");
    }

    #[test]
    fn populate_leaves_what_is_there() {
        let mut client = Client::new();
        client.send("SET key:1 mine");
        assert_eq!(client.send("DEBUG POPULATE 3"), "+OK\r\n");
        assert_eq!(client.text("GET key:1"), "mine");
        assert_eq!(client.text("GET key:2"), "value:2");
        client.send("DEBUG POPULATE 2 other 10");
        assert_eq!(client.send("GET other:1"), "$10\r\nvalue:1\0\0\0\r\n");
        for args in ["x", "-1", "1 a -5"] {
            assert_eq!(
                client.text(&format!("DEBUG POPULATE {args}")),
                "ERR value is out of range, must be positive"
            );
        }
    }

    #[test]
    fn matching_random_patterns_ends() {
        assert!(Client::new().text("DEBUG STRINGMATCH-TEST").contains("test passed"));
    }
}
