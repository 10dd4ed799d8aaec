//! Records that a thread of their own reads ahead of whoever takes numbers from them, which is as much work.

use std::io::Read;
use std::sync::mpsc::{Receiver, Sender, channel};

use csv::{Reader, StringRecord};

/// Batches that are on their way at once.
const BATCHES: usize = 3;
/// Bytes that the records of a batch take, about.
const BATCH_BYTES: usize = 1 << 17;

/// Records one after another.
#[derive(Default)]
struct Batch {
    records: Vec<StringRecord>,
    /// How many of them hold something; the others are room.
    filled: usize,
}

/// Gives every record that is left to `each`, in its order.
///
/// # Errors
/// The first of `each`, or what `unreadable` makes of the reader's.
pub(super) fn for_each<R: Read + Send, E>(
    mut records: Reader<R>,
    mut each: impl FnMut(&StringRecord) -> Result<(), E>,
    unreadable: impl Fn(csv::Error) -> E,
) -> Result<(), E> {
    let (full, filled) = channel();
    let (empty, emptied) = channel();
    for _ in 0..BATCHES {
        // The receiver is still here.
        let _ = empty.send(Batch::default());
    }
    // Both ends that are here go with the closure, so that a record that is refused ends the thread.
    std::thread::scope(move |scope| {
        scope.spawn(move || read(&mut records, &emptied, &full));
        for batch in filled {
            let batch: Batch = batch.map_err(&unreadable)?;
            batch.records[..batch.filled].iter().try_for_each(&mut each)?;
            // Nobody waits for it once all is read.
            let _ = empty.send(batch);
        }
        Ok(())
    })
}

/// Fills empty batches until there are no more records or nobody wants them.
fn read<R: Read>(
    records: &mut Reader<R>,
    emptied: &Receiver<Batch>,
    full: &Sender<csv::Result<Batch>>,
) {
    while let Ok(mut batch) = emptied.recv() {
        let more = fill(&mut batch, records);
        let last = !matches!(more, Ok(true));
        if full.send(Ok(batch)).is_err() {
            return;
        }
        if let Err(error) = more {
            // What was read before it is on its way.
            let _ = full.send(Err(error));
        }
        if last {
            return;
        }
    }
}

/// Fills a batch; whether more records may follow.
fn fill<R: Read>(batch: &mut Batch, records: &mut Reader<R>) -> csv::Result<bool> {
    let mut bytes = 0;
    batch.filled = 0;
    while bytes < BATCH_BYTES {
        if batch.filled == batch.records.len() {
            batch.records.push(StringRecord::new());
        }
        let record = &mut batch.records[batch.filled];
        if !records.read_record(record)? {
            return Ok(false);
        }
        // Its text, and where each cell ends.
        bytes += record.as_slice().len() + (1 + record.len()) * size_of::<usize>();
        batch.filled += 1;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use csv::ReaderBuilder;

    use super::*;

    /// Empty cells take memory too.
    #[test]
    fn a_batch_of_wide_records_has_few() {
        let text = format!("{}\n", ",".repeat(9999)).repeat(20);
        let mut records = ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let mut batch = Batch::default();
        assert!(fill(&mut batch, &mut records).unwrap());
        assert_eq!((batch.filled, batch.records.len()), (2, 2));
    }
}
