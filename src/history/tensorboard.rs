//! The history as TensorBoard reads it: a `.tfevents` file.
//!
//! Such a file is a row of TFRecords, each a length, bytes, and a checksum of both; the bytes are the
//! protocol buffer `Event` of tensorflow/core/util/event.proto.

use std::io::{self, Write};
use std::path::Path;

use super::EpochRecord;
use crate::error::{Error, Result};
use crate::files::write_atomically;

/// How a field of a protocol buffer is encoded.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

/// Writes one scalar for every column of `history.csv` and epoch, under the column's name. The clock
/// of an event is the seconds of training, its step the epoch.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_events(path: &Path, history: &[EpochRecord]) -> Result<()> {
    write_atomically(path, |file| {
        let mut write = || {
            record(file, &[field(3, BYTES), text(b"brain.Event:2")].concat())?;
            history.iter().try_for_each(|epoch| record(file, &event(epoch)))
        };
        write().map_err(|error| Error::io("writing", path, error))
    })
}

fn event(record: &EpochRecord) -> Vec<u8> {
    let scalars = [
        ("loss", Some(record.loss)),
        ("reconstruction", Some(record.reconstruction)),
        ("kl", Some(record.kl)),
        ("beta", Some(record.beta)),
        ("learning_rate", Some(record.learning_rate)),
        ("sigma", Some(record.sigma)),
        ("active_units", Some(record.active_units as f64)),
        ("held_out_elbo", record.held_out_elbo),
    ];
    let values = scalars.into_iter().filter_map(|(tag, value)| Some(scalar(tag, value? as f32)));
    let summary: Vec<u8> = values.flatten().collect();
    [
        field(1, FIXED_64),
        record.seconds.to_le_bytes().to_vec(),
        field(2, VARINT),
        varint(record.epoch as u64),
        field(5, BYTES),
        text(&summary),
    ]
    .concat()
}

/// A value of a `Summary`: its name and its number.
fn scalar(tag: &str, value: f32) -> Vec<u8> {
    let number = value.to_le_bytes().to_vec();
    let value = [field(1, BYTES), text(tag.as_bytes()), field(2, FIXED_32), number].concat();
    [field(1, BYTES), text(&value)].concat()
}

/// What stands before a field.
fn field(number: u64, encoding: u64) -> Vec<u8> {
    varint(number << 3 | encoding)
}

/// Bytes with their length.
fn text(bytes: &[u8]) -> Vec<u8> {
    [varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// Seven bits a byte, the lowest first; the eighth says that more come.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn record(file: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = (bytes.len() as u64).to_le_bytes();
    for part in [&length[..], bytes] {
        file.write_all(part)?;
        // A CRC of bytes that hold their own CRC is weak, so TFRecord turns and shifts it.
        let mask = crc32c::crc32c(part).rotate_right(15).wrapping_add(0xa282_ead8);
        file.write_all(&mask.to_le_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What TensorBoard 2.20's own `RecordWriter` writes of the same two events.
    #[test]
    fn bytes_are_those_of_tensorboard() {
        let expected = "0f000000000000006d532b091a0d627261696e2e4576656e743a32fc9851291900000000000000\
                        8bf1082809000000000000f83f10ac022a0b0a090a026b6c1500002040e8f4936f";
        let summary = scalar("kl", 2.5);
        let event = [
            field(1, FIXED_64),
            1.5_f64.to_le_bytes().to_vec(),
            field(2, VARINT),
            varint(300),
            field(5, BYTES),
            text(&summary),
        ];
        let mut bytes = Vec::new();
        record(&mut bytes, &[field(3, BYTES), text(b"brain.Event:2")].concat()).unwrap();
        record(&mut bytes, &event.concat()).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }
}
