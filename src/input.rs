//! Opening files that come from outside: what is no regular file is refused before a byte of it is read, and
//! settings that are longer than any can be.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::error::{Error, Result, heed};

/// Longest TOML file that is read. Settings take a few kilobytes, and TOML takes about a hundred times
/// its length in memory.
const LONGEST_TOML: u64 = 1 << 20;

/// Bytes that are hashed between two looks at whether to stop.
const HASHED_AT_ONCE: u64 = 1 << 26;

/// Whether a character of a name would break a line, turn its direction or command a terminal.
pub fn is_command(character: char) -> bool {
    let turns = ['\u{2028}'..='\u{202e}', '\u{2066}'..='\u{2069}'];
    character.is_control() || turns.iter().any(|of| of.contains(&character))
}

/// Opens a file for reading.
///
/// # Errors
/// Where there is no such file, it is a folder or a device, or the system refuses; the message names it.
pub fn open(path: &Path) -> Result<File> {
    let bad = |what: &str| Error::input(format!("{}: {what}", path.display()));
    let refused = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => bad("there is no such file")
            .help("check the path; it is relative to the current folder"),
        _ => bad(&error.to_string()).help("check the path and who may read it"),
    };
    // Before it is opened: opening a pipe would wait for its other end.
    let metadata = std::fs::metadata(path).map_err(refused)?;
    if metadata.is_dir() {
        return Err(bad("this is a folder").help("give the path of a file"));
    }
    if !metadata.is_file() {
        return Err(bad("this is not a regular file").help("save it to a file first"));
    }
    File::open(path).map_err(refused)
}

/// Reads a whole file.
///
/// # Errors
/// As [`open`], or where reading fails.
pub fn bytes(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes).map_err(|error| Error::io("reading", path, error))?;
    Ok(bytes)
}

/// The BLAKE3 hash of the bytes of files one after another, in hexadecimal.
///
/// # Errors
/// As [`bytes`], or where `stop` is set.
pub fn hash(files: &[PathBuf], stop: &AtomicBool) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    for path in files {
        let mut file = open(path)?;
        let mut left = true;
        while left {
            heed(stop)?;
            let before = hasher.count();
            hasher
                .update_reader(file.by_ref().take(HASHED_AT_ONCE))
                .map_err(|error| Error::io("reading", path, error))?;
            left = hasher.count() > before;
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Reads a whole file of text.
///
/// # Errors
/// As [`bytes`], or where it is not UTF-8.
pub fn text(path: &Path) -> Result<String> {
    String::from_utf8(bytes(path)?).map_err(|_| {
        Error::input(format!("{}: the text is not UTF-8", path.display()))
            .help("save the file as UTF-8")
    })
}

/// Reads a TOML file as text.
///
/// # Errors
/// As [`text`], or where it is longer than a mebibyte.
pub fn toml(path: &Path) -> Result<String> {
    let length = open(path)?.metadata().map_err(|error| Error::io("reading", path, error))?.len();
    if length > LONGEST_TOML {
        return Err(Error::input(format!(
            "{}: {length} bytes are too many for a file of settings",
            path.display()
        ))
        .help("`modescope recipes NAME` prints a file of settings to start from"));
    }
    text(path)
}
