//! House tasks: `cargo xtask <task>`.

mod tidy;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask tidy
  tidy    checks the house rules of STYLE.md on the whole tree";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => tidy::run(),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
