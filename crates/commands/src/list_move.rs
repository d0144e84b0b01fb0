//! Lists: elements that go from one list to another, or from the first of several that has any.

use engine::{End, Key};
use smallvec::SmallVec;

use crate::ctx::Ctx;
use crate::element::reply_element;
use crate::error::Error;
use crate::keys::KeySpec;
use crate::list::{ONE_LIST, changed, pop_event, push_event, remove_end, reply_end};
use crate::pop_request::PopRequest;
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&LMOVE, &RPOPLPUSH, &LMPOP];

/// What the commands from list to list have in common.
const MOVE: Command = Command {
    flags: flags::WRITE | flags::DENYOOM,
    keys: &[KeySpec::one(1, "RW access delete"), KeySpec::one(2, "RW insert")],
    ..ONE_LIST
};

static LMOVE: Command = Command {
    name: "lmove",
    arity: 5,
    run: lmove,
    summary: "Moves an element from one end of a list to an end of another, or the same, and gives it.",
    since: "6.2.0",
    syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT>",
    example: "> RPUSH a 1 2 3\n(integer) 3\n> LMOVE a b LEFT RIGHT\n\"1\"\n> LMOVE a a LEFT RIGHT\n\"2\"\n\
        > LRANGE a 0 -1\n1) \"3\"\n2) \"2\"\n> LMOVE c b LEFT LEFT\n(nil)",
    ..MOVE
};

fn lmove(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (from, to) = (end(ctx.args.at(3))?, end(ctx.args.at(4))?);
    move_element(ctx, from, to)
}

static RPOPLPUSH: Command = Command {
    name: "rpoplpush",
    arity: 3,
    run: rpoplpush,
    summary: "Moves the last element of a list to the front of another, or the same, and gives it.",
    since: "1.2.0",
    syntax: "source destination",
    example: "> RPUSH a 1 2 3\n(integer) 3\n> RPOPLPUSH a b\n\"3\"\n> LRANGE b 0 -1\n1) \"3\"",
    deprecated: Some(("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")),
    ..MOVE
};

fn rpoplpush(ctx: &mut Ctx<'_, '_>) -> Outcome {
    move_element(ctx, End::Back, End::Front)
}

/// The end that an argument names.
pub(crate) fn end(arg: &[u8]) -> Result<End, Error> {
    match arg {
        arg if arg.eq_ignore_ascii_case(b"left") => Ok(End::Front),
        arg if arg.eq_ignore_ascii_case(b"right") => Ok(End::Back),
        _ => Err(Error::Syntax),
    }
}

fn move_element(ctx: &mut Ctx<'_, '_>, from: End, to: End) -> Outcome {
    let (source, destination) = (ctx.key(1), ctx.key(2));
    let Some(list) = ctx.db.write_list(source)? else {
        ctx.reply.null();
        return Ok(());
    };
    let position = if from == End::Front { 0 } else { list.len() - 1 };
    let mut element: SmallVec<[u8; 128]> = SmallVec::new();
    if let Some(moved) = list.get(position) {
        reply_element(ctx.reply, moved);
        element.extend_from_slice(moved.bytes(&mut itoa::Buffer::new()));
    }
    if source.bytes() == destination.bytes() {
        ctx.db.change_list(source, |list| list.rotate(from, to, &element));
        changed(ctx, push_event(to), source, 0);
        changed(ctx, pop_event(from), source, 1);
        return Ok(());
    }
    ctx.db.write_list(destination)?;
    ctx.db.change_list(destination, |list| list.push(to, std::iter::once(&element[..])));
    changed(ctx, push_event(to), destination, 0);
    remove_end(ctx, source, from, 1);
    Ok(())
}

static LMPOP: Command = Command {
    name: "lmpop",
    arity: -4,
    flags: flags::WRITE | flags::MOVABLEKEYS,
    keys: &[KeySpec::counted(1, "RW access delete")],
    run: lmpop,
    summary: "Removes elements from one end of the first of several lists that is there, and gives them.",
    since: "7.0.0",
    complexity: "O(N + M) for N keys and M elements",
    syntax: "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    example: "> RPUSH b 1 2 3\n(integer) 3\n> LMPOP 2 a b RIGHT COUNT 2\n1) \"b\"\n2) 1) \"3\"\n   2) \"2\"\n\
        > LMPOP 1 a LEFT\n(nil)",
    ..ONE_LIST
};

fn lmpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let PopRequest { keys, end, count } = PopRequest::parse(ctx.args, 1, end)?;
    for i in keys {
        let key = ctx.key(i);
        let Some(list) = ctx.db.write_list(key)? else { continue };
        ctx.reply.array(2);
        ctx.reply.bulk(key.bytes());
        let removed = reply_end(ctx.reply, list, end, count);
        remove_end(ctx, key, end, removed);
        effect(ctx, key, end, removed);
        return Ok(());
    }
    ctx.reply.null_array();
    Ok(())
}

/// LMPOP's effect is on one key: what the command found there.
fn effect(ctx: &mut Ctx<'_, '_>, key: Key<'_>, end: End, count: usize) {
    let name: &[u8] = if end == End::Front { b"LPOP" } else { b"RPOP" };
    let mut digits = itoa::Buffer::new();
    ctx.effect(&[name, key.bytes(), digits.format(count).as_bytes()]);
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    #[test]
    fn an_element_may_go_round_in_its_own_list() {
        let mut client = Client::new();
        client.check(&[("RPUSH a 1 2 3", "(integer) 3"), ("LMOVE a a RIGHT LEFT", "\"3\"")]);
        client.check(&[("LMOVE a a LEFT LEFT", "\"3\""), ("LRANGE a 0 -1", "1) \"3\"\n2) \"1\"\n3) \"2\"")]);
        client.check(&[
            ("RPUSH one x", "(integer) 1"),
            ("RPOPLPUSH one one", "\"x\""),
            ("LLEN one", "(integer) 1"),
        ]);
        let (changes, events, effects) = client.changes("RPOPLPUSH one one");
        assert_eq!(
            (changes, events, effects),
            (1, vec!["lpush one".into(), "rpop one".into()], vec!["RPOPLPUSH one one".into()])
        );
    }

    #[test]
    fn a_list_goes_with_its_last_element() {
        let mut client = Client::new();
        client.send("RPUSH a 1");
        let (changes, events, effects) = client.changes("LMOVE a b LEFT RIGHT");
        assert_eq!((changes, events.join(", ")), (1, "rpush b, lpop a, del a".into()));
        assert_eq!(effects, ["LMOVE a b LEFT RIGHT"]);
        let (changes, events, effects) = client.changes("LMPOP 3 x b b RIGHT COUNT 9");
        assert_eq!((changes, events.join(", ")), (1, "rpop b, del b".into()));
        assert_eq!(effects, ["RPOP b 1"]);
        client.check(&[("EXISTS a b", "(integer) 0")]);
    }

    #[test]
    fn options_of_lmpop_are_read_strictly() {
        const SYNTAX: &str = "ERR syntax error";
        const NUMKEYS: &str = "ERR numkeys should be greater than 0";
        const COUNT: &str = "ERR count should be greater than 0";
        let mut client = Client::new();
        client.send("RPUSH a 1");
        client.check_errors(&[
            ("LMPOP 0 a LEFT", NUMKEYS),
            ("LMPOP x a LEFT", NUMKEYS),
            ("LMPOP 1 a b LEFT", SYNTAX),
            ("LMPOP 2 a LEFT", SYNTAX),
            ("LMPOP 1 a LEFT COUNT", SYNTAX),
            ("LMPOP 1 a LEFT COUNT 1 COUNT 2", SYNTAX),
            ("LMPOP 1 a LEFT COUNT 0", COUNT),
            ("LMPOP 9223372036854775807 a LEFT", SYNTAX),
            ("LMOVE a b LEFT UP", SYNTAX),
        ]);
    }

    #[test]
    fn other_kinds_are_refused() {
        const WRONG: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
        let mut client = Client::new();
        client.check(&[("SET s 1", "OK"), ("RPUSH a 1", "(integer) 1")]);
        client.check_errors(&[
            ("LMOVE s a LEFT LEFT", WRONG),
            ("LMOVE a s LEFT LEFT", WRONG),
            ("LMPOP 2 x s LEFT", WRONG),
        ]);
        client.check(&[("LMOVE x s LEFT LEFT", "(nil)"), ("LMPOP 2 a s LEFT", "1) \"a\"\n2) 1) \"1\"")]);
    }
}
