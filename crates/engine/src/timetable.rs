//! When each stripe has something to do next, so that whoever sleeps knows until when.
//!
//! Stripes are dealt out to groups, one a worker, which expires what is due in them. A stripe's moment is a
//! lower bound: it is lowered under the stripe's lock when a deadline comes before it, and found anew when it
//! has come. A group's moment is at most the least of its stripes'.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

/// Called with the number of a group that sleeps past a moment just set.
pub type Wake = Box<dyn Fn(usize) + Send + Sync>;

#[repr(align(64))]
struct Group {
    /// At most the least moment of the group's stripes.
    next: AtomicI64,
    /// Until when the group's worker sleeps; `i64::MIN` while it is awake.
    asleep_until: AtomicI64,
}

pub(crate) struct Timetable {
    stripes: Box<[AtomicI64]>,
    groups: Box<[Group]>,
    wake: OnceLock<Wake>,
}

impl Timetable {
    pub(crate) fn new(stripes: usize, groups: usize) -> Timetable {
        let group = || Group { next: AtomicI64::new(i64::MAX), asleep_until: AtomicI64::new(i64::MIN) };
        Timetable {
            stripes: (0..stripes).map(|_| AtomicI64::new(i64::MAX)).collect(),
            groups: (0..groups.max(1)).map(|_| group()).collect(),
            wake: OnceLock::new(),
        }
    }

    /// How many groups there are; stripe `s` is one of group `s % groups`.
    pub(crate) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Sets what wakes a sleeping group; only the first call counts.
    pub(crate) fn on_wake(&self, wake: Wake) {
        let _ = self.wake.set(wake);
    }

    /// Says that `stripe`, which the caller holds, has something to do at `at`.
    #[inline]
    pub(crate) fn lower(&self, stripe: usize, at: i64) {
        // Only the holder of the stripe's lock writes, so load and store need not be one.
        if at < self.stripes[stripe].load(Ordering::Relaxed) {
            self.lowered(stripe, at);
        }
    }

    #[cold]
    fn lowered(&self, stripe: usize, at: i64) {
        self.stripes[stripe].store(at, Ordering::SeqCst);
        let g = stripe % self.groups.len();
        let group = &self.groups[g];
        // Either this sees that the worker is asleep, or the worker, which says so first, sees the moment.
        let before = group.next.fetch_min(at, Ordering::SeqCst);
        if at < before
            && at < group.asleep_until.load(Ordering::SeqCst)
            && let Some(wake) = self.wake.get()
        {
            wake(g);
        }
    }

    /// A moment before which the group has nothing to do.
    pub(crate) fn next(&self, group: usize) -> i64 {
        self.groups[group].next.load(Ordering::SeqCst)
    }

    /// Says that the group's worker is going to sleep until `until`, and returns until when it may.
    pub(crate) fn fall_asleep(&self, group: usize, until: i64) -> i64 {
        self.groups[group].asleep_until.store(until, Ordering::SeqCst);
        until.min(self.next(group))
    }

    /// Says that the group's worker is awake.
    pub(crate) fn awake(&self, group: usize) {
        self.groups[group].asleep_until.store(i64::MIN, Ordering::SeqCst);
    }

    /// The stripes of `group` whose moment is not after `now_ms`.
    pub(crate) fn due(&self, group: usize, now_ms: i64) -> impl Iterator<Item = usize> {
        (group..self.stripes.len())
            .step_by(self.groups.len())
            .filter(move |&s| self.stripes[s].load(Ordering::SeqCst) <= now_ms)
    }

    /// Sets the moment of `stripe`, which the caller holds and has found anew.
    pub(crate) fn set(&self, stripe: usize, at: i64) {
        self.stripes[stripe].store(at, Ordering::SeqCst);
    }

    /// Finds the group's moment anew.
    pub(crate) fn settle(&self, group: usize) {
        let g = &self.groups[group];
        // First, so that a moment set while the stripes are read is either read or lowers this.
        g.next.store(i64::MAX, Ordering::SeqCst);
        let stripes = self.stripes.iter().skip(group).step_by(self.groups.len());
        let next = stripes.map(|s| s.load(Ordering::SeqCst)).min().unwrap_or(i64::MAX);
        g.next.fetch_min(next, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for Timetable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timetable").field("groups", &self.groups.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::Timetable;

    #[test]
    fn an_earlier_moment_wakes_only_a_sleeper_that_would_miss_it() {
        let table = Timetable::new(64, 2);
        let woken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&woken);
        table.on_wake(Box::new(move |group| {
            assert_eq!(group, 1);
            count.fetch_add(1, Ordering::SeqCst);
        }));
        table.lower(1, 500);
        assert_eq!(woken.load(Ordering::SeqCst), 0, "awake");
        assert_eq!(table.fall_asleep(1, 1000), 500);
        table.lower(3, 400);
        assert_eq!(woken.load(Ordering::SeqCst), 1, "asleep past it");
        table.lower(5, 450);
        assert_eq!(woken.load(Ordering::SeqCst), 1, "an earlier one stands already");
        table.awake(1);
        assert_eq!(table.due(1, 450).collect::<Vec<_>>(), [3, 5]);
        assert_eq!(table.next(0), i64::MAX);
        table.set(3, i64::MAX);
        table.settle(1);
        assert_eq!(table.next(1), 450);
    }
}
