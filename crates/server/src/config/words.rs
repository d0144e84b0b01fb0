//! Directives whose values are words of a list: an enum each.

use persist::rdb::Version;

use super::field::{Field, mismatch};
use super::value::Value;

/// Who may do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Nobody.
    No,
    /// Everybody.
    Yes,
    /// Clients on this machine.
    Local,
}

impl Allowed {
    /// Whether a client may, of which is known whether it is on this machine.
    pub fn permits(self, local: bool) -> bool {
        self == Allowed::Yes || self == Allowed::Local && local
    }
}

/// The least important messages that are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum LogLevel {
    /// All.
    Debug,
    /// Much that is seldom of use.
    Verbose,
    /// What happens to the server.
    Notice,
    /// What needs attention.
    Warning,
    /// None.
    Nothing,
}

/// How a line of the log is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// As Redis does it.
    Legacy,
    /// Keys and values, as Valkey does it.
    Logfmt,
    /// A JSON object.
    Json,
}

/// How the log writes times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogTimes {
    /// Day, month, year and time.
    Legacy,
    /// ISO 8601.
    Iso8601,
    /// Milliseconds since the Unix epoch.
    Milliseconds,
}

/// Part of the system's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the system's own names")]
pub enum Facility {
    User,
    Local0,
    Local1,
    Local2,
    Local3,
    Local4,
    Local5,
    Local6,
    Local7,
}

/// Which keys go when memory is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// None: writes are refused.
    NoEviction,
    /// The least recently used.
    AllKeysLru,
    /// The least frequently used.
    AllKeysLfu,
    /// Any.
    AllKeysRandom,
    /// The least recently used of those with a deadline.
    VolatileLru,
    /// The least frequently used of those with a deadline.
    VolatileLfu,
    /// Any with a deadline.
    VolatileRandom,
    /// Those whose deadline comes first.
    VolatileTtl,
}

impl Policy {
    /// Whether it goes by when or how often keys were used.
    pub fn looks_at_use(self) -> bool {
        self.counts_accesses() || matches!(self, Policy::AllKeysLru | Policy::VolatileLru)
    }

    /// Whether keys remember how often they are used, and not when they were last.
    pub fn counts_accesses(self) -> bool {
        matches!(self, Policy::AllKeysLfu | Policy::VolatileLfu)
    }
}

/// The form of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotFormat {
    /// Redis's own.
    Rdb,
    /// JSON, for people.
    Json,
}

impl SnapshotFormat {
    /// The other one.
    pub fn other(self) -> SnapshotFormat {
        match self {
            SnapshotFormat::Rdb => SnapshotFormat::Json,
            SnapshotFormat::Json => SnapshotFormat::Rdb,
        }
    }
}

/// When the log is synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendFsync {
    /// Once a second.
    EverySec,
    /// Before a reply tells of the change.
    Always,
    /// When the system likes.
    No,
}

/// Who watches the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervised {
    /// Nobody who wants to be told.
    No,
    /// systemd.
    Systemd,
    /// systemd, if it started the process.
    Auto,
}

/// What stands for a word.
pub trait Worded {
    /// The word in the configuration.
    fn word(self) -> &'static str;
}

/// Enums whose variants stand for a directive's words.
macro_rules! words {
    ($($type:ident { $($word:literal => $variant:ident),* $(,)? })*) => {$(
        impl Field for $type {
            fn of(name: &str, value: &Value) -> $type {
                match value {
                    $(Value::Word($word) => $type::$variant,)*
                    other => mismatch(name, other),
                }
            }
        }

        impl Worded for $type {
            #[allow(unreachable_patterns, reason = "of several words for one variant the first is told")]
            fn word(self) -> &'static str {
                match self {
                    $($type::$variant => $word,)*
                }
            }
        }
    )*};
}

words! {
    Supervised { "no" => No, "upstart" => No, "systemd" => Systemd, "auto" => Auto }
    Allowed { "no" => No, "yes" => Yes, "local" => Local }
    Version { "10" => V10, "11" => V11 }
    SnapshotFormat { "rdb" => Rdb, "json" => Json }
    AppendFsync { "everysec" => EverySec, "always" => Always, "no" => No }
    LogLevel {
        "debug" => Debug, "verbose" => Verbose, "notice" => Notice, "warning" => Warning, "nothing" => Nothing,
    }
    LogFormat { "legacy" => Legacy, "logfmt" => Logfmt, "json" => Json }
    LogTimes { "legacy" => Legacy, "iso8601" => Iso8601, "milliseconds" => Milliseconds }
    Facility {
        "user" => User,
        "local0" => Local0,
        "local1" => Local1,
        "local2" => Local2,
        "local3" => Local3,
        "local4" => Local4,
        "local5" => Local5,
        "local6" => Local6,
        "local7" => Local7,
    }
    Policy {
        "noeviction" => NoEviction,
        "allkeys-lru" => AllKeysLru,
        "allkeys-lfu" => AllKeysLfu,
        "allkeys-random" => AllKeysRandom,
        "volatile-lru" => VolatileLru,
        "volatile-lfu" => VolatileLfu,
        "volatile-random" => VolatileRandom,
        "volatile-ttl" => VolatileTtl,
    }
}
