//! Bytes as JSON's strings. What is UTF-8 stands as itself; all else is `base64:` and the bytes in Base64
//! (RFC 4648, section 4), and so is the text that begins with this mark itself.

use std::fmt;
use std::io::{self, Write};

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// What stands before bytes in Base64.
const MARK: &str = "base64:";
/// The longest string: what the protocol allows (`proto-max-bulk-len`) unless it is raised.
const TEXT_BYTES_MAX: usize = 512 << 20;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PAD: u8 = b'=';
/// Bytes encoded at a time; a multiple of three, so that only the last part is padded.
const PART_BYTES: usize = 3 << 10;

/// Writes `bytes` as one string.
pub(super) fn write(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    match str::from_utf8(bytes) {
        Ok(text) if !text.starts_with(MARK) => Ok(serde_json::to_writer(out, text)?),
        _ => {
            write!(out, "\"{MARK}")?;
            let mut encoded = Vec::with_capacity(PART_BYTES / 3 * 4);
            for part in bytes.chunks(PART_BYTES) {
                encoded.clear();
                encode(&mut encoded, part);
                out.write_all(&encoded)?;
            }
            out.write_all(b"\"")
        }
    }
}

/// How many of `bytes`, which are a part of more, can be written without parting a character.
pub(super) fn whole(bytes: &[u8]) -> usize {
    match str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    }
}

fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    for group in bytes.chunks(3) {
        let byte = |i| group.get(i).copied().map_or(0, u32::from);
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= group.len() { digit } else { PAD });
        }
    }
}

/// The bytes of `text`, which is Base64 as [`encode`] makes it; nothing when it is not.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let pads = text.iter().rev().take(2).take_while(|&&digit| digit == PAD).count();
    let digits = &text[..text.len() - pads];
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in digits.chunks(4) {
        let mut bits = 0;
        for &digit in group {
            bits = bits << 6 | u32::from(value(digit)?);
        }
        bits <<= 6 * (4 - group.len());
        let len = group.len() * 6 / 8;
        let [_, taken @ ..] = bits.to_be_bytes();
        // Bits that stand for nothing are zero: no bytes have two forms.
        if taken[len..].iter().any(|&left| left != 0) {
            return None;
        }
        bytes.extend_from_slice(&taken[..len]);
    }
    Some(bytes)
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// A string of the document, as the bytes it stands for. An integer may stand without its quotes.
#[derive(Debug)]
pub(super) struct Text(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
        bytes_of(text.to_owned())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Text, E> {
        bytes_of(text)
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> Result<Text, E> {
        Ok(Text(n.to_string().into_bytes()))
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<Text, E> {
        Ok(Text(n.to_string().into_bytes()))
    }
}

fn bytes_of<E: de::Error>(text: String) -> Result<Text, E> {
    let bytes = match text.strip_prefix(MARK) {
        None => text.into_bytes(),
        Some(digits) => {
            decode(digits.as_bytes()).ok_or_else(|| E::custom("what follows \"base64:\" is not Base64"))?
        }
    };
    check_len(bytes.len())?;
    Ok(Text(bytes))
}

/// Refuses a string of `len` bytes that is too long.
pub(super) fn check_len<E: de::Error>(len: usize) -> Result<(), E> {
    if len <= TEXT_BYTES_MAX { Ok(()) } else { Err(E::custom("a string is longer than 512 MB")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write(&mut out, bytes).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_stands_as_itself() {
        assert_eq!(written(b"a \"b\"\n"), r#""a \"b\"\n""#);
        assert_eq!(written("\u{6f6e}".as_bytes()), "\"\u{6f6e}\"");
        assert_eq!(written(b"base64"), "\"base64\"");
    }

    #[test]
    fn other_bytes_are_marked() {
        // The samples of RFC 4648, each behind a byte that is no UTF-8.
        assert_eq!(written(b"\xff"), "\"base64:/w==\"");
        assert_eq!(written(b"\xff\xfe"), "\"base64://4=\"");
        assert_eq!(written(b"\xfffo"), "\"base64:/2Zv\"");
        assert_eq!(written(b"base64:"), "\"base64:YmFzZTY0Og==\"");
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for digits in ["/", "/w", "/w=", "/x==", "//5=", "=w==", "/w==/w==", "/ w=", "===="] {
            assert_eq!(decode(digits.as_bytes()), None, "{digits}");
        }
        assert_eq!(decode(b""), Some(Vec::new()));
    }

    #[test]
    fn parts_end_between_characters() {
        assert_eq!(whole("a\u{6f6e}".as_bytes()), 4);
        assert_eq!(whole(b"a\xe6\xbd"), 1);
        assert_eq!(whole(b"a\xe6\xbdb"), 4, "no character any more, whatever follows");
    }

    proptest! {
        #[test]
        fn every_string_is_read_as_it_was(bytes: Vec<u8>) {
            let Text(read) = serde_json::from_str(&written(&bytes)).unwrap();
            prop_assert_eq!(read, bytes);
        }
    }
}
