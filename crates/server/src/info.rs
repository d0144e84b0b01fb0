//! INFO's sections about the process. Fields are Redis's; one about what does not exist here says zero.

use std::fmt::{Display, Write};
use std::path::PathBuf;

use commands::{DataFigures, Pause, REDIS_VERSION, Row, Section, rows};

use crate::clock;
use crate::config::Settings;
use crate::config::settings::BindAddress;
use crate::memory_info;
use crate::persistence;
use crate::shared::Shared;
use crate::stats::{CommandTotals, ThreadTotals};
use crate::usage::{self, Cpu};

mod gone;

/// Collects `field:value` lines.
pub(crate) struct Lines<'o>(&'o mut String);

impl Lines<'_> {
    /// A field and its value.
    pub(crate) fn put(&mut self, field: impl Display, value: impl Display) {
        // Writing to memory does not fail.
        let _ = write!(self.0, "{field}:{value}\r\n");
    }

    /// A number of bytes, and once more for people.
    pub(crate) fn bytes(&mut self, field: &str, bytes: u64) {
        self.put(field, bytes);
        self.put(format_args!("{field}_human"), human(bytes));
    }

    /// Fields that are zero: what they count does not exist here.
    pub(crate) fn zero(&mut self, fields: &[&str]) {
        fields.iter().for_each(|field| self.put(field, 0));
    }
}

/// Bytes for people: `512B`, `1.50K`, `2.25G`.
pub(crate) fn human(bytes: u64) -> String {
    let units = ["K", "M", "G", "T", "P"];
    let mut n = bytes as f64 / 1024.0;
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    for unit in units {
        if n < 1024.0 {
            return format!("{n:.2}{unit}");
        }
        n /= 1024.0;
    }
    format!("{n:.2}E")
}

/// Appends the lines of `section`.
pub(crate) fn section(shared: &Shared, section: Section, data: &DataFigures, out: &mut String) {
    let mut lines = Lines(out);
    match section {
        Section::Server => server(shared, &mut lines),
        Section::Clients => clients(shared, &mut lines),
        Section::Memory => memory_info::section(shared, data, &mut lines),
        Section::Persistence => persistence::info::section(shared, &mut lines),
        Section::Threads => threads(shared, &mut lines),
        Section::Expiry => gone::expiry(shared, &mut lines),
        Section::Eviction => gone::eviction(shared, &mut lines),
        Section::Stats => stats(shared, data, &mut lines),
        Section::Replication => replication(shared, &mut lines),
        Section::Cpu => cpu(shared, &mut lines),
        Section::CommandStats => command_stats(shared, &mut lines),
        Section::ErrorStats => error_stats(shared, &mut lines),
        Section::LatencyStats => latency_stats(shared, &mut lines),
        Section::Debug => debug(shared, &mut lines),
        Section::Cluster => lines.put("cluster_enabled", 0),
        // There are no modules, and the keyspace is the command's own.
        Section::Modules | Section::Keyspace => {}
    }
}

fn server(shared: &Shared, lines: &mut Lines<'_>) {
    let settings = shared.config.settings();
    let now_us = clock::now_us();
    let uptime_s = (now_us - shared.started_us).max(0) / 1_000_000;
    lines.put("redis_version", REDIS_VERSION);
    lines.put("ebbtide_version", crate::VERSION);
    lines.put("redis_git_sha1", "00000000");
    lines.put("redis_git_dirty", 0);
    lines.put("redis_build_id", 0);
    lines.put("redis_mode", "standalone");
    lines.put("os", usage::operating_system());
    lines.put("arch_bits", usize::BITS);
    lines.put("monotonic_clock", "POSIX clock_gettime");
    lines.put("multiplexing_api", if cfg!(target_os = "linux") { "epoll" } else { "kqueue" });
    lines.put("atomicvar_api", "c11-builtin");
    lines.put("gcc_version", "0.0.0");
    lines.put("process_id", std::process::id());
    lines.put("process_supervised", "no");
    lines.put("run_id", &shared.run_id);
    lines.put("tcp_port", settings.port);
    lines.put("server_time_usec", now_us);
    lines.put("uptime_in_seconds", uptime_s);
    lines.put("uptime_in_days", uptime_s / (24 * 3600));
    lines.put("hz", settings.hz);
    lines.put("configured_hz", settings.hz);
    lines.put("lru_clock", (now_us / 1_000_000) & 0xff_ffff);
    lines.put("executable", std::env::current_exe().unwrap_or_default().display());
    lines.put("config_file", shared.config.file().unwrap_or("".as_ref()).display());
    lines.put("io_threads_active", u8::from(settings.io_threads.0 > 1));
    listeners(&settings, lines);
}

/// A line for each kind of socket that clients connect to.
fn listeners(settings: &Settings, lines: &mut Lines<'_>) {
    let optional = |address: &BindAddress| if address.optional { "-" } else { "" };
    let bind = |address: &BindAddress| format!(",bind={}{}", optional(address), address.host);
    let tcp =
        || format!("name=tcp{},port={}", settings.bind.iter().map(bind).collect::<String>(), settings.port);
    let unix = |path: &PathBuf| format!("name=unix,bind={}", path.display());
    let all = [(settings.port > 0).then(tcp), settings.unixsocket.as_ref().map(unix)];
    for (i, listener) in all.into_iter().flatten().enumerate() {
        lines.put(format_args!("listener{i}"), listener);
    }
}

fn threads(shared: &Shared, lines: &mut Lines<'_>) {
    for (i, clients) in shared.loads().enumerate() {
        let ThreadTotals { reads, writes, .. } = shared.stats.thread(i);
        let text = format!("clients={clients},reads={reads},writes={writes}");
        lines.put(format_args!("io_thread_{i}"), text);
    }
}

fn clients(shared: &Shared, lines: &mut Lines<'_>) {
    let settings = shared.config.settings();
    let figures = shared.clients.figures();
    lines.put("connected_clients", shared.clients.len());
    lines.put("cluster_connections", 0);
    lines.put("maxclients", settings.maxclients);
    lines.put("client_recent_max_input_buffer", figures.query_bytes_max);
    lines.put("client_recent_max_output_buffer", figures.output_bytes_max);
    lines.put("blocked_clients", figures.blocked);
    lines.zero(&[
        "tracking_clients",
        "pubsub_clients",
        "watching_clients",
        "clients_in_timeout_table",
        "total_watched_keys",
        "total_blocking_keys",
        "total_blocking_keys_on_nokey",
    ]);
    let now_ms = clock::now_ms();
    let pause = shared.clients.pause(now_ms);
    lines.put("paused_reason", if pause.is_some() { "client_pause" } else { "none" });
    let actions = match pause {
        None => "none",
        Some((Pause::Writes, _)) => "write",
        Some((Pause::All, _)) => "all",
    };
    lines.put("paused_actions", actions);
    lines.put("paused_timeout_milliseconds", pause.map_or(0, |(_, until_ms)| until_ms - now_ms));
}

fn stats(shared: &Shared, data: &DataFigures, lines: &mut Lines<'_>) {
    let totals = shared.stats.totals();
    let rates = shared.stats.rates(clock::now_ms());
    let kilobytes = |bytes: f64| format!("{:.2}", bytes / 1024.0);
    lines.put("total_connections_received", totals.connections);
    lines.put("total_commands_processed", totals.traffic.commands);
    lines.put("instantaneous_ops_per_sec", rates.commands.round());
    lines.put("total_net_input_bytes", totals.traffic.read_bytes);
    lines.put("total_net_output_bytes", totals.traffic.written_bytes);
    lines.zero(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
    lines.put("instantaneous_input_kbps", kilobytes(rates.read_bytes));
    lines.put("instantaneous_output_kbps", kilobytes(rates.written_bytes));
    lines.put("instantaneous_input_repl_kbps", "0.00");
    lines.put("instantaneous_output_repl_kbps", "0.00");
    lines.put("rejected_connections", totals.connections_rejected);
    lines.zero(&["sync_full", "sync_partial_ok", "sync_partial_err"]);
    expiry(shared, data, lines);
    lines.put("evicted_keys", shared.stats.gone().all().evicted);
    lines.put("evicted_clients", shared.clients.memory.evicted());
    lines.put("evicted_scripts", 0);
    let (exceeded_ms, exceeded_now_ms) = shared.exceeded.times_ms();
    lines.put("total_eviction_exceeded_time", exceeded_ms);
    lines.put("current_eviction_exceeded_time", exceeded_now_ms);
    lines.put("keyspace_hits", totals.traffic.hits);
    lines.put("keyspace_misses", totals.traffic.misses);
    let (hits, misses) = shared.stats.recent_reads(clock::now_ms());
    lines.put("keyspace_hits_last_minute", hits);
    lines.put("keyspace_misses_last_minute", misses);
    lines.put(
        "keyspace_hit_ratio_last_minute",
        format_args!("{:.4}", hits as f64 / (hits + misses).max(1) as f64),
    );
    lines.zero(&[
        "pubsub_channels",
        "pubsub_patterns",
        "pubsubshard_channels",
        "latest_fork_usec",
        "total_forks",
    ]);
    lines.zero(&["migrate_cached_sockets", "slave_expires_tracked_keys"]);
    let defrag = shared.defrag.figures();
    lines.put("active_defrag_hits", defrag.hits);
    lines.put("active_defrag_misses", defrag.misses);
    lines.put("active_defrag_key_hits", defrag.key_hits);
    lines.put("active_defrag_key_misses", defrag.key_misses);
    lines.put("total_active_defrag_time", defrag.total_ms);
    lines.put("current_active_defrag_time", defrag.current_ms);
    lines.zero(&["tracking_total_keys", "tracking_total_items", "tracking_total_prefixes"]);
    lines.zero(&["unexpected_error_replies"]);
    lines.put("total_error_replies", totals.errors);
    lines.put("dump_payload_sanitizations", 0);
    lines.put("total_reads_processed", totals.reads);
    lines.put("total_writes_processed", totals.writes);
    let threaded = u64::from(shared.config.settings().io_threads.0 > 1);
    lines.put("io_threaded_reads_processed", totals.reads * threaded);
    lines.put("io_threaded_writes_processed", totals.writes * threaded);
    lines.put("client_query_buffer_limit_disconnections", totals.query_limit_hits);
    lines.put("client_output_buffer_limit_disconnections", totals.output_limit_hits);
    lines.zero(&["reply_buffer_shrinks", "reply_buffer_expands"]);
    lines.put("eventloop_cycles", totals.traffic.turns);
    lines.put("eventloop_duration_sum", totals.traffic.turns_time_us);
    lines.put("eventloop_duration_cmd_sum", totals.commands_time_ns / 1000);
    lines.put("instantaneous_eventloop_cycles_per_sec", rates.turns.round());
    lines.put("instantaneous_eventloop_duration_usec", rates.turn_us.round());
    lines.put("acl_access_denied_auth", shared.access_denials());
    lines.zero(&["acl_access_denied_cmd", "acl_access_denied_key", "acl_access_denied_channel"]);
}

/// Expired keys; the rest of it is a section of its own.
fn expiry(shared: &Shared, data: &DataFigures, lines: &mut Lines<'_>) {
    let totals = shared.stats.totals();
    let gone = shared.stats.gone().all();
    lines.put("expired_keys", gone.expired());
    lines.put("expired_subkeys", gone.expired_fields);
    lines.put("expired_stale_perc", format_args!("{:.2}", data.overdue_percent));
    lines.put("expired_time_cap_reached_count", totals.expiry_pauses);
    lines.put("expire_cycle_cpu_milliseconds", totals.expiry_time_us / 1000);
}

fn replication(shared: &Shared, lines: &mut Lines<'_>) {
    lines.put("role", "master");
    lines.put("connected_slaves", 0);
    lines.put("master_failover_state", "no-failover");
    lines.put("master_replid", shared.replication_id());
    lines.put("master_replid2", "0".repeat(40));
    lines.put("master_repl_offset", 0);
    lines.put("second_repl_offset", -1);
    lines.zero(&[
        "repl_backlog_active",
        "repl_backlog_size",
        "repl_backlog_first_byte_offset",
        "repl_backlog_histlen",
    ]);
}

fn cpu(shared: &Shared, lines: &mut Lines<'_>) {
    let parts = [("", Cpu::process()), ("_children", Cpu::children()), ("_main_thread", Cpu::thread())];
    for (suffix, cpu) in parts {
        for (kind, time) in [("sys", cpu.system), ("user", cpu.user)] {
            lines.put(format_args!("used_cpu_{kind}{suffix}"), format_args!("{:.6}", time.as_secs_f64()));
        }
    }
    for i in 0..shared.loads().count() {
        let busy_s = shared.stats.thread(i).busy_us as f64 / 1e6;
        lines.put(format_args!("used_active_time_io_thread_{i}"), format_args!("{busy_s:.6}"));
    }
}

/// Where the workers' time goes. The log has a thread of its own, so it takes none.
fn debug(shared: &Shared, lines: &mut Lines<'_>) {
    let totals = shared.stats.totals();
    lines.put("eventloop_duration_aof_sum", 0);
    lines.put("eventloop_duration_cron_sum", totals.expiry_time_us + totals.upkeep_time_ns / 1000);
    lines.put("eventloop_duration_max", totals.turn_max_us);
    lines.put("eventloop_cmd_per_cycle_max", totals.turn_commands_max);
}

/// The commands that were asked for since the counters' last reset, with their totals.
fn asked_for(shared: &Shared) -> impl Iterator<Item = (&'static Row, CommandTotals)> {
    rows()
        .iter()
        .map(|row| (row, shared.stats.command(row)))
        .filter(|(_, totals)| totals.calls + totals.rejected + totals.failed > 0)
}

fn command_stats(shared: &Shared, lines: &mut Lines<'_>) {
    for (row, totals) in asked_for(shared) {
        let CommandTotals { calls, rejected, failed, .. } = totals;
        let time_us = totals.time_ns / 1000;
        let each_us = totals.time_ns as f64 / 1000.0 / calls.max(1) as f64;
        lines.put(
            format_args!("cmdstat_{}", row.full_name()),
            format_args!(
                "calls={calls},usec={time_us},usec_per_call={each_us:.2},rejected_calls={rejected},\
                 failed_calls={failed}"
            ),
        );
    }
}

fn error_stats(shared: &Shared, lines: &mut Lines<'_>) {
    for (kind, count) in shared.stats.errors() {
        lines.put(format_args!("errorstat_{kind}"), format_args!("count={count}"));
    }
}

fn latency_stats(shared: &Shared, lines: &mut Lines<'_>) {
    let settings = shared.config.settings();
    if !settings.latency_tracking {
        return;
    }
    for (row, totals) in asked_for(shared).filter(|(_, totals)| !totals.latency_ns.is_empty()) {
        let percentile = |&percent: &f64| {
            let time_us = totals.latency_ns.percentile(percent) as f64 / 1000.0;
            format!("p{percent}={time_us:.3}")
        };
        let all: Vec<String> = settings.latency_tracking_info_percentiles.iter().map(percentile).collect();
        lines.put(format_args!("latency_percentiles_usec_{}", row.full_name()), all.join(","));
    }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn bytes_for_people() {
        let shown = [0, 1023, 1024, 1536, 1 << 20, 5 << 30, u64::MAX].map(human);
        assert_eq!(shown, ["0B", "1023B", "1.00K", "1.50K", "1.00M", "5.00G", "16.00E"]);
    }
}
