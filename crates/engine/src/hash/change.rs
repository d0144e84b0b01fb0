//! Hashes, changed.

use smallvec::SmallVec;

use super::big::BigHash;
use super::run::{Record, Run, Spot, encoded, push_field, triples};
use super::{Field, Hash};
use crate::collection::{Big, CollectionMut};
use crate::db::Deadline;
use crate::limits::Limits;
use crate::packed::{self, Encoded, HEADER_BYTES, PACKED_BYTES_MAX, PACKED_ELEMENTS_MAX, Packed, Sink};
use crate::value::{Kind, Owned};

/// The stages of a hash: the names that OBJECT ENCODING gives, see `stage` in the entry's tags.
const HASHTABLE: u8 = 1;
const LISTPACKEX: u8 = 2;

/// Most bytes of a packed hash that is called a listpack.
const LISTPACK_BYTES_MAX: usize = 128 << 10;

/// A hash, to be changed. Fields that are due are not there.
#[derive(Debug)]
pub struct HashMut<'e> {
    collection: CollectionMut<'e>,
    now_ms: i64,
}

/// Fields made so far, on their way into a packed run: a run of their own.
struct Fresh {
    bytes: Record,
    fields: usize,
}

impl Fresh {
    fn new() -> Fresh {
        Fresh { bytes: Record::from_slice(packed::EMPTY), fields: 0 }
    }

    fn run(&self, timed: bool) -> Run<'_> {
        Run { packed: Packed::new(&self.bytes), timed }
    }

    /// Where the field of this name is.
    fn find(&self, name: &Encoded, timed: bool) -> Option<Spot> {
        // It has no moment before its fields, as a whole run has.
        let run = self.run(timed);
        run.packed.find(name, HEADER_BYTES, run.step()).map(|at| run.spot(at))
    }
}

impl<'e> HashMut<'e> {
    pub(crate) fn new(collection: CollectionMut<'e>, now_ms: i64) -> HashMut<'e> {
        HashMut { collection, now_ms }
    }

    /// The hash as it is.
    #[inline]
    pub fn view(&self) -> Hash<'_> {
        Hash::new(self.collection.body(), self.collection.tags()).at(self.now_ms)
    }

    /// Whether nothing is left of it.
    pub fn is_empty(&self) -> bool {
        self.view().kept() == 0
    }

    #[inline]
    fn timed(&self) -> bool {
        self.collection.tags().timed
    }

    #[inline]
    fn run(&self) -> Option<Run<'_>> {
        let timed = self.timed();
        self.collection.packed().map(|packed| Run { packed, timed })
    }

    fn big_mut(&mut self) -> Option<&mut BigHash> {
        match self.collection.big_mut() {
            Some(Big::Hash(big)) => Some(big),
            _ => None,
        }
    }

    // -- setting ------------------------------------------------------------------------------

    /// Makes the field `name` have this value; whether it is new.
    #[inline]
    pub fn set(&mut self, name: &[u8], value: &[u8], deadline: Deadline) -> bool {
        self.set_all(std::iter::once((name, value)), deadline) == 1
    }

    /// Makes the fields of these names have these values; how many are new.
    pub fn set_all<'a>(
        &mut self,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>,
        deadline: Deadline,
    ) -> usize {
        if let Deadline::At(_) = deadline {
            self.become_timed();
        }
        if pairs.len() as u64 > self.collection.limits.hash_max_listpack_entries {
            self.collection.set_stage(HASHTABLE);
        }
        let (mut fresh, mut made) = (Fresh::new(), 0);
        for (name, value) in pairs {
            self.note_bytes(name.len().max(value.len()));
            made += usize::from(self.set_one(&mut fresh, name, value, deadline));
        }
        self.add_fresh(&mut fresh);
        self.note_moment(deadline);
        self.note_fields();
        made
    }

    /// Sets one field of several; a new one of a packed hash waits in `fresh`.
    #[inline]
    fn set_one(&mut self, fresh: &mut Fresh, name: &[u8], value: &[u8], deadline: Deadline) -> bool {
        let now_ms = self.now_ms;
        let Some(run) = self.run() else { return self.set_in_big(name, value, deadline) };
        let (timed, encoded_name) = (run.timed, Encoded::of(name));
        let found = run.find(&encoded_name);
        let waiting =
            if found.is_none() && fresh.fields > 0 { fresh.find(&encoded_name, timed) } else { None };
        let place = found.map(|spot| (run, spot)).or_else(|| waiting.map(|spot| (fresh.run(timed), spot)));
        let before = place.map(|(run, spot)| run.field(spot)).filter(|field| field.is_live(now_ms));
        let (made, deadline_ms) = (before.is_none(), after(deadline, before));
        let bytes = run.packed.end() + fresh.bytes.len() + name.len() + value.len();
        if bytes > self.packed_bytes_max()
            || run.fields() + fresh.fields >= PACKED_ELEMENTS_MAX && place.is_none()
        {
            self.add_fresh(fresh);
            self.become_big();
            return self.set_in_big(name, value, deadline);
        }
        let Some((_, spot)) = place else {
            push_field(&mut fresh.bytes, timed, &encoded_name, value, deadline_ms);
            fresh.fields += 1;
            return true;
        };
        let mut with = Record::new();
        packed::push(&mut with, value);
        if timed {
            with.put(encoded(deadline_ms).as_slice());
        }
        if found.is_some() {
            self.collection.splice(spot.value..spot.end, &with, 0);
        } else {
            fresh.bytes.drain(spot.value..spot.end);
            fresh.bytes.insert_from_slice(spot.value, &with);
        }
        made
    }

    fn set_in_big(&mut self, name: &[u8], value: &[u8], deadline: Deadline) -> bool {
        let now_ms = self.now_ms;
        let Some(big) = self.big_mut() else { return false };
        if big.dict.timed() == 0 {
            return big.insert(name, value, after(deadline, None));
        }
        let before = big.dict.get(name).map(super::big::field).filter(|field| field.is_live(now_ms));
        let (made, deadline_ms) = (before.is_none(), after(deadline, before));
        big.insert(name, value, deadline_ms);
        made
    }

    /// Puts what waits in `fresh` at the end of the run.
    fn add_fresh(&mut self, fresh: &mut Fresh) {
        let Some(run) = self.run() else { return };
        if fresh.fields == 0 {
            return;
        }
        let (end, elements) = (run.packed.end(), (run.step() * fresh.fields) as isize);
        let timed_and_new = run.timed && run.packed.is_empty();
        if timed_and_new {
            // The moment that stands before the triples.
            self.collection.splice(end..end, encoded(None).as_slice(), 1);
        }
        let end = self.run().map_or(end, |run| run.packed.end());
        self.collection.splice(end..end, &fresh.bytes[HEADER_BYTES..], elements);
        *fresh = Fresh::new();
    }

    // -- removing -----------------------------------------------------------------------------

    /// Takes out the field `name`; whether it was there.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let now_ms = self.now_ms;
        if let Some(run) = self.run() {
            let Some(spot) = run.find(&Encoded::of(name)) else { return false };
            let (live, step) = (run.field(spot).is_live(now_ms), run.step());
            if run.fields() == 1 {
                self.collection.set_packed(packed::EMPTY);
            } else {
                self.collection.splice(spot.name..spot.end, &[], -(step as isize));
            }
            return live;
        }
        let Some(big) = self.big_mut() else { return false };
        let live = big.dict.get(name).is_some_and(|item| super::big::field(item).is_live(now_ms));
        live && big.dict.remove(name)
    }

    /// Takes out fields that are due, at most `max`, showing each to `gone`; how many.
    pub(crate) fn expire(&mut self, max: usize, mut gone: impl FnMut(Field<'_>)) -> usize {
        let now_ms = self.now_ms;
        if let Some(big) = self.big_mut() {
            return big.expire(now_ms, max, gone);
        }
        let Some(run) = self.run().filter(|run| run.timed) else { return 0 };
        let before = run.fields();
        let left = triples(run, |field| {
            let live = field.is_live(now_ms);
            if !live {
                gone(field);
            }
            live
        });
        self.collection.set_packed(&left);
        before - self.run().map_or(0, Run::fields)
    }

    // -- deadlines ----------------------------------------------------------------------------

    /// Gives the field `name` another deadline, in milliseconds since the Unix epoch, or none; whether it is there.
    pub fn set_deadline(&mut self, name: &[u8], deadline_ms: Option<i64>) -> bool {
        if self.view().get(name).is_none() {
            return false;
        }
        if deadline_ms.is_some() {
            self.become_timed();
        }
        if let Some(big) = self.big_mut() {
            return big.set_deadline(name, deadline_ms);
        }
        if let Some(run) = self.run().filter(|run| run.timed)
            && let Some(spot) = run.find(&Encoded::of(name))
        {
            self.collection.splice(spot.deadline..spot.end, encoded(deadline_ms).as_slice(), 0);
            self.note_moment(deadline_ms.map_or(Deadline::Never, Deadline::At));
        }
        true
    }

    /// Calls it what a hash is called whose fields may have deadlines, as Redis does from the first command on that gives
    /// some, whether it finds them or not.
    pub fn expect_deadlines(&mut self) {
        if self.collection.stage() == 0 {
            self.collection.set_stage(LISTPACKEX);
        }
    }

    /// Gives fields room for deadlines.
    fn become_timed(&mut self) {
        let tags = self.collection.tags();
        if tags.timed {
            return;
        }
        if let Some(run) = self.run() {
            let run = triples(run, |_| true);
            self.collection.set_packed(&run);
        }
        self.collection.set_timed(true);
        self.expect_deadlines();
    }

    /// Lowers the moment that stands before the triples.
    fn note_moment(&mut self, deadline: Deadline) {
        let Deadline::At(deadline_ms) = deadline else { return };
        if let Some(run) = self.run()
            && !run.packed.is_empty()
            && deadline_ms < run.earliest()
        {
            let range = HEADER_BYTES..run.first();
            self.collection.splice(range, encoded(Some(deadline_ms)).as_slice(), 0);
        }
    }

    // -- forms --------------------------------------------------------------------------------

    /// Notes that a name or value of so many bytes comes in.
    #[inline]
    fn note_bytes(&mut self, bytes: usize) {
        if bytes as u64 > self.collection.limits.hash_max_listpack_value {
            self.collection.set_stage(HASHTABLE);
        }
    }

    #[inline]
    fn note_fields(&mut self) {
        let fields = self.run().map_or_else(|| self.view().kept(), Run::fields);
        if fields as u64 > self.collection.limits.hash_max_listpack_entries {
            self.collection.set_stage(HASHTABLE);
        }
    }

    /// Most bytes of the packed form. Where the configuration wants long values in a listpack, they may stay.
    fn packed_bytes_max(&self) -> usize {
        if self.collection.stage() == HASHTABLE { PACKED_BYTES_MAX } else { LISTPACK_BYTES_MAX }
    }

    fn become_big(&mut self) {
        let mut big = BigHash::new(self.collection.secret);
        for field in self.view().at(i64::MIN).iter() {
            let (mut name, mut value) = (itoa::Buffer::new(), itoa::Buffer::new());
            big.insert(field.name.bytes(&mut name), field.value.bytes(&mut value), field.deadline_ms);
        }
        self.collection.set_big(Big::Hash(big));
    }
}

/// The deadline after a change of a field that was `before`.
fn after(deadline: Deadline, before: Option<Field<'_>>) -> Option<i64> {
    match deadline {
        Deadline::Keep => before.and_then(|field| field.deadline_ms),
        Deadline::Never => None,
        Deadline::At(deadline_ms) => Some(deadline_ms),
    }
}

impl Owned {
    /// A hash of these fields (name, value, deadline), of which the last of each name counts; members are hashed with
    /// `secret`.
    pub fn hash<'a>(
        fields: impl Iterator<Item = (&'a [u8], &'a [u8], Option<i64>)>,
        limits: &Limits,
        secret: u64,
    ) -> Owned {
        let mut entry = crate::entry::EntryBox::empty(b"", Kind::Hash, 0);
        let mut hash = HashMut::new(CollectionMut::new(&mut entry, limits, secret), i64::MIN);
        let mut waiting: SmallVec<[(&[u8], &[u8]); 16]> = SmallVec::new();
        for (name, value, deadline_ms) in fields {
            match deadline_ms {
                None => waiting.push((name, value)),
                Some(at) => {
                    hash.set_all(waiting.drain(..), Deadline::Never);
                    hash.set(name, value, Deadline::At(at));
                }
            }
            if waiting.len() == waiting.inline_size() {
                hash.set_all(waiting.drain(..), Deadline::Never);
            }
        }
        hash.set_all(waiting.drain(..), Deadline::Never);
        Owned::of(entry)
    }
}
