//! What is noted of commands as they run, and what those who watch the process get of it: the slow log and
//! its like, the latency monitor, histograms of commands' times, MONITOR.

use std::sync::Arc;
use std::time::Duration;

use commands::{CommandLog, LatencyEvent, LogEntry, Observer, Row, flags};
use resp::Args;

use crate::clock;
use crate::commandlog::shortened;
use crate::config::{Settings, table};
use crate::connection::Connection;
use crate::dispatch::Dispatcher;
use crate::latency::Event;
use crate::monitor::line;
use crate::shared::Shared;

/// Quick commands are timed together unless the slow log wants less than this: a look at the clock costs as much as
/// such a command.
const TOGETHER_US_MIN: u64 = 1000;
/// Requests of more arguments or bytes may take long, whatever their command, and are timed by themselves.
const ARGS_MAX: usize = 32;
const ARGS_BYTES_MAX: usize = 16 << 10;

/// How exactly commands are timed, and which of them stand out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    /// What takes this long is for the slow log or the latency monitor, or both.
    pub(crate) noted_ns: u64,
    /// Every command is timed by itself.
    each: bool,
    /// Bytes from which requests and replies are logged.
    request_bytes: u64,
    reply_bytes: u64,
}

impl Measure {
    /// What `settings` ask for.
    pub(crate) fn of(settings: &Settings) -> Measure {
        let slow_us = or_never(settings.slowlog_log_slower_than_us);
        let threshold_ms = Some(settings.latency_monitor_threshold_ms).filter(|&ms| ms > 0);
        let spike_ns = threshold_ms.map_or(u64::MAX, |ms| ms.saturating_mul(1_000_000));
        Measure {
            noted_ns: slow_us.saturating_mul(1000).min(spike_ns),
            each: slow_us < TOGETHER_US_MIN,
            request_bytes: or_never(settings.commandlog_request_larger_than_bytes),
            reply_bytes: or_never(settings.commandlog_reply_larger_than_bytes),
        }
    }

    /// Whether the request of `args`, for a quick command, is to be timed by itself.
    #[inline]
    pub(crate) fn is_alone(self, args: Args<'_>) -> bool {
        self.each || args.len() > ARGS_MAX || args.extent_bytes() > ARGS_BYTES_MAX
    }

    /// Whether a request or its reply is to be logged for its size.
    #[inline]
    pub(crate) fn is_large(self, args: Args<'_>, reply_bytes: usize) -> bool {
        args.extent_bytes() as u64 >= self.request_bytes || reply_bytes as u64 >= self.reply_bytes
    }
}

/// A threshold, out of reach when it is negative.
fn or_never(threshold: i64) -> u64 {
    u64::try_from(threshold).unwrap_or(u64::MAX)
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
        let time_us = time_ns / 1000;
        if time_us >= or_never(self.settings.slowlog_log_slower_than_us) {
            self.log(CommandLog::Slow, conn, row, args, time_us);
        }
    }

    /// Notes that a request, its reply or both are large.
    #[cold]
    pub(crate) fn note_large(&self, conn: &Connection, row: &Row, args: Args<'_>, reply_bytes: usize) {
        let (request_bytes, reply_bytes) = (args.extent_bytes() as u64, reply_bytes as u64);
        if request_bytes >= self.measure.request_bytes {
            self.log(CommandLog::LargeRequest, conn, row, args, request_bytes);
        }
        if reply_bytes >= self.measure.reply_bytes {
            self.log(CommandLog::LargeReply, conn, row, args, reply_bytes);
        }
    }

    fn log(&self, log: CommandLog, conn: &Connection, row: &Row, args: Args<'_>, amount: u64) {
        if row.command.is(flags::SKIP_SLOWLOG) {
            return;
        }
        let entry = LogEntry {
            id: 0,
            time_s: clock::now_ms() / 1000,
            amount,
            args: shortened(row.command.redacted(args, &*self.shared), args.len()),
            address: conn.entry.address().to_owned(),
            name: conn.session.name.clone(),
        };
        let len_max = match log {
            CommandLog::Slow => self.settings.slowlog_max_len,
            CommandLog::LargeRequest => self.settings.commandlog_large_request_max_len,
            CommandLog::LargeReply => self.settings.commandlog_large_reply_max_len,
        };
        self.shared.command_logs.of(log).push(entry, len_max);
    }
}

impl Observer for Shared {
    fn command_log(&self, log: CommandLog, count: usize) -> Vec<Arc<LogEntry>> {
        self.command_logs.of(log).last(count)
    }

    fn command_log_len(&self, log: CommandLog) -> usize {
        self.command_logs.of(log).len()
    }

    fn reset_command_log(&self, log: CommandLog) {
        self.command_logs.of(log).reset();
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

    fn measure(slow_us: &str, threshold_ms: &str) -> Measure {
        let args = ["--slowlog-log-slower-than", slow_us, "--latency-monitor-threshold", threshold_ms];
        Measure::of(&Settings::from(load(args.iter().map(std::ffi::OsString::from)).unwrap().values))
    }

    #[test]
    fn the_lower_threshold_says_what_is_noted() {
        assert_eq!(measure("10000", "0").noted_ns, 10_000_000);
        assert_eq!(measure("10000", "3").noted_ns, 3_000_000);
        assert_eq!(measure("-1", "3").noted_ns, 3_000_000);
        assert_eq!(measure("-1", "0").noted_ns, u64::MAX);
        assert_eq!(measure("0", "3").noted_ns, 0);
    }

    #[test]
    fn requests_are_timed_alone_when_they_are_long_or_all_are_wanted() {
        let alone = |slow_us, args: &[&str]| {
            measure(slow_us, "0").is_alone(args.iter().copied().collect::<ArgsBuf>().args())
        };
        assert!(!alone("1000", &["get", "a"]) && !alone("-1", &["get", "a"]));
        assert!(alone("999", &["get", "a"]) && alone("0", &["get", "a"]));
        assert!(!alone("1000", &["a"; 32]) && alone("1000", &["a"; 33]));
        assert!(alone("1000", &["set", "a", &"x".repeat(20_000)]));
    }

    #[test]
    fn requests_and_replies_are_large_from_their_thresholds_on() {
        let args: ArgsBuf = ["set", "a", &"x".repeat(95)].into_iter().collect();
        let large = |request: &str, reply: &str| {
            let args = ["--commandlog-request-larger-than", request, "--commandlog-reply-larger-than", reply];
            Measure::of(&Settings::from(load(args.iter().map(std::ffi::OsString::from)).unwrap().values))
        };
        let is_large = |measure: Measure, reply_bytes| measure.is_large(args.args(), reply_bytes);
        assert!(is_large(large("99", "-1"), 0) && !is_large(large("100", "-1"), usize::MAX - 1));
        assert!(is_large(large("-1", "7"), 7) && !is_large(large("-1", "7"), 6));
    }
}
