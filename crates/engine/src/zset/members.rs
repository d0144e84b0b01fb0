//! Going through a sorted set's members.

use std::ops::Range;

use smallvec::SmallVec;

use super::leaf::Leaf;
use super::{ZSet, packed};
use crate::packed::{Element, Packed};
use crate::tree::{self, Walk};

/// A member with its score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored<'e> {
    /// Its bytes; of a small set an integer where they are one.
    pub name: Element<'e>,
    /// Its score.
    pub score: f64,
}

/// MembersMembers of a sorted set, in order or backwards.
#[derive(Clone, Debug)]
pub struct ScoredMembers<'e> {
    place: Place<'e>,
    left: usize,
}

#[derive(Clone, Debug)]
enum Place<'e> {
    Nowhere,
    Packed {
        run: Packed<'e>,
        /// Where the next member is.
        at: usize,
    },
    PackedBackwards {
        run: Packed<'e>,
        /// Where the members are that come still, the next one last.
        offsets: SmallVec<[u32; 32]>,
    },
    Big {
        walk: Walk<'e, Leaf>,
        /// The index of the next member in its leaf.
        i: usize,
    },
    BigBackwards {
        walk: Walk<'e, Leaf>,
        /// One more than the index of the next member in its leaf.
        i: usize,
    },
}

impl<'e> ScoredMembers<'e> {
    /// Those at `positions`, in order.
    pub(super) fn forward(set: ZSet<'e>, positions: Range<usize>) -> ScoredMembers<'e> {
        let place = match set.opened() {
            _ if positions.is_empty() => Place::Nowhere,
            Ok(run) => Place::Packed { run, at: run.offset_of(2 * positions.start) },
            Err(big) => match big.walk_at(positions.start) {
                Some((walk, i)) => Place::Big { walk, i },
                None => Place::Nowhere,
            },
        };
        ScoredMembers { place, left: positions.len() }
    }

    /// Those at `positions`, the last one first.
    pub(super) fn backwards(set: ZSet<'e>, positions: Range<usize>) -> ScoredMembers<'e> {
        let place = match set.opened() {
            _ if positions.is_empty() => Place::Nowhere,
            Ok(run) => {
                let mut at = run.offset_of(2 * positions.start);
                let offsets = positions.clone().map(|_| {
                    let here = at;
                    at = run.next_at(run.next_at(at));
                    here as u32
                });
                Place::PackedBackwards { run, offsets: offsets.collect() }
            }
            Err(big) => match big.walk_at(positions.end - 1) {
                Some((walk, i)) => Place::BigBackwards { walk, i: i + 1 },
                None => Place::Nowhere,
            },
        };
        ScoredMembers { place, left: positions.len() }
    }
}

impl<'e> Iterator for ScoredMembers<'e> {
    type Item = Scored<'e>;

    #[inline]
    fn next(&mut self) -> Option<Scored<'e>> {
        self.left = self.left.checked_sub(1)?;
        match &mut self.place {
            Place::Nowhere => None,
            Place::Packed { run, at } => {
                let member = packed::member_at(*run, *at);
                *at = run.next_at(run.next_at(*at));
                Some(member)
            }
            Place::PackedBackwards { run, offsets } => {
                offsets.pop().map(|at| packed::member_at(*run, at as usize))
            }
            Place::Big { walk, i } => {
                if *i == tree::Leaf::len(walk.leaf()) {
                    walk.forward()?;
                    *i = 0;
                }
                *i += 1;
                Some(of_leaf(walk.leaf(), *i - 1))
            }
            Place::BigBackwards { walk, i } => {
                if *i == 0 {
                    *i = tree::Leaf::len(walk.back()?);
                }
                *i -= 1;
                Some(of_leaf(walk.leaf(), *i))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for ScoredMembers<'_> {}

fn of_leaf(leaf: &Leaf, i: usize) -> Scored<'_> {
    let (score, member) = leaf.get(i);
    Scored { name: Element::Bytes(member), score }
}
