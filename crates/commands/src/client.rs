//! CLIENT: what a client says of itself, and what it asks of the server about its connection or others'.

use crate::client_list::{ID, INFO, KILL, LIST};
use crate::connection::check_printable;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::help::help;
use crate::host::{Pause, Unblock};
use crate::number::int;
use crate::session::Replies;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&CLIENT];

static CLIENT: Command = Command {
    name: "client",
    arity: -2,
    subcommands: &[
        &GETNAME,
        &GETREDIR,
        &HELP,
        &ID,
        &INFO,
        &KILL,
        &LIST,
        &NO_EVICT,
        &NO_TOUCH,
        &PAUSE,
        &REPLY,
        &SETINFO,
        &SETNAME,
        &TRACKINGINFO,
        &UNBLOCK,
        &UNPAUSE,
    ],
    summary: "A container for commands about connections.",
    since: "2.4.0",
    group: "connection",
    complexity: "Depends on the subcommand.",
    ..Command::BLANK
};

/// What the subcommands have in common.
pub(crate) const ANY: Command = Command {
    arity: 2,
    flags: flags::NOSCRIPT | flags::LOADING | flags::STALE,
    categories: "@connection",
    group: "connection",
    complexity: "O(1)",
    ..Command::BLANK
};

/// What those for administrators have in common.
pub(crate) const FOR_ADMINS: Command = Command { flags: flags::ADMIN | ANY.flags, ..ANY };

static HELP: Command = Command {
    name: "help",
    flags: flags::LOADING | flags::STALE,
    run: client_help,
    summary: "Lists the subcommands.",
    since: "5.0.0",
    ..ANY
};

fn client_help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    help(ctx.reply, &CLIENT);
    Ok(())
}

// -- what a client says of itself ---------------------------------------------------------------

static GETNAME: Command = Command {
    name: "getname",
    run: getname,
    summary: "Gives the connection's name.",
    since: "2.6.9",
    example: "> CLIENT GETNAME\n(nil)\n> CLIENT SETNAME worker-1\nOK\n> CLIENT GETNAME\n\"worker-1\"",
    ..ANY
};

fn getname(ctx: &mut Ctx<'_, '_>) -> Outcome {
    match &*ctx.session.name {
        b"" => ctx.reply.null(),
        name => ctx.reply.bulk(name),
    }
    Ok(())
}

static SETNAME: Command = Command {
    name: "setname",
    arity: 3,
    run: setname,
    summary: "Names the connection; an empty name takes the name away.",
    since: "2.6.9",
    syntax: "connection-name",
    example: "> CLIENT SETNAME 'two words'\n\
        (error) ERR Client names cannot contain spaces, newlines or special characters.",
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    ..ANY
};

fn setname(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let name = ctx.args.at(2);
    check_printable(name, b"Client names")?;
    ctx.session.name = name.into();
    changed(ctx)
}

static SETINFO: Command = Command {
    name: "setinfo",
    arity: 4,
    run: setinfo,
    summary: "Tells the client library's name or version.",
    since: "7.2.0",
    syntax: "<LIB-NAME libname | LIB-VER libver>",
    example: "> CLIENT SETINFO LIB-NAME ebbtide-rs\nOK\n> CLIENT SETINFO LIB-VER 1.0\nOK",
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    ..ANY
};

fn setinfo(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (attribute, value) = (ctx.args.at(2), ctx.args.at(3));
    let field = if attribute.eq_ignore_ascii_case(b"lib-name") {
        &mut ctx.session.lib_name
    } else if attribute.eq_ignore_ascii_case(b"lib-ver") {
        &mut ctx.session.lib_ver
    } else {
        return Err(Error::Bytes([b"ERR Unrecognized option '", attribute, b"'"].concat().into()));
    };
    check_printable(value, attribute)?;
    *field = value.into();
    changed(ctx)
}

/// Makes what the client just said of itself visible to others, and answers OK.
fn changed(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.host.client_changed(ctx.session);
    ctx.reply.ok();
    Ok(())
}

// -- how the connection is treated --------------------------------------------------------------

static NO_EVICT: Command = Command {
    name: "no-evict",
    arity: 3,
    run: no_evict,
    summary: "Says whether the connection stays open when clients are closed for the memory they take.",
    since: "7.0.0",
    syntax: "<ON | OFF>",
    example: "> CLIENT NO-EVICT ON\nOK",
    ..FOR_ADMINS
};

fn no_evict(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.session.no_evict = on_or_off(ctx.args.at(2))?;
    changed(ctx)
}

static NO_TOUCH: Command = Command {
    name: "no-touch",
    arity: 3,
    run: no_touch,
    summary: "Says whether the connection's commands leave keys' access times and counts alone.",
    since: "7.2.0",
    syntax: "<ON | OFF>",
    example: "> CLIENT NO-TOUCH ON\nOK",
    ..ANY
};

fn no_touch(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.session.no_touch = on_or_off(ctx.args.at(2))?;
    changed(ctx)
}

fn on_or_off(word: &[u8]) -> Result<bool, Error> {
    match word {
        w if w.eq_ignore_ascii_case(b"on") => Ok(true),
        w if w.eq_ignore_ascii_case(b"off") => Ok(false),
        _ => Err(Error::Syntax),
    }
}

static REPLY: Command = Command {
    name: "reply",
    arity: 3,
    run: reply,
    summary: "Chooses whether commands are answered: all, none, or not the next.",
    since: "3.2.0",
    syntax: "<ON | OFF | SKIP>",
    example: "> CLIENT REPLY ON\nOK",
    ..ANY
};

fn reply(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let word = ctx.args.at(2);
    if word.eq_ignore_ascii_case(b"on") {
        ctx.session.replies = Replies::On;
        ctx.reply.ok();
    } else if word.eq_ignore_ascii_case(b"off") {
        ctx.session.replies = Replies::Off;
    } else if word.eq_ignore_ascii_case(b"skip") {
        if ctx.session.replies != Replies::Off {
            ctx.session.replies = Replies::SkipNext;
        }
    } else {
        return Err(Error::Syntax);
    }
    Ok(())
}

static GETREDIR: Command = Command {
    name: "getredir",
    run: getredir,
    summary: "Gives the client that invalidation messages go to, or -1: keys are not tracked.",
    since: "6.0.0",
    example: "> CLIENT GETREDIR\n(integer) -1",
    ..ANY
};

fn getredir(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.int(-1);
    Ok(())
}

static TRACKINGINFO: Command = Command {
    name: "trackinginfo",
    run: trackinginfo,
    summary: "Tells how keys are tracked for the client's cache.",
    since: "6.2.0",
    ..ANY
};

fn trackinginfo(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let reply = &mut ctx.reply;
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(1);
    reply.bulk(b"off");
    reply.bulk(b"redirect");
    reply.int(-1);
    reply.bulk(b"prefixes");
    reply.array(0);
    Ok(())
}

// -- other clients' commands --------------------------------------------------------------------

static PAUSE: Command = Command {
    name: "pause",
    arity: -3,
    run: pause,
    summary: "Holds up clients' commands, or only those that write, for some milliseconds.",
    since: "3.0.0",
    syntax: "timeout [WRITE | ALL]",
    history: &[("6.2.0", "Can hold up writes only.")],
    ..FOR_ADMINS
};

fn pause(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let what = match ctx.args.get(3) {
        None => Pause::All,
        Some(w) if w.eq_ignore_ascii_case(b"all") => Pause::All,
        Some(w) if w.eq_ignore_ascii_case(b"write") => Pause::Writes,
        Some(_) => return Err(Error::Text("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let timeout_ms =
        int(ctx.args.at(2)).map_err(|_| Error::Text("ERR timeout is not an integer or out of range"))?;
    if timeout_ms < 0 {
        return Err(Error::Text("ERR timeout is negative"));
    }
    let until_ms = ctx.now_ms().checked_add(timeout_ms).ok_or(Error::Text("ERR timeout is out of range"))?;
    ctx.host.pause_clients(until_ms, what);
    ctx.reply.ok();
    Ok(())
}

static UNPAUSE: Command = Command {
    name: "unpause",
    run: unpause,
    summary: "Ends what CLIENT PAUSE began.",
    since: "6.2.0",
    complexity: "O(N), N being the number of clients held up",
    example: "> CLIENT UNPAUSE\nOK",
    ..FOR_ADMINS
};

fn unpause(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.host.unpause_clients();
    ctx.reply.ok();
    Ok(())
}

static UNBLOCK: Command = Command {
    name: "unblock",
    arity: -3,
    run: unblock,
    summary: "Ends another client's wait in a blocking command, as its timeout would or with an error.",
    since: "5.0.0",
    complexity: "O(log N), N being the number of clients",
    syntax: "client-id [TIMEOUT | ERROR]",
    example: "> CLIENT UNBLOCK 12345\n(integer) 0",
    ..FOR_ADMINS
};

fn unblock(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let how = match ctx.args.get(3) {
        None => Unblock::Timeout,
        Some(w) if w.eq_ignore_ascii_case(b"timeout") => Unblock::Timeout,
        Some(w) if w.eq_ignore_ascii_case(b"error") => Unblock::Error,
        Some(_) => return Err(Error::Text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
    };
    let id = int(ctx.args.at(2))?;
    let was_blocked = u64::try_from(id).is_ok_and(|id| ctx.host.unblock_client(id, how));
    ctx.reply.int(i64::from(was_blocked));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::host::ClientInfo;
    use crate::testing::{Client, NOW_MS, TestHost, other_client};

    #[test]
    fn names_are_visible_ascii() {
        let mut client = Client::new();
        assert_eq!(client.send("CLIENT SETNAME a"), "+OK\r\n");
        assert_eq!(client.calls(), ["changed 7"]);
        assert_eq!(client.send("CLIENT SETNAME ''"), "+OK\r\n");
        assert_eq!(client.send("CLIENT GETNAME"), "$-1\r\n");
        assert!(client.text(r#"CLIENT SETNAME "\xff""#).starts_with("ERR Client names cannot contain"));
        assert_eq!(
            client.text("CLIENT SETINFO LIB-Ver 'a b'"),
            "ERR LIB-Ver cannot contain spaces, newlines or special characters."
        );
        assert_eq!(client.text("CLIENT SETINFO foo bar"), "ERR Unrecognized option 'foo'");
    }

    #[test]
    fn replies_are_withheld_as_asked() {
        let mut client = Client::new();
        let replies = ["CLIENT REPLY SKIP", "PING", "PING"].map(|line| client.send(line));
        assert_eq!(replies, ["", "", "+PONG\r\n"]);
        let lines = ["CLIENT REPLY OFF", "PING", "NOSUCH", "CLIENT REPLY SKIP", "PING", "CLIENT REPLY ON"];
        let replies = lines.map(|line| client.send(line));
        assert_eq!(replies, ["", "", "", "", "", "+OK\r\n"]);
        assert_eq!(client.text("CLIENT REPLY x"), "ERR syntax error");
    }

    #[test]
    fn pauses_are_checked_and_passed_on() {
        let mut client = Client::new();
        for (line, text) in [
            ("CLIENT PAUSE x", "ERR timeout is not an integer or out of range"),
            ("CLIENT PAUSE -1", "ERR timeout is negative"),
            ("CLIENT PAUSE 9223372036854775807", "ERR timeout is out of range"),
            ("CLIENT PAUSE 1 foo", "ERR CLIENT PAUSE mode must be WRITE or ALL"),
        ] {
            assert_eq!(client.text(line), text, "{line}");
        }
        client.send("CLIENT PAUSE 100");
        client.send("CLIENT PAUSE 50 write");
        let (all, writes) = (NOW_MS + 100, NOW_MS + 50);
        assert_eq!(client.calls(), [format!("pause {all} All"), format!("pause {writes} Writes")]);
    }

    #[test]
    fn unblock_says_whether_somebody_waited() {
        let others = vec![ClientInfo { blocked: true, ..other_client(3, "") }, other_client(4, "")];
        let mut client = Client::of(TestHost { others, ..TestHost::default() });
        assert_eq!(client.send("CLIENT UNBLOCK 3 error"), ":1\r\n");
        assert_eq!(client.send("CLIENT UNBLOCK 4"), ":0\r\n");
        assert_eq!(client.send("CLIENT UNBLOCK -1"), ":0\r\n");
        assert_eq!(client.calls(), ["unblock 3 Error", "unblock 4 Timeout"]);
        assert_eq!(client.text("CLIENT UNBLOCK x"), "ERR value is not an integer or out of range");
        assert_eq!(client.text("CLIENT UNBLOCK 3 x"), "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    }

    #[test]
    fn no_touch_and_no_evict_are_remembered() {
        let mut client = Client::new();
        client.send("CLIENT NO-TOUCH on");
        client.send("CLIENT NO-EVICT on");
        assert!(client.session.no_touch && client.session.no_evict);
        client.send("RESET");
        assert!(!client.session.no_touch && !client.session.no_evict);
        assert_eq!(client.text("CLIENT NO-TOUCH maybe"), "ERR syntax error");
    }

    #[test]
    fn tracking_is_off() {
        let mut client = Client::new();
        assert_eq!(
            client.send("CLIENT TRACKINGINFO"),
            "*6\r\n$5\r\nflags\r\n*1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n"
        );
    }
}
