//! What is noted of keys and fields that expire: events, effects, counts, and how late they went.

use crate::collection::CollectionMut;
use crate::entry::EntryBox;
use crate::hash::{Hash, HashMut};
use crate::turn::{Cause, EventClass, Garbage, Gone, Turn};

/// The expiry in one database.
pub(crate) struct Expiry<'t> {
    turn: &'t mut Turn,
    db: u32,
    /// By look-ups, and not by the timetable.
    found: bool,
}

impl<'t> Expiry<'t> {
    /// Of what the timetable says is due.
    pub(crate) fn due(turn: &'t mut Turn, db: u32) -> Expiry<'t> {
        Expiry { turn, db, found: false }
    }

    /// Of what a look-up finds to be due.
    pub(crate) fn found(turn: &'t mut Turn, db: u32) -> Expiry<'t> {
        Expiry { turn, db, found: true }
    }

    /// The time.
    pub(crate) fn now_ms(&self) -> i64 {
        self.turn.now_ms
    }

    /// Notes that `entry`, which is not live any more, expired, be it as a key or field by field, and frees it.
    pub(crate) fn entry(&mut self, entry: EntryBox) {
        let now_ms = self.turn.now_ms;
        if entry.view().deadline_ms().is_some_and(|deadline_ms| deadline_ms <= now_ms) {
            self.key(entry);
        } else {
            self.all_fields(entry);
        }
    }

    /// Notes that `entry` expired, and frees it.
    pub(crate) fn key(&mut self, entry: EntryBox) {
        let view = entry.view();
        let cause = Cause::Due { lag_ms: self.lag_ms(view.deadline_ms()), found: self.found };
        self.turn.gone.push(Gone { db: self.db, bytes: view.memory_bytes(), cause });
        self.turn.event(EventClass::Expired, "expired", self.db, view.key());
        self.turn.effect(self.db, [b"DEL".as_slice(), view.key()].into_iter());
        Garbage::discard(self.turn, entry);
    }

    /// Removes fields that are due from the hash in `entry`, at most `max`; how many. Gives the event and the effect.
    pub(crate) fn fields(&mut self, entry: &mut EntryBox, max: usize) -> usize {
        let (limits, now_ms, log) = (self.turn.limits, self.turn.now_ms, self.turn.log);
        let (mut names, mut ends) = (Vec::new(), Vec::new());
        let bytes = entry.view().memory_bytes();
        // Nothing is added, so no field is hashed with another secret than its hash has.
        let mut hash = HashMut::new(CollectionMut::new(entry, &limits, 0), now_ms);
        let count = hash.expire(max, |field| {
            if log {
                names.extend_from_slice(field.name.bytes(&mut itoa::Buffer::new()));
                ends.push(names.len());
            }
            self.field(field.deadline_ms, 1);
        });
        let key = entry.view().key();
        if count > 0 {
            self.freed(bytes.saturating_sub(entry.view().memory_bytes()));
            self.turn.event(EventClass::Hash, "hexpired", self.db, key);
        }
        if !ends.is_empty() {
            let starts = std::iter::once(0).chain(ends.iter().copied());
            let names: Vec<&[u8]> = starts.zip(&ends).map(|(start, &end)| &names[start..end]).collect();
            let effect: Vec<&[u8]> = [b"HDEL", key].into_iter().chain(names).collect();
            self.turn.effect(self.db, effect.into_iter());
        }
        count
    }

    /// Notes that the last fields of the hash in `entry`, which is out of the keyspace, were removed, and frees it.
    pub(crate) fn emptied(&mut self, entry: EntryBox) {
        self.freed(entry.view().memory_bytes());
        self.turn.event(EventClass::Generic, "del", self.db, entry.view().key());
        Garbage::discard(self.turn, entry);
    }

    /// Notes that all fields of the hash in `entry`, which is out of the keyspace, expired, and frees it.
    pub(crate) fn all_fields(&mut self, entry: EntryBox) {
        let view = entry.view();
        let fields = view.hash().map_or(0, Hash::len);
        self.field(Some(view.moment_ms()), fields as u64);
        self.turn.event(EventClass::Hash, "hexpired", self.db, view.key());
        self.turn.effect(self.db, [b"DEL".as_slice(), view.key()].into_iter());
        self.emptied(entry);
    }

    /// Notes that `count` fields were due at `deadline_ms`.
    fn field(&mut self, deadline_ms: Option<i64>, count: u64) {
        let (db, lag_ms, found) = (self.db, self.lag_ms(deadline_ms), self.found);
        match self.turn.gone.last_mut() {
            // Fields of one moment are mostly set, and go, together.
            Some(Gone { db: d, cause: Cause::Fields { count: n, lag_ms: lag, found: f }, .. })
                if (*d, *lag, *f) == (db, lag_ms, found) =>
            {
                *n += count;
            }
            _ => self.turn.gone.push(Gone { db, bytes: 0, cause: Cause::Fields { count, lag_ms, found } }),
        }
    }

    /// Notes that what went last gave back `bytes`.
    fn freed(&mut self, bytes: usize) {
        if let Some(gone) = self.turn.gone.last_mut() {
            gone.bytes += bytes;
        }
    }

    fn lag_ms(&self, deadline_ms: Option<i64>) -> i64 {
        let now_ms = self.turn.now_ms;
        now_ms.saturating_sub(deadline_ms.unwrap_or(now_ms))
    }
}
