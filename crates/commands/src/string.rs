//! Strings: one whole value read or written.

use engine::{Deadline, Entry, EventClass, Key, Str};
use resp::{Args, Reply};

use crate::ctx::Ctx;
use crate::deadline::Expiry;
use crate::error::Error;
use crate::generic::free;
use crate::host::Removal;
use crate::keys::KeySpec;
use crate::string_compare::Condition;
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&GET, &SET, &SETNX, &SETEX, &PSETEX, &GETSET, &GETEX, &GETDEL];

/// What the commands on one string have in common.
pub(crate) const ONE_STRING: Command = Command {
    categories: "@string",
    locks: Locks::Keys,
    group: "string",
    complexity: "O(1)",
    ..Command::BLANK
};

static GET: Command = Command {
    name: "get",
    arity: 2,
    flags: flags::READONLY | flags::FAST,
    keys: &[KeySpec::one(1, "RO access")],
    run: get,
    summary: "Gives the value of a key.",
    since: "1.0.0",
    syntax: "key",
    example: "> GET a\n(nil)\n> SET a hello\nOK\n> GET a\n\"hello\"",
    ..ONE_STRING
};

fn get(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    reply_value(ctx.reply, ctx.db.read_string(key)?);
    Ok(())
}

/// Writes a value, or that there is none.
#[inline]
pub(crate) fn reply_value(reply: &mut Reply, value: Option<Str<'_>>) {
    match value {
        Some(Str::Bytes(bytes)) => reply.bulk(bytes),
        Some(Str::Int(n)) => reply.bulk_int(n),
        None => reply.null(),
    }
}

static SET: Command = Command {
    name: "set",
    arity: -3,
    flags: flags::WRITE | flags::DENYOOM,
    keys: &[KeySpec::one(1, "RW access update variable_flags")],
    key_flags: Some(set_key_flags),
    run: set,
    summary: "Sets the value of a key, whatever it was before.",
    since: "1.0.0",
    syntax: "key value [NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest] \
        [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
    example: "> SET a 1 EX 60\nOK\n> TTL a\n(integer) 60\n> SET a 2 NX\n(nil)\n> SET a 3 GET KEEPTTL\n\"1\"\n\
        > SET a 4 IFEQ 3\nOK\n> SET b 1 XX\n(nil)",
    history: &[
        ("2.6.12", "EX, PX, NX and XX."),
        ("6.0.0", "KEEPTTL."),
        ("6.2.0", "GET, EXAT and PXAT."),
        ("7.0.0", "NX goes with GET."),
        ("8.4.0", "IFEQ, IFNE, IFDEQ and IFDNE."),
    ],
    ..ONE_STRING
};

/// SET reads the old value only when an option asks for it or about it.
fn set_key_flags(args: Args<'_>) -> &'static str {
    let reads: [&[u8]; 5] = [b"get", b"ifeq", b"ifne", b"ifdeq", b"ifdne"];
    let any = args.from(3).iter().any(|arg| reads.iter().any(|word| arg.eq_ignore_ascii_case(word)));
    if any { "RW access update" } else { "OW update" }
}

fn set(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, value) = (ctx.key(1), ctx.args.at(2));
    if ctx.args.len() == 3 {
        ctx.db.set_string(key, value, Deadline::Never);
        ctx.changed(EventClass::String, "set", key.bytes());
        ctx.reply.ok();
        return Ok(());
    }
    let options = SetOptions::parse(ctx.args.from(3))?;
    let deadline = options.expiry.deadline(ctx.now_ms(), ctx.command.name)?;
    let holds = options.get_and_decide(ctx, key)?;
    if holds {
        store(ctx, key, value, deadline.unwrap_or(Deadline::Never));
    }
    match (options.get, holds) {
        (true, _) => {}
        (false, true) => ctx.reply.ok(),
        (false, false) => ctx.reply.null(),
    }
    if holds && (options.get || options.condition.compares() || !options.expiry.is_absolute()) {
        set_effect(ctx, key, value, deadline);
    }
    Ok(())
}

/// What SET may have behind its value.
struct SetOptions<'a> {
    condition: Condition<'a>,
    get: bool,
    expiry: Expiry<'a>,
}

impl<'a> SetOptions<'a> {
    fn parse(args: Args<'a>) -> Result<SetOptions<'a>, Error> {
        let mut options = SetOptions { condition: Condition::Always, get: false, expiry: Expiry::of_write() };
        let mut i = 0;
        while i < args.len() {
            if args.at(i).eq_ignore_ascii_case(b"GET") {
                options.get = true;
                i += 1;
            } else if !options.condition.take(args, &mut i)? {
                options.expiry.take(args, &mut i)?;
            }
        }
        Ok(options)
    }

    /// Replies with the old value where GET asks for it, and says whether the condition holds.
    fn get_and_decide(&self, ctx: &mut Ctx<'_, '_>, key: Key<'_>) -> Result<bool, Error> {
        if self.get {
            let entry = ctx.db.read(key);
            reply_value(ctx.reply, entry.map(Entry::string).transpose()?);
            self.condition.holds(entry)
        } else if self.condition == Condition::Always {
            Ok(true)
        } else {
            self.condition.holds(ctx.db.write(key))
        }
    }
}

/// Makes `key` the string `value`, with the events of it.
fn store(ctx: &mut Ctx<'_, '_>, key: Key<'_>, value: &[u8], deadline: Deadline) {
    ctx.db.set_string(key, value, deadline);
    ctx.changed(EventClass::String, "set", key.bytes());
    if let Deadline::At(_) = deadline {
        ctx.event(EventClass::Generic, "expire", key.bytes());
    }
}

/// Gives the SET without conditions, and with an absolute time, as the effect.
fn set_effect(ctx: &mut Ctx<'_, '_>, key: Key<'_>, value: &[u8], deadline: Option<Deadline>) {
    match deadline {
        Some(Deadline::At(moment_ms)) => {
            let mut digits = itoa::Buffer::new();
            ctx.effect(&[b"SET", key.bytes(), value, b"PXAT", digits.format(moment_ms).as_bytes()]);
        }
        Some(Deadline::Keep) => ctx.effect(&[b"SET", key.bytes(), value, b"KEEPTTL"]),
        Some(Deadline::Never) | None => ctx.effect(&[b"SET", key.bytes(), value]),
    }
}

static SETNX: Command = Command {
    name: "setnx",
    arity: 3,
    flags: flags::WRITE | flags::DENYOOM | flags::FAST,
    keys: &[KeySpec::one(1, "OW insert")],
    run: setnx,
    summary: "Sets the value of a key that is not there yet.",
    since: "1.0.0",
    syntax: "key value",
    example: "> SETNX a 1\n(integer) 1\n> SETNX a 2\n(integer) 0\n> GET a\n\"1\"",
    deprecated: Some(("2.6.12", "`SET` with the `NX` argument")),
    ..ONE_STRING
};

fn setnx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let free = ctx.db.write(key).is_none();
    if free {
        store(ctx, key, ctx.args.at(2), Deadline::Never);
    }
    ctx.reply.int(i64::from(free));
    Ok(())
}

static SETEX: Command = Command {
    name: "setex",
    arity: 4,
    flags: flags::WRITE | flags::DENYOOM,
    keys: &[KeySpec::one(1, "OW update")],
    run: setex,
    summary: "Sets the value of a key and the seconds that it lives.",
    since: "2.0.0",
    syntax: "key seconds value",
    example: "> SETEX a 60 hello\nOK\n> TTL a\n(integer) 60",
    deprecated: Some(("2.6.12", "`SET` with the `EX` argument")),
    ..ONE_STRING
};

fn setex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_with_time(ctx, Expiry::ex(ctx.args.at(2)))
}

static PSETEX: Command = Command {
    name: "psetex",
    arity: 4,
    flags: flags::WRITE | flags::DENYOOM,
    keys: &[KeySpec::one(1, "OW update")],
    run: psetex,
    summary: "Sets the value of a key and the milliseconds that it lives.",
    since: "2.6.0",
    syntax: "key milliseconds value",
    example: "> PSETEX a 1500 hello\nOK\n> PTTL a\n(integer) 1500",
    deprecated: Some(("2.6.12", "`SET` with the `PX` argument")),
    ..ONE_STRING
};

fn psetex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_with_time(ctx, Expiry::px(ctx.args.at(2)))
}

fn set_with_time(ctx: &mut Ctx<'_, '_>, expiry: Expiry<'_>) -> Outcome {
    let (key, value) = (ctx.key(1), ctx.args.at(3));
    let deadline = expiry.deadline(ctx.now_ms(), ctx.command.name)?;
    store(ctx, key, value, deadline.unwrap_or(Deadline::Never));
    ctx.reply.ok();
    set_effect(ctx, key, value, deadline);
    Ok(())
}

static GETSET: Command = Command {
    name: "getset",
    arity: 3,
    flags: flags::WRITE | flags::DENYOOM | flags::FAST,
    keys: &[KeySpec::one(1, "RW access update")],
    run: getset,
    summary: "Sets the value of a key and gives the one it had.",
    since: "1.0.0",
    syntax: "key value",
    example: "> GETSET a 1\n(nil)\n> GETSET a 2\n\"1\"\n> GET a\n\"2\"",
    deprecated: Some(("6.2.0", "`SET` with the `!GET` argument")),
    ..ONE_STRING
};

fn getset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, value) = (ctx.key(1), ctx.args.at(2));
    reply_value(ctx.reply, ctx.db.read_string(key)?);
    store(ctx, key, value, Deadline::Never);
    set_effect(ctx, key, value, None);
    Ok(())
}

static GETEX: Command = Command {
    name: "getex",
    arity: -2,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RW access update")],
    run: getex,
    summary: "Gives the value of a key and sets, or takes away, its deadline.",
    since: "6.2.0",
    syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
    example: "> SET a hello\nOK\n> GETEX a EX 60\n\"hello\"\n> TTL a\n(integer) 60\n> GETEX a PERSIST\n\"hello\"\n\
        > TTL a\n(integer) -1",
    ..ONE_STRING
};

fn getex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut expiry = Expiry::of_read();
    let mut i = 2;
    while i < ctx.args.len() {
        expiry.take(ctx.args, &mut i)?;
    }
    let key = ctx.key(1);
    let Some(entry) = ctx.db.read(key) else {
        ctx.reply.null();
        return Ok(());
    };
    let had_deadline = entry.deadline_ms().is_some();
    reply_value(ctx.reply, Some(entry.string()?));
    let now_ms = ctx.now_ms();
    match expiry.deadline(now_ms, ctx.command.name)? {
        Some(Deadline::At(moment_ms)) if expiry.is_moment() && ctx.is_past(moment_ms) => remove(ctx, key),
        Some(Deadline::At(moment_ms)) => {
            ctx.db.set_deadline(key, Some(moment_ms));
            ctx.changed(EventClass::Generic, "expire", key.bytes());
            let mut digits = itoa::Buffer::new();
            ctx.effect(&[b"PEXPIREAT", key.bytes(), digits.format(moment_ms).as_bytes()]);
        }
        Some(Deadline::Never) if had_deadline => {
            ctx.db.set_deadline(key, None);
            ctx.changed(EventClass::Generic, "persist", key.bytes());
            ctx.effect(&[b"PERSIST", key.bytes()]);
        }
        Some(Deadline::Never | Deadline::Keep) | None => {}
    }
    Ok(())
}

static GETDEL: Command = Command {
    name: "getdel",
    arity: 2,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RW access delete")],
    run: getdel,
    summary: "Gives the value of a key and removes the key.",
    since: "6.2.0",
    syntax: "key",
    example: "> SET a hello\nOK\n> GETDEL a\n\"hello\"\n> GETDEL a\n(nil)",
    ..ONE_STRING
};

fn getdel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let value = ctx.db.read_string(key)?;
    let there = value.is_some();
    reply_value(ctx.reply, value);
    if there {
        remove(ctx, key);
    }
    Ok(())
}

/// Removes `key`, with the event and effect of it.
pub(crate) fn remove(ctx: &mut Ctx<'_, '_>, key: Key<'_>) {
    let free = free(ctx, Removal::Del);
    ctx.db.delete(key, free);
    ctx.changed(EventClass::Generic, "del", key.bytes());
    ctx.effect(&[b"DEL", key.bytes()]);
}

#[cfg(test)]
mod tests {
    use crate::testing::{Client, NOW_MS};

    const INTEGER: &str = "ERR value is not an integer or out of range";

    #[test]
    fn set_keeps_or_drops_the_deadline_as_asked() {
        Client::new().check(&[
            ("SET a 1 EX 100", "OK"),
            ("SET a 2 KEEPTTL", "OK"),
            ("TTL a", "(integer) 100"),
            ("SET a 3", "OK"),
            ("TTL a", "(integer) -1"),
            ("SET a 4 PX 1500 PX 2500", "OK"),
            ("PTTL a", "(integer) 2500"),
            ("SET a 5 pxat 1", "OK"),
            ("EXISTS a", "(integer) 0"),
        ]);
    }

    #[test]
    fn set_replies_with_the_old_value_when_asked() {
        Client::new().check(&[
            ("SET a 1 GET", "(nil)"),
            ("SET a 2 NX GET", "\"1\""),
            ("SET a 3 GET XX get", "\"1\""),
            ("SET b 1 XX GET", "(nil)"),
            ("MGET a b", "1) \"3\"\n2) (nil)"),
        ]);
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        let mut client = Client::new();
        let expire = |command| format!("ERR invalid expire time in '{command}' command");
        let (set, setex, psetex, getex) = (expire("set"), expire("setex"), expire("psetex"), expire("getex"));
        client.send("SET a 1");
        client.check_errors(&[
            ("SET a 2 EX", "ERR syntax error"),
            ("SET a 2 EX 10 PX 10", "ERR syntax error"),
            ("SET a 2 KEEPTTL EXAT 10", "ERR syntax error"),
            ("SET a 2 PERSIST", "ERR syntax error"),
            ("SET a 2 NOW", "ERR syntax error"),
            ("SET a 2 EX 0", &set),
            ("SET a 2 NX EX -1", &set),
            ("SET a 2 EX 9223372036854775807", &set),
            ("SET a 2 PX 9223372036854775807", &set),
            ("SET a 2 EX 1.5", INTEGER),
            ("SETEX a 0 2", &setex),
            ("SETEX a x 2", INTEGER),
            ("PSETEX a -1 2", &psetex),
            ("GETEX a EX 0", &getex),
            ("GETEX a EX x", INTEGER),
            ("GETEX a KEEPTTL", "ERR syntax error"),
            ("GETEX a PERSIST EX 1", "ERR syntax error"),
            ("GETEX a NX", "ERR syntax error"),
        ]);
        // A key that is not there has no time that could be wrong.
        client.check(&[("GETEX none EX 0", "(nil)"), ("GET a", "\"1\"")]);
    }

    #[test]
    fn relative_times_are_logged_as_moments() {
        let mut client = Client::new();
        let at = |time_ms: i64| format!("SET a 1 PXAT {}", NOW_MS + time_ms);
        let events = || vec!["set a".to_owned(), "expire a".to_owned()];
        for line in
            ["SET a 1 EX 10", "SET a 1 PX 10000 GET", "SET a 1 XX EX 10", "SETEX a 10 1", "PSETEX a 10000 1"]
        {
            assert_eq!(client.changes(line), (1, events(), vec![at(10_000)]), "{line}");
        }
        let exact = format!("SET a 1 NX PXAT {}", NOW_MS + 5);
        client.send("DEL a");
        assert_eq!(client.changes(&exact), (1, events(), vec![exact.clone()]));
    }

    #[test]
    fn what_has_no_time_is_logged_plainly() {
        let mut client = Client::new();
        let set = |line: &str| (1, vec!["set a".to_owned()], vec![line.to_owned()]);
        assert_eq!(client.changes("SET a 1"), set("SET a 1"));
        assert_eq!(client.changes("SET a 1 XX"), set("SET a 1 XX"));
        assert_eq!(client.changes("SET a get GET KEEPTTL"), set("SET a get KEEPTTL"));
        assert_eq!(client.changes("GETSET a 2"), set("SET a 2"));
        assert_eq!(client.changes("SETNX a 3"), (0, vec![], vec![]));
        assert_eq!(client.changes("SET a 3 NX"), (0, vec![], vec![]));
        assert_eq!(client.changes("GETDEL a"), (1, vec!["del a".into()], vec!["DEL a".into()]));
        assert_eq!(client.changes("GETDEL a"), (0, vec![], vec![]));
    }

    #[test]
    fn getex_is_logged_as_what_it_does_to_the_deadline() {
        let mut client = Client::new();
        client.send("SET a 1");
        let moment = format!("PEXPIREAT a {}", NOW_MS + 10_000);
        assert_eq!(client.changes("GETEX a"), (0, vec![], vec![]));
        assert_eq!(client.changes("GETEX a PERSIST"), (0, vec![], vec![]));
        assert_eq!(client.changes("GETEX a EX 10"), (1, vec!["expire a".into()], vec![moment]));
        assert_eq!(
            client.changes("GETEX a PERSIST"),
            (1, vec!["persist a".into()], vec!["PERSIST a".into()])
        );
        assert_eq!(client.show("GETEX a EXAT 1"), "\"1\"");
        client.send("SET a 1");
        assert_eq!(client.changes("GETEX a PXAT 1"), (1, vec!["del a".into()], vec!["DEL a".into()]));
    }
}
