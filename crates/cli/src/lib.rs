//! The client: `ebbtide cli`.
//!
//! A command's way: [`options`] → [`mod@session`] (connects) → [`command`] (sends, waits, prints) → [`output`].
//! Without a command, [`repl`] reads lines and runs each; the tools of [`modes`] send commands of their own.
//! What commands there are, the server says ([`catalog`]), so that the client fits any server of the protocol.

mod address;
pub mod bench;
mod catalog;
mod command;
mod connection;
mod failure;
mod help;
mod interrupts;
mod modes;
mod oneshot;
mod options;
mod output;
mod pace;
mod repl;
mod session;
mod syntax;
mod words;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

pub use address::{Address, ConnectError, ServerArgs};
pub use connection::{Connection, Lost};
use failure::Failure;
use modes::survey::Measure;
use modes::{hotkeys, latency, latency_dist, pipe, scan, stat, survey};
use options::{Mode, Options};
use output::Style;
use session::{Session, tell};

/// Runs `ebbtide cli` with the arguments after these two words. The status is 0; 1 when the server cannot be
/// reached, when an option is bad, and with `-e` when a command is answered with an error.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let options = match Options::parse_args(args) {
        Ok(options) => options,
        Err(error) => {
            // Help and version too arrive here. When they cannot be printed, there is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    match start(&options) {
        Ok(code) => code,
        Err(failure) => {
            tell(&failure);
            ExitCode::FAILURE
        }
    }
}

fn start(options: &Options) -> Result<ExitCode, Failure> {
    let mode = options.mode();
    if let Mode::IntrinsicLatency(duration) = mode {
        latency::intrinsic(duration)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut session = session(options)?;
    let session = &mut session;
    let interval = options.interval.unwrap_or_default();
    match mode {
        Mode::Latency => latency::run(session, options, false)?,
        Mode::LatencyHistory => latency::run(session, options, true)?,
        Mode::LatencyDist => latency_dist::run(session, options)?,
        Mode::IntrinsicLatency(duration) => latency::intrinsic(duration)?,
        Mode::Pipe => return pipe(session, options),
        Mode::BigKeys => survey::run(session, options, Measure::Elements)?,
        Mode::MemKeys => survey::run(session, options, Measure::Memory(options.memkeys_samples))?,
        Mode::HotKeys => hotkeys::run(session, options)?,
        Mode::Stat => stat::run(session, options)?,
        Mode::Scan => scan::run(session, options)?,
        Mode::Eval => oneshot::eval(session, options)?,
        Mode::Prompt if io::stdin().is_terminal() => repl::on_terminal(session, interval)?,
        Mode::Prompt => repl::on_stdin(session, interval)?,
        Mode::Command => oneshot::run(session, options, io::stdin())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A session as the options and the environment describe it, not connected yet.
fn session(options: &Options) -> Result<Session, Failure> {
    let mut server = options.server.clone();
    if server.shows_password() && !options.no_auth_warning {
        output::complain(
            "Warning: other users may see a password on the command line; EBBTIDE_AUTH or --askpass is safer.",
        );
    }
    if options.askpass {
        server.password = Some(repl::read_password("Please input password: ")?);
    }
    let endpoint = server.endpoint(|name| std::env::var_os(name)).map_err(Failure::Usage)?;
    let style = Style::new(options, Style::stdout_is_terminal(), Style::colours_welcome());
    Ok(Session::new(options, endpoint, style))
}

fn pipe(session: &mut Session, options: &Options) -> Result<ExitCode, Failure> {
    let connection = session.take_connection()?;
    let count = pipe::run(connection, io::stdin(), Duration::from_secs(options.pipe_timeout))?;
    output::print(format!("errors: {}, replies: {}\n", count.errors, count.replies))?;
    Ok(if count.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
