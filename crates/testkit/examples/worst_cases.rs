//! How long an operation takes as its collection grows, server beside server:
//! `cargo run --release -p testkit --example worst_cases -- [--only NAME] PROGRAM...`, each started as redis-server is;
//! `--only`: of the cases whose name has this in it.
//!
//! Each figure is the median time of a request to a collection of n elements and back over a unix socket, the server
//! having nothing else to do. An `echo` of nothing shows how much of it is the way there and back.
#![allow(clippy::disallowed_methods, reason = "this measures time")]

use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use testkit::{Line, Request, Spawned};

/// Elements that one request of a fill adds.
const FILL_STEP: u64 = 100;
/// Requests sent before their replies are read.
const FILL_AHEAD: u64 = 100;

/// An operation, and the collection it is done on.
struct Case {
    name: &'static str,
    sizes: &'static [u64],
    /// The requests that add elements `from` up to `to` of `n`.
    fill: fn(from: u64, to: u64) -> Vec<Request>,
    /// Request number `i` on a collection of `n` elements.
    probe: fn(i: u64, n: u64) -> Request,
    probes: u64,
}

const CASES: &[Case] = &[
    Case {
        name: "ECHO",
        sizes: &[1],
        fill: |_, _| Vec::new(),
        probe: |_, _| words(&["ECHO", "x"]),
        probes: 2000,
    },
    Case {
        name: "ZADD of a new member",
        sizes: &[10_000, 100_000, 1_000_000, 10_000_000],
        fill: fill_zset,
        probe: |i, n| words(&["ZADD", "z", &scrambled(i).to_string(), &format!("new:{}", n + i)]),
        probes: 2000,
    },
    Case {
        name: "ZRANK",
        sizes: &[10_000, 100_000, 1_000_000, 10_000_000],
        fill: fill_zset,
        probe: |i, n| words(&["ZRANK", "z", &format!("member:{:09}", scrambled(i) % n)]),
        probes: 2000,
    },
    Case {
        name: "LINDEX in the middle",
        sizes: &[10_000, 100_000, 1_000_000],
        fill: |from, to| vec![many("RPUSH", "l", (from..to).map(|i| format!("item:{i:09}")))],
        probe: |i, n| words(&["LINDEX", "l", &(n / 2 + i % 100).to_string()]),
        probes: 1000,
    },
    Case {
        name: "LSET, LRANGE of 10 in the middle",
        sizes: &[10_000, 100_000, 1_000_000],
        fill: |from, to| vec![many("RPUSH", "l", (from..to).map(|i| format!("item:{i:09}")))],
        probe: |i, n| match i % 2 {
            0 => words(&["LSET", "l", &(n / 2).to_string(), "other"]),
            _ => words(&["LRANGE", "l", &(n / 2).to_string(), &(n / 2 + 9).to_string()]),
        },
        probes: 1000,
    },
    Case {
        name: "HGETALL",
        sizes: &[1_000, 10_000, 100_000],
        fill: |from, to| {
            let pairs = (from..to).flat_map(|i| [format!("field:{i:09}"), format!("value:{i:09}")]);
            vec![many("HSET", "h", pairs)]
        },
        probe: |_, _| words(&["HGETALL", "h"]),
        probes: 30,
    },
    Case {
        name: "XRANGE of all",
        sizes: &[10_000, 100_000, 1_000_000],
        fill: fill_stream,
        probe: |_, _| words(&["XRANGE", "x", "-", "+"]),
        probes: 7,
    },
    Case {
        name: "XRANGE of 10 in the middle",
        sizes: &[10_000, 100_000, 1_000_000],
        fill: fill_stream,
        probe: |i, n| words(&["XRANGE", "x", &(n / 2 + i).to_string(), "+", "COUNT", "10"]),
        probes: 1000,
    },
    Case {
        name: "SINTER of two that share a tenth",
        sizes: &[10_000, 100_000, 1_000_000],
        fill: |from, to| {
            let member = |i: u64| format!("member:{i:09}");
            let other = (from..to).map(|i| member(if i % 10 == 0 { i } else { i + 1_000_000_000 }));
            vec![many("SADD", "s", (from..to).map(member)), many("SADD", "t", other)]
        },
        probe: |_, _| words(&["SINTER", "s", "t"]),
        probes: 7,
    },
];

fn fill_zset(from: u64, to: u64) -> Vec<Request> {
    let pairs = (from..to).flat_map(|i| [scrambled(i).to_string(), format!("member:{i:09}")]);
    vec![many("ZADD", "z", pairs)]
}

fn fill_stream(from: u64, to: u64) -> Vec<Request> {
    let add = |i: u64| words(&["XADD", "x", &format!("{}-0", i + 1), "sensor", "7", "value", &i.to_string()]);
    (from..to).map(add).collect()
}

/// A number that looks random, the same in each run.
fn scrambled(i: u64) -> u64 {
    (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % 1_000_000_007
}

fn words(words: &[&str]) -> Request {
    Request::new(words)
}

fn many(command: &str, key: &str, elements: impl Iterator<Item = String>) -> Request {
    Request::new([command.to_owned(), key.to_owned()].into_iter().chain(elements))
}

fn main() -> io::Result<()> {
    let mut programs: Vec<String> = std::env::args().skip(1).collect();
    let mut only = String::new();
    if programs.len() > 1 && programs[0] == "--only" {
        only = programs.drain(..2).nth(1).unwrap_or_default();
    }
    for case in CASES.iter().filter(|case| case.name.contains(&only)) {
        for &n in case.sizes {
            print!("{:32} {n:>9}", case.name);
            for program in &programs {
                let flags = ["--save", "", "--appendonly", "no"];
                let server = Spawned::start(Path::new(program), &flags)?;
                print!(" {:>12.1}", median_us(&server, case, n)?);
                io::stdout().flush()?;
            }
            println!();
        }
    }
    Ok(())
}

/// Fills a collection of `n` elements and takes the median time of the case's requests, in microseconds.
fn median_us(server: &Spawned, case: &Case, n: u64) -> io::Result<f64> {
    let mut line = Line::to(server)?;
    for from in (0..n).step_by((FILL_STEP * FILL_AHEAD) as usize) {
        let ends = (from..n.min(from + FILL_STEP * FILL_AHEAD)).step_by(FILL_STEP as usize);
        let requests = ends.flat_map(|from| (case.fill)(from, n.min(from + FILL_STEP)));
        line.run(&requests.flat_map(|request| request.encoded()).collect::<Vec<u8>>())?;
    }
    let mut times: Vec<u128> = Vec::new();
    for i in 0..case.probes {
        let bytes = (case.probe)(i, n).encoded();
        let before = Instant::now();
        line.run(&bytes)?;
        times.push(before.elapsed().as_nanos());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2] as f64 / 1000.0)
}
