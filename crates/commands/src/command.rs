//! COMMAND: what commands there are, made from the table.

use crate::category::CATEGORIES;
use crate::command_docs::DOCS;
use crate::command_info::{INFO, all_info};
use crate::command_keys::{GETKEYS, GETKEYSANDFLAGS};
use crate::ctx::Ctx;
use crate::error::Error;
use crate::glob::{Case, glob_matches};
use crate::help::help;
use crate::lookup::{Row, rows};
use crate::table::{Command, Outcome, flags, table};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&COMMAND];

static COMMAND: Command = Command {
    name: "command",
    arity: -1,
    run: command,
    subcommands: &[&COUNT, &DOCS, &GETKEYS, &GETKEYSANDFLAGS, &HELP, &INFO, &LIST],
    summary: "Describes all commands, as COMMAND INFO does.",
    since: "2.8.13",
    complexity: "O(N), N being the number of commands",
    tips: &["nondeterministic_output_order"],
    ..ANY
};

/// What the subcommands have in common.
pub(crate) const ANY: Command = Command {
    flags: flags::LOADING | flags::STALE,
    categories: "@connection",
    group: "server",
    complexity: "O(1)",
    ..Command::BLANK
};

fn command(ctx: &mut Ctx<'_, '_>) -> Outcome {
    all_info(ctx.reply);
    Ok(())
}

static COUNT: Command = Command {
    name: "count",
    arity: 2,
    run: count,
    summary: "Counts the commands, without subcommands.",
    since: "2.8.13",
    ..ANY
};

fn count(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.int(table().count() as i64);
    Ok(())
}

static HELP: Command = Command {
    name: "help",
    arity: 2,
    run: command_help,
    summary: "Lists the subcommands.",
    since: "5.0.0",
    ..ANY
};

fn command_help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    help(ctx.reply, &COMMAND);
    Ok(())
}

static LIST: Command = Command {
    name: "list",
    arity: -2,
    run: list,
    summary: "Names the commands and subcommands: all, or those that fit a filter.",
    since: "7.0.0",
    complexity: "O(N), N being the number of commands",
    syntax: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
    example: "> COMMAND LIST FILTERBY PATTERN e?ho\n1) \"echo\"\n> COMMAND LIST FILTERBY MODULE none\n(empty array)",
    tips: &["nondeterministic_output_order"],
    ..ANY
};

fn list(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let args = ctx.args;
    let filter: Box<dyn Fn(&Row) -> bool> = match args.len() {
        2 => Box::new(|_| true),
        5 if args.at(2).eq_ignore_ascii_case(b"filterby") => {
            let value = args.at(4);
            match &*args.at(3).to_ascii_lowercase() {
                b"module" => Box::new(|_| false),
                b"aclcat" => {
                    let category = CATEGORIES.into_iter().find(|c| value.eq_ignore_ascii_case(c.as_bytes()));
                    Box::new(move |row| category.is_some_and(|c| row.command.is_in(c)))
                }
                b"pattern" => {
                    Box::new(move |row| glob_matches(value, row.full_name().as_bytes(), Case::Ignored))
                }
                _ => return Err(Error::Syntax),
            }
        }
        _ => return Err(Error::Syntax),
    };
    let found: Vec<&Row> = rows().iter().filter(|row| filter(row)).collect();
    ctx.reply.array(found.len());
    found.iter().for_each(|row| ctx.reply.bulk(row.full_name().as_bytes()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    #[test]
    fn lists_are_filtered() {
        let mut client = Client::new();
        let found = client.show("COMMAND LIST FILTERBY PATTERN CLIENT|*");
        assert!(found.contains("client|kill") && !found.contains("\"client\""), "{found}");
        assert!(client.show("COMMAND LIST FILTERBY ACLCAT Connection").contains("\"select\""));
        for none in ["ACLCAT nosuch", "ACLCAT @connection", "MODULE x"] {
            assert_eq!(client.send(&format!("COMMAND LIST FILTERBY {none}")), "*0\r\n");
        }
        for line in ["COMMAND LIST foo", "COMMAND LIST FILTERBY", "COMMAND LIST FILTERBY foo bar"] {
            assert_eq!(client.text(line), "ERR syntax error", "{line}");
        }
    }

    #[test]
    fn all_are_counted_and_listed() {
        let mut client = Client::new();
        assert_eq!(client.value("COMMAND COUNT").as_int(), Some(crate::table().count() as i64));
        assert_eq!(client.value("COMMAND LIST").as_slice().unwrap().len(), crate::ROWS);
        assert_eq!(client.value("COMMAND").as_slice().unwrap().len(), crate::table().count());
    }
}
