//! Streams.

use crate::collection::{Big, Body};
use crate::entry::Entry;
use crate::value::{Kind, WrongType};

/// A stream.
#[derive(Clone, Debug, Default)]
pub struct Stream {}

impl Stream {
    pub(crate) fn allocated_bytes(&self) -> usize {
        0
    }
}

impl<'e> Entry<'e> {
    /// The value, when it is a stream.
    pub fn stream(self) -> Result<&'e Stream, WrongType> {
        match self.kind() {
            Kind::Stream => match self.body() {
                Body::Big(Big::Stream(stream)) => Ok(stream),
                _ => Err(WrongType),
            },
            _ => Err(WrongType),
        }
    }
}
