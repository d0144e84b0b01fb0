//! Intersections, unions and differences of sets.

use engine::{Db, Element, Entry, EventClass, Key, Limits, Owned, Set, SetBuilder};
use resp::Reply;
use smallvec::SmallVec;

use crate::ctx::Ctx;
use crate::element::reply_element;
use crate::error::Error;
use crate::generic;
use crate::keys::KeySpec;
use crate::number::int;
use crate::set::{APART_MIN, ONE_SET, set_of};
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] =
    &[&SINTER, &SINTERCARD, &SINTERSTORE, &SUNION, &SUNIONSTORE, &SDIFF, &SDIFFSTORE];

/// What is made of sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    /// Members of all.
    Inter,
    /// Members of any.
    Union,
    /// Members of the first that no other has.
    Diff,
}

/// The sets to be worked on, in order; nothing where a key is not there.
type Sets<'e> = SmallVec<[Option<Set<'e>>; 8]>;

/// What results of sets are made with.
#[derive(Clone, Copy, Debug)]
struct Making {
    limits: Limits,
    secret: u64,
}

impl Making {
    fn of(ctx: &Ctx<'_, '_>) -> Making {
        Making { limits: ctx.db.turn.limits, secret: ctx.db.secret() }
    }

    fn builder(self) -> SetBuilder {
        SetBuilder::new(self.limits, self.secret)
    }
}

/// What the commands that reply with the result have in common.
const READING: Command = Command {
    arity: -2,
    flags: flags::READONLY,
    keys: &[KeySpec::rest(1, 1, "RO access")],
    syntax: "key [key ...]",
    tips: &["nondeterministic_output_order"],
    ..ONE_SET
};

/// What the commands that keep the result have in common.
const STORING: Command = Command {
    arity: -3,
    flags: flags::WRITE | flags::DENYOOM,
    keys: &[KeySpec::one(1, "OW update"), KeySpec::rest(2, 1, "RO access")],
    syntax: "destination key [key ...]",
    ..ONE_SET
};

const INTER_COMPLEXITY: &str = "O(N * M) at worst, for M sets, the smallest of which has N members";
const SUM_COMPLEXITY: &str = "O(N) for N members in all";

static SINTER: Command = Command {
    name: "sinter",
    run: sinter,
    summary: "Lists the members that all of several sets have.",
    since: "1.0.0",
    complexity: INTER_COMPLEXITY,
    example: "> SADD a 1 2 3\n(integer) 3\n> SADD b 2 3 4\n(integer) 3\n> SINTER a b\n1) \"2\"\n2) \"3\"",
    ..READING
};

fn sinter(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_with(ctx, Operation::Inter)
}

static SUNION: Command = Command {
    name: "sunion",
    run: sunion,
    summary: "Lists the members that any of several sets has.",
    since: "1.0.0",
    complexity: SUM_COMPLEXITY,
    example: "> SADD a 1 2\n(integer) 2\n> SADD b 2 3\n(integer) 2\n> SUNION a b\n1) \"1\"\n2) \"2\"\n3) \"3\"",
    ..READING
};

fn sunion(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_with(ctx, Operation::Union)
}

static SDIFF: Command = Command {
    name: "sdiff",
    run: sdiff,
    summary: "Lists the members of a set that none of the others has.",
    since: "1.0.0",
    complexity: SUM_COMPLEXITY,
    example: "> SADD a 1 2 3\n(integer) 3\n> SADD b 2\n(integer) 1\n> SDIFF a b\n1) \"1\"\n2) \"3\"",
    ..READING
};

fn sdiff(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_with(ctx, Operation::Diff)
}

/// Replies with what `operation` makes of all keys.
fn reply_with(ctx: &mut Ctx<'_, '_>, operation: Operation) -> Outcome {
    let (keys, making) = (keys(ctx, 1, ctx.args.len()), Making::of(ctx));
    read(ctx, &keys, |sets, reply| {
        if operation == Operation::Inter {
            let (start, mut n) = (reply.array_deferred(), 0);
            inter(sets, |member| {
                reply_element(reply, member);
                n += 1;
                true
            });
            return reply.close_set(start, n);
        }
        let result = operation.result(sets, making);
        reply.set(result.view().len());
        result.view().iter().for_each(|member| reply_element(reply, member));
    })
}

static SINTERCARD: Command = Command {
    name: "sintercard",
    arity: -3,
    flags: flags::READONLY | flags::MOVABLEKEYS,
    keys: &[KeySpec::counted(1, "RO access")],
    run: sintercard,
    summary: "Says how many members all of several sets have; counts no further than a limit.",
    since: "7.0.0",
    complexity: INTER_COMPLEXITY,
    syntax: "numkeys key [key ...] [LIMIT limit]",
    example: "> SADD a 1 2 3\n(integer) 3\n> SADD b 2 3 4\n(integer) 3\n> SINTERCARD 2 a b\n(integer) 2\n\
        > SINTERCARD 2 a b LIMIT 1\n(integer) 1",
    tips: &[],
    ..READING
};

fn sintercard(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const FIRST: usize = 2;
    let args = ctx.args;
    let numkeys = int(args.at(1)).ok().filter(|&n| n > 0);
    let numkeys = numkeys.ok_or(Error::Text("ERR numkeys should be greater than 0"))?;
    let after = usize::try_from(numkeys).ok().and_then(|n| FIRST.checked_add(n));
    let after = after
        .filter(|&after| after <= args.len())
        .ok_or(Error::Text("ERR Number of keys can't be greater than number of args"))?;
    let mut limit = 0;
    let mut options = args.from(after).iter();
    while let Some(option) = options.next() {
        let value = options.next().filter(|_| option.eq_ignore_ascii_case(b"LIMIT")).ok_or(Error::Syntax)?;
        let value = int(value).ok().and_then(|n| usize::try_from(n).ok());
        limit = value.ok_or(Error::Text("ERR LIMIT can't be negative"))?;
    }
    let keys = keys(ctx, FIRST, after);
    read(ctx, &keys, |sets, reply| {
        let mut n = 0;
        inter(sets, |_| {
            n += 1;
            n != limit
        });
        reply.int(n as i64);
    })
}

static SINTERSTORE: Command = Command {
    name: "sinterstore",
    run: sinterstore,
    summary: "Makes a key the set of the members that all of several sets have; says how many.",
    since: "1.0.0",
    complexity: INTER_COMPLEXITY,
    example: "> SADD a 1 2 3\n(integer) 3\n> SADD b 2 3 4\n(integer) 3\n> SINTERSTORE c a b\n(integer) 2\n\
        > SMEMBERS c\n1) \"2\"\n2) \"3\"",
    ..STORING
};

fn sinterstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    store(ctx, Operation::Inter, "sinterstore")
}

static SUNIONSTORE: Command = Command {
    name: "sunionstore",
    run: sunionstore,
    summary: "Makes a key the set of the members that any of several sets has; says how many.",
    since: "1.0.0",
    complexity: SUM_COMPLEXITY,
    example: "> SADD a 1 2\n(integer) 2\n> SADD b 2 3\n(integer) 2\n> SUNIONSTORE c a b\n(integer) 3\n\
        > SMEMBERS c\n1) \"1\"\n2) \"2\"\n3) \"3\"",
    ..STORING
};

fn sunionstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    store(ctx, Operation::Union, "sunionstore")
}

static SDIFFSTORE: Command = Command {
    name: "sdiffstore",
    run: sdiffstore,
    summary: "Makes a key the set of the members of a set that none of the others has; says how many.",
    since: "1.0.0",
    complexity: SUM_COMPLEXITY,
    example: "> SADD a 1 2 3\n(integer) 3\n> SADD b 2\n(integer) 1\n> SDIFFSTORE c a b\n(integer) 2\n\
        > SMEMBERS c\n1) \"1\"\n2) \"3\"",
    ..STORING
};

fn sdiffstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    store(ctx, Operation::Diff, "sdiffstore")
}

/// Makes the first key what `operation` makes of the others.
fn store(ctx: &mut Ctx<'_, '_>, operation: Operation, event: &'static str) -> Outcome {
    let (keys, making) = (keys(ctx, 2, ctx.args.len()), Making::of(ctx));
    let result = operation.result(&sets(&mut ctx.db, &keys)?, making);
    let (key, len) = (ctx.key(1), result.view().len());
    let set = (len > 0).then(|| result.finish());
    generic::store(ctx, key, set, len, (EventClass::Set, event));
    Ok(())
}

/// Arguments `from..end` as keys.
fn keys<'a>(ctx: &Ctx<'a, '_>, from: usize, end: usize) -> SmallVec<[Key<'a>; 8]> {
    (from..end).map(|i| ctx.key(i)).collect()
}

/// The sets at `keys`.
fn sets<'e>(db: &'e mut Db<'_, '_>, keys: &[Key<'_>]) -> Result<Sets<'e>, Error> {
    let entries = db.entries(keys).into_iter();
    Ok(entries.map(|entry| entry.map(Entry::set).transpose()).collect::<Result<_, _>>()?)
}

/// Runs `work` on the sets at `keys`: on copies, with the stripes let go, when there is much to do.
fn read(
    ctx: &mut Ctx<'_, '_>,
    keys: &[Key<'_>],
    work: impl FnOnce(&[Option<Set<'_>>], &mut Reply),
) -> Outcome {
    {
        let found = sets(&mut ctx.db, keys)?;
        if found.iter().flatten().map(|set| set.len()).sum::<usize>() < APART_MIN {
            work(&found, ctx.reply);
            return Ok(());
        }
    }
    let copies: SmallVec<[Option<Owned>; 8]> = keys.iter().map(|&key| ctx.db.copy(key)).collect();
    ctx.db.release();
    let copied: Sets<'_> = copies.iter().map(set_of).collect();
    work(&copied, ctx.reply);
    Ok(())
}

/// Shows the members that all of `sets` have to `visit`, until it says no.
fn inter<'e>(sets: &[Option<Set<'e>>], mut visit: impl FnMut(Element<'e>) -> bool) {
    let Some(mut sets) = sets.iter().copied().collect::<Option<SmallVec<[Set<'e>; 8]>>>() else { return };
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else { return };
    let mut digits = itoa::Buffer::new();
    for member in smallest.iter() {
        let bytes = member.bytes(&mut digits);
        if others.iter().all(|set| set.contains(bytes)) && !visit(member) {
            return;
        }
    }
}

/// The set of the members that any of `sets` has.
fn union(sets: &[Option<Set<'_>>], making: Making) -> SetBuilder {
    let mut builder = making.builder();
    let mut digits = itoa::Buffer::new();
    for member in sets.iter().flatten().flat_map(|set| set.iter()) {
        builder.as_mut().add(member.bytes(&mut digits));
    }
    builder
}

/// The set of the members of the first of `sets` that no other has.
fn diff(sets: &[Option<Set<'_>>], making: Making) -> SetBuilder {
    let mut builder = making.builder();
    let Some((Some(first), others)) = sets.split_first() else { return builder };
    let mut others: SmallVec<[Set<'_>; 8]> = others.iter().flatten().copied().collect();
    let mut digits = itoa::Buffer::new();
    // Either each member of the first is looked for in the others, or those of the others are taken out of a copy of the
    // first. Redis chooses in this way too, and it shows in the encoding.
    let all: usize = first.len() + others.iter().map(|set| set.len()).sum::<usize>();
    if first.len() * (others.len() + 1) / 2 <= all {
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        for member in first.iter() {
            let bytes = member.bytes(&mut digits);
            if !others.iter().any(|set| set.contains(bytes)) {
                builder.as_mut().add(bytes);
            }
        }
        return builder;
    }
    builder.as_mut().add_all(*first);
    for member in others.into_iter().flat_map(Set::iter) {
        builder.as_mut().remove(member.bytes(&mut digits));
    }
    builder
}

impl Operation {
    /// The set that it makes of `sets`.
    fn result(self, sets: &[Option<Set<'_>>], making: Making) -> SetBuilder {
        match self {
            Operation::Inter => {
                let mut builder = making.builder();
                inter(sets, |member| {
                    builder.as_mut().add(member.bytes(&mut itoa::Buffer::new()));
                    true
                });
                builder
            }
            Operation::Union => union(sets, making),
            Operation::Diff => diff(sets, making),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::testing::Client;

    /// The members that `line` gives, each once.
    fn members(client: &mut Client, line: &str) -> BTreeSet<String> {
        let value = client.value(line);
        let members = value.as_slice().unwrap();
        let set: BTreeSet<String> = members
            .iter()
            .map(|member| String::from_utf8(member.as_bytes().unwrap().to_vec()).unwrap())
            .collect();
        assert_eq!(set.len(), members.len(), "{line}");
        set
    }

    fn words(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<String> {
        numbers.into_iter().map(|n| format!("w{n}")).collect()
    }

    #[test]
    fn results_are_right_at_every_size() {
        for step in [1, 10, 500] {
            let mut client = Client::new();
            let mut add = |key: &str, range: std::ops::Range<u32>| {
                let all: Vec<String> = range.map(|n| format!("w{n}")).collect();
                client.send(&format!("SADD {key} {}", all.join(" ")));
            };
            add("a", 0..4 * step);
            add("b", 2 * step..6 * step);
            add("c", 3 * step..5 * step);
            let checks = [
                ("INTER a b", words(2 * step..4 * step)),
                ("INTER c a b", words(3 * step..4 * step)),
                ("INTER a b none", words([])),
                ("UNION a b c none", words(0..6 * step)),
                ("DIFF a b", words(0..2 * step)),
                ("DIFF b c none a", words(5 * step..6 * step)),
                ("DIFF a c c c c", words(0..3 * step)),
                ("DIFF a a", words([])),
                ("DIFF none a", words([])),
            ];
            for (line, expected) in checks {
                assert_eq!(members(&mut client, &format!("S{line}")), expected, "{line} {step}");
                let (operation, keys) = line.split_once(' ').unwrap();
                let stored = client.show(&format!("S{operation}STORE a2 {keys}"));
                assert_eq!(stored, format!("(integer) {}", expected.len()), "{line} {step}");
                assert_eq!(members(&mut client, "SMEMBERS a2"), expected, "{line} {step}");
            }
            client.check(&[("SINTERCARD 3 a b c", &format!("(integer) {step}"))]);
            client.check(&[("SINTERCARD 2 a b LIMIT 2", "(integer) 2")]);
        }
    }

    #[test]
    fn a_key_becomes_the_result_or_goes() {
        let mut client = Client::new();
        client.check(&[("SADD a 1 2", "(integer) 2"), ("SADD b 2", "(integer) 1"), ("SET c x EX 100", "OK")]);
        let (changes, events, effects) = client.changes("SINTERSTORE c a b");
        assert_eq!((changes, events), (1, vec!["sinterstore c".into()]));
        assert_eq!(effects, ["SINTERSTORE c a b"]);
        client.check(&[("TTL c", "(integer) -1"), ("SMEMBERS c", "1) \"2\"")]);
        assert_eq!(client.changes("SDIFFSTORE c b a").1, ["del c"]);
        assert_eq!(client.changes("SDIFFSTORE c b a"), (0, vec![], vec![]));
        assert_eq!(client.changes("SUNIONSTORE a a b").1, ["sunionstore a"]);
        client.check(&[("SMEMBERS a", "1) \"1\"\n2) \"2\""), ("EXISTS c", "(integer) 0")]);
    }

    #[test]
    fn every_key_is_checked() {
        const WRONG: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
        let mut client = Client::new();
        client.check(&[("SET s x", "OK"), ("SADD a 1", "(integer) 1")]);
        for line in [
            "SINTER none s",
            "SINTER s none",
            "SINTERCARD 2 none s",
            "SUNION a s",
            "SDIFF none s",
            "SDIFF a s",
            "SINTERSTORE d none s",
            "SUNIONSTORE s a s",
            "SDIFFSTORE d a s",
        ] {
            client.check_errors(&[(line, WRONG)]);
        }
        client.check(&[("SUNIONSTORE s a", "(integer) 1"), ("TYPE s", "set")]);
    }

    #[test]
    fn arguments_of_sintercard_are_checked() {
        const NUMKEYS: &str = "ERR numkeys should be greater than 0";
        const LIMIT: &str = "ERR LIMIT can't be negative";
        Client::new().check_errors(&[
            ("SINTERCARD 0 a", NUMKEYS),
            ("SINTERCARD -1 a", NUMKEYS),
            ("SINTERCARD x a", NUMKEYS),
            ("SINTERCARD 2 a", "ERR Number of keys can't be greater than number of args"),
            ("SINTERCARD 9223372036854775807 a", "ERR Number of keys can't be greater than number of args"),
            ("SINTERCARD 1 a LIMIT", "ERR syntax error"),
            ("SINTERCARD 1 a FOO 1", "ERR syntax error"),
            ("SINTERCARD 1 a LIMIT -1", LIMIT),
            ("SINTERCARD 1 a LIMIT x", LIMIT),
        ]);
        Client::new().check(&[("SINTERCARD 1 a LIMIT 1 LIMIT 0", "(integer) 0")]);
    }

    #[test]
    fn encodings_of_results_are_those_of_redis() {
        let mut client = Client::new();
        let numbers: Vec<String> = (0..600).map(|n| n.to_string()).collect();
        client.send(&format!("SADD many {}", numbers.join(" ")));
        client.send(&format!("SADD most {}", numbers[..590].join(" ")));
        client.send("SADD mixed 1 2 x");
        client.send("SADD few 1 2");
        client.check(&[
            ("OBJECT ENCODING many", "\"hashtable\""),
            // Looked for in the other set: a new set of what is left.
            ("SDIFFSTORE d many most", "(integer) 10"),
            ("OBJECT ENCODING d", "\"intset\""),
            // Taken out of a copy of the first.
            ("SDIFFSTORE d many few few few few", "(integer) 598"),
            ("OBJECT ENCODING d", "\"hashtable\""),
            ("SINTERSTORE d many few", "(integer) 2"),
            ("OBJECT ENCODING d", "\"intset\""),
            ("SINTERSTORE d mixed few", "(integer) 2"),
            ("OBJECT ENCODING d", "\"intset\""),
            ("SUNIONSTORE d mixed few", "(integer) 3"),
            ("OBJECT ENCODING d", "\"listpack\""),
        ]);
    }
}
