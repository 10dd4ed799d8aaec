#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    modescope_fuzz::call("npy", bytes);
});
