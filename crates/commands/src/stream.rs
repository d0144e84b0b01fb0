//! Streams: entries added, deleted and counted.

use engine::stream::ENTRY_BYTES_MAX;
use engine::{EventClass, StreamId};
use smallvec::SmallVec;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::KeySpec;
use crate::number::int;
use crate::stream_id::{GivenId, given_id, id, text};
use crate::stream_trim::{TrimOptions, Trimming};
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&XADD, &XLEN, &XDEL, &XTRIM, &XSETID];

/// What the commands on one stream have in common.
pub(crate) const ONE_STREAM: Command = Command {
    categories: "@stream",
    locks: Locks::Keys,
    group: "stream",
    complexity: "O(1)",
    ..Command::BLANK
};

static XADD: Command = Command {
    name: "xadd",
    arity: -5,
    flags: flags::WRITE | flags::DENYOOM | flags::FAST,
    keys: &[KeySpec::one(1, "RW update")],
    run: xadd,
    summary: "Adds an entry to a stream, which is made when it is not there, and may trim the stream.",
    since: "5.0.0",
    complexity: "O(1), and O(N) for N entries that are trimmed",
    syntax: "key [NOMKSTREAM] [(MAXLEN | MINID) [= | ~] threshold [LIMIT count]] (* | id) <field value>...",
    example: "> XADD a 1-1 name Ada year 1815\n\"1-1\"\n> XADD a * name Bob\n\"1700000000000-0\"\n\
        > XADD a MAXLEN 1 1700000000000-* name Eve\n\"1700000000000-1\"\n> XLEN a\n(integer) 1",
    history: &[("6.2.0", "NOMKSTREAM, MINID and LIMIT."), ("7.0.0", "Ids of the form `<ms>-*`.")],
    tips: &["nondeterministic_output"],
    ..ONE_STREAM
};

/// What XADD is asked for.
struct Addition {
    /// The id; nothing: the next one.
    id: Option<GivenId>,
    /// Where it stands.
    id_at: usize,
    create: bool,
    trimming: Option<Trimming>,
}

impl Addition {
    fn parse(ctx: &Ctx<'_, '_>) -> Result<Addition, Error> {
        let (args, mut at) = (ctx.args, 2);
        let (mut id, mut create, mut options) = (None, true, TrimOptions::default());
        while at < args.len() {
            if args.at(at) == b"*" {
                break;
            }
            if let Some(next) = options.read(args, at)? {
                at = next;
            } else if args.at(at).eq_ignore_ascii_case(b"nomkstream") {
                create = false;
                at += 1;
            } else {
                id = Some(given_id(args.at(at))?);
                break;
            }
        }
        let trimming = options.finish(ctx)?;
        // At least one field with its value, and none without.
        let fields = args.len().saturating_sub(at + 1);
        if fields < 2 || fields % 2 == 1 {
            return Err(Error::Arity("xadd".into()));
        }
        if id == Some(GivenId::Full(StreamId::MIN)) {
            return Err(Error::Text("ERR The ID specified in XADD must be greater than 0-0"));
        }
        Ok(Addition { id, id_at: at, create, trimming })
    }

    /// The entry's id, in a stream whose last one is `last_id`.
    fn id(&self, last_id: StreamId, now_ms: i64) -> Result<StreamId, Error> {
        const TOO_SMALL: Error =
            Error::Text("ERR The ID specified in XADD is equal or smaller than the target stream top item");
        let Some(next) = last_id.next() else {
            return Err(Error::Text(
                "ERR The stream has exhausted the last possible ID, unable to add more items",
            ));
        };
        let id = match self.id {
            None => next.max(StreamId { ms: now_ms.unsigned_abs(), seq: 0 }),
            Some(GivenId::Full(id)) => id,
            Some(GivenId::Ms(ms)) if ms == next.ms => next,
            Some(GivenId::Ms(ms)) => StreamId { ms, seq: 0 },
        };
        if id > last_id { Ok(id) } else { Err(TOO_SMALL) }
    }
}

fn xadd(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let addition = Addition::parse(ctx)?;
    let (key, now_ms) = (ctx.key(1), ctx.now_ms());
    let last_id = match ctx.db.write_stream(key)? {
        Some(stream) => stream.last_id(),
        None if addition.create => StreamId::MIN,
        None => {
            ctx.reply.null();
            return Ok(());
        }
    };
    let id = addition.id(last_id, now_ms)?;
    let fields: SmallVec<[&[u8]; 16]> = ctx.args.from(addition.id_at + 1).iter().collect();
    if fields.iter().map(|field| field.len()).sum::<usize>() > ENTRY_BYTES_MAX {
        return Err(Error::Text("ERR Elements are too large to be stored"));
    }
    let (trimmed, exact) = ctx.db.change_stream(key, |stream, limits| {
        stream.add(id, &fields, limits);
        match &addition.trimming {
            Some(trimming) => (stream.trim(&trimming.trim), trimming.exact(stream)),
            None => (0, None),
        }
    });
    ctx.changed(EventClass::Stream, "xadd", key.bytes());
    if trimmed > 0 {
        ctx.event(EventClass::Stream, "xtrim", key.bytes());
    }
    let id = text(id);
    ctx.reply.bulk(&id);
    let id_given = matches!(addition.id, Some(GivenId::Full(_)));
    if ctx.db.turn.log && (!id_given || exact.is_some()) {
        let mut args: SmallVec<[&[u8]; 16]> = ctx.args.iter().collect();
        if !id_given {
            args[addition.id_at] = &id;
        }
        if let Some(exact) = &exact {
            exact.put(&mut args);
        }
        ctx.effect(&args);
    }
    Ok(())
}

static XLEN: Command = Command {
    name: "xlen",
    arity: 2,
    flags: flags::READONLY | flags::FAST,
    keys: &[KeySpec::one(1, "RO")],
    run: xlen,
    summary: "Counts the entries of a stream; 0 for a key that is not there.",
    since: "5.0.0",
    syntax: "key",
    example: "> XADD a 1-1 name Ada\n\"1-1\"\n> XLEN a\n(integer) 1\n> XLEN b\n(integer) 0",
    ..ONE_STREAM
};

fn xlen(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let len = ctx.db.read_stream(key)?.map_or(0, |stream| stream.len());
    ctx.reply.int(len as i64);
    Ok(())
}

static XDEL: Command = Command {
    name: "xdel",
    arity: -3,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RW delete")],
    run: xdel,
    summary: "Deletes entries from a stream; counts those that were there.",
    since: "5.0.0",
    complexity: "O(log N) for each entry, N being those of the stream",
    syntax: "key id...",
    example: "> XADD a 1-1 name Ada\n\"1-1\"\n> XDEL a 1-1 2-2\n(integer) 1\n> XLEN a\n(integer) 0",
    ..ONE_STREAM
};

fn xdel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    if ctx.db.write_stream(key)?.is_none() {
        ctx.reply.int(0);
        return Ok(());
    }
    let ids = ctx.args.from(2).iter().map(id).collect::<Result<SmallVec<[_; 8]>, _>>()?;
    let deleted = ctx
        .db
        .change_stream(key, |stream, _| ids.iter().map(|&id| u64::from(stream.delete(id))).sum::<u64>());
    if deleted > 0 {
        ctx.db.turn.dirty += deleted;
        ctx.event(EventClass::Stream, "xdel", key.bytes());
    }
    ctx.reply.int(deleted as i64);
    Ok(())
}

static XTRIM: Command = Command {
    name: "xtrim",
    arity: -4,
    flags: flags::WRITE,
    keys: &[KeySpec::one(1, "RW delete")],
    run: xtrim,
    summary: "Removes the oldest entries of a stream: all but a number, or all before an id; counts them.",
    since: "5.0.0",
    complexity: "O(N) for N entries that are removed",
    syntax: "key (MAXLEN | MINID) [= | ~] threshold [LIMIT count]",
    example: "> XADD a 1-1 name Ada\n\"1-1\"\n> XADD a 2-1 name Bob\n\"2-1\"\n> XTRIM a MINID 2\n(integer) 1\n\
        > XTRIM a MAXLEN 0\n(integer) 1",
    history: &[("6.2.0", "MINID and LIMIT.")],
    tips: &["nondeterministic_output"],
    ..ONE_STREAM
};

fn xtrim(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (mut at, mut options) = (2, TrimOptions::default());
    while at < ctx.args.len() {
        at = options.read(ctx.args, at)?.ok_or(Error::Syntax)?;
    }
    let Some(trimming) = options.finish(ctx)? else {
        return Err(Error::Text("ERR syntax error, XTRIM must be called with a trimming strategy"));
    };
    let key = ctx.key(1);
    if ctx.db.write_stream(key)?.is_none() {
        ctx.reply.int(0);
        return Ok(());
    }
    let (trimmed, exact) =
        ctx.db.change_stream(key, |stream, _| (stream.trim(&trimming.trim), trimming.exact(stream)));
    ctx.reply.int(trimmed as i64);
    if trimmed > 0 {
        ctx.db.turn.dirty += trimmed;
        ctx.event(EventClass::Stream, "xtrim", key.bytes());
        if let Some(exact) = exact {
            let mut args: SmallVec<[&[u8]; 8]> = ctx.args.iter().collect();
            exact.put(&mut args);
            ctx.effect(&args);
        }
    }
    Ok(())
}

static XSETID: Command = Command {
    name: "xsetid",
    arity: -3,
    flags: flags::WRITE | flags::DENYOOM | flags::FAST,
    keys: &[KeySpec::one(1, "RW update")],
    run: xsetid,
    summary: "Sets the last id of a stream, and what else it says of its past. Meant for logs and replicas.",
    since: "5.0.0",
    syntax: "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
    example: "> XADD a 1-1 name Ada\n\"1-1\"\n> XSETID a 5-0 ENTRIESADDED 9\nOK\n> XADD a 5-* name Bob\n\"5-1\"",
    history: &[("7.0.0", "ENTRIESADDED and MAXDELETEDID.")],
    ..ONE_STREAM
};

fn xsetid(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let last_id = id(ctx.args.at(2))?;
    let (mut added, mut max_deleted_id) = (None, StreamId::MIN);
    let mut options = ctx.args.from(3).iter();
    while let Some(option) = options.next() {
        let value = options.next().ok_or(Error::Syntax)?;
        if option.eq_ignore_ascii_case(b"entriesadded") {
            let count = u64::try_from(int(value)?);
            added = Some(count.map_err(|_| Error::Text("ERR entries_added must be positive"))?);
        } else if option.eq_ignore_ascii_case(b"maxdeletedid") {
            max_deleted_id = id(value)?;
            if last_id < max_deleted_id {
                const BELOW: &str =
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id";
                return Err(Error::Text(BELOW));
            }
        } else {
            return Err(Error::Syntax);
        }
    }
    let key = ctx.key(1);
    let stream = ctx.db.write_stream(key)?.ok_or(Error::NoSuchKey)?;
    let smaller = if last_id < stream.max_deleted_id() {
        Some("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
    } else if stream.newest_id().is_some_and(|newest_id| last_id < newest_id) {
        Some("ERR The ID specified in XSETID is smaller than the target stream top item")
    } else if !stream.is_empty() && added.is_some_and(|added| added < stream.len()) {
        Some("ERR The entries_added specified in XSETID is smaller than the target stream length")
    } else {
        None
    };
    if let Some(text) = smaller {
        return Err(Error::Text(text));
    }
    ctx.db.change_stream(key, |stream, _| {
        let kept = stream.max_deleted_id();
        let max_deleted_id = if max_deleted_id == StreamId::MIN { kept } else { max_deleted_id };
        stream.set_past(last_id, added.unwrap_or(stream.entries_added()), max_deleted_id);
    });
    ctx.changed(EventClass::Stream, "xsetid", key.bytes());
    ctx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests;
