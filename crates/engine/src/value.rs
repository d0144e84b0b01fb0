//! Values as commands see them: the kinds, a view of an entry, and a value that stands by itself.

/// A command found a key that holds another kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
pub struct WrongType;

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Bytes or an integer.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    ZSet,
    /// A hash.
    Hash,
    /// A stream.
    Stream,
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

/// A view of one live entry.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'e> {
    _todo: &'e (),
}

impl<'e> Entry<'e> {
    /// The key.
    pub fn key(self) -> &'e [u8] {
        todo!()
    }
    /// The kind of the value.
    pub fn kind(self) -> Kind {
        todo!()
    }
    /// The value, when it is a string.
    pub fn string(self) -> Result<Str<'e>, WrongType> {
        todo!()
    }
    /// When it expires, in milliseconds since the Unix epoch; nothing: never.
    pub fn deadline_ms(self) -> Option<i64> {
        todo!()
    }
    /// The name that OBJECT ENCODING gives.
    pub fn encoding(self) -> &'static str {
        todo!()
    }
    /// Milliseconds since it was last read or written, in steps of a second (OBJECT IDLETIME).
    pub fn idle_ms(self, now_ms: i64) -> u64 {
        let _ = now_ms;
        todo!()
    }
    /// How often it is used, on a logarithmic scale of 0 to 255 (OBJECT FREQ).
    pub fn frequency(self, now_ms: i64) -> u8 {
        let _ = now_ms;
        todo!()
    }
    /// Bytes of memory it takes, the keyspace's share included (MEMORY USAGE).
    pub fn memory_bytes(self) -> usize {
        todo!()
    }
}

/// A value that stands by itself, outside of the keyspace, with its deadline and access metadata.
#[derive(Debug)]
pub struct Owned {
    pub(crate) _todo: (),
}
