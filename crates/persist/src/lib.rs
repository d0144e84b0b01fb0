//! Files of the store.

pub mod crc64;
pub mod json;
pub mod log;
mod lzf;
pub mod rdb;
pub mod requests;
mod shape;
pub mod storage;

pub use shape::{Fields, Items, Scored, Shape, StreamPast, StreamShape};
