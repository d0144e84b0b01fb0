//! Sequences of steps, made up and played to two targets at once.

use std::collections::BTreeSet;

use commands::{Row, rows};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::Union;
use resp::Value;

use crate::argument::keys;
use crate::compare::{agree, difference, shown, state};
use crate::generate::requests;
use crate::request::Request;
use crate::target::{Target, poll};
use crate::worlds::Rules;

/// Databases that sequences use, and a few more.
const DATABASES: u32 = 16;

/// One step of a sequence.
#[derive(Clone, Debug)]
pub enum Step {
    /// A request, whose replies must agree.
    Send(Request),
    /// All of a SCAN with these options: the same keys, and here each once.
    Scan(Vec<&'static str>),
    /// The key gets this time to live and is waited for to be gone.
    Vanish(Vec<u8>, u32),
}

/// Sequences of at most `len_max` steps, of the commands that `wanted` names. Options that start with one of the
/// words in `without` are left out.
pub fn sequences(
    wanted: impl Fn(&Row) -> bool,
    without: &[&str],
    len_max: usize,
) -> BoxedStrategy<Vec<Step>> {
    let commands = rows().iter().filter(|row| row.command.subcommands.is_empty() && wanted(row));
    let sent = commands
        .map(|row| (weight(row), requests(row, without, Rules::default()).prop_map(Step::Send).boxed()));
    let scan = (0..SCANS.len()).prop_map(|i| Step::Scan(SCANS[i].to_vec()));
    let vanish = (keys(), 1u32..15).prop_map(|(key, ttl_ms)| Step::Vanish(key, ttl_ms));
    let others = [(10, scan.boxed()), (10, vanish.boxed())];
    vec(Union::new_weighted(sent.chain(others).collect()), 1..=len_max).boxed()
}

const SCANS: &[&[&str]] = &[
    &[],
    &["COUNT", "1"],
    &["COUNT", "1000"],
    &["MATCH", "*"],
    &["match", "[a-c]", "COUNT", "2"],
    &["TYPE", "string"],
    &["TYPE", "list"],
];

/// How often a command comes: those that fill the store often, those that empty it rarely.
fn weight(row: &Row) -> u32 {
    match row.command.name {
        "set" | "mset" => 60,
        "flushall" | "flushdb" | "swapdb" => 2,
        "del" | "unlink" | "getdel" | "select" | "move" | "keys" | "scan" | "randomkey" => 10,
        _ => 20,
    }
}

/// Empties both targets, plays `steps` to them, and compares every reply and then what they hold.
///
/// # Errors
/// Says the first difference.
pub fn play(steps: &[Step], ours: &mut dyn Target, theirs: &mut dyn Target) -> Result<(), String> {
    for start in ["SELECT 0", "FLUSHALL"] {
        ours.say(start);
        theirs.say(start);
    }
    for step in steps {
        match step {
            Step::Send(request) => send(request, ours, theirs)?,
            Step::Scan(options) => {
                let (here, there) =
                    (scanned(&[b"SCAN"], options, ours), scanned(&[b"SCAN"], options, theirs));
                let once: BTreeSet<_> = here.iter().cloned().collect();
                if once.len() != here.len() || once != there.iter().cloned().collect() {
                    return Err(format!("SCAN {options:?}: {here:?}, not {there:?}"));
                }
            }
            Step::Vanish(key, ttl_ms) => {
                send(
                    &Request::new([b"PEXPIRE", key.as_slice(), ttl_ms.to_string().as_bytes()]),
                    ours,
                    theirs,
                )?;
                vanished(key, ours).map_err(|error| format!("{step:?}, here: {error}"))?;
                vanished(key, theirs).map_err(|error| format!("{step:?}, there: {error}"))?;
            }
        }
    }
    let difference = difference(&state(ours, DATABASES), &state(theirs, DATABASES));
    difference.map_or(Ok(()), Err)
}

/// Waits for `key` to be gone.
fn vanished(key: &[u8], target: &mut dyn Target) -> Result<(), String> {
    let exists = Request::new([b"EXISTS", key]);
    if poll(|| target.call(&exists) == Value::Int(0)) {
        return Ok(());
    }
    let deadline = target.call(&Request::new([b"PEXPIRETIME", key]));
    Err(format!("the key stays, its deadline is {deadline:?}, the time {:?}", target.say("TIME")))
}

fn send(request: &Request, ours: &mut dyn Target, theirs: &mut dyn Target) -> Result<(), String> {
    let (mut here, mut there) = (ours.call(request), theirs.call(request));
    if request.name() == "dbsize" && there.as_int().is_some() {
        // Redis counts expired keys until it comes across them, but does not list them; a server here counts them
        // until its worker has come round.
        let keys = theirs.say("KEYS *");
        there = Value::Int(keys.as_slice().map_or(0, |keys| keys.len() as i64));
        poll(|| {
            here = ours.call(request);
            here == there
        });
    }
    if agree(request, &here, &there) {
        return Ok(());
    }
    Err(format!("{request:?}: {}, not {}", shown(&here), shown(&there)))
}

/// Every element that a scan from beginning to end names: SCAN, or another with its key.
pub(crate) fn scanned(command: &[&[u8]], options: &[&str], target: &mut dyn Target) -> Vec<Vec<u8>> {
    let (mut cursor, mut elements) = (b"0".to_vec(), Vec::new());
    loop {
        let words = command.iter().copied().chain([cursor.as_slice()]);
        let reply = target.call(&Request::new(words.chain(options.iter().map(|o| o.as_bytes()))));
        let Some([next, found]) = reply.as_slice() else {
            panic!("a scan replies with two parts: {reply:?}")
        };
        let found = found.as_slice().unwrap_or_default();
        elements.extend(found.iter().filter_map(Value::as_bytes).map(<[u8]>::to_vec));
        cursor = next.as_bytes().unwrap_or(b"0").to_vec();
        if cursor == b"0" {
            return elements;
        }
    }
}
