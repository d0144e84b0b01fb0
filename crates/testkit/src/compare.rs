//! When two replies to one request agree, and when two states do.

use std::collections::BTreeMap;

use persist::rdb::restore;
use resp::Value;

use crate::judge::content;
use crate::request::Request;
use crate::target::Target;

/// How far two clocks may be apart, in milliseconds: the same request reaches two servers at two moments.
pub(crate) const SKEW_MS: i64 = 3000;

/// Whether two replies to `request` say the same, as far as they must.
pub fn agree(request: &Request, ours: &Value, theirs: &Value) -> bool {
    let near = |units| match (ours, theirs) {
        (Value::Int(a), Value::Int(b)) => a == b || (*a >= 0 && *b >= 0 && a.abs_diff(*b) <= units),
        _ => ours == theirs,
    };
    match (request.name().as_str(), request.word(1).unwrap_or_default().as_str()) {
        ("ttl" | "expiretime", _) => near(SKEW_MS as u64 / 1000),
        ("pttl" | "pexpiretime", _) => near(SKEW_MS as u64),
        // Redis tells of shared objects, which a copy of a key is not; here there are none.
        ("object", "refcount") => matches!((ours, theirs), (Value::Int(_), Value::Int(_))) || ours == theirs,
        // Each server writes the version of its time, and compresses in its own way.
        ("dump", _) => ours == theirs || same_payload(ours, theirs),
        ("object", "encoding") => same_encoding(ours, theirs),
        // Since Redis 7.2 arguments are looked at before the key is looked for.
        ("bitcount" | "bitpos", _) if theirs.as_int().is_some() && ours.as_error().is_some() => true,
        // Each server has its own way through its keys.
        ("keys", _) => sorted(ours) == sorted(theirs),
        // Redis 7.0 takes some for cursors that later ones refuse.
        ("scan", _) if ours.as_error() == Some(b"ERR invalid cursor") => true,
        ("scan" | "randomkey", _) => same_shape(ours, theirs),
        // Redis's clock for this ticks by itself, and is a day off now and then when the server has just started.
        ("object", "idletime") => same_shape(ours, theirs),
        _ => ours == theirs,
    }
}

/// Whether two payloads stand for one value.
fn same_payload(ours: &Value, theirs: &Value) -> bool {
    let payloads = ours.as_bytes().zip(theirs.as_bytes());
    payloads.is_some_and(|(a, b)| matches!((restore(a), restore(b)), (Ok(a), Ok(b)) if a == b))
}

/// Redis keeps what INCRBYFLOAT makes as text even where it is an integer, though a replica or a restart makes an
/// integer of it; here it is one at once.
fn same_encoding(ours: &Value, theirs: &Value) -> bool {
    ours == theirs || (ours.as_bytes() == Some(b"int") && theirs.as_bytes() == Some(b"embstr"))
}

/// The bytes of an array's elements, in order; of another reply, none.
fn sorted(reply: &Value) -> Vec<Option<&[u8]>> {
    let mut items: Vec<_> = reply.as_slice().unwrap_or_default().iter().map(Value::as_bytes).collect();
    items.sort_unstable();
    items
}

/// Whether both are errors of one text, or replies of one type.
fn same_shape(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Error(_), _) | (_, Value::Error(_)) => ours == theirs,
        _ => std::mem::discriminant(ours) == std::mem::discriminant(theirs),
    }
}

/// A reply in few words, for messages; what is long is cut.
pub(crate) fn shown(value: &Value) -> String {
    const SHOWN_MAX: usize = 300;
    let text = match value {
        Value::Bulk(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        Value::Error(text) => format!("error {}", text.escape_ascii()),
        other => format!("{other:?}"),
    };
    if text.len() > SHOWN_MAX { format!("{} ... ({} bytes)", &text[..SHOWN_MAX], text.len()) } else { text }
}

/// What a database holds at a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its value: of a string its bytes, of others a text.
    pub value: Value,
    /// As OBJECT ENCODING gives it.
    pub encoding: Value,
    /// As PEXPIRETIME gives it: -1 without a deadline.
    pub deadline_ms: Value,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", shown(&self.value), shown(&self.encoding), shown(&self.deadline_ms))
    }
}

/// All keys of some databases, by database and key.
pub type State = BTreeMap<(u32, Vec<u8>), Kept>;

/// The state of databases `0..databases`. Leaves database 0 selected.
///
/// # Panics
/// Panics when a reply is not of the type it must have.
pub fn state(target: &mut dyn Target, databases: u32) -> State {
    let mut state = State::new();
    for db in 0..databases {
        target.say(&format!("SELECT {db}"));
        let Value::Array(keys) = target.say("KEYS *") else { panic!("KEYS replies with an array") };
        for key in keys.iter().filter_map(Value::as_bytes) {
            let mut about = |words: &[&str]| {
                let words = words.iter().map(|word| word.as_bytes());
                target.call(&Request::new(words.chain([key])))
            };
            let (value, encoding) = (content(&about(&["DUMP"])), about(&["OBJECT", "ENCODING"]));
            let kept = Kept { value, encoding, deadline_ms: about(&["PEXPIRETIME"]) };
            let before = state.insert((db, key.to_vec()), kept);
            assert!(before.is_none(), "KEYS names a key once: {}", key.escape_ascii());
        }
    }
    target.say("SELECT 0");
    state
}

/// The first difference between two states; deadlines may be a few seconds apart.
pub fn difference(ours: &State, theirs: &State) -> Option<String> {
    let told = |(db, key): &(u32, Vec<u8>)| format!("database {db}, key \"{}\"", key.escape_ascii());
    let keys = ours.keys().chain(theirs.keys());
    keys.filter_map(|key| match (ours.get(key), theirs.get(key)) {
        (Some(a), Some(b)) => {
            let near = match (&a.deadline_ms, &b.deadline_ms) {
                (Value::Int(a), Value::Int(b)) => {
                    a == b || (*a > 0 && *b > 0 && a.abs_diff(*b) <= SKEW_MS as u64)
                }
                _ => false,
            };
            let same = near && a.value == b.value && same_encoding(&a.encoding, &b.encoding);
            (!same).then(|| format!("{}: {a:?}, not {b:?}", told(key)))
        }
        (a, b) => Some(format!("{}: {a:?}, not {b:?}", told(key))),
    })
    .next()
}
