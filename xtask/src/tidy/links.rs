//! Rules about documents: what they point at is there.

use super::Finding;
use super::tree::Tree;

/// Top folders whose paths, written as code, are meant as paths of this tree.
const FOLDERS: &[&str] = &["crates/", "docs/", "fuzz/", "tests/", "xtask/", ".ci/"];

/// Links to files, and paths written as code, lead to something that exists.
pub(super) fn targets(tree: &Tree, found: &mut Vec<Finding>) {
    for file in tree.files().iter().filter(|f| f.extension() == "md") {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut fenced = false;
        for (line, text) in file.lines() {
            if text.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            if fenced {
                continue;
            }
            let links = links(text).map(|target| (target, resolve(folder, target)));
            let paths = paths(text).map(|path| (path, path.trim_end_matches('/').to_string()));
            for (target, _) in links.chain(paths).filter(|(_, path)| !tree.has(path)) {
                let advice = format!("`{target}` is not there: mend the path, or take it out");
                let item = target.to_string();
                found.push(Finding { path: file.path.clone(), line, rule: "links", item, advice });
            }
        }
    }
}

/// The targets of links to files: not to other hosts, nor to places in the same document.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', ' ', '#']).next()?;
        (!target.is_empty() && !target.contains(':')).then_some(target)
    })
}

/// Paths of this tree between backticks. One with a placeholder (`*`, `<`, `{`) in it is no path.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let spans = text.split('`').skip(1).step_by(2);
    spans.filter(|span| {
        FOLDERS.iter().any(|folder| span.starts_with(folder)) && !span.contains(['*', '<', '{', ' ', '…'])
    })
}

/// `target`, which stands in a document in `folder`, as a path from the root.
fn resolve(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.join("/")
}
