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
    let before = ctx.db.write_string(key)?.map_or(Ok(0), int_value)?;
    let after =
        before.checked_add(increment).ok_or(Error::Text("ERR increment or decrement would overflow"))?;
    ctx.db.set_int(key, after, Deadline::Keep);
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
