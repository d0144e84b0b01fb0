//! `--hotkeys`: the keys most used: those the server knows at any time (HOTKEYS TOP), or else by its access counters.

use resp::Value;

use crate::failure::Failure;
use crate::modes::keyspace::Survey;
use crate::options::Options;
use crate::output;
use crate::session::Session;
use crate::words::quoted;

/// How many keys are listed.
const KEYS_MAX: usize = 16;

/// Lists the most used of the keys that `options` choose.
///
/// # Errors
/// The server neither knows them nor counts accesses: its eviction policy is none of the LFU ones.
pub(crate) fn run(session: &mut Session, options: &Options) -> Result<(), Failure> {
    let all = options.pattern.is_none() && options.quoted_pattern.is_none() && options.key_type.is_none();
    if all && let Some(keys) = known(session)? {
        let mut out = String::from("\n# The keys most used lately, with about how many times a second.\n\n");
        for (key, uses_per_s) in &keys {
            out.push_str(&format!(
                "hot key found with uses a second: {uses_per_s}\tkeyname: {}\n",
                quoted(key)
            ));
        }
        output::print(out)?;
        return Ok(());
    }
    count(session, options)
}

/// A key and how many times a second it is used, as the server wrote it.
type Known = (Vec<u8>, String);

/// The keys most used that the server knows; nothing when it does not know any.
fn known(session: &mut Session) -> Result<Option<Vec<Known>>, Failure> {
    let reply = session.ask(&["HOTKEYS", "TOP", "COUNT", &KEYS_MAX.to_string()])?;
    let pairs = reply.as_slice().unwrap_or_default().chunks_exact(2);
    let known = |pair: &[Value]| {
        let rate = match &pair[1] {
            Value::Double(rate) => rate.to_string(),
            other => String::from_utf8_lossy(other.as_bytes()?).into_owned(),
        };
        Some((pair[0].as_bytes()?.to_vec(), rate))
    };
    let keys: Vec<_> = pairs.filter_map(known).collect();
    Ok(if keys.is_empty() { None } else { Some(keys) })
}

/// Asks for the counter of every key that `options` choose and lists the highest.
fn count(session: &mut Session, options: &Options) -> Result<(), Failure> {
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
