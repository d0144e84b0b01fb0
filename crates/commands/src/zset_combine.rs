//! What is made of several sorted sets, or sets, whose members count as having the score 1.

use std::cmp::Ordering;

use engine::{Db, Element, Entry, Key, Owned, Scored, Set, View, WrongType, ZSet};
use smallvec::SmallVec;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::KeySpec;
use crate::number::{count, float, int};
use crate::table::{Command, Outcome, flags};
use crate::zset::{LONG, ONE_ZSET, begin_members, reply_member, store};

/// This family.
pub(crate) static COMMANDS: &[&Command] =
    &[&ZUNION, &ZINTER, &ZDIFF, &ZUNIONSTORE, &ZINTERSTORE, &ZDIFFSTORE, &ZINTERCARD];

/// What is made of several sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    /// Members of any of them.
    Union,
    /// Members of all of them.
    Inter,
    /// Members of the first that are in no other.
    Diff,
}

/// How the scores of a member in several sets become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            Aggregate::Sum => number(a + b),
            Aggregate::Min if b < a => b,
            Aggregate::Max if b > a => b,
            Aggregate::Min | Aggregate::Max => a,
        }
    }
}

/// A score; infinities that cancel each other out, or meet a weight of 0, make 0.
fn number(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// A member's bytes.
type Name = SmallVec<[u8; 24]>;

/// A member and its score, apart from the set it was in.
type Member = (Name, f64);

/// The inputs, one for each key.
type Sources<'e> = SmallVec<[Source<'e>; 8]>;

/// One input.
#[derive(Clone, Copy, Debug)]
enum Source<'e> {
    Nothing,
    Set(Set<'e>),
    ZSet(ZSet<'e>),
}

impl<'e> Source<'e> {
    fn of(value: View<'e>) -> Result<Source<'e>, WrongType> {
        match value {
            View::Set(set) => Ok(Source::Set(set)),
            View::ZSet(set) => Ok(Source::ZSet(set)),
            _ => Err(WrongType),
        }
    }

    fn len(self) -> usize {
        match self {
            Source::Nothing => 0,
            Source::Set(set) => set.len(),
            Source::ZSet(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Source::Nothing => None,
            Source::Set(set) => set.contains(member).then_some(1.0),
            Source::ZSet(set) => set.score(member),
        }
    }

    /// Its members until `visit` says that it has enough.
    fn each(self, mut visit: impl FnMut(&[u8], f64) -> bool) {
        let mut digits = itoa::Buffer::new();
        match self {
            Source::Nothing => {}
            Source::Set(set) => {
                let _ = set.iter().any(|member| visit(member.bytes(&mut digits), 1.0));
            }
            Source::ZSet(set) => {
                let _ = set.iter().any(|member| visit(member.name.bytes(&mut digits), member.score));
            }
        }
    }
}

/// A request: what is to be made of which keys.
struct Request<'a> {
    operation: Operation,
    keys: SmallVec<[Key<'a>; 8]>,
    weights: SmallVec<[f64; 8]>,
    aggregate: Aggregate,
    with_scores: bool,
    /// ZINTERCARD's: members that are counted at most; 0: all.
    limit: usize,
}

/// Which options there are beside WEIGHTS and AGGREGATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// WITHSCORES.
    Shown,
    /// None.
    Stored,
    /// LIMIT, and not WEIGHTS and AGGREGATE.
    Counted,
}

impl<'a> Request<'a> {
    /// Reads the request whose number of keys is argument `at`. A key of another kind is an error before any option
    /// is.
    fn parse(ctx: &mut Ctx<'a, '_>, operation: Operation, form: Form, at: usize) -> Result<Self, Error> {
        let args = ctx.args;
        let numkeys = int(args.at(at))?;
        if numkeys < 1 {
            let name = ctx.command.name;
            return Err(Error::Message(format!("ERR at least 1 input key is needed for '{name}' command")));
        }
        let rest = args.len() - at - 1;
        let numkeys = usize::try_from(numkeys).ok().filter(|&n| n <= rest).ok_or(Error::Syntax)?;
        let keys: SmallVec<[Key<'a>; 8]> = (at + 1..at + 1 + numkeys).map(|i| ctx.key(i)).collect();
        for &key in &keys {
            ctx.db.peek(key).map(|entry| Source::of(entry.value())).transpose()?;
        }
        let mut request = Request {
            operation,
            weights: SmallVec::from_elem(1.0, numkeys),
            aggregate: Aggregate::Sum,
            with_scores: false,
            limit: 0,
            keys,
        };
        let combines = operation != Operation::Diff && form != Form::Counted;
        let mut rest = args.from(at + 1 + numkeys);
        while let Some(word) = rest.get(0) {
            let taken = match word {
                word if combines && rest.len() > numkeys && word.eq_ignore_ascii_case(b"weights") => {
                    for (i, weight) in request.weights.iter_mut().enumerate() {
                        let wrong = Error::Text("ERR weight value is not a float");
                        *weight = float(rest.at(1 + i)).map_err(|_| wrong)?;
                    }
                    1 + numkeys
                }
                word if combines && rest.len() > 1 && word.eq_ignore_ascii_case(b"aggregate") => {
                    request.aggregate = aggregate(rest.at(1))?;
                    2
                }
                word if form == Form::Shown && word.eq_ignore_ascii_case(b"withscores") => {
                    request.with_scores = true;
                    1
                }
                word if form == Form::Counted && rest.len() > 1 && word.eq_ignore_ascii_case(b"limit") => {
                    request.limit =
                        count(rest.at(1)).map_err(|_| Error::Text("ERR LIMIT can't be negative"))?;
                    2
                }
                _ => return Err(Error::Syntax),
            };
            rest = rest.from(taken);
        }
        Ok(request)
    }

    /// What is made of the sources, one for each key, in any order.
    fn result(&self, sources: &[Source<'_>]) -> Vec<Member> {
        let mut inputs: SmallVec<[(Source<'_>, f64); 8]> =
            sources.iter().copied().zip(self.weights.iter().copied()).collect();
        if self.operation != Operation::Diff {
            inputs.sort_by_key(|(source, _)| source.len());
        }
        match self.operation {
            Operation::Union => self.union(&inputs),
            Operation::Inter => {
                let mut members = Vec::new();
                self.inter(&inputs, |member, score| members.push((Name::from_slice(member), score)));
                members
            }
            Operation::Diff => diff(&inputs),
        }
    }

    /// How many members are in all of the sources.
    fn cardinality(&self, sources: &[Source<'_>]) -> usize {
        let mut inputs: SmallVec<[(Source<'_>, f64); 8]> =
            sources.iter().map(|&source| (source, 1.0)).collect();
        inputs.sort_by_key(|(source, _)| source.len());
        let mut n = 0;
        self.inter(&inputs, |_, _| n += 1);
        n
    }

    fn union(&self, inputs: &[(Source<'_>, f64)]) -> Vec<Member> {
        let mut members = Vec::with_capacity(inputs.iter().map(|(source, _)| source.len()).sum());
        for (source, weight) in inputs {
            source.each(|member, score| {
                members.push((Name::from_slice(member), number(weight * score)));
                false
            });
        }
        // Equal members come side by side, in the order of the inputs.
        members.sort_by(|a, b| a.0.cmp(&b.0));
        members.dedup_by(|next, first| {
            let same = next.0 == first.0;
            if same {
                first.1 = self.aggregate.of(first.1, next.1);
            }
            same
        });
        members
    }

    /// Calls `found` with each member that all inputs have, until there are as many as asked for.
    fn inter(&self, inputs: &[(Source<'_>, f64)], mut found: impl FnMut(&[u8], f64)) {
        let Some(((smallest, weight), others)) = inputs.split_first() else { return };
        let mut n = 0;
        smallest.each(|member, score| {
            let first = number(weight * score);
            let score = others.iter().try_fold(first, |sum, (source, weight)| {
                Some(self.aggregate.of(sum, source.score(member)? * weight))
            });
            if let Some(score) = score {
                found(member, score);
                n += 1;
            }
            n == self.limit && n > 0
        });
    }
}

fn diff(inputs: &[(Source<'_>, f64)]) -> Vec<Member> {
    let Some(((first, _), others)) = inputs.split_first() else { return Vec::new() };
    let mut members = Vec::new();
    first.each(|member, score| {
        if !others.iter().any(|(source, _)| source.score(member).is_some()) {
            members.push((Name::from_slice(member), score));
        }
        false
    });
    members
}

fn aggregate(word: &[u8]) -> Result<Aggregate, Error> {
    match word {
        word if word.eq_ignore_ascii_case(b"sum") => Ok(Aggregate::Sum),
        word if word.eq_ignore_ascii_case(b"min") => Ok(Aggregate::Min),
        word if word.eq_ignore_ascii_case(b"max") => Ok(Aggregate::Max),
        _ => Err(Error::Syntax),
    }
}

/// The inputs at `keys`.
fn sources<'e>(db: &'e mut Db<'_, '_>, keys: &[Key<'_>]) -> Result<Sources<'e>, WrongType> {
    let source = |entry: Option<Entry<'e>>| entry.map_or(Ok(Source::Nothing), |e| Source::of(e.value()));
    db.entries(keys).into_iter().map(source).collect()
}

/// Runs `work` on the inputs of `request`: on copies, with the stripes let go, when there is much to do.
fn read<R>(
    ctx: &mut Ctx<'_, '_>,
    request: &Request<'_>,
    work: impl FnOnce(&[Source<'_>]) -> R,
) -> Result<R, Error> {
    {
        let found = sources(&mut ctx.db, &request.keys)?;
        if found.iter().map(|source| source.len()).sum::<usize>() < LONG {
            return Ok(work(&found));
        }
    }
    let copies: SmallVec<[Option<Owned>; 8]> = request.keys.iter().map(|&key| ctx.db.copy(key)).collect();
    ctx.db.release();
    let source = copies.iter().map(|copy| match copy {
        Some(copy) => Source::of(copy.value()),
        None => Ok(Source::Nothing),
    });
    Ok(work(&source.collect::<Result<Sources<'_>, _>>()?))
}

/// What the commands on several sorted sets have in common.
const SEVERAL: Command = Command {
    arity: -3,
    flags: flags::READONLY | flags::MOVABLEKEYS,
    keys: &[KeySpec::counted(1, "RO access")],
    since: "6.2.0",
    complexity: "O(N log N) for N members of all sets",
    ..ONE_ZSET
};

/// What those that store what they make have in common.
const STORED: Command = Command {
    arity: -4,
    flags: flags::WRITE | flags::DENYOOM | flags::MOVABLEKEYS,
    keys: &[KeySpec::one(1, "OW update"), KeySpec::counted(2, "RO access")],
    since: "2.0.0",
    ..SEVERAL
};

/// Replies with what `operation` makes of the sets.
fn show(ctx: &mut Ctx<'_, '_>, operation: Operation) -> Outcome {
    let request = Request::parse(ctx, operation, Form::Shown, 1)?;
    let mut members = read(ctx, &request, |sources| request.result(sources))?;
    members.sort_unstable_by(|a, b| {
        a.1.partial_cmp(&b.1).unwrap_or(Ordering::Equal).then_with(|| a.0.cmp(&b.0))
    });
    begin_members(ctx.reply, members.len(), request.with_scores);
    for (name, score) in &members {
        let member = Scored { name: Element::Bytes(name), score: *score };
        reply_member(ctx.reply, member, request.with_scores);
    }
    Ok(())
}

/// Makes the first key what `operation` makes of the sets.
fn make(ctx: &mut Ctx<'_, '_>, operation: Operation, event: &'static str) -> Outcome {
    let key = ctx.key(1);
    let request = Request::parse(ctx, operation, Form::Stored, 2)?;
    let members = request.result(&sources(&mut ctx.db, &request.keys)?);
    store(ctx, key, members, event);
    Ok(())
}

static ZUNION: Command = Command {
    name: "zunion",
    run: zunion,
    summary: "Gives the members that any of several sorted sets has, with the sum of their scores.",
    syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
    example: "> ZADD a 1 one 2 two\n(integer) 2\n> ZADD b 2 two\n(integer) 1\n\
        > ZUNION 2 a b WITHSCORES\n1) \"one\"\n2) \"1\"\n3) \"two\"\n4) \"4\"",
    ..SEVERAL
};

fn zunion(ctx: &mut Ctx<'_, '_>) -> Outcome {
    show(ctx, Operation::Union)
}

static ZINTER: Command = Command {
    name: "zinter",
    run: zinter,
    summary: "Gives the members that each of several sorted sets has, with the sum of their scores.",
    complexity: "O(N K log M) for K sets, N members of the smallest and M of the largest",
    syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
    example: "> ZADD a 1 one 2 two\n(integer) 2\n> ZADD b 2 two\n(integer) 1\n\
        > ZINTER 2 a b WEIGHTS 2 3 WITHSCORES\n1) \"two\"\n2) \"10\"",
    ..SEVERAL
};

fn zinter(ctx: &mut Ctx<'_, '_>) -> Outcome {
    show(ctx, Operation::Inter)
}

static ZDIFF: Command = Command {
    name: "zdiff",
    run: zdiff,
    summary: "Gives the members of a sorted set that none of the others has.",
    syntax: "numkeys key [key ...] [WITHSCORES]",
    example: "> ZADD a 1 one 2 two\n(integer) 2\n> ZADD b 2 two\n(integer) 1\n> ZDIFF 2 a b\n1) \"one\"",
    ..SEVERAL
};

fn zdiff(ctx: &mut Ctx<'_, '_>) -> Outcome {
    show(ctx, Operation::Diff)
}

static ZUNIONSTORE: Command = Command {
    name: "zunionstore",
    run: zunionstore,
    summary: "Makes a key the sorted set of the members that any of several sets has; says how many.",
    syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
    example: "> ZADD a 1 one 2 two\n(integer) 2\n> ZADD b 5 two\n(integer) 1\n\
        > ZUNIONSTORE c 2 a b AGGREGATE MAX\n(integer) 2\n> ZSCORE c two\n\"5\"",
    ..STORED
};

fn zunionstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    make(ctx, Operation::Union, "zunionstore")
}

static ZINTERSTORE: Command = Command {
    name: "zinterstore",
    run: zinterstore,
    summary: "Makes a key the sorted set of the members that each of several sets has; says how many.",
    complexity: ZINTER.complexity,
    syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
    example: "> ZADD a 1 one 2 two\n(integer) 2\n> ZADD b 5 two\n(integer) 1\n\
        > ZINTERSTORE c 2 a b\n(integer) 1\n> ZSCORE c two\n\"7\"",
    ..STORED
};

fn zinterstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    make(ctx, Operation::Inter, "zinterstore")
}

static ZDIFFSTORE: Command = Command {
    name: "zdiffstore",
    run: zdiffstore,
    summary: "Makes a key the sorted set of the members of one that none of the others has; says how many.",
    since: "6.2.0",
    syntax: "destination numkeys key [key ...]",
    example: "> ZADD a 1 one 2 two\n(integer) 2\n> ZADD b 2 two\n(integer) 1\n> ZDIFFSTORE c 2 a b\n(integer) 1",
    ..STORED
};

fn zdiffstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    make(ctx, Operation::Diff, "zdiffstore")
}

static ZINTERCARD: Command = Command {
    name: "zintercard",
    run: zintercard,
    summary: "Says how many members each of several sorted sets has; with a limit, no more than that.",
    since: "7.0.0",
    complexity: "O(N K log M) for K sets, N members of the smallest and M of the largest",
    syntax: "numkeys key [key ...] [LIMIT limit]",
    example: "> ZADD a 1 one 2 two\n(integer) 2\n> ZADD b 2 two\n(integer) 1\n> ZINTERCARD 2 a b\n(integer) 1",
    ..SEVERAL
};

fn zintercard(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let request = Request::parse(ctx, Operation::Inter, Form::Counted, 1)?;
    let n = read(ctx, &request, |sources| request.cardinality(sources))?;
    ctx.reply.int(n as i64);
    Ok(())
}
