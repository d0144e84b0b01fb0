//! MEMORY DOCTOR: what may be wrong with the memory, in words.

use crate::ctx::Ctx;
use crate::host::MemoryFigures;
use crate::table::{Command, Outcome};

pub(crate) static DOCTOR: Command = Command {
    name: "doctor",
    arity: 2,
    run: doctor,
    summary: "Tells what may be wrong with the memory, and what to do.",
    since: "4.0.0",
    group: "server",
    complexity: "O(1)",
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    ..Command::BLANK
};

/// With less in use, ratios say nothing.
const USED_BYTES_MIN: u64 = 5 << 20;
/// Waste below this is not worth a word.
const WASTE_BYTES_MIN: u64 = 10 << 20;
/// Memory that a connection takes on average, from which on it is much.
const CLIENT_BYTES_MUCH: u64 = 200 << 10;

fn doctor(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let findings = findings(&ctx.host.memory());
    let mut text = match findings.len() {
        0 => "No memory problem found.\n".to_owned(),
        1 => "One finding:\n".to_owned(),
        n => format!("{n} findings:\n"),
    };
    for finding in &findings {
        text.extend(["\n * ", finding, "\n"]);
    }
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// What stands out in `now`. The limits are those that Redis's doctor goes by.
fn findings(now: &MemoryFigures) -> Vec<String> {
    if now.used < USED_BYTES_MIN {
        return vec!["Little: with less than 5 MB in use there is nothing to judge.".to_owned()];
    }
    let exceeds = |held: u64, given: u64, ratio: f64| {
        held.saturating_sub(given) > WASTE_BYTES_MIN && held as f64 > ratio * given as f64
    };
    let ratio = |a: u64, b: u64| a as f64 / b.max(1) as f64;
    let clients_mean = now.clients.checked_div(now.clients_count).unwrap_or(0);
    let checks = [
        (
            now.peak as f64 > 1.5 * now.used as f64,
            format!(
                "Peak: once {:.2} times as much was in use as is now. Memory given back since then may lie in pieces: \
                 see mem_fragmentation_ratio in INFO memory, and MEMORY PURGE.",
                ratio(now.peak, now.used)
            ),
        ),
        (
            exceeds(now.process_resident, now.used, 1.4),
            format!(
                "Fragmentation: the process takes {:.2} times the memory that is in use. The next findings, if \
                 there are any, say at which step it is lost.",
                ratio(now.process_resident, now.used)
            ),
        ),
        (
            exceeds(now.active, now.allocated, 1.1),
            format!(
                "Allocator's pages: {:.2} times what is in use, for keys that went left gaps between those that \
                 stayed. With 'activedefrag yes' entries are moved together.",
                ratio(now.active, now.allocated)
            ),
        ),
        (
            exceeds(now.resident, now.active, 1.1),
            format!(
                "Free pages: the allocator holds {:.2} times the pages it needs. It gives them back within \
                 seconds (directive 'jemalloc-bg-thread'), or at once with MEMORY PURGE.",
                ratio(now.resident, now.active)
            ),
        ),
        (
            exceeds(now.process_resident, now.resident, 1.1),
            format!(
                "Process: it takes {:.2} times what the allocator holds; the rest is code, stacks and libraries.",
                ratio(now.process_resident, now.resident)
            ),
        ),
        (
            clients_mean > CLIENT_BYTES_MUCH,
            format!(
                "Clients: {clients_mean} bytes each, on average. Some send large requests or read their replies slowly: \
                 CLIENT LIST tells which (tot-mem), and 'maxmemory-clients' bounds them.",
            ),
        ),
    ];
    checks.into_iter().filter(|(is, _)| *is).map(|(_, finding)| finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Client;

    const MB: u64 = 1 << 20;

    /// A process in which nothing stands out.
    const SOUND: MemoryFigures = MemoryFigures {
        used: 100 * MB,
        peak: 110 * MB,
        startup: MB,
        clients: MB,
        clients_count: 100,
        log_buffers: 0,
        allocated: 101 * MB,
        active: 105 * MB,
        resident: 108 * MB,
        muzzy: 0,
        process_resident: 115 * MB,
    };

    fn found(now: &MemoryFigures) -> String {
        let words = findings(now);
        words.iter().filter_map(|finding| finding.split(':').next()).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn what_stands_out_is_told() {
        let with = |change: fn(&mut MemoryFigures)| {
            let mut figures = SOUND;
            change(&mut figures);
            found(&figures)
        };
        assert_eq!(with(|_| ()), "");
        assert_eq!(with(|f| f.used = MB), "Little");
        assert_eq!(with(|f| f.peak = 151 * MB), "Peak");
        assert_eq!(with(|f| f.process_resident = 141 * MB), "Fragmentation, Process");
        assert_eq!(with(|f| f.active = 112 * MB), "Allocator's pages");
        assert_eq!(with(|f| f.resident = 116 * MB), "Free pages");
        assert_eq!(with(|f| f.clients = 20 * MB), "Clients");
    }

    #[test]
    fn findings_are_counted() {
        let mut client = Client::new();
        client.host.memory = SOUND;
        assert_eq!(client.text("MEMORY DOCTOR"), "No memory problem found.\n");
        client.host.memory.peak *= 2;
        assert!(client.text("MEMORY DOCTOR").starts_with("One finding:\n\n * Peak: once 2.20 times"));
        client.host.memory.process_resident *= 2;
        assert!(client.text("MEMORY DOCTOR").starts_with("3 findings:\n"));
    }
}
