//! What is allocated now, to the byte, without a counter that all threads would have to write.
//!
//! The allocator counts, for each thread, the bytes it allocated and freed. A thread publishes the difference now
//! and then in a slot of its own; the sum of all slots is what is allocated. One thread frees what another one
//! allocated, so a slot may be below zero, and keeps what it has when its thread ends.
//!
//! The sum is behind by what threads did since they published: workers do so after each batch of requests, others after
//! each step of their work, and every thread that did so once does it when it ends. Threads that never publish (of the
//! allocator itself, of libraries) allocate next to nothing.

use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp, deallocatedp};
use tikv_jemalloc_ctl::{Access, AsName};

/// Slots; threads beyond that many share them, which only costs time.
const SLOTS: usize = 256;

/// Turns of its loop without anything to do after which a thread releases its cache; a worker's takes a tenth of a second.
const IDLE_TURNS: u32 = 5;

/// A counter on cache lines of its own: processors fetch lines in pairs.
#[repr(align(128))]
struct Slot(AtomicI64);

static SLOT: [Slot; SLOTS] = [const { Slot(AtomicI64::new(0)) }; SLOTS];
/// Slots that were ever used: those before it count.
static USED: AtomicUsize = AtomicUsize::new(0);
/// How often all threads were asked to release their caches.
static RELEASES: AtomicU64 = AtomicU64::new(0);
/// Slots of threads that have ended.
static FREE: Mutex<Vec<usize>> = Mutex::new(Vec::new());

thread_local! {
    static OWN: Own = Own::new();
}

/// A thread's counters and its slot.
struct Own {
    /// Bytes this thread has ever allocated and freed; nothing where the allocator is another.
    counters: Option<(ThreadLocal<u64>, ThreadLocal<u64>)>,
    slot: usize,
    /// What this thread has added to its slot.
    published: Cell<i64>,
    /// How often it was asked to release its cache when it last looked.
    releases: Cell<u64>,
    /// Turns of its loop since there was something to do.
    idle_turns: Cell<u32>,
}

impl Own {
    fn new() -> Own {
        let slot = FREE.lock().pop();
        let slot = slot.unwrap_or_else(|| USED.fetch_add(1, Ordering::Relaxed) % SLOTS);
        let counters = allocatedp::read().and_then(|made| Ok((made, deallocatedp::read()?)));
        let releases = Cell::new(RELEASES.load(Ordering::Relaxed));
        let (published, idle_turns) = (Cell::new(0), Cell::new(0));
        Own { counters: counters.ok(), slot, published, releases, idle_turns }
    }

    #[inline]
    fn bytes(&self) -> i64 {
        self.counters.map_or(0, |(made, freed)| made.get().wrapping_sub(freed.get()) as i64)
    }

    #[inline]
    fn publish(&self) {
        let bytes = self.bytes();
        let more = bytes - self.published.replace(bytes);
        if more != 0 {
            SLOT[self.slot].0.fetch_add(more, Ordering::Relaxed);
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.publish();
        FREE.lock().push(self.slot);
    }
}

/// Lets others see what this thread allocated and freed so far. Some nanoseconds.
#[inline]
pub fn publish() {
    // A thread that is being taken down has published.
    let _ = OWN.try_with(Own::publish);
}

/// Bytes this thread has allocated less those it has freed, now; below zero where it freed more.
#[inline]
pub fn own_bytes() -> i64 {
    OWN.try_with(Own::bytes).unwrap_or(0)
}

/// The sum of what all other threads have published: with [`own_bytes`], what is allocated.
#[inline]
pub fn others_bytes() -> i64 {
    let own = OWN.try_with(|own| own.published.get()).unwrap_or(0);
    published_bytes() - own
}

/// Bytes that are allocated now.
#[inline]
pub fn used_bytes() -> u64 {
    publish();
    // Between a free and an allocation that two threads publish apart, the sum may be anything.
    published_bytes().max(0).unsigned_abs()
}

#[inline]
fn published_bytes() -> i64 {
    let used = USED.load(Ordering::Relaxed).min(SLOTS);
    SLOT[..used].iter().map(|slot| slot.0.load(Ordering::Relaxed)).sum()
}

/// Turns what the allocator keeps for this thread to use again off, which gives it back, or on. Where there is none,
/// nothing happens.
pub(crate) fn set_cache(on: bool) {
    let _ = b"thread.tcache.enabled\0".name().write(on);
}

/// Gives back what the allocator keeps for this thread to use again: some megabytes, each piece of which keeps a page
/// from going back to the system. Tens of microseconds, and the next allocations take longer: for a thread that is idle,
/// or about to be.
pub(crate) fn release_cache() {
    set_cache(false);
    set_cache(true);
}

/// Asks all threads to release their caches, when they next call [`rest`].
pub(crate) fn release_caches() {
    RELEASES.fetch_add(1, Ordering::Relaxed);
}

/// Called by a thread in each turn of its loop, `idle` saying that there was nothing to do: releases its cache when that
/// was so for some turns, or when it was asked to.
#[inline]
pub(crate) fn rest(idle: bool) {
    let is_due = |own: &Own| {
        let (asked, turns) = (RELEASES.load(Ordering::Relaxed), own.idle_turns.get());
        own.idle_turns.set(if idle { turns.saturating_add(1) } else { 0 });
        own.releases.replace(asked) != asked || own.idle_turns.get() == IDLE_TURNS
    };
    if OWN.try_with(is_due).unwrap_or(false) {
        release_cache();
    }
}
