//! Servers started as processes of their own, which end with the test, and connections to them.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use resp::{Decoder, Value};

use crate::request::Request;

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a reply may take.
const REPLY_TIMEOUT: Duration = Duration::from_secs(20);

/// A server with a folder and a unix socket of its own. Dropping it ends the process and removes the folder.
#[derive(Debug)]
pub struct Spawned {
    process: Child,
    folder: PathBuf,
}

impl Spawned {
    /// Starts `program`, a redis-server or what takes its flags, with `flags` beyond socket and folder, and waits
    /// until it can be connected to.
    ///
    /// # Errors
    /// The program cannot be started, ends at once (its output is in the error), or does not listen in time.
    pub fn start(program: &Path, flags: &[&str]) -> io::Result<Spawned> {
        let folder = new_folder()?;
        let mut process = Command::new(program)
            .args(["--port", "0", "--unixsocket"])
            .arg(socket_in(&folder))
            .arg("--dir")
            .arg(&folder)
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", program.display())))?;
        let lines = lines_of(process.stdout.take().expect("standard output is piped"));
        let mut server = Spawned { process, folder };
        server.await_start(&lines)?;
        Ok(server)
    }

    /// Waits for the socket; tries whenever the server has said something, and now and then.
    fn await_start(&mut self, lines: &Receiver<String>) -> io::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        let mut output = String::new();
        while UnixStream::connect(self.socket()).is_err() {
            match lines.recv_timeout(Duration::from_millis(20)) {
                Ok(line) => output.extend([line.as_str(), "\n"]),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.process.wait()?;
                    return Err(io::Error::other(format!("the server ended with {status}:\n{output}")));
                }
            }
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("the server does not listen:\n{output}")));
            }
        }
        Ok(())
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        socket_in(&self.folder)
    }

    /// The folder its data is in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new connection to it.
    ///
    /// # Errors
    /// As connecting gives them.
    pub fn connect(&self) -> io::Result<Connection> {
        let stream = UnixStream::connect(self.socket())?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        Ok(Connection { stream, decoder: Decoder::new() })
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        // It may have ended by itself, and a folder that stays behind harms nobody.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn socket_in(folder: &Path) -> PathBuf {
    folder.join("s")
}

/// A new folder, with a path short enough for a socket's.
fn new_folder() -> io::Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut name = OsString::from("ebbtide-test-");
    name.push(format!("{}-{number}", std::process::id()));
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir(&folder)?;
    Ok(folder)
}

/// The lines of `output`, read by a thread that ends with it, so that the process never waits to be read.
fn lines_of(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Once nobody listens, lines are read and forgotten.
            let _ = sender.send(line);
        }
    });
    lines
}

/// A client of a spawned server.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    decoder: Decoder,
}

impl Connection {
    /// Sends `request` and waits for its reply.
    ///
    /// # Errors
    /// The connection broke, the reply takes too long or is none.
    pub fn call(&mut self, request: &Request) -> io::Result<Value> {
        self.stream.write_all(&request.encoded())?;
        self.receive()
    }

    /// Sends all of `requests` before it reads the first reply.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub fn call_all(&mut self, requests: &[Request]) -> io::Result<Vec<Value>> {
        let bytes: Vec<u8> = requests.iter().flat_map(Request::encoded).collect();
        self.stream.write_all(&bytes)?;
        requests.iter().map(|_| self.receive()).collect()
    }

    /// Waits for the next reply or message.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub fn receive(&mut self) -> io::Result<Value> {
        let mut bytes = [0; 16 << 10];
        loop {
            if let Some(value) = self.decoder.next().map_err(io::Error::other)? {
                return Ok(value);
            }
            match self.stream.read(&mut bytes)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => self.decoder.feed(&bytes[..n]),
            }
        }
    }
}
