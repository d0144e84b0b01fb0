//! Strings: parts of values read or written.

use engine::{EventClass, Str};

use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::KeySpec;
use crate::number::int;
use crate::string::ONE_STRING;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&APPEND, &STRLEN, &GETRANGE, &SUBSTR, &SETRANGE];

static APPEND: Command = Command {
    name: "append",
    arity: 3,
    flags: flags::WRITE | flags::DENYOOM | flags::FAST,
    keys: &[KeySpec::one(1, "RW insert")],
    run: append,
    summary: "Adds to the end of a value, and makes the key when it is not there.",
    since: "2.0.0",
    complexity: "O(1), amortized, for a short value to add",
    syntax: "key value",
    example: "> APPEND a Hello\n(integer) 5\n> APPEND a \" World\"\n(integer) 11\n> GET a\n\"Hello World\"",
    ..ONE_STRING
};

fn append(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, tail) = (ctx.key(1), ctx.args.at(2));
    if let Some(len) = ctx.db.write_string(key)?.map(Str::len) {
        check_len(ctx, len as u64, tail.len())?;
    }
    let len = ctx.db.append(key, tail);
    ctx.changed(EventClass::String, "append", key.bytes());
    ctx.reply.int(len as i64);
    Ok(())
}

/// Checks that `more` bytes behind the first `len` make no value longer than one may be.
fn check_len(ctx: &Ctx<'_, '_>, len: u64, more: usize) -> Result<(), Error> {
    match len.checked_add(more as u64) {
        Some(sum) if sum <= ctx.host.bulk_bytes_max() as u64 => Ok(()),
        _ => Err(Error::Text("ERR string exceeds maximum allowed size (proto-max-bulk-len)")),
    }
}

static STRLEN: Command = Command {
    name: "strlen",
    arity: 2,
    flags: flags::READONLY | flags::FAST,
    keys: &[KeySpec::one(1, "RO")],
    run: strlen,
    summary: "Gives the length of a value in bytes; 0 for a key that is not there.",
    since: "2.2.0",
    syntax: "key",
    example: "> SET a hello\nOK\n> STRLEN a\n(integer) 5\n> STRLEN b\n(integer) 0",
    ..ONE_STRING
};

fn strlen(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let len = ctx.db.read_string(key)?.map_or(0, Str::len);
    ctx.reply.int(len as i64);
    Ok(())
}

static GETRANGE: Command = Command {
    name: "getrange",
    arity: 4,
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    run: getrange,
    summary: "Gives a part of a value: from the byte at start to the one at end; -1 is the last byte.",
    since: "2.4.0",
    complexity: "O(N) where N is the length of the part",
    syntax: "key start end",
    example: "> SET a \"Hello World\"\nOK\n> GETRANGE a 0 4\n\"Hello\"\n> GETRANGE a -5 -1\n\"World\"",
    ..ONE_STRING
};

static SUBSTR: Command = Command {
    name: "substr",
    since: "1.0.0",
    example: "> SET a \"Hello World\"\nOK\n> SUBSTR a 0 4\n\"Hello\"",
    deprecated: Some(("2.0.0", "`GETRANGE`")),
    ..GETRANGE
};

fn getrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (start, end) = (int(ctx.args.at(2))?, int(ctx.args.at(3))?);
    let key = ctx.key(1);
    match ctx.db.read_string(key)? {
        Some(value) => {
            let mut digits = itoa::Buffer::new();
            let bytes = value.bytes(&mut digits);
            let part = range(start, end, bytes.len()).map_or(&[][..], |(start, end)| &bytes[start..=end]);
            ctx.reply.bulk(part);
        }
        None => ctx.reply.bulk(b""),
    }
    Ok(())
}

/// The first and last place that `start` and `end` name among `len` (bytes or bits), as GETRANGE and BITCOUNT take
/// them: [`clamped_range`], but none when both are counted from the end in the wrong order.
pub(crate) fn range(start: i64, end: i64, len: usize) -> Option<(usize, usize)> {
    if start < 0 && end < 0 && start > end { None } else { clamped_range(start, end, len) }
}

/// The first and last place that `start` and `end` name among `len` (bytes or bits): below zero they count from the
/// end, and what lies outside moves to the nearest place. Nothing when there is no place between them.
pub(crate) fn clamped_range(start: i64, end: i64, len: usize) -> Option<(usize, usize)> {
    let len = len as i64;
    let place = |at: i64| if at < 0 { at.saturating_add(len).max(0) } else { at };
    let (start, end) = (place(start), place(end).min(len - 1));
    (start <= end).then_some((start as usize, end as usize))
}

static SETRANGE: Command = Command {
    name: "setrange",
    arity: 4,
    flags: flags::WRITE | flags::DENYOOM,
    keys: &[KeySpec::one(1, "RW update")],
    run: setrange,
    summary: "Writes over a part of a value, from the byte at offset on; zeros fill a gap before it.",
    since: "2.2.0",
    complexity: "O(N) where N is the length of the part",
    syntax: "key offset value",
    example: "> SET a \"Hello World\"\nOK\n> SETRANGE a 6 Redis\n(integer) 11\n> GET a\n\"Hello Redis\"",
    ..ONE_STRING
};

fn setrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, part) = (ctx.key(1), ctx.args.at(3));
    let offset = u64::try_from(int(ctx.args.at(2))?).map_err(|_| Error::Offset)?;
    let len = ctx.db.write_string(key)?.map_or(0, Str::len);
    if part.is_empty() {
        ctx.reply.int(len as i64);
        return Ok(());
    }
    check_len(ctx, offset, part.len())?;
    let offset = offset as usize;
    let bytes = ctx.db.string_mut(key, offset + part.len());
    bytes[offset..offset + part.len()].copy_from_slice(part);
    let len = bytes.len();
    ctx.changed(EventClass::String, "setrange", key.bytes());
    ctx.reply.int(len as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Client;

    #[test]
    fn places_count_from_both_ends() {
        for (start, end, expected) in [
            (0, -1, Some((0, 4))),
            (-3, -2, Some((2, 3))),
            (-100, 100, Some((0, 4))),
            (0, -100, Some((0, 0))),
            (-100, -99, Some((0, 0))),
            (-99, -100, None),
            (1, -100, None),
            (5, 9, None),
            (3, 2, None),
            (i64::MIN, i64::MAX, Some((0, 4))),
        ] {
            assert_eq!(range(start, end, 5), expected, "{start} {end}");
        }
        assert_eq!(range(0, -1, 0), None);
        assert_eq!(clamped_range(-99, -100, 5), Some((0, 0)));
    }

    #[test]
    fn parts_of_integers_are_parts_of_their_digits() {
        Client::new().check(&[
            ("SET a -1234", "OK"),
            ("GETRANGE a 0 1", "\"-1\""),
            ("STRLEN a", "(integer) 5"),
            ("SETRANGE a 0 \"\"", "(integer) 5"),
            ("OBJECT ENCODING a", "\"int\""),
            ("SETRANGE a 1 9", "(integer) 5"),
            ("OBJECT ENCODING a", "\"raw\""),
            ("APPEND a 5", "(integer) 6"),
            ("INCR a", "(integer) -92344"),
            ("GETRANGE none 0 -1", "\"\""),
        ]);
    }

    #[test]
    fn gaps_are_filled_and_nothing_is_made_of_nothing() {
        let mut client = Client::new();
        client.check(&[
            ("SETRANGE a 3 \"\"", "(integer) 0"),
            ("EXISTS a", "(integer) 0"),
            ("SETRANGE a 3 x", "(integer) 4"),
            ("GET a", "\"\\x00\\x00\\x00x\""),
            ("APPEND b \"\"", "(integer) 0"),
            ("EXISTS b", "(integer) 1"),
        ]);
        assert_eq!(client.changes("SETRANGE a 0 \"\""), (0, vec![], vec![]));
        let (changes, events, effects) = client.changes("SETRANGE a 0 y");
        assert_eq!(
            (changes, events.join(" "), effects.join(" ")),
            (1, "setrange a".into(), "SETRANGE a 0 y".into())
        );
        let (changes, events, effects) = client.changes("APPEND a z");
        assert_eq!(
            (changes, events.join(" "), effects.join(" ")),
            (1, "append a".into(), "APPEND a z".into())
        );
    }

    #[test]
    fn parts_out_of_bounds_are_refused() {
        const TOO_LONG: &str = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
        const INTEGER: &str = "ERR value is not an integer or out of range";
        let mut client = Client::new();
        client.send("SET a hello");
        client.check_errors(&[
            ("SETRANGE a -1 x", "ERR offset is out of range"),
            ("SETRANGE a x x", INTEGER),
            ("SETRANGE a 536870912 x", TOO_LONG),
            ("SETRANGE none 536870911 xy", TOO_LONG),
            ("SETRANGE a 9223372036854775807 x", TOO_LONG),
            ("GETRANGE a x 1", INTEGER),
            ("GETRANGE a 1 9223372036854775808", INTEGER),
            ("SUBSTR a 0 x", INTEGER),
        ]);
        client.host.bulk_bytes_max = Some(8);
        client.check_errors(&[("APPEND a 1234", TOO_LONG)]);
        client.check(&[("APPEND a 123", "(integer) 8")]);
    }
}
