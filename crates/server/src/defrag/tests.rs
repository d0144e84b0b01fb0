//! How much work waste is worth, and that moving what is left of many frees slabs.

use engine::{Db, Deadline, Free, Held, Options, Turn};

use super::*;
use crate::config::Settings;
use crate::config::settings::Values;

/// The allocator whose slabs are asked about.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Enough that a few slabs of the test's own do not matter.
const KEYS: usize = 100_000;

fn settings() -> Settings {
    Settings::from(Values::default())
}

#[test]
fn effort_grows_with_waste_between_the_thresholds() {
    let mut settings = settings();
    settings.active_defrag_ignore_bytes = 1000;
    let effort = |wasted, used| effort_percent(&settings, (wasted, used));
    assert_eq!(effort(999, 1), 0, "too little in all");
    assert_eq!(effort(9_999, 100_000), 0, "too little beside what is used");
    assert_eq!(effort(10_000, 100_000), 1);
    assert_eq!(effort(55_000, 100_000), 13);
    assert_eq!(effort(100_000, 100_000), 25);
    assert_eq!(effort(1 << 40, 1), 25);
    settings.active_defrag_threshold_upper = 10;
    assert_eq!(effort_percent(&settings, (100_000, 100_000)), 25, "the thresholds are one");
}

/// Fills a store, deletes nine keys of ten, and goes through what is left twice.
#[test]
fn what_is_left_of_many_moves_together() {
    let store = Store::new(&Options { databases: 1, secret: 3, groups: 1 });
    let mut turn = Turn::new(1000, 1);
    let mut held = Held::everything(&store);
    let mut db = Db::new(&mut held, &mut turn, 0);
    let name = |i: usize| format!("key:{i}").into_bytes();
    for i in 0..KEYS {
        db.set_string(db.key(&name(i)), &vec![b'v'; i % 300], Deadline::Never);
    }
    for i in (0..KEYS).filter(|i| i % 10 != 0) {
        db.delete(db.key(&name(i)), Free::Now);
    }
    drop(held);
    let defrag = Defrag::default();
    defrag.enabled.store(true, Ordering::Relaxed);
    defrag.effort.store(99, Ordering::Relaxed);
    let mut defragmenter = Defragmenter::new(0);
    let mut pass = || {
        let mut steps = 0;
        while steps == 0 || defragmenter.pass.is_some() {
            defragmenter.next_us = 0;
            steps += usize::from(defragmenter.run(&defrag, &store, 100).is_some());
        }
        defrag.figures()
    };
    let figures = pass();
    // What has moved lies well; other tests of this process move slabs a little.
    let again = pass().hits - figures.hits;
    assert!(figures.hits > KEYS as u64 / 20 && again * 3 < figures.hits, "{figures:?} {again}");
    assert!(figures.key_hits > 0 && figures.hits >= figures.key_hits);
    assert_eq!(figures.key_hits + figures.key_misses, (KEYS / 10) as u64);
    assert_eq!((figures.effort_percent, figures.current_ms), (0, 0), "it rests");
    let mut held = Held::everything(&store);
    let mut db = Db::new(&mut held, &mut turn, 0);
    for i in (0..KEYS).step_by(10) {
        let entry = db.read(db.key(&name(i))).expect("it was not deleted");
        assert_eq!(entry.string().map(|s| s.len()), Ok(i % 300));
    }
}

#[test]
fn what_moves_is_counted_once() {
    let mut all: Vec<Vec<u8>> = (0..1000).map(|_| vec![1; 200]).collect();
    let before = memory::own_bytes();
    for _ in 0..10 {
        let _uncached = Uncached::begin();
        all.iter_mut().for_each(|one| *one = one.clone());
    }
    assert_eq!(memory::own_bytes(), before);
}
