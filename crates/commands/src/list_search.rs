//! Lists: elements found by what they are.

use engine::{Element, End, List, element_of};

use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::KeySpec;
use crate::list::{ONE_LIST, changed, gone};
use crate::number::{int, signed};
use crate::table::{Command, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&LINSERT, &LREM, &LPOS];

static LINSERT: Command = Command {
    name: "linsert",
    arity: 5,
    flags: flags::WRITE | flags::DENYOOM,
    keys: &[KeySpec::one(1, "RW insert")],
    run: linsert,
    summary: "Puts an element beside the first one that is equal to the pivot.",
    since: "2.2.0",
    complexity: "O(N) for N elements before the pivot",
    syntax: "key <BEFORE | AFTER> pivot element",
    example: "> RPUSH a 1 3\n(integer) 2\n> LINSERT a BEFORE 3 2\n(integer) 3\n> LINSERT a AFTER 9 x\n(integer) -1\n\
        > LRANGE a 0 -1\n1) \"1\"\n2) \"2\"\n3) \"3\"",
    ..ONE_LIST
};

fn linsert(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (args, key) = (ctx.args, ctx.key(1));
    let after = match args.at(2) {
        side if side.eq_ignore_ascii_case(b"after") => true,
        side if side.eq_ignore_ascii_case(b"before") => false,
        _ => return Err(Error::Syntax),
    };
    let Some(list) = ctx.db.write_list(key)? else {
        ctx.reply.int(0);
        return Ok(());
    };
    let (pivot, element) = (element_of(args.at(3)), args.at(4));
    let pivot = list.elements(0).position(|e| e == pivot);
    let len = ctx.db.change_list(key, |list| {
        // Redis calls the list `quicklist` before it looks for the pivot.
        list.make_room(1, element.len());
        pivot.map(|pivot| {
            list.insert(pivot, after, element);
            list.list().len() as i64
        })
    });
    if len.is_some() {
        changed(ctx, "linsert", key, 1);
    }
    ctx.reply.int(len.unwrap_or(-1));
    Ok(())
}

static LREM: Command = Command {
    name: "lrem",
    arity: 4,
    flags: flags::WRITE,
    keys: &[KeySpec::one(1, "RW delete")],
    run: lrem,
    summary: "Removes elements that are equal to one: so many from the front, from the back when negative, or all \
        for 0; says how many.",
    since: "1.0.0",
    complexity: "O(N) for N elements",
    syntax: "key count element",
    example: "> RPUSH a x 1 x 2 x\n(integer) 5\n> LREM a -1 x\n(integer) 1\n> LREM a 0 x\n(integer) 2\n\
        > LRANGE a 0 -1\n1) \"1\"\n2) \"2\"",
    ..ONE_LIST
};

fn lrem(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, wanted) = (ctx.key(1), ctx.args.at(3));
    let count = signed(ctx.args.at(2))?;
    let Some(list) = ctx.db.write_list(key)? else {
        ctx.reply.int(0);
        return Ok(());
    };
    let (max, end) = match count {
        0 => (usize::MAX, End::Front),
        1.. => (usize::try_from(count).unwrap_or(usize::MAX), End::Front),
        _ => (usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX), End::Back),
    };
    let mut removed = 0;
    if list.elements(0).any(|e| e == element_of(wanted)) {
        let left = ctx.db.change_list(key, |list| {
            removed = list.remove_equal(wanted, max, end);
            list.list().len()
        });
        changed(ctx, "lrem", key, removed);
        gone(ctx, key, left);
    }
    ctx.reply.int(removed as i64);
    Ok(())
}

static LPOS: Command = Command {
    name: "lpos",
    arity: -3,
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    run: lpos,
    summary: "Finds the indexes of elements that are equal to one.",
    since: "6.0.6",
    complexity: "O(N) for N elements, or those that MAXLEN says",
    syntax: "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
    example: "> RPUSH a 1 x 2 x\n(integer) 4\n> LPOS a x\n(integer) 1\n> LPOS a x RANK -1\n(integer) 3\n\
        > LPOS a x COUNT 0\n1) (integer) 1\n2) (integer) 3\n> LPOS a y\n(nil)",
    ..ONE_LIST
};

/// What LPOS is asked for.
struct Search<'a> {
    wanted: Element<'a>,
    /// Matches passed over before the first that counts.
    skip: usize,
    from: End,
    /// Most matches; nothing: one, which is not replied as an array. 0: all.
    count: Option<usize>,
    /// Most elements compared.
    elements_max: usize,
}

impl<'a> Search<'a> {
    fn parse(ctx: &Ctx<'a, '_>) -> Result<Search<'a>, Error> {
        let args = ctx.args;
        let mut search = Search {
            wanted: element_of(args.at(2)),
            skip: 0,
            from: End::Front,
            count: None,
            elements_max: usize::MAX,
        };
        let mut i = 3;
        while let Some(name) = args.get(i) {
            let value = args.get(i + 1).ok_or(Error::Syntax)?;
            let positive = || int(value).ok().and_then(|n| usize::try_from(n).ok());
            if name.eq_ignore_ascii_case(b"rank") {
                search.set_rank(signed(value)?)?;
            } else if name.eq_ignore_ascii_case(b"count") {
                search.count = Some(positive().ok_or(Error::Text("ERR COUNT can't be negative"))?);
            } else if name.eq_ignore_ascii_case(b"maxlen") {
                search.elements_max = match positive().ok_or(Error::Text("ERR MAXLEN can't be negative"))? {
                    0 => usize::MAX,
                    len => len,
                };
            } else {
                return Err(Error::Syntax);
            }
            i += 2;
        }
        Ok(search)
    }

    fn set_rank(&mut self, rank: i64) -> Result<(), Error> {
        const ZERO: Error = Error::Text(
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative \
             to start from the end of the list",
        );
        let rank_abs = usize::try_from(rank.unsigned_abs()).unwrap_or(usize::MAX);
        self.skip = rank_abs.checked_sub(1).ok_or(ZERO)?;
        self.from = if rank < 0 { End::Back } else { End::Front };
        Ok(())
    }

    /// Calls `found` with the position of each match that is wanted.
    fn run(&self, list: List<'_>, found: impl FnMut(usize)) {
        let len = list.len();
        let count = match self.count {
            None => 1,
            Some(0) => usize::MAX,
            Some(count) => count,
        };
        let equal = |(position, element)| (element == self.wanted).then_some(position);
        match self.from {
            End::Front => {
                let elements = list.elements(0).enumerate().take(self.elements_max);
                elements.filter_map(equal).skip(self.skip).take(count).for_each(found);
            }
            End::Back => {
                let elements = (0..len).rev().zip(list.elements_back(len)).take(self.elements_max);
                elements.filter_map(equal).skip(self.skip).take(count).for_each(found);
            }
        }
    }
}

fn lpos(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let search = Search::parse(ctx)?;
    let list = ctx.db.read_list(key)?;
    if search.count.is_some() {
        let (array, mut found) = (ctx.reply.array_deferred(), 0);
        if let Some(list) = list {
            search.run(list, |position| {
                found += 1;
                ctx.reply.int(position as i64);
            });
        }
        ctx.reply.close_array(array, found);
        return Ok(());
    }
    let mut found = None;
    if let Some(list) = list {
        search.run(list, |position| found = Some(position));
    }
    match found {
        Some(position) => ctx.reply.int(position as i64),
        None => ctx.reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    const WRONG: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

    #[test]
    fn matches_are_counted_from_either_end() {
        let mut client = Client::new();
        client.send("RPUSH a x 1 x 2 x 3");
        client.check(&[
            ("LPOS a x RANK 2", "(integer) 2"),
            ("LPOS a x RANK 4", "(nil)"),
            ("LPOS a x RANK -2 COUNT 0", "1) (integer) 2\n2) (integer) 0"),
            ("LPOS a x COUNT 2", "1) (integer) 0\n2) (integer) 2"),
            ("LPOS a x COUNT 0 MAXLEN 4", "1) (integer) 0\n2) (integer) 2"),
            ("LPOS a x COUNT 0 MAXLEN 2 RANK -1", "1) (integer) 4"),
            ("LPOS a 3 MAXLEN 5", "(nil)"),
            ("LPOS a 3 MAXLEN 0", "(integer) 5"),
            ("LPOS none x", "(nil)"),
            ("LPOS none x COUNT 0", "(empty array)"),
        ]);
    }

    #[test]
    fn options_of_lpos_are_read_strictly() {
        let mut client = Client::new();
        client.check(&[("SET s 1", "OK"), ("RPUSH a 1", "(integer) 1")]);
        client.check_errors(&[
            ("LPOS a x RANK", "ERR syntax error"),
            ("LPOS a x FOO 1", "ERR syntax error"),
            ("LPOS a x RANK x", "ERR value is not an integer or out of range"),
            ("LPOS a x COUNT -1", "ERR COUNT can't be negative"),
            ("LPOS a x MAXLEN x", "ERR MAXLEN can't be negative"),
            (
                "LPOS a x RANK 0",
                "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
                 negative to start from the end of the list",
            ),
            (
                "LPOS a x RANK -9223372036854775808",
                "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            ),
            ("LPOS s x", WRONG),
        ]);
    }

    #[test]
    fn elements_go_from_the_end_that_is_asked_for() {
        let mut client = Client::new();
        client.send("RPUSH a x 1 x 2 x");
        let (changes, events, effects) = client.changes("LREM a -2 x");
        assert_eq!(
            (changes, events.join(", "), effects.join(", ")),
            (2, "lrem a".into(), "LREM a -2 x".into())
        );
        client.check(&[("LRANGE a 0 -1", "1) \"x\"\n2) \"1\"\n3) \"2\""), ("LREM a 5 y", "(integer) 0")]);
        let (changes, events, effects) = client.changes("LREM a 5 y");
        assert_eq!((changes, events.len(), effects.len()), (0, 0, 0));
        client.check(&[("LREM a 0 1", "(integer) 1"), ("LREM a 0 2", "(integer) 1")]);
        let (changes, events, _) = client.changes("LREM a 0 x");
        assert_eq!((changes, events.join(", ")), (1, "lrem a, del a".into()));
        client.check(&[("LREM a 0 x", "(integer) 0"), ("SET s 1", "OK")]);
        client.check_errors(&[
            ("LREM s 0 x", WRONG),
            ("LREM a 1.5 x", "ERR value is not an integer or out of range"),
        ]);
    }

    #[test]
    fn an_element_is_put_beside_the_first_pivot() {
        let mut client = Client::new();
        client.check(&[("RPUSH a 1 2 1", "(integer) 3"), ("LINSERT a after 1 x", "(integer) 4")]);
        client.check(&[("LRANGE a 0 -1", "1) \"1\"\n2) \"x\"\n3) \"2\"\n4) \"1\"")]);
        client.check(&[("LINSERT none BEFORE 1 x", "(integer) 0"), ("SET s 1", "OK")]);
        let (changes, events, effects) = client.changes("LINSERT a BEFORE 9 x");
        assert_eq!((changes, events.len(), effects.len()), (0, 0, 0));
        client.check_errors(&[("LINSERT s AFTER 1 x", WRONG), ("LINSERT a BESIDE 1 x", "ERR syntax error")]);
    }
}
