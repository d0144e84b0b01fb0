//! All that touches the operating system.

pub mod clients;
pub mod config;
pub mod histogram;
pub mod stats;
