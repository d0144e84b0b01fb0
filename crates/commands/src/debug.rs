//! DEBUG: for tests of clients and of the server. It runs with every stripe held, as it stops Redis's only
//! thread: DEBUG SLEEP keeps everybody waiting.

use std::time::Duration;

use engine::{Deadline, Str};

use crate::ctx::Ctx;
use crate::debug_protocol::protocol;
use crate::error::Error;
use crate::glob::{Case, glob_matches};
use crate::number::int;
use crate::persistence::{loadaof, reload};
use crate::string_compare::digest_of;
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

fn object(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(2);
    let now_ms = ctx.now_ms();
    let entry = ctx.db.peek(key).ok_or(Error::NoSuchKey)?;
    let length = entry.string().map_or(0, serialized_length);
    let idle_s = entry.idle_ms(now_ms) / 1000;
    let lru = (now_ms / 1000 - idle_s as i64) & 0xff_ffff;
    let text = format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{length} lru:{lru} lru_seconds_idle:{idle_s}",
        entry.address(),
        entry.encoding()
    );
    ctx.reply.simple(&text);
    Ok(())
}

/// Bytes that a string takes in a snapshot that is not compressed: its length, or that it is an integer of
/// 8, 16 or 32 bits, before its content.
fn serialized_length(value: Str<'_>) -> usize {
    match value {
        Str::Int(n) if i8::try_from(n).is_ok() => 2,
        Str::Int(n) if i16::try_from(n).is_ok() => 3,
        Str::Int(n) if i32::try_from(n).is_ok() => 5,
        other => match other.len() {
            len @ ..64 => 1 + len,
            len @ ..16_384 => 2 + len,
            len => 5 + len,
        },
    }
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

/// Keys visited between two looks for more.
const SCAN_COUNT: usize = 1000;

fn digest(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut sum = [0; 20];
    for index in 0..ctx.db.databases() {
        let mut db = ctx.db.at(index);
        let mut cursor = 0;
        loop {
            let scan = db.scan(cursor, SCAN_COUNT, |entry| {
                let volatile = if entry.deadline_ms().is_some() { "!" } else { "" };
                let value = entry.string().map(digest_of).unwrap_or_default();
                let head = format!("{index}{volatile} {} ", entry.key().len());
                add(&mut sum, &fingerprint(&[head.as_bytes(), entry.key(), value.as_bytes()].concat()));
            });
            cursor = scan.cursor;
            if cursor == 0 {
                break;
            }
        }
    }
    ctx.reply.simple(&hex(&sum));
    Ok(())
}

fn digest_value(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let keys = ctx.args.from(2);
    ctx.reply.array(keys.len());
    for key in keys.iter() {
        let key = ctx.db.key(key);
        let value = ctx.db.peek(key).map(|entry| entry.string().map(digest_of).unwrap_or_default());
        let digest = value.map_or([0; 20], |value| fingerprint(value.as_bytes()));
        ctx.reply.bulk(hex(&digest).as_bytes());
    }
    Ok(())
}

/// Twenty bytes that depend on all of `bytes`.
fn fingerprint(bytes: &[u8]) -> [u8; 20] {
    let mut whole = [0; 20];
    for (salt, part) in whole.chunks_mut(8).enumerate() {
        let salted = [&[salt as u8][..], bytes].concat();
        let text = digest_of(Str::Bytes(&salted));
        let word = u64::from_str_radix(&text, 16).unwrap_or_default();
        part.copy_from_slice(&word.to_be_bytes()[..part.len()]);
    }
    whole
}

/// Adds a key's fingerprint to the sum of others: in whatever order, the sum is the same.
fn add(sum: &mut [u8; 20], fingerprint: &[u8; 20]) {
    sum.iter_mut().zip(fingerprint).for_each(|(a, b)| *a ^= b);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
    fn objects_tell_encoding_and_length() {
        let mut client = Client::new();
        let mut object = |value: &str| {
            client.send(&format!("SET a {value}"));
            let text = client.text("DEBUG OBJECT a");
            let field = |name: &str| text.split(name).nth(1).unwrap().split(' ').next().unwrap().to_owned();
            (field("encoding:"), field("serializedlength:"))
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(object("12"), pair("int", "2"));
        assert_eq!(object("12345"), pair("int", "3"));
        assert_eq!(object("123456"), pair("int", "5"));
        assert_eq!(object("bar"), pair("embstr", "4"));
        assert_eq!(object(&"x".repeat(64)), pair("raw", "66"));
        assert_eq!(client.text("DEBUG OBJECT nosuch"), "ERR no such key");
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
    fn digests_depend_on_content_alone() {
        let (mut one, mut other) = (Client::new(), Client::new());
        let empty = one.text("DEBUG DIGEST");
        assert_eq!(empty, "0".repeat(40));
        one.send("MSET a 1 b two");
        other.send("SET b two");
        assert_ne!(one.text("DEBUG DIGEST"), other.text("DEBUG DIGEST"));
        other.send("SET a 1");
        assert_eq!(one.text("DEBUG DIGEST"), other.text("DEBUG DIGEST"));
        other.send("EXPIRE a 100");
        assert_ne!(one.text("DEBUG DIGEST"), other.text("DEBUG DIGEST"));
        let values = one.value("DEBUG DIGEST-VALUE a nosuch b a");
        let values = values.as_slice().unwrap();
        assert_eq!(values[0], values[3]);
        assert_ne!(values[0], values[2]);
        assert_eq!(values[1].as_bytes(), Some(&[b'0'; 40][..]));
    }

    #[test]
    fn matching_random_patterns_ends() {
        assert!(Client::new().text("DEBUG STRINGMATCH-TEST").contains("test passed"));
    }
}
