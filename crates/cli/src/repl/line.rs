//! What a line at the prompt asks for.

use crate::words;

/// A line's meaning.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Nothing was typed.
    Empty,
    /// Leave.
    Quit,
    /// Clear the screen.
    Clear,
    /// Turn to another server.
    Connect { host: String, port: u16 },
    /// Show help about the topic.
    Help(Vec<Vec<u8>>),
    /// Show hints or not.
    Hints(bool),
    /// Run a command so many times.
    Command { args: Vec<Vec<u8>>, times: i64 },
    /// It makes no sense; says why.
    Invalid(String),
}

impl Line {
    /// Reads a line.
    pub(crate) fn parse(line: &[u8]) -> Line {
        let Ok(mut args) = words::split(line) else { return Line::Invalid("Invalid argument(s)".to_owned()) };
        let times = match args.first().map(|word| repetitions(word)) {
            Some(Some(times)) if args.len() > 1 => {
                args.remove(0);
                times
            }
            _ => 1,
        };
        if times <= 0 {
            return Line::Invalid("A command can be repeated once or more".to_owned());
        }
        let Some(first) = args.first() else { return Line::Empty };
        match (first.to_ascii_lowercase().as_slice(), args.len()) {
            (b"quit" | b"exit", _) => Line::Quit,
            (b"clear", 1) => Line::Clear,
            (b"help" | b"?", _) => Line::Help(args.split_off(1)),
            (b"connect", 3) => connect(&args),
            (b":set", 2) if args[1] == b"hints" => Line::Hints(true),
            (b":set", 2) if args[1] == b"nohints" => Line::Hints(false),
            ([b':', ..], _) => {
                Line::Invalid("Unknown setting: there are `:set hints` and `:set nohints`".to_owned())
            }
            _ => Line::Command { args, times },
        }
    }
}

/// The number in `10 get key`.
pub(crate) fn repetitions(word: &[u8]) -> Option<i64> {
    str::from_utf8(word).ok()?.parse().ok()
}

fn connect(args: &[Vec<u8>]) -> Line {
    let text = |arg: &Vec<u8>| String::from_utf8_lossy(arg).into_owned();
    match text(&args[2]).parse() {
        Ok(port) => Line::Connect { host: text(&args[1]), port },
        Err(_) => Line::Invalid(format!("Invalid port: {}", text(&args[2]))),
    }
}

/// Whether a command holds a password, so that no history may keep it.
pub(crate) fn is_secret(args: &[Vec<u8>]) -> bool {
    let lower = |i: usize| args.get(i).map(|arg| arg.to_ascii_lowercase()).unwrap_or_default();
    let says = |word: &str| args.iter().skip(1).any(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
    let sets_secret = || {
        args.iter().skip(2).any(|arg| {
            let name = arg.to_ascii_lowercase();
            name.ends_with(b"auth") || name.ends_with(b"pass") || name.ends_with(b"user")
        })
    };
    match (lower(0).as_slice(), lower(1).as_slice()) {
        (b"auth", _) => true,
        (b"acl", b"setuser" | b"deluser" | b"getuser") => true,
        (b"config", b"set") | (b"sentinel", b"config" | b"set") => sets_secret(),
        (b"hello", _) => says("auth"),
        (b"migrate", _) => says("auth") || says("auth2"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split_whitespace().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn lines() {
        let command = |line: &str, times| Line::Command { args: words(line), times };
        let cases = [
            ("", Line::Empty),
            ("  ", Line::Empty),
            ("get k", command("get k", 1)),
            ("3 get k", command("get k", 3)),
            ("3", command("3", 1)),
            ("QUIT", Line::Quit),
            ("exit", Line::Quit),
            ("clear", Line::Clear),
            ("clear x", command("clear x", 1)),
            ("help", Line::Help(vec![])),
            ("? set", Line::Help(words("set"))),
            ("connect ::1 7000", Line::Connect { host: "::1".into(), port: 7000 }),
            (":set nohints", Line::Hints(false)),
        ];
        for (line, meaning) in cases {
            assert_eq!(Line::parse(line.as_bytes()), meaning, "{line}");
        }
        for line in ["get \"a", "0 get k", "-2 get k", ":set x", "connect h port"] {
            assert!(matches!(Line::parse(line.as_bytes()), Line::Invalid(_)), "{line}");
        }
    }

    #[test]
    fn secrets() {
        let secret = [
            "AUTH p",
            "acl setuser u >p",
            "config set maxmemory 1 requirepass p",
            "config set masterauth p",
            "hello 3 AUTH u p",
            "migrate h 1 k 0 10 auth2 u p",
            "sentinel set m auth-pass p",
        ];
        for line in secret {
            assert!(is_secret(&words(line)), "{line}");
        }
        for line in [
            "get auth",
            "acl list",
            "config set maxmemory 1",
            "config get requirepass",
            "hello 3",
            "set k auth",
        ] {
            assert!(!is_secret(&words(line)), "{line}");
        }
    }
}
