//! What goes to stdout and what to stderr.

use std::io::{IsTerminal, Write};

use clap::Args;
use serde_json::Value;

use crate::error::Error;

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
        let line = if self.json { json.to_string() } else { text.to_owned() };
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
    let _ = writeln!(std::io::stderr(), "{line}");
}
