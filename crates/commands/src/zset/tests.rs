//! Sorted sets as clients see them. What is expected here is what Redis 8.0 answers, and 7.0 where it has the command.

use crate::testing::Client;

#[test]
fn conditions_decide_which_scores_are_given() {
    let mut client = Client::new();
    client.check(&[
        ("ZADD a 1 x 2 y 1 x", "(integer) 2"),
        ("ZADD a NX 9 x 3 z", "(integer) 1"),
        ("ZADD a XX CH 4 x 5 none", "(integer) 1"),
        ("ZADD a GT CH 3 x 9 y 1 new", "(integer) 2"),
        ("ZADD a LT CH 10 y 8 y", "(integer) 1"),
        ("ZADD a XX GT INCR -1 y", "(nil)"),
        ("ZADD a NX INCR 1 y", "(nil)"),
        ("ZADD none XX 1 a", "(integer) 0"),
        ("ZADD none XX INCR 1 a", "(nil)"),
        ("ZADD a CH 4 x", "(integer) 0"),
        ("ZMSCORE a x y z new none", "1) \"4\"\n2) \"8\"\n3) \"3\"\n4) \"1\"\n5) (nil)"),
        ("EXISTS none", "(integer) 0"),
    ]);
    client.check_errors(&[
        ("ZADD a 1", "ERR wrong number of arguments for 'zadd' command"),
        ("ZADD a 1 x 2", "ERR syntax error"),
        ("ZADD a NX XX 1 x", "ERR XX and NX options at the same time are not compatible"),
        ("ZADD a GT LT 1 x", "ERR GT, LT, and/or NX options at the same time are not compatible"),
        ("ZADD a NX GT 1 x", "ERR GT, LT, and/or NX options at the same time are not compatible"),
        ("ZADD a INCR 1 x 2 y", "ERR INCR option supports a single increment-element pair"),
        ("ZADD a nan x", "ERR value is not a valid float"),
        ("ZADD a 1 x y z", "ERR value is not a valid float"),
        ("ZADD a NX CH", "ERR syntax error"),
        ("ZINCRBY a x y", "ERR value is not a valid float"),
        ("ZINCRBY a NX y", "ERR syntax error"),
    ]);
}

#[test]
fn infinities_have_an_order_and_no_sum() {
    let mut client = Client::new();
    client.check(&[
        ("ZADD a inf x -inf y 0 z 1e308 w", "(integer) 4"),
        (
            "ZRANGE a 0 -1 WITHSCORES",
            "1) \"y\"\n2) \"-inf\"\n3) \"z\"\n4) \"0\"\n5) \"w\"\n6) \"1e+308\"\n7) \"x\"\n8) \"inf\"",
        ),
        ("ZINCRBY a inf x", "\"inf\""),
        ("ZINCRBY a 1e308 w", "\"inf\""),
    ]);
    const NAN: &str = "ERR resulting score is not a number (NaN)";
    client.check_errors(&[("ZINCRBY a -inf x", NAN), ("ZADD a INCR inf y", NAN)]);
}

#[test]
fn equal_scores_are_ordered_by_bytes() {
    let mut client = Client::new();
    client.send("ZADD a 1 10 1 9 1 b 1 a 1 \"\" 1 aa -0 n 0 m");
    client.check(&[(
        "ZRANGE a 0 -1",
        "1) \"m\"\n2) \"n\"\n3) \"\"\n4) \"10\"\n5) \"9\"\n6) \"a\"\n7) \"aa\"\n8) \"b\"",
    )]);
}

#[test]
fn ranges_have_ends_of_every_kind() {
    let mut client = Client::new();
    client.send("ZADD a 1 one 2 two 3 three 4 four");
    client.check(&[
        ("ZRANGE a -3 2", "1) \"two\"\n2) \"three\""),
        ("ZRANGE a 0 -1 REV LIMIT 5 -1", "1) \"four\"\n2) \"three\"\n3) \"two\"\n4) \"one\""),
        ("ZREVRANGE a 1 1 WITHSCORES", "1) \"three\"\n2) \"3\""),
        ("ZRANGE a 5 9", "(empty array)"),
        ("ZRANGE a -9 -5", "(empty array)"),
        ("ZRANGE a (1 3 BYSCORE", "1) \"two\"\n2) \"three\""),
        ("ZRANGEBYSCORE a -inf +inf LIMIT 1 2", "1) \"two\"\n2) \"three\""),
        ("ZRANGEBYSCORE a -inf +inf LIMIT -1 2", "(empty array)"),
        ("ZREVRANGEBYSCORE a (4 2 WITHSCORES LIMIT 0 1", "1) \"three\"\n2) \"3\""),
        ("ZRANGEBYSCORE a 3 (3", "(empty array)"),
        ("ZRANGEBYSCORE a 4 1", "(empty array)"),
        ("ZCOUNT a \"\" 0x3", "(integer) 3"),
        ("ZCOUNT a \" 2\" 1e999", "(integer) 3"),
        ("ZREMRANGEBYSCORE a (1 (3", "(integer) 1"),
        ("ZREMRANGEBYRANK a -1 -1", "(integer) 1"),
        ("ZRANGESTORE b a -inf inf BYSCORE LIMIT 1 9", "(integer) 1"),
        ("ZRANGE b 0 -1", "1) \"three\""),
        ("ZRANGESTORE b none 0 -1", "(integer) 0"),
        ("EXISTS b", "(integer) 0"),
    ]);
    client.check_errors(&[
        ("ZRANGE a 0 x", "ERR value is not an integer or out of range"),
        (
            "ZRANGE a 0 1 LIMIT 0 1",
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        ),
        (
            "ZRANGE a [a [b BYLEX WITHSCORES",
            "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
        ),
        ("ZRANGE a 0 1 BYSCORE BYLEX", "ERR syntax error"),
        ("ZRANGE a 0 1 REV REV", "ERR syntax error"),
        ("ZRANGEBYSCORE a 0 1 REV", "ERR syntax error"),
        ("ZRANGEBYSCORE a 0 1 LIMIT 0", "ERR syntax error"),
        ("ZRANGEBYSCORE a 0 1 LIMIT 0 x", "ERR value is not an integer or out of range"),
        ("ZRANGESTORE b a 0 1 WITHSCORES", "ERR syntax error"),
        ("ZCOUNT a nan 1", "ERR min or max is not a float"),
        ("ZCOUNT a (x 1", "ERR min or max is not a float"),
        ("ZLEXCOUNT a x [y", "ERR min or max not valid string range item"),
        ("ZLEXCOUNT a - +x", "ERR min or max not valid string range item"),
    ]);
}

#[test]
fn ranges_by_member_include_and_exclude_their_ends() {
    let mut client = Client::new();
    client.send("ZADD a 0 a 0 b 0 c 0 d 0 10");
    client.check(&[
        ("ZRANGEBYLEX a - [b", "1) \"10\"\n2) \"a\"\n3) \"b\""),
        ("ZRANGEBYLEX a (a (d", "1) \"b\"\n2) \"c\""),
        ("ZREVRANGEBYLEX a + (b LIMIT 1 1", "1) \"c\""),
        ("ZRANGE a + - BYLEX REV LIMIT 0 2", "1) \"d\"\n2) \"c\""),
        ("ZRANGEBYLEX a + -", "(empty array)"),
        ("ZLEXCOUNT a [b +", "(integer) 3"),
        ("ZLEXCOUNT a [b (b", "(integer) 0"),
        ("ZREMRANGEBYLEX a [ (b", "(integer) 2"),
        ("ZCARD a", "(integer) 3"),
    ]);
}

#[test]
fn popping_takes_from_either_end() {
    let mut client = Client::new();
    client.send("ZADD b 1 a 2 b 3 c 4 d 5 e");
    client.check(&[
        ("ZPOPMIN b 0", "(empty array)"),
        ("ZPOPMAX b 2", "1) \"e\"\n2) \"5\"\n3) \"d\"\n4) \"4\""),
        ("ZMPOP 2 a b MIN", "1) \"b\"\n2) 1) 1) \"a\"\n      2) \"1\""),
        ("ZPOPMIN b 9", "1) \"b\"\n2) \"2\"\n3) \"c\"\n4) \"3\""),
        ("EXISTS b", "(integer) 0"),
        ("ZMPOP 1 b MAX COUNT 2", "(nil)"),
    ]);
    client.check_errors(&[
        ("ZPOPMIN b -1", "ERR value is out of range, must be positive"),
        ("ZPOPMIN b 1 2", "ERR syntax error"),
        ("ZMPOP 0 b MIN", "ERR numkeys should be greater than 0"),
        ("ZMPOP 1 b MIDDLE", "ERR syntax error"),
        ("ZMPOP 9 b MIN", "ERR syntax error"),
        ("ZMPOP 1 b MIN COUNT 0", "ERR count should be greater than 0"),
        ("ZMPOP 1 b MIN COUNT 1 COUNT 1", "ERR syntax error"),
    ]);
}

#[test]
fn sets_are_combined_with_weights() {
    let mut client = Client::new();
    client.send("ZADD a 1 x 2 y 3 z");
    client.send("ZADD b 10 y 20 z 30 w");
    client.send("SADD s y w 7");
    client.check(&[
        (
            "ZUNION 2 a b WITHSCORES",
            "1) \"x\"\n2) \"1\"\n3) \"y\"\n4) \"12\"\n5) \"z\"\n6) \"23\"\n7) \"w\"\n8) \"30\"",
        ),
        ("ZINTER 3 a b s WEIGHTS 1 2 3 WITHSCORES", "1) \"y\"\n2) \"25\""),
        ("ZINTER 2 a b AGGREGATE MIN WITHSCORES", "1) \"y\"\n2) \"2\"\n3) \"z\"\n4) \"3\""),
        ("ZDIFF 2 b s WITHSCORES", "1) \"z\"\n2) \"20\""),
        ("ZDIFF 2 s a", "1) \"7\"\n2) \"w\""),
        ("ZINTERCARD 2 a b LIMIT 1", "(integer) 1"),
        ("ZINTERCARD 2 a b LIMIT 0", "(integer) 2"),
        ("ZINTERCARD 2 a none", "(integer) 0"),
        ("ZUNIONSTORE c 2 a a AGGREGATE MAX WEIGHTS 1 -1", "(integer) 3"),
        ("ZRANGE c 0 -1 WITHSCORES", "1) \"x\"\n2) \"1\"\n3) \"y\"\n4) \"2\"\n5) \"z\"\n6) \"3\""),
        ("ZADD i inf x -inf y", "(integer) 2"),
        ("ZUNION 1 i WEIGHTS 0 WITHSCORES", "1) \"x\"\n2) \"0\"\n3) \"y\"\n4) \"0\""),
        ("ZUNION 2 i i WEIGHTS 1 -1 WITHSCORES", "1) \"x\"\n2) \"0\"\n3) \"y\"\n4) \"0\""),
        ("ZINTERSTORE c 2 a none", "(integer) 0"),
        ("EXISTS c", "(integer) 0"),
        ("SET text 1", "OK"),
    ]);
    client.check_errors(&[
        ("ZUNION 0 a", "ERR at least 1 input key is needed for 'zunion' command"),
        ("ZUNION x a", "ERR value is not an integer or out of range"),
        ("ZUNION 2 a", "ERR syntax error"),
        ("ZUNION 1 a WEIGHTS", "ERR syntax error"),
        ("ZUNION 1 a WEIGHTS x", "ERR weight value is not a float"),
        ("ZUNION 1 a AGGREGATE avg", "ERR syntax error"),
        ("ZDIFF 1 a WEIGHTS 1", "ERR syntax error"),
        ("ZUNIONSTORE c 1 a WITHSCORES", "ERR syntax error"),
        ("ZINTERCARD 1 a LIMIT -1", "ERR LIMIT can't be negative"),
        ("ZUNION 1 text BAD", "WRONGTYPE Operation against a key holding the wrong kind of value"),
    ]);
}

#[test]
fn members_come_at_random_as_often_as_asked() {
    let mut client = Client::new();
    client.send("ZADD a 1 one 2 two 3 three");
    let count = |client: &mut Client, line: &str| client.value(line).as_slice().map(<[_]>::len);
    assert_eq!(count(&mut client, "ZRANDMEMBER a 2"), Some(2));
    assert_eq!(count(&mut client, "ZRANDMEMBER a 9 WITHSCORES"), Some(6));
    assert_eq!(count(&mut client, "ZRANDMEMBER a -9 WITHSCORES"), Some(18));
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        seen.insert(client.text("ZRANDMEMBER a"));
        let two = client.value("ZRANDMEMBER a 2");
        assert!(matches!(two.as_slice(), Some([a, b]) if a != b), "{two:?}");
    }
    assert_eq!(seen.len(), 3);
    client.check(&[
        ("ZRANDMEMBER none", "(nil)"),
        ("ZRANDMEMBER none 2", "(empty array)"),
        ("ZRANDMEMBER a 0", "(empty array)"),
    ]);
    client.check_errors(&[
        ("ZRANDMEMBER a x", "ERR value is not an integer or out of range"),
        ("ZRANDMEMBER a 1 SCORES", "ERR syntax error"),
        ("ZRANDMEMBER a -9223372036854775807 WITHSCORES", "ERR value is out of range"),
    ]);
}

#[test]
fn a_scan_writes_scores_as_the_encoding_does() {
    let mut client = Client::new();
    client.send("ZADD a 0.1 x 1e20 y 3 z");
    client.check(&[(
        "ZSCAN a 0 COUNT 1",
        "1) \"0\"\n2) 1) \"x\"\n   2) \"0.1\"\n   3) \"z\"\n   4) \"3\"\n   5) \"y\"\n   6) \"1e+20\"",
    )]);
    client.turn.limits.zset_max_listpack_entries = 1;
    client.send("ZADD b 0.1 x 1.5e-7 y 100 z 123456789012345678 w inf v -0.25 u 1e16 t");
    client.check(&[
        ("OBJECT ENCODING b", "\"skiplist\""),
        ("ZSCAN b 0 MATCH x", "1) \"0\"\n2) 1) \"x\"\n   2) \"0.10000000000000001\""),
        ("ZSCAN b 0 MATCH y", "1) \"0\"\n2) 1) \"y\"\n   2) \"1.4999999999999999e-07\""),
        ("ZSCAN b 0 MATCH z", "1) \"0\"\n2) 1) \"z\"\n   2) \"100\""),
        ("ZSCAN b 0 MATCH w", "1) \"0\"\n2) 1) \"w\"\n   2) \"1.2345678901234568e+17\""),
        ("ZSCAN b 0 MATCH v", "1) \"0\"\n2) 1) \"v\"\n   2) \"inf\""),
        ("ZSCAN b 0 MATCH u", "1) \"0\"\n2) 1) \"u\"\n   2) \"-0.25\""),
        ("ZSCAN b 0 MATCH t", "1) \"0\"\n2) 1) \"t\"\n   2) \"10000000000000000\""),
        ("ZSCAN none 0 BAD", "1) \"0\"\n2) (empty array)"),
    ]);
}

#[test]
fn pairs_are_nested_in_resp3() {
    let mut client = Client::new();
    client.session.resp3 = true;
    client.send("ZADD a 1 x 2.5 y inf z");
    assert_eq!(
        client.send("ZRANGE a 0 1 WITHSCORES"),
        "*2\r\n*2\r\n$1\r\nx\r\n,1\r\n*2\r\n$1\r\ny\r\n,2.5\r\n"
    );
    assert_eq!(client.send("ZRANK a y WITHSCORE"), "*2\r\n:1\r\n,2.5\r\n");
    assert_eq!(client.send("ZRANK a none WITHSCORE"), "_\r\n");
    assert_eq!(client.send("ZSCORE a z"), ",inf\r\n");
    assert_eq!(client.send("ZPOPMIN a"), "*2\r\n$1\r\nx\r\n,1\r\n");
    assert_eq!(client.send("ZPOPMAX a 1"), "*1\r\n*2\r\n$1\r\nz\r\n,inf\r\n");
    assert_eq!(client.send("ZUNION 1 a WITHSCORES"), "*1\r\n*2\r\n$1\r\ny\r\n,2.5\r\n");
    assert_eq!(client.send("ZRANDMEMBER a 1 WITHSCORES"), "*1\r\n*2\r\n$1\r\ny\r\n,2.5\r\n");
    assert_eq!(client.send("ZSCAN a 0"), "*2\r\n$1\r\n0\r\n*2\r\n$1\r\ny\r\n$3\r\n2.5\r\n");
}

#[test]
fn changes_have_events_and_effects() {
    let mut client = Client::new();
    let mut check = |line: &str, dirty: u64, events: &[&str], effect: &[&str]| {
        let (changes, told, effects) = client.changes(line);
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        let effects: Vec<&str> = effects.iter().map(String::as_str).collect();
        assert_eq!((changes, &told[..], &effects[..]), (dirty, events, effect), "{line}");
    };
    check("ZADD a 1 x 2 y", 2, &["zadd a"], &["ZADD a 1 x 2 y"]);
    check("ZADD a 1 x", 0, &[], &[]);
    check("ZINCRBY a 1 x", 1, &["zincr a"], &["ZINCRBY a 1 x"]);
    check("ZINCRBY a 0 x", 0, &[], &[]);
    check("ZMPOP 2 b a MIN COUNT 9", 2, &["zpopmin a", "del a"], &["ZPOPMIN a 2"]);
    check("ZADD a 1 x 2 y", 2, &["zadd a"], &["ZADD a 1 x 2 y"]);
    check("ZUNIONSTORE b 1 a", 1, &["zunionstore b"], &["ZUNIONSTORE b 1 a"]);
    check("ZRANGESTORE b a 5 6", 1, &["del b"], &["ZRANGESTORE b a 5 6"]);
    check("ZRANGESTORE b a 5 6", 0, &[], &[]);
    check("ZREM a x none", 1, &["zrem a"], &["ZREM a x none"]);
    check("ZREMRANGEBYRANK a 0 -1", 1, &["zremrangebyrank a", "del a"], &["ZREMRANGEBYRANK a 0 -1"]);
}

#[test]
fn a_large_set_answers_as_a_small_one() {
    let mut client = Client::new();
    for i in 0..3000 {
        client.send(&format!("ZADD a {} member:{i}", i * 7 % 3001));
    }
    client.check(&[
        ("ZCARD a", "(integer) 3000"),
        ("OBJECT ENCODING a", "\"skiplist\""),
        ("ZSCORE a member:100", "\"700\""),
        ("ZRANGE a 0 1", "1) \"member:0\"\n2) \"member:1715\""),
        ("ZRANGE a 10 10 BYSCORE", "1) \"member:2145\""),
        ("ZRANK a member:100", "(integer) 700"),
        ("ZCOUNT a (100 200", "(integer) 100"),
        ("ZREMRANGEBYRANK a 10 2989", "(integer) 2980"),
        ("ZCARD a", "(integer) 20"),
        ("ZSCORE a member:100", "(nil)"),
    ]);
    assert_eq!(client.value("ZRANGE a 0 -1").as_slice().map(<[_]>::len), Some(20));
}
