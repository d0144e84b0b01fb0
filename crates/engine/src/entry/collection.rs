//! Entries that hold collections: packed runs and what is too large for them.
#![allow(unsafe_code, reason = "the layout of an entry needs raw memory, see the module above")]

use std::ops::Range;
use std::ptr::NonNull;

use super::{
    DEADLINE, Entry, EntryBox, Form, Head, RAW, STAGE_HIGH, TIMED, Tags, VALUE_LONG, inline_is_smaller,
    key_at,
};
use crate::collection::{Big, Body};
use crate::memory::size_class;
use crate::packed::Packed;

impl<'e> Entry<'e> {
    /// What the entry says of its value.
    #[inline]
    pub(crate) fn tags(self) -> Tags {
        Tags { kind: self.kind(), stage: self.stage(), timed: self.is_timed() }
    }

    /// Which of the names OBJECT ENCODING gives.
    #[inline]
    pub(crate) fn stage(self) -> u8 {
        u8::from(self.flags() & RAW != 0) | if self.byte(0) & STAGE_HIGH != 0 { 2 } else { 0 }
    }

    /// Whether fields of the hash have deadlines.
    #[inline]
    pub(crate) fn is_timed(self) -> bool {
        self.flags() & TIMED != 0
    }

    /// Whether something in it goes by the time: the key, or fields of a hash.
    #[inline]
    pub(crate) fn is_volatile(self) -> bool {
        self.flags() & (DEADLINE | TIMED) != 0
    }

    /// Whether it is a large collection.
    pub(crate) fn is_big(self) -> bool {
        self.form() == Form::Big
    }

    /// The collection; the caller has checked the kind.
    #[inline]
    pub(crate) fn body(self) -> Body<'e> {
        match self.form() {
            Form::Inline => Body::Packed(Packed::new(self.inline())),
            Form::Blob => Body::Packed(Packed::new(self.blob_bytes())),
            Form::Int | Form::Big => Body::Big(self.big().expect("a collection is packed or big")),
        }
    }

    /// The large collection, if it is one.
    #[inline]
    pub(super) fn big(self) -> Option<&'e Big> {
        // SAFETY: form Big: the word is what `Box::into_raw` gave, and the box lives as long as the entry.
        (self.form() == Form::Big)
            .then(|| unsafe { &*std::ptr::with_exposed_provenance::<Big>(self.word() as usize) })
    }
}

impl EntryBox {
    /// The large collection, if it is one, to be changed.
    #[inline]
    pub(crate) fn big_mut(&mut self) -> Option<&mut Big> {
        let entry = self.view();
        // SAFETY: form Big: the word is what `Box::into_raw` gave, and the entry, which owns it, is borrowed alone.
        (entry.form() == Form::Big)
            .then(|| unsafe { &mut *std::ptr::with_exposed_provenance_mut::<Big>(entry.word() as usize) })
    }

    /// Takes the box out of an entry of form `Big`, which is to be dropped and not looked at again.
    pub(super) fn take_big(&self) -> Box<Big> {
        let at = std::ptr::with_exposed_provenance_mut(self.view().word() as usize);
        self.forget_word();
        // SAFETY: called on form Big: the word was what `Box::into_raw` gave, and is forgotten now.
        unsafe { Box::from_raw(at) }
    }

    /// Notes the stage and whether there are deadlines.
    pub(crate) fn set_tags(&mut self, stage: u8, timed: bool) {
        let (first, flags) = (self.view().byte(0), self.view().flags());
        let first = first & !STAGE_HIGH | if stage & 2 != 0 { STAGE_HIGH } else { 0 };
        let flags =
            flags & !(RAW | TIMED) | if stage & 1 != 0 { RAW } else { 0 } | if timed { TIMED } else { 0 };
        // SAFETY: these are the first two bytes of every entry; the bits changed say nothing about the layout.
        unsafe {
            self.0.write(first);
            self.0.add(1).write(flags);
        }
    }

    /// Makes the value `big`, in the place of whatever it was.
    pub(crate) fn set_big(&mut self, big: Box<Big>) {
        let entry = self.view();
        let head = Head { key: entry.key(), deadline_ms: entry.deadline_ms(), access: entry.access() };
        let word = Box::into_raw(big).expose_provenance() as u64;
        *self = head.with_word(entry.tags(), Form::Big, word);
    }

    /// Makes the value the packed run `run`.
    pub(crate) fn set_packed(&mut self, run: &[u8]) {
        let entry = self.view();
        match entry.form() {
            Form::Inline | Form::Blob => self.splice(0..entry.packed_bytes().len(), run),
            Form::Int | Form::Big => {
                let head =
                    Head { key: entry.key(), deadline_ms: entry.deadline_ms(), access: entry.access() };
                *self = head.with_bytes(entry.tags(), [run]);
            }
        }
    }

    /// Puts `with` in the place of these bytes of the packed run.
    pub(crate) fn splice(&mut self, range: Range<usize>, with: &[u8]) {
        let entry = self.view();
        let old = entry.packed_bytes();
        let len = old.len() - range.len() + with.len();
        let fits = match entry.form() {
            Form::Inline => entry.fits_inline(len),
            // A run that has become short goes back into its entry, unless it is about to grow again.
            _ => len > BLOB_BYTES_MIN || !inline_is_smaller(entry.key_len(), entry.flags(), len),
        };
        if !fits {
            let head = Head { key: entry.key(), deadline_ms: entry.deadline_ms(), access: entry.access() };
            *self = head.with_bytes(entry.tags(), [&old[..range.start], with, &old[range.end..]]);
            return;
        }
        if entry.form() == Form::Blob {
            return self.blob_mut().into_iter().for_each(|mut blob| blob.splice(range.clone(), with));
        }
        let key_at = key_at(Form::Inline, entry.flags());
        // SAFETY: the run begins behind the key, and old and new bytes lie within the same size class, so within the
        // allocation; `with` is borrowed apart from it.
        unsafe {
            let run = self.0.add(key_at + entry.key_len());
            let tail = old.len() - range.end;
            run.add(range.start + with.len()).copy_from(run.add(range.end), tail);
            run.add(range.start).copy_from_nonoverlapping(NonNull::from(with).cast(), with.len());
            let field = entry.value_field();
            if entry.flags() & VALUE_LONG != 0 {
                field.cast::<u32>().write_unaligned(len as u32);
            } else {
                field.write(len as u8);
            }
        }
    }

    /// The packed run, to be changed where it stands.
    pub(crate) fn packed_mut(&mut self) -> Option<&mut [u8]> {
        if self.view().form() == Form::Big { None } else { self.bytes_mut() }
    }
}

/// Bytes of a run below which it moves from its blob into its entry.
const BLOB_BYTES_MIN: usize = 256;

impl<'e> Entry<'e> {
    fn packed_bytes(self) -> &'e [u8] {
        match self.form() {
            Form::Inline => self.inline(),
            Form::Blob => self.blob_bytes(),
            Form::Int | Form::Big => &[],
        }
    }

    /// Whether an inline value of `len` bytes takes the place of the one there is, with the same layout.
    #[inline]
    fn fits_inline(self, len: usize) -> bool {
        let same = (len > usize::from(u8::MAX)) == (self.flags() & VALUE_LONG != 0);
        same && size_class(key_at(Form::Inline, self.flags()) + self.key_len() + len) == self.entry_bytes()
    }
}

#[cfg(test)]
mod tests {
    use crate::collection::{Body, CollectionMut};
    use crate::entry::EntryBox;
    use crate::limits::Limits;
    use crate::packed::{self, Encoded};
    use crate::rng::Rng;
    use crate::value::{Kind, Owned};

    /// The elements of `entry`, as texts.
    fn elements(entry: &EntryBox) -> Vec<Vec<u8>> {
        let Body::Packed(run) = entry.view().body() else { panic!("it is packed") };
        assert_eq!(run.len(), run.iter().count());
        run.iter().map(|(_, element)| element.bytes(&mut itoa::Buffer::new()).to_vec()).collect()
    }

    #[test]
    fn runs_change_as_a_list_does_and_keep_what_is_about_them() {
        let (mut rng, limits) = (Rng::new(3), Limits::default());
        let mut entry = EntryBox::empty(b"key", Kind::Set, 7);
        let mut model: Vec<Vec<u8>> = Vec::new();
        for round in 0..6000u64 {
            let grows = round / 400 % 2 == 0;
            let mut collection = CollectionMut::new(&mut entry, &limits, 0);
            let run = collection.packed().unwrap();
            let n = rng.below(model.len() as u64 + 1) as usize;
            let at = run.offset_of(n);
            if rng.below(10) < if grows { 8 } else { 2 } {
                let len_max = if rng.below(50) == 0 { 400 } else { 12 };
                let element = vec![b'x'; rng.below(len_max) as usize];
                collection.splice(at..at, Encoded::of(&element).as_slice(), 1);
                model.insert(n, element);
            } else if n < model.len() {
                let next = run.next_at(at);
                collection.splice(at..next, &[], -1);
                model.remove(n);
            }
            if round % 100 == 0 {
                let (stage, timed) = ((round / 100 % 4) as u8, round % 200 == 0);
                collection.set_stage(stage);
                collection.set_timed(timed);
                entry.set_deadline((round % 300 == 0).then_some(round as i64));
                entry.set_cuts((round / 100 % 8) as u8);
                let view = entry.view();
                assert_eq!((view.stage(), view.is_timed(), view.kind()), (stage, timed, Kind::Set));
                assert_eq!(
                    (view.key(), view.access(), view.cuts()),
                    (b"key".as_slice(), 7, (round / 100 % 8) as u8)
                );
            }
            assert_eq!(elements(&entry), model);
        }
        let copy = Owned::copy_of(entry.view()).into_entry(b"other");
        assert_eq!((elements(&copy), copy.view().tags()), (model, entry.view().tags()));
        entry.set_packed(packed::EMPTY);
        assert!(entry.is_gone());
    }
}
