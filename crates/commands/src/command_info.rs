//! COMMAND INFO: arity, flags, keys, categories and hints of commands, for clients that route requests.

use resp::Reply;

use crate::category::CATEGORIES;
use crate::command::ANY;
use crate::ctx::Ctx;
use crate::keys::{FindKeys, KeySpec, Search};
use crate::lookup::{Row, find_named, rows};
use crate::table::{Command, Outcome, flags, table};

pub(crate) static INFO: Command = Command {
    name: "info",
    arity: -2,
    run: info,
    summary: "Describes commands for clients: arity, flags, keys, categories.",
    since: "2.8.13",
    complexity: "O(N), N being the number of commands",
    syntax: "[command-name...]",
    example: "> COMMAND INFO nosuch\n1) (nil)",
    history: &[("7.0.0", "Without a name, describes all.")],
    tips: &["nondeterministic_output_order"],
    ..ANY
};

fn info(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let names = ctx.args.from(2);
    if ctx.args.len() == 2 {
        all_info(ctx.reply);
        return Ok(());
    }
    ctx.reply.array(names.len());
    for name in names.iter() {
        match find_named(name) {
            Some(row) => describe(ctx.reply, row),
            None => ctx.reply.null_array(),
        }
    }
    Ok(())
}

/// Replies with every command's description.
pub(crate) fn all_info(reply: &mut Reply) {
    reply.array(table().count());
    rows().iter().filter(|row| row.container.is_none()).for_each(|row| describe(reply, row));
}

/// Writes what COMMAND INFO says of the command or subcommand of `row`.
pub fn describe(reply: &mut Reply, row: &Row) {
    let command = row.command;
    reply.array(10);
    reply.bulk(row.full_name().as_bytes());
    reply.int(i64::from(command.arity));
    let flags = || flags::SHOWN.into_iter().filter(|(flag, _)| command.is(*flag));
    reply.set(flags().count());
    flags().for_each(|(_, name)| reply.simple(name));
    let (first, last, step) = command.key_range();
    reply.int(first);
    reply.int(last);
    reply.int(step);
    let categories = || CATEGORIES.into_iter().filter(|c| command.is_in(c));
    reply.set(categories().count());
    categories().for_each(|c| reply.simple(&format!("@{c}")));
    reply.set(command.tips.len());
    command.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.set(command.keys.len());
    command.keys.iter().for_each(|spec| key_spec(reply, spec));
    reply.array(command.subcommands.len());
    for name in command.subcommands.iter().map(|c| c.name) {
        if let Some(row) = row.subcommand(name.as_bytes()) {
            describe(reply, row);
        }
    }
}

fn key_spec(reply: &mut Reply, spec: &KeySpec) {
    reply.map(3);
    reply.bulk(b"flags");
    let flags = || spec.flags.split(' ').filter(|flag| !flag.is_empty());
    reply.set(flags().count());
    flags().for_each(|flag| reply.simple(flag));
    reply.bulk(b"begin_search");
    match spec.search {
        Search::Index(index) => {
            typed(reply, "index", 1);
            pair(reply, "index", index as i64);
        }
        Search::Keyword(word, from) => {
            typed(reply, "keyword", 2);
            reply.bulk(b"keyword");
            reply.bulk(word.as_bytes());
            pair(reply, "startfrom", from as i64);
        }
        Search::Unknown(_) => typed(reply, "unknown", 0),
    }
    reply.bulk(b"find_keys");
    match spec.find {
        _ if matches!(spec.search, Search::Unknown(_)) => typed(reply, "unknown", 0),
        FindKeys::Range { last, step, limit } => {
            typed(reply, "range", 3);
            pair(reply, "lastkey", last as i64);
            pair(reply, "keystep", step as i64);
            pair(reply, "limit", limit as i64);
        }
        FindKeys::Count { count, first, step } => {
            typed(reply, "keynum", 3);
            pair(reply, "keynumidx", count as i64);
            pair(reply, "firstkey", first as i64);
            pair(reply, "keystep", step as i64);
        }
    }
}

/// The head of a typed part of a key specification, whose `pairs` follow.
fn typed(reply: &mut Reply, kind: &str, pairs: usize) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(pairs);
}

fn pair(reply: &mut Reply, name: &str, n: i64) {
    reply.bulk(name.as_bytes());
    reply.int(n);
}

impl Command {
    /// First key, last key (from the end when negative) and step, as clients knew it before there were key
    /// specifications: of those that are ranges and adjoin one another. All zero: there is none.
    fn key_range(&self) -> (i64, i64, i64) {
        let ranges = self.keys.iter().filter_map(|spec| match (spec.search, spec.find) {
            (Search::Index(index), FindKeys::Range { last, step, .. }) => {
                let (index, last) = (index as i64, last as i64);
                Some((index, if last < 0 { last } else { index + last }, step as i64))
            }
            _ => None,
        });
        let join = |(first, last, step): (i64, i64, i64), next: (i64, i64, i64)| match next {
            next if first == 0 => next,
            (begin, end, 1) if step == 1 && begin == last + 1 => (first, end, 1),
            _ => (first, last, step),
        };
        ranges.fold((0, 0, 0), join)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Client;

    #[test]
    fn a_command_is_described_as_redis_does() {
        let mut client = Client::new();
        client.send("HELLO 3");
        assert_eq!(
            client.send("COMMAND INFO Get nosuch").replace("\r\n", " "),
            "*2 *10 $3 get :2 ~2 +readonly +fast :1 :1 :1 ~3 +@read +@string +@fast ~0 ~1 %3 $5 flags ~2 +RO +access \
             $12 begin_search %2 $4 type $5 index $4 spec %1 $5 index :1 $9 find_keys %2 $4 type $5 range $4 spec \
             %3 $7 lastkey :0 $7 keystep :1 $5 limit :0 *0 _ "
        );
    }

    #[test]
    fn subcommands_are_described_by_themselves_and_in_their_container() {
        let mut client = Client::new();
        let reply = client.value("COMMAND INFO client|ID client client|nosuch ping|x");
        let [id, container, none, no_container] = reply.as_slice().unwrap() else { panic!("{reply:?}") };
        assert_eq!(id.as_slice().unwrap()[0].as_bytes(), Some(&b"client|id"[..]));
        let subcommands = container.as_slice().unwrap()[9].as_slice().unwrap();
        assert!(subcommands.contains(id));
        assert_eq!((none, no_container), (&resp::Value::Null, &resp::Value::Null));
    }

    #[test]
    fn ranges_that_adjoin_are_one() {
        let of = |keys: Vec<KeySpec>| Command { keys: keys.leak(), ..Command::BLANK }.key_range();
        assert_eq!(of(vec![]), (0, 0, 0));
        assert_eq!(of(vec![KeySpec::one(1, ""), KeySpec::one(2, "")]), (1, 2, 1));
        assert_eq!(of(vec![KeySpec::one(2, ""), KeySpec::rest(3, 1, "")]), (2, -1, 1));
        assert_eq!(of(vec![KeySpec::rest(1, 2, "")]), (1, -1, 2));
    }
}
