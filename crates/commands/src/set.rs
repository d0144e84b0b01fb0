//! Sets: members that are there or not.

use engine::{EventClass, Key, Owned, Set, View};
use resp::Reply;

use crate::ctx::Ctx;
use crate::element::reply_element;
use crate::keys::KeySpec;
use crate::scan::{Of, ScanOptions, cursor, reply_scan};
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] =
    &[&SADD, &SREM, &SCARD, &SISMEMBER, &SMISMEMBER, &SMEMBERS, &SMOVE, &SSCAN];

/// Members of a large set from which a command that only reads works on a copy, which costs next to nothing, and lets
/// others at the key meanwhile.
pub(crate) const APART_MIN: usize = 1000;

/// What the commands on one set have in common.
pub(crate) const ONE_SET: Command =
    Command { categories: "@set", locks: Locks::Keys, group: "set", complexity: "O(1)", ..Command::BLANK };

/// Says that `count` members of the set at `key` came or went.
pub(crate) fn changed(ctx: &mut Ctx<'_, '_>, event: &'static str, key: Key<'_>, count: usize) {
    ctx.db.turn.dirty += count as u64;
    ctx.event(EventClass::Set, event, key.bytes());
}

/// Says that the key went, when nothing is left of its set.
pub(crate) fn gone(ctx: &mut Ctx<'_, '_>, key: Key<'_>, left: usize) {
    if left == 0 {
        ctx.event(EventClass::Generic, "del", key.bytes());
    }
}

static SADD: Command = Command {
    name: "sadd",
    arity: -3,
    flags: flags::WRITE | flags::DENYOOM | flags::FAST,
    keys: &[KeySpec::one(1, "RW insert")],
    run: sadd,
    summary: "Adds members to a set, which is made when it is not there; says how many were new.",
    since: "1.0.0",
    complexity: "O(1) for each member",
    syntax: "key member [member ...]",
    example: "> SADD a x y\n(integer) 2\n> SADD a y z\n(integer) 1\n> SCARD a\n(integer) 3",
    history: &[("2.4.0", "Several members.")],
    ..ONE_SET
};

fn sadd(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, members) = (ctx.key(1), ctx.args.from(2));
    ctx.db.write_set(key)?;
    let added = ctx.db.change_set(key, |set| {
        set.expect(members.at(0), members.len());
        members.iter().filter(|member| set.add(member)).count()
    });
    if added > 0 {
        changed(ctx, "sadd", key, added);
    }
    ctx.reply.int(added as i64);
    Ok(())
}

static SREM: Command = Command {
    name: "srem",
    arity: -3,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RW delete")],
    run: srem,
    summary: "Removes members from a set; says how many were there.",
    since: "1.0.0",
    complexity: "O(1) for each member",
    syntax: "key member [member ...]",
    example: "> SADD a x y\n(integer) 2\n> SREM a y z\n(integer) 1\n> SMEMBERS a\n1) \"x\"",
    history: &[("2.4.0", "Several members.")],
    ..ONE_SET
};

fn srem(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, members) = (ctx.key(1), ctx.args.from(2));
    if ctx.db.write_set(key)?.is_none() {
        ctx.reply.int(0);
        return Ok(());
    }
    let (removed, left) = ctx.db.change_set(key, |set| {
        let removed = members.iter().filter(|member| set.remove(member)).count();
        (removed, set.view().len())
    });
    if removed > 0 {
        changed(ctx, "srem", key, removed);
        gone(ctx, key, left);
    }
    ctx.reply.int(removed as i64);
    Ok(())
}

static SCARD: Command = Command {
    name: "scard",
    arity: 2,
    flags: flags::READONLY | flags::FAST,
    keys: &[KeySpec::one(1, "RO")],
    run: scard,
    summary: "Says how many members a set has.",
    since: "1.0.0",
    syntax: "key",
    example: "> SADD a x y\n(integer) 2\n> SCARD a\n(integer) 2\n> SCARD b\n(integer) 0",
    ..ONE_SET
};

fn scard(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let len = ctx.db.read_set(key)?.map_or(0, Set::len);
    ctx.reply.int(len as i64);
    Ok(())
}

static SISMEMBER: Command = Command {
    name: "sismember",
    arity: 3,
    flags: flags::READONLY | flags::FAST,
    keys: &[KeySpec::one(1, "RO")],
    run: sismember,
    summary: "Says whether a set has a member.",
    since: "1.0.0",
    syntax: "key member",
    example: "> SADD a x\n(integer) 1\n> SISMEMBER a x\n(integer) 1\n> SISMEMBER a y\n(integer) 0",
    ..ONE_SET
};

fn sismember(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, member) = (ctx.key(1), ctx.args.at(2));
    let there = ctx.db.read_set(key)?.is_some_and(|set| set.contains(member));
    ctx.reply.int(i64::from(there));
    Ok(())
}

static SMISMEMBER: Command = Command {
    name: "smismember",
    arity: -3,
    flags: flags::READONLY | flags::FAST,
    keys: &[KeySpec::one(1, "RO access")],
    run: smismember,
    summary: "Says of each member whether a set has it.",
    since: "6.2.0",
    complexity: "O(1) for each member",
    syntax: "key member [member ...]",
    example: "> SADD a x\n(integer) 1\n> SMISMEMBER a x y\n1) (integer) 1\n2) (integer) 0",
    ..ONE_SET
};

fn smismember(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, members) = (ctx.key(1), ctx.args.from(2));
    let set = ctx.db.read_set(key)?;
    ctx.reply.array(members.len());
    for member in members.iter() {
        ctx.reply.int(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

static SMEMBERS: Command = Command {
    name: "smembers",
    arity: 2,
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    run: smembers,
    summary: "Lists all members of a set, in no order.",
    since: "1.0.0",
    complexity: "O(N) for N members",
    syntax: "key",
    example: "> SADD a 2 1\n(integer) 2\n> SMEMBERS a\n1) \"1\"\n2) \"2\"",
    tips: &["nondeterministic_output_order"],
    ..ONE_SET
};

fn smembers(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    match ctx.db.read_set(key)? {
        Some(set) if set.len() < APART_MIN => {
            ctx.reply.set(set.len());
            set.iter().for_each(|member| reply_element(ctx.reply, member));
        }
        Some(_) => {
            let copy = copy_and_release(ctx, key);
            let set = set_of(&copy);
            ctx.reply.set(set.map_or(0, Set::len));
            set.into_iter().flat_map(Set::iter).for_each(|member| reply_element(ctx.reply, member));
        }
        None => ctx.reply.set(0),
    }
    Ok(())
}

/// A copy of the value at `key`; others may have their way with the key from now on.
pub(crate) fn copy_and_release(ctx: &mut Ctx<'_, '_>, key: Key<'_>) -> Option<Owned> {
    let copy = ctx.db.copy(key);
    ctx.db.release();
    copy
}

/// The set that `copy` is.
pub(crate) fn set_of(copy: &Option<Owned>) -> Option<Set<'_>> {
    match copy.as_ref()?.value() {
        View::Set(set) => Some(set),
        _ => None,
    }
}

static SMOVE: Command = Command {
    name: "smove",
    arity: 4,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RW access delete"), KeySpec::one(2, "RW insert")],
    run: smove,
    summary: "Moves a member from one set to another; says whether it was there.",
    since: "1.0.0",
    syntax: "source destination member",
    example: "> SADD a x y\n(integer) 2\n> SMOVE a b x\n(integer) 1\n> SMEMBERS b\n1) \"x\"",
    ..ONE_SET
};

fn smove(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (source, destination, member) = (ctx.key(1), ctx.key(2), ctx.args.at(3));
    let there = match ctx.db.write_set(source)? {
        Some(set) => set.contains(member),
        None => {
            ctx.reply.int(0);
            return Ok(());
        }
    };
    ctx.db.write_set(destination)?;
    if !there || source.bytes() == destination.bytes() {
        ctx.reply.int(i64::from(there));
        return Ok(());
    }
    let left = ctx.db.change_set(source, |set| {
        set.remove(member);
        set.view().len()
    });
    changed(ctx, "srem", source, 1);
    gone(ctx, source, left);
    let added = ctx.db.change_set(destination, |set| {
        set.expect(member, 1);
        set.add(member)
    });
    if added {
        changed(ctx, "sadd", destination, 1);
    }
    ctx.reply.int(1);
    Ok(())
}

static SSCAN: Command = Command {
    name: "sscan",
    arity: -3,
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    run: sscan,
    summary: "Lists some members of a set, and where the next call goes on; 0 begins and ends. A member that is there \
        all the while comes at least once.",
    since: "2.8.0",
    complexity: "O(N) for N members listed",
    syntax: "key cursor [MATCH pattern] [COUNT count]",
    example: "> SADD a 1 2 10\n(integer) 3\n> SSCAN a 0 MATCH 1*\n1) \"0\"\n2) 1) \"1\"\n   2) \"10\"",
    tips: &["nondeterministic_output"],
    ..ONE_SET
};

fn sscan(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, from) = (ctx.key(1), cursor(ctx.args.at(2))?);
    let Some(set) = ctx.db.read_set(key)? else {
        // As in Redis, nobody looks at the options then.
        reply_scan(ctx.reply, 0, 0, &Reply::new());
        return Ok(());
    };
    let ScanOptions { pattern, count, .. } = ScanOptions::parse(ctx.args.from(3), Of::Elements(None))?;
    let mut members = Reply::new();
    let mut n = 0;
    let next = set.scan(from, count, |member| {
        if pattern.fits(member.bytes(&mut itoa::Buffer::new())) {
            reply_element(&mut members, member);
            n += 1;
        }
    });
    reply_scan(ctx.reply, next, n, &members);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use resp::Value;

    use crate::testing::Client;

    #[test]
    fn adding_and_removing_say_how_many() {
        let mut client = Client::new();
        assert_eq!(
            client.changes("SADD a 1 2 2 3"),
            (3, vec!["sadd a".into()], vec!["SADD a 1 2 2 3".into()])
        );
        assert_eq!(client.changes("SADD a 1"), (0, vec![], vec![]));
        assert_eq!(client.changes("SREM a 1 9"), (1, vec!["srem a".into()], vec!["SREM a 1 9".into()]));
        assert_eq!(client.changes("SREM a 9"), (0, vec![], vec![]));
        assert_eq!(
            client.changes("SREM a 2 3"),
            (2, vec!["srem a".into(), "del a".into()], vec!["SREM a 2 3".into()])
        );
        client.check(&[("EXISTS a", "(integer) 0"), ("SREM a 1", "(integer) 0")]);
    }

    #[test]
    fn other_kinds_are_refused() {
        const WRONG: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
        let mut client = Client::new();
        client.check(&[("SET s x", "OK"), ("SADD a 1", "(integer) 1")]);
        for line in [
            "SADD s 1",
            "SREM s 1",
            "SCARD s",
            "SISMEMBER s 1",
            "SMISMEMBER s 1",
            "SMEMBERS s",
            "SMOVE s a 1",
            "SMOVE a s 1",
            "SMOVE a s 2",
            "SSCAN s 0",
            "SSCAN s 0 BAD",
        ] {
            client.check_errors(&[(line, WRONG)]);
        }
        client.check(&[("SMOVE none s 1", "(integer) 0"), ("GET s", "\"x\"")]);
    }

    #[test]
    fn a_member_moves() {
        let mut client = Client::new();
        client.check(&[("SADD a x y", "(integer) 2"), ("SADD b x", "(integer) 1")]);
        assert_eq!(client.changes("SMOVE a a x"), (0, vec![], vec![]));
        assert_eq!(client.changes("SMOVE a b z"), (0, vec![], vec![]));
        let (changes, events, effects) = client.changes("SMOVE a b x");
        assert_eq!((changes, events), (1, vec!["srem a".into()]));
        assert_eq!(effects, ["SMOVE a b x"]);
        let (changes, events, _) = client.changes("SMOVE a c y");
        assert_eq!((changes, events), (2, vec!["srem a".into(), "del a".into(), "sadd c".into()]));
        client.check(&[
            ("SMEMBERS b", "1) \"x\""),
            ("SMEMBERS c", "1) \"y\""),
            ("SMOVE a b x", "(integer) 0"),
        ]);
    }

    #[test]
    fn encodings_are_told_as_redis_tells_them() {
        let mut client = Client::new();
        client.check(&[
            ("SADD a 3 1 2", "(integer) 3"),
            ("OBJECT ENCODING a", "\"intset\""),
            ("SMEMBERS a", "1) \"1\"\n2) \"2\"\n3) \"3\""),
            ("SADD a x", "(integer) 1"),
            ("OBJECT ENCODING a", "\"listpack\""),
            ("SREM a x", "(integer) 1"),
            ("OBJECT ENCODING a", "\"listpack\""),
        ]);
        client.send(&format!("SADD a {}", "y".repeat(65)));
        client.check(&[("OBJECT ENCODING a", "\"hashtable\""), ("SISMEMBER a 2", "(integer) 1")]);
    }

    #[test]
    fn a_scan_in_small_steps_meets_every_member_once() {
        let mut client = Client::new();
        for i in 0..1000 {
            client.send(&format!("SADD a member:{i}"));
        }
        let (mut cursor, mut members, mut calls) = (b"0".to_vec(), Vec::new(), 0);
        loop {
            let line = format!("SSCAN a {} COUNT 7", String::from_utf8_lossy(&cursor));
            let Value::Array(reply) = client.value(&line) else { panic!("{line}") };
            members.extend_from_slice(reply[1].as_slice().unwrap());
            cursor = reply[0].as_bytes().unwrap().to_vec();
            calls += 1;
            if cursor == b"0" {
                break;
            }
        }
        let distinct: BTreeSet<_> = members.iter().map(|member| member.as_bytes().unwrap()).collect();
        assert_eq!((members.len(), distinct.len()), (1000, 1000));
        assert!((100..=143).contains(&calls), "about 7 members a call, not {calls} calls");
        assert_eq!(client.value("SMEMBERS a").as_slice().map(<[_]>::len), Some(1000));
    }

    #[test]
    fn options_of_a_scan_are_checked_when_there_is_a_set() {
        let mut client = Client::new();
        client.check(&[("SSCAN none 0 BAD", "1) \"0\"\n2) (empty array)"), ("SADD a x", "(integer) 1")]);
        client.check_errors(&[
            ("SSCAN a x", "ERR invalid cursor"),
            ("SSCAN none x", "ERR invalid cursor"),
            ("SSCAN a 0 COUNT 0", "ERR syntax error"),
            ("SSCAN a 0 COUNT x", "ERR value is not an integer or out of range"),
            ("SSCAN a 0 TYPE set", "ERR syntax error"),
            ("SSCAN a 0 NOVALUES", "ERR syntax error"),
        ]);
    }
}
