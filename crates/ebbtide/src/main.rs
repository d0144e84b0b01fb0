//! The one binary: server, client and load generator.
//!
//! `ebbtide cli` is the client, `ebbtide bench` the load generator, `export`, `import` and `check` are for files of data,
//! all else is the server's;
//! under the name of one of Redis's or Valkey's programs (a link to the binary) it acts as that
//! program.

mod check;
mod export;
mod import;
mod transfer;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use check::Called;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const USAGE: &str = "\
Ebbtide: an in-memory data store that speaks Redis's protocol.

Usage:
  ebbtide [server] [FILE] [--DIRECTIVE VALUE ...] [-]
  ebbtide cli [OPTION ...] [COMMAND ...]
  ebbtide bench [OPTION ...] [COMMAND ...]
  ebbtide export | import | check [OPTION ...] [FILE]
  ebbtide --directives | --version | --help

The server takes redis.conf files and directives: `-` reads more of them from standard input, `--directives`
prints a file of them all, with what they do and their defaults.
`ebbtide cli --help` tells about the client, `ebbtide bench --help` about the load generator, `ebbtide export --help`,
`import --help` and `check --help` about the tools for files of data.

Examples:
  ebbtide                                    serve on 127.0.0.1:6379, data in ./ebbtide-data
  ebbtide /etc/redis/redis.conf              serve as that file says
  ebbtide --port 7000 --maxmemory 1gb        serve with these directives
  ebbtide cli set greeting hello             send one command
  ebbtide bench -t set,get -P 16             measure how fast a server is
  ebbtide export --out dump.json             write all data as JSON
  ebbtide check aof ebbtide-data             see whether the append log is whole
";

/// What the binary is asked to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Server,
    Client,
    Bench,
    Export,
    Import,
    Check(Called),
    Version,
    Help,
    Directives,
}

fn main() -> ExitCode {
    let mut args = env::args_os();
    let program = args.next().unwrap_or_default();
    let (tool, args) = choose(&program, args.collect());
    match tool {
        Tool::Server => server::launch(args),
        Tool::Client => cli::run(args),
        Tool::Bench => cli::bench::run(args),
        Tool::Export => export::run(args),
        Tool::Import => import::run(args),
        Tool::Check(called) => check::run(called, args),
        Tool::Version => {
            say(&format!("Ebbtide {} (speaks as Redis {})\n", server::VERSION, commands::REDIS_VERSION))
        }
        Tool::Directives => say(&server::config::sample()),
        Tool::Help => say(USAGE),
    }
}

/// Prints `text`.
fn say(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads had enough: `ebbtide --directives | head`.
        Err(_) => ExitCode::FAILURE,
    }
}

/// The tool that a program's name and first argument ask for, and the arguments left for it.
fn choose(program: &OsString, mut args: Vec<OsString>) -> (Tool, Vec<OsString>) {
    let name = Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let first = args.first().and_then(|first| first.to_str()).unwrap_or_default();
    let (tool, taken) = match (name, first) {
        ("redis-cli" | "valkey-cli", _) => (Tool::Client, 0),
        ("redis-benchmark" | "valkey-benchmark", _) => (Tool::Bench, 0),
        ("redis-check-rdb" | "valkey-check-rdb", _) => (Tool::Check(Called::CheckRdb), 0),
        ("redis-check-aof" | "valkey-check-aof", _) => (Tool::Check(Called::CheckAof), 0),
        ("redis-server" | "valkey-server", _) => (Tool::Server, 0),
        (_, "cli") => (Tool::Client, 1),
        (_, "bench") => (Tool::Bench, 1),
        (_, "export") => (Tool::Export, 1),
        (_, "import") => (Tool::Import, 1),
        (_, "check") => (Tool::Check(Called::Check), 1),
        (_, "server") => (Tool::Server, 1),
        _ => (Tool::Server, 0),
    };
    args.drain(..taken);
    let tool = match (tool, args.first().and_then(|first| first.to_str())) {
        (Tool::Server, Some("-v" | "--version")) => Tool::Version,
        (Tool::Server, Some("-h" | "--help")) => Tool::Help,
        (Tool::Server, Some("--directives")) => Tool::Directives,
        _ => tool,
    };
    (tool, args)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(line: &str) -> (Tool, Vec<String>) {
        let mut words = line.split(' ').map(OsString::from);
        let program = words.next().unwrap();
        let (tool, args) = choose(&program, words.collect());
        (tool, args.into_iter().map(|arg| arg.into_string().unwrap()).collect())
    }

    #[test]
    fn the_first_argument_or_the_name_chooses() {
        for (line, tool, args) in [
            ("ebbtide", Tool::Server, ""),
            ("/bin/ebbtide server a.conf --port 7000", Tool::Server, "a.conf --port 7000"),
            ("ebbtide --port 7000", Tool::Server, "--port 7000"),
            ("redis-server cli", Tool::Server, "cli"),
            ("ebbtide cli -p 7000", Tool::Client, "-p 7000"),
            ("ebbtide cli --version", Tool::Client, "--version"),
            ("/usr/bin/redis-cli server", Tool::Client, "server"),
            ("ebbtide bench -q", Tool::Bench, "-q"),
            ("valkey-benchmark -t get", Tool::Bench, "-t get"),
            ("ebbtide export --out x", Tool::Export, "--out x"),
            ("ebbtide import x", Tool::Import, "x"),
            ("ebbtide check rdb x", Tool::Check(Called::Check), "rdb x"),
            ("redis-check-rdb x", Tool::Check(Called::CheckRdb), "x"),
            ("/bin/valkey-check-aof --fix x", Tool::Check(Called::CheckAof), "--fix x"),
            ("ebbtide --version", Tool::Version, "--version"),
            ("ebbtide server -h", Tool::Help, "-h"),
        ] {
            assert_eq!((chosen(line).0, chosen(line).1.join(" ")), (tool, args.to_owned()), "{line}");
        }
    }
}
