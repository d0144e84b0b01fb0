//! Differences that are meant, each with its reason and the servers that show it.

/// The server that is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// It is Valkey, not Redis.
    pub(super) valkey: bool,
    /// The first two numbers of its version.
    pub(super) version: (u32, u32),
}

impl Server {
    /// Whether it has what Redis has since `version`; what Redis made after Valkey left, Valkey does not have.
    fn is_redis_since(self, version: (u32, u32)) -> bool {
        self.version >= version && (!self.valkey || version <= (7, 2))
    }

    fn is_valkey_since(self, version: (u32, u32)) -> bool {
        self.valkey && self.version >= version
    }
}

/// Why something differs.
#[derive(Debug)]
pub(super) struct Reason {
    /// In words.
    pub(super) text: &'static str,
    /// Whether a server shows the difference.
    pub(super) shown_by: fn(Server) -> bool,
}

/// Rows that differ in one way for one reason.
#[derive(Debug)]
pub(super) struct Meant {
    pub(super) field: &'static str,
    pub(super) why: &'static Reason,
    /// The rows, parted by spaces.
    pub(super) rows: &'static str,
}

impl Meant {
    const fn new(why: &'static Reason, field: &'static str, rows: &'static str) -> Meant {
        Meant { field, why, rows }
    }
}

const fn always(text: &'static str) -> Reason {
    Reason { text, shown_by: |_| true }
}

const TRANSACTIONS: Reason = always("transactions are not there yet");
const BLOCKING: Reason = always("blocking commands are not there yet");
const PUBSUB: Reason = always("pub/sub is not there yet");
const SCRIPTING: Reason = always("scripts and functions are not there yet");
const ACL: Reason = always("access control lists are not there yet");
const REPLICATION: Reason = always("replication is not there yet");
const WAITAOF: Reason =
    Reason { text: "replication is not there yet", shown_by: |s| s.is_redis_since((7, 2)) };
const CLUSTER: Reason = always("cluster mode is not there yet");
const MODULES: Reason = always("modules cannot be loaded");
const VECTORS: Reason =
    Reason { text: "a module that Redis 8 has built in", shown_by: |s| s.is_redis_since((8, 0)) };
const NO_TRACKING: Reason = always("keys are not tracked for clients' caches");
const REDIS_7_2: Reason =
    Reason { text: "Redis 7.2 has it as the table has", shown_by: |s| !s.is_redis_since((7, 2)) };
const REDIS_7_4: Reason = Reason {
    text: "deadlines of fields, of Redis 7.4 and Valkey 9",
    shown_by: |s| !s.is_redis_since((7, 4)) && !s.is_valkey_since((9, 0)),
};
const REDIS_8: Reason = Reason {
    text: "of Redis 8 and Valkey 9",
    shown_by: |s| !s.is_redis_since((8, 0)) && !s.is_valkey_since((9, 0)),
};
const OVERWRITES: Reason = Reason {
    text: "Redis 8 says as the table does that it does not read its destination",
    shown_by: |s| !s.is_redis_since((8, 0)) && !s.is_valkey_since((9, 0)),
};
const VALKEY_TELLS: Reason =
    Reason { text: "Valkey tells it in its own way", shown_by: |s| s.is_valkey_since((9, 0)) };
const REDIS_8_4: Reason = Reason { text: "a command of Redis 8.4", shown_by: |s| !s.is_redis_since((8, 4)) };
const REDIS_8_6: Reason = Reason { text: "a command of Redis 8.6", shown_by: |s| !s.is_redis_since((8, 6)) };
const BOTH: Reason = Reason {
    text: "a command of Redis 8.4 and Valkey 9.1",
    shown_by: |s| !s.is_redis_since((8, 4)) && !s.is_valkey_since((9, 1)),
};
const VALKEY_9: Reason = Reason { text: "Valkey's own", shown_by: |s| !s.is_valkey_since((9, 0)) };
const VALKEY_ONLY: Reason = Reason { text: "Valkey's own", shown_by: |s| s.is_valkey_since((8, 1)) };
const VALKEY_9_ONLY: Reason = Reason { text: "Valkey's own", shown_by: |s| s.is_valkey_since((9, 0)) };
const VALKEY_BUSY: Reason = Reason {
    text: "Valkey allows it while a script runs, Redis does not",
    shown_by: |s| s.is_valkey_since((8, 0)),
};

const VALKEY_LOADING: Reason =
    Reason { text: "Valkey allows it while data is loaded", shown_by: |s| s.is_valkey_since((9, 0)) };

/// All of them. The table follows Redis 7.2, while any server from Redis 7.0 on is compared.
pub(super) const MEANT: &[Meant] = &[
    Meant::new(&TRANSACTIONS, "absent", "discard exec multi unwatch watch"),
    Meant::new(&BLOCKING, "absent", "blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin"),
    Meant::new(
        &PUBSUB,
        "absent",
        "psubscribe publish pubsub punsubscribe spublish ssubscribe subscribe sunsubscribe unsubscribe",
    ),
    Meant::new(
        &SCRIPTING,
        "absent",
        "eval eval_ro evalsha evalsha_ro fcall fcall_ro function|dump function|kill function|load \
         function|restore function|stats script",
    ),
    Meant::new(&ACL, "absent", "acl"),
    Meant::new(&REPLICATION, "absent", "failover psync replconf replicaof slaveof sync wait"),
    Meant::new(&WAITAOF, "absent", "waitaof"),
    Meant::new(&CLUSTER, "absent", "asking cluster migrate readonly readwrite restore-asking"),
    Meant::new(&MODULES, "absent", "module"),
    Meant::new(
        &VECTORS,
        "absent",
        "VADD VCARD VDIM VEMB VGETATTR VINFO VISMEMBER VLINKS VRANDMEMBER VREM VSETATTR VSIM",
    ),
    Meant::new(&NO_TRACKING, "absent", "client|caching client|tracking"),
    Meant::new(&REDIS_7_2, "missing", "client|no-touch client|setinfo"),
    Meant::new(&REDIS_7_2, "arity", "command|getkeys command|getkeysandflags"),
    Meant::new(
        &REDIS_7_2,
        "tips",
        "client|setname config|resetstat config|rewrite latency|reset msetnx randomkey scan",
    ),
    Meant::new(&REDIS_7_2, "arity", "zrank zrevrank"),
    Meant::new(
        &REDIS_7_4,
        "missing",
        "hexpire hexpireat hexpiretime hpersist hpexpire hpexpireat hpexpiretime hpttl httl",
    ),
    Meant::new(&REDIS_8, "missing", "hgetdel hgetex hsetex"),
    Meant::new(&OVERWRITES, "key specifications", "sinterstore"),
    Meant::new(&VALKEY_TELLS, "key specifications", "georadius georadiusbymember hsetex"),
    Meant::new(&VALKEY_TELLS, "tips", "hpttl httl"),
    Meant::new(&REDIS_8_4, "missing", "delex digest"),
    Meant::new(&REDIS_8_6, "missing", "hotkeys"),
    Meant::new(&BOTH, "missing", "msetex"),
    Meant::new(&VALKEY_9, "missing", "commandlog delifeq"),
    Meant::new(&VALKEY_ONLY, "absent", "client|capa client|import-source"),
    Meant::new(&VALKEY_9_ONLY, "absent", "clusterscan"),
    Meant::new(
        &VALKEY_BUSY,
        "flags",
        "client|getname client|getredir client|id client|no-evict client|no-touch client|reply client|setinfo client|setname select",
    ),
    Meant::new(&VALKEY_LOADING, "flags", "memory|malloc-stats memory|purge"),
];
