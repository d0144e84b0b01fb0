//! Rust source with its code, comments and literals told apart, by a scanner that knows no more grammar than
//! that needs.

use std::ops::RangeInclusive;

/// A Rust file's code and comments. Both are as long as the file, and blank where the file has something else
/// (literals are in neither), so that places in them are places in the file.
#[derive(Debug)]
pub(super) struct Source {
    /// Everything that is neither a comment nor a string or character.
    pub(super) code: String,
    /// The comments.
    pub(super) comments: String,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function<'s> {
    /// Its name.
    pub(super) name: &'s str,
    /// Its lines, from the `fn` to the closing brace.
    pub(super) lines: RangeInclusive<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Code,
    Comment,
    Literal,
}

impl Source {
    /// Takes `text` apart.
    pub(super) fn new(text: &str) -> Source {
        let blank = || text.bytes().map(|b| if b == b'\n' { b } else { b' ' }).collect::<Vec<u8>>();
        let (mut code, mut comments) = (blank(), blank());
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let (token, len) = token(&bytes[at..]);
            let place = at..(at + len).min(bytes.len());
            match token {
                Token::Code => code[place.clone()].copy_from_slice(&bytes[place.clone()]),
                Token::Comment => comments[place.clone()].copy_from_slice(&bytes[place.clone()]),
                Token::Literal => {}
            }
            at = place.end;
        }
        // Tokens end between characters, so this loses nothing.
        let string = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Source { code: string(code), comments: string(comments) }
    }

    /// The functions that have a body, in order of their beginnings.
    pub(super) fn functions(&self) -> Vec<Function<'_>> {
        let code = &self.code;
        let function = |at: usize| {
            let rest = code[at + 2..].trim_start();
            let len = rest.find(|c: char| !is_word(c) && c != '$').unwrap_or(rest.len());
            // A type, `fn(u8) -> u8`, has no name.
            if len == 0 {
                return None;
            }
            let end = item_end(code, at)?;
            code[..end].ends_with('}').then(|| Function { name: &rest[..len], lines: self.lines(at, end) })
        };
        words(code, "fn").filter_map(function).collect()
    }

    /// The lines of items that are compiled for tests only.
    pub(super) fn test_lines(&self) -> Vec<RangeInclusive<usize>> {
        let marks = self.code.match_indices("#[cfg(test)]").map(|(at, mark)| (at, at + mark.len()));
        marks.filter_map(|(at, after)| Some(self.lines(at, item_end(&self.code, after)?))).collect()
    }

    /// The line, counted from 1, of the byte at `at`.
    pub(super) fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }

    /// The lines from byte `at` to just before byte `end`.
    fn lines(&self, at: usize, end: usize) -> RangeInclusive<usize> {
        self.line(at)..=self.line(end - 1)
    }
}

/// Where `word` stands in `code` as a word by itself.
pub(super) fn words<'c>(code: &'c str, word: &'c str) -> impl Iterator<Item = usize> + 'c {
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| !code[..at].ends_with(is_word) && !code[at + word.len()..].starts_with(is_word))
}

/// Whether `c` can be part of a name.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The end of the item that begins at `at`: after its `;` or its closing brace.
fn item_end(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (i, c) in code[at..].char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 && matches!(c, ';' | '}') {
            return Some(at + i + 1);
        }
    }
    None
}

/// The kind and length in bytes of the token at the beginning of `b`, which is not empty. The length of one
/// that never ends may be too big.
fn token(b: &[u8]) -> (Token, usize) {
    match b {
        [b'/', b'/', ..] => (Token::Comment, b.iter().position(|&c| c == b'\n').unwrap_or(b.len())),
        [b'/', b'*', ..] => (Token::Comment, block_comment(b)),
        [b'"', ..] => (Token::Literal, quoted(b, b'"')),
        [b'\'', ..] => quote(b),
        _ => match b.iter().take_while(|&&c| is_word_byte(c)).count() {
            0 => (Token::Code, 1),
            len => literal_prefix(b, len).unwrap_or((Token::Code, len)),
        },
    }
}

/// A literal with a prefix of `len` bytes, when it is one: `b"`, `br#"`, `b'`.
fn literal_prefix(b: &[u8], len: usize) -> Option<(Token, usize)> {
    let (prefix, rest) = b.split_at(len);
    let rest_len = match (prefix, rest.first()?) {
        (b"b" | b"c", b'"') => quoted(rest, b'"'),
        (b"b", b'\'') => quoted(rest, b'\''),
        (b"r" | b"br" | b"cr", b'"' | b'#') => raw(rest)?,
        _ => return None,
    };
    Some((Token::Literal, len + rest_len))
}

/// The length of a raw string without its prefix; nothing for a raw name (`r#type`).
fn raw(b: &[u8]) -> Option<usize> {
    let hashes = b.iter().take_while(|&&c| c == b'#').count();
    let body = b[hashes..].strip_prefix(b"\"")?;
    let end = [b"\"".as_slice(), &b[..hashes]].concat();
    let len = body.windows(end.len()).position(|w| w == end).unwrap_or(body.len());
    Some(hashes + 1 + len + end.len())
}

/// The length of a literal between two `mark`s, `\` before a byte that is no end.
fn quoted(b: &[u8], mark: u8) -> usize {
    let mut at = 1;
    while at < b.len() && b[at] != mark {
        at += if b[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// A character, or the quote of a lifetime.
fn quote(b: &[u8]) -> (Token, usize) {
    let character_len = match b.get(1) {
        Some(b'\\') => return (Token::Literal, quoted(b, b'\'')),
        Some(&first) => {
            1 + usize::from(first >= 0xc0) + usize::from(first >= 0xe0) + usize::from(first >= 0xf0)
        }
        None => 0,
    };
    match b.get(1 + character_len) {
        Some(b'\'') => (Token::Literal, character_len + 2),
        _ => (Token::Code, 1),
    }
}

/// The length of a block comment; they nest.
fn block_comment(b: &[u8]) -> usize {
    let (mut at, mut depth) = (2, 1);
    while at < b.len() && depth > 0 {
        let step = match b[at..] {
            [b'/', b'*', ..] => 1,
            [b'*', b'/', ..] => -1,
            _ => 0,
        };
        depth += step;
        at += if step == 0 { 1 } else { 2 };
    }
    at
}

fn is_word_byte(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_' || c >= 0x80
}
