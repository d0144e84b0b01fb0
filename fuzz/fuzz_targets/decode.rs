//! Any bytes, in any pieces: the same replies and the same error as when they come at once, no panic.

#![no_main]

use fuzz::Input;
use libfuzzer_sys::fuzz_target;
use resp::{DecodeError, Decoder, Value};

fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Value>, Option<DecodeError>) {
    let (mut decoder, mut values) = (Decoder::new(), vec![]);
    for chunk in chunks {
        decoder.feed(chunk);
        loop {
            match decoder.next() {
                Ok(Some(value)) => values.push(value),
                Ok(None) => break,
                Err(error) => return (values, Some(error)),
            }
        }
    }
    (values, None)
}

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else { return };
    assert_eq!(read(input.chunks()), read([input.bytes].into_iter()));
});
