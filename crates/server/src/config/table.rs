//! The table of directives: all that is known about each stands in its row.
//!
//! Names, bounds and defaults are those of Redis 7.2 (`CONFIG GET *`, redis.conf), with what Valkey 9 has
//! beyond it; where Ebbtide's default differs, the row says so.

mod data;
mod peers;
mod serving;

use super::value::{Kind, Value};

/// When a directive can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// At any time, with CONFIG SET.
    Live,
    /// Only by the configuration file and the command line.
    AtStart,
}

/// One row: all there is to know about one directive.
#[derive(Debug)]
pub struct Directive {
    /// Its name.
    pub name: &'static str,
    /// Another name Redis has for it, shown like a directive of its own.
    pub alias: Option<&'static str>,
    /// A name that only Valkey has for it: understood, not listed.
    pub valkey: Option<&'static str>,
    /// What its values are.
    pub kind: Kind,
    /// Its default, as it would stand in a file.
    pub default: &'static str,
    /// When it can be changed.
    pub change: Change,
    /// Shown by CONFIG GET only to whoever asks for it by its full name.
    pub hidden: bool,
    /// Changed only by those whom `enable-protected-configs` lets.
    pub guarded: bool,
    /// Its value is never logged.
    pub secret: bool,
    /// Why it is accepted and has no effect; `None`: it works.
    pub note: Option<&'static str>,
    /// What it does, in one sentence.
    pub docs: &'static str,
}

/// A directive that CONFIG SET can change.
const fn live(name: &'static str, kind: Kind, default: &'static str, docs: &'static str) -> Directive {
    Directive {
        name,
        alias: None,
        valkey: None,
        kind,
        default,
        change: Change::Live,
        hidden: false,
        guarded: false,
        secret: false,
        note: None,
        docs,
    }
}

/// A directive that stands once the server runs.
const fn at_start(name: &'static str, kind: Kind, default: &'static str, docs: &'static str) -> Directive {
    Directive { change: Change::AtStart, ..live(name, kind, default, docs) }
}

impl Directive {
    /// With another name of Redis's.
    const fn alias(self, alias: &'static str) -> Directive {
        Directive { alias: Some(alias), ..self }
    }

    /// With another name of Valkey's.
    const fn valkey(self, valkey: &'static str) -> Directive {
        Directive { valkey: Some(valkey), ..self }
    }

    /// Not listed.
    const fn hidden(self) -> Directive {
        Directive { hidden: true, ..self }
    }

    /// Subject to `enable-protected-configs`.
    const fn guarded(self) -> Directive {
        Directive { guarded: true, ..self }
    }

    /// Never logged.
    const fn secret(self) -> Directive {
        Directive { secret: true, ..self }
    }

    /// Accepted without effect, for this reason.
    const fn idle(self, note: &'static str) -> Directive {
        Directive { note: Some(note), ..self }
    }

    /// Every name it goes by, its own first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        [Some(self.name), self.alias, self.valkey].into_iter().flatten()
    }

    /// The names CONFIG GET lists: none when it is hidden.
    pub fn listed_names(&self) -> impl Iterator<Item = &'static str> {
        [Some(self.name), self.alias].into_iter().flatten().filter(|_| !self.hidden)
    }

    /// What is logged when it is given and has no effect.
    pub fn remark(&self) -> Option<String> {
        self.note.map(|why| remark(self.name, why))
    }

    /// Its default as a value.
    ///
    /// # Panics
    /// Panics when the row contradicts itself; a test reads every row's.
    pub fn default_value(&self) -> Value {
        if self.kind == Kind::Directory {
            // It need not exist before the server starts.
            let path = std::path::absolute(self.default).unwrap_or_else(|_| self.default.into());
            return Value::Text(path.into_os_string().into_encoded_bytes());
        }
        match self.kind.read(&self.kind.split(self.default.as_bytes()), None) {
            Ok(value) => value,
            Err(why) => panic!("default of {}: {why}", self.name),
        }
    }
}

fn remark(name: &str, why: &str) -> String {
    format!("Directive '{name}' has no effect: {why}.")
}

/// All rows, in the order of redis.conf.
pub fn table() -> impl Iterator<Item = &'static Directive> {
    serving::ROWS.iter().chain(data::ROWS).chain(peers::ROWS)
}

/// The directive called `name`, in whatever case, by any of its names.
pub fn find(name: &[u8]) -> Option<&'static Directive> {
    table().find(|row| row.names().any(|n| n.as_bytes().eq_ignore_ascii_case(name)))
}

/// A word of a configuration file that is no directive with a value, but an instruction to the reader.
#[derive(Debug)]
pub struct Statement {
    /// The word.
    pub name: &'static str,
    /// Fewest words after it.
    pub words_min: usize,
    /// Most words after it.
    pub words_max: usize,
    /// Why it has no effect; `None`: it works.
    pub note: Option<&'static str>,
    /// What it does, in one sentence.
    pub docs: &'static str,
}

impl Statement {
    /// What is logged when it is given and has no effect.
    pub fn remark(&self) -> Option<String> {
        self.note.map(|why| remark(self.name, why))
    }
}

/// All of them. Retired directives that old files still hold are here too.
pub static STATEMENTS: &[Statement] = &[
    Statement {
        name: "include",
        words_min: 1,
        words_max: 1,
        note: None,
        docs: "Reads other files in its place.",
    },
    Statement {
        name: "rename-command",
        words_min: 2,
        words_max: 2,
        note: None,
        docs: "Gives a command another name, or takes it away.",
    },
    Statement {
        name: "user",
        words_min: 1,
        words_max: usize::MAX,
        note: Some("there is only the default user yet, with the password of requirepass"),
        docs: "Defines a user and what it may do.",
    },
    Statement {
        name: "loadmodule",
        words_min: 1,
        words_max: usize::MAX,
        note: Some("there are no modules"),
        docs: "Loads a module.",
    },
    Statement { name: "list-max-ziplist-entries", note: Some(RETIRED), ..RETIRED_STATEMENT },
    Statement { name: "list-max-ziplist-value", note: Some(RETIRED), ..RETIRED_STATEMENT },
    Statement { name: "lua-replicate-commands", note: Some(RETIRED), ..RETIRED_STATEMENT },
    Statement { name: "io-threads-do-reads", note: Some(RETIRED), ..RETIRED_STATEMENT },
];

const RETIRED: &str = "Redis itself has retired it";
const RETIRED_STATEMENT: Statement =
    Statement { name: "", words_min: 1, words_max: 1, note: None, docs: "Once a directive of Redis's." };

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_is_whole() {
        let mut names = BTreeSet::new();
        for row in table() {
            for name in row.names() {
                assert!(names.insert(name), "{name} stands twice");
                assert_eq!(find(name.to_ascii_uppercase().as_bytes()).unwrap().name, row.name);
            }
            assert!(row.docs.ends_with('.'), "{}: docs are a sentence", row.name);
            let text = row.default_value().text();
            if row.kind != Kind::Directory {
                let again = row.kind.read(&row.kind.split(&text), None).unwrap();
                assert_eq!(again, row.default_value(), "{}: the default reads back", row.name);
            }
        }
        for statement in STATEMENTS {
            assert!(names.insert(statement.name), "{} stands twice", statement.name);
        }
    }
}
