//! Files of the store.

pub mod crc64;
