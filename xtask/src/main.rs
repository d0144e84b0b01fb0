//! House tasks: `cargo xtask <task>`.

mod conformance;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <task>
  tidy                 checks the house rules of STYLE.md on the whole tree
  conformance PROGRAM  compares the command table with that of a redis-server or valkey-server";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => tidy::run(),
        ["conformance", program] => conformance::run(program),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
