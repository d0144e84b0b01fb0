//! The typed form: numbered, quoted, indented. Without colours it is redis-cli's, byte by byte.

use resp::Value;

use super::{Paint, Tone};
use crate::words;

/// Appends `value` and a line end.
pub(crate) fn write(out: &mut Vec<u8>, value: &Value, paint: Paint) {
    write_indented(out, value, 0, paint);
}

/// `indent`: columns that lines after the first start with.
fn write_indented(out: &mut Vec<u8>, value: &Value, indent: usize, paint: Paint) {
    match value {
        Value::Error(text) => {
            paint.write(out, Tone::Error, &[b"(error) ", text.as_slice()].concat());
        }
        Value::Simple(text) | Value::Verbatim { text, .. } => out.extend_from_slice(text),
        Value::Int(n) => number(out, "(integer) ", &n.to_string(), paint),
        Value::Double(text) => number(out, "(double) ", text, paint),
        Value::BigNumber(text) => number(out, "(big number) ", text, paint),
        Value::Bool(true) => paint.write(out, Tone::Constant, b"(true)"),
        Value::Bool(false) => paint.write(out, Tone::Constant, b"(false)"),
        Value::Null => paint.write(out, Tone::Constant, b"(nil)"),
        Value::Bulk(bytes) => {
            let mut quoted = Vec::with_capacity(bytes.len() + 2);
            words::quote(&mut quoted, bytes);
            paint.write(out, Tone::Text, &quoted);
        }
        Value::Array(items) => return elements(out, items, b')', "(empty array)", indent, paint),
        Value::Set(items) => return elements(out, items, b'~', "(empty set)", indent, paint),
        Value::Push(items) => return elements(out, items, b')', "(empty push)", indent, paint),
        Value::Map(pairs) => return entries(out, pairs, indent, paint),
        Value::Attributed { value, .. } => return write_indented(out, value, indent, paint),
    }
    out.push(b'\n');
}

fn number(out: &mut Vec<u8>, kind: &str, digits: &str, paint: Paint) {
    paint.write(out, Tone::Dim, kind.as_bytes());
    paint.write(out, Tone::Number, digits.as_bytes());
}

fn elements(out: &mut Vec<u8>, items: &[Value], sign: u8, empty: &str, indent: usize, paint: Paint) {
    if items.is_empty() {
        return nothing(out, empty, paint);
    }
    let width = digits(items.len());
    for (i, item) in items.iter().enumerate() {
        index(out, i, sign, width, indent, paint);
        write_indented(out, item, indent + width + 2, paint);
    }
}

fn entries(out: &mut Vec<u8>, pairs: &[(Value, Value)], indent: usize, paint: Paint) {
    if pairs.is_empty() {
        return nothing(out, "(empty hash)", paint);
    }
    let width = digits(pairs.len());
    for (i, (key, value)) in pairs.iter().enumerate() {
        index(out, i, b'#', width, indent, paint);
        write_indented(out, key, indent + width + 2, paint);
        // The value follows on the line that the key has just ended.
        out.pop();
        out.extend_from_slice(b" => ");
        if takes_lines(value) {
            out.push(b'\n');
            out.resize(out.len() + indent + width + 2, b' ');
        }
        write_indented(out, value, indent + width + 2, paint);
    }
}

fn nothing(out: &mut Vec<u8>, empty: &str, paint: Paint) {
    paint.write(out, Tone::Constant, empty.as_bytes());
    out.push(b'\n');
}

/// The number before an element. The first one stands on the line its parent has begun.
fn index(out: &mut Vec<u8>, i: usize, sign: u8, width: usize, indent: usize, paint: Paint) {
    if i > 0 {
        out.resize(out.len() + indent, b' ');
    }
    paint.write(out, Tone::Dim, format!("{:>width$}{} ", i + 1, char::from(sign)).as_bytes());
}

fn digits(n: usize) -> usize {
    n.to_string().len()
}

/// Whether a value is an aggregate that is written on more than one line.
fn takes_lines(value: &Value) -> bool {
    match value {
        Value::Array(items) | Value::Set(items) | Value::Push(items) => match items.as_slice() {
            [] => false,
            [item] => takes_lines(item),
            _ => true,
        },
        Value::Map(pairs) => match pairs.as_slice() {
            [] => false,
            [(_, value)] => takes_lines(value),
            _ => true,
        },
        Value::Attributed { value, .. } => takes_lines(value),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use resp::Decoder;

    /// What is written for the reply whose bytes are `wire`.
    fn shown(wire: &[u8]) -> String {
        let mut decoder = Decoder::new();
        decoder.feed(wire);
        let value = decoder.next().unwrap().unwrap();
        let mut out = Vec::new();
        write(&mut out, &value, Paint::new(false));
        String::from_utf8(out).unwrap()
    }

    /// Replies of a Redis 7.0 server, and what its redis-cli printed for them with --no-raw.
    #[test]
    fn scalars_as_redis_cli_shows_them() {
        let cases: [(&[u8], &str); 12] = [
            (b"+OK\r\n", "OK\n"),
            (b"-ERR syntax error\r\n", "(error) ERR syntax error\n"),
            (b":12345\r\n", "(integer) 12345\n"),
            (b"$11\r\nHello World\r\n", "\"Hello World\"\n"),
            (b"$0\r\n\r\n", "\"\"\n"),
            (b"$-1\r\n", "(nil)\n"),
            (b",3.141\r\n", "(double) 3.141\n"),
            (b"#t\r\n", "(true)\n"),
            (b"#f\r\n", "(false)\n"),
            (b"=29\r\ntxt:This is a verbatim\nstring\r\n", "This is a verbatim\nstring\n"),
            (b"*0\r\n", "(empty array)\n"),
            (b"~0\r\n", "(empty set)\n"),
        ];
        for (wire, text) in cases {
            assert_eq!(shown(wire), text);
        }
        assert_eq!(shown(b"%0\r\n"), "(empty hash)\n");
        assert_eq!(shown(b">0\r\n"), "(empty push)\n");
        assert_eq!(
            shown(b"$26\r\na\tb\n\"q\"\\ \xc3\xa9 \x01\x7f\x0b\x07\x08\r\xff\x00 ~....\r\n"),
            "\"a\\tb\\n\\\"q\\\"\\\\ \\xc3\\xa9 \\x01\\x7f\\x0b\\a\\b\\r\\xff\\x00 ~....\"\n"
        );
        assert_eq!(shown(b"(123456789012345678901\r\n"), "(big number) 123456789012345678901\n");
        assert_eq!(shown(b"|1\r\n+a\r\n:1\r\n:2\r\n"), "(integer) 2\n");
    }

    #[test]
    fn nested_arrays_as_redis_cli_shows_them() {
        let wire = b"*8\r\n:1\r\n*2\r\n:2\r\n*3\r\n:3\r\n$1\r\nx\r\n*0\r\n*0\r\n$1\r\ny\r\n\
            *10\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:9\r\n:10\r\n:11\r\n:12\r\n:13\r\n-ERR bad\r\n+FINE\r\n$-1\r\n";
        let text = "1) (integer) 1\n2) 1) (integer) 2\n   2) 1) (integer) 3\n      2) \"x\"\n      3) (empty array)\n\
            3) (empty array)\n4) \"y\"\n5)  1) (integer) 4\n    2) (integer) 5\n    3) (integer) 6\n    4) (integer) 7\n    \
            5) (integer) 8\n    6) (integer) 9\n    7) (integer) 10\n    8) (integer) 11\n    9) (integer) 12\n   \
            10) (integer) 13\n6) (error) ERR bad\n7) FINE\n8) (nil)\n";
        assert_eq!(shown(wire), text);
    }

    #[test]
    fn maps_and_sets_as_redis_cli_shows_them() {
        assert_eq!(
            shown(b"%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"),
            "1# (integer) 0 => (false)\n2# (integer) 1 => (true)\n3# (integer) 2 => (false)\n"
        );
        assert_eq!(shown(b"~3\r\n:0\r\n:1\r\n:2\r\n"), "1~ (integer) 0\n2~ (integer) 1\n3~ (integer) 2\n");
        assert_eq!(
            shown(b"%3\r\n$1\r\na\r\n*2\r\n:1\r\n:2\r\n$1\r\ne\r\n*0\r\n$1\r\nb\r\n%1\r\n$1\r\nc\r\n:1\r\n"),
            "1# \"a\" => \n   1) (integer) 1\n   2) (integer) 2\n2# \"e\" => (empty array)\n\
             3# \"b\" => 1# \"c\" => (integer) 1\n"
        );
    }

    #[test]
    fn colours_mark_types() {
        let mut out = Vec::new();
        let value = Value::Array(vec![Value::Int(7), Value::Bulk(b"a".to_vec())]);
        write(&mut out, &value, Paint::new(true));
        let text = String::from_utf8(out).unwrap();
        let lines = [
            "\x1b[90m1) \x1b[0m\x1b[90m(integer) \x1b[0m\x1b[36m7\x1b[0m\n",
            "\x1b[90m2) \x1b[0m\x1b[32m\"a\"\x1b[0m\n",
        ];
        assert_eq!(text, lines.concat());
    }
}
