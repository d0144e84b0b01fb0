//! The sockets the server listens on, all together: CONFIG SET changes them while a worker accepts from them.

use std::io;

use mio::{Registry, Token};
use parking_lot::Mutex;

use crate::config::Settings;
use crate::listener::{ListenError, Listener, Place};
use crate::socket::Socket;

/// The listeners of a server, which one event queue watches.
#[derive(Debug)]
pub(crate) struct Listeners {
    registry: Registry,
    /// The token of the first listener; the one in slot `i` has that plus `i`.
    first_token: usize,
    slots: Mutex<Vec<Option<Listener>>>,
}

impl Listeners {
    /// Listens wherever `settings` say. The queue of `registry` tells of clients with tokens from
    /// `first_token` on.
    ///
    /// # Errors
    /// A place cannot be listened at.
    pub(crate) fn open(
        settings: &Settings,
        registry: &Registry,
        first_token: usize,
    ) -> Result<Listeners, ListenError> {
        let registry = registry.try_clone().map_err(ListenError::Queue)?;
        let listeners = Listeners { registry, first_token, slots: Mutex::default() };
        listeners.follow(settings)?;
        Ok(listeners)
    }

    /// Listens wherever `settings` say now, and nowhere else.
    ///
    /// # Errors
    /// A place cannot be listened at; those from before are listened at again then.
    pub(crate) fn follow(&self, settings: &Settings) -> Result<(), ListenError> {
        let slots = &mut *self.slots.lock();
        let wanted = Place::all(settings);
        // Closed first: an address and `*` at the same port exclude each other.
        let closed = close(slots, |place| !wanted.contains(place));
        let is_open = |place: &Place| slots.iter().flatten().any(|listener| listener.place == *place);
        let missing: Vec<Place> = wanted.into_iter().filter(|place| !is_open(place)).collect();
        missing.iter().try_for_each(|place| self.add(slots, place, settings)).inspect_err(|_| {
            close(slots, |place| missing.contains(place));
            for place in &closed {
                if let Err(error) = self.add(slots, place, settings) {
                    tracing::warn!("{error}");
                }
            }
        })
    }

    /// Listens at `place` in a slot that is free, unless it may be missing and is.
    fn add(
        &self,
        slots: &mut Vec<Option<Listener>>,
        place: &Place,
        settings: &Settings,
    ) -> Result<(), ListenError> {
        let Some(mut listener) = Listener::open(place.clone(), settings)? else { return Ok(()) };
        let slot = slots.iter().position(Option::is_none).unwrap_or(slots.len());
        listener
            .register(&self.registry, Token(self.first_token + slot))
            .map_err(|error| ListenError::new(place, error))?;
        match slots.get_mut(slot) {
            Some(free) => *free = Some(listener),
            None => slots.push(Some(listener)),
        }
        Ok(())
    }

    /// The next client that waits at the listener of `token`; `WouldBlock` when none does.
    pub(crate) fn accept(&self, token: Token, settings: &Settings) -> io::Result<Socket> {
        match self.slots.lock().get(token.0 - self.first_token) {
            Some(Some(listener)) => listener.accept(settings),
            // Closed since its client came.
            _ => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Where the server listens, as a person writes it.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.slots.lock().iter().flatten().map(Listener::address).collect()
    }

    /// Listens nowhere any more.
    pub(crate) fn close(&self) {
        self.slots.lock().clear();
    }
}

/// Closes the listeners whose place is `unwanted`; their places.
fn close(slots: &mut [Option<Listener>], unwanted: impl Fn(&Place) -> bool) -> Vec<Place> {
    let closed = slots.iter_mut().filter_map(|slot| slot.take_if(|listener| unwanted(&listener.place)));
    closed.map(|listener| listener.place.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::net::{TcpListener, TcpStream};

    use mio::Poll;

    use super::*;
    use crate::config::{ConfigStore, load};

    fn settings(words: &str) -> std::sync::Arc<Settings> {
        ConfigStore::new(load(words.split(' ').map(OsString::from)).unwrap()).settings()
    }

    /// A port nobody listens at, most likely.
    fn free_port() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn listens_where_the_settings_say() {
        let poll = Poll::new().unwrap();
        let (first, second) = (free_port(), free_port());
        let one = settings(&format!("--port {first} --bind 127.0.0.1"));
        let listeners = Listeners::open(&one, poll.registry(), 100).unwrap();
        assert_eq!(listeners.addresses(), [format!("127.0.0.1:{first}")]);
        listeners.follow(&settings(&format!("--port {second} --bind 127.0.0.1 -::1"))).unwrap();
        assert!(listeners.addresses().contains(&format!("127.0.0.1:{second}")));
        assert!(TcpStream::connect(("127.0.0.1", second)).is_ok());
        assert!(TcpStream::connect(("127.0.0.1", first)).is_err());
        listeners.follow(&settings(&format!("--port {second} --bind *"))).unwrap();
        assert_eq!(listeners.addresses(), [format!("0.0.0.0:{second}")]);
        listeners.close();
        assert!(TcpStream::connect(("127.0.0.1", second)).is_err());
    }

    #[test]
    fn a_port_that_is_taken_changes_nothing() {
        let poll = Poll::new().unwrap();
        let port = free_port();
        let one = settings(&format!("--port {port} --bind 127.0.0.1"));
        let listeners = Listeners::open(&one, poll.registry(), 100).unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = settings(&format!("--port {} --bind 127.0.0.1", taken.local_addr().unwrap().port()));
        assert!(listeners.follow(&other).is_err());
        assert_eq!(listeners.addresses(), [format!("127.0.0.1:{port}")]);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    }
}
