//! Records that a thread of their own reads ahead of whoever takes numbers from them, which is as much work.

use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};

use csv::{Reader, StringRecord};

/// Batches that are on their way at once.
const BATCHES: usize = 3;
/// Bytes of the records of a batch, about.
const BATCH_BYTES: usize = 1 << 16;

/// Records one after another.
#[derive(Default)]
struct Batch {
    records: Vec<StringRecord>,
    /// How many of them hold something; the others are room.
    filled: usize,
    /// What ended the reading behind them.
    error: Option<csv::Error>,
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
    let (full, filled) = sync_channel(BATCHES);
    let (empty, emptied) = channel();
    for _ in 0..BATCHES {
        // The receiver is still here.
        let _ = empty.send(Batch::default());
    }
    // Both ends that are here go with the closure, so that a record that is refused ends the thread.
    std::thread::scope(move |scope| {
        scope.spawn(move || read(&mut records, &emptied, &full));
        for mut batch in filled {
            for record in &batch.records[..batch.filled] {
                each(record)?;
            }
            if let Some(error) = batch.error.take() {
                return Err(unreadable(error));
            }
            // Nobody waits for it once all is read.
            let _ = empty.send(batch);
        }
        Ok(())
    })
}

/// Fills empty batches until there are no more records or nobody wants them.
fn read<R: Read>(records: &mut Reader<R>, emptied: &Receiver<Batch>, full: &SyncSender<Batch>) {
    while let Ok(mut batch) = emptied.recv() {
        let more = fill(&mut batch, records);
        if full.send(batch).is_err() || !more {
            return;
        }
    }
}

/// Fills a batch; whether more may follow.
fn fill<R: Read>(batch: &mut Batch, records: &mut Reader<R>) -> bool {
    let mut bytes = 0;
    batch.filled = 0;
    while bytes < BATCH_BYTES {
        if batch.filled == batch.records.len() {
            batch.records.push(StringRecord::new());
        }
        let record = &mut batch.records[batch.filled];
        match records.read_record(record) {
            Ok(true) => {}
            Ok(false) => return false,
            Err(error) => {
                batch.error = Some(error);
                return false;
            }
        }
        bytes += record.as_slice().len() + size_of::<StringRecord>();
        batch.filled += 1;
    }
    true
}
