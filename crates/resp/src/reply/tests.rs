//! Each reply's bytes in both versions of the protocol.

use super::*;

/// What `write` writes in RESP2 and in RESP3.
fn both(write: impl Fn(&mut Reply)) -> [String; 2] {
    [false, true].map(|resp3| {
        let mut reply = Reply::new();
        reply.set_resp3(resp3);
        write(&mut reply);
        String::from_utf8(reply.bytes().to_vec()).unwrap()
    })
}

fn same(text: &str) -> [String; 2] {
    [text.to_owned(), text.to_owned()]
}

#[test]
fn statuses_and_errors() {
    assert_eq!(both(Reply::ok), same("+OK\r\n"));
    assert_eq!(both(|r| r.simple("QUEUED")), same("+QUEUED\r\n"));
    assert_eq!(both(|r| r.error("ERR no such key")), same("-ERR no such key\r\n"));
    assert_eq!(both(|r| r.error("ERR a\r\nb\nc\r\n")), same("-ERR a  b c\r\n"));
    assert_eq!(both(|r| r.error("\r\n")), same("-\r\n"));
}

#[test]
fn integers() {
    let numbers = [0, 9, 10, 42, 99, 100, 999, 1000, 65536, -1, -10, i64::MAX, i64::MIN];
    for n in numbers {
        assert_eq!(both(|r| r.int(n)), same(&format!(":{n}\r\n")));
        let text = n.to_string();
        assert_eq!(both(|r| r.bulk_int(n)), same(&format!("${}\r\n{n}\r\n", text.len())));
    }
}

#[test]
fn strings() {
    for len in [0, 1, 9, 10, 99, 100, 999, 1000, 100_000] {
        let text = "x".repeat(len);
        assert_eq!(both(|r| r.bulk(text.as_bytes())), same(&format!("${len}\r\n{text}\r\n")));
    }
    assert_eq!(both(|r| r.bulk(b"\r\n\0")), same("$3\r\n\r\n\0\r\n"));
    assert_eq!(both(|r| r.verbatim("txt", b"some")), ["$4\r\nsome\r\n", "=8\r\ntxt:some\r\n"]);
}

#[test]
fn nulls_and_truth_values() {
    assert_eq!(both(Reply::null), ["$-1\r\n", "_\r\n"]);
    assert_eq!(both(Reply::null_array), ["*-1\r\n", "_\r\n"]);
    assert_eq!(both(|r| r.bool(true)), [":1\r\n", "#t\r\n"]);
    assert_eq!(both(|r| r.bool(false)), [":0\r\n", "#f\r\n"]);
}

#[test]
fn doubles() {
    assert_eq!(both(|r| r.double(3.25)), ["$4\r\n3.25\r\n", ",3.25\r\n"]);
    assert_eq!(both(|r| r.double(-1e21)), ["$6\r\n-1e+21\r\n", ",-1e+21\r\n"]);
    assert_eq!(both(|r| r.double(f64::NEG_INFINITY)), ["$4\r\n-inf\r\n", ",-inf\r\n"]);
    assert_eq!(both(|r| r.double(f64::NAN)), ["$3\r\nnan\r\n", ",nan\r\n"]);
}

#[test]
fn aggregates() {
    assert_eq!(both(|r| r.array(0)), same("*0\r\n"));
    assert_eq!(both(|r| r.array(12)), same("*12\r\n"));
    assert_eq!(both(|r| r.map(600)), ["*1200\r\n", "%600\r\n"]);
    assert_eq!(both(|r| r.set(3)), ["*3\r\n", "~3\r\n"]);
    assert_eq!(both(|r| r.push(3)), ["*3\r\n", ">3\r\n"]);
}

#[test]
fn aggregates_closed_later_get_their_header_in_front() {
    let nested = |r: &mut Reply| {
        r.int(7);
        let map = r.array_deferred();
        r.simple("key");
        let array = r.array_deferred();
        (0..11).for_each(|n| r.int(n));
        r.close_array(array, 11);
        r.close_map(map, 1);
        r.ok();
    };
    let items: String = (0..11).map(|n| format!(":{n}\r\n")).collect();
    let expected = ["*2", "%1"].map(|map| format!(":7\r\n{map}\r\n+key\r\n*11\r\n{items}+OK\r\n"));
    assert_eq!(both(nested), expected);
}

#[test]
fn what_was_written_can_be_taken_back() {
    let mut reply = Reply::new();
    reply.ok();
    let len = reply.len();
    reply.bulk(b"lost");
    reply.truncate(len);
    assert_eq!(reply.bytes(), b"+OK\r\n");
    reply.buffer().clear();
    assert!(reply.is_empty());
}
