//! `ebbtide check`: says what is in a file and whether it is whole, and mends it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{ArgAction, Args, Parser, Subcommand};
use persist::log::{self, CheckMode, Refused};
use persist::rdb::{self, mend};
use persist::storage::{Disk, NewFile, Storage};

use crate::export::parsed;
use crate::transfer::from_files::manifest_in;
use crate::transfer::progress::{Counted, Progress, Unit};

const EXAMPLES: &str = "\
Examples:
  ebbtide check rdb dump.rdb
  ebbtide check aof ebbtide-data                     the append log in this directory
  ebbtide check aof --fix appendonlydir/appendonly.aof.manifest
  ebbtide check aof --truncate-to-timestamp 1700000000 ebbtide-data

To mend is to cut: what stands behind the first damage is taken away, and only from the end of the data. Make a copy
before. Exit status: 0 when the file is whole, or is whole now; 1 when it is not.";

/// What the command line says.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "ebbtide check",
    version,
    about = "Says what is in a file of data and whether it is whole, and mends it.",
    after_help = EXAMPLES,
    disable_help_subcommand = true,
    disable_version_flag = true
)]
struct Options {
    #[command(subcommand)]
    what: What,
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,
}

#[derive(Subcommand, Clone, Debug)]
enum What {
    /// A snapshot in RDB format
    Rdb(RdbOptions),
    /// An append log: its manifest or directory, or one file
    Aof(AofOptions),
}

#[derive(Args, Clone, Debug)]
struct RdbOptions {
    /// Keep what stands before the first damage, as a whole file in its place
    #[arg(long)]
    fix: bool,
    /// The snapshot
    #[arg(value_name = "file")]
    file: PathBuf,
}

#[derive(Args, Clone, Debug)]
struct AofOptions {
    /// Cut the last file off at the first damage
    #[arg(long, conflicts_with = "timestamp")]
    fix: bool,
    /// Cut off all that was written after this second; the log must have timestamps (aof-timestamp-enabled)
    #[arg(long = "truncate-to-timestamp", value_name = "unix-time")]
    timestamp: Option<i64>,
    /// The manifest, its directory, or one file of a log
    #[arg(value_name = "file|dir")]
    file: PathBuf,
}

/// The options of redis-check-rdb, under whose name the binary may be called.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "redis-check-rdb",
    version,
    about = "Says what is in a snapshot and whether it is whole.",
    disable_version_flag = true
)]
struct CheckRdb {
    #[command(flatten)]
    options: RdbOptions,
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,
}

/// The options of redis-check-aof.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "redis-check-aof",
    version,
    disable_version_flag = true,
    about = "Says what is in an append log and whether it is whole."
)]
struct CheckAof {
    #[command(flatten)]
    options: AofOptions,
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    version: Option<bool>,
}

/// Under which name, and so with which options, the tool runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    /// `ebbtide check`.
    Check,
    /// `redis-check-rdb` or `valkey-check-rdb`.
    CheckRdb,
    /// `redis-check-aof` or `valkey-check-aof`.
    CheckAof,
}

/// Runs the tool with the arguments after its name.
pub(crate) fn run(called: Called, args: Vec<OsString>) -> ExitCode {
    let args = |name: &str| [OsString::from(name)].into_iter().chain(args);
    let what = match called {
        Called::Check => Options::try_parse_from(args("ebbtide check")).map(|options| options.what),
        Called::CheckRdb => {
            CheckRdb::try_parse_from(args("redis-check-rdb")).map(|called| What::Rdb(called.options))
        }
        Called::CheckAof => {
            CheckAof::try_parse_from(args("redis-check-aof")).map(|called| What::Aof(called.options))
        }
    };
    let checked = match what {
        Ok(What::Rdb(options)) => check_rdb(&options),
        Ok(What::Aof(options)) => check_aof(&options),
        Err(error) => return parsed(&error),
    };
    match checked {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line; whoever reads may have had enough, which changes nothing about the file.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Whether the snapshot is whole now.
fn check_rdb(options: &RdbOptions) -> Result<bool, String> {
    let path = &options.file;
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(failed)?;
    let progress = Progress::new(Unit::Bytes, file.metadata().ok().map(|found| found.len()));
    let input = BufReader::new(Counted { input: file, progress: &progress });
    let report = rdb::check(input, server::now_ms(), &mut |offset, line| {
        progress.end();
        say(format_args!("[{offset}] {line}"));
    });
    progress.end();
    say(format_args!("{}: {report}", path.display()));
    if report.is_good() {
        say("\\o/ RDB looks OK! \\o/");
        return Ok(true);
    }
    if !report.can_be_mended() {
        return Ok(false);
    }
    if !options.fix {
        let (keys, path) = (report.total.keys, path.display());
        say(format_args!(
            "After a backup, keep the {keys} keys before the damage: ebbtide check rdb --fix {path}"
        ));
        return Ok(false);
    }
    let disk: Arc<dyn Storage> = Arc::new(Disk);
    let mut mended = BufWriter::new(NewFile::beside(&disk, path).map_err(failed)?);
    mend(BufReader::new(File::open(path).map_err(failed)?), &report, &mut mended).map_err(failed)?;
    mended.into_inner().map_err(|error| failed(error.into_error()))?.commit().map_err(failed)?;
    say(format_args!("Kept the {} keys before the damage.", report.total.keys));
    Ok(true)
}

/// Whether the log is whole now.
fn check_aof(options: &AofOptions) -> Result<bool, String> {
    let path = manifest(&options.file)?;
    let mode = match options.timestamp {
        Some(second) => CheckMode::TruncateTo(second),
        None if options.fix => CheckMode::Fix,
        None => CheckMode::Verify,
    };
    let disk: Arc<dyn Storage> = Arc::new(Disk);
    let mut snapshot = |path: &Path, input: &mut dyn Read| {
        let report = rdb::check(input, server::now_ms(), &mut |_, _| ());
        say(format_args!("{}: {report}", path.display()));
        let at = report.good_bytes;
        report
            .failure
            .map_or(Ok(at), |error| Err(Refused { at: error.offset, what: error.fault.to_string() }))
    };
    let report = log::check(&disk, &path, mode, &mut snapshot).map_err(|error| error.to_string())?;
    say(&report);
    if options.timestamp.is_some() && report.files.iter().all(|file| file.seconds.is_none()) {
        return Err(
            "The log says nowhere when it was written (aof-timestamp-enabled): nothing was cut off.".into()
        );
    }
    if let Some((file, bytes)) = report.to_cut() {
        let (file, path) = (file.display(), path.display());
        let text =
            format!("After a backup, cut the last {bytes} bytes off {file}: ebbtide check aof --fix {path}");
        say(text);
    }
    Ok(report.is_good())
}

/// The manifest that is meant by `path`, or the file itself.
fn manifest(path: &Path) -> Result<PathBuf, String> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    manifest_in(path).ok_or_else(|| format!("{}: there is no append log in it", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        use clap::CommandFactory;
        Options::command().debug_assert();
        CheckRdb::command().debug_assert();
        CheckAof::command().debug_assert();
    }

    #[test]
    fn options_are_read() {
        let parse = |line: &str| Options::try_parse_from(line.split(' ')).map(|options| options.what);
        assert!(matches!(parse("check rdb --fix a"), Ok(What::Rdb(RdbOptions { fix: true, .. }))));
        let What::Aof(options) = parse("check aof --truncate-to-timestamp 7 a").unwrap() else {
            panic!("aof")
        };
        assert_eq!((options.timestamp, options.fix), (Some(7), false));
        for line in ["check", "check rdb", "check aof --fix --truncate-to-timestamp 7 a", "check json a"] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(CheckAof::try_parse_from(["redis-check-aof", "--fix", "a"]).unwrap().options.fix);
    }
}
