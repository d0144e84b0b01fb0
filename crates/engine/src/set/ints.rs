//! Integers of one width, sorted: the packed form of a small set that has nothing else.
//!
//! The first two bytes are their number, as in every packed run. A byte with their width (2, 4 or 8) follows, then the
//! integers, each with the least significant byte first. An empty run may end after its number.

use crate::packed::{HEADER_BYTES, Packed};

/// Bytes before the first integer.
const HEAD: usize = HEADER_BYTES + 1;
/// Most integers of a set in this form.
pub(super) const INTS_MAX: usize = 1000;

/// The integers of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ints<'p> {
    width: usize,
    bytes: &'p [u8],
}

impl<'p> Ints<'p> {
    pub(super) fn new(run: Packed<'p>) -> Ints<'p> {
        match run.as_slice() {
            [_, _, width, bytes @ ..] => Ints { width: usize::from(*width), bytes },
            _ => Ints { width: 2, bytes: &[] },
        }
    }

    /// How many there are.
    #[inline]
    pub(super) fn len(self) -> usize {
        self.bytes.len() / self.width
    }

    /// Number `i`.
    #[inline]
    pub(super) fn at(self, i: usize) -> i64 {
        let bytes = &self.bytes[i * self.width..][..self.width];
        let mut wide = [0; 8];
        wide[8 - self.width..].copy_from_slice(bytes);
        i64::from_le_bytes(wide) >> (64 - 8 * self.width)
    }

    /// Where `n` is; otherwise, as an error, where it would come.
    pub(super) fn search(self, n: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = (low + high) / 2;
            match self.at(middle).cmp(&n) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Whether `n` can be kept beside these as it is.
    pub(super) fn takes(self, n: i64) -> bool {
        !self.bytes.is_empty() && width_of(n) <= self.width
    }

    /// The bytes of `n`, which [`Ints::takes`] says is fine.
    pub(super) fn encoded(self, n: i64, bytes: &mut [u8; 8]) -> &[u8] {
        *bytes = n.to_le_bytes();
        &bytes[..self.width]
    }

    /// Where in the run number `i` is, or would be put in.
    pub(super) fn place(self, i: usize) -> std::ops::Range<usize> {
        let at = HEAD + i * self.width;
        at..at + self.width
    }
}

/// Bytes that `n` needs.
fn width_of(n: i64) -> usize {
    match n {
        _ if i16::try_from(n).is_ok() => 2,
        _ if i32::try_from(n).is_ok() => 4,
        _ => 8,
    }
}

/// The run of `sorted` integers.
pub(super) fn run_of(sorted: &[i64]) -> Vec<u8> {
    let width = sorted.first().into_iter().chain(sorted.last()).map(|&n| width_of(n)).max().unwrap_or(2);
    let mut run = Vec::with_capacity(HEAD + sorted.len() * width);
    // At most INTS_MAX.
    run.extend_from_slice(&(sorted.len() as u16).to_le_bytes());
    run.push(width as u8);
    sorted.iter().for_each(|n| run.extend_from_slice(&n.to_le_bytes()[..width]));
    run
}

#[cfg(test)]
mod tests {
    use super::{Ints, run_of};
    use crate::packed::Packed;

    #[test]
    fn integers_of_every_width_are_found() {
        for widest in [300, 40_000, i64::from(i32::MAX), i64::MAX] {
            let sorted = [-widest - 1, -7, 0, 5, widest];
            let run = run_of(&sorted);
            let ints = Ints::new(Packed::new(&run));
            assert_eq!((0..ints.len()).map(|i| ints.at(i)).collect::<Vec<_>>(), sorted);
            assert_eq!((ints.search(5), ints.search(6), ints.search(-8)), (Ok(3), Err(4), Err(1)));
            assert!(ints.takes(widest) && (widest == i64::MAX || !ints.takes(i64::MAX)));
        }
    }
}
