//! A key as the requests that make it, for servers of any version and for files of requests.

use persist::rdb::{About, Bytes, Stream, StreamGroup, StreamId, Value};

/// Elements that one request adds at most, so that no request holds a server up.
const ELEMENTS_MAX: usize = 64;
/// Bytes of elements after which a request ends.
const REQUEST_BYTES: usize = 64 << 10;

/// A request being put together.
#[derive(Debug, Default)]
struct Request {
    bytes: Vec<u8>,
    /// Where each argument ends.
    ends: Vec<usize>,
}

impl Request {
    fn push(&mut self, argument: &[u8]) -> &mut Request {
        self.bytes.extend_from_slice(argument);
        self.ends.push(self.bytes.len());
        self
    }

    fn args(&self) -> Vec<&[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.bytes[start..end]).collect()
    }
}

/// Takes a request: its arguments.
type Give<'g, E> = dyn FnMut(&[&[u8]]) -> Result<(), E> + 'g;

/// Gives each of the requests that make `key`, which must not be there, to `give`. A module's value has none.
///
/// # Errors
/// `give`'s.
pub(super) fn of_key<E>(
    key: &[u8],
    about: About,
    value: &Value<'_>,
    give: &mut Give<'_, E>,
) -> Result<(), E> {
    match value {
        Value::String(bytes) => give(&[b"SET", key, bytes])?,
        Value::List(items) => elements("RPUSH", key, items, one, give)?,
        Value::Set(members) => elements("SADD", key, members, one, give)?,
        Value::ZSet(members) => {
            let add = |request: &mut Request, (name, score): &(Bytes<'_>, f64)| {
                request.push(score.to_string().as_bytes()).push(name);
            };
            elements("ZADD", key, members, add, give)?;
        }
        Value::Hash(fields) => {
            let add = |request: &mut Request, field: &persist::rdb::Field<'_>| {
                request.push(&field.name).push(&field.value);
            };
            elements("HSET", key, fields, add, give)?;
            for field in fields {
                if let Some(deadline_ms) = field.deadline_ms {
                    let deadline = deadline_ms.to_string();
                    give(&[b"HPEXPIREAT", key, deadline.as_bytes(), b"FIELDS", b"1", &field.name])?;
                }
            }
        }
        Value::Stream(content) => stream(key, content, give)?,
        Value::Module(_) => {}
    }
    match about.deadline_ms {
        Some(deadline_ms) => give(&[b"PEXPIREAT", key, deadline_ms.to_string().as_bytes()]),
        None => Ok(()),
    }
}

/// An element that is one argument.
fn one(request: &mut Request, element: &Bytes<'_>) {
    request.push(element);
}

/// Requests `command key element ...` for all of `elements`, some at a time.
fn elements<T, E>(
    command: &str,
    key: &[u8],
    elements: &[T],
    add: impl Fn(&mut Request, &T),
    give: &mut Give<'_, E>,
) -> Result<(), E> {
    let mut left = elements;
    while !left.is_empty() {
        let mut request = Request::default();
        request.push(command.as_bytes()).push(key);
        let mut count = 0;
        while count < left.len().min(ELEMENTS_MAX) && request.bytes.len() < REQUEST_BYTES {
            add(&mut request, &left[count]);
            count += 1;
        }
        left = &left[count..];
        give(&request.args())?;
    }
    Ok(())
}

fn text(id: StreamId) -> String {
    format!("{}-{}", id.ms, id.seq)
}

fn stream<E>(key: &[u8], stream: &Stream<'_>, give: &mut Give<'_, E>) -> Result<(), E> {
    for entry in stream.entries.iter() {
        let mut request = Request::default();
        request.push(b"XADD").push(key).push(text(entry.id).as_bytes());
        for (name, value) in &entry.fields {
            request.push(name).push(value);
        }
        give(&request.args())?;
    }
    if stream.entries.is_empty() {
        // A group made and removed leaves the stream, which has never had an entry.
        give(&[b"XGROUP", b"CREATE", key, b"made", b"0", b"MKSTREAM"])?;
        give(&[b"XGROUP", b"DESTROY", key, b"made"])?;
    }
    let (last_id, deleted_id) = (text(stream.last_id), text(stream.max_deleted_id));
    let added = stream.entries_added.to_string();
    let past = [b"ENTRIESADDED".as_slice(), added.as_bytes(), b"MAXDELETEDID", deleted_id.as_bytes()];
    give(&[&[b"XSETID", key, last_id.as_bytes()][..], &past].concat())?;
    stream.groups.iter().try_for_each(|item| group(key, item, give))
}

fn group<E>(key: &[u8], group: &StreamGroup<'_>, give: &mut Give<'_, E>) -> Result<(), E> {
    let last_id = text(group.last_id);
    let mut request = Request::default();
    request.push(b"XGROUP").push(b"CREATE").push(key).push(&group.name).push(last_id.as_bytes());
    if let Some(entries_read) = group.entries_read {
        request.push(b"ENTRIESREAD").push(entries_read.to_string().as_bytes());
    }
    give(&request.args())?;
    for consumer in &group.consumers {
        give(&[b"XGROUP", b"CREATECONSUMER", key, &group.name, &consumer.name])?;
    }
    for pending in &group.pending {
        let Some(consumer) = group.consumers.get(pending.consumer) else { continue };
        let (id, time) = (text(pending.id), pending.delivered_ms.to_string());
        let deliveries = pending.deliveries.to_string();
        let claim = [b"XCLAIM".as_slice(), key, &group.name, &consumer.name, b"0", id.as_bytes()];
        let how =
            [b"TIME".as_slice(), time.as_bytes(), b"RETRYCOUNT", deliveries.as_bytes(), b"JUSTID", b"FORCE"];
        give(&[&claim[..], &how].concat())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::convert::Infallible;

    use persist::rdb::StreamEntry;

    use super::*;

    fn requests(deadline_ms: Option<i64>, value: &Value<'_>) -> Vec<String> {
        let mut all = Vec::new();
        let mut give = |args: &[&[u8]]| {
            all.push(args.iter().map(|arg| arg.escape_ascii().to_string()).collect::<Vec<_>>().join(" "));
            Ok::<(), Infallible>(())
        };
        of_key(b"k", About { deadline_ms, ..About::default() }, value, &mut give).unwrap();
        all
    }

    fn bytes(text: &str) -> Bytes<'_> {
        Cow::Borrowed(text.as_bytes())
    }

    #[test]
    fn a_deadline_comes_last() {
        let value = Value::String(bytes("v"));
        assert_eq!(requests(None, &value), ["SET k v"]);
        assert_eq!(requests(Some(-5), &value), ["SET k v", "PEXPIREAT k -5"]);
    }

    #[test]
    fn big_collections_come_in_several_requests() {
        let items: Vec<_> = (0..150).map(|n| Cow::Owned(vec![b'x'; n])).collect();
        let made = requests(None, &Value::List(items.clone()));
        assert_eq!(made.len(), 3);
        assert!(made.iter().all(|request| request.starts_with("RPUSH k ")));
        let big = vec![Cow::Owned(vec![b'y'; REQUEST_BYTES]); 3];
        assert_eq!(requests(None, &Value::Set(big)).len(), 3);
    }

    #[test]
    fn scores_are_exact() {
        let members = vec![(bytes("a"), 0.1), (bytes("b"), f64::INFINITY), (bytes("c"), -1e-300)];
        let [request] = &requests(None, &Value::ZSet(members))[..] else { panic!("one request") };
        let words: Vec<_> = request.split(' ').collect();
        assert_eq!((words[2], words[4]), ("0.1", "inf"));
        assert_eq!(words[6].parse::<f64>().unwrap(), -1e-300);
    }

    #[test]
    fn a_stream_is_made_with_its_past() {
        let id = |ms| StreamId { ms, seq: 0 };
        let entry = StreamEntry { id: id(5), fields: vec![(bytes("f"), bytes("v"))] };
        let stream = Stream {
            entries: [entry].into_iter().collect(),
            last_id: id(9),
            max_deleted_id: id(9),
            entries_added: 2,
            ..Stream::default()
        };
        let made = requests(None, &Value::Stream(Box::new(stream)));
        assert_eq!(made, ["XADD k 5-0 f v", "XSETID k 9-0 ENTRIESADDED 2 MAXDELETEDID 9-0"]);
        let empty = requests(None, &Value::Stream(Box::default()));
        assert_eq!(empty[0], "XGROUP CREATE k made 0 MKSTREAM");
    }
}
