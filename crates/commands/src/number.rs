//! Numbers in requests and values, read as strictly as Redis reads them.

use engine::{Str, canonical_int};

use crate::error::Error;
use crate::long_double::LongDouble;

/// An argument that is an integer in canonical form.
///
/// # Errors
/// [`Error::NotInteger`].
#[inline]
pub(crate) fn int(arg: &[u8]) -> Result<i64, Error> {
    canonical_int(arg).ok_or(Error::NotInteger)
}

/// An argument that says how many: an integer in canonical form that is not negative.
///
/// # Errors
/// An error that it must be positive, whatever is wrong.
#[inline]
pub(crate) fn count(arg: &[u8]) -> Result<usize, Error> {
    let count = canonical_int(arg).and_then(|n| usize::try_from(n).ok());
    count.ok_or(Error::Text("ERR value is out of range, must be positive"))
}

/// An argument that is an integer in canonical form whose sign can be changed.
///
/// # Errors
/// [`Error::NotInteger`]; for the smallest integer of all, an error that names the range.
pub(crate) fn signed(arg: &[u8]) -> Result<i64, Error> {
    match int(arg)? {
        i64::MIN => Err(Error::Text(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        )),
        n => Ok(n),
    }
}

/// A value that is an integer in canonical form.
///
/// # Errors
/// [`Error::NotInteger`].
#[inline]
pub(crate) fn int_value(value: Str<'_>) -> Result<i64, Error> {
    match value {
        Str::Int(n) => Ok(n),
        Str::Bytes(bytes) => int(bytes),
    }
}

/// An argument that is a double as C's `strtod` reads it: decimal, hexadecimal after `0x`, or infinity.
///
/// # Errors
/// [`Error::NotFloat`], also when it is out of range: too large, or not zero and too small to be anything else.
pub(crate) fn float(arg: &[u8]) -> Result<f64, Error> {
    let decimal = std::str::from_utf8(arg).ok().and_then(|text| text.parse::<f64>().ok());
    let digits = arg.split(|byte| byte.eq_ignore_ascii_case(&b'e')).next().unwrap_or_default();
    let is_named = arg.iter().any(|byte| byte.eq_ignore_ascii_case(&b'n'));
    let is_zero = !digits.iter().any(|digit| (b'1'..=b'9').contains(digit));
    match decimal {
        Some(d) if d.is_nan() || d.is_infinite() && !is_named || d == 0.0 && !is_zero => Err(Error::NotFloat),
        Some(d) => Ok(d),
        // What is left is hexadecimal.
        None => LongDouble::parse(arg).and_then(LongDouble::to_double).ok_or(Error::NotFloat),
    }
}

/// A number of bytes with its unit, if it has one: `100b`, `1k` (1000), `1kb` (1024), then m, mb, g, gb.
pub fn size_bytes(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.to_ascii_lowercase();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_bytes: u64 = match unit {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_from_both_forms_of_a_value() {
        assert_eq!(int_value(Str::Int(-5)), Ok(-5));
        assert_eq!(int_value(Str::Bytes(b"9223372036854775807")), Ok(i64::MAX));
        for text in ["", "+1", "01", " 1", "9223372036854775808", "1.0"] {
            assert_eq!(int_value(Str::Bytes(text.as_bytes())), Err(Error::NotInteger), "{text:?}");
        }
    }

    #[test]
    fn doubles_are_read_as_c_reads_them() {
        for (text, d) in [
            ("1", 1.0),
            ("+1.5e3", 1500.0),
            ("-.5", -0.5),
            ("5.", 5.0),
            ("0x10", 16.0),
            ("-0x1.8p1", -3.0),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("0e999", 0.0),
            ("4.9e-324", 4.9e-324),
            ("0x1p-1074", 4.9e-324),
        ] {
            assert_eq!(float(text.as_bytes()), Ok(d), "{text:?}");
        }
        for text in [
            "", " 1", "1 ", "1x", "nan", "NaN", "1e400", "-1e400", "1e-400", "e5", ".", "0x", "0x1p2000",
            "1\0",
        ] {
            assert_eq!(float(text.as_bytes()), Err(Error::NotFloat), "{text:?}");
        }
    }

    #[test]
    fn ranges_of_arguments_have_their_errors() {
        assert_eq!((count(b"0"), count(b"17")), (Ok(0), Ok(17)));
        for text in ["-1", "x", "9223372036854775808"] {
            assert!(count(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!((signed(b"-9223372036854775807"), signed(b"x")), (Ok(-i64::MAX), Err(Error::NotInteger)));
        assert!(matches!(signed(b"-9223372036854775808"), Err(Error::Text(_))));
    }
}
