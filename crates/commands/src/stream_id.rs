//! Ids of a stream's entries in requests and replies.

use engine::StreamId;
use smallvec::SmallVec;

use crate::error::Error;

/// What is no id.
pub(crate) const INVALID_ID: Error =
    Error::Text("ERR Invalid stream ID specified as stream command argument");

/// The longest argument that may be an id, in bytes: more than any id needs.
const ID_BYTES_MAX: usize = 127;

/// The id of an entry to be: given in full, or by its milliseconds alone (`5-*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivenId {
    /// In full.
    Full(StreamId),
    /// These milliseconds; the rest is chosen.
    Ms(u64),
}

/// An argument that is an id: milliseconds with or without (0) the rest.
///
/// # Errors
/// [`INVALID_ID`].
pub(crate) fn id(arg: &[u8]) -> Result<StreamId, Error> {
    if is_end(arg) { Err(INVALID_ID) } else { id_or_end(arg, 0) }
}

/// An argument that is an id, or `-` or `+` for the least or greatest; what it does not say is `seq`.
///
/// # Errors
/// [`INVALID_ID`].
pub(crate) fn id_or_end(arg: &[u8], seq: u64) -> Result<StreamId, Error> {
    match arg {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => {
            let (ms, rest) = halves(arg)?;
            Ok(StreamId { ms, seq: rest.map_or(Some(seq), number).ok_or(INVALID_ID)? })
        }
    }
}

/// The argument of XADD that gives an id.
///
/// # Errors
/// [`INVALID_ID`].
pub(crate) fn given_id(arg: &[u8]) -> Result<GivenId, Error> {
    match halves(arg) {
        Ok((ms, Some(b"*"))) => Ok(GivenId::Ms(ms)),
        _ => id(arg).map(GivenId::Full),
    }
}

/// The argument of a range that says where it starts; with `(` before it, right behind that.
///
/// # Errors
/// [`INVALID_ID`], or there is no id behind the greatest.
pub(crate) fn start(arg: &[u8]) -> Result<StreamId, Error> {
    match exclusive(arg) {
        None => id_or_end(arg, 0),
        Some(arg) => id(arg)?.next().ok_or(Error::Text("ERR invalid start ID for the interval")),
    }
}

/// The argument of a range that says where it ends; with `(` before it, right before that.
///
/// # Errors
/// [`INVALID_ID`], or there is no id before the least.
pub(crate) fn end(arg: &[u8]) -> Result<StreamId, Error> {
    match exclusive(arg) {
        None => id_or_end(arg, u64::MAX),
        Some(arg) if is_end(arg) => Err(INVALID_ID),
        Some(arg) => {
            let end = id_or_end(arg, u64::MAX)?;
            end.previous().ok_or(Error::Text("ERR invalid end ID for the interval"))
        }
    }
}

fn exclusive(arg: &[u8]) -> Option<&[u8]> {
    arg.strip_prefix(b"(").filter(|arg| !arg.is_empty())
}

fn is_end(arg: &[u8]) -> bool {
    matches!(arg, b"-" | b"+")
}

/// What stands before and behind the first `-`.
fn halves(arg: &[u8]) -> Result<(u64, Option<&[u8]>), Error> {
    if arg.len() > ID_BYTES_MAX {
        return Err(INVALID_ID);
    }
    // Redis reads it as a C string.
    let arg = arg.split(|&b| b == 0).next().unwrap_or(arg);
    let mut parts = arg.splitn(2, |&b| b == b'-');
    let ms = parts.next().and_then(number).ok_or(INVALID_ID)?;
    Ok((ms, parts.next()))
}

/// A number as C's `strtoull` reads it: after spaces and a sign, which negates modulo 2^64. What Redis reads without
/// `strtoull`, an integer in canonical form, may not be below zero.
fn number(text: &[u8]) -> Option<u64> {
    if let Some(n) = engine::canonical_int(text) {
        return u64::try_from(n).ok();
    }
    let start = text.iter().position(|&b| !matches!(b, b' ' | b'\t'..=b'\r'))?;
    let (negative, digits) = match &text[start..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if !digits.first()?.is_ascii_digit() {
        return None;
    }
    let n: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if negative { n.wrapping_neg() } else { n })
}

/// An id as replies have it.
pub(crate) fn text(id: StreamId) -> SmallVec<[u8; 48]> {
    let mut text = SmallVec::new();
    let mut digits = itoa::Buffer::new();
    text.extend_from_slice(digits.format(id.ms).as_bytes());
    text.push(b'-');
    text.extend_from_slice(digits.format(id.seq).as_bytes());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    #[test]
    fn ids_are_read_as_redis_reads_them() {
        let read = [
            ("5", of(5, 0)),
            ("5-7", of(5, 7)),
            ("05-01", of(5, 1)),
            (" 6-+1", of(6, 1)),
            ("6--05", of(6, u64::MAX - 4)),
            ("5-7\0x", of(5, 7)),
            ("18446744073709551615-18446744073709551615", StreamId::MAX),
        ];
        read.iter().for_each(|(text, expected)| assert_eq!(id(text.as_bytes()), Ok(*expected), "{text}"));
        let long = "0".repeat(128);
        for text in
            ["", "-", "+", "6-", "-6", "6--5", "5-*", "5-7-", "a", "1-1x", " ", "18446744073709551616", &long]
        {
            assert_eq!(id(text.as_bytes()), Err(INVALID_ID), "{text}");
        }
        assert_eq!(given_id(b"5-*"), Ok(GivenId::Ms(5)));
        assert_eq!(given_id(b"5-**"), Err(INVALID_ID));
        assert_eq!(text(of(5, u64::MAX)).as_slice(), b"5-18446744073709551615");
    }

    #[test]
    fn ranges_may_leave_out_their_ends() {
        assert_eq!((start(b"5"), end(b"5")), (Ok(of(5, 0)), Ok(of(5, u64::MAX))));
        assert_eq!((start(b"(5"), end(b"(5")), (Ok(of(5, 1)), Ok(of(5, u64::MAX - 1))));
        assert_eq!((start(b"-"), end(b"+")), (Ok(StreamId::MIN), Ok(StreamId::MAX)));
        for text in ["(-", "(+", "(", "((5"] {
            assert_eq!((start(text.as_bytes()), end(text.as_bytes())), (Err(INVALID_ID), Err(INVALID_ID)));
        }
        assert!(start(b"(18446744073709551615-18446744073709551615").is_err_and(|e| e != INVALID_ID));
        assert!(end(b"(0-0").is_err_and(|e| e != INVALID_ID));
    }
}
