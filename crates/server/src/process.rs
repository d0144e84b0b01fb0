//! What a running server leaves in the file system: its data directory and the file with its number.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::config::Settings;

/// Makes the data directory when it is missing: only the default one can be, for another is checked when the
/// configuration is read.
///
/// # Errors
/// The system refuses it.
pub fn make_data_directory(settings: &Settings) -> io::Result<()> {
    fs::create_dir_all(&settings.dir)
}

/// The file that holds the process's number, while the value lives.
#[derive(Debug)]
pub struct PidFile(Option<PathBuf>);

impl PidFile {
    /// Writes the file if the settings name one. That it cannot be written is logged; the server starts
    /// nevertheless, as Redis does.
    pub fn write(settings: &Settings) -> PidFile {
        let Some(path) = settings.pidfile.as_deref().map(|file| settings.path(file)) else {
            return PidFile(None);
        };
        match fs::write(&path, format!("{}\n", std::process::id())) {
            Ok(()) => PidFile(Some(path)),
            Err(e) => {
                tracing::warn!("Failed to write PID file {}: {e}", path.display());
                PidFile(None)
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            tracing::info!("Removing the pid file.");
            // Somebody else may have removed it; then there is nothing to do.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::config::{ConfigStore, load};

    #[test]
    fn the_pid_file_lives_as_long_as_its_value() {
        let path = std::env::temp_dir().join(format!("ebbtide-pid-{}", std::process::id()));
        let args = ["--pidfile", path.to_str().unwrap()].map(OsString::from);
        let settings = ConfigStore::new(load(args).unwrap()).settings();
        let file = PidFile::write(&settings);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
    }
}
