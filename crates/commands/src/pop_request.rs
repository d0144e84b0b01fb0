//! What a command that pops from the first of several keys is asked for: LMPOP and ZMPOP.

use std::ops::Range;

use resp::Args;

use crate::error::Error;
use crate::number::int;

/// `numkeys key [key ...] <end> [COUNT count]`.
pub(crate) struct PopRequest<E> {
    /// The arguments that are keys.
    pub keys: Range<usize>,
    /// From where it pops.
    pub end: E,
    /// How many elements at most; at least one.
    pub count: usize,
}

impl<E> PopRequest<E> {
    /// Reads `args` from argument `numkeys` on, and an end as `end` reads it.
    ///
    /// # Errors
    /// A number that is not positive, or [`Error::Syntax`].
    pub(crate) fn parse(
        args: Args<'_>,
        numkeys: usize,
        end: impl FnOnce(&[u8]) -> Result<E, Error>,
    ) -> Result<PopRequest<E>, Error> {
        let first = numkeys + 1;
        let numkeys =
            positive(args.at(numkeys)).ok_or(Error::Text("ERR numkeys should be greater than 0"))?;
        let after = first.checked_add(numkeys).filter(|&i| i < args.len()).ok_or(Error::Syntax)?;
        let end = end(args.at(after))?;
        let options = args.from(after + 1);
        let count = match (options.get(0), options.get(1)) {
            (None, _) => 1,
            (Some(name), Some(count)) if name.eq_ignore_ascii_case(b"count") => {
                positive(count).ok_or(Error::Text("ERR count should be greater than 0"))?
            }
            _ => return Err(Error::Syntax),
        };
        if options.len() > 2 {
            return Err(Error::Syntax);
        }
        Ok(PopRequest { keys: first..after, end, count })
    }
}

fn positive(arg: &[u8]) -> Option<usize> {
    int(arg).ok().and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0)
}
