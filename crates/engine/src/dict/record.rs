//! How an element lies in a page, or apart from it.
//!
//! | bytes | content |
//! | --- | --- |
//! | 1 or 2 | length of the key (from bit 2), has a value (bit 1), has a deadline (bit 0) |
//! | 0, 1 or 2 | length of the value, when it has one |
//! | 0 or 8 | deadline |
//! | | key, then value; or, with the length `APART`, 2 bytes: which of the segment's parts they are |
//!
//! Numbers are little-endian; a length from 128 on takes two bytes, the first with its top bit set. A part is the
//! length of its key in 4 bytes, the key, and the value.

/// Bytes of key and value together from which they lie apart.
const APART_BYTES_MIN: usize = 512;
/// In place of the key's length: they lie apart.
const APART: usize = 0xfff;

/// Bytes before the key in a part.
const PART_HEAD: usize = 4;

/// An element of a dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item<'d> {
    /// Its key.
    pub(crate) key: &'d [u8],
    /// Its value; empty where there is none.
    pub(crate) value: &'d [u8],
    /// When it expires, in milliseconds since the Unix epoch.
    pub(crate) deadline_ms: Option<i64>,
}

impl Item<'_> {
    /// Whether key and value lie apart.
    pub(super) fn is_apart(&self) -> bool {
        self.key.len() + self.value.len() >= APART_BYTES_MIN
    }

    /// Bytes of its record.
    pub(super) fn record_bytes(&self) -> usize {
        let deadline = if self.deadline_ms.is_some() { 8 } else { 0 };
        if self.is_apart() {
            return 4 + deadline;
        }
        let value = if self.value.is_empty() { 0 } else { number_bytes(self.value.len()) + self.value.len() };
        number_bytes(self.key.len() << 2) + deadline + self.key.len() + value
    }

    /// Writes its record, of [`Item::record_bytes`], to `out`; `part` is where it lies, when apart.
    pub(super) fn write(&self, part: u16, out: &mut [u8]) {
        let apart = self.is_apart();
        let has_value = !apart && !self.value.is_empty();
        let key_len = if apart { APART } else { self.key.len() };
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            out[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        let mut number = [0; 2];
        let head = key_len << 2 | usize::from(has_value) << 1 | usize::from(self.deadline_ms.is_some());
        put(write_number(head, &mut number));
        if has_value {
            put(write_number(self.value.len(), &mut number));
        }
        if let Some(deadline_ms) = self.deadline_ms {
            put(&deadline_ms.to_le_bytes());
        }
        if apart {
            put(&part.to_le_bytes());
        } else {
            put(self.key);
            put(self.value);
        }
    }

    /// Key and value as a part.
    pub(super) fn part(&self) -> Vec<u8> {
        let key_len = u32::try_from(self.key.len()).expect("the protocol's limits are below 4 GiB");
        [&key_len.to_le_bytes(), self.key, self.value].concat()
    }
}

/// Where things are in a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Bytes before the deadline.
    head: usize,
    deadline: bool,
    /// Nothing: they lie apart.
    lengths: Option<(usize, usize)>,
}

impl Layout {
    /// Of the record at the beginning of `bytes`.
    #[inline]
    pub(super) fn of(bytes: &[u8]) -> Layout {
        let (first, mut head) = read_number(bytes);
        let key_len = first >> 2;
        let mut value_len = 0;
        if first & 2 != 0 {
            let (len, more) = read_number(&bytes[head..]);
            (value_len, head) = (len, head + more);
        }
        let lengths = (key_len != APART).then_some((key_len, value_len));
        Layout { head, deadline: first & 1 != 0, lengths }
    }

    #[inline]
    fn body(self) -> usize {
        self.head + if self.deadline { 8 } else { 0 }
    }

    /// Bytes of the record.
    #[inline]
    pub(super) fn record_bytes(self) -> usize {
        self.body() + self.lengths.map_or(2, |(key, value)| key + value)
    }

    /// Where in the record its deadline is.
    pub(super) fn deadline_at(self) -> Option<usize> {
        self.deadline.then_some(self.head)
    }

    /// Where in the record its part's number is.
    pub(super) fn part_at(self) -> Option<usize> {
        self.lengths.is_none().then(|| self.body())
    }

    /// Its deadline.
    #[inline]
    pub(super) fn deadline_ms(self, record: &[u8]) -> Option<i64> {
        let bytes = record.get(self.head..)?.first_chunk()?;
        self.deadline.then(|| i64::from_le_bytes(*bytes))
    }

    /// Which part it is, when it lies apart.
    #[inline]
    pub(super) fn part(self, record: &[u8]) -> Option<usize> {
        let at = self.part_at()?;
        Some(usize::from(u16::from_le_bytes([record[at], record[at + 1]])))
    }

    /// Its key and value, when they do not lie apart.
    #[inline]
    pub(super) fn key_value(self, record: &[u8]) -> Option<(&[u8], &[u8])> {
        let (key_len, value_len) = self.lengths?;
        record[self.body()..][..key_len + value_len].split_at_checked(key_len)
    }
}

/// The key and value that `part` is.
pub(super) fn part_key_value(part: &[u8]) -> (&[u8], &[u8]) {
    let (head, rest) = part.split_at(PART_HEAD);
    let key_len = head.iter().rev().fold(0, |len, &byte| len << 8 | usize::from(byte));
    rest.split_at(key_len)
}

fn number_bytes(n: usize) -> usize {
    if n < 0x80 { 1 } else { 2 }
}

fn write_number(n: usize, bytes: &mut [u8; 2]) -> &[u8] {
    *bytes = [n as u8 | 0x80, (n >> 7) as u8];
    if n < 0x80 {
        bytes[0] = n as u8;
        return &bytes[..1];
    }
    bytes
}

#[inline]
fn read_number(bytes: &[u8]) -> (usize, usize) {
    let first = usize::from(bytes[0]);
    if first < 0x80 { (first, 1) } else { (first & 0x7f | usize::from(bytes[1]) << 7, 2) }
}

#[cfg(test)]
mod tests {
    use super::{Item, Layout, part_key_value};

    #[test]
    fn records_read_back() {
        for key_len in [0, 1, 31, 32, 127, 128, 300, 511, 512, 600] {
            for value_len in [0, 1, 127, 128, 200, 511, 5000] {
                for deadline_ms in [None, Some(-1), Some(i64::MAX)] {
                    let (key, value) = (vec![7; key_len], vec![9; value_len]);
                    let item = Item { key: &key, value: &value, deadline_ms };
                    let mut record = vec![0; item.record_bytes()];
                    item.write(0x1234, &mut record);
                    let layout = Layout::of(&record);
                    assert_eq!(layout.record_bytes(), record.len());
                    assert_eq!(layout.deadline_ms(&record), deadline_ms);
                    assert_eq!(layout.part(&record), item.is_apart().then_some(0x1234));
                    let part = item.part();
                    let read = layout.key_value(&record).unwrap_or_else(|| part_key_value(&part));
                    assert_eq!(read, (&key[..], &value[..]));
                }
            }
        }
    }
}
