//! Bitmaps: strings whose bits are set, read, counted and looked for one by one.

use std::ops::RangeInclusive;

use engine::{EventClass, Str};
use resp::Args;

use crate::bits;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::KeySpec;
use crate::number::int;
use crate::string_range::{clamped_range, range};
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&SETBIT, &GETBIT, &BITCOUNT, &BITPOS];

/// What the commands on bitmaps have in common.
pub(crate) const BITMAP: Command =
    Command { categories: "@bitmap", locks: Locks::Keys, group: "bitmap", ..Command::BLANK };

static SETBIT: Command = Command {
    name: "setbit",
    arity: 4,
    flags: flags::WRITE | flags::DENYOOM,
    keys: &[KeySpec::one(1, "RW access update")],
    run: setbit,
    summary: "Sets or clears one bit of a value, which becomes long enough for it, and gives the old bit.",
    since: "2.2.0",
    complexity: "O(1)",
    syntax: "key offset value",
    example: "> SETBIT a 7 1\n(integer) 0\n> SETBIT a 7 0\n(integer) 1\n> STRLEN a\n(integer) 1",
    ..BITMAP
};

fn setbit(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let offset = bit_offset(ctx, ctx.args.at(2))?;
    let on = match int(ctx.args.at(3)) {
        Ok(bit @ 0..=1) => bit == 1,
        _ => return Err(Error::Text("ERR bit is not an integer or out of range")),
    };
    let key = ctx.key(1);
    let len = ctx.db.write_string(key)?.map_or(0, Str::len);
    let at = offset / 8;
    let bytes = ctx.db.string_mut(key, at + 1);
    let was_on = bits::get(bytes, offset);
    let mask = 0x80 >> (offset % 8);
    bytes[at] = if on { bytes[at] | mask } else { bytes[at] & !mask };
    if was_on != on || at >= len {
        ctx.changed(EventClass::String, "setbit", key.bytes());
    }
    ctx.reply.int(i64::from(was_on));
    Ok(())
}

/// The number of a bit that `arg` is.
///
/// # Errors
/// When it is no integer, or behind the last bit that a value may have.
pub(crate) fn bit_offset(ctx: &Ctx<'_, '_>, arg: &[u8]) -> Result<usize, Error> {
    int(arg).ok().and_then(|offset| bit_in_bounds(ctx, offset)).ok_or(OFFSET)
}

/// The text for a bit's number that is none or out of bounds.
pub(crate) const OFFSET: Error = Error::Text("ERR bit offset is not an integer or out of range");

/// `offset` as the number of a bit, when a value may be as long as that.
pub(crate) fn bit_in_bounds(ctx: &Ctx<'_, '_>, offset: i64) -> Option<usize> {
    usize::try_from(offset).ok().filter(|offset| offset / 8 < ctx.host.bulk_bytes_max())
}

static GETBIT: Command = Command {
    name: "getbit",
    arity: 3,
    flags: flags::READONLY | flags::FAST,
    keys: &[KeySpec::one(1, "RO access")],
    run: getbit,
    summary: "Gives one bit of a value; bits behind its end are 0.",
    since: "2.2.0",
    complexity: "O(1)",
    syntax: "key offset",
    example: "> SETBIT a 7 1\n(integer) 0\n> GETBIT a 7\n(integer) 1\n> GETBIT a 100\n(integer) 0",
    ..BITMAP
};

fn getbit(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let offset = bit_offset(ctx, ctx.args.at(2))?;
    let key = ctx.key(1);
    let value = ctx.db.read_string(key)?;
    let on = value.is_some_and(|value| bits::get(value.bytes(&mut itoa::Buffer::new()), offset));
    ctx.reply.int(i64::from(on));
    Ok(())
}

static BITCOUNT: Command = Command {
    name: "bitcount",
    arity: -2,
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    run: bitcount,
    summary: "Counts the bits that are set in a value, or in a part of it.",
    since: "2.6.0",
    complexity: "O(N)",
    syntax: "key [start end [BYTE | BIT]]",
    example: "> SET a foobar\nOK\n> BITCOUNT a\n(integer) 26\n> BITCOUNT a 1 1\n(integer) 6\n> BITCOUNT a 5 30 BIT\n(integer) 17",
    history: &[("7.0.0", "BYTE and BIT.")],
    ..BITMAP
};

fn bitcount(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (part, unit) = match ctx.args.len() {
        2 => ((0, -1), Unit::Byte),
        4 | 5 => ((int(ctx.args.at(2))?, int(ctx.args.at(3))?), Unit::parse(ctx.args, 4)?),
        _ => return Err(Error::Syntax),
    };
    let key = ctx.key(1);
    let count = match ctx.db.read_string(key)? {
        Some(value) => {
            let mut digits = itoa::Buffer::new();
            let bytes = value.bytes(&mut digits);
            range(part.0, part.1, unit.places(bytes)).map_or(0, |part| bits::count(bytes, unit.bits(part)))
        }
        None => 0,
    };
    ctx.reply.int(count as i64);
    Ok(())
}

/// What the places of a part are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Byte,
    Bit,
}

impl Unit {
    /// The unit that argument `i` names: bytes, when there is none.
    fn parse(args: Args<'_>, i: usize) -> Result<Unit, Error> {
        match args.get(i) {
            None => Ok(Unit::Byte),
            Some(word) if word.eq_ignore_ascii_case(b"BYTE") => Ok(Unit::Byte),
            Some(word) if word.eq_ignore_ascii_case(b"BIT") => Ok(Unit::Bit),
            Some(_) => Err(Error::Syntax),
        }
    }

    /// How many places `bytes` has.
    fn places(self, bytes: &[u8]) -> usize {
        match self {
            Unit::Byte => bytes.len(),
            Unit::Bit => bytes.len() * 8,
        }
    }

    /// The bits from the place `start` to the place `end`.
    fn bits(self, (start, end): (usize, usize)) -> RangeInclusive<usize> {
        match self {
            Unit::Byte => start * 8..=end * 8 + 7,
            Unit::Bit => start..=end,
        }
    }
}

static BITPOS: Command = Command {
    name: "bitpos",
    arity: -3,
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    run: bitpos,
    summary: "Finds the first bit that is set, or clear, in a value or in a part of it.",
    since: "2.8.7",
    complexity: "O(N)",
    syntax: "key bit [start [end [BYTE | BIT]]]",
    example: "> SET a \"\\xff\\xf0\\x00\"\nOK\n> BITPOS a 0\n(integer) 12\n> BITPOS a 1 2\n(integer) -1\n> BITPOS a 1 7 15 BIT\n(integer) 7",
    history: &[("7.0.0", "BYTE and BIT.")],
    ..BITMAP
};

fn bitpos(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let wanted = match int(ctx.args.at(2))? {
        bit @ 0..=1 => bit == 1,
        _ => return Err(Error::Text("ERR The bit argument must be 1 or 0.")),
    };
    if ctx.args.len() > 6 {
        return Err(Error::Syntax);
    }
    let start = ctx.args.get(3).map_or(Ok(0), int)?;
    let unit = Unit::parse(ctx.args, 5)?;
    let end = ctx.args.get(4).map(int).transpose()?;
    let key = ctx.key(1);
    let place = match ctx.db.read_string(key)? {
        Some(value) => position(value, wanted, start, end, unit),
        // As if it were clear bits without an end.
        None if wanted => None,
        None => Some(0),
    };
    ctx.reply.int(place.map_or(-1, |place| place as i64));
    Ok(())
}

/// The first bit that is `wanted` from place `start` to place `end`, or to the end of the value: there, clear bits
/// without an end follow.
fn position(value: Str<'_>, wanted: bool, start: i64, end: Option<i64>, unit: Unit) -> Option<usize> {
    let mut digits = itoa::Buffer::new();
    let bytes = value.bytes(&mut digits);
    let part = clamped_range(start, end.unwrap_or(-1), unit.places(bytes))?;
    bits::first(bytes, unit.bits(part), wanted)
        .or_else(|| (!wanted && end.is_none()).then_some(bytes.len() * 8))
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    const OFFSET: &str = "ERR bit offset is not an integer or out of range";
    const BIT: &str = "ERR bit is not an integer or out of range";
    const INTEGER: &str = "ERR value is not an integer or out of range";

    #[test]
    fn bits_out_of_bounds_are_refused() {
        let mut client = Client::new();
        client.check_errors(&[
            ("SETBIT a -1 1", OFFSET),
            ("SETBIT a x 1", OFFSET),
            ("SETBIT a 4294967296 1", OFFSET),
            ("SETBIT a 0 2", BIT),
            ("SETBIT a 0 -1", BIT),
            ("SETBIT a 0 x", BIT),
            ("GETBIT a -1", OFFSET),
            ("GETBIT a 4294967296", OFFSET),
        ]);
        client.check(&[("GETBIT a 4294967295", "(integer) 0"), ("EXISTS a", "(integer) 0")]);
        client.host.bulk_bytes_max = Some(2);
        client.check(&[("SETBIT a 15 1", "(integer) 0"), ("STRLEN a", "(integer) 2")]);
        client.check_errors(&[("SETBIT a 16 1", OFFSET)]);
    }

    #[test]
    fn only_what_changes_a_value_is_noted() {
        let mut client = Client::new();
        let noted = |line: &str| (1, vec!["setbit a".to_owned()], vec![line.to_owned()]);
        assert_eq!(client.changes("SETBIT a 9 0"), noted("SETBIT a 9 0"));
        assert_eq!(client.changes("SETBIT a 9 0"), (0, vec![], vec![]));
        assert_eq!(client.changes("SETBIT a 9 1"), noted("SETBIT a 9 1"));
        assert_eq!(client.changes("SETBIT a 16 0"), noted("SETBIT a 16 0"));
    }

    #[test]
    fn bits_of_integers_are_bits_of_their_digits() {
        Client::new().check(&[
            ("SET a 12", "OK"),
            ("BITCOUNT a", "(integer) 6"),
            ("GETBIT a 2", "(integer) 1"),
            ("BITPOS a 1", "(integer) 2"),
            ("SETBIT a 15 1", "(integer) 0"),
            ("GET a", "\"13\""),
            ("OBJECT ENCODING a", "\"raw\""),
        ]);
    }

    #[test]
    fn parts_are_counted_in_bytes_or_bits() {
        Client::new().check(&[
            ("SET a foobar", "OK"),
            ("BITCOUNT a -2 -1", "(integer) 7"),
            ("BITCOUNT a 5 5 byte", "(integer) 4"),
            ("BITCOUNT a -6 -7", "(integer) 0"),
            ("BITCOUNT a 100 200", "(integer) 0"),
            ("BITCOUNT a -1 -1 bit", "(integer) 0"),
            ("BITCOUNT none 0 -1", "(integer) 0"),
            ("BITPOS a 1 10 14 BIT", "(integer) 10"),
            ("BITPOS a 0 -100 -200", "(integer) 0"),
        ]);
    }

    #[test]
    fn clear_bits_follow_a_value_that_is_read_to_its_end() {
        Client::new().check(&[
            ("SETRANGE a 2 x", "(integer) 3"),
            ("BITFIELD a SET i24 0 -1", "1) (integer) 120"),
            ("BITPOS a 0", "(integer) 24"),
            ("BITPOS a 0 1", "(integer) 24"),
            ("BITPOS a 0 0 -1", "(integer) -1"),
            ("BITPOS a 0 3", "(integer) -1"),
            ("BITPOS a 1 3", "(integer) -1"),
            ("BITPOS none 0 5", "(integer) 0"),
            ("BITPOS none 1", "(integer) -1"),
        ]);
    }

    #[test]
    fn wrong_parts_are_refused_whether_the_key_is_there_or_not() {
        let mut client = Client::new();
        client.send("SET a 1");
        for key in ["a", "none"] {
            for (rest, error) in [
                ("0", "ERR syntax error"),
                ("0 1 BITS", "ERR syntax error"),
                ("0 1 BIT x", "ERR syntax error"),
                ("x 1", INTEGER),
                ("0 1.5", INTEGER),
            ] {
                client.check_errors(&[(&format!("BITCOUNT {key} {rest}"), error)]);
            }
            for (rest, error) in [
                ("2", "ERR The bit argument must be 1 or 0."),
                ("x", INTEGER),
                ("0 x", INTEGER),
                ("0 0 x", INTEGER),
                ("0 0 x BITS", "ERR syntax error"),
                ("0 0 1 BIT x", "ERR syntax error"),
            ] {
                client.check_errors(&[(&format!("BITPOS {key} {rest}"), error)]);
            }
        }
    }
}
