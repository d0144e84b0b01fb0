//! Room for clients: each takes a file descriptor, of which the system lets a process have so many.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors kept for what is no client: listeners, event queues, the log, data files.
const RESERVED: u64 = 32;

/// Makes room for `clients` clients and what `workers` event loops need; for how many there is room then, at
/// most as many.
pub(crate) fn make_room(clients: usize, workers: usize) -> usize {
    // An event loop has a queue, its waker and, on the first, the queue's copy for the listeners.
    let reserved = RESERVED + 3 * workers as u64;
    let needed = clients as u64 + reserved;
    let limit = raise(needed);
    usize::try_from(limit.min(needed).saturating_sub(reserved)).unwrap_or(clients)
}

/// Raises the limit to `needed` if it is lower, or as near as the system lets; the limit then.
fn raise(needed: u64) -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return needed };
    if soft >= needed {
        return soft;
    }
    // A privileged process may raise the hard limit too.
    let raised = [(needed, needed.max(hard)), (needed.min(hard), hard)]
        .into_iter()
        .find(|&(soft, hard)| setrlimit(Resource::RLIMIT_NOFILE, soft, hard).is_ok());
    raised.map_or(soft, |(soft, _)| soft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_at_most_as_many_as_asked_for() {
        assert_eq!(make_room(10, 2), 10);
        let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let beyond = usize::MAX / 2;
        assert!(make_room(beyond, 2) < beyond);
        assert!(getrlimit(Resource::RLIMIT_NOFILE).unwrap().0 >= soft, "the limit is never lowered");
    }
}
