//! Sets.

use crate::collection::{Big, Body, CollectionMut};
use crate::entry::{Entry, Tags};
use crate::value::{Kind, WrongType};

/// A large set.
#[derive(Clone, Debug, Default)]
pub(crate) struct BigSet {}

impl BigSet {
    pub(crate) fn len(&self) -> usize {
        0
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        0
    }
}

/// A set, to be read.
#[derive(Clone, Copy, Debug)]
pub struct Set<'e> {
    body: Body<'e>,
    tags: Tags,
}

impl<'e> Set<'e> {
    pub(crate) fn new(body: Body<'e>, tags: Tags) -> Set<'e> {
        Set { body, tags }
    }

    /// How many elements it has.
    pub fn len(self) -> usize {
        match self.body {
            Body::Packed(run) => run.len(),
            Body::Big(Big::Set(big)) => big.len(),
            Body::Big(_) => 0,
        }
    }
}

impl<'e> Entry<'e> {
    /// The value, when it is a set.
    pub fn set(self) -> Result<Set<'e>, WrongType> {
        if self.kind() == Kind::Set { Ok(Set::new(self.body(), self.tags())) } else { Err(WrongType) }
    }
}

/// A set, to be changed.
#[derive(Debug)]
pub struct SetMut<'e> {
    collection: CollectionMut<'e>,
}

impl<'e> SetMut<'e> {
    pub(crate) fn new(collection: CollectionMut<'e>) -> SetMut<'e> {
        SetMut { collection }
    }
}
