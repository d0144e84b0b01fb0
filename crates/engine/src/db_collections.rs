//! One database's collections, as [`crate::Db`] shows them to commands.

use smallvec::SmallVec;

use crate::access;
use crate::collection::{Big, CollectionMut};
use crate::cut::Fate;
use crate::db::Db;
use crate::entry::{Entry, EntryBox};
use crate::key::Key;
use crate::limits::Limits;
use crate::list::{List, ListMut};
use crate::set::{Set, SetMut};
use crate::stream::Stream;
use crate::value::{Kind, WrongType};
use crate::zset::{ZSet, ZSetMut};

/// For each kind: how it is read, and how it is changed.
macro_rules! kind {
    ($kind:ident, $what:literal, $view:ty, $as:ident, $read:ident, $write:ident, $change:ident, $mut:ident) => {
        #[doc = concat!("[`Db::read`] of a ", $what, ".")]
        #[inline]
        pub fn $read(&mut self, key: Key<'_>) -> Result<Option<$view>, WrongType> {
            self.read(key).map(Entry::$as).transpose()
        }

        #[doc = concat!("[`Db::write`] of a ", $what, ".")]
        #[inline]
        pub fn $write(&mut self, key: Key<'_>) -> Result<Option<$view>, WrongType> {
            self.write(key).map(Entry::$as).transpose()
        }

        #[doc = concat!("Runs `change` on the ", $what, " at `key`, which is made when it is not there, and goes when")]
        #[doc = "it is empty after. The caller has checked the type."]
        #[inline]
        pub fn $change<R>(&mut self, key: Key<'_>, change: impl FnOnce(&mut $mut<'_>) -> R) -> R {
            self.change(key, Kind::$kind, |collection| change(&mut $mut::new(collection)))
        }
    };
}

impl Db<'_, '_> {
    kind!(List, "list", List<'_>, list, read_list, write_list, change_list, ListMut);
    kind!(Set, "set", Set<'_>, set, read_set, write_set, change_set, SetMut);
    kind!(ZSet, "sorted set", ZSet<'_>, zset, read_zset, write_zset, change_zset, ZSetMut);

    /// [`Db::read`] of a stream.
    pub fn read_stream(&mut self, key: Key<'_>) -> Result<Option<&Stream>, WrongType> {
        self.read(key).map(Entry::stream).transpose()
    }

    /// [`Db::write`] of a stream.
    pub fn write_stream(&mut self, key: Key<'_>) -> Result<Option<&Stream>, WrongType> {
        self.write(key).map(Entry::stream).transpose()
    }

    /// Runs `change` on the stream at `key`, which is made when it is not there, and stays when it is empty after. The
    /// caller has checked the type.
    pub fn change_stream<R>(&mut self, key: Key<'_>, change: impl FnOnce(&mut Stream, &Limits) -> R) -> R {
        self.change(key, Kind::Stream, |mut collection| {
            let limits = collection.limits;
            match collection.big_mut() {
                Some(Big::Stream(stream)) => change(stream, limits),
                // The caller has checked the type; what is changed here is dropped.
                _ => change(&mut Stream::default(), limits),
            }
        })
    }

    /// The live entries of several keys, to be read together; each counts a hit or a miss, and as an access.
    pub fn entries(&mut self, keys: &[Key<'_>]) -> SmallVec<[Option<Entry<'_>>; 8]> {
        let live: SmallVec<[bool; 8]> = keys.iter().map(|&key| self.read(key).is_some()).collect();
        let (held, db) = (&*self.held, self.index);
        let entry = |key: Key<'_>| {
            let table = held.stripe(key.hash).table(db)?;
            table.find(key).map(|at| table.entry(at))
        };
        keys.iter().zip(live).map(|(&key, live)| if live { entry(key) } else { None }).collect()
    }

    /// What members of collections are hashed with.
    pub fn secret(&self) -> u64 {
        self.held.store().member_secret()
    }

    fn change<R>(&mut self, key: Key<'_>, kind: Kind, change: impl FnOnce(CollectionMut<'_>) -> R) -> R {
        let (limits, secret) = (self.turn.limits, self.secret());
        let Some(at) = self.find(key) else {
            let access = access::fresh(self.turn.access, self.turn.now_ms);
            let mut entry = EntryBox::empty(key.bytes, kind, access);
            let result = change(CollectionMut::new(&mut entry, &limits, secret));
            if !entry.is_gone() {
                self.insert(key, entry);
            }
            return result;
        };
        self.touch(key, at);
        let (_, tables) = self.held.of_hash(key.hash);
        let table = tables.table_mut(self.index).expect("the entry's table is there");
        let run = |entry: &mut EntryBox| {
            debug_assert_eq!(entry.view().kind(), kind, "the caller has checked the type");
            let result = change(CollectionMut::new(entry, &limits, secret));
            (result, entry.is_gone())
        };
        let (result, gone) = table.entry_mut(key.hash, at, Fate::Changes, run);
        if gone {
            self.remove_at(key, at, Fate::Goes);
        }
        result
    }
}
