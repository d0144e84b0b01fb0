//! Directives about other servers: replication and the cluster.

use super::super::value::Kind::*;
use super::{Directive, at_start, live};

const INT_MAX: i64 = i32::MAX as i64;
const NO_REPLICATION: &str = "replication is not built yet";
const NO_CLUSTER: &str = "the cluster is not built yet";

/// The rows.
#[rustfmt::skip]
pub(super) static ROWS: &[Directive] = &[
    // -- replication --------------------------------------------------------------------------
    at_start("replicaof", Primary, "", "Host and port of the primary this server copies.").alias("slaveof").idle("replication is not built yet, the server is a primary"),
    live("masterauth", Text, "", "Password for the primary.").valkey("primaryauth").secret().idle(NO_REPLICATION),
    live("masteruser", Text, "", "User name for the primary.").valkey("primaryuser").secret().idle(NO_REPLICATION),
    live("replica-serve-stale-data", Bool, "yes", "Whether a replica without its primary answers.").alias("slave-serve-stale-data").idle(NO_REPLICATION),
    live("replica-read-only", Bool, "yes", "Whether a replica refuses writes.").alias("slave-read-only").idle(NO_REPLICATION),
    live("replica-lazy-flush", Bool, "no", "Whether a replica frees its old data in another thread.").alias("slave-lazy-flush").idle(NO_REPLICATION),
    live("replica-ignore-maxmemory", Bool, "yes", "Whether a replica leaves evicting to its primary.").alias("slave-ignore-maxmemory").idle(NO_REPLICATION),
    live("replica-ignore-disk-write-errors", Bool, "no", "Whether a replica goes on when it cannot write its files.").idle(NO_REPLICATION),
    live("replica-priority", Int(0, INT_MAX), "100", "Order in which replicas are promoted; 0 for never.").alias("slave-priority").idle(NO_REPLICATION),
    live("replica-announced", Bool, "yes", "Whether sentinels tell clients about this replica.").idle(NO_REPLICATION),
    live("replica-announce-ip", Text, "", "Address a replica gives its primary.").alias("slave-announce-ip").idle(NO_REPLICATION),
    live("replica-announce-port", Int(0, 65535), "0", "Port a replica gives its primary.").alias("slave-announce-port").idle(NO_REPLICATION),
    live("replica-full-sync-buffer-limit", Memory(0, u64::MAX), "0", "Bytes a replica keeps while it loads a copy.").hidden().idle(NO_REPLICATION),
    live("repl-timeout", Int(1, INT_MAX), "60", "Seconds of silence after which the other side is given up.").idle(NO_REPLICATION),
    live("repl-ping-replica-period", Int(1, INT_MAX), "10", "Seconds between a primary's pings.").alias("repl-ping-slave-period").idle(NO_REPLICATION),
    live("repl-disable-tcp-nodelay", Bool, "no", "Whether small packets to replicas are held back.").idle(NO_REPLICATION),
    live("repl-backlog-size", Memory(1, i64::MAX as u64), "1mb", "Bytes of changes kept for replicas that come back.").idle(NO_REPLICATION),
    live("repl-backlog-ttl", Int(0, i64::MAX), "3600", "Seconds the backlog is kept without replicas.").idle(NO_REPLICATION),
    live("repl-diskless-sync", Bool, "yes", "Whether a full copy goes straight to the socket.").idle(NO_REPLICATION),
    live("repl-diskless-sync-delay", Int(0, INT_MAX), "5", "Seconds a full copy waits for more replicas.").idle(NO_REPLICATION),
    live("repl-diskless-sync-max-replicas", Int(0, INT_MAX), "0", "Replicas that end the wait early.").idle(NO_REPLICATION),
    live("repl-diskless-load", Word(&["disabled", "on-empty-db", "swapdb", "flush-before-load"]), "disabled", "Whether a full copy is loaded straight from the socket.").idle(NO_REPLICATION),
    live("repl-mptcp", Bool, "no", "Whether the link to the primary uses multipath TCP.").hidden().idle(NO_REPLICATION),
    live("dual-channel-replication-enabled", Bool, "no", "Whether a full copy has a connection of its own.").hidden().idle(NO_REPLICATION),
    live("min-replicas-to-write", Int(0, INT_MAX), "0", "Replicas without which writes are refused.").alias("min-slaves-to-write").idle(NO_REPLICATION),
    live("min-replicas-max-lag", Int(0, INT_MAX), "10", "Seconds a replica may lag to count.").alias("min-slaves-max-lag").idle(NO_REPLICATION),
    live("import-mode", Bool, "no", "Whether keys are kept beyond their deadlines during an import.").hidden().idle(NO_REPLICATION),
    // -- cluster ------------------------------------------------------------------------------
    at_start("cluster-enabled", Bool, "no", "Whether the server is a node of a cluster.").idle("the cluster is not built yet, the server stands alone"),
    at_start("cluster-config-file", Text, "nodes.conf", "File a node keeps its view of the cluster in.").idle(NO_CLUSTER),
    live("cluster-node-timeout", Int(0, i64::MAX), "15000", "Milliseconds of silence after which a node counts as down.").idle(NO_CLUSTER),
    live("cluster-ping-interval", Int(0, i64::MAX), "1000", "Milliseconds between pings of nodes.").hidden().idle(NO_CLUSTER),
    at_start("cluster-port", Int(0, 65535), "0", "Port of the cluster's bus; 0 for the port plus 10000.").idle(NO_CLUSTER),
    live("cluster-migration-barrier", Int(0, INT_MAX), "1", "Replicas a primary keeps when others need one.").idle(NO_CLUSTER),
    live("cluster-allow-replica-migration", Bool, "yes", "Whether replicas move to primaries without one.").idle(NO_CLUSTER),
    live("cluster-replica-validity-factor", Int(0, INT_MAX), "10", "How old a replica's data may be for it to take over.").alias("cluster-slave-validity-factor").idle(NO_CLUSTER),
    live("cluster-replica-no-failover", Bool, "no", "Whether this replica never takes over.").alias("cluster-slave-no-failover").idle(NO_CLUSTER),
    live("cluster-manual-failover-timeout", Int(1, INT_MAX), "5000", "Milliseconds a failover by hand may take.").hidden().idle(NO_CLUSTER),
    live("cluster-require-full-coverage", Bool, "yes", "Whether a cluster with missing slots refuses requests.").idle(NO_CLUSTER),
    live("cluster-allow-reads-when-down", Bool, "no", "Whether a failed cluster answers reads.").idle(NO_CLUSTER),
    live("cluster-allow-pubsubshard-when-down", Bool, "yes", "Whether a failed cluster passes messages on.").idle(NO_CLUSTER),
    live("cluster-link-sendbuf-limit", Memory(0, u64::MAX), "0", "Bytes that may wait for another node.").idle(NO_CLUSTER),
    live("cluster-announce-ip", Text, "", "Address other nodes are told.").idle(NO_CLUSTER),
    live("cluster-announce-client-ipv4", Text, "", "Address clients are told.").hidden().idle(NO_CLUSTER),
    live("cluster-announce-client-ipv6", Text, "", "IPv6 address clients are told.").hidden().idle(NO_CLUSTER),
    live("cluster-announce-client-port", Int(0, 65535), "0", "Port clients are told.").hidden().idle(NO_CLUSTER),
    live("cluster-announce-client-tls-port", Int(0, 65535), "0", "Port for TLS clients are told.").hidden().idle(NO_CLUSTER),
    live("cluster-announce-port", Int(0, 65535), "0", "Port other nodes are told.").idle(NO_CLUSTER),
    live("cluster-announce-tls-port", Int(0, 65535), "0", "Port for TLS other nodes are told.").idle(NO_CLUSTER),
    live("cluster-announce-bus-port", Int(0, 65535), "0", "Port of the bus other nodes are told.").idle(NO_CLUSTER),
    live("cluster-announce-hostname", HostName, "", "Host name other nodes are told.").idle(NO_CLUSTER),
    live("cluster-announce-human-nodename", HostName, "", "Name of the node in logs.").idle(NO_CLUSTER),
    live("cluster-preferred-endpoint-type", Word(&["ip", "hostname", "unknown-endpoint"]), "ip", "How nodes are named to clients.").idle(NO_CLUSTER),
    live("cluster-slot-stats-enabled", Bool, "no", "Whether slots are counted one by one.").hidden().idle(NO_CLUSTER),
    live("cluster-blacklist-ttl", Int(0, i64::MAX), "60", "Seconds a forgotten node stays forgotten.").hidden().idle(NO_CLUSTER),
    live("cluster-config-save-behavior", Word(&["sync", "best-effort"]), "sync", "Whether a view of the cluster that cannot be saved ends the node.").hidden().idle(NO_CLUSTER),
    at_start("cluster-databases", Int(1, INT_MAX), "1", "How many databases a cluster has.").hidden().idle(NO_CLUSTER),
    live("cluster-slot-migration-log-max-len", Int(0, i64::MAX), "1000", "How many finished migrations of slots are remembered.").hidden().idle(NO_CLUSTER),
    live("slot-migration-max-failover-repl-bytes", Int(-1, i64::MAX), "0", "Bytes of changes left at which a slot changes its owner.").hidden().idle(NO_CLUSTER),
    live("cluster-compatibility-sample-ratio", Int(0, 100), "0", "Percentage of commands examined for use in a cluster.").hidden().idle(NO_CLUSTER),
];
