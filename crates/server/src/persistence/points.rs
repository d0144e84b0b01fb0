//! When a snapshot or a rewrite of the log begins by itself.

use crate::config::settings::SavePoint;

/// Seconds from a snapshot that failed to the next try.
const SAVE_RETRY_S: i64 = 5;
/// Changes have stopped when there is none for so long; after so long it is no use to wait for that.
const SETTLED_MS: i64 = 1_000;
const UNSETTLED_MS_MAX: i64 = 10_000;
/// Rewrites that may fail one after another before the next has to wait, and how long it waits at most.
const REWRITE_FAILURES_MAX: u64 = 3;
const REWRITE_DELAY_MINUTES_MAX: u64 = 60;

/// What is known of the snapshots so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct SaveHistory {
    /// Seconds since the last that was written, or since the start.
    pub(super) since_save_s: i64,
    /// Seconds since the last try.
    pub(super) since_try_s: i64,
    /// Whether that succeeded.
    pub(super) last_ok: bool,
    /// Changes since the last that was written.
    pub(super) changes: u64,
}

/// Whether the last snapshot succeeded, or failed long enough ago for another try.
pub(super) fn may_save_again(history: SaveHistory) -> bool {
    history.last_ok || history.since_try_s > SAVE_RETRY_S
}

/// The first of `points` that asks for a snapshot now.
pub(super) fn save_due(points: &[SavePoint], history: SaveHistory) -> Option<SavePoint> {
    if !may_save_again(history) {
        return None;
    }
    let since_save_s = history.since_save_s.max(0).unsigned_abs();
    let is_due = |point: &&SavePoint| history.changes >= point.changes && since_save_s > point.after_s;
    points.iter().find(is_due).copied()
}

/// Changes that a snapshot for people waits for: it is written once they stop for a while, or go on for too long.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settling {
    /// Changes when they were looked at last.
    changes: u64,
    /// When the first and the last of those that no snapshot has were seen, in milliseconds since the Unix epoch.
    first_ms: i64,
    last_ms: i64,
}

impl Settling {
    /// Whether a snapshot is due at `now_ms`, there being `changes` since the last.
    pub(super) fn is_due(&mut self, changes: u64, now_ms: i64) -> bool {
        if self.changes == 0 || changes < self.changes {
            self.first_ms = now_ms;
        }
        if changes != self.changes {
            self.last_ms = now_ms;
        }
        self.changes = changes;
        let waited = |since_ms: i64, enough_ms| !(0..enough_ms).contains(&(now_ms - since_ms));
        changes > 0 && (waited(self.last_ms, SETTLED_MS) || waited(self.first_ms, UNSETTLED_MS_MAX))
    }
}

/// By how many per cent the log has grown since it was rewritten, when that is enough to rewrite it:
/// `percentage` (0: never) and `bytes_min` are the configuration's.
pub(super) fn rewrite_due(bytes: u64, base_bytes: u64, percentage: u64, bytes_min: u64) -> Option<u64> {
    if percentage == 0 || bytes <= bytes_min {
        return None;
    }
    let growth = (u128::from(bytes) * 100 / u128::from(base_bytes.max(1))).saturating_sub(100) as u64;
    (growth >= percentage).then_some(growth)
}

/// Seconds that a rewrite has to wait after `failures` failed one after another.
pub(super) fn rewrite_delay_s(failures: u64) -> i64 {
    if failures < REWRITE_FAILURES_MAX {
        return 0;
    }
    let minutes = 1u64.checked_shl((failures - REWRITE_FAILURES_MAX).min(63) as u32);
    minutes.map_or(REWRITE_DELAY_MINUTES_MAX, |minutes| minutes.min(REWRITE_DELAY_MINUTES_MAX)) as i64 * 60
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_needs_its_changes_and_its_time() {
        let points = [(3600, 1), (300, 100)].map(|(after_s, changes)| SavePoint { after_s, changes });
        let due = |since_save_s, changes| {
            let history = SaveHistory { since_save_s, since_try_s: since_save_s, last_ok: true, changes };
            save_due(&points, history).map(|point| point.after_s)
        };
        assert_eq!(due(300, 100), None);
        assert_eq!(due(301, 100), Some(300));
        assert_eq!(due(301, 99), None);
        assert_eq!(due(3601, 99), Some(3600));
        assert_eq!(due(9999, 0), None);
        assert!(
            save_due(
                &[SavePoint { after_s: 1, changes: 0 }],
                SaveHistory { since_save_s: 2, since_try_s: 2, last_ok: true, changes: 0 }
            )
            .is_some()
        );
        assert_eq!(due(-5, 1000), None, "the clock was set back");
    }

    #[test]
    fn a_failed_snapshot_is_not_tried_again_at_once() {
        let points = [SavePoint { after_s: 1, changes: 1 }];
        let due = |since_try_s, last_ok| {
            save_due(&points, SaveHistory { since_save_s: 100, since_try_s, last_ok, changes: 5 }).is_some()
        };
        assert_eq!([due(5, false), due(6, false), due(0, true)], [false, true, true]);
    }

    #[test]
    fn changes_settle_before_they_are_saved() {
        let mut settling = Settling::default();
        let mut due = |changes, now_ms| settling.is_due(changes, now_ms);
        assert!(!due(0, 0) && !due(0, 50_000));
        assert!(!due(1, 60_000) && !due(1, 60_999));
        assert!(due(1, 61_000), "a second without changes");
        assert!(!due(0, 61_100) && !due(5, 70_000) && !due(6, 70_900) && !due(6, 71_800));
        assert!(due(6, 71_900));
        assert!(!due(2, 72_000), "it was saved, and two came meanwhile");
        assert!((1..=10).all(|second| !due(second + 2, 72_000 + second as i64 * 999)));
        assert!(due(99, 82_000), "they do not stop");
    }

    #[test]
    fn the_log_is_rewritten_when_it_has_grown() {
        assert_eq!(rewrite_due(200, 100, 100, 64), Some(100));
        assert_eq!(rewrite_due(199, 100, 100, 64), None);
        assert_eq!(rewrite_due(64, 1, 100, 64), None);
        assert_eq!(rewrite_due(1000, 1, 0, 64), None);
        assert_eq!(rewrite_due(u64::MAX, 0, 100, 0).map(|growth| growth > 0), Some(true));
    }

    #[test]
    fn rewrites_that_fail_come_less_often() {
        assert_eq!([0, 2, 3, 4, 8, 9, 200].map(rewrite_delay_s), [0, 0, 60, 120, 1920, 3600, 3600]);
    }
}
