//! What the append log costs by itself: `cargo run --release -p persist --example log_speed -- FOLDER [MIB [BATCH]]`.
//!
//! Appends requests of SET with a value of 64 bytes, in batches of 100 or as many as are asked for, to a log in the folder, and recovers it. Times
//! are wall-clock; syncs are made each 64 MiB, and timed apart.
#![allow(clippy::disallowed_methods, reason = "this measures time")]

use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use persist::log::{AppendLog, LogOptions, Place, RecoveryOptions, Refused, Replay, recover};
use persist::storage::{Disk, Storage};

/// Counts what is handed over.
#[derive(Default)]
struct Counted {
    bytes: u64,
    pieces: u64,
}

impl Replay for Counted {
    fn snapshot(&mut self, _: &Path, _: &mut dyn Read) -> Result<u64, Refused> {
        Err(Refused { at: 0, what: "there is none".into() })
    }

    fn requests(&mut self, requests: &mut [u8]) -> Result<(), Refused> {
        self.bytes += requests.len() as u64;
        self.pieces += 1;
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("a folder is missing")?);
    let bytes_wanted = args.next().map_or(Ok(1024), |n| n.parse::<u64>())? << 20;
    let batch = args.next().map_or(Ok(100), |n| n.parse::<u64>())?;
    let disk: Arc<dyn Storage> = Arc::new(Disk);
    let place = Place::new(&folder, "log_speed", "appendonly.aof");
    let strict = RecoveryOptions { load_truncated: false };
    let found = recover(&disk, &place, strict, &mut Counted::default())?;
    let mut log = AppendLog::resume(&disk, &place, LogOptions { timestamps: false, keeps: true }, &found)?;

    let request = format!("*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000000\r\n$64\r\n{}\r\n", "x".repeat(64));
    let (mut requests, mut bytes, mut unsynced) = (0u64, 0u64, 0u64);
    let (mut appending, mut syncing, mut slowest) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    while bytes < bytes_wanted {
        let start = Instant::now();
        for _ in 0..batch {
            log.append(0, request.as_bytes());
        }
        log.write(0)?;
        let took = start.elapsed();
        (appending, slowest) = (appending + took, slowest.max(took));
        requests += batch;
        bytes += batch * request.len() as u64;
        unsynced += batch * request.len() as u64;
        if unsynced > 60 << 20 {
            let start = Instant::now();
            log.sync()?;
            syncing += start.elapsed();
            unsynced = 0;
        }
    }
    log.close(0)?;
    println!(
        "appended {requests} requests, {} MiB: {:.0} ns each, {:.0} MiB/s without syncs (slowest batch {slowest:?}); \
         syncs {syncing:?}",
        bytes >> 20,
        appending.as_nanos() as f64 / requests as f64,
        (bytes >> 20) as f64 / appending.as_secs_f64(),
    );

    let (start, mut counted) = (Instant::now(), Counted::default());
    recover(&disk, &place, strict, &mut counted)?;
    let took = start.elapsed();
    println!(
        "recovered {} MiB in {} pieces: {took:?}, {:.0} MiB/s",
        counted.bytes >> 20,
        counted.pieces,
        (counted.bytes >> 20) as f64 / took.as_secs_f64()
    );
    Ok(())
}
