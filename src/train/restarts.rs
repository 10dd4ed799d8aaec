//! Training the same model from several starts.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use burn::tensor::Device;

use super::evaluate::Evaluation;
use super::trainer::fused_trainer;
use super::{Job, train};
use crate::config::Engine;
use crate::error::{Error, Result};
use crate::fused::Member;
use crate::model::{ModelCard, Parameters};
use crate::random::{Generator, Stream};
use crate::vae::Vae;

/// Time between two calls that drop what has piled up.
const DROP_INTERVAL: Duration = Duration::from_secs(1);

/// The seed of the weights, order and noise of training number `restart`: the first is the run's own.
pub fn restart_seed(seed: u64, restart: usize) -> u64 {
    match restart {
        0 => seed,
        restart => {
            let words = Generator::new(seed, Stream::Restart, restart as u64).words(0);
            // 53 bits, which every reader of JSON and TOML keeps.
            (u64::from(words[0]) << 21) | u64::from(words[1] >> 11)
        }
    }
}

/// Trains the job from each start, a seed and its first weights, and returns the held-out ELBO in nats
/// a row that each ends with; −∞ where one diverges. The fused engine trains them side by side.
///
/// # Errors
/// As [`train`], or where no rows are held out.
pub fn held_out_elbos(
    job: Job,
    starts: &[(u64, Parameters)],
    interrupt: &AtomicBool,
    on_steps: &mut dyn FnMut(usize),
) -> Result<Vec<f64>> {
    let weights = match job.engine {
        Engine::Fused => side_by_side(job, starts, interrupt, on_steps)?,
        Engine::Autodiff | Engine::Auto => one_after_another(job, starts, interrupt, on_steps)?,
    };
    let device = Device::flex();
    let elbo = |((seed, _), weights): (&(u64, Parameters), Option<Parameters>)| {
        let card = ModelCard { seed: *seed, ..job.card.clone() };
        let evaluation = Evaluation::new(&card, job.rows, job.held_out, &device);
        let Some(weights) = weights else { return Ok(f64::NEG_INFINITY) };
        let measured = evaluation.measure(&Vae::new(&weights, &device), job.epochs)?;
        let elbo = measured.held_out_elbo;
        let elbo = elbo.ok_or_else(|| Error::input("restarts are compared on held-out rows"))?;
        Ok(if elbo.is_nan() { f64::NEG_INFINITY } else { elbo })
    };
    starts.iter().zip(weights).map(elbo).collect()
}

fn side_by_side(
    job: Job,
    starts: &[(u64, Parameters)],
    interrupt: &AtomicBool,
    on_steps: &mut dyn FnMut(usize),
) -> Result<Vec<Option<Parameters>>> {
    let member = |(seed, start): &(u64, Parameters)| Member {
        seed: *seed,
        beta: job.card.objective.beta,
        learning_rate: job.settings.learning_rate,
        start: start.clone(),
    };
    let mut fused = fused_trainer(&job, &starts.iter().map(member).collect::<Vec<_>>())?;
    let (mut taken, mut read) = (0, Instant::now());
    for epoch in 0..job.epochs {
        // The losses on the way are not asked for: they are dropped before they fill memory.
        if read.elapsed() > DROP_INTERVAL {
            fused.collect()?;
            read = Instant::now();
        }
        let (steps, last) = (job.steps(epoch), epoch + 1 == job.epochs);
        fused.steps(&steps, last, interrupt, &mut |count| {
            on_steps((taken + count) * starts.len())
        })?;
        taken += steps.len();
    }
    let last = fused.collect()?.pop().map(|outcome| outcome.parameters).unwrap_or_default();
    let architecture = &job.card.architecture;
    let parameters = |values| Some(Parameters { architecture: architecture.clone(), values });
    Ok(last.into_iter().map(parameters).collect())
}

fn one_after_another(
    job: Job,
    starts: &[(u64, Parameters)],
    interrupt: &AtomicBool,
    on_steps: &mut dyn FnMut(usize),
) -> Result<Vec<Option<Parameters>>> {
    let of_one = job.rows.nrows().div_ceil(job.card.objective.batch) * job.epochs;
    let mut weights = Vec::new();
    for (index, (seed, start)) in starts.iter().enumerate() {
        let card = ModelCard { seed: *seed, ..job.card.clone() };
        let (rows, held_out) = (job.rows.view(), job.held_out.view());
        let Job { settings, epochs, engine, backend, device, .. } = job;
        let own = Job { card: &card, settings, epochs, engine, backend, device, rows, held_out };
        weights.push(match train(own, start, interrupt, &mut ()) {
            Ok(trained) => Some(trained.parameters),
            Err(error) if error.kind() == crate::error::Kind::Diverged => None,
            Err(error) => return Err(error),
        });
        on_steps((index + 1) * of_one);
    }
    Ok(weights)
}
