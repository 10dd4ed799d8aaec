//! What goes to stdout and what to stderr.

use std::cell::RefCell;
use std::io::{self, ErrorKind, IsTerminal, Write};

use clap::Args;
use console::AnsiCodeIterator;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::input::is_command;

/// Characters of a line that are shown.
const LONGEST_LINE: usize = 2000;

/// Options that say how much is printed.
#[derive(Args)]
pub struct Options {
    /// Print errors and results only
    #[arg(long, global = true)]
    quiet: bool,
    /// Print one JSON object on stdout and nothing else there
    #[arg(long, global = true)]
    json: bool,
}

/// Where a command's words go: results to stdout, everything else to stderr.
pub struct Output {
    quiet: bool,
    json: bool,
    /// What became of writing the result, once there was one.
    written: RefCell<Option<io::Result<()>>>,
}

impl Output {
    pub fn new(options: &Options) -> Self {
        Self { quiet: options.quiet, json: options.json, written: RefCell::new(None) }
    }

    /// Whether progress and notes are wanted.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether a person watches stderr.
    pub fn is_terminal(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// The result: `text` for people, or `json` where that was asked for.
    pub fn result(&self, text: &str, json: &Value) {
        let line =
            if self.json { json.to_string() } else { plain(text, console::colors_enabled()) };
        self.written.replace(Some(write_line(&line)));
    }

    /// Checks that the result, if there was one, was written.
    ///
    /// # Errors
    /// That it was not; a reader that has gone away, such as `head`, is no error of ours.
    pub fn check(&self) -> Result<()> {
        match self.written.take() {
            Some(Err(error)) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Error::failed(format!("writing the result: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// An error, on stderr; with `--json` also as the object on stdout, unless a result is there already.
    pub fn error(&self, error: &Error) {
        say(&format!("error: {error}"));
        if self.json && self.written.borrow().is_none() {
            let code = error.kind().exit_code().into();
            write_error(error.message(), error.remedy(), code);
        }
    }
}

/// An error as the object on stdout.
pub fn write_error(message: &str, help: Option<&str>, code: i32) {
    let object = serde_json::json!({ "error": message, "help": help, "exit_code": code });
    let _ = write_line(&object.to_string());
}

fn write_line(line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}

/// A line on stderr. A reader that has gone away is no error of ours.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", plain(line, false));
}

/// What is wrong with the arguments, or the help that they ask for.
pub fn usage(error: &clap::Error) {
    // Where the reader has gone away there is nobody to tell.
    if !error.use_stderr() {
        let _ = error.print();
        return;
    }
    let colours = console::colors_enabled_stderr();
    let text = error.render();
    let text = if colours { text.ansi().to_string() } else { text.to_string() };
    let _ = write!(io::stderr(), "{}", plain(&text, colours));
}

/// Text as a terminal may show it: names and cells of a file are part of it, so control characters
/// are written out, and a line that would fill the screen is cut.
fn plain(text: &str, colours: bool) -> String {
    let mut plain = String::with_capacity(text.len());
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            plain.push('\n');
        }
        let mut room = LONGEST_LINE;
        for (part, is_code) in AnsiCodeIterator::new(line) {
            // Of what commands a terminal, colours alone are harmless.
            match colours && is_code && part.ends_with('m') {
                true => plain.push_str(part),
                false => push_plain(&mut plain, part, &mut room),
            }
        }
    }
    plain
}

fn push_plain(plain: &mut String, text: &str, room: &mut usize) {
    for character in text.chars() {
        match *room {
            0 => return,
            1 => plain.push('…'),
            _ if is_command(character) && character != '\t' => {
                plain.extend(character.escape_default());
            }
            _ => plain.push(character),
        }
        *room -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_reach_the_terminal_and_other_commands_do_not() {
        assert_eq!(plain("\u{1b}[32mgood\u{1b}[0m", true), "\u{1b}[32mgood\u{1b}[0m");
        assert_eq!(plain("\u{1b}[32mgood", false), "\\u{1b}[32mgood");
        assert_eq!(plain("a\u{1b}[2Jb\u{7}\n\tc", true), "a\\u{1b}[2Jb\\u{7}\n\tc");
        assert_eq!(plain(&"x".repeat(5000), true).chars().count(), LONGEST_LINE);
    }
}
