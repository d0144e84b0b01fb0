//! Lists beside a queue of the same changes, and where their names and nodes change.

use std::collections::VecDeque;

use super::*;
use crate::db::Db;
use crate::held::Held;
use crate::rng::Rng;
use crate::store::{Options, Store};
use crate::turn::Turn;

/// Runs `act` on the list `l` of a new store, with `list-max-listpack-size` at `directive`.
fn with_list(directive: i64, act: impl FnOnce(&mut Db<'_, '_>)) {
    let store = Store::new(&Options { databases: 1, secret: 1, groups: 1 });
    let mut turn = Turn::new(1000, 1);
    turn.limits.list_max_listpack_size = directive;
    let mut held = Held::everything(&store);
    act(&mut Db::new(&mut held, &mut turn, 0));
}

fn contents(list: List<'_>) -> Vec<Vec<u8>> {
    list.elements(0).map(|e| e.bytes(&mut itoa::Buffer::new()).to_vec()).collect()
}

fn encoding(db: &mut Db<'_, '_>) -> &'static str {
    let key = db.key(b"l");
    db.peek(key).map_or("none", |entry| entry.encoding())
}

/// Elements of few values, so that they meet, and of all lengths that matter.
fn element(rng: &mut Rng) -> Vec<u8> {
    match rng.below(40) {
        0 => vec![b'x'; 3000 + rng.below(3000) as usize],
        1 => vec![b'y'; 8000 + rng.below(400) as usize],
        2 => vec![b'z'; 100 + rng.below(100) as usize],
        3..20 => rng.below(20).to_string().into_bytes(),
        20..24 => (rng.next_u64() as i64 >> rng.below(60)).to_string().into_bytes(),
        n => vec![b'a' + n as u8 % 3; n as usize % 7],
    }
}

fn change(list: &mut ListMut<'_>, model: &mut VecDeque<Vec<u8>>, rng: &mut Rng) {
    let at = rng.below(model.len().max(1) as u64) as usize;
    let end = if rng.below(2) == 0 { End::Front } else { End::Back };
    let new = element(rng);
    match rng.below(16) {
        0..5 => {
            let more = [&new[..], b"17", &new];
            let more = &more[..1 + rng.below(3) as usize];
            list.push(end, more.iter().copied());
            for e in more {
                if end == End::Front { model.push_front(e.to_vec()) } else { model.push_back(e.to_vec()) }
            }
        }
        5..9 if !model.is_empty() => {
            let after = rng.below(2) == 0;
            list.insert(at, after, &new);
            model.insert(at + usize::from(after), new);
        }
        9..12 if !model.is_empty() => {
            list.set(at, &new);
            model[at] = new;
        }
        12 => {
            let count = rng.below(3) as usize;
            list.pop(end, count);
            (0..count)
                .for_each(|_| drop(if end == End::Front { model.pop_front() } else { model.pop_back() }));
        }
        13 if !model.is_empty() => {
            let (wanted, max) = (model[at].clone(), 1 + rng.below(5) as usize);
            let removed = list.remove_equal(&wanted, max, end);
            let mut left = max;
            let mut keep = |e: &Vec<u8>| {
                let gone = *e == wanted && left > 0;
                left -= usize::from(gone);
                !gone
            };
            let mut kept: VecDeque<_> = match end {
                End::Front => model.drain(..).filter(&mut keep).collect(),
                End::Back => model.drain(..).rev().filter(&mut keep).collect(),
            };
            if end == End::Back {
                kept = kept.into_iter().rev().collect();
            }
            *model = kept;
            assert_eq!(removed, max - left);
        }
        14 if rng.below(8) == 0 => {
            let to = at + rng.below(200) as usize;
            list.keep(at..to);
            model.truncate(to);
            model.drain(..at.min(model.len()));
        }
        _ => {}
    }
}

#[test]
fn a_list_holds_what_a_queue_of_the_same_changes_holds() {
    for directive in [-2, -1, -5, 1, 2, 5, 128, 1000] {
        for seed in 0..3 {
            with_list(directive, |db| {
                let (mut model, mut rng) = (VecDeque::new(), Rng::new(seed));
                for step in 0..1500 {
                    let key = db.key(b"l");
                    db.change_list(key, |list| change(list, &mut model, &mut rng));
                    let Ok(found) = db.write_list(key) else { panic!("no list") };
                    assert_eq!(found.map_or(0, List::len), model.len(), "{directive} {seed} {step}");
                    let Some(list) = found else { continue };
                    let from = rng.below(model.len() as u64) as usize;
                    let digits = &mut itoa::Buffer::new();
                    assert_eq!(list.get(from).unwrap().bytes(digits), model[from]);
                    if step % 20 == 0 {
                        assert!(
                            contents(list) == Vec::from_iter(model.iter().cloned()),
                            "{directive} {seed} {step}"
                        );
                        let forwards =
                            list.elements(from).map(|e| e.bytes(&mut itoa::Buffer::new()).to_vec());
                        assert!(forwards.eq(model.iter().skip(from).cloned()));
                        let backwards =
                            list.elements_back(from).map(|e| e.bytes(&mut itoa::Buffer::new()).to_vec());
                        assert!(backwards.eq(model.iter().take(from).rev().cloned()));
                    }
                }
            });
        }
    }
}

#[test]
fn a_copy_sees_no_later_change() {
    with_list(-2, |db| {
        let (key, other) = (db.key(b"l"), db.key(b"copy"));
        let texts: Vec<String> = (0..5000).map(|n| format!("element {n}")).collect();
        db.change_list(key, |list| list.push(End::Back, texts.iter().map(String::as_bytes)));
        let copy = db.copy(key).unwrap();
        db.put(other, copy, crate::Free::Now);
        db.change_list(key, |list| {
            list.set(2500, b"other");
            list.pop(End::Front, 100);
            list.push(End::Back, [&b"new"[..]].into_iter());
        });
        let copy = db.read_list(other).unwrap().unwrap();
        assert!(contents(copy).iter().map(Vec::as_slice).eq(texts.iter().map(String::as_bytes)));
        let list = db.read_list(key).unwrap().unwrap();
        assert_eq!(
            (list.len(), list.get(2400), list.get(4900)),
            (4901, Some(Element::Bytes(b"other")), Some(Element::Bytes(b"new")))
        );
    });
}

#[test]
fn names_change_at_the_limit_and_back_at_half_of_it() {
    with_list(4, |db| {
        let key = db.key(b"l");
        let mut names = Vec::new();
        for _ in 0..5 {
            db.change_list(key, |list| list.push(End::Back, [&b"x"[..]].into_iter()));
            names.push(encoding(db));
        }
        for _ in 0..5 {
            db.change_list(key, |list| list.pop(End::Back, 1));
            names.push(encoding(db));
        }
        let (l, q) = ("listpack", "quicklist");
        assert_eq!(names, [l, l, l, l, q, q, q, l, l, "none"]);
    });
}

#[test]
fn bytes_are_counted_as_redis_counts_them() {
    // 7 bytes of a listpack's own, 10 for each element: 818 of them fit into 8 KiB, and one more counts 8.
    with_list(-2, |db| {
        let key = db.key(b"l");
        let push = |list: &mut ListMut<'_>| {
            list.push(End::Back, [&b"12345678"[..], b"ABCDEFGH"].into_iter().skip(1))
        };
        (0..818).for_each(|_| db.change_list(key, push));
        assert_eq!(encoding(db), "listpack");
        db.change_list(key, push);
        assert_eq!(encoding(db), "quicklist");
        let count = |db: &mut Db<'_, '_>| db.read_list(key).unwrap().unwrap().nodes_count();
        assert_eq!(count(db), 2);
        db.change_list(key, |list| list.pop(End::Back, 1));
        assert_eq!((count(db), encoding(db)), (1, "quicklist"));
        // 409 elements are 4097 bytes.
        db.change_list(key, |list| list.pop(End::Front, 409));
        assert_eq!((db.read_list(key).unwrap().unwrap().len(), encoding(db)), (409, "quicklist"));
        db.change_list(key, |list| list.pop(End::Front, 1));
        assert_eq!(encoding(db), "listpack");
    });
}

#[test]
fn large_elements_stand_alone() {
    let mut big = BigList::of_packed(Packed::new(packed::EMPTY), Some(fill::Fill::new(-2)));
    let large = vec![b'x'; 8193];
    for text in [&b"a"[..], b"b", &large, b"c", b"d"] {
        big.push(End::Back, text);
    }
    assert_eq!(big.shape(), [2, 1, 2]);
    big.insert(0, true, &large);
    assert_eq!(big.shape(), [1, 1, 1, 1, 2]);
    big.set(1, b"small");
    assert_eq!((big.shape(), big.get(1)), (vec![1, 2, 1, 2], Some(Element::Bytes(b"small"))));
    big.set(5, &large);
    assert_eq!(big.shape(), [1, 2, 1, 1, 1]);
    assert_eq!(big.remove_equal(element_of(&large), 1, End::Back), 1);
    assert_eq!(big.shape(), [1, 2, 1, 1]);
}

#[test]
fn a_full_node_is_split_and_its_halves_are_merged_with_their_neighbours() {
    let mut big = BigList::of_packed(Packed::new(packed::EMPTY), Some(fill::Fill::new(4)));
    (0..12).for_each(|_| big.push(End::Back, b"x"));
    assert_eq!(big.shape(), [4, 4, 4]);
    big.insert(5, true, b"in");
    assert_eq!(big.shape(), [4, 2, 3, 4]);
    big.remove(6..9);
    assert_eq!(big.shape(), [4, 2, 4]);
    big.remove(4..5);
    big.insert(6, true, b"in");
    assert_eq!(big.shape(), [4, 3, 3]);
}

#[test]
fn a_list_made_in_one_go_is_as_one_that_grew() {
    for directive in [-2, 3, 128, 1] {
        for len in [0, 1, 2, 3, 4, 127, 128, 129, 700, 900, 3000] {
            with_list(directive, |db| {
                let texts: Vec<String> = (0..len).map(|n| format!("element {n}")).collect();
                let key = db.key(b"l");
                let list = crate::Owned::list(texts.iter().map(String::as_bytes), &db.turn.limits);
                if len > 0 {
                    db.put(key, list, crate::Free::Now);
                    let made = encoding(db);
                    let list = db.read_list(key).unwrap().unwrap();
                    assert!(contents(list).iter().map(Vec::as_slice).eq(texts.iter().map(String::as_bytes)));
                    let other = db.key(b"m");
                    for text in &texts {
                        db.change_list(other, |list| list.push(End::Back, [text.as_bytes()].into_iter()));
                    }
                    assert_eq!(db.peek(other).unwrap().encoding(), made, "{directive} {len}");
                }
            });
        }
    }
}
