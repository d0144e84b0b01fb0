//! What the server says of itself when it starts.

use std::io::{self, IsTerminal, Write};

use crate::config::Settings;
use crate::config::settings::{AppendFsync, LogFormat};
use crate::{VERSION, log};

/// Says who serves what and where: with a banner to a person at a terminal, in a line or two to a log.
/// `addresses` are those that the server listens on.
pub fn show(settings: &Settings, addresses: &[String]) {
    let terminal = io::stdout().is_terminal();
    if terminal {
        // That nobody can read it any more is no reason not to serve.
        let _ = io::stdout().write_all(banner(settings, addresses).as_bytes());
    }
    if settings.logfile.is_none() && terminal {
        // The log is right there.
    } else if settings.always_show_logo && settings.log_format == LogFormat::Legacy {
        log::raw(settings, &banner(settings, addresses));
    } else {
        tracing::info!(
            "Ebbtide {VERSION}, PID: {}, listening on {}",
            std::process::id(),
            addresses.join(", ")
        );
        tracing::info!("Data directory: {}. Persistence: {}", settings.dir.display(), persistence(settings));
    }
}

/// What becomes of the data when the process ends.
fn persistence(settings: &Settings) -> String {
    let synced = match settings.appendfsync {
        AppendFsync::EverySec => "synced every second",
        AppendFsync::Always => "synced before each reply",
        AppendFsync::No => "synced when the system likes",
    };
    let log = settings.appendonly.then(|| format!("append log, {synced}"));
    let points =
        settings.save.iter().map(|point| format!("{} changes in {} s", point.changes, point.after_s));
    let points = points.collect::<Vec<_>>().join(", ");
    let snapshots = (!points.is_empty()).then(|| format!("snapshots after {points}"));
    let all: Vec<String> = log.into_iter().chain(snapshots).collect();
    match all.is_empty() {
        true => "none, the data ends with the process unless a client saves it".into(),
        false => all.join("; "),
    }
}

fn banner(settings: &Settings, addresses: &[String]) -> String {
    let (version, pid) = (VERSION, std::process::id());
    let listening = addresses.join(", ");
    format!(
        "\n  Ebbtide {version} · PID: {pid}\n\
         \n  Listening    {listening}\
         \n  Data         {}\
         \n  Persistence  {}\
         \n  Connect      {}\n\n",
        settings.dir.display(),
        persistence(settings),
        connect(settings),
    )
}

/// The command that connects a client.
fn connect(settings: &Settings) -> String {
    let host = settings.bind.iter().map(|address| address.host.as_str()).find(|host| !host.contains('*'));
    let mut words = vec!["ebbtide cli".to_owned()];
    match (settings.port, &settings.unixsocket) {
        (0, Some(path)) => words.push(format!("-s {}", settings.path(path).display())),
        (port, _) => {
            words.extend(host.filter(|host| *host != "127.0.0.1").map(|host| format!("-h {host}")));
            words.extend((port != 6379).then(|| format!("-p {port}")));
        }
    }
    if !settings.requirepass.is_empty() {
        words.push("--askpass".into());
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::config::{ConfigStore, load};

    fn connect_with(args: &[&str]) -> String {
        connect(&ConfigStore::new(load(args.iter().map(OsString::from)).unwrap()).settings())
    }

    #[test]
    fn says_how_to_connect() {
        assert_eq!(connect_with(&[]), "ebbtide cli");
        assert_eq!(
            connect_with(&["--port", "7000", "--bind", "*", "10.0.0.1"]),
            "ebbtide cli -h 10.0.0.1 -p 7000"
        );
        assert_eq!(connect_with(&["--bind", "*", "--requirepass", "x"]), "ebbtide cli --askpass");
        assert_eq!(
            connect_with(&["--port", "0", "--unixsocket", "/tmp/e.sock"]),
            "ebbtide cli -s /tmp/e.sock"
        );
    }

    #[test]
    fn says_what_is_kept() {
        let with = |args: &[&str]| {
            persistence(&ConfigStore::new(load(args.iter().map(OsString::from)).unwrap()).settings())
        };
        assert!(with(&["--appendonly", "no", "--save", ""]).starts_with("none"));
        assert_eq!(
            with(&["--appendonly", "yes", "--appendfsync", "always", "--save", "60", "5"]),
            "append log, synced before each reply; snapshots after 5 changes in 60 s"
        );
    }

    #[test]
    fn the_banner_holds_address_pid_and_directory() {
        let config = ConfigStore::new(load(std::iter::empty()).unwrap());
        let text = banner(&config.settings(), &["127.0.0.1:6379".into(), "[::1]:6379".into()]);
        assert!(text.contains("127.0.0.1:6379, [::1]:6379"));
        assert!(text.contains(&format!(" PID: {}\n", std::process::id())));
        assert!(text.contains("ebbtide-data"));
    }
}
