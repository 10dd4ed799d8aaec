//! Where commands write, and what they do not write over.

use std::path::{Path, PathBuf};

use crate::data::writable;
use crate::error::{Error, Result};
use crate::files::{check_writable, folder_of};

/// Checks that a table with these columns, and this one of labels, can be written to `path`: that its ending is
/// a format's, and that no file is there unless it may be replaced.
pub fn check_target(
    path: &Path,
    columns: &[String],
    label: Option<&str>,
    force: bool,
) -> Result<()> {
    check_free(path, force)?;
    writable(path, columns, label).map(drop)
}

/// Refuses to write over a file that is there, unless told to.
pub fn check_free(path: &Path, force: bool) -> Result<()> {
    if path.is_dir() {
        return Err(Error::input(format!("{} is a folder", path.display()))
            .help("give --out the name of a file"));
    }
    check_writable(folder_of(path))?;
    // A link counts although nothing is there that it points to.
    if path.symlink_metadata().is_ok() && !force {
        return Err(Error::input(format!("{} is already there", path.display()))
            .help("--force replaces it, --out names another"));
    }
    Ok(())
}

/// The folder of a run on `data` where none is named: `runs/NAME-RECIPE`.
pub fn default_out(data: Option<&Path>, recipe: &str) -> PathBuf {
    let stem = data.and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    Path::new("runs").join(format!("{}-{recipe}", stem.as_deref().unwrap_or("mixture")))
}
