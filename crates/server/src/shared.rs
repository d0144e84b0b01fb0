//! The process as a whole: what all workers share, and what commands ask of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use commands::{
    Begun, ClientInfo, DataFigures, Error, Host, HotKey, HotKeysReport, HotKeysRequest, MemoryFigures, Pause,
    Reload, Removal, Section, Session, Shutdown, Unblock,
};
use engine::Store;
use parking_lot::Mutex;
use persist::rdb::Version;
use persist::storage::{Disk, Storage};

use crate::clients::Clients;
use crate::clock;
use crate::commandlog::CommandLogs;
use crate::config::{ConfigStore, Settings};
use crate::defrag::Defrag;
use crate::garbage::Freeing;
use crate::hotkeys::{Figures, HotKeys};
use crate::huge_pages::HugePages;
use crate::info;
use crate::latency::Latency;
use crate::memory;
use crate::monitor::Monitors;
use crate::persistence::{Obstacle, Persistence};
use crate::room::Exceeded;
use crate::stats::Stats;
use crate::usage;

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
    /// The slow log and its like.
    pub(crate) command_logs: CommandLogs,
    /// The clients that watch what runs.
    pub(crate) monitors: Monitors,
    /// The latency monitor.
    pub(crate) latency: Arc<Latency>,
    /// What the workers know of hot keys.
    pub(crate) hot_keys: HotKeys,
    /// Files of the data.
    pub(crate) persistence: Persistence,
    /// Active defragmentation.
    pub(crate) defrag: Defrag,
    /// Whether the system makes huge pages.
    huge_pages: HugePages,
    /// Twenty random bytes in hex that name this run of the process (`run_id`).
    pub run_id: String,
    /// The same kind of name for the data and its history.
    replication_id: Mutex<String>,
    /// Settings that commands ask for often.
    quick: Arc<QuickSettings>,
    /// Bytes allocated when the process had started.
    startup_bytes: AtomicU64,
    peak_bytes: AtomicU64,
    access_denials: AtomicU64,
    /// What the thread that frees has before it.
    pub(crate) freeing: Freeing,
    /// Bytes that workers are about to allocate, while memory is limited.
    pub(crate) announced_bytes: AtomicI64,
    /// How long more was allocated than may be.
    pub(crate) exceeded: Exceeded,
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
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(store: Store, config: Arc<ConfigStore>, workers: usize) -> io::Result<Shared> {
        Shared::on(Arc::new(Disk), store, config, workers)
    }

    /// The same with its files on `storage`.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn on(
        storage: Arc<dyn Storage>,
        store: Store,
        config: Arc<ConfigStore>,
        workers: usize,
    ) -> io::Result<Shared> {
        let settings = config.settings();
        let quick = Arc::new(QuickSettings::default());
        quick.follow(&settings);
        let follower = Arc::clone(&quick);
        let follow = move |_: &Settings, new: &Settings| {
            follower.follow(new);
            Ok(())
        };
        config.on_change(QuickSettings::DIRECTIVES, Box::new(follow));
        Ok(Shared {
            store,
            clients: Clients::default(),
            stats: Stats::new(workers),
            command_logs: CommandLogs::default(),
            monitors: Monitors::default(),
            latency: Latency::new(&config),
            hot_keys: HotKeys::new(workers, clock::now_ms()),
            persistence: Persistence::new(storage, workers),
            defrag: Defrag::default(),
            huge_pages: HugePages::new(),
            run_id: random_id()?,
            replication_id: Mutex::new(random_id()?),
            quick,
            startup_bytes: AtomicU64::new(0),
            peak_bytes: AtomicU64::new(0),
            access_denials: AtomicU64::new(0),
            freeing: Freeing::default(),
            announced_bytes: AtomicI64::new(0),
            exceeded: Exceeded::default(),
            started_us: clock::now_us(),
            port: settings.port,
            config,
            loads: (0..workers).map(|_| AtomicUsize::new(0)).collect(),
            dirty: AtomicU64::new(0),
            expires: AtomicBool::new(true),
            end: Mutex::new(None),
        })
    }

    /// Sets what SHUTDOWN calls.
    pub fn on_end(&self, end: EndProcess) {
        *self.end.lock() = Some(end);
    }

    /// Ends the process, whatever is not kept yet.
    pub(crate) fn end(&self, request: Shutdown) {
        if let Some(end) = &*self.end.lock() {
            end(request);
        }
    }

    /// Says that all is in place to serve clients.
    pub(crate) fn has_started(&self) {
        self.startup_bytes.store(memory::used_bytes(), Ordering::Relaxed);
    }

    /// Bytes allocated when the process had started.
    pub(crate) fn startup_bytes(&self) -> u64 {
        self.startup_bytes.load(Ordering::Relaxed)
    }

    /// The worker with the fewest connections, which now has one more.
    pub(crate) fn next_worker(&self) -> usize {
        let load = |i: &usize| self.loads[*i].load(Ordering::Relaxed);
        let worker = (0..self.loads.len()).min_by_key(load).unwrap_or(0);
        self.loads[worker].fetch_add(1, Ordering::Relaxed);
        worker
    }

    /// How many connections each worker has.
    pub(crate) fn loads(&self) -> impl Iterator<Item = usize> {
        self.loads.iter().map(|load| load.load(Ordering::Relaxed))
    }

    /// Says that `worker` has one connection less.
    pub(crate) fn worker_lost(&self, worker: usize) {
        self.loads[worker].fetch_sub(1, Ordering::Relaxed);
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

    /// Notes that a snapshot holds the first `changes` of them.
    pub(crate) fn saved(&self, changes: u64) {
        let rest = |dirty: u64| Some(dirty.saturating_sub(changes));
        // Fails only when the closure gives nothing, which it never does.
        let _ = self.dirty.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest);
    }

    /// Whether expired keys that nobody asks for are removed: not while files are loaded that may be about them.
    #[inline]
    pub(crate) fn expiry_is_on(&self) -> bool {
        self.expires.load(Ordering::Relaxed) && !self.persistence.gate.has(Obstacle::Loading)
    }

    /// Takes a sample of the counters, for rates.
    pub(crate) fn sample(&self, now_ms: i64) {
        self.stats.sample(now_ms);
        self.hot_keys.end_due(now_ms, || Figures::now(&self.stats));
        self.persistence.follow_log(&self.config.settings(), &self.clients, now_ms);
        self.defrag.follow(&self.config.settings(), now_ms);
        self.huge_pages.follow(now_ms);
    }

    /// Notes that `allocated_bytes` are allocated now; the most that ever were.
    pub(crate) fn note_memory(&self, allocated_bytes: u64) -> u64 {
        // It is mostly below: then nothing is written that other workers would have to fetch again.
        match self.peak_bytes.load(Ordering::Relaxed) {
            peak if peak >= allocated_bytes => peak,
            _ => self.peak_bytes.fetch_max(allocated_bytes, Ordering::Relaxed).max(allocated_bytes),
        }
    }

    /// Bytes of what is used that `maxmemory` leaves out: eviction could not lower them, and would add to them.
    pub(crate) fn not_counted_bytes(&self) -> u64 {
        self.persistence.log.buffer_bytes()
    }

    /// Attempts to authenticate that failed.
    pub(crate) fn access_denials(&self) -> u64 {
        self.access_denials.load(Ordering::Relaxed)
    }

    /// The name of the data's history.
    pub(crate) fn replication_id(&self) -> String {
        self.replication_id.lock().clone()
    }

    /// Whether the client of `session` is on this machine: what `local` in the configuration means.
    fn is_local(&self, session: &Session) -> bool {
        self.clients.get(session.id).is_some_and(|entry| entry.is_local())
    }
}

impl Host for Shared {
    fn bulk_bytes_max(&self) -> usize {
        self.quick.bulk_bytes_max.load(Ordering::Relaxed)
    }

    fn now_us(&self) -> i64 {
        clock::now_us()
    }

    fn frees_later(&self, removal: Removal) -> bool {
        self.quick.frees_later[removal as usize].load(Ordering::Relaxed)
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
        // Where none is wanted, any fits.
        std::hint::black_box(differences) == 0 && (wanted.len() == password.len() || wanted.is_empty())
    }

    fn access_denied(&self) {
        self.access_denials.fetch_add(1, Ordering::Relaxed);
    }

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

    fn info_section(&self, section: Section, data: &DataFigures, out: &mut String) {
        info::section(self, section, data, out);
    }

    fn memory(&self) -> MemoryFigures {
        usage::memory(self)
    }

    fn purge_memory(&self) -> Result<(), Error> {
        usage::purge().map_err(|_| Error::Text("ERR Error purging dirty pages"))
    }

    fn allocator_report(&self) -> String {
        usage::allocator_report()
    }

    fn shut_down(&self, request: Shutdown) -> Result<(), Error> {
        self.persistence.prepare_end(self, request)?;
        self.end(request);
        Ok(())
    }

    fn abort_shut_down(&self) -> Result<(), Error> {
        Err(Error::Text("ERR No shutdown in progress."))
    }

    fn save(&self) -> Result<(), Error> {
        self.persistence.save(self)
    }

    fn save_in_background(&self, schedule: bool) -> Result<Begun, Error> {
        self.persistence.save_in_background(schedule)
    }

    fn cancel_save(&self) -> Result<Begun, Error> {
        self.persistence.cancel_save()
    }

    fn rdb_version(&self) -> Version {
        self.config.settings().rdb_version
    }

    fn last_save_s(&self) -> i64 {
        self.persistence.last_save_s()
    }

    fn rewrite_log(&self) -> Result<Begun, Error> {
        self.persistence.rewrite_log()
    }

    fn flushed(&self) {
        self.persistence.flushed(&self.config.settings());
    }

    fn reload(&self, how: Reload) -> Result<(), Error> {
        self.persistence.reload(self, how)
    }

    fn load_log(&self) -> Result<(), Error> {
        self.persistence.load_log(self)
    }

    fn config_get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.config.get(patterns)
    }

    fn config_set(&self, session: &Session, pairs: &[(&[u8], &[u8])]) -> Result<(), Error> {
        self.config.set(pairs, self.is_local(session)).map_err(|error| Error::Message(error.to_string()))
    }

    fn config_rewrite(&self) -> Result<(), Error> {
        self.config.rewrite().map_err(|error| Error::Message(error.to_string()))
    }

    fn config_rewrite_all(&self) -> Result<(), Error> {
        self.config.rewrite_all().map_err(|error| Error::Message(error.to_string()))
    }

    fn reset_stats(&self) {
        self.stats.reset();
        self.defrag.reset();
        self.access_denials.store(0, Ordering::Relaxed);
        self.freeing.reset();
        self.exceeded.reset();
        self.clients.memory.reset();
    }

    fn hotkeys_start(&self, request: HotKeysRequest) -> Result<(), Error> {
        self.hot_keys.start(request, Figures::now(&self.stats))
    }

    fn hotkeys_stop(&self) -> bool {
        self.hot_keys.stop(Figures::now(&self.stats))
    }

    fn hotkeys_reset(&self) -> Result<(), Error> {
        self.hot_keys.reset(Figures::now(&self.stats))
    }

    fn hotkeys(&self) -> Option<HotKeysReport> {
        self.hot_keys.report(Figures::now(&self.stats))
    }

    fn hotkeys_top(&self, count: usize) -> Vec<HotKey<f64>> {
        self.hot_keys.top(count, clock::now_ms())
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

    fn change_replication_id(&self) -> Result<(), Error> {
        let id = random_id().map_err(|error| Error::Message(format!("ERR {error}")))?;
        *self.replication_id.lock() = id;
        Ok(())
    }

    fn log(&self, line: &str) {
        tracing::info!("DEBUG LOG: {line}");
    }
}

/// Settings that commands ask for so often that a lock would show: each a relaxed load.
#[derive(Debug, Default)]
struct QuickSettings {
    bulk_bytes_max: AtomicUsize,
    /// By [`Removal`].
    frees_later: [AtomicBool; 3],
}

impl QuickSettings {
    const DIRECTIVES: &[&str] =
        &["proto-max-bulk-len", "lazyfree-lazy-user-del", "lazyfree-lazy-server-del", "lazyfree-lazy-expire"];

    fn follow(&self, settings: &Settings) {
        self.bulk_bytes_max.store(settings.proto_max_bulk_len_bytes, Ordering::Relaxed);
        for (removal, later) in [
            (Removal::Del, settings.lazyfree_lazy_user_del),
            (Removal::Overwrite, settings.lazyfree_lazy_server_del),
            (Removal::Expiry, settings.lazyfree_lazy_expire),
        ] {
            self.frees_later[removal as usize].store(later, Ordering::Relaxed);
        }
    }
}

/// Twenty random bytes in hex.
fn random_id() -> io::Result<String> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::ffi::OsString;

    use engine::Options;

    use super::*;
    use crate::clients::Connected;
    use crate::config::load;

    pub(crate) fn shared(args: &[&str]) -> Shared {
        let config = ConfigStore::new(load(args.iter().map(OsString::from)).unwrap());
        let store = Store::new(&Options { databases: 16, secret: 1, groups: 2 });
        Shared::new(store, Arc::new(config), 2).unwrap()
    }

    fn session(shared: &Shared, address: &str) -> Session {
        let connected = Connected { address: address.into(), ..Connected::default() };
        Session::new(shared.clients.register(connected).id, true)
    }

    #[test]
    fn passwords_fit_or_do_not() {
        assert!(!shared(&[]).password_wanted() && shared(&[]).password_fits(b"any"));
        let shared = shared(&["--requirepass", "secret"]);
        assert!(shared.password_wanted());
        let fits = |password: &str| shared.password_fits(password.as_bytes());
        assert!(fits("secret"));
        assert!(["", "s", "secreT", "secret1", "Secret", "secret\0"].iter().all(|wrong| !fits(wrong)));
    }

    #[test]
    fn often_needed_settings_follow_the_configuration() {
        let shared = shared(&[]);
        let here = session(&shared, "127.0.0.1:5");
        assert!(!shared.frees_later(Removal::Overwrite));
        let pairs: [(&[u8], &[u8]); 2] =
            [(b"lazyfree-lazy-server-del", b"yes"), (b"proto-max-bulk-len", b"2mb")];
        shared.config_set(&here, &pairs).unwrap();
        assert!(shared.frees_later(Removal::Overwrite) && !shared.frees_later(Removal::Del));
        assert_eq!(shared.bulk_bytes_max(), 2 << 20);
    }

    #[test]
    fn what_is_for_local_clients_is_refused_to_others() {
        let shared = shared(&["--enable-debug-command", "local"]);
        let (here, there) = (session(&shared, "[::1]:5"), session(&shared, "192.0.2.1:5"));
        assert!(shared.debug_allowed(&here) && !shared.debug_allowed(&there));
    }

    #[test]
    fn every_info_section_is_lines_of_field_and_value() {
        let shared = shared(&[]);
        let worker = shared.stats.worker(0);
        let row = commands::find_row(b"get").unwrap();
        worker.ran(row, 3000, 2, true);
        worker.failed(row, "WRONGTYPE x");
        let section = |section| {
            let mut text = String::new();
            shared.info_section(section, &DataFigures::default(), &mut text);
            for line in text.lines() {
                assert!(line.split_once(':').is_some_and(|(field, _)| !field.is_empty()), "{line}");
            }
            assert!(text.is_empty() || text.ends_with("\r\n"));
            text
        };
        assert!(section(Section::Server).contains("redis_version:7.2.4\r\nebbtide_version:"));
        assert!(section(Section::Clients).starts_with("connected_clients:0\r\n"));
        assert!(section(Section::Memory).contains("\r\nmaxmemory_policy:noeviction\r\n"));
        assert!(section(Section::Stats).contains("\r\ntotal_commands_processed:2\r\n"));
        assert!(section(Section::Persistence).contains("\r\nrdb_changes_since_last_save:0\r\n"));
        assert!(
            section(Section::Replication).contains(&format!("master_replid:{}", shared.replication_id()))
        );
        assert!(section(Section::Cpu).contains("used_cpu_user:"));
        assert_eq!(
            section(Section::CommandStats),
            "cmdstat_get:calls=2,usec=3,usec_per_call=1.50,rejected_calls=0,failed_calls=1\r\n"
        );
        assert_eq!(section(Section::ErrorStats), "errorstat_WRONGTYPE:count=1\r\n");
        assert_eq!(
            section(Section::LatencyStats),
            "latency_percentiles_usec_get:p50=1.500,p99=1.500,p99.9=1.500\r\n"
        );
        assert_eq!(section(Section::Cluster), "cluster_enabled:0\r\n");
        worker.read(1);
        let threads = "io_thread_0:clients=0,reads=1,writes=0\r\nio_thread_1:clients=0,reads=0,writes=0\r\n";
        assert_eq!(section(Section::Threads), threads);
        shared.reset_stats();
        assert_eq!(section(Section::CommandStats), "");
    }
}
