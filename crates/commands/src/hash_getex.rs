//! Fields of hashes read and given a deadline, set with one, or removed, in one go.

use engine::{Deadline, EventClass, Key};
use resp::Args;
use smallvec::SmallVec;

use crate::ctx::Ctx;
use crate::deadline::SECOND_MS;
use crate::error::Error;
use crate::hash::{FOR_EACH_FIELD, ONE_HASH, effect_on_fields, pairs, removed_events, reply_field};
use crate::hash_expire::{
    NO_NUMBER, PERSISTED, check_kind, deadline_set, field_deadline, fields, persist, persisted,
    removed_at_once,
};
use crate::keys::KeySpec;
use crate::number::int;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&HGETEX, &HSETEX, &HGETDEL];

/// What they have in common.
const ONE_GO: Command = Command { since: "8.0.0", complexity: FOR_EACH_FIELD, ..ONE_HASH };

static HGETEX: Command = Command {
    name: "hgetex",
    arity: -5,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RW access update")],
    run: hgetex,
    summary: "Gives the values of fields, and sets their deadlines or takes them away.",
    syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] \
        <FIELDS numfields field...>",
    example: "> HSET h a 1\n(integer) 1\n> HGETEX h EX 100 FIELDS 2 a b\n1) \"1\"\n2) (nil)\n\
        > HTTL h FIELDS 1 a\n1) (integer) 100\n> HGETEX h PERSIST FIELDS 1 a\n1) \"1\"\n\
        > HTTL h FIELDS 1 a\n1) (integer) -1",
    ..ONE_GO
};

fn hgetex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    check_kind(ctx, key)?;
    let (now_ms, command) = (ctx.now_ms(), ctx.command.name);
    let (deadline, rest) = match ctx.args.at(2) {
        word if word.eq_ignore_ascii_case(b"PERSIST") => (Deadline::Never, ctx.args.from(3)),
        word => match Moment::parse(word) {
            Some(moment) => {
                (Deadline::At(moment.deadline(ctx.args.at(3), now_ms, command)?), ctx.args.from(4))
            }
            None => (Deadline::Keep, ctx.args.from(2)),
        },
    };
    let names = fields(rest, NO_NUMBER)?;
    let removes = matches!(deadline, Deadline::At(when_ms) if ctx.is_past(when_ms));
    let reply = &mut *ctx.reply;
    reply.array(names.len());
    let mut changed: SmallVec<[&[u8]; 16]> = SmallVec::new();
    let emptied = ctx.db.change_old_hash(key, |hash| {
        if deadline != Deadline::Keep {
            hash.expect_deadlines();
        }
        for name in names.iter() {
            reply_field(reply, Some(hash.view()), name);
            let done = match deadline {
                Deadline::Keep => false,
                Deadline::Never => persist(hash, name) == PERSISTED,
                Deadline::At(_) if removes => hash.remove(name),
                Deadline::At(when_ms) => hash.set_deadline(name, Some(when_ms)),
            };
            if done {
                changed.push(name);
            }
        }
        hash.is_empty()
    })?;
    let Some(emptied) = emptied else {
        names.iter().for_each(|_| ctx.reply.null());
        return Ok(());
    };
    let (count, changed) = (changed.len(), changed.iter().copied());
    match deadline {
        _ if count == 0 => {}
        Deadline::Keep => {}
        Deadline::Never => persist_noted(ctx, key, changed, count),
        Deadline::At(_) if removes => removed_at_once(ctx, key, changed, count, emptied),
        Deadline::At(when_ms) => deadline_set(ctx, key, when_ms, changed, count),
    }
    Ok(())
}

/// Notes that fields lost their deadlines.
fn persist_noted<'n>(
    ctx: &mut Ctx<'_, '_>,
    key: Key<'_>,
    names: impl Iterator<Item = &'n [u8]>,
    count: usize,
) {
    persisted(ctx, key, count);
    let mut number = itoa::Buffer::new();
    let head: [&[u8]; 4] = [b"HPERSIST", key.bytes(), b"FIELDS", number.format(count).as_bytes()];
    effect_on_fields(ctx, &head, names);
}

/// How the time behind an option is meant.
#[derive(Clone, Copy, Debug)]
struct Moment {
    unit_ms: i64,
    from_now: bool,
}

impl Moment {
    /// What the option `word` says, if it is one with a time.
    fn parse(word: &[u8]) -> Option<Moment> {
        let (unit_ms, from_now) = match word {
            w if w.eq_ignore_ascii_case(b"EX") => (SECOND_MS, true),
            w if w.eq_ignore_ascii_case(b"PX") => (1, true),
            w if w.eq_ignore_ascii_case(b"EXAT") => (SECOND_MS, false),
            w if w.eq_ignore_ascii_case(b"PXAT") => (1, false),
            _ => return None,
        };
        Some(Moment { unit_ms, from_now })
    }

    fn deadline(self, time: &[u8], now_ms: i64, command: &'static str) -> Result<i64, Error> {
        field_deadline(time, self.unit_ms, if self.from_now { now_ms } else { 0 }, command)
    }
}

static HSETEX: Command = Command {
    name: "hsetex",
    arity: -6,
    flags: flags::WRITE | flags::DENYOOM | flags::FAST,
    keys: &[KeySpec::one(1, "RW update")],
    run: hsetex,
    summary: "Sets fields of a hash with a deadline, when all (FXX) or none (FNX) of them are there, or the key is (XX) \
        or is not (NX).",
    syntax: "key [NX | XX] [FNX | FXX] [EX seconds | PX milliseconds | EXAT unix-time-seconds | \
        PXAT unix-time-milliseconds | KEEPTTL] <FIELDS numfields <field value>...>",
    example: "> HSETEX h EX 100 FIELDS 2 a 1 b 2\n(integer) 1\n> HTTL h FIELDS 1 a\n1) (integer) 100\n\
        > HSETEX h FNX FIELDS 2 a 3 c 4\n(integer) 0\n> HSETEX h FXX KEEPTTL FIELDS 1 a 3\n(integer) 1\n\
        > HTTL h FIELDS 1 a\n1) (integer) 100",
    ..ONE_GO
};

/// What HSETEX asks for.
struct SetOptions<'a> {
    /// Whether the key must be there (XX) or must not (NX).
    key_there: Option<bool>,
    /// Whether all of the fields must be there (FXX), or none (FNX).
    fields_there: Option<bool>,
    deadline: Option<Deadline>,
    fields: Args<'a>,
}

impl<'a> SetOptions<'a> {
    fn parse(args: Args<'a>, now_ms: i64, command: &'static str) -> Result<SetOptions<'a>, Error> {
        let (mut key_there, mut fields_there, mut deadline) = (None, None, None);
        let arity = || Error::Arity(command.to_owned());
        let mut i = 0;
        loop {
            let word = args.get(i).ok_or_else(arity)?;
            let word_is = |token: &[u8]| word.eq_ignore_ascii_case(token);
            i += 1;
            if word_is(b"FIELDS") {
                let fields = numbered_pairs(args.from(i), command)?;
                return Ok(SetOptions { key_there, fields_there, deadline, fields });
            } else if word_is(b"FNX") || word_is(b"FXX") {
                if fields_there.replace(word_is(b"FXX")).is_some() {
                    return Err(Error::Text("ERR Only one of FXX or FNX arguments can be specified"));
                }
            } else if word_is(b"NX") || word_is(b"XX") {
                if key_there.replace(word_is(b"XX")).is_some() {
                    return Err(Error::Syntax);
                }
            } else if let Some(moment) = Moment::parse(word) {
                let time = args.get(i).ok_or_else(arity)?;
                i += 1;
                one_deadline(deadline)?;
                deadline = Some(Deadline::At(moment.deadline(time, now_ms, command)?));
            } else if word_is(b"KEEPTTL") {
                one_deadline(deadline)?;
                deadline = Some(Deadline::Keep);
            } else {
                return Err(Error::Bytes([b"ERR unknown argument: ", word].concat().into()));
            }
        }
    }
}

/// Fails when there is a deadline already.
fn one_deadline(before: Option<Deadline>) -> Result<(), Error> {
    match before {
        None => Ok(()),
        Some(_) => {
            Err(Error::Text("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"))
        }
    }
}

/// Fields with their values behind their number, which must be all of `args`.
fn numbered_pairs<'a>(args: Args<'a>, command: &'static str) -> Result<Args<'a>, Error> {
    let arity = || Error::Arity(command.to_owned());
    let number = int(args.get(0).ok_or_else(arity)?).ok().and_then(|number| i32::try_from(number).ok());
    let number = number.filter(|&number| number > 0).ok_or(Error::Text("ERR invalid number of fields"))?;
    let fields = args.from(1);
    if fields.len() as i64 != 2 * i64::from(number) { Err(arity()) } else { Ok(fields) }
}

fn hsetex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let SetOptions { key_there, fields_there, deadline, fields } =
        SetOptions::parse(ctx.args.from(2), ctx.now_ms(), ctx.command.name)?;
    let removes = matches!(deadline, Some(Deadline::At(when_ms)) if ctx.is_past(when_ms));
    let pairs = pairs(fields);
    // Whether it was done, and whether the last field went.
    let (done, emptied) = ctx.db.change_hash(key, |hash| {
        let there = |name| hash.view().get(name).is_some();
        let holds = key_there.is_none_or(|wanted| wanted != hash.is_empty())
            && fields_there.is_none_or(|wanted| pairs.clone().all(|(name, _)| there(name) == wanted));
        if holds && matches!(deadline, Some(Deadline::At(_))) {
            hash.expect_deadlines();
        }
        if holds && removes {
            for (name, _) in pairs.clone() {
                hash.remove(name);
            }
        } else if holds {
            hash.set_all(pairs.clone(), deadline.unwrap_or(Deadline::Never));
        }
        (holds, hash.is_empty())
    })?;
    ctx.reply.int(i64::from(done));
    if !done {
        return Ok(());
    }
    let count = pairs.len();
    ctx.changed(EventClass::Hash, "hset", key.bytes());
    ctx.db.turn.dirty += count as u64 - 1;
    if removes {
        ctx.event(EventClass::Hash, "hdel", key.bytes());
        if emptied {
            ctx.event(EventClass::Generic, "del", key.bytes());
        }
        effect_on_fields(ctx, &[b"HDEL", key.bytes()], pairs.map(|(name, _)| name));
        return Ok(());
    }
    if let Some(Deadline::At(_)) = deadline {
        ctx.event(EventClass::Hash, "hexpire", key.bytes());
    }
    if key_there.is_some() || fields_there.is_some() || matches!(deadline, Some(Deadline::At(_))) {
        set_effect(ctx, key, deadline, fields);
    }
    Ok(())
}

/// Gives the HSETEX without conditions, and with an absolute time, as the effect.
fn set_effect(ctx: &mut Ctx<'_, '_>, key: Key<'_>, deadline: Option<Deadline>, fields: Args<'_>) {
    let (mut when, mut number) = (itoa::Buffer::new(), itoa::Buffer::new());
    let mut effect: SmallVec<[&[u8]; 16]> = SmallVec::new();
    effect.extend([b"HSETEX".as_slice(), key.bytes()]);
    match deadline {
        Some(Deadline::At(when_ms)) => {
            effect.extend([b"PXAT".as_slice(), when.format(when_ms).as_bytes()]);
        }
        Some(Deadline::Keep) => effect.push(b"KEEPTTL"),
        Some(Deadline::Never) | None => {}
    }
    effect.extend([b"FIELDS".as_slice(), number.format(fields.len() / 2).as_bytes()]);
    effect.extend(fields.iter());
    ctx.effect(&effect);
}

static HGETDEL: Command = Command {
    name: "hgetdel",
    arity: -5,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RW access delete")],
    run: hgetdel,
    summary: "Gives the values of fields and removes them, and the hash when none is left.",
    syntax: "key <FIELDS numfields field...>",
    example: "> HSET h a 1 b 2\n(integer) 2\n> HGETDEL h FIELDS 2 a c\n1) \"1\"\n2) (nil)\n> HLEN h\n(integer) 1",
    ..ONE_GO
};

fn hgetdel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    check_kind(ctx, key)?;
    let names = fields(ctx.args.from(2), NO_NUMBER)?;
    let reply = &mut *ctx.reply;
    reply.array(names.len());
    let outcome = ctx.db.change_old_hash(key, |hash| {
        let mut removed = 0;
        for name in names.iter() {
            reply_field(reply, Some(hash.view()), name);
            removed += usize::from(hash.remove(name));
        }
        (removed, hash.is_empty())
    })?;
    let Some((removed, emptied)) = outcome else {
        names.iter().for_each(|_| ctx.reply.null());
        return Ok(());
    };
    if removed > 0 {
        removed_events(ctx, key, removed, emptied);
        effect_on_fields(ctx, &[b"HDEL", key.bytes()], names.iter());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Client, NOW_MS};

    const FIELDS: &str = "ERR Mandatory argument FIELDS is missing or not at the right position";
    const MATCH: &str = "ERR The `numfields` parameter must match the number of arguments";

    /// Changes, events and effects of a line.
    fn told(client: &mut Client, line: &str) -> (u64, String, String) {
        let (n, events, effects) = client.changes(line);
        (n, events.join(", "), effects.join(", "))
    }

    #[test]
    fn arguments_are_checked_in_redis_order() {
        let mut client = Client::new();
        client.check(&[("HSET h a 1", "(integer) 1"), ("SET s 1", "OK")]);
        let arity = "ERR wrong number of arguments for 'hsetex' command";
        let number = "ERR invalid number of fields";
        let one = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
        client.check_errors(&[
            ("HGETEX h EX x foo 1 a", "ERR value is not an integer or out of range"),
            ("HGETEX h EX -1 FIELDS 1 a", "ERR invalid expire time, must be >= 0"),
            ("HGETEX h PXAT 70368744177664 FIELDS 1 a", "ERR invalid expire time in 'hgetex' command"),
            ("HGETEX h EX 1 PX 1 FIELDS 1 a", FIELDS),
            ("HGETEX h KEEPTTL FIELDS 1 a", FIELDS),
            ("HGETEX h FIELDS 1 a EX 10", MATCH),
            ("HGETEX h FIELDS 0 a", "ERR Number of fields must be a positive integer"),
            ("HGETDEL none foo 1 a", FIELDS),
            ("HGETDEL h FIELDS 1 a b", MATCH),
            ("HGETDEL h FIELDS -1 a", "ERR Number of fields must be a positive integer"),
            ("HSETEX s foo FIELDS 1 a 1", "ERR unknown argument: foo"),
            ("HSETEX s EX x foo FIELDS 1 a 1", "ERR value is not an integer or out of range"),
            ("HSETEX h EX 10 KEEPTTL FIELDS 1 a 1", one),
            ("HSETEX h KEEPTTL PX 1 FIELDS 1 a 1", one),
            ("HSETEX h FNX FXX FIELDS 1 a 1", "ERR Only one of FXX or FNX arguments can be specified"),
            ("HSETEX h NX XX FIELDS 1 a 1", "ERR syntax error"),
            ("HSETEX h PERSIST FIELDS 1 a 1", "ERR unknown argument: PERSIST"),
            ("HSETEX h FIELDS 0 a 1", number),
            ("HSETEX h FIELDS x a 1", number),
            ("HSETEX h FIELDS 99999999999 a 1", number),
            ("HSETEX h FIELDS 2 a 1", arity),
            ("HSETEX h FIELDS 1 a 1 EX 10", arity),
            ("HSETEX h FIELDS 1 a 1 b", arity),
        ]);
    }

    #[test]
    fn conditions_look_at_the_key_and_its_fields() {
        let mut client = Client::new();
        client.check(&[
            ("HSETEX h XX FIELDS 1 a 1", "(integer) 0"),
            ("HSETEX h FXX FIELDS 1 a 1", "(integer) 0"),
            ("EXISTS h", "(integer) 0"),
            ("HSETEX h NX FNX FIELDS 2 a 1 b 2", "(integer) 1"),
            ("HSETEX h NX FIELDS 1 c 3", "(integer) 0"),
            ("HSETEX h FNX FIELDS 2 a 9 c 3", "(integer) 0"),
            ("HSETEX h FXX FIELDS 2 a 9 c 3", "(integer) 0"),
            ("HSETEX h XX FXX FIELDS 2 a 3 b 4", "(integer) 1"),
            ("HGETALL h", "1) \"a\"\n2) \"3\"\n3) \"b\"\n4) \"4\""),
        ]);
    }

    #[test]
    fn effects_are_absolute_and_without_conditions() {
        let mut client = Client::new();
        let at = NOW_MS + 100_000;
        let line = "HSETEX h FIELDS 2 a 1 b 2";
        assert_eq!(told(&mut client, line), (2, "hset h".into(), line.into()));
        assert_eq!(
            told(&mut client, "HSETEX h FXX EX 100 FIELDS 1 a 1"),
            (1, "hset h, hexpire h".into(), format!("HSETEX h PXAT {at} FIELDS 1 a 1"))
        );
        let line = "HSETEX h KEEPTTL FIELDS 1 a 2";
        assert_eq!(told(&mut client, line), (1, "hset h".into(), line.into()));
        assert_eq!(
            told(&mut client, "HGETEX h PERSIST FIELDS 3 a b x"),
            (1, "hpersist h".into(), "HPERSIST h FIELDS 1 a".into())
        );
        assert_eq!(told(&mut client, "HGETEX h FIELDS 1 a"), (0, String::new(), String::new()));
        assert_eq!(
            told(&mut client, "HGETEX h PX 100000 FIELDS 3 a b x"),
            (2, "hexpire h".into(), format!("HPEXPIREAT h {at} FIELDS 2 a b"))
        );
        assert_eq!(told(&mut client, "HGETDEL h FIELDS 2 a x"), (1, "hdel h".into(), "HDEL h a x".into()));
        assert_eq!(told(&mut client, "HGETDEL h FIELDS 1 x"), (0, String::new(), String::new()));
    }

    #[test]
    fn a_moment_in_the_past_removes_at_once() {
        let mut client = Client::new();
        client.send("HSET h a 1 b 2 c 3");
        client.check(&[("HGETEX h EXAT 1 FIELDS 2 a a", "1) \"1\"\n2) (nil)"), ("HLEN h", "(integer) 2")]);
        assert_eq!(
            told(&mut client, "HSETEX h PXAT 1 FIELDS 2 b 1 d 1"),
            (2, "hset h, hdel h".into(), "HDEL h b d".into())
        );
        assert_eq!(
            told(&mut client, "HGETEX h EX 0 FIELDS 1 c"),
            (1, "hdel h, del h".into(), "HDEL h c".into())
        );
        assert_eq!(
            told(&mut client, "HSETEX new EXAT 1 FIELDS 1 a 1"),
            (1, "hset new, hdel new, del new".into(), "HDEL new a".into())
        );
        client.check(&[("EXISTS h new", "(integer) 0")]);
    }
}
