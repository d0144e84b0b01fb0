//! Doubles as text, written as Redis 7.2 writes scores: the shortest digits that read back the same, as a
//! plain number where that is short, else with an exponent (`1e+21`, `1.2e-7`).

/// Memory for one number's text.
#[derive(Debug, Default)]
pub struct DoubleBuffer {
    bytes: [u8; TEXT_BYTES_MAX],
    len: usize,
}

/// A sign, 17 digits, and seven zeros or a point and an exponent fit.
const TEXT_BYTES_MAX: usize = 32;

impl DoubleBuffer {
    /// Room for any double.
    pub fn new() -> DoubleBuffer {
        DoubleBuffer::default()
    }

    /// The text of `d`; `inf`, `-inf` and `nan` are spelled out.
    pub fn format(&mut self, d: f64) -> &[u8] {
        self.len = 0;
        if d.is_nan() {
            return b"nan";
        }
        if d.is_infinite() {
            return if d > 0.0 { b"inf" } else { b"-inf" };
        }
        // Doubles of this range that are whole are written with all their digits.
        if d.abs() <= (1i64 << 62) as f64 && d == d.trunc() {
            if d == 0.0 && d.is_sign_negative() {
                return b"-0";
            }
            self.push(itoa::Buffer::new().format(d as i64).as_bytes());
        } else {
            if d < 0.0 {
                self.push(b"-");
            }
            Decimal::shortest(d.abs()).write(self);
        }
        &self.bytes[..self.len]
    }

    fn push(&mut self, part: &[u8]) {
        self.bytes[self.len..][..part.len()].copy_from_slice(part);
        self.len += part.len();
    }
}

/// A positive number: `digits[..len]`, neither end of which is a zero, times ten to the `exponent`.
struct Decimal {
    digits: [u8; 24],
    len: usize,
    exponent: i32,
}

impl Decimal {
    fn shortest(d: f64) -> Decimal {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(d);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut decimal = Decimal { digits: [0; 24], len: 0, exponent: exponent.parse().unwrap_or(0) };
        decimal.exponent -= fraction.len() as i32;
        for digit in whole.bytes().chain(fraction.bytes()).skip_while(|&digit| digit == b'0') {
            decimal.digits[decimal.len] = digit;
            decimal.len += 1;
        }
        while decimal.digits[..decimal.len].ends_with(b"0") {
            decimal.len -= 1;
            decimal.exponent += 1;
        }
        decimal
    }

    fn write(&self, text: &mut DoubleBuffer) {
        let digits = &self.digits[..self.len];
        // The exponent when one digit stands before the point.
        let scientific = self.exponent + self.len as i32 - 1;
        if (0..8).contains(&self.exponent) {
            text.push(digits);
            text.push(&b"0000000"[..self.exponent as usize]);
        } else if self.exponent < 0 && (self.exponent > -7 || scientific.abs() < 4) {
            match usize::try_from(scientific + 1) {
                Ok(whole @ 1..) => {
                    text.push(&digits[..whole]);
                    text.push(b".");
                    text.push(&digits[whole..]);
                }
                _ => {
                    text.push(b"0.");
                    text.push(&b"000000"[..(-scientific - 1) as usize]);
                    text.push(digits);
                }
            }
        } else {
            text.push(&digits[..1]);
            if self.len > 1 {
                text.push(b".");
                text.push(&digits[1..]);
            }
            text.push(if scientific < 0 { b"e-" } else { b"e+" });
            text.push(itoa::Buffer::new().format(scientific.unsigned_abs()).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(d: f64) -> String {
        String::from_utf8(DoubleBuffer::new().format(d).to_vec()).unwrap()
    }

    /// What ZSCORE answers in Redis 8.0 and Valkey 9.1.
    #[test]
    fn writes_as_redis_does() {
        let same = [
            "0",
            "-0",
            "1",
            "-1",
            "0.1",
            "0.3",
            "1.1",
            "100.25",
            "10000000",
            "4503599627370497",
            "-4503599627370496",
            "9007199254740992",
            "72057594037927936",
            "100000000000000000",
            "123456789012345680",
            "18446744073709552000",
            "-12345678901234567000",
            "1e+20",
            "1e+21",
            "-1e+21",
            "1.5e+21",
            "1e+22",
            "1e+100",
            "1.25e+100",
            "1.2345678901234568e+29",
            "1.7976931348623157e+308",
            "5e-324",
            "2.2250738585072014e-308",
            "-1.2345678901234568e-300",
            "0.0001",
            "0.00001",
            "0.000001",
            "1e-7",
            "1.2e-7",
            "1.2e-6",
            "1.23456e-6",
            "1.2345e-5",
            "1.2345678901234568e-5",
            "1.5e-10",
            "0.12345678901234568",
            "3.141592653589793",
            "1234567.1",
            "123456789.5",
            "12345678901234.566",
            "inf",
            "-inf",
        ];
        for expected in same {
            assert_eq!(text(expected.parse().unwrap()), expected);
        }
        assert_eq!(text(f64::NAN), "nan");
    }

    proptest! {
        #[test]
        fn reads_back_the_same(bits in any::<u64>()) {
            let d = f64::from_bits(bits);
            prop_assume!(!d.is_nan());
            prop_assert_eq!(text(d).parse::<f64>().unwrap().to_bits(), bits);
        }
    }
}
