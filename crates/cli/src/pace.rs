//! The user's own pauses: `-i`, and the time between two samples.

use std::time::Duration;

/// Rests for so long.
#[allow(
    clippy::disallowed_methods,
    reason = "the user asks for time to pass, and there is nothing to wait for"
)]
pub(crate) fn rest(duration: Duration) {
    std::thread::sleep(duration);
}
