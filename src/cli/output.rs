//! What goes to stdout and what to stderr.

use std::io::{IsTerminal, Write};

use clap::Args;
use console::AnsiCodeIterator;
use serde_json::Value;

use crate::error::Error;

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
}

impl Output {
    pub fn new(options: &Options) -> Self {
        Self { quiet: options.quiet, json: options.json }
    }

    /// Whether progress and notes are wanted.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether a person watches stderr.
    pub fn is_terminal(&self) -> bool {
        std::io::stderr().is_terminal()
    }

    /// The result: `text` for people, or `json` where that was asked for.
    pub fn result(&self, text: &str, json: &Value) {
        let line =
            if self.json { json.to_string() } else { plain(text, console::colors_enabled()) };
        // A reader that has gone away, such as `head`, is no error of ours.
        let _ = writeln!(std::io::stdout(), "{line}");
    }

    /// An error, on stderr; with `--json` also as the object on stdout.
    pub fn error(&self, error: &Error) {
        say(&format!("error: {error}"));
        if self.json {
            let code = error.kind().exit_code();
            let (message, help) = (error.message(), error.remedy());
            let object = serde_json::json!({ "error": message, "help": help, "exit_code": code });
            let _ = writeln!(std::io::stdout(), "{object}");
        }
    }
}

/// A line on stderr. A reader that has gone away is no error of ours.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", plain(line, false));
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
            _ if character.is_control() && character != '\t' => {
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
