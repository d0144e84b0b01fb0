//! The prompt: reads lines, from a person or from a script on stdin, and runs them.

mod completion;
mod editor;
mod line;

use std::io::{self, BufRead};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::address::Address;
use crate::catalog::Catalog;
use crate::failure::Failure;
use crate::interrupts::Interrupts;
use crate::oneshot;
use crate::output::{self, Format};
use crate::session::{Session, tell};
use editor::Editor;
pub(crate) use editor::read_password;
use line::Line;

/// A command that takes so long tells how long it took.
const SLOW: Duration = Duration::from_millis(500);

/// Talks with a person until they leave. Failures are told, and the prompt comes again.
///
/// # Errors
/// The terminal fails.
pub(crate) fn on_terminal(session: &mut Session, interval: Duration) -> Result<(), Failure> {
    session.errors_fail = false;
    session.interrupts = Some(Interrupts::listen()?);
    let mut editor = Editor::new(session.style.paint)?;
    if let Err(failure) = session.connect() {
        tell(&failure);
    }
    let mut catalog_generation = 0;
    loop {
        if session.is_connected() && session.generation != catalog_generation {
            catalog_generation = session.generation;
            load_catalog(session, &mut editor);
        }
        let Some(text) = editor.read_line(&session.prompt())? else { return Ok(()) };
        let line = Line::parse(text.as_bytes());
        if !matches!(&line, Line::Empty)
            && !matches!(&line, Line::Command { args, .. } if line::is_secret(args))
        {
            editor.remember(&text);
        }
        match line {
            Line::Quit => return Ok(()),
            Line::Clear => editor.clear_screen()?,
            Line::Hints(hints) => editor.set_hints(hints),
            line => {
                let start = Instant::now();
                let ran = run(session, line, interval);
                let slow = ran.is_ok() && start.elapsed() >= SLOW;
                after(session, ran)?;
                if slow && session.style.format == Format::Text {
                    output::print(format!("({:.2}s)\n", start.elapsed().as_secs_f64()))?;
                }
            }
        }
    }
}

/// Runs the lines of stdin, one after the other.
///
/// # Errors
/// The server cannot be reached; with `-e`, a command is answered with an error.
pub(crate) fn on_stdin(session: &mut Session, interval: Duration) -> Result<(), Failure> {
    session.connect()?;
    let mut stdin = io::stdin().lock();
    let mut text = Vec::new();
    while stdin.read_until(b'\n', &mut text)? > 0 {
        match Line::parse(&text) {
            Line::Quit => break,
            Line::Clear | Line::Hints(_) => {}
            line => run(session, line, interval)?,
        }
        text.clear();
    }
    Ok(())
}

fn run(session: &mut Session, line: Line, interval: Duration) -> Result<(), Failure> {
    match line {
        Line::Help(topic) => oneshot::help(session, &topic),
        Line::Connect { host, port } => {
            session.move_to(Address::Tcp(host, port));
            session.connect()
        }
        Line::Command { args, times } => session.run(&args, times, interval),
        Line::Invalid(why) => output::print(format!("{why}\n")),
        Line::Empty | Line::Quit | Line::Clear | Line::Hints(_) => Ok(()),
    }
}

/// Tells a failure. After Ctrl-C, which has cost the connection, there is a new one at once.
fn after(session: &mut Session, ran: Result<(), Failure>) -> Result<(), Failure> {
    match ran {
        Ok(()) => {}
        Err(failure @ Failure::Output(_)) => return Err(failure),
        Err(Failure::Interrupted) => {
            output::print(b"\n")?;
            if let Err(failure) = session.connect() {
                tell(&failure);
            }
        }
        Err(failure) => tell(&failure),
    }
    Ok(())
}

/// A server that refuses leaves the prompt without completion, until a login or a new connection.
fn load_catalog(session: &mut Session, editor: &mut Editor) {
    match Catalog::load(session) {
        Ok(catalog) => editor.set_catalog(Rc::new(catalog)),
        Err(failure) => {
            session.disconnect();
            tell(&failure);
        }
    }
}
