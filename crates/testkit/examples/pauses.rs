//! How long a client waits while the server has something big to do for others:
//! `cargo run --release -p testkit --example pauses -- [--keys N] [--elements M] PROGRAM...`, each started as
//! redis-server is, and filled with N keys (10 million when not said), beside collections of M elements (1 million).
//!
//! One client sends PING after PING, another does what the row says; the figures are the waits for a PONG in
//! microseconds from the beginning of that to some seconds after its end. The first row, with nothing to do, shows what
//! the machine itself adds.
#![allow(clippy::disallowed_methods, reason = "this measures time")]

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use testkit::{Line, Request, Spawned};

/// Elements that one request adds.
const ELEMENTS_A_REQUEST: u64 = 100;

/// How much is filled in.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    keys: u64,
    elements: u64,
}

/// Something big: what is made ready first, what is done, and how long its consequences are watched.
struct Case {
    name: &'static str,
    prepare: fn(&mut Line, Sizes) -> io::Result<()>,
    act: fn(&mut Line, Sizes) -> io::Result<()>,
    after: Duration,
}

const CASES: &[Case] = &[
    Case { name: "nothing", prepare: none, act: none, after: Duration::from_secs(5) },
    Case {
        name: "a tenth more keys",
        prepare: none,
        act: |line, sizes| strings(line, "more", sizes.keys / 10, &[]),
        after: Duration::from_secs(1),
    },
    Case {
        name: "DEL of a sorted set",
        prepare: zset,
        act: |l, _| l.ask("DEL big"),
        after: Duration::from_secs(2),
    },
    Case {
        name: "SET over a hash",
        prepare: hash,
        act: |l, _| l.ask("SET big x"),
        after: Duration::from_secs(2),
    },
    Case {
        name: "expiry of a set",
        prepare: set,
        act: |l, _| l.ask("PEXPIRE big 100"),
        after: Duration::from_secs(2),
    },
    Case {
        name: "expiry of a fifth of all keys",
        prepare: |line, sizes| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            // Enough seconds to write them all before they are due.
            let at_ms = now.as_millis() as u64 + 5000 + sizes.keys / 300;
            strings(line, "due", sizes.keys / 5, &["PXAT", &at_ms.to_string()])
        },
        act: none,
        after: Duration::from_secs(60),
    },
    Case {
        name: "LTRIM of a list",
        prepare: list,
        act: |l, _| l.ask("LTRIM big 0 0"),
        after: Duration::from_secs(2),
    },
    Case {
        name: "DEL of nine keys of ten",
        prepare: none,
        act: |line, sizes| {
            let gone = (0..sizes.keys).filter(|i| i % 10 > 0);
            line.run_all(gone.map(|i| Request::new(["DEL".to_owned(), format!("key:{i}")])))
        },
        after: Duration::from_secs(20),
    },
    Case {
        name: "FLUSHALL",
        prepare: |line, sizes| strings(line, "key", sizes.keys, &[]),
        act: |l, _| l.ask("FLUSHALL"),
        after: Duration::from_secs(5),
    },
];

fn none(_: &mut Line, _: Sizes) -> io::Result<()> {
    Ok(())
}

/// Sets `count` keys to short values of several lengths.
fn strings(line: &mut Line, prefix: &str, count: u64, more: &[&str]) -> io::Result<()> {
    line.run_all((0..count).map(|i| {
        let value = "v".repeat((i * 7 % 60) as usize + 1);
        let words = ["SET".to_owned(), format!("{prefix}:{i}"), value];
        Request::new(words.into_iter().chain(more.iter().map(|&word| word.to_owned())))
    }))
}

/// Fills the collection `big` with `command`, which takes what `element` gives for each number.
fn fill(line: &mut Line, sizes: Sizes, command: &str, element: fn(u64) -> Vec<String>) -> io::Result<()> {
    let starts = (0..sizes.elements).step_by(ELEMENTS_A_REQUEST as usize);
    line.run_all(starts.map(|from| {
        let elements = (from..from + ELEMENTS_A_REQUEST).flat_map(element);
        Request::new([command.to_owned(), "big".to_owned()].into_iter().chain(elements))
    }))
}

fn zset(line: &mut Line, sizes: Sizes) -> io::Result<()> {
    fill(line, sizes, "ZADD", |i| vec![(i * 31 % 100_003).to_string(), format!("member:{i:09}")])
}

fn hash(line: &mut Line, sizes: Sizes) -> io::Result<()> {
    fill(line, sizes, "HSET", |i| vec![format!("field:{i:09}"), format!("value of {i}")])
}

fn set(line: &mut Line, sizes: Sizes) -> io::Result<()> {
    fill(line, sizes, "SADD", |i| vec![format!("member:{i:09}")])
}

fn list(line: &mut Line, sizes: Sizes) -> io::Result<()> {
    fill(line, sizes, "RPUSH", |i| vec![format!("element:{i:09}")])
}

fn main() -> io::Result<()> {
    let mut sizes = Sizes { keys: 10_000_000, elements: 1_000_000 };
    let mut programs = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|n| n.parse().ok()).ok_or(io::ErrorKind::InvalidInput);
        match word.as_str() {
            "--keys" => sizes.keys = number()?,
            "--elements" => sizes.elements = number()?,
            _ => programs.push(word),
        }
    }
    for program in &programs {
        println!("{program}, {} keys, collections of {} elements", sizes.keys, sizes.elements);
        println!(
            "{:30} {:>9} {:>8} {:>8} {:>8} {:>8}",
            "waits in us", "pings", "p50", "p99", "p99.99", "max"
        );
        let server = Spawned::start(Path::new(program), &["--save", "", "--appendonly", "no"])?;
        let mut line = Line::to(&server)?;
        strings(&mut line, "key", sizes.keys, &[])?;
        for case in CASES {
            (case.prepare)(&mut line, sizes)?;
            let mut waits_ns = watch(&server, case.after, || (case.act)(&mut line, sizes))?;
            waits_ns.sort_unstable();
            let at = |share: f64| {
                let i = (waits_ns.len() as f64 * share) as usize;
                waits_ns.get(i.min(waits_ns.len() - 1)).map_or(0.0, |&ns| ns as f64 / 1000.0)
            };
            let [p50, p99, p9999, max] = [0.5, 0.99, 0.9999, 1.0].map(at);
            println!("{:30} {:>9} {p50:8.0} {p99:8.0} {p9999:8.0} {max:8.0}", case.name, waits_ns.len());
        }
    }
    Ok(())
}

/// How long each PING waited while `act` ran and for `after` behind it, in nanoseconds.
fn watch(server: &Spawned, after: Duration, act: impl FnOnce() -> io::Result<()>) -> io::Result<Vec<u64>> {
    let mut line = Line::to(server)?;
    let acted = OnceLock::new();
    thread::scope(|scope| {
        let pings = scope.spawn(|| -> io::Result<Vec<u64>> {
            let mut waits_ns = Vec::new();
            while acted.get().is_none_or(|at: &Instant| at.elapsed() < after) {
                let before = Instant::now();
                line.stream.write_all(b"PING\r\n")?;
                line.stream.read_exact(&mut [0; b"+PONG\r\n".len()])?;
                waits_ns.push(before.elapsed().as_nanos() as u64);
            }
            Ok(waits_ns)
        });
        let result = act();
        let _ = acted.set(Instant::now());
        let waits_ns = pings.join().map_err(|_| io::Error::other("the thread that pings panicked"))?;
        result.and(waits_ns)
    })
}
