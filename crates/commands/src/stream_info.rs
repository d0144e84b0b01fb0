//! XINFO: what there is to tell about a stream.

use engine::StreamId;
use engine::stream::{Group, Pending, Stream, StreamEntry};
use resp::Reply;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::help::help;
use crate::keys::KeySpec;
use crate::number::int;
use crate::stream::ONE_STREAM;
use crate::stream_group::{no_group_of_key, wrong_arguments};
use crate::stream_range::{entries, entry, id as write_id};
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&XINFO];

static XINFO: Command = Command {
    name: "xinfo",
    arity: -2,
    subcommands: &[&CONSUMERS, &GROUPS, &HELP, &STREAM],
    summary: "A container for commands that tell about a stream.",
    since: "5.0.0",
    group: "stream",
    complexity: "Depends on the subcommand.",
    ..Command::BLANK
};

/// What the subcommands about a stream have in common.
const ABOUT_STREAM: Command =
    Command { flags: flags::READONLY, keys: &[KeySpec::one(2, "RO access")], since: "5.0.0", ..ONE_STREAM };

static HELP: Command = Command {
    name: "help",
    arity: 2,
    flags: flags::LOADING | flags::STALE,
    keys: &[],
    locks: Locks::Nothing,
    run: xinfo_help,
    summary: "Lists the subcommands.",
    ..ABOUT_STREAM
};

fn xinfo_help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    help(ctx.reply, &XINFO);
    Ok(())
}

static CONSUMERS: Command = Command {
    name: "consumers",
    arity: 4,
    run: consumers,
    summary: "Lists the consumers of a group: pending entries, milliseconds since they tried, and got, anything.",
    complexity: "O(N) for N consumers",
    syntax: "key group",
    example: "> XGROUP CREATE a g $ MKSTREAM\nOK\n> XGROUP CREATECONSUMER a g me\n(integer) 1\n> XINFO CONSUMERS a g\n\
        1) 1) \"name\"\n   2) \"me\"\n   3) \"pending\"\n   4) (integer) 0\n   5) \"idle\"\n   6) (integer) 0\n   \
        7) \"inactive\"\n   8) (integer) -1",
    history: &[("7.2.0", "`inactive`.")],
    tips: &["nondeterministic_output"],
    ..ABOUT_STREAM
};

fn consumers(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, name, now_ms) = (ctx.key(2), ctx.args.at(3), ctx.now_ms());
    let stream = ctx.db.read_stream(key)?.ok_or(Error::NoSuchKey)?;
    let group = stream.group(name).ok_or_else(|| no_group_of_key(key.bytes(), name))?;
    ctx.reply.array(group.consumers_len());
    for (_, consumer) in group.consumers() {
        let mut pairs = Pairs::new(ctx.reply, 4);
        pairs.name("name").bulk(consumer.name());
        pairs.int("pending", consumer.pending_len() as i64);
        pairs.int("idle", now_ms.saturating_sub(consumer.seen_ms).max(0));
        pairs.int("inactive", consumer.active_ms.map_or(-1, |active_ms| now_ms.saturating_sub(active_ms)));
    }
    Ok(())
}

static GROUPS: Command = Command {
    name: "groups",
    arity: 3,
    run: groups,
    summary: "Lists the groups of a stream: consumers, pending entries, and how far they have read.",
    complexity: "O(N) for N groups",
    syntax: "key",
    example: "> XGROUP CREATE a g $ MKSTREAM\nOK\n> XINFO GROUPS a\n\
        1)  1) \"name\"\n    2) \"g\"\n    3) \"consumers\"\n    4) (integer) 0\n    5) \"pending\"\n    6) (integer) 0\n    \
        7) \"last-delivered-id\"\n    8) \"0-0\"\n    9) \"entries-read\"\n   10) (nil)\n   11) \"lag\"\n   12) (integer) 0",
    history: &[("7.0.0", "`entries-read` and `lag`.")],
    ..ABOUT_STREAM
};

fn groups(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(2);
    let stream = ctx.db.read_stream(key)?.ok_or(Error::NoSuchKey)?;
    ctx.reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        let mut pairs = Pairs::new(ctx.reply, 6);
        pairs.name("name").bulk(name);
        pairs.int("consumers", group.consumers_len() as i64);
        pairs.int("pending", group.pending_len() as i64);
        progress(&mut pairs, stream, group);
    }
    Ok(())
}

static STREAM: Command = Command {
    name: "stream",
    arity: -3,
    run: stream,
    summary: "Tells about a stream: its length, its last id, its first and last entry; or everything, up to a count of \
        entries each.",
    complexity: "O(1), and O(N) for N entries that are told",
    syntax: "key [FULL [COUNT count]]",
    example: "> XGROUP CREATE a g $ MKSTREAM\nOK\n> XINFO STREAM a\n 1) \"length\"\n 2) (integer) 0\n \
        3) \"radix-tree-keys\"\n 4) (integer) 0\n 5) \"radix-tree-nodes\"\n 6) (integer) 1\n 7) \"last-generated-id\"\n \
        8) \"0-0\"\n 9) \"max-deleted-entry-id\"\n10) \"0-0\"\n11) \"entries-added\"\n12) (integer) 0\n\
        13) \"recorded-first-entry-id\"\n14) \"0-0\"\n15) \"groups\"\n16) (integer) 1\n17) \"first-entry\"\n18) (nil)\n\
        19) \"last-entry\"\n20) (nil)",
    history: &[
        ("6.0.0", "FULL."),
        (
            "7.0.0",
            "`max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag`.",
        ),
        ("7.2.0", "`active-time`, and `seen-time` tells of reads in vain too."),
    ],
    ..ABOUT_STREAM
};

fn stream(ctx: &mut Ctx<'_, '_>) -> Outcome {
    /// Entries of each list that are told unless the request says otherwise.
    const COUNT_DEFAULT: usize = 10;
    let key = ctx.key(2);
    if ctx.db.read_stream(key)?.is_none() {
        return Err(Error::NoSuchKey);
    }
    let is =
        |i: usize, word: &str| ctx.args.get(i).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
    let count = match ctx.args.len() {
        3 => None,
        4 if is(3, "full") => Some(COUNT_DEFAULT),
        6 if is(3, "full") && is(4, "count") => match int(ctx.args.at(5))? {
            ..0 => Some(COUNT_DEFAULT),
            0 => Some(usize::MAX),
            count => Some(count as usize),
        },
        _ => return Err(wrong_arguments(ctx)),
    };
    let Some(Ok(stream)) = ctx.db.peek(key).map(|entry| entry.stream()) else { return Err(Error::NoSuchKey) };
    let mut pairs = Pairs::new(ctx.reply, if count.is_some() { 9 } else { 10 });
    about(&mut pairs, stream);
    match count {
        None => edges(&mut pairs, stream),
        Some(count) => full(&mut pairs, stream, count),
    }
    Ok(())
}

/// The pairs of a map being written.
struct Pairs<'r> {
    reply: &'r mut Reply,
}

impl<'r> Pairs<'r> {
    fn new(reply: &'r mut Reply, count: usize) -> Pairs<'r> {
        reply.map(count);
        Pairs { reply }
    }

    /// Writes a pair's name; its value is to follow.
    fn name(&mut self, name: &str) -> &mut Reply {
        self.reply.bulk(name.as_bytes());
        self.reply
    }

    fn int(&mut self, name: &str, n: i64) {
        self.name(name).int(n);
    }

    fn int_or_null(&mut self, name: &str, n: Option<i64>) {
        match n {
            Some(n) => self.int(name, n),
            None => self.name(name).null(),
        }
    }

    fn id(&mut self, name: &str, id: StreamId) {
        write_id(self.name(name), id);
    }
}

fn about(pairs: &mut Pairs<'_>, stream: &Stream) {
    pairs.int("length", stream.len() as i64);
    pairs.int("radix-tree-keys", stream.nodes_len() as i64);
    pairs.int("radix-tree-nodes", stream.radix_nodes() as i64);
    pairs.id("last-generated-id", stream.last_id());
    pairs.id("max-deleted-entry-id", stream.max_deleted_id());
    pairs.int("entries-added", stream.entries_added() as i64);
    pairs.id("recorded-first-entry-id", stream.first_id().unwrap_or_default());
}

/// How far a group is.
fn progress(pairs: &mut Pairs<'_>, stream: &Stream, group: &Group) {
    pairs.id("last-delivered-id", group.last_id);
    pairs.int_or_null("entries-read", group.entries_read.map(|count| count as i64));
    pairs.int_or_null("lag", stream.lag(group));
}

fn edges(pairs: &mut Pairs<'_>, stream: &Stream) {
    pairs.int("groups", stream.groups().len() as i64);
    entry_or_null(pairs.name("first-entry"), stream.iter().next());
    let last = stream.range_back(StreamId::MIN, StreamId::MAX).next();
    entry_or_null(pairs.name("last-entry"), last);
}

fn entry_or_null(reply: &mut Reply, there: Option<StreamEntry<'_>>) {
    match there {
        Some(there) => entry(reply, &there),
        None => reply.null(),
    }
}

fn full(pairs: &mut Pairs<'_>, stream: &Stream, count: usize) {
    entries(pairs.name("entries"), stream.iter().take(count));
    let reply = pairs.name("groups");
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        let mut pairs = Pairs::new(reply, 7);
        pairs.name("name").bulk(name);
        progress(&mut pairs, stream, group);
        pairs.int("pel-count", group.pending_len() as i64);
        let reply = pairs.name("pending");
        reply.array(group.pending_len().min(count));
        for pending in group.pending_from(StreamId::MIN).take(count) {
            reply.array(4);
            write_id(reply, pending.id);
            reply.bulk(group.consumer(pending.consumer).map_or(b"", |consumer| consumer.name()));
            delivery(reply, pending);
        }
        full_consumers(pairs.name("consumers"), group, count);
    }
}

fn full_consumers(reply: &mut Reply, group: &Group, count: usize) {
    reply.array(group.consumers_len());
    for (number, consumer) in group.consumers() {
        let mut pairs = Pairs::new(reply, 5);
        pairs.name("name").bulk(consumer.name());
        pairs.int("seen-time", consumer.seen_ms);
        pairs.int("active-time", consumer.active_ms.unwrap_or(-1));
        pairs.int("pel-count", consumer.pending_len() as i64);
        let reply = pairs.name("pending");
        reply.array(consumer.pending_len().min(count));
        for pending in group.pending_of(number, StreamId::MIN).take(count) {
            reply.array(3);
            write_id(reply, pending.id);
            delivery(reply, pending);
        }
    }
}

fn delivery(reply: &mut Reply, pending: &Pending) {
    reply.int(pending.delivered_ms);
    reply.int(pending.deliveries as i64);
}

#[cfg(test)]
mod tests;
