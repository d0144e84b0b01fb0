//! Values of every type in a store: loaded, cut, written, read again.

use engine::{AccessPolicy, Batch, Cut, Held, Limits, Options as StoreOptions, Record, Step, Store};

use super::round_trip::ordered;
use crate::json;
use crate::rdb::samples::{values, volatile_hash};
use crate::rdb::{About, Item, LoadOptions, Options, Reader, ReaderOptions, Value, Version, Writer, load};
use crate::requests;

const NOW_MS: i64 = 1_700_000_000_000;

/// All samples, some of them so large that they are written a part at a time.
fn samples() -> Vec<(String, Value<'static>)> {
    let mut samples: Vec<_> =
        values().into_iter().map(|(name, value)| (name.to_owned(), ordered(value))).collect();
    samples.push(("hash volatile".into(), ordered(volatile_hash())));
    let long = |i: u32| format!("{i:0100}").into_bytes();
    samples.push(("list large".into(), Value::List((0..20_000).map(|i| long(i).into()).collect())));
    samples.push(("set large".into(), ordered(Value::Set((0..20_000).map(|i| long(i).into()).collect()))));
    samples
}

fn options(limits: Limits) -> LoadOptions {
    LoadOptions {
        threads: 1,
        now_ms: NOW_MS,
        keep_expired: false,
        replace: false,
        policy: AccessPolicy::Lru,
        limits,
        between: || {},
    }
}

/// A store with all samples.
fn filled(limits: Limits) -> Store {
    let mut writer = Writer::new(Vec::new(), OPTIONS);
    for (name, value) in &samples() {
        let about = About { deadline_ms: Some(NOW_MS + 5000), ..About::default() };
        writer.value(name.as_bytes(), about, value).unwrap();
    }
    let bytes = writer.finish().unwrap().0;
    let store = Store::new(&StoreOptions { databases: 1, secret: 9, groups: 2 });
    let mut reader = Reader::new(bytes.as_slice(), ReaderOptions { checksum: true }).unwrap();
    load(&store, &mut reader, &options(limits), &mut |_| {}).unwrap();
    store
}

const OPTIONS: Options = Options { compression: false, checksum: true, version: Version::V11 };

fn each_record(store: &Store, mut take: impl FnMut(Record<'_>)) {
    let mut cut: Cut<'_> = store.cut(&mut Held::everything(store)).unwrap();
    let mut batch = Batch::new();
    loop {
        let step = cut.step(&mut batch);
        batch.records().for_each(&mut take);
        if step == Step::Done {
            return;
        }
    }
}

/// With Redis's limits, and with such that nothing is called small.
fn stores() -> [Store; 2] {
    let small = Limits {
        hash_max_listpack_entries: 1,
        list_max_listpack_size: 1,
        set_max_listpack_entries: 1,
        set_max_intset_entries: 1,
        zset_max_listpack_entries: 1,
        stream_node_max_entries: 1,
        ..Limits::default()
    };
    [filled(Limits::default()), filled(small)]
}

#[test]
fn a_snapshot_has_every_value_as_it_was_loaded() {
    for store in stores() {
        let mut writer = Writer::new(Vec::new(), OPTIONS);
        each_record(&store, |record| writer.record(record, None).unwrap());
        let bytes = writer.finish().unwrap().0;
        let mut reader = Reader::new(bytes.as_slice(), ReaderOptions { checksum: true }).unwrap();
        let mut expected: std::collections::BTreeMap<_, _> = samples().into_iter().collect();
        while let Some(item) = reader.next().unwrap() {
            let Item::Key(record) = item else { continue };
            let name = String::from_utf8(record.key.to_vec()).unwrap();
            assert_eq!(record.deadline_ms, Some(NOW_MS + 5000), "{name}");
            let expected = expected.remove(&name).expect("each key comes once");
            assert_eq!(ordered(record.value.decode().unwrap()), expected, "{name}");
        }
        assert_eq!(expected.keys().count(), 0, "{:?}", expected.keys());
    }
}

#[test]
fn a_document_has_every_value_as_it_was_loaded() {
    for store in stores() {
        let mut writer = json::Writer::new(Vec::new()).unwrap();
        each_record(&store, |record| writer.record(&record).unwrap());
        let bytes = writer.finish().unwrap();
        let mut expected: std::collections::BTreeMap<_, _> = samples().into_iter().collect();
        json::read(bytes.as_slice(), |item| {
            let json::Item::Key { key, value, .. } = item else { return Err("a function") };
            let name = String::from_utf8(key).unwrap();
            let expected = expected.remove(&name).ok_or("a key comes twice")?;
            assert_eq!(ordered(value), expected, "{name}");
            Ok(())
        })
        .unwrap();
        assert_eq!(expected.keys().count(), 0, "{:?}", expected.keys());
    }
}

#[test]
fn requests_name_every_element() {
    for store in stores() {
        let mut arguments = 0;
        each_record(&store, |record| {
            let Record::Entry { head, value } = record else { return };
            let mut give = |args: &[&[u8]]| {
                arguments += args.len();
                Ok::<(), std::convert::Infallible>(())
            };
            let Ok(()) = requests::of_key(head.key, head.deadline_ms, value.into(), &mut give);
        });
        let mut expected = 0;
        for (_, value) in &samples() {
            if matches!(value, Value::String(bytes) if bytes.len() >= 32 << 10) {
                continue;
            }
            let mut give = |args: &[&[u8]]| {
                expected += args.len();
                Ok::<(), std::convert::Infallible>(())
            };
            let Ok(()) = requests::of_key(b"key", Some(1), value.into(), &mut give);
        }
        // Deadlines of fields may come together, or not.
        assert!(arguments.abs_diff(expected) <= 10, "{arguments} {expected}");
    }
}
