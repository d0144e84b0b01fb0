//! The packed form of a hash: pairs of field and value; or, once a field has had a deadline, triples with it.
//!
//! Before the triples stands one more element, a moment before which no field expires, so that the entry tells it
//! without a look at the fields. -1 stands for no deadline in both places.

use smallvec::SmallVec;

use super::{Field, NEVER};
use crate::packed::{self, Element, Encoded, HEADER_BYTES, Packed};

/// A field on its way into a run.
pub(super) type Record = SmallVec<[u8; 192]>;

/// A packed hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'p> {
    pub(super) packed: Packed<'p>,
    pub(super) timed: bool,
}

/// Where in its run a field is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) name: usize,
    pub(super) value: usize,
    /// Where the deadline is, or would be.
    pub(super) deadline: usize,
    pub(super) end: usize,
}

impl<'p> Run<'p> {
    /// Elements that a field takes.
    #[inline]
    pub(super) fn step(self) -> usize {
        if self.timed { 3 } else { 2 }
    }

    /// The offset of the first field.
    #[inline]
    pub(super) fn first(self) -> usize {
        if self.timed && !self.packed.is_empty() { self.packed.next_at(HEADER_BYTES) } else { HEADER_BYTES }
    }

    /// How many fields it has.
    #[inline]
    pub(super) fn fields(self) -> usize {
        self.packed.len() / self.step()
    }

    /// Where the field of this name is.
    #[inline]
    pub(super) fn find(self, name: &Encoded) -> Option<Spot> {
        self.packed.find(name, self.first(), self.step()).map(|at| self.spot(at))
    }

    /// The field that begins at offset `name`.
    #[inline]
    pub(super) fn spot(self, name: usize) -> Spot {
        let value = self.packed.next_at(name);
        let deadline = self.packed.next_at(value);
        let end = if self.timed { self.packed.next_at(deadline) } else { deadline };
        Spot { name, value, deadline, end }
    }

    /// The field at `spot`.
    #[inline]
    pub(super) fn field(self, spot: Spot) -> Field<'p> {
        Field {
            name: self.packed.element_at(spot.name),
            value: self.packed.element_at(spot.value),
            deadline_ms: if self.timed { self.moment_at(spot.deadline) } else { None },
        }
    }

    /// Where all fields are.
    pub(super) fn spots(self) -> impl Iterator<Item = Spot> {
        let mut at = self.first();
        std::iter::from_fn(move || {
            (at < self.packed.end()).then(|| {
                let spot = self.spot(at);
                at = spot.end;
                spot
            })
        })
    }

    /// A moment before which no field expires.
    pub(super) fn earliest(self) -> i64 {
        let moment = if self.timed && !self.packed.is_empty() { self.moment_at(HEADER_BYTES) } else { None };
        moment.unwrap_or(NEVER)
    }

    fn moment_at(self, at: usize) -> Option<i64> {
        match self.packed.element_at(at) {
            Element::Int(moment_ms) => moment(moment_ms),
            Element::Bytes(_) | Element::Double(_) => None,
        }
    }
}

fn moment(number: i64) -> Option<i64> {
    (number != NO_DEADLINE).then_some(number)
}

const NO_DEADLINE: i64 = -1;

/// A deadline as it stands in a run.
pub(super) fn encoded(deadline_ms: Option<i64>) -> Encoded {
    Encoded::int(deadline_ms.unwrap_or(NO_DEADLINE))
}

/// Adds a field to the end of a run, which says of its elements how many they are.
#[inline]
pub(super) fn push_field(
    out: &mut impl packed::Sink,
    timed: bool,
    name: &Encoded,
    value: &[u8],
    deadline_ms: Option<i64>,
) {
    out.put(name.as_slice());
    packed::push(out, value);
    if timed {
        packed::push_int(out, deadline_ms.unwrap_or(NO_DEADLINE));
    }
}

/// A run of triples: those fields of `run` that are to `stay`.
pub(super) fn triples(run: Run<'_>, mut stay: impl FnMut(Field<'_>) -> bool) -> Vec<u8> {
    let spots: SmallVec<[Spot; 16]> = run.spots().filter(|&spot| stay(run.field(spot))).collect();
    if spots.is_empty() {
        return packed::EMPTY.to_vec();
    }
    let mut out = packed::EMPTY.to_vec();
    out.reserve(run.packed.end() + 16 + 2 * spots.len());
    let earliest = spots.iter().filter_map(|&spot| run.field(spot).deadline_ms).min();
    packed::push_int(&mut out, earliest.unwrap_or(NO_DEADLINE));
    for &spot in &spots {
        let bytes = run.packed.as_slice();
        out.extend_from_slice(&bytes[spot.name..spot.deadline]);
        packed::push_int(&mut out, run.field(spot).deadline_ms.unwrap_or(NO_DEADLINE));
    }
    packed::count_elements(&mut out, 1 + 3 * spots.len() as isize);
    out
}
