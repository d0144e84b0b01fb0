//! An ordered sequence in a B+tree that knows positions: what big lists, sorted sets and streams are kept in.
//!
//! A leaf is a packed node of the user's, some 1 to 4 KiB; the tree knows no elements, only how many a leaf has.
//! Inner nodes keep, for each child, its count of elements and a bound that parts it from those before it. So a leaf is
//! found by position or by comparing bounds in O(log n), and so is the position of a leaf that was found by its bound.
//!
//! The nodes are shared by clones and copied when they change (`Arc::make_mut`): a clone costs O(1), sees no later change,
//! and a change after it copies the nodes on one path.
//!
//! What holds:
//! - Leaves are at one depth and none is empty. None is full, except for one element too big for any leaf.
//! - Elements of a child are not before its bound, those of the children before it are; a node's first child's bound is
//!   never looked at. Bounds need not be elements: they stay when an element goes.
//! - Nodes that shrink are merged with a neighbour, but not those at either end of the sequence: pushing and popping at
//!   the ends moves nothing. After a range was removed, a few small ones may stay.

mod node;
#[cfg(test)]
mod tests;
mod walk;

use std::fmt::Debug;
use std::ops::Range;

use node::{Child, Edges, Totals};
pub(crate) use walk::Walk;

use crate::relocate::Mover;

/// Elements side by side: what the tree splits and merges.
pub(crate) trait Leaf: Clone + Debug {
    /// What leaves are found by; `()` where only positions count.
    type Bound: Clone + Debug;

    /// How many elements there are.
    fn len(&self) -> usize;

    /// Bytes of memory that the leaf allocated.
    fn bytes(&self) -> usize;

    /// Where its first element stands in the order. Not asked of an empty leaf.
    fn bound(&self) -> Self::Bound;

    /// Whether it is to be split. A leaf of one element is never full.
    fn is_full(&self) -> bool;

    /// Whether it is to be merged with a neighbour: at a quarter of a full one or so.
    fn is_small(&self) -> bool;

    /// Where a full leaf is split: an index above 0 and below `len`.
    fn middle(&self) -> usize;

    /// Cuts off the elements from index `at` on, with `0 < at < len`.
    fn split_off(&mut self, at: usize) -> Self;

    /// Takes the elements of the leaf after it to its own end.
    fn absorb(&mut self, next: Self);

    /// Removes the elements of `range`, which are some and not all.
    fn remove(&mut self, range: Range<usize>);

    /// Moves what it allocated, where `mover` wants it moved.
    fn relocate(&mut self, mover: &mut dyn Mover);

    /// Moves what `bound` allocated, if it is of a kind that does.
    fn relocate_bound(_bound: &mut Self::Bound, _mover: &mut dyn Mover) {}
}

/// A sequence of elements in leaves.
#[derive(Clone, Debug)]
pub(crate) struct Tree<L: Leaf> {
    root: Option<Child<L>>,
    totals: Totals,
}

impl<L: Leaf> Default for Tree<L> {
    fn default() -> Tree<L> {
        Tree { root: None, totals: Totals::default() }
    }
}

impl<L: Leaf> FromIterator<L> for Tree<L> {
    /// The tree of `leaves` in their order; none may be empty or full.
    fn from_iter<I: IntoIterator<Item = L>>(leaves: I) -> Tree<L> {
        let mut tree = Tree::default();
        leaves.into_iter().for_each(|leaf| tree.push_back(leaf));
        tree
    }
}

impl<L: Leaf> Tree<L> {
    /// How many elements there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.len)
    }

    /// Bytes of memory it takes, about: those of its leaves, and what inner nodes of common fill take for them.
    pub(crate) fn bytes(&self) -> usize {
        self.totals.bytes + self.totals.leaves * node::bytes_a_leaf::<L>()
    }

    /// How many leaves there are.
    pub(crate) fn leaves(&self) -> usize {
        self.totals.leaves
    }

    /// The first leaf.
    pub(crate) fn first(&self) -> Option<&L> {
        self.root.as_ref().map(|root| root.descend(|_| 0))
    }

    /// The last leaf.
    pub(crate) fn last(&self) -> Option<&L> {
        self.root.as_ref().map(|root| root.descend(|children| children.len() - 1))
    }

    /// The leaf with the element at `position`, and the element's index in it.
    pub(crate) fn leaf_at(&self, position: usize) -> Option<(&L, usize)> {
        let root = self.root.as_ref().filter(|root| position < root.len)?;
        let mut index = position;
        Some((root.descend(|children| node::by_position(children, &mut index)), index))
    }

    /// The leaf where something belongs in the order: the last one whose bound is not after it, as `not_after` says, or
    /// the first of all. `not_after` must hold for a run of leaves from the first, and for none behind them.
    #[inline]
    pub(crate) fn find(&self, mut not_after: impl FnMut(&L::Bound) -> bool) -> Option<&L> {
        Some(self.root.as_ref()?.descend(|children| node::by_bound(children, &mut not_after)))
    }

    /// [`Tree::find`], with the position of the leaf's first element.
    pub(crate) fn find_start(&self, mut not_after: impl FnMut(&L::Bound) -> bool) -> Option<(&L, usize)> {
        let mut start = 0;
        let leaf = self.root.as_ref()?.descend(|children| {
            let i = node::by_bound(children, &mut not_after);
            start += children[..i].iter().map(|c| c.len).sum::<usize>();
            i
        });
        Some((leaf, start))
    }

    /// The leaves from the one with the element at `position` on, forwards or backwards, and the element's index in
    /// the first of them. Nothing when there is no such element.
    pub(crate) fn walk_at(&self, position: usize) -> Option<(Walk<'_, L>, usize)> {
        let root = self.root.as_ref().filter(|root| position < root.len)?;
        let mut index = position;
        Some((Walk::new(root, |children| node::by_position(children, &mut index)), index))
    }

    /// The leaves from the one that [`Tree::find`] gives on, forwards or backwards.
    pub(crate) fn walk_from(&self, mut not_after: impl FnMut(&L::Bound) -> bool) -> Option<Walk<'_, L>> {
        let root = self.root.as_ref()?;
        Some(Walk::new(root, |children| node::by_bound(children, &mut not_after)))
    }

    /// Runs `change` on the leaf with the element at `position`, whose index in it is given; the leaf is split, merged
    /// or removed after it, as its size asks for. Nothing when there is no such element.
    pub(crate) fn change_at<R>(
        &mut self,
        position: usize,
        change: impl FnOnce(&mut L, usize) -> R,
    ) -> Option<R> {
        if position >= self.len() {
            return None;
        }
        let index = std::cell::Cell::new(position);
        self.edit(
            |children| {
                let mut at = index.get();
                let i = node::by_position(children, &mut at);
                index.set(at);
                i
            },
            |leaf, _| change(leaf, index.get()),
        )
    }

    /// Runs `change` on the leaf that [`Tree::find`] gives, as [`Tree::change_at`] does. Nothing when the tree is empty.
    #[inline]
    pub(crate) fn change_found<R>(
        &mut self,
        mut not_after: impl FnMut(&L::Bound) -> bool,
        change: impl FnOnce(&mut L) -> R,
    ) -> Option<R> {
        self.edit(|children| node::by_bound(children, &mut not_after), |leaf, _| change(leaf))
    }

    /// Runs `change` on the first leaf, as [`Tree::change_at`] does.
    pub(crate) fn change_first<R>(&mut self, change: impl FnOnce(&mut L) -> R) -> Option<R> {
        self.edit(|_| 0, |leaf, _| change(leaf))
    }

    /// Runs `change` on the last leaf, as [`Tree::change_at`] does.
    pub(crate) fn change_last<R>(&mut self, change: impl FnOnce(&mut L) -> R) -> Option<R> {
        self.edit(|children| children.len() - 1, |leaf, _| change(leaf))
    }

    /// Adds a leaf behind the others. It must be neither empty nor full.
    pub(crate) fn push_back(&mut self, leaf: L) {
        self.insert(self.len(), leaf);
    }

    /// Adds a leaf so that its first element is at `position` then; a leaf that has elements on both sides of that is
    /// split there. It must be neither empty nor full.
    ///
    /// # Panics
    /// Panics when `position` is beyond the end.
    pub(crate) fn insert(&mut self, position: usize, leaf: L) {
        assert!(position <= self.len(), "a leaf is inserted within the sequence or at its ends");
        debug_assert!(leaf.len() > 0 && !leaf.is_full(), "leaves have some elements");
        if self.root.is_none() {
            self.totals.add(&leaf);
            self.root = Some(Child::of_leaf(leaf));
            return;
        }
        let index = std::cell::Cell::new(position);
        let before = |children: &[Child<L>]| {
            let mut at = index.get();
            let i = node::by_gap(children, &mut at);
            index.set(at);
            i
        };
        self.edit(before, |there, more| match index.get() {
            0 => more.push(std::mem::replace(there, leaf)),
            at if at == there.len() => more.push(leaf),
            at => {
                let tail = there.split_off(at);
                more.extend([leaf, tail]);
            }
        });
    }

    /// Removes the elements at the positions of `range`, as far as they are there: O(log n) and the leaves dropped.
    pub(crate) fn remove(&mut self, range: Range<usize>) {
        let range = range.start..range.end.min(self.len());
        let Some(root) = self.root.as_mut().filter(|_| !range.is_empty()) else { return };
        if range.len() == root.len {
            *self = Tree::default();
            return;
        }
        root.remove(range, Edges::BOTH, &mut self.totals);
        self.settle_root(Vec::new());
    }

    /// Moves the nodes and leaves from the one with the element at position `cursor` on, where `mover` wants them moved;
    /// the position to go on from when there is no time for the rest.
    pub(crate) fn relocate(&mut self, cursor: u64, mover: &mut dyn Mover) -> Option<u64> {
        let mut position = cursor as usize;
        let root = self.root.as_mut()?;
        while position < root.len {
            position += root.relocate(position, &mut self.totals, mover);
            if position < root.len && !mover.has_time() {
                return Some(position as u64);
            }
        }
        None
    }

    /// Runs `act` on the leaf that `choose` leads to, with room for leaves that are to stand behind it.
    #[inline]
    fn edit<R>(
        &mut self,
        mut choose: impl FnMut(&[Child<L>]) -> usize,
        act: impl FnOnce(&mut L, &mut Vec<L>) -> R,
    ) -> Option<R> {
        let root = self.root.as_mut()?;
        let (result, more) = root.edit(Edges::BOTH, &mut self.totals, &mut choose, act);
        self.settle_root(more);
        Some(result)
    }

    /// Puts a new root over the old one and those that were split off it; takes away one that has nothing to choose.
    #[inline]
    fn settle_root(&mut self, more: Vec<Child<L>>) {
        let Some(root) = self.root.take_if(|root| root.len == 0 || !more.is_empty() || root.is_thin()) else {
            return;
        };
        self.root = Child::root(root, more);
    }
}
