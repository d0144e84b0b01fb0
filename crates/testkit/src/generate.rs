//! Requests made up from the command table: what each row's syntax allows, over values that are likely to show
//! mistakes, and now and then something that it does not allow.

use commands::{Row, Syntax};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

use crate::argument;
use crate::request::Request;
use crate::worlds::Rules;

/// A strategy for requests of `row`. Options that start with one of the words in `without` are left out: an
/// oracle may not know them.
pub(crate) fn requests(row: &'static Row, without: &[&str], rules: Rules) -> BoxedStrategy<Request> {
    let name = row.full_name();
    let syntax = Syntax::parse(row.command.syntax).and_then(|syntax| prune(syntax, without));
    let context = Context { command: &name, rules };
    let arguments = syntax.map_or_else(|| Just(Vec::new()).boxed(), |syntax| arguments(&syntax, context));
    let words: Vec<Vec<u8>> = name.split('|').map(|word| word.as_bytes().to_vec()).collect();
    let mistakes = if rules.flat_scores { Just(Mistake::None).boxed() } else { mistakes().boxed() };
    (arguments, mistakes)
        .prop_map(move |(arguments, mistake)| {
            let mut args = arguments;
            mistake.make(&mut args);
            Request([words.clone(), args].concat())
        })
        .boxed()
}

/// `syntax` without the branches and options that start with a word of `without`.
fn prune(syntax: Syntax, without: &[&str]) -> Option<Syntax> {
    let prune_all = |all: Vec<Syntax>| all.into_iter().filter_map(|s| prune(s, without)).collect::<Vec<_>>();
    let prune_boxed = |inner: Box<Syntax>| prune(*inner, without).map(Box::new);
    match syntax {
        Syntax::Token(word) => (!without.contains(&word)).then_some(syntax),
        Syntax::Argument(_) => Some(syntax),
        Syntax::Sequence(all) => match all.first() {
            Some(Syntax::Token(word)) if without.contains(word) => None,
            _ => Some(Syntax::Sequence(prune_all(all))),
        },
        Syntax::Choice(all) => Some(Syntax::Choice(prune_all(all))).filter(|s| *s != Syntax::Choice(vec![])),
        Syntax::Optional(inner) => prune_boxed(inner).map(Syntax::Optional),
        Syntax::Repeated(inner) => prune_boxed(inner).map(Syntax::Repeated),
    }
}

type Arguments = Vec<Vec<u8>>;

/// What arguments are made up for.
#[derive(Clone, Copy)]
struct Context<'c> {
    command: &'c str,
    rules: Rules,
}

/// What `syntax` allows.
fn arguments(syntax: &Syntax, context: Context<'_>) -> BoxedStrategy<Arguments> {
    match syntax {
        Syntax::Token(word) => {
            let (upper, lower) = (vec![word.as_bytes().to_vec()], vec![word.to_lowercase().into_bytes()]);
            prop_oneof![3 => Just(upper), 1 => Just(lower)].boxed()
        }
        Syntax::Argument(name) => {
            argument::named(name, context.command, context.rules).prop_map(|arg| vec![arg]).boxed()
        }
        Syntax::Sequence(all) => sequence(all, context),
        Syntax::Choice(all) => Union::new(all.iter().map(|s| arguments(s, context))).boxed(),
        Syntax::Optional(inner) => prop_oneof![3 => Just(Vec::new()), 2 => arguments(inner, context)].boxed(),
        Syntax::Repeated(inner) => {
            repeated(inner, context).prop_map(|all: Vec<Arguments>| all.concat()).boxed()
        }
    }
}

/// A few of what is repeated; rarely so many that a collection takes its other form.
fn repeated(inner: &Syntax, context: Context<'_>) -> BoxedStrategy<Vec<Arguments>> {
    let few = || vec(arguments(inner, context), 1..=4);
    if context.rules.many && !is_about_keys(inner) {
        prop_oneof![60 => few(), 1 => vec(arguments(inner, context), 40..=200)].boxed()
    } else {
        few().boxed()
    }
}

fn is_about_keys(syntax: &Syntax) -> bool {
    match syntax {
        Syntax::Token(_) => false,
        Syntax::Argument(name) => name.contains("key") || *name == "id" || *name == "weight",
        Syntax::Sequence(all) | Syntax::Choice(all) => all.iter().any(is_about_keys),
        Syntax::Optional(inner) | Syntax::Repeated(inner) => is_about_keys(inner),
    }
}

/// One after the other; the options, which stand last, in any order, and rarely one twice.
fn sequence(all: &[Syntax], context: Context<'_>) -> BoxedStrategy<Arguments> {
    let options = all.iter().rev().take_while(|s| matches!(s, Syntax::Optional(_))).count();
    let (fixed, options) = all.split_at(all.len() - options);
    let strategies = |all: &[Syntax]| all.iter().map(|s| arguments(s, context)).collect::<Vec<_>>();
    let again = prop_oneof![9 => Just(Vec::new()).boxed(), 1 => strategies(options).boxed()];
    (counted(fixed, context), strategies(options).prop_shuffle(), again)
        .prop_map(|(fixed, options, again)| [fixed, options.concat(), again.concat()].concat())
        .boxed()
}

/// One after the other, with the right count where `numkeys` or `numfields` says how often what follows is repeated, and
/// as many ids as keys.
fn counted(all: &[Syntax], context: Context<'_>) -> BoxedStrategy<Arguments> {
    let counts = |s: &Syntax| matches!(s, Syntax::Argument("numkeys" | "numfields"));
    let is_pair = |pair: &[Syntax]| {
        let second = matches!(pair[1], Syntax::Repeated(_));
        second && (counts(&pair[0]) || matches!(pair[0], Syntax::Repeated(_)))
    };
    let Some(at) = all.windows(2).position(is_pair) else {
        let strategies: Vec<_> = all.iter().map(|s| arguments(s, context)).collect();
        return strategies.prop_map(|all| all.concat()).boxed();
    };
    let Syntax::Repeated(second) = &all[at + 1] else { unreachable!("it was just seen to be repeated") };
    let pair = match &all[at] {
        Syntax::Repeated(first) => equally_often(first, second, context),
        _ => repeated(second, context)
            .prop_map(|all| [vec![all.len().to_string().into_bytes()], all.concat()].concat())
            .boxed(),
    };
    (counted(&all[..at], context), pair, counted(&all[at + 2..], context))
        .prop_map(|(before, pair, after)| [before, pair, after].concat())
        .boxed()
}

/// As many of the one as of the other: keys and ids.
fn equally_often(first: &Syntax, second: &Syntax, context: Context<'_>) -> BoxedStrategy<Arguments> {
    vec((arguments(first, context), arguments(second, context)), 1..=3)
        .prop_map(|pairs| {
            let (firsts, seconds): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            [firsts.concat(), seconds.concat()].concat()
        })
        .boxed()
}

/// What may be wrong with a request.
#[derive(Clone, Debug)]
enum Mistake {
    None,
    Missing(prop::sample::Index),
    Extra(Vec<u8>),
    Other(prop::sample::Index, Vec<u8>),
}

impl Mistake {
    fn make(self, args: &mut Arguments) {
        match self {
            Mistake::None => {}
            Mistake::Extra(arg) => args.push(arg),
            Mistake::Missing(_) | Mistake::Other(..) if args.is_empty() => {}
            Mistake::Missing(at) => drop(args.remove(at.index(args.len()))),
            Mistake::Other(at, arg) => *at.get_mut(args) = arg,
        }
    }
}

fn mistakes() -> impl Strategy<Value = Mistake> {
    let junk = || prop_oneof![select(JUNK).prop_map(|junk| junk.to_vec()), argument::keys()];
    prop_oneof![
        30 => Just(Mistake::None),
        1 => any::<prop::sample::Index>().prop_map(Mistake::Missing),
        1 => junk().prop_map(Mistake::Extra),
        1 => (any::<prop::sample::Index>(), junk()).prop_map(|(at, arg)| Mistake::Other(at, arg)),
    ]
}

/// Words that fit nowhere, or only in some places.
const JUNK: &[&[u8]] =
    &[b"", b"NX", b"xx", b"GET", b"KEEPTTL", b"100000", b"-1", b"x", b"1.5", b" 1", b"\xff\0\r\n", b"LIMIT"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_an_oracle_does_not_know_are_left_out() {
        let pruned = |text, without: &[&str]| Syntax::parse(text).and_then(|s| prune(s, without));
        assert_eq!(
            pruned("key [NX | IFEQ value | XX] [GET]", &["IFEQ"]),
            Syntax::parse("key [NX | XX] [GET]")
        );
        assert_eq!(
            pruned("key [IFEQ value]", &["IFEQ"]),
            Some(Syntax::Sequence(vec![Syntax::Argument("key")]))
        );
        assert_eq!(pruned("AND | OR", &["AND", "OR"]), None);
    }
}
