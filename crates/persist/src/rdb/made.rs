//! Values of files as a store keeps them.

use engine::{Limits, ListBuilder, Owned, SetBuilder, stream};

use super::value::{Stream, StreamGroup, Value};

/// `value` as a store keeps it, by `limits` and with members hashed with `secret` (see [`engine::Db::secret`]); nothing for
/// a module's value. A string is not one of these.
pub fn owned(value: &Value<'_>, limits: &Limits, secret: u64) -> Option<Owned> {
    match value {
        Value::List(items) => {
            let mut list = ListBuilder::new(limits);
            items.iter().for_each(|item| list.push(item));
            Some(list.finish())
        }
        Value::Set(members) => {
            let mut set = SetBuilder::new(*limits, secret);
            if let Some(first) = members.first() {
                set.as_mut().expect(first, members.len());
            }
            members.iter().for_each(|member| {
                set.as_mut().add(member);
            });
            Some(set.finish())
        }
        Value::ZSet(members) => {
            let members: Vec<(&[u8], f64)> =
                members.iter().map(|(member, score)| (&**member, *score)).collect();
            Some(Owned::zset(members, limits, secret))
        }
        Value::Hash(fields) => {
            let fields = fields.iter().map(|field| (&*field.name, &*field.value, field.deadline_ms));
            Some(Owned::hash(fields, limits, secret))
        }
        Value::Stream(stream) => Some(Owned::stream(stream_of(stream, limits))),
        Value::String(_) | Value::Module(_) => None,
    }
}

fn stream_of(read: &Stream<'_>, limits: &Limits) -> engine::Stream {
    let mut made = engine::Stream::default();
    for entry in read.entries.iter() {
        let fields: Vec<&[u8]> = entry.fields.iter().flat_map(|(name, value)| [&**name, &**value]).collect();
        made.add(entry.id, &fields, limits);
    }
    made.set_past(read.last_id, read.entries_added, read.max_deleted_id);
    for group in &read.groups {
        made.create_group(&group.name, group_of(group));
    }
    made
}

fn group_of(read: &StreamGroup<'_>) -> stream::Group {
    let mut made = stream::Group::new(read.last_id, read.entries_read);
    let mut numbers = Vec::with_capacity(read.consumers.len());
    for consumer in &read.consumers {
        let number = made.create_consumer(&consumer.name, consumer.seen_ms);
        if let Some(kept) = number.and_then(|number| made.consumer_mut(number)) {
            kept.active_ms = consumer.active_ms;
        }
        numbers.push(number);
    }
    for pending in &read.pending {
        // Each is one of the consumers', and no two consumers have one name: that was seen when it was read.
        if let Some(consumer) = numbers.get(pending.consumer).copied().flatten() {
            let (id, delivered_ms, deliveries) = (pending.id, pending.delivered_ms, pending.deliveries);
            made.set_pending(stream::Pending { id, delivered_ms, deliveries, consumer });
        }
    }
    made
}
