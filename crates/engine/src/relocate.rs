//! Moving what lies in sparse memory.
//!
//! An allocator keeps allocations of one size side by side in slabs, and a slab stays as long as one of them is left in
//! it. So what is left is copied to where it lies closer together, and slabs become empty. A pass goes through all that
//! the keyspace allocated, in the order of hashes and in steps as short as the caller wants; which allocations lie badly
//! only the caller knows, who knows the allocator.
//!
//! To move something is no change: snapshots, deadlines and access metadata do not notice. A node that a clone has too
//! (see [`crate::tree`]) stays where it is.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::cut::Step;
use crate::memory::prefetch;
use crate::store::{Store, Stripe};
use crate::table::{Position, Table};

/// Home buckets after which a step lets go of its stripe: some twenty microseconds.
const HOMES: usize = 32;

/// Says what is to be moved, and for how long.
pub trait Mover {
    /// Whether the allocation in which `at` lies should move; nothing is read there.
    fn is_sparse(&mut self, at: *const u8) -> bool;

    /// Whether there is time for some microseconds more.
    fn has_time(&mut self) -> bool;

    /// Called when a key was dealt with.
    fn key_done(&mut self);
}

/// How far a pass through a group's stripes has come.
#[derive(Debug)]
pub struct Pass {
    group: usize,
    stripe: usize,
    db: u32,
    hash: u64,
    within: Option<Within>,
}

/// A large collection that a step left in the middle.
#[derive(Debug)]
struct Within {
    key: Box<[u8]>,
    cursor: u64,
}

impl Pass {
    /// The beginning of a pass through the stripes of `group`.
    pub fn new(group: usize) -> Pass {
        Pass { group, stripe: group, db: 0, hash: 0, within: None }
    }
}

impl Store {
    /// Goes on with `pass`, as long as `mover` has time; at the end it is a new one.
    pub fn relocate(&self, pass: &mut Pass, mover: &mut dyn Mover) -> Step {
        while pass.stripe < self.stripes() {
            pass.hash = pass.hash.max(self.first_hash(pass.stripe));
            let mut stripe = self.lock(pass.stripe);
            if self.relocate_some(&mut stripe, pass, mover) == Step::Done {
                pass.stripe += self.groups();
            }
            drop(stripe);
            if !mover.has_time() {
                return Step::More;
            }
        }
        *pass = Pass::new(pass.group);
        Step::Done
    }

    /// Goes on within a stripe, for some buckets.
    fn relocate_some(&self, stripe: &mut Stripe, pass: &mut Pass, mover: &mut dyn Mover) -> Step {
        let first_hash = self.first_hash(pass.stripe);
        for _ in 0..HOMES {
            if pass.db >= self.databases() {
                pass.db = 0;
                return Step::Done;
            }
            if pass.hash == first_hash && pass.within.is_none() {
                stripe.relocate_table(pass.db, mover);
            }
            let table = stripe.table_mut(pass.db);
            let next = table.and_then(|table| table.relocate_home(pass.hash, &mut pass.within, mover));
            pass.db += u32::from(next.is_none());
            pass.hash = next.unwrap_or(first_hash);
            if pass.within.is_some() || !mover.has_time() {
                break;
            }
        }
        Step::More
    }
}

impl Table {
    /// Deals with the entries at home in the bucket of `hash`; the hash to go on from, which is the same when a large
    /// collection was left in the middle, or nothing at the end.
    fn relocate_home(
        &mut self,
        hash: u64,
        within: &mut Option<Within>,
        mover: &mut dyn Mover,
    ) -> Option<u64> {
        if within.is_none() {
            self.relocate_segment(hash, mover);
        }
        let places: SmallVec<[Position; 16]> = self.home_places(hash).collect();
        places.iter().for_each(|&at| prefetch(self.entry(at).address()));
        let left = within.take();
        let is_left = |at: &Position| left.as_ref().is_some_and(|left| *left.key == *self.entry(*at).key());
        // Without the key that was left, others may have been missed.
        let first = places.iter().position(is_left);
        let mut cursor = first.and(left).map_or(0, |left| left.cursor);
        for &at in &places[first.unwrap_or(0)..] {
            let rest = self.move_entry(at, |entry| entry.relocate(std::mem::take(&mut cursor), mover));
            if let Some(cursor) = rest {
                *within = Some(Within { key: self.entry(at).key().into(), cursor });
                return Some(hash);
            }
            mover.key_done();
        }
        self.next_home(hash)
    }
}

/// Moves the elements of `vec`.
pub(crate) fn relocate_vec<T>(vec: &mut Vec<T>, mover: &mut dyn Mover) {
    if vec.capacity() > 0 && mover.is_sparse(vec.as_ptr().cast()) {
        let mut moved = Vec::with_capacity(vec.capacity());
        moved.append(vec);
        *vec = moved;
    }
}

/// Moves `bytes`, unless somebody else has them too.
pub(crate) fn relocate_shared(bytes: &mut Arc<[u8]>, mover: &mut dyn Mover) {
    if !bytes.is_empty() && Arc::get_mut(bytes).is_some() && mover.is_sparse(bytes.as_ptr()) {
        *bytes = Arc::from(&bytes[..]);
    }
}
