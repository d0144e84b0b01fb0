//! Sizes of allocations, and prefetching.
//!
//! Entries and blobs are allocated in the allocator's own size classes, so that a value can change within
//! its class without moving and the size for freeing follows from the content alone.

/// The size class that `bytes` falls into: multiples of 8 up to 64, then four classes a doubling, as
/// jemalloc has them with a quantum of 8 (<https://jemalloc.net/jemalloc.3.html>, "size classes").
#[inline]
pub(crate) fn size_class(bytes: usize) -> usize {
    if bytes <= 64 {
        return (bytes.max(8) + 7) & !7;
    }
    let spacing = 1usize << ((bytes - 1).ilog2() - 2);
    (bytes + spacing - 1) & !(spacing - 1)
}

/// Bytes of memory that a vector with room for `count` values of `T` takes.
#[inline]
pub(crate) fn vec_bytes<T>(count: usize) -> usize {
    match count * size_of::<T>() {
        0 => 0,
        bytes => size_class(bytes),
    }
}

/// Bytes of memory that an `Arc` of a `T` takes.
#[inline]
pub(crate) fn arc_bytes<T>() -> usize {
    size_class(ARC_HEAD_BYTES + size_of::<T>())
}

/// Bytes that an `Arc` takes before its value: two counters.
pub(crate) const ARC_HEAD_BYTES: usize = 16;

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

/// Which of `words` have `tag` as their top 16 bits, one bit each.
#[cfg(target_arch = "x86_64")]
#[inline]
#[allow(unsafe_code, reason = "the intrinsics are safe where SSE2 is, which is everywhere on x86-64")]
pub(crate) fn matching_tags(words: [u64; 8], tag: u16) -> u32 {
    use std::arch::x86_64::{_mm_cmpeq_epi16, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi16};
    let mut bits = 0;
    for (i, pair) in words.chunks_exact(2).enumerate() {
        // SAFETY: SSE2 is part of x86-64; the intrinsics work on values and touch no memory.
        let equal = unsafe {
            let both = _mm_set_epi64x(pair[1] as i64, pair[0] as i64);
            _mm_movemask_epi8(_mm_cmpeq_epi16(both, _mm_set1_epi16(tag as i16))) as u32
        };
        // Two bits for each of the eight 16-bit lanes; the words' top ones are the fourth and the last.
        bits |= (equal >> 7 & 1 | equal >> 14 & 2) << (2 * i);
    }
    bits
}

/// Which of `words` have `tag` as their top 16 bits, one bit each.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(crate) fn matching_tags(words: [u64; 8], tag: u16) -> u32 {
    words.iter().enumerate().fold(0, |bits, (i, word)| bits | u32::from((word >> 48) as u16 == tag) << i)
}

#[cfg(test)]
mod tests {
    use super::{matching_tags, size_class};

    #[test]
    fn tags_are_matched_whatever_is_below_them() {
        let tag = 0xabcdu64;
        for set in 0..256u32 {
            let word = |i: usize| {
                if set >> i & 1 == 1 { tag << 48 | 0xffff_ffff } else { (tag ^ 1) << 48 | tag << 32 | tag }
            };
            assert_eq!(matching_tags(std::array::from_fn(word), tag as u16), set);
        }
    }

    #[test]
    fn classes_are_eight_apart_then_four_a_doubling() {
        let classes: Vec<usize> =
            [0, 1, 8, 9, 55, 57, 64, 65, 81, 128, 129, 160, 161, 300, 321, 1025].map(size_class).into();
        assert_eq!(classes, [8, 8, 8, 16, 56, 64, 64, 80, 96, 128, 160, 160, 192, 320, 384, 1280]);
    }

    #[test]
    fn a_class_is_its_own() {
        for bytes in 0..100_000 {
            let class = size_class(bytes);
            assert!(class >= bytes && size_class(class) == class);
        }
    }
}
