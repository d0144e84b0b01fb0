//! Files of the store.

pub mod crc64;
pub mod json;
pub mod log;
mod lzf;
pub mod rdb;
pub mod storage;
