//! Arguments about lists, hashes, sets, sorted sets, streams, places and sorting.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Argument, edges, floats, integers, malformed, moments, number, pool, values};
use crate::worlds::Rules;

/// An argument called `name` of the command called `command`; nothing when it means nothing special there.
pub(super) fn named(name: &str, command: &str, rules: Rules) -> Option<Argument> {
    Some(match (command, name) {
        ("sort" | "sort_ro", "pattern" | "by-pattern" | "get-pattern") => sort_patterns(),
        ("sort" | "sort_ro", "offset") => number(-3..12),
        (x, name) if x.starts_with('x') => return stream(name, x),
        (_, "longitude" | "latitude" | "radius" | "width" | "height") => place(name),
        (_, "score") if rules.flat_scores => pool(&["0"]),
        ("hincrbyfloat" | "zincrby", "increment") => scores(),
        (_, "score" | "weight") => scores(),
        (_, "min" | "max") if command.contains("lex") => lex_bounds(),
        ("zcount", "min" | "max") => score_bounds(),
        (x, "min" | "max") if x.ends_with("byscore") => score_bounds(),
        ("zrange" | "zrangestore", "start" | "stop" | "min" | "max") => {
            if rules.flat_scores {
                lex_bounds()
            } else {
                prop_oneof![6 => number(-6..9), 2 => score_bounds(), 2 => lex_bounds()].boxed()
            }
        }
        (
            "lindex" | "lset" | "lrange" | "ltrim" | "zrevrange" | "zremrangebyrank",
            "start" | "stop" | "index",
        ) => {
            prop_oneof![12 => number(-9..12), 2 => number(-200..200), 1 => edges(), 1 => malformed()].boxed()
        }
        (_, "offset") if command.starts_with('z') => {
            prop_oneof![8 => number(-2..8), 1 => edges(), 1 => malformed()].boxed()
        }
        ("lpos", "rank") | ("lrem", "count") => {
            // The smallest integer is refused since Redis 7.2 only.
            let refused = i64::MIN.to_string().into_bytes();
            small_counts().prop_map(move |n| if n == refused { b"0".to_vec() } else { n }).boxed()
        }
        ("lpos", "num-matches" | "len") => small_counts(),
        (_, "limit") => small_counts(),
        ("sort" | "sort_ro", "count") => number(-3..12),
        // The server would write as many as it is asked for.
        ("srandmember" | "hrandfield" | "zrandmember", "count") => {
            prop_oneof![12 => number(-9..9), 2 => number(-200..200), 1 => malformed()].boxed()
        }
        (x, "count") if !x.starts_with("bit") && x != "scan" => small_counts(),
        (_, "pivot") => elements(),
        (_, name)
            if name.starts_with("element") || name.starts_with("member") || name.starts_with("field") =>
        {
            elements()
        }
        ("hset" | "hmset" | "hsetnx" | "hsetex", "value") => {
            prop_oneof![6 => elements(), 2 => integers(), 2 => floats(), 1 => values()].boxed()
        }
        ("pfdebug", "subcommand") => pool(&["ENCODING", "DECODE", "TODENSE", "GETREG", "nothing"]),
        _ => return None,
    })
}

/// What is in collections: few, so that they meet; about the lengths where encodings end, and now and then long.
pub(super) fn elements() -> Argument {
    let filled = |lens: &'static [usize]| select(lens).prop_map(|len| vec![b'm'; len]);
    prop_oneof![
        12 => number(-2..12),
        12 => pool(&["a", "b", "c", "d", "e", "f", "g", "hh", "one", "two", "three"]),
        2 => number(-40_000..70_000),
        2 => pool(&["", "0.5", "-1.25e3", "+1", "007", "inf", "9223372036854775807", "-9223372036854775808", "9223372036854775808"]),
        2 => filled(&[3, 4, 5, 7, 8, 9, 63, 64, 65]),
        1 => vec(any::<u8>(), 0..20),
        1 => filled(&[127, 128, 129, 253, 254, 255, 600, 4000, 4096, 8191, 8192, 8300, 17_000]),
    ]
    .boxed()
}

/// How many: few, none, less than none.
fn small_counts() -> Argument {
    prop_oneof![12 => number(-4..8), 2 => number(8..200), 1 => edges(), 1 => malformed()].boxed()
}

/// Scores; none is -0, whose sign a small set loses, and which set is small when it is made is another question since
/// Redis 7.2.
fn scores() -> Argument {
    let signed = prop_oneof![
        10 => number(-5..9),
        4 => pool(&["0", "0", "1.5", "-1.5", "0.1", "3e10", "inf", "-inf", "+inf", "1e-7", "0.30000000000000004"]),
        2 => floats(),
        1 => edges(),
        1 => pool(&["nan", "x", "", "(1", "1e400", "0x1p-2"]),
    ];
    signed.prop_map(|score| if score.starts_with(b"-0") { score[1..].to_vec() } else { score }).boxed()
}

fn score_bounds() -> Argument {
    prop_oneof![
        6 => number(-5..9),
        4 => (-5i64..9).prop_map(|n| format!("({n}").into_bytes()),
        4 => pool(&["-inf", "+inf", "inf", "(inf", "(-inf", "1.5", "(1.5", "0.1", "(0.1"]),
        1 => pool(&["nan", "(nan", "x", "", "(", "((1", "[1"]),
    ]
    .boxed()
}

fn lex_bounds() -> Argument {
    let around = |first: &'static [u8]| elements().prop_map(move |element| [first, &element].concat());
    prop_oneof![
        4 => pool(&["-", "+"]),
        6 => around(b"["),
        6 => around(b"("),
        1 => pool(&["", "a", "[", "(", "--", "+a", "0"]),
    ]
    .boxed()
}

/// Places near one another, so that some are within a radius, and some that are none.
fn place(name: &str) -> Argument {
    let near = |whole: i64| {
        (whole * 1000 - 800..whole * 1000 + 800).prop_map(|n| format!("{}", n as f64 / 1000.0).into_bytes())
    };
    match name {
        "longitude" => prop_oneof![
            12 => near(13),
            2 => number(-180..181),
            2 => pool(&["13.361389", "15.087269", "-180", "180", "179.9999", "-179.99999", "0"]),
            1 => pool(&["180.1", "-181", "nan", "inf", "x", "", "1e3"]),
        ]
        .boxed(),
        "latitude" => prop_oneof![
            12 => near(38),
            2 => number(-85..86),
            2 => pool(&["38.115556", "37.502669", "85.05112878", "-85.05112878", "0", "84.9"]),
            1 => pool(&["85.06", "-90", "nan", "-inf", "x", ""]),
        ]
        .boxed(),
        _ => prop_oneof![
            8 => number(0..200),
            4 => (0i64..2_000_000).prop_map(|n| format!("{}", n as f64 / 10.0).into_bytes()),
            2 => pool(&["0", "0.0001", "5000000", "1e6", "40075017"]),
            1 => pool(&["-1", "nan", "x", "", "inf"]),
        ]
        .boxed(),
    }
}

/// What SORT looks up: other keys by an element's name, fields in them.
fn sort_patterns() -> Argument {
    pool(&[
        "#",
        "w_*",
        "w_*",
        "nosort",
        "*",
        "h_*->f",
        "h_*->*",
        "w_*->",
        "->x",
        "",
        "x*y*z",
        "w_",
        "h_*->nothing",
    ])
}

fn stream(name: &str, command: &str) -> Option<Argument> {
    Some(match (command, name) {
        ("xadd", "id") => prop_oneof![
            10 => pool(&["1-*", "2-*", "2-*", "3-*"]),
            4 => (0u64..4, 0u64..60).prop_map(|(ms, seq)| format!("{ms}-{seq}").into_bytes()),
            1 => pool(&["0-0", "0-*", "3", "x", "1-x", "-", "+", "18446744073709551615-18446744073709551615", "1-18446744073709551616", "01-1", ""]),
        ]
        .boxed(),
        ("xreadgroup", "id") => prop_oneof![6 => pool(&[">"]), 2 => ids(), 1 => pool(&["$", "+", "-"])].boxed(),
        ("xread", "id") => prop_oneof![8 => ids(), 2 => pool(&["0", "$", "0-0"]), 1 => pool(&[">", "-"])].boxed(),
        ("xrange" | "xrevrange" | "xpending", "start" | "end") => prop_oneof![
            6 => pool(&["-", "+"]),
            6 => ids(),
            2 => ids().prop_map(|id| [b"(".as_slice(), &id].concat()),
            1 => pool(&["(-", "(+", "", "(", "18446744073709551615-18446744073709551615", "(18446744073709551615-18446744073709551615", "(0-0"]),
        ]
        .boxed(),
        ("xautoclaim", "start") => prop_oneof![6 => pool(&["0", "0-0", "-"]), 2 => ids(), 1 => pool(&["(1-1", "+"])].boxed(),
        (_, "id" | "last-id" | "lastid" | "max-deleted-id") => ids(),
        (_, "threshold") => prop_oneof![6 => number(-1..12), 4 => ids(), 1 => malformed()].boxed(),
        (_, "group") => pool(&["g", "g", "g", "h", "h", "none"]),
        (_, "consumer") => pool(&["alice", "alice", "bob", "carol", ""]),
        (_, "min-idle-time") => pool(&["0", "0", "0", "0", "1000000000", "-1", "x"]),
        (_, "ms") => pool(&["0", "1", "500", "1000000000", "-1", "x"]),
        (_, "unix-time-milliseconds") => moments(1000),
        (_, "entries-read" | "entries-added") => prop_oneof![8 => number(-1..40), 1 => edges(), 1 => malformed()].boxed(),
        (_, "count") => small_counts(),
        (_, "field" | "value") => elements(),
        _ => return None,
    })
}

/// Ids that entries have, or nearly.
fn ids() -> Argument {
    prop_oneof![
        12 => (1u64..4, 0u64..25).prop_map(|(ms, seq)| format!("{ms}-{seq}").into_bytes()),
        3 => number(0..5),
        1 => pool(&["0-0", "18446744073709551615-1", "x", "", "1-", "-1", "1-2-3", "*", "2-*"]),
    ]
    .boxed()
}
