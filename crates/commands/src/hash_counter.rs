//! Fields of hashes that are numbers, counted up and down.

use engine::{Deadline, Element, EventClass, HashMut};

use crate::ctx::Ctx;
use crate::error::Error;
use crate::hash::ONE_HASH;
use crate::keys::KeySpec;
use crate::long_double::LongDouble;
use crate::number::int;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&HINCRBY, &HINCRBYFLOAT];

/// What both have in common.
const COUNTER: Command = Command {
    arity: 4,
    flags: flags::WRITE | flags::DENYOOM | flags::FAST,
    keys: &[KeySpec::one(1, "RW access update")],
    syntax: "key field increment",
    ..ONE_HASH
};

static HINCRBY: Command = Command {
    name: "hincrby",
    run: hincrby,
    summary: "Adds to the integer in a field; a field that is not there counts as 0.",
    since: "2.0.0",
    example: "> HINCRBY h a 5\n(integer) 5\n> HINCRBY h a -7\n(integer) -2",
    ..COUNTER
};

fn hincrby(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, name, increment) = (ctx.key(1), ctx.args.at(2), int(ctx.args.at(3))?);
    let after = ctx.db.change_hash(key, |hash| {
        let before = match hash.view().get(name).map(|field| field.value) {
            None => Ok(0),
            Some(Element::Int(n)) => Ok(n),
            Some(Element::Bytes(bytes)) => int(bytes),
            Some(Element::Double(_)) => Err(Error::NotInteger),
        };
        let before = before.map_err(|_| Error::Text("ERR hash value is not an integer"))?;
        let overflow = Error::Text("ERR increment or decrement would overflow");
        let after = before.checked_add(increment).ok_or(overflow)?;
        set_number(hash, name, itoa::Buffer::new().format(after));
        Ok::<i64, Error>(after)
    })??;
    ctx.changed(EventClass::Hash, "hincrby", key.bytes());
    ctx.reply.int(after);
    Ok(())
}

/// Gives a field a value, and leaves it its deadline.
fn set_number(hash: &mut HashMut<'_>, name: &[u8], value: &str) {
    hash.set(name, value.as_bytes(), Deadline::Keep);
}

static HINCRBYFLOAT: Command = Command {
    name: "hincrbyfloat",
    run: hincrbyfloat,
    summary: "Adds to the number in a field; a field that is not there counts as 0.",
    since: "2.6.0",
    example: "> HSET h a 10.50\n(integer) 1\n> HINCRBYFLOAT h a 0.1\n\"10.6\"\n> HINCRBYFLOAT h a -5\n\"5.6\"",
    ..COUNTER
};

fn hincrbyfloat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, name) = (ctx.key(1), ctx.args.at(2));
    let increment = LongDouble::parse(ctx.args.at(3)).ok_or(Error::NotFloat)?;
    if increment == LongDouble::Infinite {
        return Err(Error::Text("ERR value is NaN or Infinity"));
    }
    let (after, deadline_ms) = ctx.db.change_hash(key, |hash| {
        let field = hash.view().get(name);
        let before = field.map_or(Some(LongDouble::from(0)), |field| match field.value {
            Element::Int(n) => Some(LongDouble::from(n)),
            Element::Bytes(bytes) => LongDouble::parse(bytes),
            Element::Double(_) => None,
        });
        let before = before.ok_or(Error::Text("ERR hash value is not a float"))?;
        let no_number = Error::Text("ERR increment would produce NaN or Infinity");
        let after = before.sum(increment).ok_or(no_number)?.text();
        let deadline_ms = field.and_then(|field| field.deadline_ms);
        set_number(hash, name, &after);
        Ok::<_, Error>((after, deadline_ms))
    })??;
    ctx.changed(EventClass::Hash, "hincrbyfloat", key.bytes());
    ctx.reply.bulk(after.as_bytes());
    // The sum itself: whoever runs the effect may round otherwise.
    match deadline_ms {
        None => ctx.effect(&[b"HSET", key.bytes(), name, after.as_bytes()]),
        Some(_) => ctx.effect(&[b"HSETEX", key.bytes(), b"KEEPTTL", b"FIELDS", b"1", name, after.as_bytes()]),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    #[test]
    fn what_is_no_number_is_not_counted_and_makes_no_hash() {
        let mut client = Client::new();
        client.check(&[
            ("HSET h text x max 9223372036854775807 space \" 1\" empty \"\" inf inf", "(integer) 5"),
            ("SET s 1", "OK"),
        ]);
        client.check_errors(&[
            ("HINCRBY h text 1", "ERR hash value is not an integer"),
            ("HINCRBY h space 1", "ERR hash value is not an integer"),
            ("HINCRBY h empty 1", "ERR hash value is not an integer"),
            ("HINCRBY h max 1", "ERR increment or decrement would overflow"),
            ("HINCRBY h max 1.5", "ERR value is not an integer or out of range"),
            ("HINCRBY s a x", "ERR value is not an integer or out of range"),
            ("HINCRBY s a 1", "WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("HINCRBYFLOAT h text 1", "ERR hash value is not a float"),
            ("HINCRBYFLOAT h space 1", "ERR hash value is not a float"),
            ("HINCRBYFLOAT h a x", "ERR value is not a valid float"),
            ("HINCRBYFLOAT h a -inf", "ERR value is NaN or Infinity"),
            ("HINCRBYFLOAT h inf 1", "ERR increment would produce NaN or Infinity"),
            ("HINCRBYFLOAT s a 1", "WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("HINCRBYFLOAT none a inf", "ERR value is NaN or Infinity"),
        ]);
        client.check(&[("EXISTS none", "(integer) 0"), ("HGET h max", "\"9223372036854775807\"")]);
    }

    #[test]
    fn sums_of_floats_are_logged_as_they_are() {
        let mut client = Client::new();
        let effect = |client: &mut Client, line: &str| client.changes(line);
        assert_eq!(
            effect(&mut client, "HINCRBYFLOAT h a 1.5"),
            (1, vec!["hincrbyfloat h".into()], vec!["HSET h a 1.5".into()])
        );
        client.send("HEXPIRE h 100 FIELDS 1 a");
        assert_eq!(effect(&mut client, "HINCRBYFLOAT h a 0x10").2, ["HSETEX h KEEPTTL FIELDS 1 a 17.5"]);
        assert_eq!(
            effect(&mut client, "hincrby h n 3"),
            (1, vec!["hincrby h".into()], vec!["hincrby h n 3".into()])
        );
        client.check(&[("HTTL h FIELDS 2 a n", "1) (integer) 100\n2) (integer) -1")]);
    }
}
