//! What the rules let pass, and why.

use super::Finding;

/// Something that breaks a rule for a good reason.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exception {
    /// The rule's name.
    pub(super) rule: &'static str,
    /// The file.
    pub(super) path: &'static str,
    /// What in the file (see [`Finding::item`]); empty: whatever the rule finds there.
    pub(super) item: &'static str,
    /// Why it may.
    pub(super) reason: &'static str,
}

impl Exception {
    /// Whether it lets `finding` pass. One without a reason lets nothing pass.
    pub(super) fn covers(&self, finding: &Finding) -> bool {
        !self.reason.is_empty()
            && self.rule == finding.rule
            && self.path == finding.path
            && (self.item.is_empty() || self.item == finding.item)
    }

    /// The finding that nothing needs this exception.
    pub(super) fn unneeded(&self) -> Finding {
        let Exception { rule, path, item, .. } = self;
        Finding {
            path: "xtask/src/tidy/exceptions.rs".into(),
            line: 1,
            rule: "exception",
            item: item.to_string(),
            advice: format!("the exception from `{rule}` for {path} {item} lets nothing pass: take it out"),
        }
    }
}

/// The exceptions in force.
pub(super) const EXCEPTIONS: &[Exception] = &[
    Exception {
        rule: "unsafe",
        path: "crates/engine/src/entry/mod.rs",
        item: "",
        reason: "an entry is one allocation: header, key, deadline and value without padding or pointers",
    },
    Exception {
        rule: "unsafe",
        path: "crates/engine/src/entry/string.rs",
        item: "",
        reason: "strings change in place within an entry's allocation",
    },
    Exception {
        rule: "unsafe",
        path: "crates/engine/src/entry/collection.rs",
        item: "",
        reason: "packed collections change in place within an entry's allocation",
    },
    Exception {
        rule: "unsafe",
        path: "crates/engine/src/entry/relocate.rs",
        item: "",
        reason: "an entry moves in memory as the bytes it is",
    },
    Exception {
        rule: "unsafe",
        path: "crates/engine/src/blob.rs",
        item: "",
        reason: "a big value is one pointer wide in its entry, its length and capacity lie with its bytes",
    },
    Exception {
        rule: "unsafe",
        path: "crates/engine/src/slot.rs",
        item: "",
        reason: "a slot is a tag and an owning pointer in one word",
    },
    Exception {
        rule: "unsafe",
        path: "crates/engine/src/memory.rs",
        item: "",
        reason: "a prefetch has no safe form",
    },
    Exception {
        rule: "unsafe",
        path: "crates/server/src/defrag/slabs.rs",
        item: "",
        reason: "the allocator is asked about its slabs by pointers",
    },
    Exception {
        rule: "sleep",
        path: "tests/e2e/waiting.py",
        item: "",
        reason: "the pause between two looks of the one function that polls",
    },
    Exception {
        rule: "sleep",
        path: "tests/bench/resident.py",
        item: "",
        reason: "it reads figures at given times after a phase",
    },
];
