//! Items in the order of their ids, cheap to clone: a clone shares all items, and a change copies only the leaf and
//! the chunk it is in.
//!
//! A leaf holds up to [`FANOUT`] items, a chunk up to as many leaves; the chunks stand in one vector, whose length is
//! a sixteen-thousandth of the items'. Invariants: no leaf and no chunk is empty, ids ascend, `len` counts the items.

use std::sync::Arc;

use super::id::StreamId;

/// Items of a leaf, and leaves of a chunk, at most.
const FANOUT: usize = 128;

/// What has an id to be found by.
pub(super) trait Item: Clone {
    /// The id.
    fn id(&self) -> StreamId;
}

impl Item for StreamId {
    fn id(&self) -> StreamId {
        *self
    }
}

type Leaf<T> = Vec<T>;
type Chunk<T> = Vec<Arc<Leaf<T>>>;

/// Items in the order of their ids.
#[derive(Clone, Debug)]
pub(super) struct Runs<T> {
    chunks: Vec<Arc<Chunk<T>>>,
    len: usize,
}

/// Where an item is, or the end, until the next change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    chunk: usize,
    leaf: usize,
    item: usize,
}

impl<T> Default for Runs<T> {
    fn default() -> Runs<T> {
        Runs { chunks: Vec::new(), len: 0 }
    }
}

impl<T: Item> Runs<T> {
    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of memory that the leaves and chunks take, about.
    pub(super) fn allocated_bytes(&self) -> usize {
        /// A leaf's pointer in its chunk, its counts and its vector's header.
        const LEAF_BYTES: usize = 8 + 16 + 24;
        self.len * size_of::<T>() + self.len.div_ceil(FANOUT) * LEAF_BYTES
    }

    /// The item at `place`; nothing at the end.
    pub(super) fn get(&self, place: Place) -> Option<&T> {
        self.chunks.get(place.chunk)?.get(place.leaf)?.get(place.item)
    }

    /// The item at `place`, to be changed; its id must stay between its neighbours'.
    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut T> {
        let chunk = Arc::make_mut(self.chunks.get_mut(place.chunk)?);
        Arc::make_mut(chunk.get_mut(place.leaf)?).get_mut(place.item)
    }

    /// The item with `id`.
    pub(super) fn find(&self, id: StreamId) -> Option<&T> {
        self.get(self.seek(id)).filter(|item| item.id() == id)
    }

    /// The item with `id`, to be changed; its id must stay.
    pub(super) fn find_mut(&mut self, id: StreamId) -> Option<&mut T> {
        let place = self.seek(id);
        if self.get(place)?.id() == id { self.get_mut(place) } else { None }
    }

    /// The first item.
    pub(super) fn first(&self) -> Option<&T> {
        self.chunks.first()?.first()?.first()
    }

    /// The last item.
    pub(super) fn last(&self) -> Option<&T> {
        self.chunks.last()?.last()?.last()
    }

    /// The place of the last item.
    pub(super) fn last_place(&self) -> Option<Place> {
        let chunk = self.chunks.len().checked_sub(1)?;
        let leaf = self.chunks[chunk].len() - 1;
        Some(Place { chunk, leaf, item: self.chunks[chunk][leaf].len() - 1 })
    }

    /// The place of the first item whose id is not below `id`, or the end.
    pub(super) fn seek(&self, id: StreamId) -> Place {
        let last_of = |leaf: &Leaf<T>| leaf.last().map(Item::id);
        let chunk = self.chunks.partition_point(|c| c.last().and_then(|leaf| last_of(leaf)) < Some(id));
        let leaves = self.chunks.get(chunk).map_or(&[] as &[_], |c| c.as_slice());
        let leaf = leaves.partition_point(|leaf| last_of(leaf) < Some(id));
        let item = leaves.get(leaf).map_or(0, |leaf| leaf.partition_point(|item| item.id() < id));
        Place { chunk, leaf, item }
    }

    /// The place behind `place`, or the end.
    pub(super) fn after(&self, place: Place) -> Place {
        let Some(chunk) = self.chunks.get(place.chunk) else { return place };
        if chunk.get(place.leaf).is_some_and(|leaf| place.item + 1 < leaf.len()) {
            Place { item: place.item + 1, ..place }
        } else if place.leaf + 1 < chunk.len() {
            Place { leaf: place.leaf + 1, item: 0, ..place }
        } else {
            Place { chunk: place.chunk + 1, leaf: 0, item: 0 }
        }
    }

    /// The place before `place`, which may be the end; nothing before the first.
    pub(super) fn before(&self, place: Place) -> Option<Place> {
        if let Some(item) = place.item.checked_sub(1) {
            return Some(Place { item, ..place });
        }
        if let Some(leaf) = place.leaf.checked_sub(1) {
            return Some(Place { leaf, item: self.chunks[place.chunk][leaf].len() - 1, ..place });
        }
        let chunk = place.chunk.checked_sub(1)?;
        let leaf = self.chunks[chunk].len() - 1;
        Some(Place { chunk, leaf, item: self.chunks[chunk][leaf].len() - 1 })
    }

    /// The items from `place` on.
    pub(super) fn iter_from(&self, mut place: Place) -> impl Iterator<Item = &T> {
        std::iter::from_fn(move || {
            let item = self.get(place)?;
            place = self.after(place);
            Some(item)
        })
    }

    /// All items.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter()).flat_map(|leaf| leaf.iter())
    }

    /// Adds `item`, or puts it in the place of the one with its id, which is handed over.
    pub(super) fn insert(&mut self, item: T) -> Option<T> {
        let place = self.seek(item.id());
        if self.get(place).is_some_and(|there| there.id() == item.id()) {
            return self.get_mut(place).map(|there| std::mem::replace(there, item));
        }
        self.len += 1;
        let at_end = place.chunk == self.chunks.len();
        // Behind the last item means at the end of the last leaf.
        let place = match self.last_place() {
            None => {
                self.chunks.push(Arc::new(vec![Arc::new(vec![item])]));
                return None;
            }
            Some(last) if at_end => Place { item: last.item + 1, ..last },
            Some(_) => place,
        };
        let chunk = Arc::make_mut(&mut self.chunks[place.chunk]);
        let leaf = Arc::make_mut(&mut chunk[place.leaf]);
        if let Some(split) = insert_or_split(leaf, place.item, item, at_end) {
            leaf.shrink_to_fit();
            let split = Arc::new(split);
            if let Some(split) = insert_or_split(chunk, place.leaf + 1, split, at_end) {
                self.chunks.insert(place.chunk + 1, Arc::new(split));
            }
        }
        None
    }

    /// Removes the item at `place`, which must be one.
    pub(super) fn remove_at(&mut self, place: Place) -> T {
        self.len -= 1;
        let chunk = Arc::make_mut(&mut self.chunks[place.chunk]);
        let leaf = Arc::make_mut(&mut chunk[place.leaf]);
        let item = leaf.remove(place.item);
        if leaf.is_empty() {
            chunk.remove(place.leaf);
        } else if leaf.len() < FANOUT / 4 {
            join_next(chunk, place.leaf);
        }
        if chunk.is_empty() {
            self.chunks.remove(place.chunk);
        } else if chunk.len() < FANOUT / 4 {
            join_next(&mut self.chunks, place.chunk);
        }
        item
    }

    /// Removes the item with `id`.
    pub(super) fn remove(&mut self, id: StreamId) -> Option<T> {
        let place = self.seek(id);
        (self.get(place)?.id() == id).then(|| self.remove_at(place))
    }
}

/// Inserts `item` at `at`; when `run` is full, what comes to stand behind `run` is handed over: the new item alone at
/// the end of everything, half of the items otherwise.
fn insert_or_split<T>(run: &mut Vec<T>, at: usize, item: T, at_end: bool) -> Option<Vec<T>> {
    if run.len() < FANOUT {
        run.insert(at, item);
        return None;
    }
    if at_end {
        return Some(vec![item]);
    }
    let mut split = run.split_off(FANOUT / 2);
    if at <= FANOUT / 2 {
        run.insert(at, item)
    } else {
        split.insert(at - FANOUT / 2, item)
    }
    Some(split)
}

/// Joins run `i` and the one behind it when they fit into half a run.
fn join_next<T: Clone>(runs: &mut Vec<Arc<Vec<T>>>, i: usize) {
    if runs.get(i + 1).is_some_and(|next| next.len() + runs[i].len() <= FANOUT / 2) {
        let next = runs.remove(i + 1);
        let items = Arc::try_unwrap(next).unwrap_or_else(|shared| (*shared).clone());
        Arc::make_mut(&mut runs[i]).extend(items);
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
        assert!(runs.chunks.iter().all(|c| !c.is_empty() && c.len() <= FANOUT));
        assert!(runs.chunks.iter().flat_map(|c| c.iter()).all(|l| !l.is_empty() && l.len() <= FANOUT));
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
                let place = runs.seek(id(n));
                prop_assert_eq!(runs.get(place), model.range(id(n)..).next());
                let before = runs.before(place).and_then(|before| runs.get(before));
                prop_assert_eq!(before, model.range(..id(n)).next_back());
                if i % 997 == 0 {
                    snapshots.push((runs.clone(), model.clone()));
                }
            }
            check(&runs, &model);
            prop_assert!(runs.iter_from(runs.seek(id(2000))).eq(model.range(id(2000)..)));
            snapshots.iter().for_each(|(runs, model)| check(runs, model));
        }
    }

    #[test]
    fn many_in_order_fill_their_leaves_and_are_removed_from_the_front() {
        let mut runs = Runs::default();
        (0..100_000).for_each(|n| assert!(runs.insert(id(n)).is_none()));
        assert_eq!(runs.chunks.len(), 100_000_usize.div_ceil(FANOUT * FANOUT));
        (0..99_999).for_each(|n| assert_eq!(runs.remove(id(n)), Some(id(n))));
        check(&runs, &BTreeSet::from([id(99_999)]));
        runs.remove(id(99_999));
        check(&runs, &BTreeSet::new());
    }
}
