//! What a worker brings to a command and takes away from it: the time, randomness, and the command's
//! effects, events, counts and garbage.

use crate::access::AccessPolicy;
use crate::db::Free;
use crate::entry::EntryBox;
use crate::limits::Limits;
use crate::order::Order;
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

/// A key, or fields of a hash, that went without a command that said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The database.
    pub db: u32,
    /// Bytes of memory that it took, as MEMORY USAGE tells.
    pub bytes: usize,
    /// Why it went.
    pub cause: Cause,
}

/// Why a key went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its deadline came.
    Due {
        /// How long ago that was, in milliseconds.
        lag_ms: i64,
        /// A look-up found it, and not the timetable.
        found: bool,
    },
    /// Deadlines of some of its fields came, all at the same time.
    Fields {
        /// How many.
        count: u64,
        /// How long ago that was, in milliseconds.
        lag_ms: i64,
        /// A look-up found them, and not the timetable.
        found: bool,
    },
    /// Room was wanted.
    Evicted {
        /// Milliseconds since it was last used; with an LFU policy, in whole minutes.
        idle_ms: u64,
        /// How often it was used, as OBJECT FREQ tells, when the policy is LFU.
        frequency: Option<u8>,
    },
}

/// Memory that takes long to free; dropping it frees it.
#[derive(Debug)]
pub struct Garbage {
    freed: Freed,
}

#[derive(Debug)]
#[allow(clippy::vec_box, reason = "tables come boxed from their stripes")]
enum Freed {
    Entry(EntryBox),
    Tables(Vec<Box<Table>>),
}

/// Bytes from which freeing is left to another thread: below, handing over costs more.
const GARBAGE_BYTES_MIN: usize = 64 << 10;
/// The same for large collections, which are made of many small allocations.
const GARBAGE_NODES_BYTES_MIN: usize = 8 << 10;

impl Garbage {
    /// Frees `entry`, now when that is quick, otherwise later.
    pub(crate) fn discard(turn: &mut Turn, entry: EntryBox) {
        let min = if entry.view().is_big() { GARBAGE_NODES_BYTES_MIN } else { GARBAGE_BYTES_MIN };
        if entry.view().allocated_bytes() >= min {
            turn.garbage.push(Garbage { freed: Freed::Entry(entry) });
        }
    }

    /// Frees `entry` as `free` says. A large collection takes long, and whoever removes it shall not wait for that.
    pub(crate) fn free_entry(turn: &mut Turn, entry: EntryBox, free: Free) {
        if free == Free::Later || entry.view().is_big() {
            Garbage::discard(turn, entry);
        }
    }

    /// Frees it, and calls `freed` each time a part was.
    pub fn free(self, mut freed: impl FnMut()) {
        match self.freed {
            Freed::Entry(entry) => drop(entry),
            Freed::Tables(tables) => tables.into_iter().for_each(|table| {
                drop(table);
                freed();
            }),
        }
        freed();
    }

    /// Bytes of memory it gives back; nothing when that is not known before (emptied databases).
    pub fn bytes(&self) -> Option<usize> {
        match &self.freed {
            Freed::Entry(entry) => Some(entry.view().memory_bytes()),
            Freed::Tables(_) => None,
        }
    }

    #[allow(clippy::vec_box, reason = "tables come boxed from their stripes")]
    pub(crate) fn tables(tables: Vec<Box<Table>>) -> Garbage {
        Garbage { freed: Freed::Tables(tables) }
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
    /// Keys and fields that went without a command that said so, in the order they did.
    pub gone: Vec<Gone>,
    /// How accesses are remembered.
    pub access: AccessPolicy,
    /// What the configuration says of encodings.
    pub limits: Limits,
    /// Look-ups are not remembered as accesses (CLIENT NO-TOUCH).
    pub no_touch: bool,
    /// An expired key is hidden, but stays (while writes are paused; on a replica).
    pub keep_expired: bool,
    /// What is to be freed by another thread: its size makes it worth while.
    pub garbage: Vec<Garbage>,
    /// Files are being replayed: no key counts as expired, and deadlines in the past stay.
    pub loading: bool,
    /// Whether effects are wanted: a log or a replica is there.
    pub log: bool,
    /// The classes of events somebody wants, as a set of [`EventClass`] bits.
    pub events_wanted: u32,
    /// Events in the order they happened.
    pub events: Vec<Event>,
    /// Effects in the order they happened.
    pub effects: Effects,
}

/// Effects: commands in RESP that make the same changes again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// The commands, one behind the other.
    pub bytes: Vec<u8>,
    /// Which of them are for which database and what their numbers are.
    pub runs: Vec<Run>,
}

/// Effects of one worker that stand together: all for one database, under one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number in the [`Order`] of all effects; [`Run::UNSEALED`] until it has one.
    pub number: u64,
    /// The database.
    pub db: u32,
    /// Where it ends in [`Effects::bytes`]; it begins where the one before it ends.
    pub end: usize,
}

impl Run {
    /// In place of a number that was not taken yet.
    pub const UNSEALED: u64 = u64::MAX;
}

impl Effects {
    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Each run's database and bytes.
    pub fn iter(&self) -> impl Iterator<Item = (Run, &[u8])> {
        let mut start = 0;
        self.runs.iter().map(move |run| {
            let bytes = &self.bytes[start..run.end];
            start = run.end;
            (*run, bytes)
        })
    }

    /// Moves what `other`, whose numbers come later, holds to the end of this.
    pub fn append(&mut self, other: &mut Effects) {
        if self.is_empty() {
            return std::mem::swap(self, other);
        }
        let before = self.bytes.len();
        self.bytes.append(&mut other.bytes);
        self.runs.extend(other.runs.drain(..).map(|run| Run { end: run.end + before, ..run }));
    }

    /// Empties it and keeps its memory, of the commands up to `bytes_max`.
    pub fn clear(&mut self, bytes_max: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(bytes_max);
        self.runs.clear();
        self.runs.shrink_to(bytes_max / 64);
    }

    fn push<'x>(&mut self, db: u32, args: impl ExactSizeIterator<Item = &'x [u8]>) {
        encode(&mut self.bytes, args);
        let end = self.bytes.len();
        match self.runs.last_mut() {
            Some(run) if run.db == db && run.number == Run::UNSEALED => run.end = end,
            _ => self.runs.push(Run { number: Run::UNSEALED, db, end }),
        }
    }
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
            gone: Vec::new(),
            access: AccessPolicy::Lru,
            limits: Limits::default(),
            no_touch: false,
            keep_expired: false,
            garbage: Vec::new(),
            loading: false,
            log: false,
            events_wanted: 0,
            events: Vec::new(),
            effects: Effects::default(),
        }
    }

    /// How many keys, and how many fields of hashes, expired, of those in [`Turn::gone`].
    pub fn expired(&self) -> (u64, u64) {
        self.gone.iter().fold((0, 0), |(keys, fields), gone| match gone.cause {
            Cause::Due { .. } => (keys + 1, fields),
            Cause::Fields { count, .. } => (keys, fields + count),
            Cause::Evicted { .. } => (keys, fields),
        })
    }

    /// Notes an event, when its class is wanted.
    #[inline]
    pub fn event(&mut self, class: EventClass, name: &'static str, db: u32, key: &[u8]) {
        if self.events_wanted & class as u32 != 0 {
            self.events.push(Event { class, name, db, key: key.into() });
        }
    }

    /// Notes an effect: the command that makes the same change again, when effects are wanted.
    #[inline]
    pub fn effect<'x>(&mut self, db: u32, args: impl ExactSizeIterator<Item = &'x [u8]>) {
        if self.log {
            self.effects.push(db, args);
        }
    }

    /// Gives the effects noted since the last call their numbers, while the stripes of their changes are held.
    #[inline]
    pub fn seal(&mut self, order: &Order) {
        let unsealed = self.effects.runs.iter().rev().take_while(|run| run.number == Run::UNSEALED).count();
        if unsealed > 0 {
            let first = order.take(unsealed as u64);
            let runs = self.effects.runs.iter_mut().rev().take(unsealed).rev();
            runs.zip(first..).for_each(|(run, number)| run.number = number);
        }
    }

    /// Hands over the effects noted so far.
    pub fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }
}

/// Appends a command in RESP.
fn encode<'x>(out: &mut Vec<u8>, args: impl ExactSizeIterator<Item = &'x [u8]>) {
    let mut digits = itoa::Buffer::new();
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
