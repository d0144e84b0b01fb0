//! Entries: a key, its deadline and its value in one allocation.
//!
//! In memory, from the first byte on:
//!
//! | bytes | content |
//! | --- | --- |
//! | 1 | kind of the value (low 4 bits), its form (high 4 bits) |
//! | 1 | flags |
//! | 3 | access metadata, see [`crate::access`] |
//! | 1 or 4 | length of the key (4 with `KEY_LONG`) |
//! | 0 or 8 | deadline (with `DEADLINE`) |
//! | 8, 1 or 4 | integer or pointer; for an inline value its length (4 with `VALUE_LONG`) |
//! | | the key |
//! | | the value, when inline |
//!
//! Numbers are in the machine's order and unaligned. The allocation's size is the size class of all this.
#![allow(unsafe_code, reason = "the layout above, with its tail and unaligned fields, needs raw memory")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::blob::{Blob, BlobMut};
use crate::memory::size_class;
use crate::value::{Kind, Str};

/// The entry has a deadline.
const DEADLINE: u8 = 1 << 0;
/// The key's length takes 4 bytes.
const KEY_LONG: u8 = 1 << 1;
/// The inline value's length takes 4 bytes.
const VALUE_LONG: u8 = 1 << 2;
/// The string was made by changing bytes in place (OBJECT ENCODING says `raw`).
const RAW: u8 = 1 << 3;
/// A bit for each snapshot cut that needs the entry no more, see [`crate::cut`].
const CUTS_SHIFT: u32 = 4;

const ACCESS_AT: usize = 2;
const KEY_LEN_AT: usize = 5;

/// Longest value that is kept inside the entry: a longer one would make changing the deadline, which moves
/// the entry, too dear.
const INLINE_BYTES_MAX: usize = 1024;

/// How the value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Form {
    Int = 0,
    Inline = 1,
    Blob = 2,
}

/// Offset of the key by form (times 8) and flags below `RAW`.
const KEY_AT: [u8; 24] = {
    let mut table = [0; 24];
    let mut i = 0;
    while i < 24 {
        let (form, flags) = (i / 8, (i % 8) as u8);
        let key_len = if flags & KEY_LONG != 0 { 4 } else { 1 };
        let deadline = if flags & DEADLINE != 0 { 8 } else { 0 };
        let value = match form {
            1 if flags & VALUE_LONG != 0 => 4,
            1 => 1,
            _ => 8,
        };
        table[i] = KEY_LEN_AT as u8 + key_len + deadline + value;
        i += 1;
    }
    table
};

/// A value on its way into an entry or out of one.
#[derive(Debug)]
pub(crate) enum Payload<'v> {
    /// An integer.
    Int(i64),
    /// Bytes, copied into the entry or a blob of its own, whichever takes less memory.
    Bytes { bytes: &'v [u8], raw: bool },
    /// A blob that becomes the entry's.
    Blob { blob: Blob, raw: bool },
}

/// An entry, owned. Invariant: `0` points to an allocation as the module describes, whose size is the size
/// class of its content, owned by nobody else; with form `Blob` it owns the blob its pointer names.
#[derive(Debug)]
pub(crate) struct EntryBox(NonNull<u8>);

// SAFETY: an entry owns all it points to, like a `Box`.
unsafe impl Send for EntryBox {}

/// A view of one entry.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'e> {
    at: NonNull<u8>,
    borrow: PhantomData<&'e u8>,
}

impl EntryBox {
    /// An entry of `key` with `value`.
    ///
    /// # Panics
    /// Panics on a key of 4 GiB or more: the protocol's limits are below.
    pub(crate) fn new(key: &[u8], value: Payload<'_>, deadline_ms: Option<i64>, access: u32) -> EntryBox {
        let mut flags = 0;
        flags |= if deadline_ms.is_some() { DEADLINE } else { 0 };
        flags |= if key.len() > usize::from(u8::MAX) { KEY_LONG } else { 0 };
        let (form, flags, word, inline): (Form, u8, u64, &[u8]) = match value {
            Payload::Int(n) => (Form::Int, flags, n as u64, &[]),
            Payload::Bytes { bytes, raw } => {
                let flags = flags | if raw { RAW } else { 0 };
                let long = if bytes.len() > usize::from(u8::MAX) { VALUE_LONG } else { 0 };
                if inline_is_smaller(key.len(), flags | long, bytes.len()) {
                    (Form::Inline, flags | long, 0, bytes)
                } else {
                    (Form::Blob, flags, Blob::new(bytes).into_raw().expose_provenance() as u64, &[])
                }
            }
            Payload::Blob { blob, raw } => {
                let flags = flags | if raw { RAW } else { 0 };
                (Form::Blob, flags, blob.into_raw().expose_provenance() as u64, &[])
            }
        };
        let key_at = key_at(form, flags);
        let layout = layout(key_at + key.len() + inline.len());
        // SAFETY: the size is not zero.
        let Some(at) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: all offsets written lie within the size computed above; `key` and `inline` are borrowed
        // apart from the new allocation.
        unsafe {
            at.write(Kind::String as u8 | (form as u8) << 4);
            at.add(1).write(flags);
            at.add(ACCESS_AT).cast::<[u8; 3]>().write_unaligned(access_bytes(access));
            let mut field = at.add(KEY_LEN_AT);
            if flags & KEY_LONG != 0 {
                let len = u32::try_from(key.len()).expect("a key is shorter than 4 GiB");
                field.cast::<u32>().write_unaligned(len);
                field = field.add(4);
            } else {
                field.write(key.len() as u8);
                field = field.add(1);
            }
            if let Some(deadline_ms) = deadline_ms {
                field.cast::<i64>().write_unaligned(deadline_ms);
                field = field.add(8);
            }
            match form {
                Form::Inline if flags & VALUE_LONG != 0 => {
                    field.cast::<u32>().write_unaligned(inline.len() as u32)
                }
                Form::Inline => field.write(inline.len() as u8),
                Form::Int | Form::Blob => field.cast::<u64>().write_unaligned(word),
            }
            at.add(key_at).copy_from_nonoverlapping(NonNull::from(key).cast(), key.len());
            at.add(key_at + key.len()).copy_from_nonoverlapping(NonNull::from(inline).cast(), inline.len());
        }
        EntryBox(at)
    }

    /// Gives up the ownership to the pointer returned; [`EntryBox::from_raw`] takes it back.
    #[inline]
    pub(crate) fn into_raw(self) -> *mut u8 {
        let at = self.0.as_ptr();
        std::mem::forget(self);
        at
    }

    /// Takes back what [`EntryBox::into_raw`] gave.
    ///
    /// # Safety
    /// `at` must come from `into_raw`, and only one box may be made of it at a time.
    #[inline]
    pub(crate) unsafe fn from_raw(at: NonNull<u8>) -> EntryBox {
        EntryBox(at)
    }

    /// A view.
    #[inline]
    pub(crate) fn view(&self) -> Entry<'_> {
        Entry { at: self.0, borrow: PhantomData }
    }

    /// Writes the access metadata (24 bits).
    #[inline]
    pub(crate) fn set_access(&mut self, access: u32) {
        // SAFETY: the field lies in every entry.
        unsafe { self.0.add(ACCESS_AT).cast::<[u8; 3]>().write_unaligned(access_bytes(access)) };
    }

    /// Notes which cuts need the entry no more: a bit each.
    pub(crate) fn set_cuts(&mut self, cuts: u8) {
        debug_assert!(cuts < 1 << crate::cut::CUTS_MAX, "a bit for each cut");
        let flags = self.view().flags() & ((1 << CUTS_SHIFT) - 1) | cuts << CUTS_SHIFT;
        // SAFETY: the flags are the second byte of every entry; these bits say nothing about the layout.
        unsafe { self.0.add(1).write(flags) };
    }

    /// Writes another deadline in the place of the one there is; `false` when there is none.
    pub(crate) fn replace_deadline(&mut self, deadline_ms: i64) -> bool {
        let there = self.view().flags() & DEADLINE != 0;
        if there {
            // SAFETY: with DEADLINE set the field is there.
            unsafe { self.view().deadline_field().write_unaligned(deadline_ms) };
        }
        there
    }

    /// Writes `value` in the place of the one there is, when that needs no other allocation and the deadline
    /// stays as it is; otherwise gives it back.
    #[inline]
    pub(crate) fn replace_value<'v>(&mut self, value: Payload<'v>) -> Result<(), Payload<'v>> {
        let entry = self.view();
        match (entry.form(), value) {
            (Form::Int, Payload::Int(n)) => {
                // SAFETY: an entry of form Int has an integer there.
                unsafe { entry.word_field().write_unaligned(n as u64) };
                Ok(())
            }
            (Form::Inline, Payload::Bytes { bytes, raw }) => {
                let (flags, key_len) = (entry.flags(), entry.key_len());
                let same = (flags & RAW != 0) == raw && (bytes.len() > 255) == (flags & VALUE_LONG != 0);
                let new_class = size_class(key_at(Form::Inline, flags) + key_len + bytes.len());
                if !same || new_class != entry.entry_bytes() {
                    return Err(Payload::Bytes { bytes, raw });
                }
                // SAFETY: the new content lies within the same class, so within the allocation; `bytes` is
                // borrowed apart from it.
                unsafe {
                    let field = entry.value_field();
                    if flags & VALUE_LONG != 0 {
                        field.cast::<u32>().write_unaligned(bytes.len() as u32);
                    } else {
                        field.write(bytes.len() as u8);
                    }
                    let value = self.0.add(key_at(Form::Inline, flags) + key_len);
                    value.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
                }
                Ok(())
            }
            (Form::Blob, Payload::Bytes { bytes, raw: false }) if entry.flags() & RAW == 0 => {
                let done = self.blob_mut().is_some_and(|mut blob| blob.try_replace(bytes));
                if done { Ok(()) } else { Err(Payload::Bytes { bytes, raw: false }) }
            }
            (_, value) => Err(value),
        }
    }

    /// The value's bytes, to be changed in place; nothing when it is an integer.
    pub(crate) fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        let entry = self.view();
        match entry.form() {
            Form::Int => None,
            Form::Inline => {
                let (len, at) = (entry.inline_len(), key_at(Form::Inline, entry.flags()) + entry.key_len());
                // SAFETY: the inline value lies there, initialized, and the entry is borrowed alone.
                Some(unsafe { std::slice::from_raw_parts_mut(self.0.add(at).as_ptr(), len) })
            }
            Form::Blob => self.blob_mut().map(|mut blob| {
                let bytes = blob.bytes_mut();
                // SAFETY: the bytes live in the blob's allocation, which the entry, borrowed alone, owns.
                unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr(), bytes.len()) }
            }),
        }
    }

    /// Sets or takes away the deadline; moves the entry when it had none before, or has none after.
    pub(crate) fn set_deadline(&mut self, deadline_ms: Option<i64>) {
        if let Some(at) = deadline_ms
            && self.replace_deadline(at)
        {
            return;
        }
        let entry = self.view();
        if entry.deadline_ms() == deadline_ms {
            return;
        }
        *self = match entry.form() {
            Form::Int => EntryBox::new(entry.key(), Payload::Int(entry.int()), deadline_ms, entry.access()),
            Form::Inline => {
                let value = Payload::Bytes { bytes: entry.inline(), raw: entry.is_raw() };
                EntryBox::new(entry.key(), value, deadline_ms, entry.access())
            }
            Form::Blob => {
                let value = Payload::Blob { blob: self.take_blob(), raw: entry.is_raw() };
                EntryBox::new(entry.key(), value, deadline_ms, entry.access())
            }
        };
    }

    /// Adds `tail` to the end of the string.
    pub(crate) fn append(&mut self, tail: &[u8]) {
        self.grow(tail.len(), |blob| blob.extend(tail));
    }

    /// Makes the string at least `len` bytes long, with zeros at the end, and one that changes in place.
    pub(crate) fn lengthen(&mut self, len: usize) {
        let old = self.view().str().len();
        if len > old || self.view().form() == Form::Int {
            self.grow(len.saturating_sub(old), |blob| blob.lengthen(len));
        }
        self.mark_raw();
    }

    /// Runs `change`, which adds `more` bytes, on the string as a blob; a short one goes back into the entry.
    fn grow(&mut self, more: usize, change: impl FnOnce(&mut Blob)) {
        self.mark_raw();
        if let Some(mut blob) = self.blob_mut() {
            return change(&mut blob);
        }
        let entry = self.view();
        let mut digits = itoa::Buffer::new();
        let bytes = entry.str().bytes(&mut digits);
        let mut blob = Blob::with_capacity(bytes.len() + more);
        blob.extend(bytes);
        change(&mut blob);
        let value = if blob.bytes().len() <= INLINE_BYTES_MAX / 4 {
            Payload::Bytes { bytes: blob.bytes(), raw: true }
        } else {
            Payload::Blob { blob, raw: true }
        };
        *self = EntryBox::new(entry.key(), value, entry.deadline_ms(), entry.access());
    }

    /// Notes that the string changes in place from now on.
    fn mark_raw(&mut self) {
        if self.view().form() != Form::Int {
            // SAFETY: the flags are the second byte of every entry; RAW says nothing about the layout.
            unsafe { self.0.add(1).write(self.view().flags() | RAW) };
        }
    }

    fn blob_mut(&mut self) -> Option<BlobMut<'_>> {
        let entry = self.view();
        // SAFETY: the word of form Blob is a blob's pointer, and the entry is borrowed alone.
        (entry.form() == Form::Blob).then(|| unsafe { BlobMut::new(entry.word_field()) })
    }

    /// Takes the entry apart: its value, deadline and access metadata.
    pub(crate) fn into_value(self) -> (crate::value::Content, Option<i64>, u32) {
        use crate::value::Content;
        let entry = self.view();
        let (deadline_ms, access, raw) = (entry.deadline_ms(), entry.access(), entry.is_raw());
        let content = match entry.form() {
            Form::Int => Content::Int(entry.int()),
            Form::Inline => Content::Bytes { blob: Blob::new(entry.inline()), raw },
            Form::Blob => Content::Bytes { blob: self.take_blob(), raw },
        };
        (content, deadline_ms, access)
    }

    /// Takes the blob out of an entry of form `Blob`, which is to be dropped and not looked at again.
    fn take_blob(&self) -> Blob {
        let field = self.view().word_field();
        // SAFETY: called on form Blob: the word is a blob's pointer, and the null put in its place keeps `drop`
        // from freeing it.
        unsafe {
            let word = field.read_unaligned();
            field.write_unaligned(0);
            Blob::from_raw(std::ptr::with_exposed_provenance_mut(word as usize))
        }
    }
}

impl Drop for EntryBox {
    fn drop(&mut self) {
        let entry = self.view();
        let size = entry.entry_bytes();
        if entry.form() == Form::Blob {
            // SAFETY: form Blob: the word is the pointer of a blob this entry owns, or null when taken.
            unsafe {
                let word = entry.word_field().read_unaligned();
                if word != 0 {
                    drop(Blob::from_raw(std::ptr::with_exposed_provenance_mut(word as usize)));
                }
            }
        }
        // SAFETY: the allocation was made with the layout of this content's class (invariant).
        unsafe { dealloc(self.0.as_ptr(), layout(size)) };
    }
}

impl<'e> Entry<'e> {
    #[inline]
    fn byte(self, at: usize) -> u8 {
        // SAFETY: called with offsets of the fixed header only, which every entry has.
        unsafe { self.at.add(at).read() }
    }

    #[inline]
    fn flags(self) -> u8 {
        self.byte(1)
    }

    #[inline]
    fn form(self) -> Form {
        match self.byte(0) >> 4 {
            0 => Form::Int,
            1 => Form::Inline,
            _ => Form::Blob,
        }
    }

    #[inline]
    fn key_len(self) -> usize {
        if self.flags() & KEY_LONG == 0 {
            return usize::from(self.byte(KEY_LEN_AT));
        }
        // SAFETY: with KEY_LONG the length takes 4 bytes there.
        unsafe { self.at.add(KEY_LEN_AT).cast::<u32>().read_unaligned() as usize }
    }

    fn deadline_field(self) -> *mut i64 {
        let at = KEY_LEN_AT + if self.flags() & KEY_LONG == 0 { 1 } else { 4 };
        // SAFETY: the field follows the key's length, within the allocation.
        unsafe { self.at.add(at).cast().as_ptr() }
    }

    /// Where the integer, pointer or inline length is.
    fn value_field(self) -> NonNull<u8> {
        let size = match self.form() {
            Form::Inline if self.flags() & VALUE_LONG != 0 => 4,
            Form::Inline => 1,
            Form::Int | Form::Blob => 8,
        };
        // SAFETY: the field stands right before the key.
        unsafe { self.at.add(key_at(self.form(), self.flags()) - size) }
    }

    fn word_field(self) -> *mut u64 {
        self.value_field().cast().as_ptr()
    }

    fn int(self) -> i64 {
        // SAFETY: called on form Int only.
        unsafe { self.word_field().read_unaligned() as i64 }
    }

    fn inline_len(self) -> usize {
        let field = self.value_field();
        // SAFETY: called on form Inline only: the length is there, of this width.
        unsafe {
            if self.flags() & VALUE_LONG == 0 {
                usize::from(field.read())
            } else {
                field.cast::<u32>().read_unaligned() as usize
            }
        }
    }

    fn inline(self) -> &'e [u8] {
        let at = key_at(Form::Inline, self.flags()) + self.key_len();
        // SAFETY: called on form Inline only: the value lies there, initialized, for the borrow's life.
        unsafe { std::slice::from_raw_parts(self.at.add(at).as_ptr(), self.inline_len()) }
    }

    fn blob_bytes(self) -> &'e [u8] {
        // SAFETY: called on form Blob only: the word is the pointer of a blob that lives as long as the entry.
        unsafe {
            let at = std::ptr::with_exposed_provenance_mut(self.word_field().read_unaligned() as usize);
            let blob = std::mem::ManuallyDrop::new(Blob::from_raw(at));
            std::slice::from_raw_parts(blob.bytes().as_ptr(), blob.bytes().len())
        }
    }

    /// Size of the entry's own allocation.
    fn entry_bytes(self) -> usize {
        let inline = if self.form() == Form::Inline { self.inline_len() } else { 0 };
        size_class(key_at(self.form(), self.flags()) + self.key_len() + inline)
    }

    /// The access metadata (24 bits).
    #[inline]
    pub(crate) fn access(self) -> u32 {
        // SAFETY: the field lies in every entry.
        let [a, b, c] = unsafe { self.at.add(ACCESS_AT).cast::<[u8; 3]>().read_unaligned() };
        u32::from_le_bytes([a, b, c, 0])
    }

    /// Which cuts need the entry no more: a bit each.
    #[inline]
    pub(crate) fn cuts(self) -> u8 {
        self.flags() >> CUTS_SHIFT
    }

    /// Whether the string was made by changing bytes in place.
    pub(crate) fn is_raw(self) -> bool {
        self.flags() & RAW != 0
    }

    /// The key.
    #[inline]
    pub fn key(self) -> &'e [u8] {
        let at = key_at(self.form(), self.flags());
        // SAFETY: the key lies there, initialized, for the borrow's life.
        unsafe { std::slice::from_raw_parts(self.at.add(at).as_ptr(), self.key_len()) }
    }

    /// The kind of the value.
    #[inline]
    pub fn kind(self) -> Kind {
        Kind::from_bits(self.byte(0) & 0x0f)
    }

    /// When it expires, in milliseconds since the Unix epoch; nothing: never.
    #[inline]
    pub fn deadline_ms(self) -> Option<i64> {
        // SAFETY: with DEADLINE set the field is there.
        (self.flags() & DEADLINE != 0).then(|| unsafe { self.deadline_field().read_unaligned() })
    }

    /// The string value; the caller has checked the kind.
    #[inline]
    pub(crate) fn str(self) -> Str<'e> {
        match self.form() {
            Form::Int => Str::Int(self.int()),
            Form::Inline => Str::Bytes(self.inline()),
            Form::Blob => Str::Bytes(self.blob_bytes()),
        }
    }

    /// Bytes of memory the entry's allocations take.
    pub(crate) fn allocated_bytes(self) -> usize {
        let blob = match self.form() {
            // SAFETY: form Blob: the word is the pointer of a blob that lives as long as the entry.
            Form::Blob => unsafe {
                let at = std::ptr::with_exposed_provenance_mut(self.word_field().read_unaligned() as usize);
                std::mem::ManuallyDrop::new(Blob::from_raw(at)).memory_bytes()
            },
            Form::Int | Form::Inline => 0,
        };
        self.entry_bytes() + blob
    }

    /// A view of the entry at `at`.
    ///
    /// # Safety
    /// `at` must come from [`EntryBox::into_raw`], and the entry must live, unchanged, as long as the view.
    #[inline]
    pub(crate) unsafe fn at(at: NonNull<u8>) -> Entry<'e> {
        Entry { at, borrow: PhantomData }
    }

    /// Where the entry begins: the same as long as its value changes in place (DEBUG OBJECT).
    pub fn address(self) -> *const u8 {
        self.at.as_ptr()
    }
}

/// Whether a value of `value_len` bytes takes no more memory inside the entry than in a blob of its own.
fn inline_is_smaller(key_len: usize, flags: u8, value_len: usize) -> bool {
    let inside = size_class(key_at(Form::Inline, flags) + key_len + value_len);
    let apart = || size_class(key_at(Form::Blob, flags) + key_len) + Blob::memory_bytes_for(value_len);
    value_len <= 64 || (value_len <= INLINE_BYTES_MAX && inside <= apart())
}

#[inline]
fn key_at(form: Form, flags: u8) -> usize {
    usize::from(KEY_AT[form as usize * 8 + usize::from(flags & 7)])
}

fn access_bytes(access: u32) -> [u8; 3] {
    let [a, b, c, _] = access.to_le_bytes();
    [a, b, c]
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(size_class(bytes), 8).expect("an entry's size is within the address space")
}
