//! Effects make the same store again: whatever sequence of requests runs, at whatever times, running its effects in
//! an empty store, all at once, ends with the same keys, values and deadlines.

use std::cell::Cell;

use commands::flags;
use commands::testing::{Client, NOW_MS};
use engine::Effects;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use resp::Value;
use testkit::{Request, State, Step, Target, ask, difference, requests, sequences, state, watch};

const CASES_DEFAULT: u32 = 300;

/// The groups of commands about data.
const GROUPS: &[&str] =
    &["string", "bitmap", "generic", "list", "hash", "set", "sorted-set", "stream", "hyperloglog", "geo"];

/// A client whose time stands still unless it is moved.
struct Still(Client);

impl Target for Still {
    fn call(&mut self, request: &Request) -> Value {
        ask(&mut self.0, request)
    }
}

/// The state of `target` but for the forms that values are kept in: a request that changes no byte may change one,
/// and is no effect.
fn contents(target: &mut Still) -> State {
    let mut state = state(target, 16);
    state.values_mut().for_each(|kept| kept.encoding = Value::Null);
    state
}

/// The state once every request has run, each `ms` after the one before, and its effects.
fn play(steps: &[(Step, i64)]) -> (State, Effects, i64) {
    let mut client = Client::new();
    watch(&mut client);
    let mut target = Still(client);
    for (step, ms) in steps {
        target.0.turn.now_ms += ms;
        match step {
            Step::Send(request) => drop(target.call(request)),
            Step::Vanish(key, ttl_ms) => {
                let ttl_ms = ttl_ms.to_string();
                target.call(&Request::new([b"PEXPIRE", key.as_slice(), ttl_ms.as_bytes()]));
            }
            Step::Scan(_) => {}
        }
    }
    let effects = target.0.turn.take_effects();
    (contents(&mut target), effects, target.0.turn.now_ms)
}

/// The state after `effects` at `now_ms`, at which they run too: while they do, nothing expires before an effect says
/// so.
fn replay(effects: &Effects, now_ms: i64) -> State {
    let mut client = Client::new();
    client.turn.now_ms = now_ms;
    client.turn.loading = true;
    let mut target = Still(client);
    for (db, request) in requests(effects) {
        target.0.session.db = db;
        let reply = target.call(&request);
        assert!(reply.as_error().is_none(), "the effect {request:?} fails: {reply:?}");
    }
    target.0.turn.loading = false;
    contents(&mut target)
}

#[test]
fn effects_make_the_same_store() {
    let wanted = |row: &commands::Row| {
        let named = ["select", "flushall", "flushdb", "swapdb"].contains(&row.command.name);
        let waits = row.command.is(flags::BLOCKING) && row.command.group != "stream";
        let about_keys = GROUPS.contains(&row.command.group) && row.command.name != "pfselftest";
        named || (about_keys && !waits)
    };
    let pause = prop_oneof![6 => Just(0i64), 3 => 1i64..20, 1 => 1_000i64..1_000_000_000];
    let steps = sequences(wanted, &["BLOCK"], 1).prop_map(|mut steps| steps.remove(0));
    let cases = std::env::var("EBBTIDE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES_DEFAULT);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let replayed = Cell::new(0);
    let outcome = TestRunner::new_with_rng(config, rng).run(&vec((steps, pause), 1..60), |steps| {
        let (played, effects, now_ms) = play(&steps);
        replayed.set(replayed.get() + played.len());
        let difference = difference(&replay(&effects, now_ms), &played);
        difference.map_or(Ok(()), |d| Err(TestCaseError::fail(d)))
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(replayed.get() > cases as usize, "the sequences leave keys behind");
}

#[test]
fn deadlines_are_replayed_to_the_millisecond() {
    let steps = ["SET a 1 EX 10", "SET b 1", "PEXPIRE b 1500", "SET c 1", "EXPIRE c 7 NX", "GETEX c PX 9"];
    let steps: Vec<_> = steps.iter().map(|line| (Step::Send(Request::of(line)), 3)).collect();
    let (played, effects, now_ms) = play(&steps);
    let replayed = replay(&effects, now_ms);
    assert_eq!(replayed, played);
    let deadline = |key: &[u8]| replayed[&(0, key.to_vec())].deadline_ms.as_int();
    assert_eq!(deadline(b"a"), Some(NOW_MS + 3 + 10_000));
    assert_eq!(deadline(b"b"), Some(NOW_MS + 9 + 1500));
    assert_eq!(deadline(b"c"), Some(NOW_MS + 18 + 9));
}
