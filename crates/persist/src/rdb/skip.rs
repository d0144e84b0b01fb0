//! Finding the end of a value without decoding it: what the reader of a file does, so that others decode.

use super::error::Error;
use super::format::Encoding;
use super::input::Input;
use super::module;

/// Passes over a value.
pub(super) fn skip_value(input: &mut impl Input, encoding: Encoding) -> Result<(), Error> {
    use Encoding as E;
    match encoding {
        E::String | E::HashZipmap | E::ListZiplist | E::SetIntset | E::ZSetZiplist | E::HashZiplist => {
            input.skip_string()
        }
        E::HashListpack | E::ZSetListpack | E::SetListpack | E::HashListpackExPreGa => input.skip_string(),
        E::HashListpackEx => {
            input.array::<8>()?;
            input.skip_string()
        }
        E::List | E::Set | E::ListQuicklist => repeat(input, |input| input.skip_string()),
        E::Hash => repeat(input, |input| {
            input.skip_string()?;
            input.skip_string()
        }),
        E::ListQuicklist2 => repeat(input, |input| {
            input.length()?;
            input.skip_string()
        }),
        E::ZSet => repeat(input, |input| {
            input.skip_string()?;
            skip_decimal(input)
        }),
        E::ZSet2 => repeat(input, |input| {
            input.skip_string()?;
            input.array::<8>().map(drop)
        }),
        E::HashMetadata | E::HashMetadataPreGa => {
            if encoding == E::HashMetadata {
                input.array::<8>()?;
            }
            repeat(input, |input| {
                input.length()?;
                input.skip_string()?;
                input.skip_string()
            })
        }
        E::HashDeadlines => repeat(input, |input| {
            input.skip_string()?;
            input.skip_string()?;
            input.array::<8>().map(drop)
        }),
        E::Module => {
            input.length()?;
            module::skip_body(input)
        }
        E::ModulePreGa => Err(Error { offset: input.offset(), fault: super::decode::PRE_GA }),
        E::Stream | E::Stream2 | E::Stream3 => skip_stream(input, encoding),
    }
}

/// Runs `each` as often as the length that stands here says.
fn repeat<I: Input>(input: &mut I, mut each: impl FnMut(&mut I) -> Result<(), Error>) -> Result<(), Error> {
    let count = input.length()?;
    (0..count).try_for_each(|_| each(input))
}

/// Passes over a number in decimal, whose length may be one of three that stand for a number themselves.
fn skip_decimal(input: &mut impl Input) -> Result<(), Error> {
    match input.byte()? {
        253..=255 => Ok(()),
        n => input.take(n.into()).map(drop),
    }
}

fn skip_stream(input: &mut impl Input, encoding: Encoding) -> Result<(), Error> {
    let with_past = encoding != Encoding::Stream;
    repeat(input, |input| {
        input.skip_string()?;
        input.skip_string()
    })?;
    skip_lengths(input, if with_past { 8 } else { 3 })?;
    repeat(input, |input| {
        input.skip_string()?;
        skip_lengths(input, if with_past { 3 } else { 2 })?;
        repeat(input, |input| {
            input.array::<24>()?;
            input.length().map(drop)
        })?;
        repeat(input, |input| {
            input.skip_string()?;
            input.take(if encoding == Encoding::Stream3 { 16 } else { 8 })?;
            repeat(input, |input| input.array::<16>().map(drop))
        })
    })
}

fn skip_lengths(input: &mut impl Input, count: u32) -> Result<(), Error> {
    (0..count).try_for_each(|_| input.length().map(drop))
}
