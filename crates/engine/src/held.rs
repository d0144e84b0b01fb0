//! The stripes a worker holds: all that a command can touch.

use parking_lot::MutexGuard;
use smallvec::SmallVec;

use crate::key::Key;
use crate::store::{Store, Stripe};

/// Locked stripes of one store.
///
/// Whoever waits for a stripe holds none above it: several are taken in ascending order, and a stripe added to
/// others is only tried for. So no two workers ever wait for each other.
pub struct Held<'s> {
    store: &'s Store,
    guards: SmallVec<[(usize, MutexGuard<'s, Stripe>); 16]>,
    /// Whether somebody else held one of them, and was waited for.
    waited: bool,
    /// Where the stripe used last stands in `guards`: the next is mostly the same or the one behind.
    last: usize,
}

impl<'s> Held<'s> {
    /// No stripe.
    #[inline]
    pub fn nothing(store: &'s Store) -> Held<'s> {
        Held { store, guards: SmallVec::new(), waited: false, last: 0 }
    }

    /// The stripes of the keys with these hashes; waits for them.
    pub fn keys(store: &'s Store, hashes: impl IntoIterator<Item = u64>) -> Held<'s> {
        let mut stripes: SmallVec<[usize; 16]> =
            hashes.into_iter().map(|hash| store.stripe_of(hash)).collect();
        stripes.sort_unstable();
        stripes.dedup();
        Held::all(store, stripes.into_iter())
    }

    /// Every stripe; waits for them.
    pub fn everything(store: &'s Store) -> Held<'s> {
        Held::all(store, 0..store.stripes())
    }

    /// `stripes`, which ascend; waits for them.
    #[inline]
    fn all(store: &'s Store, stripes: impl Iterator<Item = usize>) -> Held<'s> {
        let mut waited = false;
        let mut wait = |stripe| {
            waited = true;
            store.lock(stripe)
        };
        let guards = stripes.map(|s| (s, store.try_lock(s).unwrap_or_else(|| wait(s)))).collect();
        Held { store, guards, waited, last: 0 }
    }

    /// Whether somebody else held one of the stripes at first, so that time went by until it was free.
    #[inline]
    pub fn has_waited(&self) -> bool {
        self.waited
    }

    /// Adds the stripe of `hash`, if it is held already or nobody else holds it; whether it is held now.
    #[inline]
    pub fn try_add(&mut self, hash: u64) -> bool {
        let stripe = self.store.stripe_of(hash);
        if self.guards.iter().any(|(s, _)| *s == stripe) {
            return true;
        }
        let Some(guard) = self.store.try_lock(stripe) else { return false };
        self.guards.push((stripe, guard));
        true
    }

    /// Adds the stripe of `hash`, waiting for it; nothing else may be held.
    ///
    /// # Panics
    /// Panics when a stripe is held already: waiting with one in hand could never end.
    pub fn add_first(&mut self, hash: u64) {
        assert!(self.guards.is_empty(), "a stripe is waited for only while none is held");
        let stripe = self.store.stripe_of(hash);
        self.guards.push((stripe, self.store.lock(stripe)));
        self.last = 0;
    }

    /// Lets go of every stripe.
    pub fn release(&mut self) {
        self.guards.clear();
        self.last = 0;
    }

    /// Whether no stripe is held.
    pub fn is_empty(&self) -> bool {
        self.guards.is_empty()
    }

    /// Whether the stripe of `key` is held.
    pub fn holds(&self, key: Key<'_>) -> bool {
        let stripe = self.store.stripe_of(key.hash);
        self.guards.iter().any(|(s, _)| *s == stripe)
    }

    /// The store they belong to.
    #[inline]
    pub fn store(&self) -> &'s Store {
        self.store
    }

    /// Has the processor fetch the entries of `hashes` in `db`, whose stripes must be held, step by step for all
    /// of them: each step is a cache miss, and so the misses of one step are waited for together.
    #[inline]
    pub fn prefetch(&mut self, db: u32, hashes: impl Iterator<Item = u64> + Clone) {
        for hash in hashes.clone() {
            if let Some(table) = self.of_hash(hash).1.table(db) {
                table.prefetch_segment(hash);
            }
        }
        for hash in hashes.clone() {
            if let Some(table) = self.of_hash(hash).1.table(db) {
                table.prefetch_bucket(hash);
            }
        }
        for hash in hashes {
            if let Some(table) = self.of_hash(hash).1.table(db) {
                table.prefetch_entry(hash);
            }
        }
    }

    /// The stripe of `hash`, with its number.
    ///
    /// # Panics
    /// Panics when it is not held: the command's key specifications do not name the key it touches.
    #[inline]
    pub(crate) fn of_hash(&mut self, hash: u64) -> (usize, &mut Stripe) {
        let stripe = self.store.stripe_of(hash);
        if self.guards.get(self.last).is_none_or(|(s, _)| *s != stripe) {
            self.last = self.position(stripe).expect("a command touches only keys whose stripes it holds");
        }
        (stripe, &mut self.guards[self.last].1)
    }

    /// The stripe of `hash`, to be read.
    ///
    /// # Panics
    /// Panics when it is not held, see [`Held::of_hash`].
    pub(crate) fn stripe(&self, hash: u64) -> &Stripe {
        let held = self.position(self.store.stripe_of(hash));
        &self.guards[held.expect("a command touches only keys whose stripes it holds")].1
    }

    #[inline]
    fn position(&self, stripe: usize) -> Option<usize> {
        if self.guards.len() == self.store.stripes() {
            return Some(stripe);
        }
        let (front, back) = self.guards.split_at((self.last + 1).min(self.guards.len()));
        let of = |guards: &[(usize, _)]| guards.iter().position(|(s, _)| *s == stripe);
        of(back).map(|i| i + front.len()).or_else(|| of(front))
    }

    /// Runs `f` on stripe number `stripe`, which is taken for that long when no stripe is held.
    ///
    /// # Panics
    /// Panics when others are held, but not this one.
    pub(crate) fn with_stripe<R>(&mut self, stripe: usize, f: impl FnOnce(&mut Stripe) -> R) -> R {
        if self.guards.is_empty() {
            return f(&mut self.store.lock(stripe));
        }
        f(self.of_hash(self.store.first_hash(stripe)).1)
    }
}

impl std::fmt::Debug for Held<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.guards.iter().map(|(s, _)| s)).finish()
    }
}
