//! The manifest of the append log: which files it is made of, in Redis 7's format.
//!
//! A line for each file, `file NAME seq NUMBER type b|h|i`: the base (at most one), files of the past that are to
//! be removed, and the increments with rising numbers. Lines that begin with `#` are skipped; ours ends with one that
//! holds the checksum of all others, `#EB:` and 16 hexadecimal digits, without a line's end.
//!
//! Reading is as strict as Redis's, and more so where a lenient reading could lose data: a number is a number, a
//! file is named once, and the checksum must fit when it is there. Pairs of unknown words are skipped, as in Redis.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fmt::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::crc64::crc64;

/// The longest line, its end included, as in Redis.
const LINE_BYTES_MAX: usize = 1024;

/// What the line with the checksum begins with.
const CHECKSUM: &[u8] = b"#EB:";

/// One file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name in the log's directory.
    pub name: OsString,
    /// Its number among those of its kind.
    pub seq: u64,
}

/// Which files the log is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The file with everything up to the first increment.
    pub base: Option<Part>,
    /// Files that are no longer needed, to be removed.
    pub history: Vec<Part>,
    /// What changed since, in order.
    pub incrs: Vec<Part>,
}

/// A manifest that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ManifestError {
    /// Which line, from 1 on.
    pub line: usize,
    /// Where in the file it begins.
    pub offset: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// It breaks one of the format's rules.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, ManifestError> {
        let mut manifest = Manifest::default();
        let (mut offset, mut names) = (0, HashSet::new());
        if bytes.is_empty() {
            return Err(ManifestError { line: 1, offset, what: "Found an empty AOF manifest" });
        }
        for (number, line) in bytes.split_inclusive(|&b| b == b'\n').enumerate() {
            let refused = |what| ManifestError { line: number + 1, offset, what };
            if line.starts_with(CHECKSUM) {
                let others = [&bytes[..offset], &bytes[offset + line.len()..]].concat();
                check_sum(line, &others).map_err(refused)?;
            } else if line[0] != b'#' {
                let (kind, part) = parse_line(line).map_err(refused)?;
                if !names.insert(part.name.clone()) {
                    return Err(refused("a file is named twice"));
                }
                manifest.add(kind, part).map_err(refused)?;
            }
            offset += line.len();
        }
        let last = bytes.rsplit(|&b| b == b'\n').next().unwrap_or_default();
        if !last.is_empty() && !last.starts_with(CHECKSUM) {
            let lines = bytes.split(|&b| b == b'\n').count();
            return Err(ManifestError { line: lines, offset, what: "the last line does not end" });
        }
        Ok(manifest)
    }

    fn add(&mut self, kind: u8, part: Part) -> Result<(), &'static str> {
        match kind {
            b'b' if self.base.is_some() => return Err("Found duplicate base file information"),
            b'b' => self.base = Some(part),
            b'h' => self.history.push(part),
            b'i' if self.incrs.last().is_some_and(|last| part.seq <= last.seq) => {
                return Err("Found a non-monotonic sequence number");
            }
            b'i' => self.incrs.push(part),
            _ => return Err("Unknown AOF file type"),
        }
        Ok(())
    }

    /// The manifest's text.
    pub fn format(&self) -> Vec<u8> {
        let mut text = String::new();
        let kinds = [('b', self.base.as_slice()), ('h', &self.history), ('i', &self.incrs)];
        for (kind, parts) in kinds {
            for Part { name, seq } in parts {
                let name = Quoted(name.as_bytes());
                writeln!(text, "file {name} seq {seq} type {kind}").expect("a string takes what is written");
            }
        }
        // It does not end like a line: scripts that look for the open file in the last line do not see it.
        let sum = crc64(text.as_bytes());
        write!(text, "#EB:{sum:016x}").expect("a string takes what is written");
        text.into_bytes()
    }

    /// Whether it names no file that has data.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.incrs.is_empty()
    }

    /// The files with data, in the order they are replayed.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.base.iter().chain(&self.incrs)
    }
}

fn check_sum(line: &[u8], others: &[u8]) -> Result<(), &'static str> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    if *line == *format!("#EB:{:016x}", crc64(others)).as_bytes() {
        Ok(())
    } else {
        Err("the manifest is damaged: its checksum does not fit (if you edited it, remove this line)")
    }
}

/// The file a line names, and its type.
fn parse_line(line: &[u8]) -> Result<(u8, Part), &'static str> {
    if line.len() > LINE_BYTES_MAX {
        return Err("The AOF manifest file contains too long line");
    }
    if line.last() != Some(&b'\n') {
        return Err("Invalid AOF manifest file format: the line does not end");
    }
    let words = words(line).ok_or("Invalid AOF manifest file format: a quote is not closed")?;
    if words.len() < 6 || words.len() % 2 != 0 {
        return Err("Invalid AOF manifest file format: not `file NAME seq NUMBER type TYPE`");
    }
    let (mut name, mut seq, mut kind) = (None, None, None);
    for pair in words.chunks_exact(2) {
        match pair[0].to_ascii_lowercase().as_slice() {
            b"file" => name = Some(file_name(&pair[1])?),
            b"seq" => seq = Some(number(&pair[1]).ok_or("the number of a file is none")?),
            b"type" => kind = pair[1].first().copied(),
            _ => {}
        }
    }
    match (name, seq, kind) {
        (Some(name), Some(seq), Some(kind)) => Ok((kind, Part { name, seq })),
        _ => Err("Invalid AOF manifest file format: the name, number or type of a file is missing"),
    }
}

/// A name that leads nowhere else.
fn file_name(word: &[u8]) -> Result<OsString, &'static str> {
    if word.iter().any(|b| b"/\\\0".contains(b)) || [b"".as_slice(), b".", b".."].contains(&word) {
        return Err("a file is to be named without a directory");
    }
    Ok(OsString::from_vec(word.to_vec()))
}

/// A number from 1 on.
fn number(word: &[u8]) -> Option<u64> {
    let digits = word.iter().all(u8::is_ascii_digit).then_some(word)?;
    // Redis keeps them in 63 bits.
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|&n| n > 0 && n < i64::MAX as u64)
}

/// The words of a line, quoted ones unescaped.
fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut words, mut rest) = (vec![], line.trim_ascii());
    while let [first, behind @ ..] = rest {
        let (word, after) = match first {
            b'"' => quoted(behind)?,
            b'\'' => single_quoted(behind)?,
            _ => {
                let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
                // A quote within a word opens a quoted part in Redis; no name we or Redis write has one.
                (!rest[..end].iter().any(|b| b"\"'".contains(b))).then_some(())?;
                (rest[..end].to_vec(), &rest[end..])
            }
        };
        after.first().is_none_or(u8::is_ascii_whitespace).then_some(())?;
        words.push(word);
        rest = after.trim_ascii_start();
    }
    Some(words)
}

/// A word in double quotes, from behind the first, and what is behind it.
fn quoted(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = vec![];
    loop {
        let (byte, after) = match rest {
            [b'"', after @ ..] => return Some((word, after)),
            [b'\\', b'x', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |b: &u8| char::from(*b).to_digit(16).map_or(0, |d| d as u8);
                (digit(high) << 4 | digit(low), after)
            }
            [b'\\', escaped, after @ ..] => (unescaped(*escaped), after),
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        word.push(byte);
        rest = after;
    }
}

fn unescaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn single_quoted(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = vec![];
    loop {
        let (byte, after) = match rest {
            [b'\'', after @ ..] => return Some((word, after)),
            [b'\\', b'\'', after @ ..] => (b'\'', after),
            [byte, after @ ..] => (*byte, after),
            [] => return None,
        };
        word.push(byte);
        rest = after;
    }
}

/// A name as the manifest has it: in quotes where it must.
struct Quoted<'n>(&'n [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |b: &u8| b.is_ascii_graphic() && !b"\\\"'".contains(b);
        if self.0.iter().all(plain) {
            return f.write_str(&OsStr::from_bytes(self.0).to_string_lossy());
        }
        f.write_char('"')?;
        for &byte in self.0 {
            match byte {
                b'\\' | b'"' => write!(f, "\\{}", char::from(byte))?,
                b'\n' => f.write_str("\\n")?,
                b'\r' => f.write_str("\\r")?,
                b'\t' => f.write_str("\\t")?,
                0x07 => f.write_str("\\a")?,
                0x08 => f.write_str("\\b")?,
                b' '..=b'~' => f.write_char(char::from(byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, seq: u64) -> Part {
        Part { name: name.into(), seq }
    }

    const PLAIN: &str = "file appendonly.aof.2.base.rdb seq 2 type b\n\
        file appendonly.aof.1.incr.aof seq 1 type h\n\
        file appendonly.aof.2.incr.aof seq 2 type i\n\
        file appendonly.aof.3.incr.aof seq 3 type i\n";

    fn plain() -> Manifest {
        Manifest {
            base: Some(part("appendonly.aof.2.base.rdb", 2)),
            history: vec![part("appendonly.aof.1.incr.aof", 1)],
            incrs: vec![part("appendonly.aof.2.incr.aof", 2), part("appendonly.aof.3.incr.aof", 3)],
        }
    }

    #[test]
    fn a_manifest_of_redis_is_read() {
        assert_eq!(Manifest::parse(PLAIN.as_bytes()), Ok(plain()));
        let lenient = "# a comment\n  FILE 'a b' Seq 7 startoffset 12 TYPE i\r\n";
        let manifest = Manifest::parse(lenient.as_bytes()).unwrap();
        assert_eq!(manifest.incrs, [part("a b", 7)]);
    }

    #[test]
    fn ours_is_that_of_redis_and_a_checksum() {
        let text = String::from_utf8(plain().format()).unwrap();
        assert_eq!(text, format!("{PLAIN}#EB:{:016x}", crc64(PLAIN.as_bytes())));
        assert_eq!(Manifest::parse(text.as_bytes()), Ok(plain()));
        let empty = Manifest::default();
        assert_eq!(Manifest::parse(&empty.format()), Ok(empty));
    }

    #[test]
    fn names_are_quoted_as_redis_quotes_them() {
        let quoted = |name: &[u8]| Quoted(name).to_string();
        assert_eq!(quoted(b"plain-name_1.aof"), "plain-name_1.aof");
        assert_eq!(quoted(b"a b\"c\\"), r#""a b\"c\\""#);
        assert_eq!(quoted(b"\n\r\t\x07\x08\xff\x01~"), r#""\n\r\t\a\b\xff\x01~""#);
        for name in [&b"\xff \"quoted\" \n\t'single'"[..], b"'", b"x\x00".strip_suffix(b"\0").unwrap()] {
            let name = OsString::from_vec(name.to_vec());
            let manifest = Manifest { base: Some(Part { name, seq: 1 }), ..Manifest::default() };
            assert_eq!(Manifest::parse(&manifest.format()), Ok(manifest));
        }
    }

    #[test]
    fn a_flipped_bit_is_found() {
        let good = plain().format();
        for at in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[at / 8] ^= 1 << (at % 8);
            match Manifest::parse(&bad) {
                // In the name of the annotation itself: the rest is whole.
                Ok(read) => assert_eq!(read, plain(), "bit {at}"),
                Err(error) => assert!(error.offset <= good.len(), "bit {at}: {error}"),
            }
        }
    }

    #[test]
    fn what_breaks_the_format_is_refused() {
        let lines = [
            ("", "Found an empty AOF manifest"),
            ("\n", "Invalid AOF manifest file format: not `file NAME seq NUMBER type TYPE`"),
            ("file a seq 1 type\n", "Invalid AOF manifest file format: not `file NAME seq NUMBER type TYPE`"),
            ("file a seq 1 type b", "Invalid AOF manifest file format: the line does not end"),
            ("file \"a seq 1 type b\n", "Invalid AOF manifest file format: a quote is not closed"),
            ("file \"a\"b seq 1 type b\n", "Invalid AOF manifest file format: a quote is not closed"),
            ("file a/b seq 1 type b\n", "a file is to be named without a directory"),
            ("file .. seq 1 type b\n", "a file is to be named without a directory"),
            ("file a seq 0 type b\n", "the number of a file is none"),
            ("file a seq -1 type b\n", "the number of a file is none"),
            ("file a seq 1x type b\n", "the number of a file is none"),
            ("file a seq 1 type x\n", "Unknown AOF file type"),
            (
                "file a seq 1 kind b\n",
                "Invalid AOF manifest file format: the name, number or type of a file is missing",
            ),
            ("file a seq 1 type b\nfile b seq 2 type b\n", "Found duplicate base file information"),
            ("file a seq 2 type i\nfile b seq 2 type i\n", "Found a non-monotonic sequence number"),
            ("file a seq 1 type h\nfile a seq 2 type i\n", "a file is named twice"),
            ("# comment", "the last line does not end"),
        ];
        for (text, what) in lines {
            assert_eq!(Manifest::parse(text.as_bytes()).unwrap_err().what, what, "{text:?}");
        }
        let long = format!("file {} seq 1 type b\n", "a".repeat(1010));
        assert_eq!(
            Manifest::parse(long.as_bytes()).unwrap_err().what,
            "The AOF manifest file contains too long line"
        );
        let error = Manifest::parse(b"# c\nfile a seq 1 type b\nwrong\n").unwrap_err();
        assert_eq!((error.line, error.offset), (3, 24));
    }
}
