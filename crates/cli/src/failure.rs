//! Why the program gives up on a command.

use std::io;

use crate::address::Address;
use crate::connection::{Lost, without_code};

/// Ends a command; displayed as it is told to the user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// There is nobody at the address, or none that talks to us.
    #[error("Could not connect to {address}: {reason}")]
    Connect {
        /// The server's.
        address: Address,
        /// The system's words.
        reason: String,
    },
    /// The connection ended during the command.
    #[error("Error: {0}")]
    Lost(#[from] Lost),
    /// The server replied with an error where the program cannot go on (or, with `-e`, may not).
    #[error("{0}")]
    Refused(String),
    /// The command cannot be carried out here: bad arguments, an unreadable file.
    #[error("{0}")]
    Usage(String),
    /// Nobody takes the output any more.
    #[error("cannot write: {}", without_code(.0))]
    Output(io::Error),
    /// The system fails at something else.
    #[error("{}", without_code(.0))]
    System(#[from] io::Error),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// What to tell the user; nothing when the reader of a pipe has seen enough.
    pub(crate) fn told(&self) -> Option<String> {
        match self {
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
            failure => Some(failure.to_string()),
        }
    }
}
