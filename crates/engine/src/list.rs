//! Lists.

use crate::collection::{Big, Body, CollectionMut};
use crate::entry::{Entry, Tags};
use crate::value::{Kind, WrongType};

/// A large list.
#[derive(Clone, Debug, Default)]
pub(crate) struct BigList {}

impl BigList {
    pub(crate) fn len(&self) -> usize {
        0
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        0
    }
}

/// A list, to be read.
#[derive(Clone, Copy, Debug)]
pub struct List<'e> {
    body: Body<'e>,
    tags: Tags,
}

impl<'e> List<'e> {
    pub(crate) fn new(body: Body<'e>, tags: Tags) -> List<'e> {
        List { body, tags }
    }

    /// How many elements it has.
    pub fn len(self) -> usize {
        match self.body {
            Body::Packed(run) => run.len(),
            Body::Big(Big::List(big)) => big.len(),
            Body::Big(_) => 0,
        }
    }
}

impl<'e> Entry<'e> {
    /// The value, when it is a list.
    pub fn list(self) -> Result<List<'e>, WrongType> {
        if self.kind() == Kind::List { Ok(List::new(self.body(), self.tags())) } else { Err(WrongType) }
    }
}

/// A list, to be changed.
#[derive(Debug)]
pub struct ListMut<'e> {
    collection: CollectionMut<'e>,
}

impl<'e> ListMut<'e> {
    pub(crate) fn new(collection: CollectionMut<'e>) -> ListMut<'e> {
        ListMut { collection }
    }
}
