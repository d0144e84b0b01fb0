//! Exact expiry at a time that the test sets: deadlines near and far, in the past, out of range, and a clock that
//! steps back and forward.

use std::collections::BTreeMap;
use std::sync::Arc;

use commands::testing::{Client, NOW_MS};
use engine::Due;
use proptest::collection::vec;
use proptest::prelude::*;
use testkit::{Request, ask, watch};

fn say(client: &mut Client, line: &str) -> resp::Value {
    ask(client, &Request::of(line))
}

fn int(client: &mut Client, line: &str) -> i64 {
    say(client, line).as_int().unwrap_or_else(|| panic!("{line} replies with an integer"))
}

#[test]
fn every_deadline_is_kept_to_the_millisecond() {
    let mut client = Client::new();
    let far = (0..62).map(|power| 1i64 << power).take_while(|ms| NOW_MS.checked_add(*ms).is_some());
    for ttl_ms in far.chain([i64::MAX - NOW_MS]) {
        client.turn.now_ms = NOW_MS;
        say(&mut client, &format!("SET key value PX {ttl_ms}"));
        assert_eq!(int(&mut client, "PTTL key"), ttl_ms);
        client.turn.now_ms = NOW_MS + ttl_ms - 1;
        assert_eq!(int(&mut client, "PTTL key"), 1, "a millisecond before {ttl_ms}");
        client.turn.now_ms = NOW_MS + ttl_ms;
        assert_eq!(int(&mut client, "PTTL key"), -2, "after {ttl_ms}");
        assert_eq!(int(&mut client, "DBSIZE"), 0, "after {ttl_ms}");
    }
}

#[test]
fn a_deadline_that_is_not_in_the_future_removes_the_key() {
    let now = NOW_MS.to_string();
    let lines = [
        "EXPIRE key 0",
        "EXPIRE key -1",
        "PEXPIRE key -9223372036854775000",
        "EXPIREAT key 1",
        "PEXPIREAT key -5",
    ];
    for line in lines.iter().map(|line| line.to_string()).chain([format!("PEXPIREAT key {now}")]) {
        let mut client = Client::new();
        watch(&mut client);
        say(&mut client, "SET key value");
        client.turn.events.clear();
        client.turn.take_effects();
        assert_eq!(int(&mut client, &line), 1, "{line}");
        let events: Vec<_> = client.turn.events.iter().map(|event| event.name).collect();
        assert_eq!(events, ["del"], "{line}");
        assert!(client.turn.take_effects().bytes.ends_with(b"*2\r\n$3\r\nDEL\r\n$3\r\nkey\r\n"), "{line}");
        assert_eq!(client.store.len(0), 0, "{line}");
    }
}

#[test]
fn times_out_of_range_are_refused_and_change_nothing() {
    let mut client = Client::new();
    say(&mut client, "SET key value EX 100");
    let seconds_max = i64::MAX / 1000;
    for (line, name) in [
        ("EXPIRE key 9223372036854775807".to_owned(), "expire"),
        (format!("EXPIRE key {seconds_max}"), "expire"),
        ("EXPIRE key -9223372036854775808".to_owned(), "expire"),
        (format!("PEXPIRE key {}", i64::MAX - NOW_MS + 1), "pexpire"),
        (format!("EXPIREAT key {}", seconds_max + 1), "expireat"),
        (format!("SETEX key {seconds_max} v"), "setex"),
        ("SET key v PX 0".to_owned(), "set"),
        ("GETEX key PXAT -1".to_owned(), "getex"),
    ] {
        let error = format!("ERR invalid expire time in '{name}' command");
        assert_eq!(say(&mut client, &line).as_error(), Some(error.as_bytes()), "{line}");
    }
    assert_eq!(int(&mut client, "PTTL key"), 100_000);
    assert_eq!(int(&mut client, &format!("PEXPIREAT key {}", i64::MAX)), 1);
    assert_eq!(int(&mut client, "PEXPIRETIME key"), i64::MAX);
    assert_eq!(int(&mut client, "EXPIRETIME key"), 9_223_372_036_854_776);
}

#[test]
fn a_clock_that_steps_back_gives_time_and_brings_nothing_back() {
    let mut client = Client::new();
    say(&mut client, "SET soon 1 PX 10");
    say(&mut client, "SET later 1 PX 1000");
    client.turn.now_ms = NOW_MS + 10;
    assert_eq!(int(&mut client, "EXISTS soon later"), 1);
    client.turn.now_ms = NOW_MS - 3_600_000;
    assert_eq!(int(&mut client, "EXISTS soon later"), 1, "what is gone stays gone");
    assert_eq!(int(&mut client, "PTTL later"), 3_601_000);
    say(&mut client, "SET early 1 PX 5");
    client.turn.now_ms = NOW_MS + 999;
    assert_eq!(int(&mut client, "EXISTS early later"), 1);
    client.turn.now_ms = NOW_MS + 1000;
    assert_eq!(int(&mut client, "EXISTS early later"), 0);
}

#[test]
fn a_clock_that_jumps_ahead_expires_all_that_is_due_and_nothing_else() {
    let mut client = Client::new();
    watch(&mut client);
    for i in 1..=2000 {
        say(&mut client, &format!("SET k{i} v PX {}", i * 1000));
    }
    say(&mut client, "SET kept v");
    client.turn.now_ms = NOW_MS + 1_500_000;
    client.turn.events.clear();
    let store = Arc::clone(&client.store);
    assert_eq!(store.expire_due(0, &mut client.turn, usize::MAX), Due::Done);
    let expired = client.turn.events.iter().filter(|event| event.name == "expired").count();
    assert_eq!((expired, store.len(0), store.volatile_len(0)), (1500, 501, 500));
}

/// What is done to one of a few keys, or to the time.
#[derive(Clone, Debug)]
enum Step {
    Set(u8, Option<i64>),
    Expire(u8, i64),
    Persist(u8),
    Delete(u8),
    Move(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ttl_ms = || prop_oneof![4 => 1i64..50, 2 => 1i64..100_000, 1 => 1i64..1_000_000_000_000];
    let step = prop_oneof![
        4 => (0u8..8, proptest::option::of(ttl_ms())).prop_map(|(key, ttl_ms)| Step::Set(key, ttl_ms)),
        2 => (0u8..8, ttl_ms()).prop_map(|(key, ttl_ms)| Step::Expire(key, ttl_ms)),
        1 => (0u8..8).prop_map(Step::Persist),
        1 => (0u8..8).prop_map(Step::Delete),
        4 => (1i64..60).prop_map(Step::Move),
        1 => (-200_000i64..200_000).prop_map(Step::Move),
    ];
    vec(step, 1..80)
}

/// Keys and their deadlines.
type Model = BTreeMap<u8, Option<i64>>;

fn apply(client: &mut Client, model: &mut Model, step: &Step) {
    let now_ms = client.turn.now_ms;
    match *step {
        Step::Set(key, ttl_ms) => {
            let px = ttl_ms.map_or(String::new(), |ttl_ms| format!("PX {ttl_ms}"));
            say(client, &format!("SET {key} v {px}"));
            model.insert(key, ttl_ms.map(|ttl_ms| now_ms + ttl_ms));
        }
        Step::Expire(key, ttl_ms) => {
            let there = int(client, &format!("PEXPIRE {key} {ttl_ms}")) == 1;
            assert_eq!(there, model.contains_key(&key));
            model.entry(key).and_modify(|deadline| *deadline = Some(now_ms + ttl_ms));
        }
        Step::Persist(key) => {
            let had = int(client, &format!("PERSIST {key}")) == 1;
            assert_eq!(had, model.get(&key).is_some_and(Option::is_some));
            model.entry(key).and_modify(|deadline| *deadline = None);
        }
        Step::Delete(key) => {
            assert_eq!(int(client, &format!("DEL {key}")) == 1, model.remove(&key).is_some());
        }
        Step::Move(ms) => {
            client.turn.now_ms += ms;
            let now_ms = client.turn.now_ms;
            model.retain(|_, deadline| deadline.is_none_or(|at| at > now_ms));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_agrees_with_a_list_of_deadlines(steps in steps()) {
        let (mut client, mut model) = (Client::new(), Model::new());
        let store = Arc::clone(&client.store);
        for step in &steps {
            apply(&mut client, &mut model, step);
            store.expire_due(0, &mut client.turn, usize::MAX);
            prop_assert_eq!(store.len(0), model.len() as u64);
            prop_assert_eq!(store.volatile_len(0), model.values().flatten().count() as u64);
            let next_ms = store.next_due_ms(0);
            let earliest_ms = model.values().flatten().min().copied().unwrap_or(i64::MAX);
            prop_assert!(client.turn.now_ms < next_ms && next_ms <= earliest_ms, "{} {}", next_ms, earliest_ms);
            for (key, deadline) in &model {
                prop_assert_eq!(int(&mut client, &format!("PEXPIRETIME {key}")), deadline.unwrap_or(-1));
            }
        }
    }
}
