//! Options that say when a key expires: EX, PX, EXAT, PXAT, KEEPTTL, PERSIST.

use engine::Deadline;
use resp::Args;

use crate::error::Error;
use crate::number::int;

/// Milliseconds in a second: the unit of EX, EXAT and EXPIRE.
pub(crate) const SECOND_MS: i64 = 1000;

/// The moment `amount` units of `unit_ms` milliseconds after `start_ms` (the Unix epoch's 0 for absolute times),
/// in milliseconds since the Unix epoch; nothing when it does not fit in 64 bits.
pub(crate) fn moment_ms(amount: i64, unit_ms: i64, start_ms: i64) -> Option<i64> {
    amount.checked_mul(unit_ms)?.checked_add(start_ms)
}

/// Which option was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ex,
    Px,
    ExAt,
    PxAt,
    KeepTtl,
    Persist,
}

/// The expiry option of one request: none yet, or the last one. An option may be repeated, and the last counts,
/// but two different ones do not go together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expiry<'a> {
    given: Option<Kind>,
    /// The time as it was written; empty for the options without one.
    time: &'a [u8],
    /// KEEPTTL or PERSIST: the option without a time that this command knows.
    without_time: Kind,
}

impl<'a> Expiry<'a> {
    /// Of a command that writes a value: EX, PX, EXAT, PXAT or KEEPTTL.
    pub(crate) fn of_write() -> Expiry<'a> {
        Expiry { given: None, time: b"", without_time: Kind::KeepTtl }
    }

    /// Of a command that reads one: EX, PX, EXAT, PXAT or PERSIST.
    pub(crate) fn of_read() -> Expiry<'a> {
        Expiry { given: None, time: b"", without_time: Kind::Persist }
    }

    /// EX with this time.
    pub(crate) fn ex(time: &'a [u8]) -> Expiry<'a> {
        Expiry { given: Some(Kind::Ex), time, ..Expiry::of_write() }
    }

    /// PX with this time.
    pub(crate) fn px(time: &'a [u8]) -> Expiry<'a> {
        Expiry { given: Some(Kind::Px), time, ..Expiry::of_write() }
    }

    /// Takes the option at argument `*i` and moves `*i` behind it.
    ///
    /// # Errors
    /// [`Error::Syntax`] when no expiry option stands there, or one without its time, or one that does not go with
    /// an earlier one.
    pub(crate) fn take(&mut self, args: Args<'a>, i: &mut usize) -> Result<(), Error> {
        let kind = match args.at(*i) {
            word if word.eq_ignore_ascii_case(b"EX") => Kind::Ex,
            word if word.eq_ignore_ascii_case(b"PX") => Kind::Px,
            word if word.eq_ignore_ascii_case(b"EXAT") => Kind::ExAt,
            word if word.eq_ignore_ascii_case(b"PXAT") => Kind::PxAt,
            word if word.eq_ignore_ascii_case(b"KEEPTTL") => Kind::KeepTtl,
            word if word.eq_ignore_ascii_case(b"PERSIST") => Kind::Persist,
            _ => return Err(Error::Syntax),
        };
        *i += 1;
        if matches!(kind, Kind::KeepTtl | Kind::Persist) {
            if kind != self.without_time {
                return Err(Error::Syntax);
            }
        } else {
            self.time = args.get(*i).ok_or(Error::Syntax)?;
            *i += 1;
        }
        match self.given.replace(kind) {
            Some(earlier) if earlier != kind => Err(Error::Syntax),
            _ => Ok(()),
        }
    }

    /// What becomes of the deadline; nothing when no option was given.
    ///
    /// # Errors
    /// [`Error::NotInteger`], or [`Error::ExpireTime`] when the time is not positive or its moment does not fit in
    /// 64 bits.
    pub(crate) fn deadline(self, now_ms: i64, command: &'static str) -> Result<Option<Deadline>, Error> {
        let (unit_ms, start_ms) = match self.given {
            None => return Ok(None),
            Some(Kind::KeepTtl) => return Ok(Some(Deadline::Keep)),
            Some(Kind::Persist) => return Ok(Some(Deadline::Never)),
            Some(Kind::Ex) => (SECOND_MS, now_ms),
            Some(Kind::Px) => (1, now_ms),
            Some(Kind::ExAt) => (SECOND_MS, 0),
            Some(Kind::PxAt) => (1, 0),
        };
        match int(self.time)? {
            amount @ 1.. => moment_ms(amount, unit_ms, start_ms),
            _ => None,
        }
        .map(|moment_ms| Some(Deadline::At(moment_ms)))
        .ok_or(Error::ExpireTime(command))
    }

    /// Whether the time is given as a moment (EXAT, PXAT), which may be in the past.
    pub(crate) fn is_moment(self) -> bool {
        matches!(self.given, Some(Kind::ExAt | Kind::PxAt))
    }

    /// Whether the option means the same whenever the request is run: none, PXAT, KEEPTTL or PERSIST.
    pub(crate) fn is_absolute(self) -> bool {
        !matches!(self.given, Some(Kind::Ex | Kind::Px | Kind::ExAt))
    }
}

#[cfg(test)]
mod tests {
    use resp::ArgsBuf;

    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    /// What the options in `words` come to, at `NOW_MS`.
    fn deadline(of: Expiry<'static>, words: &str) -> Result<Option<Deadline>, Error> {
        let args: ArgsBuf = words.split_whitespace().collect();
        let (mut expiry, mut i) = (of, 0);
        while i < args.args().len() {
            expiry.take(args.args(), &mut i)?;
        }
        expiry.deadline(NOW_MS, "set")
    }

    #[test]
    fn each_option_gives_its_moment() {
        let of = Expiry::of_write();
        assert_eq!(deadline(of, ""), Ok(None));
        assert_eq!(deadline(of, "ex 10"), Ok(Some(Deadline::At(NOW_MS + 10_000))));
        assert_eq!(deadline(of, "Px 10"), Ok(Some(Deadline::At(NOW_MS + 10))));
        assert_eq!(deadline(of, "EXAT 10"), Ok(Some(Deadline::At(10_000))));
        assert_eq!(deadline(of, "PXAT 10"), Ok(Some(Deadline::At(10))));
        assert_eq!(deadline(of, "keepttl"), Ok(Some(Deadline::Keep)));
        assert_eq!(deadline(Expiry::of_read(), "persist"), Ok(Some(Deadline::Never)));
    }

    #[test]
    fn the_last_of_a_repeated_option_counts() {
        assert_eq!(deadline(Expiry::of_write(), "PX 10 PX 20"), Ok(Some(Deadline::At(NOW_MS + 20))));
        assert_eq!(deadline(Expiry::of_write(), "KEEPTTL KEEPTTL"), Ok(Some(Deadline::Keep)));
    }

    #[test]
    fn what_does_not_go_together_is_a_syntax_error() {
        for words in ["EX 1 PX 1", "KEEPTTL EX 1", "PXAT 1 KEEPTTL", "EX", "EX 1 EX", "PERSIST", "NX"] {
            assert_eq!(deadline(Expiry::of_write(), words), Err(Error::Syntax), "{words}");
        }
        for words in ["KEEPTTL", "PERSIST EX 1", "EXAT 1 PERSIST"] {
            assert_eq!(deadline(Expiry::of_read(), words), Err(Error::Syntax), "{words}");
        }
    }

    #[test]
    fn times_out_of_range_are_refused() {
        let invalid = Err(Error::ExpireTime("set"));
        for words in [
            "EX 0",
            "EX -1",
            "PXAT 0",
            "EX 9223372036854775807",
            "EXAT 9223372036854776",
            "PX 9223372036854775807",
        ] {
            assert_eq!(deadline(Expiry::of_write(), words), invalid, "{words}");
        }
        assert_eq!(Error::ExpireTime("set").to_string(), "ERR invalid expire time in 'set' command");
        for words in ["EX x", "PX 1.5", "PXAT 9223372036854775808"] {
            assert_eq!(deadline(Expiry::of_write(), words), Err(Error::NotInteger), "{words}");
        }
        let latest = Ok(Some(Deadline::At(i64::MAX)));
        assert_eq!(deadline(Expiry::of_write(), "PXAT 9223372036854775807"), latest);
        assert_eq!(deadline(Expiry::of_write(), "PX 9223370336854775807"), latest);
    }
}
