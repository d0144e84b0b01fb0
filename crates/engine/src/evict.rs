//! Eviction: which keys go when there is no room, and their going.
//!
//! Candidates are picked from whole segments: since a segment holds the keys of one range of hashes, its entries are
//! a fair sample of all, some three hundred that lie together. The one in [`Eviction::portion`] that is worth least is
//! kept in mind and goes when there is need, unless somebody used it meanwhile. So a victim costs the look at a
//! few entries, and is among the least worthy few per cent of a large sample. Policies and their figures:
//! <https://redis.io/docs/latest/develop/reference/eviction/>.

use crate::access::{AccessPolicy, access_frequency, access_idle_minutes, access_idle_ms};
use crate::cut::Fate;
use crate::db::Free;
use crate::entry::{Entry, EntryBox};
use crate::expiry::Expiry;
use crate::rng::Rng;
use crate::store::{Store, Stripe};
use crate::turn::{Cause, EventClass, Garbage, Gone, Turn};

/// What makes a key worth less than others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It was used long ago (`*-lru`).
    Recency,
    /// It is used seldom (`*-lfu`).
    Frequency,
    /// Chance (`*-random`).
    Chance,
    /// Its deadline is near (`volatile-ttl`).
    Deadline,
}

/// How keys are evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// By what they are compared.
    pub worth: Worth,
    /// Only keys with a deadline go.
    pub volatile: bool,
    /// How choosy it is (`maxmemory-samples`): how good the picks are, and what they cost.
    pub samples: u32,
    /// Another thread frees big values, and the effect is UNLINK (`lazyfree-lazy-eviction`).
    pub free_later: bool,
}

impl Eviction {
    /// Of so many keys looked at, one is kept as a candidate.
    fn portion(&self) -> usize {
        self.samples as usize * 3 + 1
    }

    /// Keys that are looked at before the least worthy are picked.
    fn keys_min(&self) -> usize {
        (self.portion() * 8).min(KEYS_MAX)
    }
}

/// Keys looked at for one pick, at most about: what a client may have to wait for.
const KEYS_MAX: usize = 1024;

/// A key that may be evicted.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// The greater, the sooner it goes.
    unworthiness: u64,
    hash: u64,
    db: u32,
    /// Its metadata of accesses then: if they have changed, somebody has used it.
    access: u32,
    deadline_ms: Option<i64>,
}

/// The candidates that one worker keeps in mind.
#[derive(Debug, Default)]
pub struct Candidates {
    /// The least worthy last.
    picked: Vec<Candidate>,
    /// The policy they were picked by.
    by: Option<Eviction>,
}

impl Store {
    /// Evicts one key; `false` when none may go. The caller holds no stripe. An expired key that is met goes as such.
    pub fn evict(&self, how: &Eviction, candidates: &mut Candidates, turn: &mut Turn) -> bool {
        if candidates.by != Some(*how) {
            *candidates = Candidates { picked: Vec::new(), by: Some(*how) };
        }
        loop {
            while let Some(candidate) = candidates.picked.pop() {
                if self.evict_candidate(how, candidate, turn).is_some() {
                    return true;
                }
            }
            self.pick(how, &mut candidates.picked, turn);
            if candidates.picked.is_empty() {
                return false;
            }
        }
    }

    /// Fills `picked` with the least worthy of some keys, the least worthy last; none when there are no keys that may
    /// go.
    fn pick(&self, how: &Eviction, picked: &mut Vec<Candidate>, turn: &mut Turn) {
        let from = turn.rng.next_u64();
        let first = self.stripe_of(from);
        let mut seen = 0;
        let keys_min = how.keys_min();
        for i in 0..self.stripes() {
            let stripe = (first + i) % self.stripes();
            if !self.has_candidates(stripe, how.volatile) {
                continue;
            }
            seen += self.pick_in(&self.lock(stripe), how, from, keys_min - seen, picked, turn);
            if seen >= keys_min {
                break;
            }
        }
        let keep = (seen / how.portion()).max(1).min(picked.len());
        least_worthy(picked, keep, |candidate| candidate.unworthiness);
        picked.truncate(keep);
        picked.sort_unstable_by_key(|candidate| candidate.unworthiness);
    }

    /// Adds the least worthy of about `keys_min` keys of a stripe and database to `picked`; how many were looked at.
    fn pick_in(
        &self,
        stripe: &Stripe,
        how: &Eviction,
        from: u64,
        keys_min: usize,
        picked: &mut Vec<Candidate>,
        turn: &mut Turn,
    ) -> usize {
        let mut seen = 0;
        for db in 0..self.databases() {
            let Some(table) = stripe.table(db) else { continue };
            let mut found = Vec::with_capacity(KEYS_MAX / 2);
            table.sample(from, keys_min, how.volatile, |entry| {
                found.push((unworthiness(how, entry, turn.access, turn.now_ms, &mut turn.rng), entry));
            });
            seen += found.len();
            // As many as could be among the picked of all.
            let keep = (found.len().max(keys_min) / how.portion()).max(1).min(found.len());
            least_worthy(&mut found, keep, |(unworthiness, _)| *unworthiness);
            picked.extend(found[..keep].iter().map(|&(unworthiness, entry)| Candidate {
                unworthiness,
                hash: self.hash(entry.key()),
                db,
                access: entry.access(),
                deadline_ms: entry.deadline_ms(),
            }));
        }
        seen
    }

    /// Removes the key of `candidate`; nothing when it was used since or is gone.
    fn evict_candidate(&self, how: &Eviction, candidate: Candidate, turn: &mut Turn) -> Option<()> {
        let Candidate { hash, db, access, deadline_ms, .. } = candidate;
        let stripe = self.stripe_of(hash);
        let mut guard = self.lock(stripe);
        let table = guard.table_mut(db)?;
        let at = table.find_hash(hash, |key| self.hash(key))?;
        let entry = table.entry(at);
        if (entry.access(), entry.deadline_ms()) != (access, deadline_ms) {
            return None;
        }
        turn.log = self.order().is_wanted();
        let entry = table.remove(hash, at, Fate::Goes);
        self.note(stripe, db, Some(table));
        if is_due(entry.view(), turn.now_ms) {
            Expiry::found(turn, db).key(entry);
        } else {
            evicted(how, entry, db, turn);
        }
        turn.seal(self.order());
        Some(())
    }
}

/// Notes that `entry` of `db` was evicted, and frees it.
fn evicted(how: &Eviction, entry: EntryBox, db: u32, turn: &mut Turn) {
    let view = entry.view();
    let (access, now_ms) = (view.access(), turn.now_ms);
    let (idle_ms, frequency) = match turn.access {
        AccessPolicy::Lru => (access_idle_ms(access, now_ms), None),
        AccessPolicy::Lfu { .. } => (
            u64::from(access_idle_minutes(access, now_ms)) * 60_000,
            Some(access_frequency(access, turn.access, now_ms)),
        ),
    };
    turn.gone.push(Gone { db, bytes: view.memory_bytes(), cause: Cause::Evicted { idle_ms, frequency } });
    turn.event(EventClass::Evicted, "evicted", db, view.key());
    let name: &[u8] = if how.free_later { b"UNLINK" } else { b"DEL" };
    turn.effect(db, [name, view.key()].into_iter());
    let free = if how.free_later { Free::Later } else { Free::Now };
    Garbage::free_entry(turn, entry, free);
}

fn is_due(entry: Entry<'_>, now_ms: i64) -> bool {
    entry.deadline_ms().is_some_and(|deadline_ms| deadline_ms <= now_ms)
}

/// How little `entry` is worth by the policy.
fn unworthiness(how: &Eviction, entry: Entry<'_>, access: AccessPolicy, now_ms: i64, rng: &mut Rng) -> u64 {
    if is_due(entry, now_ms) {
        return u64::MAX;
    }
    match how.worth {
        Worth::Recency => access_idle_ms(entry.access(), now_ms),
        // Among those used equally seldom the one that was not used for longest.
        Worth::Frequency => {
            let seldom = u8::MAX - access_frequency(entry.access(), access, now_ms);
            u64::from(seldom) << 32 | u64::from(access_idle_minutes(entry.access(), now_ms))
        }
        Worth::Chance => rng.next_u64() >> 1,
        Worth::Deadline => {
            entry.deadline_ms().map_or(0, |deadline_ms| (i64::MAX - deadline_ms.max(0)).unsigned_abs())
        }
    }
}

/// Brings the `keep` least worthy to the front.
fn least_worthy<T>(all: &mut [T], keep: usize, unworthiness: impl Fn(&T) -> u64) {
    if keep > 0 && keep < all.len() {
        all.select_nth_unstable_by_key(keep - 1, |one| std::cmp::Reverse(unworthiness(one)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Deadline};
    use crate::held::Held;
    use crate::store::Options;
    use crate::turn::EventClass;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn how(worth: Worth, volatile: bool) -> Eviction {
        Eviction { worth, volatile, samples: 5, free_later: false }
    }

    fn store(groups: usize) -> Store {
        Store::new(&Options { databases: 2, secret: 7, groups })
    }

    fn set(store: &Store, turn: &mut Turn, db: u32, key: &str, deadline: Deadline) {
        let key = store.key(key.as_bytes());
        let mut held = Held::keys(store, [key.hash()]);
        Db::new(&mut held, turn, db).set_string(key, b"value", deadline);
    }

    fn read(store: &Store, turn: &mut Turn, db: u32, key: &str) -> bool {
        let key = store.key(key.as_bytes());
        let mut held = Held::keys(store, [key.hash()]);
        Db::new(&mut held, turn, db).read(key).is_some()
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        for groups in [1, 2] {
            let store = store(groups);
            let mut turn = Turn::new(NOW_MS, 1);
            for i in 0..20_000 {
                turn.now_ms = NOW_MS + i * 1000;
                set(&store, &mut turn, (i % 2) as u32, &format!("key{i}"), Deadline::Never);
            }
            let mut candidates = Candidates::default();
            for _ in 0..10_000 {
                assert!(store.evict(&how(Worth::Recency, false), &mut candidates, &mut turn));
            }
            assert_eq!((store.keys(), turn.gone.len()), (10_000, 10_000));
            let mut there = |range: std::ops::Range<i64>| {
                range.filter(|i| read(&store, &mut turn, (i % 2) as u32, &format!("key{i}"))).count()
            };
            // With perfect memory: none of the first half, all of the second.
            assert!(there(0..5000) < 100, "{} of the oldest quarter are left", there(0..5000));
            assert!(there(15_000..20_000) > 4900, "{} of the newest are left", there(15_000..20_000));
        }
    }

    #[test]
    fn what_is_used_most_stays() {
        let store = store(1);
        let mut turn = Turn::new(NOW_MS, 1);
        turn.access = AccessPolicy::Lfu { log_factor: 10, decay_minutes: 1 };
        for i in 0..5000 {
            set(&store, &mut turn, 0, &format!("key{i}"), Deadline::Never);
            for _ in 0..if i % 10 == 0 { 50 } else { 0 } {
                read(&store, &mut turn, 0, &format!("key{i}"));
            }
        }
        let mut candidates = Candidates::default();
        while store.keys() > 1000 {
            assert!(store.evict(&how(Worth::Frequency, false), &mut candidates, &mut turn));
        }
        let left = (0..500).filter(|i| read(&store, &mut turn, 0, &format!("key{}", i * 10))).count();
        assert!(left > 490, "{left} of 500 are left");
    }

    #[test]
    fn volatile_policies_leave_keys_without_a_deadline() {
        for worth in [Worth::Recency, Worth::Frequency, Worth::Chance, Worth::Deadline] {
            let store = store(2);
            let mut turn = Turn::new(NOW_MS, 1);
            for i in 0..5000 {
                let deadline = if i % 100 == 3 { Deadline::At(NOW_MS + 1000 + i) } else { Deadline::Never };
                set(&store, &mut turn, 1, &format!("key{i}"), deadline);
            }
            let mut candidates = Candidates::default();
            let mut gone = 0;
            while store.evict(&how(worth, true), &mut candidates, &mut turn) {
                gone += 1;
            }
            assert_eq!((gone, store.keys(), store.volatile_len(1)), (50, 4950, 0), "{worth:?}");
        }
    }

    #[test]
    fn near_deadlines_go_first() {
        let store = store(1);
        let mut turn = Turn::new(NOW_MS, 1);
        for i in 0..10_000 {
            set(&store, &mut turn, 0, &format!("key{i}"), Deadline::At(NOW_MS + 1000 + i));
        }
        let mut candidates = Candidates::default();
        for _ in 0..5000 {
            assert!(store.evict(&how(Worth::Deadline, true), &mut candidates, &mut turn));
        }
        let near = (0..2500).filter(|i| read(&store, &mut turn, 0, &format!("key{i}"))).count();
        assert!(near < 25, "{near} of the nearest quarter are left");
    }

    #[test]
    fn a_candidate_that_was_used_meanwhile_stays() {
        let store = store(1);
        let mut turn = Turn::new(NOW_MS, 1);
        for i in 0..3 {
            set(&store, &mut turn, 0, &format!("key{i}"), Deadline::Never);
        }
        let mut candidates = Candidates::default();
        store.pick(&how(Worth::Recency, false), &mut candidates.picked, &mut turn);
        candidates.by = Some(how(Worth::Recency, false));
        let picked = candidates.picked[0].hash;
        let name =
            (0..3).map(|i| format!("key{i}")).find(|k| store.key(k.as_bytes()).hash() == picked).unwrap();
        turn.now_ms += 5000;
        assert!(read(&store, &mut turn, 0, &name));
        assert!(store.evict(&how(Worth::Recency, false), &mut candidates, &mut turn));
        assert!(read(&store, &mut turn, 0, &name));
        assert_eq!(store.keys(), 2);
    }

    #[test]
    fn an_eviction_is_an_effect_and_an_event_and_an_expired_key_expires() {
        let store = store(1);
        let mut turn = Turn::new(NOW_MS, 1);
        store.order().want(true);
        set(&store, &mut turn, 1, "kept", Deadline::Never);
        set(&store, &mut turn, 1, "due", Deadline::At(NOW_MS + 1));
        turn.now_ms += 10;
        turn.events_wanted = EventClass::Evicted as u32 | EventClass::Expired as u32;
        let mut candidates = Candidates::default();
        let later = Eviction { free_later: true, ..how(Worth::Recency, false) };
        assert!(store.evict(&later, &mut candidates, &mut turn));
        assert!(store.evict(&later, &mut candidates, &mut turn));
        assert!(!store.evict(&later, &mut candidates, &mut turn));
        let events: Vec<_> = turn.events.iter().map(|e| (e.name, e.db, &*e.key)).collect();
        assert_eq!(events, [("expired", 1, b"due".as_slice()), ("evicted", 1, b"kept")]);
        let effects: Vec<_> = turn.effects.iter().map(|(_, bytes)| bytes.to_vec()).collect();
        assert!(effects[1].ends_with(b"$6\r\nUNLINK\r\n$4\r\nkept\r\n"));
        assert!(matches!(turn.gone[0].cause, Cause::Due { lag_ms: 9, .. }));
        let Gone { db: 1, bytes, cause: Cause::Evicted { idle_ms: 0, frequency: None } } = turn.gone[1]
        else {
            panic!("{:?}", turn.gone[1])
        };
        assert!((20..100).contains(&bytes));
    }
}
