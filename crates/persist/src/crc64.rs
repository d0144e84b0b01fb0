//! CRC-64 as Redis uses it: in RDB files, DUMP payloads, and the checksums of the append log.
//!
//! Jones's polynomial, reflected, initial value 0; catalogued as CRC-64/REDIS.

use crc_fast::{CrcAlgorithm, Digest};

/// A checksum of bytes that come piece by piece.
#[derive(Clone, Debug)]
pub struct Crc64(Digest);

impl Crc64 {
    /// The checksum of nothing.
    pub fn new() -> Crc64 {
        Crc64(Digest::new(CrcAlgorithm::Crc64Redis))
    }

    /// Adds `bytes` to what is summed.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all that was added.
    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

impl Default for Crc64 {
    fn default() -> Crc64 {
        Crc64::new()
    }
}

/// The checksum of `bytes`.
pub fn crc64(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Redis, bytes)
}

#[cfg(test)]
mod tests {
    use super::{Crc64, crc64};

    /// The checksum bit by bit, straight from its definition.
    fn by_definition(bytes: &[u8]) -> u64 {
        const POLYNOMIAL_REFLECTED: u64 = 0x95ac_9329_ac4b_c9b5;
        bytes.iter().fold(0, |crc, &byte| {
            (0..8).fold(crc ^ u64::from(byte), |crc, _| {
                if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ POLYNOMIAL_REFLECTED }
            })
        })
    }

    #[test]
    fn it_is_the_checksum_of_redis() {
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(crc64(b""), 0);
    }

    #[test]
    fn pieces_of_any_length_give_the_sum_of_the_whole() {
        let bytes: Vec<u8> = (0..1000u32).map(|i| (i * i % 251) as u8).collect();
        for cut in [0, 1, 7, 15, 16, 127, 128, 129, 255, 256, 511, 999, 1000] {
            let mut crc = Crc64::new();
            crc.update(&bytes[..cut]);
            assert_eq!(crc.value(), by_definition(&bytes[..cut]), "the first {cut}");
            crc.update(&bytes[cut..]);
            assert_eq!(crc.value(), by_definition(&bytes), "cut at {cut}");
        }
    }
}
