//! Strings: many whole values read or written at once.

use engine::{Deadline, EventClass};
use smallvec::SmallVec;

use crate::ctx::Ctx;
use crate::deadline::Expiry;
use crate::error::Error;
use crate::keys::{FindKeys, KeySpec, Search};
use crate::number::int;
use crate::string::{ONE_STRING, reply_value};
use crate::string_compare::Condition;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&MGET, &MSET, &MSETNX, &MSETEX];

static MGET: Command = Command {
    name: "mget",
    arity: -2,
    flags: flags::READONLY | flags::FAST,
    keys: &[KeySpec::rest(1, 1, "RO access")],
    run: mget,
    summary: "Gives the values of keys; none for a key that is not there or is no string.",
    since: "1.0.0",
    complexity: "O(N) where N is the number of keys",
    syntax: "key...",
    example: "> MSET a 1 b 2\nOK\n> MGET a b c\n1) \"1\"\n2) \"2\"\n3) (nil)",
    tips: &["request_policy:multi_shard"],
    ..ONE_STRING
};

fn mget(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.array(ctx.args.len() - 1);
    for i in 1..ctx.args.len() {
        let key = ctx.key(i);
        let value = ctx.db.read(key).and_then(|entry| entry.string().ok());
        reply_value(ctx.reply, value);
    }
    Ok(())
}

static MSET: Command = Command {
    name: "mset",
    arity: -3,
    flags: flags::WRITE | flags::DENYOOM,
    keys: &[KeySpec::rest(1, 2, "OW update")],
    run: mset,
    summary: "Sets the values of keys, all at once.",
    since: "1.0.1",
    complexity: "O(N) where N is the number of keys",
    syntax: "key value ...",
    example: "> MSET a 1 b 2\nOK\n> GET b\n\"2\"",
    tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
    ..ONE_STRING
};

fn mset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    check_pairs(ctx)?;
    let len = ctx.args.len();
    set_pairs(ctx, 1, len);
    ctx.reply.ok();
    Ok(())
}

static MSETNX: Command = Command {
    name: "msetnx",
    arity: -3,
    flags: flags::WRITE | flags::DENYOOM,
    keys: &[KeySpec::rest(1, 2, "OW insert")],
    run: msetnx,
    summary: "Sets the values of keys, all at once, if none of them is there yet.",
    since: "1.0.1",
    complexity: "O(N) where N is the number of keys",
    syntax: "key value ...",
    example: "> MSETNX a 1 b 2\n(integer) 1\n> MSETNX b 3 c 4\n(integer) 0\n> MGET b c\n1) \"2\"\n2) (nil)",
    ..ONE_STRING
};

fn msetnx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    check_pairs(ctx)?;
    let len = ctx.args.len();
    let holds = hold(ctx, Condition::Nx, 1, len)?;
    if holds {
        set_pairs(ctx, 1, len);
    }
    ctx.reply.int(i64::from(holds));
    Ok(())
}

/// Checks that every key of MSET and MSETNX has a value.
fn check_pairs(ctx: &Ctx<'_, '_>) -> Result<(), Error> {
    if ctx.args.len().is_multiple_of(2) { Err(Error::Arity(ctx.command.name.to_owned())) } else { Ok(()) }
}

/// Whether `condition` holds of every key, each with its value in the arguments `start..end`.
fn hold(ctx: &mut Ctx<'_, '_>, condition: Condition<'_>, start: usize, end: usize) -> Result<bool, Error> {
    for i in (start..end).step_by(2) {
        let key = ctx.key(i);
        if !condition.holds(ctx.db.write(key))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Sets every key to its value in the arguments `start..end`, for good.
fn set_pairs(ctx: &mut Ctx<'_, '_>, start: usize, end: usize) {
    for i in (start..end).step_by(2) {
        let key = ctx.key(i);
        ctx.db.set_string(key, ctx.args.at(i + 1), Deadline::Never);
        ctx.changed(EventClass::String, "set", key.bytes());
    }
}

static MSETEX: Command = Command {
    name: "msetex",
    arity: -4,
    flags: flags::WRITE | flags::DENYOOM | flags::MOVABLEKEYS,
    keys: &[KeySpec {
        search: Search::Index(1),
        find: FindKeys::Count { count: 0, first: 1, step: 2 },
        flags: "OW update",
    }],
    run: msetex,
    summary: "Sets the values of keys and their deadline, all at once, if all or none of them are there.",
    since: "8.4.0",
    complexity: "O(N) where N is the number of keys",
    syntax: "numkeys (key value ...) [NX | XX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | \
        PXAT unix-time-milliseconds | KEEPTTL]",
    example: "> MSETEX 2 a 1 b 2 EX 60\n(integer) 1\n> TTL b\n(integer) 60\n> MSETEX 2 b 3 c 4 NX\n(integer) 0",
    tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
    ..ONE_STRING
};

fn msetex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const START: usize = 2;
    let numkeys = int(ctx.args.at(1))
        .ok()
        .filter(|n| (1..=i64::from(i32::MAX)).contains(n))
        .ok_or(Error::Text("ERR invalid numkeys value"))?;
    let end = START + 2 * numkeys.unsigned_abs() as usize;
    if end > ctx.args.len() {
        return Err(Error::Text("ERR wrong number of key-value pairs"));
    }
    let options = SharedOptions::parse(ctx, end)?;
    let deadline = options.expiry.deadline(ctx.now_ms(), ctx.command.name)?;
    let holds = options.condition == Condition::Always || hold(ctx, options.condition, START, end)?;
    match deadline {
        _ if !holds => {}
        None => set_pairs(ctx, START, end),
        Some(deadline) => set_pairs_until(ctx, START, end, deadline),
    }
    ctx.reply.int(i64::from(holds));
    if let (true, Some(Deadline::At(moment_ms))) = (holds && !options.expiry.is_absolute(), deadline) {
        let mut digits = itoa::Buffer::new();
        let mut effect: SmallVec<[&[u8]; 16]> = ctx.args.iter().take(end).collect();
        effect.extend([b"PXAT".as_slice(), digits.format(moment_ms).as_bytes()]);
        ctx.effect(&effect);
    }
    Ok(())
}

/// Sets every key to its value in the arguments `start..end`, and its deadline.
fn set_pairs_until(ctx: &mut Ctx<'_, '_>, start: usize, end: usize, deadline: Deadline) {
    for i in (start..end).step_by(2) {
        let key = ctx.key(i);
        ctx.db.set_string(key, ctx.args.at(i + 1), deadline);
        if let Deadline::At(_) = deadline {
            ctx.event(EventClass::Generic, "expire", key.bytes());
        }
        ctx.changed(EventClass::String, "set", key.bytes());
    }
}

/// What MSETEX may have behind its pairs.
struct SharedOptions<'a> {
    condition: Condition<'a>,
    expiry: Expiry<'a>,
}

impl<'a> SharedOptions<'a> {
    fn parse(ctx: &Ctx<'a, '_>, start: usize) -> Result<SharedOptions<'a>, Error> {
        let mut options = SharedOptions { condition: Condition::Always, expiry: Expiry::of_write() };
        let mut i = start;
        while i < ctx.args.len() {
            if !options.condition.take(ctx.args, &mut i)? {
                options.expiry.take(ctx.args, &mut i)?;
            }
        }
        if options.condition.compares() { Err(Error::Syntax) } else { Ok(options) }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Client, NOW_MS};

    #[test]
    fn what_cannot_be_done_whole_is_not_begun() {
        let mut client = Client::new();
        client.check_errors(&[
            ("MSET a 1 b", "ERR wrong number of arguments for 'mset' command"),
            ("MSETNX a 1 b", "ERR wrong number of arguments for 'msetnx' command"),
            ("MSETEX 0 a 1", "ERR invalid numkeys value"),
            ("MSETEX x a 1", "ERR invalid numkeys value"),
            ("MSETEX 2147483648 a 1", "ERR invalid numkeys value"),
            ("MSETEX 2 a 1", "ERR wrong number of key-value pairs"),
            ("MSETEX 1 a 1 b 2", "ERR syntax error"),
            ("MSETEX 1 a 1 NX XX", "ERR syntax error"),
            ("MSETEX 1 a 1 IFEQ 1", "ERR syntax error"),
            ("MSETEX 1 a 1 GET", "ERR syntax error"),
            ("MSETEX 1 a 1 EX 1 KEEPTTL", "ERR syntax error"),
            ("MSETEX 1 a 1 EX 0", "ERR invalid expire time in 'msetex' command"),
            ("MSETEX 1 a 1 PX x", "ERR value is not an integer or out of range"),
        ]);
        client.check(&[("MSETNX a 1 a 2", "(integer) 1"), ("MSETNX b 1 a 3", "(integer) 0")]);
        client.check(&[("MSETEX 2 a 3 b 3 XX", "(integer) 0"), ("MGET a b", "1) \"2\"\n2) (nil)")]);
    }

    #[test]
    fn every_key_is_a_change_and_the_request_one_effect() {
        let mut client = Client::new();
        let set = || vec!["set a".to_owned(), "set b".to_owned()];
        assert_eq!(client.changes("MSET a 1 b 2"), (2, set(), vec!["MSET a 1 b 2".into()]));
        assert_eq!(client.changes("MSETNX a 1 b 2"), (0, vec![], vec![]));
        let both = client.changes("MSETEX 2 a 1 b 2 XX");
        assert_eq!(both, (2, set(), vec!["MSETEX 2 a 1 b 2 XX".into()]));
        assert_eq!(client.changes("MSETEX 1 a 1 NX EX 1"), (0, vec![], vec![]));
    }

    #[test]
    fn msetex_is_logged_with_a_moment() {
        let mut client = Client::new();
        let (changes, events, effects) = client.changes("MSETEX 2 a 1 b 2 EX 10 NX");
        assert_eq!((changes, events.join(" ")), (2, "expire a set a expire b set b".into()));
        assert_eq!(effects, [format!("MSETEX 2 a 1 b 2 PXAT {}", NOW_MS + 10_000)]);
        client.check(&[("MSETEX 1 a 3 KEEPTTL", "(integer) 1"), ("TTL a", "(integer) 10")]);
        client.check(&[("MSETEX 1 b 3", "(integer) 1"), ("TTL b", "(integer) -1")]);
    }
}
