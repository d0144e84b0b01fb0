//! Integers in requests and values, read as strictly as Redis reads them.

use crate::error::Error;

/// The integer whose canonical decimal form `bytes` is: no sign but `-`, no leading zeros, no spaces, no `-0`.
#[inline]
pub(crate) fn canonical_i64(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        // 19 digits always fit in 64 bits without a sign.
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut magnitude = 0u64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit);
    }
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// [`canonical_i64`] of an argument.
///
/// # Errors
/// [`Error::NotInteger`].
#[inline]
pub(crate) fn int(arg: &[u8]) -> Result<i64, Error> {
    canonical_i64(arg).ok_or(Error::NotInteger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_integers_are_read() {
        for n in [0, 1, -1, 9, 10, -10, 1234567890, i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1] {
            assert_eq!(canonical_i64(n.to_string().as_bytes()), Some(n));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let refused = [
            "",
            "-",
            "+1",
            "-0",
            "00",
            "01",
            "-01",
            " 1",
            "1 ",
            "1.0",
            "1e3",
            "0x1",
            "--1",
            "1-",
            "1\0",
            "9223372036854775808",
            "-9223372036854775809",
            "10000000000000000000",
            "18446744073709551616",
            "99999999999999999999",
            "92233720368547758070",
        ];
        for text in refused {
            assert_eq!(canonical_i64(text.as_bytes()), None, "{text:?}");
            assert_eq!(int(text.as_bytes()), Err(Error::NotInteger), "{text:?}");
        }
    }
}
