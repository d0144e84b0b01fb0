//! Sorted sets beside a sorted vector, small and large.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::entry::EntryBox;

/// A set in an entry of its own, and what is in it.
struct Pair {
    entry: EntryBox,
    limits: Limits,
    model: BTreeMap<Vec<u8>, f64>,
}

impl Pair {
    fn new() -> Pair {
        Pair {
            entry: EntryBox::empty(b"key", Kind::ZSet, 0),
            limits: Limits::default(),
            model: BTreeMap::new(),
        }
    }

    fn change<R>(&mut self, change: impl FnOnce(&mut ZSetMut<'_>) -> R) -> R {
        change(&mut ZSetMut::new(CollectionMut::new(&mut self.entry, &self.limits, 7)))
    }

    fn view(&self) -> ZSet<'_> {
        self.entry.view().zset().unwrap()
    }

    fn add(&mut self, member: &[u8], score: f64) {
        let old = self.change(|set| set.add(member, score));
        let before = self.model.get(member).copied();
        assert_eq!(old, before);
        if before != Some(score) {
            let zero_is_positive = !self.view().is_skiplist();
            self.model.insert(member.to_vec(), if zero_is_positive { score + 0.0 } else { score });
        }
    }

    fn sorted(&self) -> Vec<(f64, Vec<u8>)> {
        let mut all: Vec<_> = self.model.iter().map(|(member, score)| (*score, member.clone())).collect();
        all.sort_by(|a, b| order((a.0, &a.1), (b.0, &b.1)));
        all
    }

    fn check(&self) {
        let (set, expected) = (self.view(), self.sorted());
        assert_eq!(set.len(), expected.len());
        assert_eq!(list(set.iter()), expected);
        for (i, (score, member)) in expected.iter().enumerate() {
            let (rank, same) = set.rank(member).unwrap();
            assert_eq!((rank, same.to_bits()), (i, score.to_bits()));
        }
        let (from, to) = (expected.len() / 3, expected.len() * 2 / 3);
        assert_eq!(list(set.range(from..to)), expected[from..to]);
        let mut backwards = list(set.range_backwards(from..to));
        backwards.reverse();
        assert_eq!(backwards, expected[from..to]);
        assert_eq!(set.score(b"never there"), None);
    }

    /// All that a scan in steps of `count` visits, in order.
    fn scanned(&self, count: usize) -> Vec<(f64, Vec<u8>)> {
        let (mut cursor, mut all) = (0, Vec::new());
        loop {
            cursor = self.view().scan(cursor, count, |member| all.extend(list(std::iter::once(member))));
            if cursor == 0 {
                all.sort_by(|a, b| order((a.0, &a.1), (b.0, &b.1)));
                return all;
            }
        }
    }
}

fn list<'e>(members: impl Iterator<Item = Scored<'e>>) -> Vec<(f64, Vec<u8>)> {
    members.map(|m| (m.score, m.name.bytes(&mut itoa::Buffer::new()).to_vec())).collect()
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (0u32..400).prop_map(|n| n.to_string().into_bytes()),
        4 => (0u32..400).prop_map(|n| format!("member:{n:09}").into_bytes()),
        1 => (0u8..3, 500usize..600).prop_map(|(byte, len)| vec![byte; len]),
        1 => (0u8..3, 250usize..260).prop_map(|(byte, len)| vec![byte; len]),
        1 => Just(Vec::new()),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-5i32..5).prop_map(f64::from),
        2 => -1e9f64..1e9,
        1 => prop::sample::select(vec![0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_sorted_set_is_a_sorted_vector(
        steps in prop::collection::vec((0u8..20, member(), score(), 0usize..600), 0..900),
    ) {
        let mut pair = Pair::new();
        let mut copies = Vec::new();
        for (what, member, score, n) in steps {
            match what {
                0..=14 => pair.add(&member, score),
                15..=17 => {
                    let removed = pair.change(|set| set.remove(&member));
                    prop_assert_eq!(removed, pair.model.remove(&member));
                }
                18 if n % 7 == 0 => {
                    let gone: Vec<_> = pair.sorted().into_iter().skip(n / 2).take(n / 4).collect();
                    prop_assert_eq!(pair.change(|set| set.remove_range(n / 2..n / 2 + n / 4)), gone.len());
                    gone.iter().for_each(|(_, member)| { pair.model.remove(member); });
                }
                18 => {}
                _ => copies.push((Owned::copy_of(pair.entry.view()), pair.sorted())),
            }
        }
        pair.check();
        prop_assert_eq!(pair.scanned(10), pair.sorted());
        for (copy, expected) in copies {
            let crate::value::View::ZSet(set) = copy.value() else { panic!("a sorted set") };
            prop_assert_eq!(list(set.iter()), expected);
        }
    }

    #[test]
    fn a_set_made_at_once_is_the_same(members in prop::collection::btree_map(member(), score(), 0..400)) {
        let mut pair = Pair::new();
        members.iter().for_each(|(member, score)| pair.add(member, *score));
        let owned = Owned::zset(members.into_iter().collect(), &Limits::default(), 7);
        let crate::value::View::ZSet(set) = owned.value() else { panic!("a sorted set") };
        prop_assert_eq!((list(set.iter()), set.is_skiplist()), (pair.sorted(), pair.view().is_skiplist()));
        pair.model.iter().for_each(|(member, score)| assert_eq!(set.score(member), Some(*score)));
    }
}

#[test]
fn large_sets_take_little_memory_and_scan_whole() {
    for ties in [1, 100, 30_000] {
        let mut pair = Pair::new();
        for i in 0..30_000u32 {
            let member = format!("member:{:09}", i * 7919 % 30_011).into_bytes();
            pair.add(&member, f64::from(i / ties));
        }
        let bytes = pair.entry.view().allocated_bytes() / pair.model.len();
        assert!(bytes <= 48, "{bytes} bytes a member");
        assert_eq!(pair.scanned(50), pair.sorted());
        assert_eq!(
            pair.view().partition(|score, _| score < 100.0),
            pair.model.values().filter(|s| **s < 100.0).count()
        );
    }
}

#[test]
fn a_member_that_moves_while_it_is_scanned_is_visited() {
    let mut pair = Pair::new();
    (0..2000u32).for_each(|i| pair.add(i.to_string().as_bytes(), f64::from(i)));
    let (mut cursor, mut seen, mut round) = (0, std::collections::BTreeSet::new(), 0u32);
    loop {
        cursor = pair.view().scan(cursor, 20, |m| {
            seen.insert(m.name.bytes(&mut itoa::Buffer::new()).to_vec());
        });
        if cursor == 0 {
            break;
        }
        round += 1;
        (0..2000u32).for_each(|i| pair.add(i.to_string().as_bytes(), f64::from((i * 31 + round) % 2003)));
    }
    assert_eq!(seen.len(), 2000);
}

#[test]
fn names_of_encodings_follow_the_limits() {
    let mut pair = Pair::new();
    (0..128u32).for_each(|i| pair.add(i.to_string().as_bytes(), 1.0));
    assert_eq!(pair.entry.view().encoding(), "listpack");
    pair.add(b"one more", 1.0);
    assert_eq!(pair.entry.view().encoding(), "skiplist");
    pair.change(|set| set.remove_range(1..129));
    assert_eq!((pair.view().len(), pair.entry.view().encoding()), (1, "skiplist"));
    let mut pair = Pair::new();
    pair.add(&[b'x'; 64], 1.0);
    assert_eq!(pair.entry.view().encoding(), "listpack");
    pair.add(&[b'x'; 65], 1.0);
    assert_eq!(pair.entry.view().encoding(), "skiplist");
    let mut pair = Pair::new();
    pair.limits.zset_max_listpack_entries = 500;
    (0..300u32).for_each(|i| pair.add(i.to_string().as_bytes(), 1.0));
    assert_eq!(pair.entry.view().encoding(), "listpack");
}
