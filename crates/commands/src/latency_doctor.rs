//! LATENCY DOCTOR: what took long, in words, and what can be done about it.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::observer::LatencyEvent;

/// What the report goes by beside the events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// `latency-monitor-threshold`.
    pub(crate) threshold_ms: i64,
    /// `slowlog-log-slower-than`.
    pub(crate) slow_log_us: i64,
    /// The time, in seconds since the Unix epoch.
    pub(crate) now_s: i64,
}

/// A report about `events`.
pub(crate) fn report(setup: &Setup, events: &[LatencyEvent]) -> String {
    let threshold_ms = setup.threshold_ms;
    if threshold_ms <= 0 {
        return "Nothing is watched for its latency. CONFIG SET latency-monitor-threshold <milliseconds> has \
            everything noted that takes that long.\n"
            .to_owned();
    }
    if events.is_empty() {
        return format!(
            "Nothing took {threshold_ms} ms or longer since the start or the last LATENCY RESET.\n"
        );
    }
    let mut out = format!("Events that took {threshold_ms} ms or longer:\n\n");
    let mut advice = BTreeSet::new();
    for (i, event) in events.iter().enumerate() {
        let Figures { spikes, average_ms, deviation_ms, period_s } = Figures::of(event, setup.now_s);
        // Writing to memory does not fail.
        let _ = writeln!(
            out,
            "{}. {}: {spikes} spikes (average {average_ms}ms, mean deviation {deviation_ms}ms, period \
             {period_s:.2} sec). Worst all time event {}ms.",
            i + 1,
            event.name,
            event.max_ms
        );
        advice.extend(Advice::about(event.name, setup));
    }
    out.push_str("\nWhat can be done:\n\n");
    for advice in advice {
        let _ = writeln!(out, "- {}", advice.text());
    }
    out
}

/// What an event's samples amount to.
struct Figures {
    spikes: usize,
    average_ms: u64,
    /// How far the samples are from their average, on average.
    deviation_ms: u64,
    period_s: f64,
}

impl Figures {
    fn of(event: &LatencyEvent, now_s: i64) -> Figures {
        let spikes = event.samples.len();
        let n = spikes.max(1) as u64;
        let average_ms = event.samples.iter().map(|&(_, ms)| ms).sum::<u64>() / n;
        let deviation_ms = event.samples.iter().map(|&(_, ms)| ms.abs_diff(average_ms)).sum::<u64>() / n;
        let since_s = now_s - event.samples.first().map_or(now_s, |&(time_s, _)| time_s);
        Figures { spikes, average_ms, deviation_ms, period_s: since_s.max(1) as f64 / n as f64 }
    }
}

/// What helps, in the order it is told in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Advice {
    SlowLog,
    LowerSlowLog,
    SmallerValues,
    FreeLater,
    Machine,
    SlowDisk,
    Defragmentation,
}

impl Advice {
    fn about(event: &str, setup: &Setup) -> Vec<Advice> {
        use Advice::*;
        let slow_log_tells = (0..=setup.threshold_ms.saturating_mul(1000)).contains(&setup.slow_log_us);
        match event {
            "command" => vec![if slow_log_tells { SlowLog } else { LowerSlowLog }, SmallerValues],
            "fast-command" => vec![Machine, SmallerValues],
            "active-defrag-cycle" => vec![Defragmentation],
            _ if event.starts_with("aof-") => vec![SlowDisk],
            _ => vec![FreeLater, SmallerValues],
        }
    }

    fn text(self) -> &'static str {
        match self {
            Advice::SlowLog => "SLOWLOG GET names the commands that took long.",
            Advice::LowerSlowLog => {
                "The slow log does not note all of these commands: lower slowlog-log-slower-than, in \
                 microseconds, so that SLOWLOG GET names them."
            }
            Advice::SmallerValues => {
                "Commands that read or change a whole collection take as long as it is large. Read it in \
                 parts, with HSCAN and its like or ranges, or spread it over several keys."
            }
            Advice::FreeLater => {
                "Large values that expire or are evicted take long to free: lazyfree-lazy-expire and \
                 lazyfree-lazy-eviction leave that to another thread."
            }
            Advice::Machine => {
                "Commands that should be quick were not: look whether other processes take the processor, \
                 whether memory is swapped, and whether a virtual machine has its cores to itself."
            }
            Advice::SlowDisk => {
                "The disk is slow to write or sync the log: give it a disk of its own, or let appendfsync be \
                 everysec and no-appendfsync-on-rewrite yes, if losing what came since the last sync is bearable."
            }
            Advice::Defragmentation => {
                "Moving values together takes too long at a time: lower active-defrag-cycle-max."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETUP: Setup = Setup { threshold_ms: 10, slow_log_us: 10_000, now_s: 1000 };

    fn event(name: &'static str) -> LatencyEvent {
        LatencyEvent { name, samples: vec![(998, 20), (999, 50), (1000, 35)], max_ms: 70 }
    }

    #[test]
    fn events_are_summed_up_with_advice_once() {
        let told = report(&SETUP, &[event("command"), event("aof-write"), event("aof-fsync-always")]);
        assert!(
            told.contains(
                "1. command: 3 spikes (average 35ms, mean deviation 10ms, period 0.67 sec). Worst all time \
                 event 70ms."
            ),
            "{told}"
        );
        assert!(told.contains("SLOWLOG GET names") && !told.contains("lower slowlog"), "{told}");
        assert_eq!(told.matches("The disk is slow").count(), 1, "{told}");
    }

    #[test]
    fn a_slow_log_that_notes_too_little_is_told() {
        for slow_log_us in [-1, 10_001] {
            let told = report(&Setup { slow_log_us, ..SETUP }, &[event("command")]);
            assert!(told.contains("lower slowlog-log-slower-than"), "{told}");
        }
    }

    #[test]
    fn no_events_may_mean_that_none_are_noted() {
        assert!(report(&SETUP, &[]).starts_with("Nothing took 10 ms or longer"));
        assert!(report(&Setup { threshold_ms: 0, ..SETUP }, &[]).starts_with("Nothing is watched"));
    }

    #[test]
    fn every_event_has_advice() {
        let events = ["fast-command", "expire-cycle", "eviction-cycle", "active-defrag-cycle", "aof-rename"];
        assert!(events.iter().all(|event| !Advice::about(event, &SETUP).is_empty()));
    }
}
