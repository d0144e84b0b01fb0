//! The CSV form: one line a reply, however deep, strings quoted as in the typed form.

use resp::Value;

use crate::words;

/// Appends `value` without a line end.
pub(crate) fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"NULL"),
        Value::Error(text) => {
            out.extend_from_slice(b"ERROR,");
            words::quote(out, text);
        }
        Value::Simple(bytes) | Value::Bulk(bytes) | Value::Verbatim { text: bytes, .. } => {
            words::quote(out, bytes)
        }
        Value::Int(n) => out.extend_from_slice(n.to_string().as_bytes()),
        Value::Double(text) | Value::BigNumber(text) => out.extend_from_slice(text.as_bytes()),
        Value::Bool(truth) => out.extend_from_slice(truth.to_string().as_bytes()),
        Value::Array(items) | Value::Set(items) | Value::Push(items) => row(out, items),
        Value::Map(pairs) => row(out, pairs.iter().flat_map(|(key, value)| [key, value])),
        Value::Attributed { value, .. } => write(out, value),
    }
}

fn row<'a>(out: &mut Vec<u8>, items: impl IntoIterator<Item = &'a Value>) {
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_redis_cli_shows_them() {
        let bulk = |text: &str| Value::Bulk(text.as_bytes().to_vec());
        let cases = [
            (Value::Null, "NULL"),
            (Value::Error(b"ERR no".to_vec()), "ERROR,\"ERR no\""),
            (Value::Simple(b"OK".to_vec()), "\"OK\""),
            (bulk("a\"\n\x01"), r#""a\"\n\x01""#),
            (Value::Double("3.141".into()), "3.141"),
            (
                Value::Array(vec![Value::Int(0), Value::Int(1), Value::Array(vec![bulk("x"), Value::Null])]),
                "0,1,\"x\",NULL",
            ),
            (
                Value::Map(vec![(Value::Int(0), Value::Bool(false)), (Value::Int(1), Value::Bool(true))]),
                "0,false,1,true",
            ),
        ];
        for (value, text) in cases {
            let mut out = Vec::new();
            write(&mut out, &value);
            assert_eq!(String::from_utf8_lossy(&out), text);
        }
    }
}
