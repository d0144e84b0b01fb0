//! Streams: entries in the order of their ids, and the groups of consumers that read them.
//!
//! Everything is kept in nodes that clones share, so a snapshot, a copy or a long read takes a clone, and a change
//! copies only the node it touches.

mod entries;
mod group;
mod id;
mod node;
mod runs;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use entries::{Keep, Range, RangeBack, Trim};
pub use group::{Consumer, ConsumerNumber, Group, Pending};
pub use id::StreamId;
pub use node::{ENTRY_BYTES_MAX, Entry as StreamEntry};

use entries::Entries;

use crate::collection::{Big, Body};
use crate::entry::Entry;
use crate::limits::Limits;
use crate::relocate::Mover;
use crate::value::{Kind, WrongType};

type Groups = BTreeMap<Box<[u8]>, Arc<Group>>;

/// A stream. A clone is cheap and shares its nodes.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    entries: Entries,
    last_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
    groups: Arc<Groups>,
}

/// How an entry is to be claimed for a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Only when it was delivered at least so long ago.
    pub idle_min_ms: i64,
    /// When it counts as delivered, in milliseconds since the Unix epoch.
    pub delivered_ms: i64,
    /// How often it counts as delivered; nothing: once more, or, with `just_id`, as often as before.
    pub deliveries: Option<u64>,
    /// Also when it is pending for nobody.
    pub force: bool,
    /// The entry itself is not delivered.
    pub just_id: bool,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The entry is the consumer's.
    Yes(Pending),
    /// The entry is pending for nobody, or was delivered too short a time ago.
    No,
    /// The entry was deleted from the stream, and is no longer pending.
    Gone(Pending),
}

impl Stream {
    // -- entries ------------------------------------------------------------------------------

    /// How many entries it has.
    pub fn len(&self) -> u64 {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id of the oldest entry.
    pub fn first_id(&self) -> Option<StreamId> {
        self.entries.first_id()
    }

    /// The id of the newest entry that is there.
    pub fn newest_id(&self) -> Option<StreamId> {
        self.entries.last_id()
    }

    /// The id given last, whether its entry is still there or not.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The greatest id of an entry that was deleted; 0-0 when none was.
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// How many entries were ever added.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// The id that an entry gets at `now_ms`, milliseconds since the Unix epoch; nothing when the last one was given.
    pub fn next_id(&self, now_ms: u64) -> Option<StreamId> {
        if now_ms > self.last_id.ms { Some(StreamId { ms: now_ms, seq: 0 }) } else { self.last_id.next() }
    }

    /// Adds an entry; `fields` are names, each before its value. `id` must be above the last one.
    pub fn add(&mut self, id: StreamId, fields: &[&[u8]], limits: &Limits) {
        debug_assert!(id > self.last_id, "ids ascend");
        self.entries.push(id, fields, limits);
        self.last_id = id;
        self.entries_added += 1;
    }

    /// Deletes the entry with `id`; whether it was there.
    pub fn delete(&mut self, id: StreamId) -> bool {
        let deleted = self.entries.remove(id);
        if deleted {
            self.max_deleted_id = self.max_deleted_id.max(id);
        }
        deleted
    }

    /// Removes the oldest entries; how many.
    pub fn trim(&mut self, trim: &Trim) -> u64 {
        self.entries.trim(trim)
    }

    /// Says what is past: the id given last, how many entries were added, the greatest id deleted. No entry may have
    /// an id above `last_id`.
    pub fn set_past(&mut self, last_id: StreamId, entries_added: u64, max_deleted_id: StreamId) {
        self.last_id = last_id;
        self.entries_added = entries_added;
        self.max_deleted_id = max_deleted_id;
    }

    /// The entry with `id`.
    pub fn entry(&self, id: StreamId) -> Option<StreamEntry<'_>> {
        self.entries.get(id)
    }

    /// The entries from `start` to `end`, both included, the oldest first.
    pub fn range(&self, start: StreamId, end: StreamId) -> Range<'_> {
        self.entries.range(start, end)
    }

    /// The entries from `end` back to `start`, both included, the newest first.
    pub fn range_back(&self, start: StreamId, end: StreamId) -> RangeBack<'_> {
        self.entries.range_back(start, end)
    }

    /// All entries.
    pub fn iter(&self) -> Range<'_> {
        self.range(StreamId::MIN, StreamId::MAX)
    }

    /// How many nodes its entries are in.
    pub fn nodes_len(&self) -> usize {
        self.entries.nodes_len()
    }

    /// How many nodes a radix tree of these nodes has. Cost: in proportion to the nodes.
    pub fn radix_nodes(&self) -> u64 {
        self.entries.radix_nodes()
    }

    // -- how far groups are -------------------------------------------------------------------

    /// Whether an entry from `start` on was deleted from among the others.
    fn has_deleted_from(&self, start: StreamId) -> bool {
        let deleted = self.max_deleted_id;
        self.first_id().is_some_and(|first| deleted != StreamId::MIN && first <= deleted && start <= deleted)
    }

    /// How many entries were added up to `id`, where that can be told without counting.
    pub fn entries_up_to(&self, id: StreamId) -> Option<u64> {
        let (added, last_id) = (self.entries_added, self.last_id);
        if added == 0 {
            return Some(0);
        }
        let Some(first) = self.first_id() else { return (id <= last_id).then_some(added) };
        if id >= last_id {
            return (id == last_id).then_some(added);
        }
        // Where nothing was deleted behind the first entry, what lies before it was all added before it.
        let whole = self.max_deleted_id == StreamId::MIN || self.max_deleted_id < first;
        // More may be there than were ever said to be added.
        let before_first = added.wrapping_sub(self.len());
        match id.cmp(&first) {
            std::cmp::Ordering::Less if whole => Some(before_first),
            std::cmp::Ordering::Equal if whole => Some(before_first.wrapping_add(1)),
            _ => None,
        }
    }

    /// How many entries `group` has not read yet, where that can be told. Below zero when its count was set too high.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        let counted = group.entries_read.filter(|_| !self.has_deleted_from(group.last_id));
        let read = counted.or_else(|| self.entries_up_to(group.last_id))?;
        Some(self.entries_added.wrapping_sub(read) as i64)
    }

    // -- groups -------------------------------------------------------------------------------

    /// Its groups with their names, in the order of the names.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (&[u8], &Group)> {
        self.groups.iter().map(|(name, group)| (&**name, &**group))
    }

    /// The group `name`.
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name).map(|group| &**group)
    }

    /// The group `name`, to be changed.
    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        // Groups that others share are copied only when there is something to change.
        self.groups
            .contains_key(name)
            .then(|| Arc::make_mut(&mut self.groups))?
            .get_mut(name)
            .map(Arc::make_mut)
    }

    /// Adds a group; whether there was none of this name.
    pub fn create_group(&mut self, name: &[u8], group: Group) -> bool {
        let new = !self.groups.contains_key(name);
        if new {
            Arc::make_mut(&mut self.groups).insert(name.into(), Arc::new(group));
        }
        new
    }

    /// Removes the group `name`; whether it was there.
    pub fn destroy_group(&mut self, name: &[u8]) -> bool {
        self.groups.contains_key(name) && Arc::make_mut(&mut self.groups).remove(name).is_some()
    }

    /// Delivers up to `count` entries that the group `name` has not had to its consumer with this number; the ids.
    /// With `no_ack` they do not become pending.
    pub fn deliver(
        &mut self,
        name: &[u8],
        consumer: ConsumerNumber,
        count: usize,
        no_ack: bool,
        now_ms: i64,
    ) -> Vec<StreamId> {
        let Some(group) = self.group(name) else { return Vec::new() };
        let Some(start) = group.last_id.next() else { return Vec::new() };
        let mut entries_read = group.entries_read;
        let mut ids = Vec::new();
        for entry in self.range(start, StreamId::MAX).take(count) {
            entries_read = match entries_read {
                Some(read) if !self.has_deleted_from(entry.id) => Some(read.wrapping_add(1)),
                _ => self.entries_up_to(entry.id),
            };
            ids.push(entry.id);
        }
        let (Some(&last_id), Some(group)) = (ids.last(), self.group_mut(name)) else { return ids };
        (group.last_id, group.entries_read) = (last_id, entries_read);
        if !no_ack {
            for &id in &ids {
                group.set_pending(Pending { id, delivered_ms: now_ms, deliveries: 1, consumer });
            }
            if let Some(consumer) = group.consumer_mut(consumer) {
                consumer.active_ms = Some(now_ms);
            }
        }
        ids
    }

    /// Delivers pending entries of a consumer once more, up to `count` from `start` on; their ids. Those whose entries
    /// are gone are not counted as delivered.
    pub fn deliver_again(
        &mut self,
        name: &[u8],
        consumer: ConsumerNumber,
        start: StreamId,
        count: usize,
        now_ms: i64,
    ) -> Vec<StreamId> {
        let Some(group) = self.group(name) else { return Vec::new() };
        let ids: Vec<StreamId> =
            group.pending_of(consumer, start).map(|pending| pending.id).take(count).collect();
        let there: Vec<StreamId> = ids.iter().copied().filter(|&id| self.entry(id).is_some()).collect();
        if let Some(group) = self.group_mut(name) {
            there.into_iter().for_each(|id| group.deliver_again(id, now_ms));
        }
        ids
    }

    /// Makes the pending entry `id` of the group `name` that of its consumer with this number, as `claim` says.
    pub fn claim(
        &mut self,
        name: &[u8],
        consumer: ConsumerNumber,
        id: StreamId,
        claim: &Claim,
        now_ms: i64,
    ) -> Claimed {
        let there = self.entry(id).is_some();
        let Some(group) = self.group_mut(name) else { return Claimed::No };
        if !there {
            return group.acknowledge(id).map_or(Claimed::No, Claimed::Gone);
        }
        let before = group.pending(id).copied();
        match before {
            None if !claim.force => return Claimed::No,
            Some(pending)
                if claim.idle_min_ms > 0
                    && now_ms.saturating_sub(pending.delivered_ms) < claim.idle_min_ms =>
            {
                return Claimed::No;
            }
            _ => {}
        }
        // Redis counts the delivery that makes it pending, and then the claim.
        let deliveries = before.map_or(1, |pending| pending.deliveries);
        let deliveries =
            claim.deliveries.unwrap_or_else(|| deliveries.saturating_add(u64::from(!claim.just_id)));
        let pending = Pending { id, delivered_ms: claim.delivered_ms, deliveries, consumer };
        group.set_pending(pending);
        if let Some(consumer) = group.consumer_mut(consumer) {
            consumer.active_ms = Some(now_ms);
        }
        Claimed::Yes(pending)
    }

    /// See [`Big::relocate`]. Its groups stay where they are: mostly they are small beside the entries.
    pub(crate) fn relocate(&mut self, cursor: u64, mover: &mut dyn Mover) -> Option<u64> {
        self.entries.relocate(cursor, mover)
    }

    /// Bytes of memory it takes beside itself, about; what clones share is counted in each.
    pub(crate) fn allocated_bytes(&self) -> usize {
        let groups = self.groups.iter().map(|(name, group)| name.len() + group.allocated_bytes());
        self.entries.allocated_bytes() + groups.sum::<usize>()
    }
}

impl<'e> Entry<'e> {
    /// The value, when it is a stream.
    pub fn stream(self) -> Result<&'e Stream, WrongType> {
        match self.kind() {
            Kind::Stream => match self.body() {
                Body::Big(Big::Stream(stream)) => Ok(stream),
                _ => Err(WrongType),
            },
            _ => Err(WrongType),
        }
    }
}

#[cfg(test)]
mod tests;
