//! The scores of a leaf, in order: what is compared most lies close together.

use std::ops::Range;

use super::leaf::make_room;
use crate::memory::{size_class, vec_bytes};
use crate::relocate::{Mover, relocate_vec};

/// Scores in order. As long as 4 bytes hold each of them without loss, as they do integers up to 16 million, that is
/// what they take.
#[derive(Clone, Debug)]
pub(super) enum Scores {
    Narrow(Vec<f32>),
    Wide(Vec<f64>),
}

impl Default for Scores {
    fn default() -> Scores {
        Scores::Narrow(Vec::new())
    }
}

fn is_narrow(score: f64) -> bool {
    f64::from(score as f32) == score
}

impl Scores {
    #[inline]
    pub(super) fn get(&self, i: usize) -> f64 {
        match self {
            Scores::Narrow(scores) => f64::from(scores[i]),
            Scores::Wide(scores) => scores[i],
        }
    }

    /// Bytes of memory they take.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Scores::Narrow(scores) => vec_bytes::<f32>(scores.capacity()),
            Scores::Wide(scores) => vec_bytes::<f64>(scores.capacity()),
        }
    }

    pub(super) fn relocate(&mut self, mover: &mut dyn Mover) {
        match self {
            Scores::Narrow(scores) => relocate_vec(scores, mover),
            Scores::Wide(scores) => relocate_vec(scores, mover),
        }
    }

    pub(super) fn insert(&mut self, i: usize, score: f64) {
        match self {
            Scores::Narrow(scores) if is_narrow(score) => {
                make_room(scores, 1);
                scores.insert(i, score as f32);
            }
            Scores::Narrow(scores) => {
                let mut wide = Vec::new();
                make_room(&mut wide, scores.len() + 1);
                wide.extend(scores.iter().map(|&score| f64::from(score)));
                wide.insert(i, score);
                *self = Scores::Wide(wide);
            }
            Scores::Wide(scores) => {
                make_room(scores, 1);
                scores.insert(i, score);
            }
        }
    }

    pub(super) fn remove(&mut self, i: usize) {
        match self {
            Scores::Narrow(scores) => _ = scores.remove(i),
            Scores::Wide(scores) => _ = scores.remove(i),
        }
    }

    /// Those of `range`, in as little memory as they need.
    pub(super) fn part(&self, range: Range<usize>) -> Scores {
        let mut part = Scores::with_room(range.len(), range.clone().all(|i| is_narrow(self.get(i))));
        range.for_each(|i| part.push(self.get(i)));
        part
    }

    /// Adds all of `other`.
    pub(super) fn append(&mut self, other: &Scores, len: usize) {
        (0..len).for_each(|i| self.push(other.get(i)));
    }

    fn with_room(len: usize, narrow: bool) -> Scores {
        match narrow {
            true => Scores::Narrow(Vec::with_capacity(size_class(len * size_of::<f32>()) / size_of::<f32>())),
            false => Scores::Wide(Vec::with_capacity(size_class(len * size_of::<f64>()) / size_of::<f64>())),
        }
    }

    fn push(&mut self, score: f64) {
        let len = match self {
            Scores::Narrow(scores) => scores.len(),
            Scores::Wide(scores) => scores.len(),
        };
        self.insert(len, score);
    }

    /// Where the scores equal to this one are.
    #[inline]
    pub(super) fn equal(&self, score: f64) -> Range<usize> {
        match self {
            Scores::Narrow(scores) => equal(scores, |&s| f64::from(s) < score, |&s| f64::from(s) <= score),
            Scores::Wide(scores) => equal(scores, |&s| s < score, |&s| s <= score),
        }
    }
}

#[inline]
fn equal<S>(scores: &[S], less: impl Fn(&S) -> bool, not_greater: impl Fn(&S) -> bool) -> Range<usize> {
    let start = scores.partition_point(less);
    // Mostly there is one such score, or none.
    match scores.get(start..) {
        Some([first, second, ..]) if not_greater(first) && not_greater(second) => {
            start..start + scores[start..].partition_point(not_greater)
        }
        Some([first, ..]) if not_greater(first) => start..start + 1,
        _ => start..start,
    }
}

#[cfg(test)]
mod tests {
    use super::Scores;

    #[test]
    fn scores_keep_their_value_whatever_width_they_have() {
        let (mut scores, mut model) = (Scores::default(), Vec::new());
        let numbers =
            [1.0, -0.0, 16_777_216.0, f64::INFINITY, 0.1, 16_777_217.0, -1e300, f64::NEG_INFINITY, 2.5];
        for (i, number) in numbers.into_iter().enumerate() {
            let at = i / 2;
            scores.insert(at, number);
            model.insert(at, number);
            let kept: Vec<u64> = (0..model.len()).map(|i| scores.get(i).to_bits()).collect();
            assert_eq!(kept, model.iter().map(|n| n.to_bits()).collect::<Vec<_>>());
            assert_eq!(matches!(scores, Scores::Narrow(_)), i < 4, "0.1 needs eight bytes");
        }
        let narrow = model.iter().position(|n| *n == 16_777_216.0).unwrap();
        assert!(matches!(scores.part(narrow..narrow + 1), Scores::Narrow(_)));
        scores.remove(0);
        assert_eq!(scores.get(0).to_bits(), model[1].to_bits());
    }

    #[test]
    fn equal_scores_are_found_together() {
        let mut scores = Scores::default();
        for (i, score) in [1.0, 2.0, 2.0, 2.0, 3.0].into_iter().enumerate() {
            scores.insert(i, score);
        }
        let found = [0.5, 1.0, 2.0, 2.5, 3.0, 4.0].map(|score| scores.equal(score));
        assert_eq!(found, [0..0, 0..1, 1..4, 4..4, 4..5, 5..5]);
    }
}
