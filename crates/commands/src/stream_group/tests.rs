//! Groups made, moved and removed.

use crate::testing::Client;

const NO_STREAM: &str = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the \
    MKSTREAM option to create an empty stream automatically.";
const NO_GROUP: &str = "NOGROUP No such consumer group 'none' for key name 'a'";

#[test]
fn groups_need_a_stream_unless_they_may_make_it() {
    let mut client = Client::new();
    client.check_errors(&[
        ("XGROUP CREATE a g $", NO_STREAM),
        ("XGROUP DESTROY a g", NO_STREAM),
        ("XGROUP SETID a g 0", NO_STREAM),
        ("XGROUP CREATE a g x MKSTREAM", "ERR Invalid stream ID specified as stream command argument"),
    ]);
    client.check(&[
        ("EXISTS a", "(integer) 0"),
        ("XGROUP CREATE a g $ MKSTREAM", "OK"),
        ("TYPE a", "stream"),
        ("SET text 1", "OK"),
    ]);
    client.check_errors(&[
        ("XGROUP CREATE a g 0", "BUSYGROUP Consumer Group name already exists"),
        (
            "XGROUP CREATE text g 0 MKSTREAM",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        ("XGROUP SETID a none 0", NO_GROUP),
        ("XGROUP CREATECONSUMER a none me", NO_GROUP),
        ("XGROUP DELCONSUMER a none me", NO_GROUP),
        ("XGROUP CREATE a h 0 ENTRIESREAD -2", "ERR value for ENTRIESREAD must be positive or -1"),
        ("XGROUP CREATE a h 0 ENTRIESREAD x", "ERR value is not an integer or out of range"),
        (
            "XGROUP CREATE a h 0 FOO",
            "ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.",
        ),
        (
            "XGROUP setid a g 0 MKSTREAM",
            "ERR unknown subcommand or wrong number of arguments for 'setid'. Try XGROUP HELP.",
        ),
        ("XGROUP CREATE a g", "ERR wrong number of arguments for 'xgroup|create' command"),
        ("XGROUP FOO a", "ERR unknown subcommand 'FOO'. Try XGROUP HELP."),
    ]);
    client.check(&[("XGROUP DESTROY a none", "(integer) 0"), ("XGROUP SETID a g -", "OK")]);
}

#[test]
fn changes_of_groups_are_told_and_logged() {
    let mut client = Client::new();
    let mut changes = |line: &str| {
        let (changes, events, effects) = client.changes(line);
        (changes, events.join(" "), effects.join(" "))
    };
    let lines = [
        ("XGROUP CREATE a g $ MKSTREAM", "xgroup-create a"),
        ("XGROUP SETID a g 5 ENTRIESREAD 2", "xgroup-setid a"),
        ("XGROUP CREATECONSUMER a g me", "xgroup-createconsumer a"),
        ("XGROUP DELCONSUMER a g me", "xgroup-delconsumer a"),
        ("XGROUP DESTROY a g", "xgroup-destroy a"),
    ];
    for (line, event) in lines {
        assert_eq!(changes(line), (1, event.into(), line.into()));
        let vain = line.starts_with("XGROUP D") || line.contains("CREATECONSUMER");
        assert!(!vain || changes(line).0 == 0, "{line}, once more");
    }
}

#[test]
fn what_is_acknowledged_is_pending_no_more() {
    let mut client = Client::new();
    for line in
        ["XADD a 1-1 n 1", "XADD a 2-1 n 2", "XGROUP CREATE a g 0", "XREADGROUP GROUP g me STREAMS a >"]
    {
        client.send(line);
    }
    client.check_errors(&[("XACK a g 1-1 x", "ERR Invalid stream ID specified as stream command argument")]);
    let (changes, events, effects) = client.changes("XACK a g 1-1 1-1 9-9");
    assert_eq!((changes, events.len(), effects.join("")), (1, 0, "XACK a g 1-1 1-1 9-9".into()));
    client.check(&[
        ("XACK a g 1-1", "(integer) 0"),
        ("XACK a none x", "(integer) 0"),
        ("XACK none g x", "(integer) 0"),
        ("XGROUP DELCONSUMER a g me", "(integer) 1"),
        ("XACK a g 2-1", "(integer) 0"),
    ]);
}
