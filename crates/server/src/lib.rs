//! All that touches the operating system.

pub mod banner;
pub mod clients;
mod clock;
pub mod config;
pub mod histogram;
pub mod log;
pub mod process;
pub mod signals;
pub mod stats;
