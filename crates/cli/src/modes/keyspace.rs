//! A walk over all keys, for the tools that look at each.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use std::time::Duration;

use resp::Value;
use signal_hook::consts::SIGINT;

use crate::failure::Failure;
use crate::options::Options;
use crate::pace::rest;
use crate::session::Session;
use crate::words;

/// The tools pause after so many parts.
const PARTS_BETWEEN_PAUSES: u64 = 100;

/// A SCAN from its first part to its last.
#[derive(Debug)]
pub(crate) struct Walk {
    /// SCAN's own word for its place; `None` when all was seen.
    cursor: Option<Vec<u8>>,
    options: Vec<Vec<u8>>,
}

impl Walk {
    /// A walk over the keys that `options` choose.
    ///
    /// # Errors
    /// A quoted pattern's quotes are not closed.
    pub(crate) fn new(options: &Options) -> Result<Walk, Failure> {
        let mut args = Vec::new();
        let pattern = match (&options.quoted_pattern, &options.pattern) {
            (Some(quoted), _) => {
                let pattern = words::unquote(quoted.as_bytes());
                Some(
                    pattern
                        .map_err(|_| Failure::Usage("unbalanced quotes in --quoted-pattern".to_owned()))?,
                )
            }
            (None, pattern) => pattern.as_ref().map(|pattern| pattern.as_bytes().to_vec()),
        };
        if let Some(pattern) = pattern {
            args.extend([b"MATCH".to_vec(), pattern]);
        }
        args.extend([b"COUNT".to_vec(), options.count.to_string().into_bytes()]);
        if let Some(key_type) = &options.key_type {
            args.extend([b"TYPE".to_vec(), key_type.as_bytes().to_vec()]);
        }
        Ok(Walk { cursor: Some(b"0".to_vec()), options: args })
    }

    /// The next keys, perhaps none; `None` after the last.
    pub(crate) fn next(&mut self, session: &mut Session) -> Result<Option<Vec<Vec<u8>>>, Failure> {
        let Some(cursor) = self.cursor.take() else { return Ok(None) };
        let mut request = vec![b"SCAN".to_vec(), cursor];
        request.extend(self.options.iter().cloned());
        let reply = session.ask(&request)?;
        if let Some(error) = reply.as_error() {
            return Err(Failure::Refused(format!("SCAN failed: {}", String::from_utf8_lossy(error))));
        }
        let parts = match reply {
            Value::Array(parts) => <[Value; 2]>::try_from(parts).ok(),
            _ => None,
        };
        let Some([Value::Bulk(cursor), Value::Array(keys)]) = parts else {
            return Err(Failure::Refused("SCAN was answered with something else than keys".to_owned()));
        };
        self.cursor = (cursor != b"0").then_some(cursor);
        let bytes = |key| match key {
            Value::Bulk(bytes) => Some(bytes),
            _ => None,
        };
        Ok(Some(keys.into_iter().filter_map(bytes).collect()))
    }
}

/// A walk with a sense of how far it came, that Ctrl-C ends early.
#[derive(Debug)]
pub(crate) struct Survey {
    walk: Walk,
    interval: Duration,
    stopped: Arc<AtomicBool>,
    parts: u64,
    /// Keys seen.
    pub(crate) sampled: u64,
    /// Keys there were at the start.
    total: u64,
}

impl Survey {
    /// Starts a walk over the keys that `options` choose, on any node of a cluster.
    pub(crate) fn start(session: &mut Session, options: &Options) -> Result<Survey, Failure> {
        // A replica in a cluster answers reads only after this; whether it is one, nobody needs to know.
        session.ask(&["READONLY"])?;
        let size = session.ask(&["DBSIZE"])?;
        let Some(total) = size.as_int() else {
            let error = size.as_error().unwrap_or(b"no number");
            return Err(Failure::Refused(format!("DBSIZE failed: {}", String::from_utf8_lossy(error))));
        };
        let walk = Walk::new(options)?;
        let interval = options.interval.unwrap_or_default();
        let stopped = stop_on_interrupt()?;
        Ok(Survey { walk, interval, stopped, parts: 0, sampled: 0, total: total.unsigned_abs() })
    }

    /// The next keys; `None` after the last, and after Ctrl-C.
    pub(crate) fn next(&mut self, session: &mut Session) -> Result<Option<Vec<Vec<u8>>>, Failure> {
        if self.was_stopped() {
            return Ok(None);
        }
        if self.parts > 0 && self.parts.is_multiple_of(PARTS_BETWEEN_PAUSES) && !self.interval.is_zero() {
            rest(self.interval);
        }
        self.parts += 1;
        let keys = self.walk.next(session)?;
        self.sampled += keys.as_ref().map_or(0, |keys| keys.len() as u64);
        Ok(keys)
    }

    /// Whether Ctrl-C ended it early.
    pub(crate) fn was_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// How much of the keyspace was seen, as `[12.34%]`.
    pub(crate) fn progress(&self) -> String {
        let percent = if self.total == 0 { 100.0 } else { 100.0 * self.sampled as f64 / self.total as f64 };
        format!("[{:05.2}%]", percent.min(100.0))
    }
}

/// From now on a first Ctrl-C only sets the flag; a second one ends the program.
fn stop_on_interrupt() -> io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    // In this order: the first Ctrl-C finds the flag unset here, and sets it there.
    signal_hook::flag::register_conditional_default(SIGINT, Arc::clone(&flag))?;
    signal_hook::flag::register(SIGINT, Arc::clone(&flag))?;
    Ok(flag)
}
