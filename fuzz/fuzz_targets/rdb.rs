//! Any bytes as an RDB file: no panic, and what is kept of a broken file is whole and has the same keys.

#![no_main]

use libfuzzer_sys::fuzz_target;
use persist::rdb::{check, mend};

const NOW_MS: i64 = 1_700_000_000_000;

fuzz_target!(|data: &[u8]| {
    let report = check(data, NOW_MS, &mut |_, _| {});
    if report.can_be_mended() {
        let mut mended = Vec::new();
        mend(data, &report, &mut mended).expect("what can be mended is");
        let again = check(mended.as_slice(), NOW_MS, &mut |_, _| {});
        assert!(again.is_good(), "{again}");
        assert_eq!(again.total, report.total);
    }
});
