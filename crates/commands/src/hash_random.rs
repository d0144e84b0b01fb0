//! Hashes gone through: fields chosen at random, and scans.

use std::collections::HashSet;

use engine::{Element, Field, Hash, Rng};
use resp::Reply;

use crate::ctx::Ctx;
use crate::element::{REPEATED_MAX, reply_element};
use crate::error::Error;
use crate::hash::{ONE_HASH, read_whole};
use crate::keys::KeySpec;
use crate::number::int;
use crate::scan::{Of, ScanOptions, cursor};
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&HRANDFIELD, &HSCAN];

static HRANDFIELD: Command = Command {
    name: "hrandfield",
    arity: -2,
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    run: hrandfield,
    summary: "Gives fields chosen at random: different ones, or, with a negative count, any.",
    since: "6.2.0",
    complexity: "O(N) for N fields given",
    syntax: "key [count [WITHVALUES]]",
    example: "> HSET h a 1\n(integer) 1\n> HRANDFIELD h\n\"a\"\n> HRANDFIELD h 5 WITHVALUES\n1) \"a\"\n2) \"1\"\n\
        > HRANDFIELD h -2\n1) \"a\"\n2) \"a\"",
    tips: &["nondeterministic_output"],
    ..ONE_HASH
};

fn hrandfield(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let Some(count) = ctx.args.get(2) else { return one_field(ctx) };
    let (count, with_values) = (random_count(count)?, ctx.args.get(3));
    if ctx.args.len() > 4 || with_values.is_some_and(|word| !word.eq_ignore_ascii_case(b"WITHVALUES")) {
        return Err(Error::Syntax);
    }
    let with_values = with_values.is_some();
    let too_many = count < 0 && count.unsigned_abs() > REPEATED_MAX;
    if too_many || with_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(Error::Text("ERR value is out of range"));
    }
    let mut rng = ctx.db.turn.rng.clone();
    read_whole(ctx, |reply, hash| {
        let mut out = Picked { reply, with_values };
        match hash {
            None => out.begin(0),
            Some(hash) if count < 0 => out.any(hash, count.unsigned_abs() as usize, &mut rng),
            Some(hash) => out.different(hash, count.unsigned_abs() as usize, &mut rng),
        }
    })?;
    ctx.db.turn.rng = rng;
    Ok(())
}

/// How many elements are asked for; negative: the same may come again.
fn random_count(arg: &[u8]) -> Result<i64, Error> {
    match int(arg)? {
        i64::MIN => Err(Error::Text(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        )),
        count => Ok(count),
    }
}

fn one_field(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, mut rng) = (ctx.key(1), ctx.db.turn.rng.clone());
    match ctx.db.read_hash(key)?.and_then(|hash| hash.random(&mut rng)) {
        Some(field) => reply_element(ctx.reply, field.name),
        None => ctx.reply.null(),
    }
    ctx.db.turn.rng = rng;
    Ok(())
}

/// The reply of HRANDFIELD with a count.
struct Picked<'r> {
    reply: &'r mut Reply,
    with_values: bool,
}

impl Picked<'_> {
    /// Says that `n` fields follow.
    fn begin(&mut self, n: usize) {
        let flat = self.with_values && !self.reply.resp3();
        self.reply.array(if flat { 2 * n } else { n });
    }

    fn put(&mut self, field: Field<'_>) {
        if self.with_values && self.reply.resp3() {
            self.reply.array(2);
        }
        reply_element(self.reply, field.name);
        if self.with_values {
            reply_element(self.reply, field.value);
        }
    }

    /// `count` fields, each any of all.
    fn any(&mut self, hash: Hash<'_>, count: usize, rng: &mut Rng) {
        self.begin(count);
        if hash.is_big() && !hash.has_due() {
            (0..count).filter_map(|_| hash.random(rng)).for_each(|field| self.put(field));
        } else {
            let fields: Vec<Field<'_>> = hash.iter().collect();
            let any = |_| fields.get(rng.below(fields.len().max(1) as u64) as usize);
            (0..count).filter_map(any).for_each(|field| self.put(*field));
        }
    }

    /// `count` different fields, or as many as there are.
    fn different(&mut self, hash: Hash<'_>, count: usize, rng: &mut Rng) {
        let len = hash.len();
        let mut wanted = count.min(len);
        self.begin(wanted);
        if hash.is_big() && !hash.has_due() && wanted < len / 3 {
            let mut names = HashSet::with_capacity(wanted);
            while names.len() < wanted {
                let Some(field) = hash.random(rng) else { return };
                let Element::Bytes(name) = field.name else { return };
                if names.insert(name) {
                    self.put(field);
                }
            }
            return;
        }
        // Each field is taken with the chance of what is still wanted among what is still left (Knuth, algorithm S).
        for (left, field) in (1..=len).rev().zip(hash.iter()) {
            if rng.below(left as u64) < wanted as u64 {
                self.put(field);
                wanted -= 1;
            }
        }
    }
}

static HSCAN: Command = Command {
    name: "hscan",
    arity: -3,
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    run: hscan,
    summary: "Gives some fields with their values, and where the next call goes on; 0 begins and ends. A field that \
        is there all the while comes exactly once.",
    since: "2.8.0",
    complexity: "O(1) a call, O(N) for all N fields",
    syntax: "key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
    example: "> HSET h a 1 b 2\n(integer) 2\n> HSCAN h 0 MATCH a*\n1) \"0\"\n2) 1) \"a\"\n   2) \"1\"\n\
        > HSCAN h 0 NOVALUES\n1) \"0\"\n2) 1) \"a\"\n   2) \"b\"",
    history: &[("7.4.0", "NOVALUES.")],
    tips: &["nondeterministic_output"],
    ..ONE_HASH
};

fn hscan(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, cursor) = (ctx.key(1), cursor(ctx.args.at(2))?);
    // A hash that is not there has its answer before the options are looked at.
    let Some(hash) = ctx.db.read_hash(key)? else {
        ctx.reply.array(2);
        ctx.reply.bulk(b"0");
        ctx.reply.array(0);
        return Ok(());
    };
    let options = ScanOptions::parse(ctx.args.from(3), Of::Elements(Some("NOVALUES")))?;
    let (mut fields, mut n, mut digits) = (Reply::new(), 0, itoa::Buffer::new());
    let next = hash.scan(cursor, options.count, |field| {
        if options.pattern.fits(field.name.bytes(&mut digits)) {
            reply_element(&mut fields, field.name);
            n += 1;
            if !options.names_only {
                reply_element(&mut fields, field.value);
                n += 1;
            }
        }
    });
    ctx.reply.array(2);
    ctx.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    ctx.reply.array(n);
    ctx.reply.buffer().extend_from_slice(fields.bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    #[test]
    fn counts_and_options_are_checked() {
        let mut client = Client::new();
        client.send("HSET h a 1 b 2");
        client.check_errors(&[
            ("HRANDFIELD h x", "ERR value is not an integer or out of range"),
            ("HRANDFIELD h 1 foo", "ERR syntax error"),
            ("HRANDFIELD h 1 WITHVALUES x", "ERR syntax error"),
            ("HRANDFIELD none 1 foo", "ERR syntax error"),
            (
                "HRANDFIELD h -9223372036854775808",
                "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            ),
            ("HRANDFIELD h -9223372036854775807 WITHVALUES", "ERR value is out of range"),
            ("HRANDFIELD h 4611686018427387904 WITHVALUES", "ERR value is out of range"),
            ("HSCAN h x", "ERR invalid cursor"),
            ("HSCAN h 0 TYPE hash", "ERR syntax error"),
            ("HSCAN h 0 NOSCORES", "ERR syntax error"),
            ("HSCAN h 0 COUNT 0", "ERR syntax error"),
        ]);
        client.check(&[
            ("HRANDFIELD h 0", "(empty array)"),
            ("HRANDFIELD h 4611686018427387903 WITHVALUES", "1) \"a\"\n2) \"1\"\n3) \"b\"\n4) \"2\""),
        ]);
    }

    #[test]
    fn a_field_is_as_likely_as_any_other() {
        let mut client = Client::new();
        client.send("HSET h a 1 b 2 c 3 d 4");
        let mut counts = [0; 4];
        for _ in 0..4000 {
            let name = client.text("HRANDFIELD h");
            counts[usize::from(name.as_bytes()[0] - b'a')] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn scans_of_large_hashes_meet_each_field_once() {
        let mut client = Client::new();
        for n in 0..2000 {
            client.send(&format!("HSET h f{n} v{n}"));
        }
        let (mut cursor, mut seen) = ("0".to_owned(), Vec::new());
        loop {
            let resp::Value::Array(reply) = client.value(&format!("HSCAN h {cursor} COUNT 50 NOVALUES"))
            else {
                panic!("an array")
            };
            let [resp::Value::Bulk(next), resp::Value::Array(names)] = &reply[..] else { panic!("a pair") };
            assert!(names.len() < 300);
            seen.extend(names.iter().map(|name| format!("{name:?}")));
            cursor = String::from_utf8(next.clone()).unwrap();
            if cursor == "0" {
                break;
            }
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 2000);
    }
}
