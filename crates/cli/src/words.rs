//! Words of a line a person typed, and bytes shown so that a person can type them again.

use resp::{UnbalancedQuotes, split_line};

/// Splits a line into words, quotes and escapes resolved.
pub(crate) fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, UnbalancedQuotes> {
    let mut line = line.to_vec();
    let mut spans = Vec::new();
    split_line(&mut line, &mut spans)?;
    Ok(spans.iter().map(|span| line[span.start..span.end].to_vec()).collect())
}

/// An argument that may be quoted as a whole (`--quoted-input`, `--quoted-pattern`): anything that does not
/// start with a quote stands for itself.
pub(crate) fn unquote(arg: &[u8]) -> Result<Vec<u8>, UnbalancedQuotes> {
    if !arg.starts_with(b"\"") && !arg.starts_with(b"'") {
        return Ok(arg.to_vec());
    }
    match <[Vec<u8>; 1]>::try_from(split(arg)?) {
        Ok([word]) => Ok(word),
        Err(_) => Err(UnbalancedQuotes),
    }
}

/// Appends `bytes` in double quotes, everything but printable ASCII escaped; [`split`] reads it back.
pub(crate) fn quote(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    escape(out, bytes);
    out.push(b'"');
}

/// What [`quote`] writes between the quotes.
pub(crate) fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x07 => out.extend(b"\\a"),
            0x08 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(byte),
            byte => {
                let hex = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
                out.extend([b'\\', b'x', hex(byte >> 4), hex(byte & 15)]);
            }
        }
    }
}

/// [`quote`] as text of its own.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    quote(&mut out, bytes);
    out.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_split_into_words() {
        let cases: [(&str, &[&str]); 6] = [
            ("", &[]),
            ("  get   key ", &["get", "key"]),
            (r#"set k "a b\n\x41\"""#, &["set", "k", "a b\nA\""]),
            (r"set k 'it\'s \n'", &["set", "k", r"it's \n"]),
            (r#"set k """#, &["set", "k", ""]),
            ("echo \u{e9}t\u{e9}", &["echo", "\u{e9}t\u{e9}"]),
        ];
        for (line, words) in cases {
            let split = split(line.as_bytes()).unwrap();
            assert_eq!(split, words.iter().map(|w| w.as_bytes().to_vec()).collect::<Vec<_>>(), "{line}");
        }
        for line in [r#"get "a"#, "get 'a", r#"get "a"b"#] {
            assert_eq!(split(line.as_bytes()), Err(UnbalancedQuotes), "{line}");
        }
    }

    #[test]
    fn whole_arguments_are_unquoted() {
        assert_eq!(unquote(br"a\x00 b").unwrap(), br"a\x00 b");
        assert_eq!(unquote(br#""a\x00 b""#).unwrap(), b"a\0 b");
        assert_eq!(unquote(br#""a" "b""#), Err(UnbalancedQuotes));
        assert_eq!(unquote(br#""a"#), Err(UnbalancedQuotes));
    }

    #[test]
    fn quoted_bytes_read_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(split(quoted(&all).as_bytes()).unwrap(), [all]);
        // As redis-cli 7.0 shows these bytes.
        let bytes = b"a\tb\n\"q\"\\ \xc3\xa9 \x01\x7f\x0b\x07\x08\r";
        assert_eq!(quoted(bytes), r#""a\tb\n\"q\"\\ \xc3\xa9 \x01\x7f\x0b\a\b\r""#);
    }
}
