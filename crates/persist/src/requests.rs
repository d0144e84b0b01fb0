//! A key as the requests that make it: for logs, for servers of any version, and for files of requests.

use engine::{Element, Str, StreamId, element_of};

use crate::rdb::StreamGroup;
use crate::shape::{Fields, Scored, Shape, StreamShape};

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

    fn element(&mut self, element: Element<'_>) -> &mut Request {
        self.push(element.bytes(&mut itoa::Buffer::new()))
    }

    fn int(&mut self, n: i64) -> &mut Request {
        self.push(itoa::Buffer::new().format(n).as_bytes())
    }

    fn args(&self) -> Vec<&[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.bytes[start..end]).collect()
    }
}

/// Takes a request: its arguments.
pub type Give<'g, E> = dyn FnMut(&[&[u8]]) -> Result<(), E> + 'g;

/// Gives each of the requests that make `key`, which must not be there, to `give`. A module's value has none.
///
/// # Errors
/// `give`'s.
pub fn of_key<E>(
    key: &[u8],
    deadline_ms: Option<i64>,
    shape: Shape<'_>,
    give: &mut Give<'_, E>,
) -> Result<(), E> {
    let one = |request: &mut Request, element| {
        request.element(element);
    };
    match shape {
        Shape::String(value) => string(key, value, give)?,
        Shape::List(items) => elements("RPUSH", key, items.iter(), one, give)?,
        Shape::Set(members) => elements("SADD", key, members.iter(), one, give)?,
        Shape::ZSet(members) => zset(key, members, give)?,
        Shape::Hash(fields) => hash(key, fields, give)?,
        Shape::Stream(shape) => stream(key, shape, give)?,
        Shape::Module(_) => {}
    }
    match deadline_ms {
        Some(deadline_ms) => give(&[b"PEXPIREAT", key, itoa::Buffer::new().format(deadline_ms).as_bytes()]),
        None => Ok(()),
    }
}

fn string<E>(key: &[u8], value: Str<'_>, give: &mut Give<'_, E>) -> Result<(), E> {
    give(&[b"SET", key, value.bytes(&mut itoa::Buffer::new())])
}

fn zset<E>(key: &[u8], members: Scored<'_>, give: &mut Give<'_, E>) -> Result<(), E> {
    let add = |request: &mut Request, (member, score): (Element<'_>, f64)| {
        request.push(score.to_string().as_bytes()).element(member);
    };
    elements("ZADD", key, members.iter(), add, give)
}

/// Fields and values; then deadlines, for each run of fields that have the same one.
fn hash<E>(key: &[u8], fields: Fields<'_>, give: &mut Give<'_, E>) -> Result<(), E> {
    let add = |request: &mut Request, field: engine::Field<'_>| {
        request.element(field.name).element(field.value);
    };
    elements("HSET", key, fields.iter(), add, give)?;
    if fields.earliest_ms().is_none() {
        return Ok(());
    }
    let mut timed = fields.iter().filter_map(|field| Some((field.deadline_ms?, field.name))).peekable();
    while let Some((deadline_ms, name)) = timed.next() {
        let mut names = vec![name];
        while names.len() < ELEMENTS_MAX
            && let Some((_, name)) = timed.next_if(|(at, _)| *at == deadline_ms)
        {
            names.push(name);
        }
        let mut request = Request::default();
        request.push(b"HPEXPIREAT").push(key).int(deadline_ms).push(b"FIELDS").int(names.len() as i64);
        names.into_iter().for_each(|name| {
            request.element(name);
        });
        give(&request.args())?;
    }
    Ok(())
}

/// Requests `command key element ...` for all of `elements`, some at a time.
fn elements<T, E>(
    command: &str,
    key: &[u8],
    elements: impl Iterator<Item = T>,
    add: impl Fn(&mut Request, T),
    give: &mut Give<'_, E>,
) -> Result<(), E> {
    let mut left = elements.peekable();
    while left.peek().is_some() {
        let mut request = Request::default();
        request.push(command.as_bytes()).push(key);
        let mut count = 0;
        while count < ELEMENTS_MAX
            && request.bytes.len() < REQUEST_BYTES
            && let Some(element) = left.next()
        {
            add(&mut request, element);
            count += 1;
        }
        give(&request.args())?;
    }
    Ok(())
}

fn stream<E>(key: &[u8], stream: StreamShape<'_>, give: &mut Give<'_, E>) -> Result<(), E> {
    match stream {
        StreamShape::Read(stream) => {
            for entry in stream.entries.iter() {
                let fields = entry.fields.iter().map(|(name, value)| (element_of(name), element_of(value)));
                xadd(key, entry.id, fields, give)?;
            }
        }
        StreamShape::Kept(stream) => {
            for entry in stream.iter() {
                xadd(key, entry.id, entry.fields(), give)?;
            }
        }
    }
    let past = stream.past();
    if past.len == 0 {
        // A group made and removed leaves the stream, which has never had an entry.
        give(&[b"XGROUP", b"CREATE", key, b"made", b"0", b"MKSTREAM"])?;
        give(&[b"XGROUP", b"DESTROY", key, b"made"])?;
    }
    let (last_id, deleted_id) = (past.last_id.to_string(), past.max_deleted_id.to_string());
    let added = past.entries_added.to_string();
    let past = [b"ENTRIESADDED".as_slice(), added.as_bytes(), b"MAXDELETEDID", deleted_id.as_bytes()];
    give(&[&[b"XSETID", key, last_id.as_bytes()][..], &past].concat())?;
    stream.groups().try_for_each(|item| group(key, &item, give))
}

fn xadd<'f, E>(
    key: &[u8],
    id: StreamId,
    fields: impl Iterator<Item = (Element<'f>, Element<'f>)>,
    give: &mut Give<'_, E>,
) -> Result<(), E> {
    let mut request = Request::default();
    request.push(b"XADD").push(key).push(id.to_string().as_bytes());
    fields.for_each(|(name, value)| {
        request.element(name).element(value);
    });
    give(&request.args())
}

fn group<E>(key: &[u8], group: &StreamGroup<'_>, give: &mut Give<'_, E>) -> Result<(), E> {
    let last_id = group.last_id.to_string();
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
        let (id, time) = (pending.id.to_string(), pending.delivered_ms.to_string());
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

    use crate::rdb::{Bytes, Field, Stream, StreamEntry, Value};

    use super::*;

    fn requests(deadline_ms: Option<i64>, value: &Value<'_>) -> Vec<String> {
        let mut all = Vec::new();
        let mut give = |args: &[&[u8]]| {
            all.push(args.iter().map(|arg| arg.escape_ascii().to_string()).collect::<Vec<_>>().join(" "));
            Ok::<(), Infallible>(())
        };
        of_key(b"k", deadline_ms, value.into(), &mut give).unwrap();
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
    fn deadlines_of_fields_come_last_and_together() {
        let field =
            |name: &'static str, deadline_ms| Field { name: bytes(name), value: bytes("v"), deadline_ms };
        let fields = vec![field("a", Some(7)), field("b", None), field("c", Some(7)), field("d", Some(8))];
        let expected = ["HSET k a v b v c v d v", "HPEXPIREAT k 7 FIELDS 2 a c", "HPEXPIREAT k 8 FIELDS 1 d"];
        assert_eq!(requests(None, &Value::Hash(fields)), expected);
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
