//! The keys that weigh most in a stream, in memory that does not grow with the stream: Space-Saving (Metwally, Agrawal,
//! El Abbadi: "Efficient computation of frequent and top-k elements in data streams", 2005), with weights.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

/// Keys longer than this are not watched, so that they take no memory here.
const KEY_BYTES_MAX: usize = 1024;

/// A bounded number of keys and what each has weighed. A key that weighs more than `1 / capacity` of all is among them.
#[derive(Debug)]
pub(crate) struct HeavyHitters {
    capacity: usize,
    places: Vec<Place>,
    /// Where each key is, by its hash.
    by_hash: HashMap<u64, u32, BuildHasherDefault<NoHasher>>,
    /// Every place with what it weighed at some time, the lightest first. Weights only grow, so the first is the lightest
    /// of all once its weight is up to date.
    lightest: BinaryHeap<Reverse<(Weight, u32)>>,
}

#[derive(Debug)]
struct Place {
    hash: u64,
    key: Box<[u8]>,
    /// What the place has weighed, for whichever key it stood.
    weight: f64,
    /// What it had weighed before this key came.
    before: f64,
}

/// The bits of a weight: numbers that are not negative stand in the order of their bits.
type Weight = u64;

impl HeavyHitters {
    /// Watches `capacity` keys.
    pub(crate) fn new(capacity: usize) -> HeavyHitters {
        let (by_hash, lightest) = (HashMap::default(), BinaryHeap::new());
        HeavyHitters { capacity, places: Vec::new(), by_hash, lightest }
    }

    /// Adds `weight`, which is not negative, to what `key`, whose hash is `hash`, has weighed. Two keys of one hash are
    /// one here.
    #[inline]
    pub(crate) fn add(&mut self, hash: u64, key: &[u8], weight: f64) {
        match self.by_hash.get(&hash) {
            Some(&place) => self.places[place as usize].weight += weight,
            None if key.len() <= KEY_BYTES_MAX => self.admit(hash, key, weight),
            None => {}
        }
    }

    /// Watches a key that was not watched: in a place of its own, or in that of the lightest.
    fn admit(&mut self, hash: u64, key: &[u8], weight: f64) {
        if self.places.len() < self.capacity {
            let place = self.places.len() as u32;
            self.places.push(Place { hash, key: key.into(), weight, before: 0.0 });
            self.by_hash.insert(hash, place);
            self.lightest.push(Reverse((weight.to_bits(), place)));
            return;
        }
        while let Some(mut first) = self.lightest.peek_mut() {
            let Reverse((noted, place)) = *first;
            let lightest = &mut self.places[place as usize];
            let found = lightest.weight.to_bits() == noted;
            if found {
                self.by_hash.remove(&lightest.hash);
                self.by_hash.insert(hash, place);
                let before = lightest.weight;
                *lightest = Place { hash, key: key.into(), weight: before + weight, before };
            }
            *first = Reverse((lightest.weight.to_bits(), place));
            if found {
                return;
            }
        }
    }

    /// Multiplies everything by `factor`.
    pub(crate) fn scale(&mut self, factor: f64) {
        for place in &mut self.places {
            place.weight *= factor;
            place.before *= factor;
        }
        let weights = (0..).zip(&self.places).map(|(i, place)| Reverse((place.weight.to_bits(), i)));
        self.lightest = weights.collect();
    }

    /// Forgets all keys.
    pub(crate) fn clear(&mut self) {
        *self = HeavyHitters::new(self.capacity);
    }

    /// Every key watched and the least that it has weighed.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], f64)> {
        self.places.iter().map(|place| (&*place.key, place.weight - place.before))
    }
}

/// Takes a hash as it is.
#[derive(Debug, Default)]
struct NoHasher(u64);

impl Hasher for NoHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0 << 8 | u64::from(byte));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use engine::Rng;

    use super::*;

    #[test]
    fn few_keys_are_counted_exactly() {
        let mut heavy = HeavyHitters::new(4);
        for (i, key) in [b"a", b"b", b"a", b"c", b"a"].iter().enumerate() {
            heavy.add(u64::from(key[0]), &key[..], i as f64);
        }
        heavy.add(9, &[b'x'; KEY_BYTES_MAX + 1], 100.0);
        heavy.scale(0.5);
        let found: Vec<_> = heavy.iter().map(|(key, weight)| (key[0], weight)).collect();
        assert_eq!(found, [(b'a', 3.0), (b'b', 0.5), (b'c', 1.5)]);
        // The lightest makes way for a fifth.
        heavy.add(1, b"y", 0.1);
        heavy.add(2, b"z", 1.0);
        let found: Vec<_> = heavy.iter().map(|(key, weight)| (key[0], weight)).collect();
        assert_eq!(found, [(b'a', 3.0), (b'b', 0.5), (b'c', 1.5), (b'z', 1.0)]);
        heavy.clear();
        assert_eq!(heavy.iter().count(), 0);
    }

    #[test]
    fn heavy_keys_are_found_among_many_light_ones() {
        let (mut heavy, mut rng) = (HeavyHitters::new(128), Rng::new(7));
        for i in 0..200_000u64 {
            // Every tenth is for one of five keys.
            let n = if i % 10 == 0 { rng.below(5) } else { 1000 + rng.below(50_000) };
            heavy.add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15), &n.to_le_bytes(), 1.0);
        }
        let mut found: Vec<_> = heavy.iter().collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        for (key, weight) in &found[..5] {
            let n = u64::from_le_bytes((*key).try_into().unwrap());
            assert!(n < 5, "{n} weighs {weight}");
            // Never too much, and little less than the about 4000 there were.
            assert!((3400.0..4300.0).contains(weight), "{n} weighs {weight}");
        }
    }
}
