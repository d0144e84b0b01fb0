//! Commands that go through a database's keys.

use resp::{Args, Reply};

use crate::ctx::Ctx;
use crate::error::Error;
use crate::glob::{Case, glob_matches};
use crate::number::int;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&KEYS, &SCAN, &RANDOMKEY, &DBSIZE];

/// Keys that KEYS visits in a step; other commands run between two steps.
const KEYS_STEP: usize = 512;

/// Keys that a call of SCAN visits unless it says otherwise.
const SCAN_COUNT_DEFAULT: usize = 10;

static KEYS: Command = Command {
    name: "keys",
    arity: 2,
    flags: flags::READONLY,
    categories: "@keyspace @dangerous",
    run: keys,
    summary: "Lists the keys whose names fit a pattern: those that are there all the while, each once.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(N) for N keys in the database",
    syntax: "pattern",
    example: "> MSET one 1 two 2\nOK\n> KEYS t*\n1) \"two\"\n> KEYS x*\n(empty array)",
    tips: &["request_policy:all_shards", "nondeterministic_output_order"],
    ..Command::BLANK
};

fn keys(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let pattern = Pattern::new(ctx.args.at(1));
    let list = ctx.reply.array_deferred();
    let (mut cursor, mut n) = (0, 0);
    loop {
        let reply = &mut *ctx.reply;
        cursor = ctx
            .db
            .scan(cursor, KEYS_STEP, |entry| {
                if pattern.fits(entry.key()) {
                    reply.bulk(entry.key());
                    n += 1;
                }
            })
            .cursor;
        if cursor == 0 {
            break;
        }
    }
    ctx.reply.close_array(list, n);
    Ok(())
}

/// A pattern, or `*`, which fits every key, the empty one too.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pattern<'a> {
    Any,
    Glob(&'a [u8]),
}

impl<'a> Pattern<'a> {
    fn new(pattern: &'a [u8]) -> Pattern<'a> {
        if pattern == b"*" { Pattern::Any } else { Pattern::Glob(pattern) }
    }

    /// Whether it fits the name of a key, field or member.
    pub(crate) fn fits(self, key: &[u8]) -> bool {
        match self {
            Pattern::Any => true,
            Pattern::Glob(pattern) => glob_matches(pattern, key, Case::Sensitive),
        }
    }
}

static SCAN: Command = Command {
    name: "scan",
    arity: -2,
    flags: flags::READONLY,
    categories: "@keyspace",
    run: scan,
    summary: "Lists some keys, and where the next call goes on; 0 begins and ends. A key that is there all the \
        while comes exactly once.",
    since: "2.8.0",
    group: "generic",
    complexity: "O(1) a call, O(N) for all N keys",
    syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    example: "> SET a 1\nOK\n> SCAN 0 MATCH a* COUNT 100 TYPE string\n1) \"0\"\n2) 1) \"a\"",
    history: &[("6.0.0", "TYPE.")],
    tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
    ..Command::BLANK
};

fn scan(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let cursor = cursor(ctx.args.at(1))?;
    let ScanOptions { pattern, count, kind, .. } = ScanOptions::parse(ctx.args.from(2), Of::Keys)?;
    // The cursor comes before the keys in the reply, and is known after them.
    let mut keys = Reply::new();
    let mut n = 0;
    let next = ctx.db.scan(cursor, count, |entry| {
        let kind_fits = kind.is_none_or(|kind| entry.kind().name().as_bytes().eq_ignore_ascii_case(kind));
        if kind_fits && pattern.fits(entry.key()) {
            keys.bulk(entry.key());
            n += 1;
        }
    });
    reply_scan(ctx.reply, next.cursor, n, &keys);
    Ok(())
}

/// Writes what a call found: the cursor to go on from, and the array of `n` replies in `found`.
pub(crate) fn reply_scan(reply: &mut Reply, cursor: u64, n: usize, found: &Reply) {
    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(cursor).as_bytes());
    reply.array(n);
    reply.buffer().extend_from_slice(found.bytes());
}

/// The number that a call of SCAN gave, to go on from; read as C's `strtoul` does, which takes a sign and nothing at
/// all, but here no space.
pub(crate) fn cursor(arg: &[u8]) -> Result<u64, Error> {
    let text = arg.split(|&byte| byte == 0).next().unwrap_or_default();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let well_formed = text.is_empty() || !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let add = |n: u64, digit: &u8| n.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    let number = if well_formed { digits.iter().try_fold(0, add) } else { None };
    let number = number.ok_or(Error::Text("ERR invalid cursor"))?;
    Ok(if negative { number.wrapping_neg() } else { number })
}

/// What a call of SCAN, HSCAN, SSCAN or ZSCAN asks for.
pub(crate) struct ScanOptions<'a> {
    /// Which names are told (MATCH).
    pub(crate) pattern: Pattern<'a>,
    /// About how many are visited (COUNT).
    pub(crate) count: usize,
    /// The kind's name (TYPE); one that is no kind's fits no key.
    kind: Option<&'a [u8]>,
    /// Names are told without what belongs to them (NOVALUES).
    pub(crate) names_only: bool,
}

/// What is gone through, which decides on the options there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// Keys: TYPE.
    Keys,
    /// Elements of a collection; the option that leaves out what belongs to them, if any.
    Elements(Option<&'static str>),
}

impl<'a> ScanOptions<'a> {
    /// Reads the options behind the cursor.
    pub(crate) fn parse(args: Args<'a>, of: Of) -> Result<ScanOptions<'a>, Error> {
        let mut options =
            ScanOptions { pattern: Pattern::Any, count: SCAN_COUNT_DEFAULT, kind: None, names_only: false };
        let mut args = args.iter();
        while let Some(option) = args.next() {
            if let Of::Elements(Some(word)) = of
                && option.eq_ignore_ascii_case(word.as_bytes())
            {
                options.names_only = true;
                continue;
            }
            let value = args.next().ok_or(Error::Syntax)?;
            match option {
                o if o.eq_ignore_ascii_case(b"MATCH") => options.pattern = Pattern::new(value),
                o if o.eq_ignore_ascii_case(b"COUNT") => match int(value)? {
                    count @ 1.. => options.count = count as usize,
                    _ => return Err(Error::Syntax),
                },
                o if of == Of::Keys && o.eq_ignore_ascii_case(b"TYPE") => options.kind = Some(value),
                _ => return Err(Error::Syntax),
            }
        }
        Ok(options)
    }
}

static RANDOMKEY: Command = Command {
    name: "randomkey",
    arity: 1,
    flags: flags::READONLY,
    categories: "@keyspace",
    run: randomkey,
    summary: "Gives the name of a key chosen at random.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    example: "> RANDOMKEY\n(nil)\n> SET a 1\nOK\n> RANDOMKEY\n\"a\"",
    tips: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
    ..Command::BLANK
};

fn randomkey(ctx: &mut Ctx<'_, '_>) -> Outcome {
    match ctx.db.random_key() {
        Some(key) => ctx.reply.bulk(&key),
        None => ctx.reply.null(),
    }
    Ok(())
}

static DBSIZE: Command = Command {
    name: "dbsize",
    arity: 1,
    flags: flags::READONLY | flags::FAST,
    categories: "@keyspace",
    run: dbsize,
    summary: "Says how many keys the database has.",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    example: "> MSET a 1 b 2\nOK\n> DBSIZE\n(integer) 2",
    tips: &["request_policy:all_shards", "response_policy:agg_sum"],
    ..Command::BLANK
};

fn dbsize(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let len = ctx.db.len();
    ctx.reply.int(len as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Value;

    use crate::testing::Client;

    #[test]
    fn cursors_and_options_are_checked() {
        Client::new().check_errors(&[
            ("SCAN x", "ERR invalid cursor"),
            ("SCAN -", "ERR invalid cursor"),
            ("SCAN \" 1\"", "ERR invalid cursor"),
            ("SCAN 1x", "ERR invalid cursor"),
            ("SCAN 18446744073709551616", "ERR invalid cursor"),
            ("SCAN 0 COUNT 0", "ERR syntax error"),
            ("SCAN 0 COUNT x", "ERR value is not an integer or out of range"),
            ("SCAN 0 MATCH", "ERR syntax error"),
            ("SCAN 0 NOVALUES", "ERR syntax error"),
        ]);
    }

    #[test]
    fn cursors_are_read_as_redis_reads_them() {
        for (text, n) in
            [("", 0), ("+5", 5), ("-1", u64::MAX), ("18446744073709551615", u64::MAX), ("7\0x", 7)]
        {
            assert_eq!(super::cursor(text.as_bytes()), Ok(n), "{text:?}");
        }
    }

    #[test]
    fn a_scan_in_small_steps_names_every_key_once() {
        let mut client = Client::new();
        for i in 0..1000 {
            client.send(&format!("SET key:{i} v"));
        }
        let (mut cursor, mut keys, mut calls) = (b"0".to_vec(), Vec::new(), 0);
        loop {
            let line = format!("SCAN {} COUNT 7", String::from_utf8_lossy(&cursor));
            let Value::Array(reply) = client.value(&line) else { panic!("{line}") };
            keys.extend_from_slice(reply[1].as_slice().unwrap());
            cursor = reply[0].as_bytes().unwrap().to_vec();
            calls += 1;
            if cursor == b"0" {
                break;
            }
        }
        let names: std::collections::BTreeSet<_> = keys.iter().map(|key| key.as_bytes().unwrap()).collect();
        assert_eq!((keys.len(), names.len()), (1000, 1000));
        assert!((50..=143).contains(&calls), "about 7 keys a call, not {calls} calls");
    }

    #[test]
    fn patterns_and_kinds_choose_among_live_keys() {
        let mut client = Client::new();
        client.send("MSET one 1 two 2 \"\" 3");
        client.send("SET three 3 PX 10");
        client.turn.now_ms += 10;
        client.check(&[
            ("KEYS t*", "1) \"two\""),
            ("KEYS \"\"", "1) \"\""),
            ("SCAN 0 COUNT 100 MATCH *e TYPE STRING", "1) \"0\"\n2) 1) \"one\""),
            ("SCAN 0 COUNT 100 TYPE list", "1) \"0\"\n2) (empty array)"),
            ("SCAN 0 COUNT 100 TYPE nothing", "1) \"0\"\n2) (empty array)"),
        ]);
        assert_eq!(client.value("KEYS *").as_slice().map(<[_]>::len), Some(3));
        client.check(&[("DEL one \"\"", "(integer) 2"), ("RANDOMKEY", "\"two\"")]);
    }
}
