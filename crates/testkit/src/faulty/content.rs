//! The bytes of a file on the faulty disk: as they are seen, and as a crash leaves them.

use engine::Rng;

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

/// A file's bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// As they are read.
    now: Vec<u8>,
    /// What every crash leaves.
    safe: Vec<u8>,
    /// What the next sync makes safe.
    unsynced: Vec<Change>,
}

/// Writes `bytes` at `at`; what is missing before becomes zeros.
fn put(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(bytes);
}

impl Content {
    pub(super) fn now(&self) -> &[u8] {
        &self.now
    }

    /// Writes at an offset, or at the end.
    pub(super) fn write(&mut self, bytes: &[u8], offset: Option<usize>) {
        let at = offset.unwrap_or(self.now.len());
        put(&mut self.now, at, bytes);
        self.unsynced.push(Change::Write { at, bytes: bytes.to_vec() });
    }

    pub(super) fn truncate(&mut self, len: u64) {
        self.now.resize(len as usize, 0);
        self.unsynced.push(Change::Truncate(len as usize));
    }

    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            match change {
                Change::Write { at, bytes } => put(&mut self.safe, at, &bytes),
                Change::Truncate(len) => self.safe.resize(len, 0),
            }
        }
    }

    pub(super) fn flip(&mut self, bit: usize) {
        self.sync();
        self.now[bit / 8] ^= 1 << (bit % 8);
        self.safe[bit / 8] ^= 1 << (bit % 8);
    }

    /// A sync that fails: some changes became safe, and the others never will.
    pub(super) fn lose_dirty(&mut self, rng: &mut Rng) {
        for change in std::mem::take(&mut self.unsynced) {
            survive(&mut self.safe, &change, rng);
        }
    }

    /// A crash: all that is left is what was safe, and what else happened to reach the disk.
    pub(super) fn crash(&mut self, rng: &mut Rng) {
        match rng.below(4) {
            0 => self.unsynced.clear(),
            1 => self.sync(),
            // In the order it was done in, up to somewhere, the last of it torn.
            2 => {
                let whole = rng.below(self.unsynced.len() as u64 + 1) as usize;
                let torn = self.unsynced.get(whole).cloned();
                self.unsynced.truncate(whole);
                self.sync();
                torn.iter().for_each(|change| survive(&mut self.safe, change, rng));
            }
            _ => self.lose_dirty(rng),
        }
        self.unsynced.clear();
        self.now.clone_from(&self.safe);
    }
}

/// What happens to reach the disk of a change: all, nothing, some of its bytes, or only its length.
fn survive(safe: &mut Vec<u8>, change: &Change, rng: &mut Rng) {
    let (at, bytes) = match change {
        Change::Truncate(len) => {
            if rng.below(2) == 0 {
                safe.resize(*len, 0);
            }
            return;
        }
        Change::Write { at, bytes } => (*at, bytes),
    };
    let cut = rng.below(bytes.len() as u64 + 1) as usize;
    match rng.below(6) {
        0 => {}
        1 => put(safe, at, bytes),
        2 => put(safe, at, &bytes[..cut]),
        3 => put(safe, at + cut, &bytes[cut..]),
        4 => put(safe, at + bytes.len(), &[]),
        _ => {
            // A sector here and there; a small one, so that small writes are torn too.
            let sector = 1 << rng.below(6);
            for (i, piece) in bytes.chunks(sector).enumerate() {
                if rng.below(2) == 0 {
                    put(safe, at + i * sector, piece);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Content {
        let mut content = Content::default();
        content.write(b"safe", None);
        content.sync();
        content.write(b" and not", None);
        content
    }

    #[test]
    fn what_was_synced_is_never_lost() {
        for seed in 0..200 {
            let mut content = written();
            content.crash(&mut Rng::new(seed));
            assert!(content.now().starts_with(b"safe") && content.now().len() <= 12, "{content:?}");
        }
    }

    #[test]
    fn what_was_not_may_be_lost_kept_or_torn() {
        let mut left = std::collections::HashSet::new();
        for seed in 0..2000 {
            let mut content = written();
            content.crash(&mut Rng::new(seed));
            left.insert(content.now().to_vec());
        }
        assert!(left.contains(&b"safe"[..]) && left.contains(&b"safe and not"[..]));
        assert!(left.contains(&b"safe and"[..]), "the beginning of it");
        assert!(left.contains(&b"safe\0\0\0\0\0\0\0\0"[..]), "only the length");
        assert!(left.contains(&b"safe\0\0\0\0\0not"[..]), "the end of it");
        assert!(left.len() > 25, "{} outcomes", left.len());
    }

    #[test]
    fn after_a_sync_that_failed_a_later_one_saves_only_what_was_written_since() {
        let lost = (0..100).filter(|&seed| {
            let mut content = written();
            content.lose_dirty(&mut Rng::new(seed));
            content.write(b"!", None);
            content.sync();
            assert_eq!(content.now(), b"safe and not!");
            content.crash(&mut Rng::new(seed));
            content.now() != b"safe and not!"
        });
        assert!(lost.count() > 50);
    }
}
