//! The large form of a hash.

use super::{Field, NEVER};
use crate::dict::{Dict, Item};
use crate::packed::Element;
use crate::relocate::Mover;

/// A large hash. Invariants: no field's deadline is before `earliest_ms` or after `latest_ms`.
#[derive(Clone, Debug)]
pub(crate) struct BigHash {
    pub(super) dict: Dict,
    earliest_ms: i64,
    latest_ms: i64,
}

impl BigHash {
    pub(super) fn new(secret: u64) -> BigHash {
        BigHash { dict: Dict::new(secret), earliest_ms: NEVER, latest_ms: i64::MIN }
    }

    /// How many fields it has, those included that are due.
    pub(crate) fn len(&self) -> usize {
        self.dict.len()
    }

    /// Bytes of memory it takes beside itself.
    pub(crate) fn allocated_bytes(&self) -> usize {
        self.dict.allocated_bytes()
    }

    /// See [`crate::collection::Big::relocate`].
    pub(crate) fn relocate(&mut self, cursor: u64, mover: &mut dyn Mover) -> Option<u64> {
        self.dict.relocate(cursor, mover)
    }

    /// A moment before which no field expires.
    pub(super) fn earliest(&self) -> i64 {
        self.earliest_ms
    }

    /// Notes that a field has this deadline.
    fn note(&mut self, deadline_ms: Option<i64>) {
        if let Some(at) = deadline_ms {
            self.earliest_ms = self.earliest_ms.min(at);
            self.latest_ms = self.latest_ms.max(at);
        }
    }

    /// Makes the field `name` have this value and deadline; whether it is new.
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8], deadline_ms: Option<i64>) -> bool {
        self.note(deadline_ms);
        self.dict.insert(name, value, deadline_ms)
    }

    /// Gives the field `name` another deadline, or none; whether it is there.
    pub(super) fn set_deadline(&mut self, name: &[u8], deadline_ms: Option<i64>) -> bool {
        self.note(deadline_ms);
        self.dict.set_deadline(name, deadline_ms)
    }

    /// Takes out fields whose deadline is not after `now_ms`, at most `max`, showing each to `gone`; how many.
    pub(super) fn expire(&mut self, now_ms: i64, max: usize, mut gone: impl FnMut(Field<'_>)) -> usize {
        let count = self.dict.expire(now_ms, max, |item| gone(field(item)));
        self.earliest_ms = self.dict.next_deadline().unwrap_or(NEVER);
        if self.dict.timed() == 0 {
            self.latest_ms = i64::MIN;
        }
        count
    }

    /// Whether every field is due at `now_ms`, as far as that is known without looking at them.
    pub(super) fn is_surely_due(&self, now_ms: i64) -> bool {
        self.dict.timed() == self.dict.len() && self.latest_ms <= now_ms
    }

    /// Whether a field is not due at `now_ms`.
    pub(super) fn has_live(&self, now_ms: i64) -> bool {
        let timed = self.dict.timed();
        timed < self.dict.len()
            || self.earliest_ms > now_ms
            || (self.latest_ms > now_ms && self.fields().any(|field| field.is_live(now_ms)))
    }

    /// All fields, in the order of their hashes.
    pub(super) fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.dict.iter().map(field)
    }
}

/// An item of the dictionary as a field.
#[inline]
pub(super) fn field(item: Item<'_>) -> Field<'_> {
    let (name, value) = (Element::Bytes(item.key), Element::Bytes(item.value));
    Field { name, value, deadline_ms: item.deadline_ms }
}
