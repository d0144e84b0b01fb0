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
use testkit::{
    Judge, Local, Request, Scene, Spawned, Target, WORLDS, Watched, World, play_scene, trace, watch,
};

/// Requests a type plays when `EBBTIDE_COMMANDS` does not say.
const COMMANDS_DEFAULT: u32 = 5_000;

const FLAGS: &[&str] = &["--save", ""];

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
fn spawned(name: &str, flags: &[&str]) -> Spawned {
    let program = variable(name).unwrap_or_else(|| panic!("{name} names no program"));
    Spawned::start(Path::new(&program), flags).unwrap()
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

/// Runs `check` on made-up scenes of a world, as the oracle knows its commands, until so many requests were played.
fn for_scenes(
    world: &World,
    stream: u32,
    requests: u32,
    oracle: &mut dyn Target,
    check: impl FnMut(&Scene, Judge) -> Result<(), String>,
) {
    let judge = Judge::of(oracle);
    let scenes = world.scenes(known(oracle), &judge.unknown_words(), REQUESTS_MAX);
    let seed = [number("EBBTIDE_SEED", 0).to_be_bytes(), stream.to_be_bytes()].concat().repeat(4);
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let check = RefCell::new(check);
    let (mut played, mut scenes_played) = (0, 0);
    while played < requests {
        let tree = scenes.new_tree(&mut runner).unwrap();
        played += tree.current().requests.len() as u32;
        scenes_played += 1;
        let outcome =
            runner.run_one(tree, |scene| check.borrow_mut()(&scene, judge).map_err(TestCaseError::fail));
        outcome.unwrap_or_else(|failure| panic!("{}: {failure}", world.name));
    }
    println!("{}: {played} requests in {scenes_played} scenes compared", world.name);
}

/// Plays so many requests of a type to `ours` and to a new oracle.
fn compare(name: &str, requests: u32, ours: &mut dyn Target) {
    let server = spawned("EBBTIDE_ORACLE", FLAGS);
    let (mut asked, mut oracle) = (server.connect().unwrap(), server.connect().unwrap());
    let (stream, world) = world(name);
    for_scenes(world, stream, requests, &mut asked, |scene, judge| {
        play_scene(world, scene, judge, ours, &mut oracle)
    });
}

/// Plays a scene to both, and compares what each request leaves behind beside its reply.
fn compare_traces(scene: &Scene, ours: &mut Local, oracle: &mut Watched) -> Result<(), String> {
    ours.configure(scene.limits);
    oracle.configure(scene.limits);
    ours.say("FLUSHALL");
    oracle.say("FLUSHALL");
    trace(&mut ours.client);
    oracle.trace();
    // What they choose at random is not the same in both.
    let chosen = |request: &&Request| {
        // Reads and claims that give nothing make a consumer since Redis 7.2, and so an event.
        let others = ["spop", "xreadgroup", "xclaim", "xautoclaim"];
        !others.contains(&request.name().as_str()) && !sets_a_past_moment(request)
    };
    for request in scene.requests.iter().filter(chosen) {
        let (here, there) = (ours.call(request), oracle.call(request));
        // Both must have run it: an older Redis runs some requests that are refused now.
        let run = here.as_error().is_none() || there.as_error().is_some();
        if !run {
            return Ok(());
        }
        let (mut here_left, mut there_left) = (trace(&mut ours.client), oracle.trace());
        let many = ["xread", "sort", "sort_ro"].contains(&request.name().as_str());
        if here.as_error().is_some() || many {
            // How far keys were looked at when one was of a wrong type, how often, and in which order.
            let told = |(_, name, _): &(u32, String, Vec<u8>)| name != "keymiss";
            [&mut here_left, &mut there_left].into_iter().for_each(|left| left.events.retain(told));
        }
        if let Some(difference) = here_left.difference(&there_left) {
            return Err(format!("{request:?}: {difference}"));
        }
    }
    Ok(())
}

/// Whether it is a SET with a moment, which may be past: then the key goes when somebody notices.
fn sets_a_past_moment(request: &Request) -> bool {
    let moment = |i| request.word(i).is_some_and(|word| matches!(word.as_str(), "exat" | "pxat"));
    request.name() == "set" && (3..request.0.len()).any(moment)
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn events_and_effects_are_as_in_redis() {
    for (stream, world) in (100..).zip(&WORLDS) {
        let server = spawned("EBBTIDE_ORACLE", Watched::FLAGS);
        let (mut asked, mut oracle) = (server.connect().unwrap(), Watched::new(&server).unwrap());
        let mut ours = Local::default();
        watch(&mut ours.client);
        let requests = number("EBBTIDE_COMMANDS", COMMANDS_DEFAULT) / 20;
        for_scenes(world, stream, requests, &mut asked, |scene, _| {
            compare_traces(scene, &mut ours, &mut oracle)
        });
    }
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
    let server = spawned("EBBTIDE_BIN", FLAGS);
    let requests = number("EBBTIDE_COMMANDS", COMMANDS_DEFAULT) / 10;
    WORLDS.iter().for_each(|world| compare(world.name, requests, &mut server.connect().unwrap()));
}
