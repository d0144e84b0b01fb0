//! What is counted as allocated is what is.
//!
//! One test in a process of its own: others' threads would allocate meanwhile.
#![allow(clippy::unwrap_used, reason = "a test's own steps fail loudly")]

use std::sync::mpsc;
use std::thread;

use server::memory::{others_bytes, own_bytes, publish, used_bytes};
use tikv_jemalloc_ctl::{Access, AsName, epoch, stats};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What the test's own machinery may allocate meanwhile.
const SLACK_BYTES: i64 = 64 << 10;

/// What the allocator itself says is allocated, beyond what is counted.
fn uncounted_bytes() -> i64 {
    epoch::advance().unwrap();
    stats::allocated::read().unwrap() as i64 - used_bytes() as i64
}

/// Blocks of sizes from 1 byte to 1 MiB, `count` of them.
fn blocks(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    (0..count).map(|_| vec![1; 1 + next() as usize % (1 << (next() % 21))]).collect()
}

#[test]
fn the_threads_counters_add_up_to_what_is_allocated() {
    // What lies in a thread's cache counts as allocated for the allocator; the other threads' go with them.
    b"thread.tcache.enabled\0".name().write(false).unwrap();
    publish();
    let uncounted = uncounted_bytes();

    // This thread's own, to the byte: sizes of whole classes.
    let before = (own_bytes(), used_bytes());
    let block = vec![0u8; 4096];
    assert_eq!((own_bytes(), used_bytes()), (before.0 + 4096, before.1 + 4096));
    drop(block);
    assert_eq!((own_bytes(), used_bytes()), before);

    // What one thread allocated, another one frees; half of it stays.
    let (send, receive) = mpsc::channel::<Vec<Vec<u8>>>();
    let freeing = thread::spawn(move || {
        for blocks in receive {
            drop(blocks);
            publish();
        }
        own_bytes()
    });
    let kept: Vec<Vec<Vec<u8>>> = thread::scope(|scope| {
        let allocate = |seed: u64| {
            let send = send.clone();
            scope.spawn(move || {
                let mut kept = Vec::new();
                for round in 0..20 {
                    kept.push(blocks(seed * 100 + round, 50));
                    send.send(blocks(seed * 200 + round, 50)).unwrap();
                    publish();
                }
                kept
            })
        };
        let threads: Vec<_> = (1..=4).map(allocate).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    drop(send);
    assert!(freeing.join().unwrap() < -(10 << 20), "much was freed there");
    let kept_bytes: usize = kept.iter().flatten().map(Vec::capacity).sum();
    assert!(kept_bytes > 50 << 20 && used_bytes() > before.1 + kept_bytes as u64);
    let off = uncounted_bytes() - uncounted;
    assert!(off.abs() < SLACK_BYTES, "{off} bytes are not counted");

    drop(kept);
    assert_eq!(others_bytes() + own_bytes(), used_bytes() as i64);
    assert!(used_bytes().abs_diff(before.1) < SLACK_BYTES as u64);
    let off = uncounted_bytes() - uncounted;
    assert!(off.abs() < SLACK_BYTES, "{off} bytes are not counted");
}
