//! What requests leave behind beside their replies: keyspace events, and effects for the log.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use commands::testing::Client;
use engine::Effects;
use resp::{Limits, Parser, Value};

use crate::compare::SKEW_MS;
use crate::request::Request;
use crate::spawned::{Connection, Spawned};
use crate::target::Target;

/// Events and effects, in order.
#[derive(Debug, Default)]
pub struct Trace {
    /// Database, name and key of each event; those of keys that expired are left out, for that happens when it
    /// happens.
    pub events: Vec<(u32, String, Vec<u8>)>,
    /// Database and arguments of each effect.
    pub effects: Vec<(u32, Request)>,
}

impl Trace {
    /// The first difference to `theirs`: moments may be apart as far as clocks may.
    pub fn difference(&self, theirs: &Trace) -> Option<String> {
        if self.events != theirs.events {
            return Some(format!("events {:?}, not {:?}", self.events, theirs.events));
        }
        let (ours, theirs) = (&self.effects, &theirs.effects);
        let same = ours.len() == theirs.len()
            && ours.iter().zip(theirs).all(|((a_db, a), (b_db, b))| a_db == b_db && same_effect(a, b));
        (!same).then(|| format!("effects {ours:?}, not {theirs:?}"))
    }
}

fn same_effect(a: &Request, b: &Request) -> bool {
    let (a, b) = (essential(a), essential(b));
    let moment = |arg: &[u8]| std::str::from_utf8(arg).ok()?.parse::<i64>().ok().filter(|&ms| ms > 1 << 40);
    let near = |a: &[u8], b: &[u8]| match (moment(a), moment(b)) {
        (Some(a), Some(b)) => a.abs_diff(b) <= SKEW_MS as u64,
        _ => false,
    };
    // Words are as the client wrote them, or as the server writes them.
    let same = |a: &[u8], b: &[u8]| a.eq_ignore_ascii_case(b) || near(a, b);
    a.0.len() == b.0.len() && a.0.iter().zip(&b.0).all(|(a, b)| same(a, b))
}

/// Of a SET only the key, the value and the last option about the deadline: versions of Redis leave the condition
/// that held when it was run, GET, or options that stand there twice, and none of them changes what the effect does.
fn essential(effect: &Request) -> Request {
    if effect.name() != "set" {
        return effect.clone();
    }
    let last =
        |word: &str| effect.0.iter().skip(3).rposition(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
    let deadline = match (last("PXAT"), last("KEEPTTL")) {
        (Some(at), _) => effect.0[3 + at..].iter().take(2),
        (None, Some(at)) => effect.0[3 + at..].iter().take(1),
        (None, None) => effect.0[..0].iter().take(0),
    };
    Request(effect.0.iter().take(3).chain(deadline).cloned().collect())
}

/// Makes `client` note events and effects.
pub fn watch(client: &mut Client) {
    client.turn.events_wanted = u32::MAX;
    client.store.order().want(true);
    client.turn.log = true;
}

/// What `client` noted since the last call.
pub fn trace(client: &mut Client) -> Trace {
    let events = std::mem::take(&mut client.turn.events).into_iter();
    let events = events.map(|e| (e.db, e.name.to_owned(), e.key.into_vec()));
    let effects = client.turn.take_effects();
    Trace { events: events.filter(|(_, name, _)| name != "expired").collect(), effects: requests(&effects) }
}

/// The effects, each with its database.
pub fn requests(effects: &Effects) -> Vec<(u32, Request)> {
    effects.iter().flat_map(|(mut run, bytes)| in_databases(bytes.to_vec(), &mut run.db)).collect()
}

/// The effects encoded in `bytes`, each with its database; `db` is the one they start in and end in. What brackets
/// a transaction is left out.
fn in_databases(mut bytes: Vec<u8>, db: &mut u32) -> Vec<(u32, Request)> {
    let (mut rest, mut effects) = (bytes.as_mut_slice(), Vec::new());
    while !rest.is_empty() {
        let mut spans = Vec::new();
        let read = Parser::default().next(rest, &Limits::default(), &mut spans);
        let len = read.expect("effects are requests").expect("effects are whole");
        let request = Request::new(spans.iter().map(|span| &rest[span.start..span.end]));
        rest = &mut rest[len..];
        match request.name().as_str() {
            "select" => {
                *db = String::from_utf8_lossy(&request.0[1]).parse().expect("SELECT names a database")
            }
            "multi" | "exec" => {}
            _ => effects.push((*db, request)),
        }
    }
    effects
}

/// A redis-server whose events and log are read.
#[derive(Debug)]
pub struct Watched {
    connection: Connection,
    subscriber: Connection,
    log: File,
    db: u32,
}

impl Watched {
    /// The flags that make a server write what is read here.
    pub const FLAGS: &[&str] = &[
        "--save",
        "",
        "--notify-keyspace-events",
        "EAmn",
        "--appendonly",
        "yes",
        "--appendfsync",
        "no",
        "--auto-aof-rewrite-percentage",
        "0",
        "--enable-debug-command",
        "yes",
    ];

    /// Reads what `server`, started with [`Watched::FLAGS`], notes.
    ///
    /// # Errors
    /// It cannot be connected to, or has no log.
    pub fn new(server: &Spawned) -> io::Result<Watched> {
        let (mut connection, mut subscriber) = (server.connect()?, server.connect()?);
        // Otherwise what expired would be removed between a request and the look at its trace.
        connection.say("DEBUG SET-ACTIVE-EXPIRE 0");
        subscriber.say("SUBSCRIBE mark");
        subscriber.say("PSUBSCRIBE __keyevent@*__:*");
        let log: PathBuf = server.folder().join("appendonlydir/appendonly.aof.1.incr.aof");
        Ok(Watched { connection, subscriber, log: File::open(log)?, db: 0 })
    }

    /// What the server noted since the last call.
    ///
    /// # Panics
    /// Panics when the server does not answer or its log cannot be read.
    pub fn trace(&mut self) -> Trace {
        self.connection.say("PUBLISH mark here");
        let mut events = Vec::new();
        loop {
            let message = self.subscriber.receive().expect("the mark comes");
            let parts: Vec<&[u8]> =
                message.as_slice().unwrap_or_default().iter().filter_map(Value::as_bytes).collect();
            match parts[..] {
                [b"pmessage", _, channel, key] => events.extend(event(channel, key)),
                _ => break,
            }
        }
        let mut bytes = Vec::new();
        self.log.read_to_end(&mut bytes).expect("the log can be read");
        Trace { events, effects: in_databases(bytes, &mut self.db) }
    }
}

/// The event in a message to `channel`, `__keyevent@<db>__:<name>`.
fn event(channel: &[u8], key: &[u8]) -> Option<(u32, String, Vec<u8>)> {
    let channel = String::from_utf8_lossy(channel);
    let (db, name) = channel.strip_prefix("__keyevent@")?.split_once("__:")?;
    (name != "expired").then(|| (db.parse().unwrap_or(u32::MAX), name.to_owned(), key.to_vec()))
}

impl Target for Watched {
    fn call(&mut self, request: &Request) -> Value {
        Target::call(&mut self.connection, request)
    }
}
