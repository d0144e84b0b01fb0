//! What commands ask of the process around the store. The server answers with sockets and files behind it,
//! a test with neither.

use std::time::Duration;

use crate::error::Error;
use crate::hotkeys::{HotKey, HotKeysReport, HotKeysRequest};
use crate::info::Section;
use crate::lookup::Row;
use crate::observer::Observer;
use crate::session::Session;

use persist::rdb::Version;

/// The process that a command runs in.
pub trait Host: Observer + Sync {
    /// Bytes an argument or a string value may have at most (`proto-max-bulk-len`).
    fn bulk_bytes_max(&self) -> usize;

    /// The time, in microseconds since the Unix epoch.
    fn now_us(&self) -> i64;

    /// Whether the values that `removal` removes are freed by another thread.
    fn frees_later(&self, removal: Removal) -> bool;

    // -- access ---------------------------------------------------------------------------------

    /// Whether clients must give a password (`requirepass`).
    fn password_wanted(&self) -> bool;

    /// Whether `password` is the default user's. Takes as long for a wrong password as for the right one.
    fn password_fits(&self, password: &[u8]) -> bool;

    /// Notes an attempt to authenticate that failed.
    fn access_denied(&self);

    // -- clients --------------------------------------------------------------------------------

    /// Makes what `session` says of itself (name, library, flags, protocol, database) visible to others.
    fn client_changed(&self, session: &Session);

    /// What is known of the client `id`, while it is connected.
    fn client(&self, id: u64) -> Option<ClientInfo>;

    /// Visits every connected client, in order of their ids.
    fn each_client(&self, visit: &mut dyn FnMut(&ClientInfo));

    /// Closes the connection of client `id`: it runs no further command. Whether it was there.
    fn close_client(&self, id: u64) -> bool;

    /// Ends the wait of client `id` in a blocking command. Whether it was waiting.
    fn unblock_client(&self, id: u64, how: Unblock) -> bool;

    /// Holds up clients' commands until `until_ms` (Unix epoch). A pause that goes on is never made shorter
    /// or weaker by another.
    fn pause_clients(&self, until_ms: i64, what: Pause);

    /// Ends every pause.
    fn unpause_clients(&self);

    // -- the process ----------------------------------------------------------------------------

    /// Appends the lines of INFO's section `section`, each ended by CR and LF, without its heading.
    fn info_section(&self, section: Section, data: &DataFigures, out: &mut String);

    /// What the process takes of memory.
    fn memory(&self) -> MemoryFigures;

    /// Has the allocator give unused memory back to the system.
    fn purge_memory(&self) -> Result<(), Error>;

    /// The allocator's own report.
    fn allocator_report(&self) -> String;

    /// Asks the process to end; it does so soon after the command.
    fn shut_down(&self, request: Shutdown) -> Result<(), Error>;

    /// Takes a request to end back, while that is possible.
    fn abort_shut_down(&self) -> Result<(), Error>;

    // -- persistence ----------------------------------------------------------------------------

    /// The version of the format in which DUMP gives values (`rdb-version`).
    fn rdb_version(&self) -> Version {
        Version::V11
    }

    /// Writes a snapshot; it is on disk on return. No stripe may be held.
    fn save(&self) -> Result<(), Error>;

    /// Begins to write a snapshot; or, when `schedule` says so, as soon as a rewrite of the log lets it.
    fn save_in_background(&self, schedule: bool) -> Result<Begun, Error>;

    /// Gives up the snapshot that is being written (`Now`) or scheduled (`Later`).
    fn cancel_save(&self) -> Result<Begun, Error>;

    /// When the last snapshot was written, in seconds since the Unix epoch; the start, before the first.
    fn last_save_s(&self) -> i64;

    /// Begins to write the log anew, or will as soon as a snapshot lets it.
    fn rewrite_log(&self) -> Result<Begun, Error>;

    /// FLUSHALL has emptied the store, and every stripe is held: a snapshot being written is of no use any more.
    fn flushed(&self);

    /// Reads the snapshot back. No stripe may be held.
    fn reload(&self, how: Reload) -> Result<(), Error>;

    /// Empties the store and reads the log back. No stripe may be held.
    fn load_log(&self) -> Result<(), Error>;

    // -- configuration --------------------------------------------------------------------------

    /// Names and values of the directives that fit one of `patterns` (globs in any case), each name once.
    fn config_get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)>;

    /// Changes directives for `session`: all of `pairs` (name, value), or none.
    fn config_set(&self, session: &Session, pairs: &[(&[u8], &[u8])]) -> Result<(), Error>;

    /// Writes the configuration back to its file, or leaves the file as it was.
    fn config_rewrite(&self) -> Result<(), Error>;

    /// The same with every directive, also those that have their defaults (DEBUG CONFIG-REWRITE-FORCE-ALL).
    fn config_rewrite_all(&self) -> Result<(), Error>;

    /// Sets what is counted and measured for INFO back to zero.
    fn reset_stats(&self);

    // -- hot keys -------------------------------------------------------------------------------

    /// Begins to look for hot keys.
    ///
    /// # Errors
    /// A search is under way.
    fn hotkeys_start(&self, request: HotKeysRequest) -> Result<(), Error>;

    /// Ends the search for hot keys; whether one was under way.
    fn hotkeys_stop(&self) -> bool;

    /// Forgets what the last search found.
    ///
    /// # Errors
    /// It is still under way.
    fn hotkeys_reset(&self) -> Result<(), Error>;

    /// What the search under way, or the last one, found.
    fn hotkeys(&self) -> Option<HotKeysReport>;

    /// The `count` keys used most lately, each with about how many times a second.
    fn hotkeys_top(&self, count: usize) -> Vec<HotKey<f64>>;

    // -- debugging ------------------------------------------------------------------------------

    /// Whether `session` may use DEBUG (`enable-debug-command`).
    fn debug_allowed(&self, session: &Session) -> bool;

    /// Holds up the calling worker.
    fn sleep(&self, time: Duration);

    /// Turns the removal of expired keys that nobody asks for off or on; no client sees them in any case.
    fn set_active_expire(&self, on: bool);

    /// Gives the data's history another name, as if it had begun anew.
    fn change_replication_id(&self) -> Result<(), Error>;

    /// Writes a line to the server's log.
    fn log(&self, line: &str);
}

/// What INFO says of the data, where the process cannot know it. A figure is there for the section it is for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DataFigures {
    /// For `memory`: bytes that the keyspace takes beyond its entries.
    pub overhead_bytes: u64,
    /// For `stats`: of the keys with a deadline, about how many are past it and not yet removed, in per cent.
    pub overdue_percent: f64,
}

/// What the process takes of memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryFigures {
    /// Allocated by the program: what `maxmemory` is about.
    pub used: u64,
    /// The most that ever was.
    pub peak: u64,
    /// What was when the process had started.
    pub startup: u64,
    /// For connections, their buffers included.
    pub clients: u64,
    /// How many connections that are.
    pub clients_count: u64,
    /// For effects on their way to the log.
    pub log_buffers: u64,
    /// What the allocator says it has given out: what lies in its threads' caches included.
    pub allocated: u64,
    /// In pages that the allocator has given something out of.
    pub active: u64,
    /// In pages of the allocator's that are in memory.
    pub resident: u64,
    /// In pages that it has told the system to take when it needs them.
    pub muzzy: u64,
    /// Of the whole process in memory.
    pub process_resident: u64,
}

impl MemoryFigures {
    /// What is no data, with `tables` bytes for the keyspace's tables.
    pub fn overhead(&self, tables: u64) -> u64 {
        self.startup + self.clients + self.log_buffers + tables
    }

    /// What is data.
    pub fn dataset(&self, tables: u64) -> u64 {
        self.used.saturating_sub(self.overhead(tables))
    }

    /// What came since the start.
    pub fn since_startup(&self) -> u64 {
        self.used.saturating_sub(self.startup)
    }
}

/// What removes values, for the directives that say who frees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// DEL (`lazyfree-lazy-user-del`).
    Del,
    /// A command that writes over a key, such as RENAME (`lazyfree-lazy-server-del`).
    Overwrite,
    /// A deadline that has come (`lazyfree-lazy-expire`).
    Expiry,
}

/// What the process knows of one connected client, as CLIENT LIST shows it.
#[derive(Clone, Debug)]
pub struct ClientInfo {
    /// Its number.
    pub id: u64,
    /// Its own address (`ip:port`, or the socket's path with `:0`).
    pub address: String,
    /// The address it connected to.
    pub local_address: String,
    /// The connection's file descriptor.
    pub fd: i32,
    /// What it says of itself.
    pub identity: Identity,
    /// Milliseconds since it connected.
    pub age_ms: u64,
    /// Milliseconds since it last sent or received something.
    pub idle_ms: u64,
    /// The worker that serves it.
    pub worker: usize,
    /// It came through a unix socket.
    pub unix_socket: bool,
    /// It is being closed.
    pub closing: bool,
    /// It waits in a blocking command.
    pub blocked: bool,
    /// The database it chose.
    pub db: u32,
    /// Protocol version: 2 or 3.
    pub resp: u8,
    /// The command it ran last.
    pub last_command: Option<&'static Row>,
    /// Bytes it sent that wait to be run.
    pub query_bytes: u64,
    /// Bytes its query buffer has free.
    pub query_free_bytes: u64,
    /// Bytes of replies that wait to be sent.
    pub output_bytes: u64,
    /// Bytes of memory it takes, its buffers included.
    pub memory_bytes: u64,
    /// Bytes it sent since it connected.
    pub total_in_bytes: u64,
    /// Bytes it was sent since it connected.
    pub total_out_bytes: u64,
    /// Commands it ran since it connected.
    pub total_commands: u64,
}

/// What a client says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user it acts as, or will once it has authenticated.
    pub user: Box<[u8]>,
    /// CLIENT SETNAME's.
    pub name: Box<[u8]>,
    /// CLIENT SETINFO's `lib-name`.
    pub lib_name: Box<[u8]>,
    /// CLIENT SETINFO's `lib-ver`.
    pub lib_ver: Box<[u8]>,
    /// CLIENT NO-EVICT is on.
    pub no_evict: bool,
    /// It is shown what others run (MONITOR).
    pub monitoring: bool,
    /// CLIENT NO-TOUCH is on.
    pub no_touch: bool,
}

impl Default for Identity {
    /// A client that has said nothing yet.
    fn default() -> Identity {
        Identity {
            user: DEFAULT_USER.into(),
            name: Box::default(),
            lib_name: Box::default(),
            lib_ver: Box::default(),
            no_evict: false,
            monitoring: false,
            no_touch: false,
        }
    }
}

/// The one user there is.
pub const DEFAULT_USER: &[u8] = b"default";

/// Which commands a pause holds up (CLIENT PAUSE).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pause {
    /// Those that may write.
    Writes,
    /// All.
    All,
}

/// How a blocked client's wait ends (CLIENT UNBLOCK).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unblock {
    /// As if its timeout had come.
    Timeout,
    /// With an error.
    Error,
}

/// How the process is to end (SHUTDOWN).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Shutdown {
    /// Write a snapshot (`SAVE`), or none (`NOSAVE`); nothing: as the configuration says.
    pub save: Option<bool>,
    /// Do not wait for replicas that lag.
    pub now: bool,
    /// End even when writing the snapshot fails.
    pub force: bool,
}

/// Whether what was asked for has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It has.
    Now,
    /// It will, when what is in its way is done.
    Later,
}

/// How a snapshot is read back (DEBUG RELOAD).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload {
    /// It is written first.
    pub save: bool,
    /// The store is emptied before it is read.
    pub flush: bool,
    /// A key that is there is replaced; otherwise it is an error.
    pub merge: bool,
}
