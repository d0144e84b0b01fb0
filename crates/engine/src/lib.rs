//! The store itself: keyspace, entries, expiry, scans. Pure: no sockets, files, clock or global state;
//! the time and randomness a command works with come in with its [`Turn`].

mod access;
mod batch;
mod blob;
mod bounds;
mod cut;
mod db;
mod entry;
mod held;
mod key;
mod memory;
mod order;
mod rng;
mod segment;
mod slot;
mod store;
mod survey;
mod table;
mod timetable;
mod turn;
mod value;

pub use access::{
    Access, AccessPolicy, access_frequency, access_idle_ms, access_of_frequency, access_of_idle,
};
pub use batch::{Batch, Head, Record};
pub use cut::{CUTS_MAX, Cut, Size, Step};
pub use db::{Db, Deadline, Free, Scan};
pub use entry::Entry;
pub use held::Held;
pub use key::Key;
pub use order::Order;
pub use rng::Rng;
pub use store::{Due, Options, Store};
pub use survey::Deadlines;
pub use timetable::Wake;
pub use turn::{Effects, Event, EventClass, Garbage, Run, Turn};
pub use value::{Kind, Owned, Str, WrongType, canonical_int};
