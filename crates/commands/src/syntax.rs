//! The `syntax` of a row, read into a tree: for documentation, completion, and tests that make up requests.
//!
//! ```text
//! choice   = sequence { "|" sequence }
//! sequence = { item }            ended by a lone "...": all of it once or more
//! item     = ( word | "[" choice "]" | "(" choice ")" | "<" choice ">" ) [ "..." ]
//! ```

/// What arguments a command takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// An argument of this name: a word with letters in lower case.
    Argument(&'static str),
    /// This very word, in whatever case.
    Token(&'static str),
    /// One after the other.
    Sequence(Vec<Syntax>),
    /// One of them.
    Choice(Vec<Syntax>),
    /// It or nothing.
    Optional(Box<Syntax>),
    /// It once or more.
    Repeated(Box<Syntax>),
}

impl Syntax {
    /// The tree of `text`; nothing when its brackets do not match.
    pub fn parse(text: &'static str) -> Option<Syntax> {
        let mut rest = text;
        let tree = choice(&mut rest)?;
        rest.is_empty().then_some(tree)
    }
}

/// What a piece of syntax starts with.
fn head(rest: &str) -> Option<char> {
    rest.chars().next()
}

fn skip(rest: &mut &'static str, bytes: usize) {
    *rest = rest[bytes..].trim_start();
}

fn choice(rest: &mut &'static str) -> Option<Syntax> {
    let mut branches = vec![sequence(rest)?];
    while head(rest) == Some('|') {
        skip(rest, 1);
        branches.push(sequence(rest)?);
    }
    Some(if branches.len() == 1 { branches.remove(0) } else { Syntax::Choice(branches) })
}

fn sequence(rest: &mut &'static str) -> Option<Syntax> {
    let mut items = Vec::new();
    let mut repeated = false;
    while !repeated && !matches!(head(rest), None | Some('|' | ']' | ')' | '>')) {
        if rest.starts_with("...") {
            skip(rest, 3);
            repeated = true;
        } else {
            items.push(item(rest)?);
        }
    }
    let all = if items.len() == 1 { items.remove(0) } else { Syntax::Sequence(items) };
    Some(if repeated { Syntax::Repeated(Box::new(all)) } else { all })
}

fn item(rest: &mut &'static str) -> Option<Syntax> {
    let close = match head(rest)? {
        '[' => ']',
        '(' => ')',
        '<' => '>',
        _ => return Some(word(rest)),
    };
    let optional = close == ']';
    skip(rest, 1);
    let inner = choice(rest)?;
    *rest = rest.strip_prefix(close)?;
    let inner = if optional { Syntax::Optional(Box::new(inner)) } else { inner };
    Some(repeated_if_dotted(inner, rest))
}

fn word(rest: &mut &'static str) -> Syntax {
    let end = rest.find([' ', '|', '[', ']', '(', ')', '<', '>']).unwrap_or(rest.len());
    let text = rest[..end].strip_suffix("...").unwrap_or(&rest[..end]);
    *rest = &rest[text.len()..];
    let named = text.contains(|c: char| c.is_ascii_lowercase());
    let word = if named { Syntax::Argument(text) } else { Syntax::Token(text) };
    repeated_if_dotted(word, rest)
}

/// `item`, once or more when dots are attached to it; `rest` is what follows.
fn repeated_if_dotted(item: Syntax, rest: &mut &'static str) -> Syntax {
    let dots = rest.strip_prefix("...");
    *rest = dots.unwrap_or(rest).trim_start();
    if dots.is_some() { Syntax::Repeated(Box::new(item)) } else { item }
}

#[cfg(test)]
mod tests {
    use super::Syntax::{Argument, Choice, Optional, Repeated, Sequence, Token};
    use super::*;

    fn optional(syntax: Syntax) -> Syntax {
        Optional(Box::new(syntax))
    }

    #[test]
    fn words_brackets_and_bars() {
        assert_eq!(Syntax::parse(""), Some(Sequence(vec![])));
        assert_eq!(Syntax::parse("key"), Some(Argument("key")));
        let set = Sequence(vec![
            Argument("key"),
            optional(Choice(vec![Token("NX"), Token("XX")])),
            optional(Sequence(vec![Token("EX"), Argument("seconds")])),
        ]);
        assert_eq!(Syntax::parse("key [NX|XX] [ EX seconds ]"), Some(set));
        let operation = Choice(vec![Token("AND"), Token("NOT")]);
        assert_eq!(
            Syntax::parse("(AND | NOT) destkey"),
            Some(Sequence(vec![operation, Argument("destkey")]))
        );
    }

    #[test]
    fn dots_repeat_what_they_are_attached_to_or_all_before_them() {
        let pair = Sequence(vec![Argument("key"), Argument("value")]);
        let pairs = Sequence(vec![Argument("key"), Argument("value"), optional(Repeated(Box::new(pair)))]);
        assert_eq!(Syntax::parse("key value [key value ...]"), Some(pairs));
        let last = Sequence(vec![Argument("key"), Repeated(Box::new(Argument("id")))]);
        assert_eq!(Syntax::parse("key id..."), Some(last));
        let pair = || Sequence(vec![Argument("key"), Argument("value")]);
        let pairs = Sequence(vec![Repeated(Box::new(pair())), Token("END")]);
        assert_eq!(Syntax::parse("<key value>... END"), Some(pairs.clone()));
        assert_eq!(Syntax::parse("(key value)... END"), Some(pairs));
    }

    #[test]
    fn brackets_that_do_not_match_are_no_syntax() {
        for text in ["[a", "a]", "(a", "a)", "<a", "a>", "[a)", "a | [b"] {
            assert_eq!(Syntax::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_row_has_a_syntax_that_reads() {
        for row in crate::rows() {
            assert!(
                Syntax::parse(row.command.syntax).is_some(),
                "{}: {}",
                row.full_name(),
                row.command.syntax
            );
        }
    }
}
