//! Persistence: snapshots of the data, and the log of what changed it. What touches the disk is the process's
//! work ([`crate::Host`]); here is who may ask for it, and what is answered.

use resp::Args;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::host::{Begun, Reload};
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&SAVE, &BGSAVE, &LASTSAVE, &BGREWRITEAOF];

static SAVE: Command = Command {
    name: "save",
    arity: 1,
    flags: flags::ADMIN | flags::NOSCRIPT | flags::NO_ASYNC_LOADING | flags::NO_MULTI,
    run: save,
    summary: "Writes a snapshot, and answers when it is on disk.",
    since: "1.0.0",
    group: "server",
    complexity: "O(N), N being the number of keys in all databases",
    example: "> SET key value\nOK\n> SAVE\nOK",
    ..Command::BLANK
};

fn save(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.host.save()?;
    ctx.reply.ok();
    Ok(())
}

static BGSAVE: Command = Command {
    name: "bgsave",
    arity: -1,
    flags: flags::ADMIN | flags::NOSCRIPT | flags::NO_ASYNC_LOADING,
    run: bgsave,
    summary: "Begins to write a snapshot, while everything else goes on.",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    syntax: "[SCHEDULE | CANCEL]",
    example: "> BGSAVE\nBackground saving started",
    history: &[("3.2.2", "Knows `SCHEDULE`."), ("valkey 8.1.0", "Knows `CANCEL`.")],
    ..Command::BLANK
};

fn bgsave(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let schedule = match ctx.args.get(1) {
        None => false,
        Some(word) if ctx.args.len() == 2 && word.eq_ignore_ascii_case(b"schedule") => true,
        Some(word) if ctx.args.len() == 2 && word.eq_ignore_ascii_case(b"cancel") => {
            return bgsave_cancel(ctx);
        }
        Some(_) => return Err(Error::Syntax),
    };
    let reply = match ctx.host.save_in_background(schedule)? {
        Begun::Now => "Background saving started",
        Begun::Later => "Background saving scheduled",
    };
    ctx.reply.simple(reply);
    Ok(())
}

fn bgsave_cancel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let reply = match ctx.host.cancel_save()? {
        Begun::Now => "Background saving cancelled",
        Begun::Later => "Scheduled background saving cancelled",
    };
    ctx.reply.simple(reply);
    Ok(())
}

static LASTSAVE: Command = Command {
    name: "lastsave",
    arity: 1,
    flags: flags::LOADING | flags::STALE | flags::FAST,
    categories: "@admin @dangerous",
    run: lastsave,
    summary: "Tells when the last snapshot was written, in seconds since the Unix epoch.",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    example: "> LASTSAVE\n(integer) 1700000000",
    tips: &["nondeterministic_output"],
    ..Command::BLANK
};

fn lastsave(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.int(ctx.host.last_save_s());
    Ok(())
}

static BGREWRITEAOF: Command = Command {
    name: "bgrewriteaof",
    arity: 1,
    flags: flags::ADMIN | flags::NOSCRIPT | flags::NO_ASYNC_LOADING,
    run: bgrewriteaof,
    summary: "Begins to write the log anew, as short as the data allows, while everything else goes on.",
    since: "1.0.0",
    group: "server",
    complexity: "O(1)",
    example: "> BGREWRITEAOF\nBackground append only file rewriting started",
    ..Command::BLANK
};

fn bgrewriteaof(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let reply = match ctx.host.rewrite_log()? {
        Begun::Now => "Background append only file rewriting started",
        Begun::Later => "Background append only file rewriting scheduled",
    };
    ctx.reply.simple(reply);
    Ok(())
}

/// DEBUG RELOAD.
pub(crate) fn reload(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let how = reload_options(ctx.args.from(2))?;
    // Who writes and reads the snapshot takes the stripes it needs.
    ctx.db.release();
    ctx.host.reload(how)?;
    ctx.reply.ok();
    Ok(())
}

fn reload_options(words: Args<'_>) -> Result<Reload, Error> {
    let mut how = Reload { save: true, flush: true, merge: false };
    for word in words.iter() {
        match &*word.to_ascii_lowercase() {
            b"merge" => how.merge = true,
            b"noflush" => how.flush = false,
            b"nosave" => how.save = false,
            _ => {
                return Err(Error::Text(
                    "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
                ));
            }
        }
    }
    Ok(how)
}

/// DEBUG LOADAOF.
pub(crate) fn loadaof(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.db.release();
    ctx.host.load_log()?;
    ctx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    #[test]
    fn the_process_does_the_work() {
        let mut client = Client::new();
        client.check(&[
            ("SAVE", "OK"),
            ("BGSAVE SCHEDULE", "Background saving scheduled"),
            ("BGSAVE cancel", "Background saving cancelled"),
            ("BGREWRITEAOF", "Background append only file rewriting started"),
            ("DEBUG RELOAD", "OK"),
            ("DEBUG RELOAD nosave NOFLUSH merge", "OK"),
            ("DEBUG LOADAOF", "OK"),
        ]);
        assert_eq!(
            client.calls(),
            [
                "save",
                "save in background true",
                "cancel save",
                "rewrite log",
                "Reload { save: true, flush: true, merge: false }",
                "Reload { save: false, flush: false, merge: true }",
                "load log",
            ]
        );
    }

    #[test]
    fn options_that_do_not_exist_are_refused() {
        let mut client = Client::new();
        for line in ["BGSAVE foo", "BGSAVE SCHEDULE SCHEDULE", "BGSAVE CANCEL now"] {
            assert_eq!(client.text(line), "ERR syntax error", "{line}");
        }
        assert!(client.text("DEBUG RELOAD foo").starts_with("ERR DEBUG RELOAD only supports the MERGE"));
        assert!(client.calls().is_empty());
    }
}
