//! The one error type: what is wrong, and what to do about it.

use std::any::Any;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shorthand for results that fail with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Whose fault an [`Error`] is, which decides the exit code of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The run failed: a disk, a device, a defect of ours. Exit code 1.
    Failed,
    /// Bad usage or bad input: a file, an option, a setting. Exit code 2.
    Input,
    /// Training, or a model, produced a number that is not finite. Exit code 3.
    Diverged,
    /// A graphics device failed, or cannot do the job. Exit code 1.
    Device,
    /// The user stopped the run. Exit code 130.
    Interrupted,
}

impl Kind {
    /// The process exit code for this kind of error.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Failed | Kind::Device => 1,
            Kind::Input => 2,
            Kind::Diverged => 3,
            Kind::Interrupted => 130,
        }
    }
}

/// The remedy for a file of ours that cannot be used any more.
const DAMAGED: &str = "the file is damaged or of another version: put back a good copy, or make it again \
                       with the command that wrote it";

/// An error as a person reads it: a message that names the place, and a remedy where there is one.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    help: Option<String>,
}

impl Error {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None }
    }

    /// Bad usage or bad input.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(Kind::Input, message)
    }

    /// The work itself failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// Training, or what a model generates, left the finite numbers.
    pub fn diverged(message: impl Into<String>) -> Self {
        Self::new(Kind::Diverged, message)
    }

    /// A graphics device failed, or cannot do the job: the processor still can.
    pub fn device(message: impl Into<String>) -> Self {
        Self::new(Kind::Device, message).help("try again, or use --backend cpu")
    }

    /// The user asked to stop.
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::new(Kind::Interrupted, message)
    }

    /// An operating-system error while doing something (`"reading"`, `"writing"`) to a path.
    pub fn io(doing: &str, path: &Path, error: std::io::Error) -> Self {
        let said = Self::failed(format!("{doing} {}: {error}", path.display()));
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => said.help("check who may read and write there"),
            std::io::ErrorKind::StorageFull => said.help("make room on the disk"),
            _ => said,
        }
    }

    /// A file of ours that cannot be used any more.
    pub fn damaged(path: &Path, what: impl fmt::Display) -> Self {
        Self::input(format!("{}: {what}", path.display())).help(DAMAGED)
    }

    /// The same with the place that it was found in.
    #[must_use]
    pub fn within(self, place: &str) -> Self {
        Self { message: format!("{place}: {}", self.message), ..self }
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds what goes on from here, where it is an interrupt.
    #[must_use]
    pub fn help_if_interrupted(self, help: impl Into<String>) -> Self {
        match self.kind {
            Kind::Interrupted => self.help(help),
            _ => self,
        }
    }

    /// Whose fault it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is wrong, without the remedy.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The remedy, where one is known.
    pub fn remedy(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// Stops between two parts of long work where the user wants to.
///
/// # Errors
/// Where `interrupt` is set.
pub(crate) fn heed(interrupt: &AtomicBool) -> Result<()> {
    match interrupt.load(Ordering::Relaxed) {
        true => Err(Error::interrupted("stopped")),
        false => Ok(()),
    }
}

/// The message of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// The known name nearest to a mistyped one, for "did you mean" hints.
///
/// It is the only one that begins so, or else the nearest by the Damerau–Levenshtein distance; names
/// further than a third of their length, or than the typed one is long, are no suggestion.
pub(crate) fn nearest<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let known: Vec<&str> = known.into_iter().collect();
    let begins = |name: &&&str| name.to_lowercase().starts_with(&typed.to_lowercase());
    let mut longer = known.iter().filter(begins);
    if let (false, Some(only), None) = (typed.is_empty(), longer.next(), longer.next()) {
        return Some(only);
    }
    let furthest = |name: &str| 1 + name.len() / 3;
    // The distance of long texts takes long, and is at least what their lengths differ by.
    let apart = |name: &str| typed.chars().count().abs_diff(name.chars().count());
    known
        .into_iter()
        .filter(|name| apart(name) <= furthest(name))
        .map(|name| {
            (strsim::damerau_levenshtein(&typed.to_lowercase(), &name.to_lowercase()), name)
        })
        .filter(|(distance, name)| *distance <= furthest(name) && *distance < typed.chars().count())
        .min()
        .map(|(_, name)| name)
}
