//! `ebbtide import`: files into a running server.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Parser};
use cli::ServerArgs;

use crate::export::{ended, parsed};
use crate::transfer::to_server::ToServer;
use crate::transfer::{Failure, Sink, Tally, from_files};

const EXAMPLES: &str = "\
Examples:
  ebbtide import dump.json                   what `ebbtide export` wrote
  ebbtide import -p 7000 /var/lib/redis      what a Redis server left in its directory
  ebbtide import --replace dump.rdb          keys that are there already are replaced
  ebbtide export -h old-host --format rdb | ebbtide import -

Files are known by their first bytes: RDB, JSON, requests of the protocol; of a directory, what a server would load is
taken. A key that the server has already is refused, the others go in. Redis and Valkey will do as well as Ebbtide.
Exit status: 0; 1 when something is missing in the server then.";

/// What the command line says.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "ebbtide import",
    version,
    about = "Loads files into a running server: JSON, RDB, requests, or an append log.",
    override_usage = "ebbtide import [OPTIONS] <file|dir|->",
    after_help = EXAMPLES,
    disable_help_flag = true,
    disable_version_flag = true,
    args_override_self = true
)]
struct Options {
    /// The file or directory; - for standard input
    #[arg(value_name = "file|dir|-")]
    from: PathBuf,
    /// Replace keys and libraries of functions that are there
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    server: ServerArgs,

    /// Print this
    #[arg(long, action = ArgAction::Help, help_heading = "About")]
    help: Option<bool>,
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version, help_heading = "About")]
    version: Option<bool>,
}

/// Runs `ebbtide import` with the arguments after these two words.
pub(crate) fn run(args: Vec<OsString>) -> ExitCode {
    match Options::try_parse_from([OsString::from("ebbtide import")].into_iter().chain(args)) {
        Ok(options) => ended("Imported", import(&options)),
        Err(error) => parsed(&error),
    }
}

fn import(options: &Options) -> Result<Tally, Failure> {
    let mut sink = Box::new(ToServer::new(options.server.connect()?, options.replace));
    let given = from_files::copy(&options.from, &mut *sink);
    // What was given before a failure is there: the server's answers to it are not left unread.
    let tally = sink.finish();
    match (given, tally) {
        (Err(failure), Ok(tally)) => {
            eprintln!("Imported before it failed: {tally}.");
            Err(failure)
        }
        (given, tally) => given.and(tally),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Options::command().debug_assert();
    }

    #[test]
    fn options_are_read() {
        let options = Options::try_parse_from(["import", "-p", "7", "--replace", "-"]).unwrap();
        assert!(options.replace && options.server.is_given());
        assert_eq!(options.from, PathBuf::from("-"));
        assert!(Options::try_parse_from(["import"]).is_err());
        assert!(Options::try_parse_from(["import", "a", "b"]).is_err());
    }
}
