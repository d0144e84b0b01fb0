//! A list in its entry, to be changed.

use std::ops::Range;

use smallvec::SmallVec;

use super::fill::{Fill, Share};
use super::{BigList, End, LISTPACK, List, QUICKLIST};
use crate::collection::{Big, CollectionMut};
use crate::listpack::{FRAME_BYTES, element_bytes};
use crate::packed::{self, Element, HEADER_BYTES, PACKED_BYTES_MAX, PACKED_ELEMENTS_MAX, Packed};

/// Bytes that an element's form in a listpack or in a packed run has beyond its own, at most.
const OVERHEAD_BYTES_MAX: usize = 10;

/// A list, to be changed.
#[derive(Debug)]
pub struct ListMut<'e> {
    collection: CollectionMut<'e>,
}

impl<'e> ListMut<'e> {
    pub(crate) fn new(collection: CollectionMut<'e>) -> ListMut<'e> {
        ListMut { collection }
    }

    /// The list as it is now.
    #[inline]
    pub fn list(&self) -> List<'_> {
        List::new(self.collection.body())
    }

    fn fill(&self) -> Fill {
        Fill::new(self.collection.limits.list_max_listpack_size)
    }

    fn big(&mut self) -> Option<&mut BigList> {
        match self.collection.big_mut() {
            Some(Big::List(big)) => Some(big),
            _ => None,
        }
    }

    /// Tells it as `quicklist` from now on, if so many more elements and bytes are too much for a `listpack`: as Redis
    /// does before it adds them, or would add them.
    pub fn make_room(&mut self, elements: usize, bytes: usize) {
        if self.collection.stage() != LISTPACK || !self.is_exceeded_by(elements, bytes) {
            return;
        }
        let fill = Some(self.fill());
        match self.big() {
            Some(big) => big.set_fill(fill),
            None => self.grow(fill),
        }
        self.collection.set_stage(QUICKLIST);
    }

    fn is_exceeded_by(&mut self, elements: usize, bytes: usize) -> bool {
        let fill = self.fill();
        let len = self.list().len() + elements;
        if let Some(big) = self.big() {
            return fill.is_exceeded(big.listpack_size() + bytes, len);
        }
        let Some(run) = self.collection.packed() else { return false };
        // Mostly far below: then the elements need not be counted one by one.
        let at_most = FRAME_BYTES + run.end() + run.len() * OVERHEAD_BYTES_MAX;
        fill.is_exceeded(at_most + bytes, len) && {
            let elements: usize = run.iter().map(|(_, element)| element_bytes(element)).sum();
            fill.is_exceeded(FRAME_BYTES + elements + bytes, len)
        }
    }

    /// Makes a packed list a large one.
    fn grow(&mut self, fill: Option<Fill>) {
        let big = self.collection.packed().map(|run| BigList::of_packed(run, fill));
        big.into_iter().for_each(|big| self.collection.set_big(Big::List(big)));
    }

    /// Whether so many more elements and bytes go into the packed run; makes the list a large one when not.
    fn stays_packed(&mut self, elements: usize, bytes: usize) -> bool {
        let Some(run) = self.collection.packed() else { return false };
        let bytes = run.end() + bytes + elements * OVERHEAD_BYTES_MAX;
        let stays = run.len() + elements <= PACKED_ELEMENTS_MAX && bytes <= PACKED_BYTES_MAX;
        if !stays {
            self.grow(None);
        }
        stays
    }

    /// Adds elements at one end, one after the other: at the front the last one becomes the first.
    pub fn push<'x>(&mut self, end: End, elements: impl DoubleEndedIterator<Item = &'x [u8]> + Clone) {
        let (count, bytes) = elements.clone().fold((0, 0), |(n, bytes), e| (n + 1, bytes + e.len()));
        self.make_room(count, bytes);
        if self.stays_packed(count, bytes) {
            let mut run: SmallVec<[u8; 256]> = SmallVec::new();
            let at = match end {
                End::Front => {
                    elements.rev().for_each(|element| packed::push(&mut run, element));
                    HEADER_BYTES
                }
                End::Back => {
                    elements.for_each(|element| packed::push(&mut run, element));
                    self.collection.packed().map_or(HEADER_BYTES, Packed::end)
                }
            };
            self.collection.splice(at..at, &run, count as isize);
        } else if let Some(big) = self.big() {
            elements.for_each(|element| big.push(end, element));
        }
    }

    /// Puts an element beside the one at `pivot`, which must be there: before it, or, with `after`, behind it.
    pub fn insert(&mut self, pivot: usize, after: bool, element: &[u8]) {
        self.make_room(1, element.len());
        if self.stays_packed(1, element.len()) {
            let mut run: SmallVec<[u8; 256]> = SmallVec::new();
            packed::push(&mut run, element);
            let position = pivot + usize::from(after);
            let at = self.collection.packed().map_or(HEADER_BYTES, |run| run.offset_of(position));
            self.collection.splice(at..at, &run, 1);
        } else if let Some(big) = self.big() {
            big.insert(pivot, after, element);
        }
    }

    /// Puts an element in the place of the one at `position`, which must be there.
    pub fn set(&mut self, position: usize, element: &[u8]) {
        self.make_room(1, element.len());
        if self.stays_packed(0, element.len() + OVERHEAD_BYTES_MAX) {
            let mut run: SmallVec<[u8; 256]> = SmallVec::new();
            packed::push(&mut run, element);
            self.collection.splice(self.offsets(position..position + 1), &run, 0);
        } else if let Some(big) = self.big() {
            big.set(position, element);
        }
        self.shrink();
    }

    /// Removes `count` elements at one end, or all there are.
    #[inline]
    pub fn pop(&mut self, end: End, count: usize) {
        let len = self.list().len();
        let count = count.min(len);
        match end {
            End::Front => self.remove(0..count),
            End::Back => self.remove(len - count..len),
        }
    }

    /// Moves the element at one end, whose bytes are `element`, to the other or back to where it was.
    pub fn rotate(&mut self, from: End, to: End, element: &[u8]) {
        let last = self.list().len() - 1;
        let position = if from == End::Front { 0 } else { last };
        // Its name may change in the end only, as in Redis.
        self.remove_range(position..position + 1);
        self.push(to, std::iter::once(element));
        self.shrink();
    }

    /// Keeps the elements at these positions, as far as they are there, and removes the others.
    pub fn keep(&mut self, range: Range<usize>) {
        self.remove_range(range.end.max(range.start)..usize::MAX);
        self.remove(0..range.start);
    }

    fn remove(&mut self, range: Range<usize>) {
        self.remove_range(range);
        self.shrink();
    }

    fn remove_range(&mut self, range: Range<usize>) {
        let len = self.list().len();
        let range = range.start.min(len)..range.end.min(len);
        if let Some(big) = self.big() {
            big.remove(range);
        } else if !range.is_empty() {
            let count = range.len() as isize;
            self.collection.splice(self.offsets(range), &[], -count);
        }
    }

    /// Where in the packed run the elements of these positions are.
    fn offsets(&self, range: Range<usize>) -> Range<usize> {
        let Some(run) = self.collection.packed() else { return 0..0 };
        let start = run.offset_of(range.start);
        let end =
            if range.end == run.len() { run.end() } else { (range).fold(start, |at, _| run.next_at(at)) };
        start..end
    }

    /// Removes elements equal to `wanted`, at most `max`, the first ones seen from `end`; how many.
    pub fn remove_equal(&mut self, wanted: &[u8], max: usize, end: End) -> usize {
        let wanted = super::element_of(wanted);
        let removed = match self.big() {
            Some(big) => big.remove_equal(wanted, max, end),
            None => self.remove_equal_packed(wanted, max, end),
        };
        self.shrink();
        removed
    }

    fn remove_equal_packed(&mut self, wanted: Element<'_>, max: usize, end: End) -> usize {
        let Some(run) = self.collection.packed() else { return 0 };
        let equal: SmallVec<[usize; PACKED_ELEMENTS_MAX]> =
            run.iter().filter(|(_, element)| *element == wanted).map(|(at, _)| at).collect();
        let removed = equal.len().min(max);
        let gone = match end {
            End::Front => &equal[..removed],
            End::Back => &equal[equal.len() - removed..],
        };
        // From the back, so that the offsets before stay right.
        for &at in gone.iter().rev() {
            let size = self.collection.packed().map_or(0, |run| run.next_at(at) - at);
            self.collection.splice(at..at + size, &[], -1);
        }
        removed
    }

    /// Tells it as `listpack` again when it is small enough for that, and packs a large one that has become short.
    #[inline]
    fn shrink(&mut self) {
        let fill = self.fill();
        let quicklist = self.collection.stage() == QUICKLIST;
        let Some(big) = self.big() else { return };
        if quicklist {
            if !big.is_listpack(fill, Share::Half) {
                return;
            }
            big.set_fill(None);
        }
        let short = big.len() <= PACKED_ELEMENTS_MAX / 2 && big.allocated_bytes() <= PACKED_BYTES_MAX;
        let run = short.then(|| packed_run(big));
        if quicklist {
            self.collection.set_stage(LISTPACK);
        }
        if let Some(run) = run.filter(|run| run.len() <= PACKED_BYTES_MAX / 2) {
            self.collection.set_packed(&run);
        }
    }
}

/// The elements of `big`, which are few, as a packed run.
pub(super) fn packed_run(big: &BigList) -> Vec<u8> {
    let mut run = packed::EMPTY.to_vec();
    let mut digits = itoa::Buffer::new();
    List::of_big(big).elements(0).for_each(|element| packed::push(&mut run, element.bytes(&mut digits)));
    packed::count_elements(&mut run, big.len() as isize);
    run
}
