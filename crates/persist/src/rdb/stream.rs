//! Streams in files: their entries, what is known of their past, groups with their consumers.

use super::decode::repeat;
use super::encode::Encoder;
use super::error::{Error, Fault};
use super::format::Encoding;
use super::input::{Input, Slice};
use super::stream_entries::{Nodes, encode_node};
use super::value::{Stream, StreamConsumer, StreamGroup, StreamId, StreamPending, is_twice};
use crate::shape::StreamShape;

pub(super) fn decode<'a>(input: &mut Slice<'a>, encoding: Encoding) -> Result<Stream<'a>, Error> {
    let mut stream = Stream::default();
    for _ in 0..input.length()? {
        let offset = input.offset();
        let (id, run) = (input.string()?, input.string()?);
        let broken = |broken| Error { offset, fault: Fault::Corrupt(broken) };
        let id = <[u8; 16]>::try_from(&*id).map_err(|_| broken("a node of a stream has no id"))?;
        stream.entries.push_node(StreamId::from_bytes(id), run).map_err(broken)?;
    }
    let at = input.offset();
    let len = input.length()?;
    if len != stream.entries.len() {
        return Err(Error { offset: at, fault: Fault::Corrupt("a stream is not as long as it says") });
    }
    stream.last_id = id_of_lengths(input)?;
    if encoding == Encoding::Stream {
        stream.first_id = stream.entries.first_id().unwrap_or_default();
        stream.entries_added = len;
    } else {
        stream.first_id = id_of_lengths(input)?;
        stream.max_deleted_id = id_of_lengths(input)?;
        stream.entries_added = input.length()?;
    }
    if stream.entries.last_id().is_some_and(|id| id > stream.last_id) {
        return Err(Error {
            offset: at,
            fault: Fault::Corrupt("a stream's last id is before its last entry"),
        });
    }
    let groups = repeat(input, |input| decode_group(input, encoding, &stream))?;
    if is_twice(groups.iter().map(|group| &group.name)) {
        return Err(input.corrupt("a group comes twice"));
    }
    stream.groups = groups;
    Ok(stream)
}

fn id_of_lengths(input: &mut Slice<'_>) -> Result<StreamId, Error> {
    Ok(StreamId { ms: input.length()?, seq: input.length()? })
}

// -- groups -----------------------------------------------------------------------------------

fn decode_group<'a>(
    input: &mut Slice<'a>,
    encoding: Encoding,
    stream: &Stream<'_>,
) -> Result<StreamGroup<'a>, Error> {
    let name = input.string()?;
    let last_id = id_of_lengths(input)?;
    let entries_read = match encoding {
        Encoding::Stream => entries_up_to(stream, last_id),
        _ => Some(input.length()?).filter(|&n| i64::try_from(n).is_ok()),
    };
    let mut pending = repeat(input, |input| {
        let id = StreamId::from_bytes(input.array()?);
        let delivered_ms = i64::from_le_bytes(input.array()?);
        Ok(StreamPending { id, consumer: usize::MAX, delivered_ms, deliveries: input.length()? })
    })?;
    if !pending.is_sorted_by(|a, b| a.id < b.id) {
        return Err(input.corrupt("a group's pending entries are not in order"));
    }
    let mut number = 0;
    let consumers = repeat(input, |input| {
        let consumer = decode_consumer(input, encoding, number, &mut pending)?;
        number += 1;
        Ok(consumer)
    })?;
    if is_twice(consumers.iter().map(|consumer| &consumer.name)) {
        return Err(input.corrupt("a consumer of a group comes twice"));
    }
    if pending.iter().any(|entry| entry.consumer == usize::MAX) {
        return Err(input.corrupt("a pending entry of a group is no consumer's"));
    }
    Ok(StreamGroup { name, last_id, entries_read, consumers, pending })
}

/// Reads consumer `number`, and gives it its entries among `pending`.
fn decode_consumer<'a>(
    input: &mut Slice<'a>,
    encoding: Encoding,
    number: usize,
    pending: &mut [StreamPending],
) -> Result<StreamConsumer<'a>, Error> {
    let name = input.string()?;
    let seen_ms = i64::from_le_bytes(input.array()?);
    let active_ms = match encoding {
        Encoding::Stream3 => Some(i64::from_le_bytes(input.array()?)).filter(|&ms| ms >= 0),
        _ => Some(seen_ms),
    };
    for _ in 0..input.length()? {
        let at = input.offset();
        let id = StreamId::from_bytes(input.array()?);
        let place = pending.binary_search_by_key(&id, |entry| entry.id);
        let free = place.ok().filter(|&i| pending[i].consumer == usize::MAX);
        let Some(i) = free else {
            let fault = Fault::Corrupt("a consumer's pending entry is not the group's, or another's too");
            return Err(Error { offset: at, fault });
        };
        pending[i].consumer = number;
    }
    Ok(StreamConsumer { name, seen_ms, active_ms })
}

/// How many entries were added up to `id`, where that can be told: older files do not say what a group has read.
fn entries_up_to(stream: &Stream<'_>, id: StreamId) -> Option<u64> {
    let len = stream.entries.len();
    if stream.entries_added == 0 {
        return Some(0);
    }
    if len == 0 && id < stream.last_id {
        return Some(stream.entries_added);
    }
    if id >= stream.last_id {
        return (id == stream.last_id).then_some(stream.entries_added);
    }
    // Nothing is known to be deleted in the middle, so what lies before the first entry was all added before it.
    match id.cmp(&stream.first_id) {
        std::cmp::Ordering::Less => Some(stream.entries_added - len),
        std::cmp::Ordering::Equal => Some(stream.entries_added - len + 1),
        std::cmp::Ordering::Greater => None,
    }
}

// -- writing ----------------------------------------------------------------------------------

/// Writes a stream in `encoding`: that of Redis 7.0 or 7.2. `gather` is called after each part.
///
/// # Errors
/// Those of `gather`.
pub(super) fn encode<E>(
    stream: StreamShape<'_>,
    encoding: Encoding,
    out: &mut Encoder,
    gather: &mut impl FnMut(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    match stream {
        StreamShape::Read(stream) => {
            out.length(stream.entries.nodes().len() as u64);
            for (id, run) in stream.entries.nodes() {
                out.string(&id.to_bytes());
                out.string(run);
                gather(&mut out.bytes)?;
            }
        }
        StreamShape::Kept(stream) => {
            // How many nodes there are stands before the first, so the entries are gone through twice.
            out.length(Nodes::of(stream.iter()).count() as u64);
            for node in Nodes::of(stream.iter()) {
                out.string(&node[0].id.to_bytes());
                out.string(&encode_node(&node));
                gather(&mut out.bytes)?;
            }
        }
    }
    let past = stream.past();
    out.length(past.len);
    for id in [past.last_id, past.first_id, past.max_deleted_id] {
        out.length(id.ms);
        out.length(id.seq);
    }
    out.length(past.entries_added);
    out.length(stream.groups_len() as u64);
    for group in stream.groups() {
        encode_group(&group, encoding, out);
        gather(&mut out.bytes)?;
    }
    Ok(())
}

fn encode_group(group: &StreamGroup<'_>, encoding: Encoding, out: &mut Encoder) {
    out.string(&group.name);
    out.length(group.last_id.ms);
    out.length(group.last_id.seq);
    out.length(group.entries_read.unwrap_or(u64::MAX));
    out.length(group.pending.len() as u64);
    for entry in &group.pending {
        out.raw(&entry.id.to_bytes());
        out.raw(&entry.delivered_ms.to_le_bytes());
        out.length(entry.deliveries);
    }
    out.length(group.consumers.len() as u64);
    let mut own = vec![Vec::new(); group.consumers.len()];
    for entry in &group.pending {
        // Whoever made the group gave each entry one of its consumers.
        if let Some(own) = own.get_mut(entry.consumer) {
            own.push(entry.id);
        }
    }
    for (consumer, own) in group.consumers.iter().zip(own) {
        out.string(&consumer.name);
        out.raw(&consumer.seen_ms.to_le_bytes());
        if encoding == Encoding::Stream3 {
            out.raw(&consumer.active_ms.unwrap_or(-1).to_le_bytes());
        }
        out.length(own.len() as u64);
        own.iter().for_each(|id| out.raw(&id.to_bytes()));
    }
}
