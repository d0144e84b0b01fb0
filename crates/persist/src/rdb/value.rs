//! Values of every type, as they stand in files: by themselves, whatever the store can hold.

use std::borrow::Cow;
use std::collections::HashSet;

use engine::Kind;
pub use engine::StreamId;

use super::module::ModuleName;
pub use super::stream_entries::{StreamEntries, StreamEntry};

/// Bytes, borrowed from what was read where they stand there as they are.
pub type Bytes<'a> = Cow<'a, [u8]>;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A string.
    String(Bytes<'a>),
    /// A list, its head first.
    List(Vec<Bytes<'a>>),
    /// A set, in no order.
    Set(Vec<Bytes<'a>>),
    /// A sorted set: members with their scores, in any order.
    ZSet(Vec<(Bytes<'a>, f64)>),
    /// A hash.
    Hash(Vec<Field<'a>>),
    /// A stream.
    Stream(Box<Stream<'a>>),
    /// A module's value, not decoded.
    Module(Module<'a>),
}

impl Value<'_> {
    /// Its kind; nothing for a module's.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Value::String(_) => Some(Kind::String),
            Value::List(_) => Some(Kind::List),
            Value::Set(_) => Some(Kind::Set),
            Value::ZSet(_) => Some(Kind::ZSet),
            Value::Hash(_) => Some(Kind::Hash),
            Value::Stream(_) => Some(Kind::Stream),
            Value::Module(_) => None,
        }
    }

    /// Whether it is a collection without elements, which no store keeps. A stream may have no entries.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::List(items) | Value::Set(items) => items.is_empty(),
            Value::ZSet(members) => members.is_empty(),
            Value::Hash(fields) => fields.is_empty(),
            Value::String(_) | Value::Stream(_) | Value::Module(_) => false,
        }
    }
}

impl Value<'_> {
    /// Whether a member or field comes twice, which no store keeps.
    pub fn has_duplicates(&self) -> bool {
        match self {
            Value::Set(members) => is_twice(members.iter()),
            Value::ZSet(members) => is_twice(members.iter().map(|(member, _)| member)),
            Value::Hash(fields) => is_twice(fields.iter().map(|field| &field.name)),
            Value::String(_) | Value::List(_) | Value::Stream(_) | Value::Module(_) => false,
        }
    }
}

/// Whether one of `names` comes twice.
pub(super) fn is_twice<'n>(mut names: impl Iterator<Item = &'n Bytes<'n>>) -> bool {
    let mut seen = HashSet::new();
    names.any(|name| !seen.insert(&**name))
}

/// A field of a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name.
    pub name: Bytes<'a>,
    /// Its value.
    pub value: Bytes<'a>,
    /// When it expires, in milliseconds since the Unix epoch; nothing: never.
    pub deadline_ms: Option<i64>,
}

/// A stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream<'a> {
    /// Its entries, the oldest first.
    pub entries: StreamEntries<'a>,
    /// The id given last, whether the entry is still there or not.
    pub last_id: StreamId,
    /// The oldest entry's id; 0-0 when there is none.
    pub first_id: StreamId,
    /// The greatest id of an entry that was deleted.
    pub max_deleted_id: StreamId,
    /// How many entries were ever added.
    pub entries_added: u64,
    /// Its consumer groups.
    pub groups: Vec<StreamGroup<'a>>,
}

/// A consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamGroup<'a> {
    /// Its name.
    pub name: Bytes<'a>,
    /// The last id delivered to it.
    pub last_id: StreamId,
    /// How many entries it has read; nothing when that cannot be known.
    pub entries_read: Option<u64>,
    /// Its consumers.
    pub consumers: Vec<StreamConsumer<'a>>,
    /// Entries delivered and not yet acknowledged, in order of their ids.
    pub pending: Vec<StreamPending>,
}

/// A consumer of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamConsumer<'a> {
    /// Its name.
    pub name: Bytes<'a>,
    /// When it last tried anything, in milliseconds since the Unix epoch.
    pub seen_ms: i64,
    /// When it last got anything; nothing: never.
    pub active_ms: Option<i64>,
}

/// An entry delivered to a consumer and not yet acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamPending {
    /// The entry's id.
    pub id: StreamId,
    /// The consumer, by its place in the group's list.
    pub consumer: usize,
    /// When it was last delivered, in milliseconds since the Unix epoch.
    pub delivered_ms: i64,
    /// How often it was delivered.
    pub deliveries: u64,
}

/// A module's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module<'a> {
    /// The type's name and version.
    pub name: ModuleName,
    /// What the module wrote, its opcodes included.
    pub body: Bytes<'a>,
}
