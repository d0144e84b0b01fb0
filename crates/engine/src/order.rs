//! The one order of effects.
//!
//! Whoever changes data takes, while it still holds the stripes, the next number for the effects. Two changes of
//! the same key are made under the same stripe, so their numbers are in the order of the changes; and with every
//! stripe held, no number is between being taken and belonging to a change that is done.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[derive(Debug, Default)]
#[repr(align(64))]
struct Padded<T>(T);

/// Gives effects their numbers, from 0 on, without gaps.
#[derive(Debug, Default)]
pub struct Order {
    next: Padded<AtomicU64>,
    wanted: Padded<AtomicBool>,
}

impl Order {
    /// Says whether effects are wanted from now on. To be called with every stripe held, so that a change is
    /// either before or after.
    pub fn want(&self, wanted: bool) {
        self.wanted.0.store(wanted, Ordering::Relaxed);
    }

    /// Whether effects are wanted; to be asked with the stripes held.
    #[inline]
    pub fn is_wanted(&self) -> bool {
        self.wanted.0.load(Ordering::Relaxed)
    }

    /// Takes `count` numbers, the first of which is returned; with the stripes of their changes held.
    #[inline]
    pub fn take(&self, count: u64) -> u64 {
        self.next.0.fetch_add(count, Ordering::AcqRel)
    }

    /// How many numbers were taken: what anybody has seen of the data has a lower one.
    #[inline]
    pub fn taken(&self) -> u64 {
        self.next.0.load(Ordering::Acquire)
    }
}
