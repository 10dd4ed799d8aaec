#![no_main]

use modescope::data::Mixture;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    modescope_fuzz::with_files(&[("mixture.json", bytes)], |folder| {
        if let Ok(mixture) = Mixture::read(&folder.join("mixture.json")) {
            // Whatever is read as a mixture can be drawn from.
            assert!(mixture.draw(3, 1, 0).rows().iter().all(|value| value.is_finite()));
        }
    });
});
