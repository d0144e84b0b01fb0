//! What tests share: requests made up from the command table, servers as processes, comparisons of replies and
//! states, and a disk that fails.

mod argument;
mod beside;
mod compare;
pub mod faulty;
mod generate;
mod judge;
mod line;
mod request;
mod scene;
mod sequence;
mod spawned;
mod target;
mod trace;
mod worlds;

pub use compare::{Kept, State, agree, difference, state};
pub use judge::{Judge, ordered};
pub use line::Line;
pub use request::Request;
pub use scene::play_scene;
pub use sequence::{Step, play, sequences};
pub use spawned::{Connection, Spawned};
pub use target::{Local, Target, ask, now_ms, poll};
pub use trace::{Trace, Watched, requests, trace, watch};
pub use worlds::{Rules, Scene, WORLDS, World};
