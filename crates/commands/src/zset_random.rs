//! Sorted sets: members that are popped, chosen at random, or gone through.

use std::collections::HashSet;

use engine::{Key, Rng, ZSet};
use resp::{DoubleBuffer, Reply};

use crate::ctx::Ctx;
use crate::element::{REPEATED_MAX, reply_element};
use crate::error::Error;
use crate::keys::KeySpec;
use crate::number::{count, signed};
use crate::pop_request::PopRequest;
use crate::scan::{Of, ScanOptions, cursor};
use crate::table::{Command, Outcome, flags};
use crate::zset::{
    LONG, ONE_ZSET, READ_ZSET, begin_members, changed, copy_and_release, gone, reply_member, reply_members,
    zset_of,
};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&ZPOPMIN, &ZPOPMAX, &ZMPOP, &ZRANDMEMBER, &ZSCAN];

/// Which end of a sorted set is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

/// What the commands that pop have in common.
const POP: Command = Command {
    arity: -2,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RW access delete")],
    since: "5.0.0",
    complexity: "O(M log N) for M members popped of N",
    syntax: "key [count]",
    ..ONE_ZSET
};

static ZPOPMIN: Command = Command {
    name: "zpopmin",
    run: zpopmin,
    summary: "Removes the members with the lowest scores of a sorted set, and gives them.",
    example: "> ZADD a 1 one 2 two 3 three\n(integer) 3\n> ZPOPMIN a\n1) \"one\"\n2) \"1\"\n\
        > ZPOPMIN b\n(empty array)",
    ..POP
};

fn zpopmin(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop(ctx, End::Min)
}

static ZPOPMAX: Command = Command {
    name: "zpopmax",
    run: zpopmax,
    summary: "Removes the members with the highest scores of a sorted set, and gives them.",
    example: "> ZADD a 1 one 2 two 3 three\n(integer) 3\n> ZPOPMAX a 2\n1) \"three\"\n2) \"3\"\n3) \"two\"\n4) \"2\"",
    ..POP
};

fn zpopmax(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop(ctx, End::Max)
}

fn pop(ctx: &mut Ctx<'_, '_>, end: End) -> Outcome {
    if ctx.args.len() > 3 {
        return Err(Error::Syntax);
    }
    let (key, wanted) = (ctx.key(1), ctx.args.get(2).map(count).transpose()?);
    let popped = match ctx.db.write_zset(key)? {
        Some(set) if wanted != Some(0) => {
            let positions = ends(set, end, wanted.unwrap_or(1));
            // A single member is a flat pair in both protocols.
            let pairs = wanted.is_some() && ctx.reply.resp3();
            ctx.reply.array(if pairs { positions.len() } else { 2 * positions.len() });
            reply_popped(ctx.reply, set, end, positions.clone(), pairs);
            positions
        }
        _ => {
            ctx.reply.array(0);
            return Ok(());
        }
    };
    remove(ctx, key, end, popped);
    Ok(())
}

/// The positions of `count` members at an end.
fn ends(set: ZSet<'_>, end: End, count: usize) -> std::ops::Range<usize> {
    let (len, count) = (set.len(), count.min(set.len()));
    if end == End::Min { 0..count } else { len - count..len }
}

fn reply_popped(reply: &mut Reply, set: ZSet<'_>, end: End, positions: std::ops::Range<usize>, pairs: bool) {
    let members = if end == End::Min { set.range(positions) } else { set.range_backwards(positions) };
    for member in members {
        if pairs {
            reply.array(2);
        }
        reply_element(reply, member.name);
        reply.double(member.score);
    }
}

/// Removes the members that were popped.
fn remove(ctx: &mut Ctx<'_, '_>, key: Key<'_>, end: End, positions: std::ops::Range<usize>) {
    let removed = positions.len();
    let left = ctx.db.change_zset(key, |set| {
        set.remove_range(positions);
        set.len()
    });
    changed(ctx, if end == End::Min { "zpopmin" } else { "zpopmax" }, key, removed);
    gone(ctx, key, left);
}

static ZMPOP: Command = Command {
    name: "zmpop",
    arity: -4,
    flags: flags::WRITE | flags::MOVABLEKEYS,
    keys: &[KeySpec::counted(1, "RW access delete")],
    run: zmpop,
    summary: "Removes members at one end of the first of several sorted sets that is there, and gives them.",
    since: "7.0.0",
    complexity: "O(K) + O(M log N) for K keys and M members popped of N",
    syntax: "numkeys key [key ...] <MIN | MAX> [COUNT count]",
    example: "> ZADD b 1 one 2 two 3 three\n(integer) 3\n> ZMPOP 2 a b MIN COUNT 2\n1) \"b\"\n\
        2) 1) 1) \"one\"\n      2) \"1\"\n   2) 1) \"two\"\n      2) \"2\"\n> ZMPOP 1 a MAX\n(nil)",
    ..ONE_ZSET
};

/// The end that an argument names.
fn end(arg: &[u8]) -> Result<End, Error> {
    match arg {
        arg if arg.eq_ignore_ascii_case(b"min") => Ok(End::Min),
        arg if arg.eq_ignore_ascii_case(b"max") => Ok(End::Max),
        _ => Err(Error::Syntax),
    }
}

fn zmpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let PopRequest { keys, end, count } = PopRequest::parse(ctx.args, 1, end)?;
    for i in keys {
        let key = ctx.key(i);
        let Some(set) = ctx.db.write_zset(key)? else { continue };
        let positions = ends(set, end, count);
        ctx.reply.array(2);
        ctx.reply.bulk(key.bytes());
        ctx.reply.array(positions.len());
        reply_popped(ctx.reply, set, end, positions.clone(), true);
        let mut digits = itoa::Buffer::new();
        let name: &[u8] = if end == End::Min { b"ZPOPMIN" } else { b"ZPOPMAX" };
        let popped = positions.len();
        remove(ctx, key, end, positions);
        ctx.effect(&[name, key.bytes(), digits.format(popped).as_bytes()]);
        return Ok(());
    }
    ctx.reply.null_array();
    Ok(())
}

static ZRANDMEMBER: Command = Command {
    name: "zrandmember",
    arity: -2,
    flags: flags::READONLY,
    run: zrandmember,
    summary: "Gives members of a sorted set chosen at random: different ones, or, with a negative count, any.",
    since: "6.2.0",
    complexity: "O(M log N) for M members given of N",
    syntax: "key [count [WITHSCORES]]",
    example: "> ZADD a 1 one\n(integer) 1\n> ZRANDMEMBER a\n\"one\"\n> ZRANDMEMBER a 5 WITHSCORES\n\
        1) \"one\"\n2) \"1\"\n> ZRANDMEMBER a -2\n1) \"one\"\n2) \"one\"",
    tips: &["nondeterministic_output"],
    ..READ_ZSET
};

fn zrandmember(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (args, key, mut rng) = (ctx.args, ctx.key(1), ctx.db.turn.rng.clone());
    let Some(wanted) = args.get(2) else {
        let set = ctx.db.read_zset(key)?;
        match set.and_then(|set| set.nth(rng.below(set.len() as u64) as usize)) {
            Some(member) => reply_element(ctx.reply, member.name),
            None => ctx.reply.null(),
        }
        ctx.db.turn.rng = rng;
        return Ok(());
    };
    let wanted = signed(wanted)?;
    let with_scores = args.get(3).is_some_and(|word| word.eq_ignore_ascii_case(b"withscores"));
    if args.len() > 4 || args.len() == 4 && !with_scores {
        return Err(Error::Syntax);
    }
    let too_many = wanted < 0 && wanted.unsigned_abs() > REPEATED_MAX;
    if too_many || with_scores && wanted.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(Error::Text("ERR value is out of range"));
    }
    let Some(set) = ctx.db.read_zset(key)? else {
        ctx.reply.array(0);
        return Ok(());
    };
    if wanted.min(set.len() as i64).unsigned_abs() < LONG as u64 {
        reply_random(ctx.reply, set, wanted, with_scores, &mut rng);
    } else {
        let copy = copy_and_release(ctx, key);
        let reply = &mut *ctx.reply;
        zset_of(&copy).into_iter().for_each(|set| reply_random(reply, set, wanted, with_scores, &mut rng));
    }
    ctx.db.turn.rng = rng;
    Ok(())
}

/// Writes as many different members as there are, `wanted` at most; when that is negative, so many that may be the same.
fn reply_random(reply: &mut Reply, set: ZSet<'_>, wanted: i64, with_scores: bool, rng: &mut Rng) {
    let len = set.len();
    let any = |n: usize, rng: &mut Rng| rng.below(n as u64) as usize;
    let count = wanted.unsigned_abs() as usize;
    if wanted < 0 {
        begin_members(reply, count, with_scores);
        for _ in 0..count {
            let member = set.nth(any(len, rng));
            member.into_iter().for_each(|member| reply_member(reply, member, with_scores));
        }
    } else if count >= len {
        reply_members(reply, set.iter(), with_scores);
    } else {
        // Each new position is drawn among one more; one that was drawn before stands for the last of those.
        let mut drawn = HashSet::with_capacity(count);
        begin_members(reply, count, with_scores);
        for last in len - count..len {
            let position = any(last + 1, rng);
            let position = if drawn.insert(position) { position } else { last };
            drawn.insert(position);
            let member = set.nth(position);
            member.into_iter().for_each(|member| reply_member(reply, member, with_scores));
        }
    }
}

static ZSCAN: Command = Command {
    name: "zscan",
    arity: -3,
    flags: flags::READONLY,
    run: zscan,
    summary: "Lists some members of a sorted set with their scores, and where the next call goes on; 0 begins and ends.",
    since: "2.8.0",
    complexity: "O(1) a call, O(N) for all N members",
    syntax: "key cursor [MATCH pattern] [COUNT count]",
    example: "> ZADD a 1 one 2 two\n(integer) 2\n> ZSCAN a 0 MATCH t*\n1) \"0\"\n2) 1) \"two\"\n   2) \"2\"",
    tips: &["nondeterministic_output"],
    ..READ_ZSET
};

fn zscan(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, from) = (ctx.key(1), cursor(ctx.args.at(2))?);
    // The cursor comes before the members in the reply, and is known after them.
    let (mut members, mut n, mut next) = (Reply::new(), 0, 0);
    if let Some(set) = ctx.db.read_zset(key)? {
        let options = ScanOptions::parse(ctx.args.from(3), Of::Elements(None))?;
        next = set.scan(from, options.count, |member| {
            let mut digits = itoa::Buffer::new();
            let name = member.name.bytes(&mut digits);
            if !options.pattern.fits(name) {
                return;
            }
            members.bulk(name);
            match set.is_skiplist() {
                true => members.bulk(&seventeen_digits(member.score)),
                false => members.bulk(DoubleBuffer::new().format(member.score)),
            }
            n += 2;
        });
    }
    ctx.reply.array(2);
    ctx.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    ctx.reply.array(n);
    ctx.reply.buffer().extend_from_slice(members.bytes());
    Ok(())
}

/// A score as ZSCAN writes those of what is called a `skiplist`: what C's `printf` makes of `%.17g`.
fn seventeen_digits(score: f64) -> Vec<u8> {
    if !score.is_finite() || score == 0.0 {
        return DoubleBuffer::new().format(score).to_vec();
    }
    let text = format!("{score:.16e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let short = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_owned();
    if (-4..17).contains(&exponent) {
        let decimals = usize::try_from(16 - exponent).unwrap_or(0);
        let text = format!("{score:.decimals$}");
        return if decimals > 0 { short(&text) } else { text }.into_bytes();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", short(mantissa), exponent.unsigned_abs()).into_bytes()
}
