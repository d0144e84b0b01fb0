//! What the configuration says, in the types the server works with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use commands::Shutdown;
use engine::{AccessPolicy, Limits};
use persist::rdb::Version;

use super::field::Field;
use super::table::{Directive, table};
use super::value::{BufferLimit, Value};
pub use super::words::{
    Allowed, AppendFsync, Facility, LogFormat, LogLevel, LogTimes, Policy, SnapshotFormat, Supervised, Worded,
};

/// The value of every directive, by its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Values(BTreeMap<&'static str, Value>);

impl Values {
    /// Every default.
    pub fn new() -> Values {
        Values(table().map(|row| (row.name, row.default_value())).collect())
    }

    /// The value of the directive `name`.
    ///
    /// # Panics
    /// Panics when the table has no such row.
    pub fn get(&self, name: &str) -> &Value {
        match self.0.get(name) {
            Some(value) => value,
            None => panic!("no directive {name}"),
        }
    }

    /// Gives the directive of `row` a value.
    pub fn set(&mut self, row: &'static Directive, value: Value) {
        self.0.insert(row.name, value);
    }
}

impl Default for Values {
    fn default() -> Values {
        Values::new()
    }
}

macro_rules! settings {
    ($($(#[$meta:meta])* $field:ident: $type:ty = $name:literal,)*) => {
        /// The directives that have an effect. A field stands for one directive, whose row says what it means.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            $($(#[$meta])* pub $field: $type,)*
            /// Every directive, those without effect too.
            pub values: Values,
            /// Where files with relative names are; empty: where the process was started.
            base: PathBuf,
        }

        impl From<Values> for Settings {
            fn from(values: Values) -> Settings {
                let base = base(&values);
                Settings { $($field: <$type>::of($name, values.get($name)),)* values, base }
            }
        }
    };
}

settings! {
    /// Addresses to listen on.
    bind: Vec<BindAddress> = "bind",
    /// Clients of other machines are refused while no password is set.
    protected_mode: bool = "protected-mode",
    /// Who may change guarded directives.
    enable_protected_configs: Allowed = "enable-protected-configs",
    /// Who may use DEBUG.
    enable_debug_command: Allowed = "enable-debug-command",
    /// TCP port; 0: none.
    port: u16 = "port",
    /// Connections waiting to be accepted.
    tcp_backlog: u32 = "tcp-backlog",
    /// Path of the Unix socket; see [`Settings::path`].
    unixsocket: Option<PathBuf> = "unixsocket",
    /// Permissions of the Unix socket; 0: as the umask has it.
    unixsocketperm: u32 = "unixsocketperm",
    /// Seconds until an idle client is closed; 0: never.
    timeout_s: u64 = "timeout",
    /// Seconds of silence until the system probes; 0: never.
    tcp_keepalive_s: u64 = "tcp-keepalive",
    /// Most clients.
    maxclients: usize = "maxclients",
    /// Most bytes of requests waiting.
    client_query_buffer_limit_bytes: usize = "client-query-buffer-limit",
    /// Output buffer limits by class.
    client_output_buffer_limit: BufferLimits = "client-output-buffer-limit",
    /// Most bytes of an argument.
    proto_max_bulk_len_bytes: usize = "proto-max-bulk-len",
    /// The default user's password; empty: none.
    requirepass: Vec<u8> = "requirepass",
    /// Event loops, at least one.
    io_threads: Threads = "io-threads",
    /// What INFO shows as `hz`.
    hz: u32 = "hz",
    /// A background thread gives memory back to the system.
    jemalloc_bg_thread: bool = "jemalloc-bg-thread",
    /// Who is told about start and end.
    supervised: Supervised = "supervised",
    /// File for the process's number; see [`Settings::path`].
    pidfile: Option<PathBuf> = "pidfile",
    /// What SIGINT does.
    shutdown_on_sigint: Shutdown = "shutdown-on-sigint",
    /// What SIGTERM does.
    shutdown_on_sigterm: Shutdown = "shutdown-on-sigterm",
    /// Least important messages that are logged.
    loglevel: LogLevel = "loglevel",
    /// File of the log, standard output if none; see [`Settings::path`].
    logfile: Option<PathBuf> = "logfile",
    /// How a line of the log is laid out.
    log_format: LogFormat = "log-format",
    /// How the log writes times.
    log_timestamp_format: LogTimes = "log-timestamp-format",
    /// The log goes to the system's log too.
    syslog_enabled: bool = "syslog-enabled",
    /// What the process is called there.
    syslog_ident: Vec<u8> = "syslog-ident",
    /// The part of it.
    syslog_facility: Facility = "syslog-facility",
    /// The banner is shown wherever the log goes.
    always_show_logo: bool = "always-show-logo",
    /// Classes of events that are published: see [`super::events`].
    notify_keyspace_events: u32 = "notify-keyspace-events",
    /// Microseconds from which a command is slow; negative: none is.
    slowlog_log_slower_than_us: i64 = "slowlog-log-slower-than",
    /// Slow commands that are kept.
    slowlog_max_len: usize = "slowlog-max-len",
    /// Bytes from which a request is logged; negative: none is.
    commandlog_request_larger_than_bytes: i64 = "commandlog-request-larger-than",
    /// Large requests that are kept.
    commandlog_large_request_max_len: usize = "commandlog-large-request-max-len",
    /// Bytes from which a reply is logged; negative: none is.
    commandlog_reply_larger_than_bytes: i64 = "commandlog-reply-larger-than",
    /// Large replies that are kept.
    commandlog_large_reply_max_len: usize = "commandlog-large-reply-max-len",
    /// Milliseconds from which an event counts as a latency spike; 0: none does.
    latency_monitor_threshold_ms: u64 = "latency-monitor-threshold",
    /// The time of each command is recorded.
    latency_tracking: bool = "latency-tracking",
    /// Percentiles INFO shows of it.
    latency_tracking_info_percentiles: Vec<f64> = "latency-tracking-info-percentiles",
    /// How many databases there are.
    databases: u32 = "databases",
    /// Bytes the data may take; 0: no limit.
    maxmemory_bytes: u64 = "maxmemory",
    /// Which keys go when memory is short.
    maxmemory_policy: Policy = "maxmemory-policy",
    /// Keys compared to find one to evict.
    maxmemory_samples: u32 = "maxmemory-samples",
    /// How long evicting may keep clients waiting, from 0 to 100.
    maxmemory_eviction_tenacity: u32 = "maxmemory-eviction-tenacity",
    /// Bytes all clients may take together: see [`Settings::client_bytes_max`].
    maxmemory_clients: BytesOrPercent = "maxmemory-clients",
    /// Most keys in all databases; 0: no limit.
    maxkeys: u64 = "maxkeys",
    /// How slowly counts of accesses grow.
    lfu_log_factor: u32 = "lfu-log-factor",
    /// Minutes until a count of accesses goes down by one.
    lfu_decay_time_min: u32 = "lfu-decay-time",
    /// Data is moved together where memory is sparse.
    activedefrag: bool = "activedefrag",
    /// Waste from which that is done.
    active_defrag_ignore_bytes: u64 = "active-defrag-ignore-bytes",
    /// The same as a percentage of what is used.
    active_defrag_threshold_lower: u32 = "active-defrag-threshold-lower",
    /// Percentage of waste at which most is done.
    active_defrag_threshold_upper: u32 = "active-defrag-threshold-upper",
    /// Least percentage of a worker's time that it takes.
    active_defrag_cycle_min: u32 = "active-defrag-cycle-min",
    /// Most percentage of a worker's time that it takes.
    active_defrag_cycle_max: u32 = "active-defrag-cycle-max",
    /// Microseconds of a step.
    active_defrag_cycle_us: u32 = "active-defrag-cycle-us",
    /// Another thread frees what is evicted.
    lazyfree_lazy_eviction: bool = "lazyfree-lazy-eviction",
    /// Another thread frees what expires.
    lazyfree_lazy_expire: bool = "lazyfree-lazy-expire",
    /// Another thread frees what a command replaces.
    lazyfree_lazy_server_del: bool = "lazyfree-lazy-server-del",
    /// DEL frees in another thread.
    lazyfree_lazy_user_del: bool = "lazyfree-lazy-user-del",
    /// What encodings are called by: see [`Settings::limits`].
    hash_max_listpack_entries: u64 = "hash-max-listpack-entries",
    /// Likewise.
    hash_max_listpack_value: u64 = "hash-max-listpack-value",
    /// Likewise.
    list_max_listpack_size: i64 = "list-max-listpack-size",
    /// Likewise.
    set_max_intset_entries: u64 = "set-max-intset-entries",
    /// Likewise.
    set_max_listpack_entries: u64 = "set-max-listpack-entries",
    /// Likewise.
    set_max_listpack_value: u64 = "set-max-listpack-value",
    /// Likewise.
    zset_max_listpack_entries: u64 = "zset-max-listpack-entries",
    /// Likewise.
    zset_max_listpack_value: u64 = "zset-max-listpack-value",
    /// Bytes of a stream's node.
    stream_node_max_bytes: u64 = "stream-node-max-bytes",
    /// Entries of a stream's node.
    stream_node_max_entries: u64 = "stream-node-max-entries",
    /// Bytes up to which a HyperLogLog stays sparse.
    hll_sparse_max_bytes: u64 = "hll-sparse-max-bytes",
    /// Directory for data, absolute.
    dir: PathBuf = "dir",
    /// Name of the snapshot's file, in `dir`.
    dbfilename: PathBuf = "dbfilename",
    /// Form of the snapshot.
    snapshot_format: SnapshotFormat = "snapshot-format",
    /// When a snapshot is written; empty: only when somebody asks for one.
    save: Vec<SavePoint> = "save",
    /// Writes are refused after a snapshot failed.
    stop_writes_on_bgsave_error: bool = "stop-writes-on-bgsave-error",
    /// Version of snapshots and of what DUMP gives.
    rdb_version: Version = "rdb-version",
    /// Strings in snapshots are compressed.
    rdbcompression: bool = "rdbcompression",
    /// Snapshots end with a checksum.
    rdbchecksum: bool = "rdbchecksum",
    /// A snapshot is synced in steps while it is written.
    rdb_save_incremental_fsync: bool = "rdb-save-incremental-fsync",
    /// The base of a log is synced in steps while it is written.
    aof_rewrite_incremental_fsync: bool = "aof-rewrite-incremental-fsync",
    /// For tests: microseconds each key is delayed when it is saved; negative: one in so many is, by one.
    rdb_key_save_delay_us: i64 = "rdb-key-save-delay",
    /// For tests: microseconds that loading is delayed after each [`Settings::loading_interval_bytes`].
    key_load_delay_us: i64 = "key-load-delay",
    /// Bytes loaded between two of these delays.
    loading_interval_bytes: usize = "loading-process-events-interval-bytes",
    /// Every change is logged to a file.
    appendonly: bool = "appendonly",
    /// Stem of the log's file names.
    appendfilename: PathBuf = "appendfilename",
    /// Directory of the log, in `dir`.
    appenddirname: PathBuf = "appenddirname",
    /// When the log is synced.
    appendfsync: AppendFsync = "appendfsync",
    /// The log is not synced while a snapshot or a base is written.
    no_appendfsync_on_rewrite: bool = "no-appendfsync-on-rewrite",
    /// Growth in per cent after which the log is rewritten; 0: never.
    auto_aof_rewrite_percentage: u64 = "auto-aof-rewrite-percentage",
    /// Bytes below which the log is not rewritten.
    auto_aof_rewrite_min_size_bytes: u64 = "auto-aof-rewrite-min-size",
    /// A log that ends early is loaded, without what is not whole.
    aof_load_truncated: bool = "aof-load-truncated",
    /// A log begins with a snapshot.
    aof_use_rdb_preamble: bool = "aof-use-rdb-preamble",
    /// The log holds the times of what is in it.
    aof_timestamp_enabled: bool = "aof-timestamp-enabled",
}

impl Settings {
    /// Where a file named in the configuration is. Redis changes into `dir` when a file or the command line
    /// says so; this process stays where it was started, and looks for relative names there.
    pub fn path(&self, name: &Path) -> PathBuf {
        self.base.join(name)
    }

    /// Which accesses to keys are remembered.
    pub fn access_policy(&self) -> AccessPolicy {
        if self.maxmemory_policy.counts_accesses() {
            let (log_factor, decay_minutes) = (self.lfu_log_factor, self.lfu_decay_time_min);
            AccessPolicy::Lfu { log_factor, decay_minutes }
        } else {
            AccessPolicy::Lru
        }
    }

    /// Bytes all clients may take together; 0: no limit.
    pub fn client_bytes_max(&self) -> u64 {
        match self.maxmemory_clients {
            BytesOrPercent::Bytes(bytes) => bytes,
            BytesOrPercent::Percent(percent) => self.maxmemory_bytes / 100 * u64::from(percent),
        }
    }

    /// By what limits encodings go.
    pub fn limits(&self) -> Limits {
        Limits {
            hash_max_listpack_entries: self.hash_max_listpack_entries,
            hash_max_listpack_value: self.hash_max_listpack_value,
            list_max_listpack_size: self.list_max_listpack_size,
            set_max_intset_entries: self.set_max_intset_entries,
            set_max_listpack_entries: self.set_max_listpack_entries,
            set_max_listpack_value: self.set_max_listpack_value,
            zset_max_listpack_entries: self.zset_max_listpack_entries,
            zset_max_listpack_value: self.zset_max_listpack_value,
            stream_node_max_bytes: self.stream_node_max_bytes,
            stream_node_max_entries: self.stream_node_max_entries,
            hll_sparse_max_bytes: self.hll_sparse_max_bytes,
        }
    }

    /// Where the snapshot is.
    pub fn snapshot_file(&self) -> PathBuf {
        self.snapshot_file_as(self.snapshot_format)
    }

    /// Where a snapshot of the form `format` is.
    pub fn snapshot_file_as(&self, format: SnapshotFormat) -> PathBuf {
        let file = self.dir.join(&self.dbfilename);
        match format {
            SnapshotFormat::Rdb => file,
            SnapshotFormat::Json => file.with_extension("json"),
        }
    }

    /// Where the log's files are.
    pub fn log_directory(&self) -> PathBuf {
        self.dir.join(&self.appenddirname)
    }

    /// The settings of `values` when the server runs with these: files that are open stay where they are.
    pub(super) fn changed(&self, values: Values) -> Settings {
        Settings { base: self.base.clone(), ..Settings::from(values) }
    }
}

/// The directory that was given, and none if that is the default one.
fn base(values: &Values) -> PathBuf {
    let dir = values.get("dir");
    let default = super::table::find(b"dir").is_some_and(|row| row.default_value() == *dir);
    if default { PathBuf::new() } else { PathBuf::of("dir", dir) }
}

/// When a snapshot is written (`save`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// Seconds since the last one.
    pub after_s: u64,
    /// Changes since the last one.
    pub changes: u64,
}

/// A part of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BytesOrPercent {
    /// So many bytes.
    Bytes(u64),
    /// So much of `maxmemory`.
    Percent(u8),
}

/// How many event loops there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads(pub usize);

/// Output buffer limits of all classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferLimits {
    /// Of ordinary clients.
    pub normal: BufferLimit,
    /// Of replicas.
    pub replica: BufferLimit,
    /// Of clients that subscribed to something.
    pub pubsub: BufferLimit,
}

/// One address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindAddress {
    /// An address or a name; `*` for all IPv4 addresses, `::*` for all IPv6 addresses.
    pub host: String,
    /// The server starts without it when the machine does not have it.
    pub optional: bool,
}

#[cfg(test)]
mod tests {
    use super::super::table::find;
    use super::*;

    fn with(name: &str, value: &str) -> Settings {
        let row = find(name.as_bytes()).unwrap();
        let mut values = Values::new();
        let value = row.kind.read(&row.kind.split(value.as_bytes()), Some(values.get(row.name))).unwrap();
        values.set(row, value);
        Settings::from(values)
    }

    #[test]
    fn defaults_fill_every_field() {
        let settings = Settings::from(Values::new());
        assert_eq!(settings.port, 6379);
        assert_eq!(settings.proto_max_bulk_len_bytes, 512 << 20);
        assert_eq!(settings.bind[1], BindAddress { host: "::1".into(), optional: true });
        assert!(settings.io_threads.0 >= 1);
        assert!(settings.dir.is_absolute() && settings.dir.ends_with("ebbtide-data"));
        assert_eq!(settings.client_output_buffer_limit.pubsub.soft_s, 60);
        assert_eq!(settings.unixsocket, None);
        assert_eq!(settings.save[1], SavePoint { after_s: 300, changes: 100 });
        assert!(settings.log_directory().ends_with("ebbtide-data/appendonlydir"));
    }

    #[test]
    fn every_word_has_its_variant() {
        for name in [
            "maxmemory-policy",
            "loglevel",
            "enable-debug-command",
            "supervised",
            "snapshot-format",
            "rdb-version",
            "appendfsync",
        ] {
            let super::super::value::Kind::Word(words) = find(name.as_bytes()).unwrap().kind else {
                panic!()
            };
            for word in words {
                with(name, word);
            }
        }
        assert!(with("maxmemory-policy", "volatile-lfu").maxmemory_policy.counts_accesses());
        assert_eq!(with("io-threads", "3").io_threads, Threads(3));
        let shutdown = with("shutdown-on-sigterm", "nosave force").shutdown_on_sigterm;
        assert_eq!(shutdown, Shutdown { save: Some(false), now: false, force: true });
    }

    #[test]
    fn limits_are_the_engines_until_a_directive_differs() {
        let limits = Limits::default();
        assert_eq!(Settings::from(Values::new()).limits(), limits);
        let smaller = with("zset-max-ziplist-entries", "7").limits();
        assert_eq!(smaller, Limits { zset_max_listpack_entries: 7, ..limits });
        let longer = with("list-max-listpack-size", "-5").limits();
        assert_eq!(longer, Limits { list_max_listpack_size: -5, ..limits });
    }

    #[test]
    fn clients_may_take_bytes_or_a_part_of_maxmemory() {
        assert_eq!(with("maxmemory-clients", "0").client_bytes_max(), 0);
        assert_eq!(with("maxmemory-clients", "3mb").client_bytes_max(), 3 << 20);
        let mut settings = with("maxmemory", "1000mb");
        settings.maxmemory_clients = BytesOrPercent::Percent(5);
        assert_eq!(settings.client_bytes_max(), 50 << 20);
    }

    #[test]
    fn relative_files_follow_a_directory_that_was_given() {
        let name = Path::new("x.sock");
        assert_eq!(Settings::from(Values::new()).path(name), name);
        let given = with("dir", "/");
        assert_eq!(given.path(name), Path::new("/x.sock"));
        assert_eq!(given.changed(Values::new()).path(name), Path::new("/x.sock"), "and do not move later");
    }
}
