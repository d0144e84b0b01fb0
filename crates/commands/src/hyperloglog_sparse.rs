//! HyperLogLog's sparse encoding: the 16384 registers as runs of equal ones, each an opcode of one or two bytes.
//!
//! | opcode | bits | a run of |
//! |---|---|---|
//! | ZERO | `00llllll` | 1 to 64 registers that are 0 |
//! | XZERO | `01llllll llllllll` | 1 to 16384 registers that are 0 |
//! | VAL | `1vvvvvll` | 1 to 4 registers that are 1 to 32 |
//!
//! Which runs stand for given registers depends on the order they were raised in, and is Redis's to the byte.

use smallvec::SmallVec;

use crate::hyperloglog_value::Corrupted;

/// Highest register that VAL can hold.
pub(crate) const VALUE_MAX: u8 = 32;
/// Most registers of one VAL.
const VALUE_RUN_MAX: usize = 4;
/// Most registers of one ZERO.
const ZERO_RUN_MAX: usize = 64;
/// How many opcodes are looked at after a change to see whether they join: the one before it, and those it made.
const JOINED_MAX: usize = 5;

/// Opcodes in bytes.
type Opcodes = SmallVec<[u8; 8]>;

/// One opcode, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// What its registers are.
    pub(crate) value: u8,
    /// How many they are.
    pub(crate) len: usize,
    /// Whether it is an XZERO.
    pub(crate) long: bool,
}

impl Run {
    /// The opcode at the beginning of `opcodes`; nothing at their end.
    ///
    /// # Errors
    /// When it is cut off.
    pub(crate) fn read(opcodes: &[u8]) -> Result<Option<Run>, Corrupted> {
        let run = match *opcodes {
            [] => return Ok(None),
            [op, ..] if op & 0x80 != 0 => {
                Run { value: (op >> 2 & 0x1f) + 1, len: usize::from(op & 3) + 1, long: false }
            }
            [op, ..] if op & 0x40 == 0 => Run { value: 0, len: usize::from(op) + 1, long: false },
            [op, low, ..] => {
                Run { value: 0, len: (usize::from(op & 0x3f) << 8 | usize::from(low)) + 1, long: true }
            }
            [_] => return Err(Corrupted),
        };
        Ok(Some(run))
    }

    /// Bytes that it takes.
    fn width(self) -> usize {
        1 + usize::from(self.long)
    }

    /// Appends `len` registers that are `value`; none when `len` is 0.
    fn write(value: u8, len: usize, opcodes: &mut Opcodes) {
        let Some(rest) = len.checked_sub(1) else { return };
        if value > 0 {
            opcodes.push(0x80 | (value - 1) << 2 | rest as u8);
        } else if len <= ZERO_RUN_MAX {
            opcodes.push(rest as u8);
        } else {
            opcodes.extend([0x40 | (rest >> 8) as u8, rest as u8]);
        }
    }
}

/// The runs of `opcodes`, up to the first that is cut off, which ends them with an error.
pub(crate) fn runs(opcodes: &[u8]) -> impl Iterator<Item = Result<Run, Corrupted>> {
    let mut rest = opcodes;
    std::iter::from_fn(move || {
        let run = Run::read(rest).transpose()?;
        rest = run.map_or(&[], |run| &rest[run.width()..]);
        Some(run)
    })
}

/// What came of raising a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Raised {
    /// It was as high already.
    No,
    /// It is higher now.
    Yes,
    /// It is too high for this encoding, or the bytes would become too many; nothing has changed.
    TooBig,
}

/// Raises register `index` to `value` (at least 1), when it is below. `bytes` are opcodes from `start` on, and may be
/// `bytes_max` in all.
///
/// # Errors
/// When the opcodes are no 16384 registers.
pub(crate) fn raise(
    bytes: &mut Vec<u8>,
    start: usize,
    index: usize,
    value: u8,
    bytes_max: usize,
) -> Result<Raised, Corrupted> {
    if value > VALUE_MAX {
        return Ok(Raised::TooBig);
    }
    let (mut at, mut first, mut before) = (start, 0, start);
    let run = loop {
        let run = Run::read(&bytes[at..])?.ok_or(Corrupted)?;
        if index < first + run.len {
            break run;
        }
        (before, at, first) = (at, at + run.width(), first + run.len);
    };
    if run.value >= value {
        return Ok(Raised::No);
    }
    let mut opcodes = Opcodes::new();
    Run::write(run.value, index - first, &mut opcodes);
    Run::write(value, 1, &mut opcodes);
    Run::write(run.value, first + run.len - 1 - index, &mut opcodes);
    if opcodes.len() > run.width() && bytes.len() + opcodes.len() - run.width() > bytes_max {
        return Ok(Raised::TooBig);
    }
    bytes.splice(at..at + run.width(), opcodes);
    join(bytes, before)?;
    Ok(Raised::Yes)
}

/// Makes one of each two VALs of the same value that fit in one, from the opcode at `at` on.
fn join(bytes: &mut Vec<u8>, mut at: usize) -> Result<(), Corrupted> {
    for _ in 0..JOINED_MAX {
        let Some(run) = Run::read(&bytes[at..])? else { break };
        // What a change left whole may still be cut off.
        let next = Run::read(&bytes[at + run.width()..]).ok().flatten();
        match next {
            Some(next) if run.value > 0 && next.value == run.value && run.len + next.len <= VALUE_RUN_MAX => {
                let mut joined = Opcodes::new();
                Run::write(run.value, run.len + next.len, &mut joined);
                bytes.splice(at..at + 2, joined);
            }
            _ => at += run.width(),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: [u8; 2] = [0x7f, 0xff];

    fn raised(bytes: &mut Vec<u8>, index: usize, value: u8) -> Raised {
        raise(bytes, 0, index, value, 3000).unwrap()
    }

    fn read(bytes: &[u8]) -> Vec<(u8, usize)> {
        runs(bytes).map(|run| run.map(|run| (run.value, run.len)).unwrap()).collect()
    }

    #[test]
    fn a_run_is_split_around_the_register_that_rises() {
        let mut bytes = EMPTY.to_vec();
        assert_eq!(raised(&mut bytes, 100, 5), Raised::Yes);
        assert_eq!(read(&bytes), [(0, 100), (5, 1), (0, 16283)]);
        assert_eq!(raised(&mut bytes, 100, 4), Raised::No);
        assert_eq!(raised(&mut bytes, 40, 1), Raised::Yes);
        assert_eq!(read(&bytes), [(0, 40), (1, 1), (0, 59), (5, 1), (0, 16283)]);
        assert_eq!(bytes.len(), 1 + 1 + 1 + 1 + 2);
        assert_eq!(raised(&mut bytes, 16383, 32), Raised::Yes);
        assert_eq!(read(&bytes).last(), Some(&(32, 1)));
    }

    #[test]
    fn equal_neighbours_join_up_to_four() {
        let mut bytes = EMPTY.to_vec();
        for index in [0, 1, 3, 2, 4] {
            raised(&mut bytes, index, 7);
        }
        assert_eq!(read(&bytes), [(7, 4), (7, 1), (0, 16379)]);
        assert_eq!(raised(&mut bytes, 2, 8), Raised::Yes);
        assert_eq!(read(&bytes), [(7, 2), (8, 1), (7, 2), (0, 16379)]);
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut bytes = EMPTY.to_vec();
        assert_eq!(raise(&mut bytes, 0, 5, 33, 3000), Ok(Raised::TooBig));
        assert_eq!(raise(&mut bytes, 0, 5, 1, 3), Ok(Raised::TooBig));
        assert_eq!(bytes, EMPTY);
    }

    #[test]
    fn opcodes_that_are_cut_off_or_too_few_are_found() {
        assert_eq!(raise(&mut vec![0x7f], 0, 5, 1, 3000), Err(Corrupted));
        assert_eq!(raise(&mut vec![0x04], 0, 5, 1, 3000), Err(Corrupted));
        assert_eq!(runs(&[0x04, 0x7f]).last(), Some(Err(Corrupted)));
    }
}
