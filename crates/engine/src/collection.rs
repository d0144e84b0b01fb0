//! Collections: what the five kinds have in common.
//!
//! A small one is packed into its entry, a large one stands apart. Large ones are made of nodes that clones share, so
//! that a clone costs next to nothing and later changes copy only the nodes they touch: snapshots, COPY and long reads
//! rest on that.

use std::ops::Range;

use rapidhash::v3::{RapidSecrets, rapidhash_v3_nano_inline};

use crate::entry::{EntryBox, Tags};
use crate::hash::BigHash;
use crate::limits::Limits;
use crate::list::BigList;
use crate::packed::{self, Packed};
use crate::relocate::Mover;
use crate::set::BigSet;
use crate::stream::Stream;
use crate::value::Kind;
use crate::zset::BigZSet;

/// A large collection. A clone is cheap and shares its nodes.
#[derive(Clone, Debug)]
pub(crate) enum Big {
    /// A list.
    List(BigList),
    /// A set.
    Set(BigSet),
    /// A sorted set.
    ZSet(BigZSet),
    /// A hash.
    Hash(BigHash),
    /// A stream, however small.
    Stream(Stream),
}

impl Big {
    /// Bytes of memory it takes beside itself; nodes that clones share are counted in each.
    pub(crate) fn allocated_bytes(&self) -> usize {
        match self {
            Big::List(list) => list.allocated_bytes(),
            Big::Set(set) => set.allocated_bytes(),
            Big::ZSet(zset) => zset.allocated_bytes(),
            Big::Hash(hash) => hash.allocated_bytes(),
            Big::Stream(stream) => stream.allocated_bytes(),
        }
    }

    /// Moves what it is made of, from `cursor` on (0 is the beginning), where `mover` wants it moved; where to go on when
    /// there is no time for the rest. What a clone shares stays.
    pub(crate) fn relocate(&mut self, cursor: u64, mover: &mut dyn Mover) -> Option<u64> {
        match self {
            Big::List(list) => list.relocate(cursor, mover),
            Big::Set(set) => set.relocate(cursor, mover),
            Big::ZSet(zset) => zset.relocate(cursor, mover),
            Big::Hash(hash) => hash.relocate(cursor, mover),
            Big::Stream(stream) => stream.relocate(cursor, mover),
        }
    }

    /// Whether its key goes, for nothing is left: a stream stays.
    pub(crate) fn is_gone(&self) -> bool {
        match self {
            Big::List(list) => list.len() == 0,
            Big::Set(set) => set.len() == 0,
            Big::ZSet(zset) => zset.len() == 0,
            Big::Hash(hash) => hash.len() == 0,
            Big::Stream(_) => false,
        }
    }
}

/// How a collection is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body<'e> {
    /// As packed elements.
    Packed(Packed<'e>),
    /// Apart.
    Big(&'e Big),
}

/// A collection made in one go, on its way into an entry.
#[derive(Debug)]
pub(crate) enum Collection {
    /// Packed elements.
    Packed { run: Vec<u8>, tags: Tags },
    /// A large one.
    Big { big: Box<Big>, tags: Tags },
}

/// A collection in its entry, to be changed. The types' own views of it are made of this.
#[derive(Debug)]
pub(crate) struct CollectionMut<'e> {
    entry: &'e mut EntryBox,
    /// What the configuration says of encodings.
    pub(crate) limits: &'e Limits,
    /// What members are hashed with.
    pub(crate) secret: u64,
}

impl<'e> CollectionMut<'e> {
    pub(crate) fn new(entry: &'e mut EntryBox, limits: &'e Limits, secret: u64) -> CollectionMut<'e> {
        CollectionMut { entry, limits, secret }
    }

    /// How it is kept.
    #[inline]
    pub(crate) fn body(&self) -> Body<'_> {
        self.entry.view().body()
    }

    /// What the entry says of it.
    #[inline]
    pub(crate) fn tags(&self) -> Tags {
        self.entry.view().tags()
    }

    /// The packed elements; nothing when it is large.
    #[inline]
    pub(crate) fn packed(&self) -> Option<Packed<'_>> {
        match self.body() {
            Body::Packed(run) => Some(run),
            Body::Big(_) => None,
        }
    }

    /// Puts `with`, elements that make `count` more (or fewer) than there were, in the place of these bytes of the
    /// packed run.
    #[inline]
    pub(crate) fn splice(&mut self, range: Range<usize>, with: &[u8], count: isize) {
        self.entry.splice(range, with);
        if count != 0
            && let Some(run) = self.entry.packed_mut()
        {
            packed::count_elements(run, count);
        }
    }

    /// Makes it this packed run.
    pub(crate) fn set_packed(&mut self, run: &[u8]) {
        self.entry.set_packed(run);
    }

    /// The large collection, if it is one.
    #[inline]
    pub(crate) fn big_mut(&mut self) -> Option<&mut Big> {
        self.entry.big_mut()
    }

    /// Makes it this large collection.
    pub(crate) fn set_big(&mut self, big: Big) {
        self.entry.set_big(Box::new(big));
    }

    /// Which of the names OBJECT ENCODING gives.
    #[inline]
    pub(crate) fn stage(&self) -> u8 {
        self.entry.view().stage()
    }

    /// Sets which of the names OBJECT ENCODING gives.
    #[inline]
    pub(crate) fn set_stage(&mut self, stage: u8) {
        let timed = self.entry.view().is_timed();
        self.entry.set_tags(stage, timed);
    }

    /// Notes whether fields have deadlines.
    pub(crate) fn set_timed(&mut self, timed: bool) {
        let stage = self.stage();
        self.entry.set_tags(stage, timed);
    }
}

impl EntryBox {
    /// Whether the key goes, for nothing is left of its collection.
    #[inline]
    pub(crate) fn is_gone(&self) -> bool {
        match self.view().body() {
            Body::Packed(run) => run.is_empty(),
            Body::Big(big) => big.is_gone(),
        }
    }

    /// An empty collection at `key`.
    pub(crate) fn empty(key: &[u8], kind: Kind, access: u32) -> EntryBox {
        use crate::entry::Payload;
        let tags = Tags::of(kind);
        let value = match kind {
            Kind::Stream => Payload::Big { big: Box::new(Big::Stream(Stream::default())), tags },
            _ => Payload::Tagged { bytes: packed::EMPTY, tags },
        };
        EntryBox::new(key, value, None, access)
    }
}

/// The hash of a member or field, keyed with `secret`, so that nobody can aim for one place.
#[inline]
pub fn hash_bytes(secret: u64, bytes: &[u8]) -> u64 {
    rapidhash_v3_nano_inline::<true, false>(bytes, &RapidSecrets::seed_cpp(secret))
}
