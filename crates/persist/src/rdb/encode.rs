//! Values to bytes, in encodings that every reader of version 11 knows.

use engine::canonical_int;

use super::format::{Encoding, Version};
use super::packed::Builder;
use super::stream;
use super::value::{Bytes, Field, Value};
use crate::lzf::Compressor;

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

    /// A value in `encoding`, which [`encoding_of`] gave for it.
    pub(super) fn value(&mut self, value: &Value<'_>, encoding: Encoding) {
        match value {
            Value::String(bytes) => self.string(bytes),
            Value::List(items) => self.list(items),
            Value::Set(members) => match encoding {
                Encoding::SetIntset => {
                    let run = intset(members);
                    self.string(&run);
                }
                Encoding::SetListpack => self.listpack(members.iter().map(|m| &**m)),
                _ => {
                    self.length(members.len() as u64);
                    members.iter().for_each(|member| self.string(member));
                }
            },
            Value::ZSet(members) => self.zset(members, encoding),
            Value::Hash(fields) => self.hash(fields, encoding),
            Value::Stream(stream) => stream::encode(stream, encoding, self),
            Value::Module(module) => {
                self.length(module.name.0);
                self.raw(&module.body);
            }
        }
    }

    fn listpack<'x>(&mut self, elements: impl Iterator<Item = &'x [u8]>) {
        let mut run = Builder::new();
        elements.for_each(|element| run.push(element));
        self.string(&run.finish());
    }

    /// Nodes of a kind each: 1 is an item by itself, 2 a listpack.
    fn list(&mut self, items: &[Bytes<'_>]) {
        let mut nodes = Vec::new();
        let mut rest = items;
        while let [first, ..] = rest {
            let mut bytes = 0;
            let small = rest.iter().take(NODE_ELEMENTS_MAX).take_while(|item| {
                bytes += item.len() + 6;
                bytes <= NODE_BYTES_MAX
            });
            let count = small.count();
            nodes.push((first, &rest[..count]));
            rest = &rest[count.max(1)..];
        }
        self.length(nodes.len() as u64);
        for (first, node) in nodes {
            if node.is_empty() {
                self.length(1);
                self.string(first);
            } else {
                self.length(2);
                self.listpack(node.iter().map(|item| &**item));
            }
        }
    }

    fn zset(&mut self, members: &[(Bytes<'_>, f64)], encoding: Encoding) {
        if encoding != Encoding::ZSetListpack {
            self.length(members.len() as u64);
            for (member, score) in members {
                self.string(member);
                self.raw(&score.to_le_bytes());
            }
            return;
        }
        let mut sorted: Vec<_> = members.iter().collect();
        sorted.sort_by(|(a, x), (b, y)| x.total_cmp(y).then_with(|| a.cmp(b)));
        let mut run = Builder::new();
        for (member, score) in sorted {
            run.push(member);
            push_score(&mut run, *score);
        }
        self.string(&run.finish());
    }

    fn hash(&mut self, fields: &[Field<'_>], encoding: Encoding) {
        if encoding == Encoding::HashListpack {
            return self.listpack(fields.iter().flat_map(|field| [&*field.name, &*field.value]));
        }
        let earliest_ms = fields.iter().filter_map(|field| field.deadline_ms).min();
        if let Some(earliest_ms) = earliest_ms {
            self.raw(&earliest_ms.to_le_bytes());
        }
        self.length(fields.len() as u64);
        for field in fields {
            if let Some(earliest_ms) = earliest_ms {
                self.length(field.deadline_ms.map_or(0, |ms| ms.abs_diff(earliest_ms) + 1));
            }
            self.string(&field.name);
            self.string(&field.value);
        }
    }
}

impl stream::Output for Encoder {
    fn length(&mut self, n: u64) {
        Encoder::length(self, n);
    }

    fn string(&mut self, bytes: &[u8]) {
        Encoder::string(self, bytes);
    }

    fn raw(&mut self, bytes: &[u8]) {
        Encoder::raw(self, bytes);
    }
}

/// How `value` is written. All but a hash whose fields have deadlines can be read by every reader of version 11;
/// such a hash can by Redis 7.4 and later only, for before there was none.
pub(super) fn encoding_of(value: &Value<'_>, version: Version) -> Encoding {
    match value {
        Value::String(_) => Encoding::String,
        Value::List(_) => Encoding::ListQuicklist2,
        Value::Set(members) => match set_encoding(members) {
            Encoding::SetListpack if version < Version::V11 => Encoding::Set,
            encoding => encoding,
        },
        Value::ZSet(members) => {
            let small = members.len() <= PACKED_ELEMENTS_MAX && members.iter().all(|(m, _)| is_small(m));
            if small && !members.is_empty() { Encoding::ZSetListpack } else { Encoding::ZSet2 }
        }
        Value::Hash(fields) if fields.iter().any(|f| f.deadline_ms.is_some()) => Encoding::HashMetadata,
        Value::Hash(fields) => {
            let small = |field: &Field<'_>| is_small(&field.name) && is_small(&field.value);
            let packed = fields.len() <= PACKED_ELEMENTS_MAX && fields.iter().all(small);
            if packed && !fields.is_empty() { Encoding::HashListpack } else { Encoding::Hash }
        }
        Value::Stream(_) if version < Version::V11 => Encoding::Stream2,
        Value::Stream(_) => Encoding::Stream3,
        Value::Module(_) => Encoding::Module,
    }
}

fn is_small(element: &[u8]) -> bool {
    element.len() <= PACKED_ELEMENT_BYTES_MAX
}

fn set_encoding(members: &[Bytes<'_>]) -> Encoding {
    const INTS_MAX: usize = 512;
    if members.is_empty() {
        Encoding::Set
    } else if members.len() <= INTS_MAX && members.iter().all(|m| canonical_int(m).is_some()) {
        Encoding::SetIntset
    } else if members.len() <= PACKED_ELEMENTS_MAX && members.iter().all(|m| is_small(m)) {
        Encoding::SetListpack
    } else {
        Encoding::Set
    }
}

fn intset(members: &[Bytes<'_>]) -> Vec<u8> {
    let mut ints: Vec<i64> = members.iter().filter_map(|member| canonical_int(member)).collect();
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
