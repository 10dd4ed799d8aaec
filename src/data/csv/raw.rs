//! What is known of a CSV file from its bytes alone, before it is parsed or where parsing keeps no place.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::error::{Error, Result};
use crate::input;

/// The mark of byte order that some programs begin UTF-8 with.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// The separator that the first line has most of, outside quotes; the comma where there is none.
pub(super) fn delimiter(start: &[u8]) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for &byte in start.iter().skip_while(|b| ends_line(b)).take_while(|b| !ends_line(b)) {
        quoted ^= byte == b'"';
        for (delimiter, count) in &mut counts {
            *count += usize::from(!quoted && byte == *delimiter);
        }
    }
    // `max_by_key` gives the last of equals.
    counts
        .into_iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .map_or(b',', |(delimiter, _)| delimiter)
}

/// Whether the first line starts with a quoted cell and the second does not: then what is quoted
/// are names, though they be numbers.
pub(super) fn only_first_line_quoted(start: &[u8]) -> bool {
    let start = start.strip_prefix(MARK).unwrap_or(start);
    let mut lines = start.split(ends_line).filter(|l| !l.is_empty());
    let [first, second] = [lines.next(), lines.next()];
    let quoted = |line: &[u8]| line.starts_with(b"\"");
    // Without a second line nothing is known of it.
    first.is_some_and(quoted) && second.is_some_and(|line| !quoted(line))
}

/// What a look at every byte of a file tells.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The place of the double quote that is open where the file ends: what follows it would all be one
    /// cell.
    pub(super) open_quote: Option<u64>,
    /// Cells of the widest record, of those that are longer than [`AT_ONCE`].
    pub(super) widest: usize,
}

/// Bytes that are looked at together.
const AT_ONCE: usize = 1 << 16;

/// Looks at every byte. As in the csv crate, a quote opens only at the start of a cell, or behind one
/// that just closed.
pub(super) fn survey(path: &Path, delimiter: u8) -> Result<Survey> {
    let reading = |error| Error::io("reading", path, error);
    let mut file = BufReader::with_capacity(AT_ONCE, input::open(path)?);
    let (mut opened, mut may_open, mut offset) = (None, true, 0_u64);
    // Separators of the record that has begun, and the cells of the widest.
    let (mut separators, mut widest) = (0, 0);
    let separators_in = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == delimiter).count();
    if file.fill_buf().map_err(reading)?.starts_with(MARK) {
        file.consume(MARK.len());
        offset = MARK.len() as u64;
    }
    loop {
        let bytes = file.fill_buf().map_err(reading)?;
        if bytes.is_empty() {
            return Ok(Survey { open_quote: opened, widest: widest.max(separators + 1) });
        }
        if opened.is_none() && !bytes.contains(&b'"') {
            may_open = bytes.last().is_some_and(|&byte| starts_cell(byte, delimiter));
            let first = bytes.iter().position(ends_line).unwrap_or(bytes.len());
            separators += separators_in(&bytes[..first]);
            if let Some(last) = bytes.iter().rposition(ends_line) {
                widest = widest.max(separators + 1);
                separators = separators_in(&bytes[last..]);
            }
        } else {
            for (place, &byte) in (offset..).zip(bytes) {
                let is_quote = byte == b'"';
                match opened {
                    Some(_) if is_quote => (opened, may_open) = (None, true),
                    Some(_) => {}
                    None if is_quote && may_open => opened = Some(place),
                    None => {
                        may_open = starts_cell(byte, delimiter);
                        separators += usize::from(byte == delimiter);
                        if ends_line(&byte) {
                            widest = widest.max(separators + 1);
                            separators = 0;
                        }
                    }
                }
            }
        }
        let length = bytes.len();
        offset += length as u64;
        file.consume(length);
    }
}

/// Whether a cell starts behind this byte.
fn starts_cell(byte: u8, delimiter: u8) -> bool {
    byte == delimiter || ends_line(&byte)
}

fn ends_line(byte: &u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// The line, from 1, of the first byte from this one on that ends no line.
pub(super) fn line(path: &Path, start: u64) -> u64 {
    let Ok(file) = input::open(path) else {
        return 1;
    };
    let bytes = BufReader::new(file).bytes().map_while(std::io::Result::ok);
    let (mut line, mut previous) = (1, b' ');
    for (offset, byte) in (0..).zip(bytes) {
        let ends = ends_line(&byte);
        if offset >= start && !ends {
            break;
        }
        line += u64::from(ends && (previous, byte) != (b'\r', b'\n'));
        previous = byte;
    }
    line
}
