//! Tools that run instead of a command.

pub(crate) mod hotkeys;
pub(crate) mod keyspace;
pub(crate) mod latency;
pub(crate) mod latency_dist;
pub(crate) mod pipe;
pub(crate) mod scan;
pub(crate) mod stat;
pub(crate) mod survey;
