//! The store: stripes of the keyspace, each behind its own lock.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use parking_lot::{Mutex, MutexGuard};
use rapidhash::v3::{RapidSecrets, rapidhash_v3_nano_inline};

use crate::cut::CutBits;
use crate::expiry::Expiry;
use crate::key::Key;
use crate::order::Order;
use crate::relocate::Mover;
use crate::table::Table;
use crate::timetable::{Timetable, Wake};
use crate::turn::Turn;

/// Bits of a hash that name the stripe, with one group: few, so that the stripes stay in the processor's cache.
const STRIPE_BITS_ALONE: u32 = 6;
/// Parts in which keys are counted, so that workers seldom write to the same cache line.
const KEY_COUNTS: usize = 16;
/// With more, so many that two workers seldom want the same.
const STRIPE_BITS_SHARED: u32 = 10;

/// What a store is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many databases it has (`databases`); at least one.
    pub databases: u32,
    /// Secret the keys are hashed with, so that nobody can aim for one bucket.
    pub secret: u64,
    /// How many groups share the work of expiring: one a worker; at least one.
    pub groups: usize,
}

/// The tables of one stripe, a database each; made when first written to.
#[derive(Debug, Default)]
pub(crate) struct Stripe {
    tables: Vec<Option<Box<Table>>>,
}

impl Stripe {
    #[inline]
    pub(crate) fn table(&self, db: u32) -> Option<&Table> {
        self.tables.get(db as usize)?.as_deref()
    }

    #[inline]
    pub(crate) fn table_mut(&mut self, db: u32) -> Option<&mut Table> {
        self.tables.get_mut(db as usize)?.as_deref_mut()
    }

    pub(crate) fn table_or_new(&mut self, db: u32, stripe_bits: u32) -> &mut Table {
        let db = db as usize;
        if db >= self.tables.len() {
            self.tables.resize_with(db + 1, || None);
        }
        self.tables[db].get_or_insert_with(|| Box::new(Table::new(stripe_bits as u8)))
    }

    /// The tables there are, each with its database.
    pub(crate) fn tables_mut(&mut self) -> impl Iterator<Item = (u32, &mut Table)> {
        let numbered = self.tables.iter_mut().enumerate();
        numbered.filter_map(|(db, table)| Some((db as u32, table.as_deref_mut()?)))
    }

    pub(crate) fn take_table(&mut self, db: u32) -> Option<Box<Table>> {
        self.tables.get_mut(db as usize)?.take()
    }

    pub(crate) fn swap_tables(&mut self, a: u32, b: u32) {
        let most = a.max(b) as usize + 1;
        if most > self.tables.len() {
            self.tables.resize_with(most, || None);
        }
        self.tables.swap(a as usize, b as usize);
    }

    /// Moves what the table of `db` is made of beside its segments' buckets and entries.
    pub(crate) fn relocate_table(&mut self, db: u32, mover: &mut dyn Mover) {
        let Some(Some(table)) = self.tables.get_mut(db as usize) else { return };
        table.relocate_lists(mover);
        if mover.is_sparse(std::ptr::from_ref::<Table>(table).cast()) {
            let stripe_bits = table.stripe_bits();
            let moved = Box::new(std::mem::replace(&mut **table, Table::new(stripe_bits)));
            *table = moved;
        }
    }

    fn next_deadline(&self) -> i64 {
        self.tables.iter().flatten().map(|t| t.next_deadline()).min().unwrap_or(i64::MAX)
    }
}

/// How many keys a database has in each stripe; written under the stripe's lock, read without.
#[derive(Debug)]
struct Counts {
    live: Box<[AtomicU32]>,
    volatile: Box<[AtomicU32]>,
}

impl Counts {
    fn new(stripes: usize) -> Counts {
        let zeros = || (0..stripes).map(|_| AtomicU32::new(0)).collect();
        Counts { live: zeros(), volatile: zeros() }
    }
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Padded<T>(T);

/// The whole keyspace.
pub struct Store {
    stripes: Box<[Padded<Mutex<Stripe>>]>,
    /// Bits of a hash that name the stripe, the top ones.
    stripe_bits: u32,
    counts: Box<[OnceLock<Counts>]>,
    /// The keys of all databases, in parts: those of every so many stripes.
    keys: Box<[Padded<AtomicI64>]>,
    pub(crate) timetable: Timetable,
    secrets: RapidSecrets,
    /// What members of collections are hashed with.
    member_secret: u64,
    order: Order,
    pub(crate) cuts: CutBits,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("databases", &self.databases()).finish_non_exhaustive()
    }
}

/// What is left to do after [`Store::expire_due`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing that is due now.
    Done,
    /// More is due: the budget was used up.
    More,
}

impl Store {
    /// An empty store.
    pub fn new(options: &Options) -> Store {
        let stripe_bits = if options.groups > 1 { STRIPE_BITS_SHARED } else { STRIPE_BITS_ALONE };
        Store {
            stripes: (0..1 << stripe_bits).map(|_| Padded::default()).collect(),
            counts: (0..options.databases.max(1)).map(|_| OnceLock::new()).collect(),
            keys: (0..KEY_COUNTS).map(|_| Padded::default()).collect(),
            stripe_bits,
            timetable: Timetable::new(1 << stripe_bits, options.groups),
            secrets: RapidSecrets::seed(options.secret),
            member_secret: crate::collection::hash_bytes(options.secret, b"members"),
            order: Order::default(),
            cuts: CutBits::default(),
        }
    }

    /// How many databases it has.
    pub fn databases(&self) -> u32 {
        self.counts.len() as u32
    }

    /// The order of effects.
    #[inline]
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// How many stripes it has.
    #[inline]
    pub(crate) fn stripes(&self) -> usize {
        self.stripes.len()
    }

    /// How many groups share the work: the stripes of one are that many apart.
    pub(crate) fn groups(&self) -> usize {
        self.timetable.groups()
    }

    /// Bits of a hash that name the stripe.
    #[inline]
    pub(crate) fn stripe_bits(&self) -> u32 {
        self.stripe_bits
    }

    /// The stripe of the key with this hash.
    #[inline]
    pub(crate) fn stripe_of(&self, hash: u64) -> usize {
        (hash >> (u64::BITS - self.stripe_bits)) as usize
    }

    /// The least hash of the keys in `stripe`.
    pub(crate) fn first_hash(&self, stripe: usize) -> u64 {
        (stripe as u64) << (u64::BITS - self.stripe_bits)
    }

    #[inline]
    pub(crate) fn hash(&self, bytes: &[u8]) -> u64 {
        rapidhash_v3_nano_inline::<true, false>(bytes, &self.secrets)
    }

    #[inline]
    pub(crate) fn member_secret(&self) -> u64 {
        self.member_secret
    }

    /// `bytes` as a key of this store.
    #[inline]
    pub fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        Key { bytes, hash: self.hash(bytes) }
    }

    #[inline]
    pub(crate) fn lock(&self, stripe: usize) -> MutexGuard<'_, Stripe> {
        self.stripes[stripe].0.lock()
    }

    #[inline]
    pub(crate) fn try_lock(&self, stripe: usize) -> Option<MutexGuard<'_, Stripe>> {
        self.stripes[stripe].0.try_lock()
    }

    /// Notes what the table of `db` in `stripe`, which the caller holds, has become.
    #[inline]
    pub(crate) fn note(&self, stripe: usize, db: u32, table: Option<&Table>) {
        let counts = self.counts[db as usize].get_or_init(|| Counts::new(self.stripes()));
        let (live, before) = (table.map_or(0, Table::len), counts.live[stripe].load(Ordering::Relaxed));
        if live != before {
            counts.live[stripe].store(live, Ordering::Relaxed);
            let keys = &self.keys[stripe % self.keys.len()].0;
            keys.fetch_add(i64::from(live) - i64::from(before), Ordering::Relaxed);
        }
        counts.volatile[stripe].store(table.map_or(0, Table::volatile), Ordering::Relaxed);
        if let Some(table) = table {
            self.timetable.lower(stripe, table.next_deadline());
        }
    }

    /// How many keys all databases have.
    pub fn keys(&self) -> u64 {
        let sum: i64 = self.keys.iter().map(|part| part.0.load(Ordering::Relaxed)).sum();
        sum.max(0).unsigned_abs()
    }

    /// How many keys `db` has in `stripe`.
    pub(crate) fn stripe_len(&self, db: u32, stripe: usize) -> u32 {
        self.counts[db as usize].get().map_or(0, |c| c.live[stripe].load(Ordering::Relaxed))
    }

    /// Whether `stripe` has keys; with `volatile` such with a deadline.
    pub(crate) fn has_candidates(&self, stripe: usize, volatile: bool) -> bool {
        let counts = self.counts.iter().filter_map(OnceLock::get);
        counts
            .map(|c| if volatile { &c.volatile } else { &c.live })
            .any(|of| of[stripe].load(Ordering::Relaxed) > 0)
    }

    /// How many keys `db` has; keys whose deadline came within the last milliseconds may still count.
    pub fn len(&self, db: u32) -> u64 {
        self.sum(db, |c| &c.live)
    }

    /// Whether `db` has no keys.
    pub fn is_empty(&self, db: u32) -> bool {
        self.len(db) == 0
    }

    /// How many keys of `db` have a deadline.
    pub fn volatile_len(&self, db: u32) -> u64 {
        self.sum(db, |c| &c.volatile)
    }

    fn sum(&self, db: u32, of: impl Fn(&Counts) -> &[AtomicU32]) -> u64 {
        let counts = self.counts.get(db as usize).and_then(|c| c.get());
        counts.map_or(0, |c| of(c).iter().map(|n| u64::from(n.load(Ordering::Relaxed))).sum())
    }

    // -- expiry -------------------------------------------------------------------------------

    /// Sets what wakes the worker of a group that sleeps past a deadline just set; only the first call counts.
    /// It runs while a stripe is held, so it must not wait.
    pub fn on_wake(&self, wake: Wake) {
        self.timetable.on_wake(wake);
    }

    /// The moment at which [`Store::expire_due`] has something to do for `group`, in milliseconds since the Unix
    /// epoch; `i64::MAX`: never.
    pub fn next_due_ms(&self, group: usize) -> i64 {
        self.timetable.next(group)
    }

    /// Says that the group's worker is going to sleep until `until_ms`; returns until when it may. An earlier
    /// deadline set from now on by others wakes it.
    pub fn fall_asleep(&self, group: usize, until_ms: i64) -> i64 {
        self.timetable.fall_asleep(group, until_ms)
    }

    /// Says that the group's worker is awake.
    pub fn awake(&self, group: usize) {
        self.timetable.awake(group);
    }

    /// Removes the keys of `group`'s stripes, and the fields of hashes, whose deadline is not after the turn's time. Looks at about
    /// `budget` entries at most, so that the caller can serve clients in between. While files are loaded nothing is due.
    pub fn expire_due(&self, group: usize, turn: &mut Turn, mut budget: usize) -> Due {
        let now_ms = turn.now_ms;
        if turn.loading || self.timetable.next(group) > now_ms {
            return Due::Done;
        }
        for stripe in self.timetable.due(group, now_ms) {
            if budget == 0 {
                return Due::More;
            }
            let mut guard = self.lock(stripe);
            turn.log = self.order.is_wanted();
            for db in 0..guard.tables.len() as u32 {
                let Some(table) = guard.table_mut(db) else { continue };
                if table.next_deadline() <= now_ms {
                    table.expire(&mut budget, |key| self.hash(key), &mut Expiry::due(turn, db));
                    let table = guard.table(db);
                    self.note(stripe, db, table);
                }
            }
            self.timetable.set(stripe, guard.next_deadline());
            turn.seal(&self.order);
        }
        self.timetable.settle(group);
        if self.timetable.next(group) <= now_ms { Due::More } else { Due::Done }
    }
}
