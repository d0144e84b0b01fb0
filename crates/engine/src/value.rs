//! Values as commands see them: the kinds, strings, and a value that stands by itself.

use crate::blob::Blob;
use crate::collection::{Big, Body, Collection};
use crate::entry::{Entry, EntryBox, Payload, Tags};
use crate::hash::Hash;
use crate::list::List;
use crate::packed::Packed;
use crate::set::Set;
use crate::stream::Stream;
use crate::zset::ZSet;

/// A command found a key that holds another kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
pub struct WrongType;

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Bytes or an integer.
    String = 0,
    /// A list.
    List = 1,
    /// A set.
    Set = 2,
    /// A sorted set.
    ZSet = 3,
    /// A hash.
    Hash = 4,
    /// A stream.
    Stream = 5,
}

impl Kind {
    /// The name that TYPE gives.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::List => "list",
            Kind::Set => "set",
            Kind::ZSet => "zset",
            Kind::Hash => "hash",
            Kind::Stream => "stream",
        }
    }

    pub(crate) fn from_bits(bits: u8) -> Kind {
        match bits {
            1 => Kind::List,
            2 => Kind::Set,
            3 => Kind::ZSet,
            4 => Kind::Hash,
            5 => Kind::Stream,
            _ => Kind::String,
        }
    }
}

/// A string value: kept as an integer where its bytes are one in canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Str<'e> {
    /// The integer whose decimal form is the value.
    Int(i64),
    /// The bytes.
    Bytes(&'e [u8]),
}

impl<'e> Str<'e> {
    /// The value's bytes; `digits` gives room to an integer's.
    #[inline]
    pub fn bytes<'b>(self, digits: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'e: 'b,
    {
        match self {
            Str::Int(n) => digits.format(n).as_bytes(),
            Str::Bytes(bytes) => bytes,
        }
    }

    /// The length of the bytes.
    #[allow(clippy::len_without_is_empty, reason = "a length that STRLEN asks for, not a container's")]
    pub fn len(self) -> usize {
        self.bytes(&mut itoa::Buffer::new()).len()
    }
}

/// A value of any kind, to be read.
#[derive(Clone, Copy, Debug)]
pub enum View<'e> {
    /// A string.
    String(Str<'e>),
    /// A list.
    List(List<'e>),
    /// A set.
    Set(Set<'e>),
    /// A sorted set.
    ZSet(ZSet<'e>),
    /// A hash.
    Hash(Hash<'e>),
    /// A stream.
    Stream(&'e Stream),
}

impl<'e> View<'e> {
    /// A collection of this kind and body; a body that does not fit has no elements.
    pub(crate) fn of(body: Body<'e>, tags: Tags) -> View<'e> {
        match (tags.kind, body) {
            (Kind::List, body) => View::List(List::new(body)),
            (Kind::Set, body) => View::Set(Set::new(body, tags)),
            (Kind::ZSet, body) => View::ZSet(ZSet::new(body, tags)),
            (Kind::Hash, body) => View::Hash(Hash::new(body, tags)),
            (Kind::Stream, Body::Big(Big::Stream(stream))) => View::Stream(stream),
            (Kind::String | Kind::Stream, _) => View::String(Str::Bytes(&[])),
        }
    }

    /// The string, if it is one.
    #[inline]
    pub fn string(self) -> Result<Str<'e>, WrongType> {
        match self {
            View::String(value) => Ok(value),
            _ => Err(WrongType),
        }
    }

    /// Its kind.
    pub fn kind(self) -> Kind {
        match self {
            View::String(_) => Kind::String,
            View::List(_) => Kind::List,
            View::Set(_) => Kind::Set,
            View::ZSet(_) => Kind::ZSet,
            View::Hash(_) => Kind::Hash,
            View::Stream(_) => Kind::Stream,
        }
    }
}

/// The integer that `bytes` is the canonical form of: no plus sign, no leading zeros or spaces, within 64
/// bits. Only such a string may be kept as an integer, for it reads back the same.
#[inline]
pub fn canonical_int(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let leading_zero = digits.first() == Some(&b'0') && (digits.len() > 1 || negative);
    if digits.is_empty() || digits.len() > 19 || leading_zero {
        return None;
    }
    let mut n: u64 = 0;
    for &d in digits {
        if !d.is_ascii_digit() {
            return None;
        }
        // 19 digits are below 10^19, which 64 bits hold.
        n = n * 10 + u64::from(d - b'0');
    }
    if negative { 0i64.checked_sub_unsigned(n) } else { i64::try_from(n).ok() }
}

/// A value taken out of its entry.
#[derive(Debug)]
pub(crate) enum Content {
    Int(i64),
    /// A string, or packed elements.
    Bytes {
        blob: Blob,
        tags: Tags,
    },
    Big {
        big: Box<Big>,
        tags: Tags,
    },
}

/// A value that stands by itself, outside of the keyspace, with its deadline and access metadata.
#[derive(Debug)]
pub struct Owned {
    content: Content,
    /// When it expires, in milliseconds since the Unix epoch.
    pub deadline_ms: Option<i64>,
    pub(crate) access: u32,
}

impl Owned {
    pub(crate) fn of(entry: EntryBox) -> Owned {
        let (content, deadline_ms, access) = entry.into_value();
        Owned { content, deadline_ms, access }
    }

    pub(crate) fn copy_of(entry: Entry<'_>) -> Owned {
        let tags = entry.tags();
        let content = match entry.kind() {
            Kind::String => match entry.str() {
                Str::Int(n) => Content::Int(n),
                Str::Bytes(bytes) => Content::Bytes { blob: Blob::new(bytes), tags },
            },
            _ => match entry.body() {
                Body::Packed(run) => Content::Bytes { blob: Blob::new(run.as_slice()), tags },
                Body::Big(big) => Content::Big { big: Box::new(big.clone()), tags },
            },
        };
        Owned { content, deadline_ms: entry.deadline_ms(), access: entry.access() }
    }

    /// A collection that stands by itself, made now; it never expires.
    pub(crate) fn collection(collection: Collection) -> Owned {
        let content = match collection {
            Collection::Packed { run, tags } => Content::Bytes { blob: Blob::new(&run), tags },
            Collection::Big { big, tags } => Content::Big { big, tags },
        };
        Owned { content, deadline_ms: None, access: 0 }
    }

    /// A stream that stands by itself; it never expires.
    pub fn stream(stream: Stream) -> Owned {
        let big = Box::new(Big::Stream(stream));
        Owned::collection(Collection::Big { big, tags: Tags::of(Kind::Stream) })
    }

    /// The value.
    pub fn value(&self) -> View<'_> {
        match &self.content {
            Content::Int(n) => View::String(Str::Int(*n)),
            Content::Bytes { blob, tags } if tags.kind == Kind::String => {
                View::String(Str::Bytes(blob.bytes()))
            }
            Content::Bytes { blob, tags } => View::of(Body::Packed(Packed::new(blob.bytes())), *tags),
            Content::Big { big, tags } => View::of(Body::Big(big), *tags),
        }
    }

    pub(crate) fn into_entry(self, key: &[u8]) -> EntryBox {
        match self.content {
            Content::Int(n) => EntryBox::new(key, Payload::Int(n), self.deadline_ms, self.access),
            Content::Bytes { blob, tags } if blob.bytes().len() <= 1024 => {
                let value = Payload::Tagged { bytes: blob.bytes(), tags };
                EntryBox::new(key, value, self.deadline_ms, self.access)
            }
            Content::Bytes { blob, tags } => {
                EntryBox::new(key, Payload::TaggedBlob { blob, tags }, self.deadline_ms, self.access)
            }
            Content::Big { big, tags } => {
                EntryBox::new(key, Payload::Big { big, tags }, self.deadline_ms, self.access)
            }
        }
    }
}

/// The longest string that Redis keeps in one allocation with its object, which OBJECT ENCODING calls
/// `embstr`.
const EMBSTR_BYTES_MAX: usize = 44;

impl<'e> Entry<'e> {
    /// The value, when it is a string.
    #[inline]
    pub fn string(self) -> Result<Str<'e>, WrongType> {
        if self.kind() == Kind::String { Ok(self.str()) } else { Err(WrongType) }
    }

    /// The name that OBJECT ENCODING gives.
    pub fn encoding(self) -> &'static str {
        match (self.kind(), self.stage()) {
            (Kind::String, raw) => match self.str() {
                Str::Int(_) => "int",
                Str::Bytes(bytes) if bytes.len() <= EMBSTR_BYTES_MAX && raw == 0 => "embstr",
                Str::Bytes(_) => "raw",
            },
            (Kind::List, 0) | (Kind::Hash, 0) | (Kind::ZSet, 0) | (Kind::Set, 1) => "listpack",
            (Kind::List, _) => "quicklist",
            (Kind::Hash, 1) | (Kind::Set, 2..) => "hashtable",
            (Kind::Hash, _) => "listpackex",
            (Kind::Set, _) => "intset",
            (Kind::ZSet, _) => "skiplist",
            (Kind::Stream, _) => "stream",
        }
    }

    /// The value.
    #[inline]
    pub fn value(self) -> View<'e> {
        match self.kind() {
            Kind::String => View::String(self.str()),
            _ => View::of(self.body(), self.tags()),
        }
    }

    /// Milliseconds since it was last read or written, in steps of a second (OBJECT IDLETIME). With an LFU
    /// policy the figure means nothing.
    pub fn idle_ms(self, now_ms: i64) -> u64 {
        crate::access::access_idle_ms(self.access(), now_ms)
    }

    /// How often it is used, on a logarithmic scale of 0 to 255 (OBJECT FREQ), `policy` being in force.
    pub fn frequency(self, policy: crate::access::AccessPolicy, now_ms: i64) -> u8 {
        crate::access::access_frequency(self.access(), policy, now_ms)
    }

    /// Bytes of memory it takes, the keyspace's share included (MEMORY USAGE).
    pub fn memory_bytes(self) -> usize {
        self.allocated_bytes() + size_of::<crate::slot::Slot>()
    }
}

#[cfg(test)]
mod tests {
    use super::canonical_int;

    #[test]
    fn only_canonical_integers_are_integers() {
        for n in [0, 1, -1, 10, i64::MAX, i64::MIN, 1_000_000_007] {
            assert_eq!(canonical_int(n.to_string().as_bytes()), Some(n));
        }
        let others: [&[u8]; 12] = [
            b"",
            b"-",
            b"-0",
            b"00",
            b"01",
            b"+1",
            b" 1",
            b"1 ",
            b"1x",
            b"9223372036854775808",
            b"-9223372036854775809",
            b"99999999999999999999",
        ];
        others.iter().for_each(|text| assert_eq!(canonical_int(text), None, "{text:?}"));
    }
}
