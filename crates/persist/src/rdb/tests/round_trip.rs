//! What is written comes back.

use std::collections::BTreeMap;

use engine::Str;

use crate::crc64::crc64;
use crate::rdb::samples::{values, volatile_hash};
use crate::rdb::{
    About, Access, Fault, Item, Options, PayloadError, Reader, ReaderOptions, Value, Version, Writer, dump,
    restore,
};

/// The value with what has no order in a fixed one.
pub(super) fn ordered(mut value: Value<'_>) -> Value<'_> {
    match &mut value {
        Value::Set(members) => members.sort(),
        Value::ZSet(members) => members.sort_by(|a, b| a.0.cmp(&b.0)),
        Value::Hash(fields) => fields.sort_by(|a, b| a.name.cmp(&b.name)),
        _ => {}
    }
    value
}

fn file(options: Options) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), options);
    writer.preamble("7.2.4", 1_700_000_000, 1 << 20, false).unwrap();
    writer.function(b"#!lua name=lib\nredis.register_function('f', function() return 1 end)").unwrap();
    writer.select(3).unwrap();
    writer.resize(100, 1).unwrap();
    for (name, value) in values() {
        writer.value(name.as_bytes(), About::default(), &value).unwrap();
    }
    let about = About { deadline_ms: Some(4_102_444_800_000), access: Access::IdleS(1000) };
    writer.string(b"idle", about, Str::Int(7)).unwrap();
    let about = About { deadline_ms: None, access: Access::Frequency(200) };
    writer.begin_long(b"long", about, 1_000_000).unwrap();
    (0..10).for_each(|_| writer.piece(&[b'p'; 100_000]).unwrap());
    writer.finish().unwrap().0
}

fn check(bytes: &[u8]) {
    let mut reader = Reader::new(bytes, ReaderOptions { checksum: true }).unwrap();
    let mut samples: BTreeMap<&str, Value<'_>> = values().into_iter().collect();
    let (mut aux, mut functions, mut selected) = (Vec::new(), 0, None);
    while let Some(item) = reader.next().unwrap() {
        match item {
            Item::Aux { name, value } => aux.push((name.into_owned(), value.into_owned())),
            Item::Function(code) => functions += usize::from(code.starts_with(b"#!lua name=lib\n")),
            Item::Select(db) => selected = Some(db),
            Item::Resize { keys, volatile } => assert_eq!((keys, volatile), (100, 1)),
            Item::Key(record) => match &*record.key {
                b"idle" => {
                    assert_eq!((record.deadline_ms, record.idle_s), (Some(4_102_444_800_000), Some(1000)));
                    assert_eq!(record.value.decode().unwrap(), Value::String(b"7".into()));
                }
                b"long" => {
                    assert_eq!(record.frequency, Some(200));
                    assert_eq!(record.value.decode().unwrap(), Value::String(vec![b'p'; 1_000_000].into()));
                }
                name => {
                    let expected = samples.remove(str::from_utf8(name).unwrap()).unwrap();
                    assert_eq!(ordered(record.value.decode().unwrap()), ordered(expected), "{name:?}");
                }
            },
            other => panic!("{other:?}"),
        }
    }
    assert!(samples.is_empty() && functions == 1 && selected == Some(3));
    assert_eq!(aux[2], (b"ctime".to_vec(), b"1700000000".to_vec()));
    assert_eq!(reader.offset(), bytes.len() as u64);
}

#[test]
fn a_file_of_every_type_comes_back() {
    for compression in [false, true] {
        check(&file(Options { compression, checksum: true, version: Version::V11 }));
    }
    let unchecked = file(Options { compression: true, checksum: false, version: Version::V11 });
    assert_eq!(unchecked[unchecked.len() - 8..], [0; 8]);
    check(&unchecked);
}

#[test]
fn version_10_has_nothing_that_redis_7_0_lacks() {
    let bytes = file(Options { compression: true, checksum: true, version: Version::V10 });
    let mut reader = Reader::new(bytes.as_slice(), ReaderOptions { checksum: true }).unwrap();
    assert_eq!(reader.version(), 10);
    let mut names = Vec::new();
    while let Some(item) = reader.next().unwrap() {
        let Item::Key(record) = item else { continue };
        record.value.decode().unwrap();
        names.push(record.value.encoding.name());
    }
    assert!(names.contains(&"stream-v2") && names.contains(&"set-hashtable"), "{names:?}");
    assert!(!names.contains(&"stream-v3") && !names.contains(&"set-listpack"), "{names:?}");
    let payload = dump(Str::Int(7), Version::V10);
    assert_eq!(payload[2..4], [7, 10]);
    assert_eq!(restore(&payload).unwrap(), Value::String(b"7".into()));
}

#[test]
fn what_follows_the_end_is_given_back() {
    let mut bytes = file(Options { compression: true, checksum: true, version: Version::V11 });
    bytes.extend(b"*1\r\n$4\r\nPING\r\n");
    let mut reader = Reader::new(bytes.as_slice(), ReaderOptions { checksum: true }).unwrap();
    while reader.next().unwrap().is_some() {}
    assert!(reader.next().unwrap().is_none());
    let (read, rest) = reader.into_rest();
    assert_eq!([read.as_slice(), rest].concat(), b"*1\r\n$4\r\nPING\r\n");
}

#[test]
fn a_file_cut_anywhere_is_short_and_a_flipped_bit_is_found() {
    let bytes = file(Options { compression: true, checksum: true, version: Version::V11 });
    let read = |bytes: &[u8]| {
        let mut reader = Reader::new(bytes, ReaderOptions { checksum: true })?;
        while reader.next()?.is_some() {}
        Ok(())
    };
    for cut in (0..2000).chain(bytes.len() - 2000..bytes.len()) {
        let error: crate::rdb::Error = read(&bytes[..cut]).unwrap_err();
        let short = match error.fault {
            Fault::Value { fault, .. } => matches!(*fault, Fault::Short),
            fault => matches!(fault, Fault::Short),
        };
        assert!(short && error.offset == cut as u64, "cut at {cut}: at {}", error.offset);
    }
    for at in (0..bytes.len() - 8).step_by(997) {
        let mut bad = bytes.clone();
        bad[at] ^= 4;
        assert!(read(&bad).is_err(), "byte {at}");
    }
}

#[test]
fn payloads_come_back() {
    for (name, value) in values().into_iter().chain([("volatile hash", volatile_hash())]) {
        let payload = dump(&value, Version::V11);
        assert_eq!(ordered(restore(&payload).unwrap()), ordered(value), "{name}");
    }
    assert_eq!(restore(&dump(Str::Int(-5), Version::V11)).unwrap(), Value::String(b"-5".into()));
}

#[test]
fn payloads_of_redis_are_read_and_ours_are_the_same() {
    // SET a 1, DUMP a: of Redis 7.0, 8.0 and Valkey 9.1.
    let dumped: [&[u8]; 3] = [
        b"\x00\xc0\x01\x0a\x00\x26\x78\xe7\xb6\xd1\x01\x11\xfc",
        b"\x00\xc0\x01\x0c\x00\xed\x0e\xd3\x76\x2b\x2b\x8f\xb5",
        b"\x00\xc0\x01\x50\x00\xe9\x52\x2e\x27\x4f\x53\x76\x08",
    ];
    dumped.iter().for_each(|payload| assert_eq!(restore(payload).unwrap(), Value::String(b"1".into())));
    let ours = dump(Str::Int(1), Version::V11);
    assert_eq!(ours[..5], *b"\x00\xc0\x01\x0b\x00");
}

#[test]
fn bad_payloads_are_refused() {
    let payload = dump(Str::Bytes(b"some text"), Version::V11);
    for cut in 0..payload.len() {
        assert!(matches!(restore(&payload[..cut]), Err(PayloadError::Footer)), "cut at {cut}");
    }
    let signed = |body: &[u8], version: u16| {
        let bytes = [body, &version.to_le_bytes()].concat();
        let crc = crc64(&bytes);
        [bytes.as_slice(), &crc.to_le_bytes()].concat()
    };
    assert!(restore(&signed(b"\x00\x01x", 12)).is_ok());
    for version in [0, 13, 79, 81, u16::MAX] {
        assert!(matches!(restore(&signed(b"\x00\x01x", version)), Err(PayloadError::Footer)), "{version}");
    }
    // Nothing, cut short, too long, without elements, without elements in a ziplist, with an element twice, with a
    // field twice.
    let bad: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x00\x02x",
        b"\x00\x01xx",
        b"\x01\x00",
        b"\x0d\x0b\x0b\0\0\0\x0a\0\0\0\0\0\xff",
        b"\x02\x03\x01a\x01b\x01a",
        b"\x04\x02\x01a\x01b\x01a\x01c",
    ];
    bad.iter()
        .for_each(|body| assert!(matches!(restore(&signed(body, 11)), Err(PayloadError::Value)), "{body:?}"));
}
