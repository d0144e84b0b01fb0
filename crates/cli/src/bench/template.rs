//! Requests encoded once; only the digits of random numbers change between one sending and the next.

use resp::Reply;

use crate::bench::workload::{RANDOM, occurrences};

/// A sequence of numbers good enough to spread keys: an xorshift generator
/// (<https://www.jstatsoft.org/article/view/v008i14>), multiplied.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The sequence number `seed`.
    pub(crate) fn new(seed: u64) -> Random {
        // Zero would stay zero; neighbouring seeds must not give similar sequences.
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

/// The most random numbers that [`RANDOM`]'s twelve digits tell apart.
pub(crate) const KEYSPACE_MAX: u64 = 1_000_000_000_000;

/// A pipeline of one request, and where its random numbers stand.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    /// Length of one request; all are equally long.
    request_bytes: usize,
    /// Offsets, ascending, of the digits that change.
    holes: Vec<usize>,
    /// How many of them one request has.
    request_holes: usize,
    /// How many digits change.
    digits: usize,
    /// Random numbers lie below it; 1 where none are asked for.
    keyspace: u64,
}

impl Template {
    /// `pipeline` requests of `args`, or of the bare line that is its first one. Random numbers replace
    /// [`RANDOM`] when there is a `keyspace`, which is at most [`KEYSPACE_MAX`].
    pub(crate) fn new(args: &[Vec<u8>], inline: bool, pipeline: usize, keyspace: Option<u64>) -> Template {
        let mut request = Reply::new();
        if inline {
            request.buffer().extend_from_slice(&args.concat());
            request.buffer().extend_from_slice(b"\r\n");
        } else {
            request.array(args.len());
            args.iter().for_each(|arg| request.bulk(arg));
        }
        let mut request = std::mem::take(request.buffer());
        let places = keyspace.map_or(Vec::new(), |_| occurrences(&request, RANDOM));
        let keyspace = keyspace.unwrap_or(1).max(1);
        for &at in &places {
            request[at..at + RANDOM.len()].fill(b'0');
        }
        let digits = (keyspace - 1).checked_ilog10().unwrap_or(0) as usize + 1;
        let hole = RANDOM.len() - digits;
        let holes = (0..pipeline).flat_map(|i| places.iter().map(move |at| (i, at)));
        Template {
            holes: holes.map(|(i, at)| i * request.len() + at + hole).collect(),
            request_holes: places.len(),
            request_bytes: request.len(),
            bytes: request.repeat(pipeline),
            digits,
            keyspace,
        }
    }

    /// The bytes of the first `requests`, with new random numbers.
    pub(crate) fn fill(&mut self, requests: usize, random: &mut Random) -> &[u8] {
        for &at in &self.holes[..requests * self.request_holes] {
            let mut n = random.below(self.keyspace);
            for digit in self.bytes[at..at + self.digits].iter_mut().rev() {
                *digit = b'0' + (n % 10) as u8;
                n /= 10;
            }
        }
        &self.bytes[..requests * self.request_bytes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(arg: &str, pipeline: usize, keyspace: Option<u64>) -> Template {
        Template::new(&[b"GET".to_vec(), arg.as_bytes().to_vec()], false, pipeline, keyspace)
    }

    #[test]
    fn requests_are_encoded() {
        let mut random = Random::new(1);
        let mut get = template("k", 3, None);
        assert_eq!(get.fill(2, &mut random), b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".repeat(2));
        let mut ping = Template::new(&[b"PING".to_vec()], true, 2, Some(10));
        assert_eq!(ping.fill(2, &mut random), b"PING\r\nPING\r\n");
        let mut literal = template("__rand_int__", 1, None);
        assert!(literal.fill(1, &mut random).ends_with(b"__rand_int__\r\n"));
    }

    #[test]
    fn numbers_are_random_and_stay_in_range() {
        let mut random = Random::new(7);
        let mut get = template("__rand_int__:__rand_int__", 10, Some(1000));
        let mut seen = std::collections::HashSet::new();
        for _ in 0..500 {
            let text = String::from_utf8(get.fill(10, &mut random).to_vec()).unwrap();
            for key in text.split("\r\n").filter(|line| line.contains(':')) {
                for number in key.split(':') {
                    assert!(number.len() == 12 && number.starts_with("000000000"), "{number}");
                    seen.insert(number.to_owned());
                }
            }
        }
        assert!(seen.len() > 990, "{}", seen.len());
    }
}
