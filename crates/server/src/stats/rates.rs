//! How fast sums grow: samples of them, the latest close together, those of the last minute a second apart.

use std::collections::VecDeque;

/// Rates are averages over this time, or since the sample before it.
const RATE_WINDOW_MS: i64 = 1600;
/// Time between two samples at least.
const SAMPLE_INTERVAL_MS: i64 = 100;
/// The reads of this time are told apart from those before it.
const READS_WINDOW_MS: i64 = 60_000;
/// Time between two samples of reads at least.
const READS_INTERVAL_MS: i64 = 1000;

/// Sums that samples are taken of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Commands that ran.
    pub commands: u64,
    /// Bytes read from clients.
    pub read_bytes: u64,
    /// Bytes sent to clients.
    pub written_bytes: u64,
    /// Turns of the workers' loops.
    pub turns: u64,
    /// Microseconds that these took, without the waits between them.
    pub turns_time_us: u64,
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
}

/// What [`super::Stats::rates`] finds, of the last second or two.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Commands a second.
    pub commands: f64,
    /// Bytes read from clients a second.
    pub read_bytes: f64,
    /// Bytes sent to clients a second.
    pub written_bytes: f64,
    /// Turns of the workers' loops a second.
    pub turns: f64,
    /// Microseconds a turn.
    pub turn_us: f64,
}

/// Samples: when each was taken, and the sums then.
#[derive(Debug, Default)]
pub(super) struct Samples {
    recent: Series<Traffic, RATE_WINDOW_MS, SAMPLE_INTERVAL_MS>,
    reads: Series<(u64, u64), READS_WINDOW_MS, READS_INTERVAL_MS>,
}

impl Samples {
    /// Takes a sample, unless the last one is too fresh.
    pub(super) fn take(&mut self, now_ms: i64, traffic: impl Fn() -> Traffic) {
        self.recent.take(now_ms, &traffic);
        self.reads.take(now_ms, || {
            let traffic = traffic();
            (traffic.hits, traffic.misses)
        });
    }

    /// How fast the sums, now `traffic`, have grown lately.
    pub(super) fn rates(&self, now_ms: i64, traffic: &Traffic) -> Rates {
        let Some((since_ms, then)) = self.recent.before_window(now_ms) else { return Rates::default() };
        let seconds = (now_ms - since_ms).max(1) as f64 / 1000.0;
        let rate = |of: fn(&Traffic) -> u64| of(traffic).saturating_sub(of(then)) as f64 / seconds;
        let turns = rate(|t| t.turns);
        Rates {
            commands: rate(|t| t.commands),
            read_bytes: rate(|t| t.read_bytes),
            written_bytes: rate(|t| t.written_bytes),
            turns,
            turn_us: if turns > 0.0 { rate(|t| t.turns_time_us) / turns } else { 0.0 },
        }
    }

    /// Hits and misses of the last minute.
    pub(super) fn reads(&self, now_ms: i64, traffic: &Traffic) -> (u64, u64) {
        let (hits, misses) = self.reads.before_window(now_ms).map_or((0, 0), |(_, then)| *then);
        (traffic.hits.saturating_sub(hits), traffic.misses.saturating_sub(misses))
    }
}

/// Samples of the last `WINDOW_MS` milliseconds, at least `INTERVAL_MS` apart, and the one before them.
#[derive(Debug)]
struct Series<T, const WINDOW_MS: i64, const INTERVAL_MS: i64>(VecDeque<(i64, T)>);

impl<T, const WINDOW_MS: i64, const INTERVAL_MS: i64> Default for Series<T, WINDOW_MS, INTERVAL_MS> {
    fn default() -> Self {
        Series(VecDeque::new())
    }
}

impl<T, const WINDOW_MS: i64, const INTERVAL_MS: i64> Series<T, WINDOW_MS, INTERVAL_MS> {
    fn take(&mut self, now_ms: i64, sample: impl FnOnce() -> T) {
        // A clock that stepped back would keep samples of a time to come.
        while self.0.back().is_some_and(|(at_ms, _)| *at_ms > now_ms) {
            self.0.pop_back();
        }
        if self.0.back().is_some_and(|(at_ms, _)| now_ms - at_ms < INTERVAL_MS) {
            return;
        }
        self.0.push_back((now_ms, sample()));
        // One sample before the window is kept: the rates start there.
        while self.0.get(1).is_some_and(|(at_ms, _)| now_ms - at_ms >= WINDOW_MS) {
            self.0.pop_front();
        }
    }

    /// The last sample before the window, or else the first.
    fn before_window(&self, now_ms: i64) -> Option<&(i64, T)> {
        let before = self.0.iter().rposition(|(at_ms, _)| now_ms - at_ms >= WINDOW_MS).unwrap_or(0);
        self.0.get(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_window() {
        let mut samples = Samples::default();
        let mut traffic = Traffic::default();
        assert_eq!(samples.rates(0, &traffic), Rates::default());
        samples.take(0, || traffic);
        for tenth in 1..=50 {
            traffic.read_bytes += 100;
            traffic.turns += 1;
            traffic.turns_time_us += 20;
            samples.take(tenth * 100, || traffic);
            samples.take(tenth * 100 + 1, || traffic);
        }
        let rates = samples.rates(5000, &traffic);
        assert!((900.0..=1100.0).contains(&rates.read_bytes), "{rates:?}");
        assert!((9.0..=11.0).contains(&rates.turns), "{rates:?}");
        assert_eq!((rates.written_bytes, rates.turn_us.round()), (0.0, 20.0));
        assert!(samples.recent.0.len() < 20);
        assert_eq!(samples.rates(60_000, &traffic), Rates::default(), "nothing came for a minute");
    }

    #[test]
    fn reads_are_those_of_the_last_minute() {
        let mut samples = Samples::default();
        let mut traffic = Traffic::default();
        let mut seconds = |n: i64, from: i64, hits: u64, misses: u64| {
            for second in from..from + n {
                traffic.hits += hits;
                traffic.misses += misses;
                samples.take(second * 1000, || traffic);
            }
            samples.reads((from + n - 1) * 1000, &traffic)
        };
        // Before the first sample is a minute old, all that is known counts.
        assert_eq!(seconds(1, 1, 5, 5), (0, 0));
        assert_eq!(seconds(9, 2, 5, 5), (45, 45));
        assert_eq!(seconds(100, 11, 5, 5), (300, 300));
        assert_eq!(seconds(60, 111, 1, 0), (60, 0));
        // The clock steps back: samples of a time to come are none.
        assert_eq!(seconds(1, 100, 1, 0), (0, 0));
        assert!(samples.reads.0.len() < 70);
    }
}
