//! The append log: every effect, in order, in the files of Redis 7's multi-part log.
//! `docs/append-log.md` describes it in bytes.
//!
//! - [`manifest`]: which files there are, in Redis's format.
//! - `batch`: how a batch of requests is framed, and its checksum. Redis skips that.
//! - `tail`: the file that is being written, and how a failing disk is dealt with.
//! - [`AppendLog`]: the log as it is written: append, write, sync, rewrite.
//! - [`recover()`]: the log as it is read at the start.
//! - [`check()`]: the log as a person looks at it who has to mend it.

mod append;
mod batch;
mod check;
mod files;
pub mod manifest;
mod recover;
mod request;
mod scan;
mod tail;

pub use append::{AppendLog, LogOptions, Rewrite, Sizes, State};
pub use check::{CheckMode, FileReport, Problem, Report, Role, check};
pub use files::{BaseFormat, Place};
pub use recover::{Note, Recovered, RecoveryError, RecoveryOptions, Refused, Replay, recover};

#[cfg(test)]
mod tests;
