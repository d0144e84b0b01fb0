//! One database as a command sees it, through the stripes that are held.
//!
//! Every look-up hides, and removes, a key whose deadline has come.

use crate::held::Held;
use crate::key::Key;
use crate::turn::Turn;
use crate::value::{Entry, Owned, Str, WrongType};

/// What becomes of a key's deadline when its value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// It stays as it is.
    Keep,
    /// It goes: the key is kept for good.
    Never,
    /// It becomes this, in milliseconds since the Unix epoch.
    At(i64),
}

/// When the memory of a removed value is freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Free {
    /// Before the command ends.
    Now,
    /// By another thread, when the value is big (UNLINK, the `lazyfree-*` directives).
    Later,
}

/// How [`Db::scan`] goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Where the next call starts; 0 when all has been seen.
    pub cursor: u64,
}

/// One database of the store, seen through held stripes during one command.
#[derive(Debug)]
pub struct Db<'a, 's> {
    pub(crate) held: &'a mut Held<'s>,
    /// What the command gets from its worker and leaves with it.
    pub turn: &'a mut Turn,
    pub(crate) index: u32,
}

impl<'a, 's> Db<'a, 's> {
    /// Database `index` through `held`.
    pub fn new(held: &'a mut Held<'s>, turn: &'a mut Turn, index: u32) -> Db<'a, 's> {
        Db { held, turn, index }
    }

    /// The database's number.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// How many databases the store has.
    pub fn databases(&self) -> u32 {
        todo!()
    }

    /// The same stripes, another database.
    pub fn at(&mut self, index: u32) -> Db<'_, 's> {
        Db { held: self.held, turn: self.turn, index }
    }

    /// `bytes` as a key.
    pub fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        self.held.store().key(bytes)
    }

    // -- reading ------------------------------------------------------------------------------

    /// The live entry of `key`, for a command that reads: counts a hit or a miss, and as an access.
    pub fn read(&mut self, key: Key<'_>) -> Option<Entry<'_>> {
        let _ = key;
        todo!()
    }

    /// The live entry of `key`, for a command that is going to write: counts as an access only.
    pub fn write(&mut self, key: Key<'_>) -> Option<Entry<'_>> {
        let _ = key;
        todo!()
    }

    /// The live entry of `key`, for a command that asks about the key, not its value (EXISTS, TYPE, TTL):
    /// counts a hit or a miss, but not as an access.
    pub fn look(&mut self, key: Key<'_>) -> Option<Entry<'_>> {
        let _ = key;
        todo!()
    }

    /// The live entry of `key`, without any trace (OBJECT and the like).
    pub fn peek(&mut self, key: Key<'_>) -> Option<Entry<'_>> {
        let _ = key;
        todo!()
    }

    /// [`Db::read`] of a string.
    pub fn read_string(&mut self, key: Key<'_>) -> Result<Option<Str<'_>>, WrongType> {
        self.read(key).map(Entry::string).transpose()
    }

    /// [`Db::write`] of a string.
    pub fn write_string(&mut self, key: Key<'_>) -> Result<Option<Str<'_>>, WrongType> {
        self.write(key).map(Entry::string).transpose()
    }

    // -- writing ------------------------------------------------------------------------------

    /// Makes `key` the string `value`, whatever it was. Bytes that are a canonical integer are kept as one.
    /// A new key is an event of class `New`, noted here.
    pub fn set_string(&mut self, key: Key<'_>, value: &[u8], deadline: Deadline) {
        let _ = (key, value, deadline);
        todo!()
    }

    /// Makes `key` the integer `n`, whatever it was.
    pub fn set_int(&mut self, key: Key<'_>, n: i64, deadline: Deadline) {
        let _ = (key, n, deadline);
        todo!()
    }

    /// Makes `key` the string `value` and keeps it as bytes, even when it is an integer in form (APPEND,
    /// SETRANGE, SETBIT and the like make such values: OBJECT ENCODING says `raw`).
    pub fn set_raw(&mut self, key: Key<'_>, value: &[u8], deadline: Deadline) {
        let _ = (key, value, deadline);
        todo!()
    }

    /// Adds `tail` to the end of the string at `key`, which is made when it is not there; its new length.
    /// Amortized cost: the length of `tail`. The caller has checked the type.
    pub fn append(&mut self, key: Key<'_>, tail: &[u8]) -> usize {
        let _ = (key, tail);
        todo!()
    }

    /// The bytes of the string at `key`, to be changed in place: made when it is not there, and lengthened
    /// with zeros to `len_min` when it is shorter. The caller has checked the type.
    pub fn string_mut(&mut self, key: Key<'_>, len_min: usize) -> &mut [u8] {
        let _ = (key, len_min);
        todo!()
    }

    /// Removes `key`; whether it was there.
    pub fn delete(&mut self, key: Key<'_>, free: Free) -> bool {
        let _ = (key, free);
        todo!()
    }

    /// Sets (`Some`: milliseconds since the Unix epoch) or takes away (`None`) the deadline of `key`; whether
    /// the key is there. A deadline in the past is kept like any other: the key is gone at once.
    pub fn set_deadline(&mut self, key: Key<'_>, deadline_ms: Option<i64>) -> bool {
        let _ = (key, deadline_ms);
        todo!()
    }

    /// Removes `key` and hands over its value with its deadline.
    pub fn take(&mut self, key: Key<'_>) -> Option<Owned> {
        let _ = key;
        todo!()
    }

    /// A copy of the value at `key` with its deadline.
    pub fn copy(&mut self, key: Key<'_>) -> Option<Owned> {
        let _ = key;
        todo!()
    }

    /// Makes `key` what `value` is, with its deadline; an old value is freed as `free` says.
    pub fn put(&mut self, key: Key<'_>, value: Owned, free: Free) {
        let _ = (key, value, free);
        todo!()
    }

    // -- the whole database -------------------------------------------------------------------

    /// How many keys it has; keys whose deadline came within the last milliseconds may still count.
    pub fn len(&self) -> u64 {
        todo!()
    }

    /// Whether it has no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of its keys have a deadline.
    pub fn volatile_len(&self) -> u64 {
        todo!()
    }

    /// A live key chosen at random.
    pub fn random_key(&mut self) -> Option<Box<[u8]>> {
        todo!()
    }

    /// Visits live entries from `cursor` on (0: the beginning) until about `count` were visited. A key that is
    /// there during all of a scan is visited exactly once, whatever else comes and goes.
    /// Without held stripes it takes them one at a time.
    pub fn scan(&mut self, cursor: u64, count: usize, visit: impl FnMut(Entry<'_>)) -> Scan {
        let _ = (cursor, count, visit);
        todo!()
    }

    /// Removes every key of this database; how many there were. Needs every stripe held.
    pub fn flush(&mut self, free: Free) -> u64 {
        let _ = free;
        todo!()
    }

    /// Exchanges this database's keys with those of database `other`. Needs every stripe held.
    pub fn swap(&mut self, other: u32) {
        let _ = other;
        todo!()
    }
}
