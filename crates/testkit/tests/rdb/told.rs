//! Values as a server tells them, command by command.

use persist::rdb::{
    Bytes, Field, Stream, StreamConsumer, StreamEntry, StreamGroup, StreamId, StreamPending, Value,
};
use resp::Value as Reply;
use testkit::{Request, Target, ordered};

/// The value, borrowing nothing.
pub(crate) fn owned(value: Value<'_>) -> Value<'static> {
    let own = |bytes: Bytes<'_>| Bytes::Owned(bytes.into_owned());
    match value {
        Value::String(bytes) => Value::String(own(bytes)),
        Value::List(items) => Value::List(items.into_iter().map(own).collect()),
        Value::Set(members) => Value::Set(members.into_iter().map(own).collect()),
        Value::ZSet(members) => Value::ZSet(members.into_iter().map(|(m, score)| (own(m), score)).collect()),
        Value::Hash(fields) => {
            let field =
                |f: Field<'_>| Field { name: own(f.name), value: own(f.value), deadline_ms: f.deadline_ms };
            Value::Hash(fields.into_iter().map(field).collect())
        }
        Value::Stream(stream) => {
            let group = |group: StreamGroup<'_>| StreamGroup {
                name: own(group.name),
                consumers: group
                    .consumers
                    .into_iter()
                    .map(|c| StreamConsumer { name: own(c.name), ..c })
                    .map(|c| StreamConsumer { name: c.name, seen_ms: c.seen_ms, active_ms: c.active_ms })
                    .collect(),
                last_id: group.last_id,
                entries_read: group.entries_read,
                pending: group.pending,
            };
            Value::Stream(Box::new(Stream {
                entries: stream.entries.iter().collect(),
                groups: stream.groups.into_iter().map(group).collect(),
                last_id: stream.last_id,
                first_id: stream.first_id,
                max_deleted_id: stream.max_deleted_id,
                entries_added: stream.entries_added,
            }))
        }
        Value::Module(_) => panic!("no sample is a module's"),
    }
}

fn bytes(reply: &Reply) -> Vec<u8> {
    reply.as_bytes().unwrap_or_else(|| panic!("{reply:?}")).to_vec()
}

fn text(reply: &Reply) -> String {
    String::from_utf8(bytes(reply)).unwrap()
}

fn items(reply: &Reply) -> &[Reply] {
    reply.as_slice().unwrap_or_else(|| panic!("{reply:?}"))
}

/// What the server says of `key`.
pub(crate) fn told(connection: &mut dyn Target, key: &[u8]) -> Value<'static> {
    let mut ask = |command: &str, more: &[&[u8]]| {
        let words = command.split(' ').map(str::as_bytes);
        connection.call(&Request::new(words.chain([key]).chain(more.iter().copied())))
    };
    let all = |reply: &Reply| items(reply).iter().map(|item| bytes(item).into()).collect::<Vec<_>>();
    let kind = ask("TYPE", &[]);
    let Reply::Simple(kind) = kind else { panic!("{kind:?}") };
    let value = match kind.as_slice() {
        b"string" => Value::String(bytes(&ask("GET", &[])).into()),
        b"list" => Value::List(all(&ask("LRANGE", &[b"0", b"-1"]))),
        b"set" => Value::Set(all(&ask("SMEMBERS", &[]))),
        b"zset" => {
            let reply = ask("ZRANGE", &[b"0", b"-1", b"WITHSCORES"]);
            let pair = |pair: &[Reply]| (bytes(&pair[0]).into(), text(&pair[1]).parse().unwrap());
            Value::ZSet(items(&reply).chunks(2).map(pair).collect())
        }
        b"hash" => hash(&ask("HGETALL", &[]), &mut ask),
        b"stream" => stream(&ask("XRANGE", &[b"-", b"+"]), &ask("XINFO STREAM", &[b"FULL", b"COUNT", b"0"])),
        other => panic!("{}", other.escape_ascii()),
    };
    ordered(value)
}

fn hash(all: &Reply, ask: &mut dyn FnMut(&str, &[&[u8]]) -> Reply) -> Value<'static> {
    let field = |pair: &[Reply]| {
        let name = bytes(&pair[0]);
        // Servers without deadlines of fields do not know the command.
        let deadline = ask("HPEXPIRETIME", &[b"FIELDS", b"1", &name]);
        let deadline_ms = deadline.as_slice().and_then(|d| d[0].as_int()).filter(|ms| *ms >= 0);
        Field { name: name.into(), value: bytes(&pair[1]).into(), deadline_ms }
    };
    Value::Hash(items(all).chunks(2).map(field).collect())
}

fn id(reply: &Reply) -> StreamId {
    let text = text(reply);
    let (ms, seq) = text.split_once('-').unwrap();
    StreamId { ms: ms.parse().unwrap(), seq: seq.parse().unwrap() }
}

/// The value of one of `names` in a map told as an array.
fn named<'r>(map: &'r Reply, names: &[&str]) -> Option<&'r Reply> {
    items(map).chunks(2).find(|pair| names.contains(&text(&pair[0]).as_str())).map(|pair| &pair[1])
}

fn number(map: &Reply, name: &str) -> Option<i64> {
    named(map, &[name]).and_then(Reply::as_int)
}

fn stream(entries: &Reply, info: &Reply) -> Value<'static> {
    let entry = |reply: &Reply| {
        let pairs = items(&items(reply)[1]).chunks(2);
        let fields = pairs.map(|pair| (bytes(&pair[0]).into(), bytes(&pair[1]).into())).collect();
        StreamEntry { id: id(&items(reply)[0]), fields }
    };
    let id_of = |name: &str| named(info, &[name]).map(id).unwrap();
    let groups = named(info, &["groups"]).map(items).unwrap().iter().map(group).collect();
    Value::Stream(Box::new(Stream {
        entries: items(entries).iter().map(entry).collect(),
        last_id: id_of("last-generated-id"),
        first_id: id_of("recorded-first-entry-id"),
        max_deleted_id: id_of("max-deleted-entry-id"),
        entries_added: number(info, "entries-added").unwrap() as u64,
        groups,
    }))
}

fn group(info: &Reply) -> StreamGroup<'static> {
    let consumers = named(info, &["consumers"]).map(items).unwrap();
    let names: Vec<Vec<u8>> = consumers.iter().map(|c| named(c, &["name"]).map(bytes).unwrap()).collect();
    let pending = |reply: &Reply| {
        let parts = items(reply);
        StreamPending {
            id: id(&parts[0]),
            consumer: names.iter().position(|name| *name == bytes(&parts[1])).unwrap(),
            delivered_ms: parts[2].as_int().unwrap(),
            deliveries: parts[3].as_int().unwrap() as u64,
        }
    };
    StreamGroup {
        name: named(info, &["name"]).map(bytes).unwrap().into(),
        last_id: named(info, &["last-delivered-id"]).map(id).unwrap(),
        entries_read: number(info, "entries-read").map(|n| n as u64),
        consumers: consumers.iter().map(consumer).collect(),
        pending: named(info, &["pel", "pending"]).map(items).unwrap().iter().map(pending).collect(),
    }
}

fn consumer(info: &Reply) -> StreamConsumer<'static> {
    let seen_ms = number(info, "seen-time").unwrap();
    // Redis 7.0 does not know when a consumer was active: it counts as when it was seen.
    let active_ms = number(info, "active-time").unwrap_or(seen_ms);
    StreamConsumer {
        name: named(info, &["name"]).map(bytes).unwrap().into(),
        seen_ms,
        active_ms: Some(active_ms).filter(|ms| *ms >= 0),
    }
}
