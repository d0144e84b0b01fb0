//! The stripes a worker holds: all that a command can touch.

use crate::store::Store;

/// Locked stripes of one store. Stripes are taken in ascending order, so that no two workers wait for
/// each other.
#[derive(Debug)]
pub struct Held<'s> {
    store: &'s Store,
}

impl<'s> Held<'s> {
    /// The store they belong to.
    pub fn store(&self) -> &'s Store {
        self.store
    }
}
