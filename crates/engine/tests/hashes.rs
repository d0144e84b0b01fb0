//! Hashes beside a model of them: changes, deadlines of fields, and time that passes.
#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

use std::collections::BTreeMap;

use engine::{Batch, Db, Deadline, Due, EventClass, Held, Options, Record, Rng, Step, Store, Turn, View};

type Fields = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

/// Hashes of the model: small and large ones.
const KEYS: u64 = 6;

struct World {
    store: Store,
    turn: Turn,
    rng: Rng,
    model: BTreeMap<Vec<u8>, Fields>,
    /// Fields and values are seldom longer than this.
    bytes_max: u64,
    /// Different fields of a hash.
    fields_max: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = Rng::new(seed);
        World {
            store: Store::new(&Options { databases: 1, secret: seed, groups: 1 }),
            turn: Turn::new(1000, seed),
            bytes_max: 1 + rng.below(60),
            fields_max: [4, 30, 150, 700][rng.below(4) as usize],
            rng,
            model: BTreeMap::new(),
        }
    }

    fn word(&mut self, prefix: &str, n: u64) -> Vec<u8> {
        let mut word = format!("{prefix}{}", self.rng.below(n)).into_bytes();
        if prefix.is_empty() {
            return word;
        }
        let len = if self.rng.below(60) == 0 { 1000 } else { self.rng.below(self.bytes_max) };
        word.resize(word.len().max(len as usize), b'.');
        word
    }

    fn name(&mut self) -> Vec<u8> {
        let n = self.rng.below(self.fields_max);
        match n % 7 {
            0 => n.to_string().into_bytes(),
            1 => format!("{n:090}").into_bytes(),
            _ => format!("field:{n}").into_bytes(),
        }
    }

    fn deadline(&mut self) -> Deadline {
        match self.rng.below(6) {
            0 => Deadline::At(self.turn.now_ms + 1 + self.rng.below(40) as i64),
            1 => Deadline::Keep,
            _ => Deadline::Never,
        }
    }

    fn key(&mut self) -> Vec<u8> {
        format!("hash:{}", self.rng.below(KEYS)).into_bytes()
    }

    fn step(&mut self) {
        let key = self.key();
        match self.rng.below(10) {
            0..4 => self.set(&key),
            4 | 5 => self.remove(&key),
            6 => self.set_deadline(&key),
            7 => self.pass_time(),
            8 => self.check_key(&key),
            _ => {
                let budget = self.rng.below(30) as usize;
                self.store.expire_due(0, &mut self.turn, budget);
            }
        }
    }

    fn set(&mut self, key: &[u8]) {
        let deadline = self.deadline();
        let n = [1, 1, 5, 50][self.rng.below(4) as usize];
        let pairs: Vec<_> = (0..n).map(|_| (self.name(), self.word(["v", ""][n % 2], 5000))).collect();
        let given = pairs.iter().map(|(name, value)| (&name[..], &value[..]));
        let (mut held, fields) = (Held::everything(&self.store), self.model.entry(key.to_vec()).or_default());
        let before = fields.len();
        for (name, value) in &pairs {
            let old = fields.get(name).and_then(|(_, deadline)| *deadline);
            let deadline_ms = match deadline {
                Deadline::At(at) => Some(at),
                Deadline::Never => None,
                Deadline::Keep => old,
            };
            fields.insert(name.clone(), (value.clone(), deadline_ms));
        }
        let mut db = Db::new(&mut held, &mut self.turn, 0);
        let key = db.key(key);
        let made = db.change_hash(key, |hash| hash.set_all(given, deadline)).unwrap();
        assert_eq!(made, fields.len() - before);
    }

    fn remove(&mut self, key: &[u8]) {
        let names: Vec<_> = (0..[1, 20][self.rng.below(2) as usize]).map(|_| self.name()).collect();
        let (mut held, mut none) = (Held::everything(&self.store), Fields::new());
        let fields = self.model.get_mut(key).unwrap_or(&mut none);
        let there = names.iter().filter(|&name| fields.remove(name).is_some()).count();
        let mut db = Db::new(&mut held, &mut self.turn, 0);
        let key = db.key(key);
        let removed = db.change_old_hash(key, |h| names.iter().filter(|name| h.remove(name)).count());
        assert_eq!(removed.unwrap().unwrap_or(0), there);
    }

    fn set_deadline(&mut self, key: &[u8]) {
        let (name, at) = (self.name(), self.turn.now_ms + 1 + self.rng.below(100) as i64);
        let deadline_ms = (self.rng.below(4) > 0).then_some(at);
        let (mut held, mut none) = (Held::everything(&self.store), Fields::new());
        let field = self.model.get_mut(key).unwrap_or(&mut none).get_mut(&name);
        let there = field.map(|(_, deadline)| *deadline = deadline_ms).is_some();
        let mut db = Db::new(&mut held, &mut self.turn, 0);
        let key = db.key(key);
        let done = db.change_old_hash(key, |hash| hash.set_deadline(&name, deadline_ms)).unwrap();
        assert_eq!(done.unwrap_or(false), there);
    }

    fn pass_time(&mut self) {
        self.turn.now_ms += self.rng.below(30) as i64;
        let now_ms = self.turn.now_ms;
        for fields in self.model.values_mut() {
            fields.retain(|_, (_, deadline)| deadline.is_none_or(|at| at > now_ms));
        }
    }

    fn check_key(&mut self, key: &[u8]) {
        let none = Fields::new();
        let (mut held, expected) = (Held::everything(&self.store), self.model.get(key).unwrap_or(&none));
        let mut rng = self.rng.clone();
        let mut db = Db::new(&mut held, &mut self.turn, 0);
        let key = db.key(key);
        assert_eq!(db.look(key).is_some(), !expected.is_empty());
        let Some(hash) = db.read_hash(key).unwrap() else { return };
        assert_eq!((hash.len(), hash.is_empty()), (expected.len(), false));
        let text = |element: engine::Element<'_>| element.bytes(&mut itoa::Buffer::new()).to_vec();
        let fields = |field: engine::Field<'_>| (text(field.name), (text(field.value), field.deadline_ms));
        assert_eq!(hash.iter().map(fields).collect::<Fields>(), *expected);
        let mut scanned = Fields::new();
        let mut cursor = 0;
        loop {
            cursor = hash.scan(cursor, 7, |field| {
                let (name, rest) = fields(field);
                assert!(scanned.insert(name, rest).is_none());
            });
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(scanned, *expected);
        assert!(expected.contains_key(&text(hash.random(&mut rng).unwrap().name)));
        for (name, (value, deadline_ms)) in expected.iter().take(20) {
            let field = hash.get(name).unwrap();
            assert_eq!((text(field.value), field.deadline_ms), (value.clone(), *deadline_ms));
        }
        assert!(hash.get(b"not there").is_none());
    }

    fn check(&mut self) {
        self.model.clone().into_keys().for_each(|key| self.check_key(&key));
    }
}

#[test]
fn hashes_do_what_maps_do_while_time_passes() {
    for seed in 0..120 {
        let mut world = World::new(seed);
        for step in 0..600 {
            world.step();
            if step % 100 == 0 {
                world.check();
            }
        }
        world.check();
        while world.store.expire_due(0, &mut world.turn, 64) == Due::More {}
        let live = world.model.values().filter(|fields| !fields.is_empty()).count();
        assert_eq!(world.store.len(0), live as u64);
        assert!(world.store.next_due_ms(0) > world.turn.now_ms);
        world.check();
    }
}

/// A hash of `fields` fields, each with the deadline that `deadline` gives.
fn timed_hash(fields: i64, deadline: impl Fn(i64) -> Option<i64>) -> (Store, Turn) {
    let store = Store::new(&Options { databases: 1, secret: 1, groups: 1 });
    let mut turn = Turn::new(1000, 1);
    turn.events_wanted = EventClass::Hash as u32 | EventClass::Generic as u32;
    turn.log = true;
    store.order().want(true);
    let mut held = Held::everything(&store);
    let mut db = Db::new(&mut held, &mut turn, 0);
    let key = db.key(b"h");
    db.change_hash(key, |hash| {
        for n in 0..fields {
            let deadline = deadline(n).map_or(Deadline::Never, Deadline::At);
            hash.set(n.to_string().as_bytes(), b"value", deadline);
        }
    })
    .unwrap();
    drop(held);
    (store, turn)
}

/// How many fields the hash has, as a read sees it; nothing: the key is not there.
fn fields_left(store: &Store, turn: &mut Turn) -> Option<usize> {
    let mut held = Held::everything(store);
    let mut db = Db::new(&mut held, turn, 0);
    let key = db.key(b"h");
    db.read_hash(key).unwrap().map(|hash| hash.len())
}

#[test]
fn no_read_sees_a_due_field_however_many_are_due() {
    for fields in [10, 100, 20_000] {
        let (store, mut turn) = timed_hash(fields, |n| (n % 10 != 3).then_some(2000 + n % 2));
        assert_eq!(fields_left(&store, &mut turn), Some(fields as usize));
        turn.now_ms = 2000;
        assert_eq!(fields_left(&store, &mut turn), Some(fields as usize / 2));
        turn.now_ms = 2001;
        assert_eq!(fields_left(&store, &mut turn), Some(fields as usize / 10));
    }
}

#[test]
fn a_hash_whose_fields_are_all_due_is_not_there() {
    for fields in [1, 100, 20_000] {
        let (store, mut turn) = timed_hash(fields, |_| Some(2000));
        turn.now_ms = 2000;
        turn.keep_expired = true;
        assert_eq!(fields_left(&store, &mut turn), None);
        assert_eq!(store.len(0), 1);
        turn.keep_expired = false;
        turn.loading = true;
        assert_eq!(fields_left(&store, &mut turn), Some(fields as usize));
        assert_eq!(store.expire_due(0, &mut turn, usize::MAX), Due::Done);
        turn.loading = false;
        assert_eq!(fields_left(&store, &mut turn), None);
        assert_eq!((store.len(0), turn.expired()), (0, (0, fields as u64)));
        let events: Vec<&str> = turn.events.iter().map(|event| event.name).collect();
        assert_eq!(events, ["hexpired", "del"]);
        assert!(String::from_utf8_lossy(&turn.effects.bytes).contains("\r\nDEL\r\n$1\r\nh\r\n"));
    }
}

#[test]
fn a_scan_tells_of_expired_fields_what_a_look_up_tells() {
    let (store, mut turn) = timed_hash(30, |_| Some(2000));
    turn.now_ms = 2000;
    let mut held = Held::everything(&store);
    let mut seen = 0;
    assert_eq!(Db::new(&mut held, &mut turn, 0).scan(0, 100, |_| seen += 1).cursor, 0);
    assert_eq!((seen, store.len(0), turn.expired()), (0, 0, (0, 30)));
    let events: Vec<&str> = turn.events.iter().map(|event| event.name).collect();
    assert_eq!(events, ["hexpired", "del"]);
}

#[test]
fn a_worker_removes_what_is_due_in_steps_of_its_budget() {
    for fields in [100, 50_000] {
        // The last bound is only an upper one: the field it came from is gone.
        let (store, mut turn) = timed_hash(fields, |n| Some(if n == 0 { 9000 } else { 2000 + n % 50 }));
        let mut held = Held::everything(&store);
        let mut db = Db::new(&mut held, &mut turn, 0);
        let key = db.key(b"h");
        assert!(db.change_hash(key, |hash| hash.remove(b"0")).unwrap());
        drop(held);
        assert_eq!(store.next_due_ms(0), 2000);
        turn.now_ms = 2010;
        let mut rounds = 0;
        while store.expire_due(0, &mut turn, 100) == Due::More {
            rounds += 1;
            assert!(turn.expired().1 <= 200 * rounds);
        }
        assert!((2011..=2012).contains(&store.next_due_ms(0)));
        turn.now_ms = 3000;
        while store.expire_due(0, &mut turn, 100) == Due::More {}
        assert_eq!((store.len(0), turn.expired()), (0, (0, fields as u64 - 1)));
        assert_eq!(turn.events.last().unwrap().name, "del");
        assert_eq!(store.next_due_ms(0), i64::MAX);
    }
}

#[test]
fn a_deadline_of_the_key_and_one_of_a_field_go_each_in_its_time() {
    let (store, mut turn) = timed_hash(5, |n| (n == 1).then_some(2000));
    let mut held = Held::everything(&store);
    let mut db = Db::new(&mut held, &mut turn, 0);
    let key = db.key(b"h");
    assert!(db.set_deadline(key, Some(3000)));
    drop(held);
    assert_eq!((store.next_due_ms(0), store.volatile_len(0)), (2000, 1));
    turn.now_ms = 2000;
    while store.expire_due(0, &mut turn, 100) == Due::More {}
    assert_eq!((store.next_due_ms(0), turn.expired()), (3000, (0, 1)));
    assert_eq!(fields_left(&store, &mut turn), Some(4));
    turn.now_ms = 3000;
    while store.expire_due(0, &mut turn, 100) == Due::More {}
    assert_eq!((store.len(0), store.volatile_len(0), turn.expired()), (0, 0, (1, 1)));
}

#[test]
fn a_snapshot_has_the_fields_of_its_moment_whatever_expires_meanwhile() {
    for fields in [50, 3000] {
        let (store, mut turn) = timed_hash(fields, |n| (n % 3 > 0).then_some(2000 + n % 5));
        let mut cut = store.cut(&mut Held::everything(&store)).unwrap();
        for now_ms in [2001, 2003] {
            turn.now_ms = now_ms;
            while store.expire_due(0, &mut turn, 100) == Due::More {}
        }
        let left = fields_left(&store, &mut turn);
        let (mut batch, mut snapshot) = (Batch::new(), Vec::new());
        loop {
            let step = cut.step(&mut batch);
            for record in batch.records() {
                let Record::Entry { head, value: View::Hash(hash) } = record else { panic!("{record:?}") };
                assert_eq!((head.key, head.deadline_ms), (b"h".as_slice(), None));
                snapshot.extend(hash.iter().map(|field| field.deadline_ms));
            }
            if step == Step::Done {
                break;
            }
        }
        drop(cut);
        let mut expected: Vec<Option<i64>> =
            (0..fields).map(|n| (n % 3 > 0).then_some(2000 + n % 5)).collect();
        assert_eq!(left, Some(expected.iter().filter(|at| at.is_none_or(|at| at > 2003)).count()));
        snapshot.sort();
        expected.sort();
        assert_eq!(snapshot, expected);
        assert_eq!(fields_left(&store, &mut turn), left);
    }
}
