//! What is moved in memory stays what it was, whole or in small steps, shared or not.

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

use std::collections::BTreeSet;

use engine::stream::StreamEntry;
use engine::{
    Db, Deadline, Element, End, Held, Mover, Options, Pass, Step, Store, Str, StreamId, Turn, View,
};

const KEYS: usize = 3000;
/// Elements of a large collection: several levels of nodes.
const ELEMENTS: usize = 20_000;

/// Moves what `wants` says, some calls long.
struct Moving<W> {
    wants: W,
    calls: usize,
    asked: BTreeSet<usize>,
    keys: usize,
}

impl<W: FnMut(usize) -> bool> Moving<W> {
    fn new(wants: W) -> Moving<W> {
        Moving { wants, calls: 0, asked: BTreeSet::new(), keys: 0 }
    }

    /// One pass through `store`, for `calls` calls at a time; how many steps it took.
    fn pass(&mut self, store: &Store, group: usize, calls: usize) -> usize {
        let mut pass = Pass::new(group);
        let mut steps = 1;
        self.calls = calls;
        while store.relocate(&mut pass, self) == Step::More {
            self.calls = calls;
            steps += 1;
        }
        steps
    }
}

impl<W: FnMut(usize) -> bool> Mover for Moving<W> {
    fn is_sparse(&mut self, at: *const u8) -> bool {
        self.asked.insert(at.addr());
        (self.wants)(at.addr())
    }

    fn has_time(&mut self) -> bool {
        self.calls = self.calls.saturating_sub(1);
        self.calls > 0
    }

    fn key_done(&mut self) {
        self.keys += 1;
    }
}

fn with_db<R>(store: &Store, index: u32, f: impl FnOnce(&mut Db<'_, '_>) -> R) -> R {
    let mut turn = Turn::new(1000, 1);
    let mut held = Held::everything(store);
    f(&mut Db::new(&mut held, &mut turn, index))
}

/// An element, now and then a long one.
fn element(i: usize) -> Vec<u8> {
    let mut text = format!("element {i}").into_bytes();
    text.resize(text.len() + if i.is_multiple_of(500) { 3000 } else { i % 30 }, b'.');
    text
}

/// Strings of all sizes in two databases, and a collection of each kind, small ones and large ones.
fn filled(groups: usize) -> Store {
    let store = Store::new(&Options { databases: 3, secret: 5, groups });
    for i in 0..KEYS {
        with_db(&store, (i % 2) as u32 * 2, |db| {
            let name = format!("key:{i}");
            let deadline = if i % 3 == 0 { Deadline::At(5000 + i as i64) } else { Deadline::Never };
            match i % 5 {
                0 => db.set_int(db.key(name.as_bytes()), i as i64, deadline),
                _ => db.set_string(db.key(name.as_bytes()), &vec![b'v'; i * i % 5000], deadline),
            };
        });
    }
    for (name, count) in [("small", 5), ("large", ELEMENTS)] {
        with_db(&store, 0, |db| fill_collections(db, name, count));
    }
    store
}

fn fill_collections(db: &mut Db<'_, '_>, name: &str, count: usize) {
    let elements: Vec<Vec<u8>> = (0..count).map(element).collect();
    let named = |kind: &str| format!("{kind}:{name}").into_bytes();
    db.change_list(db.key(&named("list")), |list| list.push(End::Back, elements.iter().map(Vec::as_slice)));
    db.change_set(db.key(&named("set")), |set| elements.iter().for_each(|e| assert!(set.add(e))));
    db.change_zset(db.key(&named("zset")), |zset| {
        elements.iter().enumerate().for_each(|(i, e)| {
            assert_eq!(zset.add(e, (i * 7 % 1000) as f64 / 3.0), None);
        });
    });
    db.change_hash(db.key(&named("hash")), |hash| {
        for (i, e) in elements.iter().enumerate() {
            let deadline = if i % 4 == 0 { Deadline::At(90_000 + i as i64) } else { Deadline::Never };
            hash.set(format!("field {i}").as_bytes(), e, deadline);
        }
    })
    .unwrap();
    db.change_stream(db.key(&named("stream")), |stream, limits| {
        for (i, e) in elements.iter().enumerate() {
            stream.add(StreamId { ms: i as u64 + 1, seq: 0 }, &[b"name", e], limits);
        }
    });
}

/// Everything that is in `store`, as texts in order, and what it takes.
fn contents(store: &Store) -> (Vec<String>, usize) {
    let (mut all, mut bytes) = (Vec::new(), 0);
    for index in 0..3 {
        with_db(store, index, |db| {
            let mut cursor = 0;
            loop {
                let scan = db.scan(cursor, 1000, |entry| {
                    let (key, deadline_ms) = (String::from_utf8_lossy(entry.key()), entry.deadline_ms());
                    all.push(format!("{index} {key} {deadline_ms:?} {}", told(entry.value())));
                    bytes += entry.memory_bytes();
                });
                cursor = scan.cursor;
                if cursor == 0 {
                    break;
                }
            }
        });
    }
    all.sort_unstable();
    (all, bytes)
}

fn told(value: View<'_>) -> String {
    let text = |e: Element<'_>| String::from_utf8_lossy(e.bytes(&mut itoa::Buffer::new())).into_owned();
    match value {
        View::String(Str::Int(n)) => n.to_string(),
        View::String(Str::Bytes(bytes)) => text(Element::Bytes(bytes)),
        View::List(list) => list.elements(0).map(text).collect(),
        View::Set(set) => set.iter().map(text).collect(),
        View::ZSet(zset) => zset.iter().map(|e| format!("{} {}", text(e.name), e.score)).collect(),
        View::Hash(hash) => {
            hash.iter().map(|f| format!("{} {} {:?}", text(f.name), text(f.value), f.deadline_ms)).collect()
        }
        View::Stream(stream) => {
            let fields = |e: StreamEntry<'_>| e.fields().map(|(_, v)| text(v)).collect::<String>();
            stream.iter().map(|e| format!("{} {}", e.id.ms, fields(e))).collect()
        }
    }
}

#[test]
fn what_is_moved_stays_what_it_was() {
    for (groups, calls) in [(1, usize::MAX), (2, 1), (2, 7)] {
        let store = filled(groups);
        let before = contents(&store);
        let (mut keys, mut steps) = (0, 0);
        for group in 0..groups {
            let mut everything = Moving::new(|_| true);
            steps += everything.pass(&store, group, calls);
            keys += everything.keys;
        }
        assert_eq!(keys, before.0.len(), "each key is met once");
        assert!(calls == usize::MAX || steps > keys / calls);
        assert!(contents(&store) == before, "{groups} groups, {calls} calls a step");
    }
}

#[test]
fn nothing_stays_where_it_was() {
    let store = filled(1);
    let mut watching = Moving::new(|_| false);
    watching.pass(&store, 0, usize::MAX);
    let before = watching.asked;
    // More than an allocation a key, for nothing of a collection is left out.
    assert!(before.len() > KEYS + 1000, "{}", before.len());
    let mut moving = Moving::new(|at| before.contains(&at));
    moving.pass(&store, 0, usize::MAX);
    let mut again = Moving::new(|_| false);
    again.pass(&store, 0, usize::MAX);
    // What moved first left its place to what came after.
    let stayed = again.asked.intersection(&before).count();
    assert!(stayed < before.len(), "{stayed} of {}", before.len());
    assert_eq!(again.asked.len(), before.len(), "there is as much as before");
}

#[test]
fn what_a_copy_shares_stays() {
    let store = filled(1);
    let copied = |kind: &str| {
        with_db(&store, 0, |db| {
            let copy = db.copy(db.key(format!("{kind}:large").as_bytes())).unwrap();
            db.put(db.key(format!("{kind}:copy").as_bytes()), copy, engine::Free::Now);
        });
    };
    ["list", "set", "zset", "hash", "stream"].into_iter().for_each(copied);
    let before = contents(&store);
    let mut everything = Moving::new(|_| true);
    everything.pass(&store, 0, 3);
    assert!(contents(&store) == before);
    assert!(everything.asked.len() < 4 * KEYS, "{} places were asked for", everything.asked.len());
}

#[test]
fn a_collection_that_goes_between_two_steps_is_not_missed() {
    let store = filled(1);
    let mut mover = Moving::new(|_| true);
    let mut pass = Pass::new(0);
    let kinds = ["list", "set", "zset", "hash", "stream"];
    for (round, kind) in kinds.into_iter().cycle().take(400).enumerate() {
        mover.calls = 40;
        store.relocate(&mut pass, &mut mover);
        let name = format!("{kind}:large");
        with_db(&store, 0, |db| {
            db.delete(db.key(name.as_bytes()), engine::Free::Now);
            if round % 2 == 0 {
                let elements: Vec<Vec<u8>> = (round..round + 300).map(element).collect();
                let add = |set: &mut engine::SetMut<'_>| elements.iter().for_each(|e| assert!(set.add(e)));
                db.change_set(db.key(name.as_bytes()), add);
            }
        });
    }
    assert!(mover.keys > 100 && contents(&store).0.len() >= KEYS);
}
