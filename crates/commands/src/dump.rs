//! A key's value as bytes that any server of the same protocol takes: DUMP and RESTORE.

use engine::{Access, Entry, EventClass, Free, View};
use persist::rdb::{self, PayloadError, Value};

use crate::ctx::Ctx;
use crate::error::Error;
use crate::generic::free;
use crate::host::Removal;
use crate::keys::KeySpec;
use crate::number::int;
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&DUMP, &RESTORE];

static DUMP: Command = Command {
    name: "dump",
    arity: 2,
    flags: flags::READONLY,
    categories: "@keyspace",
    keys: &[KeySpec::one(1, "RO access")],
    locks: Locks::Keys,
    run: dump,
    summary: "Gives a key's value as RESTORE takes it.",
    since: "2.6.0",
    group: "generic",
    complexity: "O(N) for a value of N bytes",
    syntax: "key",
    example: "> SET a 10\nOK\n> DUMP a\n\"\\x00\\xc0\\n\\x0b\\x00\\x07@\\xea6\\xf31\\x8a2\"\n> DUMP b\n(nil)",
    tips: &["nondeterministic_output"],
    ..Command::BLANK
};

fn dump(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let version = ctx.host.rdb_version();
    let now_ms = ctx.now_ms();
    match ctx.db.read(ctx.key(1)).map(Entry::value) {
        // Without the fields that are due.
        Some(View::Hash(hash)) => ctx.reply.bulk(&rdb::dump(View::Hash(hash.at(now_ms)), version)),
        Some(value) => ctx.reply.bulk(&rdb::dump(value, version)),
        None => ctx.reply.null(),
    }
    Ok(())
}

static RESTORE: Command = Command {
    name: "restore",
    arity: -4,
    flags: flags::WRITE | flags::DENYOOM,
    categories: "@keyspace @dangerous",
    keys: &[KeySpec::one(1, "OW update")],
    locks: Locks::Keys,
    run: restore,
    summary: "Makes a key of what DUMP gave, to live for so many milliseconds; 0: for ever.",
    since: "2.6.0",
    group: "generic",
    complexity: "O(N) for a value of N bytes",
    syntax: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
    example: "> RESTORE a 1500 \"\\x00\\xc0\\n\\x0b\\x00\\x07@\\xea6\\xf31\\x8a2\"\nOK\n> GET a\n\"10\"\n\
        > PTTL a\n(integer) 1500\n> RESTORE a 0 x\n(error) BUSYKEY Target key name already exists.",
    history: &[
        ("3.0.0", "Added the `REPLACE` modifier."),
        ("5.0.0", "Added the `ABSTTL` modifier."),
        ("5.0.0", "Added the `IDLETIME` and `FREQ` options."),
    ],
    ..Command::BLANK
};

/// What RESTORE is asked for beside the value.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    replace: bool,
    /// The time to live is a moment.
    absolute: bool,
    access: Access,
}

impl Wanted {
    fn parse(ctx: &Ctx<'_, '_>) -> Result<Wanted, Error> {
        let mut wanted = Wanted::default();
        let mut options = ctx.args.from(4).iter();
        while let Some(option) = options.next() {
            let mut number = || options.next().ok_or(Error::Syntax).and_then(int);
            if option.eq_ignore_ascii_case(b"REPLACE") {
                wanted.replace = true;
            } else if option.eq_ignore_ascii_case(b"ABSTTL") {
                wanted.absolute = true;
            } else if option.eq_ignore_ascii_case(b"IDLETIME")
                && !matches!(wanted.access, Access::Frequency(_))
            {
                let idle_s = u64::try_from(number()?);
                let idle_s = idle_s.map_err(|_| Error::Text("ERR Invalid IDLETIME value, must be >= 0"))?;
                wanted.access = Access::IdleS(idle_s);
            } else if option.eq_ignore_ascii_case(b"FREQ") && !matches!(wanted.access, Access::IdleS(_)) {
                let frequency = u8::try_from(number()?);
                let range = Error::Text("ERR Invalid FREQ value, must be >= 0 and <= 255");
                wanted.access = Access::Frequency(frequency.map_err(|_| range)?);
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(wanted)
    }
}

fn restore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let wanted = Wanted::parse(ctx)?;
    let key = ctx.key(1);
    let busy = ctx.db.write(key).is_some();
    if busy && !wanted.replace {
        return Err(Error::Text("BUSYKEY Target key name already exists."));
    }
    let ttl_ms = int(ctx.args.at(2))?;
    if ttl_ms < 0 {
        return Err(Error::Text("ERR Invalid TTL value, must be >= 0"));
    }
    let value = rdb::restore(ctx.args.at(3)).map_err(payload_error)?;
    if matches!(value, Value::Module(_)) {
        return Err(payload_error(PayloadError::Value));
    }
    let start_ms = if wanted.absolute { 0 } else { ctx.now_ms() };
    // Beyond the end of time it goes round, as in Redis, and so has come.
    let deadline_ms = (ttl_ms > 0).then(|| start_ms.wrapping_add(ttl_ms));
    let over = deadline_ms.is_some_and(|at| at <= ctx.now_ms()) && !ctx.db.turn.loading;
    let free = free(ctx, Removal::Overwrite);
    ctx.db.delete(key, free);
    if !over {
        match &value {
            Value::String(bytes) => drop(ctx.db.add_string(key, bytes, deadline_ms, wanted.access)),
            other => {
                if let Some(mut made) = rdb::owned(other, &ctx.db.turn.limits, ctx.db.secret()) {
                    made.deadline_ms = deadline_ms;
                    ctx.db.add(key, made, wanted.access);
                }
            }
        }
        ctx.changed(EventClass::Generic, "restore", key.bytes());
        if let Some(deadline_ms) = deadline_ms.filter(|_| !wanted.absolute) {
            effect_of_moment(ctx, deadline_ms);
        }
    } else if busy {
        ctx.changed(EventClass::Generic, "del", key.bytes());
        let effect: &[u8] = if free == Free::Later { b"UNLINK" } else { b"DEL" };
        ctx.effect(&[effect, key.bytes()]);
    }
    ctx.reply.ok();
    Ok(())
}

/// The request with its time to live as a moment.
fn effect_of_moment(ctx: &mut Ctx<'_, '_>, deadline_ms: i64) {
    let mut digits = itoa::Buffer::new();
    let mut effect: smallvec::SmallVec<[&[u8]; 8]> = ctx.args.iter().collect();
    effect[2] = digits.format(deadline_ms).as_bytes();
    effect.push(b"ABSTTL");
    ctx.effect(&effect);
}

fn payload_error(error: PayloadError) -> Error {
    Error::Text(match error {
        PayloadError::Footer => "ERR DUMP payload version or checksum are wrong",
        PayloadError::Value => "ERR Bad data format",
    })
}

#[cfg(test)]
mod tests {
    use persist::rdb::{self, Value};
    use resp::ArgsBuf;

    use crate::testing::{Client, NOW_MS};

    /// `SET a 10`, then `DUMP a`.
    const TEN: &str = r#""\x00\xc0\n\x0b\x00\x07@\xea6\xf31\x8a2""#;

    #[test]
    fn what_is_dumped_is_restored() {
        let mut client = Client::new();
        let binary: Vec<u8> = (0..=255).collect();
        let long = [b'x'; 100_000];
        for value in [b"".as_slice(), b"-1", b"123456789012", b"some text", &binary, &long] {
            let set: ArgsBuf = [b"SET".as_slice(), b"a", value].iter().collect();
            client.request(set.args());
            let dumped = client.request(["DUMP", "a"].iter().collect::<ArgsBuf>().args());
            let at = dumped.windows(2).position(|two| two == b"\r\n").unwrap() + 2;
            let payload = &dumped[at..dumped.len() - 2];
            let restore: ArgsBuf = [b"RESTORE".as_slice(), b"b", b"0", payload, b"REPLACE"].iter().collect();
            assert_eq!(client.request(restore.args()), b"+OK\r\n");
            let got = client.request(["GET", "b"].iter().collect::<ArgsBuf>().args());
            assert_eq!(got, client.request(["GET", "a"].iter().collect::<ArgsBuf>().args()));
        }
    }

    #[test]
    fn options_are_checked_in_redis_order() {
        let mut client = Client::new();
        client.send("SET a 1");
        client.check_errors(&[
            ("RESTORE a", "ERR wrong number of arguments for 'restore' command"),
            ("RESTORE a x y NONE", "ERR syntax error"),
            ("RESTORE a x y IDLETIME", "ERR syntax error"),
            ("RESTORE a x y IDLETIME z", "ERR value is not an integer or out of range"),
            ("RESTORE a x y IDLETIME -1", "ERR Invalid IDLETIME value, must be >= 0"),
            ("RESTORE a x y FREQ 256", "ERR Invalid FREQ value, must be >= 0 and <= 255"),
            ("RESTORE a x y FREQ 1 IDLETIME 1", "ERR syntax error"),
            ("RESTORE a x y IDLETIME 1 FREQ 1", "ERR syntax error"),
            ("RESTORE a x y absttl", "BUSYKEY Target key name already exists."),
            ("RESTORE a x y replace", "ERR value is not an integer or out of range"),
            ("RESTORE b -1 y", "ERR Invalid TTL value, must be >= 0"),
            ("RESTORE b 0 y", "ERR DUMP payload version or checksum are wrong"),
        ]);
        client.check(&[("GET a", "\"1\""), ("EXISTS b", "(integer) 0")]);
    }

    #[test]
    fn every_kind_of_value_is_restored() {
        let mut client = Client::new();
        for (name, value) in rdb::samples::values() {
            let payload = rdb::dump(&value, rdb::Version::V11);
            let restore: ArgsBuf = [b"RESTORE".as_slice(), name.as_bytes(), b"0", &payload].iter().collect();
            assert_eq!(client.request(restore.args()), b"+OK\r\n", "{name}");
            let dumped = client.request(["DUMP", name].iter().collect::<ArgsBuf>().args());
            let at = dumped.windows(2).position(|two| two == b"\r\n").unwrap() + 2;
            let again = rdb::restore(&dumped[at..dumped.len() - 2]).unwrap();
            assert_eq!(again.kind(), value.kind(), "{name}");
            if matches!(value, Value::List(_) | Value::Stream(_)) {
                assert_eq!(again, value, "{name}");
            }
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        let signed = |body: &[u8]| {
            let bytes = [body, b"\x0b\0"].concat();
            [bytes.as_slice(), &persist::crc64::crc64(&bytes).to_le_bytes()].concat()
        };
        for payload in
            [signed(b"\x00\x05abc"), signed(b"\x63\x05abcde"), signed(b"\x07\x81\0\0\0\0\0\0\0\x01\0")]
        {
            let restore: ArgsBuf = [b"RESTORE".as_slice(), b"b", b"0", &payload].iter().collect();
            assert_eq!(Client::new().request(restore.args()), b"-ERR Bad data format\r\n");
        }
    }

    #[test]
    fn a_moment_that_has_come_leaves_no_key() {
        let mut client = Client::new();
        let past = NOW_MS - 1;
        assert_eq!(client.changes(&format!("RESTORE a {past} {TEN} ABSTTL")), (0, vec![], vec![]));
        client.send("SET a 1");
        let changes = client.changes(&format!("RESTORE a {past} {TEN} ABSTTL REPLACE"));
        assert_eq!(changes, (1, vec!["del a".into()], vec!["DEL a".into()]));
        client.check(&[("EXISTS a", "(integer) 0")]);
        client.turn.loading = true;
        client.send(&format!("RESTORE a {past} {TEN} ABSTTL"));
        client.check(&[("EXISTS a", "(integer) 1")]);
    }

    #[test]
    fn effects_name_the_moment_and_idle_times_are_kept() {
        let mut client = Client::new();
        let payload = "\0\u{fffd}\n\u{b}\0\u{7}@\u{fffd}6\u{fffd}1\u{fffd}2";
        let (dirty, events, effects) = client.changes(&format!("restore a 1500 {TEN} idletime 30"));
        assert_eq!((dirty, events), (1, vec!["restore a".into()]));
        assert_eq!(effects, [format!("restore a {} {payload} idletime 30 ABSTTL", NOW_MS + 1500)]);
        let (_, _, effects) = client.changes(&format!("RESTORE a 0 {TEN} REPLACE"));
        assert_eq!(effects, [format!("RESTORE a 0 {payload} REPLACE")]);
        client.send(&format!("RESTORE b 0 {TEN} IDLETIME 30"));
        client.check(&[("OBJECT IDLETIME b", "(integer) 30"), ("OBJECT ENCODING b", "\"int\"")]);
    }
}
