//! Replies counted, not read: how many came in full, and the first that is an error.

/// What ends a test.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReplyError {
    /// The server answers with an error; its text.
    #[error("Error from server: {0}")]
    Server(String),
    /// The bytes are no reply.
    #[error("Malformed reply from the server")]
    Malformed,
}

/// Reads replies of both versions of the protocol, in pieces of any size, without keeping them.
#[derive(Debug, Default)]
pub(crate) struct ReplyCounter {
    state: State,
    /// Elements that the reply being read still misses, itself included; 0 between two replies.
    missing: u64,
    /// The reply being read is a push message, which answers no request.
    push: bool,
    /// The text of the reply being read, when that is an error.
    error: Option<Vec<u8>>,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// The type of an element.
    #[default]
    Kind,
    /// The number in the header of an element of this `kind`.
    Header { kind: u8, number: u64, negative: bool },
    /// A line of text.
    Line,
    /// A string, so many bytes with its line end.
    Text { missing: u64 },
}

/// Longer errors are cut, so that a hostile server takes no memory.
const ERROR_BYTES_MAX: usize = 1024;

impl ReplyCounter {
    /// Reads all of `bytes`; how many replies they complete, push messages not counted.
    ///
    /// # Errors
    /// A reply is an error or malformed.
    pub(crate) fn count(&mut self, mut bytes: &[u8]) -> Result<usize, ReplyError> {
        let mut complete = 0;
        while let Some((&byte, rest)) = bytes.split_first() {
            match self.state {
                State::Kind => {
                    self.state = self.begin(byte)?;
                    bytes = rest;
                }
                State::Header { kind, number, negative } => {
                    bytes = rest;
                    match byte {
                        b'0'..=b'9' => {
                            let number = number
                                .checked_mul(10)
                                .and_then(|n| n.checked_add(u64::from(byte - b'0')))
                                .filter(|&n| n <= u64::MAX / 4)
                                .ok_or(ReplyError::Malformed)?;
                            self.state = State::Header { kind, number, negative };
                        }
                        b'-' if number == 0 => self.state = State::Header { kind, number, negative: true },
                        b'\r' => {}
                        b'\n' => complete += self.header(kind, if negative { None } else { Some(number) })?,
                        _ => return Err(ReplyError::Malformed),
                    }
                }
                State::Line => {
                    let end = bytes.iter().position(|&b| b == b'\n');
                    let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
                    self.keep(line);
                    bytes = rest;
                    if end.is_some() {
                        complete += self.element()?;
                    }
                }
                State::Text { missing } => {
                    let here = missing.min(bytes.len() as u64);
                    let (text, rest) = bytes.split_at(here as usize);
                    self.keep(text);
                    bytes = rest;
                    self.state = State::Text { missing: missing - here };
                    if here == missing {
                        complete += self.element()?;
                    }
                }
            }
        }
        Ok(complete)
    }

    /// Begins an element; the state behind its type.
    fn begin(&mut self, kind: u8) -> Result<State, ReplyError> {
        if self.missing == 0 {
            self.missing = 1;
            self.push = kind == b'>';
            self.error = matches!(kind, b'-' | b'!').then(Vec::new);
        }
        match kind {
            b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => Ok(State::Line),
            b'$' | b'=' | b'!' | b'*' | b'%' | b'~' | b'>' | b'|' => {
                Ok(State::Header { kind, number: 0, negative: false })
            }
            _ => Err(ReplyError::Malformed),
        }
    }

    /// Ends a header with its number, or with none for a null.
    fn header(&mut self, kind: u8, number: Option<u64>) -> Result<usize, ReplyError> {
        let elements = match (kind, number) {
            (_, None) => 0,
            (b'$' | b'=' | b'!', Some(len)) => {
                self.state = State::Text { missing: len + 2 };
                return Ok(0);
            }
            (b'%', Some(pairs)) => 2 * pairs,
            // Attributes stand before the element they belong to.
            (b'|', Some(pairs)) => 2 * pairs + 1,
            (_, Some(elements)) => elements,
        };
        self.missing = self.missing.checked_add(elements).ok_or(ReplyError::Malformed)?;
        self.element()
    }

    /// Ends an element; 1 when that completes a reply.
    fn element(&mut self) -> Result<usize, ReplyError> {
        self.state = State::Kind;
        self.missing -= 1;
        if self.missing > 0 {
            return Ok(0);
        }
        match self.error.take() {
            Some(text) => Err(ReplyError::Server(String::from_utf8_lossy(&text).trim_end().to_owned())),
            None => Ok(usize::from(!self.push)),
        }
    }

    fn keep(&mut self, text: &[u8]) {
        if let Some(error) = &mut self.error {
            let room = ERROR_BYTES_MAX.saturating_sub(error.len());
            error.extend_from_slice(&text[..text.len().min(room)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The count over all pieces of `size` bytes.
    fn count(bytes: &[u8], size: usize) -> Result<usize, ReplyError> {
        let mut counter = ReplyCounter::default();
        bytes.chunks(size).map(|chunk| counter.count(chunk)).sum()
    }

    #[test]
    fn replies_of_every_type_count_once() {
        let replies = [
            "+OK\r\n",
            ":-1\r\n",
            "$-1\r\n",
            "$0\r\n\r\n",
            "$3\r\n\r\n\n\r\n",
            "_\r\n",
            ",1.5\r\n",
            "#t\r\n",
            "(12345678901234567890\r\n",
            "=7\r\ntxt:abc\r\n",
            "*-1\r\n",
            "*0\r\n",
            "*1\r\n*0\r\n",
            "*2\r\n$1\r\na\r\n%1\r\n+k\r\n~2\r\n:1\r\n:2\r\n",
            "|1\r\n+a\r\n:1\r\n*1\r\n+x\r\n",
            "*2\r\n-ERR inside\r\n+OK\r\n",
        ];
        let all = replies.concat();
        for size in 1..all.len() {
            assert_eq!(count(all.as_bytes(), size), Ok(replies.len()), "{size}");
        }
        for reply in replies {
            assert_eq!(count(&reply.as_bytes()[..reply.len() - 1], 64), Ok(0), "{reply}");
        }
    }

    #[test]
    fn push_messages_do_not_count() {
        assert_eq!(count(b">2\r\n+message\r\n$1\r\na\r\n+OK\r\n>1\r\n_\r\n", 3), Ok(1));
    }

    #[test]
    fn errors_end_it() {
        let server = |text: &str| Err(ReplyError::Server(text.into()));
        for size in [1, 100] {
            assert_eq!(count(b"+OK\r\n-ERR no\r\n", size), server("ERR no"));
            assert_eq!(count(b"!7\r\nERR a\nb\r\n", size), server("ERR a\nb"));
            assert_eq!(count(b"HTTP/1.1 400\r\n", size), Err(ReplyError::Malformed));
            assert_eq!(count(b"*9223372036854775807\r\n", size), Err(ReplyError::Malformed));
            assert_eq!(count(b"$x\r\n", size), Err(ReplyError::Malformed));
        }
        let long = [b"-", &[b'x'; 5000][..], b"\r\n"].concat();
        assert_eq!(count(&long, 100), server(&"x".repeat(ERROR_BYTES_MAX)));
    }
}
