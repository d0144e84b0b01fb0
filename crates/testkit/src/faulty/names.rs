//! The names on the faulty disk: as they are seen, and as a crash leaves them.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path};

use engine::Rng;

use super::{ENOENT, error};

/// A file or a directory, whatever its name; 0 is the root.
pub(super) type Node = u64;

/// A name in a directory.
type Name = (Node, OsString);

/// Names that change at once, and where each leads now, if anywhere.
type Change = Vec<(Name, Option<Node>)>;

/// Names, and where they lead.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    now: BTreeMap<Name, Node>,
    /// What every crash leaves.
    safe: BTreeMap<Name, Node>,
    /// What the next syncs make safe.
    unsynced: Vec<Change>,
    dirs: HashSet<Node>,
    last: Node,
}

fn apply(names: &mut BTreeMap<Name, Node>, change: &[(Name, Option<Node>)]) {
    for (name, node) in change {
        match node {
            Some(node) => names.insert(name.clone(), *node),
            None => names.remove(name),
        };
    }
}

impl Names {
    /// What is at `path`.
    pub(super) fn find(&self, path: &Path) -> Option<Node> {
        let mut node = 0;
        for component in path.components() {
            if let Component::Normal(name) = component {
                node = *self.now.get(&(node, name.to_owned()))?;
            }
        }
        Some(node)
    }

    pub(super) fn is_dir(&self, node: Node) -> bool {
        node == 0 || self.dirs.contains(&node)
    }

    fn dir(&self, path: &Path) -> io::Result<Node> {
        self.find(path).filter(|&node| self.is_dir(node)).map_or_else(|| error(ENOENT), Ok)
    }

    /// The directory and name of `path`.
    fn place(&self, path: &Path) -> io::Result<Name> {
        match (path.parent(), path.file_name()) {
            (Some(dir), Some(name)) => Ok((self.dir(dir)?, name.to_owned())),
            _ => error(ENOENT),
        }
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.now, &change);
        self.unsynced.push(change);
    }

    /// Makes a file or directory at `path`, where nothing is.
    pub(super) fn add(&mut self, path: &Path, is_dir: bool) -> io::Result<Node> {
        let place = self.place(path)?;
        self.last += 1;
        if is_dir {
            self.dirs.insert(self.last);
        }
        self.change(vec![(place, Some(self.last))]);
        Ok(self.last)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (self.place(from)?, self.place(to)?);
        match self.now.get(&from) {
            Some(&node) => {
                self.change(vec![(from, None), (to, Some(node))]);
                Ok(())
            }
            None => error(ENOENT),
        }
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let place = self.place(path)?;
        if !self.now.contains_key(&place) {
            return error(ENOENT);
        }
        self.change(vec![(place, None)]);
        Ok(())
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let dir = self.dir(path)?;
        Ok(self.now.keys().filter(|(in_dir, _)| *in_dir == dir).map(|(_, name)| name.clone()).collect())
    }

    /// Takes the changes that concern the directory at `path`.
    fn take_unsynced(&mut self, path: &Path) -> io::Result<Vec<Change>> {
        let dir = self.dir(path)?;
        let concerned = |change: &mut Change| change.iter().any(|((d, _), _)| *d == dir);
        Ok(self.unsynced.extract_if(.., concerned).collect())
    }

    pub(super) fn sync(&mut self, path: &Path) -> io::Result<()> {
        let changes = self.take_unsynced(path)?;
        changes.iter().for_each(|change| apply(&mut self.safe, change));
        Ok(())
    }

    /// A sync that fails: some changes became safe. The others still wait: names are kept in a journal, whose pages
    /// are not forgotten.
    pub(super) fn lose_dirty(&mut self, path: &Path, rng: &mut Rng) -> io::Result<()> {
        let changes = self.take_unsynced(path)?;
        let safe = rng.below(changes.len() as u64 + 1) as usize;
        changes[..safe].iter().for_each(|change| apply(&mut self.safe, change));
        self.unsynced.splice(0..0, changes.into_iter().skip(safe));
        Ok(())
    }

    /// A crash: what was safe, and any of the other changes.
    pub(super) fn crash(&mut self, rng: &mut Rng) {
        let changes = std::mem::take(&mut self.unsynced);
        let whole = rng.below(changes.len() as u64 + 1) as usize;
        let course = rng.below(4);
        for (i, change) in changes.iter().enumerate() {
            let survives = match course {
                0 => false,
                1 => true,
                2 => i < whole,
                _ => rng.below(2) == 0,
            };
            if survives {
                apply(&mut self.safe, change);
            }
        }
        self.now.clone_from(&self.safe);
    }

    /// Removes what is at `path`, for good.
    pub(super) fn vanish(&mut self, path: &Path) {
        let Ok(place) = self.place(path) else { return };
        self.now.remove(&place);
        self.safe.remove(&place);
        self.unsynced.retain(|change| change.iter().all(|(name, _)| *name != place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Names {
        let mut names = Names::default();
        names.add(Path::new("/d"), true).unwrap();
        names.add(Path::new("/d/safe"), false).unwrap();
        names.sync(Path::new("/")).unwrap();
        names.sync(Path::new("/d")).unwrap();
        names.add(Path::new("/d/new"), false).unwrap();
        names.rename(Path::new("/d/new"), Path::new("/d/safe")).unwrap();
        names.add(Path::new("/d/other"), false).unwrap();
        names
    }

    #[test]
    fn a_crash_takes_any_change_that_was_not_synced() {
        let mut left = HashSet::new();
        for seed in 0..200 {
            let mut names = made();
            names.crash(&mut Rng::new(seed));
            let mut found = names.list(Path::new("/d")).unwrap();
            found.retain(|name| name != "safe");
            left.insert((found, names.find(Path::new("/d/safe"))));
        }
        // The file renamed or not, its old name gone or not, and another file there or not.
        assert_eq!(left.len(), 6, "{left:?}");
        assert!(left.iter().all(|(_, safe)| safe.is_some()), "a file is replaced by another or stays");
    }

    #[test]
    fn names_that_were_synced_stay() {
        for seed in 0..50 {
            let mut names = made();
            names.sync(Path::new("/d")).unwrap();
            names.crash(&mut Rng::new(seed));
            assert_eq!(names.list(Path::new("/d")).unwrap(), ["other", "safe"]);
        }
    }

    #[test]
    fn what_vanished_is_gone_with_what_is_below() {
        let mut names = made();
        names.vanish(Path::new("/d"));
        assert_eq!((names.find(Path::new("/d")), names.find(Path::new("/d/safe"))), (None, None));
        assert!(names.add(Path::new("/d/again"), false).is_err());
    }
}
