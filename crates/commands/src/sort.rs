//! SORT and SORT_RO: the elements of a list, set or sorted set in another order, or what is looked up for them.

use std::cmp::Ordering;
use std::ops::Range;

use engine::{Element, EventClass, Key, ListBuilder, Owned, View, WrongType};
use resp::Args;

use crate::ctx::Ctx;
use crate::element::reply_element;
use crate::error::Error;
use crate::generic;
use crate::keys::KeySpec;
use crate::number::{float, int};
use crate::sort_pattern::Pattern;
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&SORT, &SORT_RO];

/// What both have in common.
const ANY_SORT: Command = Command {
    arity: -2,
    categories: "@set @sortedset @list @dangerous",
    locks: Locks::Keys,
    locks_of: Some(locks_of),
    group: "generic",
    complexity: "O(N + M log M) for N elements, of which M are sorted",
    ..Command::BLANK
};

static SORT: Command = Command {
    name: "sort",
    flags: flags::WRITE | flags::DENYOOM | flags::MOVABLEKEYS,
    keys: &[
        KeySpec::one(1, "RO access"),
        KeySpec::unknown(|_| None, "RO access"),
        KeySpec::unknown(store_position, "OW update"),
    ],
    run: sort,
    summary: "Gives or stores the elements of a list, set or sorted set in the order of numbers, of names, or of \
        what is looked up for each.",
    since: "1.0.0",
    syntax: "key [BY by-pattern] [LIMIT offset count] [GET get-pattern ...] [ASC | DESC] [ALPHA] [STORE destination]",
    example: "> RPUSH a 3 1 2\n(integer) 3\n> SORT a\n1) \"1\"\n2) \"2\"\n3) \"3\"\n> MSET w_1 9 w_2 8 w_3 7\nOK\n\
        > SORT a BY w_* LIMIT 0 2 GET # GET w_*\n1) \"3\"\n2) \"7\"\n3) \"2\"\n4) \"8\"\n\
        > SORT a DESC STORE b\n(integer) 3\n> LRANGE b 0 0\n1) \"3\"",
    ..ANY_SORT
};

fn sort(ctx: &mut Ctx<'_, '_>) -> Outcome {
    run(ctx, true)
}

static SORT_RO: Command = Command {
    name: "sort_ro",
    flags: flags::READONLY | flags::MOVABLEKEYS,
    keys: &[KeySpec::one(1, "RO access"), KeySpec::unknown(|_| None, "RO access")],
    run: sort_ro,
    summary: "Gives the elements of a list, set or sorted set as SORT does; it stores nothing.",
    since: "7.0.0",
    syntax: "key [BY by-pattern] [LIMIT offset count] [GET get-pattern ...] [ASC | DESC] [ALPHA]",
    example: "> RPUSH a b c a\n(integer) 3\n> SORT_RO a ALPHA\n1) \"a\"\n2) \"b\"\n3) \"c\"",
    ..ANY_SORT
};

fn sort_ro(ctx: &mut Ctx<'_, '_>) -> Outcome {
    run(ctx, false)
}

/// What is asked for.
struct Sorting<'a> {
    /// What to sort by; nothing: the elements themselves.
    by: Option<Pattern<'a>>,
    /// What to give for each element; none: itself.
    gets: Vec<Pattern<'a>>,
    /// LIMIT's offset and count; a negative count: all the rest.
    limit: (i64, i64),
    descending: bool,
    /// By bytes rather than numbers.
    alpha: bool,
    /// Where the argument is that names the destination.
    store: Option<usize>,
}

impl<'a> Sorting<'a> {
    fn parse(args: Args<'a>, may_store: bool) -> Result<Sorting<'a>, Error> {
        let mut sorting = Sorting {
            by: None,
            gets: Vec::new(),
            limit: (0, -1),
            descending: false,
            alpha: false,
            store: None,
        };
        let mut i = 2;
        while let Some(name) = args.get(i) {
            let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
            match (args.get(i + 1), args.get(i + 2)) {
                _ if is("asc") => sorting.descending = false,
                _ if is("desc") => sorting.descending = true,
                _ if is("alpha") => sorting.alpha = true,
                (Some(offset), Some(count)) if is("limit") => {
                    sorting.limit = (int(offset)?, int(count)?);
                    i += 2;
                }
                (Some(_), _) if is("store") && may_store => {
                    sorting.store = Some(i + 1);
                    i += 1;
                }
                (Some(pattern), _) if is("by") => {
                    // Without a place for the element there is nothing to sort by, whatever comes after.
                    sorting.by = Some(match (sorting.by, Pattern::parse(pattern)) {
                        (Some(Pattern::Nothing), _) | (_, Pattern::Element) => Pattern::Nothing,
                        (_, pattern) => pattern,
                    });
                    i += 1;
                }
                (Some(pattern), _) if is("get") => {
                    sorting.gets.push(Pattern::parse(pattern));
                    i += 1;
                }
                _ => return Err(Error::Syntax),
            }
            i += 1;
        }
        Ok(sorting)
    }

    /// Whether keys are looked up that the request does not name.
    fn looks_up(&self) -> bool {
        self.by.iter().chain(&self.gets).any(|pattern| matches!(pattern, Pattern::Key { .. }))
    }

    /// The part of `len` elements that LIMIT asks for.
    fn range(&self, len: usize) -> Range<usize> {
        let within = |n: i64| usize::try_from(n.max(0)).map_or(len, |n| n.min(len));
        let start = within(self.limit.0);
        let count = if self.limit.1 < 0 { len } else { within(self.limit.1) };
        start..(start + count).min(len)
    }
}

/// BY and GET read keys that only the elements tell.
fn locks_of(args: Args<'_>) -> Locks {
    match Sorting::parse(args, true) {
        Ok(sorting) if sorting.looks_up() => Locks::Everything,
        _ => Locks::Keys,
    }
}

/// Where STORE's destination is.
fn store_position(args: Args<'_>) -> Option<usize> {
    Sorting::parse(args, true).ok()?.store
}

/// An element and what it is sorted by.
struct Item<'v> {
    element: Element<'v>,
    weight: Weight,
}

enum Weight {
    Number(f64),
    /// What BY found.
    Text(Option<Box<[u8]>>),
    /// The element's bytes.
    Element,
}

/// Elements from which the reply is written while others have the stripes.
const LONG: usize = 1000;

fn run(ctx: &mut Ctx<'_, '_>, may_store: bool) -> Outcome {
    let (args, key) = (ctx.args, ctx.key(1));
    let sorting = Sorting::parse(args, may_store)?;
    let source = source(ctx, key)?;
    let source = source.as_ref().map(Owned::value);
    if sorting.store.is_none() && !sorting.looks_up() && source.is_some_and(|view| len(view) >= LONG) {
        ctx.db.release();
    }
    let elements = match source {
        Some(view) => sorted(ctx, &sorting, view)?,
        None => Vec::new(),
    };
    match sorting.store {
        Some(destination) => store(ctx, &sorting, &elements, destination),
        None => reply(ctx, &sorting, &elements),
    }
    Ok(())
}

/// A copy of the value at `key`, which shares what is large in it: the keyspace is needed for other keys meanwhile.
fn source(ctx: &mut Ctx<'_, '_>, key: Key<'_>) -> Result<Option<Owned>, Error> {
    match ctx.db.read(key).map(|entry| entry.value()) {
        None => return Ok(None),
        // Redis has no other form of a sorted set that it can sort, and keeps it in that.
        Some(View::ZSet(zset)) if !zset.is_skiplist() => ctx.db.change_zset(key, |zset| zset.call_skiplist()),
        Some(View::List(_) | View::Set(_) | View::ZSet(_)) => {}
        Some(_) => return Err(WrongType.into()),
    }
    Ok(ctx.db.copy(key))
}

fn len(view: View<'_>) -> usize {
    match view {
        View::List(list) => list.len(),
        View::Set(set) => set.len(),
        View::ZSet(zset) => zset.len(),
        View::String(_) | View::Hash(_) | View::Stream(_) => 0,
    }
}

/// The elements asked for, in the order asked for.
fn sorted<'v>(
    ctx: &mut Ctx<'_, '_>,
    sorting: &Sorting<'_>,
    view: View<'v>,
) -> Result<Vec<Element<'v>>, Error> {
    let range = sorting.range(len(view));
    let stored = sorting.store.is_some();
    let (by, alpha) = match (sorting.by, view) {
        // A set has no order that would be the same wherever this is run: it gets one.
        (Some(Pattern::Nothing), View::Set(_)) if stored => (None, true),
        (Some(Pattern::Nothing), _) => return Ok(unsorted(view, sorting.descending, range)),
        (by, _) => (by, sorting.alpha),
    };
    let elements = unsorted(view, false, 0..len(view));
    let mut items = weighed(ctx, by, alpha, elements)?;
    let by_element = matches!(view, View::Set(_));
    items.sort_by(|a, b| {
        let order = compare(a, b).then_with(|| match by_element {
            true => compare_elements(a.element, b.element),
            false => Ordering::Equal,
        });
        if sorting.descending { order.reverse() } else { order }
    });
    Ok(items[range].iter().map(|item| item.element).collect())
}

/// The elements of `range` in their own order, or, `backwards`, in the opposite one. A set has none.
fn unsorted(view: View<'_>, backwards: bool, range: Range<usize>) -> Vec<Element<'_>> {
    let (len, count) = (len(view), range.len());
    let mirrored = len - range.end..len - range.start;
    match view {
        View::List(list) if backwards => list.elements_back(mirrored.end).take(count).collect(),
        View::List(list) => list.elements(range.start).take(count).collect(),
        View::ZSet(zset) if backwards => zset.range_backwards(mirrored).map(|member| member.name).collect(),
        View::ZSet(zset) => zset.range(range).map(|member| member.name).collect(),
        View::Set(set) => set.iter().skip(range.start).take(count).collect(),
        View::String(_) | View::Hash(_) | View::Stream(_) => Vec::new(),
    }
}

/// The elements with what they are sorted by.
fn weighed<'v>(
    ctx: &mut Ctx<'_, '_>,
    by: Option<Pattern<'_>>,
    alpha: bool,
    elements: Vec<Element<'v>>,
) -> Result<Vec<Item<'v>>, Error> {
    let (mut found, mut all_numbers) = (Vec::new(), true);
    let mut digits = itoa::Buffer::new();
    let mut weigh = |element: Element<'v>| {
        let there = by.is_none_or(|by| by.look_up(&mut ctx.db, element.bytes(&mut digits), &mut found));
        let weight = match (by, element) {
            (None, _) if alpha => Weight::Element,
            (_, _) if alpha => Weight::Text(there.then(|| found.as_slice().into())),
            (None, Element::Int(n)) => Weight::Number(n as f64),
            (_, _) if !there => Weight::Number(0.0),
            (by, element) => {
                let text = if by.is_some() { &found } else { element.bytes(&mut digits) };
                let number = number(text);
                all_numbers &= number.is_some();
                Weight::Number(number.unwrap_or(0.0))
            }
        };
        Item { element, weight }
    };
    let items = elements.into_iter().map(&mut weigh).collect();
    match all_numbers {
        true => Ok(items),
        false => Err(Error::Text("ERR One or more scores can't be converted into double")),
    }
}

/// The number that a weight is, as C's `strtod` reads it from a string: spaces before it are passed over, nothing at all
/// is 0, and a zero byte ends it.
fn number(text: &[u8]) -> Option<f64> {
    let text = text.split(|&b| b == 0).next().unwrap_or_default();
    let spaces = text.iter().take_while(|b| b.is_ascii_whitespace() || **b == 0x0b).count();
    match text.is_empty() {
        true => Some(0.0),
        // SORT takes what `strtod` calls out of range as an error, also a double that is merely not precise.
        false => float(&text[spaces..]).ok().filter(|d| !d.is_subnormal()),
    }
}

fn compare(a: &Item<'_>, b: &Item<'_>) -> Ordering {
    match (&a.weight, &b.weight) {
        (Weight::Number(x), Weight::Number(y)) => {
            let order = x.partial_cmp(y).unwrap_or(Ordering::Equal);
            order.then_with(|| compare_elements(a.element, b.element))
        }
        (Weight::Text(x), Weight::Text(y)) => x.cmp(y),
        _ => compare_elements(a.element, b.element),
    }
}

fn compare_elements(a: Element<'_>, b: Element<'_>) -> Ordering {
    a.bytes(&mut itoa::Buffer::new()).cmp(b.bytes(&mut itoa::Buffer::new()))
}

fn reply(ctx: &mut Ctx<'_, '_>, sorting: &Sorting<'_>, elements: &[Element<'_>]) {
    ctx.reply.array(elements.len() * sorting.gets.len().max(1));
    let (mut found, mut digits) = (Vec::new(), itoa::Buffer::new());
    for &element in elements {
        if sorting.gets.is_empty() {
            reply_element(ctx.reply, element);
        }
        for get in &sorting.gets {
            match get.look_up(&mut ctx.db, element.bytes(&mut digits), &mut found) {
                true => ctx.reply.bulk(&found),
                false => ctx.reply.null(),
            }
        }
    }
}

/// Makes a list of what would be replied, and says how long it is; what is not found becomes an empty element.
fn store(ctx: &mut Ctx<'_, '_>, sorting: &Sorting<'_>, elements: &[Element<'_>], destination: usize) {
    let key = ctx.key(destination);
    let count = elements.len() * sorting.gets.len().max(1);
    let mut list = ListBuilder::new(&ctx.db.turn.limits);
    let (mut found, mut digits) = (Vec::new(), itoa::Buffer::new());
    for &element in elements {
        let element = element.bytes(&mut digits);
        if sorting.gets.is_empty() {
            list.push(element);
        }
        for get in &sorting.gets {
            get.look_up(&mut ctx.db, element, &mut found);
            list.push(&found);
        }
    }
    // Redis counts a change for each element.
    ctx.db.turn.dirty += count.saturating_sub(1) as u64;
    let list = (count > 0).then(|| list.finish());
    generic::store(ctx, key, list, count, (EventClass::List, "sortstore"));
}

#[cfg(test)]
mod tests;
