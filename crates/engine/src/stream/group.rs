//! Consumer groups: who got which entry and has not acknowledged it yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::id::StreamId;
use super::runs::{Item, Runs};

/// An entry delivered to a consumer and not acknowledged yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The entry's id. The entry itself may be gone.
    pub id: StreamId,
    /// When it was last delivered, in milliseconds since the Unix epoch.
    pub delivered_ms: i64,
    /// How often it was delivered.
    pub deliveries: u64,
    /// Whose it is.
    pub consumer: ConsumerNumber,
}

impl Item for Pending {
    fn id(&self) -> StreamId {
        self.id
    }
}

/// A consumer's place in its group; another's after it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerNumber(u32);

/// A consumer of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Arc<[u8]>,
    /// When it last tried anything, in milliseconds since the Unix epoch.
    pub seen_ms: i64,
    /// When it last got anything; nothing: never.
    pub active_ms: Option<i64>,
    pending: Runs<StreamId>,
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// How many entries it has not acknowledged.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }
}

/// A consumer group. Invariant: each pending entry is in the list of the consumer it names, and in no other.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The last id delivered.
    pub last_id: StreamId,
    /// How many entries it has read; nothing when that cannot be known.
    pub entries_read: Option<u64>,
    pending: Runs<Pending>,
    names: BTreeMap<Arc<[u8]>, ConsumerNumber>,
    /// By number; where there is none, one was deleted.
    consumers: Vec<Option<Arc<Consumer>>>,
}

impl Group {
    /// A group that has been given what comes up to `last_id`.
    pub fn new(last_id: StreamId, entries_read: Option<u64>) -> Group {
        Group { last_id, entries_read, ..Group::default() }
    }

    // -- consumers ----------------------------------------------------------------------------

    /// How many consumers it has.
    pub fn consumers_len(&self) -> usize {
        self.names.len()
    }

    /// Its consumers with their numbers, in the order of their names.
    pub fn consumers(&self) -> impl Iterator<Item = (ConsumerNumber, &Consumer)> {
        self.names.values().filter_map(|&number| Some((number, self.consumer(number)?)))
    }

    /// The number of the consumer `name`.
    pub fn consumer_named(&self, name: &[u8]) -> Option<ConsumerNumber> {
        self.names.get(name).copied()
    }

    /// The consumer with `number`.
    pub fn consumer(&self, number: ConsumerNumber) -> Option<&Consumer> {
        self.consumers.get(number.0 as usize)?.as_deref()
    }

    /// The consumer with `number`, to be changed.
    pub fn consumer_mut(&mut self, number: ConsumerNumber) -> Option<&mut Consumer> {
        self.consumers.get_mut(number.0 as usize)?.as_mut().map(Arc::make_mut)
    }

    /// Adds a consumer; nothing when there is one of this name.
    pub fn create_consumer(&mut self, name: &[u8], seen_ms: i64) -> Option<ConsumerNumber> {
        if self.names.contains_key(name) {
            return None;
        }
        let name: Arc<[u8]> = name.into();
        let consumer =
            Consumer { name: Arc::clone(&name), seen_ms, active_ms: None, pending: Runs::default() };
        // A free number is looked for only when there is one.
        let free = if self.names.len() < self.consumers.len() {
            self.consumers.iter().position(Option::is_none)
        } else {
            None
        };
        let at = free.unwrap_or(self.consumers.len());
        if at == self.consumers.len() {
            self.consumers.push(None);
        }
        self.consumers[at] = Some(Arc::new(consumer));
        let number = ConsumerNumber(at as u32);
        self.names.insert(name, number);
        Some(number)
    }

    /// The consumer `name`, which is made when it is not there, and tries something now; whether it was made.
    pub fn see(&mut self, name: &[u8], now_ms: i64) -> (ConsumerNumber, bool) {
        if let Some(number) = self.create_consumer(name, now_ms) {
            return (number, true);
        }
        let number = self.consumer_named(name).expect("there is one of this name");
        if let Some(consumer) = self.consumer_mut(number) {
            consumer.seen_ms = now_ms;
        }
        (number, false)
    }

    /// Removes the consumer `name` with its pending entries; how many there were, when it was there.
    pub fn delete_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let number = self.names.remove(name)?;
        let consumer = self.consumers.get_mut(number.0 as usize)?.take()?;
        for &id in consumer.pending.iter() {
            self.pending.remove(id);
        }
        Some(consumer.pending.len())
    }

    // -- pending entries ----------------------------------------------------------------------

    /// How many entries are pending.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The pending entry with the least id.
    pub fn first_pending(&self) -> Option<&Pending> {
        self.pending.first()
    }

    /// The pending entry with the greatest id.
    pub fn last_pending(&self) -> Option<&Pending> {
        self.pending.last()
    }

    /// The pending entry with `id`.
    pub fn pending(&self, id: StreamId) -> Option<&Pending> {
        self.pending.find(id)
    }

    /// The pending entries from `start` on.
    pub fn pending_from(&self, start: StreamId) -> impl Iterator<Item = &Pending> {
        self.pending.iter_from(start)
    }

    /// Those of one consumer.
    pub fn pending_of(&self, number: ConsumerNumber, start: StreamId) -> impl Iterator<Item = &Pending> {
        let own = self.consumer(number).map(|consumer| &consumer.pending);
        let ids = own.into_iter().flat_map(move |own| own.iter_from(start));
        ids.filter_map(|&id| self.pending.find(id))
    }

    /// Makes an entry pending, or changes one that is, whoever's it was. The consumer must be one of the group's.
    pub fn set_pending(&mut self, pending: Pending) {
        let before = self.pending.insert(pending).map(|before| before.consumer);
        if before == Some(pending.consumer) {
            return;
        }
        if let Some(owner) = before.and_then(|number| self.consumer_mut(number)) {
            owner.pending.remove(pending.id);
        }
        if let Some(owner) = self.consumer_mut(pending.consumer) {
            owner.pending.insert(pending.id);
        }
    }

    /// Takes an entry off the pending ones; nothing when it was not there.
    pub fn acknowledge(&mut self, id: StreamId) -> Option<Pending> {
        let pending = self.pending.remove(id)?;
        if let Some(owner) = self.consumer_mut(pending.consumer) {
            owner.pending.remove(id);
        }
        Some(pending)
    }

    /// Counts a pending entry as delivered once more.
    pub(super) fn deliver_again(&mut self, id: StreamId, now_ms: i64) {
        self.pending.change(id, |pending| {
            pending.delivered_ms = now_ms;
            pending.deliveries = pending.deliveries.saturating_add(1);
        });
    }

    /// Bytes of memory it takes, about.
    pub(super) fn allocated_bytes(&self) -> usize {
        /// A consumer, its name's entry and its share of the lists.
        const CONSUMER_BYTES: usize = 192;
        let ids_bytes = self.pending.len() * size_of::<StreamId>();
        size_of::<Group>()
            + self.pending.allocated_bytes()
            + ids_bytes
            + self.consumers.len() * CONSUMER_BYTES
    }
}
