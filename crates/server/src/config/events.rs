//! The letters of `notify-keyspace-events`: which classes of events are published, and where.

use engine::EventClass;

/// Published to `__keyspace@<db>__:<key>` (`K`).
pub const KEYSPACE: u32 = 1 << 30;
/// Published to `__keyevent@<db>__:<event>` (`E`).
pub const KEYEVENT: u32 = 1 << 31;
/// Events of modules (`d`): part of `A`, and never sent here.
const MODULE: u32 = 1 << 29;

/// The classes that `A` stands for, with their letters.
const CLASSES: [(char, u32); 10] = [
    ('g', EventClass::Generic as u32),
    ('$', EventClass::String as u32),
    ('l', EventClass::List as u32),
    ('s', EventClass::Set as u32),
    ('h', EventClass::Hash as u32),
    ('z', EventClass::ZSet as u32),
    ('x', EventClass::Expired as u32),
    ('e', EventClass::Evicted as u32),
    ('t', EventClass::Stream as u32),
    ('d', MODULE),
];

/// What `A` leaves out.
const OTHERS: [(char, u32); 4] =
    [('n', EventClass::New as u32), ('K', KEYSPACE), ('E', KEYEVENT), ('m', EventClass::KeyMiss as u32)];

fn all() -> u32 {
    CLASSES.iter().fold(0, |set, (_, bit)| set | bit)
}

/// The set that `letters` give: bits of [`EventClass`], [`KEYSPACE`] and [`KEYEVENT`].
///
/// # Errors
/// Redis's text when a letter is unknown.
pub fn read(letters: &[u8]) -> Result<u32, String> {
    letters.iter().try_fold(0, |set, &letter| {
        let letter = char::from(letter);
        let found = CLASSES.iter().chain(&OTHERS).find(|(l, _)| *l == letter);
        match (letter, found) {
            ('A', _) => Ok(set | all()),
            (_, Some((_, bit))) => Ok(set | bit),
            _ => Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_owned()),
        }
    })
}

/// The letters of a set, in Redis's order.
pub fn text(set: u32) -> String {
    let letters = |of: &[(char, u32)]| -> String {
        of.iter().filter(|(_, bit)| set & bit != 0).map(|(letter, _)| *letter).collect()
    };
    let classes = if set & all() == all() { "A".to_owned() } else { letters(&CLASSES) };
    classes + &letters(&OTHERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_come_back_in_order() {
        for (given, shown) in
            [("KEA", "AKE"), ("", ""), ("Kg$x", "g$xK"), ("g$lshzxetdmK", "AKm"), ("Emn", "nEm")]
        {
            assert_eq!(text(read(given.as_bytes()).unwrap()), shown, "{given}");
        }
        assert!(read(b"Kq").is_err());
    }
}
