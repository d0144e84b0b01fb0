//! The command line of `ebbtide bench`: redis-benchmark's options.

use std::ffi::OsString;
use std::fmt::Display;

use clap::{ArgAction, Parser};

use crate::address::ServerArgs;
use crate::bench::template::KEYSPACE_MAX;
use crate::bench::workload::{WORKLOADS, Workload};

const EXAMPLES: &str = "\
Tests: ping_inline ping_mbulk set get incr lpush rpush lpop rpop sadd hset spop zadd zpopmin
       lrange_100 lrange_300 lrange_500 lrange_600 mset xadd; ping and lrange stand for all of theirs.

In a command's arguments, __rand_int__ is a random number of twelve digits below -r's (without -r it stays as it is),
__key__ is key:__rand_int__, and __data__ is -d's payload.

Examples:
  ebbtide bench -q
  ebbtide bench -t set,get -n 1000000 -r 1000000 -d 64 -P 16 --threads 2
  ebbtide bench --csv -t ping,set,get
  ebbtide bench -r 10000 hset user:__rand_int__ name __data__

Exit status: 0; 1 on a bad option, when the server cannot be reached, or when it answers with an error.";

/// What the command line says.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "ebbtide bench",
    version,
    about = "Loads a server with requests and measures how fast it answers.",
    override_usage = "ebbtide bench [OPTIONS] [command [arg ...]]",
    after_help = EXAMPLES,
    disable_help_flag = true,
    disable_version_flag = true,
    args_override_self = true
)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Database number [default: 0]
    #[arg(long, value_name = "db", help_heading = "Connection")]
    pub(crate) dbnum: Option<u32>,
    /// Speak RESP3
    #[arg(short = '3', help_heading = "Connection")]
    pub(crate) resp3: bool,

    /// Connections, spread over the threads
    #[arg(short = 'c', value_name = "number", default_value_t = 50, value_parser = at_least_one, help_heading = "Load")]
    pub(crate) clients: usize,
    /// Requests of each test
    #[arg(short = 'n', value_name = "number", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Load")]
    pub(crate) requests: u64,
    /// Threads that send
    #[arg(long, value_name = "number", default_value_t = 1, value_parser = at_least_one, help_heading = "Load")]
    pub(crate) threads: usize,
    /// Requests sent at once over a connection
    #[arg(short = 'P', value_name = "number", default_value_t = 1, value_parser = at_least_one, help_heading = "Load")]
    pub(crate) pipeline: usize,
    /// Payload, in bytes, of tests that store something
    #[arg(short = 'd', value_name = "bytes", default_value_t = 3, value_parser = at_least_one, help_heading = "Load")]
    pub(crate) data_bytes: usize,
    /// Take keys, members and scores at random from so many, instead of one
    #[arg(short = 'r', value_name = "number", value_parser = clap::value_parser!(u64).range(..=KEYSPACE_MAX), help_heading = "Load")]
    pub(crate) keyspace: Option<u64>,
    /// Start of the random numbers, for runs that send the same
    #[arg(long, value_name = "number", help_heading = "Load")]
    pub(crate) seed: Option<u64>,
    /// 1 keeps connections open, 0 makes one for each request or pipeline
    #[arg(short = 'k', value_name = "0|1", default_value_t = 1, value_parser = clap::value_parser!(u8).range(..=1), help_heading = "Load")]
    keep_alive: u8,
    /// Only these tests, separated by commas
    #[arg(short = 't', value_name = "tests", value_delimiter = ',', value_parser = test_name, help_heading = "Load")]
    pub(crate) tests: Vec<String>,
    /// Take the command's last argument from stdin
    #[arg(short = 'x', help_heading = "Load")]
    pub(crate) stdin: bool,
    /// Run the tests over and over
    #[arg(short = 'l', help_heading = "Load")]
    pub(crate) repeat: bool,
    /// Open the connections and leave them idle
    #[arg(short = 'I', help_heading = "Load")]
    pub(crate) idle: bool,

    /// One line for each test
    #[arg(short = 'q', help_heading = "Output")]
    pub(crate) quiet: bool,
    /// redis-benchmark's CSV
    #[arg(long, help_heading = "Output", conflicts_with = "json")]
    pub(crate) csv: bool,
    /// A JSON object on a line for each test
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// Decimal places of latencies in milliseconds, at most 3
    #[arg(long, value_name = "number", default_value_t = 3, help_heading = "Output")]
    pub(crate) precision: usize,

    /// Print this
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,

    /// The command and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub(crate) command: Vec<OsString>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be 1 or more".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(display(error)),
    }
}

fn test_name(name: &str) -> Result<String, String> {
    let known = WORKLOADS.iter().any(|workload| workload.is_named(name));
    known.then(|| name.to_owned()).ok_or_else(|| "there is no such test; see --help".to_owned())
}

fn display(error: impl Display) -> String {
    error.to_string()
}

impl Options {
    /// Reads the arguments after `ebbtide bench`.
    ///
    /// # Errors
    /// Clap's: a bad option, or `--help` and `--version`, whose text is the error.
    pub(crate) fn parse_args(args: impl IntoIterator<Item = OsString>) -> Result<Options, clap::Error> {
        let options = Options::try_parse_from([OsString::from("ebbtide bench")].into_iter().chain(args))?;
        // A trailing argument may look like anything, so clap takes an unknown option for the command.
        let error = match options.command.first() {
            Some(first) if first.as_encoded_bytes().starts_with(b"-") => {
                format!("unknown option '{}'; see ebbtide bench --help\n", first.to_string_lossy())
            }
            None if options.stdin => "-x needs a command\n".to_owned(),
            _ => return Ok(options),
        };
        Err(clap::Error::raw(clap::error::ErrorKind::UnknownArgument, error))
    }

    /// Whether a connection serves more than one request or pipeline.
    pub(crate) fn keeps_alive(&self) -> bool {
        self.keep_alive != 0
    }

    /// The built-in tests that are asked for.
    pub(crate) fn workloads(&self) -> impl Iterator<Item = &'static Workload> {
        let asked = |workload: &Workload| self.tests.iter().any(|name| workload.is_named(name));
        WORKLOADS.iter().filter(move |workload| self.tests.is_empty() || asked(workload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, clap::Error> {
        Options::parse_args(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Options::command().debug_assert();
    }

    #[test]
    fn redis_benchmarks_options_are_understood() {
        let line = "-h h -p 7 -a pw --user u -c 9 -n 8 -d 6 --dbnum 5 -3 --threads 4 -k 0 -r 3 -P 2 -q --csv \
                    --precision 1 -l -t SET,get";
        let options = parse(line).unwrap();
        assert_eq!((options.clients, options.requests, options.data_bytes), (9, 8, 6));
        assert_eq!(
            (options.dbnum, options.threads, options.keyspace, options.pipeline),
            (Some(5), 4, Some(3), 2)
        );
        assert_eq!((options.resp3, options.quiet, options.csv, options.repeat), (true, true, true, true));
        assert!(!options.keeps_alive());
        assert!(options.workloads().map(|workload| workload.title).eq(["SET", "GET"]));
        assert_eq!(parse("").unwrap().workloads().count(), WORKLOADS.len());
    }

    #[test]
    fn everything_after_the_command_belongs_to_it() {
        let options = parse("-n 5 -x zadd k -1 -n 7").unwrap();
        assert_eq!(options.command, ["zadd", "k", "-1", "-n", "7"]);
        assert_eq!((options.requests, options.stdin), (5, true));
    }

    #[test]
    fn bad_command_lines_are_refused() {
        let lines = [
            "-c 0",
            "-n 0",
            "-P 0",
            "-d 0",
            "--threads 0",
            "-k 2",
            "-r -1",
            "-r 1000000000001",
            "-t set,nosuch",
            "--nosuch",
            "-Z",
            "-x",
            "--csv --json",
            "-c x",
        ];
        for line in lines {
            assert!(parse(line).is_err(), "{line}");
        }
        let help = parse("--help").unwrap_err();
        assert_eq!(help.kind(), clap::error::ErrorKind::DisplayHelp);
        assert!(help.to_string().contains("-P <number>"));
    }
}
