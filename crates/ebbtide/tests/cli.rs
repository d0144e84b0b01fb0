//! `ebbtide cli` as a program: against a server that says just what the test tells it to say.

#![allow(clippy::unwrap_used, reason = "a test's own steps fail loudly")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Longer than any answer takes; ends a test whose client never asks.
const PATIENCE: Duration = Duration::from_secs(20);

/// A step of a scripted conversation.
#[derive(Clone, Debug)]
enum Step {
    /// The client sends this command.
    Expect(Vec<&'static str>),
    /// The server sends these bytes.
    Send(&'static [u8]),
    /// The server sends these bytes one by one.
    Trickle(&'static [u8]),
}
use Step::{Expect, Send, Trickle};

/// `asked` is answered with `answer`.
fn dialogue(asked: &'static str, answer: &'static [u8]) -> [Step; 2] {
    [Expect(asked.split(' ').collect()), Send(answer)]
}

/// A server that holds one scripted conversation after another and ends each by closing the connection.
struct Server {
    port: u16,
    held: mpsc::Receiver<()>,
    thread: JoinHandle<()>,
}

impl Server {
    fn start(conversations: Vec<Vec<Step>>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (hold, held) = mpsc::channel();
        let thread = thread::spawn(move || {
            for conversation in conversations {
                let (stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                converse(stream, conversation);
                // A test may not care.
                let _ = hold.send(());
            }
        });
        Server { port, held, thread }
    }

    /// One conversation of dialogues.
    fn answering<const N: usize>(dialogues: [[Step; 2]; N]) -> Server {
        Server::start(vec![dialogues.concat()])
    }

    fn client(&self, args: &[&str]) -> Command {
        let port = self.port.to_string();
        client(&[&["-p", &port], args].concat())
    }

    /// Runs the client to its end with these arguments after `-p`, and checks that the script was followed.
    fn run(self, args: &[&str]) -> Output {
        let output = self.client(args).output().unwrap();
        self.finish();
        output
    }

    fn run_with_stdin(self, args: &[&str], stdin: &[u8]) -> Output {
        let mut child = self.client(args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin).unwrap();
        let output = child.wait_with_output().unwrap();
        self.finish();
        output
    }

    fn finish(self) {
        self.thread.join().unwrap();
    }
}

fn client(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebbtide"));
    command.arg("cli").args(args);
    for variable in ["EBBTIDE_AUTH", "REDISCLI_AUTH", "FAKETTY"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
    }
    bytes
}

fn converse(mut stream: TcpStream, conversation: Vec<Step>) {
    stream.set_nodelay(true).unwrap();
    for step in conversation {
        match step {
            Expect(words) => {
                let expected = request(&words);
                let mut sent = vec![0; expected.len()];
                stream.read_exact(&mut sent).unwrap();
                assert_eq!(String::from_utf8_lossy(&sent), String::from_utf8_lossy(&expected));
            }
            Send(bytes) => stream.write_all(bytes).unwrap(),
            Trickle(bytes) => bytes.iter().for_each(|byte| stream.write_all(&[*byte]).unwrap()),
        }
    }
    // To drop it does not do: a process that another test is starting may hold the socket for a moment.
    // And it fails when the client was faster.
    let _ = stream.shutdown(Shutdown::Both);
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn a_command_prints_its_reply() {
    let output = Server::answering([dialogue("get k", b"$3\r\na\nb\r\n")]).run(&["get", "k"]);
    assert_eq!((stdout(&output).as_str(), status(&output)), ("a\nb\n", 0));
    let output = Server::answering([dialogue("get k", b"$3\r\na\nb\r\n")]).run(&["--no-raw", "get", "k"]);
    assert_eq!(stdout(&output), "\"a\\nb\"\n");
    let array = b"*2\r\n$1\r\na\r\n*2\r\n:1\r\n_\r\n";
    let output = Server::answering([dialogue("x", array)]).run(&["--no-raw", "x"]);
    assert_eq!(stdout(&output), "1) \"a\"\n2) 1) (integer) 1\n   2) (nil)\n");
    let output = Server::answering([dialogue("x", array)]).run(&["-d", ",", "-D", ";", "x"]);
    assert_eq!(stdout(&output), "a,1,;");
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_reply_may_come_in_pieces() {
    let steps = vec![Expect(vec!["x"]), Trickle(b"%1\r\n$1\r\nk\r\n~2\r\n,1.5\r\n#t\r\n")];
    let output = Server::start(vec![steps]).run(&["--no-raw", "x"]);
    assert_eq!(stdout(&output), "1# \"k\" => \n   1~ (double) 1.5\n   2~ (true)\n");
}

#[test]
fn an_error_fails_only_when_it_is_asked_to() {
    let error = b"-ERR no such thing\r\n";
    let output = Server::answering([dialogue("x", error)]).run(&["x"]);
    assert_eq!((stdout(&output).as_str(), status(&output)), ("ERR no such thing\n\n", 0));
    let output = Server::answering([dialogue("x", error)]).run(&["-e", "x"]);
    assert_eq!((stdout(&output).as_str(), status(&output)), ("", 1));
    assert_eq!(stderr(&output), "ERR no such thing\n");
}

#[test]
fn options_introduce_the_client() {
    let server = Server::answering([
        dialogue("AUTH bob secret", b"+OK\r\n"),
        dialogue("HELLO 3", b"%0\r\n"),
        dialogue("SELECT 3", b"+OK\r\n"),
        dialogue("ping", b"+PONG\r\n"),
    ]);
    let args = ["--user", "bob", "-a", "secret", "--no-auth-warning", "-n", "3", "-3", "ping"];
    let output = server.run(&args);
    assert_eq!((stdout(&output).as_str(), stderr(&output).as_str(), status(&output)), ("PONG\n", "", 0));

    let server = Server::answering([dialogue("AUTH secret", b"-ERR no\r\n"), dialogue("ping", b"+PONG\r\n")]);
    let output = server.client(&["ping"]).env("REDISCLI_AUTH", "secret").output().unwrap();
    assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("PONG\n", "AUTH failed: ERR no\n"));
    server.finish();

    let server = Server::answering([dialogue("SELECT 99", b"-ERR DB index is out of range\r\n")]);
    let output = server.run(&["-n", "99", "flushdb"]);
    assert_eq!(stderr(&output), "SELECT 99 failed: ERR DB index is out of range\n");
    assert_eq!(status(&output), 1);
}

#[test]
fn json_takes_resp3_where_there_is_one() {
    let map = b"%1\r\n$1\r\na\r\n*2\r\n:1\r\n_\r\n";
    let output =
        Server::answering([dialogue("HELLO 3", b"%0\r\n"), dialogue("x", map)]).run(&["--json", "x"]);
    assert_eq!(stdout(&output), "{\"a\":[1,null]}\n");
    let unknown = b"-ERR unknown command\r\n";
    let output =
        Server::answering([dialogue("HELLO 3", unknown), dialogue("x", b":1\r\n")]).run(&["--json", "x"]);
    assert_eq!((stdout(&output).as_str(), status(&output)), ("1\n", 0));
    let output = Server::answering([dialogue("x", b"$-1\r\n")]).run(&["--json", "-2", "x"]);
    assert_eq!(stdout(&output), "null\n");
}

#[test]
fn nobody_and_nonsense_are_failures() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let output = client(&["-p", &port, "ping"]).output().unwrap();
    assert_eq!(stderr(&output), format!("Could not connect to 127.0.0.1:{port}: Connection refused\n"));
    assert_eq!(status(&output), 1);

    let output = Server::start(vec![vec![Expect(vec!["get", "k"]), Send(b"$5\r\nab")]]).run(&["get", "k"]);
    assert_eq!((stderr(&output).as_str(), status(&output)), ("Error: Server closed the connection\n", 1));

    let output = Server::answering([dialogue("get k", b"HTTP/1.1 400\r\n")]).run(&["get", "k"]);
    assert_eq!(stderr(&output), "Error: Protocol error: unknown reply type 'H'\n");
    assert_eq!(status(&output), 1);
}

#[test]
fn redirections_are_followed() {
    let target = Server::answering([dialogue("ASKING", b"+OK\r\n"), dialogue("get k", b"$1\r\nv\r\n")]);
    let ask = format!("-ASK 5 127.0.0.1:{}\r\n", target.port).leak().as_bytes();
    let middle = Server::answering([dialogue("get k", ask)]);
    let moved = format!("-MOVED 5 :{}\r\n", middle.port).leak().as_bytes();
    let output = Server::answering([dialogue("get k", moved)]).run(&["-c", "get", "k"]);
    assert_eq!((stdout(&output).as_str(), status(&output)), ("v\n", 0));
    middle.finish();
    target.finish();

    let output = Server::answering([dialogue("get k", b"-MOVED 5 :1\r\n")]).run(&["get", "k"]);
    assert_eq!(stdout(&output), "MOVED 5 :1\n\n");
}

#[test]
fn arguments_and_scripts_come_from_stdin() {
    let output =
        Server::answering([dialogue("set k in", b"+OK\r\n")]).run_with_stdin(&["-x", "set", "k"], b"in");
    assert_eq!(stdout(&output), "OK\n");

    let server = Server::answering([
        dialogue("set k v", b"+OK\r\n"),
        dialogue("incr k", b"-ERR value is not an integer\r\n"),
        dialogue("get k", b"$1\r\nv\r\n"),
        dialogue("get k", b"$1\r\nv\r\n"),
    ]);
    let lines = b"set k 'v'\n\nincr k\n2 get k\nquit\nget never\n";
    let output = server.run_with_stdin(&[], lines);
    assert_eq!(stdout(&output), "OK\nERR value is not an integer\n\nv\nv\n");
    assert_eq!(status(&output), 0);

    let server = Server::answering([dialogue("incr k", b"-ERR no\r\n")]);
    let output = server.run_with_stdin(&["-e"], b"incr k\nget k\n");
    assert_eq!((stderr(&output).as_str(), status(&output)), ("ERR no\n", 1));
}

/// A client that reads commands from a pipe the test holds open.
fn scripted(server: &Server) -> Child {
    server.client(&[]).stdin(Stdio::piped()).spawn().unwrap()
}

fn type_line(child: &mut Child, line: &str) {
    child.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
}

#[test]
fn a_connection_closed_between_commands_is_replaced() {
    let server = Server::start(vec![
        [dialogue("select 2", b"+OK\r\n"), dialogue("incr k", b":1\r\n")].concat(),
        [dialogue("SELECT 2", b"+OK\r\n"), dialogue("incr k", b":2\r\n")].concat(),
    ]);
    let mut child = scripted(&server);
    type_line(&mut child, "select 2\nincr k\n");
    server.held.recv_timeout(PATIENCE).unwrap();
    type_line(&mut child, "incr k\n");
    let output = child.wait_with_output().unwrap();
    assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("OK\n1\n2\n", ""));
    assert_eq!(status(&output), 0);
    server.finish();
}

#[test]
fn a_transaction_is_not_continued_on_another_connection() {
    let server = Server::answering([dialogue("multi", b"+OK\r\n"), dialogue("incr k", b"+QUEUED\r\n")]);
    let mut child = scripted(&server);
    type_line(&mut child, "multi\nincr k\n");
    server.held.recv_timeout(PATIENCE).unwrap();
    type_line(&mut child, "incr other\n");
    let output = child.wait_with_output().unwrap();
    assert_eq!((stderr(&output).as_str(), status(&output)), ("Error: Server closed the connection\n", 1));
    server.finish();
}

#[test]
fn subscriptions_print_messages_until_the_end() {
    let steps = vec![
        Expect(vec!["subscribe", "a", "b"]),
        Send(b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n"),
        Send(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n*3\r\n$7\r\nmessage\r\n$1\r\nb\r\n$2\r\nho\r\n"),
    ];
    let output = Server::start(vec![steps]).run(&["subscribe", "a", "b"]);
    assert_eq!(stdout(&output), "subscribe\na\n1\nmessage\na\nhi\nsubscribe\nb\n2\nmessage\nb\nho\n");
    assert_eq!(status(&output), 1);

    let server = Server::answering([dialogue("unsubscribe", b"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n")]);
    let output = server.run(&["unsubscribe"]);
    assert_eq!((stdout(&output).as_str(), status(&output)), ("unsubscribe\n\n0\n", 0));
}

#[test]
fn push_messages_are_shown_or_not() {
    let pushed = b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n+OK\r\n";
    for (show, expected) in [("yes", "-> invalidate: 'k'\nOK\n"), ("no", "OK\n")] {
        let server = Server::answering([dialogue("HELLO 3", b"%0\r\n"), dialogue("x", pushed)]);
        let output = server.run(&["-3", "--no-raw", "--show-pushes", show, "x"]);
        assert_eq!(stdout(&output), expected);
    }
}

#[test]
fn scan_lists_all_keys() {
    let steps = || {
        [
            dialogue(
                "SCAN 0 MATCH k* COUNT 2 TYPE set",
                b"*2\r\n$2\r\n17\r\n*2\r\n$2\r\nk1\r\n$2\r\nk\n\r\n",
            ),
            dialogue("SCAN 17 MATCH k* COUNT 2 TYPE set", b"*2\r\n$1\r\n0\r\n*0\r\n"),
        ]
    };
    let args = ["--scan", "--pattern", "k*", "--count", "2", "--type", "set"];
    let output = Server::answering(steps()).run(&args);
    assert_eq!((stdout(&output).as_str(), status(&output)), ("k1\nk\n\n", 0));
    let output = Server::answering(steps()).run(&[&args[..], &["--no-raw"]].concat());
    assert_eq!(stdout(&output), "\"k1\"\n\"k\\n\"\n");
    let output = Server::answering([dialogue("SCAN 0 COUNT 10", b"-NOPERM no\r\n")]).run(&["--scan"]);
    assert_eq!((stderr(&output).as_str(), status(&output)), ("SCAN failed: NOPERM no\n", 1));
}

#[test]
fn bigkeys_finds_the_biggest_of_each_type() {
    let server = Server::answering([
        dialogue("READONLY", b"-ERR This instance has cluster support disabled\r\n"),
        dialogue("DBSIZE", b":3\r\n"),
        dialogue("SCAN 0 COUNT 10", b"*2\r\n$1\r\n0\r\n*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"),
        [Expect(vec!["TYPE", "a"]), Expect(vec!["TYPE", "b"])],
        dialogue("TYPE c", b"+string\r\n+list\r\n+none\r\n"),
        [Expect(vec!["STRLEN", "a"]), Send(b"")],
        dialogue("LLEN b", b":5\r\n:7\r\n"),
    ]);
    let output = server.run(&["--bigkeys"]);
    let text = stdout(&output);
    for line in [
        "Sampled 3 keys in the keyspace!",
        "Biggest string found '\"a\"' has 5 bytes",
        "Biggest   list found '\"b\"' has 7 items",
        "1 lists with 7 items (33.33% of keys, avg size 7.00)",
    ] {
        assert!(text.lines().any(|printed| printed == line), "{line} in {text}");
    }
    assert_eq!(status(&output), 0);
}

/// Takes a pipe's requests, and answers each but the last with `answers`; the last is the client's own ECHO.
fn take_pipe(listener: &TcpListener, requests: &[u8], answers: &[u8]) {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut sent = vec![0; requests.len()];
    stream.read_exact(&mut sent).unwrap();
    assert_eq!(sent, requests);
    stream.write_all(answers).unwrap();
    let head = b"\r\n*2\r\n$4\r\nECHO\r\n$20\r\n";
    let mut echo = vec![0; head.len() + 22];
    stream.read_exact(&mut echo).unwrap();
    assert_eq!(&echo[..head.len()], head);
    stream.write_all(&[b"$20\r\n", &echo[head.len()..]].concat()).unwrap();
    // Waits for the client to leave first.
    assert_eq!(stream.read(&mut echo).unwrap(), 0);
}

#[test]
fn pipe_counts_replies_and_errors() {
    for (answers, counted, code) in [
        (b"+OK\r\n:1\r\n$-1\r\n".as_slice(), "errors: 0, replies: 3", 0),
        (b"+OK\r\n-ERR no\r\n*1\r\n:1\r\n", "errors: 1, replies: 3", 1),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let input = [request(&["set", "k", "v"]), request(&["incr", "n"]), request(&["get", "x"])].concat();
        let requests = input.clone();
        let server = thread::spawn(move || take_pipe(&listener, &requests, answers));
        let mut child = client(&["-p", &port, "--pipe"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&input).unwrap();
        let output = child.wait_with_output().unwrap();
        server.join().unwrap();
        let last = "All data transferred. Waiting for the last reply...\nLast reply received from server.\n";
        assert_eq!(stdout(&output), format!("{last}{counted}\n"));
        assert_eq!(stderr(&output), if code == 0 { "" } else { "ERR no\n" });
        assert_eq!(status(&output), code);
    }
}

#[test]
fn help_comes_from_the_server() {
    let docs = b"*2\r\n$3\r\nget\r\n*4\r\n$7\r\nsummary\r\n$4\r\nGets\r\n$9\r\narguments\r\n*1\r\n\
        *4\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n";
    let output = Server::answering([dialogue("COMMAND DOCS", docs)]).run(&["help", "get"]);
    assert_eq!(stdout(&output), "\n  GET key\n  summary: Gets\n\n");
}

#[test]
fn bad_options_and_urls_are_refused() {
    for (args, part) in [
        (["--nosuch", "x"], "unknown option '--nosuch'"),
        (["-p", "x"], "invalid value 'x'"),
        (["-u", "rediss://h"], "TLS"),
    ] {
        let output = client(&args).output().unwrap();
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
        assert_eq!(status(&output), 1);
    }
    let output = client(&["--help"]).output().unwrap();
    assert!(stdout(&output).contains("-h <host>"));
    assert_eq!(status(&output), 0);
}
