//! Streams against a model of one, and the rules of groups.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Model = BTreeMap<StreamId, Vec<Vec<u8>>>;

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId { ms, seq }
}

/// A stream with the entries 1-1, 2-1 and so on up to `count`-1.
fn numbered(count: u64) -> Stream {
    let mut stream = Stream::default();
    (1..=count).for_each(|n| stream.add(id(n, 1), &[b"n", n.to_string().as_bytes()], &Limits::default()));
    stream
}

fn told(entry: StreamEntry<'_>) -> (StreamId, Vec<Vec<u8>>) {
    let mut digits = [itoa::Buffer::new(), itoa::Buffer::new()];
    let mut fields = Vec::new();
    for (name, value) in entry.fields() {
        let [a, b] = &mut digits;
        fields.extend([name.bytes(a).to_vec(), value.bytes(b).to_vec()]);
    }
    assert_eq!(fields.len(), 2 * entry.fields_len());
    (entry.id, fields)
}

fn check(stream: &Stream, model: &Model) {
    assert_eq!(stream.len(), model.len() as u64);
    assert_eq!(stream.first_id(), model.keys().next().copied());
    assert_eq!(stream.newest_id(), model.keys().next_back().copied());
    let expected = || model.iter().map(|(id, fields)| (*id, fields.clone()));
    assert!(stream.iter().map(told).eq(expected()));
    assert!(stream.range_back(StreamId::MIN, StreamId::MAX).map(told).eq(expected().rev()));
}

/// What happens to a stream: an entry that is milliseconds later with so many fields of a kind, a deletion near an
/// id, a trim.
#[derive(Clone, Debug)]
enum Op {
    Add(u64, u64, Vec<Vec<u8>>),
    Delete(prop::sample::Index),
    Trim(prop::sample::Index, bool, bool, u64),
    Range(prop::sample::Index, prop::sample::Index),
}

fn op() -> impl Strategy<Value = Op> {
    let later = prop_oneof![4 => 0..3u64, 2 => 60..70u64, 1 => 0..1_000_000u64, 1 => (1 << 40)..(1u64 << 41)];
    let seq = prop_oneof![3 => 0..2u64, 1 => 0..1000u64, 1 => any::<u32>().prop_map(u64::from)];
    let name = prop_oneof![Just(b"a".to_vec()), Just(b"17".to_vec()), Just(vec![b'n'; 200])];
    let value = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        (0..300i64).prop_map(|n| n.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..40),
        (0..20_000usize).prop_map(|n| vec![b'v'; n]),
    ];
    let fields = prop::collection::vec((name, value), 1..4)
        .prop_map(|pairs| pairs.into_iter().flat_map(|(name, value)| [name, value]).collect());
    prop_oneof![
        12 => (later, seq, fields).prop_map(|(ms, seq, fields)| Op::Add(ms, seq, fields)),
        5 => any::<prop::sample::Index>().prop_map(Op::Delete),
        1 => (any::<prop::sample::Index>(), any::<bool>(), any::<bool>(), 0..50u64)
            .prop_map(|(at, newest, whole, limit)| Op::Trim(at, newest, whole, limit)),
        3 => any::<(prop::sample::Index, prop::sample::Index)>().prop_map(|(a, b)| Op::Range(a, b)),
    ]
}

/// An id of the model or one beside it.
fn near(model: &Model, at: prop::sample::Index) -> StreamId {
    let at = at.index(3 * model.len() + 1);
    let there = model.keys().nth(at / 3).copied().unwrap_or_default();
    match at % 3 {
        0 => there,
        1 => there.next().unwrap_or(there),
        _ => there.previous().unwrap_or(there),
    }
}

fn apply(stream: &mut Stream, model: &mut Model, op: &Op, limits: &Limits) {
    match op {
        Op::Add(later, seq, fields) => {
            let last = stream.last_id();
            let seq = if *later == 0 { last.seq + 1 + seq } else { *seq };
            let id = id(last.ms + later, seq);
            let given: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
            stream.add(id, &given, limits);
            model.insert(id, fields.clone());
        }
        Op::Delete(at) => {
            let id = near(model, *at);
            assert_eq!(stream.delete(id), model.remove(&id).is_some());
        }
        Op::Trim(at, newest, whole_nodes, limit) => {
            let from = near(model, *at);
            let below = model.range(..from).count();
            let keep = if *newest { Keep::Newest((model.len() - below) as u64) } else { Keep::From(from) };
            let trim = Trim { keep, whole_nodes: *whole_nodes, limit: if *whole_nodes { *limit } else { 0 } };
            let gone = stream.trim(&trim);
            let most = if trim.limit > 0 { below.min(*limit as usize) } else { below };
            assert!(if *whole_nodes { gone as usize <= most } else { gone as usize == below });
            (0..gone).for_each(|_| _ = model.pop_first());
        }
        Op::Range(a, b) => {
            let (start, end) = (near(model, *a), near(model, *b));
            let expected = || model.keys().copied().filter(|id| (start..=end).contains(id));
            assert!(stream.range(start, end).map(|entry| entry.id).eq(expected()));
            assert!(stream.range_back(start, end).map(|entry| entry.id).eq(expected().rev()));
            assert_eq!(
                stream.entry(start).map(told),
                model.get_key_value(&start).map(|(i, f)| (*i, f.clone()))
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn entries_are_what_a_map_holds(
        ops in prop::collection::vec(op(), 1..400),
        entries_max in prop_oneof![Just(0u64), Just(1), Just(5), Just(100)],
        bytes_max in prop_oneof![Just(0u64), Just(1), Just(300), Just(4096)],
    ) {
        let limits = Limits {
            stream_node_max_entries: entries_max,
            stream_node_max_bytes: bytes_max,
            ..Limits::default()
        };
        let (mut stream, mut model) = (Stream::default(), Model::new());
        let mut snapshot = (stream.clone(), model.clone());
        for (i, op) in ops.iter().enumerate() {
            apply(&mut stream, &mut model, op, &limits);
            if i == ops.len() / 2 {
                snapshot = (stream.clone(), model.clone());
            }
        }
        check(&stream, &model);
        check(&snapshot.0, &snapshot.1);
        let bytes = stream.entries.allocated_bytes();
        stream.trim(&Trim { keep: Keep::From(StreamId::MAX), whole_nodes: false, limit: 0 });
        prop_assert_eq!((stream.len(), stream.nodes_len(), stream.allocated_bytes()), (0, 0, 0), "of {}", bytes);
    }
}

#[test]
fn nodes_end_where_they_do_in_redis() {
    let limits = Limits { stream_node_max_entries: 10, ..Limits::default() };
    let mut stream = Stream::default();
    (1..=25).for_each(|n| stream.add(id(n, 0), &[b"a", b"b"], &limits));
    assert_eq!(stream.nodes_len(), 3);
    // Whole nodes only, and no more entries than the limit.
    let trim = |keep, limit| Trim { keep, whole_nodes: true, limit };
    assert_eq!(stream.clone().trim(&trim(Keep::Newest(7), 0)), 10);
    assert_eq!(stream.clone().trim(&trim(Keep::Newest(0), 0)), 25);
    assert_eq!(stream.clone().trim(&trim(Keep::Newest(0), 24)), 20);
    assert_eq!(stream.clone().trim(&trim(Keep::From(id(20, 0)), 0)), 10);
    assert_eq!(stream.clone().trim(&trim(Keep::From(id(20, 1)), 0)), 20);
    // Deleted entries count, so that a node does not fill up again.
    assert!(stream.delete(id(25, 0)));
    (26..=30).for_each(|n| stream.add(id(n, 0), &[b"a", b"b"], &limits));
    assert_eq!(stream.nodes_len(), 3);
    stream.add(id(31, 0), &[b"a", b"b"], &limits);
    assert_eq!(stream.nodes_len(), 4);
}

#[test]
fn a_node_that_ends_with_a_deleted_entry_outlives_a_trim_up_to_there() {
    let mut stream = numbered(3);
    stream.delete(id(3, 1));
    let trim = |ms, whole_nodes| Trim { keep: Keep::From(id(ms, 0)), whole_nodes, limit: 0 };
    assert_eq!((stream.trim(&trim(3, true)), stream.nodes_len()), (0, 1));
    assert_eq!((stream.trim(&trim(3, false)), stream.nodes_len()), (2, 1));
    assert_eq!((stream.first_id(), stream.newest_id(), stream.iter().count()), (None, None, 0));
    assert_eq!(stream.range_back(StreamId::MIN, StreamId::MAX).count(), 0);
    let mut trimmed = stream.clone();
    assert_eq!((trimmed.trim(&trim(4, true)), trimmed.nodes_len()), (0, 0));
    stream.add(id(4, 1), &[b"n", b"4"], &Limits::default());
    assert_eq!(
        (stream.first_id(), stream.newest_id(), stream.nodes_len()),
        (Some(id(4, 1)), Some(id(4, 1)), 1)
    );
    assert!(stream.delete(id(4, 1)));
    assert_eq!((stream.len(), stream.nodes_len()), (0, 0));
}

#[test]
fn an_entry_takes_few_bytes() {
    let mut stream = Stream::default();
    for n in 0..100_000 {
        let fields: [&[u8]; 4] = [b"sensor", b"kitchen", b"celsius", b"21.25"];
        stream.add(id(1_700_000_000_000 + 7 * n, 0), &fields, &Limits::default());
    }
    // Its values take 14 bytes with their lengths, its id one.
    let bytes = stream.allocated_bytes() as f64 / 100_000.0;
    assert!(bytes < 17.0, "{bytes}");
}

#[test]
fn radix_trees_are_counted_as_if_they_were_built() {
    // The trie of all bytes, with every run without a branch counted once.
    fn count(ids: &[[u8; 16]], depth: usize) -> u64 {
        let Some(first) = ids.first() else { return 1 };
        let shared = (depth..16).take_while(|&i| ids.iter().all(|id| id[i] == first[i])).count();
        let run = u64::from(shared > 0);
        if depth + shared == 16 {
            return run + 1;
        }
        let children = ids.chunk_by(|a, b| a[depth + shared] == b[depth + shared]);
        run + 1 + children.map(|ids| count(ids, depth + shared + 1)).sum::<u64>()
    }
    let limits = Limits { stream_node_max_entries: 1, ..Limits::default() };
    let mut stream = Stream::default();
    assert_eq!(stream.radix_nodes(), 1);
    let mut seed = 1u64;
    for _ in 0..500 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let last = stream.last_id();
        let next = match seed >> 62 {
            0 => id(last.ms, last.seq + 1),
            1 => id(last.ms, last.seq + (seed >> 40 & 0xffff) + 1),
            2 => id(last.ms + 1, 0),
            _ => id(last.ms + (seed >> 32 & 0xff_ffff) + 1, 5),
        };
        stream.add(next, &[b"a", b"b"], &limits);
        let ids: Vec<[u8; 16]> = stream.iter().map(|entry| entry.id.to_bytes()).collect();
        assert_eq!(stream.radix_nodes(), count(&ids, 0));
    }
}

#[test]
fn what_is_read_is_counted_where_it_can_be() {
    let mut stream = numbered(5);
    let read = |stream: &Stream, n| stream.entries_up_to(id(n, 1));
    assert_eq!([0, 1, 2, 5, 6].map(|n| read(&stream, n)), [Some(0), Some(1), None, Some(5), None]);
    stream.trim(&Trim { keep: Keep::Newest(3), whole_nodes: false, limit: 0 });
    assert_eq!([1, 2, 3, 4].map(|n| read(&stream, n)), [Some(2), Some(2), Some(3), None]);
    stream.delete(id(4, 1));
    assert_eq!([1, 2, 3, 4, 5].map(|n| read(&stream, n)), [None, None, None, None, Some(5)]);
    let lag = |stream: &Stream, last, read| stream.lag(&Group::new(id(last, 1), read));
    assert_eq!(lag(&stream, 2, Some(2)), None);
    assert_eq!(lag(&stream, 5, Some(4)), Some(1));
    assert_eq!(lag(&Stream::default(), 5, Some(4)), Some(0));
    (1..=5).for_each(|n| _ = stream.delete(id(n, 1)));
    assert_eq!(lag(&stream, 1, Some(4)), Some(1), "nothing is left among which one was deleted");
}

#[test]
fn what_is_delivered_is_pending_until_it_is_acknowledged() {
    let mut stream = numbered(5);
    assert!(stream.create_group(b"g", Group::new(StreamId::MIN, None)));
    assert!(!stream.create_group(b"g", Group::default()));
    let [one, two] =
        [b"one", b"two"].map(|name| stream.group_mut(b"g").unwrap().create_consumer(name, 7).unwrap());
    assert_eq!(stream.deliver(b"g", one, 2, false, 10), [id(1, 1), id(2, 1)]);
    let before = stream.clone();
    assert_eq!(stream.deliver(b"g", two, 1, false, 20), [id(3, 1)]);
    assert_eq!(stream.deliver(b"g", two, 9, true, 30), [id(4, 1), id(5, 1)]);
    let group = stream.group(b"g").unwrap();
    assert_eq!((group.last_id, group.entries_read), (id(5, 1), Some(5)));
    assert_eq!((group.pending_len(), group.consumer(two).unwrap().pending_len()), (3, 1));
    assert_eq!(before.group(b"g").unwrap().pending_len(), 2, "a clone keeps what it was");

    let group = stream.group_mut(b"g").unwrap();
    assert_eq!(group.acknowledge(id(1, 1)).map(|p| (p.delivered_ms, p.deliveries)), Some((10, 1)));
    assert_eq!(group.acknowledge(id(1, 1)), None);
    assert_eq!(stream.deliver_again(b"g", one, StreamId::MIN, 9, 40), [id(2, 1)]);
    let group = stream.group_mut(b"g").unwrap();
    assert_eq!(group.pending(id(2, 1)).map(|p| (p.delivered_ms, p.deliveries)), Some((40, 2)));
    assert_eq!(group.delete_consumer(b"one"), Some(1));
    assert_eq!((group.pending_len(), group.consumers_len()), (1, 1));
    let three = group.create_consumer(b"three", 50).unwrap();
    assert_eq!(three, one, "the number is free again");
    assert!(group.consumers().map(|(_, c)| c.name()).eq([b"three".as_slice(), b"two"]));
}

#[test]
fn claims_move_what_is_pending_and_forget_what_is_gone() {
    let mut stream = numbered(3);
    stream.create_group(b"g", Group::default());
    let [one, two] =
        [b"one", b"two"].map(|name| stream.group_mut(b"g").unwrap().create_consumer(name, 7).unwrap());
    stream.deliver(b"g", one, 2, false, 10);
    let claim = Claim { idle_min_ms: 5, delivered_ms: 12, deliveries: None, force: false, just_id: false };
    let pending = |n, delivered_ms, deliveries, consumer| {
        Claimed::Yes(Pending { id: id(n, 1), delivered_ms, deliveries, consumer })
    };
    assert_eq!(stream.claim(b"g", two, id(1, 1), &claim, 14), Claimed::No, "too soon");
    assert_eq!(stream.claim(b"g", two, id(1, 1), &claim, 15), pending(1, 12, 2, two));
    assert_eq!(stream.claim(b"g", two, id(3, 1), &claim, 15), Claimed::No, "nobody's");
    let force = Claim { force: true, just_id: true, ..claim };
    assert_eq!(stream.claim(b"g", two, id(3, 1), &force, 15), pending(3, 12, 1, two));
    stream.delete(id(2, 1));
    assert!(matches!(stream.claim(b"g", two, id(2, 1), &force, 15), Claimed::Gone(p) if p.consumer == one));
    assert_eq!(stream.claim(b"g", two, id(2, 1), &force, 15), Claimed::No);
    let group = stream.group(b"g").unwrap();
    assert!(group.pending_of(two, StreamId::MIN).map(|p| p.id.ms).eq([1, 3]));
    assert_eq!(group.pending_of(one, StreamId::MIN).count(), 0);
    assert_eq!(group.consumer(two).unwrap().active_ms, Some(15));
}
