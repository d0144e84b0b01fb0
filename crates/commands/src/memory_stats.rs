//! MEMORY STATS: where the memory goes.

use resp::Reply;

use crate::ctx::Ctx;
use crate::table::{Command, Outcome};

pub(crate) static STATS: Command = Command {
    name: "stats",
    arity: 2,
    run: stats,
    summary: "Tells what the server takes of memory, and for what.",
    since: "4.0.0",
    group: "server",
    complexity: "O(N) in the number of hash table segments",
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    ..Command::BLANK
};

/// The fields of a map, counted as they come.
struct Fields<'r> {
    reply: &'r mut Reply,
    count: usize,
}

impl Fields<'_> {
    fn name(&mut self, name: &str) {
        self.reply.bulk(name.as_bytes());
        self.count += 1;
    }

    fn bytes(&mut self, name: &str, bytes: u64) {
        self.difference(name, i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    fn difference(&mut self, name: &str, n: i64) {
        self.name(name);
        self.reply.int(n);
    }

    fn ratio(&mut self, name: &str, a: u64, b: u64, scale: f64) {
        self.name(name);
        self.reply.double(if b == 0 { 0.0 } else { scale * a as f64 / b as f64 });
    }

    /// How many `held` are for one of `given`, and how many more there are.
    fn excess(&mut self, [ratio, bytes]: [&str; 2], held: u64, given: u64) {
        self.ratio(ratio, held, given, 1.0);
        self.difference(bytes, held as i64 - given as i64);
    }
}

fn stats(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let now = ctx.host.memory();
    let map = ctx.reply.array_deferred();
    let mut fields = Fields { reply: ctx.reply, count: 0 };
    for (name, bytes) in [
        ("peak.allocated", now.peak),
        ("total.allocated", now.used),
        ("startup.allocated", now.startup),
        ("replication.backlog", 0),
        ("replica.fullsync.buffer", 0),
        ("clients.slaves", 0),
        ("clients.normal", now.clients),
        ("cluster.links", 0),
        ("aof.buffer", now.log_buffers),
        ("lua.caches", 0),
        ("functions.caches", 0),
        ("script.VMs", 0),
    ] {
        fields.bytes(name, bytes);
    }
    let (mut keys, mut tables, mut directories) = (0, 0, 0);
    for index in 0..ctx.db.databases() {
        let mut db = ctx.db.at(index);
        if db.is_empty() {
            continue;
        }
        let overhead = db.overhead();
        keys += db.len();
        tables += overhead.bytes() as u64;
        directories += overhead.keys_bytes as u64;
        fields.name(&format!("db.{index}"));
        fields.reply.map(3);
        let mut of_db = Fields { reply: &mut *fields.reply, count: 0 };
        of_db.bytes("overhead.hashtable.main", overhead.keys_bytes as u64);
        of_db.bytes("overhead.hashtable.expires", overhead.deadlines_bytes as u64);
        of_db.bytes("overhead.hashtable.slot-to-keys", 0);
    }
    fields.bytes("overhead.db.hashtable.lut", directories);
    fields.bytes("overhead.db.hashtable.rehashing", 0);
    fields.bytes("overhead.total", now.overhead(tables));
    fields.bytes("db.dict.rehashing.count", 0);
    fields.bytes("keys.count", keys);
    fields.bytes("keys.bytes-per-key", now.since_startup().checked_div(keys).unwrap_or(0));
    fields.bytes("dataset.bytes", now.dataset(tables));
    fields.ratio("dataset.percentage", now.dataset(tables), now.since_startup(), 100.0);
    fields.ratio("peak.percentage", now.used, now.peak, 100.0);
    fields.bytes("allocator.allocated", now.allocated);
    fields.bytes("allocator.active", now.active);
    fields.bytes("allocator.resident", now.resident);
    fields.bytes("allocator.muzzy", now.muzzy);
    let names = ["allocator-fragmentation.ratio", "allocator-fragmentation.bytes"];
    fields.excess(names, now.active, now.allocated);
    fields.excess(["allocator-rss.ratio", "allocator-rss.bytes"], now.resident, now.active);
    fields.excess(["rss-overhead.ratio", "rss-overhead.bytes"], now.process_resident, now.resident);
    fields.excess(["fragmentation", "fragmentation.bytes"], now.process_resident, now.used);
    let count = fields.count;
    ctx.reply.close_map(map, count);
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Value;

    use crate::host::MemoryFigures;
    use crate::testing::Client;

    /// The reply's names, each with its value.
    fn fields(value: Value) -> Vec<(String, Value)> {
        let Value::Map(pairs) = value else { panic!("not a map: {value:?}") };
        pairs
            .into_iter()
            .map(|(name, value)| (String::from_utf8_lossy(name.as_bytes().unwrap()).into_owned(), value))
            .collect()
    }

    #[test]
    fn figures_are_of_the_process_and_of_each_database_with_keys() {
        let mut client = Client::new();
        client.host.memory = MemoryFigures {
            used: 1_000_000,
            peak: 2_000_000,
            startup: 600_000,
            clients: 1000,
            log_buffers: 500,
            active: 300,
            resident: 600,
            process_resident: 1_500_000,
            ..MemoryFigures::default()
        };
        client.send("HELLO 3");
        client.send("SET a 1");
        client.send("SELECT 3");
        client.send("SET a 1 PX 5000");
        let all = fields(client.value("MEMORY STATS"));
        let get = |name: &str| all.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
        let int = |name: &str| get(name).and_then(|value| value.as_int()).unwrap();
        assert_eq!((int("keys.count"), int("keys.bytes-per-key"), int("aof.buffer")), (2, 200_000, 500));
        let of_db = |name: &str| fields(get(name).unwrap());
        let (first, third) = (of_db("db.0"), of_db("db.3"));
        assert!(get("db.1").is_none());
        assert_eq!(first.len(), 3);
        assert_eq!((first[1].0.as_str(), &first[1].1), ("overhead.hashtable.expires", &Value::Int(0)));
        assert!(third[1].1.as_int().unwrap() > 0, "bounds of deadlines");
        let tables: i64 =
            [&first, &third].into_iter().flatten().map(|(_, value)| value.as_int().unwrap()).sum();
        assert_eq!(int("overhead.total"), 601_500 + tables);
        assert_eq!(int("dataset.bytes"), 1_000_000 - 601_500 - tables);
        assert_eq!(get("peak.percentage"), Some(Value::Double("50".into())));
        assert_eq!(get("fragmentation"), Some(Value::Double("1.5".into())));
        assert_eq!(int("fragmentation.bytes"), 500_000);
    }

    #[test]
    fn an_empty_server_divides_by_nothing() {
        let mut client = Client::new();
        client.send("HELLO 3");
        let all = fields(client.value("MEMORY STATS"));
        assert!(all.iter().any(|(name, value)| name == "keys.bytes-per-key" && *value == Value::Int(0)));
        assert!(all.iter().all(|(name, _)| !name.starts_with("db.0")));
    }
}
