//! When two replies about collections agree: order where there is none, clocks, and what versions of Redis do
//! differently.

use persist::rdb::{self, restore};
use resp::Value;

use crate::compare::{SKEW_MS, agree};
use crate::request::Request;
use crate::target::Target;

/// The server that is compared with, as far as its version shows in replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judge {
    /// The first two numbers of its version.
    version: (u32, u32),
}

impl Judge {
    /// Asks `oracle` for its version.
    ///
    /// # Panics
    /// Panics when it does not tell.
    pub fn of(oracle: &mut dyn Target) -> Judge {
        let info = oracle.say("INFO server");
        let info = String::from_utf8_lossy(info.as_bytes().unwrap_or_default()).into_owned();
        let said = |name: &str| info.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
        let version =
            said("valkey_version:").or_else(|| said("redis_version:")).expect("INFO tells a version");
        let mut numbers = version.split('.').map(|n| n.parse().unwrap_or(0));
        Judge { version: (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) }
    }

    /// Words that begin options which the server does not know.
    pub fn unknown_words(self) -> Vec<&'static str> {
        let since = [
            ((7, 2), &["WITHSCORE"][..]),
            ((7, 4), &["NOVALUES"]),
            ((8, 2), &["DIFF", "DIFF1", "ANDOR", "ONE"]),
            // Valkey's own.
            ((u32::MAX, 0), &["NOSCORES"]),
            ((8, 4), &["IFEQ", "IFNE", "IFDEQ", "IFDNE"]),
        ];
        since
            .iter()
            .filter(|(version, _)| self.version < *version)
            .flat_map(|(_, words)| words.iter().copied())
            .collect()
    }

    /// Whether two replies to `request` say the same, as far as they must.
    pub fn agree(self, request: &Request, ours: &Value, theirs: &Value) -> bool {
        if ours == theirs {
            return true;
        }
        match (ours, theirs) {
            (_, Value::Error(error)) | (Value::Error(error), _) if self.is_refused_cursor(request, error) => {
                return true;
            }
            (Value::Error(a), Value::Error(b)) => return self.same_error(request, a, b),
            (Value::Error(ours), _) => return self.is_refused_since(request, ours),
            (_, Value::Error(_)) => return false,
            _ => {}
        }
        match request.name().as_str() {
            "dump" => match (ours.as_bytes().map(restore), theirs.as_bytes().map(restore)) {
                (Some(Ok(mut a)), Some(Ok(mut b))) => {
                    if self.version < (7, 2) {
                        [&mut a, &mut b].into_iter().for_each(forget_idle);
                    }
                    same_value(a, b)
                }
                _ => false,
            },
            "object" if request.word(1).as_deref() == Some("encoding") => {
                self.same_encoding(ours, theirs) || agree(request, ours, theirs)
            }
            // A read or claim that gave nothing has made it already, see `forget_idle`.
            "xgroup" if request.word(1).as_deref() == Some("createconsumer") => self.version < (7, 2),
            // It tells how many consumers there are, or of each.
            "xinfo" if self.version < (7, 2) && (request.0.len() > 3 || !is_about_stream(request)) => true,
            "sscan" | "hscan" | "zscan" => self.same_scan(request, ours, theirs),
            "lindex" if self.wraps(request) => true,
            _ => {
                let (ours, theirs) = (self.normal(request, ours), self.normal(request, theirs));
                ours == theirs || agree(request, &ours, &theirs)
            }
        }
    }

    /// Whether `error` is what later versions of Redis say to what the server took.
    fn is_refused_since(self, request: &Request, error: &[u8]) -> bool {
        match request.name().as_str() {
            "sscan" | "hscan" | "zscan" => error == b"ERR invalid cursor",
            "lpos" => self.version < (7, 2) && error.starts_with(OUT_OF_RANGE),
            _ => self.parts_at(request, error),
        }
    }

    /// Whether later versions of Redis refuse with `error` what the server did: from here on, all may be different.
    pub(crate) fn parts_at(self, request: &Request, error: &[u8]) -> bool {
        let smaller = b"ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
        match request.name().as_str() {
            "xsetid" => self.version < (7, 2) && error == smaller,
            "lrem" => self.version < (7, 2) && error.starts_with(OUT_OF_RANGE),
            "lset" => error == b"ERR index out of range" && self.wraps(request),
            _ => false,
        }
    }

    /// Whether the index in `request` goes round in the server: lists as listpacks take the low 32 bits of it.
    fn wraps(self, request: &Request) -> bool {
        let index = request.0.get(2).and_then(|index| std::str::from_utf8(index).ok()?.parse::<i64>().ok());
        self.version >= (7, 2) && index.is_some_and(|index| i32::try_from(index).is_err())
    }

    /// Whether XCLAIM and XAUTOCLAIM make their consumer only once there is something for it: before Redis 7.2.
    pub(crate) fn makes_consumers_late(self) -> bool {
        self.version < (7, 2)
    }

    /// Whether two errors are the same, as far as they must.
    fn same_error(self, request: &Request, ours: &[u8], theirs: &[u8]) -> bool {
        let begin = |a: &[u8], b: &[u8]| ours.starts_with(a) && theirs.starts_with(b);
        let same_since = self.version < (7, 2)
            && match request.name().as_str() {
                // They took no option.
                "zrank" | "zrevrank" => request.0.len() > 3,
                "xread" | "xreadgroup" => begin(b"ERR Unbalanced", b"ERR Unbalanced"),
                "xsetid" => begin(b"ERR The ID specified", b"ERR The ID specified"),
                _ => false,
            };
        // A word of XREAD since Redis 7.4.
        let plus = self.version < (7, 4) && ours.starts_with(b"ERR The + ID");
        // It reads options as ZADD does, though its arity leaves no room for any.
        let options = request.name() == "zincrby" && theirs == b"ERR syntax error";
        // Redis 7.0 looks at a cursor last.
        let cursor = ours == b"ERR invalid cursor" && request.name().ends_with("scan");
        same_since || plus || options || cursor || is_same_up_to_zero(request, ours, theirs)
    }

    /// Whether `error` is about a cursor that no server gave: since Redis 7.4 others of them are read.
    fn is_refused_cursor(self, request: &Request, error: &[u8]) -> bool {
        self.version >= (7, 4) && request.name().ends_with("scan") && error == b"ERR invalid cursor"
    }

    /// Before Redis 7.2 sets and lists had fewer forms; since 7.4 a hash gets the form for deadlines even when the field
    /// that is to have one is not there.
    fn same_encoding(self, ours: &Value, theirs: &Value) -> bool {
        let pair = (ours.as_bytes(), theirs.as_bytes());
        if self.version >= (7, 4) {
            return pair == (Some(b"listpack"), Some(b"listpackex"));
        }
        self.version < (7, 2)
            && matches!(
                pair,
                (Some(b"listpack"), Some(b"hashtable" | b"quicklist" | b"ziplist"))
                    // HSET, ZADD and SADD did not guess from the number of their arguments.
                    | (Some(b"hashtable" | b"skiplist"), Some(b"listpack"))
                    | (Some(b"listpack" | b"hashtable"), Some(b"intset"))
            )
    }

    /// Whether two steps of a scan agree: they need not be as long when there is more to come, and a cursor in the middle
    /// means something to the server that gave it alone.
    fn same_scan(self, request: &Request, ours: &Value, theirs: &Value) -> bool {
        let parts = |reply: &Value| match reply.as_slice() {
            Some([cursor, items]) => Some((cursor.as_bytes()? == b"0", items.clone())),
            _ => None,
        };
        let from_start = request.word(2).is_some_and(|cursor| cursor == "0");
        match (parts(ours), parts(theirs)) {
            (Some((true, ours)), Some((true, theirs))) if from_start => {
                self.normal(request, &ours) == self.normal(request, &theirs)
            }
            (Some(_), Some(_)) => true,
            _ => false,
        }
    }

    /// What of a reply must be the same.
    fn normal(self, request: &Request, reply: &Value) -> Value {
        let has = |word: &str| request.0.iter().any(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
        // Redis 7.0 writes 17 digits of a score, 8.0 fewer of a place than before.
        let digits_differ =
            self.version < (7, 2) || (self.version >= (8, 0) && request.name().starts_with("geo"));
        let reply = if digits_differ { canonical_doubles(reply) } else { reply.clone() };
        match request.name().as_str() {
            "smembers" | "sunion" | "sdiff" | "sinter" | "sscan" | "hkeys" | "hvals" => in_order(reply, 1),
            "hgetall" | "zscan" => in_order(reply, 2),
            "hscan" => in_order(reply, if has("NOVALUES") { 1 } else { 2 }),
            // Of places equally far away any may be left out.
            "georadius_ro" | "georadiusbymember_ro" | "geosearch" if has("COUNT") => match reply {
                Value::Array(found) => Value::Int(found.len() as i64),
                other => other,
            },
            "georadius" | "georadius_ro" | "georadiusbymember" | "georadiusbymember_ro" | "geosearch"
                if !has("ASC") && !has("DESC") =>
            {
                in_order(reply, 1)
            }
            // Members that compare alike, or are not compared at all, come as they are kept.
            "sort" | "sort_ro" if has("BY") && has("LIMIT") => match reply {
                Value::Array(elements) => Value::Int(elements.len() as i64),
                other => other,
            },
            "sort" | "sort_ro" if has("BY") => in_order(reply, 1),
            "xpending" | "xinfo" => self.without_clocks(reply),
            _ => reply,
        }
    }

    /// A reply about streams without what only a clock, or the way nodes are kept, decides.
    fn without_clocks(self, reply: Value) -> Value {
        let masked: &[&[u8]] = &[
            b"idle",
            b"inactive",
            b"seen-time",
            b"active-time",
            b"pel-time",
            b"radix-tree-keys",
            b"radix-tree-nodes",
        ];
        // Consumers told since Redis 7.2 when they last got something.
        let unknown: &[&[u8]] = if self.version < (7, 2) { &[b"inactive", b"active-time"] } else { &[] };
        // Redis 8 counts what a group has read anew.
        let is_lag = |name: &Value| self.version >= (8, 0) && name.as_bytes() == Some(b"lag");
        let is_in = |list: &[&[u8]], name: &Value| name.as_bytes().is_some_and(|name| list.contains(&name));
        match reply {
            Value::Map(pairs) => {
                let pairs = pairs.into_iter().filter(|(name, _)| !is_in(unknown, name));
                let masked = pairs.map(|(name, value)| match is_in(masked, &name) || is_lag(&name) {
                    true => (name, Value::Null),
                    false => (name, self.without_clocks(value)),
                });
                Value::Map(masked.collect())
            }
            Value::Array(items) if items.len() % 2 == 0 && items.first().is_some_and(is_name) => {
                let mut pairs = items.into_iter();
                let mut kept = Vec::new();
                while let (Some(name), Some(value)) = (pairs.next(), pairs.next()) {
                    if !is_in(unknown, &name) {
                        let value = if is_in(masked, &name) || is_lag(&name) {
                            Value::Null
                        } else {
                            self.without_clocks(value)
                        };
                        kept.extend([name, value]);
                    }
                }
                Value::Array(kept)
            }
            // A pending entry: id, consumer, time or idle time, deliveries; of a consumer's own: without the consumer.
            Value::Array(mut items) if is_pending(&items) => {
                let time = items.len() - 2;
                items[time] = Value::Null;
                Value::Array(items)
            }
            Value::Array(items) => {
                Value::Array(items.into_iter().map(|item| self.without_clocks(item)).collect())
            }
            other => other,
        }
    }
}

/// What later versions of Redis say to the least number.
const OUT_OF_RANGE: &[u8] = b"ERR value is out of range, value must between";

/// Whether two errors are the same. Redis cuts a text where an argument that it quotes has a zero.
fn is_same_up_to_zero(request: &Request, ours: &[u8], theirs: &[u8]) -> bool {
    let quoted = request.0.iter().any(|arg| arg.contains(&0));
    let start = |text: &[u8]| text.iter().position(|b| *b == b'\'').map(|at| text[..at].to_vec());
    ours == theirs || (quoted && start(ours).is_some() && start(ours) == start(theirs))
}

/// Whether the bytes are the name of something that XINFO tells.
fn is_name(value: &Value) -> bool {
    matches!(value.as_bytes(), Some(b"name" | b"length"))
}

fn is_pending(items: &[Value]) -> bool {
    let is_id = |value: &Value| value.as_bytes().is_some_and(|id| id.contains(&b'-'));
    match items {
        [id, Value::Int(_), Value::Int(_)] => is_id(id),
        [id, Value::Bulk(_), Value::Int(_), Value::Int(_)] => is_id(id),
        _ => false,
    }
}

/// An array or set with its elements in one order, `step` by `step`; a map by its names.
fn in_order(reply: Value, step: usize) -> Value {
    match reply {
        Value::Array(items) | Value::Set(items) => {
            let mut groups: Vec<&[Value]> = items.chunks(step).collect();
            groups.sort_by_cached_key(|group| format!("{group:?}"));
            Value::Array(groups.concat())
        }
        Value::Map(mut pairs) => {
            pairs.sort_by_cached_key(|pair| format!("{pair:?}"));
            Value::Map(pairs)
        }
        other => other,
    }
}

/// Numbers in the one form: before Redis 7.2 they came with 17 digits.
fn canonical_doubles(reply: &Value) -> Value {
    let canonical = |text: &str| {
        let looks = text.contains('.') || text.contains("e+") || text.contains("e-") || text.len() > 16;
        text.parse::<f64>().ok().filter(|_| looks).map(|d| Value::Double(format!("{d:?}")))
    };
    match reply {
        Value::Bulk(bytes) => {
            let number = std::str::from_utf8(bytes).ok().and_then(canonical);
            number.unwrap_or_else(|| reply.clone())
        }
        Value::Double(text) => {
            text.parse().map_or_else(|_| reply.clone(), |d: f64| Value::Double(format!("{d:?}")))
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical_doubles).collect()),
        Value::Set(items) => Value::Set(items.iter().map(canonical_doubles).collect()),
        Value::Map(pairs) => {
            Value::Map(pairs.iter().map(|(a, b)| (canonical_doubles(a), canonical_doubles(b))).collect())
        }
        other => other.clone(),
    }
}

/// Whether two values are the same, what has no order in any order, and moments as near as two clocks are.
fn same_value(a: rdb::Value<'_>, b: rdb::Value<'_>) -> bool {
    let near = |a: i64, b: i64| a.abs_diff(b) <= SKEW_MS as u64;
    match (ordered(a), ordered(b)) {
        (rdb::Value::Hash(a), rdb::Value::Hash(b)) => {
            let same = |(a, b): (&rdb::Field<'_>, &rdb::Field<'_>)| {
                let deadlines = match (a.deadline_ms, b.deadline_ms) {
                    (Some(a), Some(b)) => near(a, b),
                    (a, b) => a == b,
                };
                a.name == b.name && a.value == b.value && deadlines
            };
            a.len() == b.len() && a.iter().zip(&b).all(same)
        }
        (rdb::Value::Stream(mut a), rdb::Value::Stream(mut b)) => {
            for stream in [&mut a, &mut b] {
                forget_clocks(stream);
                // A time that was asked for is kept, one that the clock gave is not.
                let pending = stream.groups.iter_mut().flat_map(|group| &mut group.pending);
                pending.for_each(|pending| pending.delivered_ms /= 100_000_000);
            }
            a == b
        }
        (a, b) => a == b,
    }
}

/// Forgets when consumers were seen: nobody keeps that in step.
fn is_about_stream(request: &Request) -> bool {
    request.word(1).as_deref() == Some("stream")
}

/// Takes the consumers out who have nothing pending: since Redis 7.2 a read or claim that gives nothing makes one.
fn forget_idle(value: &mut rdb::Value<'_>) {
    let rdb::Value::Stream(stream) = value else { return };
    for group in &mut stream.groups {
        let busy: Vec<bool> = (0..group.consumers.len())
            .map(|i| group.pending.iter().any(|entry| entry.consumer == i))
            .collect();
        let place = |old: usize| busy[..old].iter().filter(|busy| **busy).count();
        group.pending.iter_mut().for_each(|entry| entry.consumer = place(entry.consumer));
        let mut kept = busy.iter();
        group.consumers.retain(|_| *kept.next().unwrap_or(&true));
    }
}

fn forget_clocks(stream: &mut rdb::Stream<'_>) {
    let consumers = stream.groups.iter_mut().flat_map(|group| &mut group.consumers);
    consumers.for_each(|consumer| (consumer.seen_ms, consumer.active_ms) = (0, None));
}

/// What is in a payload that DUMP gave: a string as it is, anything else as text that is the same for the same value.
pub(crate) fn content(payload: &Value) -> Value {
    match payload.as_bytes().map(restore) {
        Some(Ok(rdb::Value::String(bytes))) => Value::Bulk(bytes.into_owned()),
        Some(Ok(value)) => {
            let mut value = ordered(value);
            if let rdb::Value::Stream(stream) = &mut value {
                forget_clocks(stream);
            }
            Value::Bulk(format!("{value:?}").into_bytes())
        }
        _ => payload.clone(),
    }
}

/// The value with what has no order in a fixed one.
pub fn ordered(mut value: rdb::Value<'_>) -> rdb::Value<'_> {
    match &mut value {
        rdb::Value::Set(members) => members.sort(),
        rdb::Value::ZSet(members) => members.sort_by(|a, b| a.0.cmp(&b.0)),
        rdb::Value::Hash(fields) => fields.sort_by(|a, b| a.name.cmp(&b.name)),
        rdb::Value::Stream(stream) => {
            for group in &mut stream.groups {
                let names: Vec<_> = group.consumers.iter().map(|consumer| consumer.name.clone()).collect();
                group.consumers.sort_by(|a, b| a.name.cmp(&b.name));
                let place = |old: usize| group.consumers.iter().position(|new| new.name == names[old]);
                group
                    .pending
                    .iter_mut()
                    .for_each(|entry| entry.consumer = place(entry.consumer).unwrap_or(usize::MAX));
            }
            stream.groups.sort_by(|a, b| a.name.cmp(&b.name));
        }
        _ => {}
    }
    value
}
