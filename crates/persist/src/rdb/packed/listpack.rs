//! Listpack: a small collection, as Redis keeps it since version 5.0 (streams) and 7.0 (everything).
//!
//! Length in bytes (4), count (2; 65535: not known), the entries, 255. An entry is its form, its content, and the length
//! of both once more, seven bits a byte, the lowest last, all but the first with the top bit set. Numbers have
//! their lowest byte first, but for those that are in part in the form:
//!
//! | form | content |
//! | --- | --- |
//! | `0nnnnnnn` | nothing: the integer is n |
//! | `10nnnnnn` | n bytes |
//! | `110nnnnn` n | nothing: the integer is n, of 13 bits with sign |
//! | `1110nnnn` n | n bytes |
//! | `11110000` n n n n | n bytes |
//! | `11110001` | an integer of 2 bytes |
//! | `11110010` | of 3 bytes |
//! | `11110011` | of 4 bytes |
//! | `11110100` | of 8 bytes |
//!
//! See <https://github.com/antirez/listpack/blob/master/listpack.md>.

use engine::canonical_int;

use super::{Broken, Element, split, split_array};
use crate::rdb::input::little_endian;

const HEADER: usize = 6;
const END: u8 = 255;
const COUNT_UNKNOWN: u16 = u16::MAX;
const BROKEN: Broken = "a listpack is broken";

/// A listpack being read.
#[derive(Debug)]
pub(in crate::rdb) struct Listpack<'b> {
    rest: &'b [u8],
    /// How many entries were read.
    entries: u64,
    count: u16,
}

impl<'b> Listpack<'b> {
    pub(in crate::rdb) fn new(run: &'b [u8]) -> Result<Listpack<'b>, Broken> {
        let mut rest = run;
        let (Some(bytes), Some(count)) = (split_array(&mut rest), split_array(&mut rest)) else {
            return Err("a listpack has a bad header");
        };
        if u32::from_le_bytes(bytes) as usize != run.len() || rest.is_empty() {
            return Err("a listpack is not as long as it says");
        }
        Ok(Listpack { rest, entries: 0, count: u16::from_le_bytes(count) })
    }

    /// The next element; nothing at the end.
    pub(in crate::rdb) fn next(&mut self) -> Result<Option<Element<'b>>, Broken> {
        if *self.rest.first().ok_or(BROKEN)? == END {
            let counted = self.count == COUNT_UNKNOWN || u64::from(self.count) == self.entries;
            return if self.rest.len() == 1 && counted {
                Ok(None)
            } else {
                Err("a listpack does not hold what its header says")
            };
        }
        let before = self.rest;
        let element = element(&mut self.rest).ok_or(BROKEN)?;
        let (length, n) = length_behind(before.len() - self.rest.len());
        if split(&mut self.rest, n) != Some(&length[..n]) {
            return Err("an entry of a listpack is not as long as it says");
        }
        self.entries += 1;
        Ok(Some(element))
    }

    /// The next element, which must be there and an integer.
    pub(in crate::rdb) fn int(&mut self) -> Result<i64, Broken> {
        match self.next()? {
            Some(Element::Int(n)) => Ok(n),
            Some(Element::Bytes(bytes)) => canonical_int(bytes).ok_or(BROKEN),
            None => Err(BROKEN),
        }
    }
}

pub(super) fn each<'b>(run: &'b [u8], mut each: impl FnMut(Element<'b>)) -> Result<(), Broken> {
    let mut listpack = Listpack::new(run)?;
    while let Some(element) = listpack.next()? {
        each(element);
    }
    Ok(())
}

fn element<'b>(rest: &mut &'b [u8]) -> Option<Element<'b>> {
    let [form] = split_array(rest)?;
    let low = usize::from(form);
    let mut next = || split_array::<1>(rest).map(|[byte]| usize::from(byte));
    let len = match form {
        0..0x80 => return Some(Element::Int(form.into())),
        0x80..0xc0 => low & 0x3f,
        0xc0..0xe0 => {
            // Thirteen bits, the topmost of which is the sign.
            let n = ((low & 0x1f) << 8 | next()?) as i64;
            return Some(Element::Int(n - (n >> 12 << 13)));
        }
        0xe0..0xf0 => (low & 0x0f) << 8 | next()?,
        0xf0 => u32::from_le_bytes(split_array(rest)?) as usize,
        0xf1..=0xf4 => {
            let width = [2, 3, 4, 8][low - 0xf1];
            return split(rest, width).map(|bytes| Element::Int(little_endian(bytes)));
        }
        _ => return None,
    };
    split(rest, len).map(Element::Bytes)
}

/// The length of an entry as it stands behind it, and how many bytes that takes. Its limits are one lower than
/// the bits would allow, from the second byte on.
fn length_behind(len: usize) -> ([u8; 5], usize) {
    let n = match len {
        0..128 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    };
    let mut bytes = [0; 5];
    for (i, byte) in bytes[..n].iter_mut().enumerate() {
        let continued = if i == 0 { 0 } else { 0x80 };
        *byte = (len >> (7 * (n - 1 - i))) as u8 & 0x7f | continued;
    }
    (bytes, n)
}

/// A listpack being made.
#[derive(Debug)]
pub(in crate::rdb) struct Builder {
    bytes: Vec<u8>,
    count: usize,
}

impl Builder {
    pub(in crate::rdb) fn new() -> Builder {
        Builder { bytes: vec![0; HEADER], count: 0 }
    }

    /// How many elements it has.
    pub(in crate::rdb) fn count(&self) -> usize {
        self.count
    }

    /// Adds `bytes`, as an integer where they are one.
    pub(in crate::rdb) fn push(&mut self, bytes: &[u8]) {
        match canonical_int(bytes) {
            Some(n) => self.push_int(n),
            None => self.push_bytes(bytes),
        }
    }

    /// Adds an element of a collection.
    pub(in crate::rdb) fn push_element(&mut self, element: engine::Element<'_>) {
        match element {
            engine::Element::Int(n) => self.push_int(n),
            engine::Element::Bytes(bytes) => self.push_bytes(bytes),
            engine::Element::Double(_) => self.push_bytes(b""),
        }
    }

    /// Adds an integer.
    pub(in crate::rdb) fn push_int(&mut self, n: i64) {
        let from = self.bytes.len();
        let little = n.to_le_bytes();
        match n {
            0..128 => self.bytes.push(n as u8),
            -4096..4096 => self.bytes.extend([0xc0 | (n >> 8) as u8 & 0x1f, n as u8]),
            _ => {
                let significant = |width: &usize| little_endian(&little[..*width]) == n;
                let width = [2, 3, 4].into_iter().find(significant).unwrap_or(8);
                self.bytes.push(if width == 8 { 0xf4 } else { 0xef + width as u8 });
                self.bytes.extend_from_slice(&little[..width]);
            }
        }
        self.close(from);
    }

    fn push_bytes(&mut self, bytes: &[u8]) {
        let from = self.bytes.len();
        match bytes.len() {
            n @ 0..64 => self.bytes.push(0x80 | n as u8),
            n @ 64..4096 => self.bytes.extend([0xe0 | (n >> 8) as u8, n as u8]),
            n => {
                self.bytes.push(0xf0);
                self.bytes.extend((n as u32).to_le_bytes());
            }
        }
        self.bytes.extend_from_slice(bytes);
        self.close(from);
    }

    fn close(&mut self, from: usize) {
        let (length, n) = length_behind(self.bytes.len() - from);
        self.bytes.extend_from_slice(&length[..n]);
        self.count += 1;
    }

    /// The listpack, whole.
    pub(in crate::rdb) fn finish(mut self) -> Vec<u8> {
        self.bytes.push(END);
        let len = (self.bytes.len() as u32).to_le_bytes();
        self.bytes[..4].copy_from_slice(&len);
        let count = u16::try_from(self.count).unwrap_or(COUNT_UNKNOWN);
        self.bytes[4..HEADER].copy_from_slice(&count.to_le_bytes());
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::super::Form;
    use super::{Builder, length_behind};

    #[test]
    fn what_is_built_is_read() {
        let mut texts: Vec<Vec<u8>> = [0, 1, 63, 64, 4095, 4096, 70_000].map(|n| vec![b'a'; n]).into();
        for n in [0, 127, 128, 4095, 4096, 32_767, 32_768, 8_388_607, 8_388_608, 1 << 31, i64::MAX] {
            texts.extend([n.to_string().into(), (-n).to_string().into(), (!n).to_string().into()]);
        }
        let mut builder = Builder::new();
        texts.iter().for_each(|text| builder.push(text));
        assert_eq!(builder.count(), texts.len());
        let run = builder.finish();
        assert_eq!(Form::Listpack.unpack(run.as_slice().into()).unwrap(), texts);
        for cut in 0..run.len().min(1000) {
            assert!(Form::Listpack.unpack(run[..cut].into()).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_changed_is_refused() {
        let mut builder = Builder::new();
        [b"abc".as_slice(), b"5", b"-300"].iter().for_each(|text| builder.push(text));
        let run = builder.finish();
        for at in 0..run.len() {
            let mut bad = run.clone();
            bad[at] ^= 0x80;
            let same = Form::Listpack.unpack(bad.into()) == Form::Listpack.unpack(run.as_slice().into());
            assert!(!same, "byte {at}");
        }
    }

    #[test]
    fn lengths_behind_entries_have_one_to_five_bytes() {
        assert_eq!(length_behind(127), ([127, 0, 0, 0, 0], 1));
        assert_eq!(length_behind(128), ([1, 0x80, 0, 0, 0], 2));
        assert_eq!(length_behind(16_383), ([0, 0xff, 0xff, 0, 0], 3));
        assert_eq!(length_behind(300_000_000), ([1, 0x8f, 0x86, 0xc6, 0x80], 5));
    }
}
