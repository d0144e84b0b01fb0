//! Going through a dictionary.

use std::slice;

use super::Chunk;
use super::record::Item;
use super::segment::Segment;

/// Elements in the order of their hashes, see [`super::Dict::iter`].
#[derive(Clone, Debug)]
pub(crate) struct Iter<'d> {
    chunks: slice::Iter<'d, Chunk>,
    segments: slice::Iter<'d, Segment>,
    segment: Option<&'d Segment>,
    slot: usize,
}

impl<'d> Iter<'d> {
    pub(super) fn new(chunks: &'d [Chunk]) -> Iter<'d> {
        Iter { chunks: chunks.iter(), segments: [].iter(), segment: None, slot: 0 }
    }
}

impl<'d> Iterator for Iter<'d> {
    type Item = Item<'d>;

    #[inline]
    fn next(&mut self) -> Option<Item<'d>> {
        loop {
            if let Some(segment) = self.segment
                && self.slot < segment.len()
            {
                self.slot += 1;
                return Some(segment.item(self.slot - 1));
            }
            self.slot = 0;
            self.segment = self.segments.next();
            if self.segment.is_none() {
                self.segments = self.chunks.next()?.segments.children().iter();
            }
        }
    }
}
