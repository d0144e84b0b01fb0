//! Sizes of allocations, and prefetching.
//!
//! Entries and blobs are allocated in the allocator's own size classes, so that a value can change within
//! its class without moving and the size for freeing follows from the content alone.

/// The size class that `bytes` falls into: multiples of 8 up to 128, then four classes a doubling, as
/// jemalloc has them with a quantum of 8 (<https://jemalloc.net/jemalloc.3.html>, "size classes").
#[inline]
pub(crate) fn size_class(bytes: usize) -> usize {
    if bytes <= 128 {
        return (bytes.max(8) + 7) & !7;
    }
    let spacing = 1usize << ((bytes - 1).ilog2() - 2);
    (bytes + spacing - 1) & !(spacing - 1)
}

/// Asks the processor to fetch the cache line at `at`; has no other effect, whatever `at` is.
#[inline]
#[allow(unsafe_code, reason = "a prefetch never faults and reads nothing")]
pub(crate) fn prefetch<T>(at: *const T) {
    // SAFETY: prefetch instructions do not access memory architecturally: any address is allowed.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

#[cfg(test)]
mod tests {
    use super::size_class;

    #[test]
    fn classes_are_eight_apart_then_four_a_doubling() {
        let classes: Vec<usize> =
            [0, 1, 8, 9, 55, 56, 57, 128, 129, 160, 161, 300, 321, 1025].map(size_class).into();
        assert_eq!(classes, [8, 8, 8, 16, 56, 56, 64, 128, 160, 160, 192, 320, 384, 1280]);
    }

    #[test]
    fn a_class_is_its_own() {
        for bytes in 0..100_000 {
            let class = size_class(bytes);
            assert!(class >= bytes && size_class(class) == class);
        }
    }
}
