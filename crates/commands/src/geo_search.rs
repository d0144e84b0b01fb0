//! GEOSEARCH and its elders: places in a circle or a box.

use engine::{Element, ZSet};
use resp::{Args, Reply};

use crate::ctx::Ctx;
use crate::error::Error;
use crate::geo::{GEO, place_of, point, reply_distance, reply_point, unit_m};
use crate::geo_area::{Area, Shape};
use crate::geohash::Point;
use crate::keys::{FindKeys, KeySpec, Search};
use crate::number::{float, int};
use crate::table::{Command, Locks, Outcome, flags};
use crate::zset::{LONG, copy_and_release, store, zset_of};

/// This family.
pub(crate) static COMMANDS: &[&Command] =
    &[&GEOSEARCH, &GEOSEARCHSTORE, &GEORADIUS, &GEORADIUS_RO, &GEORADIUSBYMEMBER, &GEORADIUSBYMEMBER_RO];

/// What the commands of this family have in common.
const SEARCH: Command = Command {
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    complexity: "O(N+log(M)) for N places around the area, of M in the set",
    ..GEO
};

/// What the older ones have in common that can store what they find.
const RADIUS: Command = Command {
    flags: flags::WRITE | flags::DENYOOM | flags::MOVABLEKEYS,
    locks_of: Some(locks_of_stores),
    ..SEARCH
};

/// A request that names several keys to store to is allowed, and stores to the last; the specifications find the first.
fn locks_of_stores(args: Args<'_>) -> Locks {
    let is_store =
        |word: &&[u8]| word.eq_ignore_ascii_case(b"STORE") || word.eq_ignore_ascii_case(b"STOREDIST");
    if args.iter().filter(is_store).count() > 1 { Locks::Everything } else { Locks::Keys }
}

/// Where the key is that an older command stores to: after `word`, looked for from argument `from` on.
const fn stored(word: &'static str, from: isize) -> KeySpec {
    KeySpec {
        search: Search::Keyword(word, from),
        find: FindKeys::Range { last: 0, step: 1, limit: 0 },
        flags: "OW update",
    }
}

static GEOSEARCH: Command = Command {
    name: "geosearch",
    arity: -7,
    run: |ctx| search(ctx, Form::Search { source: 1 }),
    summary: "Finds places in a circle or a box around a member or a place.",
    since: "6.2.0",
    syntax: "key (FROMMEMBER member | FROMLONLAT <longitude latitude>) \
        (BYRADIUS <radius (M | KM | FT | MI)> | BYBOX <width height (M | KM | FT | MI)>) [ASC | DESC] \
        [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
    example: "> GEOADD a 13.361389 38.115556 Palermo 15.087269 37.502669 Catania\n(integer) 2\n\
        > GEOSEARCH a FROMLONLAT 15 37 BYRADIUS 200 km ASC\n1) \"Catania\"\n2) \"Palermo\"\n\
        > GEOSEARCH a FROMMEMBER Palermo BYBOX 10 10 km WITHDIST\n1) 1) \"Palermo\"\n   2) \"0.0000\"",
    history: &[("7.0.0", "Added support for uppercase unit names.")],
    ..SEARCH
};

static GEOSEARCHSTORE: Command = Command {
    name: "geosearchstore",
    arity: -8,
    flags: flags::WRITE | flags::DENYOOM,
    keys: &[KeySpec::one(1, "OW update"), KeySpec::one(2, "RO access")],
    run: |ctx| search(ctx, Form::Search { source: 2 }),
    summary: "Makes a key of the places in a circle or a box around a member or a place.",
    since: "6.2.0",
    syntax: "destination source (FROMMEMBER member | FROMLONLAT <longitude latitude>) \
        (BYRADIUS <radius (M | KM | FT | MI)> | BYBOX <width height (M | KM | FT | MI)>) [ASC | DESC] \
        [COUNT count [ANY]] [STOREDIST]",
    example: "> GEOADD a 13.361389 38.115556 Palermo 15.087269 37.502669 Catania\n(integer) 2\n\
        > GEOSEARCHSTORE b a FROMLONLAT 15 37 BYRADIUS 100 km\n(integer) 1\n> ZRANGE b 0 -1\n1) \"Catania\"",
    history: &[("7.0.0", "Added support for uppercase unit names.")],
    ..SEARCH
};

static GEORADIUS: Command = Command {
    name: "georadius",
    arity: -6,
    keys: &[KeySpec::one(1, "RO access"), stored("STORE", 6), stored("STOREDIST", 6)],
    run: |ctx| search(ctx, Form::Radius { may_store: true }),
    summary: "Finds places in a circle around a place, or makes a key of them.",
    since: "3.2.0",
    syntax: "key longitude latitude radius (M | KM | FT | MI) [WITHCOORD] [WITHDIST] [WITHHASH] \
        [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]",
    example: "> GEOADD a 13.361389 38.115556 Palermo 15.087269 37.502669 Catania\n(integer) 2\n\
        > GEORADIUS a 15 37 200 km WITHDIST\n1) 1) \"Palermo\"\n   2) \"190.4424\"\n2) 1) \"Catania\"\n   2) \"56.4413\"",
    history: &[
        ("6.2.0", "Added the `ANY` option for `COUNT`."),
        ("7.0.0", "Added support for uppercase unit names."),
    ],
    deprecated: Some(("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument")),
    ..RADIUS
};

static GEORADIUS_RO: Command = Command {
    name: "georadius_ro",
    arity: -6,
    run: |ctx| search(ctx, Form::Radius { may_store: false }),
    summary: "Finds places in a circle around a place.",
    since: "3.2.10",
    syntax: "key longitude latitude radius (M | KM | FT | MI) [WITHCOORD] [WITHDIST] [WITHHASH] \
        [COUNT count [ANY]] [ASC | DESC]",
    example: "> GEOADD a 13.361389 38.115556 Palermo\n(integer) 1\n> GEORADIUS_RO a 13 38 100 km\n1) \"Palermo\"",
    history: &[("6.2.0", "Added the `ANY` option for `COUNT`.")],
    deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")),
    ..SEARCH
};

static GEORADIUSBYMEMBER: Command = Command {
    name: "georadiusbymember",
    arity: -5,
    keys: &[KeySpec::one(1, "RO access"), stored("STORE", 5), stored("STOREDIST", 5)],
    run: |ctx| search(ctx, Form::Member { may_store: true }),
    summary: "Finds places in a circle around a member, or makes a key of them.",
    since: "3.2.0",
    syntax: "key member radius (M | KM | FT | MI) [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] \
        [ASC | DESC] [STORE key | STOREDIST key]",
    example: "> GEOADD a 13.361389 38.115556 Palermo\n(integer) 1\n> GEORADIUSBYMEMBER a Palermo 1 km STORE b\n(integer) 1",
    history: &[
        ("6.2.0", "Added the `ANY` option for `COUNT`."),
        ("7.0.0", "Added support for uppercase unit names."),
    ],
    deprecated: Some((
        "6.2.0",
        "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
    )),
    ..RADIUS
};

static GEORADIUSBYMEMBER_RO: Command = Command {
    name: "georadiusbymember_ro",
    arity: -5,
    run: |ctx| search(ctx, Form::Member { may_store: false }),
    summary: "Finds places in a circle around a member.",
    since: "3.2.10",
    syntax: "key member radius (M | KM | FT | MI) [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]",
    example: "> GEOADD a 13.361389 38.115556 Palermo\n(integer) 1\n> GEORADIUSBYMEMBER_RO a Palermo 1 km\n1) \"Palermo\"",
    history: &[("6.2.0", "Added the `ANY` option for `COUNT`.")],
    deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments")),
    ..SEARCH
};

/// How a command of this family is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Everything is an option; the source is argument 1, or 2 behind the destination.
    Search { source: usize },
    /// `key longitude latitude radius unit`.
    Radius { may_store: bool },
    /// `key member radius unit`.
    Member { may_store: bool },
}

impl Form {
    fn is_search(self) -> bool {
        matches!(self, Form::Search { .. })
    }

    /// Which argument is the key that is looked in.
    fn source(self) -> usize {
        if let Form::Search { source } = self { source } else { 1 }
    }

    /// The first argument that is an option.
    fn options(self) -> usize {
        match self {
            Form::Search { source } => source + 1,
            Form::Radius { .. } => 6,
            Form::Member { .. } => 5,
        }
    }

    /// Whether options can name a key to store to.
    fn may_store(self) -> bool {
        matches!(self, Form::Radius { may_store: true } | Form::Member { may_store: true })
    }
}

/// In which order places come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
}

/// The place to look from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum From {
    /// It was given.
    Place(Point),
    /// It is a member's; nothing: of a set that is not there.
    Member(Option<Point>),
}

/// What a command of this family asks for.
#[derive(Clone, Debug, Default)]
struct Wanted {
    from: Option<From>,
    /// The shape, and the meters of its unit.
    shape: Option<(Shape, f64)>,
    order: Option<Order>,
    /// Most places; 0: all.
    count: usize,
    /// Stop as soon as there are so many (`ANY`).
    any: bool,
    with_coordinates: bool,
    with_distance: bool,
    with_hash: bool,
    /// Which argument is the key to store to.
    destination: Option<usize>,
    /// Distances become the scores that are stored.
    store_distances: bool,
}

impl Wanted {
    fn parse(ctx: &mut Ctx<'_, '_>, form: Form) -> Result<Wanted, Error> {
        let mut wanted = Wanted::default();
        let args = ctx.args;
        match form {
            Form::Search { source } => wanted.destination = (source == 2).then_some(1),
            Form::Radius { .. } => {
                wanted.from = Some(From::Place(point(args, 2)?));
                wanted.shape = Some(circle(args, 4)?);
            }
            Form::Member { .. } => {
                wanted.from = Some(from_member(ctx, form, 2)?);
                // Of a set that is not there Redis does not read the rest.
                if wanted.from != Some(From::Member(None)) {
                    wanted.shape = Some(circle(args, 3)?);
                }
            }
        }
        let mut i = form.options();
        while i < args.len() {
            i += match wanted.flag(args.at(i)) || wanted.stored_distances(args.at(i), form) {
                true => 1,
                false => wanted.option(ctx, form, i)?,
            };
        }
        wanted.check(args, form)?;
        Ok(wanted)
    }

    /// Takes `word` when it is an option without a value; whether it is.
    fn flag(&mut self, word: &[u8]) -> bool {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if is("ASC") || is("DESC") {
            self.order = Some(if is("ASC") { Order::Ascending } else { Order::Descending });
            return true;
        }
        let flag = if is("WITHDIST") {
            &mut self.with_distance
        } else if is("WITHHASH") {
            &mut self.with_hash
        } else if is("WITHCOORD") {
            &mut self.with_coordinates
        } else if is("ANY") {
            &mut self.any
        } else {
            return false;
        };
        *flag = true;
        true
    }

    /// Takes GEOSEARCHSTORE's STOREDIST; whether `word` is that.
    fn stored_distances(&mut self, word: &[u8], form: Form) -> bool {
        let is = form == Form::Search { source: 2 } && word.eq_ignore_ascii_case(b"STOREDIST");
        self.store_distances |= is;
        is
    }

    /// Takes the option with values at argument `i`; how many arguments it is.
    fn option(&mut self, ctx: &mut Ctx<'_, '_>, form: Form, i: usize) -> Result<usize, Error> {
        let args = ctx.args;
        let (word, left) = (args.at(i), args.len() - i - 1);
        let is = |name: &str, values: usize| left >= values && word.eq_ignore_ascii_case(name.as_bytes());
        let search = form.is_search();
        if is("COUNT", 1) {
            let count = int(args.at(i + 1))?;
            let positive = usize::try_from(count).ok().filter(|&count| count > 0);
            self.count = positive.ok_or(Error::Text("ERR COUNT must be > 0"))?;
            Ok(2)
        } else if form.may_store() && (is("STORE", 1) || is("STOREDIST", 1)) {
            self.destination = Some(i + 1);
            self.store_distances = is("STOREDIST", 1);
            Ok(2)
        } else if search && is("FROMMEMBER", 1) && !matches!(self.from, Some(From::Place(_))) {
            self.from = Some(from_member(ctx, form, i + 1)?);
            Ok(2)
        } else if search && is("FROMLONLAT", 2) && !matches!(self.from, Some(From::Member(_))) {
            self.from = Some(From::Place(point(args, i + 1)?));
            Ok(3)
        } else if search && is("BYRADIUS", 2) && !matches!(self.shape, Some((Shape::Box { .. }, _))) {
            self.shape = Some(circle(args, i + 1)?);
            Ok(3)
        } else if search && is("BYBOX", 3) && !matches!(self.shape, Some((Shape::Circle { .. }, _))) {
            self.shape = Some(rectangle(args, i + 1)?);
            Ok(4)
        } else {
            Err(Error::Syntax)
        }
    }

    /// Whether the options go together.
    fn check(&self, args: Args<'_>, form: Form) -> Result<(), Error> {
        let name = String::from_utf8_lossy(args.at(0));
        if self.destination.is_some() && (self.with_coordinates || self.with_distance || self.with_hash) {
            let what = if form.is_search() { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
            return Err(Error::Message(format!(
                "ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )));
        }
        if self.from.is_none() {
            return Err(Error::Message(format!(
                "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}"
            )));
        }
        if form.is_search() && self.shape.is_none() {
            return Err(Error::Message(format!(
                "ERR exactly one of BYRADIUS and BYBOX can be specified for {name}"
            )));
        }
        if self.any && self.count == 0 {
            return Err(Error::Text("ERR the ANY argument requires COUNT argument"));
        }
        Ok(())
    }

    /// The area; nothing when there is no place to look from.
    fn area(&self) -> Option<Area> {
        match (self.from, self.shape) {
            (Some(From::Place(center) | From::Member(Some(center))), Some((shape, unit_m))) => {
                Some(Area { center, shape, unit_m })
            }
            _ => None,
        }
    }

    /// How many things are told of each place beside its name.
    fn details(&self) -> usize {
        [self.with_coordinates, self.with_distance, self.with_hash].into_iter().filter(|with| *with).count()
    }
}

/// The place of the member that argument `i` names.
fn from_member(ctx: &mut Ctx<'_, '_>, form: Form, i: usize) -> Result<From, Error> {
    let key = ctx.key(form.source());
    if ctx.db.peek(key).is_none() {
        return Ok(From::Member(None));
    }
    let place = place_of(ctx, key, ctx.args.at(i))?;
    let place = place.ok_or(Error::Text("ERR could not decode requested zset member"))?;
    Ok(From::Member(Some(place)))
}

/// The circle that arguments `i` (its radius) and `i + 1` (the unit) are.
fn circle(args: Args<'_>, i: usize) -> Result<(Shape, f64), Error> {
    let radius = float(args.at(i)).map_err(|_| Error::Text("ERR need numeric radius"))?;
    if radius < 0.0 {
        return Err(Error::Text("ERR radius cannot be negative"));
    }
    Ok((Shape::Circle { radius }, unit_m(args.at(i + 1))?))
}

/// The box that the three arguments from `i` on are: its width, its height and their unit.
fn rectangle(args: Args<'_>, i: usize) -> Result<(Shape, f64), Error> {
    let width = float(args.at(i)).map_err(|_| Error::Text("ERR need numeric width"))?;
    let height = float(args.at(i + 1)).map_err(|_| Error::Text("ERR need numeric height"))?;
    if width < 0.0 || height < 0.0 {
        return Err(Error::Text("ERR height or width cannot be negative"));
    }
    Ok((Shape::Box { width, height }, unit_m(args.at(i + 2))?))
}

/// A place that was found.
#[derive(Clone, Copy, Debug)]
struct Found<'e> {
    member: Element<'e>,
    score: f64,
    distance_m: f64,
    point: Point,
}

/// The places of `zset` in `area`, in the order and number that `wanted` says.
fn find<'e>(zset: ZSet<'e>, area: &Area, wanted: &Wanted) -> Vec<Found<'e>> {
    let enough = if wanted.any { wanted.count } else { usize::MAX };
    let mut found = Vec::new();
    for cell in area.cells() {
        let (from, to) = cell.scores();
        let position = |bound: f64| zset.partition(|score, _| score < bound);
        for member in zset.range(position(from)..position(to)) {
            if found.len() >= enough {
                break;
            }
            let point = Point::of_score(member.score);
            if let Some(distance_m) = area.distance_within_m(point) {
                found.push(Found { member: member.name, score: member.score, distance_m, point });
            }
        }
    }
    // The first of all are the nearest, unless any will do.
    let nearest = (wanted.count > 0 && !wanted.any).then_some(Order::Ascending);
    match wanted.order.or(nearest) {
        Some(Order::Ascending) => found.sort_by(|a, b| a.distance_m.total_cmp(&b.distance_m)),
        Some(Order::Descending) => found.sort_by(|a, b| b.distance_m.total_cmp(&a.distance_m)),
        None => {}
    }
    if wanted.count > 0 {
        found.truncate(wanted.count);
    }
    found
}

fn search(ctx: &mut Ctx<'_, '_>, form: Form) -> Outcome {
    let key = ctx.key(form.source());
    let len = ctx.db.read_zset(key)?.map_or(0, ZSet::len);
    let wanted = Wanted::parse(ctx, form)?;
    match (wanted.area(), wanted.destination) {
        (area, Some(destination)) => {
            let zset = ctx.db.peek(key).map(|entry| entry.zset()).transpose()?;
            let members = zset.zip(area).map(|(zset, area)| to_store(zset, &area, &wanted));
            let (members, destination) = (members.unwrap_or_default(), ctx.key(destination));
            let count = members.len() as u64;
            let event = if form.is_search() { "geosearchstore" } else { "georadiusstore" };
            store(ctx, destination, members, event);
            ctx.db.turn.dirty += count.saturating_sub(1);
        }
        (Some(area), None) if len >= LONG => {
            let copy = copy_and_release(ctx, key);
            reply(ctx.reply, &wanted, area.unit_m, zset_of(&copy).map(|zset| find(zset, &area, &wanted)));
        }
        (Some(area), None) => {
            let zset = ctx.db.peek(key).map(|entry| entry.zset()).transpose()?;
            reply(ctx.reply, &wanted, area.unit_m, zset.map(|zset| find(zset, &area, &wanted)));
        }
        (None, None) => ctx.reply.array(0),
    }
    Ok(())
}

/// Members with their scores, or their distances in the area's unit.
fn to_store(zset: ZSet<'_>, area: &Area, wanted: &Wanted) -> Vec<(Vec<u8>, f64)> {
    let member = |place: Found<'_>| {
        let score = if wanted.store_distances { place.distance_m / area.unit_m } else { place.score };
        (place.member.bytes(&mut itoa::Buffer::new()).to_vec(), score)
    };
    find(zset, area, wanted).into_iter().map(member).collect()
}

/// Writes the places found, with what `wanted` wants told of each.
fn reply(reply: &mut Reply, wanted: &Wanted, unit_m: f64, found: Option<Vec<Found<'_>>>) {
    let found = found.unwrap_or_default();
    reply.array(found.len());
    let details = wanted.details();
    for place in found {
        if details > 0 {
            reply.array(1 + details);
        }
        reply.bulk(place.member.bytes(&mut itoa::Buffer::new()));
        if wanted.with_distance {
            reply_distance(reply, place.distance_m / unit_m);
        }
        if wanted.with_hash {
            reply.int(place.score as i64);
        }
        if wanted.with_coordinates {
            reply_point(reply, place.point);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    fn sicily() -> Client {
        let mut client = Client::new();
        client.send("GEOADD a 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
        client
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let near = "FROMLONLAT 15 37 BYRADIUS 200 km";
        let mut client = sicily();
        for (line, error) in [
            (format!("GEOSEARCH a {near} FROMMEMBER Palermo"), "ERR syntax error"),
            (format!("GEOSEARCH a {near} BYBOX 1 1 m"), "ERR syntax error"),
            (format!("GEOSEARCH a {near} STOREDIST"), "ERR syntax error"),
            (format!("GEOSEARCH a {near} COUNT 0"), "ERR COUNT must be > 0"),
            (format!("GEOSEARCH a {near} ANY"), "ERR the ANY argument requires COUNT argument"),
            (
                "GeoSearch a BYRADIUS 200 km ASC ASC ASC".to_owned(),
                "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GeoSearch",
            ),
            (
                "GEOSEARCH a FROMLONLAT 15 37 ASC ASC ASC".to_owned(),
                "ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH",
            ),
            (
                format!("GEOSEARCHSTORE b a {near} WITHDIST"),
                "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
            ),
            (
                "GEORADIUS a 15 37 200 km STORE b WITHCOORD".to_owned(),
                "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
            ),
            ("GEORADIUS_RO a 15 37 200 km STORE b".to_owned(), "ERR syntax error"),
            ("GEORADIUSBYMEMBER a Rome 1 km".to_owned(), "ERR could not decode requested zset member"),
            ("GEORADIUS a 15 37 x km".to_owned(), "ERR need numeric radius"),
            ("GEORADIUS a 15 37 -1 km".to_owned(), "ERR radius cannot be negative"),
            ("GEOSEARCH a FROMLONLAT 15 37 BYBOX x 1 m".to_owned(), "ERR need numeric width"),
            ("GEOSEARCH a FROMLONLAT 15 37 BYBOX 1 x m".to_owned(), "ERR need numeric height"),
            (
                "GEOSEARCH a FROMLONLAT 15 37 BYBOX 1 -1 m".to_owned(),
                "ERR height or width cannot be negative",
            ),
        ] {
            client.check_errors(&[(&line, error)]);
        }
    }

    #[test]
    fn what_is_stored_takes_the_place_of_what_was_there() {
        let mut client = sicily();
        client.check(&[
            ("SET b 1", "OK"),
            ("GEORADIUS a 15 37 200 km STOREDIST b", "(integer) 2"),
            ("ZSCORE b Catania", "\"56.4412578701582\""),
            ("GEOSEARCHSTORE b a FROMMEMBER Palermo BYRADIUS 1 m", "(integer) 1"),
            ("ZRANGE b 0 -1 WITHSCORES", "1) \"Palermo\"\n2) \"3479099956230698\""),
        ]);
        client.check(&[
            ("GEORADIUS a 15 37 200 km STORE c STORE d STOREDIST e STORE f", "(integer) 2"),
            ("EXISTS c d e", "(integer) 0"),
            ("ZSCORE f Palermo", "\"3479099956230698\""),
        ]);
        let noted = client.changes("GEOSEARCHSTORE b a FROMLONLAT 0 0 BYRADIUS 1 m");
        assert_eq!((noted.0, noted.1), (1, vec!["del b".to_owned()]));
        assert_eq!(client.changes("GEORADIUS none 1 1 1 m STORE none").0, 0);
        assert_eq!(client.changes("GEORADIUS a 15 37 200 km STORE b").1, ["georadiusstore b"]);
    }

    #[test]
    fn any_stops_early_and_count_takes_the_nearest() {
        let mut client = sicily();
        client.check(&[
            ("GEORADIUS a 15 37 200 km COUNT 1", "1) \"Catania\""),
            ("GEORADIUS a 15 37 200 km COUNT 1 DESC", "1) \"Palermo\""),
            ("GEORADIUS a 15 37 200 km COUNT 1 ANY", "1) \"Palermo\""),
            ("GEORADIUSBYMEMBER none a 1 km", "(empty array)"),
        ]);
        for i in 0..2000 {
            client.send(&format!("GEOADD a 15.0{i} 37 p{i}"));
        }
        client.check(&[
            ("GEORADIUS a 15 37 2000 m COUNT 2", "1) \"p0\"\n2) \"p1\""),
            ("GEORADIUSBYMEMBER_RO a p1999 0 m WITHDIST", "1) 1) \"p1999\"\n   2) \"0.0000\""),
        ]);
    }
}
