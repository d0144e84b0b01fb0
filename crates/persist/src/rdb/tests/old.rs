//! Files as old servers wrote them, byte by byte: versions 1 to 9, and what no server writes any more.

use std::borrow::Cow;

use crate::crc64::crc64;
use crate::rdb::{Field, Item, Reader, ReaderOptions, StreamId, Value};

/// A string of less than 64 bytes, as it stands in a file.
fn string(bytes: &[u8]) -> Vec<u8> {
    [&[bytes.len() as u8], bytes].concat()
}

/// A file of `version` with one key, `k`, whose value is written as `byte` says; without a checksum.
fn file(version: u8, byte: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = format!("REDIS{version:04}").into_bytes();
    bytes.extend([254, 0, byte]);
    bytes.extend(string(b"k"));
    bytes.extend(value);
    bytes.push(255);
    if version >= 5 {
        bytes.extend(crc64(&bytes).to_le_bytes());
    }
    bytes
}

/// The value of the one key of a file.
fn value(bytes: &[u8]) -> Value<'static> {
    try_value(bytes).unwrap_or_else(|error| panic!("{error}"))
}

fn try_value(bytes: &[u8]) -> Result<Value<'static>, String> {
    let told = |error: crate::rdb::Error| error.to_string();
    let mut reader = Reader::new(bytes, ReaderOptions { checksum: true }).map_err(told)?;
    let mut found = None;
    while let Some(item) = reader.next().map_err(told)? {
        if let Item::Key(record) = item {
            let copy = record.value.bytes.to_vec().leak();
            let raw = crate::rdb::Raw { bytes: copy, ..record.value };
            found = Some(raw.decode().map_err(told)?);
        }
    }
    Ok(found.unwrap())
}

fn texts(texts: &[&str]) -> Vec<Cow<'static, [u8]>> {
    texts.iter().map(|text| text.as_bytes().to_vec().into()).collect()
}

fn fields(pairs: &[(&str, &str, Option<i64>)]) -> Value<'static> {
    let field = |(name, value, deadline_ms): &(&str, &str, Option<i64>)| Field {
        name: name.as_bytes().to_vec().into(),
        value: value.as_bytes().to_vec().into(),
        deadline_ms: *deadline_ms,
    };
    Value::Hash(pairs.iter().map(field).collect())
}

#[test]
fn linked_forms_of_the_first_version() {
    assert_eq!(value(&file(1, 0, b"\x05hello")), Value::String(b"hello".into()));
    assert_eq!(value(&file(1, 1, b"\x02\x01a\xc0\x05")), Value::List(texts(&["a", "5"])));
    assert_eq!(value(&file(2, 2, b"\x02\x01a\xc1\x00\x10")), Value::Set(texts(&["a", "4096"])));
    assert_eq!(value(&file(3, 4, b"\x01\x01f\x01v")), fields(&[("f", "v", None)]));
    let zset = b"\x04\x01a\x031.5\x01b\xfe\x01c\xff\x01d\x05-3e10";
    let members = [("a", 1.5), ("b", f64::INFINITY), ("c", f64::NEG_INFINITY), ("d", -3e10)];
    let members = members.map(|(member, score)| (Cow::Borrowed(member.as_bytes()), score));
    assert_eq!(value(&file(4, 3, zset)), Value::ZSet(members.into()));
    assert!(try_value(&file(4, 3, b"\x01\x01a\xfd")).unwrap_err().contains("a score is not a number"));
}

#[test]
fn packed_forms_of_redis_2() {
    let zipmap = string(b"\x01\x01f\x03\x01val.\xff");
    assert_eq!(value(&file(3, 9, &zipmap)), fields(&[("f", "val", None)]));
    // Entries "a", 7, "b", 300.
    let entries = b"\x00\x01a\x03\xf8\x02\x01b\x03\xc0\x2c\x01\xff";
    let mut ziplist = vec![23, 0, 0, 0, 18, 0, 0, 0, 4, 0];
    ziplist.extend(entries);
    let ziplist = string(&ziplist);
    assert_eq!(value(&file(4, 10, &ziplist)), Value::List(texts(&["a", "7", "b", "300"])));
    let scored = vec![(Cow::Borrowed(b"a".as_slice()), 7.0), (Cow::Borrowed(b"b".as_slice()), 300.0)];
    assert_eq!(value(&file(4, 12, &ziplist)), Value::ZSet(scored));
    assert_eq!(value(&file(6, 13, &ziplist)), fields(&[("a", "7", None), ("b", "300", None)]));
    let intset = string(b"\x02\0\0\0\x03\0\0\0\xff\xff\x00\x00\x07\x00");
    assert_eq!(value(&file(6, 11, &intset)), Value::Set(texts(&["-1", "0", "7"])));
    let unsorted = string(b"\x02\0\0\0\x02\0\0\0\x07\x00\x00\x00");
    assert!(try_value(&file(6, 11, &unsorted)).unwrap_err().contains("an intset is not in order"));
    // Redis 3.2: nodes of ziplists.
    let quicklist = [b"\x02".as_slice(), &ziplist, &ziplist].concat();
    let twice = texts(&["a", "7", "b", "300", "a", "7", "b", "300"]);
    assert_eq!(value(&file(7, 14, &quicklist)), Value::List(twice));
}

#[test]
fn deadlines_in_seconds() {
    let mut bytes = b"REDIS0002".to_vec();
    bytes.extend([253, 0x10, 0x27, 0, 0, 0]);
    bytes.extend(b"\x01k\x01v\xff");
    let mut reader = Reader::new(bytes.as_slice(), ReaderOptions { checksum: true }).unwrap();
    let Some(Item::Key(record)) = reader.next().unwrap() else { panic!("a key comes first") };
    assert_eq!((record.deadline_ms, &*record.key), (Some(10_000_000), b"k".as_slice()));
    assert!(reader.next().unwrap().is_none());
}

/// A stream of one entry, 5-0 with a = 1, as Redis 5.0 wrote it, with a group that has read it.
fn stream_of_redis_5() -> Vec<u8> {
    let mut listpack = vec![0, 0, 0, 0, 10, 0];
    let integer = |n: u8| vec![n, 1];
    for element in [integer(1), integer(0), integer(1), b"\x81a\x02".to_vec(), integer(0)] {
        listpack.extend(element);
    }
    for element in [integer(2), integer(0), integer(0), integer(1), integer(4)] {
        listpack.extend(element);
    }
    listpack.push(255);
    listpack[0] = listpack.len() as u8;
    let id = [[0; 7].as_slice(), &[5], &[0; 8]].concat();
    let mut bytes = vec![1];
    bytes.extend(string(&id));
    bytes.extend(string(&listpack));
    // Length 1, last id 5-0, one group, `g`, which has read up to 5-0.
    bytes.extend([1, 5, 0, 1, 1, b'g', 5, 0, 1]);
    bytes.extend(&id);
    bytes.extend(1000u64.to_le_bytes());
    bytes.extend([3, 1, 1, b'c']);
    bytes.extend(2000u64.to_le_bytes());
    bytes.push(1);
    bytes.extend(&id);
    bytes
}

#[test]
fn streams_of_redis_5() {
    let Value::Stream(stream) = value(&file(9, 15, &stream_of_redis_5())) else { panic!("no stream") };
    let id = StreamId { ms: 5, seq: 0 };
    assert_eq!((stream.entries.len(), stream.last_id, stream.first_id, stream.entries_added), (1, id, id, 1));
    let entry = stream.entries.iter().next().unwrap();
    assert_eq!((entry.id, &*entry.fields[0].0, &*entry.fields[0].1), (id, b"a".as_slice(), b"1".as_slice()));
    let group = &stream.groups[0];
    assert_eq!((&*group.name, group.last_id, group.entries_read), (b"g".as_slice(), id, Some(1)));
    let pending = group.pending[0];
    assert_eq!((pending.id, pending.consumer, pending.delivered_ms, pending.deliveries), (id, 0, 1000, 3));
    assert_eq!((group.consumers[0].seen_ms, group.consumers[0].active_ms), (2000, Some(2000)));
}

#[test]
fn hashes_whose_fields_expire() {
    let pre_release = b"\x02\x00\x01f\x01v\x43\xe8\x01g\x01w";
    assert_eq!(value(&file(12, 22, pre_release)), fields(&[("f", "v", None), ("g", "w", Some(1000))]));
    let released =
        [1000u64.to_le_bytes().as_slice(), b"\x03\x00\x01f\x01v\x01\x01g\x01w\x0b\x01h\x01x"].concat();
    let expected = [("f", "v", None), ("g", "w", Some(1000)), ("h", "x", Some(1010))];
    assert_eq!(value(&file(12, 24, &released)), fields(&expected));
    let listpack = string(b"\x18\0\0\0\x06\0\x81g\x02\x81w\x02\xc3\xe8\x02\x81f\x02\x81v\x02\x00\x01\xff");
    let expected = [("g", "w", Some(1000)), ("f", "v", None)];
    assert_eq!(value(&file(12, 23, &listpack)), fields(&expected));
    assert_eq!(value(&file(12, 25, &[[0; 8].as_slice(), &listpack].concat())), fields(&expected));
}

#[test]
fn modules_are_passed_over() {
    // A name, then an unsigned number, a signed one, a float, a double, a string and the end.
    let body = b"\x02\x05\x01\x07\x03\0\0\0\0\x04\0\0\0\0\0\0\0\0\x05\x02hi\x00";
    let module = [b"\x81\0\0\0\0\0\0\x04\x03".as_slice(), body].concat();
    let Value::Module(found) = value(&file(9, 7, &module)) else { panic!("no module") };
    assert_eq!((found.name.to_string().as_str(), &*found.body), ("AAAAAAAAB version 3", body.as_slice()));
    assert!(try_value(&file(8, 6, b"\x00")).unwrap_err().contains("only the module could read it"));
    let mut bytes = b"REDIS0009\xf7".to_vec();
    bytes.extend(module.iter().take(9).chain(b"\x02\x02\x05\x02hi\x00\xff\0\0\0\0\0\0\0\0"));
    let mut reader = Reader::new(bytes.as_slice(), ReaderOptions { checksum: true }).unwrap();
    assert!(matches!(reader.next().unwrap(), Some(Item::ModuleAux(name)) if name == found.name));
    assert!(reader.next().unwrap().is_none());
}

#[test]
fn what_clusters_write_is_passed_over() {
    let redis = b"REDIS0012\xf4\x05\x03\x01\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0";
    let valkey = b"VALKEY080\xf3\x04name\x01\x05\x07\xf4\x05\x03\x01\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0";
    for bytes in [redis.as_slice(), valkey] {
        assert_eq!(value(bytes), Value::String(b"v".into()));
    }
    assert!(try_value(b"REDIS0011\xf3\x04name\x01\x05\x07\xff").unwrap_err().contains("unknown type 243"));
}

#[test]
fn one_type_may_mean_two_things() {
    let valkey = b"VALKEY080\x16\x01k\x01\x01f\x01v\xe8\x03\0\0\0\0\0\0\xff\0\0\0\0\0\0\0\0";
    assert_eq!(value(valkey), fields(&[("f", "v", Some(1000))]));
    assert!(try_value(b"VALKEY080\x19\x01k").unwrap_err().ends_with("at byte 9: unknown type 25"));
}
