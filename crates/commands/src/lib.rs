//! Every command: a row of the table and a function, one file a family.

mod arguments;
mod bitfield;
mod bitmap;
mod bitop;
mod bits;
mod category;
mod client;
mod client_list;
mod command;
mod command_docs;
mod command_info;
mod command_keys;
mod config;
mod connection;
mod counter;
mod ctx;
mod deadline;
mod debug;
mod debug_protocol;
mod dump;
mod error;
#[cfg(test)]
mod example;
mod expire;
mod function;
mod generic;
mod glob;
mod help;
mod host;
mod hyperloglog;
mod hyperloglog_estimate;
mod hyperloglog_sparse;
mod hyperloglog_value;
mod info;
mod keys;
mod lcs;
mod long_double;
mod lookup;
mod memory;
mod natural;
mod number;
mod object;
mod persistence;
mod rename;
mod run;
mod scan;
mod server;
mod session;
mod string;
mod string_compare;
mod string_many;
mod string_range;
mod syntax;
mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use arguments::{Argument, ArgumentKind};
pub use category::{CATEGORIES, Category};
pub use command_info::describe;
pub use connection::REDIS_VERSION;
pub use ctx::Ctx;
pub use error::Error;
pub use glob::{Case, glob_matches};
pub use host::{
    Begun, ClientInfo, DEFAULT_USER, DataFigures, Host, Identity, Pause, Reload, Removal, Shutdown, Unblock,
};
pub use info::Section;
pub use keys::{FindKeys, KeySpec, Positions, Search};
pub use lookup::{ROWS, Row, find, find_row, rows};
pub use rename::{RenameError, Renames};
pub use run::{execute, hold, resolve, resolve_logged, run};
pub use session::{Replies, Session};
pub use syntax::Syntax;
pub use table::{Command, Locks, Outcome, flags, table};
