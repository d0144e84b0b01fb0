//! Every command: a row of the table and a function, one file a family.

mod bitfield;
mod bitmap;
mod bitop;
mod bits;
mod client;
mod client_list;
mod command;
mod config;
mod connection;
mod counter;
mod ctx;
mod deadline;
mod debug;
mod error;
#[cfg(test)]
mod example;
mod expire;
mod generic;
mod glob;
mod help;
mod host;
mod info;
mod keys;
mod lcs;
mod long_double;
mod lookup;
mod natural;
mod number;
mod object;
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

pub use connection::REDIS_VERSION;
pub use ctx::Ctx;
pub use error::Error;
pub use glob::{Case, glob_matches};
pub use host::{ClientInfo, DEFAULT_USER, Host, Identity, Pause, Removal, Shutdown, Unblock};
pub use keys::{FindKeys, KeySpec, Positions, Search};
pub use lookup::{ROWS, Row, find, find_row, rows};
pub use run::{execute, hold, resolve, run};
pub use session::{Replies, Session};
pub use syntax::Syntax;
pub use table::{Command, Locks, Outcome, flags, table};
