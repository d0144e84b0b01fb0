//! What is noted of commands as they run, and what those who watch the process get of it: the slow log, the latency
//! monitor, histograms of commands' times, MONITOR.

use std::sync::Arc;
use std::time::Duration;

use commands::{LatencyEvent, Observer, Row, SlowEntry, flags};
use resp::Args;

use crate::clock;
use crate::config::{Settings, table};
use crate::connection::Connection;
use crate::dispatch::Dispatcher;
use crate::latency::Event;
use crate::monitor::line;
use crate::shared::Shared;
use crate::slowlog::shortened;

/// Quick commands are timed together unless the slow log wants less than this: a look at the clock costs as much as
/// such a command.
const TOGETHER_US_MIN: u64 = 1000;
/// Requests of more arguments or bytes may take long, whatever their command, and are timed by themselves.
const ARGS_MAX: usize = 32;
const ARGS_BYTES_MAX: usize = 16 << 10;

/// How exactly commands are timed, and which times matter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// What takes this long is for the slow log or the latency monitor, or both.
    pub(crate) noted_ns: u64,
    /// Every command is timed by itself.
    each: bool,
}

impl Timing {
    /// What `settings` ask for.
    pub(crate) fn of(settings: &Settings) -> Timing {
        let slow_us = slow_us(settings).unwrap_or(u64::MAX);
        let threshold_ms = Some(settings.latency_monitor_threshold_ms).filter(|&ms| ms > 0);
        let spike_ns = threshold_ms.map_or(u64::MAX, |ms| ms.saturating_mul(1_000_000));
        Timing { noted_ns: slow_us.saturating_mul(1000).min(spike_ns), each: slow_us < TOGETHER_US_MIN }
    }

    /// Whether the request of `args`, for a quick command, is to be timed by itself.
    #[inline]
    pub(crate) fn is_alone(self, args: Args<'_>) -> bool {
        self.each || args.len() > ARGS_MAX || args.extent_bytes() > ARGS_BYTES_MAX
    }
}

/// Microseconds from which a command is slow, if any is.
fn slow_us(settings: &Settings) -> Option<u64> {
    u64::try_from(settings.slowlog_log_slower_than_us).ok()
}

impl Dispatcher {
    /// Shows a command that ran to the clients that watch. To be called while its stripes are held.
    #[cold]
    pub(crate) fn show(&self, conn: &Connection, row: &Row, args: Args<'_>) {
        if row.command.flags & (flags::ADMIN | flags::SKIP_MONITOR) == 0 {
            let args = row.command.redacted(args, &*self.shared);
            let line = line(clock::now_us(), conn.session.db, &conn.entry, args);
            self.shared.monitors.show(&line, &self.shared.clients);
        }
    }

    /// Notes that a command, or several quick ones of which this was the last, took `time_ns`.
    #[cold]
    pub(crate) fn note_slow(&self, conn: &Connection, row: &Row, args: Args<'_>, time_ns: u64) {
        let fast = row.command.is(flags::FAST);
        let event = if fast { Event::FastCommand } else { Event::Command };
        self.shared.latency.note(event, Duration::from_nanos(time_ns));
        let duration_us = time_ns / 1000;
        let slow = slow_us(&self.settings).is_some_and(|slow_us| duration_us >= slow_us);
        if slow && !row.command.is(flags::SKIP_SLOWLOG) {
            let entry = SlowEntry {
                id: 0,
                time_s: clock::now_ms() / 1000,
                duration_us,
                args: shortened(row.command.redacted(args, &*self.shared), args.len()),
                address: conn.entry.address().to_owned(),
                name: conn.session.name.clone(),
            };
            self.shared.slow_log.push(entry, self.settings.slowlog_max_len);
        }
    }
}

impl Observer for Shared {
    fn slow_log(&self, count: usize) -> Vec<Arc<SlowEntry>> {
        self.slow_log.last(count)
    }

    fn slow_log_len(&self) -> usize {
        self.slow_log.len()
    }

    fn reset_slow_log(&self) {
        self.slow_log.reset();
    }

    fn latency_events(&self) -> Vec<LatencyEvent> {
        self.latency.events()
    }

    fn reset_latency_events(&self, which: &dyn Fn(&str) -> bool) -> usize {
        self.latency.reset(which)
    }

    fn command_latency(&self, row: &Row) -> Vec<(u64, u64)> {
        self.stats.command(row).latency_ns.microseconds()
    }

    fn monitor(&self, id: u64) {
        if let Some(client) = self.clients.get(id) {
            self.monitors.add(client);
        }
    }

    fn end_monitoring(&self, id: u64) {
        self.monitors.remove(id);
    }

    fn is_secret_directive(&self, name: &[u8]) -> bool {
        table::find(name).is_some_and(|row| row.secret)
    }
}

#[cfg(test)]
mod tests {
    use resp::ArgsBuf;

    use super::*;
    use crate::config::load;

    fn timing(slow_us: &str, threshold_ms: &str) -> Timing {
        let args = ["--slowlog-log-slower-than", slow_us, "--latency-monitor-threshold", threshold_ms];
        Timing::of(&Settings::from(load(args.iter().map(std::ffi::OsString::from)).unwrap().values))
    }

    #[test]
    fn the_lower_threshold_says_what_is_noted() {
        assert_eq!(timing("10000", "0").noted_ns, 10_000_000);
        assert_eq!(timing("10000", "3").noted_ns, 3_000_000);
        assert_eq!(timing("-1", "3").noted_ns, 3_000_000);
        assert_eq!(timing("-1", "0").noted_ns, u64::MAX);
        assert_eq!(timing("0", "3").noted_ns, 0);
    }

    #[test]
    fn requests_are_timed_alone_when_they_are_long_or_all_are_wanted() {
        let alone = |slow_us, args: &[&str]| {
            timing(slow_us, "0").is_alone(args.iter().copied().collect::<ArgsBuf>().args())
        };
        assert!(!alone("1000", &["get", "a"]) && !alone("-1", &["get", "a"]));
        assert!(alone("999", &["get", "a"]) && alone("0", &["get", "a"]));
        assert!(!alone("1000", &["a"; 32]) && alone("1000", &["a"; 33]));
        assert!(alone("1000", &["set", "a", &"x".repeat(20_000)]));
    }
}
