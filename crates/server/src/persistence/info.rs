//! INFO's section about persistence.

use std::sync::atomic::Ordering;

use super::gate::Obstacle;
use super::jobs::What;
use crate::clock;
use crate::info::Lines;
use crate::shared::Shared;

/// Appends the section. Fields about forks say zero: there are none.
pub(crate) fn section(shared: &Shared, lines: &mut Lines<'_>) {
    let persistence = &shared.persistence;
    let loading = persistence.gate.has(Obstacle::Loading);
    lines.put("loading", u8::from(loading));
    lines.zero(&["async_loading", "current_cow_peak", "current_cow_size", "current_cow_size_age"]);
    lines.put("current_fork_perc", format_args!("{:.2}", persistence.progress.percent()));
    lines.put("current_save_keys_processed", persistence.progress.done.get());
    lines.put("current_save_keys_total", persistence.progress.total.get());
    saves(shared, lines);
    rewrites(shared, lines);
    lines.zero(&["aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size"]);
    log(shared, lines);
    if loading {
        files(shared, lines);
    }
}

/// Seconds since `since_s`; -1: nothing is under way.
fn for_s(since_s: Option<i64>) -> i64 {
    since_s.map_or(-1, |since_s| (clock::now_ms() / 1000 - since_s).max(0))
}

fn status(ok: bool) -> &'static str {
    if ok { "ok" } else { "err" }
}

fn saves(shared: &Shared, lines: &mut Lines<'_>) {
    let persistence = &shared.persistence;
    let running = persistence.jobs.running_since_s(What::Save);
    lines.put("rdb_changes_since_last_save", shared.dirty());
    lines.put("rdb_bgsave_in_progress", u8::from(running.is_some()));
    lines.put("rdb_last_save_time", persistence.last_save_s());
    lines.put("rdb_last_bgsave_status", status(persistence.saves.last_ok()));
    lines.put("rdb_last_bgsave_time_sec", persistence.saves.last_took_s());
    lines.put("rdb_current_bgsave_time_sec", for_s(running));
    lines.put("rdb_saves", persistence.saves.count.get());
    lines.put("rdb_last_cow_size", 0);
    lines.put("rdb_last_load_keys_expired", persistence.loading.keys_expired.get());
    lines.put("rdb_last_load_keys_loaded", persistence.loading.keys.get());
}

fn rewrites(shared: &Shared, lines: &mut Lines<'_>) {
    let persistence = &shared.persistence;
    // In this order: one that begins meanwhile is seen as scheduled, as running or as both.
    let scheduled = persistence.jobs.rewrite_is_scheduled();
    let running = persistence.jobs.running_since_s(What::Rewrite);
    lines.put("aof_enabled", u8::from(persistence.log.is_on()));
    lines.put("aof_rewrite_in_progress", u8::from(running.is_some()));
    lines.put("aof_rewrite_scheduled", u8::from(scheduled));
    lines.put("aof_last_rewrite_time_sec", persistence.rewrites.last_took_s());
    lines.put("aof_current_rewrite_time_sec", for_s(running));
    lines.put("aof_last_bgrewrite_status", status(persistence.rewrites.last_ok()));
    lines.put("aof_rewrites", persistence.rewrites.count.get());
    lines.put("aof_rewrites_consecutive_failures", persistence.rewrites.failures.get());
    lines.put("aof_last_write_status", status(!persistence.gate.has(Obstacle::LogFailed)));
}

fn log(shared: &Shared, lines: &mut Lines<'_>) {
    let persistence = &shared.persistence;
    let Some((bytes, base_bytes)) = persistence.log.sizes() else { return };
    lines.put("aof_current_size", bytes);
    lines.put("aof_base_size", base_bytes);
    lines.put("aof_pending_rewrite", u8::from(persistence.jobs.rewrite_is_scheduled()));
    lines.put("aof_buffer_length", persistence.log.pipe.bytes());
    lines.put("aof_pending_bio_fsync", 0);
    lines.put("aof_delayed_fsync", persistence.log.delayed_syncs());
}

fn files(shared: &Shared, lines: &mut Lines<'_>) {
    let loading = &shared.persistence.loading;
    lines.put("loading_start_time", loading.began_s.load(Ordering::Relaxed));
    lines.put("loading_total_bytes", loading.bytes.total.get());
    lines.put("loading_rdb_used_mem", 0);
    lines.put("loading_loaded_bytes", loading.bytes.done.get());
    lines.put("loading_loaded_perc", format_args!("{:.2}", loading.bytes.percent()));
    lines.put("loading_eta_seconds", loading.left_s(clock::now_ms() / 1000));
}
