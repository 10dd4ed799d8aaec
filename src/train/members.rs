//! Several trainings of one shape on the same rows: the restarts of a run, the members of a sweep.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::tensor::Device;

use super::evaluate::Evaluation;
use super::feeder::Feeder;
use super::trainer::fused_trainer;
use super::{Job, train};
use crate::config::{Engine, TrainingSettings};
use crate::error::{Error, Kind, Result, heed};
use crate::fused::{Fused, Member};
use crate::model::{ModelCard, Objective, Parameters};
use crate::random::{Generator, Stream};
use crate::vae::Vae;

/// Members that are trained side by side at most: enough to keep a GPU busy.
pub const MOST_AT_ONCE: usize = 256;
/// Values that they may have together: a gibibyte.
const MOST_VALUES: usize = 1 << 28;
/// Values that a trainer keeps of each row of a batch and hidden unit, about.
const VALUES_OF_UNIT: usize = 4;
/// Values that a member has of each parameter, about: itself, its two moments, average, gradient and
/// transpose, and the state that it starts from.
const VALUES_OF_PARAMETER: usize = 9;
/// Time between two calls that drop what has piled up.
const DROP_INTERVAL: Duration = Duration::from_secs(1);

/// The seed of the weights, order and noise of training number `restart`: the first is the run's own.
pub fn restart_seed(seed: u64, restart: usize) -> u64 {
    match restart {
        0 => seed,
        restart => Generator::new(seed, Stream::Restart, restart as u64).seed(),
    }
}

/// What a member's training gives.
#[derive(Clone, Debug)]
pub struct TrainedMember {
    /// The last weights.
    pub parameters: Parameters,
    /// Evidence lower bound of the held-out rows in nats a row, in the data's own units.
    pub held_out_elbo: f64,
}

/// Trains the job once for each of `count` members, which `member` makes when their turn comes: their
/// seed, β, learning rate and first weights take the place of the job's own. The fused engine trains
/// them side by side. `on_steps` hears how many steps were taken, over all members; `each` gets them in
/// order, and nothing of one that diverges.
///
/// # Errors
/// As [`train`], where no rows are held out, or what `member` and `each` return.
pub fn train_members(
    job: Job,
    count: usize,
    member: &dyn Fn(usize) -> Result<Member>,
    interrupt: &AtomicBool,
    on_steps: &mut dyn FnMut(usize),
    each: &mut dyn FnMut(usize, Option<TrainedMember>) -> Result<()>,
) -> Result<()> {
    let at_once = at_once(&job)?;
    for first in (0..count).step_by(at_once) {
        let indices = first..count.min(first + at_once);
        let members: Vec<Member> = indices.clone().map(member).collect::<Result<_>>()?;
        let before = first * job.step_count();
        let mut on_steps = |steps| on_steps(before + steps);
        let weights = match job.engine {
            Engine::Fused => side_by_side(job, &members, interrupt, &mut on_steps)?,
            Engine::Autodiff => one_after_another(job, &members, interrupt, &mut on_steps)?,
        };
        for ((index, member), weights) in indices.zip(&members).zip(weights) {
            heed(interrupt)?;
            let trained = weights.map(|weights| measured(job, member, weights)).transpose()?;
            each(index, trained.flatten())?;
        }
    }
    Ok(())
}

/// The member with its bound on the held-out rows, unless that is no number.
fn measured(job: Job, member: &Member, parameters: Parameters) -> Result<Option<TrainedMember>> {
    let device = Device::flex();
    let card = ModelCard { seed: member.seed, ..job.card.clone() };
    let evaluation = Evaluation::new(&card, job.rows, job.held_out, &device);
    let last = job.epochs.len() - 1;
    let elbo = evaluation.measure(&Vae::new(&parameters, &device), last)?.held_out_elbo;
    let held_out_elbo =
        elbo.ok_or_else(|| Error::input("trainings are compared on held-out rows"))?;
    Ok(held_out_elbo.is_finite().then_some(TrainedMember { parameters, held_out_elbo }))
}

/// Members that are trained side by side: as many as keep a GPU busy, in so much memory.
fn at_once(job: &Job) -> Result<usize> {
    let architecture = &job.card.architecture;
    let widths = 2 * architecture.hidden.iter().sum::<usize>();
    let of_batch = job.card.objective.batch * widths * VALUES_OF_UNIT;
    let of_member = of_batch + architecture.parameter_count()? * VALUES_OF_PARAMETER;
    Ok((MOST_VALUES / of_member.max(1)).clamp(1, MOST_AT_ONCE))
}

/// The time that the fused engine takes for the steps of the job's epochs, once everything is ready
/// for the first of them.
///
/// # Errors
/// As [`train_members`].
pub fn time_members(job: Job, members: &[Member], interrupt: &AtomicBool) -> Result<Duration> {
    let mut fused = fused_trainer(&job, members)?;
    let clock = Instant::now();
    all_epochs(job, &mut *fused, interrupt, &mut |_| ())?;
    Ok(clock.elapsed())
}

fn side_by_side(
    job: Job,
    members: &[Member],
    interrupt: &AtomicBool,
    on_steps: &mut dyn FnMut(usize),
) -> Result<Vec<Option<Parameters>>> {
    let mut fused = match fused_trainer(&job, members) {
        // Of members that an adapter has no room for, half at a time.
        Err(error) if error.kind() == Kind::Device && members.len() > 1 => {
            let (first, others) = members.split_at(members.len() / 2);
            let mut weights = side_by_side(job, first, interrupt, on_steps)?;
            let before = first.len() * job.step_count();
            let mut on_steps = |steps| on_steps(before + steps);
            weights.extend(side_by_side(job, others, interrupt, &mut on_steps)?);
            return Ok(weights);
        }
        fused => fused?,
    };
    let last =
        all_epochs(job, &mut *fused, interrupt, &mut |taken| on_steps(taken * members.len()))?;
    let architecture = &job.card.architecture;
    let parameters = |values| Some(Parameters { architecture: architecture.clone(), values });
    Ok(last.into_iter().map(parameters).collect())
}

/// Takes the steps of every epoch; the flat weights of each member at the end.
fn all_epochs(
    job: Job,
    fused: &mut dyn Fused,
    interrupt: &AtomicBool,
    on_steps: &mut dyn FnMut(usize),
) -> Result<Vec<Vec<f32>>> {
    let (mut taken, mut read) = (0, Instant::now());
    let mut feeder = Feeder::new(&job)?;
    for epoch in 0..job.epochs.len() {
        if let Some(feeder) = &mut feeder
            && let Some(rows) = feeder.turn_to(epoch)?
        {
            fused.load(rows)?;
        }
        // The losses on the way are not asked for: they are dropped before they fill memory.
        if read.elapsed() > DROP_INTERVAL {
            fused.collect()?;
            read = Instant::now();
        }
        let (steps, last) = (job.steps(epoch), epoch + 1 == job.epochs.len());
        let now = fused.steps(&steps, last, &mut |count| {
            on_steps(taken + count);
            !interrupt.load(Ordering::Relaxed)
        })?;
        // An epoch may have ended before the trainer looked.
        if now < steps.len() || interrupt.load(Ordering::Relaxed) {
            return Err(Error::interrupted(format!("training stopped in epoch {epoch}")));
        }
        taken += now;
    }
    Ok(fused.collect()?.pop().map(|outcome| outcome.parameters).unwrap_or_default())
}

fn one_after_another(
    job: Job,
    members: &[Member],
    interrupt: &AtomicBool,
    on_steps: &mut dyn FnMut(usize),
) -> Result<Vec<Option<Parameters>>> {
    let mut weights = Vec::new();
    for (index, member) in members.iter().enumerate() {
        let objective = Objective { beta: member.beta, ..job.card.objective };
        let card = ModelCard { seed: member.seed, objective, ..job.card.clone() };
        let learning_rate = member.learning_rate;
        let settings = TrainingSettings { learning_rate, ..job.settings.clone() };
        let (rows, held_out) = (job.rows.view(), job.held_out.view());
        let Job { epochs, engine, backend, device, .. } = job;
        let own = Job {
            card: &card,
            settings: &settings,
            epochs,
            engine,
            backend,
            device,
            rows,
            held_out,
        };
        weights.push(match train(own, &member.start.parameters, None, interrupt, &mut ()) {
            Ok(trained) => Some(trained.parameters),
            Err(error) if error.kind() == Kind::Diverged => None,
            Err(error) => return Err(error),
        });
        on_steps((index + 1) * job.step_count());
    }
    Ok(weights)
}
