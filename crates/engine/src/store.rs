//! The store: stripes of the keyspace, each behind its own lock.

use crate::key::Key;

/// How many stripes the keyspace has; a key's stripe is the top bits of its hash.
pub const STRIPES: usize = 1024;

/// What a store is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many databases it has (`databases`).
    pub databases: u32,
    /// Secret the keys are hashed with, so that nobody can aim for one bucket.
    pub secret: u64,
}

/// The whole keyspace.
#[derive(Debug)]
pub struct Store {
    secret: u64,
}

impl Store {
    /// An empty store.
    pub fn new(options: &Options) -> Store {
        Store { secret: options.secret }
    }

    /// `bytes` as a key of this store.
    pub fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        let _ = self.secret;
        Key { bytes, hash: 0 }
    }
}
