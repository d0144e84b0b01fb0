//! The numbers of the format: versions, opcodes, and the types of values.
//!
//! Sources: `rdb.h` of Redis 1 to 8.0 and of Valkey 8 and 9; <https://rdb.fnordig.de/file_format.html>.

use engine::Kind;

/// The version in which data are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Version {
    /// Redis 7.0 reads it too. It does not say when a stream's consumer last got something.
    V10 = 10,
    /// Redis 7.2 and later and every Valkey read it.
    #[default]
    V11 = 11,
}

impl Version {
    /// Its number.
    pub fn number(self) -> u16 {
        self as u16
    }
}

/// The last version of Redis's that is read (Redis 7.4 and 8.0).
pub const REDIS_VERSION_MAX: u16 = 12;
/// The version of Valkey's own that is read (Valkey 9.0 and 9.1).
pub const VALKEY_VERSION: u16 = 80;
/// The first version with a checksum at the end.
pub(super) const CHECKSUM_VERSION_MIN: u16 = 5;

/// Whose meaning a file's types and opcodes have, where Redis and Valkey went different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Redis's, which was Valkey's too up to version 11.
    Redis,
    /// Valkey's since version 80.
    Valkey,
}

impl Dialect {
    /// The dialect of a DUMP payload of `version`; nothing when it cannot be read.
    pub(super) fn of_version(version: u16) -> Option<Dialect> {
        match version {
            1..=REDIS_VERSION_MAX => Some(Dialect::Redis),
            VALKEY_VERSION => Some(Dialect::Valkey),
            _ => None,
        }
    }
}

/// Bytes that begin something other than a key and its value.
pub(super) mod opcode {
    /// Valkey: a slot's import from another node had not ended.
    pub(crate) const SLOT_IMPORT: u8 = 243;
    /// A slot of a cluster, and how many keys it has.
    pub(crate) const SLOT_INFO: u8 = 244;
    /// A library of functions.
    pub(crate) const FUNCTION: u8 = 245;
    /// The form that functions had in the release candidates of Redis 7.0.
    pub(crate) const FUNCTION_PRE_GA: u8 = 246;
    /// Data of a module that belong to no key.
    pub(crate) const MODULE_AUX: u8 = 247;
    /// Seconds since the next key was used.
    pub(crate) const IDLE: u8 = 248;
    /// How often the next key is used.
    pub(crate) const FREQUENCY: u8 = 249;
    /// A name and a value about the file.
    pub(crate) const AUX: u8 = 250;
    /// How many keys the database has.
    pub(crate) const RESIZE: u8 = 251;
    /// When the next key expires, in milliseconds.
    pub(crate) const DEADLINE_MS: u8 = 252;
    /// When the next key expires, in seconds.
    pub(crate) const DEADLINE_S: u8 = 253;
    /// The database of what follows.
    pub(crate) const SELECT: u8 = 254;
    /// The end.
    pub(crate) const END: u8 = 255;
}

/// How a value is written: the byte before its key, with the dialect's meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A string.
    String,
    /// A list: count, items.
    List,
    /// A set: count, members.
    Set,
    /// A sorted set: count, members with scores in decimal.
    ZSet,
    /// A hash: count, fields with values.
    Hash,
    /// A sorted set: count, members with binary scores.
    ZSet2,
    /// A module's value as release candidates of Redis 4.0 wrote it, which only the module can read.
    ModulePreGa,
    /// A module's value.
    Module,
    /// A hash in a zipmap (before Redis 2.6).
    HashZipmap,
    /// A list in a ziplist.
    ListZiplist,
    /// A set of integers.
    SetIntset,
    /// A sorted set in a ziplist.
    ZSetZiplist,
    /// A hash in a ziplist.
    HashZiplist,
    /// A list in ziplists (Redis 3.2 to 6.2).
    ListQuicklist,
    /// A stream (Redis 5.0 to 6.2).
    Stream,
    /// A hash in a listpack.
    HashListpack,
    /// A sorted set in a listpack.
    ZSetListpack,
    /// A list in listpacks and single items.
    ListQuicklist2,
    /// A stream, with more about its past (Redis 7.0).
    Stream2,
    /// A set in a listpack.
    SetListpack,
    /// A stream, with when its consumers were active (Redis 7.2).
    Stream3,
    /// A hash whose fields may expire, as release candidates of Redis 7.4 wrote it.
    HashMetadataPreGa,
    /// The same in a listpack.
    HashListpackExPreGa,
    /// A hash whose fields may expire (Redis 7.4): count, deadlines with fields and values.
    HashMetadata,
    /// The same in a listpack.
    HashListpackEx,
    /// A hash whose fields may expire (Valkey 9.0): count, fields, values and deadlines.
    HashDeadlines,
}

/// Each encoding with its byte and name; those of a dialect's own are found before the others.
const ENCODINGS: [(u8, Option<Dialect>, Encoding, &str); 26] = {
    use Dialect::{Redis, Valkey};
    use Encoding as E;
    [
        (0, None, E::String, "string"),
        (1, None, E::List, "list-linked"),
        (2, None, E::Set, "set-hashtable"),
        (3, None, E::ZSet, "zset-v1"),
        (4, None, E::Hash, "hash-hashtable"),
        (5, None, E::ZSet2, "zset-v2"),
        (6, None, E::ModulePreGa, "module-pre-release"),
        (7, None, E::Module, "module-value"),
        (9, None, E::HashZipmap, "hash-zipmap"),
        (10, None, E::ListZiplist, "list-ziplist"),
        (11, None, E::SetIntset, "set-intset"),
        (12, None, E::ZSetZiplist, "zset-ziplist"),
        (13, None, E::HashZiplist, "hash-ziplist"),
        (14, None, E::ListQuicklist, "quicklist"),
        (15, None, E::Stream, "stream"),
        (16, None, E::HashListpack, "hash-listpack"),
        (17, None, E::ZSetListpack, "zset-listpack"),
        (18, None, E::ListQuicklist2, "quicklist-v2"),
        (19, None, E::Stream2, "stream-v2"),
        (20, None, E::SetListpack, "set-listpack"),
        (21, None, E::Stream3, "stream-v3"),
        (22, Some(Redis), E::HashMetadataPreGa, "hash-hashtable-md-pre-release"),
        (23, Some(Redis), E::HashListpackExPreGa, "hash-listpack-md-pre-release"),
        (24, Some(Redis), E::HashMetadata, "hash-hashtable-md"),
        (25, Some(Redis), E::HashListpackEx, "hash-listpack-md"),
        (22, Some(Valkey), E::HashDeadlines, "hash-volatile-items"),
    ]
};

impl Encoding {
    /// What `byte` says in `dialect`; nothing when it says nothing known.
    pub fn of_byte(byte: u8, dialect: Dialect) -> Option<Encoding> {
        let known = |(b, whose, ..): &&(u8, Option<Dialect>, Encoding, &str)| {
            *b == byte && whose.is_none_or(|d| d == dialect)
        };
        ENCODINGS.iter().find(known).map(|(_, _, encoding, _)| *encoding)
    }

    fn row(self) -> &'static (u8, Option<Dialect>, Encoding, &'static str) {
        &ENCODINGS[self as usize]
    }

    /// The byte that says it.
    pub fn byte(self) -> u8 {
        self.row().0
    }

    /// Its name, as the check of a file shows it.
    pub fn name(self) -> &'static str {
        self.row().3
    }

    /// The kind of value it holds; nothing for a module's.
    pub fn kind(self) -> Option<Kind> {
        use Encoding as E;
        match self {
            E::String => Some(Kind::String),
            E::List | E::ListZiplist | E::ListQuicklist | E::ListQuicklist2 => Some(Kind::List),
            E::Set | E::SetIntset | E::SetListpack => Some(Kind::Set),
            E::ZSet | E::ZSet2 | E::ZSetZiplist | E::ZSetListpack => Some(Kind::ZSet),
            E::Hash | E::HashZipmap | E::HashZiplist | E::HashListpack => Some(Kind::Hash),
            E::HashMetadataPreGa | E::HashListpackExPreGa => Some(Kind::Hash),
            E::HashMetadata | E::HashListpackEx | E::HashDeadlines => Some(Kind::Hash),
            E::Stream | E::Stream2 | E::Stream3 => Some(Kind::Stream),
            E::ModulePreGa | E::Module => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Dialect, ENCODINGS, Encoding};

    #[test]
    fn every_encoding_stands_at_its_own_number_and_is_found_by_its_byte() {
        for (i, (byte, dialect, encoding, _)) in ENCODINGS.iter().enumerate() {
            assert_eq!(*encoding as usize, i);
            let dialect = dialect.unwrap_or(Dialect::Redis);
            assert_eq!(Encoding::of_byte(*byte, dialect), Some(*encoding));
        }
        assert_eq!(Encoding::of_byte(25, Dialect::Valkey), None);
        assert_eq!(Encoding::of_byte(8, Dialect::Redis), None);
    }
}
