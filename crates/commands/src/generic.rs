//! Commands on keys whatever they hold: removing, renaming, copying, and moving between databases.

use engine::{EventClass, Free, Key, Owned};

use crate::ctx::Ctx;
use crate::error::Error;
use crate::host::Removal;
use crate::keys::KeySpec;
use crate::number::int;
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] =
    &[&DEL, &UNLINK, &EXISTS, &TOUCH, &TYPE, &RENAME, &RENAMENX, &COPY, &MOVE, &SWAPDB, &FLUSHDB, &FLUSHALL];

const MULTI_SHARD_SUM: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

static DEL: Command = Command {
    name: "del",
    arity: -2,
    flags: flags::WRITE,
    categories: "@keyspace",
    keys: &[KeySpec::rest(1, 1, "RM delete")],
    locks: Locks::Keys,
    run: del,
    summary: "Removes keys, and says how many were there.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(N) for N keys, and O(M) for a collection of M elements",
    syntax: "key [key ...]",
    example: "> MSET a 1 b 2\nOK\n> DEL a b c\n(integer) 2\n> GET a\n(nil)",
    tips: MULTI_SHARD_SUM,
    ..Command::BLANK
};

fn del(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let free = free(ctx, Removal::Del);
    remove(ctx, free)
}

static UNLINK: Command = Command {
    name: "unlink",
    arity: -2,
    flags: flags::WRITE | flags::FAST,
    categories: "@keyspace",
    keys: &[KeySpec::rest(1, 1, "RM delete")],
    locks: Locks::Keys,
    run: unlink,
    summary: "Removes keys as DEL does, and leaves big values to be freed in the background.",
    since: "4.0.0",
    group: "generic",
    complexity: "O(N) for N keys, whatever they hold; another thread frees the elements",
    syntax: "key [key ...]",
    example: "> MSET a 1 b 2\nOK\n> UNLINK a b c\n(integer) 2",
    tips: MULTI_SHARD_SUM,
    ..Command::BLANK
};

fn unlink(ctx: &mut Ctx<'_, '_>) -> Outcome {
    remove(ctx, Free::Later)
}

fn remove(ctx: &mut Ctx<'_, '_>, free: Free) -> Outcome {
    let mut removed = 0;
    for i in 1..ctx.args.len() {
        let key = ctx.key(i);
        if ctx.db.delete(key, free) {
            ctx.changed(EventClass::Generic, "del", key.bytes());
            removed += 1;
        }
    }
    ctx.reply.int(removed);
    Ok(())
}

/// Who frees what `removal` removes.
pub(crate) fn free(ctx: &Ctx<'_, '_>, removal: Removal) -> Free {
    if ctx.host.frees_later(removal) { Free::Later } else { Free::Now }
}

/// Makes `key` the value that a command found, or removes it when there is none; `len`, how much there is of it, is the
/// reply.
pub(crate) fn store(
    ctx: &mut Ctx<'_, '_>,
    key: Key<'_>,
    value: Option<Owned>,
    len: usize,
    (class, event): (EventClass, &'static str),
) {
    let free = free(ctx, Removal::Overwrite);
    if let Some(value) = value {
        ctx.db.overwrite(key, value, free);
        ctx.changed(class, event, key.bytes());
    } else if ctx.db.delete(key, free) {
        ctx.changed(EventClass::Generic, "del", key.bytes());
    }
    ctx.reply.int(len as i64);
}

static EXISTS: Command = Command {
    name: "exists",
    arity: -2,
    flags: flags::READONLY | flags::FAST,
    categories: "@keyspace",
    keys: &[KeySpec::rest(1, 1, "RO")],
    locks: Locks::Keys,
    run: exists,
    summary: "Says how many of the keys are there; one named twice counts twice.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(N) for N keys",
    syntax: "key [key ...]",
    example: "> SET a 1\nOK\n> EXISTS a b a\n(integer) 2",
    history: &[("3.0.3", "Takes several keys.")],
    tips: MULTI_SHARD_SUM,
    ..Command::BLANK
};

fn exists(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut there = 0;
    for i in 1..ctx.args.len() {
        there += i64::from(ctx.db.look(ctx.key(i)).is_some());
    }
    ctx.reply.int(there);
    Ok(())
}

static TOUCH: Command = Command {
    name: "touch",
    arity: -2,
    flags: flags::READONLY | flags::FAST,
    categories: "@keyspace",
    keys: &[KeySpec::rest(1, 1, "RO")],
    locks: Locks::Keys,
    run: touch,
    summary: "Counts as an access to the keys, and says how many are there.",
    since: "3.2.1",
    group: "generic",
    complexity: "O(N) for N keys",
    syntax: "key [key ...]",
    example: "> SET a 1\nOK\n> TOUCH a b\n(integer) 1",
    tips: MULTI_SHARD_SUM,
    ..Command::BLANK
};

fn touch(ctx: &mut Ctx<'_, '_>) -> Outcome {
    // To touch is what the client asks for, CLIENT NO-TOUCH or not.
    let no_touch = std::mem::replace(&mut ctx.db.turn.no_touch, false);
    let mut there = 0;
    for i in 1..ctx.args.len() {
        there += i64::from(ctx.db.read(ctx.key(i)).is_some());
    }
    ctx.db.turn.no_touch = no_touch;
    ctx.reply.int(there);
    Ok(())
}

static TYPE: Command = Command {
    name: "type",
    arity: 2,
    flags: flags::READONLY | flags::FAST,
    categories: "@keyspace",
    keys: &[KeySpec::one(1, "RO")],
    locks: Locks::Keys,
    run: r#type,
    summary: "Says what kind of value a key holds.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    syntax: "key",
    example: "> SET a 1\nOK\n> TYPE a\nstring\n> TYPE b\nnone",
    ..Command::BLANK
};

fn r#type(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let kind = ctx.db.look(ctx.key(1)).map(|entry| entry.kind());
    ctx.reply.simple(kind.map_or("none", |kind| kind.name()));
    Ok(())
}

static RENAME: Command = Command {
    name: "rename",
    arity: 3,
    flags: flags::WRITE,
    categories: "@keyspace",
    keys: &[KeySpec::one(1, "RW access delete"), KeySpec::one(2, "OW update")],
    locks: Locks::Keys,
    run: rename,
    summary: "Gives a key's value another name, in place of what had that name.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1), and O(M) when a collection of M elements had the new name",
    syntax: "key newkey",
    example: "> SET a 1\nOK\n> RENAME a b\nOK\n> GET b\n\"1\"\n> RENAME a b\n(error) ERR no such key",
    ..Command::BLANK
};

fn rename(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, new_key) = (ctx.key(1), ctx.key(2));
    existing(ctx, key)?;
    if key.bytes() != new_key.bytes() {
        give_name(ctx, key, new_key);
    }
    ctx.reply.ok();
    Ok(())
}

static RENAMENX: Command = Command {
    name: "renamenx",
    arity: 3,
    flags: flags::WRITE | flags::FAST,
    categories: "@keyspace",
    keys: &[KeySpec::one(1, "RW access delete"), KeySpec::one(2, "OW insert")],
    locks: Locks::Keys,
    run: renamenx,
    summary: "Gives a key's value another name, unless that name is taken.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    syntax: "key newkey",
    example: "> MSET a 1 b 2\nOK\n> RENAMENX a b\n(integer) 0\n> RENAMENX a c\n(integer) 1",
    history: &[("3.2.0", "The same name twice is no error.")],
    ..Command::BLANK
};

fn renamenx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, new_key) = (ctx.key(1), ctx.key(2));
    existing(ctx, key)?;
    let taken = key.bytes() == new_key.bytes() || ctx.db.write(new_key).is_some();
    if !taken {
        give_name(ctx, key, new_key);
    }
    ctx.reply.int(i64::from(!taken));
    Ok(())
}

fn existing(ctx: &mut Ctx<'_, '_>, key: Key<'_>) -> Result<(), Error> {
    ctx.db.write(key).map(drop).ok_or(Error::NoSuchKey)
}

/// Moves what `key` holds, deadline and all, to `new_key`, another key.
fn give_name(ctx: &mut Ctx<'_, '_>, key: Key<'_>, new_key: Key<'_>) {
    let free = free(ctx, Removal::Overwrite);
    let Some(value) = ctx.db.take(key) else { return };
    ctx.db.put(new_key, value, free);
    ctx.changed(EventClass::Generic, "rename_from", key.bytes());
    ctx.event(EventClass::Generic, "rename_to", new_key.bytes());
}

static COPY: Command = Command {
    name: "copy",
    arity: -3,
    flags: flags::WRITE | flags::DENYOOM,
    categories: "@keyspace",
    keys: &[KeySpec::one(1, "RO access"), KeySpec::one(2, "OW update")],
    locks: Locks::Keys,
    run: copy,
    summary: "Copies a key's value and deadline to another key, of this database or another.",
    since: "6.2.0",
    group: "generic",
    complexity: "O(1) for a string, O(N) for a collection of N elements",
    syntax: "source destination [DB destination-db] [REPLACE]",
    example: "> SET a 1\nOK\n> COPY a b\n(integer) 1\n> COPY a b\n(integer) 0\n> COPY a b REPLACE\n(integer) 1",
    ..Command::BLANK
};

fn copy(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (source, destination) = (ctx.key(1), ctx.key(2));
    let (mut to, mut replace) = (ctx.db.index(), false);
    let mut i = 3;
    while let Some(option) = ctx.args.get(i) {
        if option.eq_ignore_ascii_case(b"REPLACE") {
            replace = true;
        } else if option.eq_ignore_ascii_case(b"DB") {
            i += 1;
            to = database(ctx, ctx.args.get(i).ok_or(Error::Syntax)?)?;
        } else {
            return Err(Error::Syntax);
        }
        i += 1;
    }
    if to == ctx.db.index() && source.bytes() == destination.bytes() {
        return Err(SAME_OBJECT);
    }
    let there = ctx.db.read(source).is_some();
    let taken = there && ctx.db.at(to).write(destination).is_some();
    if !there || (taken && !replace) {
        ctx.reply.int(0);
        return Ok(());
    }
    let free = free(ctx, Removal::Overwrite);
    if let Some(value) = ctx.db.copy(source) {
        let mut db = ctx.db.at(to);
        db.put(destination, value, free);
        db.turn.dirty += 1;
        db.turn.event(EventClass::Generic, "copy_to", to, destination.bytes());
    }
    ctx.reply.int(1);
    Ok(())
}

const SAME_OBJECT: Error = Error::Text("ERR source and destination objects are the same");

/// The database that `arg` names.
fn database(ctx: &Ctx<'_, '_>, arg: &[u8]) -> Result<u32, Error> {
    let out_of_range =
        Error::Text("ERR value is out of range, value must between -2147483648 and 2147483647");
    let index = i32::try_from(int(arg)?).map_err(|_| out_of_range)?;
    u32::try_from(index).ok().filter(|&index| index < ctx.db.databases()).ok_or(Error::DbIndex)
}

static MOVE: Command = Command {
    name: "move",
    arity: 3,
    flags: flags::WRITE | flags::FAST,
    categories: "@keyspace",
    keys: &[KeySpec::one(1, "RW access update")],
    locks: Locks::Keys,
    run: r#move,
    summary: "Moves a key to another database, unless it is there already.",
    since: "1.0.0",
    group: "generic",
    complexity: "O(1)",
    syntax: "key db",
    example: "> SET a 1\nOK\n> MOVE a 1\n(integer) 1\n> EXISTS a\n(integer) 0\n> MOVE a 1\n(integer) 0",
    ..Command::BLANK
};

fn r#move(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let to = database(ctx, ctx.args.at(2))?;
    if to == ctx.db.index() {
        return Err(SAME_OBJECT);
    }
    let moves = ctx.db.write(key).is_some() && ctx.db.at(to).write(key).is_none();
    if moves && let Some(value) = ctx.db.take(key) {
        ctx.db.at(to).put(key, value, Free::Now);
        ctx.changed(EventClass::Generic, "move_from", key.bytes());
        ctx.db.turn.event(EventClass::Generic, "move_to", to, key.bytes());
    }
    ctx.reply.int(i64::from(moves));
    Ok(())
}

static SWAPDB: Command = Command {
    name: "swapdb",
    arity: 3,
    flags: flags::WRITE | flags::FAST,
    categories: "@keyspace @dangerous",
    locks: Locks::Everything,
    run: swapdb,
    summary: "Exchanges the keys of two databases: clients of one see those of the other at once.",
    since: "4.0.0",
    group: "server",
    complexity: "O(N) for N clients that watch or wait for keys of either",
    syntax: "index1 index2",
    example: "> SET a 1\nOK\n> SWAPDB 0 1\nOK\n> EXISTS a\n(integer) 0",
    ..Command::BLANK
};

fn swapdb(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let index =
        |i, text| int(ctx.args.at(i)).ok().and_then(|n| i32::try_from(n).ok()).ok_or(Error::Text(text));
    let first = index(1, "ERR invalid first DB index")?;
    let second = index(2, "ERR invalid second DB index")?;
    let database = |n: i32| u32::try_from(n).ok().filter(|&n| n < ctx.db.databases()).ok_or(Error::DbIndex);
    let (first, second) = (database(first)?, database(second)?);
    if first != second {
        ctx.db.at(first).swap(second);
    }
    ctx.db.turn.dirty += 1;
    ctx.reply.ok();
    Ok(())
}

const FLUSH_HISTORY: &[(&str, &str)] = &[("4.0.0", "ASYNC."), ("6.2.0", "SYNC.")];
const ALL_SHARDS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

static FLUSHDB: Command = Command {
    name: "flushdb",
    arity: -1,
    flags: flags::WRITE,
    categories: "@keyspace @dangerous",
    locks: Locks::Everything,
    run: flushdb,
    summary: "Removes every key of the database.",
    since: "1.0.0",
    group: "server",
    complexity: "O(1); another thread frees the keys",
    syntax: "[ASYNC | SYNC]",
    example: "> SET a 1\nOK\n> FLUSHDB\nOK\n> DBSIZE\n(integer) 0",
    history: FLUSH_HISTORY,
    tips: ALL_SHARDS,
    ..Command::BLANK
};

fn flushdb(ctx: &mut Ctx<'_, '_>) -> Outcome {
    check_flush_mode(ctx)?;
    let index = ctx.db.index();
    flush(ctx, index..index + 1);
    Ok(())
}

static FLUSHALL: Command = Command {
    name: "flushall",
    arity: -1,
    flags: flags::WRITE,
    categories: "@keyspace @dangerous",
    locks: Locks::Everything,
    run: flushall,
    summary: "Removes every key of every database.",
    since: "1.0.0",
    group: "server",
    complexity: "O(1); another thread frees the keys",
    syntax: "[ASYNC | SYNC]",
    example: "> SET a 1\nOK\n> FLUSHALL ASYNC\nOK\n> DBSIZE\n(integer) 0",
    history: FLUSH_HISTORY,
    tips: ALL_SHARDS,
    ..Command::BLANK
};

fn flushall(ctx: &mut Ctx<'_, '_>) -> Outcome {
    check_flush_mode(ctx)?;
    let databases = ctx.db.databases();
    flush(ctx, 0..databases);
    ctx.host.flushed();
    Ok(())
}

/// ASYNC and SYNC are the same here: to free millions of keys at once would hold up every client.
fn check_flush_mode(ctx: &Ctx<'_, '_>) -> Result<(), Error> {
    match (ctx.args.len(), ctx.args.get(1)) {
        (1, _) => Ok(()),
        (2, Some(mode)) if [b"ASYNC".as_slice(), b"SYNC"].iter().any(|m| mode.eq_ignore_ascii_case(m)) => {
            Ok(())
        }
        _ => Err(Error::Syntax),
    }
}

fn flush(ctx: &mut Ctx<'_, '_>, databases: std::ops::Range<u32>) {
    for index in databases {
        let removed = ctx.db.at(index).flush(Free::Later);
        ctx.db.turn.dirty += removed;
    }
    ctx.reply.ok();
    // Noted even when there was nothing to remove: whoever replays the effects may have keys.
    ctx.effect_request();
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    const RANGE: &str = "ERR value is out of range, value must between -2147483648 and 2147483647";

    #[test]
    fn removing_counts_each_key_once() {
        let mut client = Client::new();
        client.check(&[
            ("MSET a 1 b 2", "OK"),
            ("DEL a a x", "(integer) 1"),
            ("UNLINK a b b", "(integer) 1"),
        ]);
        client.send("MSET a 1 b 2");
        let (dirty, events, effects) = client.changes("DEL a x b");
        assert_eq!(
            (dirty, events, effects),
            (2, ["del a", "del b"].map(String::from).into(), vec!["DEL a x b".into()])
        );
        assert_eq!(client.changes("DEL a x b"), (0, vec![], vec![]));
    }

    #[test]
    fn renaming_takes_value_and_deadline_along() {
        let mut client = Client::new();
        client.check(&[("SET a 1 PX 1500", "OK"), ("SET b 2", "OK")]);
        let (dirty, events, effects) = client.changes("RENAME a b");
        assert_eq!((dirty, events), (1, vec!["rename_from a".into(), "rename_to b".into()]));
        assert_eq!(effects, ["RENAME a b"]);
        client.check(&[
            ("GET b", "\"1\""),
            ("PTTL b", "(integer) 1500"),
            ("RENAME b b", "OK"),
            ("RENAMENX b b", "(integer) 0"),
        ]);
        assert_eq!(client.changes("RENAME b b"), (0, vec![], vec![]));
        client.check_errors(&[("RENAME x y", "ERR no such key"), ("RENAMENX x x", "ERR no such key")]);
    }

    #[test]
    fn copying_and_moving_go_to_other_databases() {
        let mut client = Client::new();
        client.check(&[
            ("SET a 1 PX 1500", "OK"),
            ("COPY a a DB 3", "(integer) 1"),
            ("COPY a a DB 3", "(integer) 0"),
            ("COPY a b REPLACE DB 2 DB 4 replace", "(integer) 1"),
            ("COPY x b DB 4 REPLACE", "(integer) 0"),
        ]);
        let (dirty, events, effects) = client.changes("MOVE a 5");
        assert_eq!((dirty, events), (1, vec!["move_from a".into(), "move_to a".into()]));
        assert_eq!(effects, ["MOVE a 5"]);
        for (db, keys) in [(0, 0), (2, 0), (3, 1), (4, 1), (5, 1)] {
            client.session.db = db;
            client.check(&[("DBSIZE", &format!("(integer) {keys}"))]);
        }
        client.check(&[("PTTL a", "(integer) 1500"), ("SWAPDB 5 3", "OK"), ("MOVE a 3", "(integer) 0")]);
    }

    #[test]
    fn databases_and_options_are_checked_first() {
        Client::new().check_errors(&[
            ("COPY a b DB x", "ERR value is not an integer or out of range"),
            ("COPY a b DB 99999999999", RANGE),
            ("COPY a b DB 16", "ERR DB index is out of range"),
            ("COPY a b DB", "ERR syntax error"),
            ("COPY a b NX", "ERR syntax error"),
            ("COPY a a", "ERR source and destination objects are the same"),
            ("MOVE a -1", "ERR DB index is out of range"),
            ("MOVE a -99999999999", RANGE),
            ("MOVE a 0", "ERR source and destination objects are the same"),
            ("SWAPDB x y", "ERR invalid first DB index"),
            ("SWAPDB 0 99999999999", "ERR invalid second DB index"),
            ("SWAPDB 0 16", "ERR DB index is out of range"),
            ("FLUSHDB NOW", "ERR syntax error"),
            ("FLUSHALL ASYNC SYNC", "ERR syntax error"),
        ]);
    }

    #[test]
    fn flushing_is_an_effect_even_of_nothing() {
        let mut client = Client::new();
        assert_eq!(client.changes("FLUSHDB"), (0, vec![], vec!["FLUSHDB".into()]));
        client.send("MSET a 1 b 2");
        assert_eq!(client.changes("FLUSHALL async"), (2, vec![], vec!["FLUSHALL async".into()]));
    }

    #[test]
    fn asking_is_no_access_and_touch_always_is() {
        let mut client = Client::new();
        client.check(&[("SET a 1", "OK"), ("EXISTS a x a", "(integer) 2"), ("TYPE x", "none")]);
        assert_eq!((client.turn.hits, client.turn.misses), (2, 2));
        client.turn.now_ms += 60_000;
        client.session.no_touch = true;
        client.check(&[
            ("EXISTS a", "(integer) 1"),
            ("GET a", "\"1\""),
            ("OBJECT IDLETIME a", "(integer) 60"),
        ]);
        client.check(&[("TOUCH a x", "(integer) 1"), ("OBJECT IDLETIME a", "(integer) 0")]);
    }
}
