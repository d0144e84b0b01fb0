//! How long single insertions take while a store grows: `cargo run --release -p testkit --example growth -- KEYS`.
//!
//! An insertion that makes a segment grow or split, or the directory double, must not take long. The slowest are
//! printed with the number of keys there were, so that pauses of the machine, which come at any time, can be told
//! from those of the table, which come at the same place in each run.
#![allow(clippy::disallowed_methods, reason = "this measures time")]

use std::time::Instant;

use engine::{Db, Deadline, Held, Options, Store, Turn};

fn main() {
    let keys: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let store = Store::new(&Options { databases: 1, secret: 1, groups: 1 });
    let mut turn = Turn::new(0, 1);
    let mut slowest: Vec<(u128, u64)> = Vec::new();
    let mut above = [0u64; 4];
    let start = Instant::now();
    for i in 0..keys {
        let name = i.to_le_bytes();
        let key = store.key(&name);
        let before = Instant::now();
        let mut held = Held::keys(&store, [key.hash()]);
        Db::new(&mut held, &mut turn, 0).set_string(key, b"12345678", Deadline::Never);
        let us = before.elapsed().as_micros();
        for (count, limit_us) in above.iter_mut().zip([10, 100, 1000, 5000]) {
            *count += u64::from(us >= limit_us);
        }
        if us >= 100 {
            slowest.push((us, i));
        }
    }
    let mean_ns = start.elapsed().as_nanos() / u128::from(keys.max(1));
    slowest.sort_unstable_by(|a, b| b.cmp(a));
    println!("{keys} keys, {mean_ns} ns each");
    println!(
        "insertions of 10 us and more: {}, 100 us: {}, 1 ms: {}, 5 ms: {}",
        above[0], above[1], above[2], above[3]
    );
    for (us, i) in slowest.iter().take(5) {
        println!("{us} us at {i} keys");
    }
}
