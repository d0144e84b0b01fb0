//! Entries that hold strings: changes of the value.
#![allow(unsafe_code, reason = "the layout of an entry needs raw memory, see the module above")]

use std::ptr::NonNull;

use super::{EntryBox, Form, INLINE_BYTES_MAX, Payload, RAW, VALUE_LONG, key_at};
use crate::blob::Blob;
use crate::memory::size_class;
use crate::value::Kind;

impl EntryBox {
    /// Writes `value` in the place of the one there is, when that needs no other allocation and the deadline
    /// stays as it is; otherwise gives it back.
    #[inline]
    pub(crate) fn replace_value<'v>(&mut self, value: Payload<'v>) -> Result<(), Payload<'v>> {
        let entry = self.view();
        if entry.kind() != Kind::String {
            return Err(value);
        }
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
            Form::Int | Form::Big => None,
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
}
