//! Hashs.

use crate::collection::{Big, Body, CollectionMut};
use crate::entry::{Entry, Tags};
use crate::value::{Kind, WrongType};

/// A large hash.
#[derive(Clone, Debug, Default)]
pub(crate) struct BigHash {}

impl BigHash {
    pub(crate) fn len(&self) -> usize {
        0
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        0
    }
}

/// A hash, to be read.
#[derive(Clone, Copy, Debug)]
pub struct Hash<'e> {
    body: Body<'e>,
    tags: Tags,
}

impl<'e> Hash<'e> {
    pub(crate) fn new(body: Body<'e>, tags: Tags) -> Hash<'e> {
        Hash { body, tags }
    }

    /// How many elements it has.
    pub fn len(self) -> usize {
        match self.body {
            Body::Packed(run) => run.len(),
            Body::Big(Big::Hash(big)) => big.len(),
            Body::Big(_) => 0,
        }
    }
}

impl<'e> Entry<'e> {
    /// The value, when it is a hash.
    pub fn hash(self) -> Result<Hash<'e>, WrongType> {
        if self.kind() == Kind::Hash { Ok(Hash::new(self.body(), self.tags())) } else { Err(WrongType) }
    }
}

/// A hash, to be changed.
#[derive(Debug)]
pub struct HashMut<'e> {
    collection: CollectionMut<'e>,
}

impl<'e> HashMut<'e> {
    pub(crate) fn new(collection: CollectionMut<'e>) -> HashMut<'e> {
        HashMut { collection }
    }
}
