//! Errors of commands, each with the text that Redis sends.

use engine::WrongType;
use resp::Reply;

/// Why a command failed. `Display` gives the error reply, its code first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A key holds another kind of value.
    #[error(transparent)]
    WrongType(#[from] WrongType),
    /// Options that are unknown, twice there or do not go together.
    #[error("ERR syntax error")]
    Syntax,
    /// An argument or value is no integer of 64 bits.
    #[error("ERR value is not an integer or out of range")]
    NotInteger,
    /// An argument or value is no float.
    #[error("ERR value is not a valid float")]
    NotFloat,
    /// The key is needed and not there.
    #[error("ERR no such key")]
    NoSuchKey,
    /// The wrong number of arguments for the command of this name (`get`, `client|kill`).
    #[error("ERR wrong number of arguments for '{0}' command")]
    Arity(String),
    /// An offset is out of range.
    #[error("ERR offset is out of range")]
    Offset,
    /// A database number is out of range.
    #[error("ERR DB index is out of range")]
    DbIndex,
    /// A time to live or moment that is not positive or does not fit in 64 bits, in the command of this name.
    #[error("ERR invalid expire time in '{0}' command")]
    ExpireTime(&'static str),
    /// Any other: the whole text.
    #[error("{0}")]
    Text(&'static str),
    /// Any other, made up at run time: the whole text.
    #[error("{0}")]
    Message(String),
    /// Any other that repeats bytes of the request: the whole text.
    #[error("{}", String::from_utf8_lossy(.0))]
    Bytes(Box<[u8]>),
}

impl Error {
    /// Writes the error as a reply.
    pub fn reply(&self, reply: &mut Reply) {
        match self {
            Error::Text(text) => reply.error(text),
            Error::Bytes(bytes) => reply.error_bytes(bytes),
            other => reply.error(&other.to_string()),
        }
    }
}
