//! Entries: a key, its deadline and its value in one allocation.
//!
//! In memory, from the first byte on:
//!
//! | bytes | content |
//! | --- | --- |
//! | 1 | kind of the value (bits 0 to 2), its form (bits 4 and 5), the high bit of its stage (bit 3), the top of the next but one (bits 6 and 7) |
//! | 1 | flags |
//! | 3 | access metadata, see [`crate::access`], but for their top 2 bits |
//! | 1 or 4 | length of the key (4 with `KEY_LONG`) |
//! | 0 or 8 | deadline (with `DEADLINE`) |
//! | 8, 1 or 4 | integer or pointer; for an inline value its length (4 with `VALUE_LONG`) |
//! | | the key |
//! | | the value, when inline |
//!
//! A small collection is a run of packed elements ([`crate::packed`]), inline or in a blob, a large one a
//! [`crate::collection::Big`] behind the pointer. Which name OBJECT ENCODING gives it is its stage, which goes by the
//! limits that Redis has, while the form goes by what is best.
//!
//! Numbers are in the machine's order and unaligned. The allocation's size is the size class of all this.
#![allow(unsafe_code, reason = "the layout above, with its tail and unaligned fields, needs raw memory")]

mod collection;
mod relocate;
mod string;

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::blob::{Blob, BlobMut};
use crate::collection::Big;
use crate::memory::size_class;
use crate::value::{Content, Kind, Str};

/// The entry has a deadline.
const DEADLINE: u8 = 1 << 0;
/// The key's length takes 4 bytes.
const KEY_LONG: u8 = 1 << 1;
/// The inline value's length takes 4 bytes.
const VALUE_LONG: u8 = 1 << 2;
/// The string was made by changing bytes in place (OBJECT ENCODING says `raw`); of a collection the low bit of its
/// stage.
const RAW: u8 = 1 << 3;
/// A bit for each snapshot cut that needs the entry no more, see [`crate::cut`].
const CUTS_SHIFT: u32 = 4;
const CUTS: u8 = ((1 << crate::cut::CUTS_MAX) - 1) << CUTS_SHIFT;
/// Fields of the hash have deadlines.
const TIMED: u8 = 1 << 7;

const KIND: u8 = 0x07;
/// The high bit of the stage, in the first byte.
const STAGE_HIGH: u8 = 1 << 3;
const FORM_SHIFT: u32 = 4;

const ACCESS_AT: usize = 2;
/// The top bits of the access metadata, in the first byte.
const ACCESS_TOP_SHIFT: u32 = 6;
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
    Big = 3,
}

/// Offset of the key by form (times 8) and flags below `RAW`.
const KEY_AT: [u8; 32] = {
    let mut table = [0; 32];
    let mut i = 0;
    while i < 32 {
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
    /// Packed elements or a string's bytes, copied as `Bytes` are.
    Tagged { bytes: &'v [u8], tags: Tags },
    /// The same in a blob that becomes the entry's.
    TaggedBlob { blob: Blob, tags: Tags },
    /// A large collection.
    Big { big: Box<Big>, tags: Tags },
}

/// What an entry says of a value beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tags {
    /// Its kind.
    pub(crate) kind: Kind,
    /// Which of the names OBJECT ENCODING gives, in the order a growing collection gets them: 0 to 3. Of a string 1: it
    /// was changed in place.
    pub(crate) stage: u8,
    /// Fields of the hash have deadlines.
    pub(crate) timed: bool,
}

impl Tags {
    /// Of a collection's first elements.
    pub(crate) fn of(kind: Kind) -> Tags {
        Tags { kind, stage: 0, timed: false }
    }

    /// A byte that [`Tags::from_byte`] reads.
    pub(crate) fn byte(self) -> u8 {
        self.kind as u8 | self.stage << 3 | u8::from(self.timed) << 5
    }

    /// What [`Tags::byte`] gave.
    pub(crate) fn from_byte(byte: u8) -> Tags {
        Tags { kind: Kind::from_bits(byte & KIND), stage: byte >> 3 & 3, timed: byte & 1 << 5 != 0 }
    }

    fn string(raw: bool) -> Tags {
        Tags { kind: Kind::String, stage: u8::from(raw), timed: false }
    }
}

/// An entry, owned. Invariant: `0` points to an allocation as the module describes, whose size is the size
/// class of its content, owned by nobody else; with form `Blob` it owns the blob its pointer names, with form `Big` the box.
#[derive(Debug)]
pub(crate) struct EntryBox(NonNull<u8>);

// SAFETY: an entry owns all it points to, like a `Box`.
unsafe impl Send for EntryBox {}

/// What every entry has beside its value.
struct Head<'k> {
    key: &'k [u8],
    deadline_ms: Option<i64>,
    access: u32,
}

impl Head<'_> {
    fn flags(&self, tags: Tags) -> u8 {
        let mut flags = if tags.stage & 1 != 0 { RAW } else { 0 };
        flags |= if self.deadline_ms.is_some() { DEADLINE } else { 0 };
        flags |= if self.key.len() > usize::from(u8::MAX) { KEY_LONG } else { 0 };
        flags | if tags.timed { TIMED } else { 0 }
    }

    /// An entry whose value is the bytes of `parts` behind each other, inside or in a blob, whichever takes less memory.
    #[inline]
    fn with_bytes<const N: usize>(&self, tags: Tags, parts: [&[u8]; N]) -> EntryBox {
        let len = parts.iter().map(|part| part.len()).sum();
        let flags = self.flags(tags) | if len > usize::from(u8::MAX) { VALUE_LONG } else { 0 };
        if inline_is_smaller(self.key.len(), flags, len) {
            return self.build(tags, Form::Inline, flags, len as u64, parts);
        }
        let mut blob = Blob::with_capacity(len);
        parts.iter().for_each(|part| blob.extend(part));
        self.with_blob(tags, blob)
    }

    fn with_blob(&self, tags: Tags, blob: Blob) -> EntryBox {
        self.with_word(tags, Form::Blob, blob.into_raw().expose_provenance() as u64)
    }

    #[inline]
    fn with_word(&self, tags: Tags, form: Form, word: u64) -> EntryBox {
        self.build(tags, form, self.flags(tags), word, [])
    }

    /// `word`: with form `Inline` the length of the parts, otherwise the integer or pointer.
    #[inline]
    fn build<const N: usize>(
        &self,
        tags: Tags,
        form: Form,
        flags: u8,
        word: u64,
        parts: [&[u8]; N],
    ) -> EntryBox {
        let (key, key_at) = (self.key, key_at(form, flags));
        let inline_len = if form == Form::Inline { word as usize } else { 0 };
        debug_assert_eq!(inline_len, parts.iter().map(|part| part.len()).sum(), "the length of the parts");
        let layout = layout(key_at + key.len() + inline_len);
        // SAFETY: the size is not zero.
        let Some(at) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: all offsets written lie within the size computed above, the parts being as long as said; key and parts
        // are borrowed apart from the new allocation.
        unsafe {
            let stage_high = if tags.stage & 2 != 0 { STAGE_HIGH } else { 0 };
            let [low @ .., top] = self.access.to_le_bytes();
            at.write(tags.kind as u8 | stage_high | (form as u8) << FORM_SHIFT | top << ACCESS_TOP_SHIFT);
            at.add(1).write(flags);
            at.add(ACCESS_AT).cast::<[u8; 3]>().write_unaligned(low);
            let mut field = at.add(KEY_LEN_AT);
            if flags & KEY_LONG != 0 {
                let len = u32::try_from(key.len()).expect("a key is shorter than 4 GiB");
                field.cast::<u32>().write_unaligned(len);
                field = field.add(4);
            } else {
                field.write(key.len() as u8);
                field = field.add(1);
            }
            if let Some(deadline_ms) = self.deadline_ms {
                field.cast::<i64>().write_unaligned(deadline_ms);
                field = field.add(8);
            }
            match form {
                Form::Inline if flags & VALUE_LONG != 0 => field.cast::<u32>().write_unaligned(word as u32),
                Form::Inline => field.write(word as u8),
                Form::Int | Form::Blob | Form::Big => field.cast::<u64>().write_unaligned(word),
            }
            let mut end = at.add(key_at);
            end.copy_from_nonoverlapping(NonNull::from(key).cast(), key.len());
            end = end.add(key.len());
            for part in parts {
                end.copy_from_nonoverlapping(NonNull::from(part).cast(), part.len());
                end = end.add(part.len());
            }
        }
        EntryBox(at)
    }
}

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
        let head = Head { key, deadline_ms, access };
        match value {
            Payload::Int(n) => head.with_word(Tags::string(false), Form::Int, n as u64),
            Payload::Bytes { bytes, raw } => head.with_bytes(Tags::string(raw), [bytes]),
            Payload::Blob { blob, raw } => head.with_blob(Tags::string(raw), blob),
            Payload::Tagged { bytes, tags } => head.with_bytes(tags, [bytes]),
            Payload::TaggedBlob { blob, tags } => head.with_blob(tags, blob),
            Payload::Big { big, tags } => {
                head.with_word(tags, Form::Big, Box::into_raw(big).expose_provenance() as u64)
            }
        }
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

    /// Writes the access metadata (26 bits).
    #[inline]
    pub(crate) fn set_access(&mut self, access: u32) {
        let [low @ .., top] = access.to_le_bytes();
        let first = self.view().byte(0) & !(u8::MAX << ACCESS_TOP_SHIFT) | top << ACCESS_TOP_SHIFT;
        // SAFETY: the bytes lie in every entry; the two bits of the first say nothing about the layout.
        unsafe {
            self.0.write(first);
            self.0.add(ACCESS_AT).cast::<[u8; 3]>().write_unaligned(low);
        }
    }

    /// Notes which cuts need the entry no more: a bit each.
    pub(crate) fn set_cuts(&mut self, cuts: u8) {
        debug_assert!(cuts < 1 << crate::cut::CUTS_MAX, "a bit for each cut");
        let flags = self.view().flags() & !CUTS | cuts << CUTS_SHIFT;
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
        let (head, tags) = (Head { key: entry.key(), deadline_ms, access: entry.access() }, entry.tags());
        *self = match entry.form() {
            Form::Inline => head.with_bytes(tags, [entry.inline()]),
            form => {
                let moved = head.with_word(tags, form, entry.word());
                self.forget_word();
                moved
            }
        };
    }

    /// Another box owns what the word of this one names: it is to be dropped and not looked at again.
    fn forget_word(&self) {
        if self.view().form() != Form::Inline {
            // SAFETY: all forms but Inline have a word, and null keeps `drop` from freeing anything.
            unsafe { self.view().word_field().write_unaligned(0) };
        }
    }

    fn blob_mut(&mut self) -> Option<BlobMut<'_>> {
        let entry = self.view();
        // SAFETY: the word of form Blob is a blob's pointer, and the entry is borrowed alone.
        (entry.form() == Form::Blob).then(|| unsafe { BlobMut::new(entry.word_field()) })
    }

    /// Takes the entry apart: its value, deadline and access metadata.
    pub(crate) fn into_value(self) -> (Content, Option<i64>, u32) {
        let entry = self.view();
        let (deadline_ms, access, tags) = (entry.deadline_ms(), entry.access(), entry.tags());
        let content = match entry.form() {
            Form::Int => Content::Int(entry.int()),
            Form::Inline => Content::Bytes { blob: Blob::new(entry.inline()), tags },
            Form::Blob => Content::Bytes { blob: self.take_blob(), tags },
            Form::Big => Content::Big { big: self.take_big(), tags },
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
        match entry.form() {
            Form::Blob if entry.word() != 0 => drop(self.take_blob()),
            Form::Big if entry.word() != 0 => drop(self.take_big()),
            _ => {}
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
        match self.byte(0) >> FORM_SHIFT & 3 {
            0 => Form::Int,
            1 => Form::Inline,
            2 => Form::Blob,
            _ => Form::Big,
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
            Form::Int | Form::Blob | Form::Big => 8,
        };
        // SAFETY: the field stands right before the key.
        unsafe { self.at.add(key_at(self.form(), self.flags()) - size) }
    }

    fn word_field(self) -> *mut u64 {
        self.value_field().cast().as_ptr()
    }

    /// The integer or pointer.
    fn word(self) -> u64 {
        // SAFETY: called on all forms but Inline: they have one.
        unsafe { self.word_field().read_unaligned() }
    }

    fn int(self) -> i64 {
        self.word() as i64
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

    /// The access metadata (26 bits).
    #[inline]
    pub(crate) fn access(self) -> u32 {
        // SAFETY: the field lies in every entry.
        let [a, b, c] = unsafe { self.at.add(ACCESS_AT).cast::<[u8; 3]>().read_unaligned() };
        u32::from_le_bytes([a, b, c, self.byte(0) >> ACCESS_TOP_SHIFT])
    }

    /// Which cuts need the entry no more: a bit each.
    #[inline]
    pub(crate) fn cuts(self) -> u8 {
        (self.flags() & CUTS) >> CUTS_SHIFT
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
        Kind::from_bits(self.byte(0) & KIND)
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
            Form::Big => Str::Bytes(&[]),
        }
    }

    /// Bytes of memory the entry's allocations take.
    pub(crate) fn allocated_bytes(self) -> usize {
        let apart = match self.form() {
            // SAFETY: form Blob: the word is the pointer of a blob that lives as long as the entry.
            Form::Blob => unsafe {
                let at = std::ptr::with_exposed_provenance_mut(self.word() as usize);
                std::mem::ManuallyDrop::new(Blob::from_raw(at)).memory_bytes()
            },
            Form::Big => self.big().map_or(0, |big| size_class(size_of::<Big>()) + big.allocated_bytes()),
            Form::Int | Form::Inline => 0,
        };
        self.entry_bytes() + apart
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

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(size_class(bytes), 8).expect("an entry's size is within the address space")
}
