//! The way of effects from the workers to the log: they come in any order and leave in that of their numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::Effects;
use parking_lot::{Condvar, Mutex};

use super::log::Request;

/// Bytes of effects that do not wait for more to be written with them.
const GATHERED_BYTES_MAX: usize = 256 << 10;

/// Where workers leave effects, and others what they want of the log.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    queue: Mutex<Queue>,
    /// Something came where nothing was.
    filled: Condvar,
    /// So much came that nothing more is waited for.
    urgent: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    effects: Vec<Effects>,
    bytes: usize,
    requests: Vec<Request>,
}

/// What came through the pipe.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    pub(super) effects: Vec<Effects>,
    pub(super) requests: Vec<Request>,
}

impl Pipe {
    /// Leaves effects that have their numbers.
    pub(crate) fn send(&self, effects: Effects) {
        let mut queue = self.queue.lock();
        let first = queue.effects.is_empty() && queue.requests.is_empty();
        queue.bytes += effects.bytes.len();
        queue.effects.push(effects);
        let urgent = queue.bytes >= GATHERED_BYTES_MAX;
        drop(queue);
        if first {
            self.filled.notify_one();
        }
        if urgent {
            self.urgent.notify_one();
        }
    }

    /// Asks something of the log.
    pub(super) fn ask(&self, request: Request) {
        self.queue.lock().requests.push(request);
        self.filled.notify_one();
        self.urgent.notify_one();
    }

    /// Bytes of effects that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.queue.lock().bytes
    }

    /// What came; waits `timeout` for something, and when it came, `gather` for more.
    pub(super) fn take(&self, timeout: Duration, gather: Duration) -> Delivery {
        let mut queue = self.queue.lock();
        if queue.effects.is_empty() && queue.requests.is_empty() {
            self.filled.wait_for(&mut queue, timeout);
        }
        if queue.requests.is_empty() && (1..GATHERED_BYTES_MAX).contains(&queue.bytes) && !gather.is_zero() {
            self.urgent.wait_for(&mut queue, gather);
        }
        queue.bytes = 0;
        Delivery {
            effects: std::mem::take(&mut queue.effects),
            requests: std::mem::take(&mut queue.requests),
        }
    }
}

/// Puts effects in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    next: u64,
    /// Those that came before one with a lower number did: database and bytes.
    early: BTreeMap<u64, (u32, Box<[u8]>)>,
}

impl Sequence {
    /// The number that is to come next: all before it were handed on.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Hands `effects`, and those that waited for them, on in order: number, database, bytes.
    pub(super) fn put(&mut self, effects: &Effects, mut each: impl FnMut(u64, u32, &[u8])) {
        for (run, bytes) in effects.iter() {
            if run.number != self.next {
                self.early.insert(run.number, (run.db, bytes.into()));
                continue;
            }
            each(run.number, run.db, bytes);
            self.next += 1;
            while let Some(entry) = self.early.first_entry().filter(|entry| *entry.key() == self.next) {
                let (number, (db, bytes)) = entry.remove_entry();
                each(number, db, &bytes);
                self.next += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::Run;

    use super::*;

    /// Effects for database 0 with these numbers, each its number as text.
    fn numbered(numbers: &[u64]) -> Effects {
        let mut effects = Effects::default();
        for &number in numbers {
            effects.bytes.extend_from_slice(number.to_string().as_bytes());
            effects.runs.push(Run { number, db: 0, end: effects.bytes.len() });
        }
        effects
    }

    #[test]
    fn effects_leave_in_the_order_of_their_numbers() {
        let mut sequence = Sequence::default();
        let mut seen = Vec::new();
        for numbers in [&[1u64, 2, 5][..], &[4], &[0, 3], &[6]] {
            sequence.put(&numbered(numbers), |number, _, bytes| {
                assert_eq!(bytes, number.to_string().as_bytes());
                seen.push(number);
            });
        }
        assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!((sequence.next(), sequence.early.len()), (7, 0));
    }

    #[test]
    fn what_was_sent_is_taken_once() {
        let pipe = Pipe::default();
        pipe.send(numbered(&[0]));
        pipe.send(numbered(&[1]));
        assert_eq!(pipe.bytes(), 2);
        let take = || pipe.take(Duration::ZERO, Duration::ZERO).effects.len();
        assert_eq!((take(), take(), pipe.bytes()), (2, 0, 0));
    }
}
