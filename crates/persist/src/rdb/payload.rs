//! What DUMP gives and RESTORE takes: how a value is written (1 byte), the value, the format's version (2 bytes),
//! CRC-64 of all before (8 bytes); numbers with their lowest byte first.

use std::convert::Infallible;

use super::encode::{Encoder, encoding_of};
use super::error::Error;
use super::format::{Dialect, Encoding, Version};
use super::reader::Raw;
use super::value::Value;
use crate::crc64::crc64;
use crate::shape::Shape;

/// Version and checksum.
const FOOTER_BYTES: usize = 10;

/// Why a payload gives no value.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// It is of a version that is not known, or its bytes are not those that were written.
    #[error("DUMP payload version or checksum are wrong")]
    Footer,
    /// The value is broken, or a collection without elements or with one that comes twice.
    #[error("Bad data format")]
    Value,
}

/// The payload of a value.
pub fn dump<'a>(value: impl Into<Shape<'a>>, version: Version) -> Vec<u8> {
    let shape = value.into();
    let encoding = encoding_of(shape, version);
    let mut encoder = Encoder::new(true);
    encoder.byte(encoding.byte());
    let Ok(()) = encoder.value(shape, encoding, &mut |_| Ok::<(), Infallible>(()));
    encoder.raw(&version.number().to_le_bytes());
    let mut payload = encoder.bytes;
    let crc = crc64(&payload);
    payload.extend(crc.to_le_bytes());
    payload
}

/// The value of `payload`, which borrows from it what it can.
///
/// # Errors
/// The footer is wrong, or the value is.
pub fn restore(payload: &[u8]) -> Result<Value<'_>, PayloadError> {
    let split = payload.len().checked_sub(FOOTER_BYTES).and_then(|at| payload.split_at_checked(at));
    let (body, footer) = split.ok_or(PayloadError::Footer)?;
    let (version, crc) = footer.split_at(2);
    let version = version.try_into().map_err(|_| PayloadError::Footer).map(u16::from_le_bytes)?;
    let dialect = Dialect::of_version(version).ok_or(PayloadError::Footer)?;
    if crc64(&payload[..body.len() + 2]).to_le_bytes() != crc {
        return Err(PayloadError::Footer);
    }
    let (byte, bytes) = body.split_first().ok_or(PayloadError::Value)?;
    let encoding = Encoding::of_byte(*byte, dialect).ok_or(PayloadError::Value)?;
    let value = Raw { encoding, bytes, offset: 1 }.decode().map_err(|_: Error| PayloadError::Value)?;
    if value.is_empty() || value.has_duplicates() { Err(PayloadError::Value) } else { Ok(value) }
}
