//! Writing files so that nothing is ever half written: beside the target, then renamed over it.

use std::fs::{File, TryLockError};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::input;

/// How the names of files begin that are being written.
const UNFINISHED: &str = ".modescope-";
/// Time after which nobody writes to such a file any more.
pub const ABANDONED: Duration = Duration::from_secs(86_400);

/// Writes a file through `write` into a temporary file in the same folder, syncs it, renames it
/// to `path` and syncs the folder, which must be there: one that was taken away while work went on
/// is not made again. On any error the file that was there before is untouched.
///
/// # Errors
/// What `write` returns, a folder that is not there, or the operating system's error with the path.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>,
) -> Result<()> {
    let io = |error| Error::io("writing", path, error);
    let folder = folder_of(path);
    if !folder.is_dir() {
        let (file, folder) = (path.display(), folder.display());
        return Err(Error::failed(format!("writing {file}: its folder {folder} is not there"))
            .help("was it moved or removed while this went on?"));
    }
    let mut builder = tempfile::Builder::new();
    // The mode is masked by the umask, as for a file made by `File::create`.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.prefix(UNFINISHED).tempfile_in(folder).map_err(|e| io(unnamed(e)))?;
    let mut buffer = BufWriter::new(file.as_file_mut());
    write(&mut buffer)?;
    buffer.flush().map_err(io)?;
    drop(buffer);
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    // The new name is on the disk only when its folder is.
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    Ok(())
}

/// [`write_atomically`] for content that is already in memory.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically(path, |file| file.write_all(bytes).map_err(|e| Error::io("writing", path, e)))
}

/// Writes records as CSV with a header, by [`write_atomically`].
///
/// # Errors
/// As [`write_atomically`].
pub fn write_records(path: &Path, records: impl IntoIterator<Item = impl Serialize>) -> Result<()> {
    write_atomically(path, |file| {
        let mut writer = csv::Writer::from_writer(file);
        for record in records {
            writer.serialize(record).map_err(|error| Error::io("writing", path, error.into()))?;
        }
        writer.flush().map_err(|error| Error::io("writing", path, error))
    })
}

/// Reads what [`write_records`] wrote.
///
/// # Errors
/// Where the file is missing or holds other records.
pub fn read_records<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let wrong = |error: csv::Error| Error::damaged(path, error);
    let mut reader = csv::Reader::from_reader(input::open(path)?);
    reader.deserialize().map(|row| row.map_err(wrong)).collect()
}

/// Writes a value as JSON, by [`write_atomically`].
///
/// # Errors
/// As [`write_atomically`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::failed(format!("encoding {}: {error}", path.display())))?;
    bytes.push(b'\n');
    write_bytes(path, &bytes)
}

/// Reads a value from JSON that the program wrote.
///
/// # Errors
/// Where the file is missing or does not hold such a value.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_slice(&input::bytes(path)?).map_err(|error| Error::damaged(path, error))
}

/// Takes a lock file, making it where it is absent, until what is returned is dropped or the process
/// ends; `what` is what it guards.
///
/// # Errors
/// Where another process holds it, or it cannot be opened.
pub fn lock(path: &Path, what: &str) -> Result<File> {
    check_lock(path)?;
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    let lock = options.open(path).map_err(|error| Error::io("opening", path, error))?;
    locked(lock.try_lock(), path, what)?;
    Ok(lock)
}

/// As [`lock`], together with others that only read; nothing where there is no lock file, or none that
/// this user may open.
///
/// # Errors
/// As [`lock`].
pub fn lock_to_read(path: &Path, what: &str) -> Result<Option<File>> {
    check_lock(path)?;
    match File::open(path) {
        Ok(lock) => locked(lock.try_lock_shared(), path, what).map(|()| Some(lock)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
            Ok(None)
        }
        Err(error) => Err(Error::io("opening", path, error)),
    }
}

/// Refuses a lock file that is something else. In a folder from outside it may be anything: opening a pipe
/// would wait for its other end, and a link leads elsewhere.
fn check_lock(path: &Path) -> Result<()> {
    match path.symlink_metadata().is_ok_and(|there| !there.is_file()) {
        true => Err(Error::input(format!("{} is no regular file", path.display()))
            .help("remove it: it is there to keep two processes from writing at once")),
        false => Ok(()),
    }
}

fn locked(tried: std::result::Result<(), TryLockError>, path: &Path, what: &str) -> Result<()> {
    match tried {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            Err(Error::input(format!("another process is writing to {what}"))
                .help("wait for it to end, or choose another folder with --out"))
        }
        Err(TryLockError::Error(error)) => Err(Error::io("locking", path, error)),
    }
}

/// Removes what has been begun in a folder at least so long ago, and was not finished.
///
/// # Errors
/// Where the operating system refuses.
pub fn remove_unfinished(folder: &Path, least_age: Duration) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io("reading", folder, e))?;
    let is_abandoned = |entry: &std::fs::DirEntry| {
        let file = entry.metadata().ok().filter(std::fs::Metadata::is_file);
        let age = file.and_then(|file| file.modified().ok()?.elapsed().ok());
        entry.file_name().to_string_lossy().starts_with(UNFINISHED)
            && age.is_some_and(|age| age >= least_age)
    };
    for path in entries.flatten().filter(is_abandoned).map(|entry| entry.path()) {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::io("removing", &path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The folder that a file lies in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a folder and those above it, where they are absent.
///
/// # Errors
/// The operating system's error with the path.
pub fn make_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| Error::io("making", path, error))
}

/// Makes the folder that a file is to lie in, where it is absent.
///
/// # Errors
/// The operating system's error with the path.
pub fn make_folder_of(path: &Path) -> Result<()> {
    make_folder(folder_of(path))
}

/// Refuses to write into what is no folder, or lies in no folder.
///
/// # Errors
/// Where there is something else of the name.
pub fn check_folder(path: &Path) -> Result<()> {
    match path.ancestors().find(|above| above.exists() && !above.is_dir()) {
        Some(file) => {
            Err(Error::input(format!("{} is a file", file.display()))
                .help("give the name of a folder"))
        }
        None => Ok(()),
    }
}

/// Refuses a folder, there or yet to be made, that no file can be written into.
///
/// # Errors
/// As [`check_folder`], or where the operating system refuses to write.
pub fn check_writable(path: &Path) -> Result<()> {
    check_folder(path)?;
    let there = path.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("."));
    let begun = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(there);
    begun.map(drop).map_err(|error| Error::io("writing into", there, unnamed(error)))
}

/// The error without the name of the temporary file, which tempfile puts behind it.
fn unnamed(error: std::io::Error) -> std::io::Error {
    let text = error.to_string();
    let what = text.split(" at path ").next().unwrap_or_default();
    std::io::Error::new(error.kind(), what)
}
