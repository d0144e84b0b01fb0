//! A payload whose checksum is right and whose value is any bytes (the first byte says the version): no panic, and
//! the value that is read can be written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use persist::crc64::crc64;
use persist::rdb::{VALKEY_VERSION, Version, dump, restore};

fuzz_target!(|data: &[u8]| {
    let Some((version, body)) = data.split_first() else { return };
    let version = [10, 11, 12, VALKEY_VERSION][usize::from(version & 3)];
    let mut payload = [body, &version.to_le_bytes()].concat();
    payload.extend(crc64(&payload).to_le_bytes());
    if let Ok(value) = restore(&payload) {
        for version in [Version::V10, Version::V11] {
            let again = dump(&value, version);
            let again = restore(&again).expect("what we write is whole");
            assert_eq!(again.kind(), value.kind());
        }
    }
});
