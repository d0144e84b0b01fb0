//! The JSON form: always one valid document a reply.
//!
//! It is redis-cli's form, except where that is no JSON: an error becomes `{"error": ...}`, infinities and NaN
//! become strings, and bytes that are no UTF-8 are replaced (the quoted form keeps them).

use resp::Value;

use crate::words;

/// Appends `value`; `quoted`: its strings escape all but printable ASCII as the typed form does.
pub(crate) fn write(out: &mut Vec<u8>, value: &Value, quoted: bool) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Error(text) => {
            out.extend_from_slice(b"{\"error\":");
            string(out, text, quoted);
            out.push(b'}');
        }
        Value::Simple(bytes) | Value::Bulk(bytes) | Value::Verbatim { text: bytes, .. } => {
            string(out, bytes, quoted);
        }
        Value::Int(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::Double(text) | Value::BigNumber(text) => number(out, text),
        Value::Bool(truth) => out.extend_from_slice(truth.to_string().as_bytes()),
        Value::Array(items) | Value::Set(items) | Value::Push(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(out, item, quoted);
            }
            out.push(b']');
        }
        Value::Map(pairs) => {
            out.push(b'{');
            for (i, (key, value)) in pairs.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                name(out, key, quoted);
                out.push(b':');
                write(out, value, quoted);
            }
            out.push(b'}');
        }
        Value::Attributed { value, .. } => write(out, value, quoted),
    }
}

fn string(out: &mut Vec<u8>, bytes: &[u8], quoted: bool) {
    let text = if quoted {
        let mut escaped = Vec::with_capacity(bytes.len());
        words::escape(&mut escaped, bytes);
        String::from_utf8_lossy(&escaped).into_owned()
    } else {
        String::from_utf8_lossy(bytes).into_owned()
    };
    out.extend_from_slice(serde_json::Value::String(text).to_string().as_bytes());
}

/// A number as the server wrote it, when JSON can say it.
fn number(out: &mut Vec<u8>, text: &str) {
    if serde_json::from_str::<serde_json::Number>(text).is_ok() {
        out.extend_from_slice(text.as_bytes());
    } else {
        string(out, text.as_bytes(), false);
    }
}

/// A map's key: JSON has only strings there, so any other value stands there as its JSON text.
fn name(out: &mut Vec<u8>, key: &Value, quoted: bool) {
    match key.as_bytes() {
        Some(bytes) => string(out, bytes, quoted),
        None => {
            let mut text = Vec::new();
            write(&mut text, key, quoted);
            string(out, &text, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &Value, quoted: bool) -> String {
        let mut out = Vec::new();
        write(&mut out, value, quoted);
        let text = String::from_utf8(out).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        text
    }

    fn bulk(bytes: &[u8]) -> Value {
        Value::Bulk(bytes.to_vec())
    }

    #[test]
    fn values_as_redis_cli_shows_them() {
        let cases = [
            (Value::Null, "null"),
            (Value::Int(12345), "12345"),
            (Value::Double("3.141".into()), "3.141"),
            (Value::Bool(true), "true"),
            (Value::Verbatim { format: *b"txt", text: b"a\nb".to_vec() }, r#""a\nb""#),
            (Value::Array(vec![Value::Int(0), bulk(b"x"), Value::Set(vec![])]), r#"[0,"x",[]]"#),
            (
                Value::Map(vec![(Value::Int(0), Value::Bool(false)), (bulk(b"k"), Value::Null)]),
                r#"{"0":false,"k":null}"#,
            ),
        ];
        for (value, text) in cases {
            assert_eq!(shown(&value, false), text);
        }
        let text = bulk("a\tb\n\"q\"\\ \u{e9} \u{1}\u{b}".as_bytes());
        assert_eq!(shown(&text, false), "\"a\\tb\\n\\\"q\\\"\\\\ \u{e9} \\u0001\\u000b\"");
        assert_eq!(shown(&bulk(b"a\tb\xff"), true), r#""a\\tb\\xff""#);
    }

    #[test]
    fn what_json_cannot_say_is_still_valid() {
        assert_eq!(shown(&Value::Error(b"ERR no".to_vec()), false), r#"{"error":"ERR no"}"#);
        assert_eq!(shown(&Value::Double("inf".into()), false), r#""inf""#);
        assert_eq!(shown(&Value::Double("nan".into()), false), r#""nan""#);
        assert_eq!(shown(&Value::BigNumber("+12".into()), false), r#""+12""#);
        assert_eq!(shown(&bulk(b"a\xff"), false), "\"a\u{fffd}\"");
        assert_eq!(shown(&bulk(b"a\"b"), true), r#""a\\\"b""#);
        let key = Value::Array(vec![bulk(b"a"), Value::Int(1)]);
        assert_eq!(shown(&Value::Map(vec![(key, Value::Int(1))]), false), r#"{"[\"a\",1]":1}"#);
    }
}
