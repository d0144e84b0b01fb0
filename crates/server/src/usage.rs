//! What the process takes of the machine: memory and processor time.

use std::fs;
use std::time::Duration;

use commands::MemoryFigures;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;
use tikv_jemalloc_ctl::{Access, AsName, epoch, stats};

use crate::memory;
use crate::shared::Shared;

/// The name under which the allocator gives figures of all arenas together.
const ALL_ARENAS: &str = "stats.arenas.4096";

/// What the process takes of memory now.
pub(crate) fn memory(shared: &Shared) -> MemoryFigures {
    // Without a new epoch the allocator would tell old figures; when it cannot, these are the best there are.
    let _ = epoch::advance();
    let used = memory::used_bytes();
    let clients = shared.clients.figures();
    let resident = stats::resident::read().map_or(0, |n| n as u64);
    MemoryFigures {
        used,
        peak: shared.note_memory(used),
        startup: shared.startup_bytes(),
        clients: clients.memory_bytes,
        clients_count: shared.clients.len() as u64,
        log_buffers: shared.persistence.log.buffer_bytes(),
        allocated: stats::allocated::read().map_or(0, |n| n as u64),
        active: stats::active::read().map_or(0, |n| n as u64),
        resident,
        muzzy: pages_bytes("pmuzzy"),
        process_resident: kilobytes("/proc/self/status", "VmRSS:").unwrap_or(resident),
    }
}

/// Bytes in the pages that the allocator counts under `name`, such as `pmuzzy`.
fn pages_bytes(name: &str) -> u64 {
    let read = |name: &str| name.as_bytes().name().read().map_or(0, |n: usize| n as u64);
    read(&format!("{ALL_ARENAS}.{name}\0")) * read("arenas.page\0")
}

/// Has the allocator give every page that it holds and nobody uses back to the system; and workers, within a moment,
/// what it keeps for them.
///
/// # Errors
/// The allocator does not let itself be set.
pub(crate) fn purge() -> Result<(), tikv_jemalloc_ctl::Error> {
    memory::release_caches();
    for arena in 0..tikv_jemalloc_ctl::arenas::narenas::read()? {
        for pages in ["dirty", "muzzy"] {
            let name = format!("arena.{arena}.{pages}_decay_ms\0");
            let name = name.as_bytes().name();
            // Pages that may not be kept at all go at once. An arena that does not exist yet has none.
            let kept_ms: Result<isize, _> = name.update(0);
            kept_ms.map_or(Ok(()), |kept_ms| name.write(kept_ms))?;
        }
    }
    Ok(())
}

/// The allocator's own report.
pub(crate) fn allocator_report() -> String {
    let mut report = Vec::new();
    // Writing to memory does not fail.
    let _ = tikv_jemalloc_ctl::stats_print::stats_print(&mut report, Default::default());
    String::from_utf8_lossy(&report).into_owned()
}

/// The allocator's name and version, as `jemalloc-5.3.0`.
pub(crate) fn allocator() -> String {
    let version = tikv_jemalloc_ctl::version::read().unwrap_or_default();
    format!("jemalloc-{}", version.split('-').next().unwrap_or_default())
}

/// Bytes of memory that the machine has; 0 where the system does not tell.
pub(crate) fn machine_bytes() -> u64 {
    kilobytes("/proc/meminfo", "MemTotal:").unwrap_or(0)
}

/// The bytes on the line that begins with `field` in a file of Linux's that gives them in kilobytes.
fn kilobytes(file: &str, field: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Processor time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    /// In the kernel.
    pub(crate) system: Duration,
    /// In the program.
    pub(crate) user: Duration,
}

impl Cpu {
    /// Of the process.
    pub(crate) fn process() -> Cpu {
        Cpu::of(UsageWho::RUSAGE_SELF)
    }

    /// Of its children that have ended.
    pub(crate) fn children() -> Cpu {
        Cpu::of(UsageWho::RUSAGE_CHILDREN)
    }

    /// Of the calling thread; of the process where the system does not count threads apart.
    pub(crate) fn thread() -> Cpu {
        #[cfg(target_os = "linux")]
        return Cpu::of(UsageWho::RUSAGE_THREAD);
        #[cfg(not(target_os = "linux"))]
        Cpu::process()
    }

    fn of(who: UsageWho) -> Cpu {
        let time = |t: TimeVal| {
            let seconds = u64::try_from(t.tv_sec()).unwrap_or(0);
            Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(t.tv_usec()).unwrap_or(0))
        };
        let of_usage =
            |usage: Usage| Cpu { system: time(usage.system_time()), user: time(usage.user_time()) };
        getrusage(who).map(of_usage).unwrap_or_default()
    }
}

/// The operating system's name, release and machine, as `Linux 6.1.0 x86_64`.
pub(crate) fn operating_system() -> String {
    nix::sys::utsname::uname().map_or_else(
        |_| std::env::consts::OS.to_owned(),
        |name| {
            let parts = [name.sysname(), name.release(), name.machine()];
            parts.map(|part| part.to_string_lossy()).join(" ")
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_of_this_process() {
        assert!(kilobytes("/proc/self/status", "VmRSS:").is_none_or(|bytes| bytes > 1 << 20));
        assert!(pages_bytes("pactive") > 0);
        let busy: u64 = (0..1_000_000u64).map(std::hint::black_box).sum();
        assert!(busy > 0);
        let (thread, process) = (Cpu::thread(), Cpu::process());
        assert!(process.user + process.system > Duration::ZERO);
        assert!(thread.user <= process.user + Duration::from_millis(10));
        assert!(allocator().starts_with("jemalloc-5."));
        assert!(allocator_report().contains("jemalloc statistics"));
        assert!(purge().is_ok());
        assert!(operating_system().split(' ').count() >= 3);
    }
}
