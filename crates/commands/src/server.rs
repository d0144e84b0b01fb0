//! The process: its time, its role, its end, and a picture.

use std::fmt::Write;

use resp::Args;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::host::Shutdown;
use crate::number::int;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&TIME, &ROLE, &SHUTDOWN, &LOLWUT];

static TIME: Command = Command {
    name: "time",
    arity: 1,
    flags: flags::LOADING | flags::STALE | flags::FAST,
    run: time,
    summary: "Gives the server's time: seconds since the Unix epoch, and microseconds of the running second.",
    since: "2.6.0",
    group: "server",
    complexity: "O(1)",
    tips: &["nondeterministic_output"],
    ..Command::BLANK
};

fn time(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let now_us = ctx.host.now_us();
    ctx.reply.array(2);
    ctx.reply.bulk_int(now_us.div_euclid(1_000_000));
    ctx.reply.bulk_int(now_us.rem_euclid(1_000_000));
    Ok(())
}

static ROLE: Command = Command {
    name: "role",
    arity: 1,
    flags: flags::NOSCRIPT | flags::LOADING | flags::STALE | flags::FAST,
    categories: "@admin @dangerous",
    run: role,
    summary: "Tells the part the server has in replication: a primary, its offset, its replicas.",
    since: "2.8.12",
    group: "server",
    complexity: "O(1)",
    example: "> ROLE\n1) \"master\"\n2) (integer) 0\n3) (empty array)",
    ..Command::BLANK
};

fn role(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.array(3);
    ctx.reply.bulk(b"master");
    ctx.reply.int(0);
    ctx.reply.array(0);
    Ok(())
}

static SHUTDOWN: Command = Command {
    name: "shutdown",
    arity: -1,
    flags: flags::ADMIN
        | flags::NOSCRIPT
        | flags::LOADING
        | flags::STALE
        | flags::NO_MULTI
        | flags::ALLOW_BUSY,
    run: shutdown,
    summary: "Ends the server, once what runs is done and what must be kept is kept.",
    since: "1.0.0",
    group: "server",
    complexity: "O(N) when a snapshot is written, N being the number of keys, otherwise O(1)",
    syntax: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
    history: &[("7.0.0", "Knows `NOW`, `FORCE` and `ABORT`.")],
    ..Command::BLANK
};

fn shutdown(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (request, abort) = shutdown_options(ctx.args)?;
    if abort {
        ctx.host.abort_shut_down()?;
        ctx.reply.ok();
        return Ok(());
    }
    ctx.host.shut_down(request)?;
    // There is no reply: the connection closes.
    ctx.session.closing = true;
    Ok(())
}

/// How to end, or that the end is to be called off.
fn shutdown_options(args: Args<'_>) -> Result<(Shutdown, bool), Error> {
    let mut request = Shutdown::default();
    let mut abort = false;
    for word in args.from(1).iter() {
        match &*word.to_ascii_lowercase() {
            b"nosave" if request.save != Some(true) => request.save = Some(false),
            b"save" if request.save != Some(false) => request.save = Some(true),
            b"now" => request.now = true,
            b"force" => request.force = true,
            b"abort" => abort = true,
            _ => return Err(Error::Syntax),
        }
    }
    if abort && request != Shutdown::default() {
        return Err(Error::Syntax);
    }
    Ok((request, abort))
}

static LOLWUT: Command = Command {
    name: "lolwut",
    arity: -1,
    flags: flags::READONLY | flags::FAST,
    run: lolwut,
    summary: "Draws the tides, and tells Ebbtide's version.",
    since: "5.0.0",
    group: "server",
    complexity: "O(N), N being the number of characters drawn",
    syntax: "[VERSION version] [columns [rows]]",
    ..Command::BLANK
};

/// Columns and rows drawn at most, and when nothing is said.
const COLUMNS: (i64, i64) = (240, 72);
const ROWS: (i64, i64) = (60, 12);

fn lolwut(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let versioned = ctx.args.get(1).is_some_and(|word| word.eq_ignore_ascii_case(b"version"));
    let numbers = ctx.args.from(if versioned { 2 } else { 1 });
    let numbers: Vec<i64> = numbers.iter().map(int).collect::<Result<_, _>>()?;
    // Whatever version's picture is asked for, there is one.
    let sizes = numbers.get(usize::from(versioned)..).unwrap_or(&[]);
    let size =
        |i: usize, (most, usual): (i64, i64)| sizes.get(i).copied().unwrap_or(usual).clamp(2, most) as usize;
    let phase = ctx.db.turn.rng.below(1000) as f64 / 1000.0;
    let mut picture = tides(size(0, COLUMNS), size(1, ROWS), phase);
    // Writing to memory does not fail.
    let _ = writeln!(picture, "\nEbbtide ver. {}", env!("CARGO_PKG_VERSION"));
    ctx.reply.verbatim("txt", picture.as_bytes());
    Ok(())
}

/// Two weeks of tides: the moon's, twice a lunar day, and the sun's, which adds to them at first and takes
/// away from them at last. `phase`, of 0 to 1, is where the moon begins.
fn tides(columns: usize, rows: usize, phase: f64) -> String {
    const HOURS: f64 = 14.0 * 24.0;
    let height = |column: usize| {
        let hours = HOURS * column as f64 / columns as f64;
        let turn = |period_hours: f64| std::f64::consts::TAU * (hours / period_hours);
        let moon = (turn(12.42) + phase).cos();
        let sun = 0.46 * (turn(12.0) + phase).cos();
        // From -1.46..1.46 to 0..rows.
        (moon + sun + 1.46) / 2.92 * (rows - 1) as f64
    };
    let mut picture = String::with_capacity((columns + 1) * rows * 3);
    for row in (0..rows).rev() {
        for column in 0..columns {
            let above = height(column) - row as f64;
            picture.push(match above {
                a if a >= 1.0 => '█',
                a if a >= 0.66 => '▓',
                a if a >= 0.33 => '▒',
                a if a >= 0.0 => '░',
                _ => ' ',
            });
        }
        picture.truncate(picture.trim_end_matches(' ').len());
        picture.push('\n');
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::tides;
    use crate::testing::{Client, NOW_MS};

    #[test]
    fn time_is_in_seconds_and_microseconds() {
        let mut client = Client::new();
        assert_eq!(client.show("TIME"), format!("1) \"{}\"\n2) \"42\"", NOW_MS / 1000));
    }

    #[test]
    fn shutdown_passes_its_options_on() {
        let mut client = Client::new();
        assert_eq!(client.send("SHUTDOWN NOSAVE now FORCE"), "");
        assert!(client.session.closing);
        assert_eq!(client.calls(), ["Shutdown { save: Some(false), now: true, force: true }"]);
    }

    #[test]
    fn options_that_do_not_go_together_are_refused() {
        let mut client = Client::new();
        for line in ["foo", "SAVE NOSAVE", "NOSAVE SAVE", "ABORT NOW", "NOW ABORT"] {
            assert_eq!(client.text(&format!("SHUTDOWN {line}")), "ERR syntax error", "{line}");
        }
        assert_eq!(client.text("SHUTDOWN ABORT"), "ERR No shutdown in progress.");
        assert!(client.calls().is_empty() && !client.session.closing);
    }

    #[test]
    fn the_tide_stays_within_the_picture() {
        for (columns, rows) in [(2, 2), (72, 12), (240, 60)] {
            let picture = tides(columns, rows, 0.0);
            assert_eq!(picture.lines().count(), rows);
            assert!(picture.lines().all(|line| line.chars().count() <= columns));
            assert!(picture.lines().next_back().is_some_and(|bottom| bottom.contains(['░', '█'])));
        }
    }

    #[test]
    fn lolwut_takes_sizes_with_and_without_a_version() {
        let mut client = Client::new();
        let lines = |text: String| text.lines().count();
        assert_eq!(lines(client.text("LOLWUT")), 14);
        assert_eq!(lines(client.text("LOLWUT VERSION 5")), 14);
        assert_eq!(lines(client.text("LOLWUT VERSION 5 40 20")), 22);
        assert_eq!(lines(client.text("LOLWUT 40 -5")), 4);
        assert!(client.text("LOLWUT").contains("Ebbtide ver. "));
        assert_eq!(client.text("LOLWUT VERSION x"), "ERR value is not an integer or out of range");
    }
}
