//! A document into a store.

use std::io::Read;

use engine::{Db, Held, Kind, Store, Turn};

use super::{Item, ReadError, read};
use crate::rdb::{About, Fault, LoadOptions, add};

/// What was loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Keys that are in the store now.
    pub keys: u64,
    /// Keys that were left out, for their deadline had come.
    pub expired: u64,
    /// Libraries of functions: their code.
    pub functions: Vec<Vec<u8>>,
}

/// Loads the document `input` into `store`, on the calling thread.
///
/// # Errors
/// The document is not of the form, a key comes twice, or the store cannot hold it. Part of it is in the store then.
pub fn load(store: &Store, input: impl Read, options: &LoadOptions) -> Result<Loaded, ReadError<Fault>> {
    let mut turn = Turn::new(options.now_ms, 0);
    turn.loading = true;
    turn.access = options.policy;
    turn.limits = options.limits;
    let mut loaded = Loaded::default();
    read(input, |item| match item {
        Item::Function(code) => {
            loaded.functions.push(code);
            Ok(())
        }
        Item::Key { deadline_ms: Some(at), .. } if !options.keep_expired && at <= options.now_ms => {
            loaded.expired += 1;
            Ok(())
        }
        Item::Key { db, key, deadline_ms, value } => {
            let databases = store.databases();
            if db >= databases {
                return Err(Fault::Database { db: db.into(), databases });
            }
            let key = store.key(&key);
            let mut held = Held::keys(store, [key.hash()]);
            let about = About { deadline_ms, ..About::default() };
            let written_as = value.kind().map_or("value", Kind::name);
            add(&mut Db::new(&mut held, &mut turn, db), key, about, &value, written_as, options.replace)?;
            loaded.keys += 1;
            (options.between)();
            Ok(())
        }
    })?;
    Ok(loaded)
}
