//! Whoever answers requests: a store in this process, or a server.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use commands::testing::Client;
use resp::{Decoder, Value};

use crate::request::Request;
use crate::spawned::Connection;

/// Answers requests, one after the other.
pub trait Target {
    /// The reply to `request`.
    ///
    /// # Panics
    /// Panics when there is none: a test goes no further then.
    fn call(&mut self, request: &Request) -> Value;

    /// The replies to `requests`, in order.
    ///
    /// # Panics
    /// Panics when one has none.
    fn call_all(&mut self, requests: &[Request]) -> Vec<Value> {
        requests.iter().map(|request| self.call(request)).collect()
    }

    /// Sets directives about encodings; those the server does not have are left out.
    fn configure(&mut self, directives: &[(&str, i64)]) {
        for (name, value) in directives {
            self.say(&format!("CONFIG SET {name} {value}"));
        }
    }

    /// The reply to the words of `line`.
    fn say(&mut self, line: &str) -> Value {
        self.call(&Request::of(line))
    }
}

impl Target for Connection {
    fn call(&mut self, request: &Request) -> Value {
        self.call(request).unwrap_or_else(|error| panic!("{request:?}: {error}"))
    }

    fn call_all(&mut self, requests: &[Request]) -> Vec<Value> {
        self.call_all(requests).unwrap_or_else(|error| panic!("{} requests: {error}", requests.len()))
    }
}

/// A store in this process whose time is the machine's.
#[derive(Debug, Default)]
pub struct Local {
    /// Its client.
    pub client: Client,
}

impl Target for Local {
    fn call(&mut self, request: &Request) -> Value {
        self.client.turn.now_ms = now_ms();
        ask(&mut self.client, request)
    }

    fn configure(&mut self, directives: &[(&str, i64)]) {
        let limits = &mut self.client.turn.limits;
        for (name, value) in directives {
            let count = u64::try_from(*value).unwrap_or(u64::MAX);
            match *name {
                "hash-max-listpack-entries" => limits.hash_max_listpack_entries = count,
                "hash-max-listpack-value" => limits.hash_max_listpack_value = count,
                "list-max-listpack-size" => limits.list_max_listpack_size = *value,
                "set-max-intset-entries" => limits.set_max_intset_entries = count,
                "set-max-listpack-entries" => limits.set_max_listpack_entries = count,
                "set-max-listpack-value" => limits.set_max_listpack_value = count,
                "zset-max-listpack-entries" => limits.zset_max_listpack_entries = count,
                "zset-max-listpack-value" => limits.zset_max_listpack_value = count,
                "stream-node-max-bytes" => limits.stream_node_max_bytes = count,
                "stream-node-max-entries" => limits.stream_node_max_entries = count,
                "hll-sparse-max-bytes" => limits.hll_sparse_max_bytes = count,
                other => panic!("{other} is no directive about encodings"),
            }
        }
    }
}

/// The reply of `client`, after what is due at its time has expired.
///
/// # Panics
/// Panics when there is no reply.
pub fn ask(client: &mut Client, request: &Request) -> Value {
    let store = std::sync::Arc::clone(&client.store);
    store.expire_due(0, &mut client.turn, usize::MAX);
    let mut decoder = Decoder::new();
    decoder.feed(&client.request(request.args().args()));
    let reply = decoder.next().unwrap_or_else(|error| panic!("{request:?}: {error}"));
    assert!(decoder.is_idle(), "{request:?}: more than one reply");
    reply.unwrap_or_else(|| panic!("{request:?}: no reply"))
}

/// The machine's time, in milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "real servers have the machine's time, and are compared with")]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Asks again and again until `done`; false when it was not within five seconds and a thousand tries, so that a
/// machine that stands still for a while proves nothing.
pub fn poll(mut done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut tries = 0;
    while !done() {
        tries += 1;
        if tries > 1000 && Instant::now() > deadline {
            return false;
        }
        std::thread::yield_now();
    }
    true
}
