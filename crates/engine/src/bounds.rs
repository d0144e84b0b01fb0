//! The earliest of many deadlines: a tournament tree over a growing number of contestants.

use crate::memory::vec_bytes;
use crate::relocate::{Mover, relocate_vec};

/// "No deadline".
const NEVER: i64 = i64::MAX;

/// The least of the numbers set, and whose it is. Setting costs O(log n), mostly less: the way up ends where
/// nothing changes.
#[derive(Debug, Default)]
pub(crate) struct Earliest {
    /// A complete binary tree, the root at 1; the leaves are the second half. Each node is the least of its two.
    nodes: Vec<i64>,
}

impl Earliest {
    /// The least number; `i64::MAX` when there is none.
    #[inline]
    pub(crate) fn min(&self) -> i64 {
        self.nodes.get(1).copied().unwrap_or(NEVER)
    }

    /// Bytes of memory it takes beside itself.
    pub(crate) fn allocated_bytes(&self) -> usize {
        vec_bytes::<i64>(self.nodes.capacity())
    }

    /// A contestant with the least number.
    pub(crate) fn first(&self) -> Option<usize> {
        let leaves = self.nodes.len() / 2;
        let min = self.min();
        if min == NEVER {
            return None;
        }
        let mut node = 1;
        while node < leaves {
            node = 2 * node + usize::from(self.nodes[2 * node] != min);
        }
        Some(node - leaves)
    }

    /// Sets the number of contestant `i`.
    pub(crate) fn set(&mut self, i: usize, at: i64) {
        if i >= self.nodes.len() / 2 {
            if at == NEVER {
                return;
            }
            self.grow(i + 1);
        }
        let mut node = self.nodes.len() / 2 + i;
        self.nodes[node] = at;
        while node > 1 {
            let least = self.nodes[node].min(self.nodes[node ^ 1]);
            node /= 2;
            if self.nodes[node] == least {
                break;
            }
            self.nodes[node] = least;
        }
    }

    /// Lowers the number of contestant `i` to `at`, when it is above.
    #[inline]
    pub(crate) fn lower(&mut self, i: usize, at: i64) {
        let leaves = self.nodes.len() / 2;
        if i >= leaves || at < self.nodes[leaves + i] {
            self.set(i, at);
        }
    }

    /// Moves the nodes.
    pub(crate) fn relocate(&mut self, mover: &mut dyn Mover) {
        relocate_vec(&mut self.nodes, mover);
    }

    fn grow(&mut self, contestants: usize) {
        let old = self.nodes.len() / 2;
        let leaves = contestants.next_power_of_two().max(2);
        let mut nodes = vec![NEVER; 2 * leaves];
        nodes[leaves..leaves + old].copy_from_slice(&self.nodes[old..]);
        for node in (1..leaves).rev() {
            nodes[node] = nodes[2 * node].min(nodes[2 * node + 1]);
        }
        self.nodes = nodes;
    }
}

#[cfg(test)]
mod tests {
    use super::Earliest;
    use crate::rng::Rng;

    #[test]
    fn agrees_with_a_plain_list() {
        let mut rng = Rng::new(7);
        let (mut tree, mut list) = (Earliest::default(), Vec::new());
        for _ in 0..20_000 {
            let i = rng.below(1 + list.len().min(300) as u64) as usize;
            let at = if rng.below(4) == 0 { i64::MAX } else { rng.below(1000) as i64 };
            if i >= list.len() {
                list.resize(i + 1, i64::MAX);
            }
            if rng.below(2) == 0 {
                list[i] = at;
                tree.set(i, at);
            } else {
                list[i] = at.min(list[i]);
                tree.lower(i, at);
            }
            let min = list.iter().copied().min().unwrap_or(i64::MAX);
            assert_eq!(tree.min(), min);
            assert_eq!(tree.first().map(|i| list[i]), (min != i64::MAX).then_some(min));
        }
    }
}
