//! Members of sets chosen at random.

use engine::{Element, Free, Key, Set};
use resp::Reply;

use crate::ctx::Ctx;
use crate::element::{REPEATED_MAX, reply_element};
use crate::error::Error;
use crate::generic::free;
use crate::host::Removal;
use crate::keys::KeySpec;
use crate::number::{count, signed};
use crate::set::{APART_MIN, ONE_SET, changed, copy_and_release, gone, set_of};
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&SPOP, &SRANDMEMBER];

/// Members that one effect of SPOP removes at most.
const EFFECT_MEMBERS_MAX: usize = 1024;
/// How many times more members than stay SPOP takes when Redis puts those that stay into a new set.
const MOVED_FACTOR: usize = 5;

static SPOP: Command = Command {
    name: "spop",
    arity: -2,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RW access delete")],
    run: spop,
    summary: "Removes a member chosen at random, or as many as asked for, and gives them.",
    since: "1.0.0",
    complexity: "O(1), and O(N) for N members",
    syntax: "key [count]",
    example: "> SADD a x\n(integer) 1\n> SPOP a\n\"x\"\n> SPOP a\n(nil)\n> SPOP a 3\n(empty array)",
    history: &[("3.2.0", "A count.")],
    tips: &["nondeterministic_output"],
    ..ONE_SET
};

fn spop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (args, key) = (ctx.args, ctx.key(1));
    if args.len() > 3 {
        return Err(Error::Syntax);
    }
    let wanted = args.get(2).map(count).transpose()?;
    let len = ctx.db.write_set(key)?.map_or(0, Set::len);
    match wanted {
        None if len == 0 => ctx.reply.null(),
        None => pop_one(ctx, key, len),
        Some(0) => ctx.reply.set(0),
        Some(_) if len == 0 => ctx.reply.set(0),
        Some(wanted) if wanted >= len => pop_all(ctx, key, len),
        Some(wanted) => pop_some(ctx, key, len, wanted),
    }
    Ok(())
}

/// Removes one of `len` members.
fn pop_one(ctx: &mut Ctx<'_, '_>, key: Key<'_>, len: usize) {
    let n = ctx.db.turn.rng.below(len as u64) as usize;
    let member = ctx.db.change_set(key, |set| {
        let member = set.view().nth(n).map(owned).unwrap_or_default();
        set.remove(&member);
        member
    });
    changed(ctx, "spop", key, 1);
    gone(ctx, key, len - 1);
    ctx.effect(&[b"SREM", key.bytes(), &member]);
    ctx.reply.bulk(&member);
}

fn owned(member: Element<'_>) -> Vec<u8> {
    member.bytes(&mut itoa::Buffer::new()).to_vec()
}

/// Removes all `len` members, and the key with them.
fn pop_all(ctx: &mut Ctx<'_, '_>, key: Key<'_>, len: usize) {
    if let Ok(Some(set)) = ctx.db.write_set(key) {
        ctx.reply.set(set.len());
        set.iter().for_each(|member| reply_element(ctx.reply, member));
    }
    ctx.db.delete(key, Free::Later);
    changed(ctx, "spop", key, len);
    gone(ctx, key, 0);
    let name: &[u8] = if free(ctx, Removal::Overwrite) == Free::Later { b"UNLINK" } else { b"DEL" };
    ctx.effect(&[name, key.bytes()]);
}

/// Removes `wanted` of `len` members, which are more.
fn pop_some(ctx: &mut Ctx<'_, '_>, key: Key<'_>, len: usize, wanted: usize) {
    let mut rng = ctx.db.turn.rng.clone();
    let members = ctx.db.change_set(key, |set| {
        let mut members = Vec::with_capacity(wanted);
        set.view().sample(wanted, &mut rng, |member| members.push(owned(member)));
        members.iter().for_each(|member| {
            set.remove(member);
        });
        if (len - wanted).saturating_mul(MOVED_FACTOR) <= wanted {
            set.restage();
        }
        members
    });
    ctx.db.turn.rng = rng;
    changed(ctx, "spop", key, wanted);
    for members in members.chunks(EFFECT_MEMBERS_MAX) {
        let mut request: Vec<&[u8]> = vec![b"SREM", key.bytes()];
        request.extend(members.iter().map(Vec::as_slice));
        ctx.effect(&request);
    }
    ctx.reply.set(members.len());
    members.iter().for_each(|member| ctx.reply.bulk(member));
}

static SRANDMEMBER: Command = Command {
    name: "srandmember",
    arity: -2,
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    run: srandmember,
    summary: "Gives a member chosen at random, or as many as asked for; when that is negative, some may come repeatedly.",
    since: "1.0.0",
    complexity: "O(1), and O(N) for N members",
    syntax: "key [count]",
    example: "> SADD a x\n(integer) 1\n> SRANDMEMBER a\n\"x\"\n> SRANDMEMBER a 2\n1) \"x\"\n\
        > SRANDMEMBER a -2\n1) \"x\"\n2) \"x\"",
    history: &[("2.6.0", "A count.")],
    tips: &["nondeterministic_output"],
    ..ONE_SET
};

fn srandmember(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (args, key) = (ctx.args, ctx.key(1));
    if args.len() > 3 {
        return Err(Error::Syntax);
    }
    let wanted = args.get(2).map(signed).transpose()?;
    if wanted.is_some_and(|wanted| wanted < 0 && wanted.unsigned_abs() > REPEATED_MAX) {
        return Err(Error::Text("ERR value is out of range"));
    }
    let mut rng = ctx.db.turn.rng.clone();
    let set = ctx.db.read_set(key)?;
    match (set, wanted) {
        (None, None) => ctx.reply.null(),
        (None, Some(_)) | (Some(_), Some(0)) => ctx.reply.array(0),
        (Some(set), None) => {
            set.random(&mut rng).into_iter().for_each(|member| reply_element(ctx.reply, member));
        }
        (Some(set), Some(wanted)) => {
            let replies = wanted.min(set.len() as i64).unsigned_abs();
            if set.is_big() && replies >= APART_MIN as u64 {
                let copy = copy_and_release(ctx, key);
                set_of(&copy).into_iter().for_each(|set| reply_random(ctx.reply, set, wanted, &mut rng));
            } else {
                reply_random(ctx.reply, set, wanted, &mut rng);
            }
        }
    }
    ctx.db.turn.rng = rng;
    Ok(())
}

/// Writes the array of as many different members as there are, `wanted` at most; when that is negative, of so many that
/// may be the same.
fn reply_random(reply: &mut Reply, set: Set<'_>, wanted: i64, rng: &mut engine::Rng) {
    if let Ok(wanted) = usize::try_from(wanted) {
        reply.array(wanted.min(set.len()));
        set.sample(wanted, rng, |member| reply_element(reply, member));
        return;
    }
    reply.array(wanted.unsigned_abs() as usize);
    for _ in 0..wanted.unsigned_abs() {
        set.random(rng).into_iter().for_each(|member| reply_element(reply, member));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::testing::Client;

    /// The members that `line` gives.
    fn members(client: &mut Client, line: &str) -> Vec<Vec<u8>> {
        let value = client.value(line);
        value.as_slice().unwrap().iter().map(|member| member.as_bytes().unwrap().to_vec()).collect()
    }

    #[test]
    fn what_is_popped_is_gone_and_logged_by_name() {
        let mut client = Client::new();
        client.send("SADD a x y");
        let (changes, events, effects) = client.changes("SPOP a");
        assert_eq!((changes, events), (1, vec!["spop a".into()]));
        assert!(["SREM a x", "SREM a y"].contains(&effects[0].as_str()), "{effects:?}");
        let (changes, events, effects) = client.changes("SPOP a");
        assert_eq!((changes, events), (1, vec!["spop a".into(), "del a".into()]));
        assert!(effects.len() == 1 && effects[0].starts_with("SREM a "), "{effects:?}");
        client.check(&[("EXISTS a", "(integer) 0")]);
    }

    #[test]
    fn many_are_popped_at_once() {
        let mut client = Client::new();
        let all: Vec<String> = (0..5000).map(|n| format!("w{n}")).collect();
        client.send(&format!("SADD a {}", all.join(" ")));
        let mut seen = BTreeSet::new();
        seen.extend(members(&mut client, "SPOP a 10"));
        seen.extend(members(&mut client, "SPOP a 3000"));
        assert_eq!(seen.len(), 3010);
        client.check(&[("SCARD a", "(integer) 1990"), ("OBJECT ENCODING a", "\"hashtable\"")]);
        let (changes, events, effects) = client.changes("SPOP a 1980");
        assert_eq!((changes, events), (1980, vec!["spop a".into()]));
        let sizes: Vec<usize> = effects.iter().map(|effect| effect.split(' ').count()).collect();
        assert_eq!(sizes, [1026, 958]);
        // The few that are left were put into a new set.
        client.check(&[("OBJECT ENCODING a", "\"listpack\""), ("SCARD a", "(integer) 10")]);
        assert!(members(&mut client, "SMEMBERS a").iter().all(|member| !seen.contains(member)));
        let (changes, events, effects) = client.changes("SPOP a 11");
        assert_eq!((changes, events), (10, vec!["spop a".into(), "del a".into()]));
        assert_eq!(effects, ["DEL a"]);
    }

    #[test]
    fn counts_are_checked() {
        const POSITIVE: &str = "ERR value is out of range, must be positive";
        let mut client = Client::new();
        client.send("SADD a x y");
        client.check_errors(&[
            ("SPOP a -1", POSITIVE),
            ("SPOP a x", POSITIVE),
            ("SPOP none -1", POSITIVE),
            ("SPOP a 1 2", "ERR syntax error"),
            ("SRANDMEMBER a x", "ERR value is not an integer or out of range"),
            (
                "SRANDMEMBER a -9223372036854775808",
                "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            ),
            ("SRANDMEMBER a -9223372036854775807", "ERR value is out of range"),
            ("SRANDMEMBER a 1 2", "ERR syntax error"),
        ]);
        client.check(&[
            ("SPOP a 0", "(empty array)"),
            ("SRANDMEMBER a 0", "(empty array)"),
            ("SRANDMEMBER none", "(nil)"),
            ("SRANDMEMBER none -5", "(empty array)"),
            ("SCARD a", "(integer) 2"),
        ]);
        assert_eq!(members(&mut client, "SRANDMEMBER a 9223372036854775807").len(), 2);
        assert_eq!(members(&mut client, "SRANDMEMBER a -2000").len(), 2000);
    }
}
