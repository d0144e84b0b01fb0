//! A command's arguments as COMMAND DOCS describes them, made from the row's syntax.
//!
//! The model is <https://redis.io/docs/latest/develop/reference/command-arguments/>.

use crate::lookup::Row;
use crate::syntax::Syntax;
use crate::table::Command;

/// What an argument is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentKind {
    /// One word that may be anything, of this type: `string`, `integer`, `double`, `pattern`, `unix-time`.
    Word(&'static str),
    /// A key, which this one of the command's key specifications finds.
    Key(usize),
    /// Nothing but its token.
    Token,
    /// One of the inner arguments.
    OneOf(Vec<Argument>),
    /// All of the inner arguments.
    Block(Vec<Argument>),
}

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ArgumentKind,
    /// The literal word before it.
    pub token: Option<&'static str>,
    /// It may be left out.
    pub optional: bool,
    /// It may come several times.
    pub multiple: bool,
    /// When it comes several times, its token does so too.
    pub multiple_token: bool,
}

impl Argument {
    fn new(name: String, kind: ArgumentKind) -> Argument {
        Argument { name, kind, token: None, optional: false, multiple: false, multiple_token: false }
    }
}

impl Row {
    /// The arguments of the command or subcommand.
    pub fn arguments(&self) -> Vec<Argument> {
        let Some(syntax) = Syntax::parse(self.command.syntax) else { return Vec::new() };
        Reading { command: self.command, keys_seen: 0 }.all(&syntax)
    }
}

/// The reading of one command's syntax.
struct Reading {
    command: &'static Command,
    keys_seen: usize,
}

impl Reading {
    /// The arguments of a whole syntax.
    fn all(&mut self, syntax: &Syntax) -> Vec<Argument> {
        match syntax {
            Syntax::Sequence(items) => self.sequence(items),
            other => vec![self.one(other)],
        }
    }

    fn sequence(&mut self, items: &[Syntax]) -> Vec<Argument> {
        let mut arguments: Vec<Argument> = Vec::new();
        let mut rest = items;
        while let [first, tail @ ..] = rest {
            rest = tail;
            match (first, tail) {
                // `TOKEN name`, `TOKEN name...`: a name with a token.
                (Syntax::Token(token), [next, ..]) if takes_token(next) => {
                    let argument = Argument { token: Some(token), ..self.one(next) };
                    arguments.push(argument);
                    rest = &tail[1..];
                }
                // `name [name ...]`: a name that may come several times.
                (Syntax::Optional(more), _)
                    if is_repetition(more, &items[..items.len() - rest.len() - 1]) =>
                {
                    let Syntax::Repeated(unit) = &**more else { continue };
                    let width = if let Syntax::Sequence(unit) = &**unit { unit.len() } else { 1 };
                    let repeated = arguments.split_off(arguments.len().saturating_sub(width));
                    arguments.push(Argument { multiple: true, ..block(repeated) });
                }
                _ => arguments.push(self.one(first)),
            }
        }
        arguments
    }

    fn one(&mut self, syntax: &Syntax) -> Argument {
        match syntax {
            Syntax::Argument(name) => {
                let kind = self.kind(name);
                Argument::new((*name).to_owned(), kind)
            }
            Syntax::Token(token) => {
                let name = token.to_ascii_lowercase();
                Argument { token: Some(token), ..Argument::new(name, ArgumentKind::Token) }
            }
            Syntax::Sequence(items) => self.group(items),
            Syntax::Choice(branches) => {
                let branches: Vec<Argument> = branches.iter().map(|b| self.one(b)).collect();
                Argument::new(joined(&branches), ArgumentKind::OneOf(branches))
            }
            Syntax::Optional(inner) => Argument { optional: true, ..self.one(inner) },
            Syntax::Repeated(inner) => {
                let argument = self.one(inner);
                Argument { multiple: true, multiple_token: argument.token.is_some(), ..argument }
            }
        }
    }

    /// Several items as one argument: `TOKEN name`, or a block, which a token may begin.
    fn group(&mut self, items: &[Syntax]) -> Argument {
        if let [Syntax::Token(token), rest @ ..] = items
            && rest.len() > 1
        {
            let inner = self.sequence(rest);
            return Argument { token: Some(token), ..block(inner) };
        }
        block(self.sequence(items))
    }

    fn kind(&mut self, name: &str) -> ArgumentKind {
        if self.command.has_keys() && is_key(name) {
            let spec = self.keys_seen.min(self.command.keys.len() - 1);
            self.keys_seen += 1;
            return ArgumentKind::Key(spec);
        }
        ArgumentKind::Word(match name {
            "pattern" | "by-pattern" | "get-pattern" => "pattern",
            "unix-time-seconds" | "unix-time-milliseconds" => "unix-time",
            "increment" if self.command.name.ends_with("float") => "double",
            "value" if matches!(self.command.name, "setbit" | "bitfield") => "integer",
            name if INTEGERS.contains(&name) => "integer",
            _ => "string",
        })
    }
}

/// One argument that stands for all of `inner`.
fn block(mut inner: Vec<Argument>) -> Argument {
    if inner.len() == 1 {
        return inner.remove(0);
    }
    Argument::new(joined(&inner), ArgumentKind::Block(inner))
}

fn joined(arguments: &[Argument]) -> String {
    arguments.iter().map(|a| a.name.as_str()).collect::<Vec<_>>().join("-")
}

/// Whether a token before `syntax` belongs to it.
fn takes_token(syntax: &Syntax) -> bool {
    match syntax {
        Syntax::Argument(_) | Syntax::Choice(_) => true,
        Syntax::Repeated(inner) => takes_token(inner),
        _ => false,
    }
}

/// Whether `more` is once or more what `before` ends with.
fn is_repetition(more: &Syntax, before: &[Syntax]) -> bool {
    match more {
        Syntax::Repeated(unit) => match &**unit {
            Syntax::Sequence(unit) => before.ends_with(unit),
            unit => before.last() == Some(unit),
        },
        _ => false,
    }
}

fn is_key(name: &str) -> bool {
    matches!(name, "key" | "key1" | "key2" | "newkey" | "destkey" | "source" | "destination")
}

/// Names of arguments that are integers wherever they stand.
const INTEGERS: &[&str] = &[
    "bit",
    "client-id",
    "columns",
    "count",
    "cursor",
    "db",
    "decrement",
    "destination-db",
    "end",
    "increment",
    "index",
    "index1",
    "index2",
    "len",
    "maxage",
    "milliseconds",
    "min-match-len",
    "numfields",
    "numkeys",
    "offset",
    "protover",
    "rows",
    "seconds",
    "start",
    "timeout",
    "version",
];

#[cfg(test)]
mod tests {
    use super::ArgumentKind::{Block, Key, OneOf, Token, Word};
    use super::*;

    fn arguments(syntax: &'static str) -> Vec<Argument> {
        static KEYS: [crate::KeySpec; 2] = [crate::KeySpec::one(1, ""), crate::KeySpec::one(2, "")];
        let command: &'static Command =
            Box::leak(Box::new(Command { syntax, keys: &KEYS, ..Command::BLANK }));
        Row { command, container: None, number: 0 }.arguments()
    }

    fn word(name: &str, kind: &'static str) -> Argument {
        Argument::new(name.into(), Word(kind))
    }

    #[test]
    fn tokens_go_with_the_name_behind_them() {
        let expected = vec![
            Argument::new("key".into(), Key(0)),
            word("value", "string"),
            Argument {
                optional: true,
                ..Argument::new(
                    "seconds-keepttl".into(),
                    OneOf(vec![
                        Argument { token: Some("EX"), ..word("seconds", "integer") },
                        Argument { token: Some("KEEPTTL"), ..Argument::new("keepttl".into(), Token) },
                    ]),
                )
            },
        ];
        assert_eq!(arguments("key value [EX seconds | KEEPTTL]"), expected);
    }

    #[test]
    fn a_token_before_several_names_begins_a_block() {
        let block = Block(vec![word("username", "string"), word("password", "string")]);
        let auth = Argument {
            token: Some("AUTH"),
            optional: true,
            ..Argument::new("username-password".into(), block)
        };
        assert_eq!(arguments("[AUTH username password]"), [auth]);
    }

    #[test]
    fn both_ways_to_write_a_repetition_mean_the_same() {
        let key = Argument { multiple: true, ..Argument::new("key".into(), Key(0)) };
        assert_eq!(arguments("key [key ...]"), arguments("key..."));
        assert_eq!(arguments("key..."), [key]);
        assert_eq!(arguments("key value [key value ...]"), arguments("<key value>..."));
        assert_eq!(arguments("key value [key value ...]").len(), 1);
        let prefix =
            Argument { token: Some("PREFIX"), optional: true, multiple: true, ..word("p", "string") };
        assert_eq!(arguments("[PREFIX p...]"), vec![prefix.clone()]);
        assert_eq!(arguments("[PREFIX p ...]"), [Argument { multiple_token: true, ..prefix }]);
    }

    #[test]
    fn keys_name_their_specification() {
        let kinds: Vec<ArgumentKind> =
            arguments("source destination key").into_iter().map(|a| a.kind).collect();
        assert_eq!(kinds, [Key(0), Key(1), Key(1)]);
    }
}
