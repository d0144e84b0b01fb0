//! Numbers of C's `long double` on x86-64 (the 80-bit extended format of the x87: 64 bits of mantissa, 15 of
//! exponent), in integer arithmetic, so that INCRBYFLOAT gives what Redis gives there, on every machine.
//!
//! Reading rounds a decimal number as `strtold` does, adding as the processor does, and writing as `printf` with
//! `%.17Lf` does: each to the nearest number, ties to the even one.

use crate::natural::Natural;

/// Exponents of the lowest bit of the mantissa: that of the smallest (and of every denormal) number, and that of
/// the largest.
const EXPONENT_MIN: i32 = -16445;
const EXPONENT_MAX: i32 = 16320;

/// Longest text that is read, in bytes: what Redis gives room to.
const TEXT_BYTES_MAX: usize = 5 * 1024 - 1;

/// Decimals that are written, and their unit.
const DECIMALS: usize = 17;
const UNITS: u64 = 100_000_000_000_000_000;

/// A number, or infinity. NaN is never made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LongDouble {
    /// Infinity of either sign.
    Infinite,
    /// `mantissa` times 2 to the power of `exponent`. The mantissa's top bit is set, unless the number is zero or
    /// denormal (its exponent is `EXPONENT_MIN` then).
    Finite {
        /// Whether it is below zero. Zero may have either sign.
        negative: bool,
        /// The digits.
        mantissa: u64,
        /// The exponent of the mantissa's lowest bit.
        exponent: i32,
    },
}

impl LongDouble {
    /// Positive zero.
    const ZERO: LongDouble = LongDouble::Finite { negative: false, mantissa: 0, exponent: EXPONENT_MIN };

    /// The number that `text` is, as `strtold` reads it: decimal, hexadecimal after `0x`, or infinity. Nothing when
    /// `text` has anything else in it, is too long, or is out of range (in this format, underflow to zero too).
    pub(crate) fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let (negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        if rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity") {
            return Some(LongDouble::Infinite);
        }
        let (radix, rest) = match rest {
            [b'0', b'x' | b'X', rest @ ..] => (16, rest),
            rest => (10, rest),
        };
        let literal = Literal::split(rest, radix)?;
        let parsed = if radix == 16 { literal.hexadecimal(negative) } else { literal.decimal(negative) };
        let vanished = matches!(parsed, LongDouble::Finite { mantissa: 0, .. }) && !literal.digits.is_empty();
        (parsed != LongDouble::Infinite && !vanished).then_some(parsed)
    }

    /// The sum; nothing when it is infinite or no number.
    pub(crate) fn sum(self, other: LongDouble) -> Option<LongDouble> {
        let (
            LongDouble::Finite { negative, mantissa, exponent },
            LongDouble::Finite {
                negative: other_negative,
                mantissa: other_mantissa,
                exponent: other_exponent,
            },
        ) = (self, other)
        else {
            return None;
        };
        // A zero may stand with an exponent that is not its rank in the order below.
        if mantissa == 0 || other_mantissa == 0 {
            return Some(if mantissa == 0 { other } else { self });
        }
        if (exponent, mantissa) < (other_exponent, other_mantissa) {
            return other.sum(self);
        }
        // The larger one moves to the top but one bit, which a carry takes; 63 bits below it catch the smaller one.
        let large = u128::from(mantissa) << 63;
        let small = u128::from(other_mantissa) << 63;
        let distance = (exponent - other_exponent).unsigned_abs();
        let aligned = small.checked_shr(distance).unwrap_or(0);
        let lost = distance > 127 || aligned << distance != small;
        let magnitude = match (negative == other_negative, lost) {
            (true, _) => large + aligned,
            (false, false) => large - aligned,
            // A little more than `aligned` is to be taken away: one more, and then a little is left over.
            (false, true) => large - aligned - 1,
        };
        match round(negative, magnitude, exponent - 63, lost) {
            LongDouble::Infinite => None,
            finite => Some(finite),
        }
    }

    /// The nearest double; nothing when that is out of range.
    pub(crate) fn to_double(self) -> Option<f64> {
        let LongDouble::Finite { negative, mantissa, exponent } = self else { return None };
        // In two steps, for the power alone may be out of a double's range where the product is not.
        let half = exponent / 2;
        let power = |exponent: i32| f64::from(exponent).exp2();
        let magnitude = mantissa as f64 * power(half) * power(exponent - half);
        let in_range = magnitude.is_finite() && (magnitude != 0.0 || mantissa == 0);
        in_range.then_some(if negative { -magnitude } else { magnitude })
    }

    /// The number as `%.17Lf` writes it, without the zeros (and the point) it would end with.
    pub(crate) fn text(self) -> String {
        let LongDouble::Finite { negative, mantissa, exponent } = self else {
            return "inf".to_owned();
        };
        let (integer, decimals) = if exponent >= 0 {
            (Natural::shifted(mantissa, exponent.unsigned_abs()).digits(), 0)
        } else {
            let units =
                shift_right_to_even(u128::from(mantissa) * u128::from(UNITS), exponent.unsigned_abs(), false);
            let units_of_one = u128::from(UNITS);
            ((units / units_of_one).to_string(), (units % units_of_one) as u64)
        };
        let sign = if negative && (decimals != 0 || integer != "0") { "-" } else { "" };
        let mut text = format!("{sign}{integer}.{decimals:0DECIMALS$}");
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
        text
    }
}

impl From<i64> for LongDouble {
    fn from(n: i64) -> LongDouble {
        round(n < 0, u128::from(n.unsigned_abs()), 0, false)
    }
}

/// `n` shifted right by `distance` bits and rounded to the nearest integer, ties to even. `more`: the true value is
/// a little above `n`, by less than its lowest bit.
fn shift_right_to_even(n: u128, distance: u32, more: bool) -> u128 {
    if distance == 0 {
        return n;
    }
    let kept = n.checked_shr(distance).unwrap_or(0);
    let Some(half) = 1u128.checked_shl(distance - 1) else { return 0 };
    let rest = n & (half | (half - 1));
    let up = rest > half || (rest == half && (more || kept & 1 == 1));
    kept + u128::from(up)
}

/// The nearest number to `magnitude` times 2 to the power of `exponent`, ties to even. `more`: the true magnitude is
/// a little above, by less than the lowest bit; it must have more than 64 bits then.
fn round(negative: bool, magnitude: u128, exponent: i32, more: bool) -> LongDouble {
    if magnitude == 0 {
        return LongDouble::ZERO;
    }
    let bits = 128 - magnitude.leading_zeros() as i32;
    debug_assert!(bits > 64 || !more, "too few bits to round");
    // How far the lowest bit is from where the mantissa's belongs; a denormal number keeps fewer bits.
    let distance = (bits - 64).max(EXPONENT_MIN - exponent);
    let mut exponent = exponent + distance;
    let mut mantissa = if distance > 0 {
        shift_right_to_even(magnitude, distance.unsigned_abs(), more)
    } else {
        magnitude << distance.unsigned_abs()
    };
    if mantissa > u128::from(u64::MAX) {
        mantissa >>= 1;
        exponent += 1;
    }
    if exponent > EXPONENT_MAX {
        return LongDouble::Infinite;
    }
    LongDouble::Finite { negative, mantissa: mantissa as u64, exponent }
}

/// The digits and the exponent of a number's text: `digits` times the radix (or 2, in hexadecimal) to the power of
/// `exponent`.
struct Literal {
    /// Without leading zeros; empty for zero.
    digits: Vec<u8>,
    /// Bounded, so that it can be reckoned with.
    exponent: i64,
}

impl Literal {
    /// Splits `text`, which has no sign and no prefix; nothing when it is no number.
    fn split(text: &[u8], radix: u32) -> Option<Literal> {
        let marker = if radix == 16 { b'p' } else { b'e' };
        let (number, exponent) = match text.iter().position(|b| b.to_ascii_lowercase() == marker) {
            Some(at) => (&text[..at], written_exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let mut parts = number.splitn(2, |&b| b == b'.');
        let (integer, fraction) = (parts.next().unwrap_or(b""), parts.next().unwrap_or(b""));
        let is_digit = |b: &u8| char::from(*b).is_digit(radix);
        if integer.len() + fraction.len() == 0 || !integer.iter().chain(fraction).all(is_digit) {
            return None;
        }
        let digits: Vec<u8> =
            integer.iter().chain(fraction).copied().skip_while(|&digit| digit == b'0').collect();
        let bits_or_one = if radix == 16 { 4 } else { 1 };
        Some(Literal { digits, exponent: exponent - bits_or_one * fraction.len() as i64 })
    }

    fn decimal(&self, negative: bool) -> LongDouble {
        // What lies beyond is far out of the format's range, whatever the digits are.
        let magnitude = self.exponent + self.digits.len() as i64;
        if self.digits.is_empty() || magnitude < -5000 {
            return LongDouble::ZERO;
        }
        if magnitude > 5000 {
            return LongDouble::Infinite;
        }
        let exponent = self.exponent as i32;
        match (exponent.unsigned_abs(), exponent < 0) {
            (power, false) if self.digits.len() <= 19 && power <= 27 => {
                let product = u128::from(self.small()) * u128::from(5u64.pow(power));
                round(negative, product, exponent, false)
            }
            (power, true) if self.digits.len() <= 19 && power <= 27 => {
                // At the top of 128 bits, the dividend leaves 65 bits or more of a quotient by less than 2^63.
                let dividend = u128::from(self.small());
                let room = dividend.leading_zeros();
                let (dividend, divisor) = (dividend << room, u128::from(5u64.pow(power)));
                let quotient = dividend / divisor;
                round(negative, quotient, exponent - room as i32, dividend % divisor != 0)
            }
            (power, false) => {
                let mut dividend = Natural::from_digits(&self.digits);
                dividend.multiply_pow5(power);
                quotient(negative, dividend, Natural::shifted(1, 0), exponent)
            }
            (power, true) => {
                let mut divisor = Natural::shifted(1, 0);
                divisor.multiply_pow5(power);
                quotient(negative, Natural::from_digits(&self.digits), divisor, exponent)
            }
        }
    }

    /// The digits, of which there are 19 at most, as an integer.
    fn small(&self) -> u64 {
        self.digits.iter().fold(0, |n, digit| n * 10 + u64::from(digit - b'0'))
    }

    fn hexadecimal(&self, negative: bool) -> LongDouble {
        // 31 digits fill the top 121 bits or more; of the others it only matters whether one is not zero.
        let (first, rest) = self.digits.split_at(self.digits.len().min(31));
        let value = |digit: &u8| u128::from(char::from(*digit).to_digit(16).unwrap_or(0));
        let magnitude = first.iter().fold(0, |n, digit| n << 4 | value(digit));
        let exponent = self.exponent + 4 * rest.len() as i64;
        if magnitude == 0 || exponent < -20_000 {
            return LongDouble::ZERO;
        }
        if exponent > 20_000 {
            return LongDouble::Infinite;
        }
        round(negative, magnitude, exponent as i32, rest.iter().any(|&digit| digit != b'0'))
    }
}

/// The exponent that `text` is: an optional sign and digits; bounded to what no text's length can bring back in
/// range.
fn written_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let exponent = digits.iter().fold(0, |n, digit| (n * 10 + i64::from(digit - b'0')).min(1_000_000));
    Some(if negative { -exponent } else { exponent })
}

/// The nearest number to `dividend / divisor` times 2 to the power of `exponent`, by long division bit by bit.
fn quotient(negative: bool, mut dividend: Natural, mut divisor: Natural, exponent: i32) -> LongDouble {
    /// More than 64, so that rounding sees the half and whether there is more.
    const BITS: u32 = 67;
    let (dividend_bits, divisor_bits) = (dividend.bits(), divisor.bits());
    let scale = divisor_bits as i32 - dividend_bits as i32;
    if scale > 0 {
        dividend.shift_left(scale.unsigned_abs());
    } else {
        divisor.shift_left(scale.unsigned_abs());
    }
    let mut quotient = 0u128;
    for _ in 0..BITS {
        quotient <<= 1;
        if dividend >= divisor {
            dividend.subtract(&divisor);
            quotient |= 1;
        }
        dividend.shift_left(1);
    }
    round(negative, quotient, exponent - scale - (BITS as i32 - 1), !dividend.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(a: &str, b: &str) -> Option<String> {
        let (a, b) = (LongDouble::parse(a.as_bytes())?, LongDouble::parse(b.as_bytes())?);
        Some(a.sum(b)?.text())
    }

    /// Sums that Redis 7.0 gave on x86-64.
    const SUMS: &[(&str, &str, &str)] = &[
        ("10.5", "0.1", "10.6"),
        ("5.0e3", "2.0e2", "5200"),
        ("0.1", "0.2", "0.3"),
        ("+.5", "5.", "5.5"),
        ("1", "1e-18", "1"),
        ("0", "5e-18", "0"),
        ("0", "0.000000000000000015", "0.00000000000000002"),
        ("0", "-5e-18", "0"),
        ("1.5", "-1.5", "0"),
        ("-0", "-0.0", "0"),
        ("138990.98972215573", "-9289399.02802599", "-9150408.03830383426975459"),
        ("433336.780440", "-801414.35298", "-368077.5725400000000036"),
        ("-22556.108", "549.55678462982177734375", "-22006.5512153701782232"),
        ("4081969e-4", "1024", "1432.19689999999999996"),
        ("12345678901234567890123.5e-10", "1e3", "1234567891123.45678901672363281"),
        // The mantissa's end: ties go to the even number, unless something lies behind.
        ("9223372036854775807", "0.5", "9223372036854775807.5"),
        ("18446744073709551615", "1", "18446744073709551616"),
        ("18446744073709551616", "1", "18446744073709551616"),
        ("18446744073709551616", "3", "18446744073709551620"),
        ("9223372036854775808.5", "0", "9223372036854775808"),
        ("9223372036854775809.5", "0", "9223372036854775810"),
        ("92233720368547758085e-1", "0", "9223372036854775808"),
        ("9223372036854775808500000000000000000000000000000001e-33", "0", "9223372036854775809"),
        ("36893488147419103232", "-0.75", "36893488147419103232"),
        ("36893488147419103232", "-1.25", "36893488147419103230"),
        ("9223372036854775808", "-0.25", "9223372036854775808"),
        ("9223372036854775808", "-0.75", "9223372036854775807"),
        ("1e22", "1e-22", "10000000000000000000000"),
        ("123456789012345678901234567890", "1", "123456789012345678899921813504"),
        ("1e30", "-1", "1000000000000000000024696061952"),
        // The format's ends.
        ("1.18973149535723176502e+4932", "-1.18973149535723176502e+4932", "0"),
        ("3.6e-4951", "1", "1"),
        // Hexadecimal.
        ("0x1p-1", "0X1.8P+1", "3.5"),
        ("0xffffffffffffffff8", "0", "295147905179352825856"),
        ("0x1ffffffffffffffff", "0", "36893488147419103232"),
    ];

    #[test]
    fn sums_are_those_of_the_x87() {
        for (a, b, expected) in SUMS {
            assert_eq!(sum(a, b).as_deref(), Some(*expected), "{a} + {b}");
            assert_eq!(sum(b, a).as_deref(), Some(*expected), "{b} + {a}");
        }
    }

    #[test]
    fn large_numbers_are_written_in_full() {
        let text = sum("1e4932", "0").unwrap();
        assert_eq!(text.len(), 4933);
        assert!(text.starts_with("100000000000000000000601894938796389132383777425453311477378"));
        assert!(text.ends_with("38418113791886622720"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let refused = [
            "", "+", "-", ".", "e5", "1e", "1e+", "5e0.5", " 1", "1 ", "1_0", "1,5", "--1", "1..2", "nan",
            "nan(1)", "infin", "0x", "0x.", "0x.p1", "0x1p", "0x1p0x1", "0xg", "1f", "1\0",
        ];
        for text in refused {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(LongDouble::parse(&[b'1'; TEXT_BYTES_MAX + 1]), None);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for text in ["1.18973149535723176509e+4932", "1e5000", "1e99999999999999999999", "0x1p16384"] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text}");
        }
        for text in ["1.8e-4951", "1e-5000", "-1e-99999999999999999999", "0x1p-16446", "0x1p-99999"] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text}");
        }
        for text in ["0e99999", "0.0e-99999999999999999999", "1.9e-4951", "0x1.8p-16446", "0x1p16383"] {
            assert!(LongDouble::parse(text.as_bytes()).is_some(), "{text}");
        }
    }

    #[test]
    fn infinity_is_read_but_never_a_sum() {
        for text in ["inf", "-INF", "+Infinity"] {
            assert_eq!(LongDouble::parse(text.as_bytes()), Some(LongDouble::Infinite));
        }
        assert_eq!(sum("inf", "-inf"), None);
        assert_eq!(sum("1", "inf"), None);
        assert_eq!(sum("1.18973149535723176502e+4932", "1.18973149535723176502e+4932"), None);
    }

    #[test]
    fn integers_are_exact() {
        for n in [0, 1, -1, 17, i64::MAX, i64::MIN] {
            assert_eq!(LongDouble::from(n).text(), n.to_string());
        }
    }
}
