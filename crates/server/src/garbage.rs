//! What waits for the thread that frees: how many values, and how much memory they will give back.

use std::sync::atomic::{AtomicU64, Ordering};

use engine::Garbage;

/// Counts of values that workers hand to the thread that frees.
#[derive(Debug, Default)]
pub(crate) struct Freeing {
    sent: AtomicU64,
    freed: AtomicU64,
    /// Bytes of the values that wait.
    bytes: AtomicU64,
    /// Emptied databases that wait: how many bytes they are is not known.
    databases: AtomicU64,
}

impl Freeing {
    /// Notes that a value that gives back `bytes` ([`Garbage::bytes`]) is handed over.
    pub(crate) fn sent(&self, bytes: Option<usize>) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        match bytes {
            Some(bytes) => self.bytes.fetch_add(bytes as u64, Ordering::Relaxed),
            None => self.databases.fetch_add(1, Ordering::Relaxed),
        };
    }

    /// Frees `garbage`, which was handed over.
    pub(crate) fn free(&self, garbage: Garbage) {
        let bytes = garbage.bytes();
        garbage.free(crate::memory::publish);
        self.freed(bytes);
    }

    fn freed(&self, bytes: Option<usize>) {
        self.freed.fetch_add(1, Ordering::Relaxed);
        match bytes {
            Some(bytes) => self.bytes.fetch_sub(bytes as u64, Ordering::Relaxed),
            None => self.databases.fetch_sub(1, Ordering::Relaxed),
        };
    }

    /// Values that wait to be freed, and values that were.
    pub(crate) fn values(&self) -> (u64, u64) {
        let freed = self.freed.load(Ordering::Relaxed);
        (self.sent.load(Ordering::Relaxed).saturating_sub(freed), freed)
    }

    /// Bytes that will be given back, databases not counted.
    #[inline]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether whole databases wait.
    #[inline]
    pub(crate) fn has_databases(&self) -> bool {
        self.databases.load(Ordering::Relaxed) > 0
    }

    /// Counts the values freed from zero again; what waits still does.
    pub(crate) fn reset(&self) {
        let freed = self.freed.load(Ordering::Relaxed);
        self.sent.fetch_sub(freed, Ordering::Relaxed);
        self.freed.fetch_sub(freed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Freeing;

    #[test]
    fn values_being_freed_are_counted() {
        let freeing = Freeing::default();
        freeing.sent(Some(100));
        freeing.sent(Some(10));
        freeing.sent(None);
        assert!(freeing.has_databases());
        freeing.freed(None);
        freeing.freed(Some(100));
        assert_eq!((freeing.values(), freeing.bytes(), freeing.has_databases()), ((1, 2), 10, false));
        freeing.reset();
        assert_eq!(freeing.values(), (1, 0));
    }
}
