//! Files of the store.

pub mod crc64;
mod lzf;
pub mod rdb;
pub mod storage;
