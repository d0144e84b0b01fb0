//! Streams: entries delivered to a group's consumers and not acknowledged yet.

use engine::StreamId;
use engine::stream::{Group, Pending};
use resp::Reply;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::KeySpec;
use crate::number::int;
use crate::stream::ONE_STREAM;
use crate::stream_group::no_such_group;
use crate::stream_id::{end, start};
use crate::stream_range::id as write_id;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&XPENDING];

static XPENDING: Command = Command {
    name: "xpending",
    arity: -3,
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    run: xpending,
    summary: "Tells which entries of a group are pending: how many for whom, or one by one in a range of ids.",
    since: "5.0.0",
    complexity: "O(log N + M) for M of N entries that are looked at; O(consumers) without a range",
    syntax: "key group [[IDLE min-idle-time] start end count [consumer]]",
    example: "> XADD a 1-1 name Ada\n\"1-1\"\n> XGROUP CREATE a g 0\nOK\n> XREADGROUP GROUP g me STREAMS a >\n\
        1) 1) \"a\"\n   2) 1) 1) \"1-1\"\n         2) 1) \"name\"\n            2) \"Ada\"\n\
        > XPENDING a g\n1) (integer) 1\n2) \"1-1\"\n3) \"1-1\"\n4) 1) 1) \"me\"\n      2) \"1\"\n\
        > XPENDING a g - + 10\n1) 1) \"1-1\"\n   2) \"me\"\n   3) (integer) 0\n   4) (integer) 1",
    history: &[("6.2.0", "IDLE, and ranges without their ends.")],
    tips: &["nondeterministic_output"],
    ..ONE_STREAM
};

/// Which pending entries are asked for.
struct Part<'a> {
    idle_min_ms: i64,
    start: StreamId,
    end: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Part<'a> {
    /// Nothing: the summary is asked for.
    fn parse(ctx: &Ctx<'a, '_>) -> Result<Option<Part<'a>>, Error> {
        let args = ctx.args;
        match args.len() {
            3 => return Ok(None),
            6..=9 => {}
            _ => return Err(Error::Syntax),
        }
        let (mut at, mut idle_min_ms) = (3, 0);
        if args.at(at).eq_ignore_ascii_case(b"idle") {
            idle_min_ms = int(args.at(at + 1))?;
            if args.len() < 8 {
                return Err(Error::Syntax);
            }
            at += 2;
        }
        let count = int(args.at(at + 2))?.max(0) as usize;
        let (start, end) = (start(args.at(at))?, end(args.at(at + 1))?);
        Ok(Some(Part { idle_min_ms, start, end, count, consumer: args.get(at + 3) }))
    }
}

fn xpending(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let part = Part::parse(ctx)?;
    let (key, name, now_ms) = (ctx.key(1), ctx.args.at(2), ctx.now_ms());
    let group = ctx.db.read_stream(key)?.and_then(|stream| stream.group(name));
    let group = group.ok_or_else(|| no_such_group(key.bytes(), name, ""))?;
    match part {
        None => summary(ctx.reply, group),
        Some(part) => list(ctx.reply, group, &part, now_ms),
    }
    Ok(())
}

fn summary(reply: &mut Reply, group: &Group) {
    reply.array(4);
    reply.int(group.pending_len() as i64);
    let (Some(first), Some(last)) = (group.first_pending(), group.last_pending()) else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    write_id(reply, first.id);
    write_id(reply, last.id);
    let consumers = || group.consumers().filter(|(_, consumer)| consumer.pending_len() > 0);
    reply.array(consumers().count());
    for (_, consumer) in consumers() {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_int(consumer.pending_len() as i64);
    }
}

fn list(reply: &mut Reply, group: &Group, part: &Part<'_>, now_ms: i64) {
    let idle_ms = |pending: &Pending| now_ms.saturating_sub(pending.delivered_ms);
    let mut tell = |all: &mut dyn Iterator<Item = &Pending>| {
        let array = reply.array_deferred();
        let mut count = 0;
        let part = all
            .take_while(|pending| pending.id <= part.end)
            .filter(|pending| part.idle_min_ms == 0 || idle_ms(pending) >= part.idle_min_ms)
            .take(part.count);
        for pending in part {
            count += 1;
            reply.array(4);
            write_id(reply, pending.id);
            reply.bulk(group.consumer(pending.consumer).map_or(b"", |consumer| consumer.name()));
            reply.int(idle_ms(pending).max(0));
            reply.int(pending.deliveries as i64);
        }
        reply.close_array(array, count);
    };
    match part.consumer {
        None => tell(&mut group.pending_from(part.start)),
        Some(name) => match group.consumer_named(name) {
            Some(number) => tell(&mut group.pending_of(number, part.start)),
            None => tell(&mut std::iter::empty()),
        },
    }
}

#[cfg(test)]
mod tests;
