//! Places on the Earth: members of a sorted set whose scores are geohashes.

use engine::{EventClass, Key};
use resp::{Args, Reply};
use smallvec::SmallVec;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::geo_area::distance_m;
use crate::geohash::Point;
use crate::keys::KeySpec;
use crate::number::float;
use crate::table::{Command, Locks, Outcome, flags};

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[&GEOADD, &GEODIST, &GEOHASH, &GEOPOS];

/// What the commands on places have in common.
pub(crate) const GEO: Command =
    Command { categories: "@geo", locks: Locks::Keys, since: "3.2.0", group: "geo", ..Command::BLANK };

static GEOADD: Command = Command {
    name: "geoadd",
    arity: -5,
    flags: flags::WRITE | flags::DENYOOM,
    keys: &[KeySpec::one(1, "RW update")],
    run: geoadd,
    summary: "Adds places to a sorted set, or moves those that are there.",
    complexity: "O(log(N)) for each place, of N in the set",
    syntax: "key [NX | XX] [CH] <longitude latitude member>...",
    example: "> GEOADD a 13.361389 38.115556 Palermo 15.087269 37.502669 Catania\n(integer) 2\n\
        > GEODIST a Palermo Catania\n\"166274.1516\"\n> ZSCORE a Palermo\n\"3479099956230698\"",
    history: &[("6.2.0", "Added the `CH`, `NX` and `XX` options.")],
    ..GEO
};

/// What GEOADD may say before its places.
#[derive(Clone, Copy, Debug, Default)]
struct Conditions {
    /// Leave places that are there (`NX`).
    only_new: bool,
    /// Add none (`XX`).
    only_old: bool,
    /// Count places that moved (`CH`).
    count_moved: bool,
}

impl Conditions {
    /// The conditions at the beginning of `args`, and how many words they are.
    fn parse(args: Args<'_>) -> (Conditions, usize) {
        let mut conditions = Conditions::default();
        let is_condition = |word: &&[u8]| {
            let flag = match word {
                word if word.eq_ignore_ascii_case(b"NX") => &mut conditions.only_new,
                word if word.eq_ignore_ascii_case(b"XX") => &mut conditions.only_old,
                word if word.eq_ignore_ascii_case(b"CH") => &mut conditions.count_moved,
                _ => return false,
            };
            *flag = true;
            true
        };
        let words = args.iter().take_while(is_condition).count();
        (conditions, words)
    }

    /// The score of a member that has `old` and shall have `new`; nothing: it stays.
    fn decide(self, old: Option<f64>, new: f64) -> Option<f64> {
        let allowed = if old.is_some() { !self.only_new } else { !self.only_old };
        allowed.then_some(new)
    }
}

fn geoadd(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (conditions, words) = Conditions::parse(ctx.args.from(2));
    let places = ctx.args.from(2 + words);
    if !places.len().is_multiple_of(3) || (conditions.only_new && conditions.only_old) {
        return Err(Error::Syntax);
    }
    let places = (0..places.len()).step_by(3).map(|i| Ok((point(places, i)?.score(), places.at(i + 2))));
    let places = places.collect::<Result<Vec<(f64, &[u8])>, Error>>()?;
    let key = ctx.key(1);
    ctx.db.write_zset(key)?;
    let longest = places.iter().map(|(_, member)| member.len()).max().unwrap_or(0);
    let (mut added, mut moved) = (0, 0);
    ctx.db.change_zset(key, |zset| {
        zset.expect(places.len(), longest);
        for &(score, member) in &places {
            let change = zset.update(member, |old| conditions.decide(old, score));
            match (change.old, change.new) {
                (None, Some(_)) => added += 1,
                (Some(old), Some(new)) if old != new => moved += 1,
                _ => {}
            }
        }
    });
    if added + moved > 0 {
        ctx.changed(EventClass::ZSet, "zadd", key.bytes());
        ctx.db.turn.dirty += added + moved - 1;
        geoadd_effect(ctx, words, &places);
    }
    ctx.reply.int(if conditions.count_moved { added + moved } else { added } as i64);
    Ok(())
}

/// The scores, for whoever runs the effect may round otherwise; `words` conditions go with them.
fn geoadd_effect(ctx: &mut Ctx<'_, '_>, words: usize, places: &[(f64, &[u8])]) {
    let scores: Vec<String> = places.iter().map(|(score, _)| format!("{score}")).collect();
    let head = [&b"ZADD"[..], ctx.args.at(1)].into_iter().chain(ctx.args.from(2).iter().take(words));
    let pairs = scores.iter().zip(places).flat_map(|(score, (_, member))| [score.as_bytes(), member]);
    let effect: SmallVec<[&[u8]; 16]> = head.chain(pairs).collect();
    ctx.effect(&effect);
}

/// The place that arguments `i` (its longitude) and `i + 1` (its latitude) are.
///
/// # Errors
/// They are no numbers, or no place that a geohash can tell.
pub(crate) fn point(args: Args<'_>, i: usize) -> Result<Point, Error> {
    let point = Point { longitude: float(args.at(i))?, latitude: float(args.at(i + 1))? };
    if point.is_valid() {
        return Ok(point);
    }
    let Point { longitude, latitude } = point;
    Err(Error::Message(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}")))
}

/// The meters of the unit called `name`.
///
/// # Errors
/// There is no such unit.
pub(crate) fn unit_m(name: &[u8]) -> Result<f64, Error> {
    const UNITS: [(&str, f64); 4] = [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)];
    let unit = UNITS.iter().find(|(unit, _)| name.eq_ignore_ascii_case(unit.as_bytes()));
    unit.map(|(_, meters)| *meters)
        .ok_or(Error::Text("ERR unsupported unit provided. please use M, KM, FT, MI"))
}

/// Where `member` of the set at `key` is.
///
/// # Errors
/// The key holds something else.
pub(crate) fn place_of(ctx: &mut Ctx<'_, '_>, key: Key<'_>, member: &[u8]) -> Result<Option<Point>, Error> {
    let Some(entry) = ctx.db.peek(key) else { return Ok(None) };
    Ok(entry.zset()?.score(member).map(Point::of_score))
}

/// Writes a distance as a string with four decimals.
pub(crate) fn reply_distance(reply: &mut Reply, distance: f64) {
    let units = (distance * 10_000.0).round_ties_even() as i64;
    let text = format!("{}.{:04}", units / 10_000, units % 10_000);
    reply.bulk(text.as_bytes());
}

/// Writes a place: its longitude and latitude, to 17 decimals.
pub(crate) fn reply_point(reply: &mut Reply, point: Point) {
    reply.array(2);
    for degrees in [point.longitude, point.latitude] {
        let text = format!("{degrees:.17}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        reply.double_as(if text == "-0" { b"0" } else { text.as_bytes() });
    }
}

static GEODIST: Command = Command {
    name: "geodist",
    arity: -4,
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    run: geodist,
    summary: "Tells how far two places are from each other, in meters unless a unit is given.",
    complexity: "O(log(N))",
    syntax: "key member1 member2 [M | KM | FT | MI]",
    example: "> GEOADD a 13.361389 38.115556 Palermo 15.087269 37.502669 Catania\n(integer) 2\n\
        > GEODIST a Palermo Catania km\n\"166.2742\"\n> GEODIST a Palermo Rome\n(nil)",
    ..GEO
};

fn geodist(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let unit_m = match ctx.args.get(4) {
        None => 1.0,
        Some(_) if ctx.args.len() > 5 => return Err(Error::Syntax),
        Some(name) => unit_m(name)?,
    };
    let key = ctx.key(1);
    let zset = ctx.db.read_zset(key)?;
    let place = |i| zset.and_then(|zset| zset.score(ctx.args.at(i))).map(Point::of_score);
    match (place(2), place(3)) {
        (Some(a), Some(b)) => reply_distance(ctx.reply, distance_m(a, b) / unit_m),
        _ => ctx.reply.null(),
    }
    Ok(())
}

static GEOHASH: Command = Command {
    name: "geohash",
    arity: -2,
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    run: geohash,
    summary: "Gives the geohash of each place as eleven letters, as geohash.org has it.",
    complexity: "O(log(N)) for each member, of N in the set",
    syntax: "key [member ...]",
    example: "> GEOADD a 13.361389 38.115556 Palermo\n(integer) 1\n> GEOHASH a Palermo Rome\n1) \"sqc8b49rny0\"\n2) (nil)",
    ..GEO
};

fn geohash(ctx: &mut Ctx<'_, '_>) -> Outcome {
    each_place(ctx, |reply, place| match place {
        Some(place) => reply.bulk(&place.letters()),
        None => reply.null(),
    })
}

static GEOPOS: Command = Command {
    name: "geopos",
    arity: -2,
    flags: flags::READONLY,
    keys: &[KeySpec::one(1, "RO access")],
    run: geopos,
    summary: "Gives the longitude and latitude of each place.",
    complexity: "O(log(N)) for each member, of N in the set",
    syntax: "key [member ...]",
    example: "> GEOADD a 13.361389 38.115556 Palermo\n(integer) 1\n> GEOPOS a Palermo Rome\n\
        1) 1) \"13.36138933897018433\"\n   2) \"38.11555639549629859\"\n2) (nil)",
    ..GEO
};

fn geopos(ctx: &mut Ctx<'_, '_>) -> Outcome {
    each_place(ctx, |reply, place| match place {
        Some(place) => reply_point(reply, place),
        None => reply.null_array(),
    })
}

/// Replies with an array of what `write` writes for each member named.
fn each_place(ctx: &mut Ctx<'_, '_>, write: impl Fn(&mut Reply, Option<Point>)) -> Outcome {
    let key = ctx.key(1);
    let zset = ctx.db.read_zset(key)?;
    let members = ctx.args.from(2);
    ctx.reply.array(members.len());
    for member in members.iter() {
        write(ctx.reply, zset.and_then(|zset| zset.score(member)).map(Point::of_score));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Client;

    #[test]
    fn places_are_logged_as_scores() {
        let mut client = Client::new();
        let added = |n: u64, line: &str| (n, vec!["zadd a".to_owned()], vec![line.to_owned()]);
        let noted = client.changes("GEOADD a NX CH 13.361389 38.115556 p -1.5 2 q");
        assert_eq!(noted, added(2, "ZADD a NX CH 3479099956230698 p 1876705468649355 q"));
        assert_eq!(client.changes("GEOADD a NX 1 2 p"), (0, vec![], vec![]));
        assert_eq!(client.changes("GEOADD none XX 1 2 p"), (0, vec![], vec![]));
        client.check(&[
            ("EXISTS none", "(integer) 0"),
            ("GEOADD a XX CH -1.5 2 q 5 6 r", "(integer) 0"),
            ("GEOADD a CH 0 0 q 5 6 r", "(integer) 2"),
            ("GEOADD a 0 0 q 5 6 s", "(integer) 1"),
        ]);
    }

    #[test]
    fn what_is_no_place_is_refused() {
        let mut client = Client::new();
        client.send("SET s 1");
        client.check_errors(&[
            ("GEOADD a NX XX 1 2 m", "ERR syntax error"),
            ("GEOADD a 1 2 m 3", "ERR syntax error"),
            ("GEOADD a 1 90 m", "ERR invalid longitude,latitude pair 1.000000,90.000000"),
            ("GEOADD a inf 0 m", "ERR invalid longitude,latitude pair inf,0.000000"),
            ("GEOADD a x 0 m", "ERR value is not a valid float"),
            ("GEOADD s x 0 m", "ERR value is not a valid float"),
            ("GEODIST a m n m x", "ERR syntax error"),
            ("GEODIST s m n yard", "ERR unsupported unit provided. please use M, KM, FT, MI"),
        ]);
        const WRONG: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
        for line in ["GEOADD s 1 2 m", "GEODIST s m n", "GEOPOS s m", "GEOHASH s"] {
            client.check_errors(&[(line, WRONG)]);
        }
    }

    #[test]
    fn members_that_are_not_there_have_no_place() {
        let mut client = Client::new();
        client.check(&[
            ("GEODIST none a b", "(nil)"),
            ("GEOPOS none a", "1) (nil)"),
            ("GEOHASH none a", "1) (nil)"),
            ("GEOPOS none", "(empty array)"),
            ("GEOADD a 0 0 zero", "(integer) 1"),
            ("GEODIST a zero zero", "\"0.0000\""),
        ]);
        assert!(client.send("GEOPOS a none").ends_with("*-1\r\n"));
    }
}
