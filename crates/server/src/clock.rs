//! The wall clock: the only place that reads it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since the Unix epoch; 0 when the clock is set before it.
#[inline]
#[allow(clippy::disallowed_methods, reason = "this is where the clock is read")]
pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Milliseconds since the Unix epoch; 0 when the clock is set before it.
#[inline]
pub(crate) fn now_ms() -> i64 {
    now_us() / 1000
}
