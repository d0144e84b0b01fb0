//! Ebbtide beside a real Redis: made-up sequences of requests, the same replies, the same state.
//!
//! `EBBTIDE_ORACLE` names the redis-server, `EBBTIDE_BIN` the ebbtide that is run as a server, `EBBTIDE_CASES` says
//! how many sequences a test plays, `EBBTIDE_SEED` which ones:
//!
//! ```text
//! EBBTIDE_ORACLE=redis-server cargo test -p testkit --test differential -- --include-ignored
//! ```

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

use std::cell::{Cell, RefCell};
use std::path::Path;

use commands::Row;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use testkit::{Connection, Local, Request, Spawned, Target, play, sequences};

/// Sequences a test plays when `EBBTIDE_CASES` does not say.
const CASES_DEFAULT: u32 = 60;

/// Longest sequence.
const STEPS_MAX: usize = 60;

/// Options and operations that came with Redis 8.2, 8.4 and Valkey 9.
const NEWER_WORDS: &[&str] = &["IFEQ", "IFNE", "IFDEQ", "IFDNE", "DIFF", "DIFF1", "ANDOR", "ONE"];

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str, default: u32) -> u32 {
    variable(name).map_or(default, |value| value.parse().expect("EBBTIDE_CASES and EBBTIDE_SEED are numbers"))
}

/// Starts the program that `name` names.
fn spawned(name: &str) -> Spawned {
    let program = variable(name).unwrap_or_else(|| panic!("{name} names no program"));
    Spawned::start(Path::new(&program), &["--save", ""]).unwrap()
}

/// The commands that are compared: those about keys and strings, as far as the oracle has them.
fn compared(oracle: &mut Connection) -> impl Fn(&Row) -> bool {
    let known = oracle.say("COMMAND LIST");
    let known: Vec<Vec<u8>> =
        known.as_slice().unwrap().iter().map(|name| name.as_bytes().unwrap().to_vec()).collect();
    move |row: &Row| {
        let name = row.container.unwrap_or(row.command).name;
        let about_keys = ["string", "bitmap", "generic"].contains(&row.command.group);
        let others = ["dbsize", "flushall", "flushdb", "swapdb", "select", "echo"].contains(&name);
        (about_keys || others) && row.command.name != "help" && known.iter().any(|k| k == name.as_bytes())
    }
}

/// Plays sequences to `ours` and to the oracle, both speaking protocol `version`.
fn compare(version: u32, ours: &mut dyn Target) {
    let oracle = spawned("EBBTIDE_ORACLE");
    let mut oracle = oracle.connect().unwrap();
    let strategy = sequences(compared(&mut oracle), NEWER_WORDS, STEPS_MAX);
    let hello = Request::of(&format!("HELLO {version}"));
    Target::call(ours, &hello);
    Target::call(&mut oracle, &hello);
    let cases = number("EBBTIDE_CASES", CASES_DEFAULT);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let seed = [number("EBBTIDE_SEED", 0).to_be_bytes(), version.to_be_bytes()].concat().repeat(4);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let (ours, oracle) = (RefCell::new(ours), RefCell::new(oracle));
    let steps_played = Cell::new(0);
    let outcome = TestRunner::new_with_rng(config, rng).run(&strategy, |steps| {
        steps_played.set(steps_played.get() + steps.len());
        play(&steps, &mut **ours.borrow_mut(), &mut *oracle.borrow_mut()).map_err(TestCaseError::fail)
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    println!("{cases} sequences, {} steps compared", steps_played.into_inner());
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn the_same_as_redis_with_resp2() {
    compare(2, &mut Local::default());
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn the_same_as_redis_with_resp3() {
    compare(3, &mut Local::default());
}

#[test]
#[ignore = "needs a redis-server and an ebbtide, named by EBBTIDE_ORACLE and EBBTIDE_BIN"]
fn the_server_is_the_same_as_redis() {
    let server = spawned("EBBTIDE_BIN");
    compare(2, &mut server.connect().unwrap());
    compare(3, &mut server.connect().unwrap());
}
