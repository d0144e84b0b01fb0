//! House tasks: `cargo xtask <task>`.

mod conformance;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <task>
  tidy                 checks the house rules of STYLE.md on the whole tree
  conformance ADDRESS  compares the command table with the server at host:port";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => tidy::run(),
        ["conformance", address] => conformance::run(address),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
