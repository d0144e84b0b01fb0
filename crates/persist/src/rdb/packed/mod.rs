//! Small collections in one run of bytes: the forms that Redis keeps in memory and writes to files as they are.

mod intset;
mod listpack;
mod ziplist;
mod zipmap;

use std::borrow::Cow;

pub(super) use listpack::{Builder, Listpack};

use super::value::Bytes;

/// What is wrong with a run of bytes.
pub(super) type Broken = &'static str;

/// An element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element<'b> {
    /// An integer, which stands for its decimal form.
    Int(i64),
    /// Bytes.
    Bytes(&'b [u8]),
}

impl<'b> Element<'b> {
    /// The bytes it stands for.
    pub(super) fn bytes(self) -> Bytes<'b> {
        match self {
            Element::Int(n) => Cow::Owned(itoa::Buffer::new().format(n).into()),
            Element::Bytes(bytes) => Cow::Borrowed(bytes),
        }
    }
}

/// A form of run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Intset,
    Listpack,
    Ziplist,
    Zipmap,
}

impl Form {
    /// The elements of `run`; of a map: its fields and values, by turns.
    pub(super) fn unpack(self, run: Bytes<'_>) -> Result<Vec<Bytes<'_>>, Broken> {
        match run {
            Cow::Borrowed(run) => self.collect(run, Element::bytes),
            Cow::Owned(run) => self.collect(&run, |element| Cow::Owned(element.bytes().into_owned())),
        }
    }

    fn collect<'b, T>(self, run: &'b [u8], keep: impl Fn(Element<'b>) -> T) -> Result<Vec<T>, Broken> {
        let mut kept = Vec::new();
        let each = |element| kept.push(keep(element));
        match self {
            Form::Intset => intset::each(run, each)?,
            Form::Listpack => listpack::each(run, each)?,
            Form::Ziplist => ziplist::each(run, each)?,
            Form::Zipmap => zipmap::each(run, each)?,
        }
        Ok(kept)
    }
}

/// Splits `n` bytes off `rest`.
fn split<'b>(rest: &mut &'b [u8], n: usize) -> Option<&'b [u8]> {
    let (bytes, behind) = rest.split_at_checked(n)?;
    *rest = behind;
    Some(bytes)
}

/// Splits an array off `rest`.
fn split_array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    split(rest, N)?.try_into().ok()
}
