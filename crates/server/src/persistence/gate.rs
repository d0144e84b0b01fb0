//! The gate that commands pass: open, unless data is being loaded, the disk fails, or the server ends.
//!
//! On the way of every command it costs one relaxed load. Who closes it for writes and then takes every stripe
//! once knows that no write is under way: commands look at it with their stripes held.

use std::sync::atomic::{AtomicU32, Ordering};

use commands::{Command, Error, flags};
use parking_lot::{Condvar, Mutex};

/// Why the gate is not open for everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Obstacle {
    /// Data is being loaded.
    Loading = 1 << 0,
    /// The last snapshot failed, and the configuration wants writes refused then.
    SaveFailed = 1 << 1,
    /// The log cannot be written or synced.
    LogFailed = 1 << 2,
    /// The server is about to end: writes wait.
    Ending = 1 << 3,
    /// The disk takes too long: writes wait until the log has caught up.
    LogLate = 1 << 4,
}

/// What becomes of a command at the gate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// It runs.
    Free,
    /// It is refused with this error.
    Refused(Error),
    /// It waits until it is known whether the server ends.
    Wait,
    /// Its client is held up.
    HeldUp,
}

/// The gate of one server.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    obstacles: AtomicU32,
    /// What the system said when the log failed.
    log_failure: Mutex<String>,
    /// Whether the server has ended, for those who wait to know.
    ended: Mutex<bool>,
    decided: Condvar,
}

const SAVE_FAILED: &str = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to \
    disk. Commands that may modify the data set are disabled, because this instance is configured to report errors \
    during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for \
    details about the RDB error.";

impl Gate {
    /// Whether every command may pass.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.obstacles.load(Ordering::Relaxed) == 0
    }

    /// Puts `obstacle` in the way, or takes it away; whether that changed anything.
    pub(crate) fn set(&self, obstacle: Obstacle, there: bool) -> bool {
        let bit = obstacle as u32;
        let before = match there {
            true => self.obstacles.fetch_or(bit, Ordering::SeqCst),
            false => self.obstacles.fetch_and(!bit, Ordering::SeqCst),
        };
        (before & bit != 0) != there
    }

    /// Whether `obstacle` is in the way.
    pub(crate) fn has(&self, obstacle: Obstacle) -> bool {
        self.obstacles.load(Ordering::SeqCst) & obstacle as u32 != 0
    }

    /// Says that the log cannot be written, in the system's words, or that it can be again.
    pub(crate) fn set_log_failure(&self, why: Option<&str>) {
        if let Some(why) = why {
            why.clone_into(&mut self.log_failure.lock());
        }
        self.set(Obstacle::LogFailed, why.is_some());
    }

    /// Waits, without any stripe, while the server is about to end; whether it goes on.
    pub(crate) fn wait(&self) -> bool {
        let mut ended = self.ended.lock();
        while !*ended && self.has(Obstacle::Ending) {
            self.decided.wait(&mut ended);
        }
        !*ended
    }

    /// Says whether the server that was about to end does, or goes on.
    pub(super) fn decide(&self, ends: bool) {
        let mut ended = self.ended.lock();
        *ended = ends;
        self.set(Obstacle::Ending, ends);
        self.decided.notify_all();
    }

    /// What becomes of `command`.
    #[inline]
    pub(crate) fn passage(&self, command: &Command) -> Passage {
        if self.is_open() { Passage::Free } else { self.narrow_passage(command) }
    }

    #[cold]
    fn narrow_passage(&self, command: &Command) -> Passage {
        let obstacles = self.obstacles.load(Ordering::SeqCst);
        let has = |obstacle: Obstacle| obstacles & obstacle as u32 != 0;
        let writes = command.is(flags::WRITE);
        // PING tells whoever watches the server that it does not take writes.
        if writes || command.name == "ping" {
            if has(Obstacle::SaveFailed) {
                return Passage::Refused(Error::Text(SAVE_FAILED));
            }
            if has(Obstacle::LogFailed) {
                let why = self.log_failure.lock();
                let text = format!("MISCONF Errors writing to the AOF file: {why}");
                return Passage::Refused(Error::Message(text));
            }
        }
        if has(Obstacle::Loading) && !command.is(flags::LOADING) {
            return Passage::Refused(Error::Text("LOADING Redis is loading the dataset in memory"));
        }
        let may_write = writes || command.is(flags::MAY_REPLICATE);
        match () {
            () if has(Obstacle::Ending) && may_write => Passage::Wait,
            () if has(Obstacle::LogLate) && may_write => Passage::HeldUp,
            () => Passage::Free,
        }
    }
}

#[cfg(test)]
mod tests {
    use commands::find;

    use super::*;

    fn refusal(gate: &Gate, name: &str) -> String {
        match gate.passage(find(name.as_bytes()).unwrap()) {
            Passage::Refused(error) => error.to_string(),
            Passage::Free => "free".into(),
            Passage::Wait => "wait".into(),
            Passage::HeldUp => "held up".into(),
        }
    }

    #[test]
    fn what_is_in_the_way_says_who_passes() {
        let gate = Gate::default();
        assert!(gate.is_open());
        assert_eq!(["set", "get", "ping"].map(|name| refusal(&gate, name)), ["free"; 3]);
        assert!(gate.set(Obstacle::Loading, true) && !gate.set(Obstacle::Loading, true));
        assert_eq!(refusal(&gate, "get"), "LOADING Redis is loading the dataset in memory");
        assert_eq!(refusal(&gate, "info"), "free");
        gate.set(Obstacle::Loading, false);
        gate.set(Obstacle::Ending, true);
        assert_eq!(["set", "get"].map(|name| refusal(&gate, name)), ["wait", "free"]);
        gate.set(Obstacle::LogLate, true);
        assert_eq!(["set", "get"].map(|name| refusal(&gate, name)), ["wait", "free"]);
        gate.decide(false);
        assert_eq!(["set", "get"].map(|name| refusal(&gate, name)), ["held up", "free"]);
        gate.set(Obstacle::LogLate, false);
        assert!(gate.wait() && gate.is_open());
        gate.set(Obstacle::Ending, true);
        gate.decide(true);
        assert!(!gate.wait() && !gate.is_open());
    }

    #[test]
    fn a_failing_disk_stops_writes_and_ping() {
        let gate = Gate::default();
        gate.set_log_failure(Some("No space left on device"));
        let text = "MISCONF Errors writing to the AOF file: No space left on device";
        assert_eq!(["set", "ping", "get"].map(|name| refusal(&gate, name)), [text, text, "free"]);
        gate.set(Obstacle::SaveFailed, true);
        assert!(refusal(&gate, "del").starts_with("MISCONF Redis is configured to save RDB snapshots"));
        gate.set(Obstacle::SaveFailed, false);
        gate.set_log_failure(None);
        assert!(gate.is_open());
    }
}
