//! Commands that compare a string with what the client thinks it is: DIGEST and the conditional removals, and the
//! conditions of SET.

use engine::{Entry, Str};
use resp::Args;
use twox_hash::XxHash3_64;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::KeySpec;
use crate::string::{ONE_STRING, remove};
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&DIGEST, &DELEX, &DELIFEQ];

/// Hexadecimal digits of a digest.
const DIGEST_BYTES: usize = 16;

/// What must hold of a key before a command changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition<'a> {
    /// Nothing.
    Always,
    /// It is not there.
    Nx,
    /// It is there.
    Xx,
    /// It is there, and its value is this.
    IfEq(&'a [u8]),
    /// It is not there, or its value is not this.
    IfNe(&'a [u8]),
    /// It is there, and its value has this digest.
    IfDeq(&'a [u8]),
    /// It is not there, or its value does not have this digest.
    IfDne(&'a [u8]),
}

impl<'a> Condition<'a> {
    /// Takes the condition at argument `*i`, if one stands there, and moves `*i` behind it; whether one was taken.
    /// One may be repeated, and the last counts.
    ///
    /// # Errors
    /// [`Error::Syntax`] when it has not its value, or does not go with an earlier one.
    pub(crate) fn take(&mut self, args: Args<'a>, i: &mut usize) -> Result<bool, Error> {
        let word = args.at(*i);
        let condition = if word.eq_ignore_ascii_case(b"NX") {
            Condition::Nx
        } else if word.eq_ignore_ascii_case(b"XX") {
            Condition::Xx
        } else if let Some(comparison) = Condition::comparison(word) {
            *i += 1;
            comparison(args.get(*i).ok_or(Error::Syntax)?)
        } else {
            return Ok(false);
        };
        *i += 1;
        let same_kind = std::mem::discriminant(self) == std::mem::discriminant(&condition);
        if *self != Condition::Always && !same_kind {
            return Err(Error::Syntax);
        }
        *self = condition;
        Ok(true)
    }

    /// What `word` makes of the value behind it, when it is one of the conditions with a value.
    fn comparison(word: &[u8]) -> Option<fn(&'a [u8]) -> Condition<'a>> {
        if word.eq_ignore_ascii_case(b"IFEQ") {
            Some(Condition::IfEq)
        } else if word.eq_ignore_ascii_case(b"IFNE") {
            Some(Condition::IfNe)
        } else if word.eq_ignore_ascii_case(b"IFDEQ") {
            Some(Condition::IfDeq)
        } else if word.eq_ignore_ascii_case(b"IFDNE") {
            Some(Condition::IfDne)
        } else {
            None
        }
    }

    /// Whether it looks at the value.
    pub(crate) fn compares(self) -> bool {
        !matches!(self, Condition::Always | Condition::Nx | Condition::Xx)
    }

    /// Whether it holds of a key with this entry, or without one.
    ///
    /// # Errors
    /// When it looks at the value: the entry is no string, or the digest has not the length of one.
    pub(crate) fn holds(self, entry: Option<Entry<'_>>) -> Result<bool, Error> {
        let Some(entry) = entry else {
            return Ok(!matches!(self, Condition::Xx | Condition::IfEq(_) | Condition::IfDeq(_)));
        };
        match self {
            Condition::Always | Condition::Xx => Ok(true),
            Condition::Nx => Ok(false),
            Condition::IfEq(value) => Ok(equals(entry.string()?, value)),
            Condition::IfNe(value) => Ok(!equals(entry.string()?, value)),
            Condition::IfDeq(digest) => has_digest(entry.string()?, digest),
            Condition::IfDne(digest) => has_digest(entry.string()?, digest).map(|has| !has),
        }
    }
}

fn equals(value: Str<'_>, other: &[u8]) -> bool {
    value.bytes(&mut itoa::Buffer::new()) == other
}

fn has_digest(value: Str<'_>, digest: &[u8]) -> Result<bool, Error> {
    if digest.len() != DIGEST_BYTES {
        return Err(Error::Text("ERR must be exactly 16 hexadecimal characters"));
    }
    Ok(digest_of(value).as_bytes().eq_ignore_ascii_case(digest))
}

/// The digest of a value: 64 bits of XXH3 in hexadecimal.
pub(crate) fn digest_of(value: Str<'_>) -> String {
    format!("{:0DIGEST_BYTES$x}", XxHash3_64::oneshot(value.bytes(&mut itoa::Buffer::new())))
}

static DIGEST: Command = Command {
    name: "digest",
    arity: 2,
    flags: flags::READONLY | flags::FAST,
    keys: &[KeySpec::one(1, "RO access")],
    run: digest,
    summary: "Gives a short digest of a value: 64 bits of XXH3 in hexadecimal.",
    since: "8.4.0",
    complexity: "O(N) where N is the length of the value",
    syntax: "key",
    example: "> SET a hello\nOK\n> DIGEST a\n\"9555e8555c62dcfd\"\n> DIGEST b\n(nil)",
    ..ONE_STRING
};

fn digest(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    match ctx.db.read_string(key)? {
        Some(value) => ctx.reply.bulk(digest_of(value).as_bytes()),
        None => ctx.reply.null(),
    }
    Ok(())
}

static DELEX: Command = Command {
    name: "delex",
    arity: -2,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RW delete variable_flags")],
    key_flags: Some(|args| if args.len() > 2 { "RW access delete" } else { "RM delete" }),
    run: delex,
    summary: "Removes a key when its value, or the digest of it, is or is not what is given.",
    since: "8.4.0",
    complexity: "O(N) where N is the length of the value with IFDEQ and IFDNE, else O(1)",
    syntax: "key [IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest]",
    example: "> SET a 1\nOK\n> DELEX a IFEQ 2\n(integer) 0\n> DELEX a IFNE 2\n(integer) 1\n> DELEX a\n(integer) 0",
    ..ONE_STRING
};

fn delex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let given = match ctx.args.len() {
        2 => None,
        4 => Some((ctx.args.at(2), ctx.args.at(3))),
        _ => return Err(Error::Arity(ctx.command.name.to_owned())),
    };
    let key = ctx.key(1);
    let Some(entry) = ctx.db.write(key) else {
        ctx.reply.int(0);
        return Ok(());
    };
    let holds = match given {
        None => true,
        Some((word, value)) => {
            entry
                .string()
                .map_err(|_| Error::Text("ERR Key should be of string type if conditions are specified"))?;
            let comparison = Condition::comparison(word)
                .ok_or(Error::Text("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"))?;
            comparison(value).holds(Some(entry))?
        }
    };
    if holds {
        remove(ctx, key);
    }
    ctx.reply.int(i64::from(holds));
    Ok(())
}

static DELIFEQ: Command = Command {
    name: "delifeq",
    arity: 3,
    flags: flags::WRITE | flags::FAST,
    keys: &[KeySpec::one(1, "RM delete")],
    run: delifeq,
    summary: "Removes a key when its value is the one given.",
    since: "Valkey 9.0.0",
    syntax: "key value",
    example: "> SET a 1\nOK\n> DELIFEQ a 2\n(integer) 0\n> DELIFEQ a 1\n(integer) 1\n> GET a\n(nil)",
    ..ONE_STRING
};

fn delifeq(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let holds = Condition::IfEq(ctx.args.at(2)).holds(ctx.db.write(key))?;
    if holds {
        remove(ctx, key);
    }
    ctx.reply.int(i64::from(holds));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Client;

    #[test]
    fn digests_are_those_of_xxh3() {
        let mut client = Client::new();
        client.check(&[
            ("SET empty \"\"", "OK"),
            ("DIGEST empty", "\"2d06800538d394c2\""),
            ("SET integer 12345", "OK"),
            ("SET same \"12345\"", "OK"),
        ]);
        assert_eq!(client.show("DIGEST integer"), client.show("DIGEST same"));
        // The longest inputs of the short forms of the hash, and the first of the long one.
        for len in [16, 128, 240, 241] {
            let text = "x".repeat(len);
            let expected = format!("\"{:016x}\"", XxHash3_64::oneshot(text.as_bytes()));
            client.check(&[(&format!("SET a {text}"), "OK"), ("DIGEST a", &expected)]);
        }
    }

    #[test]
    fn set_looks_at_the_value_it_takes_the_place_of() {
        let mut client = Client::new();
        client.check(&[
            ("SET a 1 IFEQ 1", "(nil)"),
            ("SET a 1 IFDEQ 0123456789abcdef", "(nil)"),
            ("SET a hello IFNE 1", "OK"),
            ("SET b hello IFDNE 0123456789abcdef", "OK"),
            ("SET a 2 IFNE hello", "(nil)"),
            ("SET a 2 IFDNE 9555E8555C62DCFD", "(nil)"),
            ("SET a 12 IFDEQ 9555e8555c62dcfd", "OK"),
            ("SET a 3 IFEQ 2 GET", "\"12\""),
            ("SET a 3 IFEQ 0 IFEQ 12 EX 5", "OK"),
            ("TTL a", "(integer) 5"),
        ]);
        assert_eq!(client.changes("SET a 4 IFEQ 3 KEEPTTL").2, ["SET a 4 KEEPTTL"]);
        assert_eq!(client.changes("SET a 5 IFEQ 3"), (0, vec![], vec![]));
    }

    #[test]
    fn conditions_that_make_no_sense_are_refused() {
        let mut client = Client::new();
        client.send("SET a 1");
        client.check_errors(&[
            ("SET a 2 IFEQ", "ERR syntax error"),
            ("SET a 2 IFEQ 1 IFNE 2", "ERR syntax error"),
            ("SET a 2 NX IFEQ 1", "ERR syntax error"),
            ("SET a 2 IFDNE 1 XX", "ERR syntax error"),
            ("SET a 2 NX XX", "ERR syntax error"),
            ("SET a 2 IFDEQ 0123", "ERR must be exactly 16 hexadecimal characters"),
            ("DELEX a IFDNE 0123456789abcdef0", "ERR must be exactly 16 hexadecimal characters"),
            ("DELEX a IF 1", "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"),
            ("DELEX a NX 1", "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"),
            ("DELEX a IFEQ", "ERR wrong number of arguments for 'delex' command"),
            ("DELEX none IFEQ 1 2", "ERR wrong number of arguments for 'delex' command"),
        ]);
        client.check(&[("DELEX none IF 1", "(integer) 0"), ("GET a", "\"1\"")]);
    }

    #[test]
    fn removals_are_logged_as_removals() {
        let mut client = Client::new();
        for line in ["DELEX a", "DELEX a IFEQ 1", "DELEX a IFDNE 0123456789abcdef", "DELIFEQ a 1"] {
            client.send("SET a 1");
            assert_eq!(client.changes(line), (1, vec!["del a".into()], vec!["DEL a".into()]), "{line}");
            assert_eq!(client.changes(line), (0, vec![], vec![]), "{line}");
        }
    }
}
