//! What XPENDING tells.

use crate::testing::Client;

#[test]
fn pending_entries_are_told_by_range_idle_time_and_consumer() {
    let mut client = Client::new();
    for n in 1..=5 {
        client.send(&format!("XADD a {n}-1 n {n}"));
    }
    client.send("XGROUP CREATE a g 0");
    client.send("XREADGROUP GROUP g one COUNT 2 STREAMS a >");
    client.turn.now_ms += 100;
    client.send("XREADGROUP GROUP g two STREAMS a >");
    client.turn.now_ms += 50;
    let mut told = |line: &str| {
        let reply = client.show(line);
        let of =
            |line: &str| line.trim_start_matches(|c: char| c.is_ascii_digit() || " )".contains(c)).to_owned();
        let lines: Vec<String> = reply.lines().map(of).collect();
        lines
            .chunks(4)
            .map(|entry| entry.concat().replace("(integer) ", "/").replace('"', ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(told("XPENDING a g - + 2"), ["1-1one/150/1", "2-1one/150/1"]);
    assert_eq!(told("XPENDING a g (2-1 4 9"), ["3-1two/50/1", "4-1two/50/1"]);
    assert_eq!(told("XPENDING a g idle 51 - + 9"), ["1-1one/150/1", "2-1one/150/1"]);
    assert_eq!(told("XPENDING a g IDLE 1 - + 1 two"), ["3-1two/50/1"]);
    assert_eq!(told("XPENDING a g - + 9 none"), ["(empty array)"]);
    assert_eq!(told("XPENDING a g - + -1"), ["(empty array)"]);
    client.check(&[(
        "XPENDING a g",
        "1) (integer) 5\n2) \"1-1\"\n3) \"5-1\"\n4) 1) 1) \"one\"\n      2) \"2\"\n   2) 1) \"two\"\n      2) \"3\"",
    )]);
    client.send("XGROUP CREATE a h 0");
    assert_eq!(client.send("XPENDING a h"), "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n");
}

#[test]
fn what_is_no_question_is_refused() {
    let mut client = Client::new();
    client.check(&[("SET text 1", "OK"), ("XGROUP CREATE a g $ MKSTREAM", "OK")]);
    const NOT_INTEGER: &str = "ERR value is not an integer or out of range";
    client.check_errors(&[
        ("XPENDING a none", "NOGROUP No such key 'a' or consumer group 'none'"),
        ("XPENDING none g", "NOGROUP No such key 'none' or consumer group 'g'"),
        ("XPENDING text g", "WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("XPENDING a g -", "ERR syntax error"),
        ("XPENDING a g - + 1 c d e f", "ERR syntax error"),
        ("XPENDING a g IDLE 1 - +", "ERR syntax error"),
        ("XPENDING a g IDLE x - + 1", NOT_INTEGER),
        ("XPENDING a g - + x", NOT_INTEGER),
        ("XPENDING a g x + 1", "ERR Invalid stream ID specified as stream command argument"),
        ("XPENDING a g - (0-0 1", "ERR invalid end ID for the interval"),
    ]);
}
