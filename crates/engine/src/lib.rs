//! The store itself: keyspace, entries, expiry, scans. Pure: no sockets, files, clock or global state;
//! the time and randomness a command works with come in with its [`Turn`].

mod access;
mod blob;
mod bounds;
mod db;
mod entry;
mod held;
mod key;
mod memory;
mod rng;
mod segment;
mod slot;
mod store;
mod survey;
mod table;
mod timetable;
mod turn;
mod value;

pub use access::AccessPolicy;
pub use db::{Db, Deadline, Free, Scan};
pub use entry::Entry;
pub use held::Held;
pub use key::Key;
pub use rng::Rng;
pub use store::{Due, Options, Store};
pub use survey::Deadlines;
pub use timetable::Wake;
pub use turn::{Event, EventClass, Garbage, Turn};
pub use value::{Kind, Owned, Str, WrongType, canonical_int};
