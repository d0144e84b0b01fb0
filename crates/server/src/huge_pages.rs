//! Huge pages, while there is something to put into them.
//!
//! The allocator asks the system for huge pages, for look-ups miss the processor's address cache less with them. But where
//! keys went and their pages were given back, the system may make one huge page of the few that stayed, and give all the
//! rest of it anew. So it is told to make none while much of the allocator's address space is empty, and to make them
//! again when memory grows; nor while there is so little that each thread would have one nearly to itself.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tikv_jemalloc_ctl::{epoch, stats};

use crate::memory;

/// How often the address space is looked at.
const LOOK_MS: u64 = 1000;
/// With less than that in use huge pages are mostly empty.
const USED_BYTES_MIN: u64 = 16 << 20;
/// Empty address space that never matters.
const EMPTY_BYTES_MIN: u64 = 64 << 20;
/// Memory that grows by one in so many parts between two looks grows.
const GROWTH_PARTS: u64 = 64;

/// What is known from the last look.
#[derive(Debug)]
pub(crate) struct HugePages {
    off: AtomicBool,
    /// Little was in use.
    little: AtomicBool,
    active_bytes: AtomicU64,
    looked_ms: AtomicU64,
}

impl HugePages {
    /// Turns them off, before there are any threads that would each get one.
    pub(crate) fn new() -> HugePages {
        set(true);
        HugePages {
            off: AtomicBool::new(true),
            little: AtomicBool::new(true),
            active_bytes: AtomicU64::new(0),
            looked_ms: AtomicU64::new(0),
        }
    }

    /// Turns them off or on: once a second, or when much comes to be in use where little was.
    pub(crate) fn follow(&self, now_ms: i64) {
        let now = now_ms.max(0).unsigned_abs();
        let little = memory::used_bytes() < USED_BYTES_MIN;
        let since_ms = now.abs_diff(self.looked_ms.load(Ordering::Relaxed));
        if self.little.swap(little, Ordering::Relaxed) == little && since_ms < LOOK_MS {
            return;
        }
        self.looked_ms.store(now, Ordering::Relaxed);
        // With old figures the decision is a second late.
        let _ = epoch::advance();
        let (Ok(active), Ok(empty)) = (stats::active::read(), stats::retained::read()) else { return };
        let off = self.are_waste(active as u64, empty as u64) || little;
        if self.off.swap(off, Ordering::Relaxed) != off {
            set(off);
        }
    }

    /// Whether huge pages would be made of empty ones, `active` bytes of pages having something in them and `empty`
    /// bytes of address space nothing.
    fn are_waste(&self, active: u64, empty: u64) -> bool {
        let before = self.active_bytes.swap(active, Ordering::Relaxed);
        let grows = active > before + before / GROWTH_PARTS;
        empty > EMPTY_BYTES_MIN && empty > active / 2 && !grows
    }
}

#[cfg(target_os = "linux")]
fn set(off: bool) {
    // A system that cannot has none.
    let _ = nix::sys::prctl::set_thp_disable(off);
}

#[cfg(not(target_os = "linux"))]
fn set(_off: bool) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_off_while_much_is_empty_and_nothing_grows() {
        const MB: u64 = 1 << 20;
        let pages = HugePages::new();
        let steps = [(1000, 200), (1100, 220), (1100, 250), (600, 700), (100, 1200), (100, 1200)];
        let off = steps.map(|(active, empty)| pages.are_waste(active * MB, empty * MB));
        assert_eq!(off, [false, false, false, true, true, true]);
        // A new load, and what it leaves.
        let steps = [(300, 1000), (900, 400), (900, 400), (900, 500)];
        let off = steps.map(|(active, empty)| pages.are_waste(active * MB, empty * MB));
        assert_eq!(off, [false, false, false, true]);
        assert!(!HugePages::new().are_waste(MB, 20 * MB));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_is_told() {
        let _pages = HugePages::new();
        assert_eq!(nix::sys::prctl::get_thp_disable(), Ok(true));
    }
}
