//! Items in the order of their ids, in leaves of the tree that lists and sorted sets are kept in as well: so a clone
//! shares all items, and a change copies the leaves and nodes on one path.

use std::fmt::Debug;
use std::ops::Range;

use super::id::StreamId;
use crate::memory::vec_bytes;
use crate::relocate::{Mover, relocate_vec};
use crate::tree::{self, Tree, Walk};

/// Items at which a leaf is split.
const LEAF_ITEMS_MAX: usize = 128;

/// What has an id to be found by.
pub(super) trait Item: Clone + Debug {
    /// The id. It may grow while the item is the last one.
    fn id(&self) -> StreamId;

    /// Moves what it allocated, where `mover` wants it moved; most allocate nothing.
    fn relocate(&mut self, _mover: &mut dyn Mover) {}
}

impl Item for StreamId {
    fn id(&self) -> StreamId {
        *self
    }
}

/// Some items side by side.
#[derive(Clone, Debug)]
struct Leaf<T>(Vec<T>);

impl<T: Item> Leaf<T> {
    fn search(&self, id: StreamId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, Item::id)
    }

    fn last_id(&self) -> Option<StreamId> {
        self.0.last().map(Item::id)
    }
}

impl<T: Item> tree::Leaf for Leaf<T> {
    type Bound = StreamId;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn bytes(&self) -> usize {
        vec_bytes::<T>(self.0.capacity())
    }

    fn bound(&self) -> StreamId {
        self.0.first().map(Item::id).unwrap_or_default()
    }

    fn is_full(&self) -> bool {
        self.0.len() >= LEAF_ITEMS_MAX
    }

    fn is_small(&self) -> bool {
        self.0.len() < LEAF_ITEMS_MAX / 4
    }

    fn middle(&self) -> usize {
        self.0.len() / 2
    }

    fn relocate(&mut self, mover: &mut dyn Mover) {
        relocate_vec(&mut self.0, mover);
        self.0.iter_mut().for_each(|item| item.relocate(mover));
    }

    fn split_off(&mut self, at: usize) -> Leaf<T> {
        let tail = Leaf(self.0.split_off(at));
        self.0.shrink_to_fit();
        tail
    }

    fn absorb(&mut self, next: Leaf<T>) {
        self.0.extend(next.0);
    }

    fn remove(&mut self, range: Range<usize>) {
        self.0.drain(range);
    }
}

/// Items in the order of their ids.
#[derive(Clone, Debug)]
pub(super) struct Runs<T: Item> {
    tree: Tree<Leaf<T>>,
}

impl<T: Item> Default for Runs<T> {
    fn default() -> Runs<T> {
        Runs { tree: Tree::default() }
    }
}

impl<T: Item> Runs<T> {
    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        self.tree.len()
    }

    /// Bytes of memory it takes, about, beside what items own.
    pub(super) fn allocated_bytes(&self) -> usize {
        self.tree.bytes()
    }

    /// See [`Tree::relocate`].
    pub(super) fn relocate(&mut self, cursor: u64, mover: &mut dyn Mover) -> Option<u64> {
        self.tree.relocate(cursor, mover)
    }

    /// The item with `id`.
    pub(super) fn find(&self, id: StreamId) -> Option<&T> {
        let leaf = self.tree.find(|bound| *bound <= id)?;
        leaf.search(id).ok().map(|i| &leaf.0[i])
    }

    /// The first item.
    pub(super) fn first(&self) -> Option<&T> {
        self.tree.first()?.0.first()
    }

    /// The last item.
    pub(super) fn last(&self) -> Option<&T> {
        self.tree.last()?.0.last()
    }

    /// Changes the item with `id`, which keeps it; nothing when there is none.
    pub(super) fn change<R>(&mut self, id: StreamId, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        // Where there is nothing to change, nothing is to be copied.
        self.find(id)?;
        let change = |leaf: &mut Leaf<T>| leaf.search(id).ok().map(|i| change(&mut leaf.0[i]));
        self.tree.change_found(|bound| *bound <= id, change)?
    }

    /// Changes the first item, which keeps its id.
    pub(super) fn change_first<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.tree.change_first(|leaf| leaf.0.first_mut().map(change))?
    }

    /// Changes the last item.
    pub(super) fn change_last<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.tree.change_last(|leaf| leaf.0.last_mut().map(change))?
    }

    /// Adds `item`, or puts it in the place of the one with its id, which is handed over.
    pub(super) fn insert(&mut self, item: T) -> Option<T> {
        let id = item.id();
        match self.tree.last() {
            Some(last) if last.last_id() >= Some(id) => {}
            // Leaves that grow at the end only are left full.
            Some(last) if last.0.len() + 1 < LEAF_ITEMS_MAX => {
                self.tree.change_last(|leaf| leaf.0.push(item));
                return None;
            }
            _ => {
                self.tree.push_back(Leaf(vec![item]));
                return None;
            }
        }
        self.tree.change_found(
            |bound| *bound <= id,
            |leaf| match leaf.search(id) {
                Ok(i) => Some(std::mem::replace(&mut leaf.0[i], item)),
                Err(i) => {
                    leaf.0.insert(i, item);
                    None
                }
            },
        )?
    }

    /// Removes the item with `id`.
    pub(super) fn remove(&mut self, id: StreamId) -> Option<T> {
        self.find(id)?;
        let remove = |leaf: &mut Leaf<T>| leaf.search(id).ok().map(|i| leaf.0.remove(i));
        self.tree.change_found(|bound| *bound <= id, remove)?
    }

    /// Removes the first item.
    pub(super) fn remove_first(&mut self) -> Option<T> {
        self.tree.change_first(|leaf| leaf.0.remove(0))
    }

    /// The place of the first item whose id is not below `id`, or the end.
    pub(super) fn seek(&self, id: StreamId) -> Place<'_, T> {
        let Some(walk) = self.tree.walk_from(|bound| *bound <= id) else { return Place(None) };
        let index = walk.leaf().0.partition_point(|item| item.id() < id);
        let mut place = Place(Some((walk, index)));
        place.settle();
        place
    }

    /// The items from the first whose id is not below `id` on.
    pub(super) fn iter_from(&self, id: StreamId) -> impl Iterator<Item = &T> {
        let mut place = self.seek(id);
        std::iter::from_fn(move || {
            let item = place.get()?;
            place.forward();
            Some(item)
        })
    }

    /// All items.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.iter_from(StreamId::MIN)
    }
}

/// The place of an item, or the end: a leaf, and an index in it that is its length at the end only.
#[derive(Clone, Debug)]
pub(super) struct Place<'r, T: Item>(Option<(Walk<'r, Leaf<T>>, usize)>);

impl<'r, T: Item> Place<'r, T> {
    /// The item; nothing at the end.
    pub(super) fn get(&self) -> Option<&'r T> {
        let (walk, index) = self.0.as_ref()?;
        walk.leaf().0.get(*index)
    }

    /// Goes to the next item, or the end.
    pub(super) fn forward(&mut self) {
        if let Some((_, index)) = &mut self.0 {
            *index += 1;
            self.settle();
        }
    }

    /// Goes to the item before; nothing, and stays, at the first.
    pub(super) fn back(&mut self) -> Option<&'r T> {
        let (walk, index) = self.0.as_mut()?;
        if *index == 0 {
            *index = walk.back()?.0.len();
        }
        *index -= 1;
        self.get()
    }

    /// Goes from behind a leaf to the next one, where there is one.
    fn settle(&mut self) {
        if let Some((walk, index)) = &mut self.0
            && *index >= walk.leaf().0.len()
            && walk.forward().is_some()
        {
            *index = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn id(n: u64) -> StreamId {
        StreamId { ms: n, seq: 0 }
    }

    fn check(runs: &Runs<StreamId>, model: &BTreeSet<StreamId>) {
        assert_eq!(runs.len(), model.len());
        assert!(runs.iter().eq(model), "in order");
        assert_eq!((runs.first(), runs.last()), (model.first(), model.last()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]
        #[test]
        fn they_are_what_a_set_is(ops in prop::collection::vec((0..3u8, 0..4000u64), 1..3000)) {
            let (mut runs, mut model) = (Runs::default(), BTreeSet::new());
            let mut snapshots = Vec::new();
            for (i, (op, n)) in ops.into_iter().enumerate() {
                match op {
                    0 | 1 => prop_assert_eq!(runs.insert(id(n)).is_none(), model.insert(id(n))),
                    _ => prop_assert_eq!(runs.remove(id(n)).is_some(), model.remove(&id(n))),
                }
                let mut place = runs.seek(id(n));
                prop_assert_eq!(place.get(), model.range(id(n)..).next());
                prop_assert_eq!(place.back(), model.range(..id(n)).next_back());
                if i % 997 == 0 {
                    snapshots.push((runs.clone(), model.clone()));
                }
            }
            check(&runs, &model);
            prop_assert!(runs.iter_from(id(2000)).eq(model.range(id(2000)..)));
            snapshots.iter().for_each(|(runs, model)| check(runs, model));
        }
    }

    #[test]
    fn many_in_order_fill_their_leaves_and_are_removed_from_the_front() {
        let mut runs = Runs::default();
        (0..100_000).for_each(|n| assert!(runs.insert(id(n)).is_none()));
        assert_eq!(runs.tree.leaves(), 100_000_usize.div_ceil(LEAF_ITEMS_MAX - 1));
        (0..50_000).for_each(|n| assert_eq!(runs.remove(id(n)), Some(id(n))));
        (50_000..99_999).for_each(|n| assert_eq!(runs.remove_first(), Some(id(n))));
        check(&runs, &BTreeSet::from([id(99_999)]));
        runs.remove(id(99_999));
        check(&runs, &BTreeSet::new());
    }
}
