//! A snapshot cut: the whole keyspace as it was at one moment, handed out in small steps while it goes on changing.
//!
//! With every stripe held, a cut is noted in each table. From then on an entry is handed out once, as it was at the
//! cut, by whoever comes first: the cut's own walk, which goes through each table in the order of hashes, or a writer
//! that is about to change an entry the walk has not reached. So that nobody hands it out again, the writer leaves a
//! mark in the entry (a bit a cut, [`Entry::cuts`]); a new entry ahead of the walk gets one too. The walk clears the
//! marks as it passes, so behind it, and without a cut, there are none.
//!
//! A table that is emptied at once (FLUSHALL) while cuts go through it is left to them, and freed when the last has
//! passed. Memory: the marks cost none, and what writers hand out is taken away at the walk's next step.
//!
//! A long value is handed out in pieces, so that no stripe is held for long; when a writer wants to change it
//! meanwhile, the rest is copied first, and when it goes, its entry is taken over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::batch::{Batch, LONG_BYTES_MIN};
use crate::entry::{Entry, EntryBox, Payload};
use crate::held::Held;
use crate::key::Key;
use crate::store::Store;
use crate::table::{Position, Table};
use crate::value::Str;

/// Cuts that may be under way at once: a save, a log's rewrite, a replica's synchronization.
pub const CUTS_MAX: usize = 3;
/// Bytes of records after which a step lets go of the stripe: some ten microseconds of copying.
const STEP_BYTES: usize = 32 << 10;
/// Home buckets a step goes through at most, however few entries they hold.
const STEP_HOMES: usize = 256;
/// Bytes of a long value copied in one step.
const PIECE_BYTES: usize = 128 << 10;

/// What the walk of a cut and the writers share.
#[derive(Debug, Default)]
struct Handover {
    /// What writers handed out since the last step.
    records: Mutex<Batch>,
    /// The rest of the long value that is being handed out, if a writer handed it out.
    rest: Mutex<Option<Batch>>,
    /// Tables that were emptied at once.
    detached: Mutex<Vec<Arc<Mutex<Box<Table>>>>>,
    /// Nobody wants what is handed out any more.
    cancelled: AtomicBool,
}

/// A cut as one table sees it.
#[derive(Debug)]
pub(crate) struct TableCut {
    /// The cut's bit in entries' marks.
    bit: u8,
    /// The database the table was at the cut.
    db: u32,
    /// The least hash that the walk has not passed.
    position: u64,
    /// The long value that the walk is handing out, which is at or behind `position` and not marked.
    long: Option<Long>,
    handover: Arc<Handover>,
}

/// How far a long value was handed out.
#[derive(Debug)]
struct Long {
    key: Box<[u8]>,
    hash: u64,
    offset: usize,
}

/// What becomes of an entry that a writer hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its bytes change in place, or it moves to another key: it must be copied.
    Changes,
    /// It is not needed any more.
    Goes,
}

/// The keyspace as it was when [`Store::cut`] was called. Dropping it before the last step cancels it: the marks it
/// left are cleared then, which takes about as long as the steps that are left would.
#[derive(Debug)]
pub struct Cut<'s> {
    store: &'s Store,
    bit: u8,
    handover: Arc<Handover>,
    /// The stripe being walked; those before it are done.
    stripe: usize,
    /// A long value was begun and has not ended.
    in_long: bool,
    sizes: Vec<Size>,
    order: u64,
}

/// How large a database was at a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The database.
    pub db: u32,
    /// Its keys.
    pub keys: u64,
    /// Those of them that have a deadline.
    pub volatile: u64,
}

/// Whether what goes in steps, such as a cut, has more of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// More may come.
    More,
    /// That was all.
    Done,
}

impl Store {
    /// Notes how all databases are now, which `held`, that must hold every stripe, guarantees to be one moment; nothing
    /// when [`CUTS_MAX`] cuts are under way.
    pub fn cut(&self, held: &mut Held<'_>) -> Option<Cut<'_>> {
        let bit = self.cuts.take()?;
        let handover = Arc::<Handover>::default();
        for stripe in 0..self.stripes() {
            let position = self.first_hash(stripe);
            held.with_stripe(stripe, |tables| {
                for (db, table) in tables.tables_mut() {
                    if table.len() > 0 {
                        let handover = Arc::clone(&handover);
                        table.cuts.push(TableCut { bit, db, position, long: None, handover });
                    }
                }
            });
        }
        let size = |db| Size { db, keys: self.len(db), volatile: self.volatile_len(db) };
        let sizes = (0..self.databases()).map(size).filter(|size| size.keys > 0).collect();
        let order = self.order().taken();
        Some(Cut { store: self, bit, handover, stripe: 0, in_long: false, sizes, order })
    }
}

/// The bits of cuts that are under way.
#[derive(Debug, Default)]
pub(crate) struct CutBits(AtomicU8);

impl CutBits {
    fn take(&self) -> Option<u8> {
        let free = |used: u8| (0..CUTS_MAX).map(|i| 1 << i).find(|bit| used & bit == 0);
        let update = |used| free(used).map(|bit| used | bit);
        let before = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, update).ok()?;
        free(before)
    }

    fn give_back(&self, bit: u8) {
        self.0.fetch_and(!bit, Ordering::AcqRel);
    }
}

impl Cut<'_> {
    /// The databases that were not empty, in order.
    pub fn sizes(&self) -> &[Size] {
        &self.sizes
    }

    /// The least number of an effect that is not in the snapshot, see [`crate::Order`].
    pub fn order(&self) -> u64 {
        self.order
    }

    /// Puts the next records into `batch`, which is emptied first. Holds one stripe for some ten microseconds.
    pub fn step(&mut self, batch: &mut Batch) -> Step {
        batch.clear();
        if !self.in_long {
            std::mem::swap(batch, &mut *self.handover.records.lock());
        }
        self.walk(Some(batch))
    }

    /// Walks on for one step. Without a batch the marks are cleared and nothing is handed out.
    fn walk(&mut self, mut batch: Option<&mut Batch>) -> Step {
        while self.stripe < self.store.stripes() {
            let mut stripe = self.store.lock(self.stripe);
            if self.in_long && self.handover.rest.lock().is_some() {
                return self.walk_rest(batch);
            }
            for (_, table) in stripe.tables_mut() {
                if self.in_long && !table.is_in_long(self.bit) {
                    continue;
                }
                let Some(walked) = table.walk(self.bit, batch.as_deref_mut(), |key| self.store.hash(key))
                else {
                    continue;
                };
                self.in_long = walked == Walked::InLong;
                if walked != Walked::Finished {
                    return Step::More;
                }
            }
            drop(stripe);
            self.stripe += 1;
            if batch.as_ref().is_some_and(|batch| batch.len() >= STEP_BYTES) {
                return Step::More;
            }
        }
        self.walk_detached(batch)
    }

    /// Hands out the rest of a long value that a writer left.
    fn walk_rest(&mut self, batch: Option<&mut Batch>) -> Step {
        let rest = self.handover.rest.lock().take();
        if let (Some(mut rest), Some(batch)) = (rest, batch) {
            std::mem::swap(batch, &mut rest);
        }
        self.in_long = false;
        Step::More
    }

    /// Goes through the tables that were emptied at once, when those in the stripes are done.
    fn walk_detached(&mut self, mut batch: Option<&mut Batch>) -> Step {
        let next = || self.handover.detached.lock().last().cloned();
        while let Some(table) = next() {
            let walked = table.lock().walk(self.bit, batch.as_deref_mut(), |key| self.store.hash(key));
            self.in_long = walked == Some(Walked::InLong);
            if walked.is_some_and(|walked| walked != Walked::Finished) {
                return Step::More;
            }
            self.handover.detached.lock().pop();
        }
        // Nothing is ahead of the walk any more, so what writers handed out is all there will be.
        let rest = !self.handover.records.lock().is_empty();
        if rest && batch.is_some() { Step::More } else { Step::Done }
    }
}

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        self.handover.cancelled.store(true, Ordering::Relaxed);
        self.in_long = false;
        while self.walk(None) == Step::More {}
        self.store.cuts.give_back(self.bit);
    }
}

impl TableCut {
    /// Whether the walk has not passed `hash`.
    #[inline]
    fn is_ahead(&self, hash: u64) -> bool {
        hash >= self.position
    }

    /// Whether `entry` with this hash is still to be handed out.
    fn wants(&self, hash: u64, entry: Entry<'_>) -> bool {
        self.is_ahead(hash)
            && entry.cuts() & self.bit == 0
            && !self.handover.cancelled.load(Ordering::Relaxed)
    }

    /// Whether the value of `entry` is being handed out; how far it was.
    fn long_offset(&self, entry: Entry<'_>) -> Option<usize> {
        self.long.as_ref().filter(|long| *long.key == *entry.key()).map(|long| long.offset)
    }

    /// Hands out a copy of `entry`, or of what is left of it.
    fn copy(&mut self, entry: Entry<'_>) {
        let Some(offset) = self.long_offset(entry) else {
            return self.handover.records.lock().copy(self.db, entry);
        };
        let mut rest = Batch::new();
        if let Str::Bytes(bytes) = entry.str() {
            rest.piece(&bytes[offset..]);
        }
        self.give_rest(rest);
    }

    /// Hands out `entry` itself, or what is left of it.
    fn take(&mut self, entry: EntryBox) {
        match self.long_offset(entry.view()) {
            None => self.handover.records.lock().take(self.db, entry),
            Some(offset) => {
                let mut rest = Batch::new();
                rest.take_rest(entry, offset);
                self.give_rest(rest);
            }
        }
    }

    /// Before an expired entry goes: it is not in the snapshot unless it is being handed out.
    pub(crate) fn hand_out_begun(&mut self, entry: Entry<'_>) {
        if self.long_offset(entry).is_some() {
            self.copy(entry);
        }
    }

    fn give_rest(&mut self, rest: Batch) {
        self.long = None;
        *self.handover.rest.lock() = Some(rest);
    }
}

/// How a walk through a table ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Walked {
    /// There is more.
    Budget,
    /// There is more, beginning with the next piece of a long value.
    InLong,
    /// The walk has passed the table.
    Finished,
}

fn is_long(entry: Entry<'_>) -> bool {
    matches!(entry.string(), Ok(Str::Bytes(bytes)) if bytes.len() >= LONG_BYTES_MIN)
}

/// What cuts need of a table. All but the walk do nothing without a cut.
impl Table {
    /// Before the entry at `at` changes: hands it out to the cuts that want it. The marks it is to have after the
    /// change, whatever then stands in its place.
    #[cold]
    pub(crate) fn hand_out(&mut self, hash: u64, at: Position, fate: Fate) -> u8 {
        let mut cuts = std::mem::take(&mut self.cuts);
        let entry = self.entry(at);
        let wanting = cuts.iter().filter(|cut| cut.wants(hash, entry)).count();
        if fate == Fate::Goes && wanting == 1 && is_long(entry) {
            // What is needed of the entry by whoever replaces it: its key and deadline.
            let stand_in = EntryBox::new(entry.key(), Payload::Int(0), entry.deadline_ms(), entry.access());
            let old = self.replace_entry(at, stand_in);
            let wants = |cut: &&mut TableCut| cut.wants(hash, old.view());
            if let Some(cut) = cuts.iter_mut().find(wants) {
                cut.take(old);
            }
        } else {
            cuts.iter_mut().filter(|cut| cut.wants(hash, entry)).for_each(|cut| cut.copy(entry));
        }
        self.cuts = cuts;
        self.marks(hash)
    }

    /// The marks of an entry with this hash that no cut wants.
    pub(crate) fn marks(&self, hash: u64) -> u8 {
        self.cuts.iter().filter(|cut| cut.is_ahead(hash)).fold(0, |marks, cut| marks | cut.bit)
    }

    /// Leaves the table, which is out of the keyspace, to the cuts that go through it; without one it comes back.
    pub(crate) fn detach(mut self: Box<Table>) -> Option<Box<Table>> {
        let cuts = std::mem::take(&mut self.cuts);
        let mut left = Vec::new();
        for mut cut in cuts {
            if let Some(long) = cut.long.take() {
                // Its begun value is handed out first: the walk goes on with it.
                let at = self.find(Key { bytes: &long.key, hash: long.hash })?;
                cut.long = Some(long);
                cut.copy(self.entry(at));
                self.mark(at, cut.bit);
            }
            left.push(Arc::clone(&cut.handover));
            self.cuts.push(cut);
        }
        if left.is_empty() {
            return Some(self);
        }
        let table = Arc::new(Mutex::new(self));
        left.into_iter().for_each(|handover| handover.detached.lock().push(Arc::clone(&table)));
        None
    }

    /// Takes the walk of the cut with `bit` one step further; nothing when it has no business here.
    fn walk(&mut self, bit: u8, batch: Option<&mut Batch>, hash_of: impl Fn(&[u8]) -> u64) -> Option<Walked> {
        let i = self.cuts.iter().position(|cut| cut.bit == bit)?;
        let mut cut = self.cuts.swap_remove(i);
        let walked = match batch {
            Some(batch) => self.walk_homes(&mut cut, batch, hash_of),
            None => self.walk_marks(&mut cut),
        };
        if walked != Walked::Finished {
            self.cuts.push(cut);
        }
        Some(walked)
    }

    /// Whether the cut with `bit` is in the middle of a long value of this table.
    fn is_in_long(&self, bit: u8) -> bool {
        self.cuts.iter().any(|cut| cut.bit == bit && cut.long.is_some())
    }

    fn walk_homes(
        &mut self,
        cut: &mut TableCut,
        batch: &mut Batch,
        hash_of: impl Fn(&[u8]) -> u64,
    ) -> Walked {
        for _ in 0..STEP_HOMES {
            if cut.long.is_some() {
                return self.walk_long(cut, batch);
            }
            let places: SmallVec<[Position; 16]> = self.home_places(cut.position).collect();
            let wanted =
                |entry: Entry<'_>| entry.cuts() & cut.bit == 0 && hash_of(entry.key()) >= cut.position;
            let entries = places.iter().map(|&at| self.entry(at));
            if let Some(entry) = entries.clone().find(|&entry| is_long(entry) && wanted(entry)) {
                let Str::Bytes(bytes) = entry.str() else { return Walked::Budget };
                batch.begin_long(cut.db, entry, bytes.len());
                let key = entry.key();
                cut.long = Some(Long { key: key.into(), hash: hash_of(key), offset: 0 });
                return Walked::InLong;
            }
            entries.filter(|&entry| wanted(entry)).for_each(|entry| batch.copy(cut.db, entry));
            self.unmark(&places, cut.bit);
            match self.next_home(cut.position) {
                Some(hash) => cut.position = hash,
                None => return Walked::Finished,
            }
            if batch.len() >= STEP_BYTES {
                return Walked::Budget;
            }
        }
        Walked::Budget
    }

    /// Hands out the next piece of the long value.
    fn walk_long(&mut self, cut: &mut TableCut, batch: &mut Batch) -> Walked {
        let Some(mut long) = cut.long.take() else { return Walked::Budget };
        let at = self.find(Key { bytes: &long.key, hash: long.hash });
        let at = at.expect("an entry whose value is being handed out goes only when its rest was handed out");
        let Str::Bytes(bytes) = self.entry(at).str() else { return Walked::Budget };
        let rest = &bytes[long.offset..];
        batch.piece(&rest[..rest.len().min(PIECE_BYTES)]);
        if rest.len() > PIECE_BYTES {
            long.offset += PIECE_BYTES;
            cut.long = Some(long);
            return Walked::InLong;
        }
        self.mark(at, cut.bit);
        Walked::Budget
    }

    /// The walk of a cancelled cut: clears its marks.
    fn walk_marks(&mut self, cut: &mut TableCut) -> Walked {
        cut.long = None;
        for _ in 0..STEP_HOMES {
            let places: SmallVec<[Position; 16]> = self.home_places(cut.position).collect();
            self.unmark(&places, cut.bit);
            match self.next_home(cut.position) {
                Some(hash) => cut.position = hash,
                None => return Walked::Finished,
            }
        }
        Walked::Budget
    }

    fn unmark(&mut self, places: &[Position], bit: u8) {
        for &at in places {
            let marks = self.entry(at).cuts();
            if marks & bit != 0 {
                self.set_marks(at, marks & !bit);
            }
        }
    }

    fn mark(&mut self, at: Position, bit: u8) {
        let marks = self.entry(at).cuts();
        self.set_marks(at, marks | bit);
    }
}
