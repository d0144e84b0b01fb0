//! Tests of the session, of sampling and of what is used most.

use engine::Options;
use resp::ArgsBuf;

use super::*;

fn figures(now_ms: i64) -> Figures {
    let n = now_ms as u64;
    Figures { now_ms, commands_ns: 5000 * n, net_bytes: 3 * n, cpu: Cpu::default() }
}

fn request(sample: u32) -> HotKeysRequest {
    HotKeysRequest { cpu: true, net: true, count: 5, duration_ms: None, sample }
}

/// Workers that run commands, and what they find.
struct World {
    hot_keys: HotKeys,
    store: Store,
    samplers: [Sampler; 2],
}

impl World {
    fn new() -> World {
        World {
            hot_keys: HotKeys::new(2, clock::now_ms()),
            store: Store::new(&Options { databases: 1, secret: 3, groups: 1 }),
            samplers: [Sampler::new(1), Sampler::new(2)],
        }
    }

    fn run(&mut self, worker: usize, line: &str) {
        let args: ArgsBuf = line.split(' ').collect();
        let row = commands::find_row(args.args().at(0)).unwrap();
        self.samplers[worker].follow(&self.hot_keys);
        if let Some(look) = self.samplers[worker].look() {
            self.hot_keys.note(worker, &look, &self.store, (row.command, args.args()), 5);
        }
    }

    /// The names and figures that the session found of bytes.
    fn net(&self) -> Vec<(String, u64)> {
        let keys = self.hot_keys.report(figures(2000)).unwrap().net.unwrap();
        keys.into_iter().map(|(key, n)| (String::from_utf8(key.into()).unwrap(), n)).collect()
    }
}

#[test]
fn a_session_without_sampling_counts_every_byte() {
    let mut world = World::new();
    world.hot_keys.start(request(1), figures(1000)).unwrap();
    world.run(0, "SET a 12");
    world.run(1, "SET a 1");
    world.run(1, "GET b");
    world.run(0, "PING");
    world.run(0, "MSET c 1 d 22");
    // `*3 $3 SET $1 a $2 12` are 4 + 9 + 7 + 8 bytes, to which 5 of the reply come. MSET's keys share its 43 + 5.
    let expected = [("a", 33 + 32), ("b", 25), ("c", 24), ("d", 24)];
    assert_eq!(world.net(), expected.map(|(key, bytes)| (key.to_owned(), bytes)));
    let report = world.hot_keys.report(figures(2000)).unwrap();
    assert!(report.active);
    assert_eq!((report.commands_us, report.net_bytes, report.duration_ms), (5000, 3000, 1000));
    assert_eq!(report.cpu.unwrap().0.len(), 4);
}

#[test]
fn a_session_begins_goes_on_ends_and_is_forgotten() {
    let mut world = World::new();
    assert_eq!(world.hot_keys.report(figures(1)), None);
    assert!(!world.hot_keys.stop(figures(1)));
    world.hot_keys.start(request(1), figures(10)).unwrap();
    world.run(0, "GET a");
    assert!(world.hot_keys.start(request(1), figures(20)).is_err());
    assert!(world.hot_keys.reset(figures(20)).is_err());
    assert!(world.hot_keys.stop(figures(30)));
    assert!(!world.hot_keys.stop(figures(40)));
    world.run(0, "GET b");
    let report = world.hot_keys.report(figures(50)).unwrap();
    assert_eq!((report.active, report.duration_ms, report.net.unwrap().len()), (false, 20, 1));
    // Another begins anew.
    world.hot_keys.start(request(1), figures(60)).unwrap();
    assert!(world.net().is_empty());
    world.run(1, "GET c");
    assert_eq!(world.net().len(), 1);
    world.hot_keys.stop(figures(70));
    world.hot_keys.reset(figures(80)).unwrap();
    assert_eq!(world.hot_keys.report(figures(90)), None);
}

#[test]
fn a_session_ends_when_its_time_is_over() {
    let world = World::new();
    let limited = HotKeysRequest { duration_ms: Some(1000), ..request(1) };
    world.hot_keys.start(limited, figures(500)).unwrap();
    world.hot_keys.end_due(1499, || figures(1499));
    assert!(world.hot_keys.report(figures(1499)).unwrap().active);
    world.hot_keys.end_due(1502, || figures(1502));
    let report = world.hot_keys.report(figures(9000)).unwrap();
    assert_eq!((report.active, report.duration_ms), (false, 1000));
    assert_eq!(report.net_bytes, 3 * (1502 - 500));
}

#[test]
fn samples_stand_for_all_commands() {
    let mut world = World::new();
    world.hot_keys.start(request(10), figures(0)).unwrap();
    // Regular on purpose: every third command is for the same key.
    for i in 0..60_000 {
        let line = if i % 3 == 0 { "GET hot".to_owned() } else { format!("GET k{i}") };
        world.run(i % 2, &line);
    }
    let (name, bytes) = &world.net()[0];
    // 20,000 commands of 22 bytes, each with a reply of 5.
    let expected = 20_000.0 * 27.0;
    assert_eq!(name, "hot");
    assert!((*bytes as f64 / expected - 1.0).abs() < 0.1, "{bytes} of about {expected}");
}

#[test]
fn what_is_used_most_is_known_at_any_time() {
    let mut world = World::new();
    let now_ms = clock::now_ms();
    for i in 0..100_000 {
        let line = if i % 4 == 0 { "INCR hot".to_owned() } else { format!("MGET k{i} l{i}") };
        world.run(i % 2, &line);
    }
    let top = world.hot_keys.top(3, now_ms + 1000);
    assert_eq!((&*top[0].0, top.len()), (&b"hot"[..], 3));
    assert!((top[0].1 / 25_000.0 - 1.0).abs() < 0.2, "{} a second", top[0].1);
    // Half as much weight, and it stands for half a minute, not a second.
    let later = world.hot_keys.top(1, now_ms + 31_000)[0].1;
    assert!(later < top[0].1 / 20.0, "{later} a second");
}

#[test]
fn of_many_keys_some_stand_for_all() {
    let mut world = World::new();
    world.hot_keys.start(request(1), figures(0)).unwrap();
    let keys: Vec<String> = (0..1000).map(|i| format!("key:{i:04}")).collect();
    world.run(0, &format!("DEL {}", keys.join(" ")));
    let watched = world.hot_keys.parts[0].0.lock();
    assert!((60..=64).contains(&watched.net_bytes.iter().count()));
    let sum: f64 = watched.net_bytes.iter().map(|(_, bytes)| bytes).sum();
    assert!((sum / (1000.0 * 14.0) - 1.0).abs() < 0.1, "{sum}");
}
