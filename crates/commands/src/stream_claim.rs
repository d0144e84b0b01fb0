//! Streams: pending entries that change hands.

use engine::stream::{Claim, Claimed, ConsumerNumber, Pending, Stream};
use engine::{EventClass, Key, StreamId};
use smallvec::SmallVec;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::KeySpec;
use crate::number::int;
use crate::stream::ONE_STREAM;
use crate::stream_group::{GroupEffects, no_such_group};
use crate::stream_id::{id, start};
use crate::stream_range::{entry, id as write_id};
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&XCLAIM, &XAUTOCLAIM];

static XCLAIM: Command = Command {
    name: "xclaim",
    arity: -6,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RW update")],
    run: xclaim,
    summary: "Makes pending entries, when they were delivered long enough ago, those of another consumer of the group.",
    since: "5.0.0",
    complexity: "O(log N) for each entry, N being those that are pending",
    syntax: "key group consumer min-idle-time id... [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] \
        [FORCE] [JUSTID] [LASTID lastid]",
    example: "> XADD a 1-1 name Ada\n\"1-1\"\n> XGROUP CREATE a g 0\nOK\n> XREADGROUP GROUP g me STREAMS a >\n\
        1) 1) \"a\"\n   2) 1) 1) \"1-1\"\n         2) 1) \"name\"\n            2) \"Ada\"\n\
        > XCLAIM a g you 0 1-1 JUSTID\n1) \"1-1\"",
    tips: &["nondeterministic_output"],
    ..ONE_STREAM
};

static XAUTOCLAIM: Command = Command {
    name: "xautoclaim",
    keys: &[KeySpec::one(1, "RW delete")],
    run: xautoclaim,
    summary: "Makes the next pending entries that were delivered long enough ago those of a consumer of the group; says \
        where to go on, and which entries were deleted.",
    since: "6.2.0",
    complexity: "O(log N) for each entry that is looked at, N being those that are pending",
    syntax: "key group consumer min-idle-time start [COUNT count] [JUSTID]",
    example: "> XADD a 1-1 name Ada\n\"1-1\"\n> XGROUP CREATE a g 0\nOK\n> XREADGROUP GROUP g me STREAMS a >\n\
        1) 1) \"a\"\n   2) 1) 1) \"1-1\"\n         2) 1) \"name\"\n            2) \"Ada\"\n\
        > XAUTOCLAIM a g you 0 0 JUSTID\n1) \"0-0\"\n2) 1) \"1-1\"\n3) (empty array)",
    history: &[("7.0.0", "The reply tells of entries that were deleted.")],
    ..XCLAIM
};

/// The least time since its delivery that a claim asks for, in argument 4.
fn idle_min_ms(ctx: &Ctx<'_, '_>, error: &'static str) -> Result<i64, Error> {
    Ok(int(ctx.args.at(4)).map_err(|_| Error::Text(error))?.max(0))
}

/// The last id that the group named by argument 2 of the stream at argument 1 had; both must be there.
fn group_last_id(ctx: &mut Ctx<'_, '_>) -> Result<StreamId, Error> {
    let (key, name) = (ctx.key(1), ctx.args.at(2));
    let group = ctx.db.read_stream(key)?.and_then(|stream| stream.group(name));
    Ok(group.ok_or_else(|| no_such_group(key.bytes(), name, ""))?.last_id)
}

/// The options of XCLAIM.
struct Options {
    claim: Claim,
    last_id: StreamId,
}

impl Options {
    /// Reads the arguments from `at` on.
    fn parse(ctx: &Ctx<'_, '_>, at: usize, idle_min_ms: i64) -> Result<Options, Error> {
        let now_ms = ctx.now_ms();
        let mut claim =
            Claim { idle_min_ms, delivered_ms: now_ms, deliveries: None, force: false, just_id: false };
        let mut last_id = StreamId::MIN;
        let mut args = ctx.args.from(at).iter().peekable();
        while let Some(option) = args.next() {
            let is = |word: &str| option.eq_ignore_ascii_case(word.as_bytes());
            if is("force") {
                claim.force = true;
                continue;
            }
            if is("justid") {
                claim.just_id = true;
                continue;
            }
            let value = args.next();
            let number = |text: &'static str| int(value.unwrap_or_default()).map_err(|_| Error::Text(text));
            if value.is_none() {
                return Err(unrecognized(option));
            } else if is("idle") {
                let ago_ms = number("ERR Invalid IDLE option argument for XCLAIM")?;
                claim.delivered_ms = now_ms.wrapping_sub(ago_ms);
            } else if is("time") {
                claim.delivered_ms = number("ERR Invalid TIME option argument for XCLAIM")?;
            } else if is("retrycount") {
                // Below zero it is as if it was not there.
                claim.deliveries =
                    u64::try_from(number("ERR Invalid RETRYCOUNT option argument for XCLAIM")?).ok();
            } else if is("lastid") {
                last_id = id(value.unwrap_or_default())?;
            } else {
                return Err(unrecognized(option));
            }
        }
        // What is bogus, for a client's clock may be wrong, becomes the present.
        if claim.delivered_ms < 0 || claim.delivered_ms > now_ms {
            claim.delivered_ms = now_ms;
        }
        Ok(Options { claim, last_id })
    }
}

fn unrecognized(option: &[u8]) -> Error {
    Error::Bytes([b"ERR Unrecognized XCLAIM option '", option, b"'"].concat().into())
}

fn xclaim(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, name, consumer) = (ctx.key(1), ctx.args.at(2), ctx.args.at(3));
    let group_last_id = group_last_id(ctx)?;
    let idle_min_ms = idle_min_ms(ctx, "ERR Invalid min-idle-time argument for XCLAIM")?;
    let ids: SmallVec<[StreamId; 8]> = ctx.args.from(5).iter().map_while(|arg| id(arg).ok()).collect();
    let options = Options::parse(ctx, 5 + ids.len(), idle_min_ms)?;
    let last_id = options.last_id.max(group_last_id);

    let mut taking = Taking::new(ctx, key, name, consumer, options.claim);
    let array = ctx.reply.array_deferred();
    let (reply, just_id) = (&mut *ctx.reply, options.claim.just_id);
    let (count, entries_read) = ctx.db.change_stream(key, |stream, _| {
        let entries_read = taking.begin(stream, last_id);
        let mut count = 0;
        for id in ids {
            if let Claimed::Yes(_) = taking.take(stream, id) {
                count += 1;
                write_claimed(reply, stream, id, just_id);
            }
        }
        (count, entries_read)
    });
    ctx.reply.close_array(array, count);
    let moved = last_id > group_last_id && taking.taken.is_empty();
    taking.finish(ctx, last_id);
    if moved {
        ctx.db.turn.dirty += 1;
        GroupEffects { key: key.bytes(), group: name }.set_id(ctx, last_id, entries_read);
    }
    Ok(())
}

fn write_claimed(reply: &mut resp::Reply, stream: &Stream, id: StreamId, just_id: bool) {
    match stream.entry(id) {
        Some(there) if !just_id => entry(reply, &there),
        _ => write_id(reply, id),
    }
}

/// Entries being taken over by a consumer.
struct Taking<'a> {
    key: Key<'a>,
    group: &'a [u8],
    consumer: &'a [u8],
    claim: Claim,
    now_ms: i64,
    /// The consumer's number, and whether it was made for this.
    number: Option<(ConsumerNumber, bool)>,
    /// What was taken, or is gone, and whose it is, or was.
    taken: Vec<(Box<[u8]>, Pending)>,
}

impl<'a> Taking<'a> {
    fn new(ctx: &Ctx<'_, '_>, key: Key<'a>, group: &'a [u8], consumer: &'a [u8], claim: Claim) -> Taking<'a> {
        Taking { key, group, consumer, claim, now_ms: ctx.now_ms(), number: None, taken: Vec::new() }
    }

    /// Notes that the consumer tries something, and that the group had all up to `last_id`; what it has read.
    fn begin(&mut self, stream: &mut Stream, last_id: StreamId) -> Option<u64> {
        let group = stream.group_mut(self.group)?;
        group.last_id = last_id;
        self.number = Some(group.see(self.consumer, self.now_ms));
        group.entries_read
    }

    /// Takes one entry, if the claim fits it.
    fn take(&mut self, stream: &mut Stream, id: StreamId) -> Claimed {
        let Some((number, _)) = self.number else { return Claimed::No };
        let claimed = stream.claim(self.group, number, id, &self.claim, self.now_ms);
        if let Claimed::Yes(pending) | Claimed::Gone(pending) = claimed {
            let owner = stream.group(self.group).and_then(|group| group.consumer(pending.consumer));
            self.taken.push((owner.map_or(b"".as_slice(), |owner| owner.name()).into(), pending));
        }
        claimed
    }

    /// Events and effects.
    fn finish(self, ctx: &mut Ctx<'_, '_>, last_id: StreamId) {
        ctx.no_effect();
        let effects = GroupEffects { key: self.key.bytes(), group: self.group };
        if let Some((number, true)) = self.number {
            ctx.changed(EventClass::Stream, "xgroup-createconsumer", self.key.bytes());
            // A claim makes its consumer.
            if !self.taken.iter().any(|(_, pending)| pending.consumer == number) {
                effects.create_consumer(ctx, self.consumer);
            }
        }
        ctx.db.turn.dirty += self.taken.len() as u64;
        if ctx.db.turn.log {
            for (owner, pending) in &self.taken {
                let delivered = (pending.delivered_ms, pending.deliveries);
                effects.claim(ctx, owner, pending.id, delivered, last_id);
            }
        }
    }
}

fn xautoclaim(ctx: &mut Ctx<'_, '_>) -> Outcome {
    /// Pending entries that are looked at for each that may be claimed.
    const LOOKS: usize = 10;
    let idle_min_ms = idle_min_ms(ctx, "ERR Invalid min-idle-time argument for XAUTOCLAIM")?;
    let mut next = Some(start(ctx.args.at(5))?);
    let (mut left, just_id) = autoclaim_options(ctx)?;
    let (key, name, consumer) = (ctx.key(1), ctx.args.at(2), ctx.args.at(3));
    let last_id = group_last_id(ctx)?;

    let claim = Claim { idle_min_ms, delivered_ms: ctx.now_ms(), deliveries: None, force: false, just_id };
    let mut taking = Taking::new(ctx, key, name, consumer, claim);
    // The place to go on at comes first, and is known last.
    let mut entries = resp::Reply::new();
    entries.set_resp3(ctx.reply.resp3());
    let (mut count, mut gone) = (0, Vec::new());
    next = ctx.db.change_stream(key, |stream, _| {
        taking.begin(stream, last_id);
        let mut looks = left.saturating_mul(LOOKS);
        loop {
            // The one behind the last that was looked at.
            let pending = next.and_then(|next| stream.group(name)?.pending_from(next).next().map(|p| p.id));
            let Some(id) = pending.filter(|_| looks > 0 && left > 0) else { return pending };
            looks -= 1;
            next = id.next();
            match taking.take(stream, id) {
                Claimed::No => continue,
                Claimed::Gone(_) => gone.push(id),
                Claimed::Yes(_) => {
                    count += 1;
                    write_claimed(&mut entries, stream, id, just_id);
                }
            }
            left -= 1;
        }
    });
    taking.finish(ctx, last_id);
    ctx.reply.array(3);
    write_id(ctx.reply, next.unwrap_or(StreamId::MIN));
    ctx.reply.array(count);
    ctx.reply.buffer().extend_from_slice(entries.bytes());
    ctx.reply.array(gone.len());
    gone.iter().for_each(|&id| write_id(ctx.reply, id));
    Ok(())
}

/// How many entries XAUTOCLAIM may claim, and whether it gives their ids only.
fn autoclaim_options(ctx: &Ctx<'_, '_>) -> Result<(usize, bool), Error> {
    const COUNT_DEFAULT: usize = 100;
    const COUNT_MAX: i64 = i64::MAX / 16;
    let (mut count, mut just_id) = (COUNT_DEFAULT, false);
    let mut args = ctx.args.from(6).iter();
    while let Some(option) = args.next() {
        if option.eq_ignore_ascii_case(b"justid") {
            just_id = true;
            continue;
        }
        match args.next() {
            Some(value) if option.eq_ignore_ascii_case(b"count") => {
                let value = int(value).ok().filter(|count| (1..=COUNT_MAX).contains(count));
                count = value.ok_or(Error::Text("ERR COUNT must be > 0"))? as usize;
            }
            _ => return Err(Error::Syntax),
        }
    }
    Ok((count, just_id))
}

#[cfg(test)]
mod tests;
