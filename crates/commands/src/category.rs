//! ACL categories: groups of commands that rules and COMMAND LIST name together.

use crate::table::{Command, flags};

/// A category, without the `@` it is written with.
pub type Category = &'static str;

/// All categories, in the order in which COMMAND INFO lists a command's.
pub const CATEGORIES: [Category; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

impl Command {
    /// Whether the command belongs to `category`: because its row says so, or because its flags do.
    pub fn is_in(&self, category: Category) -> bool {
        let flagged = match category {
            "write" => self.is(flags::WRITE),
            "read" => self.is(flags::READONLY) && !self.names("scripting"),
            "admin" | "dangerous" => self.is(flags::ADMIN),
            "pubsub" => self.is(flags::PUBSUB),
            "fast" => self.is(flags::FAST),
            "slow" => !self.is(flags::FAST),
            "blocking" => self.is(flags::BLOCKING),
            _ => false,
        };
        flagged || self.names(category)
    }

    fn names(&self, category: Category) -> bool {
        self.categories.split(' ').any(|c| c.strip_prefix('@') == Some(category))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup::{find, rows};

    #[test]
    fn rows_name_categories_that_exist() {
        for row in rows() {
            for name in row.command.categories.split(' ').filter(|name| !name.is_empty()) {
                let known = name.strip_prefix('@').is_some_and(|name| CATEGORIES.contains(&name));
                assert!(known, "{}: {name}", row.full_name());
            }
        }
    }

    #[test]
    fn flags_imply_categories() {
        let ping = find(b"ping").unwrap();
        let of = |command: &Command| CATEGORIES.into_iter().filter(|c| command.is_in(c)).collect::<Vec<_>>();
        assert_eq!(of(ping), ["fast", "connection"]);
        let list = find(b"client").unwrap().subcommands.iter().find(|c| c.name == "list").unwrap();
        assert_eq!(of(list), ["admin", "slow", "dangerous", "connection"]);
    }
}
