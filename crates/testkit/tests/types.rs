//! Every type beside a real Redis: made-up requests of its commands, the same replies, the same keys left.
//!
//! `EBBTIDE_ORACLE` names the redis-server, `EBBTIDE_BIN` the ebbtide that is run as a server, `EBBTIDE_COMMANDS` says
//! how many requests a type plays, `EBBTIDE_SEED` which ones:
//!
//! ```text
//! EBBTIDE_ORACLE=redis-server cargo test -p testkit --test types -- --include-ignored
//! ```

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use commands::Row;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use testkit::{Judge, Local, Spawned, Target, WORLDS, World, play_scene};

/// Requests a type plays when `EBBTIDE_COMMANDS` does not say.
const COMMANDS_DEFAULT: u32 = 5_000;

/// Longest scene.
const REQUESTS_MAX: usize = 150;

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str, default: u32) -> u32 {
    let parsed = |value: String| value.parse().expect("EBBTIDE_COMMANDS and EBBTIDE_SEED are numbers");
    variable(name).map_or(default, parsed)
}

/// Starts the program that `name` names.
fn spawned(name: &str) -> Spawned {
    let program = variable(name).unwrap_or_else(|| panic!("{name} names no program"));
    Spawned::start(Path::new(&program), &["--save", "", "--enable-debug-command", "yes"]).unwrap()
}

fn world(name: &str) -> (u32, &'static World) {
    let i = WORLDS.iter().position(|world| world.name == name).unwrap();
    (i as u32, &WORLDS[i])
}

/// The rows that the oracle has.
fn known(oracle: &mut dyn Target) -> impl Fn(&Row) -> bool + use<> {
    let names = oracle.say("COMMAND LIST");
    let names: BTreeSet<Vec<u8>> =
        names.as_slice().unwrap().iter().map(|name| name.as_bytes().unwrap().to_vec()).collect();
    move |row: &Row| names.contains(row.full_name().as_bytes())
}

/// Plays so many requests of a type to `ours` and to a new oracle.
fn compare(name: &str, requests: u32, ours: &mut dyn Target) {
    let server = spawned("EBBTIDE_ORACLE");
    let mut oracle = server.connect().unwrap();
    let judge = Judge::of(&mut oracle);
    let (stream, world) = world(name);
    let scenes = world.scenes(known(&mut oracle), &judge.unknown_words(), REQUESTS_MAX);
    let seed = [number("EBBTIDE_SEED", 0).to_be_bytes(), stream.to_be_bytes()].concat().repeat(4);
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let targets = RefCell::new((ours, oracle));
    let (mut played, mut scenes_played) = (0, 0);
    while played < requests {
        let tree = scenes.new_tree(&mut runner).unwrap();
        played += tree.current().requests.len() as u32;
        scenes_played += 1;
        let outcome = runner.run_one(tree, |scene| {
            let (ours, oracle) = &mut *targets.borrow_mut();
            play_scene(world, &scene, judge, *ours, oracle).map_err(TestCaseError::fail)
        });
        outcome.unwrap_or_else(|failure| panic!("{name}: {failure}"));
    }
    println!("{name}: {played} requests in {scenes_played} scenes compared");
}

fn compare_here(name: &str) {
    compare(name, number("EBBTIDE_COMMANDS", COMMANDS_DEFAULT), &mut Local::default());
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn lists_are_as_in_redis() {
    compare_here("list");
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn hashes_are_as_in_redis() {
    compare_here("hash");
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn sets_are_as_in_redis() {
    compare_here("set");
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn sorted_sets_are_as_in_redis() {
    compare_here("sorted set");
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn ranges_of_names_are_as_in_redis() {
    compare_here("sorted set by name");
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn streams_are_as_in_redis() {
    compare_here("stream");
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn hyperloglogs_are_as_in_redis() {
    compare_here("hyperloglog");
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn places_are_as_in_redis() {
    compare_here("geo");
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn sorting_is_as_in_redis() {
    compare_here("sort");
}

#[test]
#[ignore = "needs a redis-server and an ebbtide, named by EBBTIDE_ORACLE and EBBTIDE_BIN"]
fn the_server_is_the_same_as_redis_in_every_type() {
    let server = spawned("EBBTIDE_BIN");
    let requests = number("EBBTIDE_COMMANDS", COMMANDS_DEFAULT) / 10;
    WORLDS.iter().for_each(|world| compare(world.name, requests, &mut server.connect().unwrap()));
}
