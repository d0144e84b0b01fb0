//! The raw form: a reply's bytes and nothing about types.

use resp::Value;

/// Appends `value`, its elements parted by `delimiter`, a map's key and value by a blank. An error has a line
/// end of its own, as redis-cli prints it.
pub(crate) fn write(out: &mut Vec<u8>, value: &Value, delimiter: &[u8]) {
    match value {
        Value::Null => {}
        Value::Error(text) => {
            out.extend_from_slice(text);
            out.push(b'\n');
        }
        Value::Simple(bytes) | Value::Bulk(bytes) | Value::Verbatim { text: bytes, .. } => {
            out.extend_from_slice(bytes);
        }
        Value::Int(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::Double(text) | Value::BigNumber(text) => out.extend_from_slice(text.as_bytes()),
        Value::Bool(true) => out.extend_from_slice(b"(true)"),
        Value::Bool(false) => out.extend_from_slice(b"(false)"),
        Value::Array(items) | Value::Set(items) | Value::Push(items) => {
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.extend_from_slice(delimiter);
                }
                write(out, item, delimiter);
            }
        }
        Value::Map(pairs) => {
            for (i, (key, value)) in pairs.iter().enumerate() {
                if i > 0 {
                    out.extend_from_slice(delimiter);
                }
                write(out, key, delimiter);
                out.push(b' ');
                write(out, value, delimiter);
            }
        }
        Value::Attributed { value, .. } => write(out, value, delimiter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_redis_cli_shows_them() {
        let bulk = |text: &str| Value::Bulk(text.as_bytes().to_vec());
        let cases = [
            (Value::Null, ""),
            (Value::Error(b"ERR no".to_vec()), "ERR no\n"),
            (bulk("a\nb"), "a\nb"),
            (Value::Int(-3), "-3"),
            (Value::Double("3.141".into()), "3.141"),
            (Value::Bool(true), "(true)"),
            (
                Value::Array(vec![bulk("a"), Value::Null, Value::Array(vec![Value::Int(1), Value::Int(2)])]),
                "a||1|2",
            ),
            (Value::Map(vec![(Value::Int(0), Value::Bool(false)), (bulk("k"), bulk("v"))]), "0 (false)|k v"),
            (Value::Set(vec![]), ""),
        ];
        for (value, text) in cases {
            let mut out = Vec::new();
            write(&mut out, &value, b"|");
            assert_eq!(String::from_utf8_lossy(&out), text);
        }
    }
}
