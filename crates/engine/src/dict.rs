//! A dictionary of byte strings that is cheap to clone: big sets and hashes.
//!
//! Extendible hashing, as the keyspace's tables have it (see [`crate::table`]), in two levels: a root leads to chunks,
//! a chunk to segments, and a segment is one page of up to 4 KiB with some hundred elements packed in the order of
//! their hashes. A full segment splits alone; so does a chunk. A clone copies the root and shares the chunks: whoever
//! changes an element afterwards copies its chunk's list of segments and its page, and no more.
//!
//! Read in order, root, chunks and segments give all elements in the order of their hashes, whatever splits and merges
//! happen: on that a scan's cursor rests.

mod directory;
mod iter;
mod record;
mod relocate;
mod segment;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use directory::{Child, Directory};
pub(crate) use iter::Iter;
pub(crate) use record::Item;
use segment::{DEPTH_MAX, FRAGMENT_BITS, NEVER, Segment, fragment};

use crate::collection::hash_bytes;
use crate::rng::Rng;

/// Longest prefix of a segment beyond its chunk's: a chunk has at most 256 segments.
const CHUNK_DEPTH_MAX: u8 = 8;
/// Segments up to which two chunks become one.
const CHUNK_MERGED_MAX: usize = 64;
/// A cursor is the top 48 bits of a hash.
const CURSOR_SHIFT: u32 = u64::BITS - DEPTH_MAX as u32 - FRAGMENT_BITS;

/// A chunk of the segments, with what is known of it without a look inside.
#[derive(Clone, Debug)]
struct Chunk {
    segments: Arc<Directory<Segment>>,
    len: usize,
    /// A moment before which no element expires.
    earliest: i64,
    depth: u8,
}

impl Child for Chunk {
    fn depth(&self) -> u8 {
        self.depth
    }
}

impl Chunk {
    fn new(segments: Directory<Segment>) -> Chunk {
        let len = segments.children().iter().map(Segment::len).sum();
        let earliest = earliest_of(&segments);
        Chunk { len, earliest, depth: segments.skip(), segments: Arc::new(segments) }
    }
}

fn earliest_of(segments: &Directory<Segment>) -> i64 {
    segments.children().iter().map(Segment::earliest).min().unwrap_or(NEVER)
}

/// Keys, each with a value (which may be empty) and perhaps a deadline. Deadlines are only kept here: an element whose
/// deadline has come is there until [`Dict::expire`] or [`Dict::remove`] takes it out.
#[derive(Clone, Debug)]
pub(crate) struct Dict {
    root: Directory<Chunk>,
    /// What keys are hashed with.
    secret: u64,
    len: usize,
    /// Elements with a deadline.
    timed: usize,
    segments: usize,
    /// Memory of pages and what lies apart from them.
    page_bytes: usize,
}

/// Where an element is, or would come.
#[derive(Clone, Copy)]
struct Place {
    chunk: usize,
    segment: usize,
    slot: usize,
}

impl Dict {
    /// An empty one, whose keys are hashed with `secret`.
    pub(crate) fn new(secret: u64) -> Dict {
        let chunk = Chunk::new(Directory::of(0, vec![Segment::new(0)]));
        let root = Directory::of(0, vec![chunk]);
        Dict { root, secret, len: 0, timed: 0, segments: 1, page_bytes: 0 }
    }

    /// How many elements it has.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many of them have a deadline.
    pub(crate) fn timed(&self) -> usize {
        self.timed
    }

    /// Memory it takes, shared or not.
    pub(crate) fn allocated_bytes(&self) -> usize {
        // A place in the directory is 4 bytes, and there are about two for a child.
        let chunks = self.root.children().len() * (size_of::<Chunk>() + size_of::<Directory<Segment>>() + 24);
        self.page_bytes + self.segments * (size_of::<Segment>() + 8) + chunks
    }

    fn hash(&self, key: &[u8]) -> u64 {
        hash_bytes(self.secret, key)
    }

    fn segment(&self, hash: u64) -> &Segment {
        self.root.child(hash).segments.child(hash)
    }

    /// Where `key` is; otherwise, as an error, where it would come.
    fn find(&self, hash: u64, key: &[u8]) -> Result<Place, Place> {
        let chunk = self.root.index(hash);
        let segments = &self.root.children()[chunk].segments;
        let segment = segments.index(hash);
        let found = segments.children()[segment].find(hash, key);
        let place = |slot| Place { chunk, segment, slot };
        found.map(place).map_err(place)
    }

    /// The element of `key`.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Item<'_>> {
        let hash = self.hash(key);
        let segment = self.segment(hash);
        segment.find(hash, key).ok().map(|slot| segment.item(slot))
    }

    /// Whether `key` is there.
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        let hash = self.hash(key);
        self.segment(hash).find(hash, key).is_ok()
    }

    /// Makes `key` have this value and deadline, whatever it had; whether it is new.
    pub(crate) fn insert(&mut self, key: &[u8], value: &[u8], deadline_ms: Option<i64>) -> bool {
        self.put(Item { key, value, deadline_ms }, true)
    }

    /// Puts in `key` with this value and deadline unless it is there; whether it did.
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8], deadline_ms: Option<i64>) -> bool {
        self.put(Item { key, value, deadline_ms }, false)
    }

    fn put(&mut self, item: Item<'_>, replace: bool) -> bool {
        let hash = self.hash(item.key);
        loop {
            let found = self.find(hash, item.key);
            if found.is_ok() && !replace {
                return false;
            }
            let (Ok(at) | Err(at)) = found;
            let segment = &self.root.children()[at.chunk].segments.children()[at.segment];
            if !segment.has_room(item) {
                self.make_room(hash, at);
                continue;
            }
            self.timed += usize::from(item.deadline_ms.is_some());
            if found.is_ok() {
                self.timed -= usize::from(segment.item(at.slot).deadline_ms.is_some());
                self.change(at, |segment| segment.replace(at.slot, item));
            } else {
                self.change(at, |segment| segment.insert(at.slot, hash, item));
                self.root.child_mut(at.chunk).len += 1;
                self.len += 1;
            }
            return found.is_err();
        }
    }

    /// Runs `change` on the segment at `at`, and keeps count of the memory and the earliest deadline.
    fn change<R>(&mut self, at: Place, change: impl FnOnce(&mut Segment) -> R) -> R {
        let chunk = self.root.child_mut(at.chunk);
        let segment = Arc::make_mut(&mut chunk.segments).child_mut(at.segment);
        self.page_bytes -= segment.allocated_bytes();
        let result = change(segment);
        self.page_bytes += segment.allocated_bytes();
        chunk.earliest = chunk.earliest.min(segment.earliest());
        result
    }

    /// Parts the segment at `at`, which has `hash`; or first the chunk, when it has enough of them.
    fn make_room(&mut self, hash: u64, at: Place) {
        let secret = self.secret;
        let chunk = self.root.child_mut(at.chunk);
        let segment = &chunk.segments.children()[at.segment];
        if segment.depth() - chunk.depth == CHUNK_DEPTH_MAX {
            let (low, high) = Directory::clone(&chunk.segments).cut();
            self.root.split(at.chunk, (Chunk::new(low), Chunk::new(high)));
            return;
        }
        let halves = segment.split(|key| hash_bytes(secret, key));
        self.page_bytes -= segment.allocated_bytes();
        self.page_bytes += halves.0.allocated_bytes() + halves.1.allocated_bytes();
        self.segments += 1;
        let segments = Arc::make_mut(&mut chunk.segments);
        segments.split(segments.index(hash), halves);
    }

    /// Gives the element of `key` another deadline, or none; whether it is there.
    pub(crate) fn set_deadline(&mut self, key: &[u8], deadline_ms: Option<i64>) -> bool {
        let hash = self.hash(key);
        let Ok(at) = self.find(hash, key) else { return false };
        if let Some(deadline_ms) = deadline_ms
            && self.change(at, |segment| segment.replace_deadline(at.slot, deadline_ms))
        {
            return true;
        }
        let item = self.root.children()[at.chunk].segments.children()[at.segment].item(at.slot);
        if item.deadline_ms != deadline_ms {
            let value = item.value.to_vec();
            self.insert(key, &value, deadline_ms);
        }
        true
    }

    /// Takes out `key`; whether it was there.
    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        let hash = self.hash(key);
        let Ok(at) = self.find(hash, key) else { return false };
        let item = self.root.children()[at.chunk].segments.children()[at.segment].item(at.slot);
        self.timed -= usize::from(item.deadline_ms.is_some());
        self.change(at, |segment| segment.remove(at.slot));
        self.root.child_mut(at.chunk).len -= 1;
        self.len -= 1;
        self.shrink(hash, at);
        true
    }

    /// Gives memory back after a removal from the segment at `at`, which has `hash`.
    fn shrink(&mut self, hash: u64, at: Place) {
        if self.len == 0 {
            *self = Dict::new(self.secret);
            return;
        }
        let secret = self.secret;
        let chunk = self.root.child_mut(at.chunk);
        let all = chunk.segments.children();
        if let Some(first) = chunk.segments.halves(at.segment, hash)
            && let Some(merged) = all[first].merged(&all[first + 1], |key| hash_bytes(secret, key))
        {
            self.page_bytes -= all[first].allocated_bytes() + all[first + 1].allocated_bytes();
            self.page_bytes += merged.allocated_bytes();
            self.segments -= 1;
            Arc::make_mut(&mut chunk.segments).merge(first, merged);
        }
        self.merge_chunks(hash, at.chunk);
    }

    /// Makes chunk `i`, which has `hash`, and the other half of its prefix one, when both are small.
    fn merge_chunks(&mut self, hash: u64, i: usize) {
        let small = |chunk: &Chunk| chunk.segments.children().len() <= CHUNK_MERGED_MAX / 2;
        let chunks = self.root.children();
        if !small(&chunks[i]) {
            return;
        }
        let Some(first) = self.root.halves(i, hash) else { return };
        let (low, high) = (&chunks[first], &chunks[first + 1]);
        let depth = low.segments.depth().max(high.segments.depth());
        if small(low) && small(high) && depth < CHUNK_DEPTH_MAX {
            let low = Directory::clone(&low.segments);
            self.root.merge(first, Chunk::new(low.join(Directory::clone(&high.segments))));
        }
    }

    /// All elements, in the order of their hashes.
    pub(crate) fn iter(&self) -> Iter<'_> {
        Iter::new(self.root.children())
    }

    /// Visits elements in the order of their hashes from `cursor` on (0 begins), until `more`, asked after each few,
    /// says no; the cursor to go on from, below 2^48, or 0 at the end. An element that is there from the first call to
    /// the last is visited exactly once, whatever else comes and goes.
    pub(crate) fn scan<'d>(
        &'d self,
        cursor: u64,
        mut visit: impl FnMut(Item<'d>),
        mut more: impl FnMut() -> bool,
    ) -> u64 {
        let mut hash = cursor << CURSOR_SHIFT;
        loop {
            let segment = self.segment(hash);
            let depth = u32::from(segment.depth());
            let from = fragment(hash, segment.depth());
            let mut slot = segment.first_slot(from);
            let mut stop = false;
            while slot < segment.len() && !stop {
                let here = segment.fragment(slot);
                let item = segment.item(slot);
                // A merge may have put what was visited behind the same bits as what was not.
                if here > from || self.hash(item.key) >= hash {
                    visit(item);
                }
                slot += 1;
                stop = (slot == segment.len() || segment.fragment(slot) != here) && !more();
            }
            if stop && slot < segment.len() {
                // The first hash behind the bits of the last one visited.
                let unit = u32::from(DEPTH_MAX) - depth;
                let prefix = hash & !(u64::MAX >> depth);
                return (prefix >> CURSOR_SHIFT) + ((u64::from(segment.fragment(slot - 1)) + 1) << unit);
            }
            // The first hash behind the segment's prefix.
            let Some(next) = (hash | u64::MAX >> depth).checked_add(1) else { return 0 };
            hash = next;
            if stop {
                return hash >> CURSOR_SHIFT;
            }
        }
    }

    /// The element before which there are `n` in the order of hashes; nothing when there are no more. Takes O(1) for
    /// each some ten thousand elements.
    pub(crate) fn nth(&self, mut n: usize) -> Option<Item<'_>> {
        let mut skip = |len: usize| {
            let here = n < len;
            n -= if here { 0 } else { len };
            here
        };
        let chunk = self.root.children().iter().find(|chunk| skip(chunk.len))?;
        let segment = chunk.segments.children().iter().find(|segment| skip(segment.len()))?;
        Some(segment.item(n))
    }

    /// An element chosen at random, each as likely as any other; nothing when there is none.
    pub(crate) fn random(&self, rng: &mut Rng) -> Option<Item<'_>> {
        self.nth(rng.below(self.len.max(1) as u64) as usize)
    }

    /// A moment before which no element expires; nothing: none ever does.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        let earliest = self.root.children().iter().map(|chunk| chunk.earliest).min();
        earliest.filter(|&at| at != NEVER)
    }

    /// Takes out elements whose deadline is not after `now_ms`, showing each to `gone` before; at most `max`. How
    /// many. Costs in proportion to what is due.
    pub(crate) fn expire(&mut self, now_ms: i64, max: usize, mut gone: impl FnMut(Item<'_>)) -> usize {
        let mut count = 0;
        while count < max && self.len > 0 {
            let chunks = self.root.children();
            let Some(chunk) = chunks.iter().position(|chunk| chunk.earliest <= now_ms) else { break };
            let segments = chunks[chunk].segments.children();
            let Some(segment) = segments.iter().position(|segment| segment.earliest() <= now_ms) else {
                let earliest = earliest_of(&chunks[chunk].segments);
                self.root.child_mut(chunk).earliest = earliest;
                continue;
            };
            // Any hash of the segment's prefix will do to find its other half.
            let hash = segments[segment].items().next().map(|item| self.hash(item.key));
            let at = Place { chunk, segment, slot: 0 };
            let n = self.change(at, |segment| segment.expire(now_ms, max - count, &mut gone));
            let chunk = self.root.child_mut(chunk);
            chunk.len -= n;
            chunk.earliest = earliest_of(&chunk.segments);
            self.len -= n;
            self.timed -= n;
            count += n;
            hash.into_iter().for_each(|hash| self.shrink(hash, at));
        }
        count
    }
}
