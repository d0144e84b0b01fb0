//! Commands about keys' deadlines: setting them, asking for them and taking them away.

use engine::EventClass;

use crate::ctx::Ctx;
use crate::deadline::{SECOND_MS, moment_ms};
use crate::error::Error;
use crate::generic::free;
use crate::host::Removal;
use crate::keys::KeySpec;
use crate::number::int;
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] =
    &[&EXPIRE, &PEXPIRE, &EXPIREAT, &PEXPIREAT, &TTL, &PTTL, &EXPIRETIME, &PEXPIRETIME, &PERSIST];

/// What EXPIRE, PEXPIRE, EXPIREAT and PEXPIREAT have in common.
const SETTER: Command = Command {
    arity: -3,
    flags: flags::WRITE | flags::FAST,
    categories: "@keyspace",
    keys: &[KeySpec::one(1, "RW update")],
    locks: Locks::Keys,
    group: "generic",
    complexity: "O(1)",
    history: &[("7.0.0", "NX, XX, GT and LT.")],
    ..Command::BLANK
};

/// What TTL, PTTL, EXPIRETIME and PEXPIRETIME have in common.
const GETTER: Command = Command {
    arity: 2,
    flags: flags::READONLY | flags::FAST,
    categories: "@keyspace",
    keys: &[KeySpec::one(1, "RO access")],
    locks: Locks::Keys,
    group: "generic",
    complexity: "O(1)",
    syntax: "key",
    ..Command::BLANK
};

static EXPIRE: Command = Command {
    name: "expire",
    run: expire,
    summary: "Sets the seconds that a key is still to live.",
    since: "1.0.0",
    syntax: "key seconds [NX | XX | GT | LT]",
    example: "> SET a 1\nOK\n> EXPIRE a 100\n(integer) 1\n> TTL a\n(integer) 100\n> EXPIRE a 200 LT\n(integer) 0\n\
        > EXPIRE a 0\n(integer) 1\n> GET a\n(nil)",
    ..SETTER
};

fn expire(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let now_ms = ctx.now_ms();
    set_deadline(ctx, SECOND_MS, now_ms)
}

static PEXPIRE: Command = Command {
    name: "pexpire",
    run: pexpire,
    summary: "Sets the milliseconds that a key is still to live.",
    since: "2.6.0",
    syntax: "key milliseconds [NX | XX | GT | LT]",
    example: "> SET a 1\nOK\n> PEXPIRE a 1500 NX\n(integer) 1\n> PTTL a\n(integer) 1500\n> PEXPIRE a 1000 NX\n(integer) 0",
    ..SETTER
};

fn pexpire(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let now_ms = ctx.now_ms();
    set_deadline(ctx, 1, now_ms)
}

static EXPIREAT: Command = Command {
    name: "expireat",
    run: expireat,
    summary: "Sets the moment a key expires, in seconds since the Unix epoch.",
    since: "1.2.0",
    syntax: "key unix-time-seconds [NX | XX | GT | LT]",
    example: "> SET a 1\nOK\n> EXPIREAT a 4102444800\n(integer) 1\n> EXPIRETIME a\n(integer) 4102444800",
    ..SETTER
};

fn expireat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_deadline(ctx, SECOND_MS, 0)
}

static PEXPIREAT: Command = Command {
    name: "pexpireat",
    run: pexpireat,
    summary: "Sets the moment a key expires, in milliseconds since the Unix epoch.",
    since: "2.6.0",
    syntax: "key unix-time-milliseconds [NX | XX | GT | LT]",
    example: "> SET a 1\nOK\n> PEXPIREAT a 4102444800500 GT\n(integer) 0\n> PEXPIREAT a 4102444800500\n(integer) 1\n\
        > PEXPIRETIME a\n(integer) 4102444800500",
    ..SETTER
};

fn pexpireat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_deadline(ctx, 1, 0)
}

/// Which deadlines a new one may take the place of.
#[derive(Clone, Copy, Debug, Default)]
struct Condition {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Condition {
    fn parse(ctx: &Ctx<'_, '_>) -> Result<Condition, Error> {
        let mut condition = Condition::default();
        for option in ctx.args.from(3).iter() {
            match option {
                o if o.eq_ignore_ascii_case(b"NX") => condition.nx = true,
                o if o.eq_ignore_ascii_case(b"XX") => condition.xx = true,
                o if o.eq_ignore_ascii_case(b"GT") => condition.gt = true,
                o if o.eq_ignore_ascii_case(b"LT") => condition.lt = true,
                o => {
                    let printed = o.split(|&b| b == 0).next().unwrap_or(o);
                    return Err(Error::Bytes([b"ERR Unsupported option ", printed].concat().into()));
                }
            }
        }
        let Condition { nx, xx, gt, lt } = condition;
        if nx && (xx || gt || lt) {
            return Err(Error::Text("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        if gt && lt {
            return Err(Error::Text("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(condition)
    }

    /// Whether `new_ms` may not take the place of `old_ms`. No deadline counts as the latest of all.
    fn forbids(self, old_ms: Option<i64>, new_ms: i64) -> bool {
        match old_ms {
            Some(old_ms) => self.nx || (self.gt && new_ms <= old_ms) || (self.lt && new_ms >= old_ms),
            None => self.xx || self.gt,
        }
    }
}

/// Sets the deadline to argument 2, in units of `unit_ms` milliseconds after `start_ms`. One that is not in the
/// future removes the key.
fn set_deadline(ctx: &mut Ctx<'_, '_>, unit_ms: i64, start_ms: i64) -> Outcome {
    let condition = Condition::parse(ctx)?;
    let key = ctx.key(1);
    let when_ms =
        moment_ms(int(ctx.args.at(2))?, unit_ms, start_ms).ok_or(Error::ExpireTime(ctx.command.name))?;
    let Some(old_ms) = ctx.db.write(key).map(|entry| entry.deadline_ms()) else {
        ctx.reply.int(0);
        return Ok(());
    };
    if condition.forbids(old_ms, when_ms) {
        ctx.reply.int(0);
        return Ok(());
    }
    if ctx.is_past(when_ms) {
        let free = free(ctx, Removal::Expiry);
        ctx.db.delete(key, free);
        ctx.changed(EventClass::Generic, "del", key.bytes());
        let effect: &[u8] = if free == engine::Free::Later { b"UNLINK" } else { b"DEL" };
        ctx.effect(&[effect, key.bytes()]);
    } else {
        ctx.db.set_deadline(key, Some(when_ms));
        ctx.changed(EventClass::Generic, "expire", key.bytes());
        if unit_ms != 1 || start_ms != 0 {
            effect_of_deadline(ctx, when_ms);
        }
    }
    ctx.reply.int(1);
    Ok(())
}

/// The request with its moment in milliseconds; its condition stays, as in Redis's log.
fn effect_of_deadline(ctx: &mut Ctx<'_, '_>, when_ms: i64) {
    let mut digits = itoa::Buffer::new();
    let mut effect: smallvec::SmallVec<[&[u8]; 4]> = smallvec::SmallVec::new();
    effect.extend([b"PEXPIREAT".as_slice(), ctx.args.at(1), digits.format(when_ms).as_bytes()]);
    effect.extend(ctx.args.from(3).iter());
    ctx.effect(&effect);
}

static TTL: Command = Command {
    name: "ttl",
    run: ttl,
    summary: "Says how many seconds a key is still to live: -1 for ever, -2 when it is not there.",
    since: "1.0.0",
    example: "> SET a 1 EX 100\nOK\n> TTL a\n(integer) 100\n> SET b 1\nOK\n> TTL b\n(integer) -1\n> TTL c\n(integer) -2",
    history: &[("2.8.0", "-2 when the key is not there.")],
    tips: &["nondeterministic_output"],
    ..GETTER
};

fn ttl(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let now_ms = ctx.now_ms();
    tell_deadline(ctx, |deadline_ms| seconds(deadline_ms.saturating_sub(now_ms).max(0)))
}

static PTTL: Command = Command {
    name: "pttl",
    run: pttl,
    summary: "Says how many milliseconds a key is still to live: -1 for ever, -2 when it is not there.",
    since: "2.6.0",
    example: "> SET a 1 PX 1500\nOK\n> PTTL a\n(integer) 1500",
    history: &[("2.8.0", "-2 when the key is not there.")],
    tips: &["nondeterministic_output"],
    ..GETTER
};

fn pttl(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let now_ms = ctx.now_ms();
    tell_deadline(ctx, |deadline_ms| deadline_ms.saturating_sub(now_ms).max(0))
}

static EXPIRETIME: Command = Command {
    name: "expiretime",
    run: expiretime,
    summary: "Says when a key expires, in seconds since the Unix epoch: -1 never, -2 when it is not there.",
    since: "7.0.0",
    example: "> SET a 1 EXAT 4102444800\nOK\n> EXPIRETIME a\n(integer) 4102444800\n> EXPIRETIME b\n(integer) -2",
    ..GETTER
};

fn expiretime(ctx: &mut Ctx<'_, '_>) -> Outcome {
    tell_deadline(ctx, |deadline_ms| seconds(deadline_ms.max(0)))
}

static PEXPIRETIME: Command = Command {
    name: "pexpiretime",
    run: pexpiretime,
    summary: "Says when a key expires, in milliseconds since the Unix epoch: -1 never, -2 when it is not there.",
    since: "7.0.0",
    example: "> SET a 1 PXAT 4102444800500\nOK\n> PEXPIRETIME a\n(integer) 4102444800500",
    ..GETTER
};

fn pexpiretime(ctx: &mut Ctx<'_, '_>) -> Outcome {
    tell_deadline(ctx, |deadline_ms| deadline_ms.max(0))
}

fn tell_deadline(ctx: &mut Ctx<'_, '_>, told: impl Fn(i64) -> i64) -> Outcome {
    let answer = match ctx.db.look(ctx.key(1)).map(|entry| entry.deadline_ms()) {
        None => -2,
        Some(None) => -1,
        Some(Some(deadline_ms)) => told(deadline_ms),
    };
    ctx.reply.int(answer);
    Ok(())
}

/// Milliseconds, not negative, as seconds: rounded to the nearest.
fn seconds(ms: i64) -> i64 {
    ms / SECOND_MS + i64::from(ms % SECOND_MS >= SECOND_MS / 2)
}

static PERSIST: Command = Command {
    name: "persist",
    arity: 2,
    flags: flags::WRITE | flags::FAST,
    categories: "@keyspace",
    keys: &[KeySpec::one(1, "RW update")],
    locks: Locks::Keys,
    run: persist,
    summary: "Takes a key's deadline away, so that it lives for ever.",
    since: "2.2.0",
    group: "generic",
    complexity: "O(1)",
    syntax: "key",
    example: "> SET a 1 EX 100\nOK\n> PERSIST a\n(integer) 1\n> TTL a\n(integer) -1\n> PERSIST a\n(integer) 0",
    ..Command::BLANK
};

fn persist(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let had_deadline = ctx.db.write(key).is_some_and(|entry| entry.deadline_ms().is_some());
    if had_deadline {
        ctx.db.set_deadline(key, None);
        ctx.changed(EventClass::Generic, "persist", key.bytes());
    }
    ctx.reply.int(i64::from(had_deadline));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Client, NOW_MS};

    #[test]
    fn conditions_look_at_the_deadline_that_is_there() {
        let mut client = Client::new();
        client.check(&[
            ("SET a 1", "OK"),
            ("EXPIRE a 100 XX", "(integer) 0"),
            ("EXPIRE a 100 GT", "(integer) 0"),
            ("EXPIRE a 100 LT", "(integer) 1"),
            ("EXPIRE a 100 GT", "(integer) 0"),
            ("EXPIRE a 100 LT", "(integer) 0"),
            ("EXPIRE a 200 NX", "(integer) 0"),
            ("EXPIRE a 200 gt XX", "(integer) 1"),
            ("EXPIRE a 50 xx LT", "(integer) 1"),
            ("EXPIRE x 50", "(integer) 0"),
            ("TTL a", "(integer) 50"),
        ]);
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let not_both = "ERR NX and XX, GT or LT options at the same time are not compatible";
        Client::new().check_errors(&[
            ("EXPIRE a 1 NX XX", not_both),
            ("PEXPIRE a 1 LT NX", not_both),
            ("EXPIREAT a 1 GT LT", "ERR GT and LT options at the same time are not compatible"),
            ("PEXPIREAT a x ZZ", "ERR Unsupported option ZZ"),
            ("EXPIRE a 1.5", "ERR value is not an integer or out of range"),
            ("PEXPIRE a 9223372036854775807", "ERR invalid expire time in 'pexpire' command"),
        ]);
    }

    #[test]
    fn effects_name_the_moment() {
        let mut client = Client::new();
        client.send("SET a 1");
        let at = |ms: i64| (NOW_MS + ms).to_string();
        for (line, effect) in [
            ("EXPIRE a 100", format!("PEXPIREAT a {}", at(100_000))),
            ("pexpire a 150000 gt", format!("PEXPIREAT a {} gt", at(150_000))),
            ("EXPIREAT a 4000000000", "PEXPIREAT a 4000000000000".into()),
            ("pexpireat a 4000000000001 XX", "pexpireat a 4000000000001 XX".into()),
        ] {
            assert_eq!(client.changes(line), (1, vec!["expire a".into()], vec![effect]), "{line}");
        }
        assert_eq!(client.changes("PERSIST a"), (1, vec!["persist a".into()], vec!["PERSIST a".into()]));
        assert_eq!(client.changes("PERSIST a"), (0, vec![], vec![]));
        assert_eq!(client.changes("EXPIRE a 0"), (1, vec!["del a".into()], vec!["DEL a".into()]));
    }

    #[test]
    fn seconds_are_rounded_to_the_nearest() {
        let mut client = Client::new();
        for (ms, seconds) in [(1, 0), (499, 0), (500, 1), (1499, 1), (1500, 2)] {
            client.check(&[(&format!("SET a 1 PX {ms}"), "OK"), ("TTL a", &format!("(integer) {seconds}"))]);
        }
    }
}
