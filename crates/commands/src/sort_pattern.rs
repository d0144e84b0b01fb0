//! The patterns of SORT's BY and GET: where to look something up for an element.

use engine::{Db, Str};

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// Nowhere: it has no place for the element.
    Nothing,
    /// The key that the element makes between the two, or, with a field, that field of its hash.
    Key { prefix: &'a [u8], suffix: &'a [u8], field: Option<&'a [u8]> },
}

impl<'a> Pattern<'a> {
    /// The pattern that an argument is: `weight_*`, `object_*->weight`.
    pub(crate) fn parse(pattern: &'a [u8]) -> Pattern<'a> {
        if pattern == b"#" {
            return Pattern::Element;
        }
        let Some(star) = memchr::memchr(b'*', pattern) else { return Pattern::Nothing };
        let (prefix, rest) = (&pattern[..star], &pattern[star + 1..]);
        // An arrow with nothing behind it is part of the key's name.
        match memchr::memmem::find(rest, b"->").filter(|at| at + 2 < rest.len()) {
            Some(at) => Pattern::Key { prefix, suffix: &rest[..at], field: Some(&rest[at + 2..]) },
            None => Pattern::Key { prefix, suffix: rest, field: None },
        }
    }

    /// Puts what is found for `element` into `found`; whether there is anything.
    pub(crate) fn look_up(self, db: &mut Db<'_, '_>, element: &[u8], found: &mut Vec<u8>) -> bool {
        found.clear();
        match self {
            Pattern::Element => found.extend_from_slice(element),
            Pattern::Nothing => return false,
            Pattern::Key { prefix, suffix, field } => {
                let name = [prefix, element, suffix].concat();
                let (key, digits) = (db.key(&name), &mut itoa::Buffer::new());
                let value = match field {
                    None => db.read_string(key).ok().flatten().map(|value: Str<'_>| value.bytes(digits)),
                    Some(field) => {
                        let hash = db.read_hash(key).ok().flatten();
                        hash.and_then(|hash| hash.get(field)).map(|field| field.value.bytes(digits))
                    }
                };
                match value {
                    Some(value) => found.extend_from_slice(value),
                    None => return false,
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern::{self, Element, Key, Nothing};

    #[test]
    fn patterns_name_keys_and_fields() {
        let key = |prefix, suffix, field| Key { prefix, suffix, field };
        for (text, pattern) in [
            (&b"#"[..], Element),
            (b"##", Nothing),
            (b"", Nothing),
            (b"w_*", key(b"w_", b"", None)),
            (b"*", key(b"", b"", None)),
            (b"a*b*", key(b"a", b"b*", None)),
            (b"w_*->f", key(b"w_", b"", Some(b"f"))),
            (b"w_*x->f->g", key(b"w_", b"x", Some(b"f->g"))),
            (b"w_*->", key(b"w_", b"->", None)),
            (b"a->b*", key(b"a->b", b"", None)),
        ] {
            assert_eq!(Pattern::parse(text), pattern, "{}", text.escape_ascii());
        }
    }
}
