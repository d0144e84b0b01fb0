//! Checking and mending.

use engine::Str;

use crate::rdb::samples::values;
use crate::rdb::{About, Access, Fault, Options, Report, Version, Writer, check, mend};

const NOW_MS: i64 = 1_700_000_000_000;

fn file() -> Vec<u8> {
    let mut writer =
        Writer::new(Vec::new(), Options { compression: true, checksum: true, version: Version::V11 });
    writer.preamble("7.2.4", 1, 2, false).unwrap();
    for db in [0, 2] {
        writer.select(db).unwrap();
        for (name, value) in values() {
            writer.value(name.as_bytes(), About::default(), &value).unwrap();
        }
    }
    for (i, deadline_ms) in [NOW_MS - 1, NOW_MS + 1].into_iter().enumerate() {
        let about = About { deadline_ms: Some(deadline_ms), access: Access::Unsaid };
        writer.string(format!("volatile {i}").as_bytes(), about, Str::Int(1)).unwrap();
    }
    writer.finish().unwrap().0
}

fn checked(bytes: &[u8]) -> Report {
    check(bytes, NOW_MS, &mut |_, _| {})
}

#[test]
fn a_whole_file_is_told() {
    let bytes = file();
    let mut told = Vec::new();
    let report = check(bytes.as_slice(), NOW_MS, &mut |at, text| told.push((at, text.to_string())));
    assert!(report.is_good(), "{report}");
    let values = values().len() as u64;
    assert_eq!((report.total.keys, report.total.volatile, report.expired), (2 * values + 2, 2, 1));
    assert_eq!((report.good_bytes, report.bytes_behind), (bytes.len() as u64, 0));
    assert_eq!(report.databases[&0].keys, values);
    assert_eq!(report.encodings["stream-v3"].keys, 4);
    assert_eq!(told[0], (0, "version 11 of Redis's format".into()));
    assert_eq!(told[1], (9, "redis-ver is \"7.2.4\"".into()));
    assert!(report.to_string().ends_with("the file is whole"));
}

#[test]
fn the_good_part_of_a_broken_file_is_kept() {
    let bytes = file();
    for at in [1000, bytes.len() / 2, bytes.len() - 30] {
        let cut = &bytes[..at];
        let report = checked(cut);
        assert!(matches!(report.failure.as_ref().unwrap().fault, Fault::Short | Fault::Value { .. }));
        let mut mended = Vec::new();
        mend(cut, &report, &mut mended).unwrap();
        let after = checked(&mended);
        assert!(after.is_good(), "{after}");
        assert_eq!(after.total, report.total);
    }
}

#[test]
fn a_wrong_checksum_is_told_and_written_anew() {
    let mut bytes = file();
    let at = bytes.len() - 12;
    bytes[at] ^= 1;
    let report = checked(&bytes);
    assert!(matches!(report.failure.as_ref().unwrap().fault, Fault::Checksum { .. }), "{report}");
    let mut mended = Vec::new();
    mend(bytes.as_slice(), &report, &mut mended).unwrap();
    assert_eq!(mended.len(), bytes.len());
    assert!(checked(&mended).is_good());
}

#[test]
fn a_whole_file_is_kept_as_it_is_and_no_file_cannot_be() {
    let bytes = file();
    let mut mended = Vec::new();
    let with_log = [bytes.as_slice(), b"*1\r\n$4\r\nPING\r\n"].concat();
    let report = checked(&with_log);
    assert_eq!(report.bytes_behind, 14);
    mend(with_log.as_slice(), &report, &mut mended).unwrap();
    assert_eq!(mended, bytes);
    for bad in [b"RUDIS0011\xff".as_slice(), b"REDIS0013\xff", b"REDIS00", b"VALKEY099"] {
        let report = checked(bad);
        assert!(!report.is_good() && mend(bad, &report, Vec::new()).is_err(), "{report}");
    }
}
