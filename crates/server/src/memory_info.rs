//! INFO's section about memory.

use commands::{DataFigures, Host, MemoryFigures};

use crate::info::{Lines, human};
use crate::shared::Shared;
use crate::usage;

/// Writes the section's lines.
pub(crate) fn section(shared: &Shared, data: &DataFigures, lines: &mut Lines<'_>) {
    let now = shared.memory();
    used(&now, data.overhead_bytes, lines);
    lines.put("allocator_allocated", now.allocated);
    lines.put("allocator_active", now.active);
    lines.put("allocator_resident", now.resident);
    lines.put("allocator_muzzy", now.muzzy);
    lines.bytes("total_system_memory", usage::machine_bytes());
    scripts(lines);
    let settings = shared.config.settings();
    lines.bytes("maxmemory", settings.maxmemory_bytes);
    lines.put("maxkeys", settings.maxkeys);
    lines.put("maxmemory_policy", String::from_utf8_lossy(&settings.values.get("maxmemory-policy").text()));
    fragmentation(&now, lines);
    lines.put("mem_not_counted_for_evict", shared.not_counted_bytes());
    lines.zero(&[
        "mem_replication_backlog",
        "mem_total_replication_buffers",
        "mem_replica_full_sync_buffer",
        "mem_clients_slaves",
    ]);
    lines.put("mem_clients_normal", now.clients);
    lines.put("mem_cluster_links", 0);
    lines.put("mem_aof_buffer", now.log_buffers);
    lines.put("mem_allocator", usage::allocator());
    // Tables grow without being copied as a whole.
    lines.put("mem_overhead_db_hashtable_rehashing", 0);
    lines.put("active_defrag_running", shared.defrag.figures().effort_percent);
    let (pending, freed) = shared.freeing.values();
    lines.put("lazyfree_pending_objects", pending);
    lines.put("lazyfreed_objects", freed);
}

fn used(now: &MemoryFigures, tables_bytes: u64, lines: &mut Lines<'_>) {
    let percent = |a: u64, b: u64| format!("{:.2}%", 100.0 * a as f64 / b.max(1) as f64);
    let dataset = now.dataset(tables_bytes);
    lines.bytes("used_memory", now.used);
    lines.bytes("used_memory_rss", now.process_resident);
    lines.bytes("used_memory_peak", now.peak);
    lines.put("used_memory_peak_perc", percent(now.used, now.peak));
    lines.put("used_memory_overhead", now.overhead(tables_bytes));
    lines.put("used_memory_startup", now.startup);
    lines.put("used_memory_dataset", dataset);
    lines.put("used_memory_dataset_perc", percent(dataset, now.since_startup()));
}

/// Scripts and functions.
fn scripts(lines: &mut Lines<'_>) {
    lines.zero(&["used_memory_lua", "used_memory_vm_eval"]);
    lines.put("used_memory_lua_human", human(0));
    lines.zero(&[
        "used_memory_scripts_eval",
        "number_of_cached_scripts",
        "number_of_functions",
        "number_of_libraries",
        "used_memory_vm_functions",
    ]);
    lines.bytes("used_memory_vm_total", 0);
    lines.put("used_memory_functions", 0);
    lines.bytes("used_memory_scripts", 0);
}

/// How far the pages in memory are from what is given out of them, at each step from the program to the system.
fn fragmentation(now: &MemoryFigures, lines: &mut Lines<'_>) {
    let ratio = |a: u64, b: u64| format!("{:.2}", if b == 0 { 0.0 } else { a as f64 / b as f64 });
    let difference = |a: u64, b: u64| a as i64 - b as i64;
    for (name, held, given) in [
        ("allocator_frag", now.active, now.allocated),
        ("allocator_rss", now.resident, now.active),
        ("rss_overhead", now.process_resident, now.resident),
        ("mem_fragmentation", now.process_resident, now.used),
    ] {
        lines.put(format_args!("{name}_ratio"), ratio(held, given));
        lines.put(format_args!("{name}_bytes"), difference(held, given));
    }
}
