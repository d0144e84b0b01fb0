//! The dictionary beside a model of it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::Dict;
use crate::rng::Rng;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn check(dict: &Dict, model: &Model) {
    assert_eq!(dict.len(), model.len());
    assert_eq!(dict.timed(), model.values().filter(|(_, deadline)| deadline.is_some()).count());
    let all: Model =
        dict.iter().map(|item| (item.key.to_vec(), (item.value.to_vec(), item.deadline_ms))).collect();
    assert_eq!(all.len(), model.len());
    assert_eq!(&all, model);
    for (key, (value, deadline_ms)) in model {
        let item = dict.get(key).unwrap();
        assert_eq!((item.key, item.value, item.deadline_ms), (&key[..], &value[..], *deadline_ms));
    }
    let bytes: usize =
        dict.root.children().iter().flat_map(|c| c.segments.children()).map(|s| s.allocated_bytes()).sum();
    assert_eq!(bytes, dict.page_bytes);
    let segments = dict.root.children().iter().map(|c| c.segments.children().len()).sum::<usize>();
    assert_eq!(segments, dict.segments);
    for chunk in dict.root.children() {
        let segments = chunk.segments.children();
        assert_eq!(chunk.len, segments.iter().map(|s| s.len()).sum::<usize>());
        for segment in segments {
            assert!(chunk.earliest <= segment.earliest());
            let earliest = segment.items().filter_map(|item| item.deadline_ms).min();
            assert!(segment.earliest() <= earliest.unwrap_or(i64::MAX));
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u16, u16, Option<i64>),
    Add(u16, u16),
    Remove(u16),
    RemoveMany(u16, u16),
    InsertMany(u16, u16, u16),
    Deadline(u16, Option<i64>),
    Expire(i64, u8),
    Clone,
    CheckClones,
}

/// A key: some are long, some are so long that they lie apart.
fn key(n: u16) -> Vec<u8> {
    let mut key = n.to_string().into_bytes();
    match n % 50 {
        0 => key.resize(700, b'k'),
        1 => key.resize(200, b'k'),
        _ => {}
    }
    key
}

fn value(n: u16) -> Vec<u8> {
    vec![b'v'; usize::from(n)]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..2000u16;
    let len = prop_oneof![5 => 0..40u16, 1 => 100..700u16];
    let deadline = prop::option::of(0..1000i64);
    let step = prop_oneof![
        4 => (key.clone(), len.clone(), deadline.clone()).prop_map(|(k, v, d)| Step::Insert(k, v, d)),
        2 => (key.clone(), len.clone()).prop_map(|(k, v)| Step::Add(k, v)),
        4 => key.clone().prop_map(Step::Remove),
        1 => (key.clone(), 0..1000u16).prop_map(|(k, n)| Step::RemoveMany(k, n)),
        2 => (key.clone(), 0..500u16, len).prop_map(|(k, n, v)| Step::InsertMany(k, n, v)),
        2 => (key, deadline).prop_map(|(k, d)| Step::Deadline(k, d)),
        1 => (0..500i64, any::<u8>()).prop_map(|(now, max)| Step::Expire(now, max)),
        1 => Just(Step::Clone),
        1 => Just(Step::CheckClones),
    ];
    prop::collection::vec(step, 1..60)
}

fn run(dict: &mut Dict, model: &mut Model, step: Step) {
    match step {
        Step::Insert(k, v, deadline_ms) => {
            let new = dict.insert(&key(k), &value(v), deadline_ms);
            assert_eq!(new, model.insert(key(k), (value(v), deadline_ms)).is_none());
        }
        Step::Add(k, v) => {
            let new = !model.contains_key(&key(k));
            assert_eq!(dict.add(&key(k), &value(v), None), new);
            model.entry(key(k)).or_insert((value(v), None));
        }
        Step::Remove(k) => assert_eq!(dict.remove(&key(k)), model.remove(&key(k)).is_some()),
        Step::RemoveMany(k, n) => (k..k + n).for_each(|k| run(dict, model, Step::Remove(k))),
        Step::InsertMany(k, n, v) => (k..k + n).for_each(|k| run(dict, model, Step::Insert(k, v, None))),
        Step::Deadline(k, deadline_ms) => {
            let there = model.get_mut(&key(k)).map(|(_, deadline)| *deadline = deadline_ms).is_some();
            assert_eq!(dict.set_deadline(&key(k), deadline_ms), there);
        }
        Step::Expire(now_ms, max) => {
            let due = |deadline: &Option<i64>| deadline.is_some_and(|at| at <= now_ms);
            let expected = model.values().filter(|(_, deadline)| due(deadline)).count();
            let mut gone = Vec::new();
            let n = dict
                .expire(now_ms, usize::from(max), |item| gone.push((item.key.to_vec(), item.deadline_ms)));
            assert_eq!((n, gone.len()), (expected.min(usize::from(max)), n));
            for (key, deadline_ms) in gone {
                assert!(due(&deadline_ms));
                assert_eq!(model.remove(&key).map(|(_, deadline)| deadline), Some(deadline_ms));
            }
        }
        Step::Clone | Step::CheckClones => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn it_does_what_a_map_does_and_clones_see_nothing_later(steps in steps(), secret: u64) {
        let (mut dict, mut model) = (Dict::new(secret), Model::new());
        let mut clones = Vec::new();
        for step in steps {
            match step {
                Step::Clone => {
                    clones.push((dict.clone(), model.clone()));
                    // From now on the one goes on that was the copy.
                    if clones.len() % 2 == 0 {
                        let last = clones.len() - 1;
                        std::mem::swap(&mut dict, &mut clones[last].0);
                    }
                }
                Step::CheckClones => clones.iter().for_each(|(dict, model)| check(dict, model)),
                step => run(&mut dict, &mut model, step),
            }
        }
        check(&dict, &model);
        clones.iter().for_each(|(dict, model)| check(dict, model));
    }

    #[test]
    fn a_scan_meets_what_stays_exactly_once(seed: u64, start in 200..3000u32, count in 1..40usize) {
        let mut rng = Rng::new(seed);
        let mut dict = Dict::new(seed);
        let key = |n: u64| format!("key:{n}").into_bytes();
        (0..u64::from(start)).for_each(|n| assert!(dict.insert(&key(n), b"v", None)));
        // Every fifth stays; of the others, and of many more, some come and go between the calls.
        let (mut seen, mut cursor) = (Vec::new(), 0);
        loop {
            let mut n = 0;
            let visit = |item: super::Item<'_>| { seen.push(item.key.to_vec()); };
            let more = || { n += 1; n < count };
            cursor = dict.scan(cursor, visit, more);
            assert!(cursor < 1 << 48);
            if cursor == 0 {
                break;
            }
            for _ in 0..rng.below(400) {
                let n = rng.below(6 * u64::from(start));
                let stays = n.is_multiple_of(5) && n < u64::from(start);
                match seed % 3 {
                    _ if stays => {}
                    0 => drop(dict.insert(&key(n), b"", None)),
                    _ => drop(dict.remove(&key(n))),
                }
            }
        }
        let stayed: BTreeSet<Vec<u8>> = (0..u64::from(start)).step_by(5).map(key).collect();
        let mut met: Vec<Vec<u8>> = seen.into_iter().filter(|key| stayed.contains(key)).collect();
        let times = met.len();
        met.sort();
        met.dedup();
        prop_assert_eq!((met.len(), times), (stayed.len(), stayed.len()));
    }
}

#[test]
fn what_is_emptied_takes_no_more_than_what_is_new() {
    let mut dict = Dict::new(7);
    let new = dict.allocated_bytes();
    (0..100_000u32).for_each(|n| assert!(dict.add(&n.to_le_bytes(), b"", None)));
    let full = dict.allocated_bytes();
    (0..99_000u32).for_each(|n| assert!(dict.remove(&n.to_le_bytes())));
    assert!(dict.allocated_bytes() < full / 40, "{} of {full}", dict.allocated_bytes());
    (99_000..100_000u32).for_each(|n| assert!(dict.remove(&n.to_le_bytes())));
    assert_eq!((dict.len(), dict.allocated_bytes()), (0, new));
}

#[test]
fn elements_take_little_more_than_their_bytes() {
    let (mut set, mut hash) = (Dict::new(1), Dict::new(2));
    for n in 0..200_000 {
        set.add(format!("member:{n:09}").as_bytes(), b"", None);
        hash.insert(format!("field:{n:09}").as_bytes(), format!("value:{n:09}").as_bytes(), None);
    }
    let per_element = |dict: &Dict| dict.allocated_bytes() as f64 / dict.len() as f64;
    assert!(per_element(&set) < 26.0, "{}", per_element(&set));
    assert!(per_element(&hash) < 43.0, "{}", per_element(&hash));
}

#[test]
fn random_elements_are_equally_likely() {
    let mut dict = Dict::new(3);
    (0..1000u32).for_each(|n| assert!(dict.add(&n.to_le_bytes(), b"", None)));
    let mut counts = [0u32; 1000];
    let mut rng = Rng::new(4);
    for _ in 0..200_000 {
        let key = dict.random(&mut rng).unwrap().key;
        counts[u32::from_le_bytes(key.try_into().unwrap()) as usize] += 1;
    }
    // Each is expected 200 times with a deviation of 14.
    assert!(counts.iter().all(|count| (120..300).contains(count)));
    assert!(dict.nth(999).is_some() && dict.nth(1000).is_none());
    assert!(Dict::new(3).random(&mut rng).is_none());
}

#[test]
fn what_is_due_goes_wherever_it_is() {
    let mut dict = Dict::new(5);
    for n in 0..50_000i64 {
        dict.insert(n.to_string().as_bytes(), b"value", (n % 10 == 0).then_some(n));
    }
    assert_eq!((dict.timed(), dict.next_deadline()), (5000, Some(0)));
    let mut gone = 0;
    for now_ms in (0..50_000).step_by(1000) {
        gone += dict.expire(now_ms, usize::MAX, |item| assert!(item.deadline_ms.unwrap() <= now_ms));
        assert_eq!(gone as i64, now_ms / 10 + 1);
        assert!(dict.next_deadline().is_none_or(|at| at > now_ms));
    }
    assert_eq!(dict.expire(i64::MAX - 1, usize::MAX, |_| {}), 5000 - gone);
    assert_eq!((dict.len(), dict.timed(), dict.next_deadline()), (45_000, 0, None));
}
