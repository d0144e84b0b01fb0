//! Intset: a set of integers, sorted.
//!
//! Bytes of an integer (4 bytes: 2, 4 or 8), count (4 bytes), the integers; numbers with their lowest byte first.

use super::{Broken, Element, split_array};
use crate::rdb::input::little_endian;

pub(super) fn each<'b>(run: &'b [u8], mut each: impl FnMut(Element<'b>)) -> Result<(), Broken> {
    let mut rest = run;
    let mut number = || split_array(&mut rest).map(u32::from_le_bytes);
    let (Some(width @ (2 | 4 | 8)), Some(count)) = (number(), number()) else {
        return Err("an intset has a bad header");
    };
    if rest.len() as u64 != u64::from(width) * u64::from(count) {
        return Err("an intset is not as long as it says");
    }
    let mut last = None;
    for bytes in rest.chunks_exact(width as usize) {
        let n = little_endian(bytes);
        if last.replace(n).is_some_and(|last| last >= n) {
            return Err("an intset is not in order");
        }
        each(Element::Int(n));
    }
    Ok(())
}
