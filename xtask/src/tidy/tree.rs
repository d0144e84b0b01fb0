//! The files that the rules look at.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use super::source::Source;

/// One text file.
#[derive(Debug)]
pub(super) struct File {
    /// Its path from the root, with `/` between the parts.
    pub(super) path: String,
    /// All of it.
    pub(super) text: String,
    /// Its code and comments, where it is Rust.
    pub(super) rust: Option<Source>,
}

impl File {
    fn new(path: String, text: String) -> File {
        let rust = path.ends_with(".rs").then(|| Source::new(&text));
        File { path, text, rust }
    }

    /// The part of the name after its last dot; empty when there is none.
    pub(super) fn extension(&self) -> &str {
        Path::new(&self.path).extension().and_then(|e| e.to_str()).unwrap_or("")
    }

    /// Its lines, numbered from 1, each with its carriage return if it has one.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.split_terminator('\n').enumerate().map(|(i, line)| (i + 1, line))
    }

    /// Whether all of it is test code: it stands in a folder of tests, or is one module's tests.
    pub(super) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }
}

/// A tree of files.
#[derive(Debug, Default)]
pub(super) struct Tree {
    files: Vec<File>,
    /// Every path there is: files of any kind, and folders.
    paths: BTreeSet<String>,
}

impl Tree {
    /// The tree below `root`, without what its `.gitignore` names.
    pub(super) fn read(root: &Path) -> io::Result<Tree> {
        let ignored = Ignored::new(&fs::read_to_string(root.join(".gitignore"))?);
        let mut tree = Tree::default();
        tree.read_folder(root, "", &ignored)?;
        Ok(tree)
    }

    fn read_folder(&mut self, root: &Path, folder: &str, ignored: &Ignored) -> io::Result<()> {
        for entry in fs::read_dir(root.join(folder))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if ignored.covers(&path) {
                continue;
            }
            self.paths.insert(path.clone());
            if entry.file_type()?.is_dir() {
                self.read_folder(root, &path, ignored)?;
            } else if let Ok(text) = String::from_utf8(fs::read(entry.path())?) {
                self.files.push(File::new(path, text));
            }
        }
        Ok(())
    }

    /// A tree made up of paths and texts.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (path, text) in files {
            tree.files.push(File::new(path.to_string(), text.to_string()));
            let ends = path.match_indices('/').map(|(i, _)| i).chain([path.len()]);
            tree.paths.extend(ends.map(|end| path[..end].to_string()));
        }
        tree
    }

    /// Its text files.
    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    /// Its Rust files, each with its code and comments.
    pub(super) fn rust(&self) -> impl Iterator<Item = (&File, &Source)> {
        self.files.iter().filter_map(|f| Some((f, f.rust.as_ref()?)))
    }

    /// The manifests of the crates in `crates/`, each with its crate's name.
    pub(super) fn manifests(&self) -> impl Iterator<Item = (&str, &File)> {
        self.files.iter().filter_map(|f| {
            let name = f.path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
            (!name.contains('/')).then_some((name, f))
        })
    }

    /// Whether there is a file or folder at `path`.
    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }
}

/// What `.gitignore` names: plain names anywhere, and with a `/` in front, paths from the root. It has no
/// other patterns.
#[derive(Debug)]
struct Ignored(Vec<String>);

impl Ignored {
    fn new(text: &str) -> Ignored {
        Ignored(text.lines().map(str::to_string).collect())
    }

    fn covers(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        name == ".git"
            || self.0.iter().any(|pattern| match pattern.strip_prefix('/') {
                Some(rooted) => path == rooted,
                None => name == pattern,
            })
    }
}
