//! The wall clock: the only place that reads it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds since the Unix epoch; 0 when the clock is set before it. It reaches to the year 2262.
#[inline]
#[allow(clippy::disallowed_methods, reason = "this is where the clock is read")]
pub(crate) fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_secs() as i64).saturating_mul(1_000_000_000).saturating_add(i64::from(since.subsec_nanos()))
}

/// How long ago `then_ns` was, by [`now_ns`]; nothing when the clock was set back meanwhile.
pub(crate) fn elapsed(then_ns: i64) -> Duration {
    Duration::from_nanos(now_ns().saturating_sub(then_ns).max(0).unsigned_abs())
}

/// Microseconds since the Unix epoch.
#[inline]
pub(crate) fn now_us() -> i64 {
    now_ns() / 1000
}

/// Milliseconds since the Unix epoch.
#[inline]
pub fn now_ms() -> i64 {
    now_ns() / 1_000_000
}
