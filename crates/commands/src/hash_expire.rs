//! Commands about the deadlines of hashes' fields: setting them, asking for them and taking them away.

use engine::{Entry, EventClass, HashMut, Key, Kind, WrongType};
use resp::Args;
use smallvec::SmallVec;

use crate::ctx::Ctx;
use crate::deadline::{SECOND_MS, moment_ms};
use crate::error::Error;
use crate::hash::{FOR_EACH_FIELD, ONE_HASH, effect_on_fields, removed_events};
use crate::keys::KeySpec;
use crate::number::int;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] =
    &[&HEXPIRE, &HPEXPIRE, &HEXPIREAT, &HPEXPIREAT, &HTTL, &HPTTL, &HEXPIRETIME, &HPEXPIRETIME, &HPERSIST];

/// The latest deadline a field may have, in milliseconds since the Unix epoch: Redis keeps 46 bits.
const DEADLINE_MS_MAX: i64 = (1 << 46) - 1;

/// What a command says of one field.
const NO_FIELD: i64 = -2;
const NO_DEADLINE: i64 = -1;
const CONDITION_FAILED: i64 = 0;
/// It lost its deadline.
pub(crate) const PERSISTED: i64 = 1;
const SET: i64 = 1;
const REMOVED: i64 = 2;

/// What HEXPIRE, HPEXPIRE, HEXPIREAT and HPEXPIREAT have in common.
const SETTER: Command = Command {
    arity: -6,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RW update")],
    since: "7.4.0",
    complexity: FOR_EACH_FIELD,
    ..ONE_HASH
};

/// What HTTL, HPTTL, HEXPIRETIME and HPEXPIRETIME have in common.
const GETTER: Command = Command {
    arity: -5,
    flags: flags::READONLY | flags::FAST,
    keys: &[KeySpec::one(1, "RO access")],
    since: "7.4.0",
    complexity: FOR_EACH_FIELD,
    syntax: "key <FIELDS numfields field...>",
    ..ONE_HASH
};

static HEXPIRE: Command = Command {
    name: "hexpire",
    run: hexpire,
    summary: "Sets the seconds that fields are still to live.",
    syntax: "key seconds [NX | XX | GT | LT] <FIELDS numfields field...>",
    example: "> HSET h a 1 b 2\n(integer) 2\n> HEXPIRE h 100 FIELDS 2 a x\n1) (integer) 1\n2) (integer) -2\n\
        > HTTL h FIELDS 2 a b\n1) (integer) 100\n2) (integer) -1\n> HEXPIRE h 0 FIELDS 1 b\n1) (integer) 2\n\
        > HLEN h\n(integer) 1",
    ..SETTER
};

fn hexpire(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let now_ms = ctx.now_ms();
    set_deadlines(ctx, SECOND_MS, now_ms)
}

static HPEXPIRE: Command = Command {
    name: "hpexpire",
    run: hpexpire,
    summary: "Sets the milliseconds that fields are still to live.",
    syntax: "key milliseconds [NX | XX | GT | LT] <FIELDS numfields field...>",
    example: "> HSET h a 1\n(integer) 1\n> HPEXPIRE h 1500 NX FIELDS 1 a\n1) (integer) 1\n\
        > HPEXPIRE h 1000 NX FIELDS 1 a\n1) (integer) 0\n> HPTTL h FIELDS 1 a\n1) (integer) 1500",
    ..SETTER
};

fn hpexpire(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let now_ms = ctx.now_ms();
    set_deadlines(ctx, 1, now_ms)
}

static HEXPIREAT: Command = Command {
    name: "hexpireat",
    run: hexpireat,
    summary: "Sets the moment fields expire, in seconds since the Unix epoch.",
    syntax: "key unix-time-seconds [NX | XX | GT | LT] <FIELDS numfields field...>",
    example: "> HSET h a 1\n(integer) 1\n> HEXPIREAT h 4102444800 FIELDS 1 a\n1) (integer) 1\n\
        > HEXPIRETIME h FIELDS 1 a\n1) (integer) 4102444800",
    ..SETTER
};

fn hexpireat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_deadlines(ctx, SECOND_MS, 0)
}

static HPEXPIREAT: Command = Command {
    name: "hpexpireat",
    run: hpexpireat,
    summary: "Sets the moment fields expire, in milliseconds since the Unix epoch.",
    syntax: "key unix-time-milliseconds [NX | XX | GT | LT] <FIELDS numfields field...>",
    example: "> HSET h a 1\n(integer) 1\n> HPEXPIREAT h 4102444800500 GT FIELDS 1 a\n1) (integer) 0\n\
        > HPEXPIREAT h 4102444800500 FIELDS 1 a\n1) (integer) 1\n> HPEXPIRETIME h FIELDS 1 a\n1) (integer) 4102444800500",
    ..SETTER
};

fn hpexpireat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_deadlines(ctx, 1, 0)
}

/// Which deadlines a new one may take the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Always,
    Nx,
    Xx,
    Gt,
    Lt,
}

impl Condition {
    /// The condition that `word` names.
    fn parse(word: &[u8]) -> Option<Condition> {
        match word {
            w if w.eq_ignore_ascii_case(b"NX") => Some(Condition::Nx),
            w if w.eq_ignore_ascii_case(b"XX") => Some(Condition::Xx),
            w if w.eq_ignore_ascii_case(b"GT") => Some(Condition::Gt),
            w if w.eq_ignore_ascii_case(b"LT") => Some(Condition::Lt),
            _ => None,
        }
    }

    /// Whether `new_ms` may take the place of `old_ms`. No deadline counts as the latest of all.
    fn allows(self, old_ms: Option<i64>, new_ms: i64) -> bool {
        match self {
            Condition::Always => true,
            Condition::Nx => old_ms.is_none(),
            Condition::Xx => old_ms.is_some(),
            Condition::Gt => old_ms.is_some_and(|old_ms| new_ms > old_ms),
            Condition::Lt => old_ms.is_none_or(|old_ms| new_ms < old_ms),
        }
    }
}

/// A deadline of `arg` units of `unit_ms` milliseconds after `start_ms`.
pub(crate) fn field_deadline(
    arg: &[u8],
    unit_ms: i64,
    start_ms: i64,
    command: &'static str,
) -> Result<i64, Error> {
    let amount = int(arg)?;
    if amount < 0 {
        return Err(Error::Text("ERR invalid expire time, must be >= 0"));
    }
    let moment_ms = moment_ms(amount, unit_ms, start_ms).filter(|&moment_ms| moment_ms <= DEADLINE_MS_MAX);
    moment_ms.ok_or(Error::ExpireTime(command))
}

/// The fields behind `FIELDS numfields`, which must be all of `args`. `no_number` is the error text when the number is
/// none or not positive.
pub(crate) fn fields<'a>(args: Args<'a>, no_number: &'static str) -> Result<Args<'a>, Error> {
    if !args.get(0).is_some_and(|word| word.eq_ignore_ascii_case(b"FIELDS")) {
        return Err(Error::Text("ERR Mandatory argument FIELDS is missing or not at the right position"));
    }
    let number = args.get(1).and_then(|number| int(number).ok()).filter(|&number| number > 0);
    let (number, names) = (number.ok_or(Error::Text(no_number))?, args.from(2));
    if number != names.len() as i64 {
        return Err(Error::Text("ERR The `numfields` parameter must match the number of arguments"));
    }
    Ok(names)
}

/// The error when the number of fields is none.
pub(crate) const NO_NUMBER: &str = "ERR Number of fields must be a positive integer";

/// Fails when `key` holds something that is no hash: these commands look at that before their arguments.
pub(crate) fn check_kind(ctx: &mut Ctx<'_, '_>, key: Key<'_>) -> Result<(), WrongType> {
    match ctx.db.peek(key).map(Entry::kind) {
        None | Some(Kind::Hash) => Ok(()),
        Some(_) => Err(WrongType),
    }
}

/// Sets the deadlines of fields to argument 2, in units of `unit_ms` milliseconds after `start_ms`. One that is not in
/// the future removes them.
fn set_deadlines(ctx: &mut Ctx<'_, '_>, unit_ms: i64, start_ms: i64) -> Outcome {
    let key = ctx.key(1);
    check_kind(ctx, key)?;
    let when_ms = field_deadline(ctx.args.at(2), unit_ms, start_ms, ctx.command.name)?;
    let condition = Condition::parse(ctx.args.at(3));
    let names = fields(
        ctx.args.from(if condition.is_some() { 4 } else { 3 }),
        "ERR Parameter `numFields` should be greater than 0",
    )?;
    let condition = condition.unwrap_or(Condition::Always);
    let removes = ctx.is_past(when_ms);
    let mut done: SmallVec<[i64; 16]> = SmallVec::new();
    let emptied = ctx.db.change_old_hash(key, |hash| {
        hash.expect_deadlines();
        done.extend(names.iter().map(|name| set_one(hash, name, condition, when_ms, removes)));
        hash.is_empty()
    })?;
    done.resize(names.len(), NO_FIELD);
    ctx.reply.array(done.len());
    done.iter().for_each(|&code| ctx.reply.int(code));
    let chosen = |code| names.iter().zip(&done).filter(move |(_, done)| **done == code).map(|(name, _)| name);
    let (set, removed) = (chosen(SET).count(), chosen(REMOVED).count());
    if set > 0 {
        deadline_set(ctx, key, when_ms, chosen(SET), set);
    }
    if removed > 0 {
        removed_at_once(ctx, key, chosen(REMOVED), removed, emptied == Some(true));
    }
    Ok(())
}

/// What becomes of one field of HEXPIRE.
fn set_one(hash: &mut HashMut<'_>, name: &[u8], condition: Condition, when_ms: i64, removes: bool) -> i64 {
    let Some(field) = hash.view().get(name) else { return NO_FIELD };
    if !condition.allows(field.deadline_ms, when_ms) {
        return CONDITION_FAILED;
    }
    if removes {
        hash.remove(name);
        return REMOVED;
    }
    hash.set_deadline(name, Some(when_ms));
    SET
}

/// Notes that `count` fields have another deadline.
pub(crate) fn deadline_set<'n>(
    ctx: &mut Ctx<'_, '_>,
    key: Key<'_>,
    when_ms: i64,
    names: impl Iterator<Item = &'n [u8]>,
    count: usize,
) {
    ctx.changed(EventClass::Hash, "hexpire", key.bytes());
    ctx.db.turn.dirty += count as u64 - 1;
    let (mut when, mut number) = (itoa::Buffer::new(), itoa::Buffer::new());
    let head: [&[u8]; 5] = [
        b"HPEXPIREAT",
        key.bytes(),
        when.format(when_ms).as_bytes(),
        b"FIELDS",
        number.format(count).as_bytes(),
    ];
    effect_on_fields(ctx, &head, names);
}

/// Notes that `count` fields were removed, for their deadline is not in the future.
pub(crate) fn removed_at_once<'n>(
    ctx: &mut Ctx<'_, '_>,
    key: Key<'_>,
    names: impl Iterator<Item = &'n [u8]>,
    count: usize,
    emptied: bool,
) {
    removed_events(ctx, key, count, emptied);
    effect_on_fields(ctx, &[b"HDEL", key.bytes()], names);
}

static HTTL: Command = Command {
    name: "httl",
    run: httl,
    summary: "Says how many seconds fields are still to live: -1 for ever, -2 when one is not there.",
    example: "> HSET h a 1 b 2\n(integer) 2\n> HEXPIRE h 100 FIELDS 1 a\n1) (integer) 1\n\
        > HTTL h FIELDS 3 a b c\n1) (integer) 100\n2) (integer) -1\n3) (integer) -2",
    tips: &["nondeterministic_output"],
    ..GETTER
};

fn httl(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let now_ms = ctx.now_ms();
    tell_deadlines(ctx, |deadline_ms| seconds(deadline_ms.saturating_sub(now_ms)))
}

static HPTTL: Command = Command {
    name: "hpttl",
    run: hpttl,
    summary: "Says how many milliseconds fields are still to live: -1 for ever, -2 when one is not there.",
    example: "> HSET h a 1\n(integer) 1\n> HPEXPIRE h 1500 FIELDS 1 a\n1) (integer) 1\n\
        > HPTTL h FIELDS 1 a\n1) (integer) 1500",
    tips: &["nondeterministic_output"],
    ..GETTER
};

fn hpttl(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let now_ms = ctx.now_ms();
    tell_deadlines(ctx, |deadline_ms| deadline_ms.saturating_sub(now_ms))
}

static HEXPIRETIME: Command = Command {
    name: "hexpiretime",
    run: hexpiretime,
    summary: "Says when fields expire, in seconds since the Unix epoch: -1 never, -2 when one is not there.",
    example: "> HSET h a 1\n(integer) 1\n> HEXPIREAT h 4102444800 FIELDS 1 a\n1) (integer) 1\n\
        > HEXPIRETIME h FIELDS 1 a\n1) (integer) 4102444800",
    ..GETTER
};

fn hexpiretime(ctx: &mut Ctx<'_, '_>) -> Outcome {
    tell_deadlines(ctx, seconds)
}

static HPEXPIRETIME: Command = Command {
    name: "hpexpiretime",
    run: hpexpiretime,
    summary: "Says when fields expire, in milliseconds since the Unix epoch: -1 never, -2 when one is not there.",
    example: "> HSET h a 1\n(integer) 1\n> HPEXPIREAT h 4102444800500 FIELDS 1 a\n1) (integer) 1\n\
        > HPEXPIRETIME h FIELDS 1 a\n1) (integer) 4102444800500",
    ..GETTER
};

fn hpexpiretime(ctx: &mut Ctx<'_, '_>) -> Outcome {
    tell_deadlines(ctx, |deadline_ms| deadline_ms)
}

/// Milliseconds as seconds, rounded up, as Redis does it for fields.
fn seconds(ms: i64) -> i64 {
    ms.saturating_add(SECOND_MS - 1) / SECOND_MS
}

fn tell_deadlines(ctx: &mut Ctx<'_, '_>, told: impl Fn(i64) -> i64) -> Outcome {
    let key = ctx.key(1);
    let hash = ctx.db.read_hash(key)?;
    let names = fields(ctx.args.from(2), NO_NUMBER)?;
    ctx.reply.array(names.len());
    for name in names.iter() {
        let field = hash.and_then(|hash| hash.get(name));
        let deadline_ms = field.map(|field| field.deadline_ms.map_or(NO_DEADLINE, |at| told(at.max(0))));
        ctx.reply.int(deadline_ms.unwrap_or(NO_FIELD));
    }
    Ok(())
}

static HPERSIST: Command = Command {
    name: "hpersist",
    arity: -5,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RW update")],
    run: hpersist,
    summary: "Takes the deadlines of fields away, so that they live as long as their hash.",
    since: "7.4.0",
    complexity: FOR_EACH_FIELD,
    syntax: "key <FIELDS numfields field...>",
    example: "> HSET h a 1\n(integer) 1\n> HEXPIRE h 100 FIELDS 1 a\n1) (integer) 1\n\
        > HPERSIST h FIELDS 2 a b\n1) (integer) 1\n2) (integer) -2\n> HPERSIST h FIELDS 1 a\n1) (integer) -1",
    ..ONE_HASH
};

fn hpersist(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    check_kind(ctx, key)?;
    let names = fields(ctx.args.from(2), NO_NUMBER)?;
    let mut done: SmallVec<[i64; 16]> = SmallVec::new();
    ctx.db.change_old_hash(key, |hash| done.extend(names.iter().map(|name| persist(hash, name))))?;
    done.resize(names.len(), NO_FIELD);
    ctx.reply.array(done.len());
    done.iter().for_each(|&code| ctx.reply.int(code));
    let count = done.iter().filter(|&&code| code == PERSISTED).count();
    persisted(ctx, key, count);
    Ok(())
}

/// Takes the deadline of one field away.
pub(crate) fn persist(hash: &mut HashMut<'_>, name: &[u8]) -> i64 {
    match hash.view().get(name).map(|field| field.deadline_ms) {
        None => NO_FIELD,
        Some(None) => NO_DEADLINE,
        Some(Some(_)) => {
            hash.set_deadline(name, None);
            PERSISTED
        }
    }
}

/// Notes that `count` fields lost their deadlines.
pub(crate) fn persisted(ctx: &mut Ctx<'_, '_>, key: Key<'_>, count: usize) {
    if count > 0 {
        ctx.changed(EventClass::Hash, "hpersist", key.bytes());
        ctx.db.turn.dirty += count as u64 - 1;
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Client, NOW_MS};

    const FIELDS: &str = "ERR Mandatory argument FIELDS is missing or not at the right position";
    const MATCH: &str = "ERR The `numfields` parameter must match the number of arguments";

    #[test]
    fn conditions_look_at_the_deadline_that_is_there() {
        let mut client = Client::new();
        client.check(&[
            ("HSET h a 1 b 2", "(integer) 2"),
            ("HEXPIRE h 10 FIELDS 3 a x a", "1) (integer) 1\n2) (integer) -2\n3) (integer) 1"),
            ("HEXPIRE h 20 GT FIELDS 2 a b", "1) (integer) 1\n2) (integer) 0"),
            ("HEXPIRE h 5 gt FIELDS 1 a", "1) (integer) 0"),
            ("HEXPIRE h 5 LT FIELDS 2 a b", "1) (integer) 1\n2) (integer) 1"),
            ("HEXPIRE h 50 LT FIELDS 1 a", "1) (integer) 0"),
            ("HEXPIRE h 50 XX FIELDS 1 a", "1) (integer) 1"),
            ("HEXPIRE h 60 NX FIELDS 1 a", "1) (integer) 0"),
            ("HPERSIST h FIELDS 1 b", "1) (integer) 1"),
            ("HEXPIRE h 60 XX FIELDS 1 b", "1) (integer) 0"),
            ("HEXPIREAT h 1 GT FIELDS 1 a", "1) (integer) 0"),
            ("HEXPIREAT h 1 NX FIELDS 3 a b b", "1) (integer) 0\n2) (integer) 2\n3) (integer) -2"),
            ("HEXPIRE none 10 FIELDS 2 a b", "1) (integer) -2\n2) (integer) -2"),
            ("HEXPIRE h 0 FIELDS 1 a", "1) (integer) 2"),
            ("EXISTS h", "(integer) 0"),
        ]);
    }

    #[test]
    fn arguments_are_checked_in_redis_order() {
        let mut client = Client::new();
        client.check(&[("HSET h a 1", "(integer) 1"), ("SET s 1", "OK")]);
        let past = |name| format!("ERR invalid expire time in '{name}' command");
        client.check_errors(&[
            ("HEXPIRE s x FIELDS 1 a", "WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("HEXPIRE none x FIELDS 1 a", "ERR value is not an integer or out of range"),
            ("HEXPIRE h -1 foo 2 a", "ERR invalid expire time, must be >= 0"),
            ("HEXPIRE h 70368744178 foo 2 a", &past("hexpire")),
            ("HPEXPIREAT h 70368744177664 FIELDS 1 a", &past("hpexpireat")),
            ("HEXPIREAT h 70368744178 FIELDS 1 a", &past("hexpireat")),
            ("HPEXPIRE h 9223372036854775807 FIELDS 1 a", &past("hpexpire")),
            ("HEXPIRE h 10 foo FIELDS 1 a", FIELDS),
            ("HEXPIRE h 10 NX XX FIELDS 1 a", FIELDS),
            ("HEXPIRE h 10 NX 1 a", FIELDS),
            ("HEXPIRE h 10 FIELDS 0 a", "ERR Parameter `numFields` should be greater than 0"),
            ("HEXPIRE h 10 FIELDS x a", "ERR Parameter `numFields` should be greater than 0"),
            ("HEXPIRE h 10 FIELDS 2 a", MATCH),
            ("HEXPIRE h 10 NX FIELDS 1", MATCH),
            ("HEXPIRE h 10 FIELDS 1 a NX", MATCH),
            ("HTTL h foo 1 a", FIELDS),
            ("HTTL none FIELDS 2 a", MATCH),
            ("HPTTL h FIELDS 0 a", "ERR Number of fields must be a positive integer"),
            ("HPERSIST none FIELDS x a", "ERR Number of fields must be a positive integer"),
            ("HPERSIST h FIELDS 3 a b", MATCH),
        ]);
        client.check(&[("HPEXPIREAT h 70368744177663 FIELDS 1 a", "1) (integer) 1")]);
    }

    #[test]
    fn effects_name_the_fields_and_the_moment() {
        let mut client = Client::new();
        client.send("HSET h a 1 b 2 c 3");
        let mut told = |line: &str| {
            let (n, events, effects) = client.changes(line);
            (n, events.join(", "), effects.join(", "))
        };
        let at = NOW_MS + 100_000;
        let set = (2, "hexpire h".to_owned(), format!("HPEXPIREAT h {at} FIELDS 2 a b"));
        assert_eq!(told("HEXPIRE h 100 FIELDS 3 a x b"), set);
        assert_eq!(told("HEXPIRE h 50 GT FIELDS 2 a x"), (0, String::new(), String::new()));
        let line = "hpersist h FIELDS 2 a x";
        assert_eq!(told(line), (1, "hpersist h".into(), line.into()));
        assert_eq!(told(line), (0, String::new(), String::new()));
        assert_eq!(told("HEXPIRE h 0 FIELDS 2 a x"), (1, "hdel h".into(), "HDEL h a".into()));
        assert_eq!(told("HEXPIREAT h 5 FIELDS 2 b c"), (2, "hdel h, del h".into(), "HDEL h b c".into()));
    }

    #[test]
    fn fields_go_when_they_are_due_and_are_told_once() {
        let mut client = Client::new();
        client.send("HSET h a 1 b 2 c 3");
        client.send("HPEXPIRE h 1500 FIELDS 1 a");
        client.send("HPEXPIRE h 1600 FIELDS 2 b c");
        client.check(&[
            ("HTTL h FIELDS 1 a", "1) (integer) 2"),
            ("HPTTL h FIELDS 3 a c x", "1) (integer) 1500\n2) (integer) 1600\n3) (integer) -2"),
            ("HPTTL none FIELDS 1 a", "1) (integer) -2"),
        ]);
        client.turn.now_ms += 1500;
        let (n, events, effects) = client.changes("HGET h a");
        assert_eq!((n, events.join(", "), effects.join(", ")), (0, "hexpired h".into(), "HDEL h a".into()));
        client.check(&[("HLEN h", "(integer) 2"), ("HGETALL h", "1) \"b\"\n2) \"2\"\n3) \"c\"\n4) \"3\"")]);
        client.turn.now_ms += 100;
        let (_, events, effects) = client.changes("HSETNX h a 5");
        assert_eq!(events, ["hexpired h", "del h", "hset h"]);
        assert_eq!(effects, ["DEL h", "HSETNX h a 5"]);
    }

    #[test]
    fn what_sets_a_field_takes_its_deadline_and_what_counts_keeps_it() {
        let mut client = Client::new();
        client.send("HSET h a 1 b 2 c 3 d 4");
        client.send("HEXPIRE h 100 FIELDS 4 a b c d");
        client.send("HSET h a 2");
        client.send("HINCRBY h b 1");
        client.send("HINCRBYFLOAT h c 1");
        client.send("HSETNX h d 1");
        client.check(&[(
            "HTTL h FIELDS 4 a b c d",
            "1) (integer) -1\n2) (integer) 100\n3) (integer) 100\n4) (integer) 100",
        )]);
    }
}
