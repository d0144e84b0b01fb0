//! One test from start to end: threads started, watched over and added up.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::bench::load::{Failure, News, Plan, Progress, Tally, Worker};
use crate::bench::template::Random;

/// How often the progress is told.
const TICK: Duration = Duration::from_millis(250);

/// How far a test is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tick {
    /// Since the start.
    pub(crate) elapsed: Duration,
    /// Replies that came since the start.
    pub(crate) replies: u64,
    /// Sum of their latencies.
    pub(crate) latency_us: u64,
}

/// What a test measured.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// From the first request sent to the last reply read.
    pub(crate) elapsed: Duration,
    /// Latencies in microseconds, one for each reply.
    pub(crate) latencies: Histogram<u64>,
}

/// How many threads and connections there are, and how much they do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) threads: usize,
    pub(crate) clients: usize,
    pub(crate) requests: u64,
    /// Start of the random numbers.
    pub(crate) seed: u64,
}

/// Carries out `plan`, telling `watch` now and then how far it is; first when all connections stand.
///
/// # Errors
/// The first thing that went wrong in any thread.
pub(crate) fn measure(plan: &Plan, size: Size, mut watch: impl FnMut(Tick)) -> Result<Outcome, Failure> {
    // Each thread has at least one connection.
    let threads = size.threads.min(size.clients);
    let progress = Progress::new(size.requests);
    thread::scope(|scope| {
        let (news_sender, news) = mpsc::channel();
        let mut starts = Vec::with_capacity(threads);
        for i in 0..threads {
            let clients = size.clients / threads + usize::from(i < size.clients % threads);
            let random = Random::new(size.seed.wrapping_add(i as u64));
            let (start_sender, start) = mpsc::channel();
            starts.push(start_sender);
            let (progress, news) = (&progress, news_sender.clone());
            scope.spawn(move || Worker::run(plan, progress, clients, random, &news, &start));
        }
        drop(news_sender);
        let mut began = Instant::now();
        let mut waiting = threads;
        let mut total: Option<Tally> = None;
        loop {
            match news.recv_timeout(TICK) {
                Ok(News::Ready) => {
                    waiting -= 1;
                    if waiting == 0 {
                        began = Instant::now();
                        watch(Tick::default());
                        for start in &starts {
                            // A thread that is gone has said why.
                            let _ = start.send(());
                        }
                    }
                }
                Ok(News::Done(tally)) => match &mut total {
                    Some(total) => total.merge(&tally),
                    None => total = Some(*tally),
                },
                Ok(News::Failed(failure)) => {
                    progress.stop();
                    return Err(failure);
                }
                Err(RecvTimeoutError::Timeout) if waiting > 0 => {}
                Err(RecvTimeoutError::Timeout) => watch(Tick {
                    elapsed: began.elapsed(),
                    replies: progress.replies.load(Ordering::Relaxed),
                    latency_us: progress.latency_us.load(Ordering::Relaxed),
                }),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let total = total.unwrap_or_else(|| Tally::new(began));
        Ok(Outcome { elapsed: total.ended - total.began, latencies: total.latencies })
    })
}
