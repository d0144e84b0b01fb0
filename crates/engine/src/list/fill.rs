//! How much of a list goes into one node, and when a list is called `listpack`: counted in the bytes that Redis's form
//! of the same elements takes, so that names change with the very element they change with there.
//!
//! Redis's listpack has 7 bytes of its own; an element has a header and, behind it, its length to walk backwards by.

use crate::packed::Element;

/// Bytes of a listpack beside its elements.
pub(super) const LISTPACK_BYTES: usize = 7;
/// Most bytes of a node whose elements are limited by their number.
const COUNTED_BYTES_MAX: usize = 8 << 10;
/// Most bytes of a node, by the directive's values -1 to -5.
const BYTES_MAX: [usize; 5] = [4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10];
/// More than an element's own form adds to its bytes: the estimate by which a node is found full.
pub(super) const ELEMENT_OVERHEAD_BYTES: usize = 8;

/// What `list-max-listpack-size` says: so many elements a node, or, when negative, -1 to -5 for 4 to 64 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fill(i64);

/// How far a list must have shrunk to be called `listpack` again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// To what a listpack may have: for a list made in one go.
    Whole,
    /// To half of that: for one that shrinks, so that it does not change back at once.
    Half,
}

impl Fill {
    pub(super) fn new(directive: i64) -> Fill {
        Fill(directive)
    }

    /// Most bytes of a node, where that is what is limited.
    fn bytes_max(self) -> Option<usize> {
        let step = usize::try_from(self.0.checked_neg()?).ok().filter(|&step| step > 0)?;
        Some(BYTES_MAX[step.min(BYTES_MAX.len()) - 1])
    }

    /// Most elements of a node, where that is what is limited.
    fn elements_max(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX).max(1)
    }

    /// Whether a node of so many bytes and elements is too much.
    #[inline]
    pub(super) fn is_exceeded(self, bytes: usize, elements: usize) -> bool {
        match self.bytes_max() {
            Some(max) => bytes > max,
            None => bytes > COUNTED_BYTES_MAX || elements > self.elements_max(),
        }
    }

    /// Whether an element of so many bytes has a node of its own.
    #[inline]
    pub(super) fn is_large(self, element_bytes: usize) -> bool {
        element_bytes > self.bytes_max().unwrap_or(COUNTED_BYTES_MAX)
    }

    /// Whether a list that is one node of so many bytes and elements becomes a listpack.
    pub(super) fn is_listpack(self, bytes: usize, elements: usize, share: Share) -> bool {
        let divisor = if share == Share::Half { 2 } else { 1 };
        match self.bytes_max() {
            Some(max) => bytes <= max / divisor,
            None => elements <= self.elements_max() / divisor,
        }
    }
}

/// Bytes that an element takes in a listpack.
pub(super) fn listpack_bytes(element: Element<'_>) -> usize {
    let body = match element {
        Element::Int(0..=127) => 1,
        Element::Int(-4096..=4095) => 2,
        Element::Int(n) if i16::try_from(n).is_ok() => 3,
        Element::Int(-0x80_0000..=0x7f_ffff) => 4,
        Element::Int(n) if i32::try_from(n).is_ok() => 5,
        Element::Int(_) | Element::Double(_) => 9,
        Element::Bytes(bytes) => match bytes.len() {
            len @ 0..64 => 1 + len,
            len @ 64..4096 => 2 + len,
            len => 5 + len,
        },
    };
    body + match body {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_directives_limit_bytes_and_others_elements() {
        for (directive, max) in [(-1, 4096), (-2, 8192), (-5, 65_536), (-6, 65_536), (i64::MIN + 1, 65_536)] {
            let fill = Fill::new(directive);
            assert!(!fill.is_exceeded(max, 1 << 20) && fill.is_exceeded(max + 1, 1), "{directive}");
            assert!(!fill.is_large(max) && fill.is_large(max + 1), "{directive}");
        }
        for (directive, max) in [(0, 1), (1, 1), (128, 128)] {
            let fill = Fill::new(directive);
            assert!(!fill.is_exceeded(8192, max) && fill.is_exceeded(10, max + 1), "{directive}");
            assert!(fill.is_exceeded(8193, 1) && !fill.is_large(8192) && fill.is_large(8193), "{directive}");
        }
    }

    #[test]
    fn a_list_that_shrinks_is_a_listpack_from_half_the_limit_on() {
        let fill = Fill::new(-1);
        assert!(fill.is_listpack(2048, 900, Share::Half) && !fill.is_listpack(2049, 1, Share::Half));
        assert!(fill.is_listpack(4096, 900, Share::Whole) && !fill.is_listpack(4097, 1, Share::Whole));
        let fill = Fill::new(3);
        assert!(fill.is_listpack(9000, 1, Share::Half) && !fill.is_listpack(10, 2, Share::Half));
        assert!(!Fill::new(1).is_listpack(10, 1, Share::Half));
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
            assert_eq!(listpack_bytes(Element::Int(n)), bytes, "{n}");
        }
        for (len, bytes) in [(0, 2), (63, 65), (64, 67), (125, 128), (126, 130), (4095, 4099), (4096, 4103)] {
            assert_eq!(listpack_bytes(Element::Bytes(&vec![b'x'; len])), bytes, "{len}");
        }
        assert_eq!(listpack_bytes(Element::Bytes(&vec![b'x'; 16_378])), 16_383 + 3);
    }
}
