//! From a request to its reply: finding the row, what is checked before any command runs, and the run.
//!
//! Pure: the server's dispatcher, an embedding program and tests take the same path.

use engine::{Db, Held, Store, Turn};
use resp::{Args, Reply};
use smallvec::SmallVec;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::host::Host;
use crate::keys::Positions;
use crate::lookup::{Row, find_original, find_row};
use crate::session::Session;
use crate::table::{Command, Locks, Outcome, flags};

/// How many bytes of what a client sent an error repeats.
const QUOTED_BYTES_MAX: usize = 128;

/// The row that `args` asks for (a subcommand's own, where there is one), once the number of arguments is
/// right and the session may run it. Errors in the order Redis finds them: unknown, arity, authentication.
pub fn resolve(args: Args<'_>, session: &Session, host: &dyn Host) -> Result<&'static Row, Error> {
    let top = find_row(args.at(0)).ok_or_else(|| unknown_command(args))?;
    let row = complete(top, args)?;
    if !row.command.is(flags::NO_AUTH) && !session.is_let_in(host) {
        return Err(Error::Text("NOAUTH Authentication required."));
    }
    if session.monitoring && row.command.flags & (flags::READONLY | flags::WRITE | flags::MAY_REPLICATE) != 0
    {
        return Err(Error::Text("ERR Replica can't interact with the keyspace"));
    }
    Ok(row)
}

/// The row that `args`, a request of a log, asks for: by the names of the table, whatever `rename-command` says, and
/// whoever may run it. Errors as [`resolve`] gives them.
pub fn resolve_logged(args: Args<'_>) -> Result<&'static Row, Error> {
    let top = find_original(args.at(0)).ok_or_else(|| unknown_command(args))?;
    complete(top, args)
}

/// The subcommand's row where `top` is a container, once the number of arguments is right.
fn complete(top: &'static Row, args: Args<'_>) -> Result<&'static Row, Error> {
    let row = match args.get(1) {
        Some(name) if !top.command.subcommands.is_empty() => {
            top.subcommand(name).ok_or_else(|| unknown_subcommand(args.at(0), name))?
        }
        _ => top,
    };
    match row.command.takes(args.len()) {
        true => Ok(row),
        false => Err(Error::Arity(row.full_name())),
    }
}

/// Takes the stripes that `command` needs for a request: those of its keys, all or none. Several keys' entries
/// in `db` are fetched ahead.
pub fn hold<'s>(store: &'s Store, command: &Command, args: Args<'_>, db: u32) -> Held<'s> {
    match command.locks_of.map_or(command.locks, |locks_of| locks_of(args)) {
        Locks::Nothing => Held::nothing(store),
        Locks::Everything => Held::everything(store),
        Locks::Keys => {
            let mut positions = Positions::new();
            command.key_positions(args, &mut positions);
            let hashes: SmallVec<[u64; 16]> =
                positions.into_iter().map(|i| store.key(args.at(i)).hash()).collect();
            let mut held = Held::keys(store, hashes.iter().copied());
            if hashes.len() > 1 {
                held.prefetch(db, hashes.iter().copied());
            }
            held
        }
    }
}

/// Runs one request from beginning to end: finds its row, takes its stripes, writes its reply.
pub fn execute(
    store: &Store,
    turn: &mut Turn,
    session: &mut Session,
    host: &dyn Host,
    args: Args<'_>,
    reply: &mut Reply,
) -> Outcome {
    let start = reply.len();
    reply.set_resp3(session.resp3);
    let outcome = resolve(args, session, host).inspect_err(|error| error.reply(reply)).and_then(|row| {
        let command = row.command;
        let mut held = hold(store, command, args, session.db);
        turn.no_touch = session.no_touch;
        let db = Db::new(&mut held, turn, session.db);
        run(&mut Ctx { args, command, db, reply, session, host, rewritten: false })
    });
    session.withhold(reply, start);
    outcome
}

/// Runs `ctx.command`: its reply, or its error's, is written, and when it changed data without giving
/// effects of its own, the request becomes its effect. The outcome is for whoever counts failures.
pub fn run(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let reply_start = ctx.reply.len();
    let dirty_before = ctx.db.turn.dirty;
    let outcome = (ctx.command.run)(ctx);
    let changed = ctx.db.turn.dirty != dirty_before;
    match &outcome {
        Ok(()) if changed && !ctx.rewritten => ctx.effect_request(),
        Ok(()) => {}
        Err(error) => {
            debug_assert!(!changed, "{} failed after a change", ctx.command.name);
            ctx.reply.truncate(reply_start);
            error.reply(ctx.reply);
        }
    }
    outcome
}

impl Command {
    /// Whether a request of `len` arguments, its name included, has the right number of them.
    pub fn takes(&self, len: usize) -> bool {
        let bound = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { len >= bound } else { len == bound }
    }
}

/// At most `bytes_max` of `arg`, and none from a zero byte on: as C's `%.128s` prints it.
fn quoted(arg: &[u8], bytes_max: usize) -> &[u8] {
    let arg = &arg[..arg.len().min(bytes_max)];
    arg.split(|&b| b == 0).next().unwrap_or(arg)
}

fn unknown_command(args: Args<'_>) -> Error {
    let mut tail = Vec::new();
    for arg in args.from(1).iter() {
        let Some(room) = QUOTED_BYTES_MAX.checked_sub(tail.len()).filter(|&room| room > 0) else { break };
        tail.push(b'\'');
        tail.extend_from_slice(quoted(arg, room));
        tail.extend_from_slice(b"' ");
    }
    let name = quoted(args.at(0), QUOTED_BYTES_MAX);
    Error::Bytes([b"ERR unknown command '", name, b"', with args beginning with: ", &tail].concat().into())
}

fn unknown_subcommand(container: &[u8], name: &[u8]) -> Error {
    let name = quoted(name, QUOTED_BYTES_MAX);
    let container = container.to_ascii_uppercase();
    Error::Bytes([b"ERR unknown subcommand '", name, b"'. Try ", &container, b" HELP."].concat().into())
}

#[cfg(test)]
mod tests {
    use resp::ArgsBuf;

    use super::*;
    use crate::testing::TestHost;

    /// The reply to a request that is no command here.
    fn refused(args: &[&[u8]]) -> Vec<u8> {
        let args: ArgsBuf = args.iter().collect();
        let error = resolve(args.args(), &Session::new(1, true), &TestHost::default()).unwrap_err();
        let mut reply = Reply::new();
        error.reply(&mut reply);
        reply.bytes().to_vec()
    }

    #[test]
    fn unknown_commands_are_named_with_the_beginning_of_their_arguments() {
        assert_eq!(refused(&[b"foo"]), b"-ERR unknown command 'foo', with args beginning with: \r\n");
        assert_eq!(
            refused(&[b"fo\no\0bar", b"a\r\nb", b"\xffx\0y"]),
            b"-ERR unknown command 'fo o', with args beginning with: 'a  b' '\xffx' \r\n"
        );
    }

    #[test]
    fn unknown_commands_repeat_a_bounded_part_of_the_request() {
        let cut = |args: &[&[u8]]| refused(args).split(|&b| b == b':').next_back().unwrap().to_vec();
        assert_eq!(cut(&[b"foo", &[b'a'; 300], b"b"]), [b" '", &[b'a'; 128][..], b"' \r\n"].concat());
        assert_eq!(
            cut(&[b"foo", &[b'a'; 120], b"bcdefgh", b"z"]),
            [b" '", &[b'a'; 120][..], b"' 'bcdef' \r\n"].concat()
        );
        assert!(
            refused(&[&[b'a'; 300]])
                .starts_with(&[b"-ERR unknown command '", &[b'a'; 128][..], b"',"].concat())
        );
    }

    #[test]
    fn a_zero_byte_ends_what_is_quoted() {
        assert_eq!(quoted(b"ab\0c", 128), b"ab");
        assert_eq!(quoted(b"", 128), b"");
        assert_eq!(quoted(b"abc", 2), b"ab");
    }

    #[test]
    fn arity_counts_exactly_or_at_least() {
        let exactly = Command { arity: 2, ..Command::BLANK };
        let at_least = Command { arity: -2, ..Command::BLANK };
        assert_eq!([1, 2, 3].map(|n| exactly.takes(n)), [false, true, false]);
        assert_eq!([1, 2, 3].map(|n| at_least.takes(n)), [false, true, true]);
    }
}
