//! The store itself: keyspace, entries, expiry, scans. Pure: no sockets, files, clock or global state;
//! the time and randomness a command works with come in with its [`Turn`].

mod access;
mod batch;
mod blob;
mod bounds;
mod collection;
mod cut;
mod db;
mod db_collections;
mod dict;
mod entry;
mod hash;
mod held;
mod key;
mod limits;
mod list;
mod memory;
mod order;
pub mod packed;
mod rng;
mod segment;
mod set;
mod slot;
mod store;
pub mod stream;
mod survey;
mod table;
mod timetable;
mod tree;
mod turn;
mod value;
mod zset;

pub use access::{
    Access, AccessPolicy, access_frequency, access_idle_ms, access_of_frequency, access_of_idle,
};
pub use batch::{Batch, Head, Record};
pub use collection::hash_bytes;
pub use cut::{CUTS_MAX, Cut, Size, Step};
pub use db::{Db, Deadline, Free, Scan};
pub use entry::Entry;
pub use hash::{Hash, HashMut};
pub use held::Held;
pub use key::Key;
pub use limits::Limits;
pub use list::{Elements, ElementsBack, End, List, ListBuilder, ListMut, element_of};
pub use order::Order;
pub use packed::{Element, Encoded, Packed};
pub use rng::Rng;
pub use set::{Set, SetMut};
pub use store::{Due, Options, Store};
pub use stream::{Stream, StreamId};
pub use survey::Deadlines;
pub use timetable::Wake;
pub use turn::{Effects, Event, EventClass, Garbage, Run, Turn};
pub use value::{Kind, Owned, Str, View, WrongType, canonical_int};
pub use zset::{ZSet, ZSetMut};
