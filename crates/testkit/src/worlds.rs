//! The worlds that are played in beside a real server: a type's commands, those that meet it, and by what rules their
//! arguments are made up.

use std::fmt;

use commands::{Row, flags, rows};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::Union;

use crate::generate::requests;
use crate::request::Request;

/// What arguments go by beside their names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// All scores are equal: only then ranges of names have a meaning.
    pub(crate) flat_scores: bool,
    /// No argument is a number out of a double's range: after one, Redis's SORT refuses every number.
    pub(crate) doubles_in_range: bool,
    /// Keys beside those that every world has.
    pub(crate) more_keys: &'static [&'static str],
    /// Requests may have hundreds of elements.
    pub(crate) many: bool,
}

/// A type and its commands.
#[derive(Debug)]
pub struct World {
    /// Its name.
    pub name: &'static str,
    /// The groups of the table whose commands it has.
    groups: &'static [&'static str],
    /// Other commands that it has, and how often they come beside 20 of one of its own.
    others: &'static [(&'static str, u32)],
    /// Commands of its groups that it does not have.
    left_out: &'static [&'static str],
    /// Words that a row (or every row) is made up without.
    without: &'static [(&'static str, &'static str)],
    rules: Rules,
    /// The command that goes through all of a collection of it.
    pub(crate) scan: Option<&'static str>,
}

const BLANK: World = World {
    name: "",
    groups: &[],
    others: &[],
    left_out: &[],
    without: &[],
    rules: Rules { flat_scores: false, doubles_in_range: false, more_keys: &[], many: true },
    scan: None,
};

/// What every type meets: other types, and what is done with any key.
const ANY: &[(&str, u32)] = &[
    ("object|encoding", 30),
    ("type", 3),
    ("del", 4),
    ("exists", 2),
    ("copy", 6),
    ("rename", 2),
    ("dump", 4),
    ("set", 1),
    ("rpush", 1),
    ("sadd", 1),
    ("zadd", 1),
    ("hset", 1),
    ("get", 1),
];

/// All worlds.
pub static WORLDS: [World; 9] = [
    World { name: "list", groups: &["list"], ..BLANK },
    World { name: "hash", groups: &["hash"], scan: Some("HSCAN"), ..BLANK },
    World { name: "set", groups: &["set"], scan: Some("SSCAN"), ..BLANK },
    World {
        name: "sorted set",
        groups: &["sorted-set"],
        others: &[("sadd", 10)],
        left_out: &["zremrangebylex", "zrangebylex", "zrevrangebylex", "zlexcount"],
        without: &[("zrange", "BYLEX"), ("zrangestore", "BYLEX")],
        scan: Some("ZSCAN"),
        ..BLANK
    },
    World {
        name: "sorted set by name",
        others: &[
            ("zadd", 60),
            ("zrem", 20),
            ("zlexcount", 20),
            ("zrange", 60),
            ("zrangestore", 30),
            ("zrangebylex", 30),
            ("zrevrangebylex", 30),
            ("zremrangebylex", 10),
            ("zrank", 10),
            ("zunionstore", 5),
        ],
        without: &[("zadd", "INCR")],
        rules: Rules { flat_scores: true, ..BLANK.rules },
        ..BLANK
    },
    World {
        name: "stream",
        groups: &["stream"],
        others: &[("xadd", 150)],
        // The id would be the time, and nobody comes who would be waited for.
        without: &[("xadd", "*"), ("xread", "BLOCK"), ("xreadgroup", "BLOCK")],
        ..BLANK
    },
    World {
        name: "hyperloglog",
        groups: &["hyperloglog"],
        others: &[("pfadd", 40), ("set", 2), ("strlen", 5)],
        left_out: &["pfselftest"],
        ..BLANK
    },
    World {
        name: "geo",
        groups: &["geo"],
        others: &[("geoadd", 60), ("zrange", 10), ("zrem", 5), ("zscore", 5)],
        // Its scores need not be places.
        left_out: &["zadd"],
        // Which ones they give, or store, of those equally far away is up to the server.
        without: &[
            ("", "ANY"),
            ("geosearchstore", "COUNT"),
            ("georadius", "COUNT"),
            ("georadiusbymember", "COUNT"),
            ("zrange", "BYLEX"),
        ],
        ..BLANK
    },
    World {
        name: "sort",
        others: &[
            ("sort", 200),
            ("sort_ro", 60),
            ("rpush", 40),
            ("sadd", 30),
            ("zadd", 30),
            ("set", 60),
            ("hset", 40),
            ("lrange", 5),
        ],
        // What it stores would differ where what is looked up is alike; SORT_RO has it.
        without: &[("sort", "ALPHA")],
        rules: Rules {
            doubles_in_range: true,
            more_keys: &[
                "w_0", "w_1", "w_2", "w_3", "w_a", "w_b", "w_one", "w_", "h_1", "h_2", "h_a", "h_one",
            ],
            ..BLANK.rules
        },
        ..BLANK
    },
];

/// Limits of encodings: Redis's own, and smaller ones.
const LIMITS: [[(&str, i64); 11]; 3] = [
    limits([128, 64, -2, 512, 128, 64, 128, 64, 4096, 100, 3000]),
    limits([4, 8, 3, 4, 5, 8, 4, 8, 4096, 3, 100]),
    limits([20, 20, -1, 16, 16, 20, 20, 20, 200, 0, 1000]),
];

const fn limits(values: [i64; 11]) -> [(&'static str, i64); 11] {
    let [a, b, c, d, e, f, g, h, i, j, k] = values;
    [
        ("hash-max-listpack-entries", a),
        ("hash-max-listpack-value", b),
        ("list-max-listpack-size", c),
        ("set-max-intset-entries", d),
        ("set-max-listpack-entries", e),
        ("set-max-listpack-value", f),
        ("zset-max-listpack-entries", g),
        ("zset-max-listpack-value", h),
        ("stream-node-max-bytes", i),
        ("stream-node-max-entries", j),
        ("hll-sparse-max-bytes", k),
    ]
}

/// Requests to be played one after the other in an empty store.
#[derive(Clone)]
pub struct Scene {
    /// The protocol's version.
    pub(crate) protocol: u32,
    /// Directives about encodings.
    pub limits: &'static [(&'static str, i64)],
    /// The requests.
    pub requests: Vec<Request>,
}

impl fmt::Debug for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "HELLO {}", self.protocol)?;
        self.limits.iter().try_for_each(|(name, value)| writeln!(f, "CONFIG SET {name} {value}"))?;
        self.requests.iter().try_for_each(|request| writeln!(f, "{request:?}"))
    }
}

impl World {
    /// Scenes of at most `len_max` requests, of the commands that `known` names. Options that start with one of the words
    /// in `without` are left out.
    ///
    /// # Panics
    /// Panics when the table has none of the world's commands.
    pub fn scenes(
        &self,
        known: impl Fn(&Row) -> bool,
        without: &[&str],
        len_max: usize,
    ) -> BoxedStrategy<Scene> {
        let rows = rows().iter().filter(|row| row.command.subcommands.is_empty() && known(row));
        let mut own_rows = 0;
        let weighted = rows.filter_map(|row| {
            let weight = self.weight(row)?;
            let name = row.full_name();
            own_rows += usize::from(ANY.iter().all(|(any, _)| *any != name));
            let own =
                self.without.iter().filter(|(of, _)| of.is_empty() || *of == name).map(|(_, word)| *word);
            let without: Vec<&str> = without.iter().copied().chain(own).collect();
            Some((weight, requests(row, &without, self.rules)))
        });
        let weighted: Vec<_> = weighted.collect();
        assert!(own_rows > 0, "the table has no commands about the type {}", self.name);
        let requests = vec(Union::new_weighted(weighted), 1..=len_max);
        (2u32..=3, 0..LIMITS.len(), requests)
            .prop_map(|(protocol, limits, requests)| Scene { protocol, limits: &LIMITS[limits], requests })
            .boxed()
    }

    /// How often a command comes; nothing: never.
    fn weight(&self, row: &Row) -> Option<u32> {
        let name = row.full_name();
        let named = |list: &[(&str, u32)]| list.iter().find(|(n, _)| *n == name).map(|(_, weight)| *weight);
        let own = self.groups.contains(&row.command.group);
        // Nobody comes for whom a command could wait.
        let waits = row.command.is(flags::BLOCKING) && self.without.iter().all(|(of, _)| *of != name);
        let usable = row.command.name != "help" && !waits && !self.left_out.contains(&name.as_str());
        named(self.others).or_else(|| own.then_some(20)).or_else(|| named(ANY)).filter(|_| usable)
    }
}
