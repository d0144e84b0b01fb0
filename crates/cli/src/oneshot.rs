//! A command from the command line: run, and done.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::catalog::Catalog;
use crate::connection::without_code;
use crate::failure::Failure;
use crate::help;
use crate::options::Options;
use crate::output;
use crate::session::Session;
use crate::words;

/// Runs the command that `options` hold.
pub(crate) fn run(session: &mut Session, options: &Options, stdin: impl Read) -> Result<(), Failure> {
    let args = arguments(options, stdin)?;
    if args[0].eq_ignore_ascii_case(b"help") {
        return help(session, &args[1..]);
    }
    session.connect()?;
    session.run(&args, options.repeat.unwrap_or(1), options.interval.unwrap_or_default())
}

/// Runs the script of `--eval`.
pub(crate) fn eval(session: &mut Session, options: &Options) -> Result<(), Failure> {
    let Some(file) = &options.eval else { return Ok(()) };
    let script = fs::read(file).map_err(|error| {
        Failure::Usage(format!("Can't open file '{}': {}", file.display(), without_code(&error)))
    })?;
    session.connect()?;
    let args = eval_arguments(script, &options.command);
    session.run(&args, options.repeat.unwrap_or(1), options.interval.unwrap_or_default())
}

/// Prints help about a topic.
pub(crate) fn help(session: &mut Session, topic: &[Vec<u8>]) -> Result<(), Failure> {
    let text = match topic {
        [] => help::OVERVIEW.to_owned(),
        topic => help::about(&Catalog::load(session)?, topic, session.style.paint),
    };
    output::print(text)
}

/// The command's arguments, with those that stdin holds.
fn arguments(options: &Options, mut stdin: impl Read) -> Result<Vec<Vec<u8>>, Failure> {
    let mut args = Vec::with_capacity(options.command.len() + 1);
    for arg in &options.command {
        args.push(if options.quoted_input {
            words::unquote(arg.as_bytes()).map_err(|_| Failure::Usage("Invalid quoted string".to_owned()))?
        } else {
            arg.as_bytes().to_vec()
        });
    }
    let mut read = || -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        stdin
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::Usage(format!("cannot read stdin: {}", without_code(&error))))?;
        Ok(bytes)
    };
    if options.stdin_last {
        args.push(read()?);
    } else if let Some(tag) = &options.stdin_tag {
        let Some(arg) = args.iter_mut().find(|arg| arg.as_slice() == tag.as_bytes()) else {
            return Err(Failure::Usage("no argument equals the tag of -X".to_owned()));
        };
        *arg = read()?;
    }
    Ok(args)
}

/// EVAL's arguments: a comma of its own stands between keys and the rest.
fn eval_arguments(script: Vec<u8>, command: &[OsString]) -> Vec<Vec<u8>> {
    let mut words = command.split(|word| word == ",");
    let keys = words.next().unwrap_or_default();
    let rest = command.get(keys.len() + 1..).unwrap_or_default();
    let mut args = vec![b"EVAL".to_vec(), script, keys.len().to_string().into_bytes()];
    args.extend(keys.iter().chain(rest).map(|word| word.clone().into_vec()));
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str, stdin: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
        let options = Options::parse_args(line.split(' ').map(OsString::from)).unwrap();
        arguments(&options, stdin)
    }

    #[test]
    fn arguments_may_come_from_stdin() {
        assert_eq!(args("set k v", b"in").unwrap(), [b"set", b"k".as_slice(), b"v"]);
        assert_eq!(args("-x set k", b"in\n").unwrap(), [b"set", b"k".as_slice(), b"in\n"]);
        assert_eq!(args("-X TAG set TAG v", b"in").unwrap(), [b"set", b"in".as_slice(), b"v"]);
        assert!(args("-X TAG set k v", b"in").is_err());
        assert_eq!(args(r#"--quoted-input get "a\x00" b"#, b"").unwrap(), [b"get", b"a\0".as_slice(), b"b"]);
        assert!(args(r#"--quoted-input get "a"#, b"").is_err());
    }

    #[test]
    fn a_comma_parts_keys_from_arguments() {
        let eval = |line: &str| {
            let command: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            let args = eval_arguments(b"return 1".to_vec(), &command);
            assert_eq!(args[..2], [b"EVAL".to_vec(), b"return 1".to_vec()]);
            args[2..]
                .iter()
                .map(|arg| String::from_utf8_lossy(arg).into_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(eval(""), "0");
        assert_eq!(eval("k1 k2"), "2 k1 k2");
        assert_eq!(eval("k1 k2 , a -1"), "2 k1 k2 a -1");
        assert_eq!(eval(", a , b"), "0 a , b");
    }
}
