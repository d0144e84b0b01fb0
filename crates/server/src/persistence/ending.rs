//! How the server ends: what is kept first, and what can stop it from ending.

use commands::{Error, Shutdown};
use engine::Held;

use super::gate::Obstacle;
use super::jobs::What;
use super::snapshot;
use crate::shared::Shared;

/// Does what is to be done before the process may end as `request` says. From here on writes wait.
///
/// # Errors
/// The data could not be kept; the server goes on, and writes do.
pub(crate) fn prepare(shared: &Shared, request: Shutdown) -> Result<(), Error> {
    let persistence = &shared.persistence;
    if !persistence.gate.set(Obstacle::Ending, true) {
        return Err(Error::Text("ERR Shutdown already in progress"));
    }
    tracing::info!("User requested shutdown...");
    // Whoever looked at the gate before is done once all stripes were free.
    drop(Held::everything(&shared.store));
    persistence.jobs.hold(true);
    let kept = keep(shared, request);
    if kept.is_err() {
        persistence.jobs.hold(false);
    }
    persistence.gate.decide(kept.is_ok());
    kept.map_err(|why| {
        tracing::warn!("{why}, can't exit.");
        Error::Text("ERR Errors trying to SHUTDOWN. Check logs.")
    })
}

fn keep(shared: &Shared, request: Shutdown) -> Result<(), &'static str> {
    let persistence = &shared.persistence;
    if persistence.gate.has(Obstacle::Loading) {
        // What is there so far must not take the place of the files it comes from.
        persistence.loading.stop();
        return Ok(());
    }
    if persistence.jobs.stop_and_wait(What::Save) {
        tracing::warn!("A snapshot was being written: it was given up");
    }
    if persistence.log.is_starting() && persistence.jobs.running_since_s(What::Rewrite).is_some() {
        match request.force {
            true => tracing::warn!("Writing initial AOF. Exit anyway."),
            false => return Err("Writing initial AOF"),
        }
    }
    persistence.jobs.stop_and_wait(What::Rewrite);
    let points = !shared.config.settings().save.is_empty();
    if request.save.unwrap_or(points) {
        tracing::info!("Saving the final RDB snapshot before exiting.");
        if snapshot::save(shared).is_err() {
            match request.force {
                true => tracing::warn!("Error trying to save the DB. Exit anyway."),
                false => return Err("Error trying to save the DB"),
            }
        }
    }
    Ok(())
}
