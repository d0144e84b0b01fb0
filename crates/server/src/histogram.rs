//! A histogram of fixed size that one thread fills while others read it.
//!
//! Buckets are log-linear: each power of two is parted into [`PARTS`] equal buckets, so a value is known to
//! within a thirty-second of itself, whatever its size.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Buckets in each power of two.
const PARTS: usize = 32;
const PART_BITS: u32 = PARTS.trailing_zeros();

/// Values of this many bits and more fall into the last bucket: in nanoseconds, a quarter of an hour.
const VALUE_BITS: u32 = 40;
const BUCKETS: usize = (VALUE_BITS - PART_BITS + 1) as usize * PARTS;

/// Counts of values, by size. To be written by one thread only.
#[derive(Debug)]
pub struct Histogram {
    buckets: Box<[AtomicU64]>,
    max: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), max: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Counts `n` values of `value`.
    #[inline]
    pub fn record(&self, value: u64, n: u64) {
        let bucket = &self.buckets[bucket_of(value)];
        bucket.store(bucket.load(Relaxed) + n, Relaxed);
        if value > self.max.load(Relaxed) {
            self.max.store(value, Relaxed);
        }
    }

    /// Forgets all values.
    pub fn clear(&self) {
        self.buckets.iter().for_each(|b| b.store(0, Relaxed));
        self.max.store(0, Relaxed);
    }

    /// Adds this histogram's counts to `sum`.
    pub fn add_to(&self, sum: &mut Distribution) {
        sum.counts.resize(BUCKETS, 0);
        for (count, bucket) in sum.counts.iter_mut().zip(&self.buckets) {
            *count += bucket.load(Relaxed);
        }
        sum.max = sum.max.max(self.max.load(Relaxed));
    }
}

/// The sum of some histograms at one time.
#[derive(Clone, Debug, Default)]
pub struct Distribution {
    counts: Vec<u64>,
    max: u64,
}

impl Distribution {
    /// How many values there are.
    pub fn len(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|&n| n == 0)
    }

    /// The greatest value, exactly; 0 when there is none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// A value that `percent` of all values do not exceed: the last of its bucket, but never more than the
    /// greatest value. 0 when there are none.
    pub fn percentile(&self, percent: f64) -> u64 {
        let rank = ((self.len() as f64 * percent / 100.0).ceil() as u64).max(1);
        let mut seen = 0;
        for (i, n) in self.counts.iter().enumerate() {
            seen += n;
            if seen >= rank {
                return last_of(i).min(self.max);
            }
        }
        self.max
    }
}

impl Distribution {
    /// For values in nanoseconds: how many are at most how many microseconds, at each power of two of nanoseconds from
    /// 1024 on that adds some. The microseconds are those that Redis gives such a step: the power's, and a 128th of it.
    pub fn microseconds(&self) -> Vec<(u64, u64)> {
        let all = self.len();
        let (mut steps, mut seen) = (Vec::new(), 0);
        for power in 10..=VALUE_BITS {
            let limit = 1 << power;
            let below = match power {
                VALUE_BITS => all,
                _ => self.counts.iter().take(bucket_of(limit)).sum(),
            };
            if below > seen {
                seen = below;
                steps.push(((limit + (limit >> 7) - 1) / 1000, below));
            }
        }
        steps
    }
}

#[inline]
fn bucket_of(value: u64) -> usize {
    let value = value.min((1 << VALUE_BITS) - 1);
    // Below twice PARTS a bucket holds one value; from there on the top bits after the first choose it.
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(PART_BITS + 1);
    shift as usize * PARTS + (value >> shift) as usize
}

fn last_of(bucket: usize) -> u64 {
    let shift = (bucket / PARTS).saturating_sub(1);
    let top = bucket - shift * PARTS;
    ((top as u64 + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(values: impl IntoIterator<Item = u64>) -> Distribution {
        let histogram = Histogram::default();
        values.into_iter().for_each(|v| histogram.record(v, 1));
        let mut sum = Distribution::default();
        histogram.add_to(&mut sum);
        sum
    }

    #[test]
    fn a_bucket_holds_what_lies_between_its_neighbours() {
        for bucket in 1..BUCKETS {
            assert_eq!(bucket_of(last_of(bucket)), bucket);
            assert_eq!(bucket_of(last_of(bucket - 1) + 1), bucket);
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_within_a_thirty_second() {
        let d = distribution(1..=100_000);
        for percent in [1.0, 50.0, 99.0, 99.9] {
            let (exact, found) = (percent * 1000.0, d.percentile(percent) as f64);
            assert!((exact..=exact * 1.032).contains(&found), "{percent}: {found}");
        }
        assert_eq!((d.percentile(100.0), d.max(), d.len()), (100_000, 100_000, 100_000));
    }

    #[test]
    fn steps_of_microseconds_are_those_of_redis() {
        let d = distribution([10, 1023, 1024, 32_767, 32_768, 1_000_000, 20_000_000, u64::MAX]);
        let steps = [(1, 2), (2, 3), (33, 4), (66, 5), (1056, 6), (33_816, 7), (1_108_101_562, 8)];
        assert_eq!(d.microseconds(), steps);
    }

    #[test]
    fn nothing_recorded_is_zero() {
        let d = distribution([]);
        assert!(d.microseconds().is_empty());
        assert!(d.is_empty());
        assert_eq!((d.percentile(50.0), d.max()), (0, 0));
    }

    #[test]
    fn cleared_histograms_start_again() {
        let histogram = Histogram::default();
        histogram.record(7, 3);
        histogram.clear();
        histogram.record(2, 2);
        let mut sum = Distribution::default();
        histogram.add_to(&mut sum);
        assert_eq!((sum.len(), sum.max(), sum.percentile(50.0)), (2, 2, 2));
    }
}
