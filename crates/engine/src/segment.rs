//! A segment: the entries whose hashes share a prefix, in buckets of one cache line.
//!
//! A bucket has eight slots. An entry's home is the bucket that the hash bits after the prefix point to, so
//! that buckets, too, are in the order of hashes; when its home is full it goes into the next bucket with
//! room (round at the end). A look-up walks from the home to the first bucket with an empty slot. Removing
//! from a full bucket leaves a tombstone, for probes may have passed it; rebuilding the segment clears them.
//!
//! A slot's tag is a window of 16 bits of the hash that begins at or up to three bits before the end of the
//! prefix. So a tag tells the home in a segment of any size, and a segment grows, and mostly splits, without a
//! look at its entries, each of which would be a cache miss. Each fourth split moves the window on.
//!
//! Each bucket has a lower bound of its entries' deadlines, made once an entry with a deadline arrives.

use crate::entry::{Entry, EntryBox};
use crate::key::Key;
use crate::memory::{matching_tags, prefetch, vec_bytes};
use crate::relocate::Mover;
use crate::slot::Slot;
use crate::survey::Overhead;

/// Slots in a bucket.
pub(crate) const SLOTS: usize = 8;
/// "No deadline" as a bound.
pub(crate) const NEVER: i64 = i64::MAX;
/// Entries and tombstones a segment has at most, as a fraction of its buckets: 29 slots in 32. With more, memory
/// gains less than a look-up for an absent key loses, which walks on until it meets an empty slot.
const FILL_MAX: (usize, usize) = (29, 4);
/// Bits of a tag.
const TAG_BITS: u32 = 16;
/// The window moves on by this many bits.
const WINDOW_STEP: u8 = 4;
/// Buckets whose entries are fetched ahead of a visit.
const BUCKETS_AHEAD: usize = 3;
/// Buckets at which a segment splits rather than grows, while prefixes may get longer.
const BUCKETS_SPLIT: usize = 56;

#[repr(align(64))]
#[derive(Debug)]
struct Bucket([Slot; SLOTS]);

impl Bucket {
    const EMPTY: Bucket = Bucket([const { Slot::EMPTY }; SLOTS]);

    /// The slots whose tag is `tag`, one bit each.
    #[inline]
    fn matches(&self, tag: u16) -> u32 {
        matching_tags(std::array::from_fn(|i| self.0[i].bits()), tag)
    }

    #[inline]
    fn has_empty(&self) -> bool {
        self.0.iter().any(Slot::is_empty)
    }
}

/// Where an entry is in its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    bucket: u32,
    slot: u32,
}

/// The entries of one hash prefix. Invariants: `live` slots hold entries and `dead` are tombstones; at least
/// three slots in 32 are empty; with `bounds` not empty, `bounds[b]` is at most the earliest deadline in bucket
/// `b`, and without any, no entry has a deadline.
#[derive(Debug)]
pub(crate) struct Segment {
    buckets: Box<[Bucket]>,
    bounds: Box<[i64]>,
    /// Bits of the hash, from the top, that all entries share.
    pub(crate) depth: u8,
    live: u32,
    dead: u32,
}

/// Where the window of a segment of `depth` begins, in bits from the hash's top.
#[inline]
fn window(depth: u8) -> u32 {
    u32::from(depth - depth % WINDOW_STEP)
}

/// The bits of `hash` in the window of a segment of `depth`.
#[inline]
fn window_bits(hash: u64, depth: u8) -> u16 {
    (hash >> (u64::BITS - TAG_BITS - window(depth))) as u16
}

/// The tag of `hash` in a segment of `depth`. Zero says "no entry", so one stands for it: both have one home.
#[inline]
fn tag(hash: u64, depth: u8) -> u16 {
    window_bits(hash, depth).max(1)
}

impl Segment {
    /// An empty segment of `depth`.
    pub(crate) fn new(depth: u8) -> Segment {
        Segment::with_buckets(depth, 1)
    }

    fn with_buckets(depth: u8, buckets: usize) -> Segment {
        let buckets = (0..buckets).map(|_| Bucket::EMPTY).collect();
        Segment { buckets, bounds: Box::default(), depth, live: 0, dead: 0 }
    }

    /// How many entries it has.
    pub(crate) fn len(&self) -> usize {
        self.live as usize
    }

    /// The home bucket of an entry with this tag: its bits behind the prefix, scaled to the buckets.
    #[inline]
    fn home(&self, tag: u16) -> usize {
        let behind = u32::from(tag << (self.depth % WINDOW_STEP));
        ((u64::from(behind) * self.buckets.len() as u64) >> TAG_BITS) as usize
    }

    #[inline]
    fn next(&self, bucket: usize) -> usize {
        if bucket + 1 == self.buckets.len() { 0 } else { bucket + 1 }
    }

    /// Finds the entry of `key`, expired or not.
    #[inline]
    pub(crate) fn find(&self, key: Key<'_>) -> Option<Place> {
        self.find_where(key.hash, |entry| entry.key() == key.bytes)
    }

    /// Finds the entry with the hash `hash` that `is_it` says it is.
    #[inline]
    pub(crate) fn find_where(&self, hash: u64, is_it: impl Fn(Entry<'_>) -> bool) -> Option<Place> {
        let tag = tag(hash, self.depth);
        let mut b = self.home(tag);
        for _ in 0..self.buckets.len() {
            let bucket = &self.buckets[b];
            let mut matches = bucket.matches(tag);
            while matches != 0 {
                let slot = matches.trailing_zeros();
                if bucket.0[slot as usize].get().is_some_and(&is_it) {
                    return Some(Place { bucket: b as u32, slot });
                }
                matches &= matches - 1;
            }
            if bucket.has_empty() {
                return None;
            }
            b = self.next(b);
        }
        None
    }

    /// Prefetches the bucket where `hash` is at home, and the next, where a look-up often goes on.
    #[inline]
    pub(crate) fn prefetch_bucket(&self, hash: u64) {
        let home = self.home(tag(hash, self.depth));
        prefetch(&raw const self.buckets[home]);
        prefetch(&raw const self.buckets[self.next(home)]);
    }

    /// Prefetches the entries that may be the one of `hash`; the bucket should be in the cache already.
    #[inline]
    pub(crate) fn prefetch_entry(&self, hash: u64) {
        let tag = tag(hash, self.depth);
        let bucket = &self.buckets[self.home(tag)];
        let matches = bucket.matches(tag);
        if let Some(entry) = bucket.0.get(matches.trailing_zeros() as usize).and_then(Slot::get) {
            let at = entry.address();
            prefetch(at);
            prefetch(at.wrapping_add(64));
        }
    }

    /// The entry at `place`.
    ///
    /// # Panics
    /// Panics when `place` does not come from [`Segment::find`] on this segment as it is.
    #[inline]
    pub(crate) fn entry(&self, place: Place) -> Entry<'_> {
        self.slot(place).get().expect("a place holds an entry")
    }

    fn slot(&self, place: Place) -> &Slot {
        &self.buckets[place.bucket as usize].0[place.slot as usize]
    }

    /// Runs `change` on the entry at `place` and keeps the deadlines' bound; the bucket's bound after it.
    #[inline]
    pub(crate) fn update<R>(&mut self, place: Place, change: impl FnOnce(&mut EntryBox) -> R) -> (R, i64) {
        let slot = &mut self.buckets[place.bucket as usize].0[place.slot as usize];
        let result = slot.update(change).expect("a place holds an entry");
        let moment_ms = slot.get().map_or(NEVER, Entry::moment_ms);
        (result, if moment_ms == NEVER { NEVER } else { self.lower_bound(place.bucket as usize, moment_ms) })
    }

    /// The entry at `place`, to be changed in ways that leave its deadline alone.
    #[inline]
    pub(crate) fn entry_mut<R>(&mut self, place: Place, change: impl FnOnce(&mut EntryBox) -> R) -> R {
        let slot = &mut self.buckets[place.bucket as usize].0[place.slot as usize];
        slot.update(change).expect("a place holds an entry")
    }

    /// The bytes of the string at `place`, to be changed in place; none when it is an integer.
    pub(crate) fn bytes_mut(&mut self, place: Place) -> &mut [u8] {
        self.buckets[place.bucket as usize].0[place.slot as usize].bytes_mut().unwrap_or_default()
    }

    fn lower_bound(&mut self, bucket: usize, deadline_ms: i64) -> i64 {
        if self.bounds.is_empty() {
            self.bounds = vec![NEVER; self.buckets.len()].into();
        }
        let bound = &mut self.bounds[bucket];
        *bound = deadline_ms.min(*bound);
        *bound
    }

    /// Whether another entry fits: some slots stay empty, so that probes end soon.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        (self.live + self.dead + 1) as usize <= self.buckets.len() * FILL_MAX.0 / FILL_MAX.1
    }

    /// Puts in an entry whose key is not there; the segment must have room. Returns the place.
    #[inline]
    pub(crate) fn insert(&mut self, hash: u64, entry: EntryBox) -> Place {
        let bound = entry.view().moment_ms();
        self.place(tag(hash, self.depth), entry, bound)
    }

    /// [`Segment::insert`] by the tag, with a lower bound of the entry's deadline.
    #[inline]
    fn place(&mut self, tag: u16, entry: EntryBox, bound: i64) -> Place {
        let mut b = self.home(tag);
        let (slot, was_empty) = loop {
            let slots = &self.buckets[b].0;
            if let Some(i) = slots.iter().position(|s| s.get().is_none()) {
                break (i, slots[i].is_empty());
            }
            b = self.next(b);
        };
        self.buckets[b].0[slot] = Slot::new(entry, tag);
        self.live += 1;
        self.dead -= u32::from(!was_empty);
        if bound != NEVER {
            self.lower_bound(b, bound);
        }
        Place { bucket: b as u32, slot: slot as u32 }
    }

    /// Takes out the entry at `place`.
    pub(crate) fn remove(&mut self, place: Place) -> EntryBox {
        let bucket = &mut self.buckets[place.bucket as usize];
        let instead = if bucket.has_empty() { Slot::EMPTY } else { Slot::TOMB };
        self.dead += u32::from(!instead.is_empty());
        self.live -= 1;
        bucket.0[place.slot as usize].take(instead).expect("a place holds an entry")
    }

    /// The least number of buckets for `live` entries, in steps of a quarter of a doubling at most.
    fn buckets_for(live: usize) -> usize {
        let least = (live * FILL_MAX.1).div_ceil(FILL_MAX.0).max(1);
        if least <= 8 {
            return least;
        }
        let step = 1usize << (least.ilog2() - 2);
        least.div_ceil(step) * step
    }

    /// Makes room for one more entry: by growing, or, when it is large already and `depth_max` allows it, by
    /// splitting; then the second half is returned, and this is the first.
    pub(crate) fn make_room(&mut self, depth_max: u8, hash_of: impl Fn(&[u8]) -> u64) -> Option<Segment> {
        let buckets = Segment::buckets_for(self.len() + 1 + self.len() / 32);
        if buckets <= BUCKETS_SPLIT || self.depth >= depth_max {
            self.rebuild(buckets);
            return None;
        }
        let depth = self.depth + 1;
        let moves_on = window(depth) != window(self.depth);
        let bit = 1u16 << (TAG_BITS - 1 - u32::from(self.depth % WINDOW_STEP));
        let half = Segment::buckets_for(self.len() / 2 + self.len() / 16);
        let mut low = Segment::with_buckets(depth, half);
        let mut high = Segment::with_buckets(depth, half);
        if moves_on {
            self.prefetch_entries();
        }
        for (old_tag, entry, bound) in self.drain() {
            let side = if old_tag & bit == 0 { &mut low } else { &mut high };
            if !side.has_room() {
                side.rebuild(Segment::buckets_for(side.len() + 1 + side.len() / 8));
            }
            let tag = if moves_on { tag(hash_of(entry.view().key()), depth) } else { old_tag };
            side.place(tag, entry, bound);
        }
        *self = low;
        Some(high)
    }

    /// Gives memory back when it has become much too large.
    pub(crate) fn shrink(&mut self) {
        let wanted = Segment::buckets_for(self.len() + self.len() / 8);
        if self.buckets.len() > 2 * wanted {
            self.rebuild(wanted);
        }
    }

    fn rebuild(&mut self, buckets: usize) {
        let mut new = Segment::with_buckets(self.depth, buckets);
        for (tag, entry, bound) in self.drain() {
            new.place(tag, entry, bound);
        }
        *self = new;
    }

    /// Moves the buckets and bounds, not the entries.
    pub(crate) fn relocate(&mut self, mover: &mut dyn Mover) {
        if mover.is_sparse(self.buckets.as_ptr().cast()) {
            let buckets = self.buckets.iter_mut();
            self.buckets = buckets.map(|bucket| std::mem::replace(bucket, Bucket::EMPTY)).collect();
        }
        if !self.bounds.is_empty() && mover.is_sparse(self.bounds.as_ptr().cast()) {
            self.bounds = self.bounds.clone();
        }
    }

    fn prefetch_entries(&self) {
        self.buckets.iter().flat_map(|b| &b.0).filter_map(Slot::get).for_each(|e| prefetch(e.address()));
    }

    /// Takes all entries out, each with its tag and the lower bound of its deadline that its bucket had.
    fn drain(&mut self) -> impl Iterator<Item = (u16, EntryBox, i64)> {
        (self.live, self.dead) = (0, 0);
        let (buckets, bounds) = (&mut self.buckets, &self.bounds);
        (0..buckets.len() * SLOTS).filter_map(move |i| {
            let slot = &mut buckets[i / SLOTS].0[i % SLOTS];
            let (tag, bound) = (slot.tag(), bounds.get(i / SLOTS).copied().unwrap_or(NEVER));
            slot.take(Slot::EMPTY).map(|entry| (tag, entry, bound))
        })
    }

    /// The earliest of all bounds.
    pub(crate) fn next_deadline(&self) -> i64 {
        self.bounds.iter().copied().min().unwrap_or(NEVER)
    }

    /// Takes out entries whose deadline is not after `now_ms` and hands them to `gone`, until `budget` is used
    /// up: each entry looked at takes one. Where other entries with fields that may be due are goes to `fields`; their
    /// buckets are looked at again next time.
    pub(crate) fn expire(
        &mut self,
        now_ms: i64,
        budget: &mut usize,
        gone: &mut impl FnMut(EntryBox),
        fields: &mut Vec<Place>,
    ) {
        for b in 0..self.bounds.len() {
            if self.bounds[b] > now_ms {
                continue;
            }
            if *budget == 0 {
                return;
            }
            *budget = budget.saturating_sub(SLOTS);
            self.buckets[b].0.iter().filter_map(Slot::get).for_each(|e| prefetch(e.address()));
            let mut bound = NEVER;
            for slot in 0..SLOTS {
                let Some(entry) = self.buckets[b].0[slot].get() else { continue };
                let (moment_ms, place) = (entry.moment_ms(), Place { bucket: b as u32, slot: slot as u32 });
                if moment_ms > now_ms {
                    bound = bound.min(moment_ms);
                } else if entry.deadline_ms().is_some_and(|at| at <= now_ms) {
                    gone(self.remove(place));
                } else {
                    bound = bound.min(moment_ms);
                    fields.push(place);
                }
            }
            self.bounds[b] = bound;
        }
    }

    /// Where the entries are whose home is the bucket of `hash` and whose hash is not below it, as far as a window
    /// tells.
    pub(crate) fn home_places(&self, hash: u64) -> impl Iterator<Item = Place> {
        let from = window_bits(hash, self.depth);
        let home = self.home(from);
        let mut b = Some(home);
        let chain = std::iter::from_fn(move || {
            let bucket = b?;
            let next = self.next(bucket);
            b = (!self.buckets[bucket].has_empty() && next != home).then_some(next);
            Some(bucket)
        });
        chain.flat_map(move |bucket| {
            let slots = self.buckets[bucket].0.iter().enumerate();
            let at_home =
                move |slot: &Slot| slot.tag() >= from && slot.tag() > 0 && self.home(slot.tag()) == home;
            slots
                .filter(move |(_, slot)| at_home(slot))
                .map(move |(slot, _)| Place { bucket: bucket as u32, slot: slot as u32 })
        })
    }

    /// The first hash of the home bucket behind that of `hash`; nothing after the last.
    pub(crate) fn next_home(&self, hash: u64) -> Option<u64> {
        let next = self.home(window_bits(hash, self.depth)) as u64 + 1;
        (next < self.buckets.len() as u64).then(|| {
            // The least bits that a tag can have and that are at home there.
            let least = (next << TAG_BITS).div_ceil(self.buckets.len() as u64);
            let behind = least.next_multiple_of(1 << (self.depth % WINDOW_STEP));
            let shift = u64::BITS - TAG_BITS - u32::from(self.depth);
            // The prefix, without the bits behind it; shifted twice, for it may be empty.
            let prefix = hash >> (shift + TAG_BITS - 1) >> 1 << 1 << (shift + TAG_BITS - 1);
            prefix | behind << shift
        })
    }

    /// Visits every entry; with `volatile` only those in buckets where some may have a deadline. The memory's latency is
    /// waited for once a few buckets.
    pub(crate) fn each<'e>(&'e self, volatile: bool, mut visit: impl FnMut(Entry<'e>)) {
        let wanted = |b: usize| !volatile || self.bounds.get(b).is_some_and(|&bound| bound != NEVER);
        let entries = |b: usize| self.buckets[b].0.iter().filter_map(Slot::get);
        let ahead = |b: usize| entries(b).for_each(|entry| prefetch(entry.address()));
        let mut fetched = (0..self.buckets.len()).filter(|&b| wanted(b));
        fetched.by_ref().take(BUCKETS_AHEAD).for_each(ahead);
        for b in (0..self.buckets.len()).filter(|&b| wanted(b)) {
            fetched.next().map(ahead);
            entries(b).for_each(&mut visit);
        }
    }

    /// The entry in slot number `n` of all, if one is there; for choosing at random.
    pub(crate) fn slot_entry(&self, n: usize) -> Option<Entry<'_>> {
        self.buckets[n / SLOTS].0[n % SLOTS].get()
    }

    /// How many slots it has.
    pub(crate) fn slots(&self) -> usize {
        self.buckets.len() * SLOTS
    }

    /// The memory that its buckets and bounds take.
    pub(crate) fn overhead(&self) -> Overhead {
        Overhead {
            keys_bytes: vec_bytes::<Bucket>(self.buckets.len()),
            deadlines_bytes: vec_bytes::<i64>(self.bounds.len()),
        }
    }
}
