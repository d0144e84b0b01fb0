//! The latency monitor: what held somebody up for as long as `latency-monitor-threshold` says, event by event.
//!
//! Whoever does something that others may have to wait for measures it and calls [`Latency::note`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use commands::LatencyEvent;
use parking_lot::Mutex;

use crate::clock;
use crate::config::{ConfigStore, Settings};

/// Samples that are kept of an event: one for each second in which it came.
const SAMPLES: usize = 160;

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A command.
    Command,
    /// A command that takes constant or logarithmic time.
    FastCommand,
    /// The removal of due keys, from one look at the sockets to the next.
    ExpireCycle,
    /// A step of active defragmentation.
    ActiveDefragCycle,
    /// The eviction of keys, as many as one command or turn of a worker's loop waits for.
    EvictionCycle,
    /// Handing effects to the system.
    AofWrite,
    /// The same while a snapshot or a rewrite of the log is written.
    AofWriteActiveChild,
    /// The same while none is.
    AofWriteAlone,
    /// A sync that replies wait for.
    AofFsyncAlways,
    /// Putting a new base of the log in its place.
    AofRename,
}

impl Event {
    /// Its name, as Redis has it.
    fn name(self) -> &'static str {
        match self {
            Event::Command => "command",
            Event::FastCommand => "fast-command",
            Event::ExpireCycle => "expire-cycle",
            Event::ActiveDefragCycle => "active-defrag-cycle",
            Event::EvictionCycle => "eviction-cycle",
            Event::AofWrite => "aof-write",
            Event::AofWriteActiveChild => "aof-write-active-child",
            Event::AofWriteAlone => "aof-write-alone",
            Event::AofFsyncAlways => "aof-fsync-always",
            Event::AofRename => "aof-rename",
        }
    }
}

/// The samples of every event.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    /// Milliseconds from which an event is kept; 0: none is.
    threshold_ms: AtomicU64,
    series: Mutex<BTreeMap<Event, Series>>,
}

#[derive(Debug, Default)]
struct Series {
    /// Seconds since the Unix epoch, and the milliseconds of the longest in each.
    samples: VecDeque<(i64, u64)>,
    max_ms: u64,
}

impl Latency {
    /// A monitor whose threshold is the configuration's.
    pub(crate) fn new(config: &ConfigStore) -> Arc<Latency> {
        let latency = Arc::new(Latency::default());
        latency.follow(&config.settings());
        let follower = Arc::clone(&latency);
        let follow = move |_: &Settings, new: &Settings| {
            follower.follow(new);
            Ok(())
        };
        config.on_change(&["latency-monitor-threshold"], Box::new(follow));
        latency
    }

    fn follow(&self, settings: &Settings) {
        self.threshold_ms.store(settings.latency_monitor_threshold_ms, Ordering::Relaxed);
    }

    /// Notes that `event` took `time` and ended now, when that is long.
    #[inline]
    pub(crate) fn note(&self, event: Event, time: Duration) {
        let threshold_ms = self.threshold_ms.load(Ordering::Relaxed);
        let time_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        if threshold_ms > 0 && time_ms >= threshold_ms {
            self.keep(event, clock::now_ms() / 1000, time_ms);
        }
    }

    #[cold]
    fn keep(&self, event: Event, now_s: i64, time_ms: u64) {
        let mut all = self.series.lock();
        let series = all.entry(event).or_default();
        series.max_ms = series.max_ms.max(time_ms);
        match series.samples.back_mut() {
            Some((last_s, longest_ms)) if *last_s == now_s => *longest_ms = time_ms.max(*longest_ms),
            _ => {
                if series.samples.len() == SAMPLES {
                    series.samples.pop_front();
                }
                series.samples.push_back((now_s, time_ms));
            }
        }
    }

    /// Every event that has samples.
    pub(crate) fn events(&self) -> Vec<LatencyEvent> {
        let event = |(event, series): (&Event, &Series)| LatencyEvent {
            name: event.name(),
            samples: series.samples.iter().copied().collect(),
            max_ms: series.max_ms,
        };
        self.series.lock().iter().map(event).collect()
    }

    /// Forgets the samples of the events that `which` chooses; how many there were.
    pub(crate) fn reset(&self, which: &dyn Fn(&str) -> bool) -> usize {
        let mut series = self.series.lock();
        let before = series.len();
        series.retain(|event, _| !which(event.name()));
        before - series.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency(threshold_ms: u64) -> Latency {
        Latency { threshold_ms: AtomicU64::new(threshold_ms), ..Latency::default() }
    }

    #[test]
    fn only_what_takes_long_is_noted_and_nothing_without_a_threshold() {
        let (off, on) = (latency(0), latency(10));
        off.note(Event::Command, Duration::from_secs(5));
        assert!(off.events().is_empty());
        on.note(Event::Command, Duration::from_micros(9999));
        assert!(on.events().is_empty());
        on.note(Event::Command, Duration::from_micros(10_999));
        let [event] = &*on.events() else { panic!() };
        assert_eq!((event.name, event.max_ms, event.samples[0].1), ("command", 10, 10));
    }

    #[test]
    fn a_second_keeps_its_longest_and_the_oldest_go() {
        let latency = latency(1);
        for (now_s, time_ms) in [(5, 7), (5, 9), (5, 8), (6, 2)] {
            latency.keep(Event::AofWrite, now_s, time_ms);
        }
        assert_eq!(latency.events()[0].samples, [(5, 9), (6, 2)]);
        (0..200).for_each(|second| latency.keep(Event::AofWrite, 10 + second, 3));
        let event = &latency.events()[0];
        assert_eq!((event.samples.len(), event.samples[0], event.max_ms), (SAMPLES, (50, 3), 9));
    }

    #[test]
    fn events_are_reset_by_name() {
        let latency = latency(1);
        latency.keep(Event::Command, 1, 1);
        latency.keep(Event::AofRename, 1, 1);
        assert_eq!(latency.reset(&|name| name == "aof-rename"), 1);
        assert_eq!(latency.events()[0].name, "command");
        assert_eq!((latency.reset(&|_| true), latency.reset(&|_| true)), (1, 0));
    }
}
