//! From the configuration to a running server, and to its end.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use commands::{Host, Shutdown};
use engine::{Garbage, Options, Store};

use crate::banner;
use crate::clients::Wakeup;
use crate::config::ConfigStore;
use crate::config::store::OnChange;
use crate::listeners::Listeners;
use crate::memory;
use crate::persistence::{self, Persistence, StartError};
use crate::shared::Shared;
use crate::signals;
use crate::supervisor::{self, State};
use crate::worker::{Inbox, Message, Worker};

/// Runs a server until it is told to end. The status that the process is to exit with.
pub fn run(config: Arc<ConfigStore>) -> ExitCode {
    match serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: Arc<ConfigStore>) -> Result<(), Box<dyn std::error::Error>> {
    let settings = config.settings();
    let workers = settings.io_threads.0;
    let options = Options { databases: settings.databases, secret: random()?, groups: workers };
    let shared = Arc::new(Shared::new(Store::new(&options), config, workers)?);
    let (garbage, freed) = mpsc::channel();
    let freeing = spawn_freeing(&shared, freed)?;
    let mut parts = (0..workers)
        .map(|i| Worker::new(&shared, i, random()?, garbage.clone()))
        .collect::<io::Result<Vec<Worker>>>()?;
    drop(garbage);
    let inboxes: Vec<Arc<Inbox>> = parts.iter().map(Worker::inbox).collect();
    connect(&shared, &inboxes);
    // Before anybody can be served: who was answered may end the server.
    let ending = Arc::clone(&shared);
    signals::watch(move |signal| {
        tracing::info!("Received {}, scheduling shutdown...", signal.name());
        let ends = ending.shut_down(signal.shutdown(&ending.config.settings()));
        ends.inspect_err(|error| tracing::error!("{error}")).is_ok()
    })?;
    if let Some(first) = parts.first_mut() {
        let listeners = first.listen(&settings, inboxes).map_err(|error| {
            tracing::error!("{error}");
            format!("Failed listening on port {} (TCP), aborting.", settings.port)
        })?;
        banner::show(&settings, &listeners.addresses());
        follow_changes(&shared.config, &listeners);
    }
    shared.has_started();
    let has_data = persistence::prepare(&shared)?;
    tracing::info!("Server initialized");
    // Without data there is nothing that takes long, and nobody needs to be told to come back.
    let early = match has_data {
        true => None,
        false => Some(Persistence::begin(&shared, persistence::load(&shared)?)?),
    };
    let workers: Vec<JoinHandle<()>> = parts.into_iter().map(Worker::spawn).collect::<io::Result<_>>()?;
    let loaded = match early {
        Some(threads) => Ok(threads),
        None => persistence::load(&shared).and_then(|log| Ok(Persistence::begin(&shared, log)?)),
    };
    let began = match loaded {
        Ok(threads) => {
            tracing::info!("Ready to accept connections");
            supervisor::tell(&settings, State::Ready);
            Ok(Some(threads))
        }
        Err(StartError::Ended) => Ok(None),
        Err(error) => {
            shared.end(Shutdown::default());
            Err(error)
        }
    };
    for thread in workers.into_iter().chain([freeing]) {
        thread.join().map_err(|_| PANICKED)?;
    }
    supervisor::tell(&settings, State::Stopping);
    if let Some(threads) = began? {
        threads.end(&shared).map_err(|_| PANICKED)?;
    }
    tracing::info!("Ebbtide is now ready to exit, bye bye...");
    Ok(())
}

const PANICKED: &str = "a thread of the server panicked";

/// Lets others reach the workers: deadlines, commands about clients, the end.
fn connect(shared: &Arc<Shared>, inboxes: &[Arc<Inbox>]) {
    let all = inboxes.to_vec();
    shared.store.on_wake(Box::new(move |group| all[group].wake()));
    for inbox in inboxes {
        let inbox = Arc::clone(inbox);
        shared.clients.add_worker(Arc::new(move |wakeup: Wakeup| inbox.send(Message::Wakeup(wakeup))));
    }
    let all = inboxes.to_vec();
    shared.on_end(Box::new(move |_| all.iter().for_each(|inbox| inbox.send(Message::Stop))));
}

/// Lets CONFIG SET change where the server listens.
fn follow_changes(config: &ConfigStore, listeners: &Arc<Listeners>) {
    let hook = |why: &'static str| -> OnChange {
        let listeners = Arc::clone(listeners);
        Box::new(move |_, new| {
            listeners.follow(new).map_err(|error| {
                tracing::warn!("{error}");
                why.to_owned()
            })
        })
    };
    config.on_change(&["port"], hook("Unable to listen on this port. Check server logs."));
    config.on_change(&["bind"], hook("Failed to bind to specified addresses."));
}

/// The thread that frees what takes long to free; it ends when no worker is left. When nothing waits it keeps no memory.
fn spawn_freeing(shared: &Arc<Shared>, freed: mpsc::Receiver<Garbage>) -> io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    let free = move |garbage| shared.freeing.free(garbage);
    let run = move || {
        for garbage in &freed {
            free(garbage);
            freed.try_iter().for_each(&free);
            memory::release_cache();
        }
    };
    std::thread::Builder::new().name("freeing".into()).spawn(run)
}

fn random() -> io::Result<u64> {
    getrandom::u64().map_err(io::Error::other)
}
