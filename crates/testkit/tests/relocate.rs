//! Moving what is in memory is seen by nobody: made-up requests of every type get the same replies, and leave the same
//! keys, whether everything moves between two requests or nothing does.

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

use std::cell::RefCell;

use engine::{Mover, Pass};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use resp::Value;
use testkit::{Judge, Local, Request, Target, WORLDS, ask, now_ms, play_scene};

/// Scenes a type plays.
const SCENES: u32 = 40;
/// Longest scene.
const REQUESTS_MAX: usize = 150;
/// Steps between two requests: not enough for a pass, so that requests come in the middle of collections.
const STEPS: usize = 300;

/// A client whose time stands still.
struct Client {
    local: Local,
    /// Where everything moves: how far it has come.
    pass: Option<Pass>,
}

impl Client {
    fn new(now_ms: i64, pass: Option<Pass>) -> RefCell<Client> {
        let mut local = Local::default();
        local.client.turn.now_ms = now_ms;
        RefCell::new(Client { local, pass })
    }
}

impl Target for Client {
    fn call(&mut self, request: &Request) -> Value {
        if let Some(pass) = &mut self.pass {
            for _ in 0..STEPS {
                self.local.client.store.relocate(pass, &mut Everything);
            }
        }
        ask(&mut self.local.client, request)
    }

    fn configure(&mut self, directives: &[(&str, i64)]) {
        self.local.configure(directives);
    }
}

/// Says that it is the newest server, of which nothing is excused.
struct Newest;

impl Target for Newest {
    fn call(&mut self, _request: &Request) -> Value {
        Value::Bulk(b"redis_version:99.0.0".to_vec())
    }
}

/// Moves all there is, in the smallest steps.
struct Everything;

impl Mover for Everything {
    fn is_sparse(&mut self, _at: *const u8) -> bool {
        true
    }

    fn has_time(&mut self) -> bool {
        false
    }

    fn key_done(&mut self) {}
}

#[test]
fn replies_do_not_tell_what_was_moved() {
    for (stream, world) in (0u32..).zip(&WORLDS) {
        let now_ms = now_ms();
        let (still, moving) = (Client::new(now_ms, None), Client::new(now_ms, Some(Pass::new(0))));
        let judge = Judge::of(&mut Newest);
        let scenes = world.scenes(|_| true, &judge.unknown_words(), REQUESTS_MAX);
        let config = Config { cases: SCENES, failure_persistence: None, ..Config::default() };
        let seed = stream.to_be_bytes().repeat(8);
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
        let outcome = runner.run(&scenes, |scene| {
            let (mut moving, mut still) = (moving.borrow_mut(), still.borrow_mut());
            play_scene(world, &scene, judge, &mut *moving, &mut *still).map_err(TestCaseError::fail)
        });
        outcome.unwrap_or_else(|failure| panic!("{}: {failure}", world.name));
    }
}
