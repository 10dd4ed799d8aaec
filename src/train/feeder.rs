//! Rows that come block by block: the next block is read while one is trained on.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use ndarray::Array2;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::Job;
use crate::data::Blocks;
use crate::error::{Error, Result};

/// Brings each epoch its block of rows.
pub(super) struct Feeder<'a> {
    blocks: &'a Arc<Blocks>,
    /// Threads of its own: those of the training wait for it.
    readers: ThreadPool,
    /// The epoch whose rows the trainer has.
    given: Option<usize>,
    /// The epoch whose rows are being read.
    ahead: Option<(usize, Receiver<Result<Array2<f32>>>)>,
}

impl<'a> Feeder<'a> {
    /// Nothing for a job whose rows are all in memory.
    pub(super) fn new(job: &Job<'a>) -> Result<Option<Self>> {
        let Some(blocks) = job.epochs.in_blocks() else { return Ok(None) };
        let readers = ThreadPoolBuilder::new()
            .num_threads(rayon::current_num_threads())
            // Whoever waits sees that nothing comes.
            .panic_handler(|_| ())
            .build()
            .map_err(|error| Error::failed(format!("starting threads: {error}")))?;
        Ok(Some(Self { blocks, readers, given: None, ahead: None }))
    }

    /// The rows of an epoch, unless they were the last that were given; those of the next one are then
    /// read ahead.
    pub(super) fn turn_to(&mut self, epoch: usize) -> Result<Option<Array2<f32>>> {
        if self.given == Some(epoch) {
            return Ok(None);
        }
        let coming = match self.ahead.take().filter(|(ahead, _)| *ahead == epoch) {
            Some((_, coming)) => coming,
            None => self.read(epoch),
        };
        let rows =
            coming.recv().map_err(|_| Error::failed("reading a block of rows panicked"))??;
        self.given = Some(epoch);
        let next = epoch + 1;
        self.ahead = (next < self.blocks.len()).then(|| (next, self.read(next)));
        Ok(Some(rows))
    }

    fn read(&self, epoch: usize) -> Receiver<Result<Array2<f32>>> {
        let (sender, receiver) = channel();
        let blocks = Arc::clone(self.blocks);
        // The receiver is gone where the training has ended.
        self.readers.spawn(move || drop(sender.send(blocks.read(epoch))));
        receiver
    }
}
