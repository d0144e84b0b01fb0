//! Streams: consumer groups, and entries acknowledged.

use engine::stream::{Group, Stream};
use engine::{EventClass, StreamId};
use smallvec::SmallVec;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::help::help;
use crate::keys::KeySpec;
use crate::number::int;
use crate::stream::ONE_STREAM;
use crate::stream_id::{id, id_or_end, text};
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&XGROUP, &XACK];

static XGROUP: Command = Command {
    name: "xgroup",
    arity: -2,
    subcommands: &[&CREATE, &CREATECONSUMER, &DELCONSUMER, &DESTROY, &HELP, &SETID],
    summary: "A container for commands about a stream's consumer groups.",
    since: "5.0.0",
    group: "stream",
    complexity: "Depends on the subcommand.",
    ..Command::BLANK
};

/// What the subcommands about a group have in common.
const ABOUT_GROUP: Command =
    Command { flags: flags::WRITE, keys: &[KeySpec::one(2, "RW insert")], since: "5.0.0", ..ONE_STREAM };

static HELP: Command = Command {
    name: "help",
    arity: 2,
    flags: flags::LOADING | flags::STALE,
    keys: &[],
    locks: Locks::Nothing,
    run: xgroup_help,
    summary: "Lists the subcommands.",
    ..ABOUT_GROUP
};

fn xgroup_help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    help(ctx.reply, &XGROUP);
    Ok(())
}

static CREATE: Command = Command {
    name: "create",
    arity: -5,
    flags: flags::WRITE | flags::DENYOOM,
    run: create,
    summary: "Makes a group that has had the entries up to an id; `$` is the last id given.",
    syntax: "key group (id | $) [MKSTREAM] [ENTRIESREAD entries-read]",
    example: "> XGROUP CREATE a g $ MKSTREAM\nOK\n> XADD a 1-1 name Ada\n\"1-1\"\n\
        > XREADGROUP GROUP g me STREAMS a >\n1) 1) \"a\"\n   2) 1) 1) \"1-1\"\n         2) 1) \"name\"\n            2) \"Ada\"",
    history: &[("7.0.0", "ENTRIESREAD.")],
    ..ABOUT_GROUP
};

/// The options of CREATE and SETID.
struct Options {
    make_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn parse(ctx: &Ctx<'_, '_>) -> Result<Options, Error> {
        let mut options = Options { make_stream: false, entries_read: None };
        let mut args = ctx.args.from(5).iter();
        while let Some(option) = args.next() {
            if ctx.command.name == "create" && option.eq_ignore_ascii_case(b"mkstream") {
                options.make_stream = true;
                continue;
            }
            match args.next() {
                Some(count) if option.eq_ignore_ascii_case(b"entriesread") => {
                    options.entries_read =
                        match int(count)? {
                            -1 => None,
                            count => Some(u64::try_from(count).map_err(|_| {
                                Error::Text("ERR value for ENTRIESREAD must be positive or -1")
                            })?),
                        };
                }
                _ => return Err(wrong_arguments(ctx)),
            }
        }
        Ok(options)
    }
}

/// What a subcommand with other arguments than it takes gets to hear.
pub(crate) fn wrong_arguments(ctx: &Ctx<'_, '_>) -> Error {
    let container = String::from_utf8_lossy(ctx.args.at(0)).to_ascii_uppercase();
    let name = ctx.args.at(1);
    let text = [
        b"ERR unknown subcommand or wrong number of arguments for '",
        name,
        b"'. Try ",
        container.as_bytes(),
        b" HELP.",
    ];
    Error::Bytes(text.concat().into())
}

/// The stream at argument 2, which must be there.
fn stream_of<'c>(ctx: &'c mut Ctx<'_, '_>) -> Result<&'c Stream, Error> {
    const NO_STREAM: &str = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to \
        use the MKSTREAM option to create an empty stream automatically.";
    let key = ctx.key(2);
    ctx.db.write_stream(key)?.ok_or(Error::Text(NO_STREAM))
}

/// The group at argument 3 of the stream at argument 2; both must be there.
fn group_of<'c>(ctx: &'c mut Ctx<'_, '_>) -> Result<(&'c Stream, &'c Group), Error> {
    let (key, name) = (ctx.args.at(2), ctx.args.at(3));
    let stream = stream_of(ctx)?;
    Ok((stream, stream.group(name).ok_or_else(|| no_group_of_key(key, name))?))
}

/// The group `name` is not one of the stream at `key`.
pub(crate) fn no_group_of_key(key: &[u8], name: &[u8]) -> Error {
    let text = [b"NOGROUP No such consumer group '", name, b"' for key name '", key, b"'"];
    Error::Bytes(text.concat().into())
}

/// There is no stream at `key`, or it has no group `name`; `where_` says more.
pub(crate) fn no_such_group(key: &[u8], name: &[u8], where_: &str) -> Error {
    let text = [b"NOGROUP No such key '", key, b"' or consumer group '", name, b"'", where_.as_bytes()];
    Error::Bytes(text.concat().into())
}

fn create(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = Options::parse(ctx)?;
    let (key, name) = (ctx.key(2), ctx.args.at(3));
    let last_id = match stream_of(ctx) {
        Ok(stream) => stream.last_id(),
        Err(Error::Text(_)) if options.make_stream => StreamId::MIN,
        Err(error) => return Err(error),
    };
    if ctx.args.len() > 8 {
        return Err(wrong_arguments(ctx));
    }
    let start = if ctx.args.at(4) == b"$" { last_id } else { id(ctx.args.at(4))? };
    if ctx.db.write_stream(key)?.is_some_and(|stream| stream.group(name).is_some()) {
        return Err(Error::Text("BUSYGROUP Consumer Group name already exists"));
    }
    ctx.db.change_stream(key, |stream, _| stream.create_group(name, Group::new(start, options.entries_read)));
    ctx.changed(EventClass::Stream, "xgroup-create", key.bytes());
    ctx.reply.ok();
    Ok(())
}

static SETID: Command = Command {
    name: "setid",
    arity: -5,
    keys: &[KeySpec::one(2, "RW update")],
    run: setid,
    summary: "Sets up to which id a group has had the entries; `$` is the last id given.",
    syntax: "key group (id | $) [ENTRIESREAD entries-read]",
    example: "> XADD a 1-1 name Ada\n\"1-1\"\n> XGROUP CREATE a g 0\nOK\n> XGROUP SETID a g $\nOK\n\
        > XREADGROUP GROUP g me STREAMS a >\n(nil)",
    history: &[("7.0.0", "ENTRIESREAD.")],
    ..ABOUT_GROUP
};

fn setid(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = Options::parse(ctx)?;
    let (key, name) = (ctx.key(2), ctx.args.at(3));
    let last_id = group_of(ctx)?.0.last_id();
    if !matches!(ctx.args.len(), 5 | 7) {
        return Err(wrong_arguments(ctx));
    }
    let last_id = if ctx.args.at(4) == b"$" { last_id } else { id_or_end(ctx.args.at(4), 0)? };
    ctx.db.change_stream(key, |stream, _| {
        if let Some(group) = stream.group_mut(name) {
            (group.last_id, group.entries_read) = (last_id, options.entries_read);
        }
    });
    ctx.changed(EventClass::Stream, "xgroup-setid", key.bytes());
    ctx.reply.ok();
    Ok(())
}

static DESTROY: Command = Command {
    name: "destroy",
    arity: 4,
    keys: &[KeySpec::one(2, "RW delete")],
    run: destroy,
    summary: "Removes a group with its consumers and pending entries; 0 when there was none.",
    complexity: "O(N) for N pending entries",
    syntax: "key group",
    example: "> XGROUP CREATE a g $ MKSTREAM\nOK\n> XGROUP DESTROY a g\n(integer) 1",
    ..ABOUT_GROUP
};

fn destroy(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, name) = (ctx.key(2), ctx.args.at(3));
    let there = stream_of(ctx)?.group(name).is_some();
    if there {
        ctx.db.change_stream(key, |stream, _| stream.destroy_group(name));
        ctx.changed(EventClass::Stream, "xgroup-destroy", key.bytes());
    }
    ctx.reply.int(there.into());
    Ok(())
}

static CREATECONSUMER: Command = Command {
    name: "createconsumer",
    arity: 5,
    flags: flags::WRITE | flags::DENYOOM,
    run: createconsumer,
    summary: "Makes a consumer of a group; 0 when it was there.",
    since: "6.2.0",
    syntax: "key group consumer",
    example: "> XGROUP CREATE a g $ MKSTREAM\nOK\n> XGROUP CREATECONSUMER a g me\n(integer) 1",
    ..ABOUT_GROUP
};

fn createconsumer(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, name, consumer, now_ms) = (ctx.key(2), ctx.args.at(3), ctx.args.at(4), ctx.now_ms());
    let new = group_of(ctx)?.1.consumer_named(consumer).is_none();
    if new {
        ctx.db.change_stream(key, |stream, _| {
            stream.group_mut(name).and_then(|group| group.create_consumer(consumer, now_ms))
        });
        ctx.changed(EventClass::Stream, "xgroup-createconsumer", key.bytes());
    }
    ctx.reply.int(new.into());
    Ok(())
}

static DELCONSUMER: Command = Command {
    name: "delconsumer",
    arity: 5,
    keys: &[KeySpec::one(2, "RW delete")],
    run: delconsumer,
    summary: "Removes a consumer with its pending entries; counts these.",
    syntax: "key group consumer",
    example: "> XGROUP CREATE a g $ MKSTREAM\nOK\n> XGROUP CREATECONSUMER a g me\n(integer) 1\n\
        > XGROUP DELCONSUMER a g me\n(integer) 0",
    ..ABOUT_GROUP
};

fn delconsumer(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, name, consumer) = (ctx.key(2), ctx.args.at(3), ctx.args.at(4));
    let there = group_of(ctx)?.1.consumer_named(consumer).is_some();
    let mut pending = 0;
    if there {
        pending = ctx.db.change_stream(key, |stream, _| {
            stream.group_mut(name).and_then(|group| group.delete_consumer(consumer)).unwrap_or(0)
        });
        ctx.changed(EventClass::Stream, "xgroup-delconsumer", key.bytes());
    }
    ctx.reply.int(pending as i64);
    Ok(())
}

static XACK: Command = Command {
    name: "xack",
    arity: -4,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RW update")],
    run: xack,
    summary: "Takes entries that a group's consumers are done with off the pending ones; counts them.",
    since: "5.0.0",
    complexity: "O(log N) for each entry, N being those that are pending",
    syntax: "key group id...",
    example: "> XADD a 1-1 name Ada\n\"1-1\"\n> XGROUP CREATE a g 0\nOK\n> XREADGROUP GROUP g me STREAMS a >\n\
        1) 1) \"a\"\n   2) 1) 1) \"1-1\"\n         2) 1) \"name\"\n            2) \"Ada\"\n> XACK a g 1-1 2-2\n(integer) 1",
    ..ONE_STREAM
};

fn xack(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, name) = (ctx.key(1), ctx.args.at(2));
    if ctx.db.read_stream(key)?.and_then(|stream| stream.group(name)).is_none() {
        ctx.reply.int(0);
        return Ok(());
    }
    let ids = ctx.args.from(3).iter().map(id).collect::<Result<SmallVec<[_; 8]>, _>>()?;
    let count = ctx.db.change_stream(key, |stream, _| {
        let group = stream.group_mut(name);
        group.map_or(0, |group| ids.iter().filter_map(|&id| group.acknowledge(id)).count())
    });
    ctx.db.turn.dirty += count as u64;
    ctx.reply.int(count as i64);
    Ok(())
}

/// What is logged of changes to one group.
#[derive(Clone, Copy)]
pub(crate) struct GroupEffects<'a> {
    /// The stream's key.
    pub(crate) key: &'a [u8],
    /// The group's name.
    pub(crate) group: &'a [u8],
}

impl GroupEffects<'_> {
    /// A consumer was made.
    pub(crate) fn create_consumer(self, ctx: &mut Ctx<'_, '_>, consumer: &[u8]) {
        ctx.effect(&[b"XGROUP", b"CREATECONSUMER", self.key, self.group, consumer]);
    }

    /// An entry is pending for `consumer`, delivered at this moment, so often; `last_id` is the group's.
    pub(crate) fn claim(
        self,
        ctx: &mut Ctx<'_, '_>,
        consumer: &[u8],
        id: StreamId,
        (delivered_ms, deliveries): (i64, u64),
        last_id: StreamId,
    ) {
        let (mut ms, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (ms, count) = (ms.format(delivered_ms).as_bytes(), count.format(deliveries).as_bytes());
        let (id, last_id) = (text(id), text(last_id));
        ctx.effect(&[
            b"XCLAIM",
            self.key,
            self.group,
            consumer,
            b"0",
            &id,
            b"TIME",
            ms,
            b"RETRYCOUNT",
            count,
            b"FORCE",
            b"JUSTID",
            b"LASTID",
            &last_id,
        ]);
    }

    /// The group has had the entries up to an id: so many, when that is known.
    pub(crate) fn set_id(self, ctx: &mut Ctx<'_, '_>, last_id: StreamId, entries_read: Option<u64>) {
        let mut digits = itoa::Buffer::new();
        let count = entries_read.map_or(&b"-1"[..], |count| digits.format(count).as_bytes());
        ctx.effect(&[b"XGROUP", b"SETID", self.key, self.group, &text(last_id), b"ENTRIESREAD", count]);
    }
}

#[cfg(test)]
mod tests;
