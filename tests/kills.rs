//! Processes that are killed at random moments, again and again, and started again until they end.
//!
//! `scripts/kill` does it as often as it is told.

#![cfg(unix)]

mod common;

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{Place, QUICK, assert_same, results};
use modescope::config::Settings;
use modescope::data::{Mixture, write};
use modescope::random::{Generator, Stream};

/// A process that ends with the test whatever happens.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the command, kills it within `longest` and starts it again, until it was killed `kills`
/// times, or as often as the variable `KILLS` says, and ended at least once; each time that it ends
/// calls `ended` and removes the folder `out`. The number of threads changes from start to start.
fn killed_until_it_ends(
    place: &Place,
    command: &str,
    kills: usize,
    longest: Duration,
    ended: impl Fn(),
) {
    let kills = std::env::var("KILLS").map_or(kills, |text| text.parse().unwrap());
    let moments = Generator::new(1, Stream::MixtureRows, 0);
    let (mut killed, mut finished) = (0, 0);
    while killed < kills || finished == 0 {
        let mut command = place.command(command);
        command.env("RAYON_NUM_THREADS", ["1", "2"][killed % 2]);
        command.stderr(Stdio::null()).stdout(Stdio::null());
        let mut process = Started(command.spawn().unwrap());
        let moment = moments.words(killed as u32)[0] % longest.as_millis() as u32;
        let deadline = Instant::now() + Duration::from_millis(moment.into());
        let mut status = None;
        while status.is_none() && (killed >= kills || Instant::now() < deadline) {
            status = process.0.try_wait().unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(process);
        match status {
            None => killed += 1,
            Some(status) => {
                assert_eq!(status.code(), Some(0), "after {killed} kills");
                ended();
                std::fs::remove_dir_all(place.path("out")).unwrap();
                finished += 1;
            }
        }
    }
}

/// A run that is killed and resumed ends with the bytes of one that nobody stopped.
fn assert_survives(place: &Place, line: &str, kills: usize) {
    place.succeed(&format!("{line} --out whole"));
    let expected = results(place, "whole");
    let command = format!("{line} --resume --out out");
    let longest = Duration::from_millis(1500);
    killed_until_it_ends(place, &command, kills, longest, || {
        assert_same(place, "out", &expected);
    });
}

/// The same of the smallest run with these options.
fn assert_a_run_survives(options: &str, kills: usize) {
    let line = format!("run {} {options}", QUICK.replace("--epochs 3", ""));
    assert_survives(&Place::new(), &line, kills);
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_with_the_same_bits() {
    assert_a_run_survives("--epochs 1500 --set safety.checkpoint_epochs=50", 20);
}

#[test]
fn restarts_that_are_killed_again_and_again_end_with_the_same_bits() {
    assert_a_run_survives("--restarts 3 --epochs 400 --set safety.checkpoint_epochs=50", 8);
}

/// Blocks are read ahead when it happens.
#[test]
fn a_streamed_run_that_is_killed_again_and_again_ends_with_the_same_bits() {
    let place = Place::new();
    let settings = Settings::default();
    let table = Mixture::generate(&settings.mixture, 1).unwrap().draw(5000, 1, 0);
    write(&place.path("data.parquet"), &table).unwrap();
    let streamed = "--labels component --epochs 60 --set data.stream_above=12000";
    assert_survives(
        &place,
        &format!("run data.parquet {} {streamed}", QUICK.replace("--epochs 3", "")),
        10,
    );
}

/// Of a sweep every group of members that was finished is kept, and the run of the best is resumed.
#[test]
fn a_sweep_that_is_killed_again_and_again_ends_with_the_same_bits() {
    let place = Place::new();
    let grid = "seeds = 2\n[grid]\ntraining.batch = [20, 32]\ntraining.beta = [0.5, 1.0]\n";
    place.write("grid.toml", grid);
    let line = format!(
        "sweep --grid grid.toml {} --set safety.checkpoint_epochs=20",
        QUICK.replace("--epochs 3", "--epochs 100")
    );
    place.succeed(&format!("{line} --out whole"));
    let (best, ranking) = (results(&place, "whole/best"), place.read("whole/sweep.json"));
    let command = format!("{line} --out out");
    killed_until_it_ends(&place, &command, 10, Duration::from_millis(1500), || {
        assert_same(&place, "out/best", &best);
        assert_eq!(place.read("out/sweep.json"), ranking);
    });
}
