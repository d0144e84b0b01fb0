//! All that touches the operating system: configuration, sockets, threads, clock, signals.
//!
//! A request's path: `listener` accepts, `worker` reads, `dispatch` parses and runs, `connection` sends.

pub mod banner;
mod client_memory;
pub mod clients;
mod clock;
mod commandlog;
pub mod config;
mod connection;
mod defrag;
mod descriptors;
mod dispatch;
mod entrance;
mod garbage;
mod heavy_hitters;
pub mod histogram;
mod hotkeys;
mod huge_pages;
mod info;
mod latency;
mod launch;
mod listener;
mod listeners;
pub mod log;
pub mod memory;
mod memory_info;
mod monitor;
mod observe;
mod persistence;
pub mod process;
mod room;
mod run;
pub mod shared;
pub mod signals;
mod socket;
pub mod stats;
mod supervisor;
mod usage;
mod worker;

pub use clock::now_ms;
pub use launch::launch;
pub use persistence::{OfflineError, read_log};
pub use run::run;

/// Ebbtide's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
