//! What it is like to write to a server whose memory is full, server beside server:
//! `cargo run --release -p testkit --example at_the_limit -- [--seconds N] PROGRAM...`, each taking redis-server's flags.
//!
//! Two loads on a full cache (`allkeys-lru`): a hundred clients that write values of 10 bytes to 1 MB, each waiting for
//! its reply, and two that write values of 300 bytes, 16 at a time. Meanwhile one client looks at `used_memory` a hundred
//! times a second, and one asks for a key that is not there a thousand times: the times until its reply are the table's
//! last columns.
#![allow(clippy::disallowed_methods, reason = "this measures time")]

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use engine::Rng;
use resp::Value;
use testkit::{Connection, Request, Spawned};

const LIMIT_BYTES: u64 = 512 << 20;
const LARGEST_BYTES: u64 = 1 << 20;
const KEYS: u64 = 10_000_000;
/// Time between two looks at the memory.
const WATCH_INTERVAL: Duration = Duration::from_millis(10);
/// Time between two requests that are timed.
const PROBE_INTERVAL: Duration = Duration::from_millis(1);

struct Load {
    name: &'static str,
    writers: u64,
    /// Requests sent before their replies are read.
    pipeline: usize,
    /// The bytes of the next value.
    size: fn(&mut Rng) -> u64,
    /// About as many values as fill the memory.
    fill: u64,
}

const LOADS: &[Load] = &[
    Load {
        name: "100 clients, 10 B to 1 MB",
        writers: 100,
        pipeline: 1,
        // As many between 10 and 100 bytes as between 100 KB and 1 MB.
        size: |rng| 10f64.powf(1.0 + 5.0 * rng.below(1 << 20) as f64 / f64::from(1 << 20)) as u64,
        fill: LIMIT_BYTES / 80_000,
    },
    Load {
        name: "2 clients, 300 B, pipeline 16",
        writers: 2,
        pipeline: 16,
        size: |_| 300,
        fill: LIMIT_BYTES / 330,
    },
];

/// What writers count and are told.
#[derive(Default)]
struct Progress {
    writes: AtomicU64,
    refused: AtomicU64,
    ended: AtomicBool,
}

fn main() -> io::Result<()> {
    let mut programs: Vec<String> = std::env::args().skip(1).collect();
    let mut seconds = 10;
    if programs.len() > 1 && programs[0] == "--seconds" {
        seconds = programs.drain(..2).nth(1).and_then(|n| n.parse().ok()).unwrap_or(seconds);
    }
    println!(
        "{:30} {:>9} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8} {:>8}",
        "load", "writes/s", "refused", "us CPU", "over", "p50 us", "p99 us", "p99.9 us", "max us"
    );
    for program in &programs {
        println!("{program}");
        for load in LOADS {
            run(program, load, Duration::from_secs(seconds))?;
        }
    }
    Ok(())
}

fn run(program: &str, load: &Load, time: Duration) -> io::Result<()> {
    let limit = LIMIT_BYTES.to_string();
    let flags =
        ["--save", "", "--appendonly", "no", "--maxmemory", &limit, "--maxmemory-policy", "allkeys-lru"];
    let server = Spawned::start(Path::new(program), &flags)?;
    write(server.connect()?, load, 0, &Progress::default(), load.fill)?;
    let progress = Progress::default();
    let (cpu_before, started) = (cpu(&server)?, Instant::now());
    let (most, mut times) = thread::scope(|scope| {
        let (server, progress) = (&server, &progress);
        let writers: Vec<_> = (1..=load.writers)
            .map(|seed| scope.spawn(move || write(server.connect()?, load, seed, progress, u64::MAX)))
            .collect();
        let watcher = scope.spawn(move || watch(server.connect()?, progress));
        let times = probe(server.connect()?, time);
        progress.ended.store(true, Relaxed);
        for writer in writers {
            writer.join().expect("a writer does not panic")?;
        }
        Ok::<_, io::Error>((watcher.join().expect("the watcher does not panic")?, times?))
    })?;
    let writes = progress.writes.load(Relaxed);
    let cpu_us = (cpu(&server)? - cpu_before) * 1e6 / writes.max(1) as f64;
    times.sort_unstable();
    let percentile = |p: f64| times[((times.len() - 1) as f64 * p) as usize].as_micros();
    println!(
        "{:30} {:>9.0} {:>8} {:>8.2} {:>8.2}% {:>8} {:>8} {:>8} {:>8}",
        load.name,
        writes as f64 / started.elapsed().as_secs_f64(),
        progress.refused.load(Relaxed),
        cpu_us,
        (most as f64 / LIMIT_BYTES as f64 - 1.0) * 100.0,
        percentile(0.5),
        percentile(0.99),
        percentile(0.999),
        percentile(1.0)
    );
    Ok(())
}

/// Writes until it is told to end or has written `count` values.
fn write(mut to: Connection, load: &Load, seed: u64, progress: &Progress, count: u64) -> io::Result<()> {
    let mut rng = Rng::new(seed);
    let value = "x".repeat(LARGEST_BYTES as usize);
    let mut written = 0;
    while written < count && !progress.ended.load(Relaxed) {
        let set = |rng: &mut Rng| {
            let size = (load.size)(rng) as usize;
            Request::new(["SET", &format!("key:{}", rng.below(KEYS)), &value[..size.min(value.len())]])
        };
        let requests: Vec<Request> = (0..load.pipeline).map(|_| set(&mut rng)).collect();
        let replies = to.call_all(&requests)?;
        let refused = replies.iter().filter(|reply| matches!(reply, Value::Error(_))).count();
        progress.refused.fetch_add(refused as u64, Relaxed);
        progress.writes.fetch_add(replies.len() as u64, Relaxed);
        written += replies.len() as u64;
    }
    Ok(())
}

/// The most bytes that were used at any look.
fn watch(mut from: Connection, progress: &Progress) -> io::Result<u64> {
    let info = Request::new(["INFO", "memory"]);
    let mut most = 0;
    while !progress.ended.load(Relaxed) {
        let reply = from.call(&info)?;
        let text =
            reply.as_bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        let used = text.lines().find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok());
        most = most.max(used.unwrap_or(0));
        thread::sleep(WATCH_INTERVAL);
    }
    Ok(most)
}

/// How long each of many requests took that need nothing.
fn probe(mut from: Connection, time: Duration) -> io::Result<Vec<Duration>> {
    let get = Request::new(["GET", "nothing"]);
    let (started, mut times) = (Instant::now(), Vec::new());
    while started.elapsed() < time {
        let sent = Instant::now();
        from.call(&get)?;
        times.push(sent.elapsed());
        thread::sleep(PROBE_INTERVAL);
    }
    Ok(times)
}

/// Seconds of processor time that the server took, as INFO tells them.
fn cpu(server: &Spawned) -> io::Result<f64> {
    let reply = server.connect()?.call(&Request::new(["INFO", "cpu"]))?;
    let text = reply.as_bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    let of = |field: &str| text.lines().find_map(|line| line.strip_prefix(field)?.trim().parse::<f64>().ok());
    Ok(of("used_cpu_sys:").unwrap_or(0.0) + of("used_cpu_user:").unwrap_or(0.0))
}
