//! The store against a plain map: the same operations, the same answers.
#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

use std::collections::{BTreeMap, HashSet};

use engine::{Cause, Db, Deadline, Due, Free, Gone, Held, Options, Rng, Store, Str, Turn};

const START_MS: i64 = 1_800_000_000_000;

fn store() -> Store {
    store_of(1)
}

fn store_of(groups: usize) -> Store {
    Store::new(&Options { databases: 2, secret: 99, groups })
}

/// Runs `f` on database 0 with every stripe held.
fn with_db<R>(store: &Store, turn: &mut Turn, f: impl FnOnce(&mut Db<'_, '_>) -> R) -> R {
    let mut held = Held::everything(store);
    f(&mut Db::new(&mut held, turn, 0))
}

#[derive(Clone, Debug, PartialEq)]
struct Expected {
    value: Vec<u8>,
    deadline_ms: Option<i64>,
}

fn bytes(value: Str<'_>) -> Vec<u8> {
    value.bytes(&mut itoa::Buffer::new()).to_vec()
}

fn value(rng: &mut Rng) -> Vec<u8> {
    match rng.below(6) {
        0 => rng.below(1000).to_string().into_bytes(),
        1 => (-(rng.below(u64::MAX >> 1) as i64)).to_string().into_bytes(),
        2 => vec![b'x'; rng.below(40) as usize],
        3 => vec![0xff; rng.below(400) as usize],
        4 => vec![b'y'; rng.below(3000) as usize],
        _ => Vec::new(),
    }
}

fn step(db: &mut Db<'_, '_>, map: &mut BTreeMap<Vec<u8>, Expected>, name: &[u8], rng: &mut Rng) {
    let now_ms = db.turn.now_ms;
    map.retain(|_, e| e.deadline_ms.is_none_or(|at| at > now_ms));
    let key = db.key(name);
    match rng.below(10) {
        0..=2 => {
            let new = value(rng);
            let deadline = match rng.below(3) {
                0 => Deadline::Keep,
                1 => Deadline::Never,
                _ => Deadline::At(now_ms + 1 + rng.below(500) as i64),
            };
            db.set_string(key, &new, deadline);
            let deadline_ms = match deadline {
                Deadline::Keep => map.get(name).and_then(|e| e.deadline_ms),
                Deadline::Never => None,
                Deadline::At(at) => Some(at),
            };
            map.insert(name.to_vec(), Expected { value: new, deadline_ms });
        }
        3 => assert_eq!(db.delete(key, Free::Now), map.remove(name).is_some()),
        4 => {
            let at = (rng.below(2) == 0).then(|| now_ms + 1 + rng.below(500) as i64);
            assert_eq!(db.set_deadline(key, at), map.contains_key(name));
            map.entry(name.to_vec()).and_modify(|e| e.deadline_ms = at);
        }
        5 => {
            let tail = value(rng);
            let expected =
                map.entry(name.to_vec()).or_insert(Expected { value: Vec::new(), deadline_ms: None });
            expected.value.extend_from_slice(&tail);
            assert_eq!(db.append(key, &tail), expected.value.len());
        }
        6 => {
            let len = rng.below(2000) as usize;
            let expected =
                map.entry(name.to_vec()).or_insert(Expected { value: Vec::new(), deadline_ms: None });
            expected.value.resize(expected.value.len().max(len), 0);
            let bytes = db.string_mut(key, len);
            assert_eq!(bytes, expected.value);
            if let Some(last) = bytes.last_mut() {
                *last = b'!';
                *expected.value.last_mut().unwrap() = b'!';
            }
        }
        7 => {
            let taken = db.take(key);
            assert_eq!(taken.as_ref().map(|v| v.deadline_ms), map.get(name).map(|e| e.deadline_ms));
            if let Some(taken) = taken {
                db.put(key, taken, Free::Now);
            }
        }
        8 => count_up(db, map, name),
        _ => {
            let found = db
                .read(key)
                .map(|e| Expected { value: bytes(e.string().unwrap()), deadline_ms: e.deadline_ms() });
            assert_eq!(found.as_ref(), map.get(name));
        }
    }
}

/// Adds 7 to the integer called `name`.
fn count_up(db: &mut Db<'_, '_>, map: &mut BTreeMap<Vec<u8>, Expected>, name: &[u8]) {
    let key = db.key(name);
    let before = match db.peek(key).map(|e| e.string()) {
        None => Some(0),
        Some(Ok(Str::Int(n))) => Some(n),
        Some(_) => None,
    };
    let after = before.and_then(|n| n.checked_add(7));
    assert_eq!(db.update_int(key, |n| n.checked_add(7)), after);
    if let Some(after) = after {
        let value = after.to_string().into_bytes();
        let deadline_ms = map.get(name).and_then(|e| e.deadline_ms);
        map.insert(name.to_vec(), Expected { value, deadline_ms });
    }
}

fn content(db: &mut Db<'_, '_>, count: usize) -> BTreeMap<Vec<u8>, Expected> {
    let (mut all, mut cursor) = (BTreeMap::new(), 0);
    loop {
        let scan = db.scan(cursor, count, |e| {
            let found = Expected { value: bytes(e.string().unwrap()), deadline_ms: e.deadline_ms() };
            assert!(all.insert(e.key().to_vec(), found).is_none(), "a scan visits a key once");
        });
        cursor = scan.cursor;
        if cursor == 0 {
            return all;
        }
    }
}

#[test]
fn behaves_like_a_map_with_deadlines() {
    let store = store();
    let mut turn = Turn::new(START_MS, 5);
    let (mut map, mut rng) = (BTreeMap::new(), Rng::new(5));
    for round in 0..60_000 {
        let long = rng.below(8) == 0;
        let name = format!("key:{}{}", rng.below(2000), if long { "x".repeat(300) } else { String::new() });
        with_db(&store, &mut turn, |db| step(db, &mut map, name.as_bytes(), &mut rng));
        turn.now_ms += i64::from(rng.below(50) == 0);
        if round % 10_000 == 0 {
            let now_ms = turn.now_ms;
            map.retain(|_, e| e.deadline_ms.is_none_or(|at| at > now_ms));
            with_db(&store, &mut turn, |db| assert_eq!(content(db, 1 + round / 1000), map));
        }
    }
    while store.expire_due(0, &mut turn, 100) == Due::More {}
    let now_ms = turn.now_ms;
    map.retain(|_, e| e.deadline_ms.is_none_or(|at| at > now_ms));
    assert_eq!(store.len(0), map.len() as u64);
    assert_eq!(store.volatile_len(0), map.values().filter(|e| e.deadline_ms.is_some()).count() as u64);
    with_db(&store, &mut turn, |db| assert_eq!(db.flush(Free::Later), map.len() as u64));
    assert_eq!((store.len(0), turn.garbage.len()), (0, 1));
}

#[test]
fn expiry_takes_exactly_what_is_due() {
    let store = store();
    let mut turn = Turn::new(START_MS, 1);
    for i in 0..50_000i64 {
        let name = format!("key:{i}");
        with_db_key(&store, &mut turn, name.as_bytes(), |db, key| {
            db.set_string(key, b"v", Deadline::At(START_MS + 1 + i % 1000));
        });
    }
    for ms in [1, 2, 10, 500, 1000] {
        turn.now_ms = START_MS + ms;
        assert!(store.next_due_ms(0) <= turn.now_ms);
        while store.expire_due(0, &mut turn, 64) == Due::More {}
        assert_eq!(store.len(0), 50 * (1000 - ms as u64));
        assert!(store.next_due_ms(0) > turn.now_ms);
    }
    assert_eq!((turn.expired(), store.next_due_ms(0)), ((50_000, 0), i64::MAX));
}

#[test]
fn what_goes_tells_its_size_and_who_found_it() {
    let store = store();
    let mut turn = Turn::new(START_MS, 1);
    let mut sizes = Vec::new();
    for (name, len) in [("due", 10), ("found", 5000)] {
        with_db_key(&store, &mut turn, name.as_bytes(), |db, key| {
            db.set_string(key, &vec![b'v'; len], Deadline::At(START_MS + 5));
            sizes.push(db.peek(key).unwrap().memory_bytes());
        });
    }
    turn.now_ms = START_MS + 7;
    with_db_key(&store, &mut turn, b"found", |db, key| assert!(db.peek(key).is_none()));
    while store.expire_due(0, &mut turn, 64) == Due::More {}
    let gone = |bytes, found| Gone { db: 0, bytes, cause: Cause::Due { lag_ms: 2, found } };
    assert_eq!(turn.gone, [gone(sizes[1], true), gone(sizes[0], false)]);
    assert!(sizes[1] > 5000 && sizes[0] < 100);
}

fn with_db_key(
    store: &Store,
    turn: &mut Turn,
    name: &[u8],
    f: impl FnOnce(&mut Db<'_, '_>, engine::Key<'_>),
) {
    let key = store.key(name);
    let mut held = Held::keys(store, [key.hash()]);
    f(&mut Db::new(&mut held, turn, 0), key);
}

/// Grows the table through several lengths of its segments' prefixes, and down again.
#[test]
fn many_keys_are_found_scanned_and_removed() {
    const KEYS: u64 = 150_000;
    for groups in [1, 3] {
        let store = store_of(groups);
        let mut turn = Turn::new(START_MS, 1);
        for i in 0..KEYS {
            let deadline = if i % 3 == 0 { Deadline::At(START_MS + 10) } else { Deadline::Never };
            with_db_key(&store, &mut turn, &i.to_le_bytes(), |db, key| db.set_int(key, i as i64, deadline));
        }
        with_db(&store, &mut turn, |db| {
            for i in 0..KEYS {
                let key = i.to_le_bytes();
                let found = db.peek(db.key(&key)).map(|e| e.string().unwrap());
                assert_eq!(found, Some(Str::Int(i as i64)));
            }
            assert!(db.peek(db.key(b"absent")).is_none());
            assert_eq!(content(db, 1000).len() as u64, KEYS);
        });
        turn.now_ms += 10;
        for group in 0..groups {
            while store.expire_due(group, &mut turn, 1000) == Due::More {}
        }
        assert_eq!((store.len(0), store.volatile_len(0)), (KEYS - KEYS / 3, 0));
        for i in (0..KEYS).filter(|i| i % 3 != 0) {
            with_db_key(&store, &mut turn, &i.to_le_bytes(), |db, key| assert!(db.delete(key, Free::Now)));
        }
        assert_eq!(store.len(0), 0);
    }
}

#[test]
fn a_scan_sees_every_key_that_stays_while_the_table_grows_and_shrinks() {
    let store = store();
    let mut turn = Turn::new(START_MS, 1);
    let set = |turn: &mut Turn, name: String| {
        with_db_key(&store, turn, name.as_bytes(), |db, key| db.set_string(key, b"v", Deadline::Never));
    };
    (0..5000).for_each(|i| set(&mut turn, format!("stay:{i}")));
    let (mut seen, mut cursor, mut other) = (HashSet::new(), 0, 0);
    loop {
        let mut held = Held::nothing(&store);
        let scan = Db::new(&mut held, &mut turn, 0).scan(cursor, 50, |e| {
            let fresh = seen.insert(e.key().to_vec());
            assert!(fresh || !e.key().starts_with(b"stay:"), "once");
        });
        cursor = scan.cursor;
        if cursor == 0 {
            break;
        }
        for _ in 0..400 {
            other += 1;
            if other < 20_000 {
                set(&mut turn, format!("other:{other}"));
            } else {
                let name = format!("other:{}", other - 19_999);
                with_db_key(&store, &mut turn, name.as_bytes(), |db, key| {
                    db.delete(key, Free::Now);
                });
            }
        }
    }
    assert_eq!(seen.iter().filter(|k| k.starts_with(b"stay:")).count(), 5000);
}

#[test]
fn random_keys_are_even() {
    let store = store();
    let mut turn = Turn::new(START_MS, 3);
    (0..10).for_each(|i| {
        with_db_key(&store, &mut turn, &[b'a' + i], |db, key| db.set_string(key, b"v", Deadline::Never));
    });
    let mut counts = [0; 10];
    for _ in 0..10_000 {
        let mut held = Held::nothing(&store);
        let key = Db::new(&mut held, &mut turn, 0).random_key().unwrap();
        counts[usize::from(key[0] - b'a')] += 1;
    }
    assert!(counts.iter().all(|c| (800..1200).contains(c)), "{counts:?}");
}

#[test]
fn swapping_databases_moves_keys_and_deadlines() {
    let store = store();
    let mut turn = Turn::new(START_MS, 3);
    with_db_key(&store, &mut turn, b"a", |db, key| db.set_string(key, b"1", Deadline::At(START_MS + 5)));
    with_db(&store, &mut turn, |db| db.swap(1));
    assert_eq!((store.len(0), store.len(1), store.volatile_len(1)), (0, 1, 1));
    turn.now_ms += 5;
    assert_eq!(store.expire_due(0, &mut turn, 10), Due::Done);
    assert_eq!(store.len(1), 0);
}

#[test]
fn a_scan_removes_what_is_past_on_its_way() {
    let store = store();
    let mut turn = Turn::new(START_MS, 1);
    for i in 0..100 {
        let deadline = if i % 2 == 0 { Deadline::At(START_MS + 1) } else { Deadline::Never };
        with_db_key(&store, &mut turn, format!("k{i}").as_bytes(), |db, key| {
            db.set_string(key, b"v", deadline)
        });
    }
    turn.now_ms += 1;
    let (mut seen, mut cursor) = (0, 0);
    loop {
        let mut held = Held::nothing(&store);
        cursor = Db::new(&mut held, &mut turn, 0).scan(cursor, 10, |_| seen += 1).cursor;
        if cursor == 0 {
            break;
        }
    }
    assert_eq!((seen, store.len(0), store.volatile_len(0), turn.expired().0), (50, 50, 0, 50));
}
