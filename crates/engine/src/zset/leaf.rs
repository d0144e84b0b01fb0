//! A leaf of a large sorted set: some hundred members in order, packed.
//!
//! A record is a member: its length in one byte, or `0xfe` and two bytes, and its bytes; or `0xff` alone, for a long
//! member that stands apart. Records lie in the order they came; their offsets, and the scores, are in the order of the
//! members. So adding one moves a few bytes a member, and looking one up is a binary search among the scores.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::order;
use super::scores::Scores;
use crate::memory::{ARC_HEAD_BYTES, size_class, vec_bytes};
use crate::relocate::{Mover, relocate_shared, relocate_vec};
use crate::tree;

/// Bytes of records from which on a leaf is split.
const RECORD_BYTES_MAX: usize = 5 << 9;
/// Bytes of a member from which on it stands apart, so that nobody has to copy it.
const APART_BYTES_MIN: usize = 512;
/// Bytes of a record before its member, at most.
const RECORD_HEAD_BYTES: usize = 3;

const LEN16: u8 = 0xfe;
const APART: u8 = 0xff;

/// What parts a leaf from those before it: its first member when it was made.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    score: f64,
    member: SmallVec<[u8; 16]>,
}

impl Bound {
    /// Its order beside a member and its score.
    #[inline]
    pub(super) fn order(&self, other: (f64, &[u8])) -> Ordering {
        order(self.at(), other)
    }

    /// The score and member.
    #[inline]
    pub(super) fn at(&self) -> (f64, &[u8]) {
        (self.score, &self.member)
    }
}

/// Members with their scores, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaf {
    scores: Scores,
    records: Vec<u8>,
    /// Where the records begin, in the order of the members.
    offsets: Vec<u16>,
    /// The members that stand apart, in order.
    apart: Vec<Arc<[u8]>>,
    apart_bytes: usize,
    /// The index of the member that was added last.
    added: u16,
}

impl Leaf {
    /// Whether another record should go into another leaf, for whoever fills leaves in order.
    pub(super) fn is_filled(&self) -> bool {
        self.records.len() + RECORD_HEAD_BYTES + APART_BYTES_MIN > RECORD_BYTES_MAX
    }

    fn is_apart(&self, offset: u16) -> bool {
        self.records[usize::from(offset)] == APART
    }

    /// How many of the members before index `i` stand apart.
    fn apart_before(&self, i: usize) -> usize {
        if self.apart.is_empty() {
            return 0;
        }
        self.offsets[..i].iter().filter(|&&offset| self.is_apart(offset)).count()
    }

    /// The member at index `i`, with its score.
    #[inline]
    pub(super) fn get(&self, i: usize) -> (f64, &[u8]) {
        (self.scores.get(i), self.member(i))
    }

    #[inline]
    fn member(&self, i: usize) -> &[u8] {
        let at = usize::from(self.offsets[i]);
        match self.records[at] {
            APART => &self.apart[self.apart_before(i)],
            LEN16 => {
                let len = u16::from_le_bytes([self.records[at + 1], self.records[at + 2]]);
                &self.records[at + 3..at + 3 + usize::from(len)]
            }
            len => &self.records[at + 1..at + 1 + usize::from(len)],
        }
    }

    /// Bytes of the record at `offset`.
    fn record_bytes(&self, offset: u16) -> usize {
        let at = usize::from(offset);
        match self.records[at] {
            APART => 1,
            LEN16 => 3 + usize::from(u16::from_le_bytes([self.records[at + 1], self.records[at + 2]])),
            len => 1 + usize::from(len),
        }
    }

    /// How many members, from the first on, `before` holds for.
    #[inline]
    pub(super) fn partition(&self, mut before: impl FnMut(f64, &[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.offsets.len());
        while low < high {
            let middle = low.midpoint(high);
            let (score, member) = self.get(middle);
            if before(score, member) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The index of this member with this score; where it would come, when it is not there.
    #[inline]
    fn search(&self, (score, member): (f64, &[u8])) -> Result<usize, usize> {
        let equal = self.scores.equal(score);
        let (mut low, mut high) = (equal.start, equal.end);
        while low < high {
            let middle = low.midpoint(high);
            match self.member(middle).cmp(member) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// The index of this member with this score.
    #[inline]
    pub(super) fn find(&self, sought: (f64, &[u8])) -> Option<usize> {
        self.search(sought).ok()
    }

    /// Adds a member, which must be new, in its place.
    pub(super) fn add(&mut self, score: f64, member: &[u8]) {
        let (Ok(i) | Err(i)) = self.search((score, member));
        self.insert(i, score, member);
    }

    /// Adds a member behind the others.
    pub(super) fn push(&mut self, score: f64, member: &[u8]) {
        self.insert(self.offsets.len(), score, member);
    }

    fn insert(&mut self, i: usize, score: f64, member: &[u8]) {
        // A full leaf is split after each change, so offsets stay far below 64 KiB.
        let offset = u16::try_from(self.records.len()).expect("a leaf's records are few");
        let inline = if member.len() < APART_BYTES_MIN { member.len() } else { 0 };
        make_room(&mut self.records, RECORD_HEAD_BYTES + inline);
        make_room(&mut self.offsets, 1);
        self.scores.insert(i, score);
        if member.len() >= APART_BYTES_MIN {
            self.records.push(APART);
            self.apart.insert(self.apart_before(i), Arc::from(member));
            self.apart_bytes += apart_bytes(member);
        } else {
            match member.len() {
                len if len < usize::from(LEN16) => self.records.push(len as u8),
                len => {
                    self.records.push(LEN16);
                    self.records.extend_from_slice(&(len as u16).to_le_bytes());
                }
            }
            self.records.extend_from_slice(member);
        }
        self.offsets.insert(i, offset);
        self.added = i as u16;
    }

    /// Removes the member at index `i`.
    pub(super) fn remove_at(&mut self, i: usize) {
        let offset = self.offsets[i];
        if self.is_apart(offset) {
            let member = self.apart.remove(self.apart_before(i));
            self.apart_bytes -= apart_bytes(&member);
        }
        let size = self.record_bytes(offset);
        self.offsets.remove(i);
        self.scores.remove(i);
        self.records.drain(usize::from(offset)..usize::from(offset) + size);
        for other in &mut self.offsets {
            if *other > offset {
                *other -= size as u16;
            }
        }
        // Half of the memory at least is used.
        if self.records.capacity() > 2 * self.records.len() + 64 {
            self.records.shrink_to(size_class(self.records.len()));
            self.offsets.shrink_to(size_class(self.offsets.len() * 2) / 2);
            self.scores = self.scores.part(0..self.offsets.len());
        }
    }

    /// The members of `range` alone, in as little memory as they need.
    fn part(&self, range: Range<usize>) -> Leaf {
        let offsets = &self.offsets[range.clone()];
        let bytes: usize = offsets.iter().map(|&offset| self.record_bytes(offset)).sum();
        let apart = self.apart[self.apart_before(range.start)..self.apart_before(range.end)].to_vec();
        let mut part = Leaf {
            scores: self.scores.part(range.clone()),
            records: Vec::with_capacity(size_class(bytes)),
            offsets: Vec::with_capacity(size_class(offsets.len() * 2) / 2),
            apart_bytes: apart.iter().map(|member| apart_bytes(member)).sum(),
            apart,
            added: 0,
        };
        part.append(self, offsets);
        part
    }

    /// Adds the records of `other` at `offsets`, without their scores and the members that stand apart.
    fn append(&mut self, other: &Leaf, offsets: &[u16]) {
        for &offset in offsets {
            let at = u16::try_from(self.records.len()).expect("a leaf's records are few");
            let size = other.record_bytes(offset);
            self.offsets.push(at);
            self.records.extend_from_slice(&other.records[usize::from(offset)..][..size]);
        }
    }
}

fn apart_bytes(member: &[u8]) -> usize {
    size_class(ARC_HEAD_BYTES + member.len())
}

/// Makes room for `more` elements: as many as an allocation of the next size holds.
#[inline]
pub(super) fn make_room<T>(vec: &mut Vec<T>, more: usize) {
    if vec.capacity() - vec.len() < more {
        let needed = size_class((vec.len() + more) * size_of::<T>()) / size_of::<T>();
        vec.reserve_exact(needed - vec.len());
    }
}

impl tree::Leaf for Leaf {
    type Bound = Bound;

    #[inline]
    fn len(&self) -> usize {
        self.offsets.len()
    }

    #[inline]
    fn bytes(&self) -> usize {
        vec_bytes::<u8>(self.records.capacity())
            + vec_bytes::<u16>(self.offsets.capacity())
            + vec_bytes::<Arc<[u8]>>(self.apart.capacity())
            + self.scores.bytes()
            + self.apart_bytes
    }

    fn relocate(&mut self, mover: &mut dyn Mover) {
        self.scores.relocate(mover);
        relocate_vec(&mut self.records, mover);
        relocate_vec(&mut self.offsets, mover);
        relocate_vec(&mut self.apart, mover);
        self.apart.iter_mut().for_each(|member| relocate_shared(member, mover));
    }

    fn relocate_bound(bound: &mut Bound, mover: &mut dyn Mover) {
        if bound.member.spilled() && mover.is_sparse(bound.member.as_ptr()) {
            bound.member = SmallVec::from_slice(&bound.member);
        }
    }

    fn bound(&self) -> Bound {
        let (score, member) = self.get(0);
        Bound { score, member: SmallVec::from_slice(member) }
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.records.len() > RECORD_BYTES_MAX
    }

    #[inline]
    fn is_small(&self) -> bool {
        self.records.len() < RECORD_BYTES_MAX / 4
    }

    /// In two halves; but where members come in order, the leaf they filled stays as it is.
    fn middle(&self) -> usize {
        let len = self.offsets.len();
        match usize::from(self.added) {
            last if last + 1 == len => last,
            0 => 1,
            _ => len / 2,
        }
    }

    fn split_off(&mut self, at: usize) -> Leaf {
        let tail = self.part(at..self.offsets.len());
        *self = self.part(0..at);
        tail
    }

    fn absorb(&mut self, next: Leaf) {
        self.append(&next, &next.offsets);
        self.scores.append(&next.scores, next.offsets.len());
        self.apart.extend(next.apart);
        self.apart_bytes += next.apart_bytes;
        self.added = (self.offsets.len() / 2) as u16;
    }

    fn remove(&mut self, range: Range<usize>) {
        let mut rest = self.part(0..range.start);
        let tail = self.part(range.end..self.offsets.len());
        tree::Leaf::absorb(&mut rest, tail);
        *self = rest;
    }
}
