//! What a worker brings to a command and takes away from it: the time, randomness, and the command's
//! effects, events, counts and garbage.

use crate::access::AccessPolicy;
use crate::entry::EntryBox;
use crate::rng::Rng;
use crate::table::Table;

/// A class of keyspace notifications, as `notify-keyspace-events` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EventClass {
    /// `g`: DEL, EXPIRE, RENAME and the like.
    Generic = 1 << 0,
    /// `$`: string commands.
    String = 1 << 1,
    /// `l`: list commands.
    List = 1 << 2,
    /// `s`: set commands.
    Set = 1 << 3,
    /// `h`: hash commands.
    Hash = 1 << 4,
    /// `z`: sorted set commands.
    ZSet = 1 << 5,
    /// `x`: a key expired.
    Expired = 1 << 6,
    /// `e`: a key was evicted.
    Evicted = 1 << 7,
    /// `t`: stream commands.
    Stream = 1 << 8,
    /// `m`: a key was looked for and is not there.
    KeyMiss = 1 << 9,
    /// `n`: a key was created.
    New = 1 << 10,
}

/// One keyspace event, kept until the worker hands it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its class.
    pub class: EventClass,
    /// Its name, such as `set` or `expired`.
    pub name: &'static str,
    /// The database it happened in.
    pub db: u32,
    /// The key it happened to.
    pub key: Box<[u8]>,
}

/// Memory that takes long to free; dropping it frees it.
#[derive(Debug)]
pub struct Garbage {
    _freed: Freed,
}

#[derive(Debug)]
#[allow(dead_code, reason = "kept only to be dropped")]
#[allow(clippy::vec_box, reason = "tables come boxed from their stripes")]
enum Freed {
    Entry(EntryBox),
    Tables(Vec<Box<Table>>),
}

/// Bytes from which freeing is left to another thread: below, handing over costs more.
const GARBAGE_BYTES_MIN: usize = 64 << 10;

impl Garbage {
    /// Frees `entry`, now when that is quick, otherwise later.
    pub(crate) fn discard(turn: &mut Turn, entry: EntryBox) {
        if entry.view().allocated_bytes() >= GARBAGE_BYTES_MIN {
            turn.garbage.push(Garbage { _freed: Freed::Entry(entry) });
        }
    }

    #[allow(clippy::vec_box, reason = "tables come boxed from their stripes")]
    pub(crate) fn tables(tables: Vec<Box<Table>>) -> Garbage {
        Garbage { _freed: Freed::Tables(tables) }
    }
}

/// Everything a command gets from, and leaves with, the worker that runs it.
#[derive(Debug)]
pub struct Turn {
    /// The time, in milliseconds since the Unix epoch; the same for all of a command.
    pub now_ms: i64,
    /// Randomness.
    pub rng: Rng,
    /// Changes made to the data since the worker last looked: `rdb_changes_since_last_save` counts them.
    pub dirty: u64,
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys that expired.
    pub expired: u64,
    /// How long after its deadline each of them was removed, in milliseconds.
    pub lags_ms: Vec<i64>,
    /// How accesses are remembered.
    pub access: AccessPolicy,
    /// Look-ups are not remembered as accesses (CLIENT NO-TOUCH).
    pub no_touch: bool,
    /// An expired key is hidden, but stays (while writes are paused; on a replica).
    pub keep_expired: bool,
    /// What is to be freed by another thread: its size makes it worth while.
    pub garbage: Vec<Garbage>,
    /// Whether effects are wanted: a log or a replica is there.
    pub log: bool,
    /// The classes of events somebody wants, as a set of [`EventClass`] bits.
    pub events_wanted: u32,
    /// Events in the order they happened.
    pub events: Vec<Event>,
    /// Effects in the order they happened: commands in RESP, with a SELECT where the database changes.
    pub effects: Vec<u8>,
    /// The database the last effect was for.
    effects_db: Option<u32>,
}

impl Turn {
    /// A turn at `now_ms` with random numbers from `seed`; nothing is logged.
    pub fn new(now_ms: i64, seed: u64) -> Turn {
        Turn {
            now_ms,
            rng: Rng::new(seed),
            dirty: 0,
            hits: 0,
            misses: 0,
            expired: 0,
            lags_ms: Vec::new(),
            access: AccessPolicy::Lru,
            no_touch: false,
            keep_expired: false,
            garbage: Vec::new(),
            log: false,
            events_wanted: 0,
            events: Vec::new(),
            effects: Vec::new(),
            effects_db: None,
        }
    }

    /// Notes an event, when its class is wanted.
    #[inline]
    pub fn event(&mut self, class: EventClass, name: &'static str, db: u32, key: &[u8]) {
        if self.events_wanted & class as u32 != 0 {
            self.events.push(Event { class, name, db, key: key.into() });
        }
    }

    /// Notes an effect: the command that makes the same change again, when effects are wanted.
    pub fn effect<'x>(&mut self, db: u32, args: impl ExactSizeIterator<Item = &'x [u8]>) {
        if !self.log {
            return;
        }
        if self.effects_db != Some(db) {
            self.effects_db = Some(db);
            let mut digits = itoa::Buffer::new();
            self.encode([b"SELECT".as_slice(), digits.format(db).as_bytes()].into_iter());
        }
        self.encode(args);
    }

    /// Hands over the effects noted so far; the next one names its database again.
    pub fn take_effects(&mut self) -> Vec<u8> {
        self.effects_db = None;
        std::mem::take(&mut self.effects)
    }

    fn encode<'x>(&mut self, args: impl ExactSizeIterator<Item = &'x [u8]>) {
        let mut digits = itoa::Buffer::new();
        let out = &mut self.effects;
        out.push(b'*');
        out.extend_from_slice(digits.format(args.len()).as_bytes());
        for arg in args {
            out.extend_from_slice(b"\r\n$");
            out.extend_from_slice(digits.format(arg.len()).as_bytes());
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(arg);
        }
        out.extend_from_slice(b"\r\n");
    }
}
