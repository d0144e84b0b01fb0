//! What can be wrong with a file or a payload, and where.

use std::io;

/// Something is wrong at a place of the input.
#[derive(Debug, thiserror::Error)]
#[error("at byte {offset}: {fault}")]
pub struct Error {
    /// Bytes from the beginning of the input.
    pub offset: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Reading failed.
    #[error("it cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The input ends before what was begun is whole.
    #[error("the file ends too early")]
    Short,
    /// It does not begin like an RDB file.
    #[error("this is no RDB file: it begins with \"{}\"", .0.escape_ascii())]
    Magic([u8; 9]),
    /// It is of a version that is not known.
    #[error("its version, {0}, is later than this program knows")]
    Version(u32),
    /// The bytes are not those that were written.
    #[error("CRC error: the checksum is {computed:016x}, but was {stored:016x} when the file was written")]
    Checksum {
        /// What stands at the end.
        stored: u64,
        /// What the bytes give.
        computed: u64,
    },
    /// A rule of the format is broken.
    #[error("{0}")]
    Corrupt(&'static str),
    /// A byte says neither a type nor an opcode.
    #[error("unknown type {0}")]
    Type(u8),
    /// The database is not one of the store's.
    #[error("database {db}, but there are {databases} (directive `databases`)")]
    Database {
        /// The one the file names.
        db: u64,
        /// How many there are.
        databases: u32,
    },
    /// A key that was there already.
    #[error("the key \"{}\" ({}) comes twice in database {db}", .key.escape_ascii(), .encoding)]
    Twice {
        /// The key.
        key: Box<[u8]>,
        /// How its second value is written.
        encoding: &'static str,
        /// The database.
        db: u32,
    },
    /// The store cannot hold such a value.
    #[error("the key \"{}\" holds a {what}, which this store cannot hold", .key.escape_ascii())]
    Kind {
        /// The key.
        key: Box<[u8]>,
        /// What it holds.
        what: String,
    },
    /// Something is wrong with the value of a key.
    #[error("the value of \"{}\" ({encoding}): {fault}", .key.escape_ascii())]
    Value {
        /// The key.
        key: Box<[u8]>,
        /// How the value is written.
        encoding: &'static str,
        /// What is wrong with it.
        fault: Box<Fault>,
    },
}

impl Error {
    /// The same, said of the value of `key`.
    pub(super) fn of_value(self, key: &[u8], encoding: &'static str) -> Error {
        if matches!(self.fault, Fault::Read(_)) {
            return self;
        }
        let fault = Fault::Value { key: key.into(), encoding, fault: Box::new(self.fault) };
        Error { offset: self.offset, fault }
    }
}
