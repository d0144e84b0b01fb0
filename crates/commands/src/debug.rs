//! DEBUG: what test suites need.

use crate::table::Command;

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[];
