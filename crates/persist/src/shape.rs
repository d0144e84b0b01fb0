//! Values to be written: those of a store, read where they stand, and those that were read from files, alike.

use std::borrow::Cow;
use std::collections::HashMap;

use engine::{Element, Hash, List, Set, Str, StreamId, View, ZSet, element_of};

use crate::rdb::{Bytes, Field, Module, Stream, StreamConsumer, StreamGroup, StreamPending, Value};

/// A value, element by element.
#[derive(Clone, Copy, Debug)]
pub enum Shape<'a> {
    /// A string.
    String(Str<'a>),
    /// A list.
    List(Items<'a>),
    /// A set.
    Set(Items<'a>),
    /// A sorted set.
    ZSet(Scored<'a>),
    /// A hash.
    Hash(Fields<'a>),
    /// A stream.
    Stream(StreamShape<'a>),
    /// A module's value.
    Module(&'a Module<'a>),
}

/// The items of a list, or the members of a set.
#[derive(Clone, Copy, Debug)]
pub enum Items<'a> {
    /// Of a value that was read.
    Read(&'a [Bytes<'a>]),
    /// Of a list in a store.
    List(List<'a>),
    /// Of a set in a store.
    Set(Set<'a>),
}

/// The members of a sorted set with their scores.
#[derive(Clone, Copy, Debug)]
pub enum Scored<'a> {
    /// Of a value that was read: in any order.
    Read(&'a [(Bytes<'a>, f64)]),
    /// Of a sorted set in a store: in order.
    Kept(ZSet<'a>),
}

/// The fields of a hash.
#[derive(Clone, Copy, Debug)]
pub enum Fields<'a> {
    /// Of a value that was read.
    Read(&'a [Field<'a>]),
    /// Of a hash in a store.
    Kept(Hash<'a>),
}

/// A stream.
#[derive(Clone, Copy, Debug)]
pub enum StreamShape<'a> {
    /// One that was read.
    Read(&'a Stream<'a>),
    /// One in a store.
    Kept(&'a engine::Stream),
}

impl<'a> From<&'a Value<'a>> for Shape<'a> {
    fn from(value: &'a Value<'a>) -> Shape<'a> {
        match value {
            Value::String(bytes) => Shape::String(Str::Bytes(bytes)),
            Value::List(items) => Shape::List(Items::Read(items)),
            Value::Set(members) => Shape::Set(Items::Read(members)),
            Value::ZSet(members) => Shape::ZSet(Scored::Read(members)),
            Value::Hash(fields) => Shape::Hash(Fields::Read(fields)),
            Value::Stream(stream) => Shape::Stream(StreamShape::Read(stream)),
            Value::Module(module) => Shape::Module(module),
        }
    }
}

impl<'a> From<View<'a>> for Shape<'a> {
    fn from(view: View<'a>) -> Shape<'a> {
        match view {
            View::String(value) => Shape::String(value),
            View::List(list) => Shape::List(Items::List(list)),
            View::Set(set) => Shape::Set(Items::Set(set)),
            View::ZSet(zset) => Shape::ZSet(Scored::Kept(zset)),
            View::Hash(hash) => Shape::Hash(Fields::Kept(hash)),
            View::Stream(stream) => Shape::Stream(StreamShape::Kept(stream)),
        }
    }
}

impl<'a> From<Str<'a>> for Shape<'a> {
    fn from(value: Str<'a>) -> Shape<'a> {
        Shape::String(value)
    }
}

/// One of two ways through elements.
enum Either<A, B> {
    Read(A),
    Kept(B),
}

impl<T, A: Iterator<Item = T>, B: Iterator<Item = T>> Iterator for Either<A, B> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match self {
            Either::Read(read) => read.next(),
            Either::Kept(kept) => kept.next(),
        }
    }
}

impl<'a> Items<'a> {
    /// How many there are.
    pub fn len(self) -> usize {
        match self {
            Items::Read(items) => items.len(),
            Items::List(list) => list.len(),
            Items::Set(set) => set.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// One after the other.
    pub fn iter(self) -> impl Iterator<Item = Element<'a>> {
        match self {
            Items::Read(items) => Either::Read(items.iter().map(|item| element_of(item))),
            Items::List(list) => Either::Kept(Either::Read(list.elements(0))),
            Items::Set(set) => Either::Kept(Either::Kept(set.iter())),
        }
    }
}

impl<'a> Scored<'a> {
    /// How many there are.
    pub fn len(self) -> usize {
        match self {
            Scored::Read(members) => members.len(),
            Scored::Kept(zset) => zset.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// One after the other.
    pub fn iter(self) -> impl Iterator<Item = (Element<'a>, f64)> {
        match self {
            Scored::Read(members) => {
                Either::Read(members.iter().map(|(member, score)| (element_of(member), *score)))
            }
            Scored::Kept(zset) => Either::Kept(zset.iter().map(|member| (member.name, member.score))),
        }
    }
}

impl<'a> Fields<'a> {
    /// How many there are.
    pub fn len(self) -> usize {
        match self {
            Fields::Read(fields) => fields.len(),
            Fields::Kept(hash) => hash.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// One after the other.
    pub fn iter(self) -> impl Iterator<Item = engine::Field<'a>> {
        match self {
            Fields::Read(fields) => Either::Read(fields.iter().map(|field| engine::Field {
                name: element_of(&field.name),
                value: element_of(&field.value),
                deadline_ms: field.deadline_ms,
            })),
            Fields::Kept(hash) => Either::Kept(hash.iter()),
        }
    }

    /// The first deadline of a field, if one has any.
    pub fn earliest_ms(self) -> Option<i64> {
        match self {
            Fields::Kept(hash) if !hash.is_timed() => None,
            _ => self.iter().filter_map(|field| field.deadline_ms).min(),
        }
    }
}

impl<'a> StreamShape<'a> {
    /// Its groups, one after the other: only one of them is held.
    pub fn groups(self) -> impl Iterator<Item = Cow<'a, StreamGroup<'a>>> {
        match self {
            StreamShape::Read(stream) => Either::Read(stream.groups.iter().map(Cow::Borrowed)),
            StreamShape::Kept(stream) => {
                Either::Kept(stream.groups().map(|(name, group)| Cow::Owned(group_of(name, group))))
            }
        }
    }

    /// How many groups it has.
    pub fn groups_len(self) -> usize {
        match self {
            StreamShape::Read(stream) => stream.groups.len(),
            StreamShape::Kept(stream) => stream.groups().len(),
        }
    }

    /// What is known of it beside entries and groups.
    pub fn past(self) -> StreamPast {
        match self {
            StreamShape::Read(stream) => StreamPast {
                len: stream.entries.len(),
                last_id: stream.last_id,
                first_id: stream.first_id,
                max_deleted_id: stream.max_deleted_id,
                entries_added: stream.entries_added,
            },
            StreamShape::Kept(stream) => StreamPast {
                len: stream.len(),
                last_id: stream.last_id(),
                first_id: stream.first_id().unwrap_or_default(),
                max_deleted_id: stream.max_deleted_id(),
                entries_added: stream.entries_added(),
            },
        }
    }
}

/// What is known of a stream beside entries and groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamPast {
    /// How many entries it has.
    pub len: u64,
    /// The id given last, whether the entry is still there or not.
    pub last_id: StreamId,
    /// The oldest entry's id; 0-0 when there is none.
    pub first_id: StreamId,
    /// The greatest id of an entry that was deleted.
    pub max_deleted_id: StreamId,
    /// How many entries were ever added.
    pub entries_added: u64,
}

/// The group `name` of a store's stream, as it stands in files.
fn group_of<'a>(name: &'a [u8], group: &'a engine::stream::Group) -> StreamGroup<'a> {
    let mut places = HashMap::new();
    let consumers = group.consumers().enumerate().map(|(place, (number, consumer))| {
        places.insert(number, place);
        let name = Cow::Borrowed(consumer.name());
        StreamConsumer { name, seen_ms: consumer.seen_ms, active_ms: consumer.active_ms }
    });
    let consumers = consumers.collect();
    let pending = group.pending_from(StreamId::MIN).filter_map(|pending| {
        let consumer = *places.get(&pending.consumer)?;
        let engine::stream::Pending { id, delivered_ms, deliveries, .. } = *pending;
        Some(StreamPending { id, consumer, delivered_ms, deliveries })
    });
    let pending = pending.collect();
    let (last_id, entries_read) = (group.last_id, group.entries_read);
    StreamGroup { name: Cow::Borrowed(name), last_id, entries_read, consumers, pending }
}
