//! How long an RDB file takes to load: `cargo run --release -p testkit --example load -- FILE [THREADS]`, and a file
//! to load: `... --example load -- --write FILE KEYS` (keys of 12 to 18 bytes, values of 32).
#![allow(clippy::disallowed_methods, reason = "this measures time")]

use std::fs::File;
use std::time::Instant;

use engine::{AccessPolicy, Limits, Options, Store, Str};
use persist::rdb::{self, About, LoadOptions, Reader, ReaderOptions, Writer, load};

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn write(path: &str, keys: u64) -> std::io::Result<()> {
    let options = rdb::Options { compression: true, checksum: true, version: rdb::Version::V11 };
    let start = Instant::now();
    let mut writer = Writer::new(File::create(path)?, options);
    writer.preamble("7.2.4", 0, 0, false)?;
    writer.select(0)?;
    writer.resize(keys, 0)?;
    for i in 0..keys {
        // Differs from key to key, so that nothing compresses.
        let value = format!("{:032x}", u128::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        writer.string(format!("memtier-{i}").as_bytes(), About::default(), Str::Bytes(value.as_bytes()))?;
    }
    let bytes = writer.written_bytes();
    writer.finish()?;
    println!("{keys} keys, {bytes} bytes written in {:?}", start.elapsed());
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let args: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    let (path, threads) = match *args.as_slice() {
        ["--write", path, keys] => return Ok(write(path, keys.parse()?)?),
        [path] => (path, 2),
        [path, threads] => (path, threads.parse()?),
        _ => return Err("usage: load FILE [THREADS] | load --write FILE KEYS".into()),
    };
    let store = Store::new(&Options { databases: 16, secret: 1, groups: 2 });
    let start = Instant::now();
    let mut reader = Reader::new(File::open(path)?, ReaderOptions { checksum: true })?;
    let options = LoadOptions {
        threads,
        now_ms: 0,
        keep_expired: false,
        replace: false,
        policy: AccessPolicy::Lru,
        limits: Limits::DEFAULT,
        between: || {},
    };
    let loaded = load(&store, &mut reader, &options, &mut |_| {})?;
    let time = start.elapsed();
    let mean_ns = time.as_nanos() / u128::from(loaded.keys.max(1));
    println!(
        "{} keys, {} bytes, {threads} threads: {time:?}, {mean_ns} ns each",
        loaded.keys,
        reader.offset()
    );
    // Freeing all keys takes longer than is of interest.
    std::mem::forget(store);
    Ok(())
}
