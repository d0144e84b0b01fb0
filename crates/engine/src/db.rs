//! One database as a command sees it, through the stripes that are held.
//!
//! Every look-up hides, and removes, a key whose deadline has come.

use crate::access::{self, Access};
use crate::cut::Fate;
use crate::entry::{Entry, EntryBox, Payload};
use crate::expiry::Expiry;
use crate::held::Held;
use crate::key::Key;
use crate::table::{Position, Table};
use crate::turn::{EventClass, Garbage, Turn};
use crate::value::{Kind, Owned, Str, WrongType, canonical_int};

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
    /// Before the command ends, unless it is a large collection.
    Now,
    /// By another thread, when the value is big (UNLINK, the `lazyfree-*` directives).
    Later,
}

/// How [`Db::scan`] goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Where the next call starts; 0 when all has been seen. Below 2^48.
    pub cursor: u64,
}

/// A cursor is the top 48 bits of a hash.
const CURSOR_SHIFT: u32 = 16;

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
    ///
    /// # Panics
    /// Panics when the store has no such database.
    #[inline]
    pub fn new(held: &'a mut Held<'s>, turn: &'a mut Turn, index: u32) -> Db<'a, 's> {
        assert!(index < held.store().databases(), "a session's database is one of the store's");
        Db { held, turn, index }
    }

    /// The database's number.
    #[inline]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// How many databases the store has.
    pub fn databases(&self) -> u32 {
        self.held.store().databases()
    }

    /// The same stripes, another database.
    pub fn at(&mut self, index: u32) -> Db<'_, 's> {
        Db::new(self.held, self.turn, index)
    }

    /// `bytes` as a key.
    #[inline]
    pub fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        self.held.store().key(bytes)
    }

    /// Lets go of every stripe, for a command that waits for others who need them, or works on with a clone of what it
    /// has read. Nothing of the data can be touched any more.
    pub fn release(&mut self) {
        // What was changed until now, by commands before this one, is ordered while its stripes are held.
        self.turn.seal(self.held.store().order());
        self.held.release();
    }

    // -- reading ------------------------------------------------------------------------------

    /// The live entry of `key`, for a command that reads: counts a hit or a miss, and as an access.
    #[inline]
    pub fn read(&mut self, key: Key<'_>) -> Option<Entry<'_>> {
        let at = self.found(key)?;
        Some(self.touch(key, at))
    }

    /// [`Db::find`], counted as a hit or a miss.
    #[inline]
    fn found(&mut self, key: Key<'_>) -> Option<Position> {
        let at = self.find(key);
        match at {
            Some(_) => self.turn.hits += 1,
            None => {
                self.turn.misses += 1;
                self.turn.event(EventClass::KeyMiss, "keymiss", self.index, key.bytes);
            }
        }
        at
    }

    /// The live entry of `key`, for a command that is going to write: counts as an access only.
    #[inline]
    pub fn write(&mut self, key: Key<'_>) -> Option<Entry<'_>> {
        let at = self.find(key)?;
        Some(self.touch(key, at))
    }

    /// The live entry of `key`, for a command that asks about the key, not its value (EXISTS, TYPE, TTL):
    /// counts a hit or a miss, but not as an access.
    pub fn look(&mut self, key: Key<'_>) -> Option<Entry<'_>> {
        let at = self.found(key)?;
        Some(self.table(key)?.entry(at))
    }

    /// The live entry of `key`, without any trace (OBJECT and the like).
    #[inline]
    pub fn peek(&mut self, key: Key<'_>) -> Option<Entry<'_>> {
        let at = self.find(key)?;
        Some(self.table(key)?.entry(at))
    }

    /// [`Db::read`] of a string.
    #[inline]
    pub fn read_string(&mut self, key: Key<'_>) -> Result<Option<Str<'_>>, WrongType> {
        self.read(key).map(Entry::string).transpose()
    }

    /// [`Db::write`] of a string.
    #[inline]
    pub fn write_string(&mut self, key: Key<'_>) -> Result<Option<Str<'_>>, WrongType> {
        self.write(key).map(Entry::string).transpose()
    }

    #[inline]
    fn table(&mut self, key: Key<'_>) -> Option<&mut Table> {
        self.held.of_hash(key.hash).1.table_mut(self.index)
    }

    /// Finds `key` while it is live; removes it when its deadline has come.
    #[inline]
    pub(crate) fn find(&mut self, key: Key<'_>) -> Option<Position> {
        let now_ms = self.turn.now_ms;
        let table = self.table(key)?;
        let at = table.find(key)?;
        if table.entry(at).moment_ms() > now_ms {
            return Some(at);
        }
        self.past_moment(key, at)
    }

    /// What a look-up finds in place of an entry whose deadline, or that of a field, has come: nothing, and the entry
    /// goes, or the entry without the fields that are due; while files are loaded, the entry.
    #[cold]
    fn past_moment(&mut self, key: Key<'_>, at: Position) -> Option<Position> {
        if self.turn.loading {
            return Some(at);
        }
        let (now_ms, keep_expired) = (self.turn.now_ms, self.turn.keep_expired);
        let entry = self.table(key)?.entry(at);
        if keep_expired {
            return entry.is_live(now_ms).then_some(at);
        }
        if entry.deadline_ms().is_none_or(|deadline_ms| deadline_ms > now_ms) {
            return self.past_fields_moment(key, at);
        }
        let entry = self.remove_at(key, at, Fate::Goes)?;
        Expiry::found(self.turn, self.index).key(entry);
        None
    }

    /// Notes an access to the entry at `at`.
    #[inline]
    pub(crate) fn touch(&mut self, key: Key<'_>, at: Position) -> Entry<'_> {
        let (policy, now_ms, no_touch) = (self.turn.access, self.turn.now_ms, self.turn.no_touch);
        let table = self.held.of_hash(key.hash).1.table_mut(self.index).expect("the entry's table is there");
        if !no_touch {
            let before = table.entry(at).access();
            let after = access::touched(before, policy, now_ms, &mut self.turn.rng);
            // Unchanged mostly: then the entry's cache line stays clean.
            if after != before {
                table.set_access(at, after);
            }
        }
        table.entry(at)
    }

    // -- writing ------------------------------------------------------------------------------

    /// Makes `key` the string `value`, whatever it was. Bytes that are a canonical integer are kept as one.
    /// A new key is an event of class `New`, noted here.
    #[inline]
    pub fn set_string(&mut self, key: Key<'_>, value: &[u8], deadline: Deadline) {
        let payload = canonical_int(value).map_or(Payload::Bytes { bytes: value, raw: false }, Payload::Int);
        self.set(key, payload, deadline);
    }

    /// Makes `key` the integer `n`, whatever it was.
    #[inline]
    pub fn set_int(&mut self, key: Key<'_>, n: i64, deadline: Deadline) {
        self.set(key, Payload::Int(n), deadline);
    }

    /// Makes the integer at `key`, 0 when it is not there, what `change` makes of it, with one look-up; the new one.
    /// Nothing, and no change, when `key` is not kept as an integer or `change` gives nothing.
    #[inline]
    pub fn update_int(&mut self, key: Key<'_>, change: impl FnOnce(i64) -> Option<i64>) -> Option<i64> {
        let Some(at) = self.find(key) else {
            let first = change(0)?;
            let access = access::fresh(self.turn.access, self.turn.now_ms);
            self.insert(key, EntryBox::new(key.bytes, Payload::Int(first), None, access));
            return Some(first);
        };
        let Ok(Str::Int(before)) = self.touch(key, at).string() else { return None };
        let after = change(before)?;
        let replaced = self
            .table(key)?
            .entry_mut(key.hash, at, Fate::Changes, |e| e.replace_value(Payload::Int(after)).is_ok());
        debug_assert!(replaced, "an integer takes the place of another");
        Some(after)
    }

    /// Makes `key` the string `value` and keeps it as bytes, even when it is an integer in form (APPEND,
    /// SETRANGE, SETBIT and the like make such values: OBJECT ENCODING says `raw`).
    pub fn set_raw(&mut self, key: Key<'_>, value: &[u8], deadline: Deadline) {
        self.set(key, Payload::Bytes { bytes: value, raw: true }, deadline);
    }

    /// Makes `key` the string `value` and keeps it as bytes, even when it is an integer in form: what INCRBYFLOAT
    /// makes, for which OBJECT ENCODING says `embstr`.
    pub fn set_text(&mut self, key: Key<'_>, value: &[u8], deadline: Deadline) {
        self.set(key, Payload::Bytes { bytes: value, raw: false }, deadline);
    }

    #[inline]
    fn set(&mut self, key: Key<'_>, value: Payload<'_>, deadline: Deadline) {
        let Some(at) = self.find(key) else {
            let access = access::fresh(self.turn.access, self.turn.now_ms);
            let deadline_ms = if let Deadline::At(at) = deadline { Some(at) } else { None };
            return self.insert(key, EntryBox::new(key.bytes, value, deadline_ms, access));
        };
        let store = self.held.store();
        let (stripe, tables) = self.held.of_hash(key.hash);
        let Some(table) = tables.table_mut(self.index) else { return };
        let access = access::overwritten(table.entry(at).access(), self.turn);
        let (before, was_timed) = (table.entry(at).deadline_ms(), table.entry(at).is_timed());
        let after = match deadline {
            Deadline::Keep => before,
            Deadline::Never => None,
            Deadline::At(at) => Some(at),
        };
        let replace = |entry: &mut EntryBox| {
            let value =
                if before.is_some() == after.is_some() { entry.replace_value(value) } else { Err(value) };
            match value {
                Err(value) => {
                    let new = EntryBox::new(key.bytes, value, after, access);
                    let old = std::mem::replace(entry, new);
                    (old.view().kind() != Kind::String).then_some(old)
                }
                Ok(()) => {
                    entry.set_access(access);
                    after.map(|at| entry.replace_deadline(at));
                    None
                }
            }
        };
        let old = if before == after && !was_timed {
            table.entry_mut(key.hash, at, Fate::Goes, replace)
        } else {
            let old = table.update(key.hash, at, Fate::Goes, replace);
            store.note(stripe, self.index, Some(table));
            old
        };
        // A large collection takes long to free, and whoever writes over it shall not wait for that.
        if let Some(old) = old {
            Garbage::discard(self.turn, old);
        }
    }

    /// Makes `key` the string `value`, used as `access` says, unless the key is there; whether it did.
    pub fn add_string(
        &mut self,
        key: Key<'_>,
        value: &[u8],
        deadline_ms: Option<i64>,
        access: Access,
    ) -> bool {
        let new = self.find(key).is_none();
        if new {
            let payload =
                canonical_int(value).map_or(Payload::Bytes { bytes: value, raw: false }, Payload::Int);
            let access = access.metadata(self.turn.access, self.turn.now_ms);
            self.insert(key, EntryBox::new(key.bytes, payload, deadline_ms, access));
        }
        new
    }

    /// Puts `value` at `key`, with its deadline and used as `access` says, unless the key is there; whether it did.
    pub fn add(&mut self, key: Key<'_>, mut value: Owned, access: Access) -> bool {
        let new = self.find(key).is_none();
        if new {
            value.access = access.metadata(self.turn.access, self.turn.now_ms);
            self.insert(key, value.into_entry(key.bytes));
        }
        new
    }

    pub(crate) fn insert(&mut self, key: Key<'_>, entry: EntryBox) {
        self.place(key, entry);
        self.turn.event(EventClass::New, "new", self.index, key.bytes);
    }

    /// Puts in an entry whose key is not there, of which nobody is told.
    fn place(&mut self, key: Key<'_>, entry: EntryBox) {
        let store = self.held.store();
        let (stripe, tables) = self.held.of_hash(key.hash);
        let table = tables.table_or_new(self.index, store.stripe_bits());
        table.insert(key.hash, entry, |key| store.hash(key));
        store.note(stripe, self.index, Some(table));
    }

    /// Adds `tail` to the end of the string at `key`, which is made when it is not there; its new length.
    /// Amortized cost: the length of `tail`. The caller has checked the type with [`Db::write`], which is the access.
    pub fn append(&mut self, key: Key<'_>, tail: &[u8]) -> usize {
        let Some(at) = self.find(key) else {
            self.set_string(key, tail, Deadline::Never);
            return tail.len();
        };
        let Some(table) = self.table(key) else { return 0 };
        table.entry_mut(key.hash, at, Fate::Changes, |entry| {
            entry.append(tail);
            entry.view().str().len()
        })
    }

    /// The bytes of the string at `key`, to be changed in place: made when it is not there, and lengthened
    /// with zeros to `len_min` when it is shorter. The caller has checked the type, which counted as the access.
    pub fn string_mut(&mut self, key: Key<'_>, len_min: usize) -> &mut [u8] {
        let at = self.find(key).or_else(|| {
            self.set_raw(key, b"", Deadline::Never);
            self.find(key)
        });
        let table = self.table(key).expect("the key is there, or was just made");
        let at = at.expect("the key is there, or was just made");
        table.entry_mut(key.hash, at, Fate::Changes, |entry| entry.lengthen(len_min));
        table.bytes_mut(at)
    }

    /// Removes `key`; whether it was there.
    pub fn delete(&mut self, key: Key<'_>, free: Free) -> bool {
        let entry = self.find(key).and_then(|at| self.remove_at(key, at, Fate::Goes));
        let there = entry.is_some();
        if let Some(entry) = entry {
            Garbage::free_entry(self.turn, entry, free);
        }
        there
    }

    pub(crate) fn remove_at(&mut self, key: Key<'_>, at: Position, fate: Fate) -> Option<EntryBox> {
        let store = self.held.store();
        let (stripe, tables) = self.held.of_hash(key.hash);
        let table = tables.table_mut(self.index)?;
        let entry = table.remove(key.hash, at, fate);
        store.note(stripe, self.index, Some(table));
        Some(entry)
    }

    /// Sets (`Some`: milliseconds since the Unix epoch) or takes away (`None`) the deadline of `key`; whether
    /// the key is there. A deadline in the past is kept like any other: the key is gone at once.
    pub fn set_deadline(&mut self, key: Key<'_>, deadline_ms: Option<i64>) -> bool {
        let Some(at) = self.find(key) else { return false };
        let store = self.held.store();
        let (stripe, tables) = self.held.of_hash(key.hash);
        let Some(table) = tables.table_mut(self.index) else { return false };
        table.update(key.hash, at, Fate::Changes, |entry| entry.set_deadline(deadline_ms));
        store.note(stripe, self.index, Some(table));
        true
    }

    /// Removes `key` and hands over its value with its deadline.
    pub fn take(&mut self, key: Key<'_>) -> Option<Owned> {
        let at = self.find(key)?;
        self.remove_at(key, at, Fate::Changes).map(Owned::of)
    }

    /// A copy of the value at `key` with its deadline, used as if it was made now.
    pub fn copy(&mut self, key: Key<'_>) -> Option<Owned> {
        let access = access::fresh(self.turn.access, self.turn.now_ms);
        let mut copy = self.peek(key).map(Owned::copy_of)?;
        copy.access = access;
        Some(copy)
    }

    /// Makes `key` what `value` is, with its deadline; an old value is freed as `free` says.
    pub fn put(&mut self, key: Key<'_>, value: Owned, free: Free) {
        self.delete(key, free);
        self.insert(key, value.into_entry(key.bytes));
    }

    /// Makes `key` the new value `value`, whatever it was; an old value is freed as `free` says.
    pub fn overwrite(&mut self, key: Key<'_>, mut value: Owned, free: Free) {
        let before = self.peek(key).map(Entry::access);
        value.access = match before {
            Some(before) => access::overwritten(before, self.turn),
            None => access::fresh(self.turn.access, self.turn.now_ms),
        };
        let entry = value.into_entry(key.bytes);
        if self.delete(key, free) { self.place(key, entry) } else { self.insert(key, entry) }
    }

    // -- the whole database -------------------------------------------------------------------

    /// How many keys it has; keys whose deadline came within the last milliseconds may still count.
    pub fn len(&self) -> u64 {
        self.held.store().len(self.index)
    }

    /// Whether it has no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of its keys have a deadline.
    pub fn volatile_len(&self) -> u64 {
        self.held.store().volatile_len(self.index)
    }

    /// A live key chosen at random, each as likely as any other. Without held stripes it takes one.
    pub fn random_key(&mut self) -> Option<Box<[u8]>> {
        /// Tries that hit an expired key before the next live one in order is good enough.
        const TRIES: usize = 100;
        let (store, db, now_ms) = (self.held.store(), self.index, self.turn.now_ms);
        for _ in 0..TRIES {
            let mut n = self.turn.rng.below(self.len().max(1)) as i64;
            let stripe = (0..store.stripes()).find(|&s| {
                n -= i64::from(store.stripe_len(db, s));
                n < 0
            })?;
            let rng = &mut self.turn.rng;
            let key: Option<Box<[u8]>> = self.held.with_stripe(stripe, |tables| {
                let entry = tables.table(db)?.random(rng)?;
                entry.is_live(now_ms).then(|| entry.key().into())
            });
            if key.is_some() {
                return key;
            }
        }
        let mut key = None;
        self.scan(0, 1, |entry| key = Some(entry.key().into()));
        key
    }

    /// Visits live entries from `cursor` on (0: the beginning) until about `count` were visited. A key that is
    /// there during all of a scan is visited exactly once, whatever else comes and goes. Keys on the way whose deadline
    /// has come are removed. Without held stripes it takes them one at a time.
    pub fn scan(&mut self, cursor: u64, count: usize, mut visit: impl FnMut(Entry<'_>)) -> Scan {
        let (store, db, now_ms) = (self.held.store(), self.index, self.turn.now_ms);
        let turn = &mut *self.turn;
        let keeps = turn.loading || turn.keep_expired;
        // Homes without a live key cost less than keys, but not nothing.
        let (mut keys, mut homes) = (count, count.saturating_mul(10));
        let mut hash = cursor << CURSOR_SHIFT;
        for stripe in store.stripe_of(hash)..store.stripes() {
            hash = hash.max(store.first_hash(stripe));
            if store.stripe_len(db, stripe) == 0 {
                continue;
            }
            if keys == 0 || homes == 0 {
                return Scan { cursor: hash >> CURSOR_SHIFT };
            }
            let next = self.held.with_stripe(stripe, |tables| {
                let table = tables.table_mut(db)?;
                let left = std::cell::Cell::new(keys);
                let mut past: Vec<Box<[u8]>> = Vec::new();
                let visit = |entry: Entry<'_>| {
                    if entry.is_live(now_ms) {
                        left.set(left.get().saturating_sub(1));
                        visit(entry);
                    } else if !keeps {
                        past.push(entry.key().into());
                    }
                };
                let more = || {
                    homes = homes.saturating_sub(1);
                    left.get() > 0 && homes > 0
                };
                let next = table.visit_from(hash, visit, more);
                keys = left.get();
                for key in past {
                    let key = store.key(&key);
                    if let Some(at) = table.find(key) {
                        let entry = table.remove(key.hash, at, Fate::Goes);
                        Expiry::found(turn, db).entry(entry);
                    }
                    store.note(stripe, db, Some(table));
                    // Others may take the stripe next.
                    turn.seal(store.order());
                }
                next
            });
            if let Some(hash) = next {
                return Scan { cursor: hash >> CURSOR_SHIFT };
            }
        }
        Scan { cursor: 0 }
    }

    /// Removes every key of this database; how many there were. Needs every stripe held.
    pub fn flush(&mut self, free: Free) -> u64 {
        let (store, db, count) = (self.held.store(), self.index, self.len());
        let mut tables = Vec::new();
        for stripe in 0..store.stripes() {
            self.held.with_stripe(stripe, |s| tables.extend(s.take_table(db).and_then(Table::detach)));
            store.note(stripe, db, None);
        }
        if free == Free::Later {
            self.turn.garbage.push(Garbage::tables(tables));
        }
        count
    }

    /// Exchanges this database's keys with those of database `other`. Needs every stripe held.
    ///
    /// # Panics
    /// Panics when the store has no such database.
    pub fn swap(&mut self, other: u32) {
        assert!(other < self.databases(), "the other database is one of the store's");
        let (store, db) = (self.held.store(), self.index);
        for stripe in 0..store.stripes() {
            self.held.with_stripe(stripe, |s| {
                s.swap_tables(db, other);
                store.note(stripe, db, s.table(db));
                store.note(stripe, other, s.table(other));
            });
        }
    }
}
