//! The table of one database in one stripe: extendible hashing over segments.
//!
//! A directory of 2^depth places, indexed by the hash bits after the stripe's, names the segment of each
//! prefix. A segment that is full splits alone, and only when its prefix is as long as the directory's does the
//! directory double: nothing else ever moves (Fagin, Nievergelt, Pippenger, Strong: "Extendible hashing - a
//! fast access method for dynamic files", 1979). Read in order, directory and segments give all keys in the
//! order of their hashes: that is what [`Table::visit_from`] and a scan's cursor rest on.

use crate::bounds::Earliest;
use crate::cut::{Fate, TableCut};
use crate::entry::{Entry, EntryBox};
use crate::expiry::Expiry;
use crate::key::Key;
use crate::memory::{prefetch, size_class, vec_bytes};
use crate::relocate::{Mover, relocate_vec};
use crate::rng::Rng;
use crate::segment::{NEVER, Place, Segment};
use crate::survey::Overhead;

/// Longest prefix of a segment: a scan's cursor of 48 bits holds prefix and home bucket.
const DEPTH_MAX: u8 = 32;

/// Where an entry is in its table; good until the table changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    segment: u32,
    place: Place,
}

/// One database's keys in one stripe. Invariants: `directory` has 2^`depth` places; a segment whose prefix is `d`
/// bits longer than the stripe's stands in 2^(depth - d) neighbouring places; `len` counts entries, `timed` hashes whose
/// fields have deadlines, and `volatile` entries with a deadline, whose sum is `deadlines_sum`; `earliest` has each segment's lower bound of its deadlines.
#[derive(Debug)]
pub(crate) struct Table {
    directory: Vec<u32>,
    segments: Vec<Segment>,
    /// Bits of the hash that name the stripe.
    stripe_bits: u8,
    /// Bits after these that name the place in the directory.
    depth: u8,
    len: u32,
    timed: u32,
    volatile: u32,
    deadlines_sum: i128,
    earliest: Earliest,
    /// The snapshot cuts that have not passed this table.
    pub(crate) cuts: Vec<TableCut>,
}

impl Table {
    /// An empty table in a stripe whose keys share the first `stripe_bits` bits of their hashes.
    pub(crate) fn new(stripe_bits: u8) -> Table {
        Table {
            directory: vec![0],
            segments: vec![Segment::new(stripe_bits)],
            stripe_bits,
            depth: 0,
            len: 0,
            timed: 0,
            volatile: 0,
            deadlines_sum: 0,
            earliest: Earliest::default(),
            cuts: Vec::new(),
        }
    }

    /// Bits of the hash that name the stripe.
    pub(crate) fn stripe_bits(&self) -> u8 {
        self.stripe_bits
    }

    /// How many entries it has.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// How many of them have a deadline.
    pub(crate) fn volatile(&self) -> u32 {
        self.volatile
    }

    /// How many are hashes whose fields have deadlines, or had.
    pub(crate) fn timed(&self) -> u32 {
        self.timed
    }

    /// The sum of all deadlines.
    pub(crate) fn deadlines_sum(&self) -> i128 {
        self.deadlines_sum
    }

    /// A moment before which nothing expires; `i64::MAX` when nothing ever does.
    #[inline]
    pub(crate) fn next_deadline(&self) -> i64 {
        self.earliest.min()
    }

    #[inline]
    fn segment_of(&self, hash: u64) -> usize {
        // Shifted twice, for a depth of 0 would shift by all 64 bits.
        let place = hash << self.stripe_bits >> (u64::BITS - 1 - u32::from(self.depth)) >> 1;
        self.directory[place as usize] as usize
    }

    /// Finds the entry of `key`, expired or not.
    #[inline]
    pub(crate) fn find(&self, key: Key<'_>) -> Option<Position> {
        let segment = self.segment_of(key.hash);
        self.segments[segment].find(key).map(|place| Position { segment: segment as u32, place })
    }

    /// Finds the entry whose key has this hash, as `hash_of` says.
    pub(crate) fn find_hash(&self, hash: u64, hash_of: impl Fn(&[u8]) -> u64) -> Option<Position> {
        let segment = self.segment_of(hash);
        let place = self.segments[segment].find_where(hash, |entry| hash_of(entry.key()) == hash)?;
        Some(Position { segment: segment as u32, place })
    }

    /// Prefetches the header of the segment of `hash`.
    #[inline]
    pub(crate) fn prefetch_segment(&self, hash: u64) {
        prefetch(&raw const self.segments[self.segment_of(hash)]);
    }

    /// Prefetches the bucket of `hash`.
    #[inline]
    pub(crate) fn prefetch_bucket(&self, hash: u64) {
        self.segments[self.segment_of(hash)].prefetch_bucket(hash);
    }

    /// Prefetches the entry of `hash`, whose bucket was prefetched before.
    #[inline]
    pub(crate) fn prefetch_entry(&self, hash: u64) {
        self.segments[self.segment_of(hash)].prefetch_entry(hash);
    }

    /// The entry at `at`.
    #[inline]
    pub(crate) fn entry(&self, at: Position) -> Entry<'_> {
        self.segments[at.segment as usize].entry(at.place)
    }

    /// Before the entry at `at` changes or goes: the cuts that want it get it. The marks that what then stands in its
    /// place is to have.
    #[inline]
    fn marks_after(&mut self, hash: u64, at: Position, fate: Fate) -> u8 {
        if self.cuts.is_empty() { 0 } else { self.hand_out(hash, at, fate) }
    }

    /// Runs `change` on the entry at `at`, whose key has this hash, deadline included.
    #[inline]
    pub(crate) fn update<R>(
        &mut self,
        hash: u64,
        at: Position,
        fate: Fate,
        change: impl FnOnce(&mut EntryBox) -> R,
    ) -> R {
        let marks = self.marks_after(hash, at, fate);
        let (before, was_timed) = (self.entry(at).deadline_ms(), self.entry(at).is_timed());
        let (result, bound) =
            self.segments[at.segment as usize].update(at.place, keeping_marks(marks, change));
        let (after, is_timed) = (self.entry(at).deadline_ms(), self.entry(at).is_timed());
        self.timed = self.timed + u32::from(is_timed) - u32::from(was_timed);
        if before != after {
            self.count_deadline(before, -1);
            self.count_deadline(after, 1);
        }
        if bound != NEVER {
            self.earliest.lower(at.segment as usize, bound);
        }
        result
    }

    /// Runs `change`, which leaves all deadlines alone, on the entry at `at`, whose key has this hash.
    #[inline]
    pub(crate) fn entry_mut<R>(
        &mut self,
        hash: u64,
        at: Position,
        fate: Fate,
        change: impl FnOnce(&mut EntryBox) -> R,
    ) -> R {
        let marks = self.marks_after(hash, at, fate);
        self.segments[at.segment as usize].entry_mut(at.place, keeping_marks(marks, change))
    }

    /// Notes an access to the entry at `at`; a snapshot has either the old or the new metadata.
    #[inline]
    pub(crate) fn set_access(&mut self, at: Position, access: u32) {
        self.segments[at.segment as usize].entry_mut(at.place, |entry| entry.set_access(access));
    }

    /// Notes which cuts want the entry at `at` no more.
    pub(crate) fn set_marks(&mut self, at: Position, marks: u8) {
        self.segments[at.segment as usize].entry_mut(at.place, |entry| entry.set_cuts(marks));
    }

    /// Runs `relocate`, which moves the entry at `at` in memory and changes nothing of it.
    pub(crate) fn move_entry<R>(&mut self, at: Position, relocate: impl FnOnce(&mut EntryBox) -> R) -> R {
        self.segments[at.segment as usize].entry_mut(at.place, relocate)
    }

    /// Moves the directory and the lists of segments and bounds.
    pub(crate) fn relocate_lists(&mut self, mover: &mut dyn Mover) {
        relocate_vec(&mut self.directory, mover);
        relocate_vec(&mut self.segments, mover);
        self.earliest.relocate(mover);
    }

    /// Moves the buckets of the segment that begins with `hash`, if one does.
    pub(crate) fn relocate_segment(&mut self, hash: u64, mover: &mut dyn Mover) {
        let segment = self.segment_of(hash);
        let segment = &mut self.segments[segment];
        if hash & u64::MAX.checked_shr(u32::from(segment.depth)).unwrap_or(0) == 0 {
            segment.relocate(mover);
        }
    }

    /// Puts `entry`, of the same key and deadline, in the place of the one at `at`, which comes back.
    pub(crate) fn replace_entry(&mut self, at: Position, entry: EntryBox) -> EntryBox {
        self.segments[at.segment as usize].entry_mut(at.place, |old| std::mem::replace(old, entry))
    }

    /// The bytes of the string at `at`, to be changed in place; none when it is an integer. Whoever changes them has
    /// called [`Table::entry_mut`] before.
    pub(crate) fn bytes_mut(&mut self, at: Position) -> &mut [u8] {
        self.segments[at.segment as usize].bytes_mut(at.place)
    }

    fn count_deadline(&mut self, deadline_ms: Option<i64>, by: i32) {
        if let Some(at) = deadline_ms {
            self.volatile = self.volatile.wrapping_add_signed(by);
            self.deadlines_sum += i128::from(at) * i128::from(by);
        }
    }

    /// Puts in an entry whose key is not there; `hash_of` gives the hash of a key.
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        mut entry: EntryBox,
        hash_of: impl Fn(&[u8]) -> u64,
    ) -> Position {
        if !self.cuts.is_empty() {
            entry.set_cuts(self.marks(hash));
        }
        while !self.segments[self.segment_of(hash)].has_room() {
            self.make_room(self.segment_of(hash), hash, &hash_of);
        }
        let segment = self.segment_of(hash);
        let (deadline_ms, moment_ms) = (entry.view().deadline_ms(), entry.view().moment_ms());
        self.timed += u32::from(entry.view().is_timed());
        let place = self.segments[segment].insert(hash, entry);
        self.len += 1;
        self.count_deadline(deadline_ms, 1);
        if moment_ms != NEVER {
            self.earliest.lower(segment, moment_ms);
        }
        Position { segment: segment as u32, place }
    }

    fn make_room(&mut self, segment: usize, hash: u64, hash_of: impl Fn(&[u8]) -> u64) {
        let Some(high) = self.segments[segment].make_room(DEPTH_MAX, hash_of) else {
            return;
        };
        let depth = high.depth - self.stripe_bits;
        if depth > self.depth {
            self.directory = self.directory.iter().flat_map(|&s| [s, s]).collect();
            self.depth = depth;
        }
        // The places of the old prefix, the second half of which now belongs to the new segment.
        let span = 1usize << (self.depth - depth);
        let prefix = (hash << self.stripe_bits >> (u64::BITS - 1 - u32::from(depth)) >> 1) as usize | 1;
        let new = self.segments.len();
        self.directory[prefix * span..(prefix + 1) * span].fill(new as u32);
        self.earliest.set(segment, self.segments[segment].next_deadline());
        self.earliest.set(new, high.next_deadline());
        self.segments.push(high);
    }

    /// Takes out the entry at `at`, whose key has this hash.
    pub(crate) fn remove(&mut self, hash: u64, at: Position, fate: Fate) -> EntryBox {
        self.marks_after(hash, at, fate);
        let entry = self.take_out(at);
        self.shrink(at.segment as usize);
        entry
    }

    fn take_out(&mut self, at: Position) -> EntryBox {
        let entry = self.segments[at.segment as usize].remove(at.place);
        self.len -= 1;
        self.timed -= u32::from(entry.view().is_timed());
        self.count_deadline(entry.view().deadline_ms(), -1);
        entry
    }

    /// Gives memory back after removals.
    fn shrink(&mut self, segment: usize) {
        if self.len == 0 {
            *self = Table::new(self.stripe_bits);
        } else {
            self.segments[segment].shrink();
        }
    }

    /// Takes out entries and fields that are due, until none is left or `budget` is used up: each entry looked at and
    /// each field takes one.
    pub(crate) fn expire(
        &mut self,
        budget: &mut usize,
        hash_of: impl Fn(&[u8]) -> u64,
        expiry: &mut Expiry<'_>,
    ) {
        let now_ms = expiry.now_ms();
        let mut fields = Vec::new();
        while *budget > 0 && self.next_deadline() <= now_ms {
            let Some(segment) = self.earliest.first() else { return };
            let (mut count, mut timed, mut sum) = (0u32, 0u32, 0i128);
            let cuts = &mut self.cuts;
            let mut gone = |entry: EntryBox| {
                count += 1;
                timed += u32::from(entry.view().is_timed());
                sum += i128::from(entry.view().deadline_ms().unwrap_or(0));
                cuts.iter_mut().for_each(|cut| cut.hand_out_begun(entry.view()));
                expiry.key(entry);
            };
            self.segments[segment].expire(now_ms, budget, &mut gone, &mut fields);
            self.len -= count;
            self.timed -= timed;
            self.volatile -= count;
            self.deadlines_sum -= sum;
            let len = self.len;
            for place in fields.drain(..) {
                let at = Position { segment: segment as u32, place };
                self.expire_fields(at, budget, &hash_of, expiry);
            }
            let next = self.segments[segment].next_deadline();
            self.earliest.set(segment, next);
            if count > 0 || self.len < len {
                self.shrink(segment);
            }
        }
    }

    /// Takes out due fields of the hash at `at`, and the hash when it is empty then.
    fn expire_fields(
        &mut self,
        at: Position,
        budget: &mut usize,
        hash_of: impl Fn(&[u8]) -> u64,
        expiry: &mut Expiry<'_>,
    ) {
        let entry = self.entry(at);
        if *budget == 0 {
            return;
        }
        // Like an expired key it is in no snapshot any more.
        if entry.hash().is_ok_and(|hash| hash.at(expiry.now_ms()).is_surely_due()) {
            let entry = self.take_out(at);
            return expiry.all_fields(entry);
        }
        let hash = hash_of(entry.key());
        let (count, gone) =
            self.update(hash, at, Fate::Changes, |entry| (expiry.fields(entry, *budget), entry.is_gone()));
        *budget = budget.saturating_sub(count.max(1));
        if gone {
            let entry = self.take_out(at);
            expiry.emptied(entry);
        }
    }

    /// Visits entries in the order of their hashes, a home bucket at a time, from `hash` on; returns the hash to
    /// go on from, or nothing at the end. `visit` says whether to go on after the bucket.
    pub(crate) fn visit_from<'e>(
        &'e self,
        mut hash: u64,
        mut visit: impl FnMut(Entry<'e>),
        mut more: impl FnMut() -> bool,
    ) -> Option<u64> {
        loop {
            let segment = &self.segments[self.segment_of(hash)];
            segment.home_places(hash).for_each(|place| visit(segment.entry(place)));
            hash = self.next_home(hash)?;
            if !more() {
                return Some(hash);
            }
        }
    }

    /// Where the entries are that are at home in the bucket of `hash`, from `hash` on.
    pub(crate) fn home_places(&self, hash: u64) -> impl Iterator<Item = Position> {
        let segment = self.segment_of(hash);
        let places = self.segments[segment].home_places(hash);
        places.map(move |place| Position { segment: segment as u32, place })
    }

    /// The first hash of the home bucket behind that of `hash`; nothing after the stripe's last.
    pub(crate) fn next_home(&self, hash: u64) -> Option<u64> {
        let stripe = |hash: u64| hash >> (u64::BITS - 1 - u32::from(self.stripe_bits)) >> 1;
        let segment = &self.segments[self.segment_of(hash)];
        segment.next_home(hash).or_else(|| {
            let last = u64::MAX.checked_shr(u32::from(segment.depth)).unwrap_or(0);
            let next = (hash | last).checked_add(1)?;
            (stripe(next) == stripe(hash)).then_some(next)
        })
    }

    /// An entry chosen at random, each as likely as any other; nothing when it has none.
    pub(crate) fn random(&self, rng: &mut Rng) -> Option<Entry<'_>> {
        let mut n = rng.below(u64::from(self.len).max(1)) as usize;
        let segment = self.segments.iter().find(|s| {
            let here = n < s.len();
            n = n.saturating_sub(s.len());
            here
        })?;
        // A segment is rarely less than a quarter full; one that is, is small.
        loop {
            if let Some(entry) = segment.slot_entry(rng.below(segment.slots() as u64) as usize) {
                return Some(entry);
            }
        }
    }

    /// Visits all entries of whole segments, from that of `hash` on, until at least `count` were visited; with `volatile`
    /// only entries that have a deadline.
    pub(crate) fn sample<'e>(
        &'e self,
        hash: u64,
        count: usize,
        volatile: bool,
        mut visit: impl FnMut(Entry<'e>),
    ) {
        let (mut seen, first) = (0, self.segment_of(hash));
        let there = if volatile { self.volatile } else { self.len };
        let count = count.min(there as usize);
        for i in 0..self.segments.len() {
            if seen >= count {
                break;
            }
            let segment = &self.segments[(first + i) % self.segments.len()];
            segment.each(volatile, |entry| {
                if !volatile || entry.deadline_ms().is_some() {
                    seen += 1;
                    visit(entry);
                }
            });
        }
    }

    /// The memory it takes beyond its entries.
    pub(crate) fn overhead(&self) -> Overhead {
        let own_bytes = size_class(size_of::<Table>())
            + vec_bytes::<Segment>(self.segments.capacity())
            + vec_bytes::<u32>(self.directory.capacity());
        let own = Overhead { keys_bytes: own_bytes, deadlines_bytes: self.earliest.allocated_bytes() };
        self.segments.iter().fold(own, |sum, segment| sum + segment.overhead())
    }
}

/// `change`, after which the entry, or what was put in its place, has the marks it is to have.
#[inline]
fn keeping_marks<R>(marks: u8, change: impl FnOnce(&mut EntryBox) -> R) -> impl FnOnce(&mut EntryBox) -> R {
    move |entry| {
        let result = change(entry);
        if marks != 0 {
            entry.set_cuts(marks);
        }
        result
    }
}
