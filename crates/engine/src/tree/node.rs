//! The nodes of a tree: how they are chosen, changed, split and merged.

use std::ops::Range;
use std::sync::Arc;

use super::Leaf;
use crate::memory::arc_bytes;
use crate::relocate::{Mover, relocate_vec};

/// Children an inner node has at most. With 32, a copy of one costs little, and a million leaves are four levels.
const CHILDREN_MAX: usize = 32;

/// An inner node with fewer is merged with a neighbour.
const CHILDREN_SMALL: usize = CHILDREN_MAX / 4;

/// What inner nodes take for a leaf: they are three quarters full, commonly.
pub(super) fn bytes_a_leaf<L: Leaf>() -> usize {
    size_of::<Child<L>>() * 4 / 3 + arc_bytes::<Node<L>>()
}

/// A node as its parent knows it.
#[derive(Clone, Debug)]
pub(super) struct Child<L: Leaf> {
    /// Elements below it.
    pub(super) len: usize,
    bound: L::Bound,
    node: Arc<Node<L>>,
}

#[derive(Clone, Debug)]
enum Node<L: Leaf> {
    Leaf(L),
    Inner(Vec<Child<L>>),
}

impl<L: Leaf> Node<L> {
    /// Takes a leaf that is about to change off the totals: as it is before it is copied, for a copy may have another
    /// capacity.
    fn uncount(&self, totals: &mut Totals) {
        if let Node::Leaf(leaf) = self {
            totals.subtract(leaf);
        }
    }
}

/// What is counted of all leaves.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) leaves: usize,
    pub(super) bytes: usize,
}

impl Totals {
    pub(super) fn add<L: Leaf>(&mut self, leaf: &L) {
        self.leaves += 1;
        self.bytes += leaf.bytes();
    }

    fn subtract<L: Leaf>(&mut self, leaf: &L) {
        self.leaves -= 1;
        self.bytes -= leaf.bytes();
    }
}

/// Whether a node is at the beginning or end of the whole sequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edges {
    first: bool,
    last: bool,
}

impl Edges {
    /// Those of the root.
    pub(super) const BOTH: Edges = Edges { first: true, last: true };

    /// Those of child `i` of `n`.
    fn below(self, i: usize, n: usize) -> Edges {
        Edges { first: self.first && i == 0, last: self.last && i + 1 == n }
    }

    fn any(self) -> bool {
        self.first || self.last
    }
}

/// The child with the element at `at`, which becomes its position in there; the last child, for a position beyond.
#[inline]
pub(super) fn by_position<L: Leaf>(children: &[Child<L>], at: &mut usize) -> usize {
    let mut i = 0;
    while *at >= children[i].len && i + 1 < children.len() {
        *at -= children[i].len;
        i += 1;
    }
    i
}

/// The child with the element before `at`, which becomes its position in there: at its end rather than the next one's
/// beginning.
pub(super) fn by_gap<L: Leaf>(children: &[Child<L>], at: &mut usize) -> usize {
    let mut i = 0;
    while *at > children[i].len && i + 1 < children.len() {
        *at -= children[i].len;
        i += 1;
    }
    i
}

/// The last child whose bound is not after what is sought, or the first.
#[inline]
pub(super) fn by_bound<L: Leaf>(
    children: &[Child<L>],
    not_after: &mut impl FnMut(&L::Bound) -> bool,
) -> usize {
    children[1..].partition_point(|child| not_after(&child.bound))
}

impl<L: Leaf> Child<L> {
    pub(super) fn of_leaf(leaf: L) -> Child<L> {
        Child { len: leaf.len(), bound: leaf.bound(), node: Arc::new(Node::Leaf(leaf)) }
    }

    fn of_inner(children: Vec<Child<L>>) -> Child<L> {
        let len = children.iter().map(|child| child.len).sum();
        Child { len, bound: children[0].bound.clone(), node: Arc::new(Node::Inner(children)) }
    }

    /// The leaf that `choose` leads to.
    #[inline]
    pub(super) fn descend(&self, mut choose: impl FnMut(&[Child<L>]) -> usize) -> &L {
        let mut node = &self.node;
        loop {
            match &**node {
                Node::Leaf(leaf) => return leaf,
                Node::Inner(children) => node = &children[choose(children)].node,
            }
        }
    }

    /// The leaf, or the children of an inner node.
    #[inline]
    pub(super) fn opened(&self) -> Result<&L, &[Child<L>]> {
        match &*self.node {
            Node::Leaf(leaf) => Ok(leaf),
            Node::Inner(children) => Err(children),
        }
    }

    fn is_small(&self) -> bool {
        match &*self.node {
            Node::Leaf(leaf) => leaf.is_small(),
            Node::Inner(children) => children.len() < CHILDREN_SMALL,
        }
    }

    /// Whether it is an inner node of one child.
    #[inline]
    pub(super) fn is_thin(&self) -> bool {
        matches!(&*self.node, Node::Inner(children) if children.len() == 1)
    }

    /// The root over `root` and the nodes that stand behind it; nothing when there is no element.
    pub(super) fn root(root: Child<L>, more: Vec<Child<L>>) -> Option<Child<L>> {
        let mut level = vec![root];
        level.extend(more);
        level.retain(|child| child.len > 0);
        while level.len() > 1 {
            let mut above = Vec::new();
            while !level.is_empty() {
                let rest = level.split_off(level.len().min(CHILDREN_MAX));
                above.push(Child::of_inner(std::mem::replace(&mut level, rest)));
            }
            level = above;
        }
        let mut root = level.pop()?;
        while let Node::Inner(children) = &*root.node
            && let [child] = &children[..]
        {
            root = child.clone();
        }
        Some(root)
    }

    /// Runs `act` on the leaf that `choose` leads to; what it returns, and the nodes that are to stand behind this one
    /// because it was split. It is empty after it when all its elements are gone.
    pub(super) fn edit<R>(
        &mut self,
        edges: Edges,
        totals: &mut Totals,
        choose: &mut impl FnMut(&[Child<L>]) -> usize,
        act: impl FnOnce(&mut L, &mut Vec<L>) -> R,
    ) -> (R, Vec<Child<L>>) {
        self.node.uncount(totals);
        match Arc::make_mut(&mut self.node) {
            Node::Leaf(leaf) => {
                let mut more = Vec::new();
                let result = act(leaf, &mut more);
                self.len = leaf.len();
                if self.len > 0 {
                    split_full(leaf, &mut more);
                    self.len = leaf.len();
                    totals.add(leaf);
                    if edges.first {
                        self.bound = leaf.bound();
                    }
                }
                more.iter().for_each(|leaf| totals.add(leaf));
                (result, more.into_iter().map(Child::of_leaf).collect())
            }
            Node::Inner(children) => {
                let i = choose(children);
                let below = edges.below(i, children.len());
                let child = &mut children[i];
                let before = child.len;
                let (result, more) = child.edit(below, totals, choose, act);
                let after = child.len + more.iter().map(|child| child.len).sum::<usize>();
                if edges.first && i == 0 {
                    self.bound = child.bound.clone();
                }
                self.len = self.len - before + after;
                let shrunk = after < before;
                let more = settle(children, i, more, shrunk, edges, totals);
                self.len -= more.iter().map(|part| part.len).sum::<usize>();
                (result, more)
            }
        }
    }

    /// Removes the elements at the positions of `range`, which are some and not all.
    pub(super) fn remove(&mut self, range: Range<usize>, edges: Edges, totals: &mut Totals) {
        self.len -= range.len();
        self.node.uncount(totals);
        let children = match Arc::make_mut(&mut self.node) {
            Node::Leaf(leaf) => {
                leaf.remove(range);
                return totals.add(leaf);
            }
            Node::Inner(children) => children,
        };
        let n = children.len();
        let (mut start, mut i, mut kept, mut cut) = (0, 0, 0, None);
        children.retain_mut(|child| {
            let (from, to) = (range.start.max(start), range.end.min(start + child.len));
            let within = from.saturating_sub(start)..to.saturating_sub(start);
            start += child.len;
            i += 1;
            if within.len() == child.len {
                child.forget(totals);
                return false;
            }
            if !within.is_empty() {
                child.remove(within, edges.below(i - 1, n), totals);
                cut.get_or_insert(kept);
            }
            kept += 1;
            true
        });
        // The children that lost a part stand side by side now.
        if let Some(cut) = cut {
            merge_small(children, cut + 1, edges, totals);
            merge_small(children, cut, edges, totals);
        }
    }

    /// Moves the node, and the one below with the element at `at`, down to its leaf; nodes are moved with their first
    /// element. How many elements there are from `at` to the end of the leaf, or of what a clone has too.
    pub(super) fn relocate(&mut self, at: usize, totals: &mut Totals, mover: &mut dyn Mover) -> usize {
        if at == 0 {
            L::relocate_bound(&mut self.bound, mover);
            self.relocate_own(mover);
        }
        match Arc::get_mut(&mut self.node) {
            None => self.len - at,
            Some(Node::Leaf(leaf)) => {
                totals.subtract(leaf);
                leaf.relocate(mover);
                totals.add(leaf);
                self.len - at
            }
            Some(Node::Inner(children)) => {
                if at == 0 {
                    relocate_vec(children, mover);
                }
                let mut below = at;
                let i = by_position(children, &mut below);
                children[i].relocate(below, totals, mover)
            }
        }
    }

    /// Moves the node's own allocation, unless a clone has it too.
    fn relocate_own(&mut self, mover: &mut dyn Mover) {
        if let Some(node) = Arc::get_mut(&mut self.node)
            && mover.is_sparse(std::ptr::from_ref(node).cast())
        {
            let moved = std::mem::replace(node, Node::Inner(Vec::new()));
            self.node = Arc::new(moved);
        }
    }

    /// Takes all leaves below off the totals.
    fn forget(&self, totals: &mut Totals) {
        match &*self.node {
            Node::Leaf(leaf) => totals.subtract(leaf),
            Node::Inner(children) => children.iter().for_each(|child| child.forget(totals)),
        }
    }
}

/// Splits `leaf` and those of `more` behind it until none is full.
fn split_full<L: Leaf>(leaf: &mut L, more: &mut Vec<L>) {
    let mut i = 0;
    while i <= more.len() {
        let part = if i == 0 { &mut *leaf } else { &mut more[i - 1] };
        if part.len() > 1 && part.is_full() {
            let at = part.middle();
            let tail = part.split_off(at);
            more.insert(i, tail);
        } else {
            i += 1;
        }
    }
}

/// Mends `children` after child `i` changed and `more` came behind it; what is split off.
fn settle<L: Leaf>(
    children: &mut Vec<Child<L>>,
    i: usize,
    more: Vec<Child<L>>,
    shrunk: bool,
    edges: Edges,
    totals: &mut Totals,
) -> Vec<Child<L>> {
    let added_last = i + 1 == children.len();
    if more.is_empty() {
        if children[i].len == 0 {
            children.remove(i);
        } else if shrunk {
            merge_small(children, i, edges, totals);
        }
        return Vec::new();
    }
    children.splice(i + 1..i + 1, more);
    if children.len() <= CHILDREN_MAX {
        return Vec::new();
    }
    // At the ends of the sequence more of the same is likely: full nodes stay behind.
    let at = match edges {
        Edges { last: true, .. } if added_last => CHILDREN_MAX,
        Edges { first: true, .. } if i == 0 => children.len() - CHILDREN_MAX,
        _ => children.len() / 2,
    };
    let mut parts = vec![Child::of_inner(children.split_off(at))];
    while let Some(Node::Inner(last)) = parts.last_mut().map(|part| Arc::make_mut(&mut part.node))
        && last.len() > CHILDREN_MAX
    {
        let tail = last.split_off(CHILDREN_MAX);
        let head = std::mem::take(last);
        parts.pop();
        parts.extend([Child::of_inner(head), Child::of_inner(tail)]);
    }
    parts
}

/// Merges child `i` with a neighbour when it is small and not at an end of the sequence; what is too much for one node
/// is shared out evenly.
fn merge_small<L: Leaf>(children: &mut Vec<Child<L>>, i: usize, edges: Edges, totals: &mut Totals) {
    let n = children.len();
    if n < 2 || i >= n || edges.below(i, n).any() || !children[i].is_small() {
        return;
    }
    let left = if i + 1 < n { i } else { i - 1 };
    let Child { len, bound, node } = children.remove(left + 1);
    let child = &mut children[left];
    child.node.uncount(totals);
    node.uncount(totals);
    let tail = match (Arc::make_mut(&mut child.node), Arc::unwrap_or_clone(node)) {
        (Node::Leaf(leaf), Node::Leaf(next)) => {
            leaf.absorb(next);
            let mut more = Vec::new();
            split_full(leaf, &mut more);
            totals.add(leaf);
            more.iter().for_each(|leaf| totals.add(leaf));
            more.into_iter().map(Child::of_leaf).collect()
        }
        (Node::Inner(all), Node::Inner(mut next)) => {
            // A first child's bound may be too high, its parent's is not.
            next[0].bound = bound;
            all.append(&mut next);
            let over = all.len() > CHILDREN_MAX;
            let tail = over.then(|| Child::of_inner(all.split_off(all.len() / 2)));
            tail.into_iter().collect::<Vec<_>>()
        }
        _ => unreachable!("all leaves are at one depth"),
    };
    child.len = child.len + len - tail.iter().map(|part| part.len).sum::<usize>();
    children.splice(left + 1..left + 1, tail);
}

#[cfg(test)]
impl<L: Leaf> Child<L> {
    /// Checks what the tree promises; the depth below, and the leaves met with the bound that counts for them.
    pub(super) fn check<'t>(&'t self, bound: &'t L::Bound, leaves: &mut Vec<(&'t L::Bound, &'t L)>) -> usize {
        match &*self.node {
            Node::Leaf(leaf) => {
                assert_eq!((leaf.len(), leaf.len() > 0), (self.len, true));
                leaves.push((bound, leaf));
                0
            }
            Node::Inner(children) => {
                assert!((1..=CHILDREN_MAX).contains(&children.len()));
                assert_eq!(children.iter().map(|child| child.len).sum::<usize>(), self.len);
                let bounds = std::iter::once(bound).chain(children[1..].iter().map(|child| &child.bound));
                let depths: Vec<usize> =
                    children.iter().zip(bounds).map(|(child, bound)| child.check(bound, leaves)).collect();
                assert!(depths.windows(2).all(|pair| pair[0] == pair[1]), "{depths:?}");
                depths[0] + 1
            }
        }
    }
}
