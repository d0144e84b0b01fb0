//! What clients take of the memory together, and which of them are closed when it is too much
//! (`maxmemory-clients`): <https://redis.io/docs/latest/develop/reference/clients/#client-eviction>.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

/// The memory of all clients, in order of size. Nothing is kept while there is no limit.
#[derive(Debug, Default)]
pub(crate) struct ClientMemory {
    limited: AtomicBool,
    bytes: AtomicU64,
    /// Bytes and number of each client that may be closed.
    by_bytes: Mutex<BTreeSet<(u64, u64)>>,
    evicted: AtomicU64,
}

/// What one client is known to take.
#[derive(Debug, Default)]
pub(crate) struct Weight(AtomicU64);

impl ClientMemory {
    /// Whether there is a limit; without one, what was known is forgotten.
    pub(crate) fn set_limited(&self, limited: bool) {
        self.limited.store(limited, Relaxed);
    }

    /// Notes that client `id`, known to take `weight`, takes `bytes` now; 0: it is gone, or may not be closed. To be
    /// called by its worker.
    #[inline]
    pub(crate) fn weigh(&self, id: u64, weight: &Weight, bytes: u64) {
        let bytes = if self.limited.load(Relaxed) { bytes } else { 0 };
        let before = weight.0.load(Relaxed);
        if bytes != before {
            self.change(id, weight, before, bytes);
        }
    }

    fn change(&self, id: u64, weight: &Weight, before: u64, after: u64) {
        weight.0.store(after, Relaxed);
        let mut by_bytes = self.by_bytes.lock();
        // It is not there any more when it was chosen to go.
        let counted = by_bytes.remove(&(before, id));
        if after > 0 && (counted || before == 0) {
            by_bytes.insert((after, id));
            self.bytes.fetch_add(after, Relaxed);
        }
        if counted {
            self.bytes.fetch_sub(before, Relaxed);
        }
    }

    /// Bytes that the clients which may be closed take together.
    #[inline]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// The client that takes most, which is to be closed and does not count any more.
    pub(crate) fn take_largest(&self) -> Option<u64> {
        let (bytes, id) = self.by_bytes.lock().pop_last()?;
        self.bytes.fetch_sub(bytes, Relaxed);
        self.evicted.fetch_add(1, Relaxed);
        Some(id)
    }

    /// Clients that were closed since the counters' last reset.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    /// Counts from zero again.
    pub(crate) fn reset(&self) {
        self.evicted.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{ClientMemory, Weight};

    #[test]
    fn the_largest_goes_first_and_counts_once() {
        let memory = ClientMemory::default();
        let weights: [Weight; 3] = Default::default();
        memory.weigh(0, &weights[0], 10);
        assert_eq!(memory.bytes(), 0, "there is no limit");
        memory.set_limited(true);
        for (id, bytes) in [(0, 10), (1, 30), (2, 20), (1, 5), (1, 40)] {
            memory.weigh(id, &weights[id as usize], bytes);
        }
        assert_eq!(memory.bytes(), 70);
        assert_eq!(memory.take_largest(), Some(1));
        assert_eq!(memory.bytes(), 30);
        memory.weigh(1, &weights[1], 50);
        memory.weigh(1, &weights[1], 0);
        assert_eq!((memory.bytes(), memory.evicted()), (30, 1), "who was chosen does not count again");
        memory.weigh(2, &weights[2], 0);
        assert_eq!((memory.take_largest(), memory.take_largest(), memory.bytes()), (Some(0), None, 0));
    }
}
