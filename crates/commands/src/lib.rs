//! Every command: a row of the table and a function, one file a family.

mod bitfield;
mod bitmap;
mod client;
mod command;
mod config;
mod connection;
mod ctx;
mod deadline;
mod debug;
mod error;
mod expire;
mod generic;
mod glob;
mod help;
mod host;
mod info;
mod keys;
mod lookup;
mod number;
mod object;
mod run;
mod scan;
mod server;
mod session;
mod string;
mod string_compare;
mod table;

pub use ctx::Ctx;
pub use error::Error;
pub use glob::{Case, glob_matches};
pub use host::{ClientInfo, Host, Identity, Pause, Removal, Shutdown, Unblock};
pub use keys::{FindKeys, KeySpec, Positions, Search};
pub use lookup::{ROWS, Row, find, find_row, rows};
pub use run::{resolve, run};
pub use session::Session;
pub use table::{Command, Locks, Outcome, flags, table};
