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
pub(super) const EXCEPTIONS: &[Exception] = &[];
