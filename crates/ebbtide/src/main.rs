//! The binary.
use std::sync::Arc;
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
fn main() -> std::process::ExitCode {
    let args = std::env::args_os().skip(1).skip_while(|a| a == "server");
    let loaded = match server::config::load(args) {
        Ok(l) => l,
        Err(e) => {
            eprintln!("{e}");
            return std::process::ExitCode::FAILURE;
        }
    };
    server::run(Arc::new(server::config::ConfigStore::new(loaded)))
}
