//! Going through a set's members.

use super::Form;
use super::ints::Ints;
use crate::dict;
use crate::packed::{self, Element};

/// The members of a set, see [`super::Set::iter`].
#[derive(Clone, Debug)]
pub struct Members<'e>(Inner<'e>);

#[derive(Clone, Debug)]
enum Inner<'e> {
    Ints(Ints<'e>, std::ops::Range<usize>),
    Elements(packed::Iter<'e>),
    Big(dict::Iter<'e>),
}

impl<'e> Members<'e> {
    pub(super) fn of(form: Form<'e>) -> Members<'e> {
        Members(match form {
            Form::Ints(ints) => Inner::Ints(ints, 0..ints.len()),
            Form::Elements(run) => Inner::Elements(run.iter()),
            Form::Big(dict) => Inner::Big(dict.iter()),
        })
    }
}

impl<'e> Iterator for Members<'e> {
    type Item = Element<'e>;

    fn next(&mut self) -> Option<Element<'e>> {
        match &mut self.0 {
            Inner::Ints(ints, range) => range.next().map(|i| Element::Int(ints.at(i))),
            Inner::Elements(elements) => elements.next().map(|(_, element)| element),
            Inner::Big(items) => items.next().map(|item| Element::Bytes(item.key)),
        }
    }
}
