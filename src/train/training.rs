//! The training loop.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::checkpoint::{Checkpoint, Checkpoints, Position};
use super::evaluate::Evaluation;
use super::feeder::Feeder;
use super::recorder::{LOWER_RATE, LOWER_RATE_STILL, Recorder};
use super::trainer::{Outcome, StepLosses, Trainer, trainer};
use super::{Job, Observer, Trained};
use crate::config::OnDivergence;
use crate::error::{Error, Kind, Result};
use crate::fused::Step;
use crate::model::Parameters;
use crate::vae::Vae;

/// Most times that a training which diverges is begun again.
const MOST_RETRIES: u32 = 3;
/// What the learning rate is then multiplied by.
const RETRY_RATE: f64 = 0.25;
/// Longest time between two looks at the losses.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// What an epoch left.
pub(super) struct Epoch {
    /// Means over the rows of the epoch.
    pub(super) losses: StepLosses,
    /// The model after it, in evaluation mode.
    pub(super) model: Vae,
    pub(super) last_step: Step,
    /// Seconds of training since the beginning.
    pub(super) seconds: f64,
}

/// Trains from `start`, or from the newest of `checkpoints` where there is one.
///
/// Rows are visited in a new order every epoch, the last short batch kept; order and noise come
/// from the card's seed. Going on from a checkpoint gives, on the same machine, the same bits as
/// training without a stop. An interrupt leaves a checkpoint behind.
///
/// # Errors
/// Divergence (a loss or weight that is not finite), an interrupt, a device that fails, a checkpoint
/// that cannot be read or written, or a job that its engine does not do.
pub fn train<'a>(
    job: Job<'a>,
    start: &Parameters,
    checkpoints: Option<&'a Checkpoints>,
    interrupt: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Trained> {
    let architecture = &job.card.architecture;
    let first = || Checkpoint::start(start.clone(), job.card.seed);
    let newest = checkpoints.map(|kept| kept.newest(architecture)).transpose()?.flatten();
    let mut from = match newest {
        None => first(),
        Some((path, checkpoint)) => {
            let Position { epoch, step, retries, .. } = checkpoint.position;
            let ends = epoch >= job.epochs.len() || step >= job.steps(epoch).len();
            if ends || retries > MOST_RETRIES {
                return Err(Error::damaged(&path, "it stands beyond the end of its training"));
            }
            let file = path.display();
            observer.on_note(&format!("training goes on in epoch {epoch} from {file}"));
            checkpoint
        }
    };
    loop {
        if let Some(kept) = checkpoints {
            kept.remove_after(&from.position)?;
        }
        observer.on_begin(&from.history);
        let retries = from.position.retries + 1;
        let error = match Training::new(job, from, checkpoints)?.run(interrupt, observer) {
            Err(error) if error.kind() == Kind::Diverged => error,
            ended => return ended,
        };
        let Some(kept) = checkpoints else { return Err(error) };
        if kept.settings().on_divergence == OnDivergence::Stop || retries > MOST_RETRIES {
            let newest = kept.newest(architecture)?.map(|(path, _)| path);
            let retried = kept.settings().on_divergence == OnDivergence::Retry;
            return Err(with_checkpoint(&error, newest, retried));
        }
        from = kept.newest_regular(architecture)?.map_or_else(first, |(_, checkpoint)| checkpoint);
        from.position.retries = retries;
        observer.on_note(&format!(
            "{}: again from epoch {} with {} of the learning rate, try {retries} of {MOST_RETRIES}",
            error.message(),
            from.position.epoch,
            RETRY_RATE.powi(retries as i32)
        ));
    }
}

/// Names the checkpoint that a training which diverged has left.
fn with_checkpoint(error: &Error, newest: Option<PathBuf>, retried: bool) -> Error {
    let left = match newest {
        Some(path) => format!("the last good checkpoint is {}", path.display()),
        None => "no checkpoint had been written yet".into(),
    };
    let help = if retried { LOWER_RATE_STILL } else { LOWER_RATE };
    Error::diverged(format!("{}; {left}", error.message())).help(help)
}

/// A training from one checkpoint on.
struct Training<'a> {
    stepper: Stepper<'a>,
    recorder: Recorder<'a>,
    evaluation: Evaluation<'a>,
    checkpoints: Option<&'a Checkpoints>,
    /// When the last checkpoint was written, and in which epoch.
    saved: (Instant, usize),
}

impl<'a> Training<'a> {
    fn new(job: Job<'a>, from: Checkpoint, checkpoints: Option<&'a Checkpoints>) -> Result<Self> {
        let recorder = Recorder::new(job, &from);
        let (trainer, device) = trainer(job, from.state)?;
        Ok(Self {
            recorder,
            evaluation: Evaluation::new(job.card, job.rows, job.held_out, &device),
            checkpoints,
            saved: (Instant::now(), from.position.epoch),
            stepper: Stepper::new(job, trainer, from.position)?,
        })
    }

    fn run(mut self, interrupt: &AtomicBool, observer: &mut dyn Observer) -> Result<Trained> {
        // What an epoch left is measured while the next one is trained.
        let mut fresh = Vec::new();
        while !self.stepper.is_done() {
            let (stepper, recorder) = (&mut self.stepper, &self.recorder);
            let (trained, measured) = rayon::join(
                || stepper.advance(interrupt, observer),
                || recorder.measure(&fresh, &self.evaluation),
            );
            if self.recorder.take(std::mem::take(&mut fresh), measured?, observer)? {
                return self.recorder.finish();
            }
            fresh = trained?;
            if self.stepper.is_done() {
                break;
            }
            let stopped = interrupt.load(Ordering::Relaxed);
            if let Some(checkpoints) = self.checkpoints.filter(|kept| stopped || self.is_due(kept))
            {
                fresh.extend(self.stepper.read()?);
                if self.take(std::mem::take(&mut fresh), observer)? {
                    return self.recorder.finish();
                }
                if self.stepper.diverged.is_none() {
                    self.save(checkpoints)?;
                }
            }
            if stopped && self.stepper.diverged.is_none() {
                let epoch = self.stepper.position.epoch;
                return Err(Error::interrupted(format!("training stopped in epoch {epoch}")));
            }
        }
        self.take(fresh, observer)?;
        self.recorder.finish()
    }

    /// Measures epochs and takes them in; whether training has gone on long enough.
    fn take(&mut self, epochs: Vec<Epoch>, observer: &mut dyn Observer) -> Result<bool> {
        let measured = self.recorder.measure(&epochs, &self.evaluation)?;
        self.recorder.take(epochs, measured, observer)
    }

    /// Whether a checkpoint is to be written now.
    fn is_due(&self, checkpoints: &Checkpoints) -> bool {
        let (saved_at, saved_epoch) = self.saved;
        let position = &self.stepper.position;
        let by_time = saved_at.elapsed().as_secs_f64() >= checkpoints.settings().checkpoint_seconds;
        by_time || position.epoch > saved_epoch && checkpoints.is_regular(position)
    }

    /// Writes a checkpoint of what is finite.
    fn save(&mut self, checkpoints: &Checkpoints) -> Result<()> {
        let state = self.stepper.trainer.state()?;
        if let Some(tensor) = state.parameters.first_broken_tensor() {
            return Err(self.stepper.diverged(&format!("{tensor} is no longer finite")));
        }
        let (history, best) = self.recorder.kept();
        let position = Position { seconds: self.stepper.seconds, ..self.stepper.position };
        checkpoints.write(&Checkpoint { state, position, history, best })?;
        self.saved = (Instant::now(), position.epoch);
        Ok(())
    }
}

/// Takes the steps of a job and looks at their losses.
struct Stepper<'a> {
    job: Job<'a>,
    trainer: Box<dyn Trainer + 'a>,
    /// Who brings the trainer its rows, where they come in blocks.
    feeder: Option<Feeder<'a>>,
    /// Where the next step stands; its sums and seconds are of what was read so far.
    position: Position,
    /// The steps of its epoch.
    steps: Vec<Step>,
    /// Steps whose losses were not read yet, by call of the trainer.
    unread: Vec<Vec<Step>>,
    /// Seconds of training so far.
    seconds: f64,
    read_at: Instant,
    /// That losses read last were not finite, where epochs had ended before them.
    diverged: Option<Error>,
}

impl<'a> Stepper<'a> {
    fn new(job: Job<'a>, trainer: Box<dyn Trainer + 'a>, position: Position) -> Result<Self> {
        let (seconds, read_at) = (position.seconds, Instant::now());
        let feeder = Feeder::new(&job)?;
        let (steps, unread, diverged) = (Vec::new(), Vec::new(), None);
        Ok(Self { job, trainer, feeder, position, steps, unread, seconds, read_at, diverged })
    }

    fn is_done(&self) -> bool {
        self.position.epoch >= self.job.epochs.len() && self.diverged.is_none()
    }

    /// Takes steps to the end of the epoch at most, or until the losses should be looked at; gives the
    /// epochs that were read.
    fn advance(
        &mut self,
        interrupt: &AtomicBool,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Epoch>> {
        if let Some(error) = self.diverged.take() {
            return Err(error);
        }
        let begin = Instant::now();
        let Position { epoch, step: first, retries, .. } = self.position;
        if let Some(feeder) = &mut self.feeder
            && let Some(rows) = feeder.turn_to(epoch)?
        {
            self.trainer.load(rows)?;
        }
        if self.steps.first().is_none_or(|step| step.epoch != epoch as u64) {
            let share = RETRY_RATE.powi(retries as i32);
            self.steps = self.job.steps(epoch);
            self.steps.iter_mut().for_each(|step| step.rate *= share);
        }
        let before = self.job.steps_before(epoch) + first;
        let is_stopped = || interrupt.load(Ordering::Relaxed);
        let read_at = self.read_at;
        let steps = &self.steps[first..];
        let taken = self.trainer.steps(steps, &mut |taken| {
            observer.on_step(before + taken);
            !is_stopped() && read_at.elapsed() < LOOK_INTERVAL
        })?;
        self.unread.push(steps[..taken].to_vec());
        self.position.step += taken;
        if self.position.step == self.steps.len() {
            (self.position.epoch, self.position.step) = (epoch + 1, 0);
        }
        let interval = self.trainer.read_interval().min(LOOK_INTERVAL);
        self.seconds += begin.elapsed().as_secs_f64();
        match self.is_done() || is_stopped() || read_at.elapsed() >= interval {
            true => self.read(),
            false => Ok(Vec::new()),
        }
    }

    /// Brings the losses of every step here and looks at them; gives the epochs that ended. Where
    /// training diverged after one of them, the next call of [`advance`](Self::advance) says so.
    fn read(&mut self) -> Result<Vec<Epoch>> {
        self.read_at = Instant::now();
        let outcomes = self.trainer.collect()?;
        self.seconds += self.read_at.elapsed().as_secs_f64();
        let mut epochs = Vec::new();
        'outcomes: for (Outcome { losses, model }, steps) in
            outcomes.into_iter().zip(std::mem::take(&mut self.unread))
        {
            for (losses, step) in losses.iter().zip(&steps) {
                if !losses.loss.is_finite() {
                    let error = self.diverged_in(step, losses);
                    if epochs.is_empty() {
                        return Err(error);
                    }
                    self.diverged = Some(error);
                    break 'outcomes;
                }
                self.position.sums.add(losses, step.count as f64);
            }
            if let (Some(model), Some(&last_step)) = (model, steps.last()) {
                let sums = std::mem::take(&mut self.position.sums);
                let rows = self.job.epochs.rows(last_step.epoch as usize);
                let losses = sums.over(rows as f64);
                epochs.push(Epoch { losses, model, last_step, seconds: self.seconds });
            }
        }
        // Epochs that were read together share the time since the last that ended.
        let share = (self.seconds - self.position.seconds) / epochs.len().max(1) as f64;
        for epoch in &mut epochs {
            self.position.seconds += share;
            epoch.seconds = self.position.seconds;
        }
        Ok(epochs)
    }

    fn diverged_in(&mut self, step: &Step, losses: &StepLosses) -> Error {
        let number = step.first / self.job.card.objective.batch;
        let broken = match self.trainer.state() {
            Ok(state) => state.parameters.first_broken_tensor(),
            Err(error) => return error,
        };
        let tensor = match broken {
            Some(tensor) => format!("the first weights that are no longer finite are {tensor}"),
            None => "every weight is still finite".into(),
        };
        Error::diverged(format!(
            "training diverged: the loss is {} in epoch {}, step {number}; {tensor}",
            losses.loss, step.epoch
        ))
        .help(LOWER_RATE)
    }

    fn diverged(&self, what: &str) -> Error {
        let epoch = self.position.epoch;
        Error::diverged(format!("training diverged: {what} in epoch {epoch}")).help(LOWER_RATE)
    }
}
