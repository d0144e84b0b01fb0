//! Bytes that Redis's nodes take: they decide where a node ends, and so what approximate trimming leaves.

use crate::value::canonical_int;

/// Bytes that a listpack takes before and after its elements.
pub(super) const FRAME_BYTES: usize = 7;

/// Bytes that a field name or value takes in a listpack.
pub(super) fn element_bytes(element: &[u8]) -> usize {
    // The longest integer has 20 digits.
    let int = if element.len() <= 20 { canonical_int(element) } else { None };
    match (int, element.len()) {
        (Some(n), _) => int_bytes(n),
        (None, n @ 0..64) => with_length(1 + n),
        (None, n @ 64..4096) => with_length(2 + n),
        (None, n) => with_length(5 + n),
    }
}

/// Bytes that an integer takes in a listpack.
pub(super) fn int_bytes(n: i64) -> usize {
    let fits = |bits: u32| n >> (bits - 1) == n >> 63;
    with_length(match n {
        0..128 => 1,
        _ if fits(13) => 2,
        _ if fits(16) => 3,
        _ if fits(24) => 4,
        _ if fits(32) => 5,
        _ => 9,
    })
}

/// `bytes` and the length that stands behind them, seven bits a byte; its limits are one lower than need be from the
/// second byte on.
fn with_length(bytes: usize) -> usize {
    bytes
        + match bytes {
            0..128 => 1,
            128..16_383 => 2,
            16_383..2_097_151 => 3,
            2_097_151..268_435_455 => 4,
            _ => 5,
        }
}

#[cfg(test)]
mod tests {
    use super::element_bytes;

    #[test]
    fn sizes_are_those_of_listpacks() {
        let sizes = [
            ("0", 2),
            ("127", 2),
            ("128", 3),
            ("-1", 3),
            ("-4096", 3),
            ("4096", 4),
            ("32768", 5),
            ("8388608", 6),
            ("2147483648", 10),
            ("", 2),
            ("01", 4),
        ];
        sizes.iter().for_each(|(text, bytes)| assert_eq!(element_bytes(text.as_bytes()), *bytes, "{text}"));
        let long = |n: usize| element_bytes(&vec![b'a'; n]) - n;
        assert_eq!([63, 64, 125, 126, 4095, 4096, 20_000].map(long), [2, 3, 3, 4, 4, 7, 8]);
    }
}
