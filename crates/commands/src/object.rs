//! OBJECT: how a key is kept.

use engine::{AccessPolicy, Entry, Str};

use crate::ctx::Ctx;
use crate::error::Error;
use crate::help::help;
use crate::keys::KeySpec;
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&OBJECT];

static OBJECT: Command = Command {
    name: "object",
    arity: -2,
    subcommands: &[&HELP, &ENCODING, &FREQ, &IDLETIME, &REFCOUNT],
    summary: "A container for commands about how keys are kept.",
    since: "2.2.3",
    group: "generic",
    complexity: "Depends on the subcommand.",
    ..Command::BLANK
};

/// What the subcommands about a key have in common.
const ABOUT_KEY: Command = Command {
    arity: 3,
    flags: flags::READONLY,
    categories: "@keyspace",
    keys: &[KeySpec::one(2, "RO")],
    locks: Locks::Keys,
    group: "generic",
    complexity: "O(1)",
    syntax: "key",
    tips: &["nondeterministic_output"],
    ..Command::BLANK
};

static HELP: Command = Command {
    name: "help",
    arity: 2,
    flags: flags::LOADING | flags::STALE,
    categories: "@keyspace",
    run: object_help,
    summary: "Lists the subcommands.",
    since: "6.2.0",
    group: "generic",
    complexity: "O(1)",
    ..Command::BLANK
};

fn object_help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    help(ctx.reply, &OBJECT);
    Ok(())
}

static ENCODING: Command = Command {
    name: "encoding",
    run: encoding,
    summary: "Names the form that the key's value is kept in.",
    since: "2.2.3",
    example: "> SET a 1\nOK\n> OBJECT ENCODING a\n\"int\"\n> SET a one\nOK\n> OBJECT ENCODING a\n\"embstr\"",
    ..ABOUT_KEY
};

fn encoding(ctx: &mut Ctx<'_, '_>) -> Outcome {
    match entry(ctx, |entry, _| entry.encoding()) {
        Some(name) => ctx.reply.bulk(name.as_bytes()),
        None => ctx.reply.null(),
    }
    Ok(())
}

static FREQ: Command = Command {
    name: "freq",
    run: freq,
    summary: "Says how often the key is used, on a logarithmic scale of 0 to 255.",
    since: "4.0.0",
    example: "> OBJECT FREQ a\n(nil)",
    ..ABOUT_KEY
};

fn freq(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let policy = ctx.db.turn.access;
    let frequency = entry(ctx, |entry, now_ms| i64::from(entry.frequency(policy, now_ms)));
    tell(ctx, frequency, matches!(policy, AccessPolicy::Lfu { .. }), NO_FREQUENCY)
}

const NO_FREQUENCY: Error = Error::Text(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
     switching between policies at runtime LRU and LFU data will take some time to adjust.",
);

static IDLETIME: Command = Command {
    name: "idletime",
    run: idletime,
    summary: "Says how many seconds ago the key was last read or written.",
    since: "2.2.3",
    example: "> SET a 1\nOK\n> OBJECT IDLETIME a\n(integer) 0",
    ..ABOUT_KEY
};

fn idletime(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let idle_seconds = entry(ctx, |entry, now_ms| (entry.idle_ms(now_ms) / 1000) as i64);
    tell(ctx, idle_seconds, ctx.db.turn.access == AccessPolicy::Lru, NO_IDLE_TIME)
}

const NO_IDLE_TIME: Error = Error::Text(
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching \
     between policies at runtime LRU and LFU data will take some time to adjust.",
);

static REFCOUNT: Command = Command {
    name: "refcount",
    run: refcount,
    summary: "Says how many keys share the value: always one, except that Redis's shared small integers are \
        told as such.",
    since: "2.2.3",
    example: "> SET a one\nOK\n> OBJECT REFCOUNT a\n(integer) 1",
    ..ABOUT_KEY
};

/// Redis keeps one object for each integer from 0 up to here, with a reference count that says so. Here integers
/// need no object; clients still get the count they know.
const SHARED_INTEGERS: std::ops::Range<i64> = 0..10_000;

fn refcount(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let count = entry(ctx, |entry, _| match entry.string() {
        Ok(Str::Int(n)) if SHARED_INTEGERS.contains(&n) => i64::from(i32::MAX),
        _ => 1,
    });
    int_or_null(ctx, count);
    Ok(())
}

/// What `view` tells about the live entry of argument 2; counted as a hit or a miss, but not as an access.
fn entry<T>(ctx: &mut Ctx<'_, '_>, view: impl FnOnce(Entry<'_>, i64) -> T) -> Option<T> {
    let now_ms = ctx.now_ms();
    let told = ctx.db.peek(ctx.key(2)).map(|entry| view(entry, now_ms));
    match told {
        Some(_) => ctx.db.turn.hits += 1,
        None => ctx.db.turn.misses += 1,
    }
    told
}

/// Replies with `told`, or the error when it is not `tracked`; a key that is not there is no error.
fn tell(ctx: &mut Ctx<'_, '_>, told: Option<i64>, tracked: bool, untracked: Error) -> Outcome {
    if told.is_some() && !tracked {
        return Err(untracked);
    }
    int_or_null(ctx, told);
    Ok(())
}

fn int_or_null(ctx: &mut Ctx<'_, '_>, told: Option<i64>) {
    match told {
        Some(n) => ctx.reply.int(n),
        None => ctx.reply.null(),
    }
}

#[cfg(test)]
mod tests {
    use engine::{AccessPolicy, Limits};

    use super::{NO_FREQUENCY, NO_IDLE_TIME};
    use crate::testing::Client;

    #[test]
    fn the_policy_says_what_is_tracked() {
        let mut client = Client::new();
        client.send("SET a 1");
        client.turn.now_ms += 5500;
        client.check(&[
            ("OBJECT IDLETIME a", "(integer) 5"),
            ("OBJECT IDLETIME x", "(nil)"),
            ("OBJECT FREQ x", "(nil)"),
        ]);
        client.check_errors(&[("OBJECT FREQ a", &NO_FREQUENCY.to_string())]);
        client.turn.access = AccessPolicy::Lfu { log_factor: 10, decay_minutes: 1 };
        client.check(&[("SET b 1", "OK"), ("OBJECT FREQ b", "(integer) 5"), ("OBJECT IDLETIME x", "(nil)")]);
        client.check_errors(&[("OBJECT IDLETIME a", &NO_IDLE_TIME.to_string())]);
    }

    #[test]
    fn a_counter_survives_writing_over() {
        let mut client = Client::new();
        client.turn.access = AccessPolicy::Lfu { log_factor: 0, decay_minutes: 1 };
        client.check(&[("SET a 1", "OK"), ("OBJECT FREQ a", "(integer) 5")]);
        for (line, counter) in [
            ("SET a 12", 6),
            ("SET a long-enough-to-need-another-entry EX 100", 7),
            ("APPEND a x", 8),
            ("SETRANGE a 2 x", 9),
            ("GET a", 10),
            ("SUNIONSTORE a none", -1),
        ] {
            client.send(line);
            let expected = if counter < 0 { "(nil)".to_owned() } else { format!("(integer) {counter}") };
            client.check(&[("OBJECT FREQ a", &expected)]);
        }
        client.check(&[("SADD s 1", "(integer) 1"), ("SUNIONSTORE t s", "(integer) 1")]);
        client.check(&[("OBJECT FREQ t", "(integer) 5"), ("SUNIONSTORE t s", "(integer) 1")]);
        client.check(&[("OBJECT FREQ t", "(integer) 6"), ("COPY t u", "(integer) 1")]);
        client.check(&[("OBJECT FREQ u", "(integer) 5"), ("OBJECT FREQ t", "(integer) 7")]);
        client.session.no_touch = true;
        client.turn.no_touch = true;
        client.check(&[("SET t x", "OK"), ("OBJECT FREQ t", "(integer) 7")]);
        client.turn.access = AccessPolicy::Lru;
        client.check(&[("SUNIONSTORE v s", "(integer) 1"), ("OBJECT IDLETIME v", "(integer) 0")]);
        client.turn.now_ms += 3000;
        client.check(&[("OBJECT IDLETIME v", "(integer) 3"), ("SUNIONSTORE v s", "(integer) 1")]);
        client.check(&[("OBJECT IDLETIME v", "(integer) 0")]);
    }

    #[test]
    fn small_integers_count_as_shared() {
        let mut client = Client::new();
        for (value, count) in [("0", i32::MAX), ("9999", i32::MAX), ("10000", 1), ("-1", 1), ("x", 1)] {
            let count = format!("(integer) {count}");
            client.check(&[(&format!("SET a {value}"), "OK"), ("OBJECT REFCOUNT a", &count)]);
        }
        client.check(&[("OBJECT REFCOUNT x", "(nil)"), ("OBJECT ENCODING x", "(nil)")]);
    }

    #[test]
    fn help_names_each_subcommand() {
        let help = Client::new().show("OBJECT HELP");
        assert!(
            help.starts_with(" 1) OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\n"),
            "{help}"
        );
        assert!(help.contains(") ENCODING <key>\n") && help.ends_with(")     Prints this help."), "{help}");
    }

    #[test]
    fn each_kind_has_its_encodings_and_directives_move_them() {
        let mut client = Client::new();
        for (line, small, large) in [
            ("RPUSH a x y", "listpack", "quicklist"),
            ("SADD a 1 2", "intset", "hashtable"),
            ("SADD a x y", "listpack", "hashtable"),
            ("HSET a f v g w", "listpack", "hashtable"),
            ("ZADD a 1 x 2 y", "listpack", "skiplist"),
            ("XADD a 1-1 f v", "stream", "stream"),
            ("PFADD a x", "raw", "raw"),
        ] {
            for (limits, encoding) in [(Limits::DEFAULT, small), (NONE_SMALL, large)] {
                client.turn.limits = limits;
                client.send("DEL a b");
                client.send(line);
                let encoding = format!("\"{encoding}\"");
                client.check(&[("OBJECT ENCODING a", &encoding), ("COPY a b", "(integer) 1")]);
                client.check(&[("OBJECT ENCODING b", &encoding), ("OBJECT REFCOUNT b", "(integer) 1")]);
                assert_eq!(client.text("TYPE a"), client.text("TYPE b"));
                assert!(client.value("MEMORY USAGE a SAMPLES 5").as_int().unwrap() > 10, "{line}");
            }
        }
    }

    /// Limits that one element keeps, and two do not.
    const NONE_SMALL: Limits = Limits {
        hash_max_listpack_entries: 1,
        list_max_listpack_size: 1,
        set_max_intset_entries: 1,
        set_max_listpack_entries: 1,
        zset_max_listpack_entries: 1,
        ..Limits::DEFAULT
    };

    #[test]
    fn large_values_are_freed_elsewhere() {
        let mut client = Client::new();
        for line in ["UNLINK a", "SET a 1"] {
            for i in 0..100 {
                let members: Vec<String> = (0..100).map(|n| format!("member:{i}:{n}")).collect();
                client.send(&format!("SADD a {}", members.join(" ")));
            }
            client.turn.garbage.clear();
            client.send(line);
            assert_eq!(client.turn.garbage.len(), 1, "{line}");
            client.send("DEL a");
        }
        client.check(&[("SADD a x", "(integer) 1"), ("UNLINK a", "(integer) 1")]);
        assert_eq!(client.turn.garbage.len(), 1, "a small one is freed at once");
    }
}
