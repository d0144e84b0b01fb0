//! Integers in requests and values, read as strictly as Redis reads them.

use engine::{Str, canonical_int};

use crate::error::Error;

/// An argument that is an integer in canonical form.
///
/// # Errors
/// [`Error::NotInteger`].
#[inline]
pub(crate) fn int(arg: &[u8]) -> Result<i64, Error> {
    canonical_int(arg).ok_or(Error::NotInteger)
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
}
