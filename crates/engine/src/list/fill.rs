//! How much of a list goes into one node, and when a list is called `listpack`: counted in the bytes that Redis's form
//! of the same elements takes, so that names change with the very element they change with there.

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
}
