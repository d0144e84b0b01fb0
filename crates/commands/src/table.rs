//! The command table: what a row holds, and all the rows.
//!
//! Everything that is told about commands derives from it: dispatch, COMMAND, ACL categories, the client's
//! completion and hints.

use resp::Args;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::host::Host;
use crate::keys::{FindKeys, KeySpec, Search};

/// What a command's function returns: its reply is written, or it failed before it changed anything.
pub type Outcome = Result<(), Error>;

/// Which stripes a command needs held while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locks {
    /// None, or it goes through the keyspace in steps (SCAN).
    Nothing,
    /// Those of its keys, found by its key specifications.
    Keys,
    /// All of them (FLUSHALL, SWAPDB).
    Everything,
}

/// Properties of a command, as COMMAND INFO lists them; a row holds their sum.
pub mod flags {
    /// May change data.
    pub const WRITE: u32 = 1 << 0;
    /// Changes no data.
    pub const READONLY: u32 = 1 << 1;
    /// Refused when memory is short.
    pub const DENYOOM: u32 = 1 << 2;
    /// For administrators.
    pub const ADMIN: u32 = 1 << 3;
    /// About pub/sub.
    pub const PUBSUB: u32 = 1 << 4;
    /// Not from scripts.
    pub const NOSCRIPT: u32 = 1 << 5;
    /// May block its client.
    pub const BLOCKING: u32 = 1 << 6;
    /// Allowed while data is loaded.
    pub const LOADING: u32 = 1 << 7;
    /// Allowed on a replica whose data is stale.
    pub const STALE: u32 = 1 << 8;
    /// Not shown to MONITOR.
    pub const SKIP_MONITOR: u32 = 1 << 9;
    /// Not in the slow log.
    pub const SKIP_SLOWLOG: u32 = 1 << 10;
    /// Takes constant or logarithmic time.
    pub const FAST: u32 = 1 << 11;
    /// Allowed before the client has authenticated.
    pub const NO_AUTH: u32 = 1 << 12;
    /// Not a write by itself, but may have an effect (PUBLISH, EVAL).
    pub const MAY_REPLICATE: u32 = 1 << 13;
    /// Not in MULTI.
    pub const NO_MULTI: u32 = 1 << 14;
    /// Where its keys are depends on other arguments than their number.
    pub const MOVABLEKEYS: u32 = 1 << 15;
    /// Allowed while a script or another slow command keeps everybody waiting.
    pub const ALLOW_BUSY: u32 = 1 << 16;
    /// Not while data is loaded beside data that is served.
    pub const NO_ASYNC_LOADING: u32 = 1 << 17;
    /// May be called without the keys that its specifications look for.
    pub const NO_MANDATORY_KEYS: u32 = 1 << 18;
    /// Must be allowed by the configuration.
    pub const PROTECTED: u32 = 1 << 19;
    /// Prepares the next command for a slot that moves between nodes.
    pub const ASKING: u32 = 1 << 20;

    /// The flags that COMMAND INFO lists, in its order.
    pub(crate) const SHOWN: [(u32, &str); 19] = [
        (WRITE, "write"),
        (READONLY, "readonly"),
        (DENYOOM, "denyoom"),
        (ADMIN, "admin"),
        (PUBSUB, "pubsub"),
        (NOSCRIPT, "noscript"),
        (BLOCKING, "blocking"),
        (LOADING, "loading"),
        (STALE, "stale"),
        (SKIP_MONITOR, "skip_monitor"),
        (SKIP_SLOWLOG, "skip_slowlog"),
        (ASKING, "asking"),
        (FAST, "fast"),
        (NO_AUTH, "no_auth"),
        (NO_MANDATORY_KEYS, "no_mandatory_keys"),
        (NO_ASYNC_LOADING, "no_async_loading"),
        (NO_MULTI, "no_multi"),
        (MOVABLEKEYS, "movablekeys"),
        (ALLOW_BUSY, "allow_busy"),
    ];
}

/// Says of an argument, by its number, whether it is secret.
pub(crate) type IsSecret = fn(Args<'_>, usize, &dyn Host) -> bool;

/// One row: all there is to know about one command or subcommand.
#[derive(Debug)]
pub struct Command {
    /// Its name as on the wire, in lower case; for a subcommand without its container's.
    pub name: &'static str,
    /// Arguments with the name, exactly; at least, when negative.
    pub arity: i16,
    /// Sum of [`flags`].
    pub flags: u32,
    /// ACL categories beyond those that follow from `flags`, each with its `@`, parted by spaces.
    pub categories: &'static str,
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// What is done with the keys of a request, where that depends on its arguments: in place of the flags of
    /// specifications that say `variable_flags`.
    pub key_flags: Option<fn(Args<'_>) -> &'static str>,
    /// Where the part of a request with its keys begins, where a keyword that its specification looks for may be
    /// something else.
    pub keys_begin: Option<fn(Args<'_>) -> Option<usize>>,
    /// Whether argument number so and so of a request is kept from the slow log and from MONITOR.
    pub is_secret: Option<IsSecret>,
    /// Which stripes it needs.
    pub locks: Locks,
    /// Which stripes a request needs, where that depends on its arguments: in place of `locks`.
    pub locks_of: Option<fn(Args<'_>) -> Locks>,
    /// The function; of a container: what runs when no subcommand fits.
    pub run: fn(&mut Ctx<'_, '_>) -> Outcome,
    /// Subcommands of a container.
    pub subcommands: &'static [&'static Command],
    /// One line that says what it does.
    pub summary: &'static str,
    /// The first version of Redis (or the store named) that had it.
    pub since: &'static str,
    /// The documentation's group: `string`, `generic`, `connection`, `server` ...
    pub group: &'static str,
    /// Its cost.
    pub complexity: &'static str,
    /// Its arguments: words are arguments, capitals tokens, `[]` optional, `<>` a group, `|` or, `...` once or
    /// more; [`crate::Syntax`] reads it.
    pub syntax: &'static str,
    /// A dialogue as `ebbtide cli` shows it, `> ` before each command; a test runs it in an empty store, at
    /// 2023-11-14 22:13:20 UTC (1,700,000,000 seconds after the Unix epoch).
    pub example: &'static str,
    /// Changes since its first version: pairs of version and change.
    pub history: &'static [(&'static str, &'static str)],
    /// Hints for clients that talk to a cluster, such as `request_policy:all_shards`.
    pub tips: &'static [&'static str],
    /// Version since which it is deprecated, and what to use instead.
    pub deprecated: Option<(&'static str, &'static str)>,
}

impl Command {
    /// What a row says when it says nothing.
    pub const BLANK: Command = Command {
        name: "",
        arity: 0,
        flags: 0,
        categories: "",
        keys: &[],
        key_flags: None,
        keys_begin: None,
        is_secret: None,
        locks: Locks::Nothing,
        locks_of: None,
        run: |_| Ok(()),
        subcommands: &[],
        summary: "",
        since: "",
        group: "",
        complexity: "",
        syntax: "",
        example: "",
        history: &[],
        tips: &[],
        deprecated: None,
    };

    /// Whether the row has any key specification.
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The argument that is the only key of each request, where the row has one.
    pub fn only_key(&self) -> Option<usize> {
        match self.keys {
            [spec] if self.locks == Locks::Keys => match (spec.search, spec.find) {
                (Search::Index(i), FindKeys::Range { last: 0, .. }) => Some(i),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the row has every one of `flags`.
    pub fn is(&self, flags: u32) -> bool {
        self.flags & flags == flags
    }
}

/// All commands, family by family.
pub(crate) static FAMILIES: &[&[&Command]] = &[
    crate::string::COMMANDS,
    crate::string_many::COMMANDS,
    crate::string_range::COMMANDS,
    crate::counter::COMMANDS,
    crate::string_compare::COMMANDS,
    crate::lcs::COMMANDS,
    crate::bitmap::COMMANDS,
    crate::bitop::COMMANDS,
    crate::bitfield::COMMANDS,
    crate::hyperloglog::COMMANDS,
    crate::geo::COMMANDS,
    crate::geo_search::COMMANDS,
    crate::list::COMMANDS,
    crate::list_move::COMMANDS,
    crate::list_search::COMMANDS,
    crate::hash::COMMANDS,
    crate::hash_counter::COMMANDS,
    crate::hash_random::COMMANDS,
    crate::hash_expire::COMMANDS,
    crate::hash_getex::COMMANDS,
    crate::stream::COMMANDS,
    crate::stream_range::COMMANDS,
    crate::set::COMMANDS,
    crate::set_random::COMMANDS,
    crate::set_algebra::COMMANDS,
    crate::stream_read::COMMANDS,
    crate::stream_group::COMMANDS,
    crate::stream_pending::COMMANDS,
    crate::stream_claim::COMMANDS,
    crate::stream_info::COMMANDS,
    crate::zset::COMMANDS,
    crate::zset_range::COMMANDS,
    crate::zset_random::COMMANDS,
    crate::zset_combine::COMMANDS,
    crate::generic::COMMANDS,
    crate::sort::COMMANDS,
    crate::dump::COMMANDS,
    crate::scan::COMMANDS,
    crate::object::COMMANDS,
    crate::expire::COMMANDS,
    crate::connection::COMMANDS,
    crate::client::COMMANDS,
    crate::command::COMMANDS,
    crate::config::COMMANDS,
    crate::info::COMMANDS,
    crate::memory::COMMANDS,
    crate::hotkeys::COMMANDS,
    crate::server::COMMANDS,
    crate::persistence::COMMANDS,
    crate::debug::COMMANDS,
    crate::function::COMMANDS,
    crate::monitor::COMMANDS,
    crate::slowlog::COMMANDS,
    crate::commandlog::COMMANDS,
    crate::latency::COMMANDS,
];

/// All commands, family by family; subcommands are found in their containers.
pub fn table() -> impl Iterator<Item = &'static Command> {
    FAMILIES.iter().copied().flatten().copied()
}
