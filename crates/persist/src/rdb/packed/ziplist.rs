//! Ziplist: a small collection, as Redis kept it before version 7.0.
//!
//! Length in bytes (4), place of the last entry (4), count (2; 65535: not known), the entries, 255. An entry is the length
//! of the one before it (one byte, or 254 and four bytes), its form, its content. Numbers have their lowest byte first,
//! but for the lengths in forms, which have it last:
//!
//! | form | content |
//! | --- | --- |
//! | `00nnnnnn` | n bytes |
//! | `01nnnnnn` n | n bytes |
//! | `10......` n n n n | n bytes |
//! | `11000000` | an integer of 2 bytes |
//! | `11010000` | of 4 bytes |
//! | `11100000` | of 8 bytes |
//! | `11110000` | of 3 bytes |
//! | `11111110` | of 1 byte |
//! | `1111nnnn`, n from 1 to 13 | nothing: the integer is n - 1 |

use super::{Broken, Element, split, split_array};
use crate::rdb::input::little_endian;

const HEADER: usize = 10;
const END: u8 = 255;
const COUNT_UNKNOWN: u16 = u16::MAX;

pub(super) fn each<'b>(run: &'b [u8], mut each: impl FnMut(Element<'b>)) -> Result<(), Broken> {
    const BROKEN: Broken = "a ziplist is broken";
    let mut rest = run;
    let header = (split_array(&mut rest), split_array(&mut rest), split_array(&mut rest));
    let (Some(bytes), Some(last), Some(count)) = header else { return Err("a ziplist has a bad header") };
    if u32::from_le_bytes(bytes) as usize != run.len() {
        return Err("a ziplist is not as long as it says");
    }
    let (mut entries, mut before, mut at) = (0, 0, HEADER);
    while *rest.first().ok_or(BROKEN)? != END {
        at = run.len() - rest.len();
        if length_before(&mut rest) != Some(before) {
            return Err("an entry of a ziplist does not fit the one before it");
        }
        each(element(&mut rest).ok_or(BROKEN)?);
        before = run.len() - rest.len() - at;
        entries += 1;
    }
    let count = u16::from_le_bytes(count);
    let counted = count == COUNT_UNKNOWN || u64::from(count) == entries;
    if rest.len() != 1 || !counted || u32::from_le_bytes(last) as usize != at {
        return Err("a ziplist does not hold what its header says");
    }
    Ok(())
}

fn length_before(rest: &mut &[u8]) -> Option<usize> {
    match split_array::<1>(rest)? {
        [254] => split_array(rest).map(|bytes| u32::from_le_bytes(bytes) as usize),
        [n] => Some(n.into()),
    }
}

fn element<'b>(rest: &mut &'b [u8]) -> Option<Element<'b>> {
    let [form] = split_array(rest)?;
    let low = usize::from(form & 0x3f);
    let len = match form >> 6 {
        0 => low,
        1 => low << 8 | usize::from(split_array::<1>(rest)?[0]),
        2 => u32::from_be_bytes(split_array(rest)?) as usize,
        _ => return integer(form, rest).map(Element::Int),
    };
    split(rest, len).map(Element::Bytes)
}

fn integer(form: u8, rest: &mut &[u8]) -> Option<i64> {
    let width = match form {
        0xc0 => 2,
        0xd0 => 4,
        0xe0 => 8,
        0xf0 => 3,
        0xfe => 1,
        0xf1..=0xfd => return Some(i64::from(form) - 0xf1),
        _ => return None,
    };
    split(rest, width).map(little_endian)
}

#[cfg(test)]
mod tests {
    use super::super::Form;

    /// A ziplist of entries given as form and content.
    fn ziplist(entries: &[&[u8]]) -> Vec<u8> {
        let (mut body, mut before, mut last) = (Vec::new(), 0, 10);
        for entry in entries {
            let at = body.len();
            last = 10 + at as u32;
            if before < 254 {
                body.push(before as u8);
            } else {
                body.push(254);
                body.extend((before as u32).to_le_bytes());
            }
            body.extend_from_slice(entry);
            before = body.len() - at;
        }
        let mut run = (11 + body.len() as u32).to_le_bytes().to_vec();
        run.extend(last.to_le_bytes());
        run.extend((entries.len() as u16).to_le_bytes());
        run.extend(body);
        run.push(255);
        run
    }

    #[test]
    fn every_form_of_entry_is_read() {
        let long = [b"\x41\x2c".as_slice(), &[b'x'; 300]].concat();
        let longer = [b"\x80\0\0\x40\0".as_slice(), &[b'y'; 16384]].concat();
        let entries: [&[u8]; 11] = [
            b"\x03abc",
            &long,
            &longer,
            b"\xc0\xff\xff",
            b"\xd0\0\0\0\x80",
            b"\xe0\xff\xff\xff\xff\xff\xff\xff\x7f",
            b"\xf0\0\0\x80",
            b"\xfe\x80",
            b"\xf1",
            b"\xfd",
            b"\x00",
        ];
        let run = ziplist(&entries);
        let elements = Form::Ziplist.unpack(run.as_slice().into()).unwrap();
        let lens: Vec<usize> = elements.iter().map(|e| e.len()).collect();
        assert_eq!(lens[..3], [3, 300, 16384]);
        let ints = ["-1", "-2147483648", "9223372036854775807", "-8388608", "-128", "0", "12", ""];
        assert_eq!(elements[3..], ints.map(str::as_bytes));
    }

    #[test]
    fn what_is_cut_or_changed_is_refused() {
        let run = ziplist(&[b"\x03abc", b"\xf2", b"\x02de"]);
        for cut in 0..run.len() {
            assert!(Form::Ziplist.unpack(run[..cut].into()).is_err(), "cut at {cut}");
        }
        for (at, byte) in [(0, 30), (4, 11), (8, 4), (10, 1), (11, 60), (15, 9), (run.len() - 1, 0)] {
            let mut bad = run.clone();
            bad[at] = byte;
            assert!(Form::Ziplist.unpack(bad.into()).is_err(), "byte {at}");
        }
    }
}
