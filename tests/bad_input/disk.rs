//! A disk that is full or a folder that goes away: the error names the file, what was there before is
//! as it was, and no file is half written under its name.

use std::path::PathBuf;

use crate::common::{Place, QUICK, finish, two_groups};
use crate::{limited, trained};

/// Runs a command that must fail, with the path in its error and every older file as it was.
fn fails(place: &Place, line: &str, limit: &str, path: &str) {
    let before = place.contents();
    let ran = finish(limited(place.command(line), limit));
    assert_eq!(ran.code, Some(1), "modescope {line}\n{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("error: writing {path}: ")), "{}", ran.stderr);
    let after = place.contents();
    for (name, content) in before {
        assert!(after.get(&name) == Some(&content), "modescope {line}: {}", name.display());
    }
    let is_leftover = |name: &PathBuf| name.to_string_lossy().contains(".modescope-");
    assert_eq!(after.keys().find(|name| is_leftover(name)), None, "modescope {line}");
}

/// No file may be longer than so many blocks of 512 bytes; past that a write fails, as on a full disk.
/// The signal that would come with it is left out.
fn full_after(blocks: usize) -> String {
    format!("trap '' XFSZ && ulimit -f {blocks}")
}

#[test]
fn a_full_disk_leaves_single_files_as_they_were() {
    let place = trained();
    for command in [
        "sample run --backend cpu -n 1000",
        "encode run my.csv --backend cpu",
        "tsne my.csv --labels kind --perplexity 5 --epochs 20",
    ] {
        fails(&place, &format!("{command} --out out.csv"), &full_after(1), "out.csv");
        assert!(!place.path("out.csv").exists());
        place.write("old.csv", "mine");
        fails(&place, &format!("{command} --force --out old.csv"), &full_after(1), "old.csv");
    }
    fails(&place, "mixture --rows 500 --out blobs", &full_after(8), "blobs/data.csv");
    place.write("more.csv", two_groups(&["a", "b", "c"], 60));
    let audit = "audit --real more.csv --generated more.csv --labels kind --out judged";
    fails(&place, audit, &full_after(4), "judged/audit.json");
    assert!(!place.path("judged/audit.md").exists());
}

#[test]
fn a_full_disk_leaves_a_run_that_can_be_resumed() {
    let place = Place::new();
    let line = format!("run --out run {QUICK}");
    // One file after another is the first that does not fit.
    for (blocks, file) in [(1, "config.toml"), (4, "data.csv"), (12, "samples.csv")] {
        let path = format!("run/{file}");
        let line = if blocks == 1 { line.clone() } else { format!("{line} --resume") };
        fails(&place, &line, &full_after(blocks), &path);
        assert!(!place.path(&path).exists());
    }
    place.succeed(&format!("{line} --resume"));
    let resumed = place.read("run/samples.csv");
    place.succeed(&line.replace("--out run", "--out whole"));
    assert_eq!(resumed, place.read("whole/samples.csv"));
}

#[test]
fn a_folder_that_cannot_be_written_into() {
    let place = trained();
    // Nobody, not even root, makes files there, which is found before what would be written is computed.
    for line in [
        "sample run --backend cpu -n 10 --out /proc/out.csv",
        "tsne my.csv --labels kind --epochs 100000000 --out /proc/new/out.csv",
        "audit --real my.csv --generated my.csv --labels kind --out /proc/new",
    ] {
        let ran = place.run(line);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(ran.stderr.contains("writing into /proc: "), "{}", ran.stderr);
    }
    let ran = place.run(&format!("run --out /proc/run {QUICK}"));
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("making /proc/run: "), "{}", ran.stderr);
}
