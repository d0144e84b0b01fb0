//! From a name to its row: every row numbered, and an open-addressing table of the names built at compile
//! time. A look-up neither allocates nor follows more than one pointer.

use crate::rename;
use crate::table::{Command, FAMILIES};

/// Longest name that a command may have, in bytes.
const NAME_BYTES_MAX: usize = 24;

/// Slots of the table of names; at most half are taken.
const SLOTS: usize = 1024;

/// One command or subcommand with its place in the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The command.
    pub command: &'static Command,
    /// The command it is a subcommand of.
    pub container: Option<&'static Command>,
    /// Its number: `0..ROWS`, the same as long as the process runs. Statistics are kept by it.
    pub number: usize,
}

impl Row {
    /// The row of `command`; takes as long as there are rows.
    pub fn of(command: &'static Command) -> Option<&'static Row> {
        ALL.iter().find(|row| std::ptr::eq(row.command, command))
    }

    /// The name as statistics and errors give it: `get`, `client|kill`.
    pub fn full_name(&self) -> String {
        match self.container {
            Some(container) => format!("{}|{}", container.name, self.command.name),
            None => self.command.name.to_owned(),
        }
    }

    /// The row of the subcommand called `name`, in whatever case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Row> {
        let found = self.command.subcommands.iter().position(|c| is_called(c, name))?;
        // A container's subcommands follow it.
        ALL.get(self.number + 1 + found)
    }
}

fn is_called(command: &Command, name: &[u8]) -> bool {
    command.name.as_bytes().eq_ignore_ascii_case(name)
}

/// How many rows there are, subcommands included.
pub const ROWS: usize = {
    let mut n = 0;
    let mut family = 0;
    while family < FAMILIES.len() {
        let mut i = 0;
        while i < FAMILIES[family].len() {
            n += 1 + FAMILIES[family][i].subcommands.len();
            i += 1;
        }
        family += 1;
    }
    n
};

/// Every row in order of its number: a container's subcommands follow it.
pub fn rows() -> &'static [Row] {
    &ALL
}

/// The row of the command that clients call `name`, in whatever case.
#[inline]
pub fn find_row(name: &[u8]) -> Option<&'static Row> {
    rename::changed(name).unwrap_or_else(|| find_original(name))
}

/// The row of the command that the table calls `name`, in whatever case.
#[inline]
pub(crate) fn find_original(name: &[u8]) -> Option<&'static Row> {
    let name = Name::of(name)?;
    let mut slot = name.slot();
    loop {
        let (taken, row) = &NAMES[slot];
        let row = (*row)?;
        if taken.equals(name) {
            return Some(row);
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// The row called `name`, in whatever case: a command's (`get`) or a subcommand's (`client|kill`).
pub(crate) fn find_named(name: &[u8]) -> Option<&'static Row> {
    match name.iter().position(|&b| b == b'|') {
        Some(bar) => find_row(&name[..bar])?.subcommand(&name[bar + 1..]),
        None => find_row(name),
    }
}

/// The command called `name`, in whatever case.
#[inline]
pub fn find(name: &[u8]) -> Option<&'static Command> {
    find_row(name).map(|row| row.command)
}

static ALL: [Row; ROWS] = {
    let mut all = [Row { command: &Command::BLANK, container: None, number: 0 }; ROWS];
    let mut number = 0;
    let mut family = 0;
    while family < FAMILIES.len() {
        let mut i = 0;
        while i < FAMILIES[family].len() {
            let command = FAMILIES[family][i];
            all[number] = Row { command, container: None, number };
            number += 1;
            let mut sub = 0;
            while sub < command.subcommands.len() {
                all[number] = Row { command: command.subcommands[sub], container: Some(command), number };
                number += 1;
                sub += 1;
            }
            i += 1;
        }
        family += 1;
    }
    all
};

static NAMES: [(Name, Option<&Row>); SLOTS] = {
    assert!(ROWS <= SLOTS / 2, "the table of names is too full: double SLOTS");
    let mut names = [(Name { words: [0; 3], len: 0 }, None); SLOTS];
    let mut number = 0;
    while number < ROWS {
        let row = &ALL[number];
        if row.container.is_none() {
            let Some(name) = Name::of(row.command.name.as_bytes()) else {
                panic!("a command's name is empty or too long");
            };
            let mut slot = name.slot();
            while names[slot].1.is_some() {
                assert!(!name.equals(names[slot].0), "two commands have one name");
                slot = (slot + 1) % SLOTS;
            }
            names[slot] = (name, Some(row));
        }
        number += 1;
    }
    names
};

/// A name in lower case, in machine words: the first eight bytes, the next eight and the last eight; they
/// overlap when there are fewer bytes, which is why the length belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name {
    words: [u64; 3],
    len: usize,
}

impl Name {
    #[inline]
    const fn of(bytes: &[u8]) -> Option<Name> {
        let len = bytes.len();
        if len == 0 || len > NAME_BYTES_MAX {
            return None;
        }
        let mut words = [0; 3];
        if len < 8 {
            words[0] = lower(short(bytes));
        } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            words[0] = lower(u64::from_le_bytes(*first));
            words[2] = lower(u64::from_le_bytes(*last));
            if len > 16
                && let Some(next) = bytes.split_at(8).1.first_chunk()
            {
                words[1] = lower(u64::from_le_bytes(*next));
            }
        }
        Some(Name { words, len })
    }

    /// Where the search for it begins.
    #[inline]
    const fn slot(self) -> usize {
        let [a, b, c] = self.words;
        let mixed =
            (a ^ b.rotate_left(21) ^ c.rotate_left(42) ^ self.len as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 40) as usize % SLOTS
    }

    /// `==`, at compile time too, and without a call.
    #[inline]
    const fn equals(self, other: Name) -> bool {
        let ([a, b, c], [x, y, z]) = (self.words, other.words);
        self.len == other.len && a == x && b == y && c == z
    }
}

/// One to seven bytes as a number.
#[inline]
const fn short(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        u32::from_le_bytes(*first) as u64 | (u32::from_le_bytes(*last) as u64) << 32
    } else {
        let [first, middle, last] = [bytes[0], bytes[bytes.len() / 2], bytes[bytes.len() - 1]];
        first as u64 | (middle as u64) << 8 | (last as u64) << 16
    }
}

/// Eight bytes with the ASCII capitals among them made small.
#[inline]
const fn lower(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // In each byte the top bit says whether its lower seven are at least `A`, and past `Z`.
    let low_bits = word & (0x7f * EACH);
    let from_a = low_bits + (0x80 - b'A' as u64) * EACH;
    let past_z = low_bits + (0x7f - b'Z' as u64) * EACH;
    let capitals = (from_a ^ past_z) & !word & (0x80 * EACH);
    word | capitals >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_name_in_any_case() {
        for row in rows() {
            let found = match row.container {
                None => find_row(row.command.name.to_ascii_uppercase().as_bytes()),
                Some(c) => find_row(c.name.as_bytes())
                    .and_then(|r| r.subcommand(row.command.name.to_ascii_uppercase().as_bytes())),
            };
            assert_eq!(found.map(|r| r.number), Some(row.number), "{}", row.full_name());
        }
    }

    #[test]
    fn what_is_no_name_is_not_found() {
        for name in [b"".as_slice(), b"nosuch", b"get\0", b"ge", &[b'a'; 25], &[0xff; 24]] {
            assert!(find(name).is_none(), "{name:?}");
        }
    }

    #[test]
    fn lower_changes_capitals_alone() {
        for byte in 0..=u8::MAX {
            let word = u64::from_le_bytes([byte, b'A', byte, b'z', byte, 0xff, byte, byte]);
            let expected = word.to_le_bytes().map(|b| b.to_ascii_lowercase());
            assert_eq!(lower(word).to_le_bytes(), expected, "{byte}");
        }
    }

    #[test]
    fn names_of_every_length_differ_when_one_byte_does() {
        for len in 1..=NAME_BYTES_MAX {
            let name = vec![b'a'; len];
            for i in 0..len {
                let mut other = name.clone();
                other[i] = b'b';
                assert_ne!(Name::of(&name), Name::of(&other), "{len} {i}");
            }
        }
    }
}
