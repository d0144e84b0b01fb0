//! Completion and hints for a line that is being typed.

use crate::catalog::Catalog;
use crate::repl::line::repetitions;
use crate::syntax;
use crate::words;

/// Words that the prompt itself understands.
const LOCAL: [&str; 5] = ["clear", "connect", "exit", "help", "quit"];

/// A line, split where the cursor is: words that are done, and the one that is being typed (perhaps empty).
struct Typed<'a> {
    done: Vec<Vec<u8>>,
    /// The last word's text as it stands in the line.
    last: &'a str,
    /// Where it starts.
    start: usize,
}

impl Typed<'_> {
    /// `None` within quotes, where nothing is known about the word.
    fn new(line: &str) -> Option<Typed<'_>> {
        let start = line.rfind([' ', '\t']).map_or(0, |blank| blank + 1);
        let mut done = words::split(&line.as_bytes()[..start]).ok()?;
        // `5 get k` repeats `get k`.
        if done.first().is_some_and(|word| repetitions(word).is_some()) {
            done.remove(0);
        }
        Some(Typed { done, last: &line[start..], start })
    }

    fn words(&self) -> Vec<&[u8]> {
        self.done.iter().map(Vec::as_slice).collect()
    }
}

/// Where the last word of `line` starts, and what it may be completed to.
pub(crate) fn candidates(catalog: &Catalog, line: &str) -> (usize, Vec<String>) {
    let Some(typed) = Typed::new(line) else { return (line.len(), Vec::new()) };
    let mut found = match typed.words().as_slice() {
        [] => [names(catalog, &[]), LOCAL.map(str::to_owned).to_vec()].concat(),
        [help, topic @ ..] if help.eq_ignore_ascii_case(b"help") => {
            let mut topics = names(catalog, topic);
            if topic.is_empty() {
                topics.extend(catalog.groups().into_iter().map(|group| format!("@{group}")));
            }
            topics
        }
        words => [names(catalog, words), tokens(catalog, words)].concat(),
    };
    found.retain(|word| {
        word.get(..typed.last.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed.last))
    });
    // As the user types: capitals only when there are some already.
    if !line.bytes().any(|byte| byte.is_ascii_uppercase()) {
        found.iter_mut().for_each(|word| word.make_ascii_lowercase());
    }
    found.sort();
    found.dedup();
    (typed.start, found)
}

/// Words of commands' names that may follow `words`.
fn names(catalog: &Catalog, words: &[&[u8]]) -> Vec<String> {
    let follows = |name: &[String]| {
        let (start, next) = name.split_at_checked(words.len())?;
        let fits = start.iter().zip(words).all(|(a, b)| a.as_bytes().eq_ignore_ascii_case(b));
        next.first().filter(|_| fits).cloned()
    };
    catalog.commands.iter().filter_map(|command| follows(&command.words)).collect()
}

/// Tokens of the command's arguments that may follow `words`.
fn tokens(catalog: &Catalog, words: &[&[u8]]) -> Vec<String> {
    let Some(command) = catalog.find(words) else { return Vec::new() };
    let pieces = syntax::remaining(&command.arguments, &words[command.words.len()..]).unwrap_or_default();
    syntax::tokens(&pieces).into_iter().map(str::to_owned).collect()
}

/// What to show behind `line`: the arguments that may or must follow.
pub(crate) fn hint(catalog: &Catalog, line: &str) -> Option<String> {
    let typed = Typed::new(line)?;
    let mut words = typed.words();
    let rest = |words: &[&[u8]]| {
        let command = catalog.find(words)?;
        let pieces = syntax::remaining(&command.arguments, &words[command.words.len()..])?;
        Some(syntax::describe_pieces(&pieces)).filter(|text| !text.is_empty())
    };
    if typed.last.is_empty() {
        return rest(&words);
    }
    // The last word may be a whole argument, or the start of a token.
    words.push(typed.last.as_bytes());
    let whole = catalog.find(&words).is_some_and(|command| {
        let arguments = &words[command.words.len()..];
        let quoted = typed.last.starts_with(['"', '\'']);
        !quoted && (arguments.is_empty() || syntax::fits(&command.arguments, arguments))
    });
    if !whole {
        words.pop();
    }
    rest(&words).map(|text| format!(" {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::tests::catalog;

    fn completed(line: &str) -> Vec<String> {
        let (start, words) = candidates(&catalog(), line);
        words.into_iter().map(|word| format!("{}{word}", &line[..start])).collect()
    }

    #[test]
    fn words_complete_in_the_case_they_are_typed_in() {
        assert_eq!(completed("get"), ["getex"]);
        assert_eq!(completed("GE"), ["GETEX"]);
        assert_eq!(completed("c"), ["clear", "config", "connect"]);
        assert_eq!(completed("config "), ["config get", "config rewrite"]);
        assert_eq!(completed("CONFIG r"), ["CONFIG REWRITE"]);
        assert_eq!(completed("5 getex k "), ["5 getex k ex", "5 getex k persist"]);
        assert_eq!(completed("getex k p"), ["getex k persist"]);
        assert_eq!(completed("getex k ex "), Vec::<String>::new());
        assert_eq!(completed("help con"), ["help config"]);
        assert_eq!(completed("help @s"), ["help @server", "help @string"]);
        assert_eq!(completed("help config g"), ["help config get"]);
        assert_eq!(completed("nosuch "), Vec::<String>::new());
        assert_eq!(completed("getex \"a b"), Vec::<String>::new());
        assert_eq!(completed("getex k \u{e9}"), Vec::<String>::new());
    }

    #[test]
    fn hints_follow_what_is_typed() {
        let cases = [
            ("getex", Some(" key [EX seconds|PERSIST]")),
            ("getex ", Some("key [EX seconds|PERSIST]")),
            ("getex k", Some(" [EX seconds|PERSIST]")),
            ("getex k e", Some(" [EX seconds|PERSIST]")),
            ("getex k ex", Some(" seconds")),
            ("getex k ex ", Some("seconds")),
            ("getex k ex 5", None),
            ("getex k foo ", None),
            ("config get", Some(" parameter [parameter ...]")),
            ("config get a b", Some(" [parameter ...]")),
            ("2 config get ", Some("parameter [parameter ...]")),
            ("get", None),
            ("nosuch a", None),
            ("", None),
        ];
        for (line, text) in cases {
            assert_eq!(hint(&catalog(), line).as_deref(), text, "{line}");
        }
    }
}
