//! CLIENT and its subcommands.

use crate::table::Command;

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[];
