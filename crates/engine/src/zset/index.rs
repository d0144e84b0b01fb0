//! The index of a large sorted set: from a member to its score.
//!
//! A slot holds 32 bits of the member's hash and the score; the member itself is looked for in the set, at the score
//! that a slot with its hash gives. Slots stand in a tree in the order of the hashes, which grows a leaf at a time.

use std::ops::Range;

use super::leaf::make_room;
use crate::memory::{size_class, vec_bytes};
use crate::relocate::{Mover, relocate_vec};
use crate::tree::{Leaf, Tree};

/// Slots from which on a leaf is split.
const SLOTS_MAX: usize = 128;

/// One member's slot.
#[derive(Clone, Copy, Debug)]
struct Slot {
    fingerprint: u32,
    /// The score's bits: in halves, for a slot is to take 12 bytes.
    score: [u32; 2],
}

impl Slot {
    fn new(fingerprint: u32, score: f64) -> Slot {
        let bits = score.to_bits();
        Slot { fingerprint, score: [bits as u32, (bits >> 32) as u32] }
    }

    fn score(self) -> f64 {
        f64::from_bits(u64::from(self.score[0]) | u64::from(self.score[1]) << 32)
    }
}

/// Slots in the order of their fingerprints; equal ones are in one leaf.
#[derive(Clone, Debug, Default)]
struct Slots(Vec<Slot>);

impl Slots {
    /// The first slot whose fingerprint is not below this one. Fingerprints being spread evenly, it is a few slots from
    /// where its fingerprint says it should be.
    #[inline]
    fn first(&self, fingerprint: u32) -> usize {
        let slots = &self.0[..];
        let (Some(low), Some(high)) = (slots.first(), slots.last()) else { return 0 };
        if fingerprint > high.fingerprint {
            return slots.len();
        }
        let span = u64::from(high.fingerprint - low.fingerprint).max(1);
        let offset = u64::from(fingerprint.saturating_sub(low.fingerprint));
        let mut at = (offset * (slots.len() - 1) as u64 / span) as usize;
        while at > 0 && slots[at - 1].fingerprint >= fingerprint {
            at -= 1;
        }
        // The last slot is not below it, so this ends.
        while slots[at].fingerprint < fingerprint {
            at += 1;
        }
        at
    }

    /// The slots of this fingerprint.
    #[inline]
    fn range(&self, fingerprint: u32) -> Range<usize> {
        let start = self.first(fingerprint);
        let equal = self.0[start..].iter().take_while(|slot| slot.fingerprint == fingerprint).count();
        start..start + equal
    }

    fn differs(&self, i: usize) -> bool {
        self.0[i - 1].fingerprint != self.0[i].fingerprint
    }
}

impl Leaf for Slots {
    type Bound = u32;

    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn bytes(&self) -> usize {
        vec_bytes::<Slot>(self.0.capacity())
    }

    fn bound(&self) -> u32 {
        self.0[0].fingerprint
    }

    #[inline]
    fn is_full(&self) -> bool {
        let ends = self.0.first().zip(self.0.last());
        self.0.len() > SLOTS_MAX && ends.is_some_and(|(a, b)| a.fingerprint != b.fingerprint)
    }

    #[inline]
    fn is_small(&self) -> bool {
        self.0.len() < SLOTS_MAX / 4
    }

    /// The middle, or the next index where fingerprints differ: a full leaf has one.
    fn middle(&self) -> usize {
        let (middle, len) = (self.0.len() / 2, self.0.len());
        (middle..len).chain(1..middle).find(|&i| self.differs(i)).unwrap_or(middle)
    }

    fn split_off(&mut self, at: usize) -> Slots {
        let mut tail = Vec::with_capacity(room(self.0.len() - at));
        tail.extend_from_slice(&self.0[at..]);
        self.0.truncate(at);
        self.0.shrink_to(room(at));
        Slots(tail)
    }

    fn relocate(&mut self, mover: &mut dyn Mover) {
        relocate_vec(&mut self.0, mover);
    }

    fn absorb(&mut self, next: Slots) {
        make_room(&mut self.0, next.0.len());
        self.0.extend_from_slice(&next.0);
    }

    fn remove(&mut self, range: Range<usize>) {
        self.0.drain(range);
    }
}

/// How many slots an allocation for `len` of them holds.
fn room(len: usize) -> usize {
    size_class(len * size_of::<Slot>()) / size_of::<Slot>()
}

/// Where the scores of members are found by their fingerprints.
#[derive(Clone, Debug, Default)]
pub(super) struct Index(Tree<Slots>);

impl Index {
    /// See [`Tree::relocate`].
    pub(super) fn relocate(&mut self, cursor: u64, mover: &mut dyn Mover) -> Option<u64> {
        self.0.relocate(cursor, mover)
    }

    /// The index of these fingerprints and scores, in any order.
    pub(super) fn new(mut slots: Vec<(u32, f64)>) -> Index {
        slots.sort_unstable_by_key(|slot| slot.0);
        let mut leaves = Vec::new();
        let mut rest = &slots[..];
        while !rest.is_empty() {
            let mut n = rest.len().min(SLOTS_MAX * 3 / 4);
            while n < rest.len() && rest[n - 1].0 == rest[n].0 {
                n += 1;
            }
            let (part, tail) = rest.split_at(n);
            let mut leaf = Vec::with_capacity(room(n));
            leaf.extend(part.iter().map(|&(fingerprint, score)| Slot::new(fingerprint, score)));
            leaves.push(Slots(leaf));
            rest = tail;
        }
        Index(leaves.into_iter().collect())
    }

    /// Bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// The scores of members with this fingerprint.
    #[inline]
    pub(super) fn scores(&self, fingerprint: u32) -> impl Iterator<Item = f64> {
        let leaf = self.0.find(|&bound| bound <= fingerprint);
        leaf.into_iter().flat_map(move |leaf| leaf.0[leaf.range(fingerprint)].iter().map(|slot| slot.score()))
    }

    /// Adds a slot.
    pub(super) fn insert(&mut self, fingerprint: u32, score: f64) {
        let slot = Slot::new(fingerprint, score);
        let done = self.0.change_found(
            |&bound| bound <= fingerprint,
            |leaf| {
                make_room(&mut leaf.0, 1);
                leaf.0.insert(leaf.first(fingerprint), slot);
            },
        );
        if done.is_none() {
            self.0.push_back(Slots(vec![slot]));
        }
    }

    /// Gives the only slot of this fingerprint the score that `decide` makes of the present one, or makes a slot of what
    /// it makes of nothing; nothing decided leaves all as it is. What there was, and what there is now. Nothing, and
    /// nothing decided, when several slots have the fingerprint, or there are none at all.
    #[inline]
    pub(super) fn decide(
        &mut self,
        fingerprint: u32,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Option<(Option<f64>, Option<f64>)> {
        let change = |leaf: &mut Slots| {
            let range = leaf.range(fingerprint);
            if range.len() > 1 {
                return None;
            }
            let old = leaf.0[range.clone()].first().map(|slot| slot.score());
            let new = decide(old);
            match (old, new) {
                (Some(old), Some(score)) if old != score => {
                    leaf.0[range.start] = Slot::new(fingerprint, score)
                }
                (None, Some(score)) => {
                    make_room(&mut leaf.0, 1);
                    leaf.0.insert(range.start, Slot::new(fingerprint, score));
                }
                _ => {}
            }
            Some((old, new))
        };
        self.0.change_found(|&bound| bound <= fingerprint, change)?
    }

    /// Gives the slot of this fingerprint and score another score; nothing: removes it. Two members of one fingerprint
    /// and score have equal slots: either will do.
    pub(super) fn replace(&mut self, fingerprint: u32, score: f64, new: Option<f64>) {
        self.0.change_found(
            |&bound| bound <= fingerprint,
            |leaf| {
                let mut range = leaf.range(fingerprint);
                let Some(at) = range.find(|&i| leaf.0[i].score() == score) else { return };
                match new {
                    Some(new) => leaf.0[at] = Slot::new(fingerprint, new),
                    None => {
                        leaf.0.remove(at);
                    }
                }
            },
        );
    }

    /// The slots from fingerprint `from` on, in leaves that are not split between equal fingerprints: calls `visit`
    /// with the scores of each until it says that it has enough. Where the next call is to go on; nothing: that was all.
    pub(super) fn scan(&self, from: u32, mut visit: impl FnMut(f64) -> bool) -> Option<u32> {
        let mut walk = self.0.walk_from(|&bound| bound <= from)?;
        let mut enough = None;
        loop {
            for slot in walk.leaf().0.iter().filter(|slot| slot.fingerprint >= from) {
                match enough {
                    Some(last) if last != slot.fingerprint => return Some(slot.fingerprint),
                    _ => {}
                }
                if visit(slot.score()) {
                    enough = Some(slot.fingerprint);
                }
            }
            walk.forward()?;
        }
    }
}
