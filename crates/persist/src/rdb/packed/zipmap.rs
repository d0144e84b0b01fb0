//! Zipmap: a small hash, as Redis kept it before version 2.6.
//!
//! Count (1 byte; 254: not known), then by turns: length of the name, the name, length of the value, one byte that says how
//! many unused bytes follow the value, the value, these unused bytes; 255 at the end. A length is one byte, or 254 and
//! four bytes, the lowest first.

use super::{Broken, Element, split, split_array};

const BIG: u8 = 254;
const END: u8 = 255;

pub(super) fn each<'b>(run: &'b [u8], mut each: impl FnMut(Element<'b>)) -> Result<(), Broken> {
    const BROKEN: Broken = "a zipmap is broken";
    let (count, mut rest) = run.split_first().ok_or(BROKEN)?;
    let mut fields = 0;
    while *rest.first().ok_or(BROKEN)? != END {
        let name_len = length(&mut rest).ok_or(BROKEN)?;
        each(Element::Bytes(split(&mut rest, name_len).ok_or(BROKEN)?));
        let value_len = length(&mut rest).ok_or(BROKEN)?;
        let [unused] = split_array(&mut rest).ok_or(BROKEN)?;
        each(Element::Bytes(split(&mut rest, value_len).ok_or(BROKEN)?));
        split(&mut rest, unused.into()).ok_or(BROKEN)?;
        fields += 1;
    }
    let counted = *count < BIG;
    if rest.len() != 1 || (counted && fields != u32::from(*count)) {
        return Err("a zipmap is not as long as it says");
    }
    Ok(())
}

fn length(rest: &mut &[u8]) -> Option<usize> {
    match split_array::<1>(rest)? {
        [BIG] => split_array(rest).map(|bytes| u32::from_le_bytes(bytes) as usize),
        [END] => None,
        [n] => Some(n.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Form;

    #[test]
    fn names_and_values_come_by_turns() {
        let mut run = b"\x02\x03foo\x03\x00bar\x05hello\xfe\x05\0\0\0\x02world..\xff".to_vec();
        let elements = Form::Zipmap.unpack(run.as_slice().into()).unwrap();
        assert_eq!(elements, [b"foo".as_slice(), b"bar", b"hello", b"world"]);
        run[0] = 254;
        assert!(Form::Zipmap.unpack(run.as_slice().into()).is_ok());
        for cut in 0..run.len() {
            assert!(Form::Zipmap.unpack(run[..cut].into()).is_err(), "cut at {cut}");
        }
    }
}
