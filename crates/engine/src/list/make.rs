//! Lists made in one go: what SORT stores, and what files hold.

use super::change::packed_run;
use super::fill::{ELEMENT_OVERHEAD_BYTES, Fill, Share};
use super::{BigList, End, LISTPACK, QUICKLIST};
use crate::collection::{Big, Collection};
use crate::entry::Tags;
use crate::limits::Limits;
use crate::listpack::{FRAME_BYTES, element_bytes};
use crate::packed::{self, PACKED_BYTES_MAX, PACKED_ELEMENTS_MAX, Packed};
use crate::value::{Kind, Owned};

/// A list that elements are added to the end of.
#[derive(Debug)]
pub struct ListBuilder {
    fill: Fill,
    /// The elements, while they are few.
    run: Vec<u8>,
    /// How many of them there are.
    len: usize,
    /// Bytes that Redis counts for them.
    listpack_size: usize,
    /// The elements, once they are many.
    big: Option<BigList>,
}

impl ListBuilder {
    /// No elements yet; the list's name will go by `limits`.
    pub fn new(limits: &Limits) -> ListBuilder {
        ListBuilder {
            fill: Fill::new(limits.list_max_listpack_size),
            run: packed::EMPTY.to_vec(),
            len: 0,
            listpack_size: FRAME_BYTES,
            big: None,
        }
    }

    /// Adds an element.
    pub fn push(&mut self, element: &[u8]) {
        if let Some(big) = &mut self.big {
            return big.push(End::Back, element);
        }
        let at = self.run.len();
        let size = self.listpack_size + element.len() + ELEMENT_OVERHEAD_BYTES;
        let fits = self.len < PACKED_ELEMENTS_MAX
            && at + element.len() + ELEMENT_OVERHEAD_BYTES <= PACKED_BYTES_MAX
            && !self.fill.is_large(element.len())
            && !self.fill.is_exceeded(size, self.len + 1);
        if fits {
            packed::push(&mut self.run, element);
            self.len += 1;
            self.listpack_size += element_bytes(packed::read(&self.run[at..]));
            return;
        }
        self.count();
        let mut big = BigList::of_packed(Packed::new(&self.run), Some(self.fill));
        big.push(End::Back, element);
        self.run = Vec::new();
        self.big = Some(big);
    }

    /// Writes the number of elements into the run.
    fn count(&mut self) {
        packed::count_elements(&mut self.run, self.len as isize);
    }

    /// The list.
    pub fn finish(mut self) -> Owned {
        let tags = |stage| Tags { stage, ..Tags::of(Kind::List) };
        let Some(mut big) = self.big.take() else {
            self.count();
            return Owned::collection(Collection::Packed { run: self.run, tags: tags(LISTPACK) });
        };
        let listpack = big.is_listpack(self.fill, Share::Whole);
        if listpack {
            big.set_fill(None);
        }
        let run = (listpack && big.len() <= PACKED_ELEMENTS_MAX).then(|| packed_run(&big));
        Owned::collection(match run.filter(|run| run.len() <= PACKED_BYTES_MAX) {
            Some(run) => Collection::Packed { run, tags: tags(LISTPACK) },
            None => {
                let stage = if listpack { LISTPACK } else { QUICKLIST };
                Collection::Big { big: Box::new(Big::List(big)), tags: tags(stage) }
            }
        })
    }
}

impl Owned {
    /// A list of these elements; it never expires.
    pub fn list<'x>(elements: impl IntoIterator<Item = &'x [u8]>, limits: &Limits) -> Owned {
        let mut list = ListBuilder::new(limits);
        elements.into_iter().for_each(|element| list.push(element));
        list.finish()
    }
}
