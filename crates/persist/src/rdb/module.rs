//! What modules write into files. Their values are sequences of numbers and strings, each with an opcode before it, so
//! that whoever lacks the module can pass over them.

use std::fmt;

use super::error::{Error, Fault};
use super::input::Input;

/// The name of a module's type: nine characters and a version, in 64 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ModuleName(pub u64);

const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const VERSION_BITS: u32 = 10;

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for i in (0..9).rev() {
            let character = CHARACTERS[(self.0 >> (VERSION_BITS + 6 * i)) as usize & 63];
            write!(f, "{}", char::from(character))?;
        }
        write!(f, " version {}", self.0 & ((1 << VERSION_BITS) - 1))
    }
}

impl fmt::Debug for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModuleName({self})")
    }
}

/// Passes over what a module wrote, up to and with its end.
pub(super) fn skip_body(input: &mut impl Input) -> Result<(), Error> {
    loop {
        let at = input.offset();
        match input.length()? {
            0 => return Ok(()),
            1 | 2 => drop(input.length()?),
            3 => drop(input.array::<4>()?),
            4 => drop(input.array::<8>()?),
            5 => input.skip_string()?,
            _ => {
                return Err(Error {
                    offset: at,
                    fault: Fault::Corrupt("a module's value has an unknown part"),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ModuleName;

    #[test]
    fn a_name_is_told_with_its_version() {
        // "AAAAAAAAB", version 3.
        assert_eq!(ModuleName(1 << 10 | 3).to_string(), "AAAAAAAAB version 3");
    }
}
