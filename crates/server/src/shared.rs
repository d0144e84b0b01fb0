//! The process as a whole: what all workers share, and what commands ask of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use commands::{ClientInfo, Error, Host, Pause, Removal, Session, Shutdown, Unblock};
use engine::Store;
use parking_lot::Mutex;

use crate::clients::Clients;
use crate::clock;
use crate::config::ConfigStore;
use crate::stats::Stats;

/// Called once when the process is to end.
pub type EndProcess = Box<dyn Fn(Shutdown) + Send + Sync>;

/// What all threads of the server share.
pub struct Shared {
    /// The data.
    pub store: Store,
    /// The configuration.
    pub config: Arc<ConfigStore>,
    /// The connected clients.
    pub clients: Clients,
    /// The workers' counters.
    pub stats: Stats,
    /// Twenty random bytes in hex that name this run of the process (`run_id`).
    pub run_id: String,
    /// When the process started, in microseconds since the Unix epoch.
    pub started_us: i64,
    /// Where it listens on TCP; 0: nowhere.
    pub port: u16,
    /// Connections each worker has.
    loads: Box<[AtomicUsize]>,
    /// Changes since the last snapshot.
    dirty: AtomicU64,
    /// Whether expired keys that nobody asks for are removed.
    expires: AtomicBool,
    end: Mutex<Option<EndProcess>>,
}

impl Shared {
    /// The process at its start, with `workers` workers.
    pub fn new(store: Store, config: Arc<ConfigStore>, workers: usize, run_id: String) -> Shared {
        Shared {
            store,
            clients: Clients::default(),
            stats: Stats::new(workers),
            run_id,
            started_us: clock::now_us(),
            port: config.settings().port,
            config,
            loads: (0..workers).map(|_| AtomicUsize::new(0)).collect(),
            dirty: AtomicU64::new(0),
            expires: AtomicBool::new(true),
            end: Mutex::new(None),
        }
    }

    /// Sets what SHUTDOWN calls.
    pub fn on_end(&self, end: EndProcess) {
        *self.end.lock() = Some(end);
    }

    /// The worker with the fewest connections, which now has one more.
    pub(crate) fn next_worker(&self) -> usize {
        let load = |i: &usize| self.loads[*i].load(Ordering::Relaxed);
        let worker = (0..self.loads.len()).min_by_key(load).unwrap_or(0);
        self.loads[worker].fetch_add(1, Ordering::Relaxed);
        worker
    }

    /// Says that `worker` has one connection less.
    pub(crate) fn worker_lost(&self, worker: usize) {
        self.loads[worker].fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether a client is on this machine: what `local` in the configuration means.
    fn is_local(&self, session: &Session) -> bool {
        let loopback = |address: &str| address.parse().is_ok_and(|at: SocketAddr| at.ip().is_loopback());
        self.client(session.id).is_some_and(|client| client.unix_socket || loopback(&client.address))
    }

    /// Adds to the changes since the last snapshot.
    #[inline]
    pub(crate) fn add_dirty(&self, changes: u64) {
        if changes > 0 {
            self.dirty.fetch_add(changes, Ordering::Relaxed);
        }
    }

    /// Changes since the last snapshot.
    pub fn dirty(&self) -> u64 {
        self.dirty.load(Ordering::Relaxed)
    }

    /// Whether expired keys that nobody asks for are removed.
    #[inline]
    pub(crate) fn expiry_is_on(&self) -> bool {
        self.expires.load(Ordering::Relaxed)
    }

    /// Takes a sample of the counters, for rates.
    pub(crate) fn sample(&self, now_ms: i64) {
        self.stats.sample(now_ms);
    }
}

impl Host for Shared {
    fn bulk_bytes_max(&self) -> usize {
        self.config.settings().proto_max_bulk_len_bytes
    }

    fn now_us(&self) -> i64 {
        clock::now_us()
    }

    fn frees_later(&self, removal: Removal) -> bool {
        let settings = self.config.settings();
        match removal {
            Removal::Del => settings.lazyfree_lazy_user_del,
            Removal::Flush => settings.lazyfree_lazy_user_flush,
            Removal::Overwrite => settings.lazyfree_lazy_server_del,
            Removal::Expiry => settings.lazyfree_lazy_expire,
        }
    }

    fn password_wanted(&self) -> bool {
        !self.config.settings().requirepass.is_empty()
    }

    fn password_fits(&self, password: &[u8]) -> bool {
        let settings = self.config.settings();
        let wanted = &settings.requirepass;
        // Every byte of the wanted one is compared, whatever the others were.
        let other = |i: usize| password.get(i).copied().unwrap_or(0);
        let differences = wanted.iter().enumerate().fold(0, |sum, (i, &byte)| sum | (byte ^ other(i)));
        std::hint::black_box(differences) == 0 && wanted.len() == password.len()
    }

    fn access_denied(&self) {}

    fn client_changed(&self, session: &Session) {
        self.clients.identify(session.id, session.identity());
    }

    fn client(&self, id: u64) -> Option<ClientInfo> {
        self.clients.info(id, clock::now_ms())
    }

    fn each_client(&self, visit: &mut dyn FnMut(&ClientInfo)) {
        self.clients.each(clock::now_ms(), visit);
    }

    fn close_client(&self, id: u64) -> bool {
        self.clients.kill(id)
    }

    fn unblock_client(&self, id: u64, how: Unblock) -> bool {
        self.clients.unblock(id, how)
    }

    fn pause_clients(&self, until_ms: i64, what: Pause) {
        self.clients.set_pause(clock::now_ms(), until_ms, what);
    }

    fn unpause_clients(&self) {
        self.clients.end_pause();
    }

    fn info_section(&self, _section: &str, _out: &mut String) -> bool {
        false
    }

    fn shut_down(&self, request: Shutdown) -> Result<(), Error> {
        if let Some(end) = &*self.end.lock() {
            end(request);
        }
        Ok(())
    }

    fn abort_shut_down(&self) -> Result<(), Error> {
        Err(Error::Text("ERR No shutdown in progress."))
    }

    fn config_get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.config.get(patterns)
    }

    fn config_set(&self, session: &Session, pairs: &[(&[u8], &[u8])]) -> Result<(), Error> {
        let local = self.is_local(session);
        self.config.set(pairs, local).map_err(|error| Error::Message(error.to_string()))
    }

    fn config_rewrite(&self) -> Result<(), Error> {
        self.config.rewrite().map_err(|error| Error::Message(error.to_string()))
    }

    fn reset_stats(&self) {
        self.stats.reset();
    }

    fn debug_allowed(&self, session: &Session) -> bool {
        self.config.settings().enable_debug_command.permits(self.is_local(session))
    }

    #[allow(clippy::disallowed_methods, reason = "DEBUG SLEEP holds up a worker on purpose")]
    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn set_active_expire(&self, on: bool) {
        self.expires.store(on, Ordering::Relaxed);
    }

    fn log(&self, line: &str) {
        tracing::info!("DEBUG LOG: {line}");
    }
}
