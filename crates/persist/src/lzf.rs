//! LZF, the compression of strings in RDB files.
//!
//! Compressed bytes are a sequence of literals and copies:
//!
//! | first byte | what follows | meaning |
//! | --- | --- | --- |
//! | `000nnnnn` | n + 1 bytes | these bytes |
//! | `nnndddddd`, n from 1 to 6 | the low byte of the distance | n + 2 bytes from distance + 1 back |
//! | `111ddddd` | n, then the low byte of the distance | n + 9 bytes from distance + 1 back |

const LITERALS_MAX: usize = 32;
const COPY_MIN: usize = 3;
const COPY_MAX: usize = 264;
const DISTANCE_MAX: usize = 1 << 13;
const HEADS_BITS: u32 = 13;

/// The most bytes that `compressed_len` bytes can stand for: three of them make a copy of the longest kind.
pub(crate) fn expanded_len_max(compressed_len: usize) -> usize {
    compressed_len.saturating_mul(COPY_MAX / 3)
}

/// Compresses. Its table of places is kept from one input to the next, so that short inputs cost little.
#[derive(Debug)]
pub(crate) struct Compressor {
    /// By the hash of three bytes, where they were seen last: counted from the first input's beginning, so that
    /// what an earlier input left is seen to lie before `base`.
    heads: Box<[u32]>,
    /// Where the current input begins. At least 1, so that an empty place lies before it.
    base: u32,
}

impl Compressor {
    pub(crate) fn new() -> Compressor {
        Compressor { heads: vec![0; 1 << HEADS_BITS].into(), base: 1 }
    }

    /// Appends `input` in compressed form to `out`, in at most `len_max` bytes; otherwise leaves `out` as it was.
    /// Whether it did.
    pub(crate) fn compress(&mut self, input: &[u8], len_max: usize, out: &mut Vec<u8>) -> bool {
        let Ok(len) = u32::try_from(input.len()) else { return false };
        let Some(next_base) = self.base.checked_add(len) else {
            self.heads.fill(0);
            self.base = 1;
            return len < u32::MAX && self.compress(input, len_max, out);
        };
        let start = out.len();
        let end = start.saturating_add(len_max);
        let (mut at, mut literals) = (0, 0);
        while at + COPY_MIN <= input.len() && out.len() <= end {
            match self.seen(input, at) {
                Some(from) => {
                    let len = common_len(input, from, at);
                    push_literals(out, &input[literals..at]);
                    push_copy(out, at - from - 1, len);
                    at += len;
                    literals = at;
                }
                // The longer nothing was found, the less is looked for: what does not compress passes quickly.
                None => at += 1 + (at - literals) / 64,
            }
        }
        push_literals(out, &input[literals..]);
        self.base = next_base;
        let fits = out.len() <= end;
        if !fits {
            out.truncate(start);
        }
        fits
    }

    /// An earlier place of the three bytes at `at`, near enough for a copy; notes that they are here too.
    fn seen(&mut self, input: &[u8], at: usize) -> Option<usize> {
        let three = u32::from_le_bytes([input[at], input[at + 1], input[at + 2], 0]);
        let head = &mut self.heads[(three.wrapping_mul(0x9e37_79b1) >> (u32::BITS - HEADS_BITS)) as usize];
        let last = std::mem::replace(head, self.base + at as u32);
        let from = last.checked_sub(self.base)? as usize;
        (at - from <= DISTANCE_MAX && input[from..from + COPY_MIN] == input[at..at + COPY_MIN])
            .then_some(from)
    }
}

/// How many bytes from `from` on are those from `at` on, as far as one copy reaches.
fn common_len(input: &[u8], from: usize, at: usize) -> usize {
    let pairs = input[from..].iter().zip(&input[at..]);
    pairs.take(COPY_MAX).take_while(|(a, b)| a == b).count()
}

fn push_literals(out: &mut Vec<u8>, literals: &[u8]) {
    for run in literals.chunks(LITERALS_MAX) {
        out.push(run.len() as u8 - 1);
        out.extend_from_slice(run);
    }
}

fn push_copy(out: &mut Vec<u8>, distance: usize, len: usize) {
    let (high, low) = ((distance >> 8) as u8, distance as u8);
    match len - 2 {
        n @ 0..7 => out.extend([(n as u8) << 5 | high, low]),
        n => out.extend([7 << 5 | high, (n - 7) as u8, low]),
    }
}

/// The bytes that `compressed` stands for, which must be `len` bytes.
pub(crate) fn decompress(compressed: &[u8], len: usize) -> Option<Vec<u8>> {
    if len > expanded_len_max(compressed.len()) {
        return None;
    }
    let mut out = Vec::with_capacity(len);
    let mut rest = compressed;
    while let [control, behind @ ..] = rest {
        rest = behind;
        let (n, high) = (usize::from(control >> 5), usize::from(control & 31));
        if n == 0 {
            let (literals, behind) = rest.split_at_checked(high + 1)?;
            out.extend_from_slice(literals);
            rest = behind;
        } else {
            let mut byte = || {
                let (byte, behind) = rest.split_first()?;
                rest = behind;
                Some(usize::from(*byte))
            };
            let copy_len = 2 + if n == 7 { 7 + byte()? } else { n };
            let from = out.len().checked_sub((high << 8 | byte()?) + 1)?;
            copy_within(&mut out, from, copy_len);
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

/// Appends `len` bytes from `from` on, some of which may be among those appended.
fn copy_within(out: &mut Vec<u8>, from: usize, len: usize) {
    if from + len <= out.len() {
        out.extend_from_within(from..from + len);
    } else {
        (from..from + len).for_each(|i| out.push(out[i]));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Compressor, decompress, expanded_len_max};

    fn compressed(input: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        Compressor::new().compress(input, input.len().saturating_sub(4), &mut out).then_some(out)
    }

    #[test]
    fn what_repeats_shrinks_and_what_does_not_is_refused() {
        let zeros = vec![0; 100_000];
        let small = compressed(&zeros).unwrap();
        assert!(small.len() < 1200, "{}", small.len());
        assert_eq!(decompress(&small, zeros.len()).unwrap(), zeros);
        assert!(zeros.len() <= expanded_len_max(small.len()));
        let different: Vec<u8> = (0..=255).collect();
        assert_eq!(compressed(&different), None);
        assert_eq!(compressed(b"abc"), None);
    }

    #[test]
    fn one_compressor_serves_many_inputs_and_none_sees_another() {
        let mut compressor = Compressor::new();
        for round in 0..50u8 {
            let input: Vec<u8> = (0..200).map(|i| (b'a' + i % (7 + round % 5)) ^ round).collect();
            let mut out = b"before".to_vec();
            assert!(compressor.compress(&input, input.len(), &mut out));
            assert_eq!(decompress(&out[6..], input.len()).unwrap(), input);
        }
        compressor.base = u32::MAX - 10;
        let mut out = Vec::new();
        assert!(compressor.compress(&[b'x'; 100], 50, &mut out), "places are counted from the start again");
        assert_eq!(decompress(&out, 100).unwrap(), [b'x'; 100]);
    }

    #[test]
    fn a_known_form_is_read() {
        // "aaaaaaaaaa": one literal, then a copy of nine bytes from one back; then a long copy.
        assert_eq!(decompress(b"\x00a\xe0\x00\x00", 10).unwrap(), b"aaaaaaaaaa");
        assert_eq!(decompress(b"\x00a\xe0\xff\x00", 265).unwrap(), [b'a'; 265]);
        assert_eq!(decompress(b"\x02abc\x20\x02", 6).unwrap(), b"abcabc");
    }

    #[test]
    fn bad_input_is_refused() {
        let bad: [(&[u8], usize); 7] = [
            (b"\x05abc", 6),
            (b"\x00a\x20", 4),
            (b"\x00a\x20\x05", 4),
            (b"\x20\x00", 3),
            (b"\x00a", 2),
            (b"\x02abc", 2),
            (b"\x00a", usize::MAX),
        ];
        bad.iter().for_each(|(bytes, len)| assert_eq!(decompress(bytes, *len), None, "{bytes:?}"));
    }

    proptest! {
        #[test]
        fn what_was_compressed_comes_back(
            words in proptest::collection::vec("[a-c]{1,9}", 0..400),
            tail in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let input = [words.concat().as_bytes(), tail.as_slice(), words.concat().as_bytes()].concat();
            let mut out = Vec::new();
            prop_assert!(Compressor::new().compress(&input, usize::MAX, &mut out));
            prop_assert_eq!(decompress(&out, input.len()), Some(input));
        }

        #[test]
        fn nothing_panics_or_outgrows_its_length(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            len in 0usize..5000,
        ) {
            if let Some(out) = decompress(&bytes, len) {
                prop_assert_eq!(out.len(), len);
            }
        }
    }
}
