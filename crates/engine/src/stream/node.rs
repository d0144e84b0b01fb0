//! A node: some hundred entries of a stream in one run of bytes.
//!
//! The field names of the node's first entry stand at its head; an entry with the same names, as most have, holds only
//! values. An id stands as its distance from the one before it, mostly in the entry's first byte:
//!
//! | bits | meaning |
//! | --- | --- |
//! | 0 | the names are the node's; else their count follows the id, and each stands before its value |
//! | 1 | the second half of the id is 0 in a new millisecond, one more in the same; else it follows: whole in a new millisecond, as a distance in the same |
//! | 2-7 | milliseconds since the entry before; 63: that many and those that follow |
//!
//! Numbers that follow have seven bits a byte, the lowest first, all but the last with the top bit set. A deleted
//! entry's bytes are gone. What Redis's node would hold is counted along, so that nodes end, and approximate trimming
//! stops, where they do in Redis.

use std::sync::Arc;

use super::id::StreamId;
use super::runs::Item;
use crate::limits::Limits;
use crate::listpack::{FRAME_BYTES, int_bytes, text_bytes};
use crate::memory::{arc_bytes, vec_bytes};
use crate::packed::{self, Element};
use crate::relocate::{Mover, relocate_vec};

const SAME_NAMES: u8 = 1;
const SEQ_IMPLIED: u8 = 2;
const MS_SHIFT: u32 = 2;
/// Milliseconds that the first byte has no room for.
const MS_LONG: u64 = 63;

/// Redis's bound of a node's bytes when none is configured, and of an entry's in any case.
pub const ENTRY_BYTES_MAX: usize = 1 << 30;

/// A run of entries. Invariant: `bytes` hold the names, then `live` entries with ascending ids, the last of which is
/// `tail`, or, when there is none, `master`.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// What the first entry's id is a distance from: the id of the first entry ever in it.
    pub(super) master: StreamId,
    /// The greatest id ever in it.
    pub(super) last: StreamId,
    /// The last entry's id.
    pub(super) tail: StreamId,
    /// How many entries it has.
    pub(super) live: usize,
    /// How many entries it had and has no more.
    deleted: usize,
    /// Bytes of Redis's form, without the two counts of entries.
    listpack_bytes: usize,
    /// How many names it has, and where they end.
    names: usize,
    entries_at: usize,
    bytes: Vec<u8>,
}

impl Item for Arc<Node> {
    fn id(&self) -> StreamId {
        self.last
    }

    fn relocate(&mut self, mover: &mut dyn Mover) {
        let Some(node) = Arc::get_mut(self) else { return };
        relocate_vec(&mut node.bytes, mover);
        if mover.is_sparse(std::ptr::from_ref(node).cast()) {
            let bytes = std::mem::take(&mut node.bytes);
            *self = Arc::new(Node { bytes, ..*node });
        }
    }
}

/// An entry of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'s> {
    /// Its id.
    pub id: StreamId,
    node: &'s Node,
    /// Where the values, or the names with their values, are.
    fields_at: usize,
    fields: usize,
    same_names: bool,
}

impl<'s> Entry<'s> {
    /// How many fields it has.
    pub fn fields_len(&self) -> usize {
        self.fields
    }

    /// Its fields, in the order given: names with values.
    pub fn fields(&self) -> impl Iterator<Item = (Element<'s>, Element<'s>)> + use<'s> {
        let (bytes, own_names) = (self.node.bytes.as_slice(), !self.same_names);
        let (mut name_at, mut at) = (0, self.fields_at);
        (0..self.fields).map(move |_| {
            let name_from = if own_names { at } else { name_at };
            name_at = next_at(bytes, name_from);
            let value_from = if own_names { name_at } else { at };
            at = next_at(bytes, value_from);
            (packed::read(&bytes[name_from..]), packed::read(&bytes[value_from..]))
        })
    }

    /// Where it ends in the node's bytes.
    fn end(&self) -> usize {
        let elements = if self.same_names { self.fields } else { 2 * self.fields };
        (0..elements).fold(self.fields_at, |at, _| next_at(&self.node.bytes, at))
    }
}

/// Where a walk over a node's entries stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    at: usize,
    /// The id before.
    id: StreamId,
}

impl Node {
    /// A node whose first entry will have `id` and the names of `fields`, names with values.
    pub(super) fn new(id: StreamId, fields: &[&[u8]]) -> Node {
        let mut bytes = Vec::new();
        // Header and end, the count of names, and what stands for a count behind them.
        let mut listpack_bytes = FRAME_BYTES + int_bytes(fields.len() as i64 / 2) + int_bytes(0);
        for name in fields.iter().step_by(2) {
            listpack_bytes += text_bytes(name);
            packed::push(&mut bytes, name);
        }
        Node {
            master: id,
            last: id,
            tail: id,
            live: 0,
            deleted: 0,
            listpack_bytes,
            names: fields.len() / 2,
            entries_at: bytes.len(),
            bytes,
        }
    }

    /// Whether another entry, with `more` bytes of names and values, is to go into a new node.
    pub(super) fn is_full(&self, more: usize, limits: &Limits) -> bool {
        let (bytes_max, entries_max) = (limits.stream_node_max_bytes, limits.stream_node_max_entries);
        let bytes_max = if bytes_max == 0 { ENTRY_BYTES_MAX as u64 } else { bytes_max };
        let bytes = self.listpack_bytes + int_bytes(self.live as i64) + int_bytes(self.deleted as i64);
        (bytes + more) as u64 >= bytes_max.min(ENTRY_BYTES_MAX as u64)
            || (entries_max > 0 && (self.live + self.deleted) as u64 >= entries_max)
    }

    /// Adds an entry whose id is above all before it.
    pub(super) fn push(&mut self, id: StreamId, fields: &[&[u8]]) {
        let same_names = self.has_names(fields);
        let count = fields.len() / 2;
        self.listpack_bytes += int_bytes(0)
            + int_bytes(id.ms.wrapping_sub(self.master.ms) as i64)
            + int_bytes(id.seq.wrapping_sub(self.master.seq) as i64);
        push_id(&mut self.bytes, self.tail, id, same_names);
        let elements = if same_names {
            3 + count
        } else {
            push_number(&mut self.bytes, count as u64);
            self.listpack_bytes += int_bytes(count as i64);
            4 + 2 * count
        };
        self.listpack_bytes += int_bytes(elements as i64);
        for element in fields.iter().skip(usize::from(same_names)).step_by(1 + usize::from(same_names)) {
            self.listpack_bytes += text_bytes(element);
            packed::push(&mut self.bytes, element);
        }
        (self.last, self.tail) = (id, id);
        self.live += 1;
    }

    /// Gives back the room it has for more entries.
    pub(super) fn close(&mut self) {
        self.bytes.shrink_to_fit();
    }

    fn has_names(&self, fields: &[&[u8]]) -> bool {
        let mut own = 0;
        let mut digits = itoa::Buffer::new();
        let mut same = |name: &[u8]| {
            let from = own;
            own = next_at(&self.bytes, from);
            packed::read(&self.bytes[from..]).bytes(&mut digits) == name
        };
        fields.len() == 2 * self.names && fields.iter().step_by(2).all(|name| same(name))
    }

    /// Before the first entry.
    pub(super) fn start(&self) -> Cursor {
        Cursor { at: self.entries_at, id: self.master }
    }

    /// The entry behind `cursor`, which moves behind it.
    pub(super) fn next(&self, cursor: &mut Cursor) -> Option<Entry<'_>> {
        let mut at = cursor.at;
        let first = *self.bytes.get(at)?;
        at += 1;
        let mut ms = u64::from(first >> MS_SHIFT);
        if ms == MS_LONG {
            ms += read_number(&self.bytes, &mut at);
        }
        let base = if ms == 0 { cursor.id.seq } else { 0 };
        let seq = match first & SEQ_IMPLIED {
            0 => base + read_number(&self.bytes, &mut at),
            _ => base + u64::from(ms == 0),
        };
        let same_names = first & SAME_NAMES != 0;
        let fields = if same_names { self.names } else { read_number(&self.bytes, &mut at) as usize };
        let id = StreamId { ms: cursor.id.ms + ms, seq };
        let entry = Entry { id, node: self, fields_at: at, fields, same_names };
        *cursor = Cursor { at: entry.end(), id };
        Some(entry)
    }

    /// All entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut cursor = self.start();
        std::iter::from_fn(move || self.next(&mut cursor))
    }

    /// Removes the entry with `id`, if it is there; how many are left.
    pub(super) fn remove(&mut self, id: StreamId) -> usize {
        let mut cursor = self.start();
        let mut before = cursor;
        loop {
            match self.next(&mut cursor) {
                Some(entry) if entry.id < id => before = cursor,
                Some(entry) if entry.id == id => break,
                _ => return self.live,
            }
        }
        self.cut(before, cursor, 1);
        self.live
    }

    /// Removes entries from the front as long as `goes` says so of their ids; how many.
    pub(super) fn remove_front(&mut self, mut goes: impl FnMut(StreamId) -> bool) -> usize {
        let start = self.start();
        let (mut kept_from, mut cursor, mut count) = (start, start, 0);
        while self.next(&mut cursor).is_some_and(|entry| goes(entry.id)) {
            kept_from = cursor;
            count += 1;
        }
        self.cut(start, kept_from, count);
        count
    }

    /// Removes what is between two cursors, `count` entries.
    fn cut(&mut self, from: Cursor, to: Cursor, count: usize) {
        let mut cursor = to;
        match self.next(&mut cursor) {
            None => {
                self.bytes.truncate(from.at);
                self.tail = from.id;
            }
            // The next entry's id becomes a distance from what is now before it.
            Some(next) => {
                let mut head = Vec::new();
                push_id(&mut head, from.id, next.id, next.same_names);
                if !next.same_names {
                    push_number(&mut head, next.fields as u64);
                }
                let fields_at = next.fields_at;
                self.bytes.splice(from.at..fields_at, head);
            }
        }
        self.live -= count;
        self.deleted += count;
    }

    /// Bytes of memory it takes.
    pub(super) fn allocated_bytes(&self) -> usize {
        arc_bytes::<Node>() + vec_bytes::<u8>(self.bytes.capacity())
    }
}

/// Appends the first byte of an entry with `id`, which is not below `before`, and what of the id it has no room for.
fn push_id(out: &mut Vec<u8>, before: StreamId, id: StreamId, same_names: bool) {
    let ms = id.ms - before.ms;
    let seq = if ms == 0 { id.seq - before.seq } else { id.seq };
    let seq_implied = seq == u64::from(ms == 0);
    let flags = if same_names { SAME_NAMES } else { 0 } | if seq_implied { SEQ_IMPLIED } else { 0 };
    out.push(flags | (ms.min(MS_LONG) << MS_SHIFT) as u8);
    if ms >= MS_LONG {
        push_number(out, ms - MS_LONG);
    }
    if !seq_implied {
        push_number(out, seq);
    }
}

fn push_number(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn read_number(bytes: &[u8], at: &mut usize) -> u64 {
    let (mut n, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        n |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return n;
        }
        shift += 7;
    }
}

/// Where the element at `at` ends.
fn next_at(bytes: &[u8], at: usize) -> usize {
    at + packed::size_of_element(&bytes[at..])
}
