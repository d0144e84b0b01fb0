//! `--hotkeys`: the keys most used, by the server's own access counters.

use crate::failure::Failure;
use crate::modes::keyspace::Survey;
use crate::options::Options;
use crate::output;
use crate::session::Session;
use crate::words::quoted;

/// How many keys are listed.
const KEYS_MAX: usize = 16;

/// Asks for the counter of every key that `options` choose and lists the highest.
///
/// # Errors
/// The server counts no accesses: its eviction policy is none of the LFU ones.
pub(crate) fn run(session: &mut Session, options: &Options) -> Result<(), Failure> {
    let mut survey = Survey::start(session, options)?;
    output::print(b"\n# Looking at every key for the most used ones.\n")?;
    output::print(b"# With -i 0.1 it rests 0.1 s after each 100 parts of the scan.\n\n")?;
    let mut hottest = Hottest::default();
    while let Some(keys) = survey.next(session)? {
        let requests: Vec<_> = keys.iter().map(|key| vec![b"OBJECT".as_slice(), b"FREQ", key]).collect();
        let replies = session.ask_all(&requests)?;
        for (key, reply) in keys.into_iter().zip(replies) {
            if let Some(error) = reply.as_error() {
                return Err(Failure::Refused(format!("Error: {}", String::from_utf8_lossy(error))));
            }
            // No number: the key is gone.
            let Some(counter) = reply.as_int() else { continue };
            let name = quoted(&key);
            if hottest.add(counter, key) {
                let line =
                    format!("{} Hot key '{name}' found so far with counter {counter}\n", survey.progress());
                output::print(line)?;
            }
        }
    }
    let stopped = if survey.was_stopped() { format!("{} ", survey.progress()) } else { String::new() };
    let mut summary =
        format!("\n-------- summary -------\n\n{stopped}Sampled {} keys in the keyspace!\n", survey.sampled);
    for (counter, key) in &hottest.keys {
        summary.push_str(&format!("hot key found with counter: {counter}\tkeyname: {}\n", quoted(key)));
    }
    output::print(summary)?;
    Ok(())
}

/// The keys with the highest counters, highest first; at most [`KEYS_MAX`].
#[derive(Debug, Default)]
struct Hottest {
    keys: Vec<(i64, Vec<u8>)>,
}

impl Hottest {
    /// Puts a key in its place, if it has one. Keys never used have none.
    fn add(&mut self, counter: i64, key: Vec<u8>) -> bool {
        let place = self.keys.partition_point(|(other, _)| *other >= counter);
        if counter == 0 || place == KEYS_MAX {
            return false;
        }
        self.keys.insert(place, (counter, key));
        self.keys.truncate(KEYS_MAX);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_highest_counters_stay() {
        let mut hottest = Hottest::default();
        assert!(!hottest.add(0, b"cold".to_vec()));
        for counter in 1..=20 {
            assert!(hottest.add(counter, vec![counter as u8]));
        }
        assert!(!hottest.add(5, b"late".to_vec()));
        let counters: Vec<i64> = hottest.keys.iter().map(|(counter, _)| *counter).collect();
        assert_eq!(counters, (5..=20).rev().collect::<Vec<_>>());
    }
}
