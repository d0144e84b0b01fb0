//! What reads of several streams give, and what reads of a group leave.

use crate::testing::Client;

const INVALID_ID: &str = "ERR Invalid stream ID specified as stream command argument";

/// A client of a store with the streams `a` (1-1 to 3-1) and `b` (5-1).
fn client() -> Client {
    let mut client = Client::new();
    for line in ["XADD a 1-1 n 1", "XADD a 2-1 n 2", "XADD a 3-1 n 3", "XADD b 5-1 n 5", "SET text 1"] {
        client.send(line);
    }
    client
}

#[test]
fn streams_with_something_new_are_in_the_reply() {
    let mut client = client();
    let b = "*2\r\n$1\r\nb\r\n*1\r\n*2\r\n$3\r\n5-1\r\n*2\r\n$1\r\nn\r\n$1\r\n5\r\n";
    assert_eq!(client.send("XREAD STREAMS a b none 3-1 5-0 0"), format!("*1\r\n{b}"));
    assert_eq!(client.send("XREAD BLOCK 0 STREAMS a b $ $"), "*-1\r\n");
    assert_eq!(client.send("xread streams b +"), format!("*1\r\n{b}"));
    assert_eq!(client.send("XREAD STREAMS a 18446744073709551615-18446744073709551615"), "*-1\r\n");
    let counted = client.send("XREAD COUNT 2 STREAMS a b 0 0");
    assert!(counted.contains("2-1") && !counted.contains("3-1") && counted.ends_with(b));
    assert!(client.send("XREAD COUNT 0 STREAMS a 0").contains("3-1"));
    client.session.resp3 = true;
    let b = b.strip_prefix("*2\r\n").unwrap();
    assert_eq!(client.send("XREAD STREAMS b 0"), format!("%1\r\n{b}"));
    assert_eq!(client.send("XREAD STREAMS b $"), "_\r\n");
}

#[test]
fn what_is_no_read_is_refused() {
    let mut client = client();
    const UNBALANCED: &str = "list of streams: for each stream key an ID or";
    client.send("XGROUP CREATE a g 0");
    client.check_errors(&[
        ("XREAD STREAMS a b 0", &format!("ERR Unbalanced 'xread' {UNBALANCED} '$' must be specified.")),
        (
            "XREADGROUP GROUP g me STREAMS a b 0",
            &format!("ERR Unbalanced 'xreadgroup' {UNBALANCED} '>' must be specified."),
        ),
        ("XREAD COUNT 1 STREAMS", "ERR syntax error"),
        ("XREAD COUNT x STREAMS a 0", "ERR value is not an integer or out of range"),
        ("XREAD BLOCK -1 STREAMS a 0", "ERR timeout is negative"),
        ("XREAD BLOCK 1.5 STREAMS a 0", "ERR timeout is not an integer or out of range"),
        ("XREAD BLOCK 9223372036854775807 STREAMS a 0", "ERR timeout is out of range"),
        ("XREAD FOO STREAMS a 0", "ERR syntax error"),
        (
            "XREAD NOACK STREAMS a 0",
            "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
        ),
        (
            "XREAD GROUP g me STREAMS a 0",
            "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
        ),
        ("XREAD STREAMS a x", INVALID_ID),
        ("XREAD STREAMS a -", INVALID_ID),
        ("XREAD STREAMS text 0", "WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("XREADGROUP COUNT 1 BLOCK 1 STREAMS a >", "ERR Missing GROUP option for XREADGROUP"),
        (
            "XREADGROUP GROUP g me STREAMS none >",
            "NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP option",
        ),
        ("XREADGROUP GROUP g me STREAMS a x", INVALID_ID),
    ]);
    assert!(client.text("XREAD STREAMS a >").starts_with("ERR The > ID can be specified only when"));
    assert!(client.text("XREADGROUP GROUP g me STREAMS a $").starts_with("ERR The $ ID is meaningless"));
    assert_eq!(client.show("XINFO CONSUMERS a g"), "(empty array)", "nobody was made on the way");
}

#[test]
fn keys_stand_behind_the_option_and_not_behind_a_name() {
    let mut client = client();
    client.send("XGROUP CREATE a streams 0");
    let request = "XREADGROUP COUNT 1 GROUP streams streams STREAMS a >";
    assert!(client.send(request).contains("1-1"));
    assert_eq!(client.show(&format!("COMMAND GETKEYS {request}")), "1) \"a\"");
    assert_eq!(client.show("COMMAND GETKEYS XREAD COUNT 1 STREAMS a b 0 0"), "1) \"a\"\n2) \"b\"");
    let error = "(error) ERR Invalid arguments specified for command";
    assert_eq!(client.show("COMMAND GETKEYS XREAD COUNT 1 STREAMS a"), error);
}

#[test]
fn groups_hand_each_entry_to_one_consumer() {
    let mut client = client();
    client.send("XGROUP CREATE a g 0");
    let mut ids = |line: &str| {
        let reply = client.send(line);
        let ids = reply.split("\r\n").filter(|part| part.ends_with("-1"));
        ids.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids("XREADGROUP GROUP g one COUNT 1 STREAMS a >"), "1-1");
    assert_eq!(ids("XREADGROUP GROUP g two STREAMS a 18446744073709551615-18446744073709551615"), "2-1 3-1");
    assert_eq!(ids("XREADGROUP GROUP g two STREAMS a >"), "*-1");
    assert_eq!(ids("XREADGROUP GROUP g two STREAMS a 2-1"), "3-1");
    assert_eq!(ids("XREADGROUP GROUP g one COUNT 5 STREAMS a 0"), "1-1");
    client.send("XDEL a 3-1");
    let history = "*1\r\n*2\r\n$1\r\na\r\n*1\r\n*2\r\n$3\r\n3-1\r\n*-1\r\n";
    assert_eq!(client.send("XREADGROUP GROUP g two STREAMS a 2-1"), history);
    // Delivered, and once more; of what is gone only the first time counts.
    client.check(&[
        ("XPENDING a g 2 2 1", "1) 1) \"2-1\"\n   2) \"two\"\n   3) (integer) 0\n   4) (integer) 1"),
        ("XPENDING a g 3 3 1", "1) 1) \"3-1\"\n   2) \"two\"\n   3) (integer) 0\n   4) (integer) 2"),
    ]);
}

#[test]
fn reads_of_a_group_are_logged_as_what_they_leave() {
    let mut client = client();
    client.send("XGROUP CREATE a g 0");
    let (changes, events, effects) = client.changes("XREADGROUP GROUP g me COUNT 2 STREAMS a >");
    assert_eq!((changes, events.join(" ")), (2, "xgroup-createconsumer a".into()));
    assert_eq!(
        effects,
        [
            "XCLAIM a g me 0 1-1 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-1",
            "XCLAIM a g me 0 2-1 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-1",
            "XGROUP SETID a g 2-1 ENTRIESREAD 2",
        ]
    );
    let (changes, _, effects) = client.changes("XREADGROUP GROUP g me STREAMS a 0");
    assert_eq!((changes, effects.len()), (1, 0), "what is read again is not logged");
    let (changes, _, effects) = client.changes("XREADGROUP GROUP g you NOACK STREAMS a >");
    assert_eq!(changes, 2);
    assert_eq!(effects, ["XGROUP CREATECONSUMER a g you", "XGROUP SETID a g 3-1 ENTRIESREAD 3"]);
    let (changes, _, effects) = client.changes("XREADGROUP GROUP g they STREAMS a >");
    assert_eq!((changes, effects.join("")), (1, "XGROUP CREATECONSUMER a g they".into()));
    let (changes, _, effects) = client.changes("XREADGROUP GROUP g they STREAMS a >");
    assert_eq!((changes, effects.len()), (0, 0));
    assert_eq!(
        client.show("XPENDING a g"),
        "1) (integer) 2\n2) \"1-1\"\n3) \"2-1\"\n4) 1) 1) \"me\"\n      2) \"2\""
    );
}
