//! Sorted sets: members in the order of their scores, and of their bytes where scores are equal.
//!
//! A small one is packed: member and score in turns, in order. A large one is a tree of such runs with an index by
//! member beside it (`big.rs`).

mod big;
mod index;
mod leaf;
mod members;
mod packed;
mod scores;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::ops::Range;

pub(crate) use big::BigZSet;
pub use members::{Scored, ScoredMembers};

use crate::collection::{Big, Body, Collection, CollectionMut};
use crate::entry::{Entry, Tags};
use crate::limits::Limits;
use crate::packed::{PACKED_BYTES_MAX, PACKED_ELEMENTS_MAX, Packed};
use crate::value::{Kind, Owned, WrongType};

/// The stage that OBJECT ENCODING calls `skiplist`.
const SKIPLIST: u8 = 1;

/// The order of two members, each with its score; -0 is 0. No score is NaN.
#[inline]
fn order(a: (f64, &[u8]), b: (f64, &[u8])) -> Ordering {
    a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal).then_with(|| a.1.cmp(b.1))
}

/// A sorted set, to be read.
#[derive(Clone, Copy, Debug)]
pub struct ZSet<'e> {
    body: Body<'e>,
    stage: u8,
}

impl<'e> ZSet<'e> {
    pub(crate) fn new(body: Body<'e>, tags: Tags) -> ZSet<'e> {
        ZSet { body, stage: tags.stage }
    }

    /// The packed run, or the large set.
    #[inline]
    fn opened(self) -> Result<Packed<'e>, &'e BigZSet> {
        match self.body {
            Body::Packed(run) => Ok(run),
            Body::Big(Big::ZSet(big)) => Err(big),
            Body::Big(_) => unreachable!("the entry's kind says what is in it"),
        }
    }

    /// How many members it has.
    #[inline]
    pub fn len(self) -> usize {
        match self.opened() {
            Ok(run) => packed::len(run),
            Err(big) => big.len(),
        }
    }

    /// Whether OBJECT ENCODING calls it `skiplist`.
    pub fn is_skiplist(self) -> bool {
        self.stage == SKIPLIST
    }

    /// Whether it has none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The score of `member`.
    #[inline]
    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self.opened() {
            Ok(run) => packed::find(run, member).map(|(_, score)| score),
            Err(big) => big.score(member),
        }
    }

    /// How many members stand before `member`, and its score.
    pub fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.partition(|s, m| order((s, m), (score, member)).is_lt()), score))
    }

    /// How many members, from the first on, `before` holds for; it must hold for none behind them. Of a large set it
    /// looks at O(log n) members.
    pub fn partition(self, before: impl FnMut(f64, &[u8]) -> bool) -> usize {
        match self.opened() {
            Ok(run) => packed::partition(run, before),
            Err(big) => big.partition(before),
        }
    }

    /// The member at this position.
    pub fn nth(self, position: usize) -> Option<Scored<'e>> {
        self.range(position..position.saturating_add(1)).next()
    }

    /// All members in order.
    pub fn iter(self) -> ScoredMembers<'e> {
        self.range(0..self.len())
    }

    /// The members at these positions in order, as far as they are there.
    pub fn range(self, positions: Range<usize>) -> ScoredMembers<'e> {
        ScoredMembers::forward(self, positions.start..positions.end.min(self.len()))
    }

    /// The members at these positions, the last one first.
    pub fn range_backwards(self, positions: Range<usize>) -> ScoredMembers<'e> {
        ScoredMembers::backwards(self, positions.start..positions.end.min(self.len()))
    }

    /// Visits some members, and says where the next call is to go on; 0 begins and ends. A member that is there all the
    /// while comes once, whatever its score becomes. Some `count` members are visited: all of a small set, and more
    /// where many share a score, for among them each is found by going through them all.
    pub fn scan(self, cursor: u64, count: usize, visit: impl FnMut(Scored<'e>)) -> u64 {
        match self.opened() {
            Ok(_) => {
                self.iter().for_each(visit);
                0
            }
            Err(big) => big.scan(cursor, count, visit),
        }
    }
}

impl<'e> Entry<'e> {
    /// The value, when it is a sorted set.
    pub fn zset(self) -> Result<ZSet<'e>, WrongType> {
        if self.kind() == Kind::ZSet { Ok(ZSet::new(self.body(), self.tags())) } else { Err(WrongType) }
    }
}

/// What [`ZSetMut::update`] did to a member's score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rescored {
    /// The score before; nothing: it was no member.
    pub old: Option<f64>,
    /// The score given; nothing: all stayed as it was.
    pub new: Option<f64>,
}

/// A sorted set, to be changed.
#[derive(Debug)]
pub struct ZSetMut<'e> {
    collection: CollectionMut<'e>,
}

impl<'e> ZSetMut<'e> {
    pub(crate) fn new(collection: CollectionMut<'e>) -> ZSetMut<'e> {
        ZSetMut { collection }
    }

    /// Has OBJECT ENCODING call it `skiplist` from now on, however small it is.
    pub fn call_skiplist(&mut self) {
        self.collection.set_stage(SKIPLIST);
    }

    /// The set, to be read.
    #[inline]
    pub fn view(&self) -> ZSet<'_> {
        ZSet { body: self.collection.body(), stage: self.collection.stage() }
    }

    /// How many members it has.
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says that some `count` members of at most `bytes_max` bytes are to be added: OBJECT ENCODING names the set by
    /// it as Redis does, which makes room ahead.
    pub fn expect(&mut self, count: usize, bytes_max: usize) {
        let limits = self.collection.limits;
        let empty = self.is_empty();
        let many = count as u64 > limits.zset_max_listpack_entries;
        if many || (empty && bytes_max as u64 > limits.zset_max_listpack_value) {
            self.collection.set_stage(SKIPLIST);
        }
    }

    /// Gives `member` the score that `decide` makes of its present one (nothing: it is no member), unless it gives
    /// nothing. No score may be NaN. A score that is equal to the present one stays as it is (0 and -0); while the set
    /// is called `listpack`, -0 is kept as 0, as Redis does it.
    pub fn update(&mut self, member: &[u8], mut decide: impl FnMut(Option<f64>) -> Option<f64>) -> Rescored {
        let (limits, view) = (self.collection.limits, self.view());
        let grows_out = view.len() as u64 >= limits.zset_max_listpack_entries
            || member.len() as u64 > limits.zset_max_listpack_value;
        let (was_skiplist, mut new) = (view.is_skiplist(), None);
        let mut kept = |old: Option<f64>| {
            new = decide(old);
            let signed = was_skiplist || old.is_none() && grows_out;
            new.map(|score| if signed { score } else { score + 0.0 })
        };
        let old = match view.opened().map(|run| packed::find(run, member)).map_err(drop) {
            Ok(at) => {
                let old = at.map(|(_, score)| score);
                match (at, kept(old)) {
                    (Some((at, old)), Some(new)) if old != new => self.rescore_packed(at, member, new),
                    (None, Some(new)) => self.insert_packed(member, new),
                    _ => {}
                }
                old
            }
            Err(()) => self.big_mut().and_then(|big| big.update(member, kept)),
        };
        if old.is_none() && new.is_some() && grows_out && !was_skiplist {
            self.collection.set_stage(SKIPLIST);
        }
        Rescored { old, new }
    }

    /// Gives `member` this score, which must not be NaN; the one it had.
    pub fn add(&mut self, member: &[u8], score: f64) -> Option<f64> {
        self.update(member, |_| Some(score)).old
    }

    /// Removes `member`; the score it had.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        if let Ok(run) = self.view().opened() {
            let (at, score) = packed::find(run, member)?;
            let end = run.next_at(run.next_at(at));
            self.collection.splice(at..end, &[], -2);
            return Some(score);
        }
        self.big_mut()?.remove(member)
    }

    /// Removes the members at these positions, as far as they are there; how many went.
    pub fn remove_range(&mut self, positions: Range<usize>) -> usize {
        let positions = positions.start..positions.end.min(self.len());
        if positions.is_empty() {
            return 0;
        }
        let count = positions.len();
        if let Ok(run) = self.view().opened() {
            let range = run.offset_of(2 * positions.start)..run.offset_of(2 * positions.end);
            self.collection.splice(range, &[], -2 * count as isize);
        } else if let Some(big) = self.big_mut() {
            big.remove_range(positions);
        }
        count
    }

    fn big_mut(&mut self) -> Option<&mut BigZSet> {
        match self.collection.big_mut() {
            Some(Big::ZSet(big)) => Some(big),
            _ => None,
        }
    }

    /// Adds `member`, which is new, to a packed set; it may become a large one by it.
    fn insert_packed(&mut self, member: &[u8], score: f64) {
        let Some(run) = self.collection.packed() else { return };
        let len = packed::len(run) + 1;
        let large = len > PACKED_ELEMENTS_MAX || run.end() + packed::size(member) > PACKED_BYTES_MAX;
        if large {
            let mut big = BigZSet::from_sorted(self.collection.secret, packed::sorted(run));
            big.insert(member, score);
            self.collection.set_big(Big::ZSet(big));
        } else {
            let at = packed::gap(run, (score, member), None);
            self.collection.splice(at..at, &packed::pair(member, score), 2);
        }
    }

    /// Gives the member at offset `at` of a packed set another score.
    fn rescore_packed(&mut self, at: usize, member: &[u8], score: f64) {
        let Some(run) = self.collection.packed() else { return };
        let end = run.next_at(run.next_at(at));
        let to = packed::gap(run, (score, member), Some(at));
        let pair = packed::pair(member, score);
        if to == at || to == end {
            return self.collection.splice(at..end, &pair, 0);
        }
        self.collection.splice(at..end, &[], -2);
        let to = if to > at { to - (end - at) } else { to };
        self.collection.splice(to..to, &pair, 2);
    }
}

impl Owned {
    /// A sorted set of `members`, which are all different, each with its score; no score may be NaN. OBJECT ENCODING
    /// names it by its size.
    pub fn zset<M: AsRef<[u8]>>(mut members: Vec<(M, f64)>, limits: &Limits, secret: u64) -> Owned {
        members.sort_unstable_by(|(a, a_score), (b, b_score)| {
            order((*a_score, a.as_ref()), (*b_score, b.as_ref()))
        });
        let longest = members.iter().map(|(member, _)| member.as_ref().len()).max().unwrap_or(0);
        let skiplist = members.len() as u64 > limits.zset_max_listpack_entries
            || longest as u64 > limits.zset_max_listpack_value;
        let tags = Tags { stage: if skiplist { SKIPLIST } else { 0 }, ..Tags::of(Kind::ZSet) };
        let score = |score: f64| if skiplist { score } else { score + 0.0 };
        let pairs = || members.iter().map(|(member, s)| (member.as_ref(), score(*s)));
        let bytes: usize = pairs().map(|(member, _)| packed::size(member)).sum();
        Owned::collection(if members.len() <= PACKED_ELEMENTS_MAX && bytes <= PACKED_BYTES_MAX {
            Collection::Packed { run: packed::run(pairs()), tags }
        } else {
            Collection::Big { big: Box::new(Big::ZSet(BigZSet::from_sorted(secret, pairs()))), tags }
        })
    }
}
