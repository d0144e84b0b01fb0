//! Bitfields: integers of any width up to 64 bits, at any bit of a string.

use engine::{EventClass, Str};
use resp::Reply;
use smallvec::SmallVec;

use crate::bitmap::{BITMAP, OFFSET, bit_in_bounds, bit_offset};
use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::KeySpec;
use crate::number::int;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&BITFIELD, &BITFIELD_RO];

static BITFIELD: Command = Command {
    name: "bitfield",
    arity: -2,
    flags: flags::WRITE | flags::DENYOOM,
    keys: &[KeySpec::one(1, "RW update access variable_flags")],
    run: bitfield,
    summary: "Reads, sets and adds to integers of any width inside of a value.",
    since: "3.2.0",
    complexity: "O(1) for each operation",
    syntax: "key [(GET encoding offset | [OVERFLOW (WRAP | SAT | FAIL)] \
        (SET encoding offset value | INCRBY encoding offset increment)) ...]",
    example: "> BITFIELD a SET u8 0 255 INCRBY u8 #1 10\n1) (integer) 0\n2) (integer) 10\n\
        > BITFIELD a OVERFLOW SAT INCRBY u8 0 1 GET u4 4\n1) (integer) 255\n2) (integer) 15",
    ..BITMAP
};

fn bitfield(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let operations = parse(ctx)?;
    match operations.iter().filter(|operation| operation.action != Action::Get).map(Operation::end).max() {
        Some(end) => write(ctx, &operations, end),
        None => read(ctx, &operations),
    }
}

static BITFIELD_RO: Command = Command {
    name: "bitfield_ro",
    arity: -2,
    flags: flags::READONLY | flags::FAST,
    keys: &[KeySpec::one(1, "RO access")],
    run: bitfield_ro,
    summary: "Reads integers of any width inside of a value.",
    since: "6.0.0",
    complexity: "O(1) for each operation",
    syntax: "key [GET encoding offset ...]",
    example: "> SET a hello\nOK\n> BITFIELD_RO a GET i8 16\n1) (integer) 108",
    ..BITMAP
};

fn bitfield_ro(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let operations = parse(ctx)?;
    if operations.iter().any(|operation| operation.action != Action::Get) {
        return Err(Error::Text("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    read(ctx, &operations)
}

/// A width, and whether the top bit counts as negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Encoding {
    signed: bool,
    /// 1 to 64, or to 63 without a sign.
    bits: u32,
}

impl Encoding {
    fn parse(arg: &[u8]) -> Result<Encoding, Error> {
        let (signed, digits) = match arg {
            [b'i', digits @ ..] => (true, digits),
            [b'u', digits @ ..] => (false, digits),
            _ => (false, &[][..]),
        };
        match int(digits) {
            Ok(bits) if (1..=63 + i64::from(signed)).contains(&bits) => {
                Ok(Encoding { signed, bits: bits as u32 })
            }
            _ => Err(Error::Text(
                "ERR Invalid bitfield type. Use something like i16 u8. \
                 Note that u64 is not supported but i64 is.",
            )),
        }
    }

    /// The integer whose lowest bits are those of `raw`.
    fn value(self, raw: u64) -> i64 {
        let unused = 64 - self.bits;
        if self.signed { (raw << unused) as i64 >> unused } else { (raw << unused >> unused) as i64 }
    }

    /// The smallest and the largest integer.
    fn bounds(self) -> (i128, i128) {
        if self.signed {
            (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1)
        } else {
            (0, (1 << self.bits) - 1)
        }
    }

    /// `n` as this encoding holds it, when it does not fit as `overflow` says; nothing when that is a failure.
    fn fit(self, n: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = self.bounds();
        match overflow {
            _ if (min..=max).contains(&n) => Some(n as i64),
            Overflow::Wrap => Some(self.value(n as u64)),
            Overflow::Saturate => Some(n.clamp(min, max) as i64),
            Overflow::Fail => None,
        }
    }
}

/// What becomes of an integer that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overflow {
    /// Its high bits are dropped.
    Wrap,
    /// It becomes the nearest that fits.
    Saturate,
    /// The operation fails.
    Fail,
}

impl Overflow {
    fn parse(arg: &[u8]) -> Result<Overflow, Error> {
        if arg.eq_ignore_ascii_case(b"WRAP") {
            Ok(Overflow::Wrap)
        } else if arg.eq_ignore_ascii_case(b"SAT") {
            Ok(Overflow::Saturate)
        } else if arg.eq_ignore_ascii_case(b"FAIL") {
            Ok(Overflow::Fail)
        } else {
            Err(Error::Text("ERR Invalid OVERFLOW type specified"))
        }
    }
}

/// What is done with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Get,
    Set(i64),
    IncrBy(i64),
}

/// One operation on one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Operation {
    action: Action,
    encoding: Encoding,
    /// The field's first bit.
    offset: usize,
    overflow: Overflow,
}

/// The operations of a request: mostly few.
type Operations = SmallVec<[Operation; 4]>;

fn parse(ctx: &Ctx<'_, '_>) -> Result<Operations, Error> {
    let args = ctx.args;
    let mut operations = Operations::new();
    let mut overflow = Overflow::Wrap;
    let mut i = 2;
    while i < args.len() {
        let (word, left) = (args.at(i), args.len() - i - 1);
        let is = |name: &str, needs: usize| word.eq_ignore_ascii_case(name.as_bytes()) && left >= needs;
        if is("OVERFLOW", 1) {
            overflow = Overflow::parse(args.at(i + 1))?;
            i += 2;
            continue;
        }
        let action: Option<fn(i64) -> Action> = if is("GET", 2) {
            None
        } else if is("SET", 3) {
            Some(Action::Set)
        } else if is("INCRBY", 3) {
            Some(Action::IncrBy)
        } else {
            return Err(Error::Syntax);
        };
        let encoding = Encoding::parse(args.at(i + 1))?;
        let offset = field_offset(ctx, args.at(i + 2), encoding)?;
        let action = match action {
            None => Action::Get,
            Some(action) => action(int(args.at(i + 3))?),
        };
        i += if action == Action::Get { 3 } else { 4 };
        operations.push(Operation { action, encoding, offset, overflow });
    }
    Ok(operations)
}

/// The field's first bit: its number, or after `#` the number of the field among such fields.
fn field_offset(ctx: &Ctx<'_, '_>, arg: &[u8], encoding: Encoding) -> Result<usize, Error> {
    match arg {
        [b'#', index @ ..] => int(index)
            .ok()
            .and_then(|index| bit_in_bounds(ctx, index.checked_mul(i64::from(encoding.bits))?))
            .ok_or(OFFSET),
        offset => bit_offset(ctx, offset),
    }
}

impl Operation {
    /// The bytes that a value needs to hold the field.
    fn end(&self) -> usize {
        (self.offset + self.encoding.bits as usize).div_ceil(8)
    }

    /// The field's integer in `bytes`; bits behind their end are clear.
    fn get(&self, bytes: &[u8]) -> i64 {
        let rest = bytes.get(self.offset / 8..).unwrap_or(&[]);
        // 64 bits that start inside of a byte lie in nine.
        let window = rest.iter().copied().chain(std::iter::repeat(0)).take(16);
        let bits = window.fold(0u128, |bits, byte| bits << 8 | u128::from(byte)) << (self.offset % 8);
        self.encoding.value((bits >> (128 - self.encoding.bits)) as u64)
    }

    /// Makes `value` the field's integer in `bytes`, which must reach to [`Operation::end`].
    fn put(&self, bytes: &mut [u8], value: i64) {
        let shift = self.end() * 8 - self.offset - self.encoding.bits as usize;
        let mask = ((1u128 << self.encoding.bits) - 1) << shift;
        let bits = (value as u128) << shift & mask;
        let field = bytes[self.offset / 8..self.end()].iter_mut().rev();
        for (byte, i) in field.zip(0..) {
            *byte = *byte & !((mask >> (8 * i)) as u8) | (bits >> (8 * i)) as u8;
        }
    }

    /// Runs it on `bytes` and replies. What it did to the field: nothing when it failed or only read, else whether
    /// the field has another integer now.
    fn run(&self, bytes: &mut [u8], reply: &mut Reply) -> Option<bool> {
        let old = self.get(bytes);
        let wanted = match self.action {
            Action::Get => i128::from(old),
            // Without a sign, what is below zero is taken for very large.
            Action::Set(value) if !self.encoding.signed => i128::from(value as u64),
            Action::Set(value) => i128::from(value),
            Action::IncrBy(increment) => i128::from(old) + i128::from(increment),
        };
        let Some(new) = self.encoding.fit(wanted, self.overflow) else {
            reply.null();
            return None;
        };
        reply.int(if matches!(self.action, Action::IncrBy(_)) { new } else { old });
        if new != old {
            self.put(bytes, new);
        }
        (self.action != Action::Get).then_some(new != old)
    }
}

/// Runs operations that only read.
fn read(ctx: &mut Ctx<'_, '_>, operations: &[Operation]) -> Outcome {
    let key = ctx.key(1);
    let value = ctx.db.read_string(key)?.unwrap_or(Str::Bytes(b""));
    let mut digits = itoa::Buffer::new();
    let bytes = value.bytes(&mut digits);
    ctx.reply.array(operations.len());
    operations.iter().for_each(|operation| ctx.reply.int(operation.get(bytes)));
    Ok(())
}

/// Runs operations of which some write, up to byte `end`.
fn write(ctx: &mut Ctx<'_, '_>, operations: &[Operation], end: usize) -> Outcome {
    let key = ctx.key(1);
    let grows = ctx.db.write_string(key)?.map_or(0, Str::len) < end;
    ctx.reply.array(operations.len());
    let bytes = ctx.db.string_mut(key, end);
    let written = operations.iter().filter_map(|operation| operation.run(bytes, ctx.reply));
    // In a value that is made or made longer every field written counts as changed.
    let changes = written.filter(|changed| *changed || grows).count() as u64;
    if grows || changes > 0 {
        ctx.changed(EventClass::String, "setbit", key.bytes());
        // That was the first.
        ctx.db.turn.dirty += changes.saturating_sub(1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use engine::Rng;

    use super::*;
    use crate::testing::Client;

    const TYPE: &str =
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
    const OFFSET: &str = "ERR bit offset is not an integer or out of range";

    #[test]
    fn what_is_put_is_got_again_and_nothing_else_changes() {
        let mut rng = Rng::new(11);
        for _ in 0..3000 {
            let signed = rng.below(2) == 0;
            let encoding = Encoding { signed, bits: 1 + rng.below(63 + u64::from(signed)) as u32 };
            let offset = rng.below(100) as usize;
            let field = Operation { action: Action::Get, encoding, offset, overflow: Overflow::Wrap };
            let before: Vec<u8> = (0..30).map(|_| rng.next_u64() as u8).collect();
            let mut after = before.clone();
            let value = encoding.value(rng.next_u64());
            field.put(&mut after, value);
            assert_eq!(field.get(&after), value, "{field:?}");
            let inside = offset..offset + encoding.bits as usize;
            for bit in (0..before.len() * 8).filter(|bit| !inside.contains(bit)) {
                assert_eq!(crate::bits::get(&after, bit), crate::bits::get(&before, bit), "{field:?} {bit}");
            }
        }
    }

    #[test]
    fn fields_behind_the_end_are_clear_and_reading_makes_nothing() {
        Client::new().check(&[
            ("BITFIELD a GET u8 0 GET i64 #5", "1) (integer) 0\n2) (integer) 0"),
            ("EXISTS a", "(integer) 0"),
            ("BITFIELD a", "(empty array)"),
            ("SET a 1", "OK"),
            ("BITFIELD_RO a GET u8 0 GET u8 4 GET u8 #1", "1) (integer) 49\n2) (integer) 16\n3) (integer) 0"),
        ]);
    }

    #[test]
    fn what_does_not_fit_wraps_stays_at_the_bound_or_fails() {
        Client::new().check(&[
            ("BITFIELD a SET u8 0 255 SET i8 8 127", "1) (integer) 0\n2) (integer) 0"),
            ("BITFIELD a INCRBY u8 0 2 INCRBY i8 8 2", "1) (integer) 1\n2) (integer) -127"),
            ("BITFIELD a OVERFLOW SAT INCRBY u8 0 -2 INCRBY i8 8 -2", "1) (integer) 0\n2) (integer) -128"),
            ("BITFIELD a OVERFLOW FAIL INCRBY u8 0 -1 GET u8 0", "1) (nil)\n2) (integer) 0"),
            (
                "BITFIELD a OVERFLOW SAT SET u4 0 -1 OVERFLOW WRAP SET u4 0 17",
                "1) (integer) 0\n2) (integer) 15",
            ),
            ("BITFIELD a SET i64 0 9223372036854775807", "1) (integer) 1188950301625810944"),
            ("BITFIELD a INCRBY i64 0 1", "1) (integer) -9223372036854775808"),
            ("BITFIELD a OVERFLOW SAT INCRBY i64 0 -1", "1) (integer) -9223372036854775808"),
        ]);
    }

    #[test]
    fn each_field_that_changes_is_counted() {
        let mut client = Client::new();
        let set = |line: &str, changes| (changes, vec!["setbit a".to_owned()], vec![line.to_owned()]);
        let line = "BITFIELD a SET u8 0 1 SET u8 8 0";
        assert_eq!(client.changes(line), set(line, 2));
        assert_eq!(client.changes(line), (0, vec![], vec![]));
        let line = "BITFIELD a SET u8 0 2 SET u8 8 0 GET u8 0";
        assert_eq!(client.changes(line), set(line, 1));
        // It fails, but makes the value longer.
        let line = "BITFIELD a OVERFLOW FAIL SET u8 16 256";
        assert_eq!(client.changes(line), set(line, 1));
        client.check(&[("STRLEN a", "(integer) 3")]);
    }

    #[test]
    fn operations_that_make_no_sense_are_refused() {
        Client::new().check_errors(&[
            ("BITFIELD a GET u8", "ERR syntax error"),
            ("BITFIELD a SET u8 0", "ERR syntax error"),
            ("BITFIELD a OVERFLOW", "ERR syntax error"),
            ("BITFIELD a PUT u8 0", "ERR syntax error"),
            ("BITFIELD a OVERFLOW NONE GET u8 0", "ERR Invalid OVERFLOW type specified"),
            ("BITFIELD a GET u64 0", TYPE),
            ("BITFIELD a GET i65 0", TYPE),
            ("BITFIELD a GET u0 0", TYPE),
            ("BITFIELD a GET U8 0", TYPE),
            ("BITFIELD a GET x 0", TYPE),
            ("BITFIELD a GET \"\" 0", TYPE),
            ("BITFIELD a GET u8 -1", OFFSET),
            ("BITFIELD a GET u8 #x", OFFSET),
            ("BITFIELD a GET u8 #-1", OFFSET),
            ("BITFIELD a GET u8 4294967296", OFFSET),
            ("BITFIELD a GET u8 #536870912", OFFSET),
            ("BITFIELD a GET u8 #9223372036854775807", OFFSET),
            ("BITFIELD a SET u8 0 x", "ERR value is not an integer or out of range"),
            ("BITFIELD a GET u8 0 SET u8 0 1 GET u64 0", TYPE),
            ("BITFIELD_RO a SET u8 0 1", "ERR BITFIELD_RO only supports the GET subcommand"),
            ("BITFIELD_RO a GET u8 0 INCRBY u8 0 1", "ERR BITFIELD_RO only supports the GET subcommand"),
        ]);
    }
}
