//! A large list: nodes of packed elements in a tree of positions.
//!
//! Where a node is begun, split and merged is what Redis does with its own, byte by byte as [`super::fill`] counts: a
//! list that has shrunk to one node of half the limit is told as `listpack` again, which so happens at the same element.

use super::End;
use super::fill::{Fill, Share};
use super::node::Node;
use crate::packed::{Element, Packed};
use crate::relocate::Mover;
use crate::tree::{Leaf, Tree};

/// A large list. A clone is cheap and shares its nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct BigList {
    nodes: Tree<Node>,
    /// How much goes into a node; nothing while the list is told as `listpack`, which is one node of any size.
    fill: Option<Fill>,
}

impl BigList {
    /// The elements of `run` as one node.
    pub(super) fn of_packed(run: Packed<'_>, fill: Option<Fill>) -> BigList {
        let mut nodes = Tree::default();
        if !run.is_empty() {
            nodes.push_back(Node::of_packed(run));
        }
        BigList { nodes, fill }
    }

    /// How many elements it has.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Bytes of memory it takes beside itself.
    pub(crate) fn allocated_bytes(&self) -> usize {
        self.nodes.bytes()
    }

    /// See [`crate::collection::Big::relocate`].
    pub(crate) fn relocate(&mut self, cursor: u64, mover: &mut dyn Mover) -> Option<u64> {
        self.nodes.relocate(cursor, mover)
    }

    /// How many nodes it has.
    pub(super) fn nodes_count(&self) -> usize {
        self.nodes.leaves()
    }

    /// The nodes.
    pub(super) fn nodes(&self) -> &Tree<Node> {
        &self.nodes
    }

    /// Bytes that Redis counts for the list while it is a listpack.
    pub(super) fn listpack_size(&self) -> usize {
        self.nodes.first().map_or(crate::listpack::FRAME_BYTES, Node::size)
    }

    /// Has it grow into nodes of so much each, or keeps it in one.
    pub(super) fn set_fill(&mut self, fill: Option<Fill>) {
        self.fill = fill;
    }

    /// Whether it has become small enough to be told as `listpack`, `limit` being in force.
    pub(super) fn is_listpack(&self, limit: Fill, share: Share) -> bool {
        let one = if self.nodes.leaves() == 1 { self.nodes.first() } else { None };
        one.is_some_and(|node| !node.is_plain() && limit.is_listpack(node.size(), node.len(), share))
    }

    /// The element at `position`.
    pub(super) fn get(&self, position: usize) -> Option<Element<'_>> {
        self.nodes.leaf_at(position).map(|(node, index)| node.get(index))
    }

    /// Adds an element at one end.
    #[inline]
    pub(super) fn push(&mut self, end: End, element: &[u8]) {
        let fill = self.fill;
        let large = fill.is_some_and(|fill| fill.is_large(element.len()));
        let into = |node: &mut Node| {
            let room = fill.is_none_or(|fill| node.has_room(fill, element.len()));
            match end {
                _ if !room => node.seal(),
                End::Front => node.push_front(element),
                End::Back => node.push_back(element),
            }
            room
        };
        let pushed = match end {
            End::Front => self.nodes.change_first(into),
            End::Back => self.nodes.change_last(into),
        };
        if pushed != Some(true) {
            let position = if end == End::Front { 0 } else { self.len() };
            self.nodes.insert(position, Node::one(element, large));
        }
    }

    /// Puts an element beside the one at `pivot`: before it, or, with `after`, behind it.
    pub(super) fn insert(&mut self, pivot: usize, after: bool, element: &[u8]) {
        let position = pivot + usize::from(after);
        let Some((node, index)) = self.nodes.leaf_at(pivot) else { return };
        let (start, len) = (pivot - index, node.len());
        let Some(fill) = self.fill.filter(|&fill| !node.has_room(fill, element.len())) else {
            let at = index + usize::from(after);
            self.nodes.change_at(pivot, |node, _| node.insert(at, element));
            return;
        };
        if fill.is_large(element.len()) {
            // Splits the node where it is not at its edge.
            return self.nodes.insert(position, Node::one(element, true));
        }
        if position == start || position == start + len {
            let beside = if after { Some(position) } else { position.checked_sub(1) };
            let room =
                |at: &usize| self.nodes.leaf_at(*at).is_some_and(|(n, _)| n.has_room(fill, element.len()));
            match beside.filter(room) {
                Some(at) if after => self.nodes.change_at(at, |node, _| node.push_front(element)),
                Some(at) => self.nodes.change_at(at, |node, _| node.push_back(element)),
                None => {
                    self.nodes.insert(position, Node::one(element, false));
                    None
                }
            };
            return;
        }
        let tail = self.nodes.change_at(pivot, |node, _| {
            let mut tail = node.split_off(position - start);
            if after {
                tail.push_front(element)
            } else {
                node.push_back(element)
            }
            tail
        });
        let left = position - start + usize::from(!after);
        if let Some(tail) = tail {
            self.nodes.insert(start + left, tail);
        }
        // The node that keeps the pivot.
        self.merge_around(if after { start } else { start + left }, fill);
    }

    /// Puts `element` in the place of the one at `position`.
    pub(super) fn set(&mut self, position: usize, element: &[u8]) {
        let Some((node, _)) = self.nodes.leaf_at(position) else { return };
        let large = self.fill.filter(|fill| fill.is_large(element.len()));
        match (large, node.is_plain()) {
            (None, false) => {
                self.nodes.change_at(position, |node, index| node.replace(index, element));
            }
            (None, true) => {
                self.insert(position, true, element);
                self.remove(position..position + 1);
            }
            (Some(_), true) => {
                self.nodes.change_at(position, |node, _| *node = Node::one(element, true));
            }
            (Some(fill), false) => {
                let alone = node.len() == 1;
                self.nodes.insert(position + 1, Node::one(element, true));
                self.remove(position..position + 1);
                if !alone {
                    self.merge_around(position, fill);
                }
            }
        }
    }

    /// Removes the elements at these positions.
    pub(super) fn remove(&mut self, range: std::ops::Range<usize>) {
        self.nodes.remove(range);
    }

    /// Removes elements equal to `wanted`, at most `max`, the first ones seen from `end`; how many.
    pub(super) fn remove_equal(&mut self, wanted: Element<'_>, max: usize, end: End) -> usize {
        let (mut removed, mut seen) = (0, 0);
        // From the back, `seen` counts what is not to be looked at again at the end.
        while seen < self.len() && removed < max {
            let at = if end == End::Front { seen } else { self.len() - 1 - seen };
            let Some((node, index)) = self.nodes.leaf_at(at) else { break };
            let (len, equal) = (node.len(), node.count_equal(wanted));
            let take = equal.min(max - removed);
            let skip = if end == End::Front { 0 } else { equal - take };
            if take == len {
                self.nodes.remove(at - index..at - index + len);
            } else if take > 0 {
                self.nodes.change_at(at, |node, _| node.remove_equal(wanted, skip, take));
            }
            removed += take;
            seen += len - take;
        }
        removed
    }

    /// Merges nodes near the one that begins at `start`, in the order Redis tries them: the two before it, the two
    /// behind it, then itself with each side.
    fn merge_around(&mut self, start: usize, fill: Fill) {
        let end = start + self.node_len(start);
        let before = start.checked_sub(1).and_then(|last| self.node_start(last));
        if let Some(before) = before {
            self.merge_with_previous(before, fill);
        }
        self.merge_with_previous(end + self.node_len(end), fill);
        self.merge_with_previous(start, fill);
        self.merge_with_previous(end, fill);
    }

    /// Merges the node that begins at `start` into the one before it, where both are there and that has room.
    fn merge_with_previous(&mut self, start: usize, fill: Fill) {
        let Some(last) = start.checked_sub(1) else { return };
        let (Some((previous, _)), Some((node, 0))) = (self.nodes.leaf_at(last), self.nodes.leaf_at(start))
        else {
            return;
        };
        if previous.may_absorb(fill, node) {
            let node = node.clone();
            self.nodes.remove(start..start + node.len());
            self.nodes.change_at(last, |previous, _| previous.absorb(node));
        }
    }

    /// Where the node with the element at `position` begins.
    fn node_start(&self, position: usize) -> Option<usize> {
        self.nodes.leaf_at(position).map(|(_, index)| position - index)
    }

    /// How many elements the node that begins at `start` has.
    fn node_len(&self, start: usize) -> usize {
        self.nodes.leaf_at(start).map_or(0, |(node, _)| node.len())
    }
}

#[cfg(test)]
impl BigList {
    /// The number of elements of each node.
    pub(super) fn shape(&self) -> Vec<usize> {
        let (mut shape, mut at) = (Vec::new(), 0);
        while at < self.len() {
            shape.push(self.node_len(at));
            at += self.node_len(at);
        }
        shape
    }
}
