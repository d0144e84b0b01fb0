//! HyperLogLog's mathematics: which register an element belongs to, and how many elements registers tell of.
//!
//! The estimator is Otmar Ertl's, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), section 4, as
//! Redis uses it; the hash is Austin Appleby's MurmurHash64A.

use crate::hyperloglog_value::REGISTERS;

/// Redis's seed of the hash.
const SEED: u64 = 0xadc8_3b19;
/// Bits of a hash that name a register.
const INDEX_BITS: u32 = REGISTERS.trailing_zeros();
/// Bits of a hash whose trailing zeros are counted.
const COUNTED_BITS: u32 = u64::BITS - INDEX_BITS;
/// 1 / (2 ln 2), the estimator's constant for many registers.
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// The register that `element` belongs to, and what it raises it to: its hash's trailing zeros plus one.
pub(crate) fn rank(element: &[u8]) -> (usize, u8) {
    let hash = murmur_hash_64a(element, SEED);
    let index = hash as usize & (REGISTERS - 1);
    let zeros = (hash >> INDEX_BITS | 1 << COUNTED_BITS).trailing_zeros();
    (index, zeros as u8 + 1)
}

fn murmur_hash_64a(bytes: &[u8], seed: u64) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    const R: u32 = 47;
    let (blocks, tail) = bytes.as_chunks::<8>();
    let mut hash = seed ^ (bytes.len() as u64).wrapping_mul(M);
    for block in blocks {
        let mut k = u64::from_le_bytes(*block).wrapping_mul(M);
        k ^= k >> R;
        hash = (hash ^ k.wrapping_mul(M)).wrapping_mul(M);
    }
    if !tail.is_empty() {
        let rest = tail.iter().rev().fold(0, |rest, &byte| rest << 8 | u64::from(byte));
        hash = (hash ^ rest).wrapping_mul(M);
    }
    hash = (hash ^ hash >> R).wrapping_mul(M);
    hash ^ hash >> R
}

/// How many registers have each value.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: [usize; 64],
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: [0; 64] }
    }
}

impl Histogram {
    /// Counts `registers` more that are `value`, which 6 bits hold.
    pub(crate) fn add(&mut self, value: u8, registers: usize) {
        self.counts[usize::from(value & 0x3f)] += registers;
    }

    /// About how many different elements made the registers what they are.
    pub(crate) fn cardinality(&self) -> u64 {
        let m = REGISTERS as f64;
        let top = COUNTED_BITS as usize + 1;
        let mut z = m * tau((m - self.counts[top] as f64) / m);
        for &count in self.counts[1..top].iter().rev() {
            z = (z + count as f64) * 0.5;
        }
        z += m * sigma(self.counts[0] as f64 / m);
        (ALPHA * m * m / z).round() as u64
    }
}

/// x + x² + 2x⁴ + 4x⁸ + ..., for 0 <= x <= 1.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// (1 - x - (1 - √x)² / 2 - (1 - ∜x)² / 4 - ...) / 3, for 0 <= x <= 1.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_element_and_all_registers_full_are_estimated() {
        let mut empty = Histogram::default();
        empty.add(0, REGISTERS);
        assert_eq!(empty.cardinality(), 0);
        let mut full = Histogram::default();
        full.add(51, REGISTERS);
        assert_eq!(full.cardinality(), u64::MAX);
        let mut one = Histogram::default();
        one.add(0, REGISTERS - 1);
        one.add(1, 1);
        assert_eq!(one.cardinality(), 1);
    }

    #[test]
    fn an_element_has_a_register_and_at_least_a_one() {
        for n in 0..1000u32 {
            let (index, value) = rank(&n.to_le_bytes()[..(n % 5) as usize]);
            assert!(index < REGISTERS && (1..=51).contains(&value));
        }
    }
}
