//! What INFO tells of snapshots, the log and loading.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// A number that one thread writes and others read whenever they like.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
}

/// The tries at one kind of job: snapshots, or rewrites of the log.
#[derive(Debug)]
pub(crate) struct Tries {
    /// Tries since the start, or since the statistics were reset.
    pub(crate) count: Count,
    /// Those that failed since the last that did not.
    pub(crate) failures: Count,
    ok: AtomicBool,
    took_s: AtomicI64,
    tried_s: AtomicI64,
}

impl Default for Tries {
    fn default() -> Tries {
        let never = || AtomicI64::new(-1);
        let (count, failures) = (Count::default(), Count::default());
        Tries { count, failures, ok: AtomicBool::new(true), took_s: never(), tried_s: AtomicI64::new(0) }
    }
}

impl Tries {
    /// Notes a try that began at `began_s`, in seconds since the Unix epoch, and ended at `ended_s`.
    pub(super) fn note(&self, ok: bool, began_s: i64, ended_s: i64) {
        self.ok.store(ok, Ordering::Relaxed);
        self.took_s.store((ended_s - began_s).max(0), Ordering::Relaxed);
        self.tried_s.store(began_s, Ordering::Relaxed);
        self.failures.set(if ok { 0 } else { self.failures.get() + 1 });
    }

    /// Notes that one succeeded that is not a try like the others (SAVE).
    pub(super) fn has_succeeded(&self) {
        self.ok.store(true, Ordering::Relaxed);
    }

    /// Whether the last one succeeded; before the first: yes.
    pub(crate) fn last_ok(&self) -> bool {
        self.ok.load(Ordering::Relaxed)
    }

    /// Seconds that the last one took; -1 before the first.
    pub(crate) fn last_took_s(&self) -> i64 {
        self.took_s.load(Ordering::Relaxed)
    }

    /// When the last one began, in seconds since the Unix epoch; 0 before the first.
    pub(super) fn last_tried_s(&self) -> i64 {
        self.tried_s.load(Ordering::Relaxed)
    }
}

/// How far something has come whose size is known, or about known.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) done: Count,
    pub(crate) total: Count,
}

impl Progress {
    pub(super) fn begin(&self, total: u64) {
        self.done.set(0);
        self.total.set(total);
    }

    /// Per cent done.
    pub(crate) fn percent(&self) -> f64 {
        match self.total.get() {
            0 => 0.0,
            total => 100.0 * self.done.get() as f64 / total as f64,
        }
    }
}

/// Data being loaded.
#[derive(Debug, Default)]
pub(crate) struct Loading {
    /// When it began, in seconds since the Unix epoch.
    pub(crate) began_s: AtomicI64,
    /// Whether it is to be given up.
    stopped: AtomicBool,
    /// Bytes of the files.
    pub(crate) bytes: Progress,
    /// Keys that the last snapshot held, with those that had expired, which are counted once more.
    pub(crate) keys: Count,
    pub(crate) keys_expired: Count,
}

impl Loading {
    /// Has it given up.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether it is to be given up.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Seconds until it is done, if it goes on as it went; `now_s` is the time.
    pub(crate) fn left_s(&self, now_s: i64) -> i64 {
        let (done, total) = (self.bytes.done.get(), self.bytes.total.get());
        match now_s - self.began_s.load(Ordering::Relaxed) {
            ..=0 => 1,
            elapsed_s => {
                let left =
                    i128::from(elapsed_s) * i128::from(total.saturating_sub(done)) / (i128::from(done) + 1);
                left as i64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_count_failures_until_one_succeeds() {
        let tries = Tries::default();
        assert!(tries.last_ok() && tries.last_took_s() == -1);
        tries.note(false, 10, 12);
        tries.note(false, 20, 20);
        assert_eq!((tries.last_ok(), tries.failures.get(), tries.last_tried_s()), (false, 2, 20));
        tries.note(true, 30, 35);
        assert_eq!((tries.last_ok(), tries.failures.get(), tries.last_took_s()), (true, 0, 5));
    }

    #[test]
    fn loading_tells_how_long_it_will_take() {
        let loading = Loading::default();
        loading.bytes.begin(1000);
        loading.bytes.done.add(249);
        loading.began_s.store(100, Ordering::Relaxed);
        assert_eq!(loading.left_s(100), 1);
        assert_eq!(loading.left_s(110), 30);
        assert_eq!(loading.bytes.percent(), 24.9);
    }
}
