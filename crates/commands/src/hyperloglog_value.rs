//! A HyperLogLog as bytes, in Redis's own format, so that a value moves between servers by GET and SET, DUMP or a file.
//!
//! A header of 16 bytes: `HYLL`, the encoding (0 dense, 1 sparse), three bytes of 0, the cached cardinality as 64 bits
//! with the lowest byte first, whose top bit says that it is out of date. Then 16384 registers: dense, 6 bits each from
//! each byte's lowest bit up; sparse, the opcodes of `crate::hyperloglog_sparse`.

use crate::error::Error;
use crate::hyperloglog_estimate::{Histogram, rank};
use crate::hyperloglog_sparse::{Raised, raise, runs};

/// How many registers there are.
pub(crate) const REGISTERS: usize = 1 << 14;
/// Bytes of the header.
const HEADER_BYTES: usize = 16;
/// Bytes of a dense value.
const DENSE_BYTES: usize = HEADER_BYTES + REGISTERS * 6 / 8;
const MAGIC: &[u8; 4] = b"HYLL";
/// Where the header's encoding stands.
const ENCODING_AT: usize = 4;
/// Where the header's cardinality stands.
const CARDINALITY: std::ops::Range<usize> = 8..HEADER_BYTES;
/// The bit of the cardinality that says that it is out of date.
const STALE: u64 = 1 << 63;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;

/// Opcodes that are no 16384 registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupted;

impl From<Corrupted> for Error {
    fn from(_: Corrupted) -> Error {
        Error::Text("INVALIDOBJ Corrupted HLL object detected")
    }
}

/// A value whose header is well.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HyperLogLog<'v> {
    bytes: &'v [u8],
}

impl<'v> HyperLogLog<'v> {
    /// `bytes` as a HyperLogLog.
    ///
    /// # Errors
    /// When the header says that they are none, or a dense one has the wrong length.
    pub(crate) fn new(bytes: &'v [u8]) -> Result<HyperLogLog<'v>, Error> {
        let encoding = bytes.get(ENCODING_AT).filter(|_| bytes.len() >= HEADER_BYTES);
        match encoding.filter(|_| bytes.starts_with(MAGIC)) {
            Some(&SPARSE) => Ok(HyperLogLog { bytes }),
            Some(&DENSE) if bytes.len() == DENSE_BYTES => Ok(HyperLogLog { bytes }),
            _ => Err(Error::Text("WRONGTYPE Key is not a valid HyperLogLog string value.")),
        }
    }

    /// Whether the registers have 6 bits each.
    pub(crate) fn is_dense(self) -> bool {
        self.bytes[ENCODING_AT] == DENSE
    }

    /// The registers, however they are encoded.
    pub(crate) fn encoded(self) -> &'v [u8] {
        &self.bytes[HEADER_BYTES..]
    }

    /// The cached cardinality, unless it is out of date.
    pub(crate) fn cached(self) -> Option<u64> {
        let bytes = self.bytes[CARDINALITY].first_chunk()?;
        Some(u64::from_le_bytes(*bytes)).filter(|cardinality| cardinality & STALE == 0)
    }

    /// About how many different elements were added.
    ///
    /// # Errors
    /// [`Corrupted`].
    pub(crate) fn cardinality(self) -> Result<u64, Corrupted> {
        let mut histogram = Histogram::default();
        if self.is_dense() {
            dense_values(self.encoded()).for_each(|value| histogram.add(value, 1));
            return Ok(histogram.cardinality());
        }
        let mut seen = 0;
        for run in runs(self.encoded()) {
            let run = run?;
            seen += run.len;
            histogram.add(run.value, run.len);
        }
        if seen == REGISTERS { Ok(histogram.cardinality()) } else { Err(Corrupted) }
    }

    /// Whether adding `element` would raise a register of a dense value.
    pub(crate) fn would_raise(self, element: &[u8]) -> bool {
        let (index, value) = rank(element);
        dense_value(self.encoded(), index) < value
    }

    /// Bytes of the same registers in the dense encoding.
    ///
    /// # Errors
    /// [`Corrupted`].
    pub(crate) fn to_dense(self) -> Result<Vec<u8>, Corrupted> {
        if self.is_dense() {
            return Ok(self.bytes.to_vec());
        }
        let mut registers = Registers::default();
        registers.merge(self)?;
        Ok(registers.dense(self.bytes))
    }
}

/// The value of a key that had none: every register 0, and that cardinality cached.
pub(crate) fn empty() -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    bytes[ENCODING_AT] = SPARSE;
    bytes.extend([0x7f, 0xff]);
    bytes
}

/// Caches the cardinality of the value `bytes`.
pub(crate) fn cache(bytes: &mut [u8], cardinality: u64) {
    bytes[CARDINALITY].copy_from_slice(&cardinality.to_le_bytes());
}

/// Notes in the value `bytes` that its cached cardinality is out of date.
pub(crate) fn make_stale(bytes: &mut [u8]) {
    bytes[CARDINALITY.end - 1] |= (STALE >> 56) as u8;
}

/// Adds `element` to the value `bytes`, which turns dense when it is sparse and gets longer than `sparse_bytes_max`;
/// whether that raised a register.
///
/// # Errors
/// [`Corrupted`]; then nothing has changed.
pub(crate) fn add(bytes: &mut Vec<u8>, element: &[u8], sparse_bytes_max: usize) -> Result<bool, Corrupted> {
    let (index, value) = rank(element);
    raise_register(bytes, index, value, sparse_bytes_max)
}

/// [`add`] of an element that has `value` for the register `index`.
fn raise_register(
    bytes: &mut Vec<u8>,
    index: usize,
    value: u8,
    sparse_bytes_max: usize,
) -> Result<bool, Corrupted> {
    if bytes[ENCODING_AT] == SPARSE {
        match raise(bytes, HEADER_BYTES, index, value, sparse_bytes_max)? {
            Raised::TooBig => *bytes = HyperLogLog { bytes }.to_dense()?,
            raised => return Ok(raised == Raised::Yes),
        }
    }
    Ok(raise_dense(bytes, index, value))
}

/// Adds `element` to the dense value `bytes`; whether that raised a register.
pub(crate) fn add_dense(bytes: &mut [u8], element: &[u8]) -> bool {
    let (index, value) = rank(element);
    raise_dense(bytes, index, value)
}

fn raise_dense(bytes: &mut [u8], index: usize, value: u8) -> bool {
    let registers = &mut bytes[HEADER_BYTES..];
    let raised = dense_value(registers, index) < value;
    if raised {
        set_dense_value(registers, index, value);
    }
    raised
}

/// Register `index` of dense registers.
fn dense_value(registers: &[u8], index: usize) -> u8 {
    let (at, shift) = (index * 6 / 8, index * 6 % 8);
    let low = u16::from(registers[at]);
    let high = registers.get(at + 1).map_or(0, |&byte| u16::from(byte));
    ((high << 8 | low) >> shift & 0x3f) as u8
}

fn set_dense_value(registers: &mut [u8], index: usize, value: u8) {
    let (at, shift) = (index * 6 / 8, index * 6 % 8);
    let [low, high] = (u16::from(value) << shift).to_le_bytes();
    let [low_mask, high_mask] = (0x3fu16 << shift).to_le_bytes();
    registers[at] = registers[at] & !low_mask | low;
    if high_mask != 0 {
        registers[at + 1] = registers[at + 1] & !high_mask | high;
    }
}

/// All dense registers in their order: three bytes hold four.
fn dense_values(registers: &[u8]) -> impl Iterator<Item = u8> {
    registers.chunks_exact(3).flat_map(|three| {
        let bits = u32::from(three[0]) | u32::from(three[1]) << 8 | u32::from(three[2]) << 16;
        [0, 6, 12, 18].map(|shift| (bits >> shift & 0x3f) as u8)
    })
}

/// Registers a byte each: the union of several values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registers {
    values: Vec<u8>,
}

impl Default for Registers {
    /// Every register 0.
    fn default() -> Registers {
        Registers { values: vec![0; REGISTERS] }
    }
}

impl Registers {
    /// The registers in their order.
    pub(crate) fn values(&self) -> &[u8] {
        &self.values
    }

    /// Raises each register to what it is in `other`.
    ///
    /// # Errors
    /// [`Corrupted`].
    pub(crate) fn merge(&mut self, other: HyperLogLog<'_>) -> Result<(), Corrupted> {
        if other.is_dense() {
            for (mine, value) in self.values.iter_mut().zip(dense_values(other.encoded())) {
                *mine = value.max(*mine);
            }
            return Ok(());
        }
        let mut at = 0;
        for run in runs(other.encoded()) {
            let run = run?;
            let covered = self.values.get_mut(at..at + run.len).ok_or(Corrupted)?;
            covered.iter_mut().for_each(|mine| *mine = run.value.max(*mine));
            at += run.len;
        }
        if at == REGISTERS { Ok(()) } else { Err(Corrupted) }
    }

    /// About how many different elements were added.
    pub(crate) fn cardinality(&self) -> u64 {
        let mut histogram = Histogram::default();
        self.values.iter().for_each(|&value| histogram.add(value, 1));
        histogram.cardinality()
    }

    /// Bytes of these registers in the dense encoding, with the cardinality that the value `like` caches.
    pub(crate) fn dense(&self, like: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(DENSE_BYTES);
        bytes.extend_from_slice(&like[..HEADER_BYTES]);
        bytes[ENCODING_AT] = DENSE;
        for four in self.values.chunks_exact(4) {
            let bits = four.iter().rev().fold(0u32, |bits, &value| bits << 6 | u32::from(value));
            bytes.extend_from_slice(&bits.to_le_bytes()[..3]);
        }
        bytes
    }

    /// The value `bytes`, whose registers these hold already, raised to them: what PFMERGE makes of its destination.
    ///
    /// # Errors
    /// [`Corrupted`].
    pub(crate) fn raise_all(
        &self,
        mut bytes: Vec<u8>,
        dense: bool,
        sparse_bytes_max: usize,
    ) -> Result<Vec<u8>, Corrupted> {
        if !dense {
            for (index, &value) in self.values.iter().enumerate().filter(|(_, value)| **value > 0) {
                raise_register(&mut bytes, index, value, sparse_bytes_max)?;
                if bytes[ENCODING_AT] == DENSE {
                    break;
                }
            }
        }
        if dense || bytes[ENCODING_AT] == DENSE {
            bytes = self.dense(&bytes);
        }
        make_stale(&mut bytes);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_hold_the_same_registers() {
        let (mut sparse, mut dense) = (empty(), HyperLogLog::new(&empty()).unwrap().to_dense().unwrap());
        for n in 0..5000u32 {
            let element = n.to_string();
            let raised = add(&mut sparse, element.as_bytes(), usize::MAX).unwrap();
            assert_eq!(HyperLogLog::new(&dense).unwrap().would_raise(element.as_bytes()), raised);
            assert_eq!(add_dense(&mut dense, element.as_bytes()), raised);
        }
        let (sparse, dense) = (HyperLogLog::new(&sparse).unwrap(), HyperLogLog::new(&dense).unwrap());
        assert!(!sparse.is_dense() && dense.is_dense());
        assert_eq!(sparse.to_dense().unwrap(), dense.bytes);
        assert_eq!(sparse.cardinality(), dense.cardinality());
        assert!(sparse.cardinality().unwrap().abs_diff(5000) < 200);
    }

    #[test]
    fn registers_that_do_not_add_up_are_found() {
        let mut bytes = empty();
        add(&mut bytes, b"a", 3000).unwrap();
        for damage in [&b"hello"[..], b"\x7f"] {
            let damaged = [&bytes[..], damage].concat();
            let value = HyperLogLog::new(&damaged).unwrap();
            assert_eq!(value.cardinality(), Err(Corrupted));
            assert_eq!(Registers::default().merge(value), Err(Corrupted));
        }
    }

    #[test]
    fn a_register_at_the_end_of_the_bytes_is_set_alone() {
        let mut dense = HyperLogLog::new(&empty()).unwrap().to_dense().unwrap();
        assert!(raise_dense(&mut dense, REGISTERS - 1, 51));
        assert!(raise_dense(&mut dense, REGISTERS - 2, 1));
        assert!(!raise_dense(&mut dense, REGISTERS - 1, 50));
        let values: Vec<u8> = dense_values(&dense[HEADER_BYTES..]).collect();
        assert_eq!(values[REGISTERS - 3..], [0, 1, 51]);
    }
}
