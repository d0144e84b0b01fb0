//! Any bytes as a manifest: what is read is written and read again as the same; an error names a place in it; no panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use persist::log::manifest::Manifest;

fuzz_target!(|data: &[u8]| match Manifest::parse(data) {
    Ok(manifest) => {
        let parts = manifest.parts().chain(&manifest.history);
        let names: Vec<_> = parts.map(|part| part.name.as_encoded_bytes()).collect();
        assert!(names.iter().all(|name| !name.contains(&b'/')));
        // A name that is longer than a file's can be may, in quotes, not fit in a line.
        if names.iter().all(|name| name.len() < 230) {
            assert_eq!(Manifest::parse(&manifest.format()).as_ref(), Ok(&manifest));
        }
    }
    Err(error) => assert!(error.offset <= data.len() && error.line <= data.len() + 1),
});
