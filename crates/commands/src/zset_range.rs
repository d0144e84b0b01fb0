//! Sorted sets: members of a range, given, counted, stored or removed.

use engine::{Scored, ZSet};
use resp::{Args, Reply};
use smallvec::SmallVec;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::KeySpec;
use crate::number::int;
use crate::table::{Command, Outcome, flags};
use crate::zset::{
    LONG, ONE_ZSET, READ_ZSET, changed, copy_and_release, gone, reply_members, store, zset_of,
};
use crate::zset_bounds::{Bounds, By, Limit};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[
    &ZRANGE,
    &ZRANGESTORE,
    &ZREVRANGE,
    &ZRANGEBYSCORE,
    &ZREVRANGEBYSCORE,
    &ZRANGEBYLEX,
    &ZREVRANGEBYLEX,
    &ZCOUNT,
    &ZLEXCOUNT,
    &ZREMRANGEBYRANK,
    &ZREMRANGEBYSCORE,
    &ZREMRANGEBYLEX,
];

/// What the commands that give a range have in common.
const RANGE: Command = Command {
    arity: -4,
    flags: flags::READONLY,
    complexity: "O(log N + M) for N members, of which M are given",
    ..READ_ZSET
};

/// What a command on a range asks for.
#[derive(Clone, Copy, Debug)]
struct Wanted<'a> {
    bounds: Bounds<'a>,
    backwards: bool,
    limit: Limit,
    with_scores: bool,
}

/// What a command on a range fixes by its name; the others leave it to options.
#[derive(Clone, Copy, Debug)]
struct Fixed {
    by: Option<By>,
    backwards: Option<bool>,
    /// Whether scores may be asked for.
    shown: bool,
}

impl<'a> Wanted<'a> {
    /// Reads the two ends and the options behind them.
    fn parse(args: Args<'a>, fixed: Fixed) -> Result<Wanted<'a>, Error> {
        let Fixed { mut by, mut backwards, shown } = fixed;
        let (mut limit, mut with_scores) = (Limit::NONE, false);
        let mut rest = args.from(2);
        while let Some(word) = rest.get(0) {
            let mut taken = 1;
            match word {
                word if shown && word.eq_ignore_ascii_case(b"withscores") => with_scores = true,
                word if word.eq_ignore_ascii_case(b"limit") && rest.len() > 2 => {
                    limit = Limit { offset: int(rest.at(1))?, count: int(rest.at(2))? };
                    taken = 3;
                }
                word if fixed.backwards.is_none()
                    && word.eq_ignore_ascii_case(b"rev")
                    && backwards.is_none() =>
                {
                    backwards = Some(true);
                }
                word if by.is_none() && word.eq_ignore_ascii_case(b"bylex") => by = Some(By::Lex),
                word if by.is_none() && word.eq_ignore_ascii_case(b"byscore") => by = Some(By::Score),
                _ => return Err(Error::Syntax),
            }
            rest = rest.from(taken);
        }
        let (by, backwards) = (by.unwrap_or(By::Index), backwards.unwrap_or(false));
        if limit.count != -1 && by == By::Index {
            return Err(Error::Text(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && by == By::Lex {
            return Err(Error::Text("ERR syntax error, WITHSCORES not supported in combination with BYLEX"));
        }
        // By score and by member, the greater end comes first in a range backwards.
        let (min, max) = if backwards && by != By::Index { (1, 0) } else { (0, 1) };
        let bounds = Bounds::parse(by, args.at(min), args.at(max))?;
        // By index there is no limit but the offset of one without effect.
        let limit = if by == By::Index { Limit::NONE } else { limit };
        Ok(Wanted { bounds, backwards, limit, with_scores })
    }

    fn positions(self, set: ZSet<'_>) -> std::ops::Range<usize> {
        self.limit.of(self.bounds.positions(set, self.backwards), self.backwards)
    }

    fn reply(self, reply: &mut Reply, set: ZSet<'_>, positions: std::ops::Range<usize>) {
        let members = match self.backwards {
            true => set.range_backwards(positions),
            false => set.range(positions),
        };
        reply_members(reply, members, self.with_scores);
    }
}

/// Gives the range that the arguments behind the key describe.
fn range(ctx: &mut Ctx<'_, '_>, fixed: Fixed) -> Outcome {
    let key = ctx.key(1);
    let wanted = Wanted::parse(ctx.args.from(2), fixed)?;
    let Some(set) = ctx.db.read_zset(key)? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let positions = wanted.positions(set);
    if positions.len() < LONG {
        wanted.reply(ctx.reply, set, positions);
        return Ok(());
    }
    let copy = copy_and_release(ctx, key);
    zset_of(&copy).into_iter().for_each(|set| wanted.reply(ctx.reply, set, positions.clone()));
    Ok(())
}

static ZRANGE: Command = Command {
    name: "zrange",
    run: zrange,
    summary: "Gives the members of a sorted set in a range of indexes, scores or members.",
    since: "1.2.0",
    syntax: "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
    example: "> ZADD a 1 one 2 two 3 three\n(integer) 3\n> ZRANGE a 0 -2\n1) \"one\"\n2) \"two\"\n\
        > ZRANGE a +inf (1 BYSCORE REV LIMIT 1 5 WITHSCORES\n1) \"two\"\n2) \"2\"",
    history: &[("6.2.0", "REV, BYSCORE, BYLEX and LIMIT.")],
    ..RANGE
};

fn zrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    range(ctx, Fixed { by: None, backwards: None, shown: true })
}

static ZREVRANGE: Command = Command {
    name: "zrevrange",
    run: zrevrange,
    summary: "Gives the members of a sorted set in a range of indexes that count from the last one.",
    since: "1.2.0",
    syntax: "key start stop [WITHSCORES]",
    example: "> ZADD a 1 one 2 two 3 three\n(integer) 3\n> ZREVRANGE a 0 1\n1) \"three\"\n2) \"two\"",
    deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` argument")),
    ..RANGE
};

fn zrevrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    range(ctx, Fixed { by: Some(By::Index), backwards: Some(true), shown: true })
}

static ZRANGEBYSCORE: Command = Command {
    name: "zrangebyscore",
    run: zrangebyscore,
    summary: "Gives the members of a sorted set in a range of scores.",
    since: "1.0.5",
    syntax: "key min max [WITHSCORES] [LIMIT offset count]",
    example: "> ZADD a 1 one 2 two 3 three\n(integer) 3\n> ZRANGEBYSCORE a (1 +inf\n1) \"two\"\n2) \"three\"",
    history: &[("2.0.0", "WITHSCORES.")],
    deprecated: Some(("6.2.0", "`ZRANGE` with the `BYSCORE` argument")),
    ..RANGE
};

fn zrangebyscore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    range(ctx, Fixed { by: Some(By::Score), backwards: Some(false), shown: true })
}

static ZREVRANGEBYSCORE: Command = Command {
    name: "zrevrangebyscore",
    run: zrevrangebyscore,
    summary: "Gives the members of a sorted set in a range of scores, the last one first.",
    since: "2.2.0",
    syntax: "key max min [WITHSCORES] [LIMIT offset count]",
    example: "> ZADD a 1 one 2 two 3 three\n(integer) 3\n> ZREVRANGEBYSCORE a +inf 2\n1) \"three\"\n2) \"two\"",
    history: &[("2.1.6", "`min` and `max` can be exclusive.")],
    deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")),
    ..RANGE
};

fn zrevrangebyscore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    range(ctx, Fixed { by: Some(By::Score), backwards: Some(true), shown: true })
}

static ZRANGEBYLEX: Command = Command {
    name: "zrangebylex",
    run: zrangebylex,
    summary: "Gives the members in a range of a sorted set whose scores are all equal, by their bytes.",
    since: "2.8.9",
    syntax: "key min max [LIMIT offset count]",
    example: "> ZADD a 0 x 0 y 0 z\n(integer) 3\n> ZRANGEBYLEX a [x (z\n1) \"x\"\n2) \"y\"",
    deprecated: Some(("6.2.0", "`ZRANGE` with the `BYLEX` argument")),
    ..RANGE
};

fn zrangebylex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    range(ctx, Fixed { by: Some(By::Lex), backwards: Some(false), shown: true })
}

static ZREVRANGEBYLEX: Command = Command {
    name: "zrevrangebylex",
    run: zrevrangebylex,
    summary: "Gives the members in a range of a sorted set whose scores are all equal, the last one first.",
    since: "2.8.9",
    syntax: "key max min [LIMIT offset count]",
    example: "> ZADD a 0 x 0 y 0 z\n(integer) 3\n> ZREVRANGEBYLEX a + (x\n1) \"z\"\n2) \"y\"",
    deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments")),
    ..RANGE
};

fn zrevrangebylex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    range(ctx, Fixed { by: Some(By::Lex), backwards: Some(true), shown: true })
}

static ZRANGESTORE: Command = Command {
    name: "zrangestore",
    arity: -5,
    flags: flags::WRITE | flags::DENYOOM,
    keys: &[KeySpec::one(1, "OW update"), KeySpec::one(2, "RO access")],
    run: zrangestore,
    summary: "Makes a key the sorted set of the members in a range of another; says how many.",
    since: "6.2.0",
    complexity: "O(log N + M) for N members, of which M are stored",
    syntax: "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
    example: "> ZADD a 1 one 2 two 3 three\n(integer) 3\n> ZRANGESTORE b a 1 -1\n(integer) 2\n\
        > ZRANGE b 0 -1\n1) \"two\"\n2) \"three\"",
    ..ONE_ZSET
};

fn zrangestore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (destination, source) = (ctx.key(1), ctx.key(2));
    let wanted = Wanted::parse(ctx.args.from(3), Fixed { by: None, backwards: None, shown: false })?;
    let own = |member: Scored<'_>| -> (SmallVec<[u8; 24]>, f64) {
        (SmallVec::from_slice(member.name.bytes(&mut itoa::Buffer::new())), member.score)
    };
    let members = match ctx.db.read_zset(source)? {
        Some(set) => set.range(wanted.positions(set)).map(own).collect(),
        None => Vec::new(),
    };
    store(ctx, destination, members, "zrangestore");
    Ok(())
}

static ZCOUNT: Command = Command {
    name: "zcount",
    arity: 4,
    run: zcount,
    summary: "Says how many members of a sorted set have scores in a range.",
    since: "2.0.0",
    syntax: "key min max",
    example: "> ZADD a 1 one 2 two 3 three\n(integer) 3\n> ZCOUNT a (1 3\n(integer) 2",
    ..READ_ZSET
};

fn zcount(ctx: &mut Ctx<'_, '_>) -> Outcome {
    count(ctx, By::Score)
}

static ZLEXCOUNT: Command = Command {
    name: "zlexcount",
    arity: 4,
    run: zlexcount,
    summary: "Says how many members are in a range of a sorted set whose scores are all equal.",
    since: "2.8.9",
    syntax: "key min max",
    example: "> ZADD a 0 x 0 y 0 z\n(integer) 3\n> ZLEXCOUNT a (x +\n(integer) 2",
    ..READ_ZSET
};

fn zlexcount(ctx: &mut Ctx<'_, '_>) -> Outcome {
    count(ctx, By::Lex)
}

fn count(ctx: &mut Ctx<'_, '_>, by: By) -> Outcome {
    let key = ctx.key(1);
    let bounds = Bounds::parse(by, ctx.args.at(2), ctx.args.at(3))?;
    let n = ctx.db.read_zset(key)?.map_or(0, |set| bounds.positions(set, false).len());
    ctx.reply.int(n as i64);
    Ok(())
}

/// What the commands that remove a range have in common.
const REMOVE: Command = Command {
    arity: 4,
    flags: flags::WRITE,
    keys: &[KeySpec::one(1, "RW delete")],
    complexity: "O(log N + M) for N members, of which M are removed",
    ..ONE_ZSET
};

static ZREMRANGEBYRANK: Command = Command {
    name: "zremrangebyrank",
    run: zremrangebyrank,
    summary: "Removes the members of a sorted set in a range of indexes; says how many.",
    since: "2.0.0",
    syntax: "key start stop",
    example: "> ZADD a 1 one 2 two 3 three\n(integer) 3\n> ZREMRANGEBYRANK a 0 1\n(integer) 2",
    ..REMOVE
};

fn zremrangebyrank(ctx: &mut Ctx<'_, '_>) -> Outcome {
    remove(ctx, By::Index, "zremrangebyrank")
}

static ZREMRANGEBYSCORE: Command = Command {
    name: "zremrangebyscore",
    run: zremrangebyscore,
    summary: "Removes the members of a sorted set in a range of scores; says how many.",
    since: "1.2.0",
    syntax: "key min max",
    example: "> ZADD a 1 one 2 two 3 three\n(integer) 3\n> ZREMRANGEBYSCORE a -inf (3\n(integer) 2",
    ..REMOVE
};

fn zremrangebyscore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    remove(ctx, By::Score, "zremrangebyscore")
}

static ZREMRANGEBYLEX: Command = Command {
    name: "zremrangebylex",
    run: zremrangebylex,
    summary: "Removes the members in a range of a sorted set whose scores are all equal; says how many.",
    since: "2.8.9",
    syntax: "key min max",
    example: "> ZADD a 0 x 0 y 0 z\n(integer) 3\n> ZREMRANGEBYLEX a [x (z\n(integer) 2",
    ..REMOVE
};

fn zremrangebylex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    remove(ctx, By::Lex, "zremrangebylex")
}

fn remove(ctx: &mut Ctx<'_, '_>, by: By, event: &'static str) -> Outcome {
    let key = ctx.key(1);
    let bounds = Bounds::parse(by, ctx.args.at(2), ctx.args.at(3))?;
    let positions = ctx.db.write_zset(key)?.map_or(0..0, |set| bounds.positions(set, false));
    if !positions.is_empty() {
        let removed = positions.len();
        let left = ctx.db.change_zset(key, |set| {
            set.remove_range(positions.clone());
            set.len()
        });
        changed(ctx, event, key, removed);
        gone(ctx, key, left);
    }
    ctx.reply.int(positions.len() as i64);
    Ok(())
}
