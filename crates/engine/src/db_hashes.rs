//! One database's hashes, whose fields expire like keys.

use crate::access;
use crate::collection::CollectionMut;
use crate::cut::Fate;
use crate::db::Db;
use crate::entry::{Entry, EntryBox};
use crate::expiry::Expiry;
use crate::hash::{Hash, HashMut};
use crate::key::Key;
use crate::table::Position;
use crate::value::{Kind, WrongType};

/// Due fields that a look-up removes at most: the others are hidden until a worker has removed them.
const LOOK_UP_FIELDS_MAX: usize = 256;

impl Db<'_, '_> {
    /// [`Db::read`] of a hash.
    #[inline]
    pub fn read_hash(&mut self, key: Key<'_>) -> Result<Option<Hash<'_>>, WrongType> {
        let now_ms = self.fields_now_ms();
        Ok(self.read(key).map(Entry::hash).transpose()?.map(|hash| hash.at(now_ms)))
    }

    /// [`Db::write`] of a hash.
    #[inline]
    pub fn write_hash(&mut self, key: Key<'_>) -> Result<Option<Hash<'_>>, WrongType> {
        let now_ms = self.fields_now_ms();
        Ok(self.write(key).map(Entry::hash).transpose()?.map(|hash| hash.at(now_ms)))
    }

    /// The time at which fields are due: while files are loaded none is.
    #[inline]
    pub fn fields_now_ms(&self) -> i64 {
        if self.turn.loading { i64::MIN } else { self.turn.now_ms }
    }

    /// Runs `change` on the hash at `key`, with one look-up. It is made when it is not there, and goes when it is empty
    /// after.
    ///
    /// # Errors
    /// [`WrongType`]: the key holds another kind of value, and nothing was run.
    #[inline]
    pub fn change_hash<R>(
        &mut self,
        key: Key<'_>,
        change: impl FnOnce(&mut HashMut<'_>) -> R,
    ) -> Result<R, WrongType> {
        match self.find(key) {
            Some(at) => self.change_hash_at(key, at, change),
            None => {
                let (limits, secret) = (self.turn.limits, self.secret());
                let access = access::fresh(self.turn.access, self.turn.now_ms);
                let mut entry = EntryBox::empty(key.bytes, Kind::Hash, access);
                let collection = CollectionMut::new(&mut entry, &limits, secret);
                let result = change(&mut HashMut::new(collection, self.fields_now_ms()));
                if !entry.is_gone() {
                    self.insert(key, entry);
                }
                Ok(result)
            }
        }
    }

    /// [`Db::change_hash`] of a hash that is there; otherwise nothing is run.
    ///
    /// # Errors
    /// [`WrongType`].
    #[inline]
    pub fn change_old_hash<R>(
        &mut self,
        key: Key<'_>,
        change: impl FnOnce(&mut HashMut<'_>) -> R,
    ) -> Result<Option<R>, WrongType> {
        self.find(key).map(|at| self.change_hash_at(key, at, change)).transpose()
    }

    #[inline]
    fn change_hash_at<R>(
        &mut self,
        key: Key<'_>,
        at: Position,
        change: impl FnOnce(&mut HashMut<'_>) -> R,
    ) -> Result<R, WrongType> {
        let (limits, secret, now_ms) = (self.turn.limits, self.secret(), self.fields_now_ms());
        if self.touch(key, at).kind() != Kind::Hash {
            return Err(WrongType);
        }
        let store = self.held.store();
        let (stripe, tables) = self.held.of_hash(key.hash);
        let table = tables.table_mut(self.index).expect("the entry's table is there");
        let (result, gone, timed) = table.update(key.hash, at, Fate::Changes, |entry| {
            let collection = CollectionMut::new(entry, &limits, secret);
            let result = change(&mut HashMut::new(collection, now_ms));
            (result, entry.is_gone(), entry.view().is_timed())
        });
        if gone {
            self.remove_at(key, at, Fate::Goes);
        } else if timed {
            store.note(stripe, self.index, Some(table));
        }
        Ok(result)
    }

    /// What a look-up finds in place of an entry with fields whose deadline has come: the entry without them, or nothing
    /// when there are no others.
    pub(crate) fn past_fields_moment(&mut self, key: Key<'_>, at: Position) -> Option<Position> {
        let store = self.held.store();
        let (stripe, tables) = self.held.of_hash(key.hash);
        let table = tables.table_mut(self.index)?;
        if !table.entry(at).is_live(self.turn.now_ms) {
            let entry = self.remove_at(key, at, Fate::Goes)?;
            Expiry::found(self.turn, self.index).all_fields(entry);
            return None;
        }
        let mut expiry = Expiry::found(self.turn, self.index);
        table.update(key.hash, at, Fate::Changes, |entry| expiry.fields(entry, LOOK_UP_FIELDS_MAX));
        store.note(stripe, self.index, Some(table));
        Some(at)
    }
}
