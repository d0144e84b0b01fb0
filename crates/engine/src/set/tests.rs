//! Sets beside a model of them.

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use super::SetBuilder;
use crate::limits::Limits;
use crate::packed::Element;
use crate::rng::Rng;
use crate::set::Set;

fn members(set: Set<'_>) -> Vec<Vec<u8>> {
    set.iter().map(|member| member.bytes(&mut itoa::Buffer::new()).to_vec()).collect()
}

/// A member: integers of all widths, words, and some that are long.
fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (-300..300i64).prop_map(|n| n.to_string().into_bytes()),
        2 => any::<i64>().prop_map(|n| (n >> (n & 63)).to_string().into_bytes()),
        8 => (0..400u32).prop_map(|n| format!("member:{n}").into_bytes()),
        1 => (0..20usize).prop_map(|n| vec![b'x'; n * 40]),
    ]
}

fn check(builder: &SetBuilder, model: &BTreeSet<Vec<u8>>) {
    let set = builder.view();
    let all = members(set);
    assert_eq!((set.len(), all.len()), (model.len(), model.len()));
    assert_eq!(&all.iter().cloned().collect::<BTreeSet<_>>(), model);
    for (n, member) in all.iter().enumerate().step_by(7) {
        assert!(set.contains(member));
        assert_eq!(set.nth(n).unwrap().bytes(&mut itoa::Buffer::new()), member);
    }
    assert_eq!(set.nth(all.len()), None);
    let encoding = builder.entry.view().encoding();
    let int = |member: &Vec<u8>| crate::canonical_int(member).is_some();
    let fits = model.len() <= 128 && model.iter().all(|member| member.len() <= 64);
    match encoding {
        "intset" => assert!(model.len() <= 512 && model.iter().all(int)),
        "listpack" => assert!(fits),
        _ => assert_eq!(encoding, "hashtable"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_set_has_what_was_added_and_not_removed(
        steps in prop::collection::vec((0..3u8, member()), 0..1500),
        ints_only: bool,
    ) {
        let mut builder = SetBuilder::new(Limits::default(), 5);
        let mut model = BTreeSet::new();
        for (i, (step, member)) in steps.into_iter().enumerate() {
            if ints_only && crate::canonical_int(&member).is_none() {
                continue;
            }
            // Long runs of additions, then of removals.
            let add = step > 0 || (i / 700) % 2 == 0;
            if add && i % 1400 < 1000 {
                prop_assert_eq!(builder.as_mut().add(&member), model.insert(member));
            } else {
                prop_assert_eq!(builder.as_mut().remove(&member), model.remove(&member));
            }
            if i % 100 == 0 {
                check(&builder, &model);
            }
        }
        check(&builder, &model);
        let left: Vec<_> = model.iter().cloned().collect();
        for member in left {
            prop_assert!(builder.as_mut().remove(&member));
            model.remove(&member);
        }
        check(&builder, &model);
    }
}

fn encoding(members: impl IntoIterator<Item = String>) -> &'static str {
    let mut builder = SetBuilder::new(Limits::default(), 5);
    members.into_iter().for_each(|member| {
        builder.as_mut().add(member.as_bytes());
    });
    builder.entry.view().encoding()
}

#[test]
fn encodings_change_at_the_limits() {
    let ints = |n: i64| (0..n).map(|n| n.to_string());
    let words = |n: i64| (0..n).map(|n| format!("w{n}"));
    assert_eq!(encoding(ints(512)), "intset");
    assert_eq!(encoding(ints(513)), "hashtable");
    assert_eq!(encoding(words(128)), "listpack");
    assert_eq!(encoding(words(129)), "hashtable");
    assert_eq!(encoding(ints(127).chain(words(1))), "listpack");
    assert_eq!(encoding(ints(128).chain(words(1))), "hashtable");
    assert_eq!(encoding(ints(3).chain(["x".repeat(64)])), "listpack");
    assert_eq!(encoding(ints(3).chain(["x".repeat(65)])), "hashtable");
}

#[test]
fn more_arguments_than_an_encoding_takes_change_it() {
    for (there, first, count, expected) in [
        (None, "1", 512, "intset"),
        (None, "1", 513, "hashtable"),
        (None, "w", 128, "listpack"),
        (None, "w", 129, "hashtable"),
        (Some("1"), "2", 512, "intset"),
        (Some("1"), "2", 513, "hashtable"),
        (Some("w"), "2", 129, "hashtable"),
    ] {
        let mut builder = SetBuilder::new(Limits::default(), 5);
        there.into_iter().for_each(|member| assert!(builder.as_mut().add(member.as_bytes())));
        builder.as_mut().expect(first.as_bytes(), count);
        builder.as_mut().add(first.as_bytes());
        assert_eq!(builder.entry.view().encoding(), expected, "{there:?} {first} {count}");
        assert!(builder.view().contains(first.as_bytes()));
    }
}

#[test]
fn samples_are_fair_and_without_repetition() {
    let mut rng = Rng::new(9);
    for (len, count) in [(10, 3), (100, 10), (1000, 600), (2000, 20), (20, 30)] {
        let mut builder = SetBuilder::new(Limits::default(), 5);
        (0..len).for_each(|n| assert!(builder.as_mut().add(format!("w{n}").as_bytes())));
        let mut counts: HashMap<Vec<u8>, u32> = HashMap::new();
        let rounds = 200_000 / count as u32;
        for _ in 0..rounds {
            let mut seen = BTreeSet::new();
            builder.view().sample(count, &mut rng, |member| {
                let Element::Bytes(bytes) = member else { panic!("{member:?}") };
                assert!(seen.insert(bytes.to_vec()));
            });
            assert_eq!(seen.len(), count.min(len));
            seen.into_iter().for_each(|member| *counts.entry(member).or_default() += 1);
        }
        let expected = f64::from(rounds) * count.min(len) as f64 / len as f64;
        let deviation = 6.0 * expected.sqrt();
        assert_eq!(counts.len(), len);
        assert!(counts.values().all(|&n| (f64::from(n) - expected).abs() <= deviation));
    }
}
