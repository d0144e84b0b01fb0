//! MONITOR: lines about the commands that run, from all workers to the clients that watch.
//!
//! A line is added while the stripes of its command are held, to the queues of all who watch at once: so everybody
//! sees the same order, and each key's commands in the order in which they took effect. Each watcher's worker is
//! woken, takes its queue, and sends it.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::clients::{ClientEntry, Clients};
use crate::config::value::in_quotes;

/// Bytes of lines that may wait for a client, whatever `client-output-buffer-limit` allows: others make them, so no
/// patience of its own bounds them.
pub(crate) const LINES_BYTES_MAX: usize = 64 << 20;

/// The clients that watch.
#[derive(Debug, Default)]
pub(crate) struct Monitors {
    count: AtomicUsize,
    all: Mutex<Vec<Monitor>>,
}

#[derive(Debug)]
struct Monitor {
    client: Arc<ClientEntry>,
    /// Lines that its worker has yet to take; nothing when they became too many.
    lines: Option<Vec<u8>>,
}

impl Monitors {
    /// Whether anybody watches.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Shows `client` what runs from now on.
    pub(crate) fn add(&self, client: Arc<ClientEntry>) {
        self.all.lock().push(Monitor { client, lines: Some(Vec::new()) });
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Shows client `id` no more.
    pub(crate) fn remove(&self, id: u64) {
        let mut all = self.all.lock();
        if let Some(i) = all.iter().position(|monitor| monitor.client.id == id) {
            all.swap_remove(i);
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Shows `line` to all who watch.
    pub(crate) fn show(&self, line: &[u8], clients: &Clients) {
        for monitor in self.all.lock().iter_mut() {
            let Some(lines) = &mut monitor.lines else { continue };
            let waking = lines.is_empty();
            if lines.len() + line.len() > LINES_BYTES_MAX {
                monitor.lines = None;
            } else {
                lines.extend_from_slice(line);
            }
            if waking {
                clients.wake(&monitor.client);
            }
        }
    }

    /// Takes the lines that wait for client `id`; nothing when they became too many, and some were lost.
    pub(crate) fn take(&self, id: u64) -> Option<Vec<u8>> {
        let mut all = self.all.lock();
        match all.iter_mut().find(|monitor| monitor.client.id == id) {
            Some(monitor) => monitor.lines.as_mut().map(std::mem::take),
            None => Some(Vec::new()),
        }
    }
}

/// The line about a request that `client` ran in `db`; `args` are those that others may see.
pub(crate) fn line<'a>(
    now_us: i64,
    db: u32,
    client: &ClientEntry,
    args: impl Iterator<Item = &'a [u8]>,
) -> Vec<u8> {
    let (seconds, micros) = (now_us.div_euclid(1_000_000), now_us.rem_euclid(1_000_000));
    let mut line = Vec::new();
    // Writing to memory does not fail.
    let _ = write!(line, "+{seconds}.{micros:06} [{db} ");
    match client.unix_path() {
        Some(path) => line.extend_from_slice(format!("unix:{path}]").as_bytes()),
        None => line.extend_from_slice(format!("{}]", client.address()).as_bytes()),
    }
    for arg in args {
        line.push(b' ');
        line.extend_from_slice(in_quotes(arg).as_bytes());
    }
    line.extend_from_slice(b"\r\n");
    line
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::clients::{Connected, Wakeup};

    fn connect(clients: &Clients, address: &str, unix_socket: bool) -> Arc<ClientEntry> {
        clients.register(Connected { address: address.into(), unix_socket, ..Connected::default() })
    }

    #[test]
    fn lines_look_as_redis_writes_them() {
        let clients = Clients::default();
        let (tcp, unix) = (connect(&clients, "127.0.0.1:5", false), connect(&clients, "/tmp/s:0", true));
        let shown = |client, args: &[&[u8]]| {
            String::from_utf8(line(1_339_518_083_007_412, 3, client, args.iter().copied())).unwrap()
        };
        assert_eq!(
            shown(&tcp, &[b"set", b"foo", b"a\n\r\t\x07\x08\\\"\0\xff'x"]),
            "+1339518083.007412 [3 127.0.0.1:5] \"set\" \"foo\" \"a\\n\\r\\t\\a\\b\\\\\\\"\\x00\\xff'x\"\r\n"
        );
        assert_eq!(shown(&unix, &[b"ping"]), "+1339518083.007412 [3 unix:/tmp/s] \"ping\"\r\n");
    }

    #[test]
    fn who_watches_is_woken_once_until_it_takes_its_lines() {
        let clients = Clients::default();
        let (tell, told) = mpsc::channel();
        clients.add_worker(Arc::new(move |wakeup| tell.send(wakeup).unwrap()));
        let monitors = Monitors::default();
        assert!(!monitors.is_watched());
        let one = connect(&clients, "1", false);
        monitors.add(Arc::clone(&one));
        monitors.show(b"a", &clients);
        monitors.show(b"b", &clients);
        assert_eq!((told.try_recv(), told.try_recv().is_err()), (Ok(Wakeup::Client(one.id)), true));
        assert_eq!(monitors.take(one.id).unwrap(), b"ab");
        monitors.show(b"c", &clients);
        assert!(told.try_recv().is_ok());
        monitors.remove(one.id);
        monitors.remove(one.id);
        assert!(!monitors.is_watched() && monitors.take(one.id).unwrap().is_empty());
    }

    #[test]
    fn lines_that_nobody_takes_are_bounded() {
        let (clients, monitors) = (Clients::default(), Monitors::default());
        let one = connect(&clients, "1", false);
        monitors.add(Arc::clone(&one));
        let line = vec![b'x'; LINES_BYTES_MAX / 2];
        (0..2).for_each(|_| monitors.show(&line, &clients));
        assert_eq!(monitors.take(one.id).map(|lines| lines.len()), Some(LINES_BYTES_MAX));
        (0..3).for_each(|_| monitors.show(&line, &clients));
        assert_eq!(monitors.take(one.id), None);
    }
}
