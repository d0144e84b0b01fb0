//! Sorted sets: members and their scores one by one.

use engine::{EventClass, Key, Owned, Scored, View, ZSet};
use resp::Reply;
use smallvec::SmallVec;

use crate::ctx::Ctx;
use crate::element::reply_element;
use crate::error::Error;
use crate::generic;
use crate::keys::KeySpec;
use crate::number::float;
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] =
    &[&ZADD, &ZINCRBY, &ZREM, &ZCARD, &ZSCORE, &ZMSCORE, &ZRANK, &ZREVRANK];

/// What the commands on one sorted set have in common.
pub(crate) const ONE_ZSET: Command = Command {
    categories: "@sortedset",
    locks: Locks::Keys,
    group: "sorted-set",
    complexity: "O(log N) for N members",
    ..Command::BLANK
};

/// What the commands that read one sorted set have in common.
pub(crate) const READ_ZSET: Command =
    Command { flags: flags::READONLY | flags::FAST, keys: &[KeySpec::one(1, "RO access")], ..ONE_ZSET };

/// Members from which a command works on a copy, which shares the nodes of the set, and keeps nobody waiting.
pub(crate) const LONG: usize = 1000;

/// Says that `count` members of the sorted set at `key` came, went or changed.
pub(crate) fn changed(ctx: &mut Ctx<'_, '_>, event: &'static str, key: Key<'_>, count: usize) {
    ctx.db.turn.dirty += count as u64;
    ctx.event(EventClass::ZSet, event, key.bytes());
}

/// Says that the key went, when nothing is left of its set.
pub(crate) fn gone(ctx: &mut Ctx<'_, '_>, key: Key<'_>, left: usize) {
    if left == 0 {
        ctx.event(EventClass::Generic, "del", key.bytes());
    }
}

/// Makes `key` the sorted set of `members`, which are all different, or nothing when there are none; how many there
/// are is the reply.
pub(crate) fn store<M: AsRef<[u8]>>(
    ctx: &mut Ctx<'_, '_>,
    key: Key<'_>,
    members: Vec<(M, f64)>,
    event: &'static str,
) {
    let len = members.len();
    let set = (len > 0).then(|| Owned::zset(members, &ctx.db.turn.limits, ctx.db.secret()));
    generic::store(ctx, key, set, len, (EventClass::ZSet, event));
}

/// A copy of the set at `key`, with the stripes let go.
pub(crate) fn copy_and_release(ctx: &mut Ctx<'_, '_>, key: Key<'_>) -> Option<Owned> {
    let copy = ctx.db.copy(key);
    ctx.db.release();
    copy
}

/// The sorted set that `copy` is.
pub(crate) fn zset_of(copy: &Option<Owned>) -> Option<ZSet<'_>> {
    match copy.as_ref()?.value() {
        View::ZSet(set) => Some(set),
        _ => None,
    }
}

/// Writes members, with their scores when asked for: in RESP2 in turns, in RESP3 as pairs.
pub(crate) fn reply_members<'e>(
    reply: &mut Reply,
    members: impl ExactSizeIterator<Item = Scored<'e>>,
    with_scores: bool,
) {
    begin_members(reply, members.len(), with_scores);
    members.for_each(|member| reply_member(reply, member, with_scores));
}

/// Writes the header of an array of `len` members, each to be written by [`reply_member`].
pub(crate) fn begin_members(reply: &mut Reply, len: usize, with_scores: bool) {
    reply.array(if with_scores && !reply.resp3() { 2 * len } else { len });
}

/// Writes one member of such an array.
pub(crate) fn reply_member(reply: &mut Reply, member: Scored<'_>, with_scores: bool) {
    if with_scores && reply.resp3() {
        reply.array(2);
    }
    reply_element(reply, member.name);
    if with_scores {
        reply.double(member.score);
    }
}

static ZADD: Command = Command {
    name: "zadd",
    arity: -4,
    flags: flags::WRITE | flags::DENYOOM | flags::FAST,
    keys: &[KeySpec::one(1, "RW update")],
    run: zadd,
    summary: "Adds members to a sorted set, or gives them other scores; says how many are new (CH: how many \
        changed).",
    since: "1.2.0",
    complexity: "O(log N) for each member, N being the members of the set",
    syntax: "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
    example: "> ZADD a 1 one 2 two\n(integer) 2\n> ZADD a XX GT CH 5 one 1 two 3 three\n(integer) 1\n\
        > ZADD a INCR 0.5 two\n\"2.5\"\n> ZRANGE a 0 -1 WITHSCORES\n1) \"two\"\n2) \"2.5\"\n3) \"one\"\n4) \"5\"",
    history: &[("2.4.0", "Several members."), ("3.0.2", "XX, NX, CH and INCR."), ("6.2.0", "GT and LT.")],
    ..ONE_ZSET
};

/// Which scores ZADD gives.
#[derive(Clone, Copy, Debug, Default)]
struct Conditions {
    /// Only to new members.
    nx: bool,
    /// Only to members that are there.
    xx: bool,
    /// Only greater ones than members have.
    gt: bool,
    /// Only lesser ones.
    lt: bool,
    /// What is given is added to the score.
    incr: bool,
}

impl Conditions {
    /// Sets the condition of this name, if there is one.
    fn set(&mut self, name: &[u8]) -> bool {
        let flag = match name {
            name if name.eq_ignore_ascii_case(b"nx") => &mut self.nx,
            name if name.eq_ignore_ascii_case(b"xx") => &mut self.xx,
            name if name.eq_ignore_ascii_case(b"gt") => &mut self.gt,
            name if name.eq_ignore_ascii_case(b"lt") => &mut self.lt,
            name if name.eq_ignore_ascii_case(b"incr") => &mut self.incr,
            _ => return false,
        };
        *flag = true;
        true
    }

    /// The score for a member that has `old`; nothing: it stays as it is. It is NaN for infinities of both signs.
    fn decide(self, old: Option<f64>, given: f64) -> Option<f64> {
        let Some(old) = old else { return (!self.xx).then_some(given) };
        let new = if self.incr { old + given } else { given };
        let refused = self.nx || self.gt && new <= old || self.lt && new >= old;
        (!refused).then_some(new)
    }
}

fn zadd(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (mut conditions, mut ch, mut first) = (Conditions::default(), false, 2);
    while let Some(word) = ctx.args.get(first) {
        match word {
            word if word.eq_ignore_ascii_case(b"ch") => ch = true,
            word if conditions.set(word) => {}
            _ => break,
        }
        first += 1;
    }
    let Conditions { nx, xx, gt, lt, incr } = conditions;
    let words = ctx.args.len() - first;
    if words == 0 || !words.is_multiple_of(2) {
        return Err(Error::Syntax);
    }
    if nx && xx {
        return Err(Error::Text("ERR XX and NX options at the same time are not compatible"));
    }
    if [nx, gt, lt].iter().filter(|&&given| given).count() > 1 {
        return Err(Error::Text("ERR GT, LT, and/or NX options at the same time are not compatible"));
    }
    if incr && words > 2 {
        return Err(Error::Text("ERR INCR option supports a single increment-element pair"));
    }
    if incr { add_to_one(ctx, conditions, first) } else { add(ctx, conditions, ch, first) }
}

/// Gives the scores in the arguments from `first` on, with their members.
fn add(ctx: &mut Ctx<'_, '_>, conditions: Conditions, ch: bool, first: usize) -> Outcome {
    let (args, key) = (ctx.args, ctx.key(1));
    let pairs = (first..args.len()).step_by(2);
    let scores = pairs.clone().map(|i| float(args.at(i))).collect::<Result<SmallVec<[f64; 8]>, _>>()?;
    if ctx.db.write_zset(key)?.is_none() && conditions.xx {
        ctx.reply.int(0);
        return Ok(());
    }
    let (mut added, mut updated) = (0, 0);
    ctx.db.change_zset(key, |set| {
        let longest = pairs.clone().map(|i| args.at(i + 1).len()).max().unwrap_or(0);
        set.expect(scores.len(), longest);
        for (i, &score) in pairs.zip(&scores) {
            let rescored = set.update(args.at(i + 1), |old| conditions.decide(old, score));
            match (rescored.old, rescored.new) {
                (None, Some(_)) => added += 1,
                (Some(old), Some(new)) if old != new => updated += 1,
                _ => {}
            }
        }
    });
    if added + updated > 0 {
        changed(ctx, "zadd", key, added + updated);
    }
    ctx.reply.int(if ch { added + updated } else { added } as i64);
    Ok(())
}

/// Adds the increment in argument `at` to the score of the member behind it.
fn add_to_one(ctx: &mut Ctx<'_, '_>, conditions: Conditions, at: usize) -> Outcome {
    let (key, increment, member) = (ctx.key(1), float(ctx.args.at(at))?, ctx.args.at(at + 1));
    let old = ctx.db.write_zset(key)?.map(|set| set.score(member));
    if old.is_none() && conditions.xx {
        ctx.reply.null();
        return Ok(());
    }
    match conditions.decide(old.flatten(), increment) {
        None => ctx.reply.null(),
        Some(score) if score.is_nan() => {
            return Err(Error::Text("ERR resulting score is not a number (NaN)"));
        }
        Some(score) => {
            ctx.db.change_zset(key, |set| {
                set.expect(1, member.len());
                set.add(member, score);
            });
            if old.flatten() != Some(score) {
                changed(ctx, "zincr", key, 1);
            }
            ctx.reply.double(score);
        }
    }
    Ok(())
}

static ZINCRBY: Command = Command {
    name: "zincrby",
    arity: 4,
    flags: flags::WRITE | flags::DENYOOM | flags::FAST,
    keys: &[KeySpec::one(1, "RW access update")],
    run: zincrby,
    summary: "Adds to the score of a member of a sorted set; one that is not there counts as 0.",
    since: "1.2.0",
    syntax: "key increment member",
    example: "> ZADD a 1 one\n(integer) 1\n> ZINCRBY a 2.5 one\n\"3.5\"\n> ZINCRBY a -1 two\n\"-1\"",
    ..ONE_ZSET
};

fn zincrby(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let increment = ctx.args.at(2);
    // Redis takes an option of ZADD in its place for one, and misses the number.
    if increment.eq_ignore_ascii_case(b"ch") || Conditions::default().set(increment) {
        return Err(Error::Syntax);
    }
    add_to_one(ctx, Conditions { incr: true, ..Conditions::default() }, 2)
}

static ZREM: Command = Command {
    name: "zrem",
    arity: -3,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RW delete")],
    run: zrem,
    summary: "Removes members of a sorted set; says how many were there.",
    since: "1.2.0",
    complexity: "O(M log N) for M members to remove of N",
    syntax: "key member [member ...]",
    example: "> ZADD a 1 one 2 two\n(integer) 2\n> ZREM a one three\n(integer) 1",
    history: &[("2.4.0", "Several members.")],
    ..ONE_ZSET
};

fn zrem(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (args, key) = (ctx.args, ctx.key(1));
    if ctx.db.write_zset(key)?.is_none() {
        ctx.reply.int(0);
        return Ok(());
    }
    let (removed, left) = ctx.db.change_zset(key, |set| {
        let removed = args.from(2).iter().filter(|member| set.remove(member).is_some()).count();
        (removed, set.len())
    });
    if removed > 0 {
        changed(ctx, "zrem", key, removed);
        gone(ctx, key, left);
    }
    ctx.reply.int(removed as i64);
    Ok(())
}

static ZCARD: Command = Command {
    name: "zcard",
    arity: 2,
    keys: &[KeySpec::one(1, "RO")],
    run: zcard,
    summary: "Says how many members a sorted set has.",
    since: "1.2.0",
    complexity: "O(1)",
    syntax: "key",
    example: "> ZADD a 1 one 2 two\n(integer) 2\n> ZCARD a\n(integer) 2\n> ZCARD b\n(integer) 0",
    ..READ_ZSET
};

fn zcard(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let len = ctx.db.read_zset(key)?.map_or(0, ZSet::len);
    ctx.reply.int(len as i64);
    Ok(())
}

static ZSCORE: Command = Command {
    name: "zscore",
    arity: 3,
    run: zscore,
    summary: "Gives the score of a member of a sorted set.",
    since: "1.2.0",
    complexity: "O(1)",
    syntax: "key member",
    example: "> ZADD a 1.5 one\n(integer) 1\n> ZSCORE a one\n\"1.5\"\n> ZSCORE a two\n(nil)",
    ..READ_ZSET
};

fn zscore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, member) = (ctx.key(1), ctx.args.at(2));
    match ctx.db.read_zset(key)?.and_then(|set| set.score(member)) {
        Some(score) => ctx.reply.double(score),
        None => ctx.reply.null(),
    }
    Ok(())
}

static ZMSCORE: Command = Command {
    name: "zmscore",
    arity: -3,
    run: zmscore,
    summary: "Gives the scores of members of a sorted set.",
    since: "6.2.0",
    complexity: "O(N) for N members asked for",
    syntax: "key member [member ...]",
    example: "> ZADD a 1.5 one\n(integer) 1\n> ZMSCORE a one two\n1) \"1.5\"\n2) (nil)",
    ..READ_ZSET
};

fn zmscore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (args, key) = (ctx.args, ctx.key(1));
    let set = ctx.db.read_zset(key)?;
    ctx.reply.array(args.len() - 2);
    for member in args.from(2).iter() {
        match set.and_then(|set| set.score(member)) {
            Some(score) => ctx.reply.double(score),
            None => ctx.reply.null(),
        }
    }
    Ok(())
}

static ZRANK: Command = Command {
    name: "zrank",
    arity: -3,
    run: zrank,
    summary: "Says how many members of a sorted set stand before one of them.",
    since: "2.0.0",
    syntax: "key member [WITHSCORE]",
    example: "> ZADD a 1 one 2 two\n(integer) 2\n> ZRANK a two\n(integer) 1\n> ZRANK a two WITHSCORE\n\
        1) (integer) 1\n2) \"2\"\n> ZRANK a three\n(nil)",
    history: &[("7.2.0", "WITHSCORE.")],
    ..READ_ZSET
};

fn zrank(ctx: &mut Ctx<'_, '_>) -> Outcome {
    rank(ctx, |_, rank| rank)
}

static ZREVRANK: Command = Command {
    name: "zrevrank",
    arity: -3,
    run: zrevrank,
    summary: "Says how many members of a sorted set stand behind one of them.",
    since: "2.0.0",
    syntax: "key member [WITHSCORE]",
    example: "> ZADD a 1 one 2 two\n(integer) 2\n> ZREVRANK a two\n(integer) 0\n> ZREVRANK a three WITHSCORE\n(nil)",
    history: &[("7.2.0", "WITHSCORE.")],
    ..READ_ZSET
};

fn zrevrank(ctx: &mut Ctx<'_, '_>) -> Outcome {
    rank(ctx, |len, rank| len - 1 - rank)
}

/// The rank of a member as `counted` makes it of the number of members and those before.
fn rank(ctx: &mut Ctx<'_, '_>, counted: impl FnOnce(usize, usize) -> usize) -> Outcome {
    let (key, member) = (ctx.key(1), ctx.args.at(2));
    let with_score = match ctx.args.len() {
        3 => false,
        4 if ctx.args.at(3).eq_ignore_ascii_case(b"withscore") => true,
        4 => return Err(Error::Syntax),
        _ => return Err(Error::Arity(ctx.command.name.to_owned())),
    };
    let found = ctx.db.read_zset(key)?.and_then(|set| {
        let (rank, score) = set.rank(member)?;
        Some((counted(set.len(), rank), score))
    });
    match found {
        None if with_score => ctx.reply.null_array(),
        None => ctx.reply.null(),
        Some((rank, score)) => {
            if with_score {
                ctx.reply.array(2);
            }
            ctx.reply.int(rank as i64);
            if with_score {
                ctx.reply.double(score);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
