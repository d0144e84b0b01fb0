//! Requests as Redis writes them into its log: arrays of bulk strings, and nothing else.
//!
//! Read as strictly as redis-check-aof reads them: every digit, `\r` and `\n` is where it belongs.

/// Longest line with a number: its letter, 19 digits, `\r\n`.
const LINE_BYTES_MAX: usize = 22;
/// Most arguments, as in Redis.
const ARGS_MAX: u64 = i32::MAX as u64;

/// What a request is, as far as the log must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It begins a transaction.
    Multi,
    /// It ends one.
    Exec,
    /// It is a SELECT as Redis writes it, in capitals.
    Select,
    /// It is something else.
    Other,
}

/// A request at the beginning of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// It is there, and this long.
    Whole(usize, Word),
    /// Bytes are missing.
    Short,
}

/// Reads the request that `bytes` begin with.
///
/// # Errors
/// They begin with none, whatever follows.
#[inline]
pub(super) fn read(bytes: &[u8]) -> Result<Read, &'static str> {
    let Some((args, mut at)) = number(bytes, b'*', "a request does not begin with `*` and a number")? else {
        return Ok(Read::Short);
    };
    if args == 0 || args > ARGS_MAX {
        return Err("the number of a request's arguments is out of bounds");
    }
    let mut word = Word::Other;
    for arg in 0..args {
        let header = number(&bytes[at..], b'$', "an argument does not begin with `$` and a length")?;
        let Some((len, line)) = header else { return Ok(Read::Short) };
        at += line;
        let left = bytes.len() - at;
        let Some(end) = usize::try_from(len).ok().filter(|&len| len <= left).map(|len| at + len) else {
            return Ok(Read::Short);
        };
        match &bytes[end..] {
            [b'\r', b'\n', ..] => {}
            [] | [b'\r'] => return Ok(Read::Short),
            _ => return Err("an argument does not end where its length says"),
        }
        if arg == 0 {
            word = word_of(&bytes[at..end]);
        }
        at = end + 2;
    }
    Ok(Read::Whole(at, word))
}

fn word_of(name: &[u8]) -> Word {
    if name == b"SELECT" {
        Word::Select
    } else if name.eq_ignore_ascii_case(b"multi") {
        Word::Multi
    } else if name.eq_ignore_ascii_case(b"exec") {
        Word::Exec
    } else {
        Word::Other
    }
}

/// Whether Redis selects a database among these requests, which are whole.
pub(super) fn select_in(mut requests: &[u8]) -> bool {
    while let Ok(Read::Whole(len, word)) = read(requests) {
        if word == Word::Select {
            return true;
        }
        requests = &requests[len..];
    }
    false
}

/// Reads a line with a number: the number and the line's length. Nothing: bytes are missing.
#[inline]
fn number(bytes: &[u8], letter: u8, what: &'static str) -> Result<Option<(u64, usize)>, &'static str> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    if first != letter {
        return Err(what);
    }
    let mut number = 0u64;
    for (i, &byte) in bytes.iter().enumerate().take(LINE_BYTES_MAX).skip(1) {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 && i < LINE_BYTES_MAX - 2 {
            number = number * 10 + u64::from(digit);
            continue;
        }
        let plain = i == 2 || (i > 2 && bytes[1] != b'0');
        return match &bytes[i..] {
            [b'\r', b'\n', ..] if plain => Ok(Some((number, i + 2))),
            [b'\r'] if plain => Ok(None),
            _ => Err(what),
        };
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\na\r\n\r\n";

    #[test]
    fn a_request_is_read_once_all_of_it_is_there() {
        for end in 0..SET.len() {
            assert_eq!(read(&SET[..end]), Ok(Read::Short), "{end} bytes");
        }
        assert_eq!(read(SET), Ok(Read::Whole(SET.len(), Word::Other)));
        let two = [SET, SET].concat();
        assert_eq!(read(&two), Ok(Read::Whole(SET.len(), Word::Other)));
    }

    #[test]
    fn transactions_are_told() {
        assert_eq!(read(b"*1\r\n$5\r\nMULTI\r\n"), Ok(Read::Whole(15, Word::Multi)));
        assert_eq!(read(b"*1\r\n$4\r\nexec\r\n"), Ok(Read::Whole(14, Word::Exec)));
        assert_eq!(read(b"*1\r\n$6\r\nSELECT\r\n"), Ok(Read::Whole(16, Word::Select)));
        assert_eq!(read(b"*1\r\n$6\r\nselect\r\n"), Ok(Read::Whole(16, Word::Other)));
        assert_eq!(read(b"*2\r\n$1\r\nx\r\n$4\r\nexec\r\n"), Ok(Read::Whole(21, Word::Other)));
    }

    #[test]
    fn what_is_no_request_is_refused_at_once() {
        for no in [
            "x",
            "*x",
            "*\r\n",
            "*0\r\n",
            "*-1\r\n",
            "*1\rx",
            "*1\n",
            "*2147483648\r\n",
            "*01\r\n",
            "*1\r\n:1\r\n",
        ] {
            assert!(read(no.as_bytes()).is_err(), "{no:?}");
        }
        for no in [
            "*1\r\n$-1\r\n",
            "*1\r\n$1\r\nabc",
            "*1\r\n$1\r\na\rx",
            "*1\r\n$00000000000000000001\r\n",
            "*1\r\n$00\r\n",
        ] {
            assert!(read(no.as_bytes()).is_err(), "{no:?}");
        }
        assert_eq!(read(b"*1\r\n$9999999999999999999\r\nabc"), Ok(Read::Short));
    }
}
