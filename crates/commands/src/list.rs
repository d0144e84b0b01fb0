//! Lists: elements at both ends and at a position.

use std::ops::Range;

use engine::{End, EventClass, Key, List, Owned, View};
use resp::Reply;

use crate::ctx::Ctx;
use crate::element::reply_element;
use crate::error::Error;
use crate::keys::KeySpec;
use crate::number::{count, int};
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] =
    &[&LPUSH, &RPUSH, &LPUSHX, &RPUSHX, &LPOP, &RPOP, &LLEN, &LINDEX, &LSET, &LRANGE, &LTRIM];

/// What the commands on one list have in common.
pub(crate) const ONE_LIST: Command =
    Command { categories: "@list", locks: Locks::Keys, group: "list", complexity: "O(1)", ..Command::BLANK };

/// What the commands that push have in common.
const PUSH: Command = Command {
    arity: -3,
    flags: flags::WRITE | flags::DENYOOM | flags::FAST,
    keys: &[KeySpec::one(1, "RW insert")],
    complexity: "O(1) for each element",
    syntax: "key element [element ...]",
    ..ONE_LIST
};

static LPUSH: Command = Command {
    name: "lpush",
    run: lpush,
    summary: "Adds elements at the front of a list, one after the other; a list that is not there is made.",
    since: "1.0.0",
    example: "> LPUSH a 1 2 3\n(integer) 3\n> LRANGE a 0 -1\n1) \"3\"\n2) \"2\"\n3) \"1\"",
    history: &[("2.4.0", "Several elements.")],
    ..PUSH
};

fn lpush(ctx: &mut Ctx<'_, '_>) -> Outcome {
    push(ctx, End::Front, true)
}

static RPUSH: Command = Command {
    name: "rpush",
    run: rpush,
    summary: "Adds elements at the back of a list; a list that is not there is made.",
    since: "1.0.0",
    example: "> RPUSH a 1 2 3\n(integer) 3\n> LRANGE a 0 -1\n1) \"1\"\n2) \"2\"\n3) \"3\"",
    history: &[("2.4.0", "Several elements.")],
    ..PUSH
};

fn rpush(ctx: &mut Ctx<'_, '_>) -> Outcome {
    push(ctx, End::Back, true)
}

static LPUSHX: Command = Command {
    name: "lpushx",
    run: lpushx,
    summary: "Adds elements at the front of a list, if it is there.",
    since: "2.2.0",
    example: "> LPUSHX a 1\n(integer) 0\n> LPUSH a 1\n(integer) 1\n> LPUSHX a 2\n(integer) 2",
    history: &[("4.0.0", "Several elements.")],
    ..PUSH
};

fn lpushx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    push(ctx, End::Front, false)
}

static RPUSHX: Command = Command {
    name: "rpushx",
    run: rpushx,
    summary: "Adds elements at the back of a list, if it is there.",
    since: "2.2.0",
    example: "> RPUSHX a 1\n(integer) 0\n> RPUSH a 1\n(integer) 1\n> RPUSHX a 2\n(integer) 2",
    history: &[("4.0.0", "Several elements.")],
    ..PUSH
};

fn rpushx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    push(ctx, End::Back, false)
}

/// Adds all arguments from number 2 on at one end, to a list that need not be there if `make` says so.
fn push(ctx: &mut Ctx<'_, '_>, end: End, make: bool) -> Outcome {
    let key = ctx.key(1);
    let there = ctx.db.write_list(key)?.is_some();
    if !there && !make {
        ctx.reply.int(0);
        return Ok(());
    }
    let elements = ctx.args.from(2);
    let len = ctx.db.change_list(key, |list| {
        list.push(end, elements.iter());
        list.list().len()
    });
    changed(ctx, push_event(end), key, elements.len());
    ctx.reply.int(len as i64);
    Ok(())
}

pub(crate) fn pop_event(end: End) -> &'static str {
    if end == End::Front { "lpop" } else { "rpop" }
}

pub(crate) fn push_event(end: End) -> &'static str {
    if end == End::Front { "lpush" } else { "rpush" }
}

/// Says that `count` elements of the list at `key` came, went or changed.
pub(crate) fn changed(ctx: &mut Ctx<'_, '_>, event: &'static str, key: Key<'_>, count: usize) {
    ctx.db.turn.dirty += count as u64;
    ctx.event(EventClass::List, event, key.bytes());
}

/// What the commands that pop have in common.
const POP: Command = Command {
    arity: -2,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RW access delete")],
    complexity: "O(1), and O(N) for N elements",
    syntax: "key [count]",
    history: &[("6.2.0", "A count.")],
    ..ONE_LIST
};

static LPOP: Command = Command {
    name: "lpop",
    run: lpop,
    summary: "Removes the first element of a list, or as many as asked for, and gives them.",
    since: "1.0.0",
    example: "> RPUSH a 1 2 3\n(integer) 3\n> LPOP a\n\"1\"\n> LPOP a 9\n1) \"2\"\n2) \"3\"\n> LPOP a\n(nil)",
    ..POP
};

fn lpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop(ctx, End::Front)
}

static RPOP: Command = Command {
    name: "rpop",
    run: rpop,
    summary: "Removes the last element of a list, or as many as asked for, the last one first, and gives them.",
    since: "1.0.0",
    example: "> RPUSH a 1 2 3\n(integer) 3\n> RPOP a\n\"3\"\n> RPOP a 9\n1) \"2\"\n2) \"1\"\n> RPOP a\n(nil)",
    ..POP
};

fn rpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop(ctx, End::Back)
}

fn pop(ctx: &mut Ctx<'_, '_>, end: End) -> Outcome {
    let (args, key) = (ctx.args, ctx.key(1));
    if args.len() > 3 {
        return Err(Error::Arity(ctx.command.name.to_owned()));
    }
    let wanted = args.get(2).map(count).transpose()?;
    let list = match (ctx.db.write_list(key)?, wanted) {
        (Some(list), _) => list,
        (None, Some(_)) => {
            ctx.reply.null_array();
            return Ok(());
        }
        (None, None) => {
            ctx.reply.null();
            return Ok(());
        }
    };
    let removed = match wanted {
        Some(wanted) => reply_end(ctx.reply, list, end, wanted),
        None => {
            let position = if end == End::Front { 0 } else { list.len() - 1 };
            list.get(position).into_iter().for_each(|element| reply_element(ctx.reply, element));
            1
        }
    };
    if removed > 0 {
        remove_end(ctx, key, end, removed);
    }
    Ok(())
}

/// Writes the array of at most `count` elements, from one end on; how many they are.
pub(crate) fn reply_end(reply: &mut Reply, list: List<'_>, end: End, count: usize) -> usize {
    let (len, count) = (list.len(), count.min(list.len()));
    reply.array(count);
    match end {
        End::Front => list.elements(0).take(count).for_each(|element| reply_element(reply, element)),
        End::Back => list.elements_back(len).take(count).for_each(|element| reply_element(reply, element)),
    }
    count
}

/// Removes `count` elements, which must be there, and says so.
pub(crate) fn remove_end(ctx: &mut Ctx<'_, '_>, key: Key<'_>, end: End, count: usize) {
    let left = ctx.db.change_list(key, |list| {
        list.pop(end, count);
        list.list().len()
    });
    changed(ctx, pop_event(end), key, count);
    gone(ctx, key, left);
}

/// Says that the key went, when nothing is left of its list.
pub(crate) fn gone(ctx: &mut Ctx<'_, '_>, key: Key<'_>, left: usize) {
    if left == 0 {
        ctx.event(EventClass::Generic, "del", key.bytes());
    }
}

static LLEN: Command = Command {
    name: "llen",
    arity: 2,
    flags: flags::READONLY | flags::FAST,
    keys: &[KeySpec::one(1, "RO")],
    run: llen,
    summary: "Says how many elements a list has.",
    since: "1.0.0",
    syntax: "key",
    example: "> RPUSH a 1 2 3\n(integer) 3\n> LLEN a\n(integer) 3\n> LLEN b\n(integer) 0",
    ..ONE_LIST
};

fn llen(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let len = ctx.db.read_list(key)?.map_or(0, List::len);
    ctx.reply.int(len as i64);
    Ok(())
}

static LINDEX: Command = Command {
    name: "lindex",
    arity: 3,
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    run: lindex,
    summary: "Gives the element at an index: from 0 on, or from -1, the last one, backwards.",
    since: "1.0.0",
    complexity: "O(log N) for N elements",
    syntax: "key index",
    example: "> RPUSH a 1 2 3\n(integer) 3\n> LINDEX a 0\n\"1\"\n> LINDEX a -1\n\"3\"\n> LINDEX a 3\n(nil)",
    ..ONE_LIST
};

fn lindex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let Some(list) = ctx.db.read_list(key)? else {
        ctx.reply.null();
        return Ok(());
    };
    let index = int(ctx.args.at(2))?;
    match position(index, list.len()).and_then(|position| list.get(position)) {
        Some(element) => reply_element(ctx.reply, element),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// The position that `index` names, from the end when it is negative, in a list of `len` elements.
fn position(index: i64, len: usize) -> Option<usize> {
    let position = if index < 0 { index + len as i64 } else { index };
    usize::try_from(position).ok().filter(|&position| position < len)
}

static LSET: Command = Command {
    name: "lset",
    arity: 4,
    flags: flags::WRITE | flags::DENYOOM,
    keys: &[KeySpec::one(1, "RW update")],
    run: lset,
    summary: "Puts an element in the place of the one at an index.",
    since: "1.0.0",
    complexity: "O(log N) for N elements",
    syntax: "key index element",
    example: "> RPUSH a 1 2 3\n(integer) 3\n> LSET a -1 c\nOK\n> LRANGE a 0 -1\n1) \"1\"\n2) \"2\"\n3) \"c\"\n\
        > LSET a 3 d\n(error) ERR index out of range",
    ..ONE_LIST
};

fn lset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, element) = (ctx.key(1), ctx.args.at(3));
    let len = ctx.db.write_list(key)?.ok_or(Error::NoSuchKey)?.len();
    let index = int(ctx.args.at(2))?;
    let Some(position) = position(index, len) else {
        // No element changes, but what OBJECT ENCODING says, as in Redis.
        ctx.db.change_list(key, |list| list.make_room(1, element.len()));
        return Err(Error::Text("ERR index out of range"));
    };
    ctx.db.change_list(key, |list| list.set(position, element));
    changed(ctx, "lset", key, 1);
    ctx.reply.ok();
    Ok(())
}

static LRANGE: Command = Command {
    name: "lrange",
    arity: 4,
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    run: lrange,
    summary: "Gives the elements between two indexes, both included.",
    since: "1.0.0",
    complexity: "O(log N + M) for N elements, of which M are given",
    syntax: "key start stop",
    example: "> RPUSH a 1 2 3\n(integer) 3\n> LRANGE a -2 -1\n1) \"2\"\n2) \"3\"\n> LRANGE a 3 9\n(empty array)",
    ..ONE_LIST
};

/// Elements from which LRANGE works on a copy, which shares the nodes of the list, and keeps nobody waiting.
const LONG_RANGE: usize = 1000;

fn lrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let (start, stop) = (int(ctx.args.at(2))?, int(ctx.args.at(3))?);
    let Some(list) = ctx.db.read_list(key)? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let range = span(start, stop, list.len());
    if range.len() < LONG_RANGE {
        reply_range(ctx.reply, list, range);
        return Ok(());
    }
    let copy = ctx.db.copy(key);
    ctx.db.release();
    if let Some(View::List(list)) = copy.as_ref().map(Owned::value) {
        reply_range(ctx.reply, list, range);
    }
    Ok(())
}

fn reply_range(reply: &mut Reply, list: List<'_>, range: Range<usize>) {
    reply.array(range.len());
    list.elements(range.start).take(range.len()).for_each(|element| reply_element(reply, element));
}

/// The positions from index `start` to index `stop`, included, which count from the end when they are negative, in
/// a list of `len` elements.
fn span(start: i64, stop: i64, len: usize) -> Range<usize> {
    // Positions before the beginning are negative still; a list has far below 2^63 elements.
    let from_front = |index: i64| if index < 0 { index.saturating_add(len as i64) } else { index };
    let start = usize::try_from(from_front(start)).unwrap_or(0);
    let end = usize::try_from(from_front(stop)).map_or(0, |stop| stop.saturating_add(1)).min(len);
    if start < end { start..end } else { 0..0 }
}

static LTRIM: Command = Command {
    name: "ltrim",
    arity: 4,
    flags: flags::WRITE,
    keys: &[KeySpec::one(1, "RW delete")],
    run: ltrim,
    summary: "Keeps the elements between two indexes, both included, and removes the others.",
    since: "1.0.0",
    complexity: "O(log N + M) for N elements, of which M are removed",
    syntax: "key start stop",
    example: "> RPUSH a 1 2 3 4\n(integer) 4\n> LTRIM a 1 -2\nOK\n> LRANGE a 0 -1\n1) \"2\"\n2) \"3\"",
    ..ONE_LIST
};

fn ltrim(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let (start, stop) = (int(ctx.args.at(2))?, int(ctx.args.at(3))?);
    if let Some(list) = ctx.db.write_list(key)? {
        let len = list.len();
        let range = span(start, stop, len);
        let left = range.len();
        if left < len {
            ctx.db.change_list(key, |list| list.keep(range));
        }
        changed(ctx, "ltrim", key, len - left);
        gone(ctx, key, left);
    }
    ctx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests;
