//! A growable run of bytes behind one thin pointer: the form of longer string values.
//!
//! In memory: length (8 bytes), capacity (8 bytes), then `capacity` bytes, of which the first `length` are
//! the content.
#![allow(unsafe_code, reason = "a thin pointer to a header with a tail cannot be said in safe Rust")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::memory::size_class;
use crate::relocate::Mover;

/// Owned bytes. Invariants: `0` points to an allocation of `HEADER + capacity` bytes, aligned to 8, that
/// nobody else owns; `length <= capacity`; the first `length` bytes after the header are initialized.
#[derive(Debug)]
pub(crate) struct Blob(NonNull<Header>);

#[repr(C)]
#[derive(Debug)]
struct Header {
    len: usize,
    capacity: usize,
}

const HEADER: usize = size_of::<Header>();

// SAFETY: a blob owns its bytes alone, like a `Vec<u8>`.
unsafe impl Send for Blob {}
// SAFETY: shared access only reads.
unsafe impl Sync for Blob {}

impl Blob {
    /// The memory that a blob of `len` bytes takes.
    #[inline]
    pub(crate) fn memory_bytes_for(len: usize) -> usize {
        size_class(HEADER + len)
    }

    /// A copy of `bytes`.
    pub(crate) fn new(bytes: &[u8]) -> Blob {
        let mut blob = Blob::with_capacity(bytes.len());
        blob.extend(bytes);
        blob
    }

    /// An empty blob with room for `len` bytes.
    pub(crate) fn with_capacity(len: usize) -> Blob {
        let size = Blob::memory_bytes_for(len);
        let layout = layout(size);
        // SAFETY: the size is at least HEADER, so not zero.
        let Some(at) = NonNull::new(unsafe { alloc(layout) }.cast::<Header>()) else {
            handle_alloc_error(layout)
        };
        // SAFETY: `at` is freshly allocated, large enough and aligned for a header.
        unsafe { at.write(Header { len: 0, capacity: size - HEADER }) };
        Blob(at)
    }

    fn header(&self) -> &Header {
        // SAFETY: the pointer is valid for the life of the blob (invariant).
        unsafe { self.0.as_ref() }
    }

    fn data(&self) -> *mut u8 {
        // SAFETY: the allocation goes on behind the header (invariant).
        unsafe { self.0.cast::<u8>().add(HEADER).as_ptr() }
    }

    /// The content.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the first `len` bytes are initialized (invariant) and borrowed with the blob.
        unsafe { std::slice::from_raw_parts(self.data(), self.header().len) }
    }

    /// The content, to be changed.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and the blob is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.data(), self.header().len) }
    }

    /// Bytes of memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        HEADER + self.header().capacity
    }

    /// Adds `tail` to the end; amortized over many calls it costs the length of `tail`.
    pub(crate) fn extend(&mut self, tail: &[u8]) {
        let len = self.header().len;
        self.reserve(len + tail.len());
        // SAFETY: there is room for `tail` behind the content, and `tail`, borrowed apart, does not overlap it.
        unsafe {
            self.data().add(len).copy_from_nonoverlapping(tail.as_ptr(), tail.len());
            self.0.as_mut().len = len + tail.len();
        }
    }

    /// Makes it at least `len` bytes long, with zeros at the end.
    pub(crate) fn lengthen(&mut self, len: usize) {
        let old = self.header().len;
        if len > old {
            self.reserve(len);
            // SAFETY: there is room up to `len` (reserved above).
            unsafe {
                self.data().add(old).write_bytes(0, len - old);
                self.0.as_mut().len = len;
            }
        }
    }

    /// Puts `with` in the place of the bytes of `range`; memory that is no longer needed is given back.
    pub(crate) fn splice(&mut self, range: std::ops::Range<usize>, with: &[u8]) {
        let old = self.header().len;
        assert!(range.start <= range.end && range.end <= old, "the range is one of the content");
        let len = old - range.len() + with.len();
        if Blob::memory_bytes_for(len) != self.memory_bytes() && len > old {
            self.resize(len);
        }
        // SAFETY: there is room for `len` bytes: either it is as long as before at most, or was made so above; `with`,
        // borrowed apart, does not overlap the content.
        unsafe {
            let tail = old - range.end;
            self.data().add(range.start + with.len()).copy_from(self.data().add(range.end), tail);
            self.data().add(range.start).copy_from_nonoverlapping(with.as_ptr(), with.len());
            self.0.as_mut().len = len;
        }
        if Blob::memory_bytes_for(len) < self.memory_bytes() {
            self.resize(len);
        }
    }

    /// Replaces the content without moving, when `bytes` fits and does not waste the better part.
    pub(crate) fn try_replace(&mut self, bytes: &[u8]) -> bool {
        let fits = Blob::memory_bytes_for(bytes.len()) == self.memory_bytes();
        if fits {
            // SAFETY: the capacity is enough (same class); `bytes`, borrowed apart, does not overlap it.
            unsafe {
                self.data().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                self.0.as_mut().len = bytes.len();
            }
        }
        fits
    }

    /// Makes room for `len` bytes in all; grows by at least a half, so that many small steps stay linear.
    fn reserve(&mut self, len: usize) {
        let capacity = self.header().capacity;
        if len <= capacity {
            return;
        }
        self.resize(len.max(capacity + capacity / 2));
    }

    /// Makes the allocation what `len` bytes, which must be no less than the content, need.
    fn resize(&mut self, len: usize) {
        let (capacity, size) = (self.header().capacity, Blob::memory_bytes_for(len));
        // SAFETY: the allocation was made with this layout; the new size is not zero.
        let at = unsafe { realloc(self.0.as_ptr().cast(), layout(HEADER + capacity), size) };
        let Some(at) = NonNull::new(at.cast::<Header>()) else { handle_alloc_error(layout(size)) };
        self.0 = at;
        // SAFETY: `realloc` kept the header.
        unsafe { self.0.as_mut().capacity = size - HEADER };
    }

    /// Moves it, if `mover` wants that.
    pub(crate) fn relocate(&mut self, mover: &mut dyn Mover) {
        if mover.is_sparse(self.0.as_ptr().cast()) {
            let mut moved = Blob::with_capacity(self.header().capacity);
            moved.extend(self.bytes());
            *self = moved;
        }
    }

    /// Gives up the ownership to the pointer returned; [`Blob::from_raw`] takes it back.
    pub(crate) fn into_raw(self) -> *mut u8 {
        let at = self.0.as_ptr().cast();
        std::mem::forget(self);
        at
    }

    /// Takes back what [`Blob::into_raw`] gave.
    ///
    /// # Safety
    /// `at` must come from `into_raw`, and only one blob may be made of it at a time.
    pub(crate) unsafe fn from_raw(at: *mut u8) -> Blob {
        // SAFETY: `into_raw` gave a non-null pointer (caller's promise).
        Blob(unsafe { NonNull::new_unchecked(at.cast()) })
    }
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, align_of::<Header>()).expect("a blob's size is within the address space")
}

impl Drop for Blob {
    fn drop(&mut self) {
        let size = self.memory_bytes();
        // SAFETY: the allocation was made with this layout and is owned alone (invariant).
        unsafe { dealloc(self.0.as_ptr().cast(), layout(size)) };
    }
}

/// A blob borrowed out of an entry's word: written back when it goes, for growing moves it.
pub(crate) struct BlobMut<'e> {
    blob: std::mem::ManuallyDrop<Blob>,
    field: *mut u64,
    borrow: PhantomData<&'e mut u64>,
}

impl BlobMut<'_> {
    /// Borrows the blob whose pointer the word at `field` is.
    ///
    /// # Safety
    /// The word must be what [`Blob::into_raw`] gave, and nobody else may use it meanwhile.
    pub(crate) unsafe fn new<'e>(field: *mut u64) -> BlobMut<'e> {
        // SAFETY: the word is a blob's pointer (caller's promise).
        let blob =
            unsafe { Blob::from_raw(std::ptr::with_exposed_provenance_mut(field.read_unaligned() as usize)) };
        BlobMut { blob: std::mem::ManuallyDrop::new(blob), field, borrow: PhantomData }
    }
}

impl std::ops::Deref for BlobMut<'_> {
    type Target = Blob;
    fn deref(&self) -> &Blob {
        &self.blob
    }
}

impl std::ops::DerefMut for BlobMut<'_> {
    fn deref_mut(&mut self) -> &mut Blob {
        &mut self.blob
    }
}

impl Drop for BlobMut<'_> {
    fn drop(&mut self) {
        // SAFETY: the blob is given back to the entry's word, which owns it; it is not used after this.
        unsafe {
            let blob = std::mem::ManuallyDrop::take(&mut self.blob);
            self.field.write_unaligned(blob.into_raw().expose_provenance() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Blob;

    #[test]
    fn grows_lengthens_and_replaces() {
        let mut blob = Blob::new(b"abc");
        for _ in 0..1000 {
            blob.extend(b"0123456789");
        }
        assert_eq!(blob.bytes().len(), 10_003);
        assert_eq!(&blob.bytes()[..13], b"abc0123456789");
        blob.lengthen(10_005);
        assert_eq!(&blob.bytes()[10_002..], b"9\0\0");
        blob.bytes_mut()[0] = b'A';
        assert_eq!(blob.bytes()[0], b'A');
        assert!(!blob.try_replace(b"short"));
        let same = vec![b'x'; 9_990];
        assert!(blob.memory_bytes() != Blob::memory_bytes_for(same.len()) || blob.try_replace(&same));
        let mut small = Blob::new(b"12345");
        assert!(small.try_replace(b"1234567") && small.bytes() == b"1234567");
    }

    #[test]
    fn raw_round_trip() {
        let raw = Blob::new(b"value").into_raw();
        // SAFETY: just made by `into_raw`.
        let blob = unsafe { Blob::from_raw(raw) };
        assert_eq!(blob.bytes(), b"value");
    }
}
