//! Figures about a database as a whole, for INFO.
//!
//! Where a command holds no stripe, one after another is taken. Where it holds some (a transaction), waiting
//! for others could never end: then those that somebody else holds are left out.

use std::ops::Add;

use crate::db::Db;
use crate::table::Table;

/// Entries of a stripe that are looked at to estimate how many of its keys are overdue.
const SAMPLE: usize = 8;

/// What [`Db::deadlines`] finds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Deadlines {
    /// The mean time to live of the keys that have a deadline, in milliseconds; 0 when none has.
    pub ttl_mean_ms: i64,
    /// Of the keys that have a deadline, about how many are past it and not yet removed, in per cent.
    pub overdue_percent: f64,
    /// How many hashes have fields with a deadline, or had.
    pub timed_hashes: u64,
}

/// Memory that tables take beyond their entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overhead {
    /// For finding keys: directories and buckets.
    pub keys_bytes: usize,
    /// For finding what is due: the bounds of deadlines.
    pub deadlines_bytes: usize,
}

impl Overhead {
    /// Both.
    pub fn bytes(self) -> usize {
        self.keys_bytes + self.deadlines_bytes
    }
}

impl Add for Overhead {
    type Output = Overhead;

    fn add(self, other: Overhead) -> Overhead {
        Overhead {
            keys_bytes: self.keys_bytes + other.keys_bytes,
            deadlines_bytes: self.deadlines_bytes + other.deadlines_bytes,
        }
    }
}

impl Db<'_, '_> {
    /// How far away the deadlines of the database's keys are.
    pub fn deadlines(&mut self) -> Deadlines {
        let now_ms = self.turn.now_ms;
        let mut rng = self.turn.rng.clone();
        let (mut sum, mut count, mut overdue, mut timed_hashes) = (0i128, 0u64, 0f64, 0u64);
        self.each_table(|table| {
            sum += table.deadlines_sum();
            count += u64::from(table.volatile());
            timed_hashes += u64::from(table.timed());
            if table.next_deadline() <= now_ms {
                let entries = (0..SAMPLE).filter_map(|_| table.random(&mut rng)?.deadline_ms());
                let (seen, late) = entries.fold((0u32, 0u32), |(seen, late), deadline_ms| {
                    (seen + 1, late + u32::from(deadline_ms <= now_ms))
                });
                overdue += f64::from(table.volatile()) * f64::from(late) / f64::from(seen.max(1));
            }
        });
        self.turn.rng = rng;
        let mean_ms = sum.checked_div(i128::from(count)).map_or(0, |at_ms| at_ms - i128::from(now_ms));
        Deadlines {
            ttl_mean_ms: i64::try_from(mean_ms.max(0)).unwrap_or(i64::MAX),
            overdue_percent: 100.0 * overdue / count.max(1) as f64,
            timed_hashes,
        }
    }

    /// The memory that the database's tables take beyond its entries.
    pub fn overhead(&mut self) -> Overhead {
        let mut sum = Overhead::default();
        self.each_table(|table| sum = sum + table.overhead());
        sum
    }

    fn each_table(&mut self, mut visit: impl FnMut(&Table)) {
        let (store, db) = (self.held.store(), self.index);
        for stripe in (0..store.stripes()).filter(|&stripe| store.stripe_len(db, stripe) > 0) {
            let hash = (stripe as u64) << (u64::BITS - store.stripe_bits());
            if self.held.is_empty() || self.held.try_add(hash) {
                self.held.with_stripe(stripe, |tables| tables.table(db).map(&mut visit));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Db, Deadline, Held, Options, Store, Turn};

    /// A store with a key for each deadline, as it is at 1000.
    fn store(deadlines: &[Option<i64>]) -> (Store, Turn) {
        let store = Store::new(&Options { databases: 2, secret: 1, groups: 2 });
        let mut turn = Turn::new(1000, 1);
        let mut held = Held::everything(&store);
        for (i, at) in deadlines.iter().enumerate() {
            let name = format!("key:{i}");
            let mut db = Db::new(&mut held, &mut turn, 0);
            let key = db.key(name.as_bytes());
            db.set_string(key, b"value", at.map_or(Deadline::Never, Deadline::At));
        }
        drop(held);
        (store, turn)
    }

    #[test]
    fn the_mean_is_of_keys_with_a_deadline() {
        let (store, mut turn) = store(&[Some(2000), None, Some(4000), None]);
        let mut held = Held::nothing(&store);
        let mut db = Db::new(&mut held, &mut turn, 0);
        assert_eq!(db.deadlines().ttl_mean_ms, 2000);
        assert_eq!(db.at(1).deadlines(), Default::default());
        let overhead = db.overhead();
        assert!(overhead.keys_bytes > 0 && overhead.deadlines_bytes > 0);
        assert_eq!(db.at(1).overhead().bytes(), 0);
    }

    #[test]
    fn overdue_keys_are_counted_until_they_are_removed() {
        let deadlines: Vec<Option<i64>> =
            (0..4000).map(|i| Some(if i % 4 == 0 { 2000 } else { 9000 })).collect();
        let (store, mut turn) = store(&deadlines);
        let share = |turn: &mut Turn| {
            let mut held = Held::nothing(&store);
            Db::new(&mut held, turn, 0).deadlines().overdue_percent
        };
        assert_eq!(share(&mut turn), 0.0);
        turn.now_ms = 2000;
        let found = share(&mut turn);
        assert!((15.0..35.0).contains(&found), "{found}");
        for group in 0..2 {
            while store.expire_due(group, &mut turn, 1000) == crate::Due::More {}
        }
        assert_eq!(share(&mut turn), 0.0);
    }

    #[test]
    fn stripes_that_others_hold_are_not_waited_for() {
        let (store, mut turn) = store(&[Some(2000); 100]);
        let hash = |i: usize| store.key(format!("key:{i}").as_bytes()).hash();
        let mut own = Held::keys(&store, [hash(0)]);
        let others: Vec<u64> =
            (1..100).map(hash).filter(|&h| store.stripe_of(h) != store.stripe_of(hash(0))).collect();
        let theirs = Held::keys(&store, others);
        let mut db = Db::new(&mut own, &mut turn, 0);
        let part = db.overhead().bytes();
        drop(theirs);
        assert!(part > 0 && part < db.overhead().bytes());
    }
}
