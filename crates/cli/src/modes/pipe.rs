//! `--pipe`: sends stdin to the server as it is while replies are read and counted.
//!
//! The end of the replies is found with an ECHO of a word that no other reply is likely to hold: its reply is
//! the last.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use resp::{Reply, Value};

use crate::connection::{Connection, Lost, without_code};
use crate::failure::Failure;
use crate::output;

const READ_BYTES: usize = 64 << 10;
/// How often it is checked whether replies are overdue.
const TICK: Duration = Duration::from_millis(250);

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) errors: u64,
    pub(crate) replies: u64,
}

/// Sends all of `input`, then waits for the last reply, giving up when none comes for `timeout` (zero: never).
///
/// # Errors
/// `input` cannot be read, or the connection ends before the last reply.
pub(crate) fn run(
    mut connection: Connection,
    input: impl Read + Send + 'static,
    timeout: Duration,
) -> Result<Count, Failure> {
    let mut stream = connection.stream()?;
    let all_sent = Arc::new(AtomicBool::new(false));
    let word = word();
    let (last, sent) = (word.clone(), Arc::clone(&all_sent));
    // Not joined: it may be waiting for input that never comes when the connection has ended already.
    thread::Builder::new().name("sender".to_owned()).spawn(move || {
        if let Err(error) = send(input, &mut stream, &last, &sent) {
            output::complain(&format!("Error sending to the server: {}", without_code(&error)));
            stream.shutdown();
        }
    })?;
    let mut count = Count { errors: 0, replies: 0 };
    let mut waiting = false;
    let mut heard = Instant::now();
    loop {
        let received = connection.receive_within(TICK);
        if !waiting && all_sent.load(Ordering::Acquire) {
            waiting = true;
            heard = Instant::now();
            output::print(b"All data transferred. Waiting for the last reply...\n")?;
        }
        match received {
            Ok(None) if waiting && !timeout.is_zero() && heard.elapsed() > timeout => {
                output::complain(&format!("No replies for {} seconds: giving up.", timeout.as_secs()));
                count.errors += 1;
                return Ok(count);
            }
            Ok(None) => continue,
            Ok(Some(Value::Bulk(bytes))) if bytes == word => {
                output::print(b"Last reply received from server.\n")?;
                return Ok(count);
            }
            Ok(Some(Value::Error(text))) => {
                output::complain(&String::from_utf8_lossy(&text));
                count.errors += 1;
                count.replies += 1;
            }
            Ok(Some(Value::Push(_))) => {}
            Ok(Some(_)) => count.replies += 1,
            Err(lost) => return Err(ended(lost, count)),
        }
        heard = Instant::now();
    }
}

fn ended(lost: Lost, count: Count) -> Failure {
    let Count { errors, replies } = count;
    Failure::Refused(format!("Error: {lost} (errors: {errors}, replies: {replies})"))
}

/// Sends the input, tells so, and sends the ECHO, in this order: the ECHO's reply finds the word given.
fn send(mut input: impl Read, stream: &mut impl Write, last: &[u8], sent: &AtomicBool) -> io::Result<()> {
    let mut chunk = vec![0; READ_BYTES];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => stream.write_all(&chunk[..n])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    sent.store(true, Ordering::Release);
    // An empty line is no request, but it ends an inline command that the input left without an end.
    let mut echo = Reply::new();
    echo.buffer().extend_from_slice(b"\r\n");
    echo.array(2);
    echo.bulk(b"ECHO");
    echo.bulk(last);
    stream.write_all(echo.bytes())
}

/// Twenty random letters and digits.
fn word() -> Vec<u8> {
    let random = || RandomState::new().hash_one(0u8);
    let mut word = format!("{:016x}{:016x}", random(), random()).into_bytes();
    word.truncate(20);
    word
}
