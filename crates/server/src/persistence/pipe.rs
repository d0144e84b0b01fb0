//! The way of effects from the workers to the log: each worker leaves them in an outbox of its own, in the order of
//! their numbers, and the log's thread puts those of all outboxes in one order.
//!
//! Buffers go round: what the log's thread has read it leaves in place of what it takes next.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use engine::Effects;
use parking_lot::Mutex;

use super::log::Request;

/// Bytes of effects that never wait for more to be written with them.
const GATHERED_BYTES_MAX: usize = 256 << 10;
/// Most memory that a buffer keeps when it goes round.
const BUFFER_BYTES_MAX: usize = 1 << 20;

/// What the log's thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Waits {
    /// Nothing: it is at work.
    No,
    /// Anything.
    ForAnything,
    /// So much that it should not wait for more, or a request.
    ForMuch,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Outbox(Mutex<Effects>);

/// Where workers leave effects, and others what they want of the log.
#[derive(Debug)]
pub(crate) struct Pipe {
    outboxes: Box<[Outbox]>,
    requests: Mutex<Vec<Request>>,
    /// Bytes in the outboxes.
    bytes: AtomicUsize,
    /// Requests that wait.
    asked: AtomicUsize,
    waits: AtomicU8,
    /// How many bytes are much.
    much: AtomicUsize,
    reader: OnceLock<Thread>,
}

impl Pipe {
    /// A pipe from `workers` workers.
    pub(crate) fn new(workers: usize) -> Pipe {
        Pipe {
            outboxes: (0..workers.max(1)).map(|_| Outbox::default()).collect(),
            requests: Mutex::default(),
            bytes: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            waits: AtomicU8::new(Waits::No as u8),
            much: AtomicUsize::new(GATHERED_BYTES_MAX),
            reader: OnceLock::new(),
        }
    }

    /// Leaves the effects of `worker`, which have their numbers; none is left in `effects`.
    pub(crate) fn send(&self, worker: usize, effects: &mut Effects) {
        let bytes = effects.bytes.len();
        let mut outbox = self.outboxes[worker].0.lock();
        outbox.append(effects);
        // Before the reader can take them, and before the look at the reader, who says that it waits before it looks at
        // this.
        let waiting = self.bytes.fetch_add(bytes, Ordering::SeqCst) + bytes;
        drop(outbox);
        let waits = self.waits.load(Ordering::SeqCst);
        let much = waits == Waits::ForMuch as u8 && waiting >= self.much.load(Ordering::SeqCst);
        if waits == Waits::ForAnything as u8 || much {
            self.wake();
        }
    }

    /// Asks something of the log.
    pub(super) fn ask(&self, request: Request) {
        self.requests.lock().push(request);
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.waits.load(Ordering::SeqCst) != Waits::No as u8 {
            self.wake();
        }
    }

    fn wake(&self) {
        // One wakes it; the others need not.
        if self.waits.swap(Waits::No as u8, Ordering::SeqCst) != Waits::No as u8
            && let Some(reader) = self.reader.get()
        {
            reader.unpark();
        }
    }

    /// Bytes of effects that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Waits, on the log's thread, up to `timeout` for something, and when that are effects, up to `gather` for more,
    /// until there are `enough` bytes.
    pub(super) fn wait(&self, timeout: Duration, gather: Duration, enough: usize) {
        self.reader.get_or_init(thread::current);
        let asked = || self.asked.load(Ordering::SeqCst) > 0;
        self.park(Waits::ForAnything, timeout, || asked() || self.bytes.load(Ordering::SeqCst) > 0);
        if !asked() && self.bytes() > 0 && !gather.is_zero() {
            let much = enough.min(GATHERED_BYTES_MAX);
            self.much.store(much, Ordering::SeqCst);
            self.park(Waits::ForMuch, gather, || asked() || self.bytes.load(Ordering::SeqCst) >= much);
        }
    }

    fn park(&self, waits: Waits, timeout: Duration, is_there: impl Fn() -> bool) {
        self.waits.store(waits as u8, Ordering::SeqCst);
        if !is_there() {
            // It may return early for no reason: then there is nothing to take, or less than could be.
            thread::park_timeout(timeout);
        }
        self.waits.store(Waits::No as u8, Ordering::SeqCst);
    }

    /// What was asked since the last call.
    pub(super) fn take_requests(&self) -> Vec<Request> {
        let requests = std::mem::take(&mut *self.requests.lock());
        self.asked.fetch_sub(requests.len(), Ordering::SeqCst);
        requests
    }

    /// Moves what is in the outboxes to `sequence`.
    pub(super) fn take_effects(&self, sequence: &mut Sequence) {
        sequence.parts.resize_with(self.outboxes.len(), Part::default);
        for (outbox, part) in self.outboxes.iter().zip(&mut sequence.parts) {
            let taken = part.take(&mut outbox.0.lock());
            self.bytes.fetch_sub(taken, Ordering::SeqCst);
        }
    }
}

/// Puts effects in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    next: u64,
    /// By worker: what it left and has not been handed on.
    parts: Vec<Part>,
}

/// Effects of one worker, some of which were handed on.
#[derive(Debug, Default)]
struct Part {
    effects: Effects,
    /// Runs handed on, and where the next begins.
    done: usize,
    start: usize,
}

impl Part {
    /// Takes what is in `outbox`; how many bytes. An empty buffer is left there.
    fn take(&mut self, outbox: &mut Effects) -> usize {
        let bytes = outbox.bytes.len();
        if self.done == self.effects.runs.len() {
            self.effects.clear(BUFFER_BYTES_MAX);
            (self.done, self.start) = (0, 0);
            std::mem::swap(&mut self.effects, outbox);
        } else {
            self.effects.append(outbox);
        }
        bytes
    }
}

impl Sequence {
    /// The number that is to come next: all before it were handed on.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Bytes of memory that what was taken takes.
    pub(super) fn buffer_bytes(&self) -> usize {
        self.parts.iter().map(|part| part.effects.bytes.capacity()).sum()
    }

    /// Hands on, in order, what was taken, up to the first number that is missing: number, database, bytes.
    pub(super) fn hand_on(&mut self, mut each: impl FnMut(u64, u32, &[u8])) {
        let mut missing = false;
        while !missing {
            missing = true;
            for part in &mut self.parts {
                while let Some(run) = part.effects.runs.get(part.done).filter(|run| run.number == self.next) {
                    each(run.number, run.db, &part.effects.bytes[part.start..run.end]);
                    (part.done, part.start) = (part.done + 1, run.end);
                    self.next += 1;
                    missing = false;
                }
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
        let (pipe, mut sequence, mut seen) = (Pipe::new(3), Sequence::default(), Vec::new());
        let sent = [(0, &[1u64, 2, 5][..]), (1, &[4]), (0, &[8]), (2, &[0, 3]), (1, &[6, 9]), (2, &[7])];
        for (worker, numbers) in sent {
            pipe.send(worker, &mut numbered(numbers));
            pipe.take_effects(&mut sequence);
            sequence.hand_on(|number, _, bytes| {
                assert_eq!(bytes, number.to_string().as_bytes());
                seen.push(number);
            });
        }
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_sent_is_taken_once_and_buffers_go_round() {
        let (pipe, mut sequence) = (Pipe::new(1), Sequence::default());
        let mut effects = numbered(&[0]);
        pipe.send(0, &mut effects);
        assert!(effects.is_empty());
        pipe.send(0, &mut numbered(&[1]));
        assert_eq!(pipe.bytes(), 2);
        let mut count = || {
            let mut count = 0;
            pipe.take_effects(&mut sequence);
            sequence.hand_on(|_, _, _| count += 1);
            count
        };
        assert_eq!((count(), count(), pipe.bytes()), (2, 0, 0));
        let mut effects = numbered(&[2]);
        pipe.send(0, &mut effects);
        assert!(effects.bytes.capacity() > 0, "the buffer read before came back");
    }

    #[test]
    fn bytes_are_counted_before_they_can_be_taken() {
        const COUNT: u64 = 20_000;
        let pipe = Pipe::new(1);
        thread::scope(|scope| {
            scope.spawn(|| (0..COUNT).for_each(|number| pipe.send(0, &mut numbered(&[number]))));
            let (mut sequence, mut seen) = (Sequence::default(), 0);
            while seen < COUNT {
                pipe.take_effects(&mut sequence);
                assert!(pipe.bytes() <= COUNT as usize * 5, "{} bytes", pipe.bytes());
                sequence.hand_on(|_, _, _| seen += 1);
            }
        });
        assert_eq!(pipe.bytes(), 0);
    }
}
