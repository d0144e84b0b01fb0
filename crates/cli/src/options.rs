//! The command line of `ebbtide cli`.
//!
//! Options stand before the command; from the first word that is no option on, everything belongs to the
//! command, whatever it looks like.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser, ValueEnum};

use crate::address::ServerArgs;

const EXAMPLES: &str = "\
Examples:
  ebbtide cli set greeting hello ex 60
  ebbtide cli -x set page < page.html
  ebbtide cli --raw -D '' dump key | ebbtide cli -X blob restore copy 0 blob
  ebbtide cli -r 10 -i 1 info stats
  ebbtide cli --scan --pattern 'user:*'
  ebbtide cli --eval script.lua key1 key2 , arg1 arg2
  ebbtide cli --pipe < commands.resp

Without a command, a prompt is opened; type `help` there.
Exit status: 0; 1 when the server cannot be reached, on a bad option, or with -e when a command fails.
EBBTIDE_AUTH or REDISCLI_AUTH hold a password, EBBTIDECLI_HISTFILE names the history's file, NO_COLOR turns
colours off.";

/// What the command line says.
#[derive(Parser, Clone, Debug)]
#[command(
    name = "ebbtide cli",
    version,
    about = "Talks to a server: one command, a prompt, or a tool for a whole keyspace.",
    override_usage = "ebbtide cli [OPTIONS] [command [arg ...]]",
    after_help = EXAMPLES,
    disable_help_flag = true,
    disable_version_flag = true,
    args_override_self = true
)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Ask for the password, without showing it
    #[arg(long, help_heading = "Connection")]
    pub(crate) askpass: bool,
    /// Database number
    #[arg(short = 'n', value_name = "db", help_heading = "Connection")]
    pub(crate) db: Option<u32>,
    /// Speak RESP2
    #[arg(short = '2', help_heading = "Connection", conflicts_with = "resp3")]
    pub(crate) resp2: bool,
    /// Speak RESP3
    #[arg(short = '3', help_heading = "Connection")]
    pub(crate) resp3: bool,
    /// Follow MOVED and ASK to other nodes of a cluster
    #[arg(short = 'c', help_heading = "Connection", conflicts_with = "socket")]
    pub(crate) cluster: bool,
    /// Do not warn about a password in the options
    #[arg(long, help_heading = "Connection")]
    pub(crate) no_auth_warning: bool,
    /// Tell on stderr about connections made
    #[arg(long, help_heading = "Connection")]
    pub(crate) verbose: bool,

    /// Plain output, as is when stdout is no terminal
    #[arg(long, help_heading = "Output")]
    pub(crate) raw: bool,
    /// Typed output, as on a terminal
    #[arg(long, help_heading = "Output", overrides_with = "raw")]
    pub(crate) no_raw: bool,
    /// Output as JSON; asks for RESP3 unless -2 is given
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// As --json, with other bytes than printable ASCII escaped as in typed output
    #[arg(long, help_heading = "Output")]
    pub(crate) quoted_json: bool,
    /// Output as CSV
    #[arg(long, help_heading = "Output")]
    pub(crate) csv: bool,
    /// Between the elements of a plain reply [default: newline]
    #[arg(short = 'd', value_name = "delimiter", help_heading = "Output", allow_hyphen_values = true)]
    pub(crate) element_delimiter: Option<OsString>,
    /// After a plain reply [default: newline]
    #[arg(short = 'D', value_name = "delimiter", help_heading = "Output", allow_hyphen_values = true)]
    pub(crate) reply_delimiter: Option<OsString>,
    /// Whether to print push messages of RESP3 [default: yes on a terminal]
    #[arg(long, value_name = "yes|no", help_heading = "Output")]
    pub(crate) show_pushes: Option<YesNo>,
    /// Exit with status 1 when the reply is an error
    #[arg(short = 'e', help_heading = "Output")]
    pub(crate) error_status: bool,

    /// Repeat the command this many times (-1: for ever); with --stat, print so many lines
    #[arg(short = 'r', value_name = "times", help_heading = "Command", allow_negative_numbers = true)]
    pub(crate) repeat: Option<i64>,
    /// Wait between repetitions, reports of --stat and --latency, and parts of a --scan
    #[arg(short = 'i', value_name = "seconds", help_heading = "Command", value_parser = seconds)]
    pub(crate) interval: Option<Duration>,
    /// Take the command's last argument from stdin
    #[arg(short = 'x', help_heading = "Command", conflicts_with = "stdin_tag")]
    pub(crate) stdin_last: bool,
    /// Take the argument that equals this tag from stdin
    #[arg(short = 'X', value_name = "tag", help_heading = "Command", allow_hyphen_values = true)]
    pub(crate) stdin_tag: Option<OsString>,
    /// Resolve quotes and escapes in arguments that start with a quote
    #[arg(long, help_heading = "Command")]
    pub(crate) quoted_input: bool,
    /// Run a Lua script; its keys and arguments follow, parted by a comma
    #[arg(long, value_name = "file", help_heading = "Command")]
    pub(crate) eval: Option<PathBuf>,

    /// Send stdin, commands in the protocol's own form, and count the replies
    #[arg(long, help_heading = "Tools")]
    pub(crate) pipe: bool,
    /// With --pipe: give up when no reply comes for so long (0: never)
    #[arg(long, value_name = "seconds", help_heading = "Tools", default_value_t = 30)]
    pub(crate) pipe_timeout: u64,
    /// List the keys
    #[arg(long, help_heading = "Tools")]
    pub(crate) scan: bool,
    /// Only keys that match, with --scan and the tools that look for keys
    #[arg(long, value_name = "glob", help_heading = "Tools", allow_hyphen_values = true)]
    pub(crate) pattern: Option<OsString>,
    /// As --pattern, with quotes and escapes resolved
    #[arg(long, value_name = "glob", help_heading = "Tools", overrides_with = "pattern")]
    pub(crate) quoted_pattern: Option<OsString>,
    /// How many keys to ask for at a time
    #[arg(long, value_name = "keys", help_heading = "Tools", default_value_t = 10)]
    pub(crate) count: u32,
    /// Only keys of this type
    #[arg(long = "type", value_name = "type", help_heading = "Tools")]
    pub(crate) key_type: Option<OsString>,
    /// Find the keys with most elements
    #[arg(long, help_heading = "Tools")]
    pub(crate) bigkeys: bool,
    /// Find the keys that take most memory
    #[arg(long, help_heading = "Tools")]
    pub(crate) memkeys: bool,
    /// As --memkeys, looking at so many elements of each key
    #[arg(long, value_name = "elements", help_heading = "Tools")]
    pub(crate) memkeys_samples: Option<u64>,
    /// Find the keys most used; other servers than Ebbtide need an LFU maxmemory-policy for it
    #[arg(long, help_heading = "Tools")]
    pub(crate) hotkeys: bool,
    /// Print a line about the server each second
    #[arg(long, help_heading = "Tools")]
    pub(crate) stat: bool,
    /// Measure how long PING takes
    #[arg(long, help_heading = "Tools")]
    pub(crate) latency: bool,
    /// As --latency, a line for each 15 seconds or interval
    #[arg(long, help_heading = "Tools")]
    pub(crate) latency_history: bool,
    /// As --latency, as a spectrum of colours for each second or interval
    #[arg(long, help_heading = "Tools")]
    pub(crate) latency_dist: bool,
    /// Measure for so long how much this machine disturbs a program that only computes
    #[arg(long, value_name = "seconds", help_heading = "Tools")]
    pub(crate) intrinsic_latency: Option<u64>,

    /// Print this
    #[arg(long, action = ArgAction::Help, help_heading = "About")]
    help: Option<bool>,
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version, help_heading = "About")]
    version: Option<bool>,

    /// The command and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub(crate) command: Vec<OsString>,
}

/// A choice spelled out.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[value(rename_all = "lower")]
pub(crate) enum YesNo {
    #[value(alias = "y")]
    Yes,
    #[value(alias = "n")]
    No,
}

/// What the program is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Latency,
    LatencyHistory,
    LatencyDist,
    IntrinsicLatency(Duration),
    Pipe,
    BigKeys,
    MemKeys,
    HotKeys,
    Stat,
    Scan,
    Eval,
    Prompt,
    Command,
}

impl Options {
    /// Reads the arguments after `ebbtide cli`.
    ///
    /// # Errors
    /// Clap's: a bad option, or `--help` and `--version`, whose text is the error.
    pub(crate) fn parse_args(args: impl IntoIterator<Item = OsString>) -> Result<Options, clap::Error> {
        let options = Options::try_parse_from([OsString::from("ebbtide cli")].into_iter().chain(args))?;
        // A trailing argument may look like anything, so clap takes an unknown option for the command.
        if let Some(first) = options.command.first()
            && options.eval.is_none()
            && first.as_encoded_bytes().starts_with(b"-")
        {
            let text = format!("unknown option '{}'; see ebbtide cli --help\n", first.to_string_lossy());
            return Err(clap::Error::raw(clap::error::ErrorKind::UnknownArgument, text));
        }
        Ok(options)
    }

    /// The tool that is asked for; the first of this order when there are several.
    pub(crate) fn mode(&self) -> Mode {
        let asked = [
            (self.latency_history, Mode::LatencyHistory),
            (self.latency, Mode::Latency),
            (self.latency_dist, Mode::LatencyDist),
            (self.pipe, Mode::Pipe),
            (self.bigkeys, Mode::BigKeys),
            (self.memkeys || self.memkeys_samples.is_some(), Mode::MemKeys),
            (self.hotkeys, Mode::HotKeys),
            (self.stat, Mode::Stat),
            (self.scan, Mode::Scan),
        ];
        if let Some((_, mode)) = asked.into_iter().find(|(asked, _)| *asked) {
            return mode;
        }
        match self.intrinsic_latency {
            Some(seconds) => Mode::IntrinsicLatency(Duration::from_secs(seconds)),
            None if self.eval.is_some() => Mode::Eval,
            None if self.command.is_empty() => Mode::Prompt,
            None => Mode::Command,
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, clap::Error> {
        Options::parse_args(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Options::command().debug_assert();
    }

    #[test]
    fn everything_after_the_command_belongs_to_it() {
        let options = parse("-h 10.0.0.1 -p 7 -n 3 set -a --raw -1 -- --help").unwrap();
        assert_eq!(options.server.host.as_deref(), Some("10.0.0.1"));
        assert_eq!((options.server.port, options.db), (Some(7), Some(3)));
        assert_eq!(options.command, ["set", "-a", "--raw", "-1", "--", "--help"]);
        assert!(!options.raw && options.server.password.is_none());
        assert_eq!(options.mode(), Mode::Command);
    }

    #[test]
    fn values_may_look_like_options() {
        let options = parse("-a -secret -d -- -r -1 -i 0.25 --pattern -* ping").unwrap();
        assert_eq!(options.server.password.as_deref(), Some("-secret"));
        assert_eq!(options.element_delimiter.as_deref(), Some("--".as_ref()));
        assert_eq!((options.repeat, options.interval), (Some(-1), Some(Duration::from_millis(250))));
        assert_eq!(options.pattern.as_deref(), Some("-*".as_ref()));
        assert_eq!(options.command, ["ping"]);
    }

    #[test]
    fn a_later_option_wins() {
        let options = parse("-p 1 -p 2 --raw --no-raw --pass a -a b").unwrap();
        assert_eq!(options.server.port, Some(2));
        assert_eq!(options.server.password.as_deref(), Some("b"));
        assert!(options.no_raw && !options.raw);
        assert_eq!(options.mode(), Mode::Prompt);
    }

    #[test]
    fn modes() {
        let cases = [
            ("--latency", Mode::Latency),
            ("--latency --latency-history", Mode::LatencyHistory),
            ("--latency-dist", Mode::LatencyDist),
            ("--intrinsic-latency 2", Mode::IntrinsicLatency(Duration::from_secs(2))),
            ("--pipe --pipe-timeout 0", Mode::Pipe),
            ("--bigkeys -i 0.1", Mode::BigKeys),
            ("--memkeys", Mode::MemKeys),
            ("--memkeys-samples 5", Mode::MemKeys),
            ("--hotkeys", Mode::HotKeys),
            ("--stat", Mode::Stat),
            ("--scan --pattern a* --count 100 --type hash", Mode::Scan),
            ("--eval f.lua k , -1", Mode::Eval),
            ("", Mode::Prompt),
            ("get k", Mode::Command),
        ];
        for (line, mode) in cases {
            assert_eq!(parse(line).unwrap().mode(), mode, "{line}");
        }
    }

    #[test]
    fn bad_command_lines_are_refused() {
        let cases = [
            "--nosuch ping",
            "-Z ping",
            "-p",
            "-p x ping",
            "-p 70000 ping",
            "-n -1 ping",
            "-2 -3 ping",
            "-x -X t get t",
            "-c -s /tmp/s ping",
            "-i nan ping",
            "-i -1 ping",
            "--show-pushes maybe ping",
            "--count x --scan",
        ];
        for line in cases {
            assert!(parse(line).is_err(), "{line}");
        }
        assert_eq!(parse("--version").unwrap_err().kind(), clap::error::ErrorKind::DisplayVersion);
        let help = parse("--help").unwrap_err();
        assert_eq!(help.kind(), clap::error::ErrorKind::DisplayHelp);
        assert!(help.to_string().contains("-h <host>"));
        assert_eq!(parse("--show-pushes n ping").unwrap().show_pushes, Some(YesNo::No));
    }
}
