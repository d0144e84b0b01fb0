//! The elements of one hash prefix, packed into one page.
//!
//! A page begins with its slots, 4 bytes each: the 16 bits of the hash behind the prefix, by which they are sorted, and
//! where the element's record begins, counted from the page's end. The records fill it from there. Hashes being spread
//! evenly, an element's slot is found a few steps from where its 16 bits say it should be.

use std::iter::repeat_n;
use std::sync::Arc;

use super::directory::Child;
use super::record::{Item, Layout, part_key_value};
use crate::memory::{ARC_HEAD_BYTES, arc_bytes, size_class};
use crate::relocate::{Mover, relocate_shared, relocate_vec};

/// "No deadline" as a bound.
pub(super) const NEVER: i64 = i64::MAX;
/// Bytes of a slot.
const SLOT: usize = 4;
/// Largest page: 4 KiB with its counters. One that would be larger is split.
const PAGE_BYTES_MAX: usize = 4096 - ARC_HEAD_BYTES;
/// Bytes of slots and records up to which a segment is merged with its other half.
const MERGED_BYTES_MAX: usize = PAGE_BYTES_MAX / 2;
/// Longest prefix of a segment: with the 16 bits behind it, a position is one of 2^48.
pub(super) const DEPTH_MAX: u8 = 32;
/// Bits of a hash in a slot.
pub(super) const FRAGMENT_BITS: u32 = 16;

/// What lies apart from the page.
#[derive(Clone, Debug, Default)]
struct Apart {
    parts: Vec<Arc<[u8]>>,
    /// The memory they take.
    bytes: usize,
}

impl Apart {
    fn push(&mut self, part: Arc<[u8]>) -> u16 {
        self.bytes += part_bytes(&part);
        self.parts.push(part);
        // A record of the page names it, and a page has fewer.
        (self.parts.len() - 1) as u16
    }
}

fn part_bytes(part: &[u8]) -> usize {
    size_class(ARC_HEAD_BYTES + part.len()) + size_of::<Arc<[u8]>>()
}

/// Elements whose hashes share `depth` bits. Invariants: the page's first `len` slots are sorted and name records
/// within its last `used` bytes, of which `dead` belong to no slot; each part is named by one record; no deadline is
/// before `earliest`.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    page: Arc<[u8]>,
    apart: Option<Arc<Apart>>,
    earliest: i64,
    len: u16,
    used: u16,
    dead: u16,
    depth: u8,
}

impl Child for Segment {
    #[inline]
    fn depth(&self) -> u8 {
        self.depth
    }
}

/// The bits of `hash` behind a prefix of `depth` bits.
#[inline]
pub(super) fn fragment(hash: u64, depth: u8) -> u16 {
    (hash << depth >> (u64::BITS - FRAGMENT_BITS)) as u16
}

impl Segment {
    /// An empty one.
    pub(super) fn new(depth: u8) -> Segment {
        Segment { page: Arc::default(), apart: None, earliest: NEVER, len: 0, used: 0, dead: 0, depth }
    }

    /// How many elements it has.
    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// A moment before which no element expires; `i64::MAX`: none ever does.
    pub(super) fn earliest(&self) -> i64 {
        self.earliest
    }

    /// Memory that the page and the parts take.
    pub(super) fn allocated_bytes(&self) -> usize {
        let page = if self.page.is_empty() { 0 } else { size_class(ARC_HEAD_BYTES + self.page.len()) };
        let apart = |apart: &Arc<Apart>| apart.bytes + arc_bytes::<Apart>();
        page + self.apart.as_ref().map_or(0, apart)
    }

    /// Moves the page, and what lies apart from it, where no clone has them too.
    pub(super) fn relocate(&mut self, mover: &mut dyn Mover) {
        relocate_shared(&mut self.page, mover);
        let Some(shared) = &mut self.apart else { return };
        let Some(apart) = Arc::get_mut(shared) else { return };
        relocate_vec(&mut apart.parts, mover);
        apart.parts.iter_mut().for_each(|part| relocate_shared(part, mover));
        if mover.is_sparse(std::ptr::from_ref(apart).cast()) {
            *shared = Arc::new(std::mem::take(apart));
        }
    }

    /// Bytes of slots and records.
    fn live_bytes(&self) -> usize {
        self.len() * SLOT + usize::from(self.used) - usize::from(self.dead)
    }

    #[inline]
    fn slot(&self, i: usize) -> (u16, usize) {
        let bytes = &self.page[i * SLOT..][..SLOT];
        (u16::from_le_bytes([bytes[2], bytes[3]]), usize::from(u16::from_le_bytes([bytes[0], bytes[1]])))
    }

    /// The 16 bits of the element in slot `i`.
    #[inline]
    pub(super) fn fragment(&self, i: usize) -> u16 {
        self.slot(i).0
    }

    /// The page from the record of slot `i` on.
    #[inline]
    fn record(&self, i: usize) -> &[u8] {
        &self.page[self.page.len() - self.slot(i).1..]
    }

    #[inline]
    fn key_value<'d>(&'d self, layout: Layout, record: &'d [u8]) -> (&'d [u8], &'d [u8]) {
        layout.key_value(record).unwrap_or_else(|| self.apart_key_value(layout, record))
    }

    #[cold]
    fn apart_key_value(&self, layout: Layout, record: &[u8]) -> (&[u8], &[u8]) {
        let part = layout.part(record).zip(self.apart.as_ref()).map(|(i, apart)| &apart.parts[i]);
        part_key_value(part.expect("a record that is not whole names a part"))
    }

    /// The element in slot `i`.
    #[inline]
    pub(super) fn item(&self, i: usize) -> Item<'_> {
        let record = self.record(i);
        let layout = Layout::of(record);
        let (key, value) = self.key_value(layout, record);
        Item { key, value, deadline_ms: layout.deadline_ms(record) }
    }

    /// All elements, in the order of their hashes as far as slots know them.
    pub(super) fn items(&self) -> impl Iterator<Item = Item<'_>> {
        (0..self.len()).map(|i| self.item(i))
    }

    /// The first slot whose fragment is not below `fragment`.
    #[inline]
    pub(super) fn first_slot(&self, fragment: u16) -> usize {
        let n = self.len();
        let mut i = (usize::from(fragment) * n) >> FRAGMENT_BITS;
        while i > 0 && self.fragment(i - 1) >= fragment {
            i -= 1;
        }
        while i < n && self.fragment(i) < fragment {
            i += 1;
        }
        i
    }

    /// The slot of `key`; where it would come, when it is not there.
    #[inline]
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Result<usize, usize> {
        let fragment = fragment(hash, self.depth);
        let mut i = self.first_slot(fragment);
        while i < self.len() && self.fragment(i) == fragment {
            let record = self.record(i);
            if self.key_value(Layout::of(record), record).0 == key {
                return Ok(i);
            }
            i += 1;
        }
        Err(i)
    }

    /// Whether `item` fits in beside all there is; one whose elements cannot be parted any more always has room.
    pub(super) fn has_room(&self, item: Item<'_>) -> bool {
        self.live_bytes() + SLOT + item.record_bytes() <= PAGE_BYTES_MAX || self.depth >= DEPTH_MAX
    }

    /// Puts in `item`, which is not there and has room, at slot `i` that [`Segment::find`] gave.
    pub(super) fn insert(&mut self, i: usize, hash: u64, item: Item<'_>) {
        let bytes = item.record_bytes();
        self.reserve(SLOT + bytes);
        let offset = self.write_record(item, bytes);
        let (from, end) = (i * SLOT, self.len() * SLOT);
        let slot = u32::from(fragment(hash, self.depth)) << 16 | u32::from(offset);
        let page = Arc::make_mut(&mut self.page);
        page.copy_within(from..end, from + SLOT);
        page[from..from + SLOT].copy_from_slice(&slot.to_le_bytes());
        self.len += 1;
    }

    /// Puts `item` in the place of the element in slot `i`, whose key it has; it has room.
    pub(super) fn replace(&mut self, i: usize, item: Item<'_>) {
        let bytes = item.record_bytes();
        let old = Layout::of(self.record(i));
        if old.record_bytes() == bytes && !item.is_apart() && old.part_at().is_none() {
            let at = self.page.len() - self.slot(i).1;
            item.write(0, &mut Arc::make_mut(&mut self.page)[at..at + bytes]);
            self.earliest = self.earliest.min(item.deadline_ms.unwrap_or(NEVER));
            return;
        }
        self.reserve(bytes);
        let offset = self.write_record(item, bytes);
        let part = old.part(self.record(i));
        Arc::make_mut(&mut self.page)[i * SLOT..][..2].copy_from_slice(&offset.to_le_bytes());
        self.dead += old.record_bytes() as u16;
        part.into_iter().for_each(|part| self.remove_part(part));
    }

    /// Gives the element in slot `i` another deadline in the place of the one it has; `false` when it has none.
    pub(super) fn replace_deadline(&mut self, i: usize, deadline_ms: i64) -> bool {
        let Some(in_record) = Layout::of(self.record(i)).deadline_at() else { return false };
        let at = self.page.len() - self.slot(i).1 + in_record;
        Arc::make_mut(&mut self.page)[at..at + 8].copy_from_slice(&deadline_ms.to_le_bytes());
        self.earliest = self.earliest.min(deadline_ms);
        true
    }

    /// Writes a record before the others; where it begins. There is room.
    fn write_record(&mut self, item: Item<'_>, bytes: usize) -> u16 {
        let part = if item.is_apart() {
            Arc::make_mut(self.apart.get_or_insert_default()).push(item.part().into())
        } else {
            0
        };
        self.used += bytes as u16;
        let at = self.page.len() - usize::from(self.used);
        item.write(part, &mut Arc::make_mut(&mut self.page)[at..at + bytes]);
        self.earliest = self.earliest.min(item.deadline_ms.unwrap_or(NEVER));
        self.used
    }

    /// Takes out the element in slot `i`.
    pub(super) fn remove(&mut self, i: usize) {
        let record = self.record(i);
        let layout = Layout::of(record);
        let part = layout.part(record);
        self.dead += layout.record_bytes() as u16;
        let end = self.len() * SLOT;
        Arc::make_mut(&mut self.page).copy_within((i + 1) * SLOT..end, i * SLOT);
        self.len -= 1;
        part.into_iter().for_each(|part| self.remove_part(part));
        if page_bytes(self.live_bytes()) * 4 / 3 <= self.page.len() {
            self.rebuild(self.live_bytes());
        }
    }

    /// Lets go of part `i`, which no record names any more; the last one takes its place.
    fn remove_part(&mut self, i: usize) {
        let Some(apart) = &mut self.apart else { return };
        let apart = Arc::make_mut(apart);
        let last = apart.parts.len() - 1;
        apart.bytes -= part_bytes(&apart.parts.swap_remove(i));
        if last == 0 {
            self.apart = None;
        }
        let named = |slot: &usize| Layout::of(self.record(*slot)).part(self.record(*slot)) == Some(last);
        if i < last
            && let Some(slot) = (0..self.len()).find(named)
            && let Some(in_record) = Layout::of(self.record(slot)).part_at()
        {
            let at = self.page.len() - self.slot(slot).1 + in_record;
            Arc::make_mut(&mut self.page)[at..at + 2].copy_from_slice(&(i as u16).to_le_bytes());
        }
    }

    /// Makes room for `more` bytes.
    fn reserve(&mut self, more: usize) {
        if self.len() * SLOT + usize::from(self.used) + more > self.page.len() {
            self.rebuild(self.live_bytes() + more);
        }
    }

    /// Moves everything to a page with room for `bytes`, and nothing between the records.
    fn rebuild(&mut self, bytes: usize) {
        if self.dead > 0 {
            let this = &*self;
            let slots: Vec<Source<'_>> = (0..this.len()).map(|i| (this.fragment(i), this, i)).collect();
            *self = Segment::gather(this.depth, bytes, &slots);
            return;
        }
        let mut page = new_page(bytes);
        if let Some(new) = Arc::get_mut(&mut page) {
            let (slots, used) = (self.len() * SLOT, usize::from(self.used));
            new[..slots].copy_from_slice(&self.page[..slots]);
            let records = new.len() - used;
            new[records..].copy_from_slice(&self.page[self.page.len() - used..]);
        }
        self.page = page;
    }

    /// A segment of the elements in `sources`, sorted by fragment, with room for `bytes`.
    fn gather(depth: u8, bytes: usize, sources: &[Source<'_>]) -> Segment {
        let mut new = Segment { page: new_page(bytes), ..Segment::new(depth) };
        let Some(page) = Arc::get_mut(&mut new.page) else { return new };
        let mut apart = Apart::default();
        let mut used = 0;
        for (slot, &(fragment, source, i)) in page_slots(sources) {
            let record = source.record(i);
            let layout = Layout::of(record);
            let record = &record[..layout.record_bytes()];
            used += record.len();
            let at = page.len() - used;
            page[at..at + record.len()].copy_from_slice(record);
            if let Some((part, old)) = layout.part(record).zip(source.apart.as_ref()) {
                let part = apart.push(Arc::clone(&old.parts[part]));
                let at = at + record.len() - 2;
                page[at..at + 2].copy_from_slice(&part.to_le_bytes());
            }
            let bits = u32::from(fragment) << 16 | used as u32;
            page[slot..slot + SLOT].copy_from_slice(&bits.to_le_bytes());
            if source.earliest != NEVER {
                new.earliest = new.earliest.min(layout.deadline_ms(record).unwrap_or(NEVER));
            }
        }
        new.apart = (!apart.parts.is_empty()).then(|| Arc::new(apart));
        (new.len, new.used) = (sources.len() as u16, used as u16);
        new
    }

    /// Its two halves; `hash_of` gives the hash of a key.
    pub(super) fn split(&self, hash_of: impl Fn(&[u8]) -> u64) -> (Segment, Segment) {
        let depth = self.depth + 1;
        let (mut low, mut high) = (Vec::with_capacity(self.len()), Vec::with_capacity(self.len()));
        for i in 0..self.len() {
            let hash = hash_of(self.item(i).key);
            let side = if self.fragment(i) >> (FRAGMENT_BITS - 1) == 0 { &mut low } else { &mut high };
            side.push((fragment(hash, depth), self, i));
        }
        (Segment::sorted(depth, low), Segment::sorted(depth, high))
    }

    /// What this and `high`, the other half of a prefix, make together; nothing when that is too much for one.
    pub(super) fn merged(&self, high: &Segment, hash_of: impl Fn(&[u8]) -> u64) -> Option<Segment> {
        if self.live_bytes() + high.live_bytes() > MERGED_BYTES_MAX {
            return None;
        }
        let depth = self.depth - 1;
        let both = [self, high].into_iter().flat_map(|half| (0..half.len()).map(move |i| (half, i)));
        let sources = both.map(|(half, i)| (fragment(hash_of(half.item(i).key), depth), half, i));
        Some(Segment::sorted(depth, sources.collect()))
    }

    fn sorted(depth: u8, mut sources: Vec<Source<'_>>) -> Segment {
        sources.sort_by_key(|source| source.0);
        let bytes = sources.iter().map(|(_, s, i)| SLOT + Layout::of(s.record(*i)).record_bytes()).sum();
        Segment::gather(depth, bytes, &sources)
    }

    /// Takes out the elements whose deadline is not after `now_ms`, after showing them to `gone`; at most `max` of
    /// them. How many, and `earliest` is what it says again.
    pub(super) fn expire(&mut self, now_ms: i64, max: usize, mut gone: impl FnMut(Item<'_>)) -> usize {
        let (mut i, mut count, mut earliest) = (0, 0, NEVER);
        while i < self.len() {
            let item = self.item(i);
            let deadline_ms = item.deadline_ms.unwrap_or(NEVER);
            if deadline_ms <= now_ms && count < max {
                gone(item);
                self.remove(i);
                count += 1;
            } else {
                earliest = earliest.min(deadline_ms);
                i += 1;
            }
        }
        self.earliest = earliest;
        count
    }
}

/// An element to be copied: its new fragment, and where it is.
type Source<'d> = (u16, &'d Segment, usize);

/// Where each slot of a page lies.
fn page_slots<'s, 'd>(sources: &'s [Source<'d>]) -> impl Iterator<Item = (usize, &'s Source<'d>)> {
    (0..).step_by(SLOT).zip(sources)
}

/// The size of a page for `bytes`: its allocation wastes nothing.
fn page_bytes(bytes: usize) -> usize {
    size_class(ARC_HEAD_BYTES + bytes) - ARC_HEAD_BYTES
}

fn new_page(bytes: usize) -> Arc<[u8]> {
    repeat_n(0, page_bytes(bytes)).collect()
}
