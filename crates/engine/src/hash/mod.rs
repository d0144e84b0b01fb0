//! Hashes: fields with values, each perhaps with a deadline.
//!
//! A field whose deadline has come is removed like a key: by the next look-up of its key, or by the worker that is
//! responsible, whoever is first ([`crate::db_hashes`], [`crate::table::Table::expire`]). A large hash, where that takes
//! several steps, hides the fields that are due and still there.

mod big;
mod change;
mod run;

pub(crate) use big::BigHash;
pub use change::HashMut;
use run::Run;

use crate::collection::{Big, Body};
use crate::entry::{Entry, Tags};
use crate::packed::{Element, Encoded};
use crate::rng::Rng;
use crate::value::{Kind, WrongType};

/// "No deadline" as a bound.
const NEVER: i64 = i64::MAX;

/// A field of a hash.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field<'e> {
    /// Its name.
    pub name: Element<'e>,
    /// Its value.
    pub value: Element<'e>,
    /// When it expires, in milliseconds since the Unix epoch; nothing: never.
    pub deadline_ms: Option<i64>,
}

impl Field<'_> {
    /// Whether it is there at `now_ms`.
    #[inline]
    pub(crate) fn is_live(self, now_ms: i64) -> bool {
        self.deadline_ms.is_none_or(|deadline_ms| deadline_ms > now_ms)
    }
}

/// A hash, to be read.
#[derive(Clone, Copy, Debug)]
pub struct Hash<'e> {
    body: Body<'e>,
    tags: Tags,
    /// Fields that are due at this time are hidden.
    now_ms: i64,
}

impl<'e> Hash<'e> {
    pub(crate) fn new(body: Body<'e>, tags: Tags) -> Hash<'e> {
        Hash { body, tags, now_ms: i64::MIN }
    }

    /// The hash as it is at `now_ms`: without the fields that are due. Before this call all that it holds are shown.
    pub fn at(self, now_ms: i64) -> Hash<'e> {
        Hash { now_ms, ..self }
    }

    #[inline]
    fn run(self) -> Option<Run<'e>> {
        match self.body {
            Body::Packed(packed) => Some(Run { packed, timed: self.tags.timed }),
            Body::Big(_) => None,
        }
    }

    #[inline]
    fn big(self) -> Option<&'e BigHash> {
        match self.body {
            Body::Big(Big::Hash(big)) => Some(big),
            _ => None,
        }
    }

    /// A moment before which no field expires.
    fn earliest(self) -> i64 {
        match (self.run(), self.big()) {
            (Some(run), _) => run.earliest(),
            (None, Some(big)) => big.earliest(),
            (None, None) => NEVER,
        }
    }

    /// How many fields are kept, due or not.
    fn kept(self) -> usize {
        self.run().map_or_else(|| self.big().map_or(0, BigHash::len), Run::fields)
    }

    /// How many fields it has. Constant time, unless some are due and not removed yet.
    pub fn len(self) -> usize {
        if self.earliest() > self.now_ms { self.kept() } else { self.iter().count() }
    }

    /// Whether it has no field.
    pub fn is_empty(self) -> bool {
        if self.earliest() > self.now_ms {
            return self.kept() == 0;
        }
        !self.big().map_or_else(|| self.iter().next().is_some(), |big| big.has_live(self.now_ms))
    }

    /// Whether fields that are due may be among those it keeps.
    pub fn has_due(self) -> bool {
        self.earliest() <= self.now_ms
    }

    /// Whether every field is due, as far as that is known without looking at them all.
    pub(crate) fn is_surely_due(self) -> bool {
        match (self.run(), self.big()) {
            (Some(_), _) => self.is_empty(),
            (None, big) => big.is_some_and(|big| big.is_surely_due(self.now_ms)),
        }
    }

    /// Whether it is so large that reading all of it takes long: then a clone is read instead.
    pub fn is_big(self) -> bool {
        matches!(self.body, Body::Big(_))
    }

    /// Whether fields have, or have had, deadlines.
    pub fn is_timed(self) -> bool {
        self.tags.timed
    }

    /// The field of this name.
    #[inline]
    pub fn get(self, name: &[u8]) -> Option<Field<'e>> {
        let field = match self.body {
            Body::Packed(packed) => {
                let run = Run { packed, timed: self.tags.timed };
                run.field(run.find(&Encoded::of(name))?)
            }
            Body::Big(_) => big::field(self.big()?.dict.get(name)?),
        };
        field.is_live(self.now_ms).then_some(field)
    }

    /// All fields: of a packed hash in the order they came, of a large one in the order of their hashes.
    pub fn iter(self) -> Fields<'e> {
        let of = match (self.run(), self.big()) {
            (Some(run), _) => Of::Run { run, at: run.first() },
            (None, Some(big)) => Of::Big(Box::new(big.fields())),
            (None, None) => Of::Big(Box::new(std::iter::empty())),
        };
        Fields { of, now_ms: self.now_ms }
    }

    /// Visits fields from `cursor` on (0: the beginning) until `count` were visited; where to go on, 0 at the end. A
    /// packed hash is visited at once. A field that is there during all of a scan is visited exactly once.
    pub fn scan(self, cursor: u64, count: usize, mut visit: impl FnMut(Field<'e>)) -> u64 {
        let now_ms = self.now_ms;
        let Some(big) = self.big() else {
            self.iter().for_each(visit);
            return 0;
        };
        let (seen, mut steps) = (std::cell::Cell::new(0), 0);
        let show = |item| {
            let field = big::field(item);
            if field.is_live(now_ms) {
                seen.set(seen.get() + 1);
                visit(field);
            }
        };
        big.dict.scan(cursor, show, || {
            steps += 1;
            // What is due costs time too.
            seen.get() < count && steps < count.saturating_mul(10)
        })
    }

    /// A field chosen at random, each as likely as any other; nothing when it has none.
    pub fn random(self, rng: &mut Rng) -> Option<Field<'e>> {
        /// Tries that hit a field that is due, before all that are not are counted.
        const TRIES: usize = 100;
        if let Some(big) = self.big() {
            let mut drawn = (0..TRIES).map_while(|_| big.dict.random(rng)).map(big::field);
            if let Some(field) = drawn.find(|field| field.is_live(self.now_ms)) {
                return Some(field);
            }
        }
        let len = self.len();
        self.iter().nth(rng.below(len.max(1) as u64) as usize)
    }
}

/// Fields of a hash, one after the other.
pub struct Fields<'e> {
    of: Of<'e>,
    now_ms: i64,
}

enum Of<'e> {
    Run { run: Run<'e>, at: usize },
    Big(Box<dyn Iterator<Item = Field<'e>> + 'e>),
}

impl<'e> Iterator for Fields<'e> {
    type Item = Field<'e>;

    #[inline]
    fn next(&mut self) -> Option<Field<'e>> {
        loop {
            let field = match &mut self.of {
                Of::Run { run, at } if *at < run.packed.end() => {
                    let spot = run.spot(*at);
                    *at = spot.end;
                    run.field(spot)
                }
                Of::Run { .. } => return None,
                Of::Big(fields) => fields.next()?,
            };
            if field.is_live(self.now_ms) {
                return Some(field);
            }
        }
    }
}

impl std::fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fields").finish_non_exhaustive()
    }
}

impl<'e> Entry<'e> {
    /// The value, when it is a hash; with all fields, see [`Hash::at`].
    #[inline]
    pub fn hash(self) -> Result<Hash<'e>, WrongType> {
        if self.kind() == Kind::Hash { Ok(Hash::new(self.body(), self.tags())) } else { Err(WrongType) }
    }

    /// The earlier of the key's deadline and that of its fields, or a moment before; `i64::MAX`: neither has one.
    #[inline]
    pub(crate) fn moment_ms(self) -> i64 {
        if !self.is_volatile() {
            return NEVER;
        }
        let key_ms = self.deadline_ms().unwrap_or(NEVER);
        if self.is_timed() { key_ms.min(Hash::new(self.body(), self.tags()).earliest()) } else { key_ms }
    }

    /// Whether the key is there at `now_ms`: neither it nor all of its fields are due.
    #[inline]
    pub(crate) fn is_live(self, now_ms: i64) -> bool {
        self.moment_ms() > now_ms || self.is_live_past_moment(now_ms)
    }

    #[cold]
    fn is_live_past_moment(self, now_ms: i64) -> bool {
        let key_is_live = self.deadline_ms().is_none_or(|deadline_ms| deadline_ms > now_ms);
        key_is_live && !(self.is_timed() && Hash::new(self.body(), self.tags()).at(now_ms).is_empty())
    }
}
