//! `ebbtide export`: the data of a running server, or of files, into a file of another form.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Parser};
use cli::ServerArgs;
use persist::rdb::Version;

use crate::transfer::from_server::Selection;
use crate::transfer::to_file::{Format, ToFile};
use crate::transfer::{Failure, Sink, Tally, from_files, from_server};

const EXAMPLES: &str = "\
Examples:
  ebbtide export --out dump.json                    all data of the server on this machine, to be read and edited
  ebbtide export -p 7000 --format rdb --out dump.rdb
  ebbtide export --from dump.rdb | less             what is in a snapshot
  ebbtide export --from dump.rdb --format resp | ebbtide cli -p 7000 --pipe
  ebbtide export -n 3 --pattern 'user:*' --out users.json

A server goes on meanwhile: each key is as it was when its turn came. Redis and Valkey will do as well as Ebbtide.
Files are known by their first bytes: RDB, JSON, requests; of a directory, what a server would load is taken.
The file is there once all is in it. Exit status: 0; 1 when something is missing.";

/// What the command line says.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "ebbtide export",
    version,
    about = "Writes all data into a file: as JSON, as RDB, or as requests.",
    override_usage = "ebbtide export [OPTIONS]",
    after_help = EXAMPLES,
    disable_help_flag = true,
    disable_version_flag = true,
    args_override_self = true
)]
struct Options {
    /// What to write
    #[arg(long, value_name = "json|rdb|resp", default_value = "json", hide_possible_values = true)]
    format: Format,
    /// Version of an RDB file; Redis 7.0 reads 10, not 11
    #[arg(long, value_name = "10|11", default_value_t = 11, value_parser = clap::value_parser!(u16).range(10..=11))]
    rdb_version: u16,
    /// Where to write it [default: standard output]
    #[arg(long, value_name = "file")]
    out: Option<PathBuf>,
    /// Read this file or directory (- for standard input) instead of asking a server
    #[arg(long, value_name = "file|dir")]
    from: Option<PathBuf>,
    /// Only this database of the server
    #[arg(short = 'n', value_name = "db", conflicts_with = "from")]
    db: Option<u32>,
    /// Only the server's keys that match
    #[arg(long, value_name = "glob", conflicts_with = "from", allow_hyphen_values = true)]
    pattern: Option<OsString>,
    #[command(flatten)]
    server: ServerArgs,

    /// Print this
    #[arg(long, action = ArgAction::Help, help_heading = "About")]
    help: Option<bool>,
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version, help_heading = "About")]
    version: Option<bool>,
}

/// Runs `ebbtide export` with the arguments after these two words.
pub(crate) fn run(args: Vec<OsString>) -> ExitCode {
    match Options::try_parse_from([OsString::from("ebbtide export")].into_iter().chain(args)) {
        Ok(options) => {
            let exported = export(&options);
            // Where the data are all there is to see, a terminal's reader has seen enough.
            if exported.is_ok() && options.out.is_none() {
                return ExitCode::SUCCESS;
            }
            ended("Exported", exported)
        }
        Err(error) => parsed(&error),
    }
}

fn export(options: &Options) -> Result<Tally, Failure> {
    if options.from.is_some() && options.server.is_given() {
        return Err(Failure::Usage(
            "--from reads files: options of a server have no meaning then".to_owned(),
        ));
    }
    let version = if options.rdb_version == 10 { Version::V10 } else { Version::V11 };
    let mut sink = Box::new(ToFile::new(options.out.as_deref(), options.format, version)?);
    match &options.from {
        Some(path) => from_files::copy(path, &mut *sink)?,
        None => {
            let pattern = options.pattern.as_ref().map(|pattern| pattern.as_encoded_bytes().to_vec());
            let selection = Selection { db: options.db, pattern };
            from_server::copy(&mut options.server.connect()?, &selection, &mut *sink)?;
        }
    }
    sink.finish()
}

/// Tells how a transfer ended, and the exit status that says so.
pub(crate) fn ended(done: &str, outcome: Result<Tally, Failure>) -> ExitCode {
    match outcome {
        Ok(tally) => {
            eprintln!("{done}: {tally}.");
            if tally.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(failure) => {
            if !failure.is_broken_pipe() {
                eprintln!("{failure}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Prints what clap has to say: help, the version or what is wrong.
pub(crate) fn parsed(error: &clap::Error) -> ExitCode {
    // When it cannot be printed, there is nobody to tell.
    let _ = error.print();
    if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, clap::Error> {
        Options::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Options::command().debug_assert();
    }

    #[test]
    fn options_are_read() {
        let options = parse("export --host h --port 7 -n 3 --format rdb --pattern -* --out x").unwrap();
        assert_eq!((options.format, options.db), (Format::Rdb, Some(3)));
        assert_eq!(options.pattern.as_deref(), Some("-*".as_ref()));
        assert!(options.server.is_given() && options.from.is_none());
        assert_eq!(parse("export --from dump.rdb").unwrap().format, Format::Json);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in
            ["export --format xml", "export --from x -n 1", "export extra", "export --from x --pattern a"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
        let options = parse("export --from x -p 7").unwrap();
        assert!(matches!(export(&options), Err(Failure::Usage(_))));
    }
}
