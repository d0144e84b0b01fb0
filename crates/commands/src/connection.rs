//! Connections: AUTH, HELLO, PING, SELECT and the like.

use crate::table::Command;

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[];
