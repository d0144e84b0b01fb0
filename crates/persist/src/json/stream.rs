//! Streams out of JSON.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{self, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::read::{Pairs, once, unexpected};
use super::text::Text;
use crate::rdb::{Stream, StreamConsumer, StreamEntry, StreamGroup, StreamId, StreamPending, Value};

/// Reads the stream that is the next value of `map`.
pub(super) fn read<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Value<'static>, A::Error> {
    let Wrapped(stream) = map.next_value()?;
    Ok(Value::Stream(Box::new(stream)))
}

struct Wrapped(Stream<'static>);

impl<'de> de::Deserialize<'de> for Wrapped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Wrapped, D::Error> {
        deserializer.deserialize_map(StreamVisitor).map(Wrapped)
    }
}

struct StreamVisitor;

impl<'de> Visitor<'de> for StreamVisitor {
    type Value = Stream<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a stream's \"entries\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Stream<'static>, A::Error> {
        let (mut entries, mut last_id, mut max_deleted_id) = (None, None, None);
        let (mut entries_added, mut groups) = (None, None);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "entries" => once(&mut entries, "entries", map.next_value::<Vec<Entry>>()?)?,
                "last_id" => once(&mut last_id, "last_id", map.next_value::<Id>()?.0)?,
                "max_deleted_id" => once(&mut max_deleted_id, "max_deleted_id", map.next_value::<Id>()?.0)?,
                "entries_added" => once(&mut entries_added, "entries_added", map.next_value()?)?,
                "groups" => {
                    once(&mut groups, "groups", map.next_value_seed(Pairs::<Group>::new("groups by name"))?)?;
                }
                name => return Err(unexpected(name)),
            }
        }
        let entries: Vec<StreamEntry<'_>> =
            entries.unwrap_or_default().into_iter().map(|Entry(entry)| entry).collect();
        if !entries.is_sorted_by(|before, after| before.id < after.id) {
            return Err(A::Error::custom("a stream's entries are not in the order of their ids"));
        }
        let end = entries.last().map_or(StreamId::default(), |entry| entry.id);
        let last_id = last_id.unwrap_or(end);
        if last_id < end {
            return Err(A::Error::custom("a stream's \"last_id\" is less than its last entry's id"));
        }
        let named =
            |(Text(name), Group(group)): (Text, Group)| StreamGroup { name: Cow::Owned(name), ..group };
        Ok(Stream {
            last_id,
            first_id: entries.first().map_or(StreamId::default(), |entry| entry.id),
            max_deleted_id: max_deleted_id.unwrap_or_default(),
            entries_added: entries_added.unwrap_or(entries.len() as u64),
            groups: groups.unwrap_or_default().into_iter().map(named).collect(),
            entries: entries.into_iter().collect(),
        })
    }
}

/// An id as `1700000000000-0`.
struct Id(StreamId);

impl<'de> de::Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        struct IdVisitor;

        impl Visitor<'_> for IdVisitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id: \"milliseconds-number\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                let parsed = text
                    .split_once('-')
                    .and_then(|(ms, seq)| Some(StreamId { ms: ms.parse().ok()?, seq: seq.parse().ok()? }));
                parsed.map(Id).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(IdVisitor)
    }
}

/// An entry: its id, then fields and values by turns.
struct Entry(StreamEntry<'static>);

impl<'de> de::Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entry, D::Error> {
        struct EntryVisitor;

        impl<'de> Visitor<'de> for EntryVisitor {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array: an id, then fields and values by turns")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entry, A::Error> {
                let Id(id) = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
                let mut fields = Vec::new();
                while let Some(Text(name)) = seq.next_element()? {
                    let Some(Text(value)) = seq.next_element()? else {
                        return Err(A::Error::custom("the last field of a stream's entry has no value"));
                    };
                    fields.push((Cow::Owned(name), Cow::Owned(value)));
                }
                Ok(Entry(StreamEntry { id, fields }))
            }
        }

        deserializer.deserialize_seq(EntryVisitor)
    }
}

/// A group, but for its name.
struct Group(StreamGroup<'static>);

impl<'de> de::Deserialize<'de> for Group {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Group, D::Error> {
        deserializer.deserialize_map(GroupVisitor)
    }
}

struct GroupVisitor;

impl<'de> Visitor<'de> for GroupVisitor {
    type Value = Group;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a group's \"last_id\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Group, A::Error> {
        let (mut last_id, mut entries_read, mut consumers, mut pending) = (None, None, None, None);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "last_id" => once(&mut last_id, "last_id", map.next_value::<Id>()?.0)?,
                "entries_read" => once(&mut entries_read, "entries_read", map.next_value()?)?,
                "consumers" => {
                    let pairs = Pairs::<Consumer>::new("consumers by name");
                    once(&mut consumers, "consumers", map.next_value_seed(pairs)?)?;
                }
                "pending" => once(&mut pending, "pending", map.next_value::<Vec<Pending>>()?)?,
                name => return Err(unexpected(name)),
            }
        }
        let named = |(Text(name), consumer): (Text, Consumer)| StreamConsumer {
            name: Cow::Owned(name),
            seen_ms: consumer.seen_ms,
            active_ms: consumer.active_ms,
        };
        let consumers: Vec<_> = consumers.unwrap_or_default().into_iter().map(named).collect();
        let places: HashMap<&[u8], usize> =
            consumers.iter().enumerate().map(|(place, consumer)| (consumer.name.as_ref(), place)).collect();
        if places.len() < consumers.len() {
            return Err(A::Error::custom("a group has two consumers of one name"));
        }
        let of_consumer = |Pending { consumer, entry }: Pending| {
            let place = places.get(consumer.as_slice());
            place.map(|&consumer| StreamPending { consumer, ..entry })
        };
        let pending: Option<Vec<_>> = pending.unwrap_or_default().into_iter().map(of_consumer).collect();
        let mut pending =
            pending.ok_or_else(|| A::Error::custom("a pending entry is not of the group's consumers"))?;
        pending.sort_by_key(|entry| entry.id);
        if !pending.is_sorted_by(|before, after| before.id < after.id) {
            return Err(A::Error::custom("an entry is pending twice in one group"));
        }
        let last_id = last_id.ok_or_else(|| A::Error::custom("a group has no \"last_id\""))?;
        Ok(Group(StreamGroup { name: Cow::Borrowed(b""), last_id, entries_read, consumers, pending }))
    }
}

/// A consumer, but for its name.
struct Consumer {
    seen_ms: i64,
    active_ms: Option<i64>,
}

impl<'de> de::Deserialize<'de> for Consumer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Consumer, D::Error> {
        struct ConsumerVisitor;

        impl<'de> Visitor<'de> for ConsumerVisitor {
            type Value = Consumer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a consumer's \"seen_ms\"")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Consumer, A::Error> {
                let (mut seen_ms, mut active_ms) = (None, None);
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "seen_ms" => once(&mut seen_ms, "seen_ms", map.next_value()?)?,
                        "active_ms" => once(&mut active_ms, "active_ms", map.next_value()?)?,
                        name => return Err(unexpected(name)),
                    }
                }
                let seen_ms = seen_ms.ok_or_else(|| A::Error::custom("a consumer has no \"seen_ms\""))?;
                Ok(Consumer { seen_ms, active_ms })
            }
        }

        deserializer.deserialize_map(ConsumerVisitor)
    }
}

/// A pending entry with the name of its consumer.
struct Pending {
    consumer: Vec<u8>,
    /// Its consumer's place is not known yet.
    entry: StreamPending,
}

impl<'de> de::Deserialize<'de> for Pending {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pending, D::Error> {
        let (Id(id), Text(consumer), delivered_ms, deliveries) = de::Deserialize::deserialize(deserializer)?;
        let entry = StreamPending { id, consumer: 0, delivered_ms, deliveries };
        Ok(Pending { consumer, entry })
    }
}
