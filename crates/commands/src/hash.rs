//! Hashes: fields read, set and removed.

use engine::{Deadline, EventClass, Hash, Key, Owned, View, WrongType};
use resp::{Args, Reply};
use smallvec::SmallVec;

use crate::ctx::Ctx;
use crate::element::reply_element;
use crate::error::Error;
use crate::keys::KeySpec;
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] =
    &[&HSET, &HMSET, &HSETNX, &HGET, &HMGET, &HDEL, &HLEN, &HSTRLEN, &HEXISTS, &HKEYS, &HVALS, &HGETALL];

/// What the commands on one hash have in common.
pub(crate) const ONE_HASH: Command =
    Command { categories: "@hash", locks: Locks::Keys, group: "hash", complexity: "O(1)", ..Command::BLANK };

/// The cost of a command on given fields.
pub(crate) const FOR_EACH_FIELD: &str = "O(1) for each field";

static HSET: Command = Command {
    name: "hset",
    arity: -4,
    flags: flags::WRITE | flags::DENYOOM | flags::FAST,
    keys: &[KeySpec::one(1, "RW update")],
    run: hset,
    summary: "Sets fields of a hash; says how many are new.",
    since: "2.0.0",
    complexity: FOR_EACH_FIELD,
    syntax: "key <field value>...",
    example: "> HSET h a 1 b 2\n(integer) 2\n> HSET h b 3 c 4\n(integer) 1\n> HGET h b\n\"3\"",
    history: &[("4.0.0", "Several fields.")],
    ..ONE_HASH
};

fn hset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let made = set_pairs(ctx)?;
    ctx.reply.int(made as i64);
    Ok(())
}

/// Sets the fields of HSET and HMSET; how many are new.
fn set_pairs(ctx: &mut Ctx<'_, '_>) -> Result<usize, Error> {
    let args = ctx.args;
    if !args.len().is_multiple_of(2) {
        return Err(Error::Arity(ctx.command.name.to_owned()));
    }
    let key = ctx.key(1);
    let made = ctx.db.change_hash(key, |hash| hash.set_all(pairs(args.from(2)), Deadline::Never))?;
    ctx.changed(EventClass::Hash, "hset", key.bytes());
    ctx.db.turn.dirty += args.len() as u64 / 2 - 2;
    Ok(made)
}

/// `args` as fields with their values.
pub(crate) fn pairs<'a>(args: Args<'a>) -> impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone {
    (0..args.len() / 2).map(move |i| (args.at(2 * i), args.at(2 * i + 1)))
}

static HMSET: Command = Command {
    name: "hmset",
    arity: -4,
    flags: flags::WRITE | flags::DENYOOM | flags::FAST,
    keys: &[KeySpec::one(1, "RW update")],
    run: hmset,
    summary: "Sets fields of a hash.",
    since: "2.0.0",
    complexity: FOR_EACH_FIELD,
    syntax: "key <field value>...",
    example: "> HMSET h a 1 b 2\nOK\n> HGETALL h\n1) \"a\"\n2) \"1\"\n3) \"b\"\n4) \"2\"",
    deprecated: Some(("4.0.0", "`HSET` with multiple field-value pairs")),
    ..ONE_HASH
};

fn hmset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_pairs(ctx)?;
    ctx.reply.ok();
    Ok(())
}

static HSETNX: Command = Command {
    name: "hsetnx",
    arity: 4,
    flags: flags::WRITE | flags::DENYOOM | flags::FAST,
    keys: &[KeySpec::one(1, "RW insert")],
    run: hsetnx,
    summary: "Sets a field of a hash that is not there yet.",
    since: "2.0.0",
    syntax: "key field value",
    example: "> HSETNX h a 1\n(integer) 1\n> HSETNX h a 2\n(integer) 0\n> HGET h a\n\"1\"",
    ..ONE_HASH
};

fn hsetnx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, name, value) = (ctx.key(1), ctx.args.at(2), ctx.args.at(3));
    let made = ctx
        .db
        .change_hash(key, |hash| hash.view().get(name).is_none() && hash.set(name, value, Deadline::Never))?;
    if made {
        ctx.changed(EventClass::Hash, "hset", key.bytes());
    }
    ctx.reply.int(i64::from(made));
    Ok(())
}

static HGET: Command = Command {
    name: "hget",
    arity: 3,
    flags: flags::READONLY | flags::FAST,
    keys: &[KeySpec::one(1, "RO access")],
    run: hget,
    summary: "Gives the value of a field.",
    since: "2.0.0",
    syntax: "key field",
    example: "> HSET h a 1\n(integer) 1\n> HGET h a\n\"1\"\n> HGET h b\n(nil)",
    ..ONE_HASH
};

fn hget(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    reply_field(ctx.reply, ctx.db.read_hash(key)?, ctx.args.at(2));
    Ok(())
}

/// Writes the value of a field, or that there is none.
pub(crate) fn reply_field(reply: &mut Reply, hash: Option<Hash<'_>>, name: &[u8]) {
    match hash.and_then(|hash| hash.get(name)) {
        Some(field) => reply_element(reply, field.value),
        None => reply.null(),
    }
}

static HMGET: Command = Command {
    name: "hmget",
    arity: -3,
    flags: flags::READONLY | flags::FAST,
    keys: &[KeySpec::one(1, "RO access")],
    run: hmget,
    summary: "Gives the values of fields.",
    since: "2.0.0",
    complexity: FOR_EACH_FIELD,
    syntax: "key field [field ...]",
    example: "> HSET h a 1 b 2\n(integer) 2\n> HMGET h a x b\n1) \"1\"\n2) (nil)\n3) \"2\"",
    ..ONE_HASH
};

fn hmget(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, names) = (ctx.key(1), ctx.args.from(2));
    let hash = ctx.db.read_hash(key)?;
    reply_fields(ctx.reply, hash, names);
    Ok(())
}

/// Writes the values of fields, as an array.
pub(crate) fn reply_fields(reply: &mut Reply, hash: Option<Hash<'_>>, names: Args<'_>) {
    reply.array(names.len());
    names.iter().for_each(|name| reply_field(reply, hash, name));
}

static HDEL: Command = Command {
    name: "hdel",
    arity: -3,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RW delete")],
    run: hdel,
    summary: "Removes fields, and the hash when none is left; says how many were there.",
    since: "2.0.0",
    complexity: FOR_EACH_FIELD,
    syntax: "key field [field ...]",
    example: "> HSET h a 1 b 2\n(integer) 2\n> HDEL h a x\n(integer) 1\n> HDEL h b\n(integer) 1\n> EXISTS h\n(integer) 0",
    history: &[("2.4.0", "Several fields.")],
    ..ONE_HASH
};

fn hdel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, names) = (ctx.key(1), ctx.args.from(2));
    let removed = remove_fields(ctx, key, names.iter())?;
    ctx.reply.int(removed as i64);
    Ok(())
}

/// Removes fields; how many were there. Gives the events.
pub(crate) fn remove_fields<'n>(
    ctx: &mut Ctx<'_, '_>,
    key: Key<'_>,
    names: impl Iterator<Item = &'n [u8]>,
) -> Result<usize, WrongType> {
    let outcome = ctx.db.change_old_hash(key, |hash| {
        let removed = names.filter(|name| hash.remove(name)).count();
        (removed, hash.is_empty())
    })?;
    let (removed, emptied) = outcome.unwrap_or((0, false));
    removed_events(ctx, key, removed, emptied);
    Ok(removed)
}

/// Gives the events of fields that were removed.
pub(crate) fn removed_events(ctx: &mut Ctx<'_, '_>, key: Key<'_>, removed: usize, emptied: bool) {
    if removed > 0 {
        ctx.changed(EventClass::Hash, "hdel", key.bytes());
        ctx.db.turn.dirty += removed as u64 - 1;
        if emptied {
            ctx.event(EventClass::Generic, "del", key.bytes());
        }
    }
}

/// Gives `head` and these fields as the effect.
pub(crate) fn effect_on_fields<'n>(
    ctx: &mut Ctx<'_, '_>,
    head: &[&[u8]],
    names: impl Iterator<Item = &'n [u8]>,
) {
    let mut effect: SmallVec<[&[u8]; 16]> = SmallVec::from_slice(head);
    names.for_each(|name| effect.push(name));
    ctx.effect(&effect);
}

static HLEN: Command = Command {
    name: "hlen",
    arity: 2,
    flags: flags::READONLY | flags::FAST,
    keys: &[KeySpec::one(1, "RO")],
    run: hlen,
    summary: "Says how many fields a hash has.",
    since: "2.0.0",
    syntax: "key",
    example: "> HSET h a 1 b 2\n(integer) 2\n> HLEN h\n(integer) 2\n> HLEN x\n(integer) 0",
    ..ONE_HASH
};

fn hlen(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let len = ctx.db.read_hash(key)?.map_or(0, Hash::len);
    ctx.reply.int(len as i64);
    Ok(())
}

static HSTRLEN: Command = Command {
    name: "hstrlen",
    arity: 3,
    flags: flags::READONLY | flags::FAST,
    keys: &[KeySpec::one(1, "RO")],
    run: hstrlen,
    summary: "Says how many bytes the value of a field has; 0 when it is not there.",
    since: "3.2.0",
    syntax: "key field",
    example: "> HSET h a hello\n(integer) 1\n> HSTRLEN h a\n(integer) 5\n> HSTRLEN h b\n(integer) 0",
    ..ONE_HASH
};

fn hstrlen(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, name) = (ctx.key(1), ctx.args.at(2));
    let field = ctx.db.read_hash(key)?.and_then(|hash| hash.get(name));
    ctx.reply.int(field.map_or(0, |field| field.value.len()) as i64);
    Ok(())
}

static HEXISTS: Command = Command {
    name: "hexists",
    arity: 3,
    flags: flags::READONLY | flags::FAST,
    keys: &[KeySpec::one(1, "RO")],
    run: hexists,
    summary: "Says whether a field is there.",
    since: "2.0.0",
    syntax: "key field",
    example: "> HSET h a 1\n(integer) 1\n> HEXISTS h a\n(integer) 1\n> HEXISTS h b\n(integer) 0",
    ..ONE_HASH
};

fn hexists(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, name) = (ctx.key(1), ctx.args.at(2));
    let there = ctx.db.read_hash(key)?.is_some_and(|hash| hash.get(name).is_some());
    ctx.reply.int(i64::from(there));
    Ok(())
}

/// What HKEYS, HVALS and HGETALL have in common.
const WHOLE: Command = Command {
    arity: 2,
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    since: "2.0.0",
    complexity: "O(N) for N fields",
    syntax: "key",
    tips: &["nondeterministic_output_order"],
    ..ONE_HASH
};

static HKEYS: Command = Command {
    name: "hkeys",
    run: hkeys,
    summary: "Gives the names of all fields.",
    example: "> HSET h a 1 b 2\n(integer) 2\n> HKEYS h\n1) \"a\"\n2) \"b\"",
    ..WHOLE
};

fn hkeys(ctx: &mut Ctx<'_, '_>) -> Outcome {
    read_whole(ctx, |reply, hash| {
        reply.array(hash.map_or(0, Hash::len));
        hash.iter().flat_map(|hash| hash.iter()).for_each(|field| reply_element(reply, field.name));
    })
}

static HVALS: Command = Command {
    name: "hvals",
    run: hvals,
    summary: "Gives the values of all fields.",
    example: "> HSET h a 1 b 2\n(integer) 2\n> HVALS h\n1) \"1\"\n2) \"2\"",
    ..WHOLE
};

fn hvals(ctx: &mut Ctx<'_, '_>) -> Outcome {
    read_whole(ctx, |reply, hash| {
        reply.array(hash.map_or(0, Hash::len));
        hash.iter().flat_map(|hash| hash.iter()).for_each(|field| reply_element(reply, field.value));
    })
}

static HGETALL: Command = Command {
    name: "hgetall",
    run: hgetall,
    summary: "Gives all fields and their values.",
    example: "> HSET h a 1 b 2\n(integer) 2\n> HGETALL h\n1) \"a\"\n2) \"1\"\n3) \"b\"\n4) \"2\"",
    ..WHOLE
};

fn hgetall(ctx: &mut Ctx<'_, '_>) -> Outcome {
    read_whole(ctx, |reply, hash| {
        reply.map(hash.map_or(0, Hash::len));
        for field in hash.iter().flat_map(|hash| hash.iter()) {
            reply_element(reply, field.name);
            reply_element(reply, field.value);
        }
    })
}

/// Shows the hash at argument 1 to `read`, which writes the reply. A large one is shown as a clone, after its stripe was
/// let go of: others need not wait while all of it is read.
pub(crate) fn read_whole(ctx: &mut Ctx<'_, '_>, read: impl FnOnce(&mut Reply, Option<Hash<'_>>)) -> Outcome {
    let (key, now_ms) = (ctx.key(1), ctx.db.fields_now_ms());
    let hash = ctx.db.read_hash(key)?;
    if !hash.is_some_and(Hash::is_big) {
        read(ctx.reply, hash);
        return Ok(());
    }
    let clone = ctx.db.copy(key);
    ctx.db.release();
    if let Some(View::Hash(hash)) = clone.as_ref().map(Owned::value) {
        read(ctx.reply, Some(hash.at(now_ms)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

    #[test]
    fn other_kinds_are_refused_and_absent_hashes_are_empty() {
        let mut client = Client::new();
        client.send("SET s 1");
        for line in [
            "HSET s a 1",
            "HMSET s a 1",
            "HSETNX s a 1",
            "HGET s a",
            "HMGET s a",
            "HDEL s a",
            "HLEN s",
            "HSTRLEN s a",
            "HEXISTS s a",
            "HKEYS s",
            "HVALS s",
            "HGETALL s",
            "HRANDFIELD s",
            "HRANDFIELD s 1",
            "HSCAN s 0",
            "HTTL s FIELDS 1 a",
            "HPERSIST s FIELDS 1 a",
            "HEXPIRE s 1 FIELDS 1 a",
            "HGETEX s FIELDS 1 a",
            "HSETEX s FIELDS 1 a 1",
            "HGETDEL s FIELDS 1 a",
        ] {
            client.check_errors(&[(line, WRONG_TYPE)]);
        }
        client.check(&[
            ("HMGET none a b", "1) (nil)\n2) (nil)"),
            ("HGETALL none", "(empty array)"),
            ("HKEYS none", "(empty array)"),
            ("HRANDFIELD none", "(nil)"),
            ("HRANDFIELD none 3", "(empty array)"),
            ("HSCAN none 7 nonsense", "1) \"0\"\n2) (empty array)"),
            ("HDEL none a", "(integer) 0"),
        ]);
        client.check_errors(&[
            ("HSET h a", "ERR wrong number of arguments for 'hset' command"),
            ("HSET s a 1 b", "ERR wrong number of arguments for 'hset' command"),
            ("HMSET h a 1 b", "ERR wrong number of arguments for 'hmset' command"),
        ]);
    }

    #[test]
    fn changes_are_counted_by_field() {
        let mut client = Client::new();
        let told = |n, events: &[&str], effects: &[&str]| {
            let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
            (n, owned(events), owned(effects))
        };
        for (line, n, events) in [
            ("HSET h a 1 b 2", 2, &["hset h"] as &[&str]),
            ("HSETNX h a 3", 0, &[]),
            ("HSETNX h c 3", 1, &["hset h"]),
            ("HMSET h a 1", 1, &["hset h"]),
            ("HDEL h x", 0, &[]),
            ("HDEL h a x b", 2, &["hdel h"]),
            ("HDEL h c c", 1, &["hdel h", "del h"]),
        ] {
            let effects: &[&str] = if n == 0 { &[] } else { &[line] };
            assert_eq!(client.changes(line), told(n, events, effects), "{line}");
        }
    }

    #[test]
    fn encodings_change_where_the_limits_say() {
        let mut client = Client::new();
        let encoding = |client: &mut Client, word: &str| {
            client.check(&[("OBJECT ENCODING h", &format!("\"{word}\""))]);
        };
        client.send("HSET h a 1");
        encoding(&mut client, "listpack");
        client.send("HEXPIRE h 100 FIELDS 1 a");
        encoding(&mut client, "listpackex");
        client.send(&format!("HSET h b {}", "x".repeat(64)));
        encoding(&mut client, "listpackex");
        client.send(&format!("HSET h b {}", "x".repeat(65)));
        encoding(&mut client, "hashtable");
        client.send("HDEL h b");
        encoding(&mut client, "hashtable");
        client.send("DEL h");
        for n in 0..512 {
            client.send(&format!("HSET h f{n} {n}"));
        }
        encoding(&mut client, "listpack");
        client.send("HINCRBY h f512 1");
        encoding(&mut client, "hashtable");
        client.check(&[("HLEN h", "(integer) 513"), ("HGET h f77", "\"77\"")]);
    }

    #[test]
    fn large_hashes_are_read_whole() {
        let mut client = Client::new();
        for n in 0..1000 {
            client.send(&format!("HSET h f{n} {n}"));
        }
        let names = |client: &mut Client, line: &str| {
            let mut names: Vec<String> = match client.value(line) {
                resp::Value::Array(values) => values.iter().map(|v| format!("{v:?}")).collect(),
                other => panic!("{other:?}"),
            };
            names.sort();
            names.dedup();
            names.len()
        };
        assert_eq!(names(&mut client, "HKEYS h"), 1000);
        assert_eq!(names(&mut client, "HVALS h"), 1000);
        assert_eq!(names(&mut client, "HGETALL h"), 2000);
        assert_eq!(names(&mut client, "HRANDFIELD h 30"), 30);
        assert_eq!(names(&mut client, "HRANDFIELD h 900"), 900);
        assert_eq!(names(&mut client, "HRANDFIELD h 5000 WITHVALUES"), 2000);
        assert!((200..=400).contains(&names(&mut client, "HRANDFIELD h -400")));
    }
}
