//! Streams: what is new in several of them, for anybody or for a group's consumer.

use engine::stream::Stream;
use engine::{EventClass, Key, StreamId};
use resp::{Args, Reply};
use smallvec::SmallVec;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::{FindKeys, KeySpec, Search};
use crate::number::int;
use crate::stream::ONE_STREAM;
use crate::stream_group::{GroupEffects, no_such_group};
use crate::stream_id::id;
use crate::stream_range::{entries, entry, id as write_id};
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&XREAD, &XREADGROUP];

/// Where the keys are: the first half of what is behind STREAMS.
const fn streams(from: isize) -> KeySpec {
    KeySpec {
        search: Search::Keyword("STREAMS", from),
        find: FindKeys::Range { last: -1, step: 1, limit: 2 },
        flags: "RO access",
    }
}

static XREAD: Command = Command {
    name: "xread",
    arity: -4,
    flags: flags::READONLY | flags::BLOCKING | flags::MOVABLEKEYS,
    keys: &[streams(1)],
    keys_begin: Some(keys_begin),
    run: xread,
    summary: "Gives the entries of streams behind the ids given; `$` is the last id given, and `+` gives the newest \
        entry.",
    since: "5.0.0",
    complexity: "O(log N + M) for M of the N entries of each stream",
    syntax: "[COUNT count] [BLOCK milliseconds] STREAMS key... id...",
    example: "> XADD a 1-1 name Ada\n\"1-1\"\n> XREAD COUNT 1 STREAMS a 0\n\
        1) 1) \"a\"\n   2) 1) 1) \"1-1\"\n         2) 1) \"name\"\n            2) \"Ada\"",
    ..ONE_STREAM
};

static XREADGROUP: Command = Command {
    name: "xreadgroup",
    arity: -7,
    flags: flags::WRITE | flags::BLOCKING | flags::MOVABLEKEYS,
    keys: &[streams(4)],
    run: xreadgroup,
    summary: "Gives a group's consumer entries that nobody of the group had, `>`, or the pending ones it had behind \
        the ids given.",
    complexity: "O(M * log N) for M of the N entries of each stream",
    syntax: "GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key... id...",
    example: "> XADD a 1-1 name Ada\n\"1-1\"\n> XGROUP CREATE a g 0\nOK\n> XREADGROUP GROUP g me STREAMS a >\n\
        1) 1) \"a\"\n   2) 1) 1) \"1-1\"\n         2) 1) \"name\"\n            2) \"Ada\"\n\
        > XREADGROUP GROUP g me STREAMS a >\n(nil)",
    ..XREAD
};

/// Keys, each with the argument that says from where.
type Streams<'a> = SmallVec<[(Key<'a>, &'a [u8]); 4]>;

/// What XREAD or XREADGROUP is asked for.
struct Request<'a> {
    group: Option<Reader<'a>>,
    /// Entries of each stream at most.
    count: usize,
    no_ack: bool,
    streams: Streams<'a>,
}

/// A consumer of a group.
#[derive(Clone, Copy)]
struct Reader<'a> {
    group: &'a [u8],
    consumer: &'a [u8],
}

impl<'a> Request<'a> {
    fn parse(ctx: &Ctx<'a, '_>, for_group: bool) -> Result<Request<'a>, Error> {
        let args = ctx.args;
        let mut request = Request { group: None, count: usize::MAX, no_ack: false, streams: SmallVec::new() };
        let mut at = 1;
        while at < args.len() {
            let (option, next) = (args.at(at), args.get(at + 1));
            let is = |word: &str| option.eq_ignore_ascii_case(word.as_bytes());
            match (next, args.get(at + 2)) {
                (Some(timeout_ms), _) if is("block") => check_timeout(timeout_ms, ctx.now_ms())?,
                (Some(count), _) if is("count") => {
                    let count = int(count)?.max(0) as usize;
                    request.count = if count == 0 { usize::MAX } else { count };
                }
                (Some(_), _) if is("streams") => {
                    request.streams = pairs(ctx, at + 1)?;
                    break;
                }
                (Some(group), Some(consumer)) if is("group") => {
                    if !for_group {
                        return Err(only_in_xreadgroup("GROUP"));
                    }
                    request.group = Some(Reader { group, consumer });
                }
                _ if is("noack") => {
                    if !for_group {
                        return Err(only_in_xreadgroup("NOACK"));
                    }
                    request.no_ack = true;
                }
                _ => return Err(Error::Syntax),
            }
            at += 1 + values_of(option);
        }
        if request.streams.is_empty() {
            return Err(Error::Syntax);
        }
        if for_group && request.group.is_none() {
            return Err(Error::Text("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(request)
    }
}

/// How many arguments belong to an option that stands before STREAMS.
fn values_of(option: &[u8]) -> usize {
    match option {
        _ if option.eq_ignore_ascii_case(b"group") => 2,
        _ if option.eq_ignore_ascii_case(b"noack") => 0,
        _ => 1,
    }
}

/// Where the keys begin: behind STREAMS, when that is no option's value.
fn keys_begin(args: Args<'_>) -> Option<usize> {
    let mut at = 1;
    while !args.get(at)?.eq_ignore_ascii_case(b"streams") {
        at += 1 + values_of(args.at(at));
    }
    (at + 1 < args.len()).then_some(at + 1)
}

/// The keys from argument `begin` on, each with its id.
fn pairs<'a>(ctx: &Ctx<'a, '_>, begin: usize) -> Result<Streams<'a>, Error> {
    let rest = ctx.args.len() - begin;
    if !rest.is_multiple_of(2) {
        let name = ctx.command.name;
        let symbol = if name == "xread" { '$' } else { '>' };
        return Err(Error::Message(format!(
            "ERR Unbalanced '{name}' list of streams: for each stream key an ID or '{symbol}' must be specified."
        )));
    }
    Ok((begin..begin + rest / 2).map(|i| (ctx.key(i), ctx.args.at(i + rest / 2))).collect())
}

fn only_in_xreadgroup(option: &str) -> Error {
    Error::Message(format!(
        "ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
    ))
}

/// Checks the milliseconds that a client is ready to wait.
fn check_timeout(arg: &[u8], now_ms: i64) -> Result<(), Error> {
    let timeout_ms = int(arg).map_err(|_| Error::Text("ERR timeout is not an integer or out of range"))?;
    if timeout_ms < 0 {
        return Err(Error::Text("ERR timeout is negative"));
    }
    now_ms.checked_add(timeout_ms).map(|_| ()).ok_or(Error::Text("ERR timeout is out of range"))
}

fn xread(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let request = Request::parse(ctx, false)?;
    let mut after = SmallVec::<[StreamId; 4]>::new();
    for &(key, arg) in &request.streams {
        let stream = ctx.db.read_stream(key)?;
        after.push(match arg {
            b"$" => stream.map_or(StreamId::MIN, Stream::last_id),
            b"+" => stream.and_then(Stream::newest_id).and_then(StreamId::previous).unwrap_or_default(),
            b">" => {
                return Err(Error::Text(
                    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> \
                     option.",
                ));
            }
            arg => id(arg)?,
        });
    }
    let mut served = Served::new(ctx.reply);
    for (&(key, _), after) in request.streams.iter().zip(after) {
        let Some(Ok(stream)) = ctx.db.peek(key).map(|entry| entry.stream()) else { continue };
        let Some(start) = after.next() else { continue };
        if stream.newest_id().is_some_and(|newest_id| newest_id >= start) {
            served.stream(ctx.reply, key.bytes());
            entries(ctx.reply, stream.range(start, StreamId::MAX).take(request.count));
        }
    }
    served.finish(ctx.reply);
    Ok(())
}

/// The reply to a read: the streams that have something.
struct Served {
    array: resp::Deferred,
    count: usize,
}

impl Served {
    fn new(reply: &mut Reply) -> Served {
        Served { array: reply.array_deferred(), count: 0 }
    }

    /// Begins the part of a stream: its entries follow.
    fn stream(&mut self, reply: &mut Reply, key: &[u8]) {
        self.count += 1;
        if !reply.resp3() {
            reply.array(2);
        }
        reply.bulk(key);
    }

    fn finish(self, reply: &mut Reply) {
        match self.count {
            0 => reply.null_array(),
            count if reply.resp3() => reply.close_map(self.array, count),
            count => reply.close_array(self.array, count),
        }
    }
}

fn xreadgroup(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let request = Request::parse(ctx, true)?;
    let Some(reader) = request.group else { return Err(Error::Syntax) };
    let mut after = SmallVec::<[After; 4]>::new();
    for &(key, arg) in &request.streams {
        if ctx.db.read_stream(key)?.and_then(|stream| stream.group(reader.group)).is_none() {
            return Err(no_such_group(key.bytes(), reader.group, " in XREADGROUP with GROUP option"));
        }
        after.push(match arg {
            b">" => After::Delivered,
            b"$" => return Err(meaningless('$')),
            b"+" => return Err(meaningless('+')),
            // Redis takes the greatest id for `>`.
            arg => Some(id(arg)?).filter(|&id| id != StreamId::MAX).map_or(After::Delivered, After::Id),
        });
    }
    ctx.no_effect();
    let mut served = Served::new(ctx.reply);
    for (&(key, _), after) in request.streams.iter().zip(after) {
        read_one(ctx, &request, reader, key, after, &mut served);
    }
    served.finish(ctx.reply);
    Ok(())
}

/// From where a consumer reads.
#[derive(Clone, Copy)]
enum After {
    /// Behind what its group had.
    Delivered,
    /// Its own pending entries behind this id.
    Id(StreamId),
}

fn meaningless(id: char) -> Error {
    Error::Message(format!(
        "ERR The {id} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by \
         specifying a proper ID, or use the > ID to get new messages. The {id} ID would just return an empty result set."
    ))
}

/// Reads from one stream: the reply's part, events and effects.
fn read_one(
    ctx: &mut Ctx<'_, '_>,
    request: &Request<'_>,
    reader: Reader<'_>,
    key: Key<'_>,
    after: After,
    served: &mut Served,
) {
    let (now_ms, reply) = (ctx.now_ms(), &mut *ctx.reply);
    let (created, ids, delivered) = ctx.db.change_stream(key, |stream, _| {
        let seen = stream.group_mut(reader.group).map(|group| group.see(reader.consumer, now_ms));
        let Some((consumer, created)) = seen else { return (false, None, None) };
        match after {
            After::Id(id) => {
                let start = id.next().unwrap_or(StreamId::MAX);
                let ids = stream.deliver_again(reader.group, consumer, start, request.count, now_ms);
                served.stream(reply, key.bytes());
                pending(reply, stream, &ids);
                (created, Some(ids), None)
            }
            After::Delivered => {
                let ids = stream.deliver(reader.group, consumer, request.count, request.no_ack, now_ms);
                let (Some(&first), Some(&last)) = (ids.first(), ids.last()) else {
                    return (created, None, None);
                };
                served.stream(reply, key.bytes());
                entries(reply, stream.range(first, last));
                let read = stream.group(reader.group).and_then(|group| group.entries_read);
                (created, Some(ids), Some((last, read)))
            }
        }
    });
    if created {
        ctx.changed(EventClass::Stream, "xgroup-createconsumer", key.bytes());
    }
    ctx.db.turn.dirty += u64::from(ids.is_some());
    let effects = GroupEffects { key: key.bytes(), group: reader.group };
    if created && (request.no_ack || delivered.is_none()) {
        effects.create_consumer(ctx, reader.consumer);
    }
    // What is read once more is counted, but not logged: as in Redis.
    let Some((last_id, entries_read)) = delivered else { return };
    if !request.no_ack && ctx.db.turn.log {
        for id in ids.into_iter().flatten() {
            effects.claim(ctx, reader.consumer, id, (now_ms, 1), id);
        }
    }
    effects.set_id(ctx, last_id, entries_read);
}

/// Writes entries that are pending; of those that were deleted there is only the id.
fn pending(reply: &mut Reply, stream: &Stream, ids: &[StreamId]) {
    reply.array(ids.len());
    for &id in ids {
        match stream.entry(id) {
            Some(there) => entry(reply, &there),
            None => {
                reply.array(2);
                write_id(reply, id);
                reply.null_array();
            }
        }
    }
}

#[cfg(test)]
mod tests;
