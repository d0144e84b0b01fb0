//! Many threads on one store: commands on several keys are seen whole or not at all, and no count is lost.

use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use commands::testing::Client;
use resp::Value;
use testkit::{Request, Spawned, ask};

const THREADS: usize = 4;
const ROUNDS: usize = 3000;

fn say(client: &mut Client, line: &str) -> Value {
    ask(client, &Request::of(line))
}

fn int(client: &mut Client, line: &str) -> i64 {
    say(client, line).as_int().unwrap_or_else(|| panic!("{line} replies with an integer"))
}

/// Runs `write` in several threads, a client and a number each, and `look` in another, again and again until all
/// writers are done.
fn while_writing(
    client: &Client,
    write: impl Fn(&mut Client, usize) + Sync,
    mut look: impl FnMut(&mut Client) + Send,
) {
    let (start, writing) = (Barrier::new(THREADS + 1), AtomicBool::new(true));
    thread::scope(|scope| {
        let writers: Vec<_> = (0..THREADS)
            .map(|n| {
                let (mut client, write, start) = (client.beside(), &write, &start);
                scope.spawn(move || {
                    start.wait();
                    write(&mut client, n);
                })
            })
            .collect();
        let (mut client, start, writing) = (client.beside(), &start, &writing);
        let looker = scope.spawn(move || {
            start.wait();
            while writing.load(Ordering::Acquire) {
                look(&mut client);
            }
            look(&mut client);
        });
        let failed =
            writers.into_iter().map(|writer| writer.join().is_err()).filter(|failed| *failed).count();
        writing.store(false, Ordering::Release);
        assert!(looker.join().is_ok() && failed == 0, "a thread failed: its message is above");
    });
}

const KEYS: &str = "a b c d e f g h";

/// `a 7 b 7 ...`: each of the keys with one value.
fn pairs(value: impl std::fmt::Display) -> String {
    KEYS.split(' ').map(|key| format!("{key} {value} ")).collect()
}

fn assert_all_equal(reply: &Value) {
    let values = reply.as_slice().unwrap_or_default();
    assert!(values.len() == 8 && values.iter().all(|v| *v == values[0]), "torn: {values:?}");
}

#[test]
fn mset_is_seen_whole() {
    let mut client = Client::new();
    say(&mut client, &format!("MSET {}", pairs(0)));
    let write = |client: &mut Client, n: usize| {
        for round in 0..ROUNDS {
            say(client, &format!("MSET {}", pairs(n * ROUNDS + round)));
        }
    };
    while_writing(&client, write, |client| assert_all_equal(&say(client, &format!("MGET {KEYS}"))));
}

#[test]
fn mset_and_flushall_leave_all_or_nothing() {
    let client = Client::new();
    let write = |client: &mut Client, n: usize| {
        for round in 0..ROUNDS / 20 {
            let line =
                if n == 0 { "FLUSHALL".to_owned() } else { format!("MSET {}", pairs(n * ROUNDS + round)) };
            say(client, &line);
        }
    };
    while_writing(&client, write, |client| assert_all_equal(&say(client, &format!("MGET {KEYS}"))));
}

#[test]
fn of_msetnx_that_meet_one_wins_whole() {
    let client = Client::new();
    let write = |client: &mut Client, n: usize| {
        for round in 0..ROUNDS {
            // Each begins with another key, so that their stripes are named in different orders.
            let mut keys = ["a", "b", "c"].map(|key| format!("{key}{round}"));
            keys.rotate_left(n % 3);
            let pairs: String = keys.iter().map(|key| format!("{key} {n} ")).collect();
            if int(client, &format!("MSETNX {pairs}")) == 1 {
                say(client, "INCR wins");
            }
        }
    };
    while_writing(&client, write, |client| {
        let seen = int(client, "EXISTS a0 b0 c0");
        assert!(seen == 0 || seen == 3, "half of MSETNX: {seen}");
    });
    let mut client = client.beside();
    assert_eq!(int(&mut client, "INCRBY wins 0"), ROUNDS as i64);
    for round in 0..ROUNDS {
        let reply = say(&mut client, &format!("MGET a{round} b{round} c{round}"));
        let values = reply.as_slice().unwrap_or_default();
        assert!(values[0] != Value::Null && values.iter().all(|v| *v == values[0]), "{round}: {values:?}");
    }
}

#[test]
fn a_renamed_key_is_always_somewhere() {
    let mut client = Client::new();
    say(&mut client, "SET a token");
    let names: Vec<&str> = KEYS.split(' ').collect();
    let write = |client: &mut Client, n: usize| {
        for round in 0..ROUNDS {
            let (from, to) = (names[(round + n) % 8], names[(round * 5 + n * 3 + 1) % 8]);
            // It fails where the key is not, which is as good.
            say(client, &format!("RENAME {from} {to}"));
            say(client, &format!("RENAMENX {to} {from}"));
        }
    };
    while_writing(&client, write, |client| assert_eq!(int(client, &format!("EXISTS {KEYS}")), 1));
}

#[test]
fn a_moved_key_is_in_one_database() {
    let mut client = Client::new();
    say(&mut client, "SET token 0");
    let write = |client: &mut Client, n: usize| {
        client.session.db = (n % 2) as u32;
        for round in 0..ROUNDS {
            say(client, &format!("MOVE token {}", 1 - n % 2));
            if round % 50 == 0 {
                say(client, "SWAPDB 0 1");
            }
        }
    };
    while_writing(&client, write, |_| {});
    let total: u64 = (0..16).map(|db| client.store.len(db)).sum();
    assert_eq!(total, 1);
}

#[test]
fn no_count_is_lost() {
    let client = Client::new();
    let write = |client: &mut Client, _: usize| {
        for _ in 0..ROUNDS {
            say(client, "INCR one");
            say(client, "INCRBY many 7");
            say(client, "DECR down");
            say(client, "APPEND text x");
            say(client, "BITFIELD bits INCRBY u32 0 1");
            say(client, "INCRBYFLOAT halves 0.5");
        }
    };
    let mut before = 0;
    while_writing(&client, write, |client| {
        let now = int(client, "INCRBY one 0");
        assert!(now >= before, "a counter that only grows went from {before} to {now}");
        before = now;
    });
    let (mut client, n) = (client.beside(), (THREADS * ROUNDS) as i64);
    assert_eq!(int(&mut client, "INCRBY one 0"), n);
    assert_eq!(int(&mut client, "INCRBY many 0"), 7 * n);
    assert_eq!(int(&mut client, "DECRBY down 0"), -n);
    assert_eq!(int(&mut client, "STRLEN text"), n);
    assert_eq!(say(&mut client, "BITFIELD bits GET u32 0"), Value::Array(vec![Value::Int(n)]));
    assert_eq!(say(&mut client, "GET halves"), Value::Bulk((n / 2).to_string().into_bytes()));
}

#[test]
fn a_scan_meets_every_key_that_stays_once() {
    let mut client = Client::new();
    for i in 0..500 {
        say(&mut client, &format!("SET stays{i} v"));
    }
    let write = |client: &mut Client, n: usize| {
        for round in 0..ROUNDS {
            say(client, &format!("SET comes{n}-{round} v"));
            if round % 3 > 0 {
                say(client, &format!("DEL comes{n}-{}", round / 2));
            }
        }
    };
    while_writing(&client, write, |client| {
        let (mut cursor, mut seen) = (b"0".to_vec(), Vec::new());
        loop {
            let cursor_text = String::from_utf8_lossy(&cursor).into_owned();
            let reply = say(client, &format!("SCAN {cursor_text} MATCH stays* COUNT 50"));
            let [next, keys] = reply.as_slice().unwrap_or_default() else { panic!("{reply:?}") };
            seen.extend(
                keys.as_slice().unwrap_or_default().iter().filter_map(Value::as_bytes).map(<[u8]>::to_vec),
            );
            cursor = next.as_bytes().unwrap_or_default().to_vec();
            if cursor == b"0" {
                break;
            }
        }
        seen.sort_unstable();
        let all = seen.len();
        seen.dedup();
        assert_eq!((all, seen.len()), (500, 500));
    });
}

/// Batches of pipelined requests, whose stripes a worker keeps from one request to the next, from more connections
/// than there are workers.
#[test]
#[ignore = "needs an ebbtide, named by EBBTIDE_BIN"]
fn batches_from_many_connections_are_atomic_and_all_answered() {
    let program = std::env::var_os("EBBTIDE_BIN").expect("EBBTIDE_BIN must name an ebbtide");
    let server =
        Spawned::start(Path::new(&program), &["--save", "", "--io-threads", "4"]).expect("it starts");
    let batch = |n: usize| -> Vec<Request> {
        let requests = (0..100).map(|i| match (i + n) % 8 {
            0 | 1 => format!("MSET {}", pairs(n * 1000 + i)),
            2..=4 => format!("MGET {KEYS}"),
            5 => format!("RENAME t{} t{}", i % 3, (i + n) % 3),
            6 if i == 6 => "SWAPDB 8 9".to_owned(),
            _ => "INCR count".to_owned(),
        });
        requests.map(|line| Request::of(&line)).collect()
    };
    server.connect().expect("it listens").call(&Request::of("SET t0 token")).expect("it answers");
    let counted: usize = thread::scope(|scope| {
        let connections: Vec<_> = (0..8)
            .map(|n| {
                let (server, batch) = (&server, &batch);
                scope.spawn(move || {
                    let mut connection = server.connect().expect("it listens");
                    let mut counted = 0;
                    for round in 0..50 {
                        let requests = batch(n + round);
                        let replies = connection.call_all(&requests).expect("every request is answered");
                        for (request, reply) in requests.iter().zip(&replies) {
                            match request.name().as_str() {
                                "mget" => assert_all_equal(reply),
                                "incr" => counted += 1,
                                _ => {}
                            }
                        }
                    }
                    counted
                })
            })
            .collect();
        connections.into_iter().map(|c| c.join().expect("its message is above")).sum()
    });
    let mut connection = server.connect().expect("it listens");
    let replies =
        ["GET count", "EXISTS t0 t1 t2"].map(|line| connection.call(&Request::of(line)).expect("a reply"));
    assert_eq!(replies, [Value::Bulk(counted.to_string().into_bytes()), Value::Int(1)]);
}
