//! Commands that give a server values of every type, in every encoding it can be brought to write.

use testkit::{Request, Target};

fn run<A: AsRef<[u8]>>(connection: &mut dyn Target, args: impl IntoIterator<Item = A>) {
    let request = Request::new(args);
    let reply = connection.call(&request);
    assert_eq!(reply.as_error(), None, "{request:?}");
}

fn line(connection: &mut dyn Target, line: &str) {
    run(connection, line.split_whitespace());
}

/// `command key` with as many of what `more` gives.
fn many(connection: &mut dyn Target, start: &str, n: i64, more: impl Fn(i64) -> Vec<String>) {
    for from in (0..n).step_by(50) {
        let args = (from..n.min(from + 50)).flat_map(&more);
        run(connection, start.split_whitespace().map(String::from).chain(args));
    }
}

/// Fills database 0, and gives database 3 one key; how many database 0 has.
pub(crate) fn fill(connection: &mut dyn Target) -> usize {
    strings(connection);
    lists(connection);
    sets(connection);
    zsets(connection);
    hashes(connection);
    volatile_hashes(connection);
    streams(connection);
    line(connection, "SELECT 3");
    line(connection, "SET elsewhere 1");
    line(connection, "SELECT 0");
    connection.say("DBSIZE").as_int().unwrap() as usize
}

fn strings(connection: &mut dyn Target) {
    for n in [0, -1, 127, -128, 128, 32_767, -32_768, 32_768, 2_147_483_647, -2_147_483_648, i64::MAX] {
        line(connection, &format!("SET string:{n} {n}"));
    }
    run(connection, ["SET", "string:empty", ""]);
    run(connection, [b"SET".as_slice(), b"string:binary \xff\0\r\n", b"\0\xff\r\n"]);
    for n in [1, 20, 21, 63, 64, 16_383, 16_384, 1 << 20] {
        run(connection, ["SET", &format!("string:repeated:{n}"), &"abc".repeat(n).as_str()[..n]]);
        let mixed: Vec<u8> = (0..n as u32).map(|i| (i.wrapping_mul(0x9e37_79b1) >> 13) as u8).collect();
        run(connection, [b"SET".as_slice(), format!("string:mixed:{n}").as_bytes(), &mixed]);
    }
    line(connection, "SET string:deadline x PXAT 4102444800123");
    line(connection, "SET string:deadline:s x EXAT 4102444800");
}

fn lists(connection: &mut dyn Target) {
    line(connection, "RPUSH list:small a 1 -1 bb 12345678901 x");
    many(connection, "RPUSH list:long", 2000, |i| vec![format!("item {i}"), format!("{}", i * 1000)]);
    // From here on a longer item stands by itself. Not every server has it by this name.
    connection.say("DEBUG QUICKLIST-PACKED-THRESHOLD 200b");
    run(connection, ["RPUSH", "list:plain", "short", &"long".repeat(100), "short", &"longer".repeat(5000)]);
}

fn sets(connection: &mut dyn Target) {
    line(connection, "SADD set:16 1 2 -3");
    line(connection, "SADD set:32 1 2 -70000");
    line(connection, "SADD set:64 1 2 -5000000000");
    line(connection, "SADD set:small one two 3 four");
    many(connection, "SADD set:big", 1000, |i| vec![format!("member {i}")]);
    many(connection, "SADD set:ints:big", 1000, |i| vec![format!("{}", i * i)]);
}

fn zsets(connection: &mut dyn Target) {
    let scores = ["0", "-0", "1.5", "-1", "inf", "-inf", "1e300", "0.1", "9007199254740993", "1e-300"];
    for (i, score) in scores.into_iter().enumerate() {
        line(connection, &format!("ZADD zset:small {score} member:{i}"));
        line(connection, &format!("ZADD zset:big {score} member:{i}"));
    }
    many(connection, "ZADD zset:big", 1000, |i| vec![format!("{}", i as f64 / 7.0), format!("m{i}")]);
}

fn hashes(connection: &mut dyn Target) {
    line(connection, "HSET hash:small a 1 b text 3 -100000");
    line(connection, "HSET hash:deadline a 1");
    line(connection, "PEXPIREAT hash:deadline 4102444800123");
    many(connection, "HSET hash:big", 1000, |i| vec![format!("field {i}"), format!("{}", i * 1000)]);
}

/// Hashes whose fields expire, where the server has such.
fn volatile_hashes(connection: &mut dyn Target) {
    line(connection, "HSET hash:volatile a 1 b text 3 -100000");
    if connection.say("HPEXPIREAT hash:volatile 4102444800123 FIELDS 2 a 3").as_error().is_some() {
        line(connection, "DEL hash:volatile");
        return;
    }
    many(connection, "HSET hash:volatile:big", 1000, |i| vec![format!("f{i}"), format!("{}", i * 1000)]);
    for i in (0..1000).step_by(3) {
        line(connection, &format!("HPEXPIREAT hash:volatile:big {} FIELDS 1 f{i}", 4_102_444_800_000i64 + i));
    }
}

fn streams(connection: &mut dyn Target) {
    for i in 0..500 {
        let fields = if i % 7 == 0 { format!("other {i}") } else { format!("a {i} b text{i}") };
        line(connection, &format!("XADD stream:big {}-{} {fields}", 1000 + i / 2, i % 2 + 1));
    }
    line(connection, "XDEL stream:big 1000-1 1010-1 1249-2");
    line(connection, "XGROUP CREATE stream:big readers 0");
    line(connection, "XGROUP CREATE stream:big late $");
    line(connection, "XGROUP CREATE stream:big middle 1100-1");
    line(connection, "XREADGROUP GROUP readers alice COUNT 5 STREAMS stream:big >");
    line(connection, "XREADGROUP GROUP readers bob COUNT 300 STREAMS stream:big >");
    line(connection, "XREADGROUP GROUP readers alice COUNT 2 STREAMS stream:big 0");
    line(connection, "XACK stream:big readers 1001-1");
    line(connection, "XGROUP CREATECONSUMER stream:big readers carol");
    line(connection, "XADD stream:emptied 5-5 a 1");
    line(connection, "XDEL stream:emptied 5-5");
    line(connection, "XGROUP CREATE stream:made g $ MKSTREAM");
    line(connection, "XADD stream:max 18446744073709551615-1 a 1");
}
