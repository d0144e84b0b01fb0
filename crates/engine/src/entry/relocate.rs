//! Entries that move to other places in memory.
#![allow(unsafe_code, reason = "an entry is moved as the bytes it is, see the module above")]

use std::alloc::{alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use super::{EntryBox, Form, layout};
use crate::collection::Big;
use crate::relocate::Mover;

impl EntryBox {
    /// Moves the entry and its value where `mover` wants them moved. Of a large collection a part, from `cursor` on (0 is
    /// the beginning); where to go on when there is no time for the rest.
    pub(crate) fn relocate(&mut self, cursor: u64, mover: &mut dyn Mover) -> Option<u64> {
        if cursor == 0 {
            self.relocate_own(mover);
            self.blob_mut().into_iter().for_each(|mut blob| blob.relocate(mover));
            self.relocate_box(mover);
        }
        self.big_mut().and_then(|big| big.relocate(cursor, mover))
    }

    /// Moves the entry's own allocation.
    fn relocate_own(&mut self, mover: &mut dyn Mover) {
        if !mover.is_sparse(self.0.as_ptr()) {
            return;
        }
        let size = self.view().entry_bytes();
        let layout = layout(size);
        // SAFETY: the size is not zero.
        let Some(at) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: both allocations have this layout (the old one by the invariant), and the new one is apart; what the
        // word owns is the new one's, for the old one is freed without a look at it.
        unsafe {
            at.copy_from_nonoverlapping(self.0, size);
            dealloc(self.0.as_ptr(), layout);
        }
        self.0 = at;
    }

    /// Moves the box of a large collection, not what is in it.
    fn relocate_box(&mut self, mover: &mut dyn Mover) {
        let entry = self.view();
        if entry.form() != Form::Big || !mover.is_sparse(std::ptr::without_provenance(entry.word() as usize))
        {
            return;
        }
        let old: Box<Big> = self.take_big();
        let moved = Box::into_raw(Box::new(*old)).expose_provenance() as u64;
        // SAFETY: form Big has a word; the box it named was taken out above.
        unsafe { self.view().word_field().write_unaligned(moved) };
    }
}
