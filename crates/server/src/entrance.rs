//! What a command that runs alone passes before it runs: the limits, its stripes, the gate.

use commands::{Error, Row};
use engine::Held;
use resp::Args;

use crate::dispatch::Dispatcher;
use crate::persistence::Passage;
use crate::room::Admission;
use crate::shared::Shared;

/// Where a command got to.
#[expect(clippy::large_enum_variant, reason = "it lives for one call, and mostly it is the large one")]
pub(crate) enum Entrance<'s> {
    /// It runs, with these stripes.
    Open(Held<'s>),
    /// It is refused with this error.
    Refused(Error),
    /// Its client waits.
    HeldUp,
    /// The server has ended.
    Ended,
}

impl Dispatcher {
    /// Brings the request `args` of `row`'s command, for database `db`, to where it may run.
    pub(crate) fn enter<'s>(
        &mut self,
        shared: &'s Shared,
        row: &Row,
        args: Args<'_>,
        db: u32,
    ) -> Entrance<'s> {
        let mut admission = self.admit(row, args);
        loop {
            match admission {
                Admission::Free => {}
                Admission::Refused(error) => return Entrance::Refused(error),
                Admission::HeldUp => return Entrance::HeldUp,
            }
            let mut held = commands::hold(&shared.store, row.command, args, db);
            match shared.persistence.gate.passage(row.command) {
                Passage::Free => {}
                Passage::Refused(error) => return Entrance::Refused(error),
                Passage::HeldUp => return Entrance::HeldUp,
                Passage::Wait => {
                    drop(held);
                    if !shared.persistence.gate.wait() {
                        return Entrance::Ended;
                    }
                    continue;
                }
            }
            match self.surplus_keys(&mut held, row.command, args, db) {
                Ok(0) => return Entrance::Open(held),
                Ok(surplus) => {
                    drop(held);
                    admission = self.evict_keys(surplus);
                }
                Err(error) => return Entrance::Refused(error),
            }
        }
    }
}
