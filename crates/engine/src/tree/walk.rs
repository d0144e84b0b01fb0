//! Going from leaf to leaf.

use smallvec::SmallVec;

use super::Leaf;
use super::node::Child;

/// The way from the root down: the children of each node, and which of them it takes.
type Path<'t, L> = SmallVec<[(&'t [Child<L>], usize); 6]>;

/// A place among the leaves, from which both neighbours are reached in O(1) amortized.
#[derive(Clone, Debug)]
pub(crate) struct Walk<'t, L: Leaf> {
    path: Path<'t, L>,
    leaf: &'t L,
}

impl<'t, L: Leaf> Walk<'t, L> {
    /// At the leaf that `choose` leads to.
    pub(super) fn new(root: &'t Child<L>, choose: impl FnMut(&[Child<L>]) -> usize) -> Walk<'t, L> {
        let mut path = Path::new();
        let leaf = down(&mut path, root, choose);
        Walk { path, leaf }
    }

    /// The leaf it stands at.
    #[inline]
    pub(crate) fn leaf(&self) -> &'t L {
        self.leaf
    }

    /// Goes to the leaf behind; nothing, and stays, at the last.
    pub(crate) fn forward(&mut self) -> Option<&'t L> {
        let depth = self.path.iter().rposition(|(children, i)| i + 1 < children.len())?;
        self.path.truncate(depth + 1);
        let (children, i) = &mut self.path[depth];
        *i += 1;
        let child = &children[*i];
        self.leaf = down(&mut self.path, child, |_| 0);
        Some(self.leaf)
    }

    /// Goes to the leaf before; nothing, and stays, at the first.
    pub(crate) fn back(&mut self) -> Option<&'t L> {
        let depth = self.path.iter().rposition(|(_, i)| *i > 0)?;
        self.path.truncate(depth + 1);
        let (children, i) = &mut self.path[depth];
        *i -= 1;
        let child = &children[*i];
        self.leaf = down(&mut self.path, child, |children| children.len() - 1);
        Some(self.leaf)
    }
}

/// Adds the way from `child` down to `path`; the leaf at its end.
fn down<'t, L: Leaf>(
    path: &mut Path<'t, L>,
    mut child: &'t Child<L>,
    mut choose: impl FnMut(&[Child<L>]) -> usize,
) -> &'t L {
    loop {
        match child.opened() {
            Ok(leaf) => return leaf,
            Err(children) => {
                let i = choose(children);
                path.push((children, i));
                child = &children[i];
            }
        }
    }
}
