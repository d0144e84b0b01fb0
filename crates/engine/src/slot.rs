//! The table's slots: pointers that own entries, each with a tag in the bits that addresses leave free.
#![allow(unsafe_code, reason = "an owning pointer with a tag cannot be said in safe Rust")]

use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use crate::entry::{Entry, EntryBox};

/// Nothing, a tombstone, or an entry with 16 bits of its key's hash in the pointer's top bits. Invariant: a pointer
/// that is neither null nor the tombstone was given by [`EntryBox::into_raw`], and this slot owns the entry.
#[derive(Debug)]
pub(crate) struct Slot(*mut u8);

// SAFETY: a slot owns its entry, like an `EntryBox`, which may be sent.
unsafe impl Send for Slot {}

const TAG_SHIFT: u32 = 48;
const POINTER: usize = (1 << TAG_SHIFT) - 1;
const TOMBSTONE: usize = 1;

impl Slot {
    /// A slot that was never used since its segment was built.
    pub(crate) const EMPTY: Slot = Slot(std::ptr::null_mut());
    /// A slot whose entry was removed while probes may still have to pass it.
    pub(crate) const TOMB: Slot = Slot(std::ptr::without_provenance_mut(TOMBSTONE));

    /// A slot that holds `entry`; `tag` must not be zero.
    ///
    /// # Panics
    /// Panics when the allocator gives addresses of more than 48 bits, which no supported system does.
    #[inline]
    pub(crate) fn new(entry: EntryBox, tag: u16) -> Slot {
        let at = entry.into_raw();
        assert!(at.addr() <= POINTER, "an address takes 48 bits at most");
        Slot(at.map_addr(|a| a | usize::from(tag) << TAG_SHIFT))
    }

    /// The tag; 0 when no entry is there.
    #[inline]
    pub(crate) fn tag(&self) -> u16 {
        (self.0.addr() >> TAG_SHIFT) as u16
    }

    /// Tag and pointer as a number: the tag is the top 16 bits.
    #[inline]
    pub(crate) fn bits(&self) -> u64 {
        self.0.addr() as u64
    }

    /// Whether it was never used.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_null()
    }

    /// The entry's pointer, if one is there.
    #[inline]
    fn pointer(&self) -> Option<NonNull<u8>> {
        let at = self.0.map_addr(|a| a & POINTER);
        // An entry is aligned to 8, so 1 is the tombstone.
        if at.addr() <= TOMBSTONE { None } else { NonNull::new(at) }
    }

    /// The entry, if one is there.
    #[inline]
    pub(crate) fn get(&self) -> Option<Entry<'_>> {
        // SAFETY: the slot owns the entry (invariant), and is borrowed as long as the view.
        self.pointer().map(|at| unsafe { Entry::at(at) })
    }

    /// Runs `change` on the entry, which may put another in its place; nothing when the slot holds none.
    #[inline]
    pub(crate) fn update<R>(&mut self, change: impl FnOnce(&mut EntryBox) -> R) -> Option<R> {
        let (at, tag) = (self.pointer()?, self.tag());
        // Should `change` panic, the slot holds nothing, and the entry is freed once.
        self.0 = Slot::TOMB.0;
        // SAFETY: the slot owned the entry (invariant), and no longer does.
        let mut entry = unsafe { EntryBox::from_raw(at) };
        let result = change(&mut entry);
        self.0 = ManuallyDrop::new(Slot::new(entry, tag)).0;
        Some(result)
    }

    /// The bytes of the entry's string, to be changed in place; nothing when it is an integer.
    pub(crate) fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        // SAFETY: the slot owns the entry (invariant); the box made of it is never dropped.
        let mut entry = ManuallyDrop::new(unsafe { EntryBox::from_raw(self.pointer()?) });
        let bytes = entry.bytes_mut()?;
        // SAFETY: the bytes live in the entry's allocations, which the slot, borrowed alone, owns.
        Some(unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr(), bytes.len()) })
    }

    /// Takes the entry out and leaves `instead`, which must hold none.
    pub(crate) fn take(&mut self, instead: Slot) -> Option<EntryBox> {
        let at = self.pointer();
        debug_assert!(instead.pointer().is_none(), "what is left behind holds no entry");
        self.0 = instead.0;
        // SAFETY: the slot owned the entry (invariant), and no longer does.
        at.map(|at| unsafe { EntryBox::from_raw(at) })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // SAFETY: the slot owns the entry (invariant), and ends here.
        drop(self.pointer().map(|at| unsafe { EntryBox::from_raw(at) }));
    }
}
