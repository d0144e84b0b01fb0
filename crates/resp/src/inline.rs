//! A line of words, as a person types it into telnet: split at blanks, with quotes and escapes.

use crate::args::Span;

/// A quote that is not closed, or a closing quote with more text right behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unbalanced quotes in request")]
pub struct UnbalancedQuotes;

/// Splits `line` into words and appends their places in it to `spans`.
///
/// `"..."` may hold `\n \r \t \b \a \xHH` and `\` before any other character to mean that
/// character; `'...'` knows only `\'`. Quoted words are unescaped right in `line`, which they can
/// only make shorter, so what lies between the spans afterwards has no meaning.
///
/// # Errors
/// [`UnbalancedQuotes`]; nothing is appended then.
pub fn split_line(line: &mut [u8], spans: &mut Vec<Span>) -> Result<(), UnbalancedQuotes> {
    let before = spans.len();
    let mut words = Words { line, read: 0, written: 0 };
    loop {
        match words.next_word() {
            Ok(Some(word)) => spans.push(word),
            Ok(None) => return Ok(()),
            Err(unbalanced) => {
                spans.truncate(before);
                return Err(unbalanced);
            }
        }
    }
}

/// A line that is being unescaped in place; `written` never passes `read`.
struct Words<'a> {
    line: &'a mut [u8],
    read: usize,
    written: usize,
}

impl Words<'_> {
    fn next_word(&mut self) -> Result<Option<Span>, UnbalancedQuotes> {
        while self.peek(0).is_some_and(is_blank) {
            self.read += 1;
        }
        let start = self.read;
        self.written = start;
        loop {
            match self.peek(0) {
                None if self.read == start => return Ok(None),
                None | Some(b' ' | b'\n' | b'\r' | b'\t') => break,
                Some(quote @ (b'"' | b'\'')) => {
                    self.read += 1;
                    self.quoted(quote)?;
                    break;
                }
                Some(byte) => self.put(byte, 1),
            }
        }
        Ok(Some(Span { start, end: self.written }))
    }

    /// Reads on behind an opening `quote` to behind its closing one, which must end the word.
    fn quoted(&mut self, quote: u8) -> Result<(), UnbalancedQuotes> {
        loop {
            let byte = self.peek(0).ok_or(UnbalancedQuotes)?;
            if byte == quote {
                self.read += 1;
                return if self.peek(0).is_none_or(is_blank) { Ok(()) } else { Err(UnbalancedQuotes) };
            }
            match (byte, self.peek(1)) {
                (b'\\', Some(escaped)) if quote == b'"' => self.escape(escaped),
                (b'\\', Some(b'\'')) => self.put(b'\'', 2),
                _ => self.put(byte, 1),
            }
        }
    }

    /// Reads a backslash and `escaped`, the byte behind it, within double quotes.
    fn escape(&mut self, escaped: u8) {
        let hex = |at| self.peek(at).and_then(|digit| char::from(digit).to_digit(16));
        if let (b'x', Some(high), Some(low)) = (escaped, hex(2), hex(3)) {
            return self.put((high * 16 + low) as u8, 4);
        }
        let meant = match escaped {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 0x08,
            b'a' => 0x07,
            other => other,
        };
        self.put(meant, 2);
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.line.get(self.read + ahead).copied()
    }

    /// Appends `byte` to the word, for `read` bytes of the line.
    fn put(&mut self, byte: u8, read: usize) {
        self.line[self.written] = byte;
        self.written += 1;
        self.read += read;
    }
}

/// C's `isspace`.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, UnbalancedQuotes> {
        let mut line = line.to_vec();
        let mut spans = Vec::new();
        split_line(&mut line, &mut spans)?;
        Ok(spans.iter().map(|s| line[s.start..s.end].to_vec()).collect())
    }

    #[test]
    fn splits_at_blanks() {
        assert_eq!(words(b"  set\tkey \x0b\x0c value \r").unwrap(), [&b"set"[..], b"key", b"value"]);
        assert!(words(b"").unwrap().is_empty());
        assert!(words(b" \t ").unwrap().is_empty());
    }

    #[test]
    fn unescapes_in_double_quotes() {
        let line = br#"a "\n\r\t\b\a" "\x41\xfF\xg0\x4" "\"\\\q" "" b"c d""#;
        let expected: [&[u8]; 6] = [b"a", b"\n\r\t\x08\x07", b"A\xffxg0x4", b"\"\\q", b"", b"bc d"];
        assert_eq!(words(line).unwrap(), expected);
    }

    #[test]
    fn knows_one_escape_in_single_quotes() {
        assert_eq!(words(br"'it\'s' 'a\nb' '' x'y'").unwrap(), [&b"it's"[..], br"a\nb", b"", b"xy"]);
    }

    #[test]
    fn refuses_unbalanced_quotes() {
        for line in [&br#""open"#[..], b"'open", br#""a"b"#, b"'a'b", br#""end\"#, br#"""""key""""#, br"'\'"]
        {
            assert_eq!(words(line), Err(UnbalancedQuotes), "{}", line.escape_ascii());
        }
    }
}
