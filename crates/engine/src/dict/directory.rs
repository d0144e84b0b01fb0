//! A directory of one level: which child has the hashes of a prefix.

use crate::relocate::{Mover, relocate_vec};

/// What a directory leads to.
pub(super) trait Child {
    /// Bits of the hash, from the top, that all its elements share.
    fn depth(&self) -> u8;
}

/// Children in the order of their hashes. Invariants: a child whose prefix is `d` bits longer than the directory's
/// stands in 2^(depth - d) neighbouring places of 2^depth; `depth` is the longest child's.
#[derive(Clone, Debug)]
pub(super) struct Directory<C> {
    /// Bits of the hash, from the top, that all elements share.
    skip: u8,
    /// Bits after these that name a place.
    depth: u8,
    places: Vec<u32>,
    children: Vec<C>,
}

impl<C: Child> Directory<C> {
    /// A directory of the hashes that share `skip` bits, all of which `children` have, in order.
    pub(super) fn of(skip: u8, children: Vec<C>) -> Directory<C> {
        let mut directory = Directory { skip, depth: 0, places: Vec::new(), children };
        directory.fill();
        directory
    }

    /// Makes the places anew.
    fn fill(&mut self) {
        let depth = |child: &C| child.depth() - self.skip;
        self.depth = self.children.iter().map(depth).max().unwrap_or(0);
        self.places.clear();
        self.places.reserve_exact(1 << self.depth);
        for (i, child) in (0..).zip(&self.children) {
            let places = 1usize << (self.depth - depth(child));
            self.places.extend(std::iter::repeat_n(i, places));
        }
    }

    /// Bits of the hash that all elements share.
    pub(super) fn skip(&self) -> u8 {
        self.skip
    }

    /// The children, in the order of their hashes.
    pub(super) fn children(&self) -> &[C] {
        &self.children
    }

    /// The child with number `i`, to be changed, but its depth not.
    pub(super) fn child_mut(&mut self, i: usize) -> &mut C {
        &mut self.children[i]
    }

    /// Moves the lists of places and children.
    pub(super) fn relocate(&mut self, mover: &mut dyn Mover) {
        relocate_vec(&mut self.places, mover);
        relocate_vec(&mut self.children, mover);
    }

    /// All of it, to be kept elsewhere; what is left has nothing.
    pub(super) fn take(&mut self) -> Directory<C> {
        let (places, children) = (std::mem::take(&mut self.places), std::mem::take(&mut self.children));
        Directory { skip: self.skip, depth: self.depth, places, children }
    }

    /// The number of the child that has `hash`.
    #[inline]
    pub(super) fn index(&self, hash: u64) -> usize {
        // Shifted twice, for a depth of 0 would shift by all 64 bits.
        let place = hash << self.skip >> (u64::BITS - 1 - u32::from(self.depth)) >> 1;
        self.places[place as usize] as usize
    }

    /// The child that has `hash`.
    #[inline]
    pub(super) fn child(&self, hash: u64) -> &C {
        &self.children[self.index(hash)]
    }

    /// Puts the halves of child `i` in its place.
    pub(super) fn split(&mut self, i: usize, (low, high): (C, C)) {
        self.children[i] = low;
        self.children.insert(i + 1, high);
        self.fill();
    }

    /// Puts `child` in the place of child `i` and the one behind it, whose elements it has.
    pub(super) fn merge(&mut self, i: usize, child: C) {
        self.children[i] = child;
        self.children.remove(i + 1);
        if self.children.len() < self.children.capacity() / 4 {
            self.children.shrink_to(self.children.len() * 2);
            self.places = Vec::new();
        }
        self.fill();
    }

    /// The number of the first of the two halves of a prefix, `i` being one of them; nothing when the other is not in
    /// one piece or not here.
    pub(super) fn halves(&self, i: usize, hash: u64) -> Option<usize> {
        let depth = self.children[i].depth();
        if depth == self.skip {
            return None;
        }
        let second = hash >> (u64::BITS - u32::from(depth)) & 1 == 1;
        let (first, other) = if second { (i - 1, i - 1) } else { (i, i + 1) };
        (self.children[other].depth() == depth).then_some(first)
    }

    /// The longest prefix a child has beyond the directory's.
    pub(super) fn depth(&self) -> u8 {
        self.depth
    }

    /// Takes it apart into the children of its two halves; there must be two at least.
    pub(super) fn cut(mut self) -> (Directory<C>, Directory<C>) {
        let high = self.children.split_off(self.places[self.places.len() / 2] as usize);
        (Directory::of(self.skip + 1, self.children), Directory::of(self.skip + 1, high))
    }

    /// Puts `high`, the directory of the prefix behind this one's, to its end: the two become one.
    pub(super) fn join(mut self, mut high: Directory<C>) -> Directory<C> {
        self.children.append(&mut high.children);
        Directory::of(self.skip - 1, self.children)
    }
}
