//! Connections: AUTH, HELLO, PING, SELECT and the like.

use resp::Args;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::host::{DEFAULT_USER, Host};
use crate::number::int;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&PING, &ECHO, &HELLO, &AUTH, &SELECT, &RESET, &QUIT];

/// The release of Redis whose behaviour clients may expect. They choose features by it.
pub const REDIS_VERSION: &str = "7.2.4";

/// What the commands that also serve clients without a password have in common.
const ALWAYS: u32 =
    flags::NOSCRIPT | flags::LOADING | flags::STALE | flags::FAST | flags::NO_AUTH | flags::ALLOW_BUSY;

static PING: Command = Command {
    name: "ping",
    arity: -1,
    flags: flags::FAST,
    categories: "@connection",
    run: ping,
    summary: "Answers PONG, or the message.",
    since: "1.0.0",
    group: "connection",
    complexity: "O(1)",
    syntax: "[message]",
    example: "> PING\nPONG\n> PING hello\n\"hello\"",
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    ..Command::BLANK
};

fn ping(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.args.len() > 2 {
        return Err(Error::Arity("ping".into()));
    }
    match ctx.args.get(1) {
        None => ctx.reply.simple("PONG"),
        Some(message) => ctx.reply.bulk(message),
    }
    Ok(())
}

static ECHO: Command = Command {
    name: "echo",
    arity: 2,
    flags: flags::LOADING | flags::STALE | flags::FAST,
    categories: "@connection",
    run: echo,
    summary: "Answers the message.",
    since: "1.0.0",
    group: "connection",
    complexity: "O(1)",
    syntax: "message",
    example: "> ECHO hello\n\"hello\"",
    ..Command::BLANK
};

fn echo(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.bulk(ctx.args.at(1));
    Ok(())
}

static HELLO: Command = Command {
    name: "hello",
    arity: -1,
    flags: ALWAYS,
    categories: "@connection",
    is_secret: Some(hello_is_secret),
    run: hello,
    summary: "Chooses the protocol's version, and tells about server and connection.",
    since: "6.0.0",
    group: "connection",
    complexity: "O(1)",
    syntax: "[protover [AUTH username password] [SETNAME clientname]]",
    history: &[("6.2.0", "The version may be left out: then the connection stays as it is.")],
    ..Command::BLANK
};

/// The user and the password after AUTH are.
fn hello_is_secret(args: Args<'_>, i: usize, _: &dyn Host) -> bool {
    let is_auth = |i: usize| i > 1 && args.get(i).is_some_and(|word| word.eq_ignore_ascii_case(b"auth"));
    is_auth(i.saturating_sub(1)) || is_auth(i.saturating_sub(2))
}

fn hello(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let wanted = Hello::parse(ctx.args)?;
    if let Some((user, password)) = wanted.auth {
        authenticate(ctx, user, password)?;
    }
    // As in Redis, HELLO wants it even from whom other commands no longer do.
    if !ctx.session.authenticated {
        return Err(Error::Text(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
             <user> <pass> option can be used to authenticate the client and select the RESP protocol version at \
             the same time",
        ));
    }
    if let Some(name) = wanted.name {
        ctx.session.name = name.into();
    }
    if let Some(resp3) = wanted.resp3 {
        ctx.session.resp3 = resp3;
        ctx.reply.set_resp3(resp3);
        ctx.host.client_changed(ctx.session);
    }
    let (resp3, id) = (ctx.session.resp3, ctx.session.id);
    let reply = &mut ctx.reply;
    reply.map(7);
    for (field, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    for (field, value) in [("proto", if resp3 { 3 } else { 2 }), ("id", id as i64)] {
        reply.bulk(field.as_bytes());
        reply.int(value);
    }
    for (field, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
    Ok(())
}

/// What HELLO asks for.
#[derive(Default)]
struct Hello<'a> {
    resp3: Option<bool>,
    auth: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

impl<'a> Hello<'a> {
    fn parse(args: Args<'a>) -> Result<Hello<'a>, Error> {
        let mut hello = Hello::default();
        let Some(version) = args.get(1) else { return Ok(hello) };
        hello.resp3 = match int(version) {
            Ok(2) => Some(false),
            Ok(3) => Some(true),
            Ok(_) => return Err(Error::Text("NOPROTO unsupported protocol version")),
            Err(_) => return Err(Error::Text("ERR Protocol version is not an integer or out of range")),
        };
        let mut i = 2;
        while let Some(option) = args.get(i) {
            match (args.get(i + 1), args.get(i + 2)) {
                (Some(user), Some(password)) if option.eq_ignore_ascii_case(b"auth") => {
                    hello.auth = Some((user, password));
                    i += 3;
                }
                (Some(name), _) if option.eq_ignore_ascii_case(b"setname") => {
                    check_printable(name, b"Client names")?;
                    hello.name = Some(name);
                    i += 2;
                }
                _ => {
                    let text = [b"ERR Syntax error in HELLO option '", option, b"'"].concat();
                    return Err(Error::Bytes(text.into()));
                }
            }
        }
        Ok(hello)
    }
}

/// What CLIENT LIST shows must not break its lines: `what` may have visible ASCII only.
pub(crate) fn check_printable(value: &[u8], what: &[u8]) -> Result<(), Error> {
    if value.iter().all(|b| (b'!'..=b'~').contains(b)) {
        return Ok(());
    }
    let text = [b"ERR ", what, b" cannot contain spaces, newlines or special characters."].concat();
    Err(Error::Bytes(text.into()))
}

static AUTH: Command = Command {
    name: "auth",
    arity: -2,
    flags: ALWAYS,
    categories: "@connection",
    is_secret: Some(|_, i, _| i > 0),
    run: auth,
    summary: "Gives the password, so that commands may be run.",
    since: "1.0.0",
    group: "connection",
    complexity: "O(N) in the password's length",
    syntax: "[username] password",
    example: "> AUTH default anything\nOK\n> AUTH other anything\n\
        (error) WRONGPASS invalid username-password pair or user is disabled.",
    history: &[("6.0.0", "Takes a user's name before the password.")],
    ..Command::BLANK
};

fn auth(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (user, password) = match ctx.args.len() {
        2 if !ctx.host.password_wanted() => {
            return Err(Error::Text(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure \
                 your configuration is correct?",
            ));
        }
        2 => (DEFAULT_USER, ctx.args.at(1)),
        3 => (ctx.args.at(1), ctx.args.at(2)),
        _ => return Err(Error::Syntax),
    };
    authenticate(ctx, user, password)?;
    ctx.reply.ok();
    Ok(())
}

/// Lets the session in, when `password` is the user's.
fn authenticate(ctx: &mut Ctx<'_, '_>, user: &[u8], password: &[u8]) -> Outcome {
    if user != DEFAULT_USER || !ctx.host.password_fits(password) {
        ctx.host.access_denied();
        return Err(Error::Text("WRONGPASS invalid username-password pair or user is disabled."));
    }
    ctx.session.authenticated = true;
    ctx.host.client_changed(ctx.session);
    Ok(())
}

static SELECT: Command = Command {
    name: "select",
    arity: 2,
    flags: flags::LOADING | flags::STALE | flags::FAST,
    categories: "@connection",
    run: select,
    summary: "Chooses the database that the following commands work on.",
    since: "1.0.0",
    group: "connection",
    complexity: "O(1)",
    syntax: "index",
    example: "> SELECT 3\nOK\n> SELECT 16\n(error) ERR DB index is out of range",
    ..Command::BLANK
};

fn select(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let index = int(ctx.args.at(1))?;
    if i32::try_from(index).is_err() {
        return Err(Error::Text("ERR value is out of range, value must between -2147483648 and 2147483647"));
    }
    let db = u32::try_from(index).ok().filter(|&db| db < ctx.db.databases()).ok_or(Error::DbIndex)?;
    ctx.session.db = db;
    ctx.reply.ok();
    Ok(())
}

static RESET: Command = Command {
    name: "reset",
    arity: 1,
    flags: ALWAYS,
    categories: "@connection",
    run: reset,
    summary: "Makes the connection what it was when it was new.",
    since: "6.2.0",
    group: "connection",
    complexity: "O(1)",
    example: "> SELECT 3\nOK\n> RESET\nRESET",
    ..Command::BLANK
};

fn reset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.session.monitoring {
        ctx.host.end_monitoring(ctx.session.id);
    }
    ctx.session.reset(!ctx.host.password_wanted());
    ctx.host.client_changed(ctx.session);
    ctx.reply.set_resp3(false);
    ctx.reply.simple("RESET");
    Ok(())
}

static QUIT: Command = Command {
    name: "quit",
    arity: -1,
    flags: ALWAYS,
    categories: "@connection",
    run: quit,
    summary: "Closes the connection.",
    since: "1.0.0",
    group: "connection",
    complexity: "O(1)",
    example: "> QUIT\nOK",
    deprecated: Some(("7.2.0", "just closing the connection")),
    ..Command::BLANK
};

fn quit(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.session.closing = true;
    ctx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Client, TestHost};

    fn guarded() -> Client {
        Client::of(TestHost { password: Some(b"secret"), ..TestHost::default() })
    }

    #[test]
    fn no_command_runs_before_the_password_is_given() {
        let mut client = guarded();
        assert_eq!(client.send("PING"), "-NOAUTH Authentication required.\r\n");
        assert_eq!(client.text("NOSUCH").split(' ').next(), Some("ERR"), "unknown commands come first");
        assert!(client.text("HELLO 3").starts_with("NOAUTH HELLO must be called"));
        assert!(!client.session.resp3);
        assert_eq!(
            client.send("AUTH wrong"),
            "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
        );
        assert_eq!(client.calls(), ["denied"]);
        assert_eq!(client.send("AUTH secret"), "+OK\r\n");
        assert_eq!(client.send("PING"), "+PONG\r\n");
        assert_eq!(client.send("RESET"), "+RESET\r\n");
        assert_eq!(client.send("PING"), "-NOAUTH Authentication required.\r\n");
        assert_eq!(client.send("QUIT"), "+OK\r\n");
        assert!(client.session.closing);
    }

    #[test]
    fn nobody_is_asked_for_a_password_that_was_taken_away() {
        let mut client = guarded();
        assert!(client.send("PING").starts_with("-NOAUTH"));
        client.host.password = None;
        assert_eq!(client.send("PING"), "+PONG\r\n");
        assert!(client.send("HELLO").starts_with("-NOAUTH HELLO"));
    }

    #[test]
    fn auth_without_a_password_to_give_is_told_so() {
        let mut client = Client::new();
        assert!(
            client.text("AUTH x").starts_with("ERR AUTH <password> called without any password configured")
        );
        assert_eq!(client.text("AUTH a b c"), "ERR syntax error");
        assert!(client.text("AUTH").starts_with("ERR wrong number of arguments for 'auth'"));
    }

    #[test]
    fn hello_changes_everything_or_nothing() {
        let mut client = guarded();
        assert!(client.text("HELLO 3 AUTH default wrong SETNAME me").starts_with("WRONGPASS"));
        assert!(client.session.name.is_empty());
        let reply = client.send("HELLO 3 AUTH default secret SETNAME me");
        assert!(reply.starts_with("%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n"), "{reply}");
        assert!(reply.contains("$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:7\r\n"), "{reply}");
        assert_eq!(&*client.session.name, b"me");
        assert!(client.send("HELLO").starts_with("%7\r\n"), "without a version nothing changes");
        assert!(client.send("HELLO 2").starts_with("*14\r\n"));
    }

    #[test]
    fn hello_refuses_as_redis_does() {
        let mut client = Client::new();
        for (line, text) in [
            ("HELLO x", "ERR Protocol version is not an integer or out of range"),
            ("HELLO 4", "NOPROTO unsupported protocol version"),
            ("HELLO 3 foo", "ERR Syntax error in HELLO option 'foo'"),
            ("HELLO 3 AUTH a", "ERR Syntax error in HELLO option 'AUTH'"),
            ("HELLO 3 SETNAME", "ERR Syntax error in HELLO option 'SETNAME'"),
            (
                "HELLO 3 SETNAME 'a b'",
                "ERR Client names cannot contain spaces, newlines or special characters.",
            ),
        ] {
            assert_eq!(client.text(line), text, "{line}");
        }
        assert!(!client.session.resp3);
    }

    #[test]
    fn select_checks_its_number() {
        let mut client = Client::new();
        assert_eq!(client.text("SELECT x"), "ERR value is not an integer or out of range");
        assert_eq!(client.text("SELECT -1"), "ERR DB index is out of range");
        assert!(
            client.text("SELECT 99999999999").starts_with("ERR value is out of range, value must between")
        );
        assert_eq!(client.send("SELECT 15"), "+OK\r\n");
        assert_eq!(client.session.db, 15);
    }

    #[test]
    fn ping_takes_one_message() {
        let mut client = Client::new();
        assert_eq!(client.text("PING a b"), "ERR wrong number of arguments for 'ping' command");
    }
}
