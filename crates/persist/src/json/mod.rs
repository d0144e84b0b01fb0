//! The store as JSON that people read and edit: one document, a line a key. `docs/json.md` describes the form.

mod load;
mod read;
mod stream;
mod text;
mod write;

use std::io;

pub use load::{Loaded, load};
pub use read::read;
pub use write::Writer;

use crate::rdb::Value;

/// The form that is written, and the only one that is known.
const FORM: u64 = 1;

/// What stands in a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A key.
    Key {
        /// Its database.
        db: u32,
        /// The key.
        key: Vec<u8>,
        /// When it expires, in milliseconds since the Unix epoch; nothing: never.
        deadline_ms: Option<i64>,
        /// Its value.
        value: Value<'static>,
    },
    /// The code of a library of functions.
    Function(Vec<u8>),
}

/// Why something cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Writing failed.
    #[error(transparent)]
    Write(#[from] io::Error),
    /// The value is a module's, and only that module knows what it means.
    #[error("the key \"{}\" holds a value of the module type {name}, which JSON has no form for", .key.escape_ascii())]
    Module {
        /// The key.
        key: Box<[u8]>,
        /// The module's type and its version.
        name: String,
    },
}

/// Why a document was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError<E> {
    /// It is not of the form, or cannot be read. The text says where.
    #[error("{0}")]
    Form(serde_json::Error),
    /// What stands there was refused by whoever takes it.
    #[error("entry {entry}: {reason}")]
    Refused {
        /// Which one it was, counted from 1.
        entry: u64,
        /// Why it was refused.
        reason: E,
    },
}

#[cfg(test)]
mod tests;
