//! BITOP: bitwise operations between whole values.

use engine::{Deadline, EventClass, Free};

use crate::bitmap::BITMAP;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::KeySpec;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&BITOP];

static BITOP: Command = Command {
    name: "bitop",
    arity: -4,
    flags: flags::WRITE | flags::DENYOOM,
    keys: &[KeySpec::one(2, "OW update"), KeySpec::rest(3, 1, "RO access")],
    run: bitop,
    summary: "Sets a key to what a bitwise operation makes of the values of others.",
    since: "2.6.0",
    complexity: "O(N)",
    syntax: "(AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE) destkey key...",
    example: "> MSET a foobar b abcdef\nOK\n> BITOP AND c a b\n(integer) 6\n> GET c\n\"`bc`ab\"\n\
        > BITOP DIFF d a b\n(integer) 6\n> BITCOUNT d\n(integer) 9",
    history: &[("8.2.0", "DIFF, DIFF1, ANDOR and ONE.")],
    ..BITMAP
};

/// A bitwise operation. A value that is shorter than others has clear bits behind its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    /// Bits set in all values.
    And,
    /// Bits set in any.
    Or,
    /// Bits set in an odd number of them.
    Xor,
    /// Bits clear in the only one.
    Not,
    /// Bits set in the first, and in no other.
    Diff,
    /// Bits clear in the first, and set in any other.
    Diff1,
    /// Bits set in the first, and in any other.
    AndOr,
    /// Bits set in exactly one.
    One,
}

impl Operation {
    const NAMES: [(&'static str, Operation); 8] = [
        ("AND", Operation::And),
        ("OR", Operation::Or),
        ("XOR", Operation::Xor),
        ("NOT", Operation::Not),
        ("DIFF", Operation::Diff),
        ("DIFF1", Operation::Diff1),
        ("ANDOR", Operation::AndOr),
        ("ONE", Operation::One),
    ];

    /// The operation called `word`, for `sources` values.
    fn parse(word: &[u8], sources: usize) -> Result<Operation, Error> {
        let (name, operation) = Operation::NAMES
            .into_iter()
            .find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))
            .ok_or(Error::Syntax)?;
        match operation {
            Operation::Not if sources != 1 => {
                Err(Error::Text("ERR BITOP NOT must be called with a single source key."))
            }
            Operation::Diff | Operation::Diff1 | Operation::AndOr if sources < 2 => {
                Err(Error::Message(format!("ERR BITOP {name} must be called with at least two source keys.")))
            }
            _ => Ok(operation),
        }
    }
}

fn bitop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let operation = Operation::parse(ctx.args.at(1), ctx.args.len() - 3)?;
    let mut fold = Fold::default();
    for i in 3..ctx.args.len() {
        let source = ctx.key(i);
        let value = ctx.db.read_string(source)?;
        let mut digits = itoa::Buffer::new();
        fold.add(operation, value.map_or(&[][..], |value| value.bytes(&mut digits)), i == 3);
    }
    let result = fold.finish(operation);
    let key = ctx.key(2);
    if !result.is_empty() {
        ctx.db.set_raw(key, &result, Deadline::Never);
        ctx.changed(EventClass::String, "set", key.bytes());
    } else if ctx.db.delete(key, Free::Later) {
        ctx.changed(EventClass::Generic, "del", key.bytes());
    }
    ctx.reply.int(result.len() as i64);
    Ok(())
}

/// What an operation has made of the values seen so far. Both are as long as the longest of them.
#[derive(Debug, Default)]
struct Fold {
    /// The result of those operations that need nothing else; the first value for DIFF, DIFF1 and ANDOR.
    main: Vec<u8>,
    /// For DIFF, DIFF1 and ANDOR the bits set in any value but the first; for ONE the bits set in two or more.
    side: Vec<u8>,
}

impl Fold {
    fn add(&mut self, operation: Operation, value: &[u8], is_first: bool) {
        if is_first {
            self.main = value.to_vec();
            return;
        }
        if self.main.len() < value.len() {
            self.main.resize(value.len(), 0);
        }
        match operation {
            Operation::And => {
                combine(&mut self.main, value, |main, byte| main & byte);
                self.main[value.len()..].fill(0);
            }
            Operation::Or => combine(&mut self.main, value, |main, byte| main | byte),
            Operation::Xor => combine(&mut self.main, value, |main, byte| main ^ byte),
            Operation::Diff | Operation::Diff1 | Operation::AndOr => {
                self.side.resize(self.main.len(), 0);
                combine(&mut self.side, value, |side, byte| side | byte);
            }
            Operation::One => {
                self.side.resize(self.main.len(), 0);
                for ((main, side), byte) in self.main.iter_mut().zip(&mut self.side).zip(value) {
                    *side |= *main & byte;
                    *main ^= byte;
                }
            }
            // It has one value.
            Operation::Not => {}
        }
    }

    fn finish(mut self, operation: Operation) -> Vec<u8> {
        match operation {
            Operation::And | Operation::Or | Operation::Xor => {}
            Operation::Not => self.main.iter_mut().for_each(|byte| *byte = !*byte),
            Operation::Diff | Operation::One => {
                combine(&mut self.main, &self.side, |main, side| main & !side)
            }
            Operation::Diff1 => combine(&mut self.main, &self.side, |main, side| !main & side),
            Operation::AndOr => combine(&mut self.main, &self.side, |main, side| main & side),
        }
        self.main
    }
}

/// Makes each byte of `target` what `f` makes of it and the byte of `other` in the same place, as far as both go.
/// The compiler does many bytes at a time.
fn combine(target: &mut [u8], other: &[u8], f: impl Fn(u8, u8) -> u8) {
    for (target, other) in target.iter_mut().zip(other) {
        *target = f(*target, *other);
    }
}

#[cfg(test)]
mod tests {
    use engine::Rng;
    use resp::ArgsBuf;

    use super::*;
    use crate::testing::Client;

    /// The bit in one place of the result, from the bits of the values there.
    fn expected(operation: Operation, bits: &[bool]) -> bool {
        let others = bits[1..].contains(&true);
        let set = bits.iter().filter(|bit| **bit).count();
        match operation {
            Operation::And => set == bits.len(),
            Operation::Or => set > 0,
            Operation::Xor => set % 2 == 1,
            Operation::Not => !bits[0],
            Operation::Diff => bits[0] && !others,
            Operation::Diff1 => !bits[0] && others,
            Operation::AndOr => bits[0] && others,
            Operation::One => set == 1,
        }
    }

    #[test]
    fn results_agree_with_going_bit_by_bit() {
        let (mut rng, mut client) = (Rng::new(3), Client::new());
        for round in 0..400 {
            let (name, operation) = Operation::NAMES[round % 8];
            let sources = if operation == Operation::Not { 1 } else { 2 + rng.below(4) as usize };
            let values: Vec<Vec<u8>> =
                (0..sources).map(|_| (0..rng.below(70)).map(|_| rng.next_u64() as u8).collect()).collect();
            let mut request: Vec<Vec<u8>> = vec!["BITOP".into(), name.into(), "to".into()];
            for (i, value) in values.iter().enumerate() {
                let key = format!("from{i}").into_bytes();
                let set: ArgsBuf = [b"SET".as_slice(), &key, value].iter().collect();
                client.request(set.args());
                request.push(key);
            }
            let len = values.iter().map(Vec::len).max().unwrap();
            let request: ArgsBuf = request.iter().collect();
            assert_eq!(client.request(request.args()), format!(":{len}\r\n").into_bytes());
            for bit in 0..len * 8 {
                let bits: Vec<bool> = values.iter().map(|value| crate::bits::get(value, bit)).collect();
                let bit = client.show(&format!("GETBIT to {bit}"));
                assert_eq!(
                    bit,
                    format!("(integer) {}", u8::from(expected(operation, &bits))),
                    "{name} {bits:?}"
                );
            }
        }
    }

    #[test]
    fn an_empty_result_removes_the_key() {
        let mut client = Client::new();
        client.check(&[("SET a 1 EX 100", "OK"), ("SET b 2 EX 100", "OK")]);
        let (changes, events, effects) = client.changes("BITOP AND a none none");
        assert_eq!(
            (changes, events.join(" "), effects.join(" ")),
            (1, "del a".into(), "BITOP AND a none none".into())
        );
        assert_eq!(client.changes("BITOP NOT a none"), (0, vec![], vec![]));
        let (changes, events, _) = client.changes("BITOP OR b b none");
        assert_eq!((changes, events.join(" ")), (1, "set b".into()));
        client.check(&[("TTL b", "(integer) -1"), ("OBJECT ENCODING b", "\"raw\"")]);
    }

    #[test]
    fn wrong_numbers_of_values_are_refused() {
        Client::new().check_errors(&[
            ("BITOP NAND to a b", "ERR syntax error"),
            ("BITOP NOT to a b", "ERR BITOP NOT must be called with a single source key."),
            ("BITOP DIFF to a", "ERR BITOP DIFF must be called with at least two source keys."),
            ("BITOP diff1 to a", "ERR BITOP DIFF1 must be called with at least two source keys."),
            ("BITOP AndOr to a", "ERR BITOP ANDOR must be called with at least two source keys."),
        ]);
    }
}
