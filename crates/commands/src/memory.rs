//! MEMORY: what keys take, and the allocator.

use crate::ctx::Ctx;
use crate::error::Error;
use crate::help::help;
use crate::keys::KeySpec;
use crate::memory_doctor::DOCTOR;
use crate::memory_stats::STATS;
use crate::number::int;
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&MEMORY];

static MEMORY: Command = Command {
    name: "memory",
    arity: -2,
    subcommands: &[&DOCTOR, &HELP, &MALLOC_STATS, &PURGE, &STATS, &USAGE],
    summary: "A container for commands about memory.",
    since: "4.0.0",
    group: "server",
    complexity: "Depends on the subcommand.",
    ..Command::BLANK
};

static HELP: Command = Command {
    name: "help",
    arity: 2,
    flags: flags::LOADING | flags::STALE,
    run: memory_help,
    summary: "Lists the subcommands.",
    since: "4.0.0",
    group: "server",
    complexity: "O(1)",
    ..Command::BLANK
};

fn memory_help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    help(ctx.reply, &MEMORY);
    Ok(())
}

static MALLOC_STATS: Command = Command {
    name: "malloc-stats",
    arity: 2,
    run: malloc_stats,
    summary: "Gives the allocator's own report.",
    since: "4.0.0",
    group: "server",
    complexity: "O(N) in the number of size classes and arenas",
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    ..Command::BLANK
};

fn malloc_stats(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.verbatim("txt", ctx.host.allocator_report().as_bytes());
    Ok(())
}

static PURGE: Command = Command {
    name: "purge",
    arity: 2,
    run: purge,
    summary: "Has the allocator give unused memory back to the system.",
    since: "4.0.0",
    group: "server",
    complexity: "O(N) in the number of unused pages",
    example: "> MEMORY PURGE\nOK",
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    ..Command::BLANK
};

fn purge(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.host.purge_memory()?;
    ctx.reply.ok();
    Ok(())
}

static USAGE: Command = Command {
    name: "usage",
    arity: -3,
    flags: flags::READONLY,
    keys: &[KeySpec::one(2, "RO")],
    locks: Locks::Keys,
    run: usage,
    summary: "Gives the bytes of memory that a key takes with its value.",
    since: "4.0.0",
    group: "server",
    complexity: "O(1)",
    syntax: "key [SAMPLES count]",
    example: "> MEMORY USAGE a\n(nil)",
    ..Command::BLANK
};

/// SAMPLES is checked, but nothing needs to be estimated from samples.
fn usage(ctx: &mut Ctx<'_, '_>) -> Outcome {
    match (ctx.args.len(), ctx.args.get(3)) {
        (3, _) => {}
        (5, Some(word)) if word.eq_ignore_ascii_case(b"samples") => {
            if int(ctx.args.at(4))? < 0 {
                return Err(Error::Syntax);
            }
        }
        _ => return Err(Error::Syntax),
    }
    let key = ctx.key(2);
    match ctx.db.peek(key).map(|entry| entry.memory_bytes()) {
        Some(bytes) => ctx.reply.int(bytes as i64),
        None => ctx.reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    #[test]
    fn usage_grows_with_the_value() {
        let mut client = Client::new();
        client.send("SET a 1");
        client.send(&format!("SET b {}", "x".repeat(1000)));
        let (a, b) = (client.value("MEMORY USAGE a"), client.value("MEMORY USAGE b SAMPLES 0"));
        assert!(a.as_int().unwrap() > 0 && b.as_int().unwrap() >= 1000);
    }

    #[test]
    fn samples_are_checked() {
        let mut client = Client::new();
        for (line, text) in [
            ("MEMORY USAGE a SAMPLES", "ERR syntax error"),
            ("MEMORY USAGE a SAMPLES -1", "ERR syntax error"),
            ("MEMORY USAGE a SAMPLES x", "ERR value is not an integer or out of range"),
            ("MEMORY USAGE a foo 1", "ERR syntax error"),
        ] {
            assert_eq!(client.text(line), text, "{line}");
        }
    }
}
