//! Packed elements: the form of small collections, one run of bytes.
//!
//! The first two bytes are the number of elements, the least significant first. Elements follow, each with a byte that
//! says what it is:
//!
//! | first byte | element |
//! | --- | --- |
//! | `0x00..=0x7f` | so many bytes follow |
//! | `0x80..=0xbf` | an integer from 0 to 63, in the low 6 bits |
//! | `0xc0..=0xcf` | an integer from -128 to 3967: 128 more than it, in the low 4 bits and the next byte |
//! | `0xd0..=0xd4` | an integer of 2, 3, 4, 6 or 8 bytes |
//! | `0xd5` | a double of 8 bytes |
//! | `0xd6`, `0xd7` | a length of 2 or 4 bytes, and so many bytes |
//!
//! Numbers have the least significant byte first. Bytes that are a canonical integer are kept as one, integers and
//! lengths in the shortest form: so equal elements are equal bytes, and that is how they are looked for. There are no
//! lengths to walk backwards by: what is packed is small.

use smallvec::SmallVec;

use crate::value::canonical_int;

/// Bytes before the first element.
pub const HEADER_BYTES: usize = 2;
/// Most elements (of a hash: pairs) that a collection has in this form.
pub(crate) const PACKED_ELEMENTS_MAX: usize = 128;
/// Most bytes that a collection takes in this form.
pub(crate) const PACKED_BYTES_MAX: usize = 8 << 10;

const INT6: u8 = 0x80;
const INT12: u8 = 0xc0;
const INT12_BIAS: i64 = 128;
const INT16: u8 = 0xd0;
const INT24: u8 = 0xd1;
const INT32: u8 = 0xd2;
const INT48: u8 = 0xd3;
const INT64: u8 = 0xd4;
const DOUBLE: u8 = 0xd5;
const BYTES16: u8 = 0xd6;
const BYTES32: u8 = 0xd7;

/// Bytes of an element with its first byte; 0: a length follows it.
const SIZES: [u8; 256] = {
    let mut sizes = [0; 256];
    let mut tag = 0;
    while tag < 256 {
        sizes[tag] = match tag as u8 {
            short @ 0..0x80 => 1 + short,
            INT6..INT12 => 1,
            INT12..INT16 => 2,
            INT16 => 3,
            INT24 => 4,
            INT32 => 5,
            INT48 => 7,
            INT64 | DOUBLE => 9,
            _ => 0,
        };
        tag += 1;
    }
    sizes
};

/// One element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Element<'p> {
    /// Bytes that are no canonical integer.
    Bytes(&'p [u8]),
    /// The integer whose decimal form is the element.
    Int(i64),
    /// A number that is no text: a score.
    Double(f64),
}

impl<'p> Element<'p> {
    /// The element's bytes; `digits` gives room to an integer's. A double has none.
    #[inline]
    pub fn bytes<'b>(self, digits: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'p: 'b,
    {
        match self {
            Element::Bytes(bytes) => bytes,
            Element::Int(n) => digits.format(n).as_bytes(),
            Element::Double(_) => &[],
        }
    }

    /// How many bytes [`Element::bytes`] gives.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "a length that HSTRLEN asks for, not a container's")]
    pub fn len(self) -> usize {
        self.bytes(&mut itoa::Buffer::new()).len()
    }

    /// The number it is; nothing for bytes.
    #[inline]
    pub fn number(self) -> Option<f64> {
        match self {
            Element::Bytes(_) => None,
            Element::Int(n) => Some(n as f64),
            Element::Double(d) => Some(d),
        }
    }
}

/// An element as it stands in the run: for looking it up, and for putting it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded(SmallVec<[u8; 72]>);

impl Encoded {
    /// Of bytes: as an integer where they are one.
    #[inline]
    pub fn of(bytes: &[u8]) -> Encoded {
        let mut encoded = SmallVec::new();
        push(&mut encoded, bytes);
        Encoded(encoded)
    }

    /// Of a number: as an integer where it is one.
    #[inline]
    pub fn number(d: f64) -> Encoded {
        let mut encoded = SmallVec::new();
        push_number(&mut encoded, d);
        Encoded(encoded)
    }

    /// Of an integer.
    #[inline]
    pub fn int(n: i64) -> Encoded {
        let mut encoded = SmallVec::new();
        push_int(&mut encoded, n);
        Encoded(encoded)
    }

    /// The bytes in the run.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

/// What elements are written to the end of.
pub trait Sink {
    /// Adds bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl<const N: usize> Sink for SmallVec<[u8; N]>
where
    [u8; N]: smallvec::Array<Item = u8>,
{
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Adds an element of these bytes.
#[inline]
pub fn push(out: &mut impl Sink, bytes: &[u8]) {
    // The longest integer has 20 digits.
    if bytes.len() <= 20
        && let Some(n) = canonical_int(bytes)
    {
        return push_int(out, n);
    }
    match bytes.len() {
        len @ 0..0x80 => out.put(&[len as u8]),
        len if len <= usize::from(u16::MAX) => {
            out.put(&[BYTES16]);
            out.put(&(len as u16).to_le_bytes());
        }
        len => {
            out.put(&[BYTES32]);
            let len = u32::try_from(len).expect("an element is shorter than 4 GiB");
            out.put(&len.to_le_bytes());
        }
    }
    out.put(bytes);
}

/// Adds an integer.
#[inline]
pub fn push_int(out: &mut impl Sink, n: i64) {
    let bytes = n.to_le_bytes();
    let fits = |bits: u32| n >> (bits - 1) == n >> 63;
    if (0..64).contains(&n) {
        return out.put(&[INT6 | n as u8]);
    }
    if (-INT12_BIAS..4096 - INT12_BIAS).contains(&n) {
        let raw = (n + INT12_BIAS) as u16;
        return out.put(&[INT12 | (raw >> 8) as u8, raw as u8]);
    }
    let (tag, width) = match () {
        () if fits(16) => (INT16, 2),
        () if fits(24) => (INT24, 3),
        () if fits(32) => (INT32, 4),
        () if fits(48) => (INT48, 6),
        () => (INT64, 8),
    };
    out.put(&[tag]);
    out.put(&bytes[..width]);
}

/// Adds a number: as an integer where that gives the same number back, its sign included.
#[inline]
pub fn push_number(out: &mut impl Sink, d: f64) {
    let n = d as i64;
    if n as f64 == d && (n != 0 || d.is_sign_positive()) && n != i64::MAX {
        return push_int(out, n);
    }
    out.put(&[DOUBLE]);
    out.put(&d.to_le_bytes());
}

/// An empty run.
pub(crate) const EMPTY: &[u8] = &[0; HEADER_BYTES];

/// A run of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed<'p>(&'p [u8]);

impl<'p> Packed<'p> {
    /// The run that `bytes` are.
    #[inline]
    pub fn new(bytes: &'p [u8]) -> Packed<'p> {
        debug_assert!(bytes.len() >= HEADER_BYTES, "a run begins with its number of elements");
        Packed(bytes)
    }

    /// How many elements it has.
    #[inline]
    pub fn len(self) -> usize {
        usize::from(u16::from_le_bytes([self.0[0], self.0[1]]))
    }

    /// Whether it has none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The whole run.
    #[inline]
    pub fn as_slice(self) -> &'p [u8] {
        self.0
    }

    /// The offset behind the last element.
    #[inline]
    pub fn end(self) -> usize {
        self.0.len()
    }

    /// The offset behind the element at `at`.
    #[inline]
    pub fn next_at(self, at: usize) -> usize {
        at + size_of_element(&self.0[at..])
    }

    /// The element at offset `at`.
    #[inline]
    pub fn element_at(self, at: usize) -> Element<'p> {
        read(&self.0[at..])
    }

    /// The elements with their offsets.
    #[inline]
    pub fn iter(self) -> Iter<'p> {
        self.iter_from(HEADER_BYTES)
    }

    /// The elements from offset `at` on, with their offsets.
    #[inline]
    pub fn iter_from(self, at: usize) -> Iter<'p> {
        Iter { run: self.0, at }
    }

    /// The offset of element number `n`, or the end; walks there from the front.
    pub fn offset_of(self, n: usize) -> usize {
        (0..n.min(self.len())).fold(HEADER_BYTES, |at, _| self.next_at(at))
    }

    /// The offset of the first element from offset `from` on that is `wanted`, looking at each `step`-th.
    #[inline]
    pub fn find(self, wanted: &Encoded, from: usize, step: usize) -> Option<usize> {
        let wanted = wanted.as_slice();
        let (first, run) = (wanted[0], self.0);
        let mut at = from;
        while at < run.len() {
            let size = size_of_element(&run[at..]);
            if run[at] == first && run[at..at + size] == *wanted {
                return Some(at);
            }
            at += size;
            for _ in 1..step {
                at += size_of_element(&run[at..]);
            }
        }
        None
    }
}

/// Elements with their offsets.
#[derive(Clone, Debug)]
pub struct Iter<'p> {
    run: &'p [u8],
    at: usize,
}

impl<'p> Iterator for Iter<'p> {
    type Item = (usize, Element<'p>);

    #[inline]
    fn next(&mut self) -> Option<(usize, Element<'p>)> {
        let rest = &self.run[self.at..];
        if rest.is_empty() {
            return None;
        }
        let at = self.at;
        self.at += size_of_element(rest);
        Some((at, read(rest)))
    }
}

/// How many bytes the element takes that `bytes` begin with.
#[inline]
pub fn size_of_element(bytes: &[u8]) -> usize {
    match SIZES[usize::from(bytes[0])] {
        0 => long_size(bytes),
        size => usize::from(size),
    }
}

#[cold]
fn long_size(bytes: &[u8]) -> usize {
    match bytes[0] {
        BYTES16 => 3 + usize::from(u16::from_le_bytes(fixed(&bytes[1..]))),
        _ => 5 + u32::from_le_bytes(fixed(&bytes[1..])) as usize,
    }
}

/// The element that `bytes` begin with.
#[inline]
pub fn read(bytes: &[u8]) -> Element<'_> {
    let tag = bytes[0];
    match tag {
        0..0x80 => Element::Bytes(&bytes[1..1 + usize::from(tag)]),
        INT6..INT12 => Element::Int(i64::from(tag & 0x3f)),
        INT12..INT16 => Element::Int((i64::from(tag & 0x0f) << 8 | i64::from(bytes[1])) - INT12_BIAS),
        INT16 => Element::Int(int::<2>(bytes)),
        INT24 => Element::Int(int::<3>(bytes)),
        INT32 => Element::Int(int::<4>(bytes)),
        INT48 => Element::Int(int::<6>(bytes)),
        INT64 => Element::Int(int::<8>(bytes)),
        DOUBLE => Element::Double(f64::from_le_bytes(fixed(&bytes[1..]))),
        BYTES16 => Element::Bytes(&bytes[3..long_size(bytes)]),
        _ => Element::Bytes(&bytes[5..long_size(bytes)]),
    }
}

/// The signed integer of `WIDTH` bytes behind the first.
fn int<const WIDTH: usize>(bytes: &[u8]) -> i64 {
    let mut wide = [0; 8];
    wide[8 - WIDTH..].copy_from_slice(&bytes[1..1 + WIDTH]);
    i64::from_le_bytes(wide) >> (64 - 8 * WIDTH)
}

fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut fixed = [0; N];
    fixed.copy_from_slice(&bytes[..N]);
    fixed
}

/// Adds `by` to the number of elements of the run that `bytes` are.
#[inline]
pub(crate) fn count_elements(bytes: &mut [u8], by: isize) {
    let count = u16::from_le_bytes([bytes[0], bytes[1]]);
    let count = usize::from(count).checked_add_signed(by).and_then(|n| u16::try_from(n).ok());
    bytes[..HEADER_BYTES].copy_from_slice(&count.expect("a run has few elements").to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(elements: &[&[u8]]) -> Vec<u8> {
        let mut bytes = EMPTY.to_vec();
        elements.iter().for_each(|element| push(&mut bytes, element));
        count_elements(&mut bytes, elements.len() as isize);
        bytes
    }

    #[test]
    fn what_was_put_in_comes_out() {
        let mut ints = vec![0i64, 63, 64, -1, -128, -129, 3967, 3968, i64::MIN, i64::MAX];
        for bits in [15, 23, 31, 47] {
            ints.extend([1 << bits, (1 << bits) - 1, -(1 << bits), -(1 << bits) - 1]);
        }
        for n in ints {
            let text = n.to_string();
            let bytes = run(&[text.as_bytes(), b"behind"]);
            let elements: Vec<_> = Packed::new(&bytes).iter().map(|(_, element)| element).collect();
            assert_eq!(elements, [Element::Int(n), Element::Bytes(b"behind")]);
        }
        for len in [0, 1, 63, 127, 128, 65_535, 65_536, 100_000] {
            let long = vec![b'x'; len];
            let bytes = run(&[&long, b"007"]);
            let packed = Packed::new(&bytes);
            let elements: Vec<_> = packed.iter().map(|(_, element)| element).collect();
            assert_eq!(elements, [Element::Bytes(&long), Element::Bytes(b"007")]);
            assert_eq!((packed.len(), packed.next_at(packed.offset_of(1))), (2, packed.end()));
        }
    }

    #[test]
    fn numbers_keep_their_value_and_sign() {
        let numbers = [
            0.0,
            -0.0,
            1.5,
            -3.0,
            1e300,
            f64::INFINITY,
            -f64::INFINITY,
            9.007_199_254_740_993e15,
            2f64.powi(63),
        ];
        for d in numbers {
            let encoded = Encoded::number(d);
            let back = read(encoded.as_slice()).number().unwrap();
            assert_eq!(back.to_bits(), d.to_bits(), "{d}");
        }
        assert_eq!(Encoded::number(7.0), Encoded::int(7));
    }

    #[test]
    fn elements_are_found_by_value_and_step() {
        let bytes = run(&[b"a", b"b", b"b", b"1", b"2", b"a"]);
        let packed = Packed::new(&bytes);
        assert_eq!(packed.find(&Encoded::of(b"b"), HEADER_BYTES, 1), Some(packed.offset_of(1)));
        assert_eq!(packed.find(&Encoded::of(b"b"), HEADER_BYTES, 2), Some(packed.offset_of(2)));
        assert_eq!(packed.find(&Encoded::int(1), HEADER_BYTES, 1), Some(packed.offset_of(3)));
        assert_eq!(packed.find(&Encoded::of(b"a"), packed.offset_of(1), 1), Some(packed.offset_of(5)));
        assert_eq!(packed.find(&Encoded::of(b"a"), packed.offset_of(2), 2), None);
    }
}
