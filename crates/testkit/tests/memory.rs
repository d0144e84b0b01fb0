//! MEMORY USAGE says what a key takes: beside the allocator's own count of what this thread allocated and freed.

use commands::testing::Client;
use tikv_jemalloc_ctl::thread::{allocatedp, deallocatedp};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Bytes of a key's place in the table, which is counted in, though it is there before.
const SLOT_BYTES: i64 = 8;

/// Bytes this thread allocated less those it freed.
fn net_bytes() -> i64 {
    let counted = "jemalloc counts what each thread allocates";
    let (allocated, freed) = (allocatedp::read().expect(counted), deallocatedp::read().expect(counted));
    (allocated.get() - freed.get()) as i64
}

/// Sends lines to whoever takes them.
type Lines<'l> = &'l dyn Fn(&mut dyn FnMut(&str));

/// Runs `lines`, of which some may build the key `k`; what MEMORY USAGE says of it, and what was allocated.
fn usage(lines: Lines<'_>) -> (i64, i64) {
    let mut client = Client::new();
    // Tables that know of deadlines keep room for bounds of them.
    (0..1000).for_each(|i| drop(client.send(&format!("SET other:{i} x EX 1000"))));
    // The first time tables and buffers grow.
    lines(&mut |line| drop(client.send(line)));
    remove(&mut client);
    let before = net_bytes();
    lines(&mut |line| drop(client.send(line)));
    let allocated = net_bytes() - before;
    let told = client.value("MEMORY USAGE k").as_int().expect("a number of bytes");
    remove(&mut client);
    assert_eq!(net_bytes(), before, "all of it is freed");
    (told - SLOT_BYTES, allocated)
}

/// Removes the key `k`.
fn remove(client: &mut Client) {
    client.send("DEL k");
    client.free_garbage();
}

/// Runs a command with the numbers below `count`, as `{}` and in a spread order.
fn each(send: &mut dyn FnMut(&str), command: &str, count: usize) {
    for i in 0..count {
        send(&command.replace("{}", &(i * 7919 % count).to_string()));
    }
}

#[test]
fn what_is_one_run_of_bytes_is_counted_exactly() {
    let long = |n: usize| format!("SET k {}", "x".repeat(n));
    let strings: Vec<String> =
        vec!["SET k 12345".into(), "SET k value EX 1000".into(), long(100), long(1000), long(100_000)];
    for line in &strings {
        let (told, allocated) = usage(&|send| send(line));
        assert_eq!(told, allocated, "{}", &line[..line.len().min(20)]);
    }
    for (command, count) in [
        ("APPEND k some-{}", 500),
        ("RPUSH k element-{}", 20),
        ("SADD k {}", 30),
        ("SADD k member-{}", 30),
        ("HSET k field-{} value-{}", 40),
        ("ZADD k {} member-{}", 40),
    ] {
        let (told, allocated) = usage(&|send| each(send, command, count));
        assert_eq!(told, allocated, "{command}");
    }
}

#[test]
fn collections_of_many_nodes_are_counted_closely() {
    let long = "y".repeat(1500);
    let apart =
        [format!("SADD k {{}}{long}"), format!("HSET k {{}} {long}"), format!("ZADD k {{}} {{}}{long}")];
    let mut cases: Vec<(String, Option<&str>, usize)> = Vec::new();
    for (add, remove) in [
        ("RPUSH k element-{}", "LREM k 1 element-{}"),
        ("LPUSH k element-{}", "LPOP k"),
        ("SADD k member-{}", "SREM k member-{}"),
        ("HSET k field-{} value-{}", "HDEL k field-{}"),
        ("ZADD k {} member-{}", "ZREM k member-{}"),
        ("ZADD k {}.25 member-{}", "ZPOPMIN k"),
        ("XADD k * field value-{}", "XTRIM k MAXLEN {}"),
    ] {
        cases.push((add.into(), None, 20_000));
        cases.push((add.into(), Some(remove), 5000));
    }
    cases.extend(apart.map(|add| (add, None, 300)));
    let mut off = Vec::new();
    for (add, remove, count) in &cases {
        let (told, allocated) = usage(&|send| {
            each(send, add, *count);
            if let Some(remove) = remove {
                each(send, remove, count / 2);
            }
        });
        if (told - allocated).abs() > allocated / 50 + 100 {
            off.push(format!("{add:.30} {remove:?}: {told} for {allocated}"));
        }
    }
    assert!(off.is_empty(), "{off:#?}");
}
