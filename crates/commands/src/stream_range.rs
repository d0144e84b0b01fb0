//! Streams: ranges of entries, and how entries stand in replies.

use engine::StreamId;
use engine::stream::{Stream, StreamEntry};
use resp::Reply;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::KeySpec;
use crate::number::int;
use crate::stream::ONE_STREAM;
use crate::stream_id::{end, start, text};
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&XRANGE, &XREVRANGE];

/// Entries up to which a stream is read in place; the stripe of a longer one is let go of before.
const HELD_ENTRIES_MAX: u64 = 1000;

static XRANGE: Command = Command {
    name: "xrange",
    arity: -4,
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    run: xrange,
    summary: "Gives the entries of a stream from one id to another, both included unless `(` stands before them.",
    since: "5.0.0",
    complexity: "O(log N + M) for M of N entries",
    syntax: "key start end [COUNT count]",
    example: "> XADD a 1-1 name Ada\n\"1-1\"\n> XADD a 2-1 name Bob\n\"2-1\"\n> XRANGE a - + COUNT 1\n\
        1) 1) \"1-1\"\n   2) 1) \"name\"\n      2) \"Ada\"",
    history: &[("6.2.0", "Ranges without their ends.")],
    ..ONE_STREAM
};

fn xrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (start, end) = (start(ctx.args.at(2))?, end(ctx.args.at(3))?);
    range(ctx, |stream, count, reply| entries(reply, stream.range(start, end).take(count)))
}

static XREVRANGE: Command = Command {
    name: "xrevrange",
    run: xrevrange,
    summary: "Gives the entries of a stream from one id back to another, both included unless `(` stands before them.",
    syntax: "key end start [COUNT count]",
    example: "> XADD a 1-1 name Ada\n\"1-1\"\n> XADD a 2-1 name Bob\n\"2-1\"\n> XREVRANGE a + - COUNT 1\n\
        1) 1) \"2-1\"\n   2) 1) \"name\"\n      2) \"Bob\"",
    ..XRANGE
};

fn xrevrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (start, end) = (start(ctx.args.at(3))?, end(ctx.args.at(2))?);
    range(ctx, |stream, count, reply| entries(reply, stream.range_back(start, end).take(count)))
}

/// Replies with a part of the stream, which `part` writes.
fn range(ctx: &mut Ctx<'_, '_>, part: impl FnOnce(&Stream, usize, &mut Reply)) -> Outcome {
    let mut count = None;
    let mut options = ctx.args.from(4).iter();
    while let Some(option) = options.next() {
        match options.next() {
            Some(value) if option.eq_ignore_ascii_case(b"count") => count = Some(int(value)?.max(0) as usize),
            _ => return Err(Error::Syntax),
        }
    }
    let key = ctx.key(1);
    match ctx.db.read_stream(key)? {
        None => ctx.reply.array(0),
        Some(_) if count == Some(0) => ctx.reply.null_array(),
        Some(stream)
            if count.map_or(stream.len(), |count| stream.len().min(count as u64)) > HELD_ENTRIES_MAX =>
        {
            let stream = stream.clone();
            ctx.db.release();
            part(&stream, count.unwrap_or(usize::MAX), ctx.reply);
        }
        Some(stream) => part(stream, count.unwrap_or(usize::MAX), ctx.reply),
    }
    Ok(())
}

/// Writes an array of entries; how many.
pub(crate) fn entries<'s>(reply: &mut Reply, entries: impl Iterator<Item = StreamEntry<'s>>) {
    let array = reply.array_deferred();
    let mut count = 0;
    for each in entries {
        entry(reply, &each);
        count += 1;
    }
    reply.close_array(array, count);
}

/// Writes an entry: its id, and its fields with their values.
pub(crate) fn entry(reply: &mut Reply, entry: &StreamEntry<'_>) {
    let mut digits = itoa::Buffer::new();
    reply.array(2);
    id(reply, entry.id);
    reply.array(2 * entry.fields_len());
    for (name, value) in entry.fields() {
        reply.bulk(name.bytes(&mut digits));
        reply.bulk(value.bytes(&mut digits));
    }
}

/// Writes an id.
pub(crate) fn id(reply: &mut Reply, id: StreamId) {
    reply.bulk(&text(id));
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    #[test]
    fn ranges_take_any_part_both_ways() {
        let mut client = Client::new();
        for n in 1..=3000 {
            client.send(&format!("XADD a {n}-1 n {n}"));
        }
        client.send("XDEL a 2-1");
        let mut ids = |line: &str| {
            let reply = client.send(line);
            let ids: Vec<u64> =
                reply.lines().filter_map(|l| l.trim_end().strip_suffix("-1")?.parse().ok()).collect();
            assert!(reply.starts_with(&format!("*{}\r\n", ids.len())), "{line}");
            ids
        };
        assert_eq!(ids("XRANGE a - 4"), [1, 3, 4]);
        assert_eq!(ids("XRANGE a (1-1 (4-1"), [3]);
        assert_eq!(ids("XREVRANGE a 4 (1-1 COUNT 1"), [4]);
        assert_eq!(ids("XREVRANGE a + 2999"), [3000, 2999]);
        assert!(ids("XRANGE a 5 4").is_empty());
        assert_eq!(ids("XRANGE a - +").len(), 2999);
        assert_eq!(ids("XREVRANGE a + - COUNT 2000").last(), Some(&1001));
        assert_eq!(client.send("XRANGE a - + COUNT 0"), "*-1\r\n");
        assert_eq!(client.send("XRANGE a - + COUNT -3"), "*-1\r\n");
        assert_eq!(client.send("XRANGE none - + COUNT 0"), "*0\r\n");
    }

    #[test]
    fn what_is_no_range_is_refused() {
        let mut client = Client::new();
        client.check(&[("SET text 1", "OK")]);
        const INVALID: &str = "ERR Invalid stream ID specified as stream command argument";
        client.check_errors(&[
            ("XRANGE text - +", "WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("XRANGE text x +", INVALID),
            ("XRANGE none (- +", INVALID),
            (
                "XRANGE none (18446744073709551615-18446744073709551615 +",
                "ERR invalid start ID for the interval",
            ),
            ("XREVRANGE none (0-0 -", "ERR invalid end ID for the interval"),
            ("XRANGE none - + COUNT x", "ERR value is not an integer or out of range"),
            ("XRANGE none - + COUNT", "ERR syntax error"),
            ("XRANGE none - + LIMIT 1", "ERR syntax error"),
        ]);
    }
}
