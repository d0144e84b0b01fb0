//! HyperLogLogs: strings that tell about how many different elements were added to them.

use engine::{Deadline, EventClass};

use crate::ctx::Ctx;
use crate::error::Error;
use crate::hyperloglog_sparse::runs;
use crate::hyperloglog_value::{Corrupted, HyperLogLog, Registers, add, add_dense, cache, empty, make_stale};
use crate::keys::KeySpec;
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&PFADD, &PFCOUNT, &PFMERGE, &PFDEBUG, &PFSELFTEST];

/// What the commands on HyperLogLogs have in common.
const HYPERLOGLOG: Command = Command {
    categories: "@hyperloglog",
    locks: Locks::Keys,
    since: "2.8.9",
    group: "hyperloglog",
    ..Command::BLANK
};

static PFADD: Command = Command {
    name: "pfadd",
    arity: -2,
    flags: flags::WRITE | flags::DENYOOM | flags::FAST,
    keys: &[KeySpec::one(1, "RW insert")],
    run: pfadd,
    summary: "Adds elements to a HyperLogLog, which is made when it is not there; tells whether it changed.",
    complexity: "O(1) for each element",
    syntax: "key [element ...]",
    example: "> PFADD a x y z\n(integer) 1\n> PFADD a x y z\n(integer) 0\n> PFCOUNT a\n(integer) 3",
    ..HYPERLOGLOG
};

fn pfadd(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let elements = ctx.args.from(2);
    let sparse_bytes_max = sparse_bytes_max(ctx);
    let mut digits = itoa::Buffer::new();
    // Making the key counts as a change.
    let (mut bytes, mut changes) = match ctx.db.write_string(key)? {
        None => (empty(), 1),
        Some(value) => {
            let value = value.bytes(&mut digits);
            let hyperloglog = HyperLogLog::new(value)?;
            if !hyperloglog.is_dense() {
                (value.to_vec(), 0)
            } else if elements.iter().any(|element| hyperloglog.would_raise(element)) {
                return pfadd_dense(ctx);
            } else {
                ctx.reply.int(0);
                return Ok(());
            }
        }
    };
    for element in elements.iter() {
        changes += u64::from(add(&mut bytes, element, sparse_bytes_max)?);
    }
    if changes > 0 {
        make_stale(&mut bytes);
        ctx.db.set_raw(key, &bytes, Deadline::Keep);
        added(ctx, changes);
    }
    ctx.reply.int(i64::from(changes > 0));
    Ok(())
}

/// PFADD to a dense value, at least one register of which rises: in place.
fn pfadd_dense(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let bytes = ctx.db.string_mut(ctx.key(1), 0);
    let elements = ctx.args.from(2);
    let changes = elements.iter().map(|element| u64::from(add_dense(bytes, element))).sum();
    make_stale(bytes);
    added(ctx, changes);
    ctx.reply.int(1);
    Ok(())
}

/// Notes `changes` to the value at the first key.
fn added(ctx: &mut Ctx<'_, '_>, changes: u64) {
    ctx.db.turn.dirty += changes;
    ctx.event(EventClass::String, "pfadd", ctx.args.at(1));
}

/// Bytes up to which a value stays sparse (`hll-sparse-max-bytes`).
fn sparse_bytes_max(ctx: &Ctx<'_, '_>) -> usize {
    usize::try_from(ctx.db.turn.limits.hll_sparse_max_bytes).unwrap_or(usize::MAX)
}

static PFCOUNT: Command = Command {
    name: "pfcount",
    arity: -2,
    flags: flags::READONLY | flags::MAY_REPLICATE,
    keys: &[KeySpec::rest(1, 1, "RW access")],
    run: pfcount,
    summary: "Tells about how many different elements were added to HyperLogLogs altogether.",
    complexity: "O(1), mostly a cached figure, for one key; O(N) for N keys",
    syntax: "key...",
    example: "> PFADD a x y z\n(integer) 1\n> PFADD b w x\n(integer) 1\n> PFCOUNT a\n(integer) 3\n> PFCOUNT a b\n(integer) 4",
    ..HYPERLOGLOG
};

fn pfcount(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.args.len() > 2 {
        let cardinality = union(ctx)?.registers.cardinality();
        ctx.reply.int(cardinality as i64);
        return Ok(());
    }
    let key = ctx.key(1);
    let Some(value) = ctx.db.read_string(key)? else {
        ctx.reply.int(0);
        return Ok(());
    };
    let mut digits = itoa::Buffer::new();
    let hyperloglog = HyperLogLog::new(value.bytes(&mut digits))?;
    let cardinality = match hyperloglog.cached() {
        Some(cardinality) => cardinality,
        None => {
            let cardinality = hyperloglog.cardinality()?;
            cache(ctx.db.string_mut(key, 0), cardinality);
            // A read as clients see it; but the bytes differ now, and replicas and the log shall have the same.
            ctx.db.turn.dirty += 1;
            cardinality
        }
    };
    ctx.reply.int(cardinality as i64);
    Ok(())
}

/// What the HyperLogLogs at all keys of the request make together.
struct Union {
    registers: Registers,
    /// Whether any of them is dense.
    any_dense: bool,
}

fn union(ctx: &mut Ctx<'_, '_>) -> Result<Union, Error> {
    let mut union = Union { registers: Registers::default(), any_dense: false };
    for i in 1..ctx.args.len() {
        let key = ctx.key(i);
        let Some(value) = ctx.db.read_string(key)? else { continue };
        let mut digits = itoa::Buffer::new();
        let hyperloglog = HyperLogLog::new(value.bytes(&mut digits))?;
        union.any_dense |= hyperloglog.is_dense();
        union.registers.merge(hyperloglog)?;
    }
    Ok(union)
}

static PFMERGE: Command = Command {
    name: "pfmerge",
    arity: -2,
    flags: flags::WRITE | flags::DENYOOM,
    keys: &[KeySpec::one(1, "RW access insert"), KeySpec::rest(2, 1, "RO access")],
    run: pfmerge,
    summary: "Adds to a HyperLogLog all that was added to others.",
    complexity: "O(N) for N keys",
    syntax: "destkey [sourcekey ...]",
    example: "> PFADD a x y z\n(integer) 1\n> PFADD b w x\n(integer) 1\n> PFMERGE c a b\nOK\n> PFCOUNT c\n(integer) 4",
    ..HYPERLOGLOG
};

fn pfmerge(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let union = union(ctx)?;
    let sparse_bytes_max = sparse_bytes_max(ctx);
    let key = ctx.key(1);
    let before = match ctx.db.write_string(key)? {
        Some(value) => value.bytes(&mut itoa::Buffer::new()).to_vec(),
        None => empty(),
    };
    let bytes = union.registers.raise_all(before, union.any_dense, sparse_bytes_max)?;
    ctx.db.set_raw(key, &bytes, Deadline::Keep);
    added(ctx, 1);
    ctx.reply.ok();
    Ok(())
}

static PFDEBUG: Command = Command {
    name: "pfdebug",
    arity: 3,
    flags: flags::WRITE | flags::DENYOOM | flags::ADMIN,
    keys: &[KeySpec::one(2, "RW access")],
    run: pfdebug,
    summary: "Shows how a HyperLogLog is encoded, for tests.",
    complexity: "O(1)",
    syntax: "(GETREG | DECODE | ENCODING | TODENSE) key",
    example: "> PFADD a x\n(integer) 1\n> PFDEBUG ENCODING a\nsparse\n> PFDEBUG TODENSE a\n(integer) 1\n> PFDEBUG ENCODING a\ndense",
    ..HYPERLOGLOG
};

fn pfdebug(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let word = ctx.args.at(1);
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    let key = ctx.key(2);
    let value = ctx.db.read_string(key)?.ok_or(Error::Text("ERR The specified key does not exist"))?;
    let mut digits = itoa::Buffer::new();
    let hyperloglog = HyperLogLog::new(value.bytes(&mut digits))?;
    let dense = hyperloglog.is_dense();
    if is("ENCODING") {
        ctx.reply.simple(if dense { "dense" } else { "sparse" });
    } else if is("DECODE") && dense {
        return Err(Error::Text("ERR HLL encoding is not sparse"));
    } else if is("DECODE") {
        let decoded = decode(hyperloglog.encoded())?;
        ctx.reply.bulk(decoded.as_bytes());
    } else if is("TODENSE") || is("GETREG") {
        let mut registers = Registers::default();
        registers.merge(hyperloglog)?;
        let converted = (!dense).then(|| hyperloglog.to_dense()).transpose()?;
        if let Some(bytes) = &converted {
            ctx.db.set_raw(key, bytes, Deadline::Keep);
            ctx.db.turn.dirty += 1;
        }
        if is("TODENSE") {
            ctx.reply.int(i64::from(converted.is_some()));
        } else {
            ctx.reply.array(registers.values().len());
            registers.values().iter().for_each(|&value| ctx.reply.int(i64::from(value)));
        }
    } else {
        let text = [b"ERR Unknown PFDEBUG subcommand '", word, b"'"].concat();
        return Err(Error::Bytes(text.into()));
    }
    Ok(())
}

/// Sparse opcodes in words: `z:` and `Z:` before a count of registers that are 0, `v:` before a value and a count.
fn decode(opcodes: &[u8]) -> Result<String, Corrupted> {
    let word = |run: crate::hyperloglog_sparse::Run| match (run.value, run.long) {
        (0, false) => format!("z:{}", run.len),
        (0, true) => format!("Z:{}", run.len),
        (value, _) => format!("v:{value},{}", run.len),
    };
    let words: Vec<String> = runs(opcodes).map(|run| run.map(word)).collect::<Result<_, _>>()?;
    Ok(words.join(" "))
}

static PFSELFTEST: Command = Command {
    name: "pfselftest",
    arity: 1,
    flags: flags::ADMIN,
    locks: Locks::Nothing,
    run: pfselftest,
    summary: "Tests that both encodings estimate alike, and well.",
    complexity: "O(1)",
    example: "> PFSELFTEST\nOK",
    ..HYPERLOGLOG
};

/// Elements that PFSELFTEST adds.
const SELF_TEST_ELEMENTS: u64 = 100_000;

/// Standard error of an estimate.
const STANDARD_ERROR: f64 = 1.04 / 128.0;

fn pfselftest(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let seed = ctx.db.turn.rng.next_u64();
    let mut sparse = empty();
    let mut dense = HyperLogLog::new(&sparse)?.to_dense()?;
    let mut checkpoint = 1;
    for n in 1..=SELF_TEST_ELEMENTS {
        let element = (n ^ seed).to_le_bytes();
        if add(&mut sparse, &element, usize::MAX)? != add_dense(&mut dense, &element) {
            return Err(Error::Message(format!("TESTFAILED element {n} changes one encoding alone")));
        }
        if n == checkpoint {
            let estimates = [HyperLogLog::new(&sparse)?, HyperLogLog::new(&dense)?];
            let [sparse, dense] = estimates.map(HyperLogLog::cardinality);
            let error_max = (6.0 * STANDARD_ERROR * n as f64).ceil() as u64;
            if sparse != dense || dense?.abs_diff(n) > error_max {
                return Err(Error::Message(format!("TESTFAILED {n} elements are taken for {}", dense?)));
            }
            checkpoint *= 10;
        }
    }
    ctx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    const INVALID: &str = "WRONGTYPE Key is not a valid HyperLogLog string value.";
    const CORRUPTED: &str = "INVALIDOBJ Corrupted HLL object detected";

    #[test]
    fn bytes_are_those_of_redis() {
        // From Redis 7.0.15.
        Client::new().check(&[
            ("PFADD a", "(integer) 1"),
            ("GET a", r#""HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff""#),
            ("PFADD a a b c", "(integer) 1"),
            ("OBJECT ENCODING a", "\"raw\""),
            ("PFDEBUG DECODE a", "\"Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603\""),
            ("GETRANGE a 8 15", r#""\x00\x00\x00\x00\x00\x00\x00\x80""#),
            ("PFCOUNT a", "(integer) 3"),
            ("GETRANGE a 8 15", r#""\x03\x00\x00\x00\x00\x00\x00\x00""#),
        ]);
    }

    #[test]
    fn what_is_no_hyperloglog_is_refused() {
        let mut client = Client::new();
        client.check(&[("SET a foo", "OK"), ("SET n 12345678901234567", "OK"), ("PFADD b x", "(integer) 1")]);
        client.check_errors(&[
            ("PFADD a x", INVALID),
            ("PFCOUNT a", INVALID),
            ("PFCOUNT n b", INVALID),
            ("PFMERGE b a", INVALID),
            ("PFMERGE a b", INVALID),
            ("PFDEBUG ENCODING a", INVALID),
            ("PFDEBUG ENCODING none", "ERR The specified key does not exist"),
            ("PFDEBUG NONE b", "ERR Unknown PFDEBUG subcommand 'NONE'"),
        ]);
        client.check(&[("APPEND b hello", "(integer) 25")]);
        client.check_errors(&[
            ("PFCOUNT b", CORRUPTED),
            ("PFMERGE c b", CORRUPTED),
            ("PFCOUNT b c", CORRUPTED),
        ]);
        client.check(&[("SETRANGE b 4 x", "(integer) 25")]);
        client.check_errors(&[("PFCOUNT b", INVALID)]);
        client.send("SETRANGE b 4 \"\\x00\"");
        client.check_errors(&[("PFCOUNT b", INVALID)]);
    }

    #[test]
    fn each_register_raised_is_a_change() {
        let mut client = Client::new();
        let noted = |n: u64, line: &str| (n, vec!["pfadd a".to_owned()], vec![line.to_owned()]);
        assert_eq!(client.changes("PFADD a x y"), noted(3, "PFADD a x y"));
        assert_eq!(client.changes("PFADD a x y"), (0, vec![], vec![]));
        assert_eq!(client.changes("PFCOUNT a"), (1, vec![], vec!["PFCOUNT a".to_owned()]));
        assert_eq!(client.changes("PFCOUNT a"), (0, vec![], vec![]));
        assert_eq!(client.changes("PFMERGE a none"), noted(1, "PFMERGE a none"));
        assert_eq!(client.changes("PFDEBUG TODENSE a").0, 1);
        assert_eq!(client.changes("PFDEBUG TODENSE a").0, 0);
        assert_eq!(client.changes("PFADD a x z"), noted(1, "PFADD a x z"));
        assert_eq!(client.changes("PFADD a x z"), (0, vec![], vec![]));
    }

    #[test]
    fn a_merge_is_dense_when_a_source_is() {
        let mut client = Client::new();
        client.check(&[
            ("PFADD a a b c", "(integer) 1"),
            ("PFADD b c d", "(integer) 1"),
            ("EXPIRE a 100", "(integer) 1"),
            ("PFMERGE a b", "OK"),
            ("PFDEBUG ENCODING a", "sparse"),
            ("PFCOUNT a", "(integer) 4"),
            ("PFDEBUG TODENSE b", "(integer) 1"),
            ("PFADD b e", "(integer) 1"),
            ("PFMERGE a b", "OK"),
            ("PFDEBUG ENCODING a", "dense"),
            ("PFCOUNT a", "(integer) 5"),
            ("TTL a", "(integer) 100"),
            ("PFMERGE none nothing", "OK"),
            ("PFCOUNT none", "(integer) 0"),
        ]);
        client.check_errors(&[("PFDEBUG DECODE a", "ERR HLL encoding is not sparse")]);
        client.turn.limits.hll_sparse_max_bytes = 19;
        client.check(&[("PFADD s x", "(integer) 1"), ("PFDEBUG ENCODING s", "dense")]);
    }
}
