//! The commands on one list: replies, errors, events and effects.

use crate::testing::Client;

const WRONG: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const INTEGER: &str = "ERR value is not an integer or out of range";
const POSITIVE: &str = "ERR value is out of range, must be positive";

#[test]
fn elements_come_back_as_they_were_pushed() {
    let mut client = Client::new();
    client.check(&[
        ("RPUSH a 007 7 -0 \"\" \"a\\r\\nb\" 9223372036854775807 9223372036854775808", "(integer) 7"),
        (
            "LRANGE a 0 -1",
            "1) \"007\"\n2) \"7\"\n3) \"-0\"\n4) \"\"\n5) \"a\\r\\nb\"\n6) \"9223372036854775807\"\n\
             7) \"9223372036854775808\"",
        ),
    ]);
}

#[test]
fn counts_of_pops_are_checked_before_the_key() {
    let mut client = Client::new();
    client.check(&[("SET s 1", "OK"), ("RPUSH a 1 2 3", "(integer) 3")]);
    client.check_errors(&[
        ("LPOP a x", POSITIVE),
        ("RPOP s -1", POSITIVE),
        ("LPOP s", WRONG),
        ("RPOP s 0", WRONG),
        ("LPOP a 1 2", "ERR wrong number of arguments for 'lpop' command"),
    ]);
    client.check(&[("LPOP a 0", "(empty array)"), ("RPOP a 2", "1) \"3\"\n2) \"2\"")]);
    assert_eq!(client.send("LPOP none 1"), "*-1\r\n");
    assert_eq!(client.send("LPOP none 0"), "*-1\r\n");
    assert_eq!(client.send("LPOP none"), "$-1\r\n");
}

#[test]
fn a_list_goes_with_its_last_element() {
    let mut client = Client::new();
    client.send("RPUSH a 1 2 3");
    let (changes, events, effects) = client.changes("LPOP a 2");
    assert_eq!((changes, events.join(", "), effects.join(", ")), (2, "lpop a".into(), "LPOP a 2".into()));
    let (changes, events, _) = client.changes("RPOP a");
    assert_eq!((changes, events.join(", ")), (1, "rpop a, del a".into()));
    client.check(&[("EXISTS a", "(integer) 0"), ("TYPE a", "none")]);
    client.send("RPUSH a 1 2 3");
    let (changes, events, effects) = client.changes("LTRIM a 5 9");
    assert_eq!(
        (changes, events.join(", "), effects.join(", ")),
        (3, "ltrim a, del a".into(), "LTRIM a 5 9".into())
    );
}

#[test]
fn pushes_count_each_element() {
    let mut client = Client::new();
    let (changes, events, effects) = client.changes("LPUSH a 1 2 3");
    assert_eq!(
        (changes, events.join(", "), effects.join(", ")),
        (3, "lpush a".into(), "LPUSH a 1 2 3".into())
    );
    let (changes, events, effects) = client.changes("LPUSHX none 1");
    assert_eq!((changes, events.len(), effects.len()), (0, 0, 0));
    client.send("SET s 1");
    client.check_errors(&[("LPUSH s 1", WRONG), ("RPUSHX s 1", WRONG), ("LLEN s", WRONG)]);
}

#[test]
fn a_trim_that_removes_nothing_is_no_change() {
    let mut client = Client::new();
    client.send("RPUSH a 1 2 3");
    let (changes, events, effects) = client.changes("LTRIM a 0 99");
    assert_eq!((changes, events.join(", "), effects.len()), (0, "ltrim a".into(), 0));
    let (changes, events, effects) = client.changes("LTRIM none 0 99");
    assert_eq!((changes, events.len(), effects.len()), (0, 0, 0));
    client.check_errors(&[("LTRIM a x 1", INTEGER), ("LTRIM a 1 1.5", INTEGER)]);
}

#[test]
fn indexes_out_of_range_are_met_as_redis_meets_them() {
    let mut client = Client::new();
    client.check(&[("RPUSH a 1 2 3", "(integer) 3"), ("SET s 1", "OK")]);
    let all = "1) \"1\"\n2) \"2\"\n3) \"3\"";
    client.check(&[
        ("LRANGE a -9223372036854775808 9223372036854775807", all),
        ("LRANGE a -100 100", all),
        ("LRANGE a 2 1", "(empty array)"),
        ("LRANGE a 0 -4", "(empty array)"),
        ("LRANGE none 0 -1", "(empty array)"),
        ("LINDEX a -4", "(nil)"),
        ("LINDEX a -9223372036854775808", "(nil)"),
        ("LINDEX none x", "(nil)"),
    ]);
    client.check_errors(&[
        ("LSET a -4 x", "ERR index out of range"),
        ("LSET a x x", INTEGER),
        ("LSET none x x", "ERR no such key"),
        ("LSET s 0 x", WRONG),
        ("LINDEX s x", WRONG),
        ("LINDEX a x", INTEGER),
        ("LRANGE none x 0", INTEGER),
        ("LRANGE s 0 -1", WRONG),
    ]);
}

#[test]
fn long_ranges_are_read_from_a_copy() {
    let mut client = Client::new();
    for n in 0..300 {
        client.send(&format!("RPUSH a {n}-a {n}-b {n}-c {n}-d {n}-e"));
    }
    let resp::Value::Array(all) = client.value("LRANGE a 0 -1") else { panic!("no array") };
    assert_eq!((all.len(), &all[1499]), (1500, &resp::Value::Bulk(b"299-e".to_vec())));
    client.check(&[("LINDEX a 750", "\"150-a\""), ("LRANGE a 1498 -1", "1) \"299-d\"\n2) \"299-e\"")]);
    client.check(&[("OBJECT ENCODING a", "\"quicklist\""), ("LTRIM a 0 9", "OK")]);
    client.check(&[("OBJECT ENCODING a", "\"listpack\""), ("LLEN a", "(integer) 10")]);
}
