//! A dictionary that moves in memory, see [`crate::relocate`].

use std::sync::Arc;

use super::directory::Child;
use super::{Chunk, Dict};
use crate::relocate::Mover;

impl Dict {
    /// Moves what it is made of from the segment of the hash `cursor` on, where `mover` wants it moved; where to go on
    /// when there is no time for the rest.
    pub(crate) fn relocate(&mut self, cursor: u64, mover: &mut dyn Mover) -> Option<u64> {
        let mut hash = cursor;
        if hash == 0 {
            self.root.relocate(mover);
        }
        loop {
            let i = self.root.index(hash);
            let depth = self.root.child_mut(i).relocate_segment(hash, mover);
            // The first hash behind the prefix that is done.
            hash = (hash | u64::MAX >> depth).checked_add(1)?;
            if !mover.has_time() {
                return Some(hash);
            }
        }
    }
}

impl Chunk {
    /// Moves the segment of `hash`, and with the first one the chunk's own lists; the length of the prefix that is done.
    fn relocate_segment(&mut self, hash: u64, mover: &mut dyn Mover) -> u8 {
        let depth = self.depth;
        let Some(segments) = Arc::get_mut(&mut self.segments) else { return depth };
        if hash & u64::MAX >> depth == 0 {
            segments.relocate(mover);
            if mover.is_sparse(std::ptr::from_ref(segments).cast()) {
                let moved = segments.take();
                self.segments = Arc::new(moved);
            }
        }
        let Some(segments) = Arc::get_mut(&mut self.segments) else { return depth };
        let i = segments.index(hash);
        let segment = segments.child_mut(i);
        segment.relocate(mover);
        segment.depth()
    }
}
