//! SORT and SORT_RO: orders, look-ups, what is stored and what is refused.

use super::number;
use crate::testing::Client;

fn words(client: &mut Client, line: &str) -> String {
    let resp::Value::Array(values) = client.value(line) else { panic!("{line}: no array") };
    let word = |value: &resp::Value| match value {
        resp::Value::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        resp::Value::Null => "-".into(),
        other => panic!("{line}: {other:?}"),
    };
    values.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn check(client: &mut Client, dialogue: &[(&str, &str)]) {
    for (line, expected) in dialogue {
        assert_eq!(words(client, line), *expected, "> {line}");
    }
}

#[test]
fn numbers_and_names_have_their_own_order() {
    let mut client = Client::new();
    client.send("RPUSH l 10 9 -1 2.5 0x1F inf");
    check(
        &mut client,
        &[
            ("SORT l", "-1 2.5 9 10 0x1F inf"),
            ("SORT l DESC", "inf 0x1F 10 9 2.5 -1"),
            ("SORT l ALPHA", "-1 0x1F 10 2.5 9 inf"),
            ("SORT l ALPHA DESC ASC", "-1 0x1F 10 2.5 9 inf"),
            ("SORT_RO l LIMIT 1 2", "2.5 9"),
            ("SORT l LIMIT -5 2", "-1 2.5"),
            ("SORT l LIMIT 4 -1", "0x1F inf"),
            ("SORT l LIMIT 9 9", ""),
            ("SORT l LIMIT 0 0", ""),
            ("SORT none", ""),
        ],
    );
    client.check_errors(&[("SORT none LIMIT 0 x", "ERR value is not an integer or out of range")]);
}

#[test]
fn sets_are_sorted_too_and_zsets_keep_their_order_unless_asked() {
    let mut client = Client::new();
    client.send("SADD s c a b");
    client.check(&[("ZADD z 3 a 1 b 2 c", "(integer) 3"), ("OBJECT ENCODING z", "\"listpack\"")]);
    check(
        &mut client,
        &[
            ("SORT s ALPHA DESC", "c b a"),
            ("SORT z ALPHA", "a b c"),
            ("SORT z BY nosort", "b c a"),
            ("SORT z BY nosort DESC LIMIT 1 9", "c b"),
            ("SORT z BY # LIMIT 1 1", "c"),
        ],
    );
    client.check(&[("OBJECT ENCODING z", "\"skiplist\""), ("SORT s BY nosort STORE t", "(integer) 3")]);
    check(&mut client, &[("LRANGE t 0 -1", "a b c"), ("SORT t BY nosort DESC", "c b a")]);
}

#[test]
fn what_is_looked_up_decides_and_is_given() {
    let mut client = Client::new();
    client.send("RPUSH l 1 2 3");
    client.send("MSET w_1 3 w_2 1 n_1 x n_3 z");
    client.send("HSET h_1 f a");
    client.send("HSET h_3 f b");
    check(
        &mut client,
        &[
            ("SORT l BY w_*", "3 2 1"),
            ("SORT l BY n_* ALPHA", "2 1 3"),
            ("SORT l BY h_*->f ALPHA DESC", "3 1 2"),
            ("SORT l BY w_* GET n_* GET # GET nothing GET h_*->f", "z 3 - b - 2 - - x 1 - a"),
            ("SORT l BY none_*", "1 2 3"),
            ("SORT l BY none BY w_*", "1 2 3"),
            ("SORT l GET h_* LIMIT 0 1", "-"),
            ("SORT l GET w_*->f LIMIT 0 1", "-"),
        ],
    );
    client.check(&[("SORT l GET n_* STORE d", "(integer) 3")]);
    check(&mut client, &[("LRANGE d 0 -1", "x  z")]);
}

#[test]
fn what_is_stored_takes_the_place_of_what_was_there() {
    let mut client = Client::new();
    client.send("RPUSH l 3 1 2");
    client.send("SET d text EX 100");
    let (changes, events, effects) = client.changes("SORT l STORE d");
    assert_eq!(
        (changes, events.join(", "), effects.join(", ")),
        (3, "sortstore d".into(), "SORT l STORE d".into())
    );
    client.check(&[("TTL d", "(integer) -1"), ("OBJECT ENCODING d", "\"listpack\"")]);
    let (changes, events, _) = client.changes("SORT none STORE d");
    assert_eq!((changes, events.join(", ")), (1, "del d".into()));
    let (changes, events, effects) = client.changes("SORT none STORE d");
    assert_eq!((changes, events.len(), effects.len()), (0, 0, 0));
}

#[test]
fn what_cannot_be_sorted_is_refused() {
    const SYNTAX: &str = "ERR syntax error";
    const WRONG: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
    const NUMBERS: &str = "ERR One or more scores can't be converted into double";
    let mut client = Client::new();
    client.send("RPUSH l 1 x");
    client.send("MSET s 1 w_1 y");
    client.check_errors(&[
        ("SORT l", NUMBERS),
        ("SORT l BY w_* STORE d", NUMBERS),
        ("SORT s", WRONG),
        ("SORT s BY", SYNTAX),
        ("SORT l LIMIT 1", SYNTAX),
        ("SORT l FOO", SYNTAX),
        ("SORT l STORE", SYNTAX),
        ("SORT_RO l STORE d", SYNTAX),
    ]);
}

#[test]
fn keys_are_found_where_they_are() {
    let mut client = Client::new();
    let mut keys = |request: &str| words(&mut client, &format!("COMMAND GETKEYS {request}"));
    assert_eq!(keys("SORT a BY b GET c STORE d"), "a d");
    assert_eq!(keys("SORT a BY store STORE d STORE e"), "a e");
    assert_eq!(keys("SORT_RO a BY store"), "a");
}

#[test]
fn numbers_are_read_as_c_reads_them() {
    for (text, n) in [
        ("", Some(0.0)),
        (" \t1", Some(1.0)),
        ("1\0x", Some(1.0)),
        (" ", None),
        ("1 ", None),
        ("nan", None),
        ("1e-320", None),
    ] {
        assert_eq!(number(text.as_bytes()), n, "{text:?}");
    }
}
