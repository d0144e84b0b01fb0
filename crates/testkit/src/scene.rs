//! Scenes played to two targets: many requests at a time to each, and then what is left.

use std::collections::BTreeSet;

use resp::Value;

use crate::beside::Asked;
use crate::compare::shown;
use crate::judge::Judge;
use crate::request::Request;
use crate::sequence::scanned;
use crate::target::Target;
use crate::worlds::{Scene, World};

/// Empties both targets, plays `scene` to them, and compares every reply and then what they hold.
///
/// # Errors
/// Says the first difference.
pub fn play_scene(
    world: &World,
    scene: &Scene,
    judge: Judge,
    ours: &mut dyn Target,
    oracle: &mut dyn Target,
) -> Result<(), String> {
    let start = [Request::of(&format!("HELLO {}", scene.protocol)), Request::of("FLUSHALL")];
    ours.configure(scene.limits);
    ours.call_all(&start);
    oracle.configure(scene.limits);
    oracle.call_all(&start);
    if play(&scene.requests, judge, ours, oracle)? == Played::ToAParting {
        return Ok(());
    }
    let keys = keys(ours);
    if keys != self::keys(oracle) {
        return Err(format!("keys {:?}, not {:?}", keys, self::keys(oracle)));
    }
    let about = |key: &Vec<u8>| {
        let words: [&[&str]; 3] = [&["OBJECT", "ENCODING"], &["DUMP"], &["PEXPIRETIME"]];
        words.map(|words| Request::new(words.iter().map(|word| word.as_bytes()).chain([key.as_slice()])))
    };
    let left: Vec<Request> = keys.iter().flat_map(about).collect();
    play(&left, judge, ours, oracle).map_err(|error| format!("at the end: {error}"))?;
    let of_type = |key: &&Vec<u8>, target: &mut dyn Target| {
        world
            .scan
            .is_some_and(|scan| target.call(&Request::new([scan.as_bytes(), key, b"0"])).as_error().is_none())
    };
    match (world.scan, keys.iter().find(|key| of_type(key, ours))) {
        (Some(scan), Some(key)) => scan_whole(scan, key, ours, oracle),
        _ => Ok(()),
    }
}

/// How far the comparison went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Played {
    /// To the end.
    Whole,
    /// To where versions of Redis differ so that what follows may be different.
    ToAParting,
}

/// Sends `requests` to both, all at a time, and compares the replies.
fn play(
    requests: &[Request],
    judge: Judge,
    ours: &mut dyn Target,
    oracle: &mut dyn Target,
) -> Result<Played, String> {
    let replies = ours.call_all(requests);
    let asked: Vec<Asked> =
        requests.iter().zip(&replies).map(|(request, ours)| Asked::after(judge, request, ours)).collect();
    let sent: Vec<Request> = asked.iter().flat_map(|asked| asked.requests.iter().cloned()).collect();
    let theirs = oracle.call_all(&sent);
    let mut theirs = theirs.as_slice();
    for ((request, reply), asked) in requests.iter().zip(&replies).zip(&asked) {
        let (these, rest) = theirs.split_at(asked.requests.len());
        theirs = rest;
        if !asked.agree(judge, request, reply, these) {
            let there: Vec<String> = these.iter().map(shown).collect();
            return Err(format!("{request:?}: {}, not {}", shown(reply), there.join(" and ")));
        }
        let parts = |error| judge.parts_at(request, error);
        if reply.as_error().is_some_and(parts) && these.iter().all(|reply| reply.as_error().is_none()) {
            return Ok(Played::ToAParting);
        }
    }
    Ok(Played::Whole)
}

/// The names of all keys, in order.
fn keys(target: &mut dyn Target) -> BTreeSet<Vec<u8>> {
    let keys = target.say("KEYS *");
    let names = keys.as_slice().unwrap_or_default().iter().filter_map(Value::as_bytes);
    names.map(<[u8]>::to_vec).collect()
}

/// Goes through all of the collection at `key`, a few elements at a time: the same there, and here each once.
fn scan_whole(scan: &str, key: &[u8], ours: &mut dyn Target, oracle: &mut dyn Target) -> Result<(), String> {
    let step = if scan == "SSCAN" { 1 } else { 2 };
    let all = |target: &mut dyn Target| {
        let words = scanned(&[scan.as_bytes(), key], &["COUNT", "3"], target);
        words.chunks(step).map(|chunk| chunk[0].clone()).collect::<Vec<_>>()
    };
    let (here, there) = (all(ours), all(oracle));
    let once: BTreeSet<_> = here.iter().cloned().collect();
    if once.len() != here.len() || once != there.iter().cloned().collect() {
        return Err(format!("{scan} {}: {here:?}, not {there:?}", key.escape_ascii()));
    }
    Ok(())
}
