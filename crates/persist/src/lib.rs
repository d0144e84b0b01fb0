//! Files of the store.

pub mod crc64;
pub mod storage;
