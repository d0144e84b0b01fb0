//! The load generator: `ebbtide bench`.
//!
//! `options` says what is asked for, `workload` and `template` what is sent, `load` sends it from one
//! thread, `measure` runs the threads, `report` writes down what came of it.

mod load;
mod measure;
mod options;
mod replies;
mod report;
mod server;
mod template;
mod workload;

use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::hash::BuildHasher;
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use crate::bench::load::{Failure, Plan};
use crate::bench::measure::{Size, measure};
use crate::bench::options::Options;
use crate::bench::report::Report;
use crate::bench::server::Server;
use crate::bench::template::{Random, Template};
use crate::bench::workload::custom_arg;

/// Runs `ebbtide bench` with the arguments after these words.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let options = match Options::parse_args(args) {
        Ok(options) => options,
        Err(error) => {
            // Without a place to print to, the status alone has to do.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    let mut out = io::stdout();
    let terminal = out.is_terminal();
    match bench(&options, &mut out, terminal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            crate::output::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Why there are no results.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The server cannot be reached or refuses the greeting.
    #[error("{0}")]
    Server(String),
    /// A test failed.
    #[error("{title}: {failure}")]
    Test { title: String, failure: Failure },
    /// Reading stdin or writing the results failed.
    #[error("{}", crate::connection::without_code(.0))]
    Io(#[from] io::Error),
}

/// One test: its title, its arguments, and whether they are sent as a bare line.
struct Test {
    title: String,
    args: Vec<Vec<u8>>,
    inline: bool,
}

fn bench(options: &Options, out: &mut dyn Write, terminal: bool) -> Result<(), Error> {
    let server = Server::meet(options).map_err(Error::Server)?;
    let mut seed = options.seed.unwrap_or_else(|| RandomState::new().hash_one(0));
    let tests = tests(options, &payload(options.data_bytes))?;
    let mut report = Report::new(options, &server, out, terminal)?;
    loop {
        for test in &tests {
            seed = seed.wrapping_add(options.threads as u64);
            run_test(options, &server, test, seed, &mut report)?;
        }
        if !options.repeat {
            return Ok(());
        }
    }
}

fn run_test(
    options: &Options,
    server: &Server,
    test: &Test,
    seed: u64,
    report: &mut Report<'_>,
) -> Result<(), Error> {
    let plan = Plan {
        target: server.target.clone(),
        greeting: server.greeting.clone(),
        greeting_replies: server.greeting_replies,
        template: Template::new(&test.args, test.inline, options.pipeline, options.keyspace),
        pipeline: options.pipeline,
        keep_alive: options.keeps_alive(),
        idle: options.idle,
    };
    let size = Size { threads: options.threads, clients: options.clients, requests: options.requests, seed };
    let mut shown = Ok(());
    let outcome = measure(&plan, size, |tick| {
        let first = tick.elapsed.is_zero();
        let show = |report: &mut Report<'_>| match (options.idle, first) {
            (false, _) => report.progress(&test.title, tick),
            (true, true) => report.idle(),
            (true, false) => Ok(()),
        };
        if shown.is_ok() {
            shown = show(report);
        }
    });
    let outcome = outcome.map_err(|failure| Error::Test { title: test.title.clone(), failure })?;
    shown?;
    Ok(report.outcome(&test.title, &outcome)?)
}

/// The tests to run: a custom command, or the built-in ones that are asked for.
fn tests(options: &Options, data: &[u8]) -> io::Result<Vec<Test>> {
    if options.idle {
        return Ok(vec![Test { title: "idle".to_owned(), args: Vec::new(), inline: true }]);
    }
    if options.command.is_empty() {
        let test = |workload: &workload::Workload| Test {
            title: workload.title.to_owned(),
            args: workload.args(data, options.keyspace.is_some()),
            inline: workload.inline,
        };
        return Ok(options.workloads().map(test).collect());
    }
    let words: Vec<_> = options.command.iter().map(|word| word.to_string_lossy()).collect();
    let title = words.join(" ");
    let mut args: Vec<_> =
        options.command.iter().map(|arg| custom_arg(arg.as_encoded_bytes(), data)).collect();
    if options.stdin {
        let mut last = Vec::new();
        io::stdin().read_to_end(&mut last)?;
        args.push(last);
    }
    Ok(vec![Test { title, args, inline: false }])
}

/// Letters at random, the same in each run.
fn payload(bytes: usize) -> Vec<u8> {
    let mut random = Random::new(0);
    (0..bytes).map(|_| b'A' + random.below(26) as u8).collect()
}

#[cfg(test)]
mod tests;
