//! Replies, events and effects of the commands that change a stream.

use crate::testing::Client;

const INVALID_ID: &str = "ERR Invalid stream ID specified as stream command argument";
const TOO_SMALL: &str = "ERR The ID specified in XADD is equal or smaller than the target stream top item";

#[test]
fn ids_are_given_in_full_in_part_or_not_at_all() {
    let mut client = Client::new();
    client.check(&[
        ("XADD a 0-* f v", "\"0-1\""),
        ("XADD a 5 f v", "\"5-0\""),
        ("XADD a 5-* f v", "\"5-1\""),
        ("XADD a 6-18446744073709551615 f v", "\"6-18446744073709551615\""),
        ("XADD a NOMKSTREAM 7-* f v", "\"7-0\""),
        ("XADD none NOMKSTREAM * f v", "(nil)"),
        ("EXISTS none", "(integer) 0"),
        ("XADD b 1700000000001-5 f v", "\"1700000000001-5\""),
        ("XADD b * f v", "\"1700000000001-6\""),
        (
            "XADD c 18446744073709551615-18446744073709551615 f v",
            "\"18446744073709551615-18446744073709551615\"",
        ),
        (
            "XADD d 18446744073709551615-18446744073709551614 f v",
            "\"18446744073709551615-18446744073709551614\"",
        ),
        ("XADD d * f v", "\"18446744073709551615-18446744073709551615\""),
        ("SET text 1", "OK"),
    ]);
    client.check_errors(&[
        ("XADD a 6-* f v", TOO_SMALL),
        ("XADD a 7-0 f v", TOO_SMALL),
        ("XADD none 0-0 f v", "ERR The ID specified in XADD must be greater than 0-0"),
        ("XADD c * f v", "ERR The stream has exhausted the last possible ID, unable to add more items"),
        ("XADD a x f v", INVALID_ID),
        ("XADD a + f v", INVALID_ID),
        ("XADD a * f v g", "ERR wrong number of arguments for 'xadd' command"),
        ("XADD a MAXLEN 5 NOMKSTREAM NOMKSTREAM", "ERR wrong number of arguments for 'xadd' command"),
        ("XADD text * f v", "WRONGTYPE Operation against a key holding the wrong kind of value"),
    ]);
}

#[test]
fn additions_are_logged_with_their_ids_and_what_trimming_left() {
    let mut client = Client::new();
    let mut changes = |line: &str| {
        let (changes, events, effects) = client.changes(line);
        (changes, events.join(" "), effects.join(" "))
    };
    let expected = |count, events: &str, effect: &str| (count, events.into(), effect.into());
    assert_eq!(changes("XADD a 1-1 f v"), expected(1, "xadd a", "XADD a 1-1 f v"));
    assert_eq!(changes("XADD a 1-* f v"), expected(1, "xadd a", "XADD a 1-2 f v"));
    assert_eq!(
        changes("xadd a MAXLEN 1 * f v"),
        expected(1, "xadd a xtrim a", "xadd a MAXLEN 1 1700000000000-0 f v")
    );
    assert_eq!(
        changes("XADD a MAXLEN ~ 9 LIMIT 5 * f v"),
        expected(1, "xadd a", "XADD a MAXLEN = 2 LIMIT 5 1700000000000-1 f v")
    );
    assert_eq!(
        changes("XADD a MINID ~ 5 * f v"),
        expected(1, "xadd a", "XADD a MINID = 1700000000000-0 1700000000000-2 f v")
    );
    assert_eq!(changes("XTRIM a MAXLEN ~ 0 LIMIT 1"), expected(0, "", ""));
    assert_eq!(changes("XTRIM a MAXLEN ~ 0"), expected(3, "xtrim a", "XTRIM a MAXLEN = 0"));
    assert_eq!(changes("XTRIM a MAXLEN 0"), expected(0, "", ""));
    changes("XADD a 1700000000001-1 f v");
    assert_eq!(
        changes("XDEL a 1700000000001-1 1700000000001-2"),
        expected(1, "xdel a", "XDEL a 1700000000001-1 1700000000001-2")
    );
    assert_eq!(changes("XADD b MINID ~ 3 4 f v"), expected(1, "xadd b", "XADD b MINID = 4-0 4 f v"));
    assert_eq!(changes("XSETID b 9"), expected(1, "xsetid b", "XSETID b 9"));
    assert_eq!(changes("DEL b"), expected(1, "del b", "DEL b"));
}

#[test]
fn a_log_says_exactly_what_was_left_beside_the_limit() {
    let mut client = Client::new();
    client.turn.loading = true;
    client.check(&[
        ("XADD a 1-1 f v", "\"1-1\""),
        ("XADD a MAXLEN = 1 LIMIT 5 2-1 f v", "\"2-1\""),
        ("XLEN a", "(integer) 1"),
    ]);
}

#[test]
fn trimming_is_asked_for_in_one_way() {
    const LIMITED: &str = "ERR syntax error, LIMIT cannot be used without the special ~ option";
    let mut client = Client::new();
    client.send("XADD a 1-1 f v");
    client.check_errors(&[
        ("XTRIM a MAXLEN -1", "ERR The MAXLEN argument must be >= 0."),
        ("XTRIM a MAXLEN x", "ERR value is not an integer or out of range"),
        ("XTRIM a MAXLEN ~", "ERR value is not an integer or out of range"),
        ("XTRIM a MINID +", INVALID_ID),
        (
            "XTRIM a MAXLEN 1 MINID 1",
            "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
        ),
        ("XTRIM a MAXLEN ~ 1 LIMIT -1", "ERR The LIMIT argument must be >= 0."),
        ("XTRIM a MAXLEN 1 LIMIT 1", LIMITED),
        ("XTRIM a MAXLEN = 1 LIMIT 0", LIMITED),
        ("XTRIM a LIMIT 1", "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"),
        ("XTRIM a LIMIT 0", LIMITED),
        ("XTRIM a NOMKSTREAM 1", "ERR syntax error"),
        ("XTRIM a MAXLEN 1 x", "ERR syntax error"),
        ("XADD a LIMIT 0 * f v", LIMITED),
    ]);
    client.check(&[
        ("XTRIM none MAXLEN 1", "(integer) 0"),
        ("XTRIM a maxlen = 1", "(integer) 0"),
        ("XTRIM a MINID ~ 9 LIMIT 0", "(integer) 1"),
    ]);
}

#[test]
fn what_a_stream_says_of_its_past_must_fit_its_entries() {
    let mut client = Client::new();
    ["XADD a 1-1 f v", "XADD a 5-1 f v", "XADD a 6-1 f v", "XDEL a 6-1"]
        .iter()
        .for_each(|l| _ = client.send(l));
    client.check_errors(&[
        ("XSETID none 1", "ERR no such key"),
        ("XSETID none x", INVALID_ID),
        ("XSETID a 9 ENTRIESADDED -1", "ERR entries_added must be positive"),
        ("XSETID a 9 ENTRIESADDED", "ERR syntax error"),
        (
            "XSETID a 9 MAXDELETEDID 10",
            "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
        ),
        ("XSETID a 6", "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"),
        (
            "XSETID a 9 ENTRIESADDED 1",
            "ERR The entries_added specified in XSETID is smaller than the target stream length",
        ),
    ]);
    client.check(&[("XSETID a 9 ENTRIESADDED 2 MAXDELETEDID 3", "OK"), ("XDEL a 1", "(integer) 0")]);
    client.check_errors(&[
        ("XSETID a 5-0", "ERR The ID specified in XSETID is smaller than the target stream top item"),
        ("XDEL a 1-1 x", INVALID_ID),
        ("XADD a 9-0 f v", TOO_SMALL),
    ]);
    client.check(&[("XDEL none x", "(integer) 0"), ("XLEN a", "(integer) 2")]);
}
