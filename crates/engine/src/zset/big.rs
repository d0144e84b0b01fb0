//! Large sorted sets: a tree of members in order, and an index by member.

use std::collections::BTreeMap;
use std::ops::Range;

use super::index::Index;
use super::leaf::{Bound, Leaf};
use super::members::Scored;
use crate::collection::hash_bytes;
use crate::packed::Element;
use crate::relocate::Mover;
use crate::tree::{self, Tree, Walk};

/// A scan goes through at most so many members for each that it visits.
const SCAN_EFFORT: usize = 64;

/// Set in the cursor of a relocation that has come to the index.
const INDEX: u64 = 1 << 63;

/// A large sorted set. A clone is cheap and shares its nodes.
#[derive(Clone, Debug)]
pub(crate) struct BigZSet {
    members: Tree<Leaf>,
    index: Index,
    /// What members are hashed with.
    secret: u64,
}

impl BigZSet {
    /// The set of `members`, which are all different and in order.
    pub(super) fn from_sorted<M: AsRef<[u8]>>(
        secret: u64,
        members: impl IntoIterator<Item = (M, f64)>,
    ) -> BigZSet {
        let (mut tree, mut slots, mut leaf) = (Tree::default(), Vec::new(), Leaf::default());
        for (member, score) in members {
            let member = member.as_ref();
            if leaf.is_filled() {
                tree.push_back(std::mem::take(&mut leaf));
            }
            leaf.push(score, member);
            slots.push((fingerprint(secret, member), score));
        }
        if !slots.is_empty() {
            tree.push_back(leaf);
        }
        BigZSet { members: tree, index: Index::new(slots), secret }
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        self.members.bytes() + self.index.bytes()
    }

    /// See [`crate::collection::Big::relocate`]. Cursors count the members, then once more those of the index.
    pub(crate) fn relocate(&mut self, cursor: u64, mover: &mut dyn Mover) -> Option<u64> {
        if cursor & INDEX == 0
            && let Some(next) = self.members.relocate(cursor, mover)
        {
            return Some(next);
        }
        let within = if cursor & INDEX == 0 { 0 } else { cursor & !INDEX };
        self.index.relocate(within, mover).map(|next| next | INDEX)
    }

    /// The members from position `at` on, in leaves, and the first one's index in the first leaf.
    pub(super) fn walk_at(&self, at: usize) -> Option<(Walk<'_, Leaf>, usize)> {
        self.members.walk_at(at)
    }

    #[inline]
    fn has(&self, score: f64, member: &[u8]) -> bool {
        let leaf = self.members.find(|bound| bound.order((score, member)).is_le());
        leaf.is_some_and(|leaf| leaf.find((score, member)).is_some())
    }

    /// The score of `member`.
    #[inline]
    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.score_of(fingerprint(self.secret, member), member)
    }

    #[inline]
    fn score_of(&self, fingerprint: u32, member: &[u8]) -> Option<f64> {
        self.index.scores(fingerprint).find(|&score| self.has(score, member))
    }

    /// How many members, from the first on, `before` holds for.
    pub(super) fn partition(&self, mut before: impl FnMut(f64, &[u8]) -> bool) -> usize {
        let not_after = |bound: &Bound| {
            let (score, member) = bound.at();
            before(score, member)
        };
        let Some((leaf, start)) = self.members.find_start(not_after) else { return 0 };
        start + leaf.partition(before)
    }

    /// Adds `member`, which must be new.
    pub(super) fn insert(&mut self, member: &[u8], score: f64) {
        self.index.insert(fingerprint(self.secret, member), score);
        self.place(member, score);
    }

    /// Gives `member` the score that `decide` makes of its present one, unless it gives nothing; the present one. See
    /// [`super::ZSetMut::update`].
    pub(super) fn update(
        &mut self,
        member: &[u8],
        mut decide: impl FnMut(Option<f64>) -> Option<f64>,
    ) -> Option<f64> {
        let fingerprint = fingerprint(self.secret, member);
        // Mostly the only slot with the member's fingerprint is the member's: that shows when it is looked for in the
        // tree, which is needed anyway.
        match self.index.decide(fingerprint, &mut decide) {
            Some((None, new)) => {
                new.into_iter().for_each(|score| self.place(member, score));
                return None;
            }
            Some((Some(before), Some(score))) if before != score => {
                if self.displace(member, before) {
                    self.place(member, score);
                    return Some(before);
                }
                // It was another member's.
                self.index.replace(fingerprint, score, Some(before));
            }
            Some((Some(before), _)) if self.has(before, member) => return Some(before),
            _ => {}
        }
        let old = self.score_of(fingerprint, member);
        match (old, decide(old)) {
            (None, Some(score)) => {
                self.index.insert(fingerprint, score);
                self.place(member, score);
            }
            (Some(before), Some(score)) if before != score => {
                self.index.replace(fingerprint, before, Some(score));
                self.displace(member, before);
                self.place(member, score);
            }
            _ => {}
        }
        old
    }

    /// Removes `member`; the score it had.
    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let fingerprint = fingerprint(self.secret, member);
        let score = self.score_of(fingerprint, member)?;
        self.index.replace(fingerprint, score, None);
        self.displace(member, score);
        Some(score)
    }

    /// Removes the members at these positions.
    pub(super) fn remove_range(&mut self, positions: Range<usize>) {
        if positions.len() == self.len() {
            *self = BigZSet { members: Tree::default(), index: Index::default(), secret: self.secret };
            return;
        }
        let (index, secret) = (&mut self.index, self.secret);
        each(&self.members, positions.clone(), |score, member| {
            index.replace(fingerprint(secret, member), score, None);
        });
        self.members.remove(positions);
    }

    fn place(&mut self, member: &[u8], score: f64) {
        let done = self
            .members
            .change_found(|bound| bound.order((score, member)).is_le(), |leaf| leaf.add(score, member));
        if done.is_none() {
            let mut leaf = Leaf::default();
            leaf.push(score, member);
            self.members.push_back(leaf);
        }
    }

    /// Takes `member` with this score out of the tree; whether it was there.
    fn displace(&mut self, member: &[u8], score: f64) -> bool {
        let change = |leaf: &mut Leaf| {
            let found = leaf.find((score, member));
            found.into_iter().for_each(|i| leaf.remove_at(i));
            found.is_some()
        };
        self.members.change_found(|bound| bound.order((score, member)).is_le(), change).unwrap_or(false)
    }

    /// See [`super::ZSet::scan`]. ScoredMembers come in the order of their fingerprints, which a new score does not change.
    /// The index gives the scores to look at; in the members that have them, those of the wanted fingerprints are found.
    pub(super) fn scan<'e>(&'e self, cursor: u64, count: usize, mut visit: impl FnMut(Scored<'e>)) -> u64 {
        let Ok(from) = u32::try_from(cursor) else { return 0 };
        // By the score's bits: where its members are.
        let mut runs: BTreeMap<u64, Range<usize>> = BTreeMap::new();
        let (mut visited, mut effort) = (0, 0);
        let next = self.index.scan(from, |score| {
            visited += 1;
            // 0 and -0 are one score.
            runs.entry((score + 0.0).to_bits()).or_insert_with(|| {
                let run = self.partition(|s, _| s < score)..self.partition(|s, _| s <= score);
                effort += run.len();
                run
            });
            visited >= count && effort <= visited * SCAN_EFFORT
        });
        for run in runs.into_values() {
            each(&self.members, run, |score, member| {
                let fingerprint = fingerprint(self.secret, member);
                if fingerprint >= from && next.is_none_or(|next| fingerprint < next) {
                    visit(Scored { name: Element::Bytes(member), score });
                }
            });
        }
        next.map_or(0, u64::from)
    }
}

/// Visits the members at these positions in order.
fn each<'t>(members: &'t Tree<Leaf>, positions: Range<usize>, mut visit: impl FnMut(f64, &'t [u8])) {
    let Some((mut walk, mut i)) = members.walk_at(positions.start) else { return };
    let mut left = positions.len();
    loop {
        let leaf = walk.leaf();
        let end = tree::Leaf::len(leaf).min(i + left);
        left -= end - i;
        (i..end).map(|i| leaf.get(i)).for_each(|(score, member)| visit(score, member));
        i = 0;
        if left == 0 || walk.forward().is_none() {
            break;
        }
    }
}

/// What the index knows of a member.
#[inline]
fn fingerprint(secret: u64, member: &[u8]) -> u32 {
    hash_bytes(secret, member) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::*;
    use crate::rng::Rng;

    #[test]
    fn members_with_one_fingerprint_are_told_apart() {
        const SECRET: u64 = 5;
        let mut seen: HashMap<u32, String> = HashMap::new();
        let mut alike = Vec::new();
        for i in 0..300_000 {
            let member = i.to_string();
            if let Some(other) = seen.insert(fingerprint(SECRET, member.as_bytes()), member.clone()) {
                alike.extend([other, member]);
            }
        }
        assert!(alike.len() >= 4, "some of so many members have one fingerprint");
        let (mut set, mut model) = (BigZSet::from_sorted(SECRET, [("x", 0.5)]), BTreeMap::new());
        let mut rng = Rng::new(9);
        for _ in 0..5000 {
            let member = &alike[rng.below(alike.len() as u64) as usize];
            let score = rng.below(3) as f64;
            match rng.below(4) {
                0 => assert_eq!(set.remove(member.as_bytes()), model.remove(member)),
                1 => assert_eq!(set.update(member.as_bytes(), |_| None), model.get(member).copied()),
                _ => {
                    let old = set.update(member.as_bytes(), |_| Some(score));
                    assert_eq!(old, model.insert(member, score));
                }
            }
            assert_eq!(set.len(), model.len() + 1);
            assert_eq!(set.score(member.as_bytes()), model.get(member).copied());
        }
    }
}
