//! CLIENT ID, INFO, LIST and KILL: who is connected, and whose connection is closed.

use std::io::Write;

use crate::client::{ANY, FOR_ADMINS};
use crate::client_filter::{Filter, Ids};
use crate::ctx::Ctx;
use crate::error::Error;
use crate::host::ClientInfo;
use crate::lookup::Row;
use crate::table::{Command, Outcome};

pub(crate) static ID: Command = Command {
    name: "id",
    run: id,
    summary: "Gives the connection's number, which no other connection gets.",
    since: "5.0.0",
    ..ANY
};

fn id(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.int(ctx.session.id as i64);
    Ok(())
}

pub(crate) static INFO: Command = Command {
    name: "info",
    run: info,
    summary: "Tells about the connection, as CLIENT LIST does.",
    since: "6.2.0",
    tips: &["nondeterministic_output"],
    ..ANY
};

fn info(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut text = Vec::new();
    if let Some(client) = ctx.host.client(ctx.session.id) {
        line(&up_to_date(ctx, &client), &mut text);
    }
    ctx.reply.verbatim("txt", &text);
    Ok(())
}

pub(crate) static LIST: Command = Command {
    name: "list",
    arity: -2,
    run: list,
    summary: "Lists the connections: all, or those that fit every filter; NOT- before most filters turns them round.",
    since: "2.4.0",
    complexity: "O(N), N being the number of clients",
    syntax: "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id...] [USER username] [ADDR ip:port] [LADDR ip:port] [IP ip] [NAME name] [LIB-NAME libname] [LIB-VER libver] \
        [DB db] [FLAGS flags] [CAPA capa] [IDLE idle] [MAXAGE maxage] [SKIPME <YES | NO>]",
    history: &[
        ("2.8.12", "Shows `id`."),
        ("5.0.0", "Can list a type only."),
        ("6.0.0", "Shows `user`."),
        ("6.2.0", "Shows `argv-mem`, `tot-mem`, `laddr` and `redir`; can list certain numbers only."),
        ("7.0.0", "Shows `resp`, `multi-mem`, `rbs` and `rbp`."),
        ("7.0.3", "Shows `ssub`."),
        ("7.2.0", "Shows `lib-name` and `lib-ver`."),
        ("7.4.0", "Shows `watch`."),
    ],
    tips: &["nondeterministic_output"],
    ..FOR_ADMINS
};

fn list(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let filter = Filter::parse(ctx.args, 2, Ids::Any, ctx.db.databases())?;
    let (host, own) = (ctx.host, ctx.session.id);
    let mut text = Vec::new();
    let mut show = |client: &ClientInfo| {
        let client = up_to_date(ctx, client);
        if filter.fits(&client, own) {
            line(&client, &mut text);
        }
    };
    match filter.ids() {
        None => host.each_client(&mut show),
        Some(ids) => {
            let clients = ids.iter().filter_map(|&id| host.client(u64::try_from(id).ok()?));
            clients.for_each(|client| show(&client));
        }
    }
    ctx.reply.verbatim("txt", &text);
    Ok(())
}

/// `client`, but when it is the one that asks, with what its worker has yet to tell.
fn up_to_date(ctx: &Ctx<'_, '_>, client: &ClientInfo) -> ClientInfo {
    let mut client = client.clone();
    if client.id == ctx.session.id {
        client.identity = ctx.session.identity();
        client.idle_ms = 0;
        client.db = ctx.session.db;
        client.resp = if ctx.session.resp3 { 3 } else { 2 };
        client.last_command = Row::of(ctx.command);
    }
    client
}

/// The letters that say what kind of client it is and what it is at.
pub(crate) fn flags(client: &ClientInfo) -> String {
    let identity = &client.identity;
    let mut flags = String::new();
    for (flag, set) in [
        ('O', identity.monitoring),
        ('b', client.blocked),
        ('A', client.closing),
        ('U', client.unix_socket),
        ('e', identity.no_evict),
        ('T', identity.no_touch),
    ] {
        flags.extend(set.then_some(flag));
    }
    if flags.is_empty() {
        flags.push('N');
    }
    flags
}

/// Appends the line of `client`. Fields for what no client has here (subscriptions, transactions) say so.
fn line(client: &ClientInfo, out: &mut Vec<u8>) {
    let start = out.len();
    let identity = &client.identity;
    let flags = flags(client);
    let command = client.last_command.map_or_else(|| "NULL".to_owned(), |row| row.full_name());
    let ClientInfo { id, address, local_address, fd, db, .. } = client;
    let (age_s, idle_s) = (client.age_ms / 1000, client.idle_ms / 1000);
    let (query, free, output) = (client.query_bytes, client.query_free_bytes, client.output_bytes);
    let (memory, resp) = (client.memory_bytes, client.resp);
    let events = if output > 0 { "rw" } else { "r" };
    // Writing to memory does not fail.
    let _ = write!(out, "id={id} addr={address} laddr={local_address} fd={fd} name=");
    out.extend_from_slice(&identity.name);
    let _ = write!(
        out,
        " age={age_s} idle={idle_s} flags={flags} db={db} sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf={query} \
         qbuf-free={free} argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl={output} oll=0 omem={output} tot-mem={memory} \
         events={events} cmd={command} user="
    );
    out.extend_from_slice(&identity.user);
    let _ = write!(out, " redir=-1 resp={resp} lib-name=");
    out.extend_from_slice(&identity.lib_name);
    out.extend_from_slice(b" lib-ver=");
    out.extend_from_slice(&identity.lib_ver);
    let (read, written) = (client.total_in_bytes, client.total_out_bytes);
    let (commands, thread) = (client.total_commands, client.worker);
    let _ = writeln!(out, " io-thread={thread} tot-net-in={read} tot-net-out={written} tot-cmds={commands}");
    debug_assert!(out[start..].iter().filter(|&&b| b == b'\n').count() == 1, "a client is one line");
}

pub(crate) static KILL: Command = Command {
    name: "kill",
    arity: -3,
    run: kill,
    summary: "Closes connections: the one from an address, or all that fit every filter.",
    since: "2.4.0",
    complexity: "O(N), N being the number of clients",
    syntax: "<ip:port | <[ID client-id...] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | [USER username] | \
        [ADDR ip:port] | [LADDR ip:port] | [IP ip] | [NAME name] | [LIB-NAME libname] | [LIB-VER libver] | [DB db] | \
        [FLAGS flags] | [CAPA capa] | [IDLE idle] | [MAXAGE maxage] | [SKIPME <YES | NO>]>...>",
    history: &[
        ("2.8.12", "Takes filters."),
        ("3.2.0", "Knows the type `master`."),
        ("5.0.0", "Calls the type `slave` `replica` too."),
        ("6.2.0", "Knows the filter `LADDR`."),
        ("7.4.0", "Knows the filter `MAXAGE`."),
    ],
    ..FOR_ADMINS
};

fn kill(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.args.len() == 3 {
        let filter = Filter::address(ctx.args.at(2));
        return match close_all(ctx, &filter) {
            0 => Err(Error::Text("ERR No such client")),
            _ => {
                ctx.reply.ok();
                Ok(())
            }
        };
    }
    let mut filter = Filter::parse(ctx.args, 2, Ids::Positive, ctx.db.databases())?;
    filter.skip_me.get_or_insert(true);
    let closed = close_all(ctx, &filter);
    ctx.reply.int(closed);
    Ok(())
}

/// Closes every connection that `filter` fits; how many. The client's own is closed after the reply.
fn close_all(ctx: &mut Ctx<'_, '_>, filter: &Filter<'_>) -> i64 {
    let own = ctx.session.id;
    let mut ids = Vec::new();
    let asks = &*ctx;
    ctx.host.each_client(&mut |client| {
        if filter.fits(&up_to_date(asks, client), own) {
            ids.push(client.id);
        }
    });
    let mut closed = 0;
    for id in ids {
        if id == own {
            ctx.session.closing = true;
            closed += 1;
        } else {
            closed += i64::from(ctx.host.close_client(id));
        }
    }
    closed
}

#[cfg(test)]
mod tests {
    use crate::host::ClientInfo;
    use crate::testing::{Client, TestHost, other_client};

    /// A client among others: 3 and 4; its own number is 7.
    fn among_others() -> Client {
        let own = ClientInfo { last_command: None, ..other_client(7, "") };
        let others = vec![other_client(3, "three"), other_client(4, ""), own];
        Client::of(TestHost { others, ..TestHost::default() })
    }

    #[test]
    fn lines_name_every_field() {
        let mut client = among_others();
        assert_eq!(
            client.text("CLIENT LIST ID 3"),
            "id=3 addr=127.0.0.1:50003 laddr=127.0.0.1:6379 fd=9 name=three age=30 idle=1 flags=N db=3 sub=0 psub=0 \
             ssub=0 multi=-1 watch=0 qbuf=1 qbuf-free=2 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=3 oll=0 omem=3 tot-mem=4 \
             events=rw cmd=get user=default redir=-1 resp=2 lib-name= lib-ver= io-thread=1 tot-net-in=5 tot-net-out=6 tot-cmds=7\n"
        );
    }

    #[test]
    fn the_client_itself_is_shown_as_it_is_now() {
        let mut client = among_others();
        client.send("CLIENT SETNAME me");
        client.send("CLIENT SETINFO lib-name lib");
        client.send("CLIENT NO-TOUCH on");
        client.send("SELECT 5");
        let info = client.text("CLIENT INFO");
        for field in
            ["id=7 ", " name=me ", " idle=0 ", " flags=T ", " db=5 ", " cmd=client|info ", " lib-name=lib "]
        {
            assert!(info.contains(field), "{field} in {info}");
        }
        client.send("HELLO 3");
        assert!(client.send("CLIENT INFO").starts_with("="));
    }

    #[test]
    fn lists_are_filtered() {
        let mut client = among_others();
        assert_eq!(client.text("CLIENT LIST").lines().count(), 3);
        assert_eq!(client.text("CLIENT LIST TYPE normal").lines().count(), 3);
        assert_eq!(client.text("CLIENT LIST TYPE replica"), "");
        assert_eq!(client.text("CLIENT LIST ID 4 9 -1 3").lines().count(), 2);
        for (line, text) in [
            ("CLIENT LIST TYPE foo", "ERR Unknown client type 'foo'"),
            ("CLIENT LIST ID x", "ERR Invalid client ID"),
            ("CLIENT LIST ID", "ERR syntax error"),
            ("CLIENT LIST foo", "ERR syntax error"),
            ("CLIENT LIST ID 3 x", "ERR Invalid client ID"),
        ] {
            assert_eq!(client.text(line), text, "{line}");
        }
    }

    #[test]
    fn kills_fit_every_filter() {
        let mut client = among_others();
        assert_eq!(client.send("CLIENT KILL ID 3 ADDR 127.0.0.1:50003 TYPE normal USER default"), ":1\r\n");
        assert_eq!(client.send("CLIENT KILL ID 3 ADDR 127.0.0.1:50004"), ":0\r\n");
        assert_eq!(client.send("CLIENT KILL MAXAGE 35"), ":1\r\n");
        assert_eq!(client.send("CLIENT KILL TYPE pubsub"), ":0\r\n");
        assert_eq!(client.calls(), ["close 3", "close 4"]);
        assert!(!client.session.closing);
        assert_eq!(client.send("CLIENT KILL LADDR 127.0.0.1:6379 SKIPME no"), ":3\r\n");
        assert!(client.session.closing);
    }

    #[test]
    fn an_address_alone_is_the_old_form() {
        let mut client = among_others();
        assert_eq!(client.send("CLIENT KILL 127.0.0.1:50004"), "+OK\r\n");
        assert_eq!(client.calls(), ["close 4"]);
        assert_eq!(client.text("CLIENT KILL id"), "ERR No such client");
        assert_eq!(client.send("CLIENT KILL 127.0.0.1:50007"), "+OK\r\n");
        assert!(client.session.closing);
    }

    #[test]
    fn filters_are_checked() {
        let mut client = among_others();
        for (line, text) in [
            ("CLIENT KILL ID 0", "ERR client-id should be greater than 0"),
            ("CLIENT KILL ID x", "ERR client-id should be greater than 0"),
            ("CLIENT KILL ID 1 TYPE", "ERR syntax error"),
            ("CLIENT KILL TYPE foo", "ERR Unknown client type 'foo'"),
            ("CLIENT KILL USER foo", "ERR No such user 'foo'"),
            ("CLIENT KILL SKIPME maybe", "ERR syntax error"),
            ("CLIENT KILL MAXAGE x", "ERR maxage is not an integer or out of range"),
            ("CLIENT KILL MAXAGE -5", "ERR maxage should be greater than 0"),
            ("CLIENT KILL foo bar", "ERR syntax error"),
        ] {
            assert_eq!(client.text(line), text, "{line}");
        }
        assert!(client.calls().is_empty());
    }
}
