#![no_main]

use modescope::config::Grid;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    modescope_fuzz::with_files(&[("grid.toml", bytes)], |folder| {
        if let Ok(grid) = Grid::read(&folder.join("grid.toml")) {
            let seeds = grid.seed_count();
            assert!(grid.combinations().len() * seeds <= 100_000);
        }
    });
});
