//! Values of every type, small and big, for tests of this crate and others.

use crate::rdb::{
    Bytes, Field, Stream, StreamConsumer, StreamEntry, StreamGroup, StreamId, StreamPending, Value,
};

fn texts(n: usize) -> Vec<Bytes<'static>> {
    (0..n).map(|i| format!("element {i}, with some text").into_bytes().into()).collect()
}

fn ints(values: impl IntoIterator<Item = i64>) -> Vec<Bytes<'static>> {
    values.into_iter().map(|n| n.to_string().into_bytes().into()).collect()
}

fn fields(n: usize) -> Vec<Field<'static>> {
    let named =
        |(i, name)| Field { name, value: format!("{}", i * 77).into_bytes().into(), deadline_ms: None };
    texts(n).into_iter().enumerate().map(named).collect()
}

fn zset(n: usize) -> Vec<(Bytes<'static>, f64)> {
    let scores =
        [0.0, -0.0, 1.5, -2.0, 1e300, 0.1, f64::INFINITY, f64::NEG_INFINITY, 9_007_199_254_740_993.0];
    texts(n).into_iter().zip(scores.into_iter().cycle()).collect()
}

/// A stream of `n` entries; some with other fields than the rest.
fn stream(n: u64) -> Stream<'static> {
    let entry = |i: u64| {
        let name: &[u8] = if i % 7 == 3 { b"other" } else { b"name" };
        let fields = vec![
            (Bytes::Borrowed(name), i.to_string().into_bytes().into()),
            (b"text".into(), vec![b'x'; (i % 50) as usize].into()),
        ];
        StreamEntry { id: StreamId { ms: 1_700_000_000_000 + i / 3, seq: i % 3 }, fields }
    };
    let entries: Vec<_> = (0..n).map(entry).collect();
    let id = |i: usize| entries[i].id;
    let groups = if n < 3 { Vec::new() } else { groups(id(0), id(2)) };
    Stream {
        last_id: entries.last().map(|entry| entry.id).unwrap_or(StreamId { ms: 5, seq: 1 }),
        first_id: entries.first().map(|entry| entry.id).unwrap_or_default(),
        max_deleted_id: StreamId { ms: 4, seq: 2 },
        entries_added: n + 7,
        groups,
        entries: entries.into_iter().collect(),
    }
}

fn groups(first: StreamId, third: StreamId) -> Vec<StreamGroup<'static>> {
    let consumer = |name: &'static [u8], active_ms| StreamConsumer {
        name: name.into(),
        seen_ms: 1_700_000_000_500,
        active_ms,
    };
    let pending = |id, consumer, deliveries| StreamPending {
        id,
        consumer,
        delivered_ms: 1_700_000_000_400,
        deliveries,
    };
    vec![
        StreamGroup {
            name: b"empty".into(),
            last_id: StreamId::default(),
            entries_read: None,
            consumers: Vec::new(),
            pending: Vec::new(),
        },
        StreamGroup {
            name: b"readers".into(),
            last_id: third,
            entries_read: Some(10),
            consumers: vec![consumer(b"alice", Some(1_700_000_000_450)), consumer(b"bob", None)],
            pending: vec![pending(first, 0, 3), pending(third, 1, 1)],
        },
    ]
}

/// Values that every reader of version 11 knows, named.
pub fn values() -> Vec<(&'static str, Value<'static>)> {
    let text = |bytes: &[u8]| Value::String(bytes.to_vec().into());
    let mut long_list = texts(300);
    long_list.insert(150, vec![b'L'; 100_000].into());
    long_list.extend(ints([1, -1, i64::MIN]));
    vec![
        ("string empty", text(b"")),
        ("string text", text(b"some text")),
        ("string binary", text(b"\0\r\n\xff\xfe")),
        ("string int8", text(b"-128")),
        ("string int16", text(b"32767")),
        ("string int32", text(b"-2147483648")),
        ("string int64", text(b"9223372036854775807")),
        ("string zeros before", text(b"007")),
        ("string compressible", text(&[b'z'; 100_000])),
        (
            "string 16384",
            text(&(0..16384u32).map(|i| (i.wrapping_mul(0x9e37_79b1) >> 13) as u8).collect::<Vec<_>>()),
        ),
        ("list", Value::List(texts(3))),
        ("list long", Value::List(long_list)),
        ("set ints 16", Value::Set(ints([5, -7, 300]))),
        ("set ints 32", Value::Set(ints([5, -7, 70_000]))),
        ("set ints 64", Value::Set(ints([5, i64::MIN, i64::MAX]))),
        ("set small", Value::Set(texts(5))),
        ("set big", Value::Set(texts(500))),
        ("zset small", Value::ZSet(zset(9))),
        ("zset big", Value::ZSet(zset(500))),
        ("hash small", Value::Hash(fields(5))),
        ("hash big", Value::Hash(fields(500))),
        ("stream", Value::Stream(Box::new(stream(1000)))),
        ("stream without entries", Value::Stream(Box::new(stream(0)))),
    ]
}

/// A hash some of whose fields expire.
pub fn volatile_hash() -> Value<'static> {
    let mut fields = fields(4);
    fields[1].deadline_ms = Some(4_102_444_800_000);
    fields[2].deadline_ms = Some(4_102_444_800_123);
    Value::Hash(fields)
}
