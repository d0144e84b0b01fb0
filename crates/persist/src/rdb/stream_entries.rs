//! The entries of a stream, kept in the nodes that they are written in and decoded one at a time.
//!
//! A node is an id and a listpack: count of entries, count of deleted ones, count of fields, the fields, 0, then the
//! entries. An entry is flags, its id as the distance from the node's, its fields and values (values only, when its
//! fields are the node's), and the count of its elements before this one.

use engine::element_of;

use super::packed::{Broken, Builder, Element, Listpack};
use super::value::{Bytes, StreamId};

/// The entry was deleted.
const DELETED: i64 = 1;
/// The entry's fields are the node's.
const SAME_FIELDS: i64 = 2;

/// Entries and bytes of a node at most: what Redis has by default.
const NODE_ENTRIES_MAX: usize = 100;
const NODE_BYTES_MAX: usize = 4096;

const BROKEN: Broken = "a node of a stream is broken";

/// An entry of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEntry<'a> {
    /// Its id.
    pub id: StreamId,
    /// Fields with values, in the order given.
    pub fields: Vec<(Bytes<'a>, Bytes<'a>)>,
}

/// Entries in the order of their ids. Invariant: the nodes can be read, `len` and the ids are theirs.
#[derive(Clone, Debug, Default)]
pub struct StreamEntries<'a> {
    nodes: Vec<(StreamId, Bytes<'a>)>,
    len: u64,
    first_id: Option<StreamId>,
    last_id: Option<StreamId>,
}

impl PartialEq for StreamEntries<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl Eq for StreamEntries<'_> {}

impl<'a> StreamEntries<'a> {
    /// How many there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The id of the oldest.
    pub fn first_id(&self) -> Option<StreamId> {
        self.first_id
    }

    /// The id of the newest.
    pub fn last_id(&self) -> Option<StreamId> {
        self.last_id
    }

    /// The entries, the oldest first, each decoded when it comes.
    pub fn iter(&self) -> impl Iterator<Item = StreamEntry<'_>> {
        self.nodes.iter().flat_map(|(id, run)| {
            // That it can be read was seen when the node was added.
            let mut node = Node::new(*id, run).ok();
            std::iter::from_fn(move || node.as_mut()?.next().ok()?)
        })
    }

    /// The nodes: ids and listpacks.
    pub(super) fn nodes(&self) -> &[(StreamId, Bytes<'a>)] {
        &self.nodes
    }

    /// Adds the node with `id` and the listpack `run`.
    pub(super) fn push_node(&mut self, id: StreamId, run: Bytes<'a>) -> Result<(), Broken> {
        let mut node = Node::new(id, &run)?;
        while let Some(entry) = node.next()? {
            if self.last_id.is_some_and(|last_id| last_id >= entry.id) {
                return Err("a stream's entries are not in order");
            }
            self.first_id.get_or_insert(entry.id);
            self.last_id = Some(entry.id);
            self.len += 1;
        }
        self.nodes.push((id, run));
        Ok(())
    }
}

impl<'e> FromIterator<StreamEntry<'e>> for StreamEntries<'_> {
    /// The entries given, as far as each has a greater id than those before.
    fn from_iter<I: IntoIterator<Item = StreamEntry<'e>>>(entries: I) -> Self {
        let mut all = StreamEntries::default();
        for node in Nodes::of(entries.into_iter()) {
            if let [first, ..] = node.as_slice() {
                let _ = all.push_node(first.id, encode_node(&node).into());
            }
        }
        all
    }
}

/// An entry, wherever it stands.
pub(super) trait Entry {
    /// Its id.
    fn id(&self) -> StreamId;
    /// How many fields it has.
    fn fields_len(&self) -> usize;
    /// Its fields with their values.
    fn fields(&self) -> impl Iterator<Item = (engine::Element<'_>, engine::Element<'_>)>;
}

impl Entry for StreamEntry<'_> {
    fn id(&self) -> StreamId {
        self.id
    }

    fn fields_len(&self) -> usize {
        self.fields.len()
    }

    fn fields(&self) -> impl Iterator<Item = (engine::Element<'_>, engine::Element<'_>)> {
        self.fields.iter().map(|(name, value)| (element_of(name), element_of(value)))
    }
}

impl Entry for engine::stream::StreamEntry<'_> {
    fn id(&self) -> StreamId {
        self.id
    }

    fn fields_len(&self) -> usize {
        engine::stream::StreamEntry::fields_len(self)
    }

    fn fields(&self) -> impl Iterator<Item = (engine::Element<'_>, engine::Element<'_>)> {
        engine::stream::StreamEntry::fields(self)
    }
}

/// Entries by the nodes they are written in.
pub(super) struct Nodes<I: Iterator> {
    entries: std::iter::Peekable<I>,
}

impl<E: Entry, I: Iterator<Item = E>> Nodes<I> {
    pub(super) fn of(entries: I) -> Nodes<I> {
        Nodes { entries: entries.peekable() }
    }
}

impl<E: Entry, I: Iterator<Item = E>> Iterator for Nodes<I> {
    type Item = Vec<E>;

    fn next(&mut self) -> Option<Vec<E>> {
        let mut node = vec![self.entries.next()?];
        let size =
            |entry: &E| 16 + entry.fields().map(|(name, value)| name.len() + value.len() + 8).sum::<usize>();
        let mut bytes = node.iter().map(size).sum::<usize>();
        while node.len() < NODE_ENTRIES_MAX {
            let fits = |entry: &E| {
                bytes += size(entry);
                bytes <= NODE_BYTES_MAX
            };
            match self.entries.next_if(fits) {
                Some(entry) => node.push(entry),
                None => break,
            }
        }
        Some(node)
    }
}

/// The listpack of a node's entries, of which there must be one at least.
pub(super) fn encode_node<E: Entry>(entries: &[E]) -> Vec<u8> {
    let first = &entries[0];
    let mut node = Builder::new();
    node.push_int(entries.len() as i64);
    node.push_int(0);
    node.push_int(first.fields_len() as i64);
    first.fields().for_each(|(name, _)| node.push_element(name));
    node.push_int(0);
    for entry in entries {
        let same = entry.fields().map(|(name, _)| name).eq(first.fields().map(|(name, _)| name));
        let from = node.count();
        node.push_int(if same { SAME_FIELDS } else { 0 });
        node.push_int(entry.id().ms.wrapping_sub(first.id().ms) as i64);
        node.push_int(entry.id().seq.wrapping_sub(first.id().seq) as i64);
        if !same {
            node.push_int(entry.fields_len() as i64);
        }
        for (name, value) in entry.fields() {
            if !same {
                node.push_element(name);
            }
            node.push_element(value);
        }
        node.push_int((node.count() - from) as i64);
    }
    node.finish()
}

/// A node being read.
struct Node<'b> {
    listpack: Listpack<'b>,
    id: StreamId,
    fields: Vec<Element<'b>>,
    /// Entries still to come that are there, and that were deleted.
    live: i64,
    deleted: i64,
}

impl<'b> Node<'b> {
    fn new(id: StreamId, run: &'b [u8]) -> Result<Node<'b>, Broken> {
        let mut listpack = Listpack::new(run)?;
        let (live, deleted, count) = (listpack.int()?, listpack.int()?, listpack.int()?);
        let fields = (0..count).map(|_| listpack.next()?.ok_or(BROKEN)).collect::<Result<_, _>>()?;
        if listpack.int()? != 0 {
            return Err(BROKEN);
        }
        Ok(Node { listpack, id, fields, live, deleted })
    }

    /// The next entry that was not deleted.
    fn next(&mut self) -> Result<Option<StreamEntry<'b>>, Broken> {
        loop {
            let flags = match self.listpack.next()? {
                Some(Element::Int(flags @ 0..=3)) => flags,
                None if (self.live, self.deleted) == (0, 0) => return Ok(None),
                _ => return Err(BROKEN),
            };
            let entry = self.entry(flags)?;
            if flags & DELETED == 0 {
                self.live -= 1;
                return Ok(Some(entry));
            }
            self.deleted -= 1;
        }
    }

    fn entry(&mut self, flags: i64) -> Result<StreamEntry<'b>, Broken> {
        let listpack = &mut self.listpack;
        // Distances are of unsigned numbers, and may go round.
        let id = StreamId {
            ms: self.id.ms.wrapping_add(listpack.int()? as u64),
            seq: self.id.seq.wrapping_add(listpack.int()? as u64),
        };
        let same = flags & SAME_FIELDS != 0;
        let count = if same { 0 } else { listpack.int()? };
        let mut next = || listpack.next()?.map(Element::bytes).ok_or(BROKEN);
        let fields: Vec<_> = if same {
            self.fields.iter().map(|name| Ok((name.bytes(), next()?))).collect::<Result<_, Broken>>()?
        } else {
            (0..count).map(|_| Ok((next()?, next()?))).collect::<Result<_, Broken>>()?
        };
        let elements = if same { 3 + fields.len() } else { 4 + 2 * fields.len() };
        if self.listpack.int()? != elements as i64 { Err(BROKEN) } else { Ok(StreamEntry { id, fields }) }
    }
}
