//! Bits of byte strings, counted from the highest bit of the first byte: counting and finding them, many at a time.

use std::ops::RangeInclusive;

/// How many bits are set in `bytes`.
fn count_bytes(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let of_words: u64 = words.iter().map(|word| u64::from(u64::from_ne_bytes(*word).count_ones())).sum();
    of_words + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// How many bits are set among the bits `range` of `bytes`, which must reach that far.
pub(crate) fn count(bytes: &[u8], range: RangeInclusive<usize>) -> u64 {
    let (first, last) = (*range.start() / 8, *range.end() / 8);
    let (before, after) = (bytes[first] & !from_bit(*range.start()), bytes[last] & !to_bit(*range.end()));
    count_bytes(&bytes[first..=last]) - u64::from(before.count_ones() + after.count_ones())
}

/// The first bit that is `wanted` among the bits `range` of `bytes`, which must reach that far.
pub(crate) fn first(bytes: &[u8], range: RangeInclusive<usize>, wanted: bool) -> Option<usize> {
    let (first, last) = (*range.start() / 8, *range.end() / 8);
    // What a byte without a wanted bit looks like; the wanted bits are those that differ from it.
    let without = if wanted { 0x00 } else { 0xff };
    let found = |at: usize| {
        let mut differing = bytes[at] ^ without;
        if at == first {
            differing &= from_bit(*range.start());
        }
        if at == last {
            differing &= to_bit(*range.end());
        }
        (differing != 0).then(|| at * 8 + differing.leading_zeros() as usize)
    };
    found(first).or_else(|| {
        let between = bytes.get(first + 1..last).unwrap_or(&[]);
        match first_other(between, without) {
            Some(at) => found(first + 1 + at),
            None => found(last),
        }
    })
}

/// Mask of a byte's bits from that of bit number `bit` on.
fn from_bit(bit: usize) -> u8 {
    0xff >> (bit % 8)
}

/// Mask of a byte's bits up to that of bit number `bit`.
fn to_bit(bit: usize) -> u8 {
    0xff << (7 - bit % 8)
}

/// The place of the first byte that is not `byte`.
fn first_other(bytes: &[u8], byte: u8) -> Option<usize> {
    let same = [byte; 32];
    let (chunks, _) = bytes.as_chunks::<32>();
    let skipped = chunks.iter().take_while(|chunk| **chunk == same).count() * 32;
    bytes[skipped..].iter().position(|b| *b != byte).map(|at| skipped + at)
}

/// The bit `bit`; bits behind the end are clear.
pub(crate) fn get(bytes: &[u8], bit: usize) -> bool {
    bytes.get(bit / 8).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0)
}

#[cfg(test)]
mod tests {
    use engine::Rng;

    use super::*;

    fn random(rng: &mut Rng, len: usize) -> Vec<u8> {
        // Long runs of equal bytes, so that searches have something to skip.
        let filler = [0x00, 0xff][rng.below(2) as usize];
        (0..len).map(|_| if rng.below(40) == 0 { rng.below(256) as u8 } else { filler }).collect()
    }

    #[test]
    fn counting_and_finding_agree_with_going_bit_by_bit() {
        let mut rng = Rng::new(7);
        for _ in 0..3000 {
            let len = 1 + rng.below(200) as usize;
            let bytes = random(&mut rng, len);
            let start = rng.below(8 * len as u64) as usize;
            let end = start + rng.below((8 * len - start) as u64) as usize;
            let set = |bit: &usize| get(&bytes, *bit);
            assert_eq!(count(&bytes, start..=end), (start..=end).filter(set).count() as u64);
            assert_eq!(first(&bytes, start..=end, true), (start..=end).find(set));
            assert_eq!(first(&bytes, start..=end, false), (start..=end).find(|bit| !set(bit)));
        }
    }

    #[test]
    fn bits_behind_the_end_are_clear() {
        assert!(get(&[0x01], 7) && !get(&[0x01], 8) && !get(&[], 0));
        assert_eq!(count_bytes(&[]), 0);
    }
}
