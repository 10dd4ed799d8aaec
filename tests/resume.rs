//! Runs that were stopped, killed or went wrong, and what becomes of them.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::{Place, QUICK, assert_same, file_names, modified, results, two_groups};

#[test]
fn resuming_a_finished_run_changes_nothing() {
    let place = Place::new();
    place.succeed(&format!("run --out run {QUICK}"));
    let is_lock = |name: &PathBuf| name.ends_with(".lock");
    let products: Vec<PathBuf> =
        file_names(&place).into_iter().filter(|name| !is_lock(name)).collect();
    let times = || products.iter().map(|name| modified(&place, name)).collect::<Vec<_>>();
    let (before, before_times) = (place.contents(), times());
    // By another backend and engine, or with other checkpoints, too: what is there was made as it says.
    let elsewhere = "run --resume --out run --backend ndarray --engine autodiff";
    let safely = "run --resume --out run --set safety.checkpoint_seconds=7";
    let again = format!("run --resume --out run {QUICK}");
    for line in ["run --resume --out run", &again, elsewhere, safely] {
        place.succeed(line);
        assert!(place.contents() == before, "modescope {line}");
        assert_eq!(times(), before_times, "modescope {line}");
    }

    std::fs::remove_file(place.path("run/.stamps/report")).unwrap();
    place.succeed("run --resume --out run");
    assert!(place.contents() == before);
    for (name, (now, then)) in products.iter().zip(times().into_iter().zip(before_times)) {
        let again = name.ends_with("report.html") || name.ends_with("report");
        assert_eq!(now != then, again, "{}", name.display());
    }

    let ran = place.run("run --resume --out run --seed 2");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("seed is 2, not 1"), "{}", ran.stderr);
    assert!(place.contents() == before);
}

#[test]
fn data_may_lie_elsewhere_and_not_be_others() {
    let place = Place::new();
    let text = two_groups(&["a", "b"], 60);
    place.write("my.csv", &text);
    place.succeed(&format!("train my.csv --labels kind --out run {QUICK}"));
    std::fs::rename(place.path("my.csv"), place.path("moved.csv")).unwrap();
    let line = format!("run moved.csv --labels kind --resume --out run {QUICK}");
    let model = place.read("run/model.json");
    place.succeed(&line);
    assert_eq!(place.read("run/model.json"), model);
    assert!(place.path("run/report.html").exists());
    place.write("moved.csv", text.replacen("left", "right", 1));
    let ran = place.run(&line);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("moved.csv has changed since"), "{}", ran.stderr);
}

#[test]
fn a_trained_model_is_resumed_to_a_report() {
    let place = Place::new();
    place.write("my.csv", two_groups(&["a", "b"], 40));
    place.succeed(&format!("train my.csv --labels kind --out run {QUICK}"));
    let names: BTreeSet<PathBuf> = file_names(&place);
    let written = [
        "config.toml",
        "data.csv",
        "history.csv",
        "history.tfevents",
        "model.json",
        "model.safetensors",
        "preflight.json",
    ];
    let own = [".lock", ".stamps/data", ".stamps/preflight", ".stamps/train"];
    let expected = written.iter().chain(&own).map(|name| Path::new("run").join(name));
    assert_eq!(names, expected.chain(["my.csv".into()]).collect());

    let trained = modified(&place, "run/model.safetensors");
    place.succeed("run --resume --out run");
    assert!(place.path("run/report.html").exists());
    assert_eq!(modified(&place, "run/model.safetensors"), trained);
}

#[test]
fn a_run_is_resumed_from_its_folder_alone() {
    let place = Place::new();
    place.write("my.csv", two_groups(&["a", "b"], 40));
    place.succeed(&format!("train my.csv --labels kind --out run {QUICK}"));
    std::fs::remove_file(place.path("my.csv")).unwrap();
    place.succeed("run --resume --out run");
    assert!(place.read("run/report.html").contains("my.csv"));
}

#[test]
fn a_stage_whose_file_is_missing_or_changed_is_done_again() {
    let place = Place::new();
    place.succeed(&format!("run --out run {QUICK}"));
    let before = place.contents();
    for name in ["preflight.json", "samples.csv", "data.csv", "mixture.json", "plots/data.png"] {
        std::fs::remove_file(place.path("run").join(name)).unwrap();
        let ran = place.succeed("run --resume --out run");
        let note = format!("note: {name} is missing or not as it was left");
        assert!(ran.stderr.contains(&note), "{}", ran.stderr);
        assert!(place.contents() == before, "{name}");
    }
    for name in ["samples.csv", "data.csv", "mixture.json", "plots/losses.svg", "audit.md"] {
        let name = format!("run/{name}");
        let whole = place.read(&name);
        place.write(&name, &whole[..whole.len() / 2]);
        place.succeed("run --resume --out run");
        assert!(place.contents() == before, "{name}");
    }
}

/// Weights that are trained again elsewhere are others, and so are the samples of them.
#[test]
fn what_was_made_from_a_file_that_is_another_now_is_made_again() {
    let place = Place::new();
    place.succeed(&format!("run --out run {QUICK} --engine fused"));
    place.succeed(&format!("run --out other {QUICK} --engine autodiff"));
    std::fs::remove_file(place.path("run/model.safetensors")).unwrap();
    place.succeed("run --resume --out run --engine autodiff");
    assert_same(&place, "run", &results(&place, "other"));
}

#[test]
fn a_run_stopped_before_it_kept_its_data_goes_on_with_them() {
    let place = Place::new();
    place.write("my.csv", two_groups(&["a", "b"], 40));
    place.succeed(&format!("train my.csv --labels kind --out run {QUICK}"));
    for name in ["run/data.csv", "run/.stamps/data", "run/.stamps/train"] {
        std::fs::remove_file(place.path(name)).unwrap();
    }
    place.succeed("run --resume --out run");
    assert!(place.read("run/data.csv").starts_with("a,b,kind"));
}

/// Names every setting that differs, and takes those that change no result.
#[test]
fn a_run_is_resumed_with_its_own_settings_and_data_only() {
    let place = Place::new();
    place.write("my.csv", two_groups(&["a", "b"], 40));
    place.write("other.csv", two_groups(&["a", "b"], 42));
    place.succeed(&format!("train my.csv --labels kind --out run {QUICK}"));
    let ran = place.run("run --resume --out run --seed 2 --samples 300");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("samples is 300, not 200, seed is 2, not 1"), "{}", ran.stderr);
    let ran = place.run(&format!("run other.csv --labels kind --resume --out run {QUICK}"));
    assert_eq!(ran.code, Some(2));
    let (other, own) = (place.path("other.csv"), place.path("my.csv"));
    let words = format!("the data of {} are not those of {}\n", other.display(), own.display());
    assert!(ran.stderr.contains(&words), "{}", ran.stderr);
    // What is decided from a setting is not named beside it.
    let ran = place.run("run --resume --out run --epochs 4");
    assert!(ran.stderr.contains("resumed: training.epochs is 4, not 3\n"), "{}", ran.stderr);
    place.succeed("run --resume --out run --set safety.checkpoints_kept=5 --on-divergence retry");
}

/// A training that ends in NaN: what is said, and that it is begun again three times where that is
/// asked for.
#[test]
fn training_that_leaves_the_finite_numbers_exits_with_3() {
    let place = Place::new();
    place.write("my.csv", two_groups(&["a", "b"], 40));
    let line = format!(
        "train my.csv --labels kind --out run {QUICK} --set training.learning_rate=1e30 \
         --set training.schedule=constant --set training.warm_up=0"
    );
    for (engine, retry, tries) in
        [("fused", "", 0), ("autodiff", "", 0), ("fused", "--on-divergence retry", 3)]
    {
        let ran = place.run(&format!("{line} --engine {engine} {retry} --force"));
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        let end = ran.stderr.split("error: ").last().unwrap();
        for words in [
            "training diverged: the loss is ",
            " in epoch 0, step 1; the first weights that are no longer finite are encoder.",
            "; no checkpoint had been written yet",
            "\n  help: try a lower training.learning_rate",
        ] {
            assert!(end.contains(words), "no {words:?} in {}", ran.stderr);
        }
        assert_eq!(ran.stderr.matches("again from epoch 0 with ").count(), tries);
        assert!(!place.path("run/model.safetensors").exists());
    }

    // A rate that is too high in the second epoch, and a quarter of it is not.
    let line = line.replace("1e30", "300").replace("my.csv", "my.csv --on-divergence retry");
    let model = |_| {
        let ran = place.succeed(&format!("{line} --force"));
        let again = "again from epoch 1 with 0.25 of the learning rate, try 1 of 3";
        assert!(ran.stderr.contains(again), "{}", ran.stderr);
        std::fs::read(place.path("run/model.safetensors")).unwrap()
    };
    let models = [0, 1].map(model);
    assert!(models[0] == models[1]);
}

/// A GPU's losses are read some epochs at a time: those before a divergence are kept all the same.
#[test]
fn epochs_before_a_divergence_are_kept() {
    let place = Place::new();
    place.write("my.csv", two_groups(&["a", "b"], 40));
    let ran = place.run(
        "train my.csv --labels kind --out run --backend wgpu --engine fused --epochs 40 \
         --set model.hidden=[8] --set training.learning_rate=300 --set training.schedule=constant \
         --set training.warm_up=0",
    );
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let (_, end) = ran.stderr.split_once(" in epoch ").unwrap();
    let epoch: usize = end.split(',').next().unwrap().parse().unwrap();
    assert!(epoch > 0, "{}", ran.stderr);
    assert_eq!(place.read("run/history.csv").lines().count(), 1 + epoch);
}

/// What a kill left of a checkpoint goes with the next one, however young it is.
#[test]
fn what_was_begun_and_not_finished_is_removed() {
    let place = Place::new();
    place.write("run/checkpoints/.modescope-abc", "half");
    place.succeed(&format!("run --out run {QUICK}"));
    assert!(!place.path("run/checkpoints").exists());
}

#[cfg(unix)]
mod unix {
    use std::io::{BufRead, BufReader};
    use std::path::PathBuf;
    use std::process::{Child, Command, ExitStatus, Stdio};
    use std::time::{Duration, Instant};

    use super::common::{HANGS, Place, QUICK, assert_same, results, rows, two_groups};

    /// A training run that outlasts every test, ended with the test whatever happens.
    struct Endless(Child);

    impl Drop for Endless {
        fn drop(&mut self) {
            // Both fail where it has ended already.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    impl Endless {
        /// Starts a training in the folder `run`.
        fn start(place: &Place, text: &str) -> Self {
            place.write("my.csv", two_groups(&["a", "b"], 40));
            let line = format!("train my.csv --labels kind --out run {QUICK}");
            Self::spawn(place.command(&line.replace("--epochs 3", "--epochs 100000")), text)
        }

        /// Starts a command; returns once `stderr` has a line with this text.
        fn spawn(mut command: Command, text: &str) -> Self {
            let mut child =
                Self(command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
            let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines();
            assert!(lines.any(|line| line.unwrap().contains(text)), "it ended early");
            // Someone must go on reading, or the program could not go on writing.
            std::thread::spawn(move || lines.for_each(drop));
            child
        }

        /// Waits for what the program does on its way.
        fn wait_until(&mut self, what: &str, done: impl Fn() -> bool) {
            let start = Instant::now();
            while !done() {
                assert!(self.0.try_wait().unwrap().is_none(), "it ended before {what}");
                assert!(start.elapsed() < HANGS, "{what} never came");
                std::thread::sleep(Duration::from_millis(5));
            }
        }

        /// Waits until it has taken the folder and written the data, and so trains.
        fn wait_for_data(&mut self, place: &Place) {
            let data = place.path("run/data.csv");
            self.wait_until("its data", || data.exists());
        }

        fn wait_for_checkpoints(&mut self, place: &Place, run: &str, count: usize) {
            self.wait_until("a checkpoint", || checkpoints(place, run).len() >= count);
        }

        /// Sends a signal and waits for the end, far shorter than the training would take.
        fn stop(mut self, signal: &str) -> ExitStatus {
            let pid = self.0.id().to_string();
            assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
            let start = Instant::now();
            loop {
                if let Some(status) = self.0.try_wait().unwrap() {
                    return status;
                }
                assert!(start.elapsed() < Duration::from_secs(20), "{signal} was not heeded");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

    /// The checkpoints of a run, the oldest first.
    fn checkpoints(place: &Place, run: &str) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(place.path(run).join("checkpoints")) else {
            return Vec::new();
        };
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut found: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|e| e == "safetensors")).collect();
        found.sort();
        found
    }

    #[test]
    fn an_interrupt_keeps_what_is_done() {
        let place = Place::new();
        // The first line that shows an epoch comes after seconds of training.
        let status = Endless::start(&place, "epoch ").stop("-INT");
        assert_eq!(status.code(), Some(130));
        assert!(place.read("run/config.toml").contains("epochs = 100000"));
        assert_eq!(rows(&place.read("run/data.csv")).len(), 41);
        let text = place.read("run/history.csv");
        let history = rows(&text);
        assert!(text.ends_with('\n') && history.len() > 1);
        for (epoch, row) in history[1..].iter().enumerate() {
            assert_eq!(row[0], epoch.to_string());
            assert!(row.iter().all(|cell| cell.parse::<f64>().is_ok()), "{row:?}");
        }
        let names = place.contents().into_keys();
        let is_leftover = |name: &PathBuf| name.to_string_lossy().contains(".modescope-");
        assert_eq!(names.filter(is_leftover).count(), 0);
        assert!(!place.path("run/model.safetensors").exists());
    }

    /// Their epochs are shorter than what a trainer does between two looks.
    #[test]
    fn restarts_and_sweeps_can_be_stopped() {
        let place = Place::new();
        place.write("my.csv", two_groups(&["a", "b"], 40));
        for line in ["run my.csv --restarts 2 --out run", "sweep my.csv --out sweep"] {
            let line = format!("{line} --labels kind {QUICK}");
            let command = place.command(&line.replace("--epochs 3", "--epochs 1000000"));
            assert_eq!(Endless::spawn(command, "as asked").stop("-TERM").code(), Some(130));
        }
    }

    #[test]
    fn termination_is_an_interrupt() {
        let place = Place::new();
        let mut endless = Endless::start(&place, "as asked");
        endless.wait_for_data(&place);
        assert_eq!(endless.stop("-TERM").code(), Some(130));
        // The finished stage is kept, and the run can go on with its own settings only.
        let ran = place.run("train --resume --out run --epochs 3");
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains("training.epochs is 3, not 100000"), "{}", ran.stderr);
        let data = place.read("run/data.csv");
        place.write("run/data.csv", data.replacen("\n1", "\n2", 1).replacen("\n0", "\n1", 1));
        let again = Endless::spawn(place.command("train --resume --out run"), "stage data is done");
        assert_eq!(again.stop("-TERM").code(), Some(130));
        place.write("run/data.csv", "a,b,kind\n");
        std::fs::remove_file(place.path("my.csv")).unwrap();
        let ran = place.run("train --resume --out run");
        assert_eq!(ran.code, Some(2));
        let words = "run/data.csv is not as the run left it, and ";
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        assert!(ran.stderr.contains("my.csv, the data of run, is not there"), "{}", ran.stderr);
    }

    #[test]
    fn a_folder_that_is_taken_away_is_not_made_again() {
        let place = Place::new();
        let line = format!("run --out run {QUICK} --set safety.checkpoint_epochs=5");
        let line = line.replace("--epochs 3", "--epochs 100000");
        let mut endless = Endless::spawn(place.command(&line), "as asked");
        endless.wait_for_data(&place);
        std::fs::rename(place.path("run"), place.path("elsewhere")).unwrap();
        let code = endless.0.wait().unwrap().code();
        assert_eq!(code, Some(1));
        assert!(!place.path("run").exists());
        assert!(place.path("elsewhere/config.toml").exists());
    }

    #[test]
    fn a_folder_in_use_is_refused() {
        let place = Place::new();
        let mut endless = Endless::start(&place, "as asked");
        endless.wait_for_data(&place);
        let line = format!("train my.csv --labels kind --out run {QUICK}");
        for (line, word) in [
            (format!("{line} --force"), "another process"),
            ("report run".to_owned(), "another process"),
            (line, "run already holds"),
        ] {
            let ran = place.run(&line);
            assert_eq!(ran.code, Some(2), "modescope {line}\n{}", ran.stderr);
            assert!(ran.stderr.contains(word), "modescope {line}\n{}", ran.stderr);
            assert!(ran.stderr.contains("\n  help: "), "modescope {line}\n{}", ran.stderr);
        }
        assert!(place.path("run/data.csv").exists());
        drop(endless);
    }

    /// Stopped in the middle of an epoch or between two, with another number of threads afterwards.
    #[test]
    fn a_training_that_was_stopped_goes_on_to_the_same_bits() {
        let place = Place::new();
        for engine in ["fused", "autodiff"] {
            let epochs = if engine == "fused" { 4000 } else { 160 };
            let line = QUICK.replace("--epochs 3", &format!("--epochs {epochs}"));
            let every = epochs / 8;
            let line = format!(
                "run {line} --engine {engine} --set training.ema=0.99 \
                 --set safety.checkpoint_epochs={every}"
            );
            let whole = format!("whole-{engine}");
            place.succeed(&format!("{line} --out {whole}"));
            let expected = results(&place, &whole);

            let run = format!("stopped-{engine}");
            let mut command = place.command(&format!("{line} --out {run}"));
            command.env("RAYON_NUM_THREADS", "1");
            let mut endless = Endless::spawn(command, "as asked");
            endless.wait_for_checkpoints(&place, &run, 1);
            assert_eq!(endless.stop("-TERM").code(), Some(130));
            assert!(!checkpoints(&place, &run).is_empty());
            let ran = place.succeed(&format!("run --resume --out {run}"));
            assert!(ran.stderr.contains("training goes on in epoch "), "{}", ran.stderr);
            assert_same(&place, &run, &expected);
            assert!(!place.path(format!("{run}/checkpoints")).exists());
        }
    }

    /// One that stands further than any of this training would hide them all.
    #[test]
    fn a_checkpoint_of_another_training_is_removed() {
        let place = Place::new();
        let line = QUICK.replace("--epochs 3", "--epochs 100000");
        let line = format!("run {line} --set safety.checkpoint_epochs=100");
        let start = |options: &str| {
            let command = place.command(&format!("{line} {options}"));
            let mut endless = Endless::spawn(command, "as asked");
            endless.wait_for_checkpoints(&place, options.rsplit(' ').next().unwrap(), 2);
            endless
        };
        drop(start("--out other"));
        let foreign = place.path("run/checkpoints/epoch-0099999-step-0000000.safetensors");
        std::fs::create_dir_all(foreign.parent().unwrap()).unwrap();
        std::fs::copy(checkpoints(&place, "other").pop().unwrap(), &foreign).unwrap();
        let endless = start("--seed 2 --out run");
        assert!(!foreign.exists());
        assert_eq!(endless.stop("-TERM").code(), Some(130));
    }

    #[test]
    fn a_damaged_checkpoint_is_named_and_the_one_before_it_serves() {
        let place = Place::new();
        let line = QUICK.replace("--epochs 3", "--epochs 100000");
        let line = format!("run {line} --set safety.checkpoint_epochs=200");
        let mut endless = Endless::spawn(place.command(&format!("{line} --out run")), "as asked");
        endless.wait_for_checkpoints(&place, "run", 2);
        endless.0.kill().unwrap();
        drop(endless);
        let newest = checkpoints(&place, "run").pop().unwrap();
        let whole = std::fs::read(&newest).unwrap();
        let mut changed = whole.clone();
        // A bit of the last weight or moment that the file holds.
        *changed.last_mut().unwrap() ^= 1;
        let name = newest.file_name().unwrap().to_str().unwrap();
        for damaged in [&whole[..whole.len() - 7], &changed] {
            std::fs::write(&newest, damaged).unwrap();
            let ran = place.run("run --resume --out run");
            assert_eq!(ran.code, Some(2));
            assert!(ran.stderr.contains(name), "{}", ran.stderr);
            assert!(ran.stderr.contains("help: remove the file"), "{}", ran.stderr);
        }
        std::fs::remove_file(newest).unwrap();
        let goes_on = "training goes on in epoch ";
        let resumed = Endless::spawn(place.command("run --resume --out run"), goes_on);
        assert_eq!(resumed.stop("-TERM").code(), Some(130));
    }
}

/// What was left out stays left out, and what a run has kept is kept, whatever is decided today.
#[test]
fn a_run_goes_on_with_the_columns_that_it_recorded() {
    let place = Place::new();
    let text = common::two_groups(&["a", "b"], 60).replace("\"b\"", "\"b\",\"flat\"");
    let text = text.replace(",left", ",7,left").replace(",right", ",7,right");
    place.write("my.csv", &text);
    let columns =
        |run: &str| place.read(format!("{run}/samples.csv")).lines().next().unwrap().to_owned();
    place.succeed(&format!("train my.csv --labels kind --out left {QUICK}"));
    place.succeed("run --resume --out left");
    assert_eq!(columns("left"), "a,b");
    // As a run that knew nothing of it has recorded it.
    place.succeed(&format!("train my.csv --columns a,b,flat --labels kind --out kept {QUICK}"));
    let config = place.read("kept/config.toml");
    let named = config.lines().find(|line| line.starts_with("columns = ")).unwrap();
    place.write("kept/config.toml", config.replace(&format!("{named}\n"), ""));
    place.succeed("run --resume --out kept");
    assert_eq!(columns("kept"), "a,b,flat");
    place.succeed("report kept");
    place.succeed("run my.csv --resume --out kept");
}
