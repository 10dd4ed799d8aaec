//! `--config`, and the `config.toml` of a run.
#![no_main]

use modescope::config::{Layers, Settings};
use modescope::run::Plan;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    modescope_fuzz::with_files(&[("config.toml", bytes)], |folder| {
        let file = folder.join("config.toml");
        let _ = Settings::resolve(&Layers { file: Some(&file), ..Layers::default() });
        let _ = Plan::read(folder);
    });
});
