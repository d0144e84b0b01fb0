//! Going through the keyspace: KEYS, SCAN.

use crate::table::Command;

/// This family.
pub(crate) static COMMANDS: &[&Command] = &[];
