//! What the tests of the program share: a folder of their own to run it in.

// Each test program uses a part of it.
#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

/// Settings for the smallest job that still goes through every stage, on the CPU; with two latent units,
/// whose plane is drawn.
pub const QUICK: &str = "--set backend=cpu --epochs 3 --set model.hidden=[16,16] --set model.latent=2 \
     --set mixture.rows=120 --set samples=200 --set analysis.restarts=2 \
     --set analysis.max_clusters=4 --set analysis.perplexities=[5]";

/// Far above what any command here takes: a program that hangs fails its test.
pub const HANGS: Duration = Duration::from_secs(300);

/// An empty folder that the program runs in, removed at the end of the test.
pub struct Place {
    folder: TempDir,
    environment: Vec<(&'static str, &'static str)>,
}

/// What a process left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        Self::with_environment(&[])
    }

    pub fn with_environment(variables: &[(&'static str, &'static str)]) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: variables.to_vec() }
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: impl AsRef<Path>) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Writes a file and the folders that it lies in.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Everything in the folder, sorted: the bytes of files, `None` for folders and for links to
    /// nothing.
    pub fn contents(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        fn walk(folder: &Path, top: &Path, found: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(top).unwrap().to_owned();
                if path.is_dir() {
                    found.insert(name, None);
                    walk(&path, top, found);
                } else {
                    found.insert(name, std::fs::read(&path).ok());
                }
            }
        }
        let mut found = BTreeMap::new();
        walk(self.folder.path(), self.folder.path(), &mut found);
        found
    }

    /// The program with the arguments of `line`, which are separated by white space.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("modescope"));
        command.args(line.split_whitespace()).current_dir(self.folder.path());
        command.envs(self.environment.iter().copied());
        command
    }

    /// Runs a command to its end. Whatever it does, it neither panics nor colours what no terminal
    /// shows.
    pub fn run(&self, line: &str) -> Ran {
        finish(self.command(line))
    }

    /// Runs a command that must succeed.
    pub fn succeed(&self, line: &str) -> Ran {
        let ran = self.run(line);
        assert_eq!(ran.code, Some(0), "modescope {line}\n{}", ran.stderr);
        ran
    }
}

/// As [`Place::run`], for a command that the test has changed.
pub fn finish(command: Command) -> Ran {
    let output = assert_cmd::Command::from_std(command).timeout(HANGS).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ran = Ran {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    assert!(
        !ran.stderr.contains(['\x1b', '\r']) && !ran.stdout.contains(['\x1b', '\r']),
        "{ran:?}"
    );
    ran
}

/// Runs a command that must be refused for bad input, with every one of `words` in its error.
pub fn refused(place: &Place, line: &str, words: &[&str]) {
    refused_command(place, place.command(line), line, words);
}

/// As [`refused`], for a command that the test has changed.
pub fn refused_command(place: &Place, command: Command, line: &str, words: &[&str]) {
    let before = place.contents();
    let ran = finish(command);
    let stderr = &ran.stderr;
    assert_eq!(ran.code, Some(2), "modescope {line}\n{stderr}");
    assert_eq!(ran.stdout, "", "modescope {line}");
    for word in words.iter().chain(&["error: ", "\n  help: "]) {
        assert!(stderr.contains(word), "modescope {line}\nno {word:?} in: {stderr}");
    }
    let after = place.contents();
    for (name, content) in &after {
        assert!(before.get(name) == Some(content), "modescope {line} wrote {}", name.display());
    }
    assert_eq!(after.len(), before.len(), "modescope {line} removed something");
}

/// A CSV file of `rows` rows in two groups, with these feature columns and a label `kind`.
pub fn two_groups(columns: &[&str], rows: usize) -> String {
    let quoted = |name: &&str| format!("\"{}\"", name.replace('"', "\"\""));
    let header: Vec<String> = columns.iter().map(quoted).collect();
    let mut text = format!("{},kind\n", header.join(","));
    for row in 0..rows {
        for column in 0..columns.len() {
            // The golden ratio's multiples spread evenly and repeat nothing.
            let noise = (1.618_034 * (row * columns.len() + column) as f64).fract();
            write!(text, "{:.6},", 8.0 * (row % 2) as f64 + noise).unwrap();
        }
        writeln!(text, "{}", ["left", "right"][row % 2]).unwrap();
    }
    text
}

/// The files of a place, folders left out.
pub fn file_names(place: &Place) -> BTreeSet<PathBuf> {
    place
        .contents()
        .into_iter()
        .filter(|(_, bytes)| bytes.is_some())
        .map(|(name, _)| name)
        .collect()
}

/// When a file was last written.
pub fn modified(place: &Place, name: impl AsRef<Path>) -> SystemTime {
    std::fs::metadata(place.path(name)).unwrap().modified().unwrap()
}

/// The rows of a CSV file, header first.
pub fn rows(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// What must not depend on stops of a run: everything but times and pictures.
pub fn results(place: &Place, run: &str) -> Vec<(String, Vec<u8>)> {
    let names =
        ["model.safetensors", "model.json", "samples.csv", "latents.csv", "tsne.csv", "audit.json"];
    let bytes = |name: &str| std::fs::read(place.path(format!("{run}/{name}"))).unwrap();
    let mut all: Vec<_> = names.map(|name| (name.to_owned(), bytes(name))).into();
    all.push(("history.csv".into(), format!("{:?}", history(place, run)).into_bytes()));
    all
}

/// Whether a run has these [`results`].
pub fn assert_same(place: &Place, run: &str, expected: &[(String, Vec<u8>)]) {
    for (found, expected) in results(place, run).iter().zip(expected) {
        assert!(found == expected, "{} of {run} differs", found.0);
    }
}

/// The history without its seconds, which no two runs share.
pub fn history(place: &Place, run: &str) -> Vec<Vec<String>> {
    let mut rows = rows(&place.read(Path::new(run).join("history.csv")));
    assert_eq!(rows[0].last().unwrap(), "seconds");
    rows.iter_mut().for_each(|row| row.truncate(row.len() - 1));
    rows
}
