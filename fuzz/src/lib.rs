//! What the targets share: files in memory for readers that take paths.

use std::path::Path;
use std::sync::LazyLock;

use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    made.expect("a temporary folder")
});

/// Writes files with these names and contents into one folder and hands that to `read`.
pub fn with_files(files: &[(&str, &[u8])], read: impl FnOnce(&Path)) {
    for (name, content) in files {
        std::fs::write(FOLDER.path().join(name), content).expect("a temporary file");
    }
    read(FOLDER.path());
}

/// Reads a table, as it is and with the options that readers have more code for.
pub fn read_table(name: &str, content: &[u8]) {
    use modescope::data::{ReadOptions, read};
    let labelled = |label: &str| ReadOptions {
        labels: Some(label.into()),
        drop_missing: true,
        ..ReadOptions::default()
    };
    with_files(&[(name, content)], |folder| {
        for options in [ReadOptions::default(), labelled("kind"), labelled("x1")] {
            let _ = read(&folder.join(name), &options);
        }
    });
}
