//! Whole runs against a small server of the tests' own.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use resp::{Args, Limits, Parser, Reply};

use super::*;

/// Answers PING, AUTH, HELLO, SELECT, CONFIG and GET; anything else is an error. Remembers each request.
struct TinyServer {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    /// How often each request came.
    requests: BTreeMap<String, usize>,
}

impl TinyServer {
    fn start() -> TinyServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let (all, stopped) = (Arc::clone(&seen), Arc::clone(&stop));
        let listener = thread::spawn(move || {
            let connections: Vec<_> = (listener.incoming().map(Result::unwrap))
                .take_while(|_| !stopped.load(Ordering::SeqCst))
                .map(|stream| {
                    all.lock().unwrap().connections += 1;
                    let seen = Arc::clone(&all);
                    thread::spawn(move || serve(stream, &seen))
                })
                .collect();
            connections.into_iter().for_each(|connection| connection.join().unwrap());
        });
        TinyServer { address, seen, stop, listener: Some(listener) }
    }

    /// Runs the bench against it; its output or its error.
    fn bench(&self, line: &str) -> Result<String, String> {
        let port = self.address.port().to_string();
        let args = ["-p", &port].into_iter().chain(line.split_whitespace()).map(OsString::from);
        let options = Options::parse_args(args).unwrap();
        let mut out = Vec::new();
        bench(&options, &mut out, false).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn requests(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut self.seen.lock().unwrap().requests)
    }
}

impl Drop for TinyServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the listener, which then ends.
        drop(TcpStream::connect(self.address));
        if let Some(listener) = self.listener.take() {
            listener.join().unwrap();
        }
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Seen>) {
    let (mut parser, mut buf, mut reply) = (Parser::default(), Vec::new(), Reply::new());
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        buf.extend_from_slice(&chunk[..read]);
        let mut spans = Vec::new();
        while let Some(len) = parser.next(&mut buf, &Limits::default(), &mut spans).unwrap() {
            let args: Vec<_> = Args::new(&buf, &spans).iter().map(String::from_utf8_lossy).collect();
            *seen.lock().unwrap().requests.entry(args.join(" ")).or_default() += 1;
            match args[0].as_ref() {
                "PING" => reply.simple("PONG"),
                "AUTH" | "SELECT" => reply.ok(),
                "HELLO" => {
                    reply.set_resp3(true);
                    reply.map(1);
                    reply.bulk(b"proto");
                    reply.int(3);
                }
                "GET" => reply.bulk(&[b'v'; 100]),
                "CONFIG" => {
                    reply.map(1);
                    reply.bulk(args[2].as_bytes());
                    reply.bulk(b"no");
                }
                name => reply.error(&format!("ERR unknown command '{name}'")),
            }
            buf.drain(..len);
            spans.clear();
        }
        // A client that has all it wants may close before it reads everything.
        if stream.write_all(reply.bytes()).is_err() {
            return;
        }
        reply.truncate(0);
    }
}

#[test]
fn each_request_is_sent_once() {
    let server = TinyServer::start();
    for size in ["-c 1 -n 1", "-c 7 -n 1000 -P 3", "-c 50 -n 999 -P 100 --threads 4", "-c 3 -n 2 --threads 8"]
    {
        let n: usize = size.split(' ').nth(3).unwrap().parse().unwrap();
        let out = server.bench(&format!("{size} -t ping -q")).unwrap();
        assert!(out.starts_with("PING_INLINE: "), "{out}");
        assert_eq!(out.matches(" requests per second, p50=").count(), 2, "{out}");
        assert_eq!(server.requests()["PING"], 2 * n, "{size}");
    }
}

#[test]
fn connections_introduce_themselves() {
    let server = TinyServer::start();
    server.bench("-c 5 -n 20 -t get -r 100 -3 -a secret --user bob --dbnum 2").unwrap();
    let requests = server.requests();
    // The one that looks whether the server is there, and five more.
    for greeting in ["AUTH bob secret", "HELLO 3", "SELECT 2"] {
        assert_eq!(requests[greeting], 6, "{greeting}");
    }
    let gets = requests.iter().filter(|(request, _)| request.starts_with("GET key:0000000000"));
    assert_eq!(gets.map(|(_, count)| count).sum::<usize>(), 20);
}

#[test]
fn without_keep_alive_each_pipeline_has_its_connection() {
    let server = TinyServer::start();
    server.bench("-k 0 -c 4 -n 100 -P 5 --threads 2 -a pw -t ping_mbulk -q").unwrap();
    assert_eq!(server.requests()["PING"], 100);
    let connections = server.seen.lock().unwrap().connections;
    // Another thread may take the last requests while a connection is being made.
    assert!((21..=25).contains(&connections), "{connections}");
}

#[test]
fn results_come_as_csv_json_or_text() {
    let server = TinyServer::start();
    let csv = server.bench("-c 2 -n 10 --csv GET a,\"b").unwrap();
    let mut lines = csv.lines();
    assert!(lines.next().unwrap().starts_with("\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\""));
    let row = lines.next().unwrap();
    assert!(row.starts_with("\"GET a,\"\"b\",\""), "{row}");
    assert_eq!(row.split("\",\"").count(), 8, "{row}");

    let json: serde_json::Value =
        serde_json::from_str(&server.bench("-c 3 -n 50 --json -t get -r 9").unwrap()).unwrap();
    assert_eq!((json["test"].as_str(), json["requests"].as_u64()), (Some("GET"), Some(50)));
    assert_eq!(json["server"]["appendonly"], "no");
    assert_eq!((json["clients"].as_u64(), json["keyspace"].as_u64()), (Some(3), Some(9)));
    let ms = |name: &str| json["latency_ms"][name].as_f64().unwrap();
    assert!(ms("min") <= ms("p50") && ms("p50") <= ms("p99") && ms("p99") <= ms("max"), "{json}");

    let text = server.bench("-n 40 -t get --precision 1").unwrap();
    for part in
        ["====== GET ======", ": 40 in ", "50 clients on 1 thread,", "100.000% within", "(40 requests)"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn the_servers_errors_end_it() {
    let server = TinyServer::start();
    let error = server.bench("-n 1000 --threads 2 -q nosuch __data__").unwrap_err();
    assert_eq!(error, "nosuch __data__: Error from server: ERR unknown command 'nosuch'");
    assert_eq!(server.requests().keys().filter(|request| request.starts_with("nosuch ")).count(), 1);
}

#[test]
fn an_absent_server_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = Options::parse_args(["-p", &free.port().to_string()].map(OsString::from)).unwrap();
    let error = bench(&options, &mut Vec::new(), false).unwrap_err().to_string();
    assert_eq!(error, format!("Could not connect to {free}: Connection refused"));
}
