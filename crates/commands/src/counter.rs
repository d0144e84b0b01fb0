//! Strings that are numbers, counted up and down.

use engine::{Deadline, EventClass, Str};

use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::KeySpec;
use crate::long_double::LongDouble;
use crate::number::{int, int_value};
use crate::string::ONE_STRING;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&INCR, &INCRBY, &INCRBYFLOAT, &DECR, &DECRBY];

/// What the commands on counters have in common.
const COUNTER: Command = Command {
    flags: flags::WRITE | flags::DENYOOM | flags::FAST,
    keys: &[KeySpec::one(1, "RW access update")],
    ..ONE_STRING
};

static INCR: Command = Command {
    name: "incr",
    arity: 2,
    run: incr,
    summary: "Adds one to the integer at a key; a key that is not there counts as 0.",
    since: "1.0.0",
    syntax: "key",
    example: "> INCR a\n(integer) 1\n> INCR a\n(integer) 2",
    ..COUNTER
};

fn incr(ctx: &mut Ctx<'_, '_>) -> Outcome {
    add(ctx, 1)
}

static INCRBY: Command = Command {
    name: "incrby",
    arity: 3,
    run: incrby,
    summary: "Adds to the integer at a key; a key that is not there counts as 0.",
    since: "1.0.0",
    syntax: "key increment",
    example: "> SET a 10\nOK\n> INCRBY a 5\n(integer) 15",
    ..COUNTER
};

fn incrby(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let increment = int(ctx.args.at(2))?;
    add(ctx, increment)
}

static DECR: Command = Command {
    name: "decr",
    arity: 2,
    run: decr,
    summary: "Takes one from the integer at a key; a key that is not there counts as 0.",
    since: "1.0.0",
    syntax: "key",
    example: "> SET a 10\nOK\n> DECR a\n(integer) 9",
    ..COUNTER
};

fn decr(ctx: &mut Ctx<'_, '_>) -> Outcome {
    add(ctx, -1)
}

static DECRBY: Command = Command {
    name: "decrby",
    arity: 3,
    run: decrby,
    summary: "Takes from the integer at a key; a key that is not there counts as 0.",
    since: "1.0.0",
    syntax: "key decrement",
    example: "> SET a 10\nOK\n> DECRBY a 3\n(integer) 7",
    ..COUNTER
};

fn decrby(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let decrement = int(ctx.args.at(2))?;
    let increment = decrement.checked_neg().ok_or(Error::Text("ERR decrement would overflow"))?;
    add(ctx, increment)
}

fn add(ctx: &mut Ctx<'_, '_>, increment: i64) -> Outcome {
    let key = ctx.key(1);
    let after = match ctx.db.update_int(key, |before| before.checked_add(increment)) {
        Some(after) => after,
        None => {
            let before = ctx.db.write_string(key)?.map_or(Ok(0), int_value)?;
            let after = before
                .checked_add(increment)
                .ok_or(Error::Text("ERR increment or decrement would overflow"))?;
            ctx.db.set_int(key, after, Deadline::Keep);
            after
        }
    };
    ctx.changed(EventClass::String, "incrby", key.bytes());
    ctx.reply.int(after);
    Ok(())
}

static INCRBYFLOAT: Command = Command {
    name: "incrbyfloat",
    arity: 3,
    run: incrbyfloat,
    summary: "Adds to the number at a key; a key that is not there counts as 0.",
    since: "2.6.0",
    syntax: "key increment",
    example: "> SET a 10.50\nOK\n> INCRBYFLOAT a 0.1\n\"10.6\"\n> INCRBYFLOAT a -5\n\"5.6\"",
    ..COUNTER
};

fn incrbyfloat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let before = match ctx.db.write_string(key)? {
        None => LongDouble::from(0),
        Some(Str::Int(n)) => LongDouble::from(n),
        Some(Str::Bytes(bytes)) => LongDouble::parse(bytes).ok_or(Error::NotFloat)?,
    };
    let increment = LongDouble::parse(ctx.args.at(2)).ok_or(Error::NotFloat)?;
    let after =
        before.sum(increment).ok_or(Error::Text("ERR increment would produce NaN or Infinity"))?.text();
    ctx.db.set_text(key, after.as_bytes(), Deadline::Keep);
    ctx.changed(EventClass::String, "incrbyfloat", key.bytes());
    ctx.reply.bulk(after.as_bytes());
    // The sum itself: whoever runs the effect may round otherwise.
    ctx.effect(&[b"SET", key.bytes(), after.as_bytes(), b"KEEPTTL"]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    #[test]
    fn counters_stop_at_the_ends_of_64_bits() {
        let mut client = Client::new();
        const OVERFLOW: &str = "ERR increment or decrement would overflow";
        client.check(&[("SET max 9223372036854775807", "OK"), ("SET min -9223372036854775808", "OK")]);
        client.check_errors(&[
            ("INCR max", OVERFLOW),
            ("INCRBY max 1", OVERFLOW),
            ("DECRBY max -1", OVERFLOW),
            ("DECR min", OVERFLOW),
            ("INCRBY min -1", OVERFLOW),
            ("DECRBY none -9223372036854775808", "ERR decrement would overflow"),
        ]);
        client.check(&[("INCRBY max -9223372036854775807", "(integer) 0"), ("DECR none", "(integer) -1")]);
    }

    #[test]
    fn what_is_no_integer_is_not_counted() {
        const INTEGER: &str = "ERR value is not an integer or out of range";
        let mut client = Client::new();
        client.check(&[("SET a 1.0", "OK"), ("SET b \" 1\"", "OK"), ("SET c 9223372036854775808", "OK")]);
        client.check_errors(&[
            ("INCR a", INTEGER),
            ("INCR b", INTEGER),
            ("DECRBY c 1", INTEGER),
            ("INCRBY none 1.0", INTEGER),
            ("INCRBY none +1", INTEGER),
            ("DECRBY none 01", INTEGER),
        ]);
    }

    #[test]
    fn counting_keeps_the_deadline() {
        let mut client = Client::new();
        client.check(&[
            ("SET a 1 EX 100", "OK"),
            ("INCR a", "(integer) 2"),
            ("INCRBYFLOAT a 0.5", "\"2.5\""),
            ("TTL a", "(integer) 100"),
        ]);
        let (changes, events, effects) = client.changes("DECRBY b 2");
        assert_eq!(
            (changes, events.join(" "), effects.join(" ")),
            (1, "incrby b".into(), "DECRBY b 2".into())
        );
    }

    #[test]
    fn sums_of_floats_are_logged_as_they_are() {
        let mut client = Client::new();
        client.send("SET a 10");
        let (changes, events, effects) = client.changes("INCRBYFLOAT a 0.1");
        assert_eq!((changes, events.join(" ")), (1, "incrbyfloat a".into()));
        assert_eq!(effects, ["SET a 10.1 KEEPTTL"]);
        client.check(&[
            ("INCRBYFLOAT a -9.1", "\"1\""),
            ("OBJECT ENCODING a", "\"embstr\""),
            ("INCR a", "(integer) 2"),
            ("OBJECT ENCODING a", "\"int\""),
            ("SET text 1x", "OK"),
        ]);
        client.check_errors(&[
            ("INCRBYFLOAT a x", "ERR value is not a valid float"),
            ("INCRBYFLOAT text 1", "ERR value is not a valid float"),
            ("INCRBYFLOAT a nan", "ERR value is not a valid float"),
            ("INCRBYFLOAT a -inf", "ERR increment would produce NaN or Infinity"),
        ]);
    }
}
