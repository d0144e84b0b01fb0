//! Pending entries claimed one by one or as they come.

use crate::testing::Client;

/// A client of a store with the stream `a`, whose entries 1-1 to 4-1 are pending for `one`; the second is deleted.
fn client() -> Client {
    let mut client = Client::new();
    for n in 1..=4 {
        client.send(&format!("XADD a {n}-1 n {n}"));
    }
    for line in ["XGROUP CREATE a g 0", "XREADGROUP GROUP g one STREAMS a >", "XDEL a 2-1"] {
        client.send(line);
    }
    client.turn.now_ms += 100;
    client
}

/// What is pending for whom: ids, milliseconds since the delivery, deliveries.
fn pending(client: &mut Client) -> String {
    let reply = client.send("XPENDING a g - + 99").replace(['$', ':'], "");
    let parts: Vec<&str> = reply.split("\r\n").filter(|part| !part.starts_with('*')).collect();
    parts
        .chunks(6)
        .filter_map(|p| Some(format!("{} {} {} {}", p.get(1)?, p[3], p[4], p[5])))
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn claims_move_entries_and_forget_deleted_ones() {
    let mut client = client();
    let (changes, events, effects) = client.changes("XCLAIM a g two 100 1-1 2-1 9-1 JUSTID");
    assert_eq!((changes, events.join(" ")), (3, "xgroup-createconsumer a".into()));
    assert_eq!(
        effects,
        [
            "XCLAIM a g two 0 1-1 TIME 1700000000100 RETRYCOUNT 1 FORCE JUSTID LASTID 4-1",
            "XCLAIM a g one 0 2-1 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 4-1",
        ]
    );
    assert_eq!(pending(&mut client), "1-1 two 0 1, 3-1 one 100 1, 4-1 one 100 1");
    client.check(&[
        ("XCLAIM a g two 101 3-1", "(empty array)"),
        ("XCLAIM a g two 0 3-1 IDLE 7 RETRYCOUNT 5 JUSTID", "1) \"3-1\""),
        ("XCLAIM a g two 0 4-1 TIME 1700000000090", "1) 1) \"4-1\"\n   2) 1) \"n\"\n      2) \"4\""),
    ]);
    assert_eq!(pending(&mut client), "1-1 two 0 1, 3-1 two 7 5, 4-1 two 10 2");
    client.check(&[
        // A moment that cannot be becomes the present.
        ("XCLAIM a g two 0 3-1 TIME 1800000000000 RETRYCOUNT -1 JUSTID", "1) \"3-1\""),
        ("XCLAIM a g two 0 4-1 IDLE -5 JUSTID", "1) \"4-1\""),
        ("XACK a g 1-1", "(integer) 1"),
        ("XCLAIM a g two 0 1-1", "(empty array)"),
        ("XCLAIM a g two 999 1-1 FORCE JUSTID", "1) \"1-1\""),
    ]);
    assert_eq!(pending(&mut client), "1-1 two 0 1, 3-1 two 0 5, 4-1 two 0 2");
}

#[test]
fn a_claim_may_move_its_group_alone() {
    let mut client = client();
    let (changes, _, effects) = client.changes("XCLAIM a g one 0 9-1 LASTID 7-1");
    assert_eq!((changes, effects.join("")), (1, "XGROUP SETID a g 7-1 ENTRIESREAD 4".into()));
    let (changes, _, effects) = client.changes("XCLAIM a g one 0 9-1 LASTID 5-1");
    assert_eq!((changes, effects.len()), (0, 0));
    let (changes, _, effects) = client.changes("XCLAIM a g three 0 9-1");
    assert_eq!((changes, effects.join("")), (1, "XGROUP CREATECONSUMER a g three".into()));
}

#[test]
fn claims_of_what_comes_say_where_to_go_on() {
    let mut client = client();
    client.check(&[
        ("XAUTOCLAIM a g two 100 - COUNT 1 JUSTID", "1) \"2-1\"\n2) 1) \"1-1\"\n3) (empty array)"),
        (
            "XAUTOCLAIM a g two 100 2-1 COUNT 2",
            "1) \"4-1\"\n2) 1) 1) \"3-1\"\n      2) 1) \"n\"\n         2) \"3\"\n3) 1) \"2-1\"",
        ),
        ("XAUTOCLAIM a g two 100 (3 JUSTID", "1) \"0-0\"\n2) 1) \"4-1\"\n3) (empty array)"),
        ("XAUTOCLAIM a g two 1 0", "1) \"0-0\"\n2) (empty array)\n3) (empty array)"),
    ]);
    assert_eq!(pending(&mut client), "1-1 two 0 1, 3-1 two 0 2, 4-1 two 0 1");
    let (changes, _, effects) = client.changes("XAUTOCLAIM a g one 0 4");
    assert_eq!(changes, 1);
    assert_eq!(effects, ["XCLAIM a g one 0 4-1 TIME 1700000000100 RETRYCOUNT 2 FORCE JUSTID LASTID 4-1"]);
}

#[test]
fn few_entries_are_looked_at_for_each_that_is_wanted() {
    let mut client = Client::new();
    client.send("XGROUP CREATE a g 0 MKSTREAM");
    for n in 1..=30 {
        client.send(&format!("XADD a {n}-1 n {n}"));
    }
    client.send("XREADGROUP GROUP g one STREAMS a >");
    client.check(&[
        ("XAUTOCLAIM a g two 5 0 COUNT 1", "1) \"11-1\"\n2) (empty array)\n3) (empty array)"),
        ("XAUTOCLAIM a g two 5 11 COUNT 2", "1) \"0-0\"\n2) (empty array)\n3) (empty array)"),
    ]);
}

#[test]
fn what_is_no_claim_is_refused() {
    let mut client = client();
    const INVALID_ID: &str = "ERR Invalid stream ID specified as stream command argument";
    client.send("SET text 1");
    client.check_errors(&[
        ("XCLAIM none g two x 1-1", "NOGROUP No such key 'none' or consumer group 'g'"),
        ("XCLAIM text g two 0 1-1", "WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("XCLAIM a g two x 1-1", "ERR Invalid min-idle-time argument for XCLAIM"),
        ("XCLAIM a g two 0 1-1 FOO", "ERR Unrecognized XCLAIM option 'FOO'"),
        ("XCLAIM a g two 0 1-1 IDLE", "ERR Unrecognized XCLAIM option 'IDLE'"),
        ("XCLAIM a g two 0 1-1 FORCE 2-1", "ERR Unrecognized XCLAIM option '2-1'"),
        ("XCLAIM a g two 0 1-1 IDLE x", "ERR Invalid IDLE option argument for XCLAIM"),
        ("XCLAIM a g two 0 1-1 TIME x", "ERR Invalid TIME option argument for XCLAIM"),
        ("XCLAIM a g two 0 1-1 RETRYCOUNT x", "ERR Invalid RETRYCOUNT option argument for XCLAIM"),
        ("XCLAIM a g two 0 1-1 LASTID x", INVALID_ID),
        ("XAUTOCLAIM none g two x 0", "ERR Invalid min-idle-time argument for XAUTOCLAIM"),
        ("XAUTOCLAIM none g two 0 x", INVALID_ID),
        ("XAUTOCLAIM none g two 0 0 COUNT 0", "ERR COUNT must be > 0"),
        ("XAUTOCLAIM none g two 0 0 COUNT x", "ERR COUNT must be > 0"),
        ("XAUTOCLAIM none g two 0 0 COUNT", "ERR syntax error"),
        ("XAUTOCLAIM none g two 0 0 FOO", "ERR syntax error"),
        ("XAUTOCLAIM none g two 0 0", "NOGROUP No such key 'none' or consumer group 'g'"),
    ]);
    client.check(&[
        ("XCLAIM a g two 0 FORCE", "(empty array)"),
        ("XINFO GROUPS none", "(error) ERR no such key"),
    ]);
}
