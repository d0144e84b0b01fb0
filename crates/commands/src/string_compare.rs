//! Commands that compare strings: LCS, DIGEST and the conditional ones.

use crate::table::Command;

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[];
