//! What the server says about its commands: names, arguments, documentation.

use resp::Value;

use crate::failure::Failure;
use crate::session::Session;
use crate::syntax::{Argument, Kind};

/// Arguments nested deeper than this are left out.
const DEPTH_MAX: usize = 16;

/// All commands and subcommands, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    pub(crate) commands: Vec<Command>,
}

/// A command or subcommand. Texts the server does not give are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Command {
    /// Its name in capitals: one word, or a container's and its own.
    pub(crate) words: Vec<String>,
    pub(crate) summary: String,
    pub(crate) since: String,
    pub(crate) group: String,
    pub(crate) complexity: String,
    pub(crate) arguments: Vec<Argument>,
}

impl Command {
    /// Its whole name.
    pub(crate) fn name(&self) -> String {
        self.words.join(" ")
    }
}

impl Catalog {
    /// Asks the server: COMMAND DOCS (Redis 7.0 and later), else COMMAND for the names alone. A server that
    /// tells neither yields an empty catalog.
    pub(crate) fn load(session: &mut Session) -> Result<Catalog, Failure> {
        let docs = session.ask(&["COMMAND", "DOCS"])?;
        if docs.as_error().is_none() {
            return Ok(Catalog::from_docs(&docs));
        }
        Ok(Catalog::from_names(&session.ask(&["COMMAND"])?))
    }

    fn from_docs(docs: &Value) -> Catalog {
        let mut commands = Vec::new();
        for (name, doc) in fields(docs) {
            commands.push(command(&text(name), doc));
            let subcommands = field(doc, "subcommands").map(fields).unwrap_or_default();
            commands.extend(subcommands.into_iter().map(|(name, doc)| command(&text(name), doc)));
        }
        Catalog::sorted(commands)
    }

    /// From COMMAND's reply: an array of arrays that start with the name.
    fn from_names(table: &Value) -> Catalog {
        let names = table.as_slice().unwrap_or_default().iter().filter_map(|row| row.as_slice()?.first());
        Catalog::sorted(names.map(|name| command(&text(name), &Value::Null)).collect())
    }

    fn sorted(mut commands: Vec<Command>) -> Catalog {
        commands.retain(|command| !command.words.is_empty());
        commands.sort_by(|a, b| a.words.cmp(&b.words));
        Catalog { commands }
    }

    /// The command that a line's words start with: the subcommand, if they name one.
    pub(crate) fn find(&self, words: &[&[u8]]) -> Option<&Command> {
        let starts = |command: &&Command| {
            command.words.len() <= words.len()
                && command.words.iter().zip(words).all(|(a, b)| a.as_bytes().eq_ignore_ascii_case(b))
        };
        self.commands.iter().filter(starts).max_by_key(|command| command.words.len())
    }

    /// The groups that commands belong to.
    pub(crate) fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = self.commands.iter().map(|command| command.group.as_str()).collect();
        groups.sort_unstable();
        groups.dedup();
        groups.retain(|group| !group.is_empty());
        groups
    }
}

/// `name` is a command's, or `container|subcommand`.
fn command(name: &str, doc: &Value) -> Command {
    let text_of = |key| field(doc, key).map(text).unwrap_or_default();
    Command {
        words: name.split('|').map(str::to_ascii_uppercase).filter(|word| !word.is_empty()).collect(),
        summary: text_of("summary"),
        since: text_of("since"),
        group: text_of("group"),
        complexity: text_of("complexity"),
        arguments: field(doc, "arguments").map(|list| arguments(list, 0)).unwrap_or_default(),
    }
}

fn arguments(list: &Value, depth: usize) -> Vec<Argument> {
    if depth == DEPTH_MAX {
        return Vec::new();
    }
    list.as_slice().unwrap_or_default().iter().map(|argument| argument_of(argument, depth)).collect()
}

fn argument_of(doc: &Value, depth: usize) -> Argument {
    let kind = match field(doc, "type").map(text).unwrap_or_default().as_str() {
        "integer" | "unix-time" => Kind::Integer,
        "double" => Kind::Double,
        "pure-token" => Kind::Token,
        "oneof" => Kind::OneOf,
        "block" => Kind::Block,
        _ => Kind::Text,
    };
    let flags: Vec<String> =
        field(doc, "flags").and_then(Value::as_slice).unwrap_or_default().iter().map(text).collect();
    let has = |flag: &str| flags.iter().any(|other| other == flag);
    Argument {
        name: field(doc, "display_text").or(field(doc, "name")).map(text).unwrap_or_default(),
        kind,
        token: field(doc, "token").map(text),
        optional: has("optional"),
        multiple: has("multiple") || has("multiple_token"),
        multiple_token: has("multiple_token"),
        parts: field(doc, "arguments").map(|list| arguments(list, depth + 1)).unwrap_or_default(),
    }
}

/// A map's pairs; RESP2 sends them as a flat array.
fn fields(value: &Value) -> Vec<(&Value, &Value)> {
    match value {
        Value::Map(pairs) => pairs.iter().map(|(key, value)| (key, value)).collect(),
        Value::Array(items) => items.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect(),
        _ => Vec::new(),
    }
}

fn field<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    fields(map).into_iter().find(|(key, _)| key.as_bytes() == Some(name.as_bytes())).map(|(_, value)| value)
}

fn text(value: &Value) -> String {
    String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::syntax;

    fn bulk(text: &str) -> Value {
        Value::Bulk(text.as_bytes().to_vec())
    }

    fn list(items: &[Value]) -> Value {
        Value::Array(items.to_vec())
    }

    fn token(name: &str, token: &str) -> Value {
        list(&[bulk("name"), bulk(name), bulk("type"), bulk("pure-token"), bulk("token"), bulk(token)])
    }

    /// A part of what Redis 7 replies to COMMAND DOCS in RESP2.
    fn docs() -> Value {
        let key = list(&[
            bulk("name"),
            bulk("key"),
            bulk("type"),
            bulk("key"),
            bulk("key_spec_index"),
            Value::Int(0),
        ]);
        let optional = Value::Array(vec![Value::Simple(b"optional".to_vec())]);
        let seconds =
            [bulk("name"), bulk("seconds"), bulk("type"), bulk("integer"), bulk("token"), bulk("EX")];
        let expiry = list(&[
            bulk("name"),
            bulk("expiration"),
            bulk("type"),
            bulk("oneof"),
            bulk("flags"),
            optional,
            bulk("arguments"),
            list(&[list(&seconds), token("persist", "PERSIST")]),
        ]);
        let getex = list(&[
            bulk("summary"),
            bulk("Get and expire"),
            bulk("since"),
            bulk("6.2.0"),
            bulk("group"),
            bulk("string"),
            bulk("arguments"),
            list(&[key, expiry]),
        ]);
        let multiple = Value::Array(vec![Value::Simple(b"multiple".to_vec())]);
        let parameter = list(&[
            bulk("name"),
            bulk("p"),
            bulk("display_text"),
            bulk("parameter"),
            bulk("type"),
            bulk("string"),
            bulk("flags"),
            multiple,
        ]);
        let get = list(&[bulk("summary"), bulk("Gets"), bulk("arguments"), list(&[parameter])]);
        let subcommands = list(&[bulk("config|get"), get, bulk("config|rewrite"), list(&[])]);
        let config = list(&[bulk("group"), bulk("server"), bulk("subcommands"), subcommands]);
        list(&[bulk("getex"), getex, bulk("config"), config])
    }

    /// The catalog of CONFIG, CONFIG GET, CONFIG REWRITE and GETEX.
    pub(crate) fn catalog() -> Catalog {
        Catalog::from_docs(&docs())
    }

    #[test]
    fn docs_are_read() {
        let catalog = catalog();
        let names: Vec<String> = catalog.commands.iter().map(Command::name).collect();
        assert_eq!(names, ["CONFIG", "CONFIG GET", "CONFIG REWRITE", "GETEX"]);
        let getex = &catalog.commands[3];
        assert_eq!((getex.summary.as_str(), getex.since.as_str()), ("Get and expire", "6.2.0"));
        assert_eq!(syntax::describe(&getex.arguments), "key [EX seconds|PERSIST]");
        assert_eq!(syntax::describe(&catalog.commands[1].arguments), "parameter [parameter ...]");
        assert_eq!(catalog.groups(), ["server", "string"]);
    }

    #[test]
    fn lines_find_their_command() {
        let catalog = catalog();
        let find = |line: &str| {
            let words: Vec<&[u8]> = line.split_whitespace().map(str::as_bytes).collect();
            catalog.find(&words).map(Command::name)
        };
        assert_eq!(find("getex k").as_deref(), Some("GETEX"));
        assert_eq!(find("Config get x").as_deref(), Some("CONFIG GET"));
        assert_eq!(find("config").as_deref(), Some("CONFIG"));
        assert_eq!(find("config nosuch").as_deref(), Some("CONFIG"));
        assert_eq!(find("nosuch"), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn names_alone_will_do() {
        let table = list(&[list(&[bulk("get"), Value::Int(2)]), list(&[bulk("append"), Value::Int(3)])]);
        let names: Vec<String> = Catalog::from_names(&table).commands.iter().map(Command::name).collect();
        assert_eq!(names, ["APPEND", "GET"]);
        assert!(Catalog::from_docs(&Value::Error(b"ERR".to_vec())).commands.is_empty());
        assert!(Catalog::from_names(&Value::Int(1)).commands.is_empty());
    }
}
