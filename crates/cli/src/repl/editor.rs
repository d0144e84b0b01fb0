//! The line editor of the prompt: history, completion with Tab, hints.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustyline::completion::{Completer, Pair};
use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{ColorMode, CompletionType, Config, Context, Helper};

use crate::catalog::Catalog;
use crate::failure::Failure;
use crate::output::{Paint, Tone};
use crate::repl::completion;

/// Lines that the history keeps.
const HISTORY_LINES: usize = 1000;
/// The variable that names the history's file; `/dev/null` keeps none.
const HISTORY_VARIABLE: &str = "EBBTIDECLI_HISTFILE";
const HISTORY_FILE: &str = ".ebbtidecli_history";

/// Reads lines from the terminal.
pub(crate) struct Editor {
    editor: rustyline::Editor<Assistant, FileHistory>,
    history_file: Option<PathBuf>,
}

impl Editor {
    /// An editor with the history of earlier sessions.
    ///
    /// # Errors
    /// The terminal cannot be used.
    pub(crate) fn new(paint: Paint) -> Result<Editor, Failure> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .max_history_size(HISTORY_LINES)
            .and_then(|config| config.history_ignore_dups(true))
            .map_err(unusable)?
            .auto_add_history(false)
            // Lines pasted together are commands of their own, and none is lost: rustyline has its feature
            // `buffer-redux` on, with which it keeps what it has read ahead.
            .bracketed_paste(false)
            .build();
        let mut editor = rustyline::Editor::with_config(config).map_err(unusable)?;
        editor.set_helper(Some(Assistant { catalog: Rc::default(), hints: true, paint }));
        let history_file = history_file(|name| std::env::var_os(name).map(PathBuf::from));
        if let Some(file) = &history_file {
            // A first session has none.
            let _ = editor.load_history(file);
        }
        Ok(Editor { editor, history_file })
    }

    /// The next line; `None` at the end of the input and after Ctrl-C.
    pub(crate) fn read_line(&mut self, prompt: &str) -> Result<Option<String>, Failure> {
        match self.editor.readline(prompt) {
            Ok(line) => Ok(Some(line)),
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => Ok(None),
            Err(error) => Err(unusable(error)),
        }
    }

    /// Keeps a line, in the file too. A file that cannot be written is no reason to disturb anybody.
    pub(crate) fn remember(&mut self, line: &str) {
        let added = self.editor.add_history_entry(line);
        if let (Ok(true), Some(file)) = (added, &self.history_file) {
            let _ = self.editor.append_history(file);
        }
    }

    /// Clears the screen.
    pub(crate) fn clear_screen(&mut self) -> Result<(), Failure> {
        self.editor.clear_screen().map_err(unusable)
    }

    /// Completes and hints from now on by this catalog.
    pub(crate) fn set_catalog(&mut self, catalog: Rc<Catalog>) {
        if let Some(assistant) = self.editor.helper_mut() {
            assistant.catalog = catalog;
        }
    }

    /// Shows hints or not.
    pub(crate) fn set_hints(&mut self, hints: bool) {
        if let Some(assistant) = self.editor.helper_mut() {
            assistant.hints = hints;
        }
    }
}

fn unusable(error: ReadlineError) -> Failure {
    Failure::Usage(format!("cannot read the terminal: {error}"))
}

fn history_file(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let file = variable(HISTORY_VARIABLE).or_else(|| Some(variable("HOME")?.join(HISTORY_FILE)));
    file.filter(|file| file != Path::new("/dev/null") && !file.as_os_str().is_empty())
}

/// Reads a password from the terminal, shown as blanks.
pub(crate) fn read_password(prompt: &str) -> Result<String, Failure> {
    let mut editor = rustyline::Editor::<Mask, FileHistory>::new().map_err(unusable)?;
    editor.set_helper(Some(Mask));
    editor.set_auto_add_history(false);
    // Without colours no highlighter is asked, and it is the highlighter that hides the password.
    editor.set_color_mode(ColorMode::Forced);
    match editor.readline(prompt) {
        Ok(password) => Ok(password),
        Err(ReadlineError::Eof | ReadlineError::Interrupted) => Err(Failure::Interrupted),
        Err(ReadlineError::Io(error)) => Err(Failure::System(error)),
        Err(error) => Err(unusable(error)),
    }
}

/// Helps with a line by the catalog.
struct Assistant {
    catalog: Rc<Catalog>,
    hints: bool,
    paint: Paint,
}

impl Helper for Assistant {}

impl Validator for Assistant {}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, words) = completion::candidates(&self.catalog, line.get(..pos).unwrap_or(line));
        let pairs = words.into_iter().map(|word| Pair { replacement: format!("{word} "), display: word });
        Ok((start, pairs.collect()))
    }
}

/// Text that is shown but cannot be taken over into the line.
struct Arguments(String);

impl Hint for Arguments {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Hinter for Assistant {
    type Hint = Arguments;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<Arguments> {
        if !self.hints || pos < line.len() {
            return None;
        }
        completion::hint(&self.catalog, line).map(Arguments)
    }
}

impl Highlighter for Assistant {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.paint.is_on() {
            Cow::Owned(self.paint.text(Tone::Dim, hint))
        } else {
            // Faint is no colour, and without it hints would look like what was typed.
            Cow::Owned(format!("\x1b[2m{hint}\x1b[0m"))
        }
    }
}

/// Shows nothing of what is typed.
struct Mask;

impl Helper for Mask {}

impl Validator for Mask {}

impl Completer for Mask {
    type Candidate = String;
}

impl Hinter for Mask {
    type Hint = String;
}

impl Highlighter for Mask {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        Cow::Owned(" ".repeat(line.chars().count()))
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        kind != CmdKind::MoveCursor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_has_a_file() {
        let with = |file: Option<&str>, home: Option<&str>| {
            history_file(|name| if name == HISTORY_VARIABLE { file } else { home }.map(PathBuf::from))
        };
        assert_eq!(with(None, Some("/home/x")), Some("/home/x/.ebbtidecli_history".into()));
        assert_eq!(with(Some("/tmp/h"), Some("/home/x")), Some("/tmp/h".into()));
        assert_eq!(with(Some("/dev/null"), Some("/home/x")), None);
        assert_eq!(with(None, None), None);
    }
}
