//! What is written is read as it was; what is not of the form says where and why.

use std::borrow::Cow;
use std::convert::Infallible;

use engine::{AccessPolicy, Batch, Head, Held, Kind, Limits, Record, Step, Store, Str};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::rdb::{
    Bytes, Field, LoadOptions, Module, ModuleName, Stream, StreamConsumer, StreamEntry, StreamGroup,
    StreamId, StreamPending,
};

/// The document in the documentation.
fn example() -> &'static str {
    let text = include_str!("../../../../docs/json.md");
    let (_, rest) = text.split_once("```json\n").unwrap();
    rest.split_once("```").unwrap().0
}

fn items(text: &str) -> Result<Vec<Item>, ReadError<Infallible>> {
    let mut items = Vec::new();
    let take = |item| {
        items.push(item);
        Ok(())
    };
    read(text.as_bytes(), take)?;
    Ok(items)
}

fn written(items: &[Item]) -> String {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for item in items {
        match item {
            Item::Key { db, key, deadline_ms, value } => writer.key(*db, key, *deadline_ms, value).unwrap(),
            Item::Function(code) => writer.function(code).unwrap(),
        }
    }
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

/// What is wrong with the document whose data is `data`.
fn fault(data: &str) -> String {
    items(&format!("{{\"ebbtide\": 1, \"data\": [{data}]}}")).unwrap_err().to_string()
}

#[test]
fn the_example_of_the_documentation_holds() {
    let read = items(example()).unwrap();
    assert!(read.len() > 8);
    let kinds: Vec<_> = read
        .iter()
        .filter_map(|item| if let Item::Key { value, .. } = item { value.kind() } else { None })
        .collect();
    for kind in [Kind::String, Kind::List, Kind::Set, Kind::ZSet, Kind::Hash, Kind::Stream] {
        assert!(kinds.contains(&kind), "{kind:?}");
    }
    // A string in pieces is whole when it was read.
    let same = |(written, example): (&str, &str)| written == example || example.contains("\"long\"");
    let written = written(&read);
    assert_eq!(written.lines().count(), example().lines().count());
    assert!(written.lines().zip(example().lines()).all(same), "{written}");
}

#[test]
fn an_empty_store_has_a_document() {
    let text = written(&[]);
    assert_eq!(text, "{\"ebbtide\": 1, \"data\": [\n]}\n");
    assert_eq!(items(&text).unwrap(), []);
}

#[test]
fn people_may_write_less() {
    let text = r#"{"ebbtide":1,"data":[
        {"string": 42, "key": 7}, {"key": "s", "stream": {"entries": [["5-1", "a", 1]]}}, {"key": "e", "stream": {}}
    ]}"#;
    let [Item::Key { key, value, .. }, Item::Key { value: Value::Stream(stream), .. }, Item::Key { .. }] =
        &items(text).unwrap()[..]
    else {
        panic!("three keys");
    };
    assert_eq!((key.as_slice(), value), (b"7".as_slice(), &Value::String(Cow::Borrowed(b"42"))));
    let id = StreamId { ms: 5, seq: 1 };
    assert_eq!((stream.last_id, stream.first_id, stream.entries_added), (id, id, 1));
}

/// The document that a snapshot of one string in pieces gives.
fn written_in_pieces(bytes: &[u8], piece_bytes: usize) -> String {
    let mut writer = Writer::new(Vec::new()).unwrap();
    let head = Head { db: 3, key: b"long", deadline_ms: Some(5), access: 0 };
    writer.record(&Record::Long { head, len: bytes.len() as u64 }).unwrap();
    bytes.chunks(piece_bytes).for_each(|piece| writer.record(&Record::Piece(piece)).unwrap());
    let other = Record::Entry {
        head: Head { db: 0, key: b"n", deadline_ms: None, access: 0 },
        value: engine::View::String(Str::Int(-7)),
    };
    writer.record(&other).unwrap();
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

fn string(db: u32, key: &[u8], deadline_ms: Option<i64>, bytes: &[u8]) -> Item {
    Item::Key { db, key: key.to_vec(), deadline_ms, value: Value::String(Cow::Owned(bytes.to_vec())) }
}

#[test]
fn a_long_string_is_written_in_pieces_that_part_no_character() {
    let text = "a\u{6f6e}\u{1f30a}".repeat(9);
    for piece_bytes in 1..12 {
        let document = written_in_pieces(text.as_bytes(), piece_bytes);
        assert!(!document.contains("base64"), "{document}");
        let expected = [string(3, b"long", Some(5), text.as_bytes()), string(0, b"n", None, b"-7")];
        assert_eq!(items(&document).unwrap(), expected);
    }
}

#[test]
fn other_pieces_are_marked() {
    let bytes = [b"a\xe6".as_slice(), &[0xff; 9], b"b\xe6\xbd"].concat();
    for piece_bytes in 1..12 {
        let document = written_in_pieces(&bytes, piece_bytes);
        assert_eq!(items(&document).unwrap()[0], string(3, b"long", Some(5), &bytes));
    }
}

#[test]
fn a_string_without_pieces_is_empty() {
    let document = written_in_pieces(b"", 1);
    assert!(document.contains("\"string\": []},\n"), "{document}");
    assert_eq!(items(&document).unwrap()[0], string(3, b"long", Some(5), b""));
}

#[test]
fn what_is_not_of_the_form_is_refused_with_its_place() {
    for (text, said) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("[]", "expected an object that begins with \"ebbtide\": 1"),
        ("{\"data\": []}", "it does not begin with \"ebbtide\": 1"),
        ("{\"ebbtide\": 2, \"data\": []}", "of form 2, and this program knows form 1"),
        ("{\"ebbtide\": 1}", "it has no \"data\""),
        ("{\"ebbtide\": 1, \"data\": [], \"more\": 1}", "unknown name \"more\""),
        (
            "{\"ebbtide\": 1, \"data\": [\n{\"key\": \"a\", \"string\": \"b\"}",
            "EOF while parsing a list at line 2",
        ),
        ("{\"ebbtide\": 1, \"data\": []} x", "trailing characters"),
    ] {
        let error = items(text).unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
    for (data, said) in [
        ("{\"key\": \"a\"}", "a key has no value"),
        ("{\"string\": \"a\"}", "an entry has no \"key\""),
        ("{\"function\": \"x\", \"db\": 1}", "an entry has no \"key\""),
        ("{\"key\": \"a\", \"string\": \"b\", \"function\": \"x\"}", "a key or a function, not both"),
        ("{\"key\": \"a\", \"string\": \"b\", \"list\": [\"c\"]}", "more than one \"value\""),
        ("{\"key\": \"a\", \"key\": \"b\", \"string\": \"c\"}", "more than one \"key\""),
        ("{\"key\": \"a\", \"strin\": \"b\"}", "unknown name \"strin\" at line 1 column"),
        ("{\"key\": \"a\", \"string\": 1.5}", "floating point `1.5`, expected a string"),
        ("{\"key\": \"a\", \"string\": null}", "expected a string"),
        ("{\"key\": \"a\", \"string\": \"base64:x\"}", "not Base64"),
        ("{\"key\": \"a\", \"db\": -1, \"string\": \"b\"}", "invalid value: integer `-1`"),
        ("{\"key\": \"a\", \"list\": []}", "a key's value is empty"),
        ("{\"key\": \"a\", \"list\": [[[]]]}", "expected a string"),
        ("{\"key\": \"a\", \"set\": [\"x\", \"y\", \"x\"]}", "\"x\" comes twice"),
        ("{\"key\": \"a\", \"zset\": {\"x\": \"1\"}}", "expected a score"),
        ("{\"key\": \"a\", \"zset\": {\"x\": 1, \"x\": 2}}", "\"x\" comes twice"),
        ("{\"key\": \"a\", \"hash\": {\"x\": {\"expires_ms\": 1}}}", "a field has no \"value\""),
        ("{\"key\": \"a\", \"stream\": {\"entries\": [[\"2-0\"], [\"1-0\"]]}}", "in the order of their ids"),
        ("{\"key\": \"a\", \"stream\": {\"entries\": [[\"2-0\", \"x\"]]}}", "has no value"),
        ("{\"key\": \"a\", \"stream\": {\"last_id\": \"7\"}}", "expected an id"),
        ("{\"key\": \"a\", \"stream\": {\"groups\": {\"g\": {}}}}", "a group has no \"last_id\""),
        (
            "{\"key\": \"a\", \"stream\": {\"groups\": {\"g\": {\"last_id\": \"1-1\", \"pending\": [[\"1-1\", \"c\", 1, 1]]}}}}",
            "not of the group's consumers",
        ),
    ] {
        let error = fault(data);
        assert!(error.contains(said), "{data}: {error}");
    }
}

#[test]
fn deep_nesting_is_refused() {
    let deep = "[".repeat(100_000);
    assert!(fault(&format!("{{\"key\": \"a\", \"string\": {deep}")).contains("expected a string"));
    assert!(items(&deep).is_err());
}

#[test]
fn who_takes_the_keys_may_refuse_one() {
    let text = written(&items(example()).unwrap());
    let mut left = 3;
    let take = |_| {
        left -= 1;
        if left > 0 { Ok(()) } else { Err("enough") }
    };
    let error = read(text.as_bytes(), take).unwrap_err();
    assert_eq!(error.to_string(), "entry 3: enough");
}

#[test]
fn a_module_s_value_has_no_form() {
    let module = Module { name: ModuleName(1 << 10 | 3), body: Cow::Borrowed(b"x") };
    let mut writer = Writer::new(Vec::new()).unwrap();
    let error = writer.key(0, b"graph", None, &Value::Module(module)).unwrap_err();
    assert!(error.to_string().contains("\"graph\" holds a value of the module type AAAAAAAAB version 3"));
    assert_eq!(writer.finish().unwrap(), b"{\"ebbtide\": 1, \"data\": [\n]}\n");
}

#[test]
fn a_store_is_read_back() {
    let options = LoadOptions {
        threads: 1,
        now_ms: 1_000,
        keep_expired: false,
        replace: false,
        policy: AccessPolicy::Lru,
        limits: Limits::DEFAULT,
        between: || {},
    };
    let store = || Store::new(&engine::Options { databases: 4, secret: 7, groups: 1 });
    let data = r#"{"key":"a","string":"7"},{"key":"a","db":3,"string":"x","expires_ms":1001},
        {"key":"gone","string":"x","expires_ms":1000}"#;
    let document = format!("{{\"ebbtide\": 1, \"data\": [{data}]}}");
    let first = store();
    let loaded = load(&first, document.as_bytes(), &options).unwrap();
    assert_eq!((loaded.keys, loaded.expired), (2, 1));

    let mut writer = Writer::new(Vec::new()).unwrap();
    let (mut batch, mut cut) = (Batch::new(), first.cut(&mut Held::everything(&first)).unwrap());
    loop {
        let step = cut.step(&mut batch);
        batch.records().for_each(|record| writer.record(&record).unwrap());
        if step == Step::Done {
            break;
        }
    }
    let written = String::from_utf8(writer.finish().unwrap()).unwrap();
    let mut lines: Vec<_> = written.lines().map(|line| line.trim_end_matches(',')).collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "]}",
            "{\"ebbtide\": 1, \"data\": [",
            "{\"key\": \"a\", \"db\": 3, \"expires_ms\": 1001, \"string\": \"x\"}",
            "{\"key\": \"a\", \"string\": \"7\"}",
        ]
    );

    for (data, said) in [
        (
            "{\"key\":\"a\",\"string\":1},{\"key\":\"a\",\"string\":2}",
            "entry 2: the key \"a\" (string) comes twice",
        ),
        ("{\"key\":\"a\",\"db\":4,\"string\":1}", "entry 1: database 4, but there are 4"),
    ] {
        let document = format!("{{\"ebbtide\": 1, \"data\": [{data}]}}");
        let error = load(&store(), document.as_bytes(), &options).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

fn bytes() -> impl Strategy<Value = Bytes<'static>> {
    prop_oneof![
        vec(any::<u8>(), 0..20).prop_map(Cow::Owned),
        "\\PC{0,12}".prop_map(|text| Cow::Owned(text.into_bytes())),
        "(base64:)?[a-zA-Z0-9+/=]{0,8}".prop_map(|text| Cow::Owned(text.into_bytes())),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), any::<i32>().prop_map(f64::from), Just(f64::INFINITY), Just(f64::NEG_INFINITY)]
        .prop_filter("a score is a number", |score| !score.is_nan())
}

fn id() -> impl Strategy<Value = StreamId> {
    (any::<u64>(), any::<u64>()).prop_map(|(ms, seq)| StreamId { ms, seq })
}

fn group() -> impl Strategy<Value = StreamGroup<'static>> {
    let consumers = btree_map(bytes(), (any::<i64>(), any::<Option<i64>>()), 1..4);
    let pending = btree_map(id(), (any::<prop::sample::Index>(), any::<i64>(), any::<u64>()), 0..5);
    (bytes(), id(), any::<Option<u64>>(), consumers, pending).prop_map(
        |(name, last_id, entries_read, consumers, pending)| {
            let consumer = |(name, (seen_ms, active_ms))| StreamConsumer { name, seen_ms, active_ms };
            let consumers: Vec<_> = consumers.into_iter().map(consumer).collect();
            let pending = pending.into_iter().map(|(id, (place, delivered_ms, deliveries))| {
                let consumer = place.index(consumers.len());
                StreamPending { id, consumer, delivered_ms, deliveries }
            });
            let pending = pending.collect();
            StreamGroup { name, last_id, entries_read, consumers, pending }
        },
    )
}

fn stream() -> impl Strategy<Value = Stream<'static>> {
    let entries = btree_map(id(), vec((bytes(), bytes()), 0..4), 0..5);
    let groups = vec(group(), 0..3);
    (entries, id(), id(), any::<u64>(), groups).prop_map(
        |(entries, last_id, max_deleted_id, added, groups)| {
            let end = entries.keys().last().copied().unwrap_or_default();
            let entries: Vec<_> =
                entries.into_iter().map(|(id, fields)| StreamEntry { id, fields }).collect();
            Stream {
                first_id: entries.first().map_or(StreamId::default(), |entry| entry.id),
                last_id: last_id.max(end),
                max_deleted_id,
                entries_added: added,
                groups,
                entries: entries.into_iter().collect(),
            }
        },
    )
}

fn value() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        bytes().prop_map(Value::String),
        vec(bytes(), 1..8).prop_map(Value::List),
        prop::collection::btree_set(bytes(), 1..8).prop_map(|set| Value::Set(set.into_iter().collect())),
        btree_map(bytes(), score(), 1..8).prop_map(|set| Value::ZSet(set.into_iter().collect())),
        btree_map(bytes(), (bytes(), any::<Option<i64>>()), 1..8).prop_map(|fields| {
            let field = |(name, (value, deadline_ms))| Field { name, value, deadline_ms };
            Value::Hash(fields.into_iter().map(field).collect())
        }),
        stream().prop_map(|stream| Value::Stream(Box::new(stream))),
    ]
}

fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        9 => (0u32..20, bytes(), option::of(any::<i64>()), value()).prop_map(|(db, key, deadline_ms, value)| {
            Item::Key { db, key: key.into_owned(), deadline_ms, value }
        }),
        1 => bytes().prop_map(|code| Item::Function(code.into_owned())),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_it_was(given in vec(item(), 0..8)) {
        let text = written(&given);
        // Other programs read it too.
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        prop_assert_eq!(items(&text).unwrap(), given);
    }

    #[test]
    fn a_document_cut_short_is_refused(given in vec(item(), 1..4), cut: prop::sample::Index) {
        let text = written(&given).into_bytes();
        let len = cut.index(text.len() - 1);
        let read = read(&text[..len], |_| Ok::<(), Infallible>(()));
        prop_assert!(read.is_err());
    }
}
