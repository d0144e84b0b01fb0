//! RDB, the format of Redis's snapshots, and of what DUMP gives and RESTORE takes.
//!
//! [`Reader`] reads every version and encoding that Redis up to 8.0 and Valkey up to 9.1 write; [`Writer`] writes version
//! 11, which all of them read since Redis 7.2, or version 10 for Redis 7.0. A file is:
//!
//! | bytes | content |
//! | --- | --- |
//! | 9 | `REDIS0011`: the version in decimal (`VALKEY080`: Valkey's own since 9.0) |
//! | | fields about the file (opcode 250, name, value), libraries of functions (245, code) |
//! | | for each database: its number (254), counts of keys (251), its keys |
//! | 1 | 255 |
//! | 8 | CRC-64 of all before, the lowest byte first; 0 when not computed (since version 5) |
//!
//! A key is what there is to say about it (deadline 252, idle time 248, frequency 249), a byte that says how its
//! value is written, its name and its value. Lengths take 1, 2, 5 or 9 bytes; strings are a length and the bytes, an
//! integer, or compressed.

mod check;
mod decode;
mod encode;
mod error;
mod format;
mod input;
mod load;
mod made;
mod module;
mod packed;
mod payload;
mod reader;
#[cfg(any(test, feature = "testing"))]
pub mod samples;
mod skip;
mod stream;
mod stream_entries;
#[cfg(test)]
mod tests;
mod value;
mod writer;

pub use check::{Report, Tally, check, mend};
pub use engine::Access;
pub use error::{Error, Fault};
pub use format::{Dialect, Encoding, REDIS_VERSION_MAX, VALKEY_VERSION, Version};
pub(crate) use load::add;
pub use load::{LoadOptions, Loaded, Progress, load};
pub use made::owned;
pub use module::ModuleName;
pub use payload::{PayloadError, dump, restore};
pub use reader::{Item, Raw, Reader, ReaderOptions, Record};
pub use value::{
    Bytes, Field, Module, Stream, StreamConsumer, StreamEntries, StreamEntry, StreamGroup, StreamId,
    StreamPending, Value,
};
pub use writer::{About, Options, Writer};
