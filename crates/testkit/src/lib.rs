//! What tests share: requests made up from the command table, servers as processes, comparisons of replies and
//! states, and a disk that fails.

mod argument;
mod compare;
pub mod faulty;
mod generate;
mod request;
mod sequence;
mod spawned;
mod target;
mod trace;

pub use compare::{Kept, State, agree, difference, state};
pub use request::Request;
pub use sequence::{Step, play, sequences};
pub use spawned::{Connection, Spawned};
pub use target::{Local, Target, ask, now_ms, poll};
pub use trace::{Trace, Watched, requests, trace, watch};
