//! Trees beside a plain vector, and clones beside what they were made of.

use proptest::prelude::*;

use super::*;

/// Up to eight numbers in ascending order; big enough for a tree of some levels.
#[derive(Clone, Debug, PartialEq)]
struct Numbers(Vec<u32>);

const FULL: usize = 8;

impl Leaf for Numbers {
    type Bound = u32;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn bytes(&self) -> usize {
        self.0.len() * 4
    }

    fn bound(&self) -> u32 {
        self.0[0]
    }

    fn is_full(&self) -> bool {
        self.0.len() > FULL
    }

    fn is_small(&self) -> bool {
        self.0.len() < FULL / 4
    }

    fn middle(&self) -> usize {
        self.0.len() / 2
    }

    fn split_off(&mut self, at: usize) -> Numbers {
        assert!(at > 0 && at < self.0.len());
        Numbers(self.0.split_off(at))
    }

    fn absorb(&mut self, mut next: Numbers) {
        self.0.append(&mut next.0);
    }

    fn relocate(&mut self, mover: &mut dyn Mover) {
        crate::relocate::relocate_vec(&mut self.0, mover);
    }

    fn remove(&mut self, range: Range<usize>) {
        assert!(!range.is_empty() && range.len() < self.0.len());
        self.0.drain(range);
    }
}

fn numbers(tree: &Tree<Numbers>) -> Vec<u32> {
    let mut all = Vec::new();
    let Some((mut walk, _)) = tree.walk_at(0) else { return all };
    loop {
        all.extend(&walk.leaf().0);
        if walk.forward().is_none() {
            return all;
        }
    }
}

/// Checks all that holds of a tree whose elements are `expected`; `ordered`: in ascending order.
fn check(tree: &Tree<Numbers>, expected: &[u32], ordered: bool) {
    assert_eq!(tree.len(), expected.len());
    assert_eq!(numbers(tree), expected);
    let mut leaves = Vec::new();
    if let Some(root) = &tree.root {
        root.check(&u32::MIN, &mut leaves);
    }
    assert_eq!(tree.leaves(), leaves.len());
    assert_eq!(tree.totals.bytes, expected.len() * 4);
    assert!(leaves.iter().all(|(_, leaf)| !leaf.is_full()));
    if ordered {
        for pair in leaves.windows(2) {
            let ((_, before), (bound, leaf)) = (pair[0], pair[1]);
            assert!(before.0.last() < Some(bound) && *bound <= leaf.0[0], "{before:?} {bound} {leaf:?}");
        }
    }
    assert_eq!(tree.first().map(|leaf| leaf.0[0]), expected.first().copied());
}

fn insert(tree: &mut Tree<Numbers>, n: u32) {
    let done = tree.change_found(
        |&bound| bound <= n,
        |leaf| {
            if let Err(at) = leaf.0.binary_search(&n) {
                leaf.0.insert(at, n);
            }
        },
    );
    if done.is_none() {
        tree.push_back(Numbers(vec![n]));
    }
}

fn remove(tree: &mut Tree<Numbers>, n: u32) -> bool {
    let removed = tree.change_found(
        |&bound| bound <= n,
        |leaf| leaf.0.binary_search(&n).map(|at| leaf.0.remove(at)).is_ok(),
    );
    removed.unwrap_or(false)
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u32),
    Remove(u32),
    RemoveRange(usize, usize),
    Front,
    Back,
    Clone,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        24 => (0u32..4000).prop_map(Step::Insert),
        16 => (0u32..4000).prop_map(Step::Remove),
        1 => (0usize..1500, 0usize..200).prop_map(|(from, n)| Step::RemoveRange(from, n)),
        2 => Just(Step::Front),
        2 => Just(Step::Back),
        1 => Just(Step::Clone),
    ];
    prop::collection::vec(step, 0..1200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Elements found by their order, as sorted sets and streams have them.
    #[test]
    fn an_ordered_tree_is_a_sorted_vector(steps in steps(), preset in 0u32..2500) {
        let mut model: Vec<u32> = (0..preset).map(|n| n * 3 / 2).collect();
        model.dedup();
        let mut tree: Tree<Numbers> = model.chunks(FULL).map(|part| Numbers(part.to_vec())).collect();
        let mut clones = Vec::new();
        for step in steps {
            match step {
                Step::Insert(n) => {
                    insert(&mut tree, n);
                    if let Err(at) = model.binary_search(&n) {
                        model.insert(at, n);
                    }
                }
                Step::Remove(n) => {
                    let at = model.binary_search(&n);
                    prop_assert_eq!(remove(&mut tree, n), at.is_ok());
                    at.map(|at| model.remove(at)).ok();
                }
                Step::RemoveRange(from, n) => {
                    tree.remove(from..from + n);
                    let end = (from + n).min(model.len());
                    model.drain(from.min(end)..end);
                }
                Step::Front => {
                    let first = model.is_empty().then_some(0).or_else(|| model[0].checked_sub(1));
                    if let Some(n) = first {
                        tree.insert(0, Numbers(vec![n]));
                        model.insert(0, n);
                    }
                }
                Step::Back => {
                    let n = model.last().map_or(0, |n| n + 1);
                    tree.push_back(Numbers(vec![n]));
                    model.push(n);
                }
                Step::Clone if clones.len() < 4 => clones.push((tree.clone(), model.clone())),
                Step::Clone => {}
            }
        }
        check(&tree, &model, true);
        for (clone, model) in &clones {
            check(clone, model, true);
        }
        for (position, n) in model.iter().enumerate().step_by(7) {
            let (leaf, start) = tree.find_start(|bound| bound <= n).unwrap();
            prop_assert_eq!(leaf.0.binary_search(n), Ok(position - start));
            prop_assert_eq!(tree.find(|bound| bound <= n), Some(leaf));
        }
    }

    /// Elements found by position, as lists have them.
    #[test]
    fn a_tree_by_position_is_a_vector(steps in prop::collection::vec((0u8..8, any::<u16>(), 1u32..20), 0..600)) {
        let mut model: Vec<u32> = Vec::new();
        let mut tree: Tree<Numbers> = Tree::default();
        let mut clones = Vec::new();
        for (i, (what, at, n)) in steps.into_iter().enumerate() {
            let at = usize::from(at) % (model.len() + 1);
            let part: Vec<u32> = (0..n).map(|n| i as u32 * 100 + n).collect();
            match what {
                0..=2 => {
                    let part = part[..part.len().min(FULL)].to_vec();
                    tree.insert(at, Numbers(part.clone()));
                    model.splice(at..at, part);
                }
                3 => {
                    let changed = tree.change_at(at, |leaf, index| leaf.0.splice(index..index, part.clone()).count());
                    prop_assert_eq!(changed.is_some(), at < model.len());
                    if changed.is_some() {
                        model.splice(at..at, part);
                    }
                }
                4 => {
                    tree.remove(at..at + n as usize);
                    model.drain(at..(at + n as usize).min(model.len()));
                }
                5 => {
                    let popped = tree.change_first(|leaf| leaf.0.remove(0));
                    prop_assert_eq!(popped, (!model.is_empty()).then(|| model.remove(0)));
                }
                6 => prop_assert_eq!(tree.change_last(|leaf| leaf.0.pop()).flatten(), model.pop()),
                _ => clones.push((tree.clone(), model.clone())),
            }
        }
        check(&tree, &model, false);
        clones.iter().for_each(|(clone, model)| check(clone, model, false));
        for (position, n) in model.iter().enumerate() {
            let (leaf, index) = tree.leaf_at(position).unwrap();
            prop_assert_eq!(leaf.0[index], *n);
        }
        prop_assert!(tree.leaf_at(model.len()).is_none() && tree.walk_at(model.len()).is_none());
        let middle = model.len() / 2;
        if let Some((mut walk, index)) = tree.walk_at(middle) {
            prop_assert_eq!(walk.leaf().0[index], model[middle]);
            let mut backwards: Vec<u32> = walk.leaf().0[..index].iter().rev().copied().collect();
            while let Some(leaf) = walk.back() {
                backwards.extend(leaf.0.iter().rev());
            }
            backwards.reverse();
            prop_assert_eq!(&backwards[..], &model[..middle]);
        }
    }
}

#[test]
fn leaves_added_at_an_end_stay_full() {
    let full: Tree<Numbers> = (0..5000).map(|i| Numbers((i * 8..i * 8 + 8).collect())).collect();
    assert_eq!((full.len(), full.leaves()), (40_000, 5000));
    let mut front: Tree<Numbers> = Tree::default();
    (0..5000u32).rev().for_each(|i| front.insert(0, Numbers((i * 8..i * 8 + 8).collect())));
    check(&front, &(0..40_000).collect::<Vec<_>>(), true);
}

#[test]
fn removing_most_of_a_tree_leaves_a_low_one() {
    let mut tree: Tree<Numbers> = (0..5000).map(|i| Numbers((i * 8..i * 8 + 8).collect())).collect();
    (0..40_000).filter(|n| n % 100 != 50).for_each(|n| assert!(remove(&mut tree, n)));
    let rest: Vec<u32> = (0..40_000).filter(|n| n % 100 == 50).collect();
    check(&tree, &rest, true);
    assert!(tree.leaves() <= rest.len() / 2 + 2, "{} leaves", tree.leaves());
    let mut leaves = Vec::new();
    assert!(tree.root.as_ref().unwrap().check(&u32::MIN, &mut leaves) <= 3);
    tree.remove(0..rest.len());
    check(&tree, &[], true);
}
