//! One data directory, one process: who writes there holds an advisory lock on the directory, which the system
//! takes away with the process.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

/// Why a directory cannot be used. `Display` gives a sentence for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClaimError {
    /// Another process has it.
    #[error(
        "Another server uses the data directory {}: two that write there would destroy each other's data. Stop it, or \
         start this one with another directory (--dir)",
        .0.display()
    )]
    Taken(PathBuf),
    /// The system refuses it.
    #[error("Cannot lock the data directory {}: {}", .0.display(), .1)]
    Io(PathBuf, io::Error),
}

/// The directories that the process has for itself: more than one when `dir` was changed, for the log stays where it is.
#[derive(Debug, Default)]
pub(crate) struct Claim(Mutex<Vec<(PathBuf, File)>>);

impl Claim {
    /// Makes `directory` this process's own; nothing to do when it is already.
    ///
    /// # Errors
    /// [`ClaimError`].
    pub(crate) fn take(&self, directory: &Path) -> Result<(), ClaimError> {
        let mut claim = self.0.lock();
        if claim.iter().any(|(path, _)| path == directory) {
            return Ok(());
        }
        let failed = |error| ClaimError::Io(directory.to_owned(), error);
        let file = File::open(directory).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ClaimError::Taken(directory.to_owned())),
            // A file system without locks: there is no telling who else is there.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                tracing::warn!("The data directory {} cannot be locked: {error}", directory.display());
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        claim.push((directory.to_owned(), file));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_owner() {
        let dir = std::env::temp_dir().join(format!("ebbtide-claim-{}", std::process::id()));
        let other = dir.join("other");
        std::fs::create_dir_all(&other).unwrap();
        let (first, second) = (Claim::default(), Claim::default());
        first.take(&dir).unwrap();
        first.take(&dir).unwrap();
        assert!(
            second.take(&dir).unwrap_err().to_string().contains("Another server uses the data directory")
        );
        second.take(&other).unwrap();
        drop(first);
        second.take(&dir).unwrap();
        assert!(Claim::default().take(&other).is_err(), "it keeps what it had");
        assert!(matches!(second.take(&dir.join("nosuch")), Err(ClaimError::Io(..))));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
