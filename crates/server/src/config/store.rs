//! The configuration while the server runs: shared with workers, changed by CONFIG SET.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use commands::{Case, glob_matches};
use parking_lot::{Mutex, RwLock};

use super::load::Loaded;
use super::rewrite::{self, RewriteError};
use super::settings::Settings;
use super::table::{self, Change, Directive, table};

/// What is to be done when directives change: it gets the settings before and after, does what makes the new
/// ones true, and says why it cannot.
pub type OnChange = Box<dyn Fn(&Settings, &Settings) -> Result<(), String> + Send + Sync>;

/// The configuration of a running server.
///
/// A worker keeps an `Arc` of the settings and looks at [`ConfigStore::version`] each turn, a relaxed load;
/// it takes new ones with [`ConfigStore::settings`] when the version is another.
pub struct ConfigStore {
    current: RwLock<Arc<Settings>>,
    version: AtomicU64,
    /// Held during a change, so that changes and what they cause happen one after another.
    hooks: Mutex<Vec<Hook>>,
    file: Option<PathBuf>,
}

struct Hook {
    directives: &'static [&'static str],
    run: OnChange,
}

/// Why CONFIG SET changed nothing. `Display` gives the error reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// There is no such directive.
    #[error("ERR Unknown option or number of arguments for CONFIG SET - '{0}'")]
    Unknown(String),
    /// The directive cannot have this value, or not now.
    #[error("ERR CONFIG SET failed (possibly related to argument '{directive}') - {why}")]
    Refused {
        /// The directive, by the name it was called.
        directive: String,
        /// The reason.
        why: String,
    },
}

impl ConfigStore {
    /// A store of what was loaded.
    pub fn new(loaded: Loaded) -> ConfigStore {
        ConfigStore {
            current: RwLock::new(Arc::new(Settings::from(loaded.values))),
            version: AtomicU64::new(0),
            hooks: Mutex::new(Vec::new()),
            file: loaded.file,
        }
    }

    /// Changes whenever the settings do.
    #[inline]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    /// The settings as they are.
    pub fn settings(&self) -> Arc<Settings> {
        self.current.read().clone()
    }

    /// The file the configuration was read from.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// From now on, `run` is called when one of `directives` is about to change. When it or one after it says
    /// no, CONFIG SET fails, and it is called once more with the settings the other way round. It must not
    /// call back into this store's `set`.
    pub fn on_change(&self, directives: &'static [&'static str], run: OnChange) {
        debug_assert!(directives.iter().all(|name| table::find(name.as_bytes()).is_some()));
        self.hooks.lock().push(Hook { directives, run });
    }

    /// Names and values of the directives that fit one of `patterns`, each once. A name that is no pattern
    /// finds hidden directives too, and is shown as it was written.
    pub fn get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let values = &self.settings().values;
        let mut found: Vec<(Vec<u8>, &Directive)> = Vec::new();
        for pattern in patterns {
            if pattern.iter().any(|b| b"*?[".contains(b)) {
                let names = table().flat_map(|row| row.listed_names().map(move |name| (name, row)));
                let fits = |name: &str| glob_matches(pattern, name.as_bytes(), Case::Ignored);
                found.extend(names.filter(|(name, _)| fits(name)).map(|(name, row)| (name.into(), row)));
            } else {
                found.extend(table::find(pattern).map(|row| (pattern.to_vec(), row)));
            }
        }
        let mut seen = std::collections::HashSet::new();
        found.retain(|(name, _)| seen.insert(name.to_ascii_lowercase()));
        found.into_iter().map(|(name, row)| (name, values.get(row.name).text())).collect()
    }

    /// Changes directives, all of `pairs` (name, value) or none. `local` says whether the client that asks is
    /// on this machine.
    ///
    /// # Errors
    /// [`SetError`]; nothing has changed then.
    pub fn set(&self, pairs: &[(&[u8], &[u8])], local: bool) -> Result<(), SetError> {
        let hooks = self.hooks.lock();
        let old = self.settings();
        let rows = self.changeable(pairs, &old, local)?;
        let mut values = old.values.clone();
        for (&row, (name, value)) in rows.iter().zip(pairs) {
            let value = row.kind.read(&row.kind.split(value), Some(values.get(row.name)));
            values.set(row, value.map_err(|why| refused(name, why))?);
        }
        if values == old.values {
            return Ok(());
        }
        let new = Arc::new(old.changed(values));
        run_hooks(&hooks, &old, &new)?;
        *self.current.write() = new;
        self.version.fetch_add(1, Ordering::Relaxed);
        for row in rows.iter().filter(|row| old.values.get(row.name) != self.settings().values.get(row.name))
        {
            if let Some(note) = row.remark() {
                tracing::warn!("{note}");
            }
        }
        Ok(())
    }

    /// The rows of `pairs`, all of which may be changed and stand there once.
    fn changeable(
        &self,
        pairs: &[(&[u8], &[u8])],
        settings: &Settings,
        local: bool,
    ) -> Result<Vec<&'static Directive>, SetError> {
        let mut rows: Vec<&'static Directive> = Vec::with_capacity(pairs.len());
        for (name, _) in pairs {
            let unknown = || SetError::Unknown(String::from_utf8_lossy(name).into_owned());
            let row = table::find(name).ok_or_else(unknown)?;
            let why = if row.change == Change::AtStart {
                "can't set immutable config"
            } else if row.guarded && !settings.enable_protected_configs.permits(local) {
                "can't set protected config"
            } else if pairs[..rows.len()].iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                "duplicate parameter"
            } else {
                rows.push(row);
                continue;
            };
            return Err(refused(name, why.into()));
        }
        Ok(rows)
    }

    /// Writes the configuration back to its file (CONFIG REWRITE).
    ///
    /// # Errors
    /// There is no file, or it cannot be written; the file is as before then.
    pub fn rewrite(&self) -> Result<(), RewriteError> {
        let _one_at_a_time = self.hooks.lock();
        let file = self.file.as_deref().ok_or(RewriteError::NoFile)?;
        rewrite::rewrite(file, &self.settings().values, rewrite::Which::Changed)
    }

    /// Writes every directive to the file, defaults too (DEBUG CONFIG-REWRITE-FORCE-ALL).
    ///
    /// # Errors
    /// As [`ConfigStore::rewrite`].
    pub fn rewrite_all(&self) -> Result<(), RewriteError> {
        let _one_at_a_time = self.hooks.lock();
        let file = self.file.as_deref().ok_or(RewriteError::NoFile)?;
        rewrite::rewrite(file, &self.settings().values, rewrite::Which::All)
    }
}

impl std::fmt::Debug for ConfigStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigStore")
            .field("version", &self.version)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

fn refused(directive: &[u8], why: String) -> SetError {
    SetError::Refused { directive: String::from_utf8_lossy(directive).into_owned(), why }
}

/// Calls every hook that a change concerns; when one refuses, those that ran are called the other way round.
fn run_hooks(hooks: &[Hook], old: &Settings, new: &Settings) -> Result<(), SetError> {
    let changed = |name: &&&'static str| old.values.get(name) != new.values.get(name);
    let concerned = hooks.iter().filter_map(|hook| Some((hook, *hook.directives.iter().find(changed)?)));
    let mut done: Vec<&Hook> = Vec::new();
    for (hook, directive) in concerned {
        if let Err(why) = (hook.run)(old, new) {
            for hook in done.iter().rev() {
                if let Err(why) = (hook.run)(new, old) {
                    tracing::warn!("Could not restore {}: {why}", hook.directives.join(", "));
                }
            }
            return Err(refused(directive.as_bytes(), why));
        }
        done.push(hook);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::sync::atomic::AtomicU16;

    use super::super::load;
    use super::*;

    fn store(args: &[&str]) -> ConfigStore {
        ConfigStore::new(load(args.iter().map(OsString::from)).unwrap())
    }

    fn set(store: &ConfigStore, words: &[&str]) -> String {
        let pairs: Vec<(&[u8], &[u8])> =
            words.chunks(2).map(|p| (p[0].as_bytes(), p[1].as_bytes())).collect();
        store.set(&pairs, true).map_or_else(|e| e.to_string(), |()| "OK".into())
    }

    fn get(store: &ConfigStore, patterns: &[&str]) -> Vec<String> {
        let patterns: Vec<&[u8]> = patterns.iter().map(|p| p.as_bytes()).collect();
        let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
        store.get(&patterns).into_iter().map(|(n, v)| format!("{}={}", text(n), text(v))).collect()
    }

    #[test]
    fn get_lists_each_name_once() {
        let store = store(&[]);
        assert_eq!(get(&store, &["MaxClients", "maxc*", "nothing"]), ["MaxClients=10000"]);
        assert_eq!(get(&store, &["*-priority"]), ["replica-priority=100", "slave-priority=100"]);
        assert!(get(&store, &["key-load*"]).is_empty());
        assert_eq!(get(&store, &["key-load-delay", "primaryuser"]), ["key-load-delay=0", "primaryuser="]);
    }

    #[test]
    fn set_changes_all_or_nothing() {
        let store = store(&[]);
        let before = (store.version(), store.settings());
        assert_eq!(
            set(&store, &["maxmemory", "1mb", "hz", "x"]),
            "ERR CONFIG SET failed (possibly related to argument 'hz') - argument couldn't be parsed into an integer"
        );
        assert_eq!((store.version(), store.settings()), before);
        assert_eq!(set(&store, &["maxmemory", "1mb", "HZ", "9999"]), "OK");
        assert_eq!(get(&store, &["maxmemory", "hz"]), ["maxmemory=1048576", "hz=500"]);
        assert_eq!(store.settings().maxmemory_bytes, 1 << 20);
        assert_ne!(store.version(), before.0);
    }

    #[test]
    fn set_says_why_not() {
        let store = store(&[]);
        for (words, why) in [
            (
                &["nope", "1", "hz", "1"][..],
                "ERR Unknown option or number of arguments for CONFIG SET - 'nope'",
            ),
            (&["hz", "1", "HZ", "2"], "argument 'HZ') - duplicate parameter"),
            (&["daemonize", "yes"], "argument 'daemonize') - can't set immutable config"),
            (&["dir", "/"], "argument 'dir') - can't set protected config"),
            (&["activedefrag", "maybe"], "argument must be 'yes' or 'no'"),
            (&["save", "900"], "Invalid save parameters"),
        ] {
            let reply = set(&store, words);
            assert!(reply.contains(why), "{reply}");
        }
        // Two names of one directive are two, and the last wins, as in Redis.
        assert_eq!(set(&store, &["slave-priority", "1", "replica-priority", "2"]), "OK");
        assert_eq!(get(&store, &["slave-priority"]), ["slave-priority=2"]);
        let open = store_of_local_admins();
        assert_eq!(set(&open, &["dir", "/"]), "OK");
        assert!(open.set(&[(b"dir", b"/tmp")], false).is_err());
    }

    fn store_of_local_admins() -> ConfigStore {
        store(&["--enable-protected-configs", "local"])
    }

    #[test]
    fn a_hook_that_refuses_undoes_those_before() {
        let store = store(&[]);
        let port = Arc::new(AtomicU16::new(6379));
        let seen = port.clone();
        store.on_change(
            &["port"],
            Box::new(move |_, new| {
                seen.store(new.port, Ordering::Relaxed);
                Ok(())
            }),
        );
        store.on_change(&["bind", "tcp-keepalive"], Box::new(|_, _| Err("not now".into())));
        assert_eq!(set(&store, &["port", "7000"]), "OK");
        assert_eq!(
            set(&store, &["port", "7001", "tcp-keepalive", "5"]),
            "ERR CONFIG SET failed (possibly related to argument 'tcp-keepalive') - not now"
        );
        assert_eq!(port.load(Ordering::Relaxed), 7000);
        assert_eq!(store.settings().port, 7000);
    }

    #[test]
    fn a_file_of_everything_gives_the_same() {
        let file = std::env::temp_dir().join(format!("ebbtide-store-{}.conf", std::process::id()));
        std::fs::write(&file, "port 7000\n# mine\n").unwrap();
        let name = file.to_str().unwrap();
        let store = store(&[name, "--dir", "/", "--save", "60", "1", "--requirepass", "a b"]);
        store.rewrite_all().unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("port 7000\n# mine\n"), "{text}");
        let again = ConfigStore::new(load([OsString::from(name)]).unwrap());
        assert_eq!(again.settings(), store.settings());
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn rewriting_needs_a_file() {
        let error = store(&[]).rewrite().unwrap_err().to_string();
        assert_eq!(error, "ERR The server is running without a config file");
    }
}
