//! How many reads of a cache find their key, server beside server: made-up traces are replayed as a cache is used (GET,
//! and SET when the key is not there) against servers with the same `maxmemory` and policy, and a table is printed.
//!
//!     cargo run --release -p testkit --example hit_ratio -- [--rounds N] [--requests N] [--rate N] [--seed N]
//!         [--maxmemory BYTES] [--only TRACE] NAME=PROGRAM [NAME=PROGRAM ...]
//!
//! Each program takes redis-server's flags. Those that have `maxkeys` run a second time, with as many keys as the first
//! program kept. Eviction goes by seconds of idle time and minutes of decay, so a trace needs as many minutes as keys
//! of a real cache live: let the programs be scripts that run the servers with a clock that goes faster, such as
//!
//!     exec env LD_PRELOAD=libfaketimeMT.so.1 FAKETIME='+0 x60' redis-server "$@"
//!
//! Requests go out at a steady rate, so that each server sees the same time pass.
#![allow(clippy::disallowed_methods, reason = "this goes by the clock")]

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use engine::Rng;
use resp::Value;
use testkit::{Connection, Request, Spawned};

/// Requests that are sent together. A second one for a key that is not there counts as a hit.
const BATCH: usize = 16;
/// Keys that the Zipf traces choose from: about four times what the default `maxmemory` holds.
const UNIVERSE: usize = 60_000;
/// Keys of the loop: somewhat more than the default `maxmemory` holds.
const LOOP: usize = 18_000;
/// The first part of a trace, one of so many, fills the cache and is not counted.
const WARM_UP: usize = 5;

struct Trace {
    name: &'static str,
    policies: &'static [&'static str],
    /// Whether each key has a deadline.
    timed: bool,
    make: fn(&mut Rng, usize) -> Vec<u32>,
}

const BOTH: &[&str] = &["allkeys-lru", "allkeys-lfu"];
const TRACES: &[Trace] = &[
    Trace { name: "Zipf 0.8", policies: BOTH, timed: false, make: |rng, n| zipf(rng, n, 0.8) },
    Trace { name: "Zipf 1.0", policies: BOTH, timed: false, make: |rng, n| zipf(rng, n, 1.0) },
    Trace { name: "Zipf 1.2", policies: BOTH, timed: false, make: |rng, n| zipf(rng, n, 1.2) },
    Trace { name: "Zipf 1.0 with scans", policies: BOTH, timed: false, make: scanned },
    Trace {
        name: "loop",
        policies: BOTH,
        timed: false,
        make: |_, n| (0..n).map(|i| (i % LOOP) as u32).collect(),
    },
    Trace { name: "shifting hot set", policies: BOTH, timed: false, make: shifting },
    Trace {
        name: "Zipf 1.0 with deadlines",
        policies: &["allkeys-lru", "allkeys-lfu", "volatile-ttl"],
        timed: true,
        make: |rng, n| zipf(rng, n, 1.0),
    },
];

/// `n` draws of keys of which the one with rank r is drawn in proportion to `r ^ -exponent`.
fn zipf(rng: &mut Rng, n: usize, exponent: f64) -> Vec<u32> {
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=UNIVERSE)
        .map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        })
        .collect();
    let mut draw = || rng.next_u64() as f64 / u64::MAX as f64 * sum;
    (0..n)
        .map(|_| {
            let at = draw();
            sums.partition_point(|&s| s < at).min(UNIVERSE - 1) as u32
        })
        .collect()
}

/// Zipf, and now and then a run over keys that are used once.
fn scanned(rng: &mut Rng, n: usize) -> Vec<u32> {
    const EVERY: usize = 20_000;
    const SCAN: usize = 8000;
    let mut next = UNIVERSE as u32;
    let mut trace = zipf(rng, n, 1.0);
    for start in (EVERY..n.saturating_sub(SCAN)).step_by(EVERY) {
        // The scan goes on beside other requests.
        for i in (start..start + SCAN).step_by(2) {
            trace[i] = next;
            next += 1;
        }
    }
    trace
}

/// Zipf whose most used keys become others six times.
fn shifting(rng: &mut Rng, n: usize) -> Vec<u32> {
    const PHASES: usize = 6;
    let trace = zipf(rng, n, 1.0).into_iter().enumerate();
    let shifted = |(i, key): (usize, u32)| {
        let phase = i * PHASES / n;
        ((key as usize + phase * UNIVERSE / PHASES) % UNIVERSE) as u32
    };
    trace.map(shifted).collect()
}

/// A number that is the key's for good.
fn draw_of(key: u32, below: u64) -> u64 {
    Rng::new(u64::from(key)).below(below)
}

fn get(key: u32) -> Request {
    Request::new(["GET".to_owned(), format!("key:{key:08}")])
}

/// The SET of a key: its value has 200 to 600 bytes, and its deadline, if any, is 30 to 600 seconds away.
fn set(key: u32, timed: bool) -> Request {
    let value = "x".repeat(200 + draw_of(key, 401) as usize);
    let mut words = vec!["SET".to_owned(), format!("key:{key:08}"), value];
    if timed {
        words.extend(["EX".to_owned(), (30 + draw_of(key, 571)).to_string()]);
    }
    Request::new(words)
}

struct Options {
    rounds: u64,
    requests: usize,
    rate: f64,
    seed: u64,
    maxmemory: String,
    only: Option<String>,
    servers: Vec<(String, PathBuf)>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        rounds: 2,
        requests: 300_000,
        rate: 20_000.0,
        seed: 1,
        maxmemory: "8mb".into(),
        only: None,
        servers: Vec::new(),
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if let Some((name, program)) = arg.split_once('=') {
            options.servers.push((name.to_owned(), program.into()));
            continue;
        }
        let value = args.next().ok_or(format!("{arg} needs a value"))?;
        let wrong = |_| format!("{arg}: {value} is no number");
        match arg.as_str() {
            "--rounds" => options.rounds = value.parse().map_err(wrong)?,
            "--requests" => options.requests = value.parse().map_err(wrong)?,
            "--rate" => options.rate = f64::from(value.parse::<u32>().map_err(wrong)?),
            "--seed" => options.seed = value.parse().map_err(wrong)?,
            "--maxmemory" => options.maxmemory = value,
            "--only" => options.only = Some(value),
            _ => return Err(format!("{arg} is no option")),
        }
    }
    if options.servers.is_empty() { Err("name a server: NAME=PROGRAM".into()) } else { Ok(options) }
}

/// What a replay found.
struct Found {
    hit_ratio: f64,
    keys: i64,
}

/// A server that a trace is replayed against.
struct Run<'o> {
    options: &'o Options,
    program: &'o PathBuf,
    policy: &'static str,
    /// In place of `maxmemory`.
    keys_max: Option<i64>,
}

impl Run<'_> {
    /// Replays `keys`; nothing when the server does not know the limit.
    fn replay(&self, trace: &Trace, keys: &[u32]) -> io::Result<Option<Found>> {
        let server = Spawned::start(self.program, &["--save", "", "--appendonly", "no"])?;
        let mut connection = server.connect()?;
        let limit = match self.keys_max {
            Some(keys) => ["maxkeys".to_owned(), keys.to_string()],
            None => ["maxmemory".to_owned(), self.options.maxmemory.clone()],
        };
        for [name, value] in [["maxmemory-policy".to_owned(), self.policy.to_owned()], limit] {
            let set = connection.call(&Request::new(["CONFIG".into(), "SET".into(), name, value]))?;
            if set.as_error().is_some() {
                return Ok(None);
            }
        }
        let (counted_from, started) = (keys.len() / WARM_UP, Instant::now());
        let (mut hits, mut counted) = (0, 0);
        for (number, batch) in keys.chunks(BATCH).enumerate() {
            let due = Duration::from_secs_f64((number * BATCH) as f64 / self.options.rate);
            std::thread::sleep(due.saturating_sub(started.elapsed()));
            let missing = missing(&mut connection, batch)?;
            let sets: Vec<Request> = missing.iter().map(|&key| set(key, trace.timed)).collect();
            connection.call_all(&sets)?;
            if number * BATCH >= counted_from {
                counted += batch.len();
                hits += batch.len() - missing.len();
            }
        }
        let behind = started.elapsed().as_secs_f64() / (keys.len() as f64 / self.options.rate);
        if behind > 1.1 {
            eprintln!("{}: {behind:.1} times as slow as wanted; lower --rate", self.program.display());
        }
        let kept = connection.call(&Request::of("DBSIZE"))?.as_int().unwrap_or(0);
        Ok(Some(Found { hit_ratio: hits as f64 / counted.max(1) as f64, keys: kept }))
    }
}

/// The keys of `batch` that are not there, each once.
fn missing(connection: &mut Connection, batch: &[u32]) -> io::Result<HashSet<u32>> {
    let replies = connection.call_all(&batch.iter().map(|&key| get(key)).collect::<Vec<_>>())?;
    let missing = batch.iter().zip(replies).filter(|(_, reply)| matches!(reply, Value::Null));
    Ok(missing.map(|(&key, _)| key).collect())
}

/// The mean, and how far the outermost are from it.
fn summary(ratios: &[f64]) -> String {
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    let off = ratios.iter().map(|ratio| (ratio - mean).abs()).fold(0.0, f64::max);
    format!("{:.2} ± {:.2}", 100.0 * mean, 100.0 * off)
}

/// Replays `trace` against each server in turn; the columns of the table, each with its name.
fn compare(options: &Options, trace: &Trace, policy: &'static str) -> io::Result<Vec<(String, String)>> {
    let mut ratios = vec![Vec::new(); 2 * options.servers.len()];
    let mut kept = vec![0; ratios.len()];
    for round in 0..options.rounds {
        let keys = (trace.make)(&mut Rng::new(options.seed + round), options.requests);
        for (i, (_, program)) in options.servers.iter().enumerate() {
            for (form, keys_max) in [None, Some(kept[0])].into_iter().enumerate() {
                if i == 0 && form == 1 {
                    continue;
                }
                let run = Run { options, program, policy, keys_max };
                if let Some(found) = run.replay(trace, &keys)? {
                    ratios[2 * i + form].push(found.hit_ratio);
                    kept[2 * i + form] = found.keys;
                }
            }
        }
    }
    let named = options.servers.iter().flat_map(|(name, _)| [name.clone(), format!("{name}, as many keys")]);
    let columns = named.zip(ratios.iter().zip(kept)).filter(|(_, (ratios, _))| !ratios.is_empty());
    let cell =
        |(name, (ratios, keys)): (_, (&Vec<f64>, i64))| (name, format!("{} | {keys}", summary(ratios)));
    Ok(columns.map(cell).collect())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = options()?;
    println!("Hits in per cent, and keys kept at the end; `maxmemory {}`.\n", options.maxmemory);
    let mut begun = false;
    for trace in TRACES.iter().filter(|trace| options.only.as_ref().is_none_or(|only| only == trace.name)) {
        for policy in trace.policies {
            let columns = compare(&options, trace, policy)?;
            if !std::mem::replace(&mut begun, true) {
                let names: Vec<_> = columns.iter().map(|(name, _)| format!("{name} | keys")).collect();
                println!("| trace | policy | {} |", names.join(" | "));
                println!("|---|---|{}", "---|".repeat(2 * names.len()));
            }
            let cells: Vec<_> = columns.into_iter().map(|(_, cell)| cell).collect();
            println!("| {} | {policy} | {} |", trace.name, cells.join(" | "));
        }
    }
    Ok(())
}
