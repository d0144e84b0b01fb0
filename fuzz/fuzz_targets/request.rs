//! Any bytes, in any pieces: the same requests and the same error as when they come at once, every
//! argument within its request, no panic.

#![no_main]

use fuzz::Input;
use libfuzzer_sys::fuzz_target;
use resp::{Args, Limits, Parser, ProtocolError};

type Read = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>, limits: &Limits) -> Read {
    let (mut parser, mut buf, mut requests, mut spans) = (Parser::default(), vec![], vec![], vec![]);
    for chunk in chunks {
        buf.extend_from_slice(chunk);
        loop {
            spans.clear();
            match parser.next(&mut buf, limits, &mut spans) {
                Ok(Some(len)) => {
                    assert!(0 < len && len <= buf.len());
                    assert!(spans.iter().all(|span| span.start <= span.end && span.end <= len));
                    assert_eq!(parser.bytes_missing(), 0);
                    requests.push(Args::new(&buf, &spans).iter().map(<[u8]>::to_vec).collect());
                    buf.drain(..len);
                }
                Ok(None) => {
                    assert!(spans.is_empty());
                    assert!(parser.bytes_missing() <= limits.bulk_bytes_max + 2);
                    break;
                }
                Err(error) => return (requests, Some(error)),
            }
        }
    }
    (requests, None)
}

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else { return };
    let limits = Limits {
        bulk_bytes_max: 1 << 20,
        args_max: 1 << 20,
        line_bytes_max: 64,
        unauthenticated: input.flags & 1 != 0,
    };
    assert_eq!(read(input.chunks(), &limits), read([input.bytes].into_iter(), &limits));
});
