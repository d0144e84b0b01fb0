//! JSON to values, a key at a time, in whatever layout and order the document has them.
//!
//! A value is read as far as its bytes have come, so no announced length costs anything; nesting is as deep as the
//! form, and no deeper.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::io::Read;
use std::marker::PhantomData;

use serde::de::{self, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::text::Text;
use super::{FORM, Item, ReadError, stream};
use crate::rdb::{Bytes, Field, Value};

/// Reads a document and gives each of its keys and functions to `take`, which may refuse it.
///
/// # Errors
/// The document is not of the form, or `take` refuses something: what came before has been taken.
pub fn read<E>(input: impl Read, take: impl FnMut(Item) -> Result<(), E>) -> Result<(), ReadError<E>> {
    let mut reader = serde_json::Deserializer::from_reader(input);
    let mut sink = Sink { take, taken: 0, refused: None };
    let read = Document { sink: &mut sink }.deserialize(&mut reader).and_then(|()| reader.end());
    match (read, sink.refused) {
        (Err(_), Some(reason)) => Err(ReadError::Refused { entry: sink.taken, reason }),
        (Err(error), None) => Err(ReadError::Form(error)),
        (Ok(()), _) => Ok(()),
    }
}

/// Takes what is read, and keeps why it refused something while the reader unwinds.
struct Sink<F, E> {
    take: F,
    /// Entries given to it.
    taken: u64,
    refused: Option<E>,
}

/// The whole document.
struct Document<'s, F, E> {
    sink: &'s mut Sink<F, E>,
}

impl<'de, E, F: FnMut(Item) -> Result<(), E>> DeserializeSeed<'de> for Document<'_, F, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, E, F: FnMut(Item) -> Result<(), E>> Visitor<'de> for Document<'_, F, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object that begins with \"ebbtide\": {FORM}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let first: Option<String> = map.next_key()?;
        if first.as_deref() != Some("ebbtide") {
            return Err(A::Error::custom(format_args!("it does not begin with \"ebbtide\": {FORM}")));
        }
        let form: u64 = map.next_value()?;
        if form != FORM {
            let text = format!("it is of form {form}, and this program knows form {FORM}");
            return Err(A::Error::custom(text));
        }
        let mut has_data = false;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "data" if !has_data => map.next_value_seed(Data { sink: self.sink })?,
                name => return Err(unexpected(name)),
            }
            has_data = true;
        }
        if has_data { Ok(()) } else { Err(A::Error::custom("it has no \"data\"")) }
    }
}

/// The array of keys and functions.
struct Data<'s, F, E> {
    sink: &'s mut Sink<F, E>,
}

impl<'de, E, F: FnMut(Item) -> Result<(), E>> DeserializeSeed<'de> for Data<'_, F, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, E, F: FnMut(Item) -> Result<(), E>> Visitor<'de> for Data<'_, F, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of keys")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(item) = seq.next_element::<Item>()? {
            self.sink.taken += 1;
            if let Err(reason) = (self.sink.take)(item) {
                self.sink.refused = Some(reason);
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

impl<'de> de::Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Item, D::Error> {
        deserializer.deserialize_map(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a key and its value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
        let (mut key, mut db, mut deadline_ms) = (None, None, None);
        let (mut value, mut function) = (None, None);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "key" => once(&mut key, "key", map.next_value::<Text>()?.0)?,
                "db" => once(&mut db, "db", map.next_value()?)?,
                "expires_ms" => once(&mut deadline_ms, "expires_ms", map.next_value()?)?,
                "function" => once(&mut function, "function", map.next_value::<Text>()?.0)?,
                "string" => once(&mut value, VALUE, string(&mut map)?)?,
                "list" => once(&mut value, VALUE, Value::List(list(&mut map, false)?))?,
                "set" => once(&mut value, VALUE, Value::Set(list(&mut map, true)?))?,
                "zset" => once(&mut value, VALUE, zset(&mut map)?)?,
                "hash" => once(&mut value, VALUE, hash(&mut map)?)?,
                "stream" => once(&mut value, VALUE, stream::read(&mut map)?)?,
                name => return Err(unexpected(name)),
            }
        }
        match (key, value, function) {
            (None, None, Some(code)) if db.is_none() && deadline_ms.is_none() => Ok(Item::Function(code)),
            (Some(key), Some(value), None) => {
                if value.is_empty() {
                    return Err(A::Error::custom("a key's value is empty, and no store keeps such a key"));
                }
                Ok(Item::Key { db: db.unwrap_or(0), key, deadline_ms, value })
            }
            (None, ..) => Err(A::Error::custom("an entry has no \"key\"")),
            (_, None, _) => Err(A::Error::custom("a key has no value: \"string\", \"list\" or another type")),
            _ => Err(A::Error::custom("an entry is a key or a function, not both")),
        }
    }
}

/// What the names of values are together: a key has one.
const VALUE: &str = "value";

/// Puts `value` into `place`, which must be empty.
pub(super) fn once<T, E: de::Error>(place: &mut Option<T>, name: &str, value: T) -> Result<(), E> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::custom(format_args!("there is more than one \"{name}\""))),
    }
}

pub(super) fn unexpected<E: de::Error>(name: &str) -> E {
    E::custom(format_args!("unknown name \"{}\"", name.escape_debug()))
}

/// A string: one, or an array of pieces of it.
fn string<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Value<'static>, A::Error> {
    struct Pieces;

    impl<'de> Visitor<'de> for Pieces {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or an array of its pieces")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
            de::Deserialize::deserialize(de::value::StrDeserializer::new(text)).map(|Text(bytes)| bytes)
        }

        fn visit_i64<E: de::Error>(self, n: i64) -> Result<Vec<u8>, E> {
            Ok(n.to_string().into_bytes())
        }

        fn visit_u64<E: de::Error>(self, n: u64) -> Result<Vec<u8>, E> {
            Ok(n.to_string().into_bytes())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
            let mut bytes = Vec::new();
            while let Some(Text(piece)) = seq.next_element()? {
                bytes.extend_from_slice(&piece);
                super::text::check_len(bytes.len())?;
            }
            Ok(bytes)
        }
    }

    impl<'de> DeserializeSeed<'de> for Pieces {
        type Value = Vec<u8>;

        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<u8>, D::Error> {
            deserializer.deserialize_any(self)
        }
    }

    Ok(Value::String(Cow::Owned(map.next_value_seed(Pieces)?)))
}

/// The strings of an array; `distinct`: no two of them may be the same.
fn list<'de, A: MapAccess<'de>>(map: &mut A, distinct: bool) -> Result<Vec<Bytes<'static>>, A::Error> {
    let items: Vec<Text> = map.next_value()?;
    let items = items.into_iter().map(|Text(bytes)| Cow::Owned(bytes)).collect::<Vec<Bytes<'_>>>();
    if distinct {
        all_distinct(items.iter().map(|item| item.as_ref()))?;
    }
    Ok(items)
}

fn zset<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Value<'static>, A::Error> {
    let members: Vec<(Text, Score)> = map.next_value_seed(Pairs::new("members with their scores"))?;
    let members =
        members.into_iter().map(|(Text(name), Score(score))| (Bytes::Owned(name), score)).collect::<Vec<_>>();
    all_distinct(members.iter().map(|(name, _)| name.as_ref()))?;
    Ok(Value::ZSet(members))
}

fn hash<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Value<'static>, A::Error> {
    let fields: Vec<(Text, FieldValue)> = map.next_value_seed(Pairs::new("fields with their values"))?;
    let field = |(Text(name), FieldValue { value, deadline_ms }): (Text, FieldValue)| Field {
        name: Cow::Owned(name),
        value: Cow::Owned(value),
        deadline_ms,
    };
    let fields = fields.into_iter().map(field).collect::<Vec<_>>();
    all_distinct(fields.iter().map(|field| field.name.as_ref()))?;
    Ok(Value::Hash(fields))
}

/// No two of `names` are the same.
fn all_distinct<'n, E: de::Error>(names: impl ExactSizeIterator<Item = &'n [u8]>) -> Result<(), E> {
    let mut seen = HashSet::with_capacity(names.len());
    for name in names {
        if !seen.insert(name) {
            return Err(E::custom(format_args!("\"{}\" comes twice", name.escape_ascii())));
        }
    }
    Ok(())
}

/// The members of an object in their order.
pub(super) struct Pairs<V> {
    what: &'static str,
    of: PhantomData<V>,
}

impl<V> Pairs<V> {
    pub(super) fn new(what: &'static str) -> Pairs<V> {
        Pairs { what, of: PhantomData }
    }
}

impl<'de, V: de::Deserialize<'de>> DeserializeSeed<'de> for Pairs<V> {
    type Value = Vec<(Text, V)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, V: de::Deserialize<'de>> Visitor<'de> for Pairs<V> {
    type Value = Vec<(Text, V)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object: {}", self.what)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

/// A score: a number, or an infinity in quotes.
struct Score(f64);

impl<'de> de::Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Score, D::Error> {
        struct ScoreVisitor;

        impl Visitor<'_> for ScoreVisitor {
            type Value = Score;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a score: a number, \"inf\" or \"-inf\"")
            }

            fn visit_f64<E: de::Error>(self, score: f64) -> Result<Score, E> {
                Ok(Score(score))
            }

            fn visit_i64<E: de::Error>(self, score: i64) -> Result<Score, E> {
                Ok(Score(score as f64))
            }

            fn visit_u64<E: de::Error>(self, score: u64) -> Result<Score, E> {
                Ok(Score(score as f64))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Score, E> {
                match text {
                    "inf" => Ok(Score(f64::INFINITY)),
                    "-inf" => Ok(Score(f64::NEG_INFINITY)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_any(ScoreVisitor)
    }
}

/// The value of a field: a string, or an object with that and a deadline.
struct FieldValue {
    value: Vec<u8>,
    deadline_ms: Option<i64>,
}

impl<'de> de::Deserialize<'de> for FieldValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FieldValue, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl FieldVisitor {
    fn lasting(Text(value): Text) -> FieldValue {
        FieldValue { value, deadline_ms: None }
    }
}

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = FieldValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or an object with \"value\" and \"expires_ms\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<FieldValue, E> {
        de::Deserialize::deserialize(de::value::StrDeserializer::new(text)).map(Self::lasting)
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> Result<FieldValue, E> {
        Ok(Self::lasting(Text(n.to_string().into_bytes())))
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<FieldValue, E> {
        Ok(Self::lasting(Text(n.to_string().into_bytes())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FieldValue, A::Error> {
        let (mut value, mut deadline_ms) = (None, None);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "value" => once(&mut value, "value", map.next_value::<Text>()?.0)?,
                "expires_ms" => once(&mut deadline_ms, "expires_ms", map.next_value()?)?,
                name => return Err(unexpected(name)),
            }
        }
        let value = value.ok_or_else(|| A::Error::custom("a field has no \"value\""))?;
        Ok(FieldValue { value, deadline_ms })
    }
}
