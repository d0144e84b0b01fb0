//! The configuration: one table of directives, redis.conf files and command lines that set them, and a store
//! that CONFIG reads and changes while workers look at the settings.
//!
//! [`table`] says what there is, [`value`] how values are read and written, [`mod@load`] reads files and command
//! lines, [`settings`] and `words` give the types the server works with, [`store`] shares and changes them, and
//! [`rewrite`] writes a file back. [`sample()`] shows all of the table as a file.

pub mod events;
mod field;
mod include;
pub mod load;
mod rewrite;
mod sample;
pub mod settings;
pub mod store;
pub mod table;
pub mod value;
mod words;

pub use load::{LoadError, Loaded, load};
pub use sample::sample;
pub use settings::{Allowed, BindAddress, LogLevel, Policy, Settings};
pub use store::ConfigStore;
pub use value::BufferLimit;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The path that `bytes` name.
fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}
