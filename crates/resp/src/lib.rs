//! Bytes to requests and replies to bytes: RESP2, RESP3 and inline commands, without any I/O.
//!
//! The protocol is <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

mod args;
mod decode;
mod double;
mod inline;
mod reply;
mod request;

pub use args::{Args, ArgsBuf, Span};
pub use decode::{BULK_BYTES_MAX, DEPTH_MAX, DecodeError, Decoder, LINE_BYTES_MAX, Value};
pub use double::DoubleBuffer;
pub use inline::{UnbalancedQuotes, split_line};
pub use reply::{Deferred, Reply};
pub use request::{Limits, Parser, ProtocolError};
