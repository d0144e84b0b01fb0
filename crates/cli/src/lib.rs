//! The client: `ebbtide cli`.

mod address;
mod connection;
mod options;
mod output;
mod words;
