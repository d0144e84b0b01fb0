//! How a field of the settings is made of its directive's value.

use std::path::PathBuf;
use std::thread::available_parallelism;

use commands::Shutdown;

use super::settings::{BindAddress, BufferLimits, BytesOrPercent, SavePoint, Threads};
use super::value::Value;

/// A field's type: how it is made of a directive's value.
pub(super) trait Field: Sized {
    /// The value of the directive `name`.
    ///
    /// # Panics
    /// Panics when the directive's kind is another; a test makes all fields of the defaults.
    fn of(name: &str, value: &Value) -> Self;
}

#[cold]
pub(super) fn mismatch(name: &str, value: &Value) -> ! {
    panic!("the field of {name} cannot hold {value:?}")
}

impl Field for bool {
    fn of(name: &str, value: &Value) -> bool {
        match value {
            Value::Bool(b) => *b,
            other => mismatch(name, other),
        }
    }
}

impl Field for i64 {
    fn of(name: &str, value: &Value) -> i64 {
        match value {
            Value::Int(n) => *n,
            other => mismatch(name, other),
        }
    }
}

impl Field for Vec<SavePoint> {
    fn of(name: &str, value: &Value) -> Vec<SavePoint> {
        match value {
            Value::Save(points) => {
                points.iter().map(|&(after_s, changes)| SavePoint { after_s, changes }).collect()
            }
            other => mismatch(name, other),
        }
    }
}

impl Field for u64 {
    fn of(name: &str, value: &Value) -> u64 {
        match value {
            Value::Int(n) => u64::try_from(*n).unwrap_or(0),
            Value::Memory(n) => *n,
            Value::Octal(n) | Value::Events(n) => u64::from(*n),
            other => mismatch(name, other),
        }
    }
}

/// Unsigned numbers narrower than their directive's value: the row's bounds keep it in range.
macro_rules! narrower {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn of(name: &str, value: &Value) -> $type {
                <$type>::try_from(u64::of(name, value)).unwrap_or(<$type>::MAX)
            }
        }
    )*};
}
narrower!(u16, u32, usize);

impl Field for Vec<u8> {
    fn of(name: &str, value: &Value) -> Vec<u8> {
        match value {
            Value::Text(text) => text.clone(),
            other => mismatch(name, other),
        }
    }
}

impl Field for PathBuf {
    fn of(name: &str, value: &Value) -> PathBuf {
        super::path(&Vec::of(name, value)).to_owned()
    }
}

impl Field for Option<PathBuf> {
    fn of(name: &str, value: &Value) -> Option<PathBuf> {
        Some(PathBuf::of(name, value)).filter(|path| !path.as_os_str().is_empty())
    }
}

impl Field for Vec<f64> {
    fn of(name: &str, value: &Value) -> Vec<f64> {
        match value {
            Value::Percentiles(all) => all.clone(),
            other => mismatch(name, other),
        }
    }
}

impl Field for Vec<BindAddress> {
    fn of(name: &str, value: &Value) -> Vec<BindAddress> {
        let Value::List(words) = value else { mismatch(name, value) };
        let address = |word: &Vec<u8>| {
            let word = String::from_utf8_lossy(word);
            let host = word.strip_prefix('-').unwrap_or(&word);
            BindAddress { host: host.to_owned(), optional: host.len() < word.len() }
        };
        words.iter().map(address).collect()
    }
}

impl Field for BufferLimits {
    fn of(name: &str, value: &Value) -> BufferLimits {
        match *value {
            Value::BufferLimits([normal, replica, pubsub]) => BufferLimits { normal, replica, pubsub },
            ref other => mismatch(name, other),
        }
    }
}

impl Field for Shutdown {
    fn of(name: &str, value: &Value) -> Shutdown {
        let Value::Words(words) = value else { mismatch(name, value) };
        let has = |word| words.contains(&word);
        let save = if has("save") { Some(true) } else { has("nosave").then_some(false) };
        Shutdown { save, now: has("now"), force: has("force") }
    }
}

impl Field for BytesOrPercent {
    fn of(name: &str, value: &Value) -> BytesOrPercent {
        match *value {
            Value::Memory(bytes) => BytesOrPercent::Bytes(bytes),
            Value::Percent(percent) => BytesOrPercent::Percent(percent),
            ref other => mismatch(name, other),
        }
    }
}

impl Field for Threads {
    fn of(name: &str, value: &Value) -> Threads {
        let cores = || available_parallelism().map_or(1, usize::from).min(128);
        match usize::of(name, value) {
            0 => Threads(cores()),
            n => Threads(n),
        }
    }
}
