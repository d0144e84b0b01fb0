//! The entries of a stream: nodes in the order of their ids, and walks over them.

use std::sync::Arc;

use super::id::StreamId;
use super::node::{Cursor, Entry, Node};
use super::runs::{Item, Place, Runs};
use crate::limits::Limits;
use crate::relocate::Mover;

/// Entries in the order of their ids. Invariants: `len` and `bytes` are the nodes' together, and no node is empty but,
/// perhaps, the first: trimming leaves one, as Redis does, whose last entry was deleted and is not to be trimmed.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    nodes: Runs<Arc<Node>>,
    len: u64,
    bytes: usize,
}

/// What trimming is to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The newest so many entries.
    Newest(u64),
    /// The entries from this id on.
    From(StreamId),
}

/// How a stream is to be trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What is to be left.
    pub keep: Keep,
    /// Whole nodes only: more may be left.
    pub whole_nodes: bool,
    /// Entries that are removed at most; 0: any number.
    pub limit: u64,
}

impl Entries {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn allocated_bytes(&self) -> usize {
        self.bytes + self.nodes.allocated_bytes()
    }

    /// See [`crate::collection::Big::relocate`].
    pub(super) fn relocate(&mut self, cursor: u64, mover: &mut dyn Mover) -> Option<u64> {
        self.nodes.relocate(cursor, mover)
    }

    pub(super) fn first_id(&self) -> Option<StreamId> {
        self.range(StreamId::MIN, StreamId::MAX).next().map(|entry| entry.id)
    }

    pub(super) fn last_id(&self) -> Option<StreamId> {
        self.nodes.last().filter(|node| node.live > 0).map(|node| node.tail)
    }

    /// Adds an entry whose id is above all there ever were; `fields` are names, each before its value.
    pub(super) fn push(&mut self, id: StreamId, fields: &[&[u8]], limits: &Limits) {
        self.len += 1;
        let more = fields.iter().map(|field| field.len()).sum();
        let added = self.nodes.change_last(|node| {
            change_node(&mut self.bytes, node, |node| {
                let full = node.is_full(more, limits);
                if full {
                    node.close()
                } else {
                    node.push(id, fields)
                }
                !full
            })
        });
        if added == Some(true) {
            return;
        }
        let mut node = Node::new(id, fields);
        node.push(id, fields);
        self.bytes += node.allocated_bytes();
        self.nodes.insert(Arc::new(node));
    }

    /// Removes the entry with `id`; whether it was there.
    pub(super) fn remove(&mut self, id: StreamId) -> bool {
        let node = self.nodes.seek(id).get().map(Item::id);
        let Some(node) = node.filter(|_| self.get(id).is_some()) else { return false };
        self.len -= 1;
        let left = self.nodes.change(node, |node| change_node(&mut self.bytes, node, |node| node.remove(id)));
        if left == Some(0) {
            self.bytes -= self.nodes.remove(node).map_or(0, |node| node.allocated_bytes());
        }
        true
    }

    /// Trims; how many entries went.
    pub(super) fn trim(&mut self, trim: &Trim) -> u64 {
        let before = self.len;
        while let Some(node) = self.nodes.first() {
            let (live, removed) = (node.live as u64, before - self.len);
            if matches!(trim.keep, Keep::Newest(count) if self.len <= count)
                || (trim.limit > 0 && removed + live > trim.limit)
            {
                break;
            }
            let whole = match trim.keep {
                Keep::Newest(count) => self.len - live >= count,
                Keep::From(id) => node.last < id,
            };
            if whole {
                self.len -= live;
                self.bytes -= self.nodes.remove_first().map_or(0, |node| node.allocated_bytes());
                continue;
            }
            if !trim.whole_nodes {
                let mut more = match trim.keep {
                    Keep::Newest(count) => self.len - count,
                    Keep::From(_) => live,
                };
                let goes = |id: StreamId| {
                    let goes = more > 0 && !matches!(trim.keep, Keep::From(first) if id >= first);
                    more -= u64::from(goes);
                    goes
                };
                let gone = self
                    .nodes
                    .change_first(|node| change_node(&mut self.bytes, node, |node| node.remove_front(goes)));
                self.len -= gone.unwrap_or(0) as u64;
            }
            break;
        }
        before - self.len
    }

    /// The entry with `id`.
    pub(super) fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// The entries from `start` to `end`, both included.
    pub(super) fn range(&self, start: StreamId, end: StreamId) -> Range<'_> {
        Range { nodes: self.nodes.seek(start), walk: None, start, end }
    }

    /// The same, the newest first.
    pub(super) fn range_back(&self, start: StreamId, end: StreamId) -> RangeBack<'_> {
        let mut nodes = self.nodes.seek(end);
        let begins = nodes.get().is_some_and(|node| node.master <= end);
        let more = begins || nodes.back().is_some();
        RangeBack { nodes: more.then_some(nodes), entries: Vec::new(), start, end }
    }

    /// How many nodes there are.
    pub(super) fn nodes_len(&self) -> usize {
        self.nodes.len()
    }

    /// How many nodes a radix tree has that keeps these nodes by their ids and joins every run of bytes without a
    /// branch into one, as Redis's does. It goes through the nodes.
    pub(super) fn radix_nodes(&self) -> u64 {
        /// Bytes of an id.
        const DEPTH: usize = 16;
        let mut masters = self.nodes.iter().map(|node| node.master.to_bytes());
        let Some(mut before) = masters.next() else { return 1 };
        // For each branch on the way to the leaf before: how many bytes stand above it.
        let mut branches: Vec<usize> = Vec::new();
        let mut nodes = 0;
        // Something at depth `at` below a branch at `above`: itself, and the run of bytes between them.
        let mut hang = |at: usize, above: Option<usize>| {
            nodes += 1 + u64::from(above.map_or(at > 0, |above| at > above + 1));
        };
        for master in masters.map(Some).chain([None]) {
            let shared = master.map(|id| id.iter().zip(before).take_while(|(a, b)| *a == b).count());
            hang(DEPTH, shared.max(branches.last().copied()));
            while let Some(at) = branches.pop_if(|at| Some(*at) > shared) {
                hang(at, shared.max(branches.last().copied()));
            }
            if let Some(shared) = shared
                && branches.last() != Some(&shared)
            {
                branches.push(shared);
            }
            before = master.unwrap_or(before);
        }
        nodes
    }
}

/// Changes a node, and keeps `bytes`, those of all nodes, right.
fn change_node<R>(bytes: &mut usize, node: &mut Arc<Node>, change: impl FnOnce(&mut Node) -> R) -> R {
    // A copy, where one is made, has another capacity.
    let before = node.allocated_bytes();
    let node = Arc::make_mut(node);
    let result = change(node);
    *bytes = *bytes + node.allocated_bytes() - before;
    result
}

/// Entries from one id to another; see [`super::Stream::range`].
#[derive(Clone, Debug)]
pub struct Range<'s> {
    /// The next node.
    nodes: Place<'s, Arc<Node>>,
    walk: Option<(&'s Node, Cursor)>,
    start: StreamId,
    end: StreamId,
}

impl<'s> Iterator for Range<'s> {
    type Item = Entry<'s>;

    fn next(&mut self) -> Option<Entry<'s>> {
        loop {
            let (node, cursor) = match &mut self.walk {
                Some((node, cursor)) => (*node, cursor),
                None => {
                    let node = self.nodes.get()?;
                    self.nodes.forward();
                    let (_, cursor) = self.walk.insert((node, node.start()));
                    (node.as_ref(), cursor)
                }
            };
            match node.next(cursor) {
                None => self.walk = None,
                Some(entry) if entry.id > self.end => return None,
                Some(entry) if entry.id >= self.start => return Some(entry),
                Some(_) => {}
            }
        }
    }
}

/// Entries from one id back to another; see [`super::Stream::range_back`].
#[derive(Clone, Debug)]
pub struct RangeBack<'s> {
    /// The next node.
    nodes: Option<Place<'s, Arc<Node>>>,
    /// What is left of the node before, the next one last.
    entries: Vec<Entry<'s>>,
    start: StreamId,
    end: StreamId,
}

impl<'s> Iterator for RangeBack<'s> {
    type Item = Entry<'s>;

    fn next(&mut self) -> Option<Entry<'s>> {
        while self.entries.is_empty() {
            let nodes = self.nodes.as_mut()?;
            let node = nodes.get()?;
            let within = |entry: &Entry<'_>| self.start <= entry.id && entry.id <= self.end;
            self.entries.extend(node.entries().filter(within));
            if node.master <= self.start || nodes.back().is_none() {
                self.nodes = None;
            }
        }
        self.entries.pop()
    }
}
