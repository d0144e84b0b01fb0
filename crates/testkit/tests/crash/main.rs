//! Whatever fails and wherever the machine stops: what is recovered is a prefix of what was done, and all that was
//! acknowledged is in it. For the log, its rewrites and snapshots alike, on a disk that keeps only what POSIX promises.

mod failing;
mod process;

use engine::Rng;
use testkit::faulty::{EIO, ENOSPC, EROFS, Fault};

use process::{run, run_with, workload};

/// How many workloads; each is stopped everywhere.
fn cases(default: u64) -> u64 {
    std::env::var("EBBTIDE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

#[test]
fn wherever_the_machine_stops_a_prefix_with_all_that_was_safe_is_recovered() {
    let (workloads, mut stops) = (cases(24), 0);
    for seed in 0..workloads {
        let actions = workload(seed, seed % 2 == 0);
        let whole = run(&actions, &[]).unwrap();
        stops += whole.disk.operations();
        for at in 0..whole.disk.operations() {
            let process = run(&actions, &[(at, Fault::Halt)]).unwrap();
            assert!(process.disk.is_halted());
            for outcome in 0..8 {
                let crashed = process.crash(outcome);
                crashed
                    .unwrap_or_else(|e| panic!("workload {seed}, stopped at {at}, outcome {outcome}: {e}"));
            }
        }
    }
    assert!(stops > 40 * workloads, "{stops} stops");
}

#[test]
fn whatever_fails_once_all_can_be_made_safe_after_it() {
    let faults =
        [Fault::Error(EIO), Fault::Error(ENOSPC), Fault::Error(EROFS), Fault::Short, Fault::LoseDirty];
    for seed in 0..cases(12) {
        let actions = workload(100 + seed, seed % 2 == 0);
        let operations = run(&actions, &[]).unwrap().disk.operations();
        for (at, fault) in (0..operations).flat_map(|at| faults.map(|fault| (at, fault))) {
            let failed = |e: String| format!("workload {seed}, {fault:?} at {at}: {e}");
            let keeps = !seed.is_multiple_of(3);
            let mut process = run_with(keeps, &actions, &[(at, fault)]).map_err(failed).unwrap();
            process.crash(at).map_err(failed).unwrap();
            process.settle().map_err(failed).unwrap();
            process.crash(0).map_err(failed).unwrap();
            process.crash(at).map_err(failed).unwrap();
        }
    }
}

#[test]
fn whatever_fails_before_the_machine_stops_nothing_safe_is_lost() {
    let mut rng = Rng::new(7);
    for seed in 0..cases(400) {
        let actions = workload(200 + seed, seed % 2 == 0);
        let operations = run(&actions, &[]).unwrap().disk.operations();
        for _ in 0..20 {
            let stop = rng.below(operations);
            let kinds = [Fault::Error(EIO), Fault::Short, Fault::LoseDirty];
            let mut faults = vec![(stop, Fault::Halt)];
            for _ in 0..3 {
                faults.push((rng.below(stop + 1), kinds[rng.below(3) as usize]));
            }
            let failed = |e: String| format!("workload {seed}, {faults:?}: {e}");
            let process = run(&actions, &faults).map_err(failed).unwrap();
            process.crash(rng.below(1000)).map_err(failed).unwrap();
        }
    }
}
