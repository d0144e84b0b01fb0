//! Values to bytes, in encodings that every reader of version 11 knows.

use engine::{Element, Str, canonical_int};

use super::format::{Encoding, Version};
use super::packed::Builder;
use super::stream;
use crate::lzf::Compressor;
use crate::shape::{Fields, Items, Scored, Shape};

/// Strings up to this are not worth compressing.
const PLAIN_BYTES_MAX: usize = 20;
/// Longest string that may be an integer of 32 bits: `-2147483648`.
const INT_DIGITS_MAX: usize = 11;
/// What a collection written as one listpack may have: what Redis has by default.
const PACKED_ELEMENTS_MAX: usize = 128;
const PACKED_ELEMENT_BYTES_MAX: usize = 64;
/// A list's node.
const NODE_ELEMENTS_MAX: usize = 128;
const NODE_BYTES_MAX: usize = 8 << 10;

/// Bytes being written.
#[derive(Debug)]
pub(super) struct Encoder {
    pub(super) bytes: Vec<u8>,
    compression: Option<Compression>,
}

#[derive(Debug)]
struct Compression {
    compressor: Compressor,
    /// Room for what was compressed.
    compressed: Vec<u8>,
}

impl Encoder {
    pub(super) fn new(compression: bool) -> Encoder {
        let compression =
            compression.then(|| Compression { compressor: Compressor::new(), compressed: Vec::new() });
        Encoder { bytes: Vec::new(), compression }
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    #[inline]
    pub(super) fn length(&mut self, n: u64) {
        match n {
            0..64 => self.bytes.push(n as u8),
            64..16_384 => self.bytes.extend([0x40 | (n >> 8) as u8, n as u8]),
            _ => match u32::try_from(n) {
                Ok(n) => {
                    self.bytes.push(0x80);
                    self.bytes.extend(n.to_be_bytes());
                }
                Err(_) => {
                    self.bytes.push(0x81);
                    self.bytes.extend(n.to_be_bytes());
                }
            },
        }
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A string, in the shortest form.
    #[inline]
    pub(super) fn string(&mut self, bytes: &[u8]) {
        if bytes.len() <= INT_DIGITS_MAX
            && let Some(n) = canonical_int(bytes).and_then(|n| i32::try_from(n).ok())
        {
            return self.small_int(n);
        }
        if bytes.len() <= PLAIN_BYTES_MAX || !self.compressed(bytes) {
            self.length(bytes.len() as u64);
            self.raw(bytes);
        }
    }

    /// The string that is the decimal form of `n`.
    #[inline]
    pub(super) fn int(&mut self, n: i64) {
        match i32::try_from(n) {
            Ok(n) => self.small_int(n),
            Err(_) => {
                let mut digits = itoa::Buffer::new();
                let digits = digits.format(n).as_bytes();
                self.length(digits.len() as u64);
                self.raw(digits);
            }
        }
    }

    fn small_int(&mut self, n: i32) {
        let bytes = n.to_le_bytes();
        let (form, width) = if i8::try_from(n).is_ok() {
            (0xc0, 1)
        } else if i16::try_from(n).is_ok() {
            (0xc1, 2)
        } else {
            (0xc2, 4)
        };
        self.bytes.push(form);
        self.bytes.extend_from_slice(&bytes[..width]);
    }

    /// Writes `bytes` compressed, if that saves some.
    fn compressed(&mut self, bytes: &[u8]) -> bool {
        let Some(Compression { compressor, mut compressed }) = self.compression.take() else { return false };
        let mut compressor = compressor;
        compressed.clear();
        let smaller = compressor.compress(bytes, bytes.len() - 4, &mut compressed);
        if smaller {
            self.byte(0xc3);
            self.length(compressed.len() as u64);
            self.length(bytes.len() as u64);
            self.raw(&compressed);
        }
        self.compression = Some(Compression { compressor, compressed });
        smaller
    }

    /// An element of a collection.
    #[inline]
    fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Int(n) => self.int(n),
            Element::Bytes(bytes) => self.string(bytes),
            Element::Double(_) => self.string(b""),
        }
    }

    /// A value in `encoding`, which [`encoding_of`] gave for it. `gather` is called after each part, and may take away
    /// the bytes so far: so a large value is never there as a whole.
    ///
    /// # Errors
    /// Those of `gather`.
    pub(super) fn value<E>(
        &mut self,
        shape: Shape<'_>,
        encoding: Encoding,
        gather: &mut impl FnMut(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        match shape {
            Shape::String(Str::Int(n)) => self.int(n),
            Shape::String(Str::Bytes(bytes)) => self.string(bytes),
            Shape::List(items) => self.list(items, gather)?,
            Shape::Set(members) => match encoding {
                Encoding::SetIntset => {
                    let run = intset(members);
                    self.string(&run);
                }
                Encoding::SetListpack => self.listpack(members.iter()),
                _ => {
                    self.length(members.len() as u64);
                    for member in members.iter() {
                        self.element(member);
                        gather(&mut self.bytes)?;
                    }
                }
            },
            Shape::ZSet(members) => self.zset(members, encoding, gather)?,
            Shape::Hash(fields) => self.hash(fields, encoding, gather)?,
            Shape::Stream(stream) => stream::encode(stream, encoding, self, gather)?,
            Shape::Module(module) => {
                self.length(module.name.0);
                self.raw(&module.body);
            }
        }
        gather(&mut self.bytes)
    }

    fn listpack<'x>(&mut self, elements: impl Iterator<Item = Element<'x>>) {
        let mut run = Builder::new();
        elements.for_each(|element| run.push_element(element));
        self.string(&run.finish());
    }

    /// Nodes of a kind each: 1 is an item by itself, 2 a listpack. How many there are stands before the first, so the
    /// items are gone through twice.
    fn list<E>(
        &mut self,
        items: Items<'_>,
        gather: &mut impl FnMut(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut nodes = 0;
        let mut room = Room::default();
        for item in items.iter() {
            nodes += u64::from(room.is_new_node(item.len()));
        }
        self.length(nodes);
        let mut room = Room::default();
        let mut node: Option<Builder> = None;
        for item in items.iter() {
            if room.is_new_node(item.len()) {
                self.node(node.take());
                gather(&mut self.bytes)?;
            }
            if room.is_alone {
                self.length(1);
                self.element(item);
            } else {
                node.get_or_insert_with(Builder::new).push_element(item);
            }
        }
        self.node(node);
        Ok(())
    }

    fn node(&mut self, node: Option<Builder>) {
        if let Some(node) = node {
            self.length(2);
            self.string(&node.finish());
        }
    }

    fn zset<E>(
        &mut self,
        members: Scored<'_>,
        encoding: Encoding,
        gather: &mut impl FnMut(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        if encoding != Encoding::ZSetListpack {
            self.length(members.len() as u64);
            for (member, score) in members.iter() {
                self.element(member);
                self.raw(&score.to_le_bytes());
                gather(&mut self.bytes)?;
            }
            return Ok(());
        }
        let mut sorted: Vec<_> = members.iter().collect();
        if matches!(members, Scored::Read(_)) {
            let bytes = |member: Element<'_>| member.bytes(&mut itoa::Buffer::new()).to_vec();
            sorted.sort_by(|(a, x), (b, y)| x.total_cmp(y).then_with(|| bytes(*a).cmp(&bytes(*b))));
        }
        let mut run = Builder::new();
        for (member, score) in sorted {
            run.push_element(member);
            push_score(&mut run, score);
        }
        self.string(&run.finish());
        Ok(())
    }

    fn hash<E>(
        &mut self,
        fields: Fields<'_>,
        encoding: Encoding,
        gather: &mut impl FnMut(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        if encoding == Encoding::HashListpack {
            self.listpack(fields.iter().flat_map(|field| [field.name, field.value]));
            return Ok(());
        }
        let earliest_ms = fields.earliest_ms().filter(|_| encoding == Encoding::HashMetadata);
        if let Some(earliest_ms) = earliest_ms {
            self.raw(&earliest_ms.to_le_bytes());
        }
        self.length(fields.len() as u64);
        for field in fields.iter() {
            if let Some(earliest_ms) = earliest_ms {
                self.length(field.deadline_ms.map_or(0, |ms| ms.abs_diff(earliest_ms) + 1));
            }
            self.element(field.name);
            self.element(field.value);
            gather(&mut self.bytes)?;
        }
        Ok(())
    }
}

/// How full a list's node is.
#[derive(Debug, Default)]
struct Room {
    elements: usize,
    bytes: usize,
    /// The item given last is too large for a listpack, and stands by itself.
    is_alone: bool,
}

impl Room {
    /// Takes an item of `len` bytes; whether a node begins with it.
    fn is_new_node(&mut self, len: usize) -> bool {
        /// What an item takes in a listpack beside itself, at most.
        const OVERHEAD_BYTES: usize = 11;
        let bytes = len + OVERHEAD_BYTES;
        let is_first = self.elements == 0;
        self.elements += 1;
        self.bytes += bytes;
        let full = self.is_alone || self.elements > NODE_ELEMENTS_MAX || self.bytes > NODE_BYTES_MAX;
        if full {
            (self.elements, self.bytes) = (1, bytes);
        }
        self.is_alone = bytes > NODE_BYTES_MAX;
        is_first || full
    }
}

/// How a value is written. All but a hash whose fields have deadlines can be read by every reader of version 11;
/// such a hash can by Redis 7.4 and later only, for before there was none.
pub(super) fn encoding_of(shape: Shape<'_>, version: Version) -> Encoding {
    match shape {
        Shape::String(_) => Encoding::String,
        Shape::List(_) => Encoding::ListQuicklist2,
        Shape::Set(members) => match set_encoding(members) {
            Encoding::SetListpack if version < Version::V11 => Encoding::Set,
            encoding => encoding,
        },
        Shape::ZSet(members) => {
            let small = is_packed(members.len()) && members.iter().all(|(member, _)| is_small(member));
            if small { Encoding::ZSetListpack } else { Encoding::ZSet2 }
        }
        Shape::Hash(fields) if fields.earliest_ms().is_some() => Encoding::HashMetadata,
        Shape::Hash(fields) => {
            let small = |field: engine::Field<'_>| is_small(field.name) && is_small(field.value);
            if is_packed(fields.len()) && fields.iter().all(small) {
                Encoding::HashListpack
            } else {
                Encoding::Hash
            }
        }
        Shape::Stream(_) if version < Version::V11 => Encoding::Stream2,
        Shape::Stream(_) => Encoding::Stream3,
        Shape::Module(_) => Encoding::Module,
    }
}

/// Whether so many elements may be one listpack.
fn is_packed(len: usize) -> bool {
    (1..=PACKED_ELEMENTS_MAX).contains(&len)
}

fn is_small(element: Element<'_>) -> bool {
    element.len() <= PACKED_ELEMENT_BYTES_MAX
}

fn set_encoding(members: Items<'_>) -> Encoding {
    const INTS_MAX: usize = 512;
    let is_int = |member: Element<'_>| matches!(member, Element::Int(_));
    if !members.is_empty() && members.len() <= INTS_MAX && members.iter().all(is_int) {
        Encoding::SetIntset
    } else if is_packed(members.len()) && members.iter().all(is_small) {
        Encoding::SetListpack
    } else {
        Encoding::Set
    }
}

fn intset(members: Items<'_>) -> Vec<u8> {
    let int = |member| match member {
        Element::Int(n) => Some(n),
        _ => None,
    };
    let mut ints: Vec<i64> = members.iter().filter_map(int).collect();
    ints.sort_unstable();
    let width = if ints.iter().all(|n| i16::try_from(*n).is_ok()) {
        2
    } else if ints.iter().all(|n| i32::try_from(*n).is_ok()) {
        4
    } else {
        8
    };
    let mut run = Vec::with_capacity(8 + ints.len() * width);
    run.extend((width as u32).to_le_bytes());
    run.extend((ints.len() as u32).to_le_bytes());
    ints.iter().for_each(|n| run.extend_from_slice(&n.to_le_bytes()[..width]));
    run
}

fn push_score(run: &mut Builder, score: f64) {
    /// Up to here every integer is a double.
    const EXACT_MAX: f64 = (1u64 << 53) as f64;
    if score.fract() == 0.0 && score.abs() <= EXACT_MAX && (score != 0.0 || score.is_sign_positive()) {
        run.push_int(score as i64);
    } else {
        // The shortest decimal form that gives the same number, with an exponent where there are many digits.
        run.push(format!("{score:?}").as_bytes());
    }
}
