//! The logs of commands that stand out, by the time they took, their requests or replies: the last entries, of all
//! workers in one order.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;

use commands::{CommandLog, LogEntry};
use parking_lot::Mutex;
use resp::ArgsBuf;

/// Arguments that an entry keeps, the one that says how many were left out among them.
const ARGS_MAX: usize = 32;
/// Bytes that an entry keeps of an argument.
const ARG_BYTES_MAX: usize = 128;

/// Every log.
#[derive(Debug, Default)]
pub(crate) struct CommandLogs {
    slow: EntryLog,
    large_requests: EntryLog,
    large_replies: EntryLog,
}

impl CommandLogs {
    /// One of them.
    pub(crate) fn of(&self, log: CommandLog) -> &EntryLog {
        match log {
            CommandLog::Slow => &self.slow,
            CommandLog::LargeRequest => &self.large_requests,
            CommandLog::LargeReply => &self.large_replies,
        }
    }
}

/// The entries of a log, and how many there ever were.
#[derive(Debug, Default)]
pub(crate) struct EntryLog(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    next_id: u64,
    /// The oldest first.
    kept: VecDeque<Arc<LogEntry>>,
}

impl EntryLog {
    /// Adds `entry`, which gets its number here, and keeps `len_max` entries.
    pub(crate) fn push(&self, entry: LogEntry, len_max: usize) {
        let mut entries = self.0.lock();
        let id = entries.next_id;
        entries.next_id += 1;
        entries.kept.push_back(Arc::new(LogEntry { id, ..entry }));
        let surplus = entries.kept.len().saturating_sub(len_max);
        entries.kept.drain(..surplus);
    }

    /// The last `count` entries, the newest first.
    pub(crate) fn last(&self, count: usize) -> Vec<Arc<LogEntry>> {
        self.0.lock().kept.iter().rev().take(count).cloned().collect()
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().kept.len()
    }

    /// Forgets all entries, but not their number.
    pub(crate) fn reset(&self) {
        self.0.lock().kept.clear();
    }
}

/// What an entry keeps of a request of `len` arguments.
pub(crate) fn shortened<'a>(args: impl Iterator<Item = &'a [u8]>, len: usize) -> ArgsBuf {
    let kept = if len > ARGS_MAX { ARGS_MAX - 1 } else { len };
    let mut short = ArgsBuf::new();
    let mut cut = Vec::new();
    for arg in args.take(kept) {
        let Some((head, tail)) = arg.split_at_checked(ARG_BYTES_MAX).filter(|(_, tail)| !tail.is_empty())
        else {
            short.push(arg);
            continue;
        };
        cut.clear();
        cut.extend_from_slice(head);
        // Writing to memory does not fail.
        let _ = write!(cut, "... ({} more bytes)", tail.len());
        short.push(&cut);
    }
    if kept < len {
        short.push(format!("... ({} more arguments)", len - kept).as_bytes());
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(amount: u64) -> LogEntry {
        let (address, name, args) = (String::new(), Box::default(), ArgsBuf::new());
        LogEntry { id: 0, time_s: 0, amount, args, address, name }
    }

    #[test]
    fn the_newest_entries_stay_and_come_first() {
        let log = EntryLog::default();
        (0..5).for_each(|n| log.push(entry(n), 3));
        let seen = |count| log.last(count).iter().map(|e| (e.id, e.amount)).collect::<Vec<_>>();
        assert_eq!((seen(9), log.len()), (vec![(4, 4), (3, 3), (2, 2)], 3));
        assert_eq!(seen(1), [(4, 4)]);
        log.reset();
        log.push(entry(7), 1);
        assert_eq!(seen(9), [(5, 7)], "numbers go on");
        log.push(entry(8), 0);
        assert_eq!(log.len(), 0);
    }

    #[test]
    fn long_requests_are_shortened() {
        let shown = |args: &[&str]| {
            let kept = shortened(args.iter().map(|arg| arg.as_bytes()), args.len());
            kept.args().iter().map(|arg| String::from_utf8_lossy(arg).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(shown(&["SET", "a", ""]), ["SET", "a", ""]);
        assert_eq!(shown(&["a"; 32]), ["a"; 32]);
        let many = shown(&["a"; 33]);
        assert_eq!((many.len(), &*many[31]), (32, "... (2 more arguments)"));
        let (fits, long) = ("x".repeat(128), "x".repeat(129));
        assert_eq!(shown(&[&fits, &long]), [fits.clone(), format!("{fits}... (1 more bytes)")]);
    }
}
