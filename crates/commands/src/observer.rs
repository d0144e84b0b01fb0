//! What the process notes of the commands it runs, for those who watch it: the slow log and its like, the latency monitor,
//! and MONITOR's clients.

use std::sync::Arc;

use resp::{Args, ArgsBuf};

use crate::host::Host;
use crate::lookup::Row;
use crate::table::Command;

/// The process as those see it who watch it.
pub trait Observer {
    /// The last `count` entries of `log`, the newest first.
    fn command_log(&self, log: CommandLog, count: usize) -> Vec<Arc<LogEntry>>;

    /// How many entries `log` has.
    fn command_log_len(&self, log: CommandLog) -> usize;

    /// Empties `log`; entries' numbers go on.
    fn reset_command_log(&self, log: CommandLog);

    /// Each event that took as long as `latency-monitor-threshold` says, since they were reset.
    fn latency_events(&self) -> Vec<LatencyEvent>;

    /// Forgets the samples of the events that `which` chooses by name; how many there were.
    fn reset_latency_events(&self, which: &dyn Fn(&str) -> bool) -> usize;

    /// How many calls of the command of `row` took at most how many microseconds: pairs of microseconds and calls,
    /// both growing, up to all calls. Empty when it has not run, or its times are not kept (`latency-tracking`).
    fn command_latency(&self, row: &Row) -> Vec<(u64, u64)>;

    /// Shows the client `id` what runs from now on.
    fn monitor(&self, id: u64);

    /// Shows the client `id` no more.
    fn end_monitoring(&self, id: u64);

    /// Whether the directive `name` holds a secret.
    fn is_secret_directive(&self, name: &[u8]) -> bool;
}

/// A log of commands that stand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandLog {
    /// Those that took long: the slow log.
    Slow,
    /// Those that many bytes asked for.
    LargeRequest,
    /// Those that many bytes answered.
    LargeReply,
}

/// An entry of a [`CommandLog`].
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// Its number, never used twice in its log while the process runs.
    pub id: u64,
    /// When the command had run, in seconds since the Unix epoch.
    pub time_s: i64,
    /// How long it took, in microseconds; or the bytes of the request or the reply.
    pub amount: u64,
    /// The request, shortened, and without its secrets.
    pub args: ArgsBuf,
    /// The client's address.
    pub address: String,
    /// The client's name.
    pub name: Box<[u8]>,
}

/// What the latency monitor knows of one kind of event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencyEvent {
    /// Its name, such as `command`.
    pub name: &'static str,
    /// Seconds since the Unix epoch, and the milliseconds of the longest in each; the oldest first, one at least.
    pub samples: Vec<(i64, u64)>,
    /// The longest ever, in milliseconds.
    pub max_ms: u64,
}

/// What is shown of an argument that is nobody else's business.
pub const REDACTED: &[u8] = b"(redacted)";

impl Command {
    /// The arguments of a request as others may see them.
    pub fn redacted<'a>(&self, args: Args<'a>, host: &'a dyn Host) -> impl Iterator<Item = &'a [u8]> {
        let is_secret = self.is_secret;
        let shown = move |(i, arg)| match is_secret {
            Some(is_secret) if is_secret(args, i, host) => REDACTED,
            _ => arg,
        };
        args.iter().enumerate().map(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup::find_named;
    use crate::testing::TestHost;

    /// The arguments of `line` behind the command's name, as others may see them.
    fn shown(line: &str) -> String {
        let args: ArgsBuf = line.split(' ').collect();
        let names = line.split(' ').take(2).collect::<Vec<_>>().join("|");
        let row = find_named(names.as_bytes()).or_else(|| find_named(line.split(' ').next()?.as_bytes()));
        let host = TestHost::default();
        let shown = row.unwrap().command.redacted(args.args(), &host).map(String::from_utf8_lossy);
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn secrets_are_not_shown() {
        for (line, expected) in [
            ("auth pw", "auth (redacted)"),
            ("auth user pw", "auth (redacted) (redacted)"),
            ("hello 3 auth user pw", "hello 3 auth (redacted) (redacted)"),
            ("hello 3 SETNAME x AUTH user pw", "hello 3 SETNAME x AUTH (redacted) (redacted)"),
            ("hello 3 AUTH user pw SETNAME x", "hello 3 AUTH (redacted) (redacted) SETNAME x"),
            ("hello", "hello"),
            ("config set requirepass x port 1", "config set requirepass (redacted) port 1"),
            ("config set port requirepass", "config set port requirepass"),
            ("set requirepass auth", "set requirepass auth"),
        ] {
            assert_eq!(shown(line), expected);
        }
    }
}
