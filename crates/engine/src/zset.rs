//! Sorted sets.

use crate::collection::{Big, Body, CollectionMut};
use crate::entry::{Entry, Tags};
use crate::value::{Kind, WrongType};

/// A large sorted set.
#[derive(Clone, Debug, Default)]
pub(crate) struct BigZSet {}

impl BigZSet {
    pub(crate) fn len(&self) -> usize {
        0
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        0
    }
}

/// A sorted set, to be read.
#[derive(Clone, Copy, Debug)]
pub struct ZSet<'e> {
    body: Body<'e>,
    tags: Tags,
}

impl<'e> ZSet<'e> {
    pub(crate) fn new(body: Body<'e>, tags: Tags) -> ZSet<'e> {
        ZSet { body, tags }
    }

    /// How many elements it has.
    pub fn len(self) -> usize {
        match self.body {
            Body::Packed(run) => run.len(),
            Body::Big(Big::ZSet(big)) => big.len(),
            Body::Big(_) => 0,
        }
    }
}

impl<'e> Entry<'e> {
    /// The value, when it is a sorted set.
    pub fn zset(self) -> Result<ZSet<'e>, WrongType> {
        if self.kind() == Kind::ZSet { Ok(ZSet::new(self.body(), self.tags())) } else { Err(WrongType) }
    }
}

/// A sorted set, to be changed.
#[derive(Debug)]
pub struct ZSetMut<'e> {
    collection: CollectionMut<'e>,
}

impl<'e> ZSetMut<'e> {
    pub(crate) fn new(collection: CollectionMut<'e>) -> ZSetMut<'e> {
        ZSetMut { collection }
    }
}
