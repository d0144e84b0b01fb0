//! Directives about the keyspace, memory, encodings and persistence.

use super::super::value::Kind::*;
use super::{Directive, at_start, live};

const INT_MAX: i64 = i32::MAX as i64;
const NO_COMPRESSION: &str = "lists are not compressed";
const OWN_TABLE: &str = "Ebbtide's table grows a segment at a time and never rehashes";

const POLICIES: &[&str] = &[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
];

/// The rows.
#[rustfmt::skip]
pub(super) static ROWS: &[Directive] = &[
    // -- keyspace and memory ------------------------------------------------------------------
    at_start("databases", Int(1, INT_MAX), "16", "How many databases there are."),
    live("maxmemory", Memory(0, u64::MAX), "0", "Bytes the data may take; 0 for no limit."),
    live("maxmemory-policy", Word(POLICIES), "noeviction", "Which keys go when memory is short."),
    live("maxmemory-samples", Int(1, INT_MAX), "5", "How choosy eviction is: the greater, the better it picks, and the more that costs."),
    live("maxkeys", Int(0, i64::MAX), "0", "Keys that all databases together may have; 0 for no limit."),
    live("maxmemory-eviction-tenacity", Int(0, 100), "10", "How long evicting may keep clients waiting."),
    live("lfu-log-factor", Int(0, INT_MAX), "10", "How slowly the count of a key's accesses grows."),
    live("lfu-decay-time", Int(0, INT_MAX), "1", "Minutes until the count of a key's accesses goes down by one."),
    // Large collections and whole databases are always left to another thread.
    live("lazyfree-lazy-eviction", Bool, "no", "Whether another thread frees long strings that are evicted."),
    live("lazyfree-lazy-expire", Bool, "no", "Whether another thread frees long strings that expire."),
    live("lazyfree-lazy-server-del", Bool, "no", "Whether another thread frees long strings that a command replaces."),
    live("lazyfree-lazy-user-del", Bool, "no", "Whether another thread frees long strings that DEL removes."),
    live("lazyfree-lazy-user-flush", Bool, "no", "Whether FLUSHALL and FLUSHDB free in another thread when they do not say.").idle("another thread always frees what they remove"),
    at_start("hash-seed", Text, "", "Secret that the order of keys depends on.").hidden().idle("every start has a secret of its own"),
    live("activerehashing", Bool, "yes", "Whether idle time is used to rehash.").idle(OWN_TABLE),
    // Redis has it off, for there it runs in the one thread that serves; here it costs nothing while little is wasted.
    live("activedefrag", Bool, "yes", "Whether data is moved together where memory is sparse."),
    // Redis's is 100mb.
    live("active-defrag-ignore-bytes", Memory(1, i64::MAX as u64), "10mb", "Waste from which memory is defragmented."),
    live("active-defrag-threshold-lower", Int(0, 1000), "10", "Percentage of waste from which memory is defragmented."),
    live("active-defrag-threshold-upper", Int(0, 1000), "100", "Percentage of waste at which defragmentation works hardest."),
    live("active-defrag-cycle-min", Int(1, 99), "1", "Least percentage of a worker's time for defragmentation."),
    live("active-defrag-cycle-max", Int(1, 99), "25", "Most percentage of a worker's time for defragmentation."),
    // Valkey's is 500: a client may have to wait for a step.
    live("active-defrag-cycle-us", Int(0, 100_000), "300", "Microseconds one step of defragmentation takes.").hidden(),
    live("active-defrag-max-scan-fields", Int(1, i64::MAX), "1000", "Fields from which a value is defragmented in pieces.").idle("large values are always defragmented in pieces"),
    // -- encodings ----------------------------------------------------------------------------
    live("hash-max-listpack-entries", Int(0, i64::MAX), "512", "Fields a hash called listpack has at most.").alias("hash-max-ziplist-entries"),
    live("hash-max-listpack-value", Memory(0, i64::MAX as u64), "64", "Bytes of a field or value in a hash called listpack.").alias("hash-max-ziplist-value"),
    live("list-max-listpack-size", Int(i32::MIN as i64, INT_MAX), "-2", "Size of a list called listpack: items, or -1 to -5 for 4 to 64 KiB.").alias("list-max-ziplist-size"),
    live("list-compress-depth", Int(0, INT_MAX), "0", "Nodes at a list's ends that stay uncompressed; 0 for all.").idle(NO_COMPRESSION),
    live("set-max-intset-entries", Int(0, i64::MAX), "512", "Members a set called intset has at most."),
    live("set-max-listpack-entries", Int(0, i64::MAX), "128", "Members a set called listpack has at most."),
    live("set-max-listpack-value", Memory(0, i64::MAX as u64), "64", "Bytes of a member in a set called listpack."),
    live("zset-max-listpack-entries", Int(0, i64::MAX), "128", "Members a sorted set called listpack has at most.").alias("zset-max-ziplist-entries"),
    live("zset-max-listpack-value", Memory(0, i64::MAX as u64), "64", "Bytes of a member in a sorted set called listpack.").alias("zset-max-ziplist-value"),
    live("hll-sparse-max-bytes", Memory(0, i64::MAX as u64), "3000", "Bytes up to which a HyperLogLog stays sparse."),
    live("stream-node-max-bytes", Memory(0, i64::MAX as u64), "4096", "Bytes of one node of a stream."),
    live("stream-node-max-entries", Int(0, i64::MAX), "100", "Entries of one node of a stream."),
    // -- files --------------------------------------------------------------------------------
    live("dir", Directory, "ebbtide-data", "Directory for data; the default is made when it is missing, another must exist.").guarded(),
    live("dbfilename", FileName("dbfilename can't be a path, just a filename"), "dump.rdb", "File of the snapshot, in dir.").guarded(),
    live("snapshot-format", Word(&["rdb", "json"]), "rdb", "Form of the snapshot: json is for people, in dbfilename with the extension json, and written soon after each change.").guarded(),
    live("save", Save, "3600 1 300 100 60 10000", "Pairs of seconds and changes after which a snapshot is written."),
    live("stop-writes-on-bgsave-error", Bool, "yes", "Whether writes are refused after a snapshot failed."),
    live("rdb-version", Word(&["11", "10"]), "11", "Version of snapshots and of what DUMP gives: Redis 7.0 reads 10, not 11."),
    live("rdbcompression", Bool, "yes", "Whether strings in snapshots are compressed."),
    at_start("rdbchecksum", Bool, "yes", "Whether snapshots end with a checksum."),
    live("rdb-save-incremental-fsync", Bool, "yes", "Whether a snapshot is synced in steps."),
    live("rdb-del-sync-files", Bool, "no", "Whether snapshots made for replicas are removed.").idle("there are no replicas yet to make snapshots for"),
    live("rdb-version-check", Word(&["strict", "relaxed"]), "strict", "Whether newer snapshots are refused.").hidden().idle("snapshots that are newer than what is known are always refused"),
    live("rdb-key-save-delay", Int(i32::MIN as i64, INT_MAX), "0", "Microseconds that saving a key is delayed, for tests.").hidden(),
    live("key-load-delay", Int(i32::MIN as i64, INT_MAX), "0", "Microseconds that loading is delayed, for tests: once each loading-process-events-interval-bytes.").hidden(),
    live("loading-process-events-interval-bytes", Int(1024, INT_MAX), "2097152", "Bytes loaded between two delays of key-load-delay; clients are looked after all the time.").hidden(),
    live("sanitize-dump-payload", Word(&["no", "yes", "clients"]), "no", "Whether loaded values are checked in depth.").idle("whatever is loaded is checked in full"),
    live("appendonly", Bool, "yes", "Whether every change is logged to a file; the default is yes, Redis's is no."),
    at_start("appendfilename", FileName("appendfilename can't be a path, just a filename"), "appendonly.aof", "Stem of the append-only files' names."),
    at_start("appenddirname", FileName("appenddirname can't be a path, just a dirname"), "appendonlydir", "Directory of the append-only files, in dir."),
    live("appendfsync", Word(&["everysec", "always", "no"]), "everysec", "When the append-only file is synced."),
    live("no-appendfsync-on-rewrite", Bool, "no", "Whether syncing pauses while the append-only file is rewritten."),
    live("auto-aof-rewrite-percentage", Int(0, INT_MAX), "100", "Growth after which the append-only file is rewritten."),
    live("auto-aof-rewrite-min-size", Memory(0, i64::MAX as u64), "64mb", "Size below which the append-only file is not rewritten."),
    live("aof-load-truncated", Bool, "yes", "Whether an append-only file that ends early is loaded."),
    live("aof-use-rdb-preamble", Bool, "yes", "Whether an append-only file starts with a snapshot."),
    live("aof-timestamp-enabled", Bool, "no", "Whether the append-only file holds times."),
    live("aof-rewrite-incremental-fsync", Bool, "yes", "Whether rewriting syncs in steps."),
    live("aof-disable-auto-gc", Bool, "no", "Whether old append-only files are kept.").hidden().idle("old files are removed once they are of no use"),
];
