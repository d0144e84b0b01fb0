//! Sets.
//!
//! Small ones are packed: sorted integers while the set is called `intset`, elements in the order they came otherwise.
//! Large ones are dictionaries. What OBJECT ENCODING calls a set, its stage, changes when Redis would change it.

mod ints;
mod iter;
#[cfg(test)]
mod tests;

use ints::{INTS_MAX, Ints};
pub use iter::Members;

use crate::collection::{Big, Body, CollectionMut};
use crate::dict::Dict;
use crate::entry::{Entry, EntryBox, Tags};
use crate::limits::Limits;
use crate::packed::{self, Element, Encoded, HEADER_BYTES, PACKED_BYTES_MAX, PACKED_ELEMENTS_MAX, Packed};
use crate::relocate::Mover;
use crate::rng::Rng;
use crate::value::{Kind, Owned, WrongType, canonical_int};

/// Called `intset`.
const INTSET: u8 = 0;
/// Called `listpack`.
const LISTPACK: u8 = 1;
/// Called `hashtable`.
const HASHTABLE: u8 = 2;

/// Members at which a large set that shrinks is packed again.
const REPACKED_MAX: usize = 32;
/// Longest decimal form of an integer.
const INT_BYTES_MAX: u64 = 20;

/// A large set.
#[derive(Clone, Debug)]
pub(crate) struct BigSet {
    dict: Dict,
}

impl BigSet {
    /// How many members it has.
    pub(crate) fn len(&self) -> usize {
        self.dict.len()
    }

    /// Memory it takes.
    pub(crate) fn allocated_bytes(&self) -> usize {
        self.dict.allocated_bytes()
    }

    /// See [`crate::collection::Big::relocate`].
    pub(crate) fn relocate(&mut self, cursor: u64, mover: &mut dyn Mover) -> Option<u64> {
        self.dict.relocate(cursor, mover)
    }
}

/// How a set is kept, in the form that its stage and body say.
#[derive(Clone, Copy, Debug)]
enum Form<'e> {
    Ints(Ints<'e>),
    Elements(Packed<'e>),
    Big(&'e Dict),
}

impl<'e> Form<'e> {
    fn of(body: Body<'e>, stage: u8) -> Form<'e> {
        match body {
            Body::Packed(run) if stage == INTSET => Form::Ints(Ints::new(run)),
            Body::Packed(run) => Form::Elements(run),
            Body::Big(Big::Set(big)) => Form::Big(&big.dict),
            // No set: it has no members.
            Body::Big(_) => Form::Elements(Packed::new(packed::EMPTY)),
        }
    }
}

/// A set, to be read.
#[derive(Clone, Copy, Debug)]
pub struct Set<'e> {
    form: Form<'e>,
}

impl<'e> Set<'e> {
    pub(crate) fn new(body: Body<'e>, tags: Tags) -> Set<'e> {
        Set { form: Form::of(body, tags.stage) }
    }

    /// How many members it has.
    #[allow(clippy::len_without_is_empty, reason = "a key whose set is empty is not there")]
    pub fn len(self) -> usize {
        match self.form {
            Form::Ints(ints) => ints.len(),
            Form::Elements(run) => run.len(),
            Form::Big(dict) => dict.len(),
        }
    }

    /// Whether it is large: a copy shares what it is made of, and costs next to nothing.
    pub fn is_big(self) -> bool {
        matches!(self.form, Form::Big(_))
    }

    /// Whether `member` is one.
    #[inline]
    pub fn contains(self, member: &[u8]) -> bool {
        match self.form {
            Form::Ints(ints) => canonical_int(member).is_some_and(|n| ints.search(n).is_ok()),
            Form::Elements(run) => run.find(&Encoded::of(member), HEADER_BYTES, 1).is_some(),
            Form::Big(dict) => dict.contains(member),
        }
    }

    /// All members. One that is an integer may come as that or as its decimal form.
    pub fn iter(self) -> Members<'e> {
        Members::of(self.form)
    }

    /// The member before which [`Set::iter`] gives `n`; nothing when there are no more.
    pub fn nth(self, n: usize) -> Option<Element<'e>> {
        match self.form {
            Form::Ints(ints) => (n < ints.len()).then(|| Element::Int(ints.at(n))),
            Form::Elements(run) => (n < run.len()).then(|| run.element_at(run.offset_of(n))),
            Form::Big(dict) => dict.nth(n).map(|item| Element::Bytes(item.key)),
        }
    }

    /// A member chosen at random, each as likely as any other; nothing when there is none.
    pub fn random(self, rng: &mut Rng) -> Option<Element<'e>> {
        self.nth(rng.below(self.len().max(1) as u64) as usize)
    }

    /// Shows `count` members chosen at random, each at most once, to `visit`; all of them when there are no more.
    pub fn sample(self, count: usize, rng: &mut Rng, mut visit: impl FnMut(Element<'e>)) {
        let len = self.len();
        // Few of many are drawn, and drawn again when they came before; otherwise all are gone through.
        if count < len / 4 {
            let mut drawn = std::collections::HashSet::with_capacity(count);
            while drawn.len() < count {
                let n = rng.below(len as u64) as usize;
                if drawn.insert(n) {
                    self.nth(n).into_iter().for_each(&mut visit);
                }
            }
            return;
        }
        let mut wanted = count.min(len);
        for (member, left) in self.iter().zip((1..=len).rev()) {
            if rng.below(left as u64) < wanted as u64 {
                visit(member);
                wanted -= 1;
            }
        }
    }

    /// Visits members from `cursor` on, about `count` of them; the cursor to go on from, 0 at the end. A small set is
    /// visited at once.
    pub fn scan(self, cursor: u64, count: usize, mut visit: impl FnMut(Element<'e>)) -> u64 {
        let Form::Big(dict) = self.form else {
            self.iter().for_each(visit);
            return 0;
        };
        let visited = std::cell::Cell::new(0);
        let step = |item: crate::dict::Item<'e>| {
            visited.set(visited.get() + 1);
            visit(Element::Bytes(item.key));
        };
        dict.scan(cursor, step, || visited.get() < count)
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

    /// The set as it is.
    #[inline]
    pub fn view(&self) -> Set<'_> {
        Set { form: Form::of(self.collection.body(), self.collection.stage()) }
    }

    /// Says that `count` members are to be added, `first` of them first: SADD with more arguments than an encoding
    /// takes changes the encoding, whether they are new or not.
    pub fn expect(&mut self, first: &[u8], count: usize) {
        let limits = self.collection.limits;
        let (ints_max, elements_max) = (limits.set_max_intset_entries, limits.set_max_listpack_entries);
        let count = count as u64;
        let stage = match self.collection.stage() {
            INTSET if self.view().len() == 0 => match () {
                () if count <= ints_max && canonical_int(first).is_some() => INTSET,
                () if count <= elements_max => LISTPACK,
                () => HASHTABLE,
            },
            INTSET if count > ints_max => HASHTABLE,
            LISTPACK if count > elements_max => HASHTABLE,
            stage => stage,
        };
        self.advance(stage);
    }

    /// Puts in `member`; whether it was not there.
    pub fn add(&mut self, member: &[u8]) -> bool {
        if let Some(Big::Set(big)) = self.collection.big_mut() {
            let new = big.dict.add(member, b"", None);
            if new {
                let stage = self.stage_with(member, self.view().len() - 1);
                self.advance(stage);
            }
            return new;
        }
        if self.view().contains(member) {
            return false;
        }
        let stage = self.stage_with(member, self.view().len());
        self.advance(stage);
        match (self.view().form, canonical_int(member)) {
            (Form::Ints(ints), Some(n)) if ints.len() < INTS_MAX => self.add_int(n),
            (Form::Elements(run), _) if run.len() < PACKED_ELEMENTS_MAX => {
                let (element, end) = (Encoded::of(member), run.end());
                if end + element.as_slice().len() <= PACKED_BYTES_MAX {
                    self.collection.splice(end..end, element.as_slice(), 1);
                } else {
                    self.add_to_big(member);
                }
            }
            _ => self.add_to_big(member),
        }
        true
    }

    /// Puts all members of `other` into this, which is empty: what they are made of is shared where they are many.
    pub fn add_all(&mut self, other: Set<'_>) {
        let limits = self.collection.limits;
        let packed_max = limits.set_max_intset_entries.max(limits.set_max_listpack_entries);
        if let Form::Big(dict) = other.form
            && dict.len() as u64 > packed_max
            && self.view().len() == 0
        {
            self.collection.set_big(Big::Set(BigSet { dict: dict.clone() }));
            self.collection.set_stage(HASHTABLE);
            return;
        }
        let mut digits = itoa::Buffer::new();
        other.iter().for_each(|member| {
            self.add(member.bytes(&mut digits));
        });
    }

    fn add_int(&mut self, n: i64) {
        let Form::Ints(ints) = self.view().form else { return };
        let (Ok(i) | Err(i)) = ints.search(n);
        if ints.takes(n) {
            let mut bytes = [0; 8];
            let (at, encoded) = (ints.place(i).start, ints.encoded(n, &mut bytes));
            self.collection.splice(at..at, encoded, 1);
        } else {
            let mut all: Vec<i64> = (0..ints.len()).map(|i| ints.at(i)).collect();
            all.insert(i, n);
            self.collection.set_packed(&ints::run_of(&all));
        }
    }

    fn add_to_big(&mut self, member: &[u8]) {
        self.make_big();
        if let Some(Big::Set(big)) = self.collection.big_mut() {
            big.dict.add(member, b"", None);
        }
    }

    /// The stage of the set when `member` comes to the `len` it has.
    fn stage_with(&self, member: &[u8], len: usize) -> u8 {
        let (stage, limits) = (self.collection.stage(), self.collection.limits);
        let len = len as u64;
        let value_max = limits.set_max_listpack_value;
        let fits = len < limits.set_max_listpack_entries && member.len() as u64 <= value_max;
        match stage {
            INTSET if canonical_int(member).is_some() => {
                if len < limits.set_max_intset_entries {
                    INTSET
                } else {
                    HASHTABLE
                }
            }
            INTSET | LISTPACK if !fits => HASHTABLE,
            // The integers become elements as long as their decimal form.
            INTSET if value_max < INT_BYTES_MAX && self.longest_bytes() as u64 > value_max => HASHTABLE,
            INTSET => LISTPACK,
            stage => stage,
        }
    }

    fn longest_bytes(&self) -> usize {
        self.view().iter().map(Element::len).max().unwrap_or(0)
    }

    /// Makes the stage `stage`; integers that are called otherwise become elements.
    fn advance(&mut self, stage: u8) {
        if stage == self.collection.stage() {
            return;
        }
        if let Form::Ints(_) = self.view().form {
            self.repack(stage);
        }
        self.collection.set_stage(stage);
    }

    /// Packs the members as `stage` wants it; makes the set large when that takes too much.
    fn repack(&mut self, stage: u8) {
        let mut digits = itoa::Buffer::new();
        let run = if stage == INTSET {
            let int = |member: Element<'_>| match member {
                Element::Int(n) => Some(n),
                member => canonical_int(member.bytes(&mut digits)),
            };
            let mut all: Vec<i64> = self.view().iter().filter_map(int).collect();
            all.sort_unstable();
            ints::run_of(&all)
        } else {
            let mut run = packed::EMPTY.to_vec();
            if self.view().len() > PACKED_ELEMENTS_MAX {
                return self.make_big();
            }
            for member in self.view().iter() {
                packed::push(&mut run, member.bytes(&mut digits));
            }
            packed::count_elements(&mut run, self.view().len() as isize);
            run
        };
        if run.len() <= PACKED_BYTES_MAX { self.collection.set_packed(&run) } else { self.make_big() }
    }

    /// Makes the set large, if it is not.
    fn make_big(&mut self) {
        if self.view().is_big() {
            return;
        }
        let mut dict = Dict::new(self.collection.secret);
        let mut digits = itoa::Buffer::new();
        self.view().iter().for_each(|member| {
            dict.add(member.bytes(&mut digits), b"", None);
        });
        self.collection.set_big(Big::Set(BigSet { dict }));
    }

    /// Takes out `member`; whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        if let Some(Big::Set(big)) = self.collection.big_mut() {
            let there = big.dict.remove(member);
            let len = big.len();
            if there && len <= REPACKED_MAX && len.is_power_of_two() {
                self.repack_small();
            }
            return there;
        }
        let range = match self.view().form {
            Form::Ints(ints) => {
                canonical_int(member).and_then(|n| ints.search(n).ok()).map(|i| ints.place(i))
            }
            Form::Elements(run) => {
                run.find(&Encoded::of(member), HEADER_BYTES, 1).map(|at| at..run.next_at(at))
            }
            Form::Big(_) => None,
        };
        range.map(|range| self.collection.splice(range, &[], -1)).is_some()
    }

    /// Packs a set that has become small, unless its members are long.
    fn repack_small(&mut self) {
        let bytes: usize = self.view().iter().map(|member| member.len() + 1).sum();
        if bytes <= PACKED_BYTES_MAX / 2 {
            self.repack(self.collection.stage());
        }
    }

    /// Calls a `hashtable` a `listpack` when its members would fit into one: SPOP that takes most members puts the
    /// others into a new set.
    pub fn restage(&mut self) {
        let limits = self.collection.limits;
        let fits = self.view().len() as u64 <= limits.set_max_listpack_entries
            && self.longest_bytes() as u64 <= limits.set_max_listpack_value;
        if fits && self.collection.stage() == HASHTABLE {
            self.collection.set_stage(LISTPACK);
        }
    }
}

/// A set that is made member by member, outside of the keyspace.
#[derive(Debug)]
pub struct SetBuilder {
    entry: EntryBox,
    limits: Limits,
    secret: u64,
}

impl SetBuilder {
    /// An empty set, whose members are hashed with `secret` (see [`crate::Db::secret`]).
    pub fn new(limits: Limits, secret: u64) -> SetBuilder {
        SetBuilder { entry: EntryBox::empty(b"", Kind::Set, 0), limits, secret }
    }

    /// The set, to be changed.
    pub fn as_mut(&mut self) -> SetMut<'_> {
        SetMut::new(CollectionMut::new(&mut self.entry, &self.limits, self.secret))
    }

    /// The set, to be read.
    pub fn view(&self) -> Set<'_> {
        Set::new(self.entry.view().body(), self.entry.view().tags())
    }

    /// The set as a value.
    pub fn finish(self) -> Owned {
        Owned::of(self.entry)
    }
}

impl Owned {
    /// A set of `members`.
    pub fn set<'m>(members: impl IntoIterator<Item = &'m [u8]>, limits: &Limits, secret: u64) -> Owned {
        let mut builder = SetBuilder::new(*limits, secret);
        let mut set = builder.as_mut();
        members.into_iter().for_each(|member| {
            set.add(member);
        });
        builder.finish()
    }
}
