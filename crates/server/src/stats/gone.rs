//! What went without a command that said so: keys and fields that expired, and keys that were evicted.

use std::collections::BTreeMap;

use engine::{Cause, Gone};

use crate::config::settings::Policy;
use crate::histogram::{Distribution, Histogram};

/// What went from one database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Keys that expired and were removed in time, without anybody asking for them.
    pub expired_timely: u64,
    /// Keys that expired and were removed when a command looked for them.
    pub expired_found: u64,
    /// Fields of hashes that expired.
    pub expired_fields: u64,
    /// Bytes of memory that expired keys and fields gave back.
    pub expired_bytes: u64,
    /// Keys that were evicted.
    pub evicted: u64,
    /// Bytes of memory that evicted keys gave back.
    pub evicted_bytes: u64,
}

impl Losses {
    /// Keys that expired.
    pub fn expired(&self) -> u64 {
        self.expired_timely + self.expired_found
    }

    fn add(&mut self, other: &Losses) {
        self.expired_timely += other.expired_timely;
        self.expired_found += other.expired_found;
        self.expired_fields += other.expired_fields;
        self.expired_bytes += other.expired_bytes;
        self.evicted += other.evicted;
        self.evicted_bytes += other.evicted_bytes;
    }

    fn count(&mut self, gone: &Gone) {
        let bytes = gone.bytes as u64;
        match gone.cause {
            Cause::Due { found, .. } => {
                *if found { &mut self.expired_found } else { &mut self.expired_timely } += 1;
                self.expired_bytes += bytes;
            }
            Cause::Fields { count, .. } => {
                self.expired_fields += count;
                self.expired_bytes += bytes;
            }
            Cause::Evicted { .. } => {
                self.evicted += 1;
                self.evicted_bytes += bytes;
            }
        }
    }
}

/// What one policy evicted.
#[derive(Clone, Debug, Default)]
pub struct Evictions {
    /// Milliseconds since each evicted key was last used.
    pub idle_ms: Distribution,
    /// How often each was used, as OBJECT FREQ tells; none unless the policy goes by that.
    pub frequency: Distribution,
}

/// One worker's counts.
#[derive(Debug, Default)]
pub(super) struct GoneCounters {
    databases: BTreeMap<u32, Losses>,
    lag_us: Histogram,
    /// By policy, those that evicted something; the idle times in milliseconds, and the frequencies.
    evicted: BTreeMap<Policy, (Histogram, Histogram)>,
}

impl GoneCounters {
    /// Counts `gone`. `policy` is the one in force; `since_us` the microseconds since the turn's time, in which
    /// it stood still.
    pub(super) fn count(&mut self, gone: &[Gone], policy: Policy, since_us: u64) {
        for gone in gone {
            self.databases.entry(gone.db).or_default().count(gone);
            match gone.cause {
                Cause::Due { lag_ms, .. } => self.lag(lag_ms, since_us, 1),
                Cause::Fields { count, lag_ms, .. } => self.lag(lag_ms, since_us, count),
                Cause::Evicted { idle_ms, frequency } => {
                    let (idle, frequencies) = self.evicted.entry(policy).or_default();
                    idle.record(idle_ms, 1);
                    if let Some(frequency) = frequency {
                        frequencies.record(u64::from(frequency), 1);
                    }
                }
            }
        }
    }

    fn lag(&mut self, lag_ms: i64, since_us: u64, count: u64) {
        let lag_us = lag_ms.max(0).unsigned_abs().saturating_mul(1000).saturating_add(since_us);
        self.lag_us.record(lag_us, count);
    }

    pub(super) fn clear(&mut self) {
        *self = GoneCounters::default();
    }

    /// Adds what this worker counted to `sum`.
    pub(super) fn add_to(&self, sum: &mut GoneTotals) {
        for (&db, losses) in &self.databases {
            sum.databases.entry(db).or_default().add(losses);
        }
        self.lag_us.add_to(&mut sum.lag_us);
        for (&policy, (idle_ms, frequency)) in &self.evicted {
            let evictions = sum.evictions.entry(policy).or_default();
            idle_ms.add_to(&mut evictions.idle_ms);
            frequency.add_to(&mut evictions.frequency);
        }
    }
}

/// What went, in all.
#[derive(Clone, Debug, Default)]
pub struct GoneTotals {
    /// By database, those that lost something.
    pub databases: BTreeMap<u32, Losses>,
    /// Microseconds by which keys and fields outlived their deadlines.
    pub lag_us: Distribution,
    /// By policy, those that evicted something.
    pub evictions: BTreeMap<Policy, Evictions>,
}

impl GoneTotals {
    /// Of all databases.
    pub fn all(&self) -> Losses {
        self.databases.values().fold(Losses::default(), |mut sum, losses| {
            sum.add(losses);
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_apart_by_database_and_policy() {
        let gone = |db, cause| Gone { db, bytes: 100, cause };
        let evicted = |idle_ms| Cause::Evicted { idle_ms, frequency: None };
        let mut counters = GoneCounters::default();
        let expired = [
            gone(0, Cause::Due { lag_ms: 2, found: false }),
            gone(0, Cause::Due { lag_ms: 5, found: true }),
            gone(3, Cause::Fields { count: 97, lag_ms: 0, found: false }),
        ];
        counters.count(&expired, Policy::NoEviction, 10);
        counters.count(&[gone(3, evicted(4000)), gone(3, evicted(6000))], Policy::AllKeysLru, 0);
        let rare = Cause::Evicted { idle_ms: 60_000, frequency: Some(3) };
        counters.count(&[gone(0, rare)], Policy::VolatileLfu, 0);
        let mut sum = GoneTotals::default();
        counters.add_to(&mut sum);
        counters.add_to(&mut sum);
        let first = Losses {
            expired_timely: 2,
            expired_found: 2,
            expired_bytes: 400,
            evicted: 2,
            evicted_bytes: 200,
            ..Losses::default()
        };
        assert_eq!((sum.databases[&0], sum.databases[&3].expired_fields), (first, 194));
        assert_eq!((sum.all().expired(), sum.all().expired_bytes, sum.all().evicted), (4, 600, 6));
        assert_eq!((sum.lag_us.len(), sum.lag_us.percentile(50.0), sum.lag_us.max()), (198, 10, 5010));
        let [lru, lfu] = [Policy::AllKeysLru, Policy::VolatileLfu].map(|policy| &sum.evictions[&policy]);
        assert_eq!((lru.idle_ms.len(), lru.idle_ms.max(), lru.frequency.len()), (4, 6000, 0));
        assert_eq!((lfu.idle_ms.max(), lfu.frequency.max()), (60_000, 3));
        counters.clear();
        let mut sum = GoneTotals::default();
        counters.add_to(&mut sum);
        assert!(sum.databases.is_empty() && sum.evictions.is_empty() && sum.lag_us.is_empty());
    }
}
