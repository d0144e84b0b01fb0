//! What XINFO tells; the rows' examples show the rest.

use crate::testing::Client;

/// A client of a store with a stream of three entries, one of them deleted, and a group that has read one.
fn client() -> Client {
    let mut client = Client::new();
    for line in [
        "XADD a 1-1 n 1",
        "XADD a 2-1 n 2",
        "XADD a 3-1 n 3",
        "XDEL a 2-1",
        "XGROUP CREATE a g 0",
        "XGROUP CREATE a h 1 ENTRIESREAD 1",
        "XREADGROUP GROUP g me COUNT 1 STREAMS a >",
    ] {
        client.send(line);
    }
    client
}

/// The reply without its frame, its parts parted by spaces.
fn told(client: &mut Client, line: &str) -> String {
    let reply = client.send(line);
    let frame = |part: &&str| !part.starts_with(['*', '%', '$']) || *part == "$-1";
    reply.trim_end().split("\r\n").filter(frame).collect::<Vec<_>>().join(" ")
}

#[test]
fn streams_tell_of_their_past_and_their_edges() {
    let mut client = client();
    assert_eq!(
        told(&mut client, "XINFO STREAM a"),
        "length :2 radix-tree-keys :1 radix-tree-nodes :2 last-generated-id 3-1 max-deleted-entry-id 2-1 \
         entries-added :3 recorded-first-entry-id 1-1 groups :2 first-entry 1-1 n 1 last-entry 3-1 n 3"
    );
    assert_eq!(
        told(&mut client, "XINFO GROUPS a"),
        "name g consumers :1 pending :1 last-delivered-id 1-1 entries-read $-1 lag $-1 \
         name h consumers :0 pending :0 last-delivered-id 1-0 entries-read :1 lag $-1"
    );
    client.turn.now_ms += 50;
    client.send("XREADGROUP GROUP g me NOACK STREAMS a >");
    client.turn.now_ms += 7;
    assert_eq!(told(&mut client, "XINFO CONSUMERS a g"), "name me pending :1 idle :7 inactive :57");
}

#[test]
fn a_full_account_is_bounded() {
    let mut client = client();
    client.send("XREADGROUP GROUP g me STREAMS a >");
    let about = "length :2 radix-tree-keys :1 radix-tree-nodes :2 last-generated-id 3-1 max-deleted-entry-id 2-1 \
        entries-added :3 recorded-first-entry-id 1-1";
    let group = |pending: &str, own: &str| {
        format!(
            "groups name g last-delivered-id 3-1 entries-read :3 lag :0 pel-count :2 pending {pending} consumers name me \
             seen-time :1700000000000 active-time :1700000000000 pel-count :2 pending {own} \
             name h last-delivered-id 1-0 entries-read :1 lag $-1 pel-count :0 pending consumers"
        )
    };
    let all = group(
        "1-1 me :1700000000000 :1 3-1 me :1700000000000 :1",
        "1-1 :1700000000000 :1 3-1 :1700000000000 :1",
    );
    let one = group("1-1 me :1700000000000 :1", "1-1 :1700000000000 :1");
    for line in ["XINFO STREAM a FULL", "xinfo stream a full count 0", "XINFO STREAM a FULL COUNT -1"] {
        assert_eq!(told(&mut client, line), format!("{about} entries 1-1 n 1 3-1 n 3 {all}"), "{line}");
    }
    assert_eq!(told(&mut client, "XINFO STREAM a FULL COUNT 1"), format!("{about} entries 1-1 n 1 {one}"));
    client.session.resp3 = true;
    assert!(client.send("XINFO STREAM a").starts_with("%10\r\n"));
    assert!(client.send("XINFO STREAM a FULL").starts_with("%9\r\n"));
    assert!(client.send("XINFO GROUPS a").starts_with("*2\r\n%6\r\n"));
}

#[test]
fn what_is_no_question_is_refused() {
    let mut client = client();
    client.send("SET text 1");
    const WRONG: &str = "ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.";
    client.check_errors(&[
        ("XINFO STREAM none FOO", "ERR no such key"),
        ("XINFO STREAM text", "WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("XINFO STREAM a FOO", WRONG),
        ("XINFO STREAM a FULL COUNT", WRONG),
        ("XINFO STREAM a FULL COUNT x", "ERR value is not an integer or out of range"),
        ("XINFO CONSUMERS a none", "NOGROUP No such consumer group 'none' for key name 'a'"),
        ("XINFO GROUPS a b", "ERR wrong number of arguments for 'xinfo|groups' command"),
    ]);
}
