//! Files and payloads: what was written is read, in every type.

mod check;
mod kept;
mod load;
mod old;
mod round_trip;
