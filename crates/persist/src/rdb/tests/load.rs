//! Loading into a store.

use engine::{Access, AccessPolicy, Db, Held, Limits, Options as StoreOptions, Store, Str, Turn};

use crate::rdb::{
    About, Error, Fault, Item, LoadOptions, Loaded, Module, ModuleName, Options, Reader, ReaderOptions,
    Value, Version, Writer, load,
};

const NOW_MS: i64 = 1_700_000_000_000;
const OPTIONS: LoadOptions = LoadOptions {
    threads: 2,
    now_ms: NOW_MS,
    keep_expired: false,
    replace: false,
    policy: AccessPolicy::Lru,
    limits: Limits::DEFAULT,
    between: || {},
};

fn store() -> Store {
    Store::new(&StoreOptions { databases: 4, secret: 9, groups: 2 })
}

fn written(write: impl FnOnce(&mut Writer<Vec<u8>>)) -> Vec<u8> {
    let mut writer =
        Writer::new(Vec::new(), Options { compression: true, checksum: true, version: Version::V11 });
    write(&mut writer);
    writer.finish().unwrap().0
}

fn load_into(store: &Store, bytes: &[u8], options: &LoadOptions) -> Result<Loaded, Error> {
    let mut reader = Reader::new(bytes, ReaderOptions { checksum: true })?;
    load(store, &mut reader, options, &mut |_| {})
}

fn get(store: &Store, db: u32, key: &[u8]) -> Option<(Vec<u8>, Option<i64>, u64)> {
    let key = store.key(key);
    let mut turn = Turn::new(NOW_MS, 0);
    let mut held = Held::keys(store, [key.hash()]);
    let mut db = Db::new(&mut held, &mut turn, db);
    let entry = db.peek(key)?;
    let value = entry.string().unwrap().bytes(&mut itoa::Buffer::new()).to_vec();
    Some((value, entry.deadline_ms(), entry.idle_ms(NOW_MS)))
}

#[test]
fn every_key_arrives_with_its_deadline_and_use() {
    let bytes = written(|writer| {
        writer.preamble("7.2.4", 1, 2, true).unwrap();
        writer.function(b"code").unwrap();
        for db in 0..4 {
            writer.select(db).unwrap();
            for i in 0..30_000i64 {
                let about = About {
                    deadline_ms: (i % 3 == 0).then_some(NOW_MS + 1000 + i),
                    access: Access::IdleS(i as u64 % 100),
                };
                let value = format!("value {i} of database {db}, long enough to be compressed compressed");
                let value = if i % 5 == 0 { Str::Int(i) } else { Str::Bytes(value.as_bytes()) };
                writer.string(format!("key:{i}").as_bytes(), about, value).unwrap();
            }
        }
        writer.begin_long(b"long", About::default(), 1 << 20).unwrap();
        writer.piece(&[b'l'; 1 << 20]).unwrap();
    });
    let store = store();
    let mut told = Vec::new();
    let mut reader = Reader::new(bytes.as_slice(), ReaderOptions { checksum: true }).unwrap();
    let loaded = load(&store, &mut reader, &OPTIONS, &mut |progress| told.push(progress)).unwrap();
    assert_eq!((loaded.keys, loaded.expired, loaded.empty), (120_001, 0, 0));
    assert_eq!((loaded.functions.len(), loaded.aux.len()), (1, 5));
    assert_eq!(store.len(3), 30_001);
    assert_eq!(store.volatile_len(3), 10_000);
    assert!(told.len() > 3 && told.is_sorted_by_key(|progress| progress.bytes));
    assert_eq!(told.last().map(|last| (last.bytes, last.keys)), Some((bytes.len() as u64, 120_001)));
    assert_eq!(get(&store, 1, b"key:15"), Some((b"15".to_vec(), Some(NOW_MS + 1015), 15_000)));
    let text = b"value 1001 of database 2, long enough to be compressed compressed".to_vec();
    assert_eq!(get(&store, 2, b"key:1001"), Some((text, None, 1000)));
    assert_eq!(get(&store, 3, b"long").map(|(value, ..)| value.len()), Some(1 << 20));
}

#[test]
fn keys_past_their_deadline_are_left_out_or_kept() {
    let bytes = written(|writer| {
        let at = |deadline_ms| About { deadline_ms: Some(deadline_ms), ..About::default() };
        writer.string(b"past", at(NOW_MS), Str::Int(1)).unwrap();
        writer.string(b"future", at(NOW_MS + 1), Str::Int(1)).unwrap();
    });
    let loaded = load_into(&store(), &bytes, &OPTIONS).unwrap();
    assert_eq!((loaded.keys, loaded.expired), (1, 1));
    let kept = store();
    let loaded = load_into(&kept, &bytes, &LoadOptions { keep_expired: true, ..OPTIONS }).unwrap();
    assert_eq!((loaded.keys, loaded.expired, kept.len(0)), (2, 0, 2));
}

#[test]
fn a_key_that_comes_twice_is_refused_with_its_place() {
    let bytes = written(|writer| {
        for i in (0..50_000).chain([7]) {
            writer.string(format!("key:{i}").as_bytes(), About::default(), Str::Int(i)).unwrap();
        }
    });
    let error = load_into(&store(), &bytes, &OPTIONS).unwrap_err();
    let told = error.to_string();
    assert!(told.ends_with("the key \"key:7\" (string) comes twice in database 0"), "{told}");
    let mut reader = Reader::new(bytes.as_slice(), ReaderOptions { checksum: true }).unwrap();
    let mut places = Vec::new();
    while let Some(item) = reader.next().unwrap() {
        if let Item::Key(record) = item
            && *record.key == *b"key:7"
        {
            places.push(record.value.offset);
        }
    }
    assert!(places.contains(&error.offset), "{places:?} {}", error.offset);
}

#[test]
fn what_the_store_cannot_hold_is_refused() {
    let module = Module { name: ModuleName(1 << 10), body: vec![0].into() };
    let module = written(|writer| {
        writer.value(b"mymodule", About::default(), &Value::Module(module)).unwrap();
    });
    let told = load_into(&store(), &module, &OPTIONS).unwrap_err().to_string();
    assert!(told.contains("the key \"mymodule\" holds a value of the module type"), "{told}");
    let database = written(|writer| writer.select(4).unwrap());
    let error = load_into(&store(), &database, &OPTIONS).unwrap_err();
    assert!(matches!(error.fault, Fault::Database { db: 4, databases: 4 }), "{error}");
    let empty = written(|writer| {
        writer.value(b"nothing", About::default(), &Value::List(Vec::new())).unwrap();
    });
    assert_eq!(load_into(&store(), &empty, &OPTIONS).unwrap().empty, 1);
}

#[test]
fn a_broken_value_is_told_with_its_key() {
    let mut bytes = b"REDIS0009\x00\x03key\xc3\x04\x0a\x00a\x20\x05\xff".to_vec();
    bytes.extend([0; 8]);
    let told = load_into(&store(), &bytes, &OPTIONS).unwrap_err().to_string();
    let expected =
        "at byte 14: the value of \"key\" (string): a compressed string does not expand to what it should";
    assert_eq!(told, expected);
}
