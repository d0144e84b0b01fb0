//! Ebbtide beside a real Redis: made-up sequences of requests, the same replies, the same state.
//!
//! `EBBTIDE_ORACLE` names the redis-server, `EBBTIDE_BIN` the ebbtide that is run as a server, `EBBTIDE_CASES` says
//! how many sequences a test plays, `EBBTIDE_SEED` which ones:
//!
//! ```text
//! EBBTIDE_ORACLE=redis-server cargo test -p testkit --test differential -- --include-ignored
//! ```

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

use std::cell::RefCell;
use std::path::Path;

use commands::Row;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use testkit::{
    Connection, Local, Request, Spawned, Step, Target, Watched, agree, difference, play, sequences, state,
    trace, watch,
};

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
fn spawned(name: &str, flags: &[&str]) -> Spawned {
    let program = variable(name).unwrap_or_else(|| panic!("{name} names no program"));
    Spawned::start(Path::new(&program), flags).unwrap()
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

/// Runs `check` on what `strategy` makes up; `stream` tells one test's cases from another's.
fn for_all<S: Strategy>(strategy: S, stream: u32, check: impl FnMut(S::Value) -> Result<(), String>) {
    let cases = number("EBBTIDE_CASES", CASES_DEFAULT);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let seed = [number("EBBTIDE_SEED", 0).to_be_bytes(), stream.to_be_bytes()].concat().repeat(4);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let check = RefCell::new(check);
    let outcome = TestRunner::new_with_rng(config, rng)
        .run(&strategy, |case| check.borrow_mut()(case).map_err(TestCaseError::fail));
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Runs `check` on made-up sequences of what the oracle knows.
fn for_sequences(oracle: &mut Connection, stream: u32, mut check: impl FnMut(&[Step]) -> Result<(), String>) {
    let mut steps_played = 0;
    for_all(sequences(compared(oracle), NEWER_WORDS, STEPS_MAX), stream, |steps| {
        steps_played += steps.len();
        check(&steps)
    });
    println!("{steps_played} steps compared");
}

/// Plays sequences to `ours` and to the oracle, both speaking protocol `version`.
fn compare(version: u32, ours: &mut dyn Target) {
    let oracle = spawned("EBBTIDE_ORACLE", &["--save", ""]);
    let (mut asked, mut oracle) = (oracle.connect().unwrap(), oracle.connect().unwrap());
    let hello = Request::of(&format!("HELLO {version}"));
    Target::call(ours, &hello);
    Target::call(&mut oracle, &hello);
    for_sequences(&mut asked, version, |steps| play(steps, ours, &mut oracle));
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
    let server = spawned("EBBTIDE_BIN", &["--save", ""]);
    compare(2, &mut server.connect().unwrap());
    compare(3, &mut server.connect().unwrap());
}

/// Sends the requests of all steps at once, so that the server runs them in batches.
fn compare_pipelined(steps: &[Step], ours: &mut Connection, oracle: &mut Connection) -> Result<(), String> {
    let sent = steps.iter().filter_map(|step| match step {
        // How long expired keys are counted differs.
        Step::Send(request) if request.name() != "dbsize" => Some(request.clone()),
        _ => None,
    });
    let start = [Request::of("SELECT 0"), Request::of("FLUSHALL")];
    let requests: Vec<Request> = start.into_iter().chain(sent).collect();
    let (here, there) = (ours.call_all(&requests).unwrap(), oracle.call_all(&requests).unwrap());
    for ((request, here), there) in requests.iter().zip(&here).zip(&there) {
        if !agree(request, here, there) {
            return Err(format!("{request:?}: {here:?}, not {there:?}"));
        }
    }
    difference(&state(ours, 16), &state(oracle, 16)).map_or(Ok(()), Err)
}

#[test]
#[ignore = "needs a redis-server and an ebbtide, named by EBBTIDE_ORACLE and EBBTIDE_BIN"]
fn batches_are_the_same_as_redis() {
    let (server, oracle) =
        (spawned("EBBTIDE_BIN", &["--save", ""]), spawned("EBBTIDE_ORACLE", &["--save", ""]));
    let (mut ours, mut asked, mut oracle) =
        (server.connect().unwrap(), oracle.connect().unwrap(), oracle.connect().unwrap());
    for_sequences(&mut asked, 5, |steps| compare_pipelined(steps, &mut ours, &mut oracle));
}

/// Sends each step's request to both and compares what it leaves behind.
fn compare_traces(steps: &[Step], ours: &mut Local, oracle: &mut Watched) -> Result<(), String> {
    for line in ["SELECT 0", "FLUSHALL"] {
        ours.say(line);
        oracle.say(line);
    }
    trace(&mut ours.client);
    oracle.trace();
    for step in steps {
        let Step::Send(request) = step else { continue };
        let (here, there) = (ours.call(request), oracle.call(request));
        // Both must have run it: an older Redis runs some requests that are refused now.
        let run = here.as_error().is_none() || there.as_error().is_some();
        // Redis makes the key even when every write overflows, and tells neither its log nor anybody else.
        let untold =
            request.name() == "bitfield" && request.0.iter().any(|arg| arg.eq_ignore_ascii_case(b"FAIL"));
        let difference = trace(&mut ours.client).difference(&oracle.trace());
        if run
            && !untold
            && let Some(difference) = difference
        {
            return Err(format!("{request:?}: {difference}"));
        }
        // What the request left expired is removed now, so that the next one does not come across it.
        let arguments = Request::new([b"EXISTS".to_vec()].iter().chain(&request.0));
        ours.call(&arguments);
        oracle.call(&arguments);
        trace(&mut ours.client);
        oracle.trace();
    }
    Ok(())
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn the_same_events_and_effects_as_redis() {
    let server = spawned("EBBTIDE_ORACLE", Watched::FLAGS);
    let (mut asked, mut oracle) = (server.connect().unwrap(), Watched::new(&server).unwrap());
    let mut ours = Local::default();
    watch(&mut ours.client);
    for_sequences(&mut asked, 4, |steps| compare_traces(steps, &mut ours, &mut oracle));
}

#[test]
#[ignore = "needs a redis-server, named by EBBTIDE_ORACLE"]
fn patterns_fit_the_same_keys_as_in_redis() {
    let oracle = spawned("EBBTIDE_ORACLE", &["--save", ""]);
    let (mut ours, mut oracle) = (Local::default(), oracle.connect().unwrap());
    let text = |alphabet: &'static [u8], lens| vec(select(alphabet), lens);
    let (keys, patterns) =
        (text(b"aabbcZ-]^[\\*?\0\x80\xff", 0..7), text(b"abcZ-*?[[]]^\\\0\x80\xff**", 0..10));
    for_all((vec(keys, 1..60), vec(patterns, 1..40)), 6, |(keys, patterns)| {
        let mset = keys.iter().flat_map(|key| [key.as_slice(), b"v"]);
        let fill = [Request::of("FLUSHALL"), Request::new([b"MSET".as_slice()].into_iter().chain(mset))];
        let lists = patterns.iter().map(|pattern| Request::new([b"KEYS", pattern.as_slice()]));
        for request in fill.into_iter().chain(lists) {
            let (here, there) = (ours.call(&request), Target::call(&mut oracle, &request));
            if !agree(&request, &here, &there) {
                return Err(format!("{request:?}: {here:?}, not {there:?}"));
            }
        }
        Ok(())
    });
}
