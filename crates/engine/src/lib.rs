//! The store itself: keyspace, entries, expiry, scans. Pure: no sockets, files, clock or global state;
//! the time and randomness a command works with come in with its [`Turn`].

mod db;
mod held;
mod key;
mod rng;
mod store;
mod turn;
mod value;

pub use db::{Db, Deadline, Free, Scan};
pub use held::Held;
pub use key::Key;
pub use rng::Rng;
pub use store::{Options, STRIPES, Store};
pub use turn::{EventClass, Turn};
pub use value::{Entry, Kind, Owned, Str, WrongType};
