//! Directives about clients, the network, threads, the log and the process.

use super::super::value::Kind::*;
use super::{Directive, at_start, live};

const INT_MAX: i64 = i32::MAX as i64;
const NO_TLS: &str = "TLS is not built yet";
const NO_RDMA: &str = "there is no RDMA";
const NO_PINNING: &str = "threads are not pinned, taskset can do it";
const NO_MODULES: &str = "there are no modules";
const NO_ACL: &str = "access control lists are not built yet";
const ON_ITS_OWN: &str = "its event loops adapt on their own";
const NO_SCRIPTS: &str = "scripts are not built yet";

const LOCAL: &[&str] = &["no", "yes", "local"];
const SHUTDOWN: &[&str] = &["default", "save", "nosave", "now", "force"];
const FACILITIES: &[&str] =
    &["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"];

/// The rows.
#[rustfmt::skip]
pub(super) static ROWS: &[Directive] = &[
    // -- network ------------------------------------------------------------------------------
    live("bind", List, "127.0.0.1 -::1", "Addresses to listen on, `*` for all; a `-` before one says that it may be missing. The default is loopback only."),
    live("bind-source-addr", Text, "", "Address that connections to other servers start from.").idle("there are no outgoing connections yet"),
    live("protected-mode", Bool, "yes", "Refuses clients from other machines while no password is set."),
    at_start("enable-protected-configs", Word(LOCAL), "no", "Who may change guarded directives such as dir: nobody, everybody, or clients on this machine."),
    at_start("enable-debug-command", Word(LOCAL), "no", "Who may run DEBUG."),
    at_start("enable-module-command", Word(LOCAL), "no", "Who may run MODULE.").idle(NO_MODULES),
    live("port", Int(0, 65535), "6379", "TCP port to listen on; 0 for none."),
    live("http-port", Int(0, 65535), "0", "TCP port for the HTTP API; 0 for none.").idle("the HTTP API is not built yet"),
    at_start("tcp-backlog", Int(0, INT_MAX), "511", "Connections the system keeps waiting to be accepted."),
    at_start("unixsocket", Text, "", "Path of a Unix socket to listen on as well."),
    at_start("unixsocketperm", Octal(0o777), "0", "Permissions of the Unix socket in octal; 0 leaves them to the umask."),
    at_start("unixsocketgroup", Text, "", "Group that owns the Unix socket.").hidden().idle("the socket keeps the group of the server"),
    live("timeout", Int(0, INT_MAX), "0", "Seconds after which an idle client is closed; 0 for never."),
    live("tcp-keepalive", Int(0, INT_MAX), "300", "Seconds of silence before the system probes a connection; 0 for never."),
    at_start("socket-mark-id", Int(0, u32::MAX as i64), "0", "Mark for packets, to be used by filters.").idle("packets are not marked"),
    at_start("mptcp", Bool, "no", "Listens with multipath TCP.").hidden().idle("plain TCP is used"),
    live("maxclients", Int(1, u32::MAX as i64), "10000", "Most clients at the same time."),
    live("max-new-connections-per-cycle", Int(1, 1000), "10", "Connections accepted before others are served.").hidden().idle(ON_ITS_OWN),
    live("max-new-tls-connections-per-cycle", Int(1, 1000), "1", "TLS connections accepted before others are served.").hidden().idle(NO_TLS),
    live("client-query-buffer-limit", Memory(1 << 20, i64::MAX as u64), "1gb", "Most bytes of requests a client may have waiting."),
    live("client-output-buffer-limit", BufferLimits, "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60", "Replies a client may leave waiting: hard limit, soft limit, and seconds over the soft one, by class."),
    live("proto-max-bulk-len", Memory(1 << 20, i64::MAX as u64), "512mb", "Most bytes of one argument, and of a string."),
    live("maxmemory-clients", MemoryOrPercent, "0", "Memory all clients together may take before the biggest is closed; 0 for no limit."),
    at_start("client-default-resp", Int(2, 3), "2", "Protocol version of new connections.").hidden().idle("clients choose with HELLO"),
    at_start("rdma-bind", Text, "", "Addresses to listen on with RDMA.").hidden().idle(NO_RDMA),
    at_start("rdma-port", Int(0, 65535), "0", "Port to listen on with RDMA; 0 for none.").hidden().idle(NO_RDMA),
    at_start("rdma-rx-size", Memory(64 << 10, 16 << 20), "1mb", "Bytes of an RDMA connection's buffer.").hidden().idle(NO_RDMA),
    at_start("rdma-completion-vector", Int(-1, 1024), "-1", "Vector that RDMA completions arrive at.").hidden().idle(NO_RDMA),
    // -- TLS ----------------------------------------------------------------------------------
    live("tls-port", Int(0, 65535), "0", "TCP port to listen on with TLS; 0 for none.").idle("TLS is not built yet, nothing listens on this port"),
    live("tls-cert-file", Text, "", "File of the server's certificate.").idle(NO_TLS),
    live("tls-key-file", Text, "", "File of the server's key.").idle(NO_TLS),
    live("tls-key-file-pass", Text, "", "Password of the server's key.").secret().idle(NO_TLS),
    live("tls-client-cert-file", Text, "", "File of the certificate for connections to others.").idle(NO_TLS),
    live("tls-client-key-file", Text, "", "File of the key for connections to others.").idle(NO_TLS),
    live("tls-client-key-file-pass", Text, "", "Password of the key for connections to others.").secret().idle(NO_TLS),
    live("tls-dh-params-file", Text, "", "File of Diffie-Hellman parameters.").idle(NO_TLS),
    live("tls-ca-cert-file", Text, "", "File of the authority's certificates.").idle(NO_TLS),
    live("tls-ca-cert-dir", Text, "", "Directory of the authority's certificates.").idle(NO_TLS),
    live("tls-auth-clients", Word(&["no", "yes", "optional"]), "yes", "Whether clients must show a certificate.").idle(NO_TLS),
    live("tls-auth-clients-user", Word(&["off", "cn", "uri"]), "off", "Part of a client's certificate that names its user.").hidden().idle(NO_TLS),
    live("tls-replication", Bool, "no", "Whether replicas use TLS.").idle(NO_TLS),
    live("tls-cluster", Bool, "no", "Whether the cluster's bus uses TLS.").idle(NO_TLS),
    live("tls-protocols", Text, "", "Versions of TLS that are allowed.").idle(NO_TLS),
    live("tls-ciphers", Text, "", "Ciphers for TLS up to 1.2.").idle(NO_TLS),
    live("tls-ciphersuites", Text, "", "Ciphers for TLS 1.3.").idle(NO_TLS),
    live("tls-prefer-server-ciphers", Bool, "no", "Whether the server's order of ciphers wins.").idle(NO_TLS),
    live("tls-session-caching", Bool, "yes", "Whether TLS sessions can be resumed.").idle(NO_TLS),
    live("tls-session-cache-size", Int(0, INT_MAX), "20480", "How many TLS sessions are kept.").idle(NO_TLS),
    live("tls-session-cache-timeout", Int(0, INT_MAX), "300", "Seconds a TLS session is kept.").idle(NO_TLS),
    live("tls-auto-reload-interval", Int(0, INT_MAX), "0", "Seconds between looks at changed certificates.").hidden().idle(NO_TLS),
    // -- security -----------------------------------------------------------------------------
    live("requirepass", Text, "", "Password of the default user; empty: none is asked for.").secret(),
    at_start("aclfile", Text, "", "File of users.").idle(NO_ACL),
    live("acllog-max-len", Int(0, i64::MAX), "128", "How many refusals ACL LOG keeps.").idle(NO_ACL),
    live("acl-pubsub-default", Word(&["allchannels", "resetchannels"]), "resetchannels", "Channels a new user may use.").idle(NO_ACL),
    // -- threads and time ---------------------------------------------------------------------
    at_start("io-threads", Int(0, 128), "0", "How many event loops run commands; 0, the default: as many as there are cores."),
    live("events-per-io-thread", Int(0, INT_MAX), "2", "Events that wake one more thread.").hidden().idle(ON_ITS_OWN),
    live("min-io-threads-avoid-copy-reply", Int(0, INT_MAX), "7", "Threads from which replies are not copied.").hidden().idle(ON_ITS_OWN),
    live("min-string-size-avoid-copy-reply", Int(0, INT_MAX), "16384", "Bytes from which replies are not copied.").hidden().idle(ON_ITS_OWN),
    live("min-string-size-avoid-copy-reply-threaded", Int(0, INT_MAX), "65536", "Bytes from which replies are not copied when threads write.").hidden().idle(ON_ITS_OWN),
    live("prefetch-batch-max-size", Int(0, 128), "16", "Most requests whose keys are fetched ahead.").hidden().idle(ON_ITS_OWN),
    live("hz", Near(1, 500), "10", "How often a second Redis does its housekeeping.").idle("housekeeping has its own pace and expiry is exact"),
    live("dynamic-hz", Bool, "yes", "Whether housekeeping runs more often with many clients.").idle(ON_ITS_OWN),
    live("active-expire-effort", Int(1, 10), "1", "How hard Redis looks for expired keys.").idle("keys expire on the millisecond whatever it says"),
    at_start("server-cpulist", Text, "", "Cores for the event loops.").alias("server_cpulist").idle(NO_PINNING),
    at_start("bio-cpulist", Text, "", "Cores for background threads.").alias("bio_cpulist").idle(NO_PINNING),
    at_start("aof-rewrite-cpulist", Text, "", "Cores for rewriting the append-only file.").alias("aof_rewrite_cpulist").idle(NO_PINNING),
    at_start("bgsave-cpulist", Text, "", "Cores for saving.").alias("bgsave_cpulist").idle(NO_PINNING),
    live("jemalloc-bg-thread", Bool, "yes", "Whether a background thread gives freed memory back to the system."),
    at_start("disable-thp", Bool, "yes", "Turns transparent huge pages off for the process.").idle("nothing forks here; huge pages are used while memory is dense"),
    live("oom-score-adj", Word(&["no", "yes", "relative", "absolute"]), "no", "Whether the kernel is told whom to kill first.").idle("the system's score is left alone"),
    live("oom-score-adj-values", OomScores, "0 200 800", "Scores of primary, replica and children.").idle("the system's score is left alone"),
    // -- the process --------------------------------------------------------------------------
    at_start("daemonize", Bool, "no", "Whether Redis goes to the background.").idle("the server stays in the foreground, where a supervisor such as systemd can watch it"),
    at_start("supervised", Word(&["upstart", "systemd", "auto", "no"]), "no", "Who is told when the server is ready and when it ends; upstart is not."),
    at_start("pidfile", Text, "", "File the process's number is written to."),
    at_start("set-proc-title", Bool, "yes", "Whether the process's title shows what it serves.").idle("the title stays the command line"),
    live("proc-title-template", Title, "{title} {listen-addr} {server-mode}", "What the process's title looks like.").idle("the title stays the command line"),
    live("locale-collate", Text, "", "Locale that text is compared by.").idle("text is compared byte by byte"),
    live("shutdown-timeout", Int(0, INT_MAX), "10", "Seconds a shutdown waits for replicas.").idle("there are no replicas to wait for yet"),
    live("shutdown-on-sigint", Words(SHUTDOWN), "default", "What SIGINT does."),
    live("shutdown-on-sigterm", Words(SHUTDOWN), "default", "What SIGTERM does."),
    live("crash-log-enabled", Bool, "yes", "Whether a crash is explained in the log.").idle("a panic is always explained on stderr"),
    live("crash-memcheck-enabled", Bool, "yes", "Whether a crash tests the memory.").idle("memory is not tested"),
    live("use-exit-on-panic", Bool, "no", "Whether a panic exits instead of aborting.").hidden().idle("a panic aborts"),
    at_start("enable-debug-assert", Bool, "no", "Whether debug assertions run.").hidden().idle("a debug build has them"),
    live("debug-context", Text, "", "A remark for crash reports.").hidden().idle("no crash report shows it"),
    live("watchdog-period", Int(0, INT_MAX), "0", "Milliseconds after which a slow loop is reported.").hidden().idle("there is no watchdog"),
    at_start("req-res-logfile", Text, "", "File that requests and replies are logged to.").hidden().idle("requests are not logged"),
    live("ignore-warnings", Text, "", "Warnings about the system to be ignored.").idle("the system is not examined"),
    live("extended-redis-compatibility", Bool, "no", "Whether the server calls itself Redis.").hidden().idle("it always answers as Redis 7.2 where clients ask"),
    live("availability-zone", Text, "", "Zone the machine is in, for clients that prefer a near one.").hidden().idle("it is not told to clients yet"),
    live("propagation-error-behavior", Word(&["ignore", "panic", "panic-on-replicas"]), "ignore", "What happens when an effect cannot be applied.").idle("there are no replicas yet"),
    // -- the log ------------------------------------------------------------------------------
    live("loglevel", Word(&["debug", "verbose", "notice", "warning", "nothing"]), "notice", "The least important messages that are logged."),
    at_start("logfile", Text, "", "File the log goes to; empty: standard output."),
    at_start("always-show-logo", Bool, "no", "Whether the banner is shown even when the log is no terminal."),
    live("log-format", Word(&["legacy", "logfmt", "json"]), "legacy", "How a line of the log is laid out: as Redis does it, as keys and values, or as a JSON object.").hidden(),
    live("log-timestamp-format", Word(&["legacy", "iso8601", "milliseconds"]), "legacy", "How the log writes times.").hidden(),
    live("hide-user-data-from-log", Bool, "no", "Whether keys and values are kept out of the log.").hidden().idle("they are always kept out"),
    at_start("syslog-enabled", Bool, "no", "Whether the log goes to the system log too."),
    at_start("syslog-ident", Text, "redis", "Name in the system log."),
    at_start("syslog-facility", Word(FACILITIES), "local0", "Facility in the system log."),
    // -- watching -----------------------------------------------------------------------------
    live("notify-keyspace-events", Events, "", "Classes of events that are published, as letters.").idle("events are not published yet"),
    live("slowlog-log-slower-than", Int(-1, i64::MAX), "10000", "Microseconds from which a command is logged as slow; negative for never.").valkey("commandlog-execution-slower-than"),
    live("slowlog-max-len", Int(0, i64::MAX), "128", "How many slow commands are kept.").valkey("commandlog-slow-execution-max-len"),
    live("commandlog-request-larger-than", Int(-1, i64::MAX), "1048576", "Bytes from which a request is logged as large.").hidden(),
    live("commandlog-large-request-max-len", Int(0, i64::MAX), "128", "How many large requests are kept.").hidden(),
    live("commandlog-reply-larger-than", Int(-1, i64::MAX), "1048576", "Bytes from which a reply is logged as large.").hidden(),
    live("commandlog-large-reply-max-len", Int(0, i64::MAX), "128", "How many large replies are kept.").hidden(),
    live("latency-monitor-threshold", Int(0, i64::MAX), "0", "Milliseconds from which an event counts as a latency spike; 0 for none."),
    live("latency-tracking", Bool, "yes", "Whether the time each command takes is recorded."),
    live("latency-tracking-info-percentiles", Percentiles, "50 99 99.9", "Percentiles of commands' times in INFO."),
    live("tracking-table-max-keys", Int(0, i64::MAX), "1000000", "Most keys remembered for clients' caches.").idle("client-side caching is not built yet"),
    live("busy-reply-threshold", Int(0, i64::MAX), "5000", "Milliseconds after which a script can be stopped.").alias("lua-time-limit").idle(NO_SCRIPTS),
    live("lua-enable-insecure-api", Bool, "no", "Whether scripts get functions that were taken from them.").hidden().idle(NO_SCRIPTS),
];
