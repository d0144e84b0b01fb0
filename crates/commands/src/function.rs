//! FUNCTION: libraries of functions. There is no way to load one yet, so the answers are those of a store that
//! has none.

use crate::ctx::Ctx;
use crate::error::Error;
use crate::help::help;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&FUNCTION];

static FUNCTION: Command = Command {
    name: "function",
    arity: -2,
    subcommands: &[&DELETE, &FLUSH, &HELP, &LIST],
    summary: "A container for commands about libraries of functions.",
    since: "7.0.0",
    group: "scripting",
    complexity: "Depends on the subcommand.",
    ..Command::BLANK
};

static DELETE: Command = Command {
    name: "delete",
    arity: 3,
    flags: flags::WRITE | flags::NOSCRIPT,
    categories: "@scripting",
    run: function_delete,
    summary: "Removes a library and its functions.",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(1)",
    syntax: "library-name",
    example: "> FUNCTION DELETE mylib\n(error) ERR Library not found",
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    ..Command::BLANK
};

fn function_delete(_: &mut Ctx<'_, '_>) -> Outcome {
    Err(Error::Text("ERR Library not found"))
}

static FLUSH: Command = Command {
    name: "flush",
    arity: -2,
    flags: flags::WRITE | flags::NOSCRIPT,
    categories: "@scripting",
    run: function_flush,
    summary: "Removes all libraries.",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(N) where N is the number of functions",
    syntax: "[ASYNC | SYNC]",
    example: "> FUNCTION FLUSH\nOK",
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    ..Command::BLANK
};

fn function_flush(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let how = ctx.args.get(2).unwrap_or(b"sync");
    let known = how.eq_ignore_ascii_case(b"sync") || how.eq_ignore_ascii_case(b"async");
    if ctx.args.len() > 3 || !known {
        return Err(Error::Text("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"));
    }
    ctx.reply.ok();
    Ok(())
}

static HELP: Command = Command {
    name: "help",
    arity: 2,
    flags: flags::LOADING | flags::STALE,
    categories: "@scripting",
    run: function_help,
    summary: "Lists the subcommands.",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(1)",
    ..Command::BLANK
};

fn function_help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    help(ctx.reply, &FUNCTION);
    Ok(())
}

static LIST: Command = Command {
    name: "list",
    arity: -2,
    flags: flags::NOSCRIPT,
    categories: "@scripting",
    run: function_list,
    summary: "Lists the libraries.",
    since: "7.0.0",
    group: "scripting",
    complexity: "O(N) where N is the number of functions",
    syntax: "[LIBRARYNAME library-name-pattern] [WITHCODE]",
    example: "> FUNCTION LIST\n(empty array)",
    tips: &["nondeterministic_output_order"],
    ..Command::BLANK
};

fn function_list(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut args = ctx.args.from(2).iter();
    while let Some(arg) = args.next() {
        if arg.eq_ignore_ascii_case(b"libraryname") {
            args.next().ok_or(Error::Text("ERR library name argument was not given"))?;
        } else if !arg.eq_ignore_ascii_case(b"withcode") {
            return Err(Error::Message(format!("ERR Unknown argument {}", String::from_utf8_lossy(arg))));
        }
    }
    ctx.reply.array(0);
    Ok(())
}
