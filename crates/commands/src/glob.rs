//! Glob patterns as KEYS, SCAN MATCH, CONFIG GET and PSUBSCRIBE know them: `*`, `?`, `[a-z]`, `[^a]`, `\x`.
//!
//! The time is bounded by the product of both lengths: when what follows a `*` does not fit, only the last
//! `*` takes more, for whatever an earlier one could leave to the rest, the last one can leave as well.

/// Most places with a `*` that something follows: as in Redis, a pattern with more fits nothing.
const STARS_MAX: usize = 1000;

/// Whether letters of either case are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// They are not: keys and channels.
    Sensitive,
    /// They are, those of ASCII: names of commands and directives.
    Ignored,
}

/// Whether `pattern` fits all of `text`, as Redis decides it: an unclosed class ends with the pattern, a
/// backslash at the end stands for itself, and nothing but the empty pattern fits the empty text.
pub fn glob_matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t) = (0, 0);
    // What follows the last `*`, and how much of the text that `*` leaves to it.
    let mut last_star: Option<(usize, usize)> = None;
    let mut stars = 0;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += pattern[p..].iter().take_while(|&&b| b == b'*').count();
            if p == pattern.len() {
                return true;
            }
            stars += 1;
            if stars > STARS_MAX {
                return false;
            }
            last_star = Some((p, t));
            continue;
        }
        if let Some(len) = fits_one(&pattern[p..], text[t], case) {
            p += len;
            t += 1;
            continue;
        }
        let Some((after, from)) = last_star else { return false };
        (p, t) = (after, from + 1);
        last_star = Some((p, t));
    }
    pattern[p..].iter().all(|&b| b == b'*')
}

/// The length of the element that `pattern` starts with (no `*`), if there is one and it fits `byte`.
fn fits_one(pattern: &[u8], byte: u8, case: Case) -> Option<usize> {
    match *pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', ..] => {
            let (len, fits) = class(pattern, byte, case);
            fits.then_some(len)
        }
        [b'\\', literal, ..] => same(literal, byte, case).then_some(2),
        [literal, ..] => same(literal, byte, case).then_some(1),
    }
}

/// The length of the class that `pattern` starts with, and whether `byte` is in it.
fn class(pattern: &[u8], byte: u8, case: Case) -> (usize, bool) {
    let negated = pattern.get(1) == Some(&b'^');
    let mut at = if negated { 2 } else { 1 };
    let mut found = false;
    loop {
        at += match pattern[at..] {
            [] => return (at, found != negated),
            // Redis compares an escaped byte as it is, even where case is ignored.
            [b'\\', escaped, ..] => {
                found |= escaped == byte;
                2
            }
            [b']', ..] => return (at + 1, found != negated),
            [first, b'-', last, ..] => {
                found |= in_range(first, last, byte, case);
                3
            }
            [literal, ..] => {
                found |= same(literal, byte, case);
                1
            }
        };
    }
}

fn same(a: u8, b: u8, case: Case) -> bool {
    match case {
        Case::Sensitive => a == b,
        Case::Ignored => a.eq_ignore_ascii_case(&b),
    }
}

/// Whether `byte` lies between two bounds in whatever order. Bytes above 127 count as negative, as C's plain
/// `char` does on x86; the bounds are put in order before case is ignored.
fn in_range(first: u8, last: u8, byte: u8, case: Case) -> bool {
    let (low, high) = if first.cast_signed() <= last.cast_signed() { (first, last) } else { (last, first) };
    let folded = |b: u8| if case == Case::Ignored { b.to_ascii_lowercase() } else { b }.cast_signed();
    (folded(low)..=folded(high)).contains(&folded(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, text: &str) -> bool {
        glob_matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive)
    }

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text) in [
            ("*", "a"),
            ("a*", "a"),
            ("*a", "a"),
            ("a**c", "abc"),
            ("*b*d*", "abcde"),
            ("h?llo", "hello"),
            ("*?", "x"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a*b", "abc"), ("?", "ab"), ("a?", "a"), ("", "a"), ("*ab*cd", "abcde")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn only_the_empty_pattern_fits_the_empty_text() {
        assert!(fits("", ""));
        assert!(!fits("*", ""));
        assert!(!fits("**", ""));
    }

    #[test]
    fn classes_with_ranges_negation_and_escapes() {
        for (pattern, text) in [
            ("h[ae]llo", "hello"),
            ("h[^e]llo", "hallo"),
            ("[a-c]", "b"),
            ("[c-a]", "b"),
            ("[\\]]", "]"),
            ("[\\-]", "-"),
            ("[a-]", "]"),
            ("[^]", "x"),
            ("[abc", "c"),
            ("x[^", "xy"),
            ("[\\", "\\"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("[]", "]"), ("[", "["), ("[^a]", "a"), ("[a-c]", "d"), ("[abc", "d")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn bytes_above_127_come_before_the_others_in_ranges() {
        assert!(glob_matches(b"[\xf0-\x05]", b"\xff", Case::Sensitive));
        assert!(!glob_matches(b"[a-\xff]", b"b", Case::Sensitive));
        assert!(glob_matches(b"[a-\xff]", b"A", Case::Sensitive));
    }

    #[test]
    fn escapes_stand_for_themselves() {
        assert!(fits("a\\*b", "a*b"));
        assert!(!fits("a\\*b", "axb"));
        assert!(fits("a\\", "a\\"));
    }

    #[test]
    fn case_is_ignored_on_request_except_after_a_backslash_in_a_class() {
        let ignoring =
            |pattern: &str, text: &str| glob_matches(pattern.as_bytes(), text.as_bytes(), Case::Ignored);
        assert!(ignoring("MAX*", "maxmemory"));
        assert!(ignoring("[A-C]", "b"));
        assert!(ignoring("\\A", "a"));
        assert!(!ignoring("[\\A]", "a"));
        assert!(!ignoring("[Z-a]", "b"));
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "a*".repeat(200) + "b";
        assert!(!fits(&pattern, &"a".repeat(5000)));
        assert!(fits(&pattern, &("a".repeat(5000) + "b")));
    }

    #[test]
    fn more_stars_than_redis_follows_fit_nothing() {
        assert!(fits(&"*?".repeat(STARS_MAX), &"a".repeat(STARS_MAX)));
        assert!(fits(&("**?".repeat(STARS_MAX) + "*"), &"a".repeat(STARS_MAX)));
        assert!(!fits(&"*?".repeat(STARS_MAX + 1), &"a".repeat(STARS_MAX + 1)));
    }
}
