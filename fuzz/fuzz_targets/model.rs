//! `model.json` and `model.safetensors`: the length of the first in two bytes, then both.
#![no_main]

use modescope::model::SavedModel;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((length, files)) = bytes.split_first_chunk() else { return };
    let card = usize::from(u16::from_le_bytes(*length)).min(files.len());
    let (card, weights) = files.split_at(card);
    let files = [(SavedModel::CARD, card), (SavedModel::WEIGHTS, weights)];
    modescope_fuzz::with_files(&files, |folder| {
        let _ = SavedModel::load(folder);
    });
});
