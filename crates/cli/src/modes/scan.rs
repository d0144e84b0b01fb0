//! `--scan`: the names of all keys, one a line.

use resp::Value;

use crate::failure::Failure;
use crate::modes::keyspace::Walk;
use crate::options::Options;
use crate::output;
use crate::pace::rest;
use crate::session::Session;

/// Prints the keys that `options` choose, each in the chosen form.
pub(crate) fn run(session: &mut Session, options: &Options) -> Result<(), Failure> {
    // A name a line, whatever parts replies otherwise.
    session.style.reply_delimiter = b"\n".to_vec();
    let mut walk = Walk::new(options)?;
    while let Some(keys) = walk.next(session)? {
        let lines: Vec<u8> =
            keys.into_iter().flat_map(|key| session.style.render(&Value::Bulk(key), false)).collect();
        output::print(lines)?;
        if let Some(interval) = options.interval {
            rest(interval);
        }
    }
    Ok(())
}
