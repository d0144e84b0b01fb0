//! What a command's function works with.

use std::iter;

use engine::{Db, EventClass, Key};
use resp::{Args, Reply};
use smallvec::SmallVec;

use crate::host::Host;
use crate::rename;
use crate::session::Session;
use crate::table::Command;

/// One command's surroundings. A function parses all arguments, reads, decides, changes, replies and notes
/// its effect, in this order; nothing can fail after the first change.
pub struct Ctx<'a, 's> {
    /// The request, the command's name first.
    pub args: Args<'a>,
    /// The row that is run (a subcommand's own).
    pub command: &'static Command,
    /// The session's database, through the stripes that are held.
    pub db: Db<'a, 's>,
    /// Where the reply goes.
    pub reply: &'a mut Reply,
    /// The client.
    pub session: &'a mut Session,
    /// The process around the store.
    pub host: &'a dyn Host,
    /// Whether the function gave effects of its own, so that the request itself is not one.
    pub rewritten: bool,
}

impl<'a> Ctx<'a, '_> {
    /// Argument `i` as a key.
    #[inline]
    pub fn key(&self, i: usize) -> Key<'a> {
        self.db.key(self.args.at(i))
    }

    /// The time, in milliseconds since the Unix epoch; it stands still during a command.
    #[inline]
    pub fn now_ms(&self) -> i64 {
        self.db.turn.now_ms
    }

    /// Whether a key with this deadline is gone already; while files are loaded it stays, for a later effect may
    /// give it another.
    #[inline]
    pub fn is_past(&self, deadline_ms: i64) -> bool {
        deadline_ms <= self.now_ms() && !self.db.turn.loading
    }

    /// Says that data changed: an event for whoever wants it, and one more change. Unless the function calls
    /// [`Ctx::effect`], the request itself becomes the effect.
    #[inline]
    pub fn changed(&mut self, class: EventClass, event: &'static str, key: &[u8]) {
        self.db.turn.dirty += 1;
        let db = self.db.index();
        self.db.turn.event(class, event, db, key);
    }

    /// Notes one more event of a change that [`Ctx::changed`] has counted.
    #[inline]
    pub fn event(&mut self, class: EventClass, event: &'static str, key: &[u8]) {
        let db = self.db.index();
        self.db.turn.event(class, event, db, key);
    }

    /// Gives an effect in place of the request: what makes the same change whenever it is run. Relative times
    /// become absolute, random choices become what was chosen. To be called once or more, in order.
    pub fn effect(&mut self, args: &[&[u8]]) {
        self.rewritten = true;
        let db = self.db.index();
        let typed = self.args.at(0);
        match renamed(typed) {
            // What the client typed, not what the function spelled out.
            Some(name) if args.first().is_some_and(|first| std::ptr::eq(*first, typed)) => {
                let args: SmallVec<[&[u8]; 16]> = iter::once(name).chain(args[1..].iter().copied()).collect();
                self.db.turn.effect(db, args.into_iter());
            }
            _ => self.db.turn.effect(db, args.iter().copied()),
        }
    }

    /// Makes the request itself the effect, whether anything changed or not.
    pub fn effect_request(&mut self) {
        if renamed(self.args.at(0)).is_some() {
            let args: SmallVec<[&[u8]; 16]> = self.args.iter().collect();
            return self.effect(&args);
        }
        self.rewritten = true;
        let db = self.db.index();
        self.db.turn.effect(db, self.args.iter());
    }

    /// Says that the change made needs no effect at all.
    pub fn no_effect(&mut self) {
        self.rewritten = true;
    }
}

/// The table's name of a command that clients call `typed` because `rename-command` says so: effects are read by
/// whoever knows the table.
#[inline]
fn renamed(typed: &[u8]) -> Option<&'static [u8]> {
    Some(rename::changed(typed)??.command.name.as_bytes())
}
