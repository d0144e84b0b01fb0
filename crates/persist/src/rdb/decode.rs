//! Values from bytes, in every encoding.

use super::error::{Error, Fault};
use super::format::Encoding;
use super::input::{Input, Slice};
use super::module::{self, ModuleName};
use super::packed::Form;
use super::stream;
use super::value::{Bytes, Field, Module, Value};

/// Why a module's value of the oldest form cannot be read.
pub(super) const PRE_GA: Fault =
    Fault::Corrupt("a module's value as written before Redis 4.0.0: only the module could read it");

/// Elements that memory is taken for before they came.
const RESERVED_MAX: u64 = 1024;

/// Decodes the value that `input` begins with.
pub(super) fn decode<'a>(input: &mut Slice<'a>, encoding: Encoding) -> Result<Value<'a>, Error> {
    use Encoding as E;
    Ok(match encoding {
        E::String => Value::String(input.string()?),
        E::List => Value::List(repeat(input, Slice::string)?),
        E::ListZiplist => Value::List(unpack(input, Form::Ziplist)?),
        E::ListQuicklist | E::ListQuicklist2 => Value::List(quicklist(input, encoding)?),
        E::Set => Value::Set(repeat(input, Slice::string)?),
        E::SetIntset => Value::Set(unpack(input, Form::Intset)?),
        E::SetListpack => Value::Set(unpack(input, Form::Listpack)?),
        E::ZSet => Value::ZSet(repeat(input, |input| Ok((input.string()?, decimal(input)?)))?),
        E::ZSet2 => Value::ZSet(repeat(input, |input| Ok((input.string()?, double(input)?)))?),
        E::ZSetZiplist => Value::ZSet(scored(input, Form::Ziplist)?),
        E::ZSetListpack => Value::ZSet(scored(input, Form::Listpack)?),
        E::Hash => Value::Hash(repeat(input, |input| field(input, None))?),
        E::HashZipmap => Value::Hash(fields(input, Form::Zipmap)?),
        E::HashZiplist => Value::Hash(fields(input, Form::Ziplist)?),
        E::HashListpack => Value::Hash(fields(input, Form::Listpack)?),
        E::HashMetadata | E::HashMetadataPreGa => Value::Hash(volatile_fields(input, encoding)?),
        E::HashListpackEx | E::HashListpackExPreGa => Value::Hash(volatile_listpack(input, encoding)?),
        E::HashDeadlines => Value::Hash(repeat(input, |input| {
            let plain = field(input, None)?;
            let deadline_ms = i64::from_le_bytes(input.array()?);
            Ok(Field { deadline_ms: (deadline_ms >= 0).then_some(deadline_ms), ..plain })
        })?),
        E::Stream | E::Stream2 | E::Stream3 => Value::Stream(Box::new(stream::decode(input, encoding)?)),
        E::Module => {
            let name = ModuleName(input.length()?);
            let before = input.clone();
            module::skip_body(input)?;
            let len = before.len() - input.len();
            Value::Module(Module { name, body: before.clone().bytes(len as u64)?.into() })
        }
        E::ModulePreGa => return Err(Error { offset: input.offset(), fault: PRE_GA }),
    })
}

/// As many of what `each` reads as the length that stands here says.
pub(super) fn repeat<'a, T>(
    input: &mut Slice<'a>,
    mut each: impl FnMut(&mut Slice<'a>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let count = input.length()?;
    let mut all = Vec::with_capacity(count.min(RESERVED_MAX) as usize);
    for _ in 0..count {
        all.push(each(input)?);
    }
    Ok(all)
}

/// The elements of the packed collection that stands here as a string.
fn unpack<'a>(input: &mut Slice<'a>, form: Form) -> Result<Vec<Bytes<'a>>, Error> {
    let offset = input.offset();
    let run = input.string()?;
    form.unpack(run).map_err(|broken| Error { offset, fault: Fault::Corrupt(broken) })
}

fn quicklist<'a>(input: &mut Slice<'a>, encoding: Encoding) -> Result<Vec<Bytes<'a>>, Error> {
    /// One item by itself.
    const PLAIN: u64 = 1;
    /// Items in a listpack.
    const PACKED: u64 = 2;
    let mut items = Vec::new();
    for _ in 0..input.length()? {
        let part = match encoding {
            Encoding::ListQuicklist => unpack(input, Form::Ziplist)?,
            _ => match input.length()? {
                PLAIN => {
                    let item = input.string()?;
                    if item.is_empty() {
                        return Err(input.corrupt("a node of a list is empty"));
                    }
                    vec![item]
                }
                PACKED => unpack(input, Form::Listpack)?,
                _ => return Err(input.corrupt("a node of a list is neither plain nor packed")),
            },
        };
        if items.is_empty() {
            items = part;
        } else {
            items.extend(part);
        }
    }
    Ok(items)
}

/// A number in decimal: its length in one byte, or one of three bytes that stand for a number themselves.
fn decimal(input: &mut Slice<'_>) -> Result<f64, Error> {
    let at = input.offset();
    let number = match input.byte()? {
        253 => Some(f64::NAN),
        254 => Some(f64::INFINITY),
        255 => Some(f64::NEG_INFINITY),
        n => parse_double(input.bytes(n.into())?),
    };
    checked_score(number, at)
}

fn double(input: &mut Slice<'_>) -> Result<f64, Error> {
    let at = input.offset();
    checked_score(Some(f64::from_le_bytes(input.array()?)), at)
}

fn checked_score(score: Option<f64>, offset: u64) -> Result<f64, Error> {
    match score {
        Some(score) if !score.is_nan() => Ok(score),
        _ => Err(Error { offset, fault: Fault::Corrupt("a score is not a number") }),
    }
}

fn parse_double(text: &[u8]) -> Option<f64> {
    str::from_utf8(text).ok()?.trim_start().parse().ok()
}

/// The elements of a packed map, two by two.
fn pairs<'a>(input: &mut Slice<'a>, form: Form) -> Result<Vec<(Bytes<'a>, Bytes<'a>)>, Error> {
    let offset = input.offset();
    let elements = unpack(input, form)?;
    if elements.len() % 2 != 0 {
        return Err(Error { offset, fault: Fault::Corrupt("a map has an odd number of elements") });
    }
    let mut pairs = Vec::with_capacity(elements.len() / 2);
    let mut elements = elements.into_iter();
    while let (Some(a), Some(b)) = (elements.next(), elements.next()) {
        pairs.push((a, b));
    }
    Ok(pairs)
}

fn scored<'a>(input: &mut Slice<'a>, form: Form) -> Result<Vec<(Bytes<'a>, f64)>, Error> {
    let at = input.offset();
    let pairs = pairs(input, form)?.into_iter();
    pairs.map(|(member, score)| Ok((member, checked_score(parse_double(&score), at)?))).collect()
}

fn field<'a>(input: &mut Slice<'a>, deadline_ms: Option<i64>) -> Result<Field<'a>, Error> {
    Ok(Field { name: input.string()?, value: input.string()?, deadline_ms })
}

fn fields<'a>(input: &mut Slice<'a>, form: Form) -> Result<Vec<Field<'a>>, Error> {
    let pairs = pairs(input, form)?.into_iter();
    Ok(pairs.map(|(name, value)| Field { name, value, deadline_ms: None }).collect())
}

/// Fields with a deadline each before them: 0 is none. Before the final form it stands as it is, in it as its distance
/// from the earliest, plus one.
fn volatile_fields<'a>(input: &mut Slice<'a>, encoding: Encoding) -> Result<Vec<Field<'a>>, Error> {
    let earliest_ms = match encoding {
        Encoding::HashMetadata => Some(i64::from_le_bytes(input.array()?)),
        _ => None,
    };
    repeat(input, |input| {
        let at = input.offset();
        let deadline_ms = match (input.length()?, earliest_ms) {
            (0, _) => None,
            (ms, None) => Some(i64::try_from(ms).ok()),
            (n, Some(earliest_ms)) => Some(earliest_ms.checked_add_unsigned(n - 1).filter(|ms| *ms >= 0)),
        };
        let Some(deadline_ms) = deadline_ms.map_or(Some(None), |known| known.map(Some)) else {
            return Err(Error { offset: at, fault: BAD_DEADLINE });
        };
        field(input, deadline_ms)
    })
}

const BAD_DEADLINE: Fault = Fault::Corrupt("a field has an impossible deadline");

/// A listpack of names, values and deadlines by turns; deadline 0 is none.
fn volatile_listpack<'a>(input: &mut Slice<'a>, encoding: Encoding) -> Result<Vec<Field<'a>>, Error> {
    if encoding == Encoding::HashListpackEx {
        // The earliest deadline, which the fields say again.
        input.array::<8>()?;
    }
    let offset = input.offset();
    let elements = unpack(input, Form::Listpack)?;
    if elements.len() % 3 != 0 {
        return Err(Error {
            offset,
            fault: Fault::Corrupt("fields, values and deadlines do not come out even"),
        });
    }
    let mut fields = Vec::with_capacity(elements.len() / 3);
    let mut elements = elements.into_iter();
    while let (Some(name), Some(value), Some(deadline)) = (elements.next(), elements.next(), elements.next())
    {
        let deadline_ms = match engine::canonical_int(&deadline) {
            Some(0) => None,
            Some(ms @ 1..) => Some(ms),
            _ => return Err(Error { offset, fault: BAD_DEADLINE }),
        };
        fields.push(Field { name, value, deadline_ms });
    }
    Ok(fields)
}
