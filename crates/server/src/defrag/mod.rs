//! Active defragmentation: what lies in sparse slabs of the allocator moves, so that the slabs go.
//!
//! Once a second the allocator's waste is compared with the thresholds (`active-defrag-*`). Above them, each worker goes
//! through its stripes, in steps of `active-defrag-cycle-us` microseconds between its sockets, that take so many per
//! cent of its time as the waste asks for. A pass that was begun goes on to its end. One that found little to move is
//! followed by a pause, which doubles each time: not all waste is the keyspace's.
//!
//! Without waste it costs a look at two numbers a second. So it is on unless it is turned off, while Redis, whose steps
//! run in its only thread, has it off.

mod slabs;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use engine::{Mover, Pass, Step, Store};
use tikv_jemalloc_ctl::{epoch, stats};

use crate::clock;
use crate::config::Settings;
use crate::memory;
use slabs::{Slabs, Uncached};

/// How often waste is looked for.
const LOOK_MS: i64 = 1000;
/// A pass that moves less than one in so many allocations found little.
const FUTILE_SHARE: u64 = 50;
/// Pauses after passes that found little.
const PAUSE_MIN_US: i64 = 5_000_000;
const PAUSE_MAX_US: i64 = 300_000_000;

/// What all workers' defragmentation has in common.
#[derive(Debug, Default)]
pub(crate) struct Defrag {
    /// It is turned on.
    enabled: AtomicBool,
    /// How much of a worker's time it is to take, in per cent; 0: none.
    effort: AtomicU32,
    /// Workers in the middle of a pass.
    running: AtomicU32,
    /// When the first of them began, in microseconds since the Unix epoch.
    began_us: AtomicU64,
    time_us: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    key_hits: AtomicU64,
    key_misses: AtomicU64,
    looked_ms: AtomicU64,
}

/// Figures for INFO, since the start or CONFIG RESETSTAT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// How much of a worker's time it takes now, in per cent; 0: it rests.
    pub(crate) effort_percent: u32,
    /// Allocations moved, and others looked at.
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    /// Keys of which something was moved, and others.
    pub(crate) key_hits: u64,
    pub(crate) key_misses: u64,
    /// Milliseconds in which it was at work, and those since it began last.
    pub(crate) total_ms: u64,
    pub(crate) current_ms: u64,
}

impl Defrag {
    /// Compares the waste with the thresholds, if a second has passed.
    pub(crate) fn follow(&self, settings: &Settings, now_ms: i64) {
        self.enabled.store(settings.activedefrag, Ordering::Relaxed);
        let now = now_ms.max(0).unsigned_abs();
        let since_ms = now.abs_diff(self.looked_ms.load(Ordering::Relaxed));
        if settings.activedefrag && since_ms < LOOK_MS.unsigned_abs() {
            return;
        }
        self.looked_ms.store(now, Ordering::Relaxed);
        let effort = if settings.activedefrag { effort_percent(settings, waste()) } else { 0 };
        self.effort.store(effort, Ordering::Relaxed);
    }

    /// The figures.
    pub(crate) fn figures(&self) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let running = self.running.load(Ordering::Relaxed) > 0;
        let now_us = clock::now_us().max(0).unsigned_abs();
        let current_us = if running { now_us.saturating_sub(read(&self.began_us)) } else { 0 };
        Figures {
            effort_percent: if running { self.effort.load(Ordering::Relaxed).max(1) } else { 0 },
            hits: read(&self.hits),
            misses: read(&self.misses),
            key_hits: read(&self.key_hits),
            key_misses: read(&self.key_misses),
            total_ms: (read(&self.time_us) + current_us) / 1000,
            current_ms: current_us / 1000,
        }
    }

    /// Begins the counts anew (CONFIG RESETSTAT).
    pub(crate) fn reset(&self) {
        let counters = [&self.time_us, &self.hits, &self.misses, &self.key_hits, &self.key_misses];
        counters.into_iter().for_each(|counter| counter.store(0, Ordering::Relaxed));
    }

    fn pass_begins(&self, now_us: i64) {
        if self.running.fetch_add(1, Ordering::Relaxed) == 0 {
            self.began_us.store(now_us.max(0).unsigned_abs(), Ordering::Relaxed);
        }
    }

    fn pass_ends(&self, now_us: i64) {
        if self.running.fetch_sub(1, Ordering::Relaxed) == 1 {
            let began_us = self.began_us.load(Ordering::Relaxed);
            let time_us = now_us.max(0).unsigned_abs().saturating_sub(began_us);
            self.time_us.fetch_add(time_us, Ordering::Relaxed);
        }
    }
}

/// Bytes that lie unused in slabs that are used, and the bytes that are used.
fn waste() -> (u64, u64) {
    // Without a new epoch the allocator would tell old figures; when it cannot, there is nothing to go by.
    let active = epoch::advance().and_then(|_| stats::active::read()).unwrap_or(0) as u64;
    let used = memory::used_bytes();
    (active.saturating_sub(used), used)
}

/// How much of a worker's time this waste is worth.
fn effort_percent(settings: &Settings, (wasted, used): (u64, u64)) -> u32 {
    let percent = wasted * 100 / used.max(1);
    let (lower, upper) = (settings.active_defrag_threshold_lower, settings.active_defrag_threshold_upper);
    let (least, most) = (settings.active_defrag_cycle_min, settings.active_defrag_cycle_max);
    if wasted < settings.active_defrag_ignore_bytes || percent < u64::from(lower) {
        return 0;
    }
    let share = (percent - u64::from(lower)).min(u64::from(upper.saturating_sub(lower)));
    let range = u64::from(most.saturating_sub(least));
    least + (range * share).checked_div(u64::from(upper.saturating_sub(lower))).unwrap_or(range) as u32
}

/// One worker's part.
#[derive(Debug)]
pub(crate) struct Defragmenter {
    group: usize,
    pass: Option<Running>,
    slabs: Option<Slabs>,
    /// When the next step, or pass, may begin.
    next_us: i64,
    /// How long it rests after a pass that finds little.
    pause_us: i64,
}

/// A pass under way.
#[derive(Debug)]
struct Running {
    pass: Pass,
    /// The most that was asked for since it began.
    effort_percent: u32,
    hits: u64,
    misses: u64,
}

impl Defragmenter {
    /// Of the worker that looks after `group`.
    pub(crate) fn new(group: usize) -> Defragmenter {
        Defragmenter { group, pass: None, slabs: Slabs::new(), next_us: 0, pause_us: PAUSE_MIN_US }
    }

    /// When [`Defragmenter::run`] has something to do, in microseconds since the Unix epoch.
    pub(crate) fn next_us(&self, defrag: &Defrag) -> i64 {
        let wanted = self.pass.is_some() || defrag.effort.load(Ordering::Relaxed) > 0;
        if wanted && self.slabs.is_some() { self.next_us } else { i64::MAX }
    }

    /// Goes one step on, if it is time for one; when it did, how long that took, in microseconds.
    pub(crate) fn run(&mut self, defrag: &Defrag, store: &Store, step_us: u32) -> Option<u64> {
        let effort = defrag.effort.load(Ordering::Relaxed);
        if self.pass.is_none() && effort == 0 {
            return None;
        }
        let begun_us = clock::now_us();
        // A clock that was set back far is no reason to rest.
        if begun_us < self.next_us && self.next_us - begun_us <= PAUSE_MAX_US {
            return None;
        }
        let slabs = self.slabs.as_ref()?;
        if !defrag.enabled.load(Ordering::Relaxed) {
            self.pass.take().inspect(|_| defrag.pass_ends(begun_us));
            return None;
        }
        let running = self.pass.get_or_insert_with(|| {
            defrag.pass_begins(begun_us);
            Running { pass: Pass::new(self.group), effort_percent: 1, hits: 0, misses: 0 }
        });
        running.effort_percent = running.effort_percent.max(effort).min(99);
        let mut moving = Moving::new(slabs, begun_us + i64::from(step_us));
        let step = {
            let _uncached = Uncached::begin();
            store.relocate(&mut running.pass, &mut moving)
        };
        moving.count(defrag);
        running.hits += moving.hits;
        running.misses += moving.misses;
        let ended_us = clock::now_us();
        let took_us = (ended_us - begun_us).max(1);
        let percent = i64::from(running.effort_percent);
        self.next_us = ended_us + took_us * (100 - percent) / percent;
        if step == Step::Done {
            self.pass_ended(ended_us);
            defrag.pass_ends(ended_us);
        }
        Some(took_us.unsigned_abs())
    }

    /// Notes the end of a pass, after which it may rest.
    fn pass_ended(&mut self, now_us: i64) {
        let Some(Running { hits, misses, .. }) = self.pass.take() else { return };
        let futile = hits * FUTILE_SHARE <= hits + misses;
        tracing::debug!("Defragmentation moved {hits} of {} allocations", hits + misses);
        if futile {
            self.next_us = now_us + self.pause_us;
            self.pause_us = (self.pause_us * 2).min(PAUSE_MAX_US);
        } else {
            self.pause_us = PAUSE_MIN_US;
        }
    }
}

/// One step: what it moves, and until when.
struct Moving<'s> {
    slabs: &'s Slabs,
    until_us: i64,
    hits: u64,
    misses: u64,
    key_hits: u64,
    key_misses: u64,
    /// `hits` when the last key was done.
    hits_before: u64,
}

impl Moving<'_> {
    fn new(slabs: &Slabs, until_us: i64) -> Moving<'_> {
        Moving { slabs, until_us, hits: 0, misses: 0, key_hits: 0, key_misses: 0, hits_before: 0 }
    }

    fn count(&self, defrag: &Defrag) {
        let add = |to: &AtomicU64, count| to.fetch_add(count, Ordering::Relaxed);
        add(&defrag.hits, self.hits);
        add(&defrag.misses, self.misses);
        add(&defrag.key_hits, self.key_hits);
        add(&defrag.key_misses, self.key_misses);
    }
}

impl Mover for Moving<'_> {
    #[inline]
    fn is_sparse(&mut self, at: *const u8) -> bool {
        let sparse = self.slabs.is_sparse(at);
        self.hits += u64::from(sparse);
        self.misses += u64::from(!sparse);
        sparse
    }

    #[inline]
    fn has_time(&mut self) -> bool {
        clock::now_us() < self.until_us
    }

    fn key_done(&mut self) {
        let moved = self.hits > self.hits_before;
        self.hits_before = self.hits;
        self.key_hits += u64::from(moved);
        self.key_misses += u64::from(!moved);
    }
}

#[cfg(test)]
mod tests;
