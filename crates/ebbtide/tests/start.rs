//! The binary as whoever starts it sees it: its output, its exit code, what it makes in the file system.
#![allow(clippy::unwrap_used, reason = "a test's own steps fail loudly")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A directory of a test's own, removed when it is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("ebbtide-start-{}-{test}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ebbtide"));
        command.args(args).current_dir(&self.0).stdin(Stdio::null());
        command
    }

    fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running server, ended when it is dropped.
struct Server {
    process: Child,
    /// Its output up to when it was ready.
    output: String,
    rest: BufReader<std::process::ChildStdout>,
}

impl Server {
    fn start(mut command: Command) -> Server {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut rest = BufReader::new(process.stdout.take().unwrap());
        let mut output = String::new();
        while !output.contains("Ready to accept connections") {
            assert_ne!(rest.read_line(&mut output).unwrap(), 0, "ended early: {output}");
        }
        Server { process, output, rest }
    }

    /// Sends a signal and gives the exit code and the output after it was ready.
    fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let mut output = String::new();
        self.rest.read_to_string(&mut output).unwrap();
        (self.process.wait().unwrap().code(), output)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

fn ask(mut connection: impl Read + Write, request: &str) -> String {
    connection.write_all(request.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line).unwrap();
    line
}

#[test]
fn serves_until_it_is_told_to_end() {
    let scratch = Scratch::new("serves");
    let port = free_port();
    let server =
        Server::start(scratch.command(&["--port", &port, "--unixsocket", "s.sock", "--pidfile", "e.pid"]));
    assert!(scratch.0.join("ebbtide-data").is_dir(), "the data directory is made");
    let pid = server.process.id().to_string();
    let initialized = server.output.find("Server initialized").unwrap();
    assert!(server.output[..initialized].contains(&format!(" PID: {pid}")), "{}", server.output);
    assert!(server.output.contains(&format!("127.0.0.1:{port}")), "{}", server.output);
    assert_eq!(fs::read_to_string(scratch.0.join("e.pid")).unwrap().trim(), pid);
    assert_eq!(ask(TcpStream::connect(format!("127.0.0.1:{port}")).unwrap(), "PING\r\n"), "+PONG\r\n");
    assert_eq!(ask(UnixStream::connect(scratch.0.join("s.sock")).unwrap(), "PING\r\n"), "+PONG\r\n");
    let (code, output) = server.end("-TERM");
    assert_eq!(code, Some(0));
    assert!(output.contains("Received SIGTERM") && output.contains("bye bye"), "{output}");
    for left in ["s.sock", "e.pid"] {
        assert!(!scratch.0.join(left).exists(), "{left} is left");
    }
}

const FILE: &str = "requirepass secret\nhz 20\nlogfile e.log\nrename-command echo repeat\n";

#[test]
fn a_file_and_flags_say_how() {
    let scratch = Scratch::new("file");
    let port = free_port();
    fs::write(scratch.0.join("my.conf"), FILE).unwrap();
    let process = scratch.command(&["server", "my.conf", "--port", &port, "--logfile", ""]);
    let server = Server::start(process);
    assert!(server.output.contains("Directive 'hz' has no effect"), "{}", server.output);
    let connection = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    assert_eq!(ask(&connection, "PING\r\n"), "-NOAUTH Authentication required.\r\n");
    assert_eq!(ask(&connection, "AUTH secret\r\n"), "+OK\r\n");
    assert_eq!(ask(&connection, "REPEAT hello\r\n"), "$5\r\n");
    let connection = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    assert_eq!(ask(&connection, "AUTH secret\r\n"), "+OK\r\n");
    assert!(ask(&connection, "ECHO hello\r\n").starts_with("-ERR unknown command"));
    assert_eq!(ask(&connection, "CONFIG SET maxmemory 5mb\r\n"), "+OK\r\n");
    assert_eq!(ask(&connection, "CONFIG REWRITE\r\n"), "+OK\r\n");
    let text = fs::read_to_string(scratch.0.join("my.conf")).unwrap();
    assert!(text.starts_with(&FILE.replace("e.log", "\"\"")), "{text}");
    assert!(text.contains("\nmaxmemory 5mb\n"), "{text}");
    assert_eq!(server.end("-INT").0, Some(0));
}

#[test]
fn what_cannot_be_started_says_why() {
    let scratch = Scratch::new("wrong");
    fs::write(scratch.0.join("bad.conf"), "port 7000\nmaxmemori 1gb\n").unwrap();
    for (args, said) in [
        (&["bad.conf"][..], "bad.conf, at line 2\n>>> 'maxmemori 1gb'\n"),
        (&["bad.conf"], "did you mean 'maxmemory'?"),
        (&["--port", "x"], ">>> 'port \"x\"'\nargument couldn't be parsed into an integer"),
        (&["none.conf"], "can't open config file 'none.conf': No such file or directory"),
        (&["--dir", "nowhere"], "No such file or directory"),
        (&["--logfile", "nowhere/e.log"], "Can't open the log file"),
        (&["--sentinel"], "no sentinel mode"),
    ] {
        let output = scratch.output(args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
        assert!(stderr.contains(said), "{args:?}: {stderr}");
    }
}

#[test]
fn a_port_that_is_taken_ends_the_start() {
    let scratch = Scratch::new("taken");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = scratch.output(&["--port", &port, "--bind", "127.0.0.1"]);
    assert_eq!(output.status.code(), Some(1));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains(&format!("Failed listening on port {port}")), "{stdout}");
}

#[test]
fn tells_about_itself() {
    let scratch = Scratch::new("about");
    let said = |args: &[&str]| {
        let output = scratch.output(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(said(&["--version"]).starts_with(&format!("Ebbtide {}", env!("CARGO_PKG_VERSION"))));
    assert!(said(&["--help"]).contains("Usage:"));
    assert!(said(&["server", "--directives"]).contains("\n#port 6379\n"));
    assert!(said(&["cli", "--version"]).contains(env!("CARGO_PKG_VERSION")));
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0, "no server was started");
}

#[test]
fn a_link_with_the_name_of_a_tool_is_that_tool() {
    let scratch = Scratch::new("links");
    let binary = Path::new(env!("CARGO_BIN_EXE_ebbtide"));
    for (name, said) in
        [("redis-server", "Ebbtide "), ("redis-cli", "cli"), ("redis-check-aof", "redis-check-aof ")]
    {
        let link = scratch.0.join(name);
        std::os::unix::fs::symlink(binary, &link).unwrap();
        let output = Command::new(link).arg("--version").output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.contains(said), "{name}: {stdout}");
    }
}
