//! Lists.
//!
//! A small list is one packed run in its entry; a larger one is a [`BigList`]. What Redis calls `quicklist` is always
//! large here, because where its nodes begin and end decides when it becomes a `listpack` again.

mod big;
mod change;
mod fill;
mod make;
mod node;
#[cfg(test)]
mod tests;

use smallvec::SmallVec;

use self::node::Node;
use crate::collection::{Big, Body};
use crate::entry::Entry;
use crate::packed::{self, Element, PACKED_ELEMENTS_MAX, Packed};
use crate::tree::Walk;
use crate::value::{Kind, WrongType, canonical_int};

pub(crate) use big::BigList;
pub use change::ListMut;
pub use make::ListBuilder;

/// One end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The left one, where index 0 is.
    Front,
    /// The right one.
    Back,
}

/// The stage in which OBJECT ENCODING says `listpack`.
const LISTPACK: u8 = 0;
/// The stage in which it says `quicklist`.
const QUICKLIST: u8 = 1;

/// A list, to be read.
#[derive(Clone, Copy, Debug)]
pub struct List<'e> {
    form: Form<'e>,
}

/// How a list is kept.
#[derive(Clone, Copy, Debug)]
enum Form<'e> {
    Packed(Packed<'e>),
    Big(&'e BigList),
}

impl<'e> List<'e> {
    pub(crate) fn new(body: Body<'e>) -> List<'e> {
        let form = match body {
            Body::Big(Big::List(big)) => Form::Big(big),
            Body::Packed(run) => Form::Packed(run),
            Body::Big(_) => Form::Packed(Packed::new(packed::EMPTY)),
        };
        List { form }
    }

    fn of_big(big: &'e BigList) -> List<'e> {
        List { form: Form::Big(big) }
    }

    /// How many elements it has.
    #[inline]
    #[allow(clippy::len_without_is_empty, reason = "an empty list is not kept")]
    pub fn len(self) -> usize {
        match self.form {
            Form::Packed(run) => run.len(),
            Form::Big(big) => big.len(),
        }
    }

    /// How many nodes Redis keeps it in (DEBUG OBJECT): a listpack counts as one.
    pub fn nodes_count(self) -> usize {
        match self.form {
            Form::Packed(_) => 1,
            Form::Big(big) => big.nodes_count(),
        }
    }

    /// The element at `position`, from 0 on.
    pub fn get(self, position: usize) -> Option<Element<'e>> {
        match self.form {
            Form::Packed(run) if position < run.len() => Some(run.element_at(run.offset_of(position))),
            Form::Packed(_) => None,
            Form::Big(big) => big.get(position),
        }
    }

    /// The elements from `position` on; none, from the length on.
    #[inline]
    pub fn elements(self, position: usize) -> Elements<'e> {
        match self.form {
            Form::Packed(run) => Elements { bytes: run.as_slice(), at: run.offset_of(position), walk: None },
            Form::Big(big) => match big.nodes().walk_at(position) {
                None => Elements { bytes: &[], at: 0, walk: None },
                Some((walk, index)) => {
                    let node: &Node = walk.leaf();
                    Elements { bytes: node.bytes(), at: node.offset_of(index), walk: Some(walk) }
                }
            },
        }
    }

    /// The first `len` elements, the last of them first.
    pub fn elements_back(self, len: usize) -> ElementsBack<'e> {
        let run = Packed::new(packed::EMPTY);
        let none = ElementsBack(Back::Packed { run, offsets: SmallVec::new() });
        match self.form {
            Form::Packed(run) => {
                // A run has at most 8 KiB.
                let offsets = run.iter().take(len).map(|(at, _)| at as u16).collect();
                ElementsBack(Back::Packed { run, offsets })
            }
            Form::Big(big) => match len.checked_sub(1).and_then(|last| big.nodes().walk_at(last)) {
                None => none,
                Some((walk, index)) => {
                    let node: &Node = walk.leaf();
                    let end = node.offset_of(index + 1);
                    ElementsBack(Back::Nodes { bytes: &node.bytes()[..end], start: node.start(), walk })
                }
            },
        }
    }
}

/// The element that `bytes` are, to be compared with.
#[inline]
pub fn element_of(bytes: &[u8]) -> Element<'_> {
    canonical_int(bytes).map_or(Element::Bytes(bytes), Element::Int)
}

/// Elements from the front to the back.
#[derive(Clone, Debug)]
pub struct Elements<'e> {
    bytes: &'e [u8],
    at: usize,
    /// Where it is among the nodes of a large list.
    walk: Option<Walk<'e, Node>>,
}

impl<'e> Iterator for Elements<'e> {
    type Item = Element<'e>;

    #[inline]
    fn next(&mut self) -> Option<Element<'e>> {
        if self.at >= self.bytes.len() {
            let node = self.walk.as_mut()?.forward()?;
            (self.bytes, self.at) = (node.bytes(), node.start());
        }
        let bytes = &self.bytes[self.at..];
        self.at += if self.walk.is_some() { node::entry_size(bytes) } else { packed::size_of_element(bytes) };
        Some(packed::read(bytes))
    }
}

/// Elements from the back to the front.
#[derive(Clone, Debug)]
pub struct ElementsBack<'e>(Back<'e>);

#[derive(Clone, Debug)]
enum Back<'e> {
    /// Those of a small list at these offsets.
    Packed { run: Packed<'e>, offsets: SmallVec<[u16; PACKED_ELEMENTS_MAX]> },
    /// Those of a large one: what is left of a node, and the nodes before it.
    Nodes { bytes: &'e [u8], start: usize, walk: Walk<'e, Node> },
}

impl<'e> Iterator for ElementsBack<'e> {
    type Item = Element<'e>;

    #[inline]
    fn next(&mut self) -> Option<Element<'e>> {
        match &mut self.0 {
            Back::Packed { run, offsets } => offsets.pop().map(|at| run.element_at(usize::from(at))),
            Back::Nodes { bytes, start, walk } => {
                if bytes.len() == *start {
                    let node = walk.back()?;
                    (*bytes, *start) = (node.bytes(), node.start());
                }
                let at = node::start_of_last(bytes);
                let element = packed::read(&bytes[at..]);
                *bytes = &bytes[..at];
                Some(element)
            }
        }
    }
}

impl<'e> Entry<'e> {
    /// The value, when it is a list.
    #[inline]
    pub fn list(self) -> Result<List<'e>, WrongType> {
        if self.kind() == Kind::List { Ok(List::new(self.body())) } else { Err(WrongType) }
    }
}
