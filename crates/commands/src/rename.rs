//! Commands under other names, or none: what `rename-command` asks for.

use std::sync::OnceLock;

use crate::lookup::{Row, find_original};

/// Names that mean something else than the table says, for the whole process: clients of every store in it are
/// told the same. Set once, before anybody is served.
static CHANGED: OnceLock<Renames> = OnceLock::new();

/// What names mean, where that was changed.
#[derive(Debug, Default)]
pub struct Renames {
    names: Vec<(Box<[u8]>, Option<&'static Row>)>,
}

/// Why a command cannot have another name. `Display` gives Redis's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenameError {
    /// There is no such command.
    #[error("No such command in rename-command")]
    Unknown,
    /// Another command has the new name.
    #[error("Target command name already exists")]
    Taken,
}

impl Renames {
    /// Gives the command called `name` the name `new`; an empty one leaves it without any.
    ///
    /// # Errors
    /// [`RenameError`]; nothing has changed then.
    pub fn rename(&mut self, name: &[u8], new: &[u8]) -> Result<(), RenameError> {
        let row = self.find(name).ok_or(RenameError::Unknown)?;
        if !new.is_empty() && self.find(new).is_some() {
            return Err(RenameError::Taken);
        }
        self.set(name, None);
        if !new.is_empty() {
            self.set(new, Some(row));
        }
        Ok(())
    }

    /// From now on these names hold for every look-up. Later calls have no effect.
    pub fn install(self) {
        if !self.names.is_empty() {
            // The first to come has its way, as promised.
            let _ = CHANGED.set(self);
        }
    }

    fn find(&self, name: &[u8]) -> Option<&'static Row> {
        self.changed(name).unwrap_or_else(|| find_original(name))
    }

    /// What `name` means if that was changed.
    fn changed(&self, name: &[u8]) -> Option<Option<&'static Row>> {
        self.names.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, row)| *row)
    }

    fn set(&mut self, name: &[u8], row: Option<&'static Row>) {
        self.names.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.names.push((name.into(), row));
    }
}

/// What `name` means if that was changed for the process.
#[inline]
pub(crate) fn changed(name: &[u8]) -> Option<Option<&'static Row>> {
    CHANGED.get()?.changed(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(renames: &Renames, name: &str) -> Option<&'static str> {
        renames.find(name.as_bytes()).map(|row| row.command.name)
    }

    #[test]
    fn names_move_and_vanish() {
        let mut renames = Renames::default();
        renames.rename(b"Get", b"fetch").unwrap();
        renames.rename(b"del", b"").unwrap();
        assert_eq!(
            ["GET", "FETCH", "del", "set"].map(|n| name(&renames, n)),
            [None, Some("get"), None, Some("set")]
        );
        assert_eq!(renames.rename(b"get", b"again"), Err(RenameError::Unknown));
        assert_eq!(renames.rename(b"set", b"fetch"), Err(RenameError::Taken));
        // Names that became free can be given again.
        renames.rename(b"set", b"get").unwrap();
        renames.rename(b"fetch", b"set").unwrap();
        assert_eq!(["get", "set", "fetch"].map(|n| name(&renames, n)), [Some("set"), Some("get"), None]);
    }
}
