//! Bytes that Redis's listpacks take: they decide where the nodes of lists and streams end, and so what encodings are
//! called and what approximate trimming leaves.
//!
//! An element has a header and, behind it, its length to walk backwards by.

use crate::packed::Element;
use crate::value::canonical_int;

/// Bytes that a listpack takes before and after its elements.
pub(crate) const FRAME_BYTES: usize = 7;

/// Bytes that an element takes in a listpack.
pub(crate) fn element_bytes(element: Element<'_>) -> usize {
    match element {
        Element::Int(n) => int_bytes(n),
        Element::Double(_) => with_length(9),
        Element::Bytes(bytes) => match bytes.len() {
            n @ 0..64 => with_length(1 + n),
            n @ 64..4096 => with_length(2 + n),
            n => with_length(5 + n),
        },
    }
}

/// Bytes that an element of these bytes takes in a listpack.
pub(crate) fn text_bytes(text: &[u8]) -> usize {
    element_bytes(canonical_int(text).map_or(Element::Bytes(text), Element::Int))
}

/// Bytes that an integer takes in a listpack.
pub(crate) fn int_bytes(n: i64) -> usize {
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
    use super::{element_bytes, text_bytes};
    use crate::packed::Element;

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
        sizes.iter().for_each(|(text, bytes)| assert_eq!(text_bytes(text.as_bytes()), *bytes, "{text}"));
        let long = |n: usize| text_bytes(&vec![b'a'; n]) - n;
        assert_eq!([63, 64, 125, 126, 4095, 4096, 20_000].map(long), [2, 3, 3, 4, 4, 7, 8]);
    }

    #[test]
    fn elements_are_counted_as_a_listpack_has_them() {
        for (n, bytes) in [
            (0, 2),
            (127, 2),
            (128, 3),
            (-1, 3),
            (4095, 3),
            (-4096, 3),
            (4096, 4),
            (-32_768, 4),
            (32_768, 5),
            (8_388_607, 5),
            (8_388_608, 6),
            (i64::from(i32::MIN), 6),
            (i64::from(i32::MAX) + 1, 10),
        ] {
            assert_eq!(element_bytes(Element::Int(n)), bytes, "{n}");
        }
        for (len, bytes) in [(0, 2), (63, 65), (64, 67), (125, 128), (126, 130), (4095, 4099), (4096, 4103)] {
            assert_eq!(element_bytes(Element::Bytes(&vec![b'x'; len])), bytes, "{len}");
        }
        assert_eq!(element_bytes(Element::Bytes(&vec![b'x'; 16_378])), 16_383 + 3);
    }
}
