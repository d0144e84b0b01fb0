//! Strategies for single arguments, by the name that a row's syntax gives them. Small pools, so that requests
//! meet; within them the edges where commands go wrong.

mod collections;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::worlds::Rules;

type Argument = BoxedStrategy<Vec<u8>>;

/// An argument called `name` of the command called `command`, by the rules of a world.
pub(crate) fn named(name: &str, command: &str, rules: Rules) -> Argument {
    let argument = any_named(name, command, rules);
    if !rules.doubles_in_range {
        return argument;
    }
    let within = |text: Vec<u8>| if OUT_OF_RANGE.contains(&text.as_slice()) { b"0".to_vec() } else { text };
    argument.prop_map(within).boxed()
}

/// Those of [`floats`] that are out of a double's range.
const OUT_OF_RANGE: [&[u8]; 3] = [b"1e400", b"-1e4000", b"1e-320"];

fn any_named(name: &str, command: &str, rules: Rules) -> Argument {
    if let Some(special) = collections::named(name, command, rules) {
        return special;
    }
    match (command, name) {
        (_, "key" | "newkey" | "destkey" | "sourcekey" | "source" | "destination" | "src" | "dst") => {
            keys_of(rules)
        }
        (_, "key1" | "key2") => keys_of(rules),
        ("incrbyfloat", _) => floats(),
        ("restore", "serialized-value") => payloads(),
        ("restore", "ttl") => prop_oneof![
            4 => pool(&["0"]),
            4 => number(100_000..10_000_000_000),
            2 => moments(1000),
            1 => pool(&["-1", "x", "9223372036854775807"]),
        ]
        .boxed(),
        ("restore", "frequency") => number(-5..300),
        (_, "seconds") => {
            prop_oneof![8 => number(100..10_000_000), 1 => rare_times(), 1 => malformed()].boxed()
        }
        (_, "milliseconds") => {
            prop_oneof![8 => number(100_000..10_000_000_000), 1 => rare_times(), 1 => malformed()].boxed()
        }
        (_, "unix-time-seconds") => moments(1),
        (_, "unix-time-milliseconds") => moments(1000),
        (_, "offset") => prop_oneof![8 => number(0..300), 1 => pool(OFFSETS), 1 => malformed()].boxed(),
        (_, "start" | "end") => prop_oneof![8 => number(-30..60), 1 => edges(), 1 => malformed()].boxed(),
        (_, "increment" | "decrement" | "min-match-len" | "count") => integers(),
        (_, "cursor") => {
            prop_oneof![8 => pool(&["0"]), 1 => pool(&["x", "-1", "18446744073709551616"])].boxed()
        }
        (_, "pattern") => pool(PATTERNS),
        (_, "type") => pool(&["string", "STRING", "list", "nothing"]),
        (_, "db" | "destination-db" | "index" | "index1" | "index2") => pool(DATABASES),
        (_, "bit") | ("setbit", "value") => pool(&["0", "1", "1", "0", "2", "-1", "x"]),
        (_, "encoding") => prop_oneof![4 => pool(ENCODINGS), 1 => pool(NO_ENCODINGS)].boxed(),
        _ => values(),
    }
}

/// Bytes of one of `texts`.
fn pool(texts: &'static [&'static str]) -> Argument {
    select(texts).prop_map(|text| text.as_bytes().to_vec()).boxed()
}

fn number(range: std::ops::Range<i64>) -> Argument {
    range.prop_map(|n| n.to_string().into_bytes()).boxed()
}

/// A few keys, and those that a world has beside them.
fn keys_of(rules: Rules) -> Argument {
    match rules.more_keys {
        [] => keys().boxed(),
        more => prop_oneof![3 => keys(), 1 => pool(more)].boxed(),
    }
}

/// A few keys, most often the same ones.
pub(crate) fn keys() -> impl Strategy<Value = Vec<u8>> {
    let rare: &[&[u8]] = &[
        b"",
        b"\xff\0\r\n",
        b"{t}x",
        b"a key of more than forty-four bytes, kept in one piece with its entry",
    ];
    prop_oneof![12 => pool(&["a", "b", "c", "d", "e"]), 1 => select(rare).prop_map(|key| key.to_vec())]
}

/// Integers, floats, text and bytes, of lengths around those where forms change.
fn values() -> Argument {
    let repeated = |lens: &'static [usize]| select(lens).prop_map(|len| vec![b'x'; len]);
    prop_oneof![
        3 => integers(),
        2 => floats(),
        2 => pool(&["", "v", "hello", "the quick brown fox", "0123456789abcdef"]),
        1 => vec(any::<u8>(), 0..80),
        1 => repeated(&[1, 7, 8, 9, 43, 44, 45, 63, 64, 65, 127, 128, 255, 256]),
        1 => repeated(&[511, 512, 1023, 1024, 1025, 2000]),
    ]
    .boxed()
}

/// What DUMP gives for a string, in the version that Redis 7.0 knows too; and what it never gives.
fn payloads() -> Argument {
    let payload = |value: Vec<u8>| {
        let mut payload =
            persist::rdb::dump(&persist::rdb::Value::String(value.into()), persist::rdb::Version::V11);
        payload.truncate(payload.len() - 10);
        payload.extend(10u16.to_le_bytes());
        let checksum = persist::crc64::crc64(&payload).to_le_bytes();
        payload.extend(checksum);
        payload
    };
    prop_oneof![12 => values().prop_map(payload), 1 => values()].boxed()
}

fn integers() -> Argument {
    prop_oneof![8 => number(-20..200), 2 => edges(), 1 => malformed()].boxed()
}

/// Integers at the ends of ranges that commands have.
fn edges() -> Argument {
    pool(&[
        "9999",
        "10000",
        "2147483647",
        "-2147483648",
        "2147483648",
        "4294967295",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775806",
        "1000000000000",
    ])
}

/// What is nearly an integer.
fn malformed() -> Argument {
    pool(&[
        "",
        "x",
        "1x",
        " 1",
        "1 ",
        "+1",
        "-0",
        "00",
        "007",
        "1.0",
        "1e3",
        "0x10",
        "9223372036854775808",
        "-9223372036854775809",
    ])
}

fn floats() -> Argument {
    prop_oneof![
        3 => (-1_000_000i64..1_000_000, 1u32..5).prop_map(|(n, places)| format!("{}", n as f64 / 10f64.powi(places as i32)).into_bytes()),
        2 => pool(&["0.1", "0.2", "-0.3", "3.0", "3", "1e2", "-1.5E3", "3.0e-3", "5.0000000000000000001", "-0.0", "0.00001"]),
        1 => pool(&["1e17", "1e308", "1e-320", "123456789012345678", "9007199254740993", "0.30000000000000004", "1e400", "-1e4000"]),
        1 => pool(&["inf", "-inf", "+Infinity", "nan", "", " 1.5", "1.5 ", "1.5x", "0x1p3", "1e", ".5", "5."]),
    ]
    .boxed()
}

/// Times to live that remove a key, or are refused.
fn rare_times() -> Argument {
    pool(&[
        "0",
        "-1",
        "-100",
        "9223372036854775",
        "9223372036854776",
        "9223372036854775807",
        "-9223372036854775808",
    ])
}

/// Moments far in the future, some in the past; `per_second` units make a second.
fn moments(per_second: i64) -> Argument {
    prop_oneof![
        8 => (2_500_000_000i64..4_000_000_000).prop_map(move |s| (s * per_second).to_string().into_bytes()),
        2 => (1i64..1_500_000_000).prop_map(move |s| (s * per_second).to_string().into_bytes()),
        1 => rare_times(),
        1 => malformed(),
    ]
    .boxed()
}

/// Offsets out of range. None between 10^5 and what the longest string has: a server would make such a string.
const OFFSETS: &[&str] =
    &["-1", "4294967296", "9223372036854775807", "1000", "20000", "#1", "#7", "#-1", "#"];

const PATTERNS: &[&str] =
    &["*", "?", "a*", "[a-c]", "[^a]", "*[de]", "", "\\a", "[", "a", "**", "{*", "*b*", "[b-", "x"];

const DATABASES: &[&str] = &["0", "1", "2", "0", "1", "2", "3", "15", "16", "-1", "99999999999", "x"];

const ENCODINGS: &[&str] = &["u8", "i8", "u1", "i1", "i5", "u16", "i16", "u32", "u63", "i64"];

const NO_ENCODINGS: &[&str] = &["u64", "i65", "u0", "i0", "x8", "8", "u", ""];
