//! A node of a large list: packed elements, each with its length behind it, so that both ends are at hand.
//!
//! An element is in the form of [`crate::packed`]. The length of that follows in 1 byte when it is below 128, in 2 when
//! it is below 16384 (the low byte, then the high one with the top bit set), else in 5 (4 bytes, the lowest first, and
//! the byte `0xc0`). Before the first element there may be a gap, into which pushes at the front go.

use std::ops::Range;

use smallvec::SmallVec;

use super::fill::{ELEMENT_OVERHEAD_BYTES, Fill};
use crate::listpack::{FRAME_BYTES, element_bytes};
use crate::memory::vec_bytes;
use crate::packed::{self, Element, Packed, Sink};
use crate::relocate::{Mover, relocate_vec};
use crate::tree::Leaf;

/// Most bytes of a gap made for pushes to come.
const GAP_BYTES_MAX: usize = 4 << 10;
/// An element with its length, as it stands in a node.
type Encoded = SmallVec<[u8; 96]>;

/// A node.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// The gap, then the elements.
    bytes: Vec<u8>,
    /// Bytes of the gap.
    head: usize,
    len: usize,
    /// Bytes that the elements would take in a listpack.
    listpack_bytes: usize,
    /// It is one large element that nothing is put beside.
    plain: bool,
}

impl Leaf for Node {
    type Bound = ();

    fn len(&self) -> usize {
        self.len
    }

    fn bytes(&self) -> usize {
        vec_bytes::<u8>(self.bytes.capacity())
    }

    fn bound(&self) {}

    // Nodes are split and merged where Redis does it, by the list: it shows in OBJECT ENCODING.
    fn is_full(&self) -> bool {
        false
    }

    fn is_small(&self) -> bool {
        false
    }

    fn middle(&self) -> usize {
        self.len / 2
    }

    fn relocate(&mut self, mover: &mut dyn Mover) {
        relocate_vec(&mut self.bytes, mover);
    }

    fn split_off(&mut self, at: usize) -> Node {
        let offset = self.offset_of(at);
        let mut tail = Node { bytes: self.bytes[offset..].to_vec(), len: self.len - at, ..Node::default() };
        tail.listpack_bytes = tail.listpack_bytes_of(0..tail.bytes.len());
        self.bytes.truncate(offset);
        self.len = at;
        self.listpack_bytes -= tail.listpack_bytes;
        tail
    }

    fn absorb(&mut self, next: Node) {
        self.bytes.extend_from_slice(&next.bytes[next.head..]);
        self.len += next.len;
        self.listpack_bytes += next.listpack_bytes;
    }

    fn remove(&mut self, range: Range<usize>) {
        let start = self.offset_of(range.start);
        let end = match range.len() {
            1 => self.next_at(start),
            _ => self.offset_of(range.end),
        };
        self.listpack_bytes -= self.listpack_bytes_of(start..end);
        self.len -= range.len();
        if start == self.head {
            self.head = end;
        } else if end == self.bytes.len() {
            self.bytes.truncate(start);
        } else {
            self.bytes.drain(start..end);
        }
    }
}

impl Node {
    /// A node of one element; with `plain`, one that nothing is put beside.
    pub(super) fn one(element: &[u8], plain: bool) -> Node {
        let mut node = Node { plain, ..Node::default() };
        if plain {
            // Its tag, length and back length.
            node.bytes.reserve_exact(element.len() + 10);
        }
        node.push_back(element);
        node
    }

    /// A node of all elements of `run`.
    pub(super) fn of_packed(run: Packed<'_>) -> Node {
        let mut node = Node { bytes: Vec::with_capacity(run.end() + run.len()), ..Node::default() };
        for (at, _) in run.iter() {
            node.push_encoded(&run.as_slice()[at..run.next_at(at)]);
        }
        node
    }

    /// The elements, from offset [`Node::start`] on.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The offset of the first element.
    #[inline]
    pub(super) fn start(&self) -> usize {
        self.head
    }

    /// Whether it is one large element that nothing is put beside.
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Bytes that Redis counts for the node.
    #[inline]
    pub(super) fn size(&self) -> usize {
        self.listpack_bytes + FRAME_BYTES
    }

    /// Whether an element of so many bytes may be put into the node.
    #[inline]
    pub(super) fn has_room(&self, fill: Fill, element_bytes: usize) -> bool {
        let size = self.size() + element_bytes + ELEMENT_OVERHEAD_BYTES;
        !self.plain && !fill.is_large(element_bytes) && !fill.is_exceeded(size, self.len + 1)
    }

    /// Whether `next` may be put behind its own elements.
    pub(super) fn may_absorb(&self, fill: Fill, next: &Node) -> bool {
        let size = self.size() + next.size() - FRAME_BYTES;
        !self.plain && !next.plain && !fill.is_exceeded(size, self.len + next.len)
    }

    /// Adds an element at the end.
    pub(super) fn push_back(&mut self, element: &[u8]) {
        let at = self.bytes.len();
        packed::push(&mut self.bytes, element);
        let size = self.bytes.len() - at;
        push_length(&mut self.bytes, size);
        self.added(at);
    }

    /// Adds an element that is in packed form at the end.
    fn push_encoded(&mut self, element: &[u8]) {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(element);
        push_length(&mut self.bytes, element.len());
        self.added(at);
    }

    /// Adds an element at the beginning.
    pub(super) fn push_front(&mut self, element: &[u8]) {
        let element = encoded(element);
        if self.head < element.len() {
            self.make_gap(element.len());
        }
        let end = self.head;
        self.head -= element.len();
        self.bytes[self.head..end].copy_from_slice(&element);
        self.added(self.head);
    }

    /// Makes the gap so long at least, and some more.
    fn make_gap(&mut self, bytes_min: usize) {
        let elements = &self.bytes[self.head..];
        let gap = bytes_min + elements.len().min(GAP_BYTES_MAX);
        let mut bytes = Vec::with_capacity(gap + elements.len());
        bytes.resize(gap, 0);
        bytes.extend_from_slice(elements);
        (self.bytes, self.head) = (bytes, gap);
    }

    /// Counts the element that was put at `at`.
    #[inline]
    fn added(&mut self, at: usize) {
        self.len += 1;
        self.listpack_bytes += element_bytes(packed::read(&self.bytes[at..]));
    }

    /// Puts an element before the one at `index`, or at the end.
    pub(super) fn insert(&mut self, index: usize, element: &[u8]) {
        let at = self.offset_of(index);
        self.bytes.splice(at..at, encoded(element));
        self.added(at);
    }

    /// Puts an element in the place of the one at `index`.
    pub(super) fn replace(&mut self, index: usize, element: &[u8]) {
        let at = self.offset_of(index);
        let end = self.next_at(at);
        self.listpack_bytes -= self.listpack_bytes_of(at..end);
        self.len -= 1;
        self.bytes.splice(at..end, encoded(element));
        self.added(at);
    }

    /// Removes those of the elements equal to `wanted` that come after the first `skip`, at most `max`.
    pub(super) fn remove_equal(&mut self, wanted: Element<'_>, skip: usize, max: usize) {
        let (mut at, mut seen) = (self.head, 0);
        let mut kept = Vec::with_capacity(self.bytes.len() - self.head);
        while at < self.bytes.len() {
            let end = self.next_at(at);
            let equal = packed::read(&self.bytes[at..]) == wanted;
            if equal && (skip..skip + max).contains(&seen) {
                self.len -= 1;
                self.listpack_bytes -= element_bytes(wanted);
            } else {
                kept.extend_from_slice(&self.bytes[at..end]);
            }
            seen += usize::from(equal);
            at = end;
        }
        (self.bytes, self.head) = (kept, 0);
    }

    /// How many elements are equal to `wanted`.
    pub(super) fn count_equal(&self, wanted: Element<'_>) -> usize {
        let (mut at, mut count) = (self.head, 0);
        while at < self.bytes.len() {
            count += usize::from(packed::read(&self.bytes[at..]) == wanted);
            at = self.next_at(at);
        }
        count
    }

    /// Gives back the memory kept for pushes: none will come.
    pub(super) fn seal(&mut self) {
        if self.head > 0 || self.bytes.capacity() > self.bytes.len() {
            self.bytes = self.bytes[self.head..].to_vec();
            self.head = 0;
        }
    }

    /// The element at `index`.
    pub(super) fn get(&self, index: usize) -> Element<'_> {
        packed::read(&self.bytes[self.offset_of(index)..])
    }

    /// The offset of the element at `index`, or the end: walks there from the nearer side.
    pub(super) fn offset_of(&self, index: usize) -> usize {
        if index <= self.len / 2 {
            (0..index).fold(self.head, |at, _| self.next_at(at))
        } else {
            (index..self.len).fold(self.bytes.len(), |at, _| start_of_last(&self.bytes[..at]))
        }
    }

    #[inline]
    fn next_at(&self, at: usize) -> usize {
        at + entry_size(&self.bytes[at..])
    }

    fn listpack_bytes_of(&self, range: Range<usize>) -> usize {
        let (mut at, mut bytes) = (range.start, 0);
        while at < range.end {
            bytes += element_bytes(packed::read(&self.bytes[at..]));
            at = self.next_at(at);
        }
        bytes
    }
}

fn encoded(element: &[u8]) -> Encoded {
    let mut encoded = Encoded::new();
    packed::push(&mut encoded, element);
    let size = encoded.len();
    push_length(&mut encoded, size);
    encoded
}

/// Bytes of the element that `bytes` begin with, its length behind it included.
#[inline]
pub(super) fn entry_size(bytes: &[u8]) -> usize {
    let size = packed::size_of_element(bytes);
    size + match size {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        _ => 5,
    }
}

#[inline]
fn push_length(out: &mut impl Sink, size: usize) {
    match size {
        0..0x80 => out.put(&[size as u8]),
        0x80..0x4000 => out.put(&[size as u8, 0x80 | (size >> 8) as u8]),
        _ => {
            // An element, and so its form, is shorter than 4 GiB.
            out.put(&(size as u32).to_le_bytes());
            out.put(&[0xc0]);
        }
    }
}

/// The offset of the element that `bytes` end with.
#[inline]
pub(super) fn start_of_last(bytes: &[u8]) -> usize {
    match bytes {
        [.., size @ 0..0x80] => bytes.len() - 1 - usize::from(*size),
        [.., low, high @ 0x80..0xc0] => bytes.len() - 2 - (usize::from(high & 0x3f) << 8 | usize::from(*low)),
        [.., a, b, c, d, _] => bytes.len() - 5 - u32::from_le_bytes([*a, *b, *c, *d]) as usize,
        _ => 0,
    }
}
