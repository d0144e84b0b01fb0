//! Commands on keys of any type.

use crate::table::Command;

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[];
