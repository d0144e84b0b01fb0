//! A snapshot has every key exactly as it was at the cut, whatever happens while it is handed out.

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

use std::collections::BTreeMap;

use engine::{Batch, Cut, Db, Deadline, Free, Held, Mover, Options, Pass, Record, Step, Store, Turn};
use proptest::prelude::*;

/// Database and key to value and deadline.
type Contents = BTreeMap<(u32, Vec<u8>), (Vec<u8>, Option<i64>)>;

/// A value that takes many pieces.
const LONG: usize = 1 << 20;

#[derive(Clone, Debug)]
enum Op {
    Set { db: u32, key: u16, len: usize, deadline_ms: Option<i64> },
    SetInt { db: u32, key: u16, n: i64 },
    AddInt { db: u32, key: u16 },
    Append { db: u32, key: u16, len: usize },
    Overwrite { db: u32, key: u16, at: usize },
    Delete { db: u32, key: u16, free: Free },
    SetDeadline { db: u32, key: u16, deadline_ms: Option<i64> },
    Rename { db: u32, from: u16, to: u16 },
    Flush { db: u32, free: Free },
    Swap,
    Read { db: u32, key: u16 },
    Time { ms: i64 },
    Expire,
    Begin,
    Steps(usize),
    Cancel,
    Relocate(usize),
}

struct World<'s> {
    store: &'s Store,
    groups: usize,
    turn: Turn,
    pass: Pass,
}

/// Moves everything, in the smallest steps.
struct Every;

impl Mover for Every {
    fn is_sparse(&mut self, _at: *const u8) -> bool {
        true
    }

    fn has_time(&mut self) -> bool {
        false
    }

    fn key_done(&mut self) {}
}

impl World<'_> {
    fn with_db<R>(&mut self, db: u32, f: impl FnOnce(&mut Db<'_, '_>) -> R) -> R {
        let mut held = Held::everything(self.store);
        f(&mut Db::new(&mut held, &mut self.turn, db))
    }

    /// All that is there, read by scanning.
    fn contents(&mut self) -> Contents {
        let mut all = Contents::new();
        for index in 0..2 {
            self.with_db(index, |db| {
                let mut cursor = 0;
                loop {
                    let scan = db.scan(cursor, 1000, |entry| {
                        let value = entry.string().unwrap().bytes(&mut itoa::Buffer::new()).to_vec();
                        all.insert((index, entry.key().to_vec()), (value, entry.deadline_ms()));
                    });
                    cursor = scan.cursor;
                    if cursor == 0 {
                        break;
                    }
                }
            });
        }
        all
    }

    fn run(&mut self, op: &Op) {
        let now_ms = self.turn.now_ms;
        let name = |key: u16| format!("key:{key}").into_bytes();
        let deadline = |at: Option<i64>| at.map_or(Deadline::Never, |ms| Deadline::At(now_ms + ms));
        match *op {
            Op::Set { db, key, len, deadline_ms } => self.with_db(db, |db| {
                let value = vec![b'a' + (key % 26) as u8; len];
                db.set_string(db.key(&name(key)), &value, deadline(deadline_ms));
            }),
            Op::SetInt { db, key, n } => {
                self.with_db(db, |db| db.set_int(db.key(&name(key)), n, Deadline::Keep));
            }
            Op::AddInt { db, key } => {
                self.with_db(db, |db| db.update_int(db.key(&name(key)), |n| n.checked_add(1)));
            }
            Op::Append { db, key, len } => {
                self.with_db(db, |db| db.append(db.key(&name(key)), &vec![b'+'; len]));
            }
            Op::Overwrite { db, key, at } => {
                self.with_db(db, |db| db.string_mut(db.key(&name(key)), at + 3)[at..at + 3].fill(b'!'));
            }
            Op::Delete { db, key, free } => {
                self.with_db(db, |db| db.delete(db.key(&name(key)), free));
            }
            Op::SetDeadline { db, key, deadline_ms } => self.with_db(db, |db| {
                db.set_deadline(db.key(&name(key)), deadline_ms.map(|ms| now_ms + ms));
            }),
            Op::Rename { db, from, to } => self.with_db(db, |db| {
                if let Some(value) = db.take(db.key(&name(from))) {
                    db.put(db.key(&name(to)), value, Free::Now);
                }
            }),
            Op::Flush { db, free } => drop(self.with_db(db, |db| db.flush(free))),
            Op::Swap => self.with_db(0, |db| db.swap(1)),
            Op::Read { db, key } => {
                self.with_db(db, |db| db.read(db.key(&name(key))).is_some());
            }
            Op::Time { ms } => self.turn.now_ms += ms,
            Op::Expire => {
                for group in 0..self.groups {
                    while self.store.expire_due(group, &mut self.turn, 100) == engine::Due::More {}
                }
            }
            Op::Relocate(steps) => {
                for _ in 0..steps {
                    self.store.relocate(&mut self.pass, &mut Every);
                }
            }
            Op::Begin | Op::Steps(_) | Op::Cancel => {}
        }
        self.turn.garbage.clear();
    }
}

/// A cut under way, what it is to hand out, and what it has handed out.
struct Snapshot<'s> {
    cut: Cut<'s>,
    wanted: Contents,
    begun_ms: i64,
    got: Contents,
    long: Option<((u32, Vec<u8>), u64)>,
    done: bool,
}

impl<'s> Snapshot<'s> {
    /// Begins one; nothing when there are as many as there may be.
    fn begin(world: &mut World<'s>) -> Option<Snapshot<'s>> {
        let (wanted, begun_ms) = (world.contents(), world.turn.now_ms);
        let cut = world.store.cut(&mut Held::everything(world.store))?;
        Some(Snapshot { cut, wanted, begun_ms, got: Contents::new(), long: None, done: false })
    }

    fn step(&mut self) {
        let mut batch = Batch::new();
        self.done = self.cut.step(&mut batch) == Step::Done;
        for record in batch.records() {
            match record {
                Record::Entry { head, value } => {
                    assert_eq!(self.long, None, "a record between the pieces of another");
                    let value = value.string().unwrap().bytes(&mut itoa::Buffer::new()).to_vec();
                    let key = (head.db, head.key.to_vec());
                    let twice = self.got.insert(key.clone(), (value, head.deadline_ms));
                    assert_eq!(twice, None, "{key:?} is handed out twice");
                }
                Record::Long { head, len } => {
                    assert_eq!(self.long, None, "a record between the pieces of another");
                    let key = (head.db, head.key.to_vec());
                    assert_eq!(self.got.insert(key.clone(), (Vec::new(), head.deadline_ms)), None);
                    self.long = Some((key, len));
                }
                Record::Piece(bytes) => {
                    let (key, len) = self.long.take().expect("a piece of something");
                    let value = &mut self.got.get_mut(&key).unwrap().0;
                    value.extend_from_slice(bytes);
                    if (value.len() as u64) < len {
                        self.long = Some((key, len));
                    } else {
                        assert_eq!(value.len() as u64, len);
                    }
                }
            }
        }
    }

    /// What was due at some time before `now_ms` may be missing: it is gone whatever a file says.
    fn check(&self, now_ms: i64) {
        assert_eq!(self.long, None, "a long value without its end");
        for (key, (value, deadline_ms)) in &self.got {
            let Some(wanted) = self.wanted.get(key) else {
                assert!(deadline_ms.is_some_and(|at| at <= self.begun_ms), "{key:?} was not there");
                continue;
            };
            assert_eq!(deadline_ms, &wanted.1, "{key:?}");
            assert!(*value == wanted.0, "{key:?} has another value");
        }
        for (key, (_, deadline_ms)) in &self.wanted {
            let gone = deadline_ms.is_some_and(|at| at <= now_ms);
            assert!(gone || self.got.contains_key(key), "{key:?} is missing");
        }
        for size in self.cut.sizes() {
            let keys = self.wanted.keys().filter(|(db, _)| *db == size.db).count() as u64;
            assert!(size.keys >= keys, "expired keys may count");
        }
    }
}

fn op() -> impl Strategy<Value = Op> {
    let (db, key) = (|| 0..2u32, || 0..400u16);
    let len = || prop_oneof![12 => 0..100usize, 2 => 500..3000usize, 1 => Just(40_000usize), 1 => Just(LONG)];
    let deadline = || proptest::option::of(1..3000i64);
    let free = || prop_oneof![Just(Free::Now), Just(Free::Later)];
    prop_oneof![
        30 => (db(), key(), len(), deadline())
            .prop_map(|(db, key, len, deadline_ms)| Op::Set { db, key, len, deadline_ms }),
        10 => (db(), key(), any::<i64>()).prop_map(|(db, key, n)| Op::SetInt { db, key, n }),
        10 => (db(), key()).prop_map(|(db, key)| Op::AddInt { db, key }),
        10 => (db(), key(), 0..200usize).prop_map(|(db, key, len)| Op::Append { db, key, len }),
        10 => (db(), key(), 0..60usize).prop_map(|(db, key, at)| Op::Overwrite { db, key, at }),
        20 => (db(), key(), free()).prop_map(|(db, key, free)| Op::Delete { db, key, free }),
        10 => (db(), key(), deadline()).prop_map(|(db, key, deadline_ms)| Op::SetDeadline { db, key, deadline_ms }),
        5 => (db(), key(), key()).prop_map(|(db, from, to)| Op::Rename { db, from, to }),
        1 => (db(), free()).prop_map(|(db, free)| Op::Flush { db, free }),
        1 => Just(Op::Swap),
        5 => (db(), key()).prop_map(|(db, key)| Op::Read { db, key }),
        3 => (1..500i64).prop_map(|ms| Op::Time { ms }),
        3 => Just(Op::Expire),
        4 => Just(Op::Begin),
        20 => (1..6usize).prop_map(Op::Steps),
        1 => Just(Op::Cancel),
        10 => (1..100usize).prop_map(Op::Relocate),
    ]
}

/// Runs `ops`, with as many snapshots at once as there may be, and checks each.
fn run(groups: usize, fill: u16, ops: &[Op]) {
    let store = Store::new(&Options { databases: 2, secret: 7, groups });
    let store = &store;
    let mut world = World { store, groups, turn: Turn::new(1000, 1), pass: Pass::new(0) };
    for key in 0..fill {
        world.run(&Op::Set { db: u32::from(key) % 2, key, len: usize::from(key) % 90, deadline_ms: None });
    }
    let mut snapshots: Vec<Snapshot<'_>> = Vec::new();
    for op in ops {
        match op {
            Op::Begin => match Snapshot::begin(&mut world) {
                Some(snapshot) => snapshots.push(snapshot),
                None => assert_eq!(snapshots.len(), engine::CUTS_MAX),
            },
            Op::Steps(count) => {
                let now_ms = world.turn.now_ms;
                for snapshot in &mut snapshots {
                    (0..*count).for_each(|_| {
                        if !snapshot.done {
                            snapshot.step();
                        }
                    });
                    if snapshot.done {
                        snapshot.check(now_ms);
                    }
                }
                snapshots.retain(|snapshot| !snapshot.done);
            }
            Op::Cancel => drop(snapshots.pop()),
            op => world.run(op),
        }
    }
    for mut snapshot in snapshots {
        while !snapshot.done {
            snapshot.step();
        }
        snapshot.check(world.turn.now_ms);
    }
    // No mark is left: the next snapshot is whole.
    let mut last = Snapshot::begin(&mut world).expect("none is under way");
    while !last.done {
        last.step();
    }
    last.check(world.turn.now_ms);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_snapshot_is_the_store_at_the_cut(
        groups in 1..3usize,
        fill in 0..2000u16,
        ops in proptest::collection::vec(op(), 1..300),
    ) {
        run(groups, fill, &ops);
    }
}

#[test]
fn a_flush_in_the_middle_of_a_long_value_leaves_it_whole() {
    let set = |key, len| Op::Set { db: 0, key, len, deadline_ms: None };
    for steps in 1..14 {
        let ops = [
            vec![set(1, LONG), set(2, LONG), set(3, 10), Op::Begin, Op::Begin, Op::Steps(steps)],
            vec![Op::Flush { db: 0, free: Free::Later }, set(1, 3), Op::Steps(1)],
            vec![Op::Flush { db: 0, free: Free::Now }],
        ];
        run(1, 50, &ops.concat());
    }
}

#[test]
fn a_step_hands_out_little() {
    let store = Store::new(&Options { databases: 1, secret: 1, groups: 1 });
    let mut turn = Turn::new(1000, 1);
    let mut held = Held::everything(&store);
    let mut db = Db::new(&mut held, &mut turn, 0);
    for i in 0..50_000 {
        db.set_string(db.key(format!("key:{i}").as_bytes()), &[b'x'; 100], Deadline::Never);
    }
    db.set_string(db.key(b"long"), &vec![b'x'; 64 << 20], Deadline::Never);
    let mut cut = store.cut(&mut held).expect("none is under way");
    drop(held);
    let (mut batch, mut most, mut steps) = (Batch::new(), 0, 0);
    while cut.step(&mut batch) == Step::More {
        most = most.max(batch.len());
        steps += 1;
    }
    assert!(most < 256 << 10, "{most} bytes in one step");
    assert!(steps > 500);
}
