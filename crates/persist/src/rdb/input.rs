//! Where bytes come from: a file read piece by piece, or a slice that has them all. Lengths and strings are read
//! from both in the same way.
//!
//! A length that is announced costs nothing until its bytes come: a file's window grows no faster than what was
//! read into it.

use std::io::{self, Read};

use super::error::{Error, Fault};
use super::value::Bytes;
use crate::crc64::Crc64;
use crate::lzf;

/// A length, or which special form of string follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// So many bytes, or elements.
    Plain(u64),
    /// An integer of so many bytes follows.
    Int(u8),
    /// A compressed string follows.
    Lzf,
}

/// A source of bytes.
pub(super) trait Input {
    /// The next `n` bytes.
    fn take(&mut self, n: u64) -> Result<&[u8], Error>;

    /// Where the next byte stands in the input.
    fn offset(&self) -> u64;

    /// The next `N` bytes.
    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let bytes = self.take(N as u64)?;
        let mut array = [0; N];
        array.copy_from_slice(bytes);
        Ok(array)
    }

    /// The next byte.
    #[inline]
    fn byte(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A length, or the form of the string that follows.
    #[inline]
    fn length_or_form(&mut self) -> Result<Length, Error> {
        let at = self.offset();
        let first = self.byte()?;
        let rest = first & 0x3f;
        Ok(match first >> 6 {
            0 => Length::Plain(rest.into()),
            1 => Length::Plain(u64::from(rest) << 8 | u64::from(self.byte()?)),
            2 if first == 0x80 => Length::Plain(u32::from_be_bytes(self.array()?).into()),
            2 if first == 0x81 => Length::Plain(u64::from_be_bytes(self.array()?)),
            3 if rest <= 2 => Length::Int(1 << rest),
            3 if rest == 3 => Length::Lzf,
            _ => return Err(Error { offset: at, fault: Fault::Corrupt("a length has an unknown form") }),
        })
    }

    /// A length.
    #[inline]
    fn length(&mut self) -> Result<u64, Error> {
        let at = self.offset();
        match self.length_or_form()? {
            Length::Plain(n) => Ok(n),
            _ => Err(Error { offset: at, fault: Fault::Corrupt("a string stands where a length should") }),
        }
    }

    /// The lengths of a compressed string: as it stands, and of what it stands for.
    fn lzf_lengths(&mut self) -> Result<(u64, usize), Error> {
        let at = self.offset();
        let (compressed, expanded) = (self.length()?, self.length()?);
        let possible = usize::try_from(compressed).map_or(usize::MAX, lzf::expanded_len_max);
        match usize::try_from(expanded) {
            Ok(expanded) if expanded <= possible => Ok((compressed, expanded)),
            _ => Err(Error { offset: at, fault: Fault::Corrupt("a compressed string is too long") }),
        }
    }

    /// Passes over a string.
    #[inline]
    fn skip_string(&mut self) -> Result<(), Error> {
        let bytes = match self.length_or_form()? {
            Length::Plain(n) => n,
            Length::Int(n) => n.into(),
            Length::Lzf => self.lzf_lengths()?.0,
        };
        self.take(bytes).map(drop)
    }
}

/// Bytes that are all there.
#[derive(Clone, Debug)]
pub(super) struct Slice<'a> {
    rest: &'a [u8],
    offset: u64,
}

impl<'a> Slice<'a> {
    /// `bytes`, the first of which stands at `offset` of the whole input.
    pub(super) fn new(bytes: &'a [u8], offset: u64) -> Slice<'a> {
        Slice { rest: bytes, offset }
    }

    /// The next `n` bytes.
    #[inline]
    pub(super) fn bytes(&mut self, n: u64) -> Result<&'a [u8], Error> {
        let split = usize::try_from(n).ok().and_then(|n| self.rest.split_at_checked(n));
        let (bytes, rest) = split.ok_or(Error { offset: self.offset, fault: Fault::Short })?;
        self.rest = rest;
        self.offset += n;
        Ok(bytes)
    }

    /// A string.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Bytes<'a>, Error> {
        let at = self.offset;
        match self.length_or_form()? {
            Length::Plain(n) => self.bytes(n).map(Bytes::Borrowed),
            Length::Int(n) => {
                let mut digits = itoa::Buffer::new();
                Ok(Bytes::Owned(digits.format(little_endian(self.bytes(n.into())?)).into()))
            }
            Length::Lzf => {
                let (compressed, expanded) = self.lzf_lengths()?;
                let bytes = lzf::decompress(self.bytes(compressed)?, expanded);
                bytes.map(Bytes::Owned).ok_or(Error {
                    offset: at,
                    fault: Fault::Corrupt("a compressed string does not expand to what it should"),
                })
            }
        }
    }

    /// How many bytes are left.
    pub(super) fn len(&self) -> usize {
        self.rest.len()
    }

    /// An error right here.
    pub(super) fn corrupt(&self, why: &'static str) -> Error {
        Error { offset: self.offset, fault: Fault::Corrupt(why) }
    }
}

impl Input for Slice<'_> {
    #[inline]
    fn take(&mut self, n: u64) -> Result<&[u8], Error> {
        self.bytes(n)
    }

    fn offset(&self) -> u64 {
        self.offset
    }
}

/// The integer with these bytes, its lowest first; at most eight.
pub(super) fn little_endian(bytes: &[u8]) -> i64 {
    let sign = if bytes.last().is_some_and(|b| *b >= 0x80) { 0xff } else { 0 };
    let mut all = [sign; 8];
    all[..bytes.len()].copy_from_slice(bytes);
    i64::from_le_bytes(all)
}

/// Bytes the window starts with, for small files.
const WINDOW_BYTES_MIN: usize = 16 << 10;
/// Bytes it has once more came, unless one value takes more: few enough to stay in a processor's cache.
const WINDOW_BYTES: usize = 256 << 10;

/// A file seen through a window: all bytes from the last mark on are kept. Invariants: `mark <= at <= filled <=
/// buffer.len()`, `summed <= at`.
#[derive(Debug)]
pub(super) struct Window<R> {
    input: R,
    buffer: Vec<u8>,
    /// Up to here the buffer holds bytes of the file.
    filled: usize,
    /// The next byte to take.
    at: usize,
    /// The first byte that is kept.
    mark: usize,
    /// Up to here bytes are in the checksum.
    summed: usize,
    crc: Crc64,
    sums: bool,
    /// Where in the file the buffer begins.
    base: u64,
}

impl<R: Read> Window<R> {
    pub(super) fn new(input: R, sums: bool) -> Window<R> {
        let buffer = vec![0; WINDOW_BYTES_MIN];
        Window { input, buffer, filled: 0, at: 0, mark: 0, summed: 0, crc: Crc64::new(), sums, base: 0 }
    }

    /// Keeps bytes from here on.
    #[inline]
    pub(super) fn mark(&mut self) {
        self.mark = self.at;
    }

    /// How many bytes were taken since the mark.
    #[inline]
    pub(super) fn marked_len(&self) -> usize {
        self.at - self.mark
    }

    /// The bytes from the mark to the next one.
    #[inline]
    pub(super) fn marked(&self) -> &[u8] {
        &self.buffer[self.mark..self.at]
    }

    /// Whether the bytes are summed.
    pub(super) fn sums(&self) -> bool {
        self.sums
    }

    /// The checksum of all bytes taken.
    pub(super) fn checksum(&mut self) -> u64 {
        self.sum();
        self.crc.value()
    }

    fn sum(&mut self) {
        if self.sums {
            self.crc.update(&self.buffer[self.summed..self.at]);
        }
        self.summed = self.at;
    }

    /// Gives the input back, with what was read from it and not taken.
    pub(super) fn into_rest(mut self) -> (Vec<u8>, R) {
        self.buffer.truncate(self.filled);
        self.buffer.drain(..self.at);
        (self.buffer, self.input)
    }

    /// Reads until `n` bytes can be taken.
    #[cold]
    fn fill(&mut self, n: u64) -> Result<(), Error> {
        while ((self.filled - self.at) as u64) < n {
            if self.filled == self.buffer.len() {
                self.make_room(n);
            }
            match self.input.read(&mut self.buffer[self.filled..]) {
                Ok(0) => {
                    return Err(Error { offset: self.base + self.filled as u64, fault: Fault::Short });
                }
                Ok(read) => self.filled += read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    return Err(Error { offset: self.base + self.filled as u64, fault: Fault::Read(e) });
                }
            }
        }
        Ok(())
    }

    /// Drops what lies before the mark; where nothing does, the window becomes larger, at most twice as large.
    fn make_room(&mut self, n: u64) {
        if self.mark == 0 {
            let wanted = usize::try_from(n).map_or(usize::MAX, |n| self.at.saturating_add(n));
            let len = wanted.max(WINDOW_BYTES).min(2 * self.buffer.len());
            self.buffer.resize(len, 0);
            return;
        }
        self.sum();
        self.buffer.copy_within(self.mark..self.filled, 0);
        self.base += self.mark as u64;
        self.at -= self.mark;
        self.filled -= self.mark;
        self.summed -= self.mark;
        self.mark = 0;
        if self.buffer.len() < WINDOW_BYTES {
            self.buffer.resize(4 * self.buffer.len(), 0);
        }
        // A value that took much is gone: so does its room.
        if self.buffer.len() > 4 * WINDOW_BYTES && self.filled <= WINDOW_BYTES {
            self.buffer.truncate(2 * WINDOW_BYTES);
            self.buffer.shrink_to_fit();
        }
    }
}

impl<R: Read> Input for Window<R> {
    #[inline]
    fn take(&mut self, n: u64) -> Result<&[u8], Error> {
        if ((self.filled - self.at) as u64) < n {
            self.fill(n)?;
        }
        let from = self.at;
        self.at += n as usize;
        Ok(&self.buffer[from..self.at])
    }

    #[inline]
    fn offset(&self) -> u64 {
        self.base + self.at as u64
    }
}

#[cfg(test)]
mod tests {
    use super::{Input, Length, Slice, Window};
    use crate::crc64::crc64;
    use crate::rdb::error::Fault;

    #[test]
    fn lengths_have_five_forms() {
        let bytes = b"\x3f\x41\x02\x80\0\x01\0\0\x81\0\0\0\0\0\0\0\x07\xc1";
        let mut input = Slice::new(bytes, 0);
        for n in [63, 258, 65536, 7] {
            assert_eq!(input.length().unwrap(), n);
        }
        assert_eq!(input.length_or_form().unwrap(), Length::Int(2));
        assert!(matches!(Slice::new(b"\x82", 0).length().unwrap_err().fault, Fault::Corrupt(_)));
        assert!(matches!(Slice::new(b"\xc4", 0).length_or_form().unwrap_err().fault, Fault::Corrupt(_)));
    }

    #[test]
    fn strings_have_three_forms() {
        let bytes = b"\x03abc\xc0\xff\xc1\x00\x80\xc2\x40\xe2\x01\0\xc3\x05\x0a\x00a\xe0\x00\x00";
        let mut input = Slice::new(bytes, 0);
        for text in ["abc", "-1", "-32768", "123456", "aaaaaaaaaa"] {
            assert_eq!(input.string().unwrap(), text.as_bytes());
        }
        let mut input = Slice::new(bytes, 0);
        (0..5).for_each(|_| input.skip_string().unwrap());
        assert_eq!(input.len(), 0);
    }

    #[test]
    fn an_announced_length_costs_nothing_until_its_bytes_come() {
        let mut window = Window::new(&b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff some bytes"[..], true);
        let error = window.skip_string().unwrap_err();
        assert!(matches!(error.fault, Fault::Short), "{error}");
        assert_eq!(error.offset, 20);
        assert!(window.buffer.capacity() <= 4 << 20);
    }

    #[test]
    fn a_window_keeps_from_its_mark_and_sums_what_was_taken() {
        let bytes: Vec<u8> = (0..5_000_000u32).map(|i| (i % 251) as u8).collect();
        let mut window = Window::new(bytes.as_slice(), true);
        let mut taken = 0;
        for n in [10, 900_000, 1_500_000, 3, 2_000_000, 599_000] {
            window.mark();
            window.take(n / 2).unwrap();
            window.take(n - n / 2).unwrap();
            assert_eq!(window.marked(), &bytes[taken..taken + n as usize]);
            taken += n as usize;
            assert_eq!(window.offset(), taken as u64);
            assert_eq!(window.checksum(), crc64(&bytes[..taken]));
        }
        let (read, rest) = window.into_rest();
        assert!([read.as_slice(), rest].concat() == bytes[taken..], "what was not taken is given back");
    }
}
