//! The built-in tests, named and titled as redis-benchmark's are, so that scripts find them.

/// Stands for a random number of twelve digits, where random keys are asked for.
pub(crate) const RANDOM: &str = "__rand_int__";
/// Stands for the payload.
const DATA: &str = "__data__";
/// Stands for a random key in a custom command.
const KEY: &str = "__key__";
/// Stands for a sorted set's score: random where random keys are asked for, else 0.
const SCORE: &str = "__score__";

/// One built-in test.
#[derive(Debug)]
pub(crate) struct Workload {
    /// The names that select it, its own one last.
    names: &'static [&'static str],
    /// What its results are shown under.
    pub(crate) title: &'static str,
    /// Its words, separated by blanks.
    command: &'static str,
    /// Sent as a bare line, not as an array.
    pub(crate) inline: bool,
}

const fn test(names: &'static [&'static str], title: &'static str, command: &'static str) -> Workload {
    Workload { names, title, command, inline: false }
}

/// All of them, in the order they run in.
pub(crate) static WORKLOADS: [Workload; 21] = [
    Workload { inline: true, ..test(&["ping", "ping_inline"], "PING_INLINE", "PING") },
    test(&["ping", "ping_mbulk"], "PING_MBULK", "PING"),
    test(&["set"], "SET", "SET key:__rand_int__ __data__"),
    test(&["get"], "GET", "GET key:__rand_int__"),
    test(&["incr"], "INCR", "INCR counter:__rand_int__"),
    test(&["lpush"], "LPUSH", "LPUSH mylist __data__"),
    test(&["rpush"], "RPUSH", "RPUSH mylist __data__"),
    test(&["lpop"], "LPOP", "LPOP mylist"),
    test(&["rpop"], "RPOP", "RPOP mylist"),
    test(&["sadd"], "SADD", "SADD myset element:__rand_int__"),
    test(&["hset"], "HSET", "HSET myhash element:__rand_int__ __data__"),
    test(&["spop"], "SPOP", "SPOP myset"),
    test(&["zadd"], "ZADD", "ZADD myzset __score__ element:__rand_int__"),
    test(&["zpopmin"], "ZPOPMIN", "ZPOPMIN myzset"),
    test(
        &["lrange", "lrange_100", "lrange_300", "lrange_500", "lrange_600"],
        "LPUSH (needed to benchmark LRANGE)",
        "LPUSH mylist __data__",
    ),
    test(&["lrange", "lrange_100"], "LRANGE_100 (first 100 elements)", "LRANGE mylist 0 99"),
    test(&["lrange", "lrange_300"], "LRANGE_300 (first 300 elements)", "LRANGE mylist 0 299"),
    test(&["lrange", "lrange_500"], "LRANGE_500 (first 500 elements)", "LRANGE mylist 0 499"),
    test(&["lrange", "lrange_600"], "LRANGE_600 (first 600 elements)", "LRANGE mylist 0 599"),
    test(
        &["mset"],
        "MSET (10 keys)",
        "MSET key:__rand_int__ __data__ key:__rand_int__ __data__ key:__rand_int__ __data__ \
         key:__rand_int__ __data__ key:__rand_int__ __data__ key:__rand_int__ __data__ \
         key:__rand_int__ __data__ key:__rand_int__ __data__ key:__rand_int__ __data__ \
         key:__rand_int__ __data__",
    ),
    test(&["xadd"], "XADD", "XADD mystream * myfield __data__"),
];

impl Workload {
    /// Whether `name`, in any case, selects it.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// The request's arguments; those that are random still hold [`RANDOM`] when `random` says so.
    pub(crate) fn args(&self, data: &[u8], random: bool) -> Vec<Vec<u8>> {
        let score = if random { RANDOM } else { "0" };
        let words = self.command.split_ascii_whitespace();
        words.map(|word| replace(&replace(word.as_bytes(), DATA, data), SCORE, score.as_bytes())).collect()
    }
}

/// An argument of a custom command with its placeholders filled in, [`RANDOM`] excepted.
pub(crate) fn custom_arg(arg: &[u8], data: &[u8]) -> Vec<u8> {
    let key = format!("key:{RANDOM}");
    replace(&replace(arg, KEY, key.as_bytes()), DATA, data)
}

/// Where `text` occurs in `bytes`, without overlaps.
pub(crate) fn occurrences(bytes: &[u8], text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut from = 0;
    while from + text.len() <= bytes.len() {
        if bytes[from..].starts_with(text.as_bytes()) {
            found.push(from);
            from += text.len();
        } else {
            from += 1;
        }
    }
    found
}

fn replace(bytes: &[u8], text: &str, with: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(bytes.len());
    let mut copied = 0;
    for at in occurrences(bytes, text) {
        replaced.extend_from_slice(&bytes[copied..at]);
        replaced.extend_from_slice(with);
        copied = at + text.len();
    }
    replaced.extend_from_slice(&bytes[copied..]);
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(name: &str) -> Vec<&str> {
        WORKLOADS.iter().filter(|w| w.is_named(name)).map(|w| w.title).collect()
    }

    fn args(name: &str, random: bool) -> String {
        let workload = WORKLOADS.iter().rfind(|w| w.is_named(name)).unwrap();
        workload.args(b"xx", random).iter().map(|arg| arg.escape_ascii().to_string() + " ").collect()
    }

    #[test]
    fn a_name_selects_a_test_and_what_it_needs() {
        assert_eq!(titles("ping"), ["PING_INLINE", "PING_MBULK"]);
        assert_eq!(titles("SET"), ["SET"]);
        let fill = "LPUSH (needed to benchmark LRANGE)";
        assert_eq!(titles("lrange_300"), [fill, "LRANGE_300 (first 300 elements)"]);
        assert_eq!(titles("lrange").len(), 5);
        assert!(titles("lrange_200").is_empty());
    }

    #[test]
    fn placeholders_are_filled_in() {
        assert_eq!(args("set", true), "SET key:__rand_int__ xx ");
        assert_eq!(args("zadd", false), "ZADD myzset 0 element:__rand_int__ ");
        assert_eq!(args("zadd", true), "ZADD myzset __rand_int__ element:__rand_int__ ");
        assert_eq!(args("mset", true).matches("key:__rand_int__ xx ").count(), 10);
        assert_eq!(custom_arg(b"a__key____data__b", b"--"), b"akey:__rand_int__--b");
        assert_eq!(custom_arg(b"__rand_int__", b""), b"__rand_int__");
    }
}
