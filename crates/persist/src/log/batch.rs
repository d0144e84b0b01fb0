//! How the log frames what is written with one call: a batch.
//!
//! ```text
//! #TS:1700000000\r\n                                           only with timestamps, when the second has changed
//! #EB:0000000029:0123456789abcdef:000000000000123\r\n          length, checksum, offset known to be synced
//! *3\r\n$3\r\nSET\r\n...                                       requests, as many bytes as the length says
//! ```
//!
//! To Redis both annotations are lines to be skipped. The checksum (CRC-64 as Redis's) is that of the batch's offset
//! in its file, the length and the synced offset as eight bytes each, least significant first, the timestamp's line
//! and the requests. So a batch proves that its bytes are those that were written, and written there.
//!
//! A file of ours begins with a batch of length 0, its mark, which is synced before anything names the file. From
//! there batch follows batch: we never append to anything else. What comes behind the last one was written by Redis.

use crate::crc64::Crc64;

/// Digits of the length.
const LEN_DIGITS: usize = 10;
/// Digits of the checksum.
const SUM_DIGITS: usize = 16;
/// Digits of the synced offset.
const SYNCED_DIGITS: usize = 15;

/// What a header begins with.
pub(crate) const HEADER_START: &[u8] = b"#EB:";
/// What a timestamp begins with.
pub(crate) const TIMESTAMP_START: &[u8] = b"#TS:";

/// A header's length: it is the same for all.
pub(crate) const HEADER_BYTES: usize =
    HEADER_START.len() + LEN_DIGITS + 1 + SUM_DIGITS + 1 + SYNCED_DIGITS + 2;
/// Longest line of a timestamp.
pub(crate) const TIMESTAMP_BYTES_MAX: usize = TIMESTAMP_START.len() + 19 + 2;
/// The room that a batch needs before its requests.
pub(crate) const FRONT_BYTES_MAX: usize = TIMESTAMP_BYTES_MAX + HEADER_BYTES;
/// Most bytes of requests in a batch.
pub(crate) const PAYLOAD_BYTES_MAX: u64 = 10_u64.pow(LEN_DIGITS as u32) - 1;

/// What a batch's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// How many bytes of requests follow.
    pub(crate) len: u64,
    /// The checksum.
    pub(crate) sum: u64,
    /// Up to where the file was known to be synced when it was written.
    pub(crate) synced: u64,
}

impl Header {
    /// Reads a header from its first byte, if it is one in each byte.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Header> {
        let rest = bytes.get(..HEADER_BYTES)?.strip_prefix(HEADER_START)?;
        let (len, rest) = rest.split_at(LEN_DIGITS);
        let (sum, rest) = rest.strip_prefix(b":")?.split_at(SUM_DIGITS);
        let (synced, rest) = rest.strip_prefix(b":")?.split_at(SYNCED_DIGITS);
        let lower_hex = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        let sum = sum.iter().all(lower_hex).then(|| std::str::from_utf8(sum).ok()).flatten()?;
        let header =
            Header { len: decimal(len)?, sum: u64::from_str_radix(sum, 16).ok()?, synced: decimal(synced)? };
        (rest == b"\r\n").then_some(header)
    }

    /// Appends the header's line.
    fn format(self, out: &mut Vec<u8>) {
        let Header { len, sum, synced } = self;
        let line = format!("#EB:{len:0LEN_DIGITS$}:{sum:0SUM_DIGITS$x}:{synced:0SYNCED_DIGITS$}\r\n");
        out.extend_from_slice(line.as_bytes());
    }

    /// Begins the checksum of a batch that lies at `offset`: what is to be added are the timestamp's line and the
    /// requests.
    pub(crate) fn begin_sum(len: u64, synced: u64, offset: u64) -> Crc64 {
        let mut sum = Crc64::new();
        let numbers = [offset, len, synced].map(u64::to_le_bytes);
        sum.update(numbers.as_flattened());
        sum
    }
}

/// What stands before the requests of a batch that lies at `offset`: the timestamp's line, if there is one, and the
/// header.
pub(crate) fn front(timestamp_s: Option<i64>, requests: &[u8], synced: u64, offset: u64) -> Vec<u8> {
    let mut front = Vec::with_capacity(FRONT_BYTES_MAX);
    if let Some(seconds) = timestamp_s {
        front.extend_from_slice(format!("#TS:{}\r\n", seconds.max(0)).as_bytes());
    }
    let len = requests.len() as u64;
    let mut sum = Header::begin_sum(len, synced, offset);
    sum.update(&front);
    sum.update(requests);
    Header { len, sum: sum.value(), synced }.format(&mut front);
    front
}

/// A line that may be an annotation's, as far as its bytes are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line<T> {
    /// It is one, of this many bytes.
    Is(T, usize),
    /// It is none.
    No,
    /// It may become one: bytes are missing.
    Short,
}

/// Reads a timestamp's line.
pub(crate) fn timestamp(bytes: &[u8]) -> Line<i64> {
    let there = bytes.len().min(TIMESTAMP_START.len());
    if bytes[..there] != TIMESTAMP_START[..there] {
        return Line::No;
    }
    let digits = bytes[there..].iter().take_while(|b| b.is_ascii_digit()).count();
    match &bytes[there + digits..] {
        [] | [b'\r'] if digits < 20 => Line::Short,
        [b'\r', b'\n', ..] => match decimal(&bytes[there..there + digits]).map(i64::try_from) {
            Some(Ok(seconds)) => Line::Is(seconds, there + digits + 2),
            _ => Line::No,
        },
        _ => Line::No,
    }
}

/// A number of digits only, at least one.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let front = front(Some(1_700_000_000), b"*1\r\n$4\r\nPING\r\n", 77, 1234);
        let Line::Is(seconds, len) = timestamp(&front) else { panic!("{front:?}") };
        assert_eq!((seconds, &front[..len]), (1_700_000_000, &b"#TS:1700000000\r\n"[..]));
        let header = Header::parse(&front[len..]).unwrap();
        assert_eq!((header.len, header.synced, front.len() - len), (14, 77, HEADER_BYTES));
        let mut sum = Header::begin_sum(14, 77, 1234);
        sum.update(&front[..len]);
        sum.update(b"*1\r\n$4\r\nPING\r\n");
        assert_eq!(header.sum, sum.value());
    }

    #[test]
    fn another_offset_gives_another_checksum() {
        let sum = |offset| Header::parse(&front(None, b"x", 0, offset)).unwrap().sum;
        assert_ne!(sum(0), sum(1));
    }

    #[test]
    fn a_header_with_any_bit_flipped_is_another_or_none() {
        let good = front(None, b"requests", 12, 34);
        let header = Header::parse(&good).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(Header::parse(&bad), Some(header), "bit {bit}");
        }
        assert_eq!(Header::parse(&good[..HEADER_BYTES - 1]), None);
    }

    #[test]
    fn timestamps_are_told_from_other_lines() {
        assert_eq!(timestamp(b"#TS:12\r\nrest"), Line::Is(12, 8));
        for short in ["", "#", "#TS:", "#TS:1", "#TS:1\r"] {
            assert_eq!(timestamp(short.as_bytes()), Line::Short, "{short}");
        }
        for no in
            ["#EB:", "*", "#TS:\r\n", "#TS:-1\r\n", "#TS:1\n", "#TS:99999999999999999999\r\n", "#TS:1\rx"]
        {
            assert_eq!(timestamp(no.as_bytes()), Line::No, "{no}");
        }
    }
}
