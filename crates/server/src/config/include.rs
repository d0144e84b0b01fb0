//! The files that an `include` names: one, or all that fit a pattern.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use commands::{Case, glob_matches};

/// The files `pattern` stands for, in order of their names. A name without a pattern stands for itself,
/// whether it is there or not.
pub(super) fn files(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        found = match component {
            Component::Normal(name) if name.as_bytes().iter().any(|b| b"*?[".contains(b)) => {
                found.iter().flat_map(|dir| entries(dir, name.as_bytes())).collect()
            }
            other => found.into_iter().map(|path| path.join(other)).collect(),
        };
    }
    found
}

/// Entries of `dir` that fit `pattern`; those that begin with a dot only when the pattern does.
fn entries(dir: &Path, pattern: &[u8]) -> Vec<PathBuf> {
    let here = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let Ok(entries) = std::fs::read_dir(here) else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.file_name());
    let fits = |name: &std::ffi::OsString| {
        let name = name.as_bytes();
        (pattern[0] == b'.' || !name.starts_with(b".")) && glob_matches(pattern, name, Case::Sensitive)
    };
    let mut found: Vec<PathBuf> = names.filter(fits).map(|name| dir.join(name)).collect();
    found.sort();
    found
}
