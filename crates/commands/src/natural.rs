//! Natural numbers of any size: the few operations that exact decimal conversion needs.

use std::cmp::Ordering;

/// Largest power of ten below 2^64, and its exponent.
const CHUNK: u64 = 10_000_000_000_000_000_000;
const CHUNK_DIGITS: usize = 19;

/// Largest power of five below 2^64, and its exponent.
const FIVES: u64 = 7_450_580_596_923_828_125;
const FIVES_EXPONENT: u32 = 27;

/// A natural number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Natural {
    /// 64 bits each, the lowest first; the last is not zero.
    limbs: Vec<u64>,
}

impl Natural {
    /// The number with these decimal digits.
    pub(crate) fn from_digits(digits: &[u8]) -> Natural {
        let mut n = Natural { limbs: Vec::with_capacity(digits.len() / CHUNK_DIGITS + 1) };
        for chunk in digits.chunks(CHUNK_DIGITS) {
            let value = chunk.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
            n.multiply_add(10u64.pow(chunk.len() as u32), value);
        }
        n
    }

    /// The number `n` times 2 to the power of `exponent`.
    pub(crate) fn shifted(n: u64, exponent: u32) -> Natural {
        let mut shifted = Natural { limbs: if n == 0 { Vec::new() } else { vec![n] } };
        shifted.shift_left(exponent);
        shifted
    }

    /// Multiplies by 5 to the power of `exponent`.
    pub(crate) fn multiply_pow5(&mut self, exponent: u32) {
        for _ in 0..exponent / FIVES_EXPONENT {
            self.multiply_add(FIVES, 0);
        }
        self.multiply_add(5u64.pow(exponent % FIVES_EXPONENT), 0);
    }

    /// Multiplies by 2 to the power of `exponent`.
    pub(crate) fn shift_left(&mut self, exponent: u32) {
        if self.limbs.is_empty() {
            return;
        }
        self.multiply_add(1 << (exponent % 64), 0);
        self.limbs.splice(0..0, std::iter::repeat_n(0, exponent as usize / 64));
    }

    /// How many bits it has, from the highest that is set; 0 for zero.
    pub(crate) fn bits(&self) -> u32 {
        self.limbs.last().map_or(0, |top| self.limbs.len() as u32 * 64 - top.leading_zeros())
    }

    /// Subtracts `other`, which must not be larger.
    pub(crate) fn subtract(&mut self, other: &Natural) {
        debug_assert!(*self >= *other, "the result would be negative");
        let mut borrow = false;
        for (i, limb) in self.limbs.iter_mut().enumerate() {
            let subtrahend = other.limbs.get(i).copied().unwrap_or(0);
            let (difference, under) = limb.overflowing_sub(subtrahend);
            let (difference, under_again) = difference.overflowing_sub(u64::from(borrow));
            *limb = difference;
            borrow = under || under_again;
        }
        self.trim();
    }

    /// Whether it is zero.
    pub(crate) fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    /// Its decimal digits.
    pub(crate) fn digits(mut self) -> String {
        let mut chunks = Vec::with_capacity(self.limbs.len() * 64 / 63 + 1);
        while !self.is_zero() {
            chunks.push(self.divide_by_chunk());
        }
        let first = chunks.pop().unwrap_or(0);
        let mut digits = first.to_string();
        for chunk in chunks.iter().rev() {
            digits.push_str(&format!("{chunk:0CHUNK_DIGITS$}"));
        }
        digits
    }

    fn multiply_add(&mut self, factor: u64, summand: u64) {
        let mut carry = summand;
        for limb in &mut self.limbs {
            let product = u128::from(*limb) * u128::from(factor) + u128::from(carry);
            *limb = product as u64;
            carry = (product >> 64) as u64;
        }
        if carry != 0 {
            self.limbs.push(carry);
        }
    }

    /// Divides by [`CHUNK`]; the remainder.
    fn divide_by_chunk(&mut self) -> u64 {
        let mut remainder = 0;
        for limb in self.limbs.iter_mut().rev() {
            let dividend = u128::from(remainder) << 64 | u128::from(*limb);
            *limb = (dividend / u128::from(CHUNK)) as u64;
            remainder = (dividend % u128::from(CHUNK)) as u64;
        }
        self.trim();
        remainder
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Natural) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Natural) -> Ordering {
        let by_length = self.limbs.len().cmp(&other.limbs.len());
        by_length.then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(digits: &str) -> Natural {
        Natural::from_digits(digits.as_bytes())
    }

    #[test]
    fn digits_survive_the_way_there_and_back() {
        for digits in [
            "0",
            "7",
            "10000000000000000000",
            "18446744073709551616",
            "340282366920938463463374607431768211456",
            "100000000000000000000000000000000000000000000000000000000000000000000000000001",
        ] {
            assert_eq!(n(digits).digits(), digits);
        }
        assert_eq!(n("000").digits(), "0");
    }

    #[test]
    fn powers_and_shifts_multiply() {
        assert_eq!(Natural::shifted(1, 128), n("340282366920938463463374607431768211456"));
        assert_eq!(Natural::shifted(3, 1), n("6"));
        assert_eq!(Natural::shifted(0, 1000).bits(), 0);
        let mut ten_to_30 = Natural::shifted(1, 30);
        ten_to_30.multiply_pow5(30);
        assert_eq!(ten_to_30.digits(), format!("1{}", "0".repeat(30)));
    }

    #[test]
    fn order_and_difference_go_across_limbs() {
        let (mut large, small) = (Natural::shifted(1, 64), n("1"));
        assert!(large > small && n("2") > small && n("1") == small);
        large.subtract(&small);
        assert_eq!(large, n("18446744073709551615"));
        assert_eq!(large.bits(), 64);
        let same = large.clone();
        large.subtract(&same);
        assert!(large.is_zero());
    }
}
