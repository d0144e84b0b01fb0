//! Any bytes as a document: no panic, and what can be read is written and read again as it was.

#![no_main]

use std::convert::Infallible;

use libfuzzer_sys::fuzz_target;
use persist::json::{Item, ReadError, Writer, read};

fn items(text: &[u8]) -> Result<Vec<Item>, ReadError<Infallible>> {
    let mut items = Vec::new();
    let take = |item| {
        items.push(item);
        Ok(())
    };
    read(text, take)?;
    Ok(items)
}

fuzz_target!(|data: &[u8]| {
    let Ok(given) = items(data) else { return };
    let mut writer = Writer::new(Vec::new()).expect("memory takes what is written");
    for item in &given {
        match item {
            Item::Key { db, key, deadline_ms, value } => {
                writer.key(*db, key, *deadline_ms, value).expect("what was read has a form");
            }
            Item::Function(code) => writer.function(code).expect("memory takes what is written"),
        }
    }
    let written = writer.finish().expect("memory takes what is written");
    assert_eq!(items(&written).expect("what is written can be read"), given);
});
