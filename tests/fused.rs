//! The fused trainer against burn's automatic differentiation and against finite differences in
//! double precision.

use modescope::config::{Activation, Backend, Likelihood, PosteriorVariance, TrainingSettings};
use modescope::device;
use modescope::fused::{BatchLosses, Cpu, Fused, Job, Member, Network, Step};
use modescope::model::{ModelCard, Parameters};
use modescope::random::{Generator, Stream};
use modescope::train::{Autodiff, beta_share, gradient, learning_rate};
use modescope::vae::to_tensor;
use ndarray::{Array2, ArrayView2};

#[path = "common/objective.rs"]
mod goldens;
use goldens::cases;

/// A training job, small enough to compare step by step.
struct Small {
    name: String,
    card: ModelCard,
    start: Parameters,
    rows: Array2<f32>,
    settings: TrainingSettings,
}

impl Small {
    /// The golden cases that fused does.
    fn goldens() -> Vec<Self> {
        let of = |case: goldens::Case| Self {
            name: case.golden.name,
            card: case.card,
            start: case.parameters,
            rows: case.x,
            settings: TrainingSettings::default(),
        };
        cases().into_iter().map(of).filter(|small| small.network().is_ok()).collect()
    }

    /// The shapes whose loops have tails: many rows, wide and narrow layers, no layer at all.
    fn shapes() -> Vec<Self> {
        let mut jobs = Vec::new();
        let goldens = Self::goldens();
        for golden in goldens.into_iter().filter(|small| small.name.contains("mixture")).take(1) {
            for (hidden, features, rows, activation) in [
                (vec![128, 128], 3, 32, Activation::Relu),
                (vec![33], 17, 300, Activation::Tanh),
                (vec![], 2, 7, Activation::Relu),
                (vec![40, 7, 65], 5, 130, Activation::Silu),
            ] {
                let mut architecture = golden.card.architecture.clone();
                architecture.hidden = hidden.clone();
                architecture.features = features;
                architecture.activation = activation;
                let mut values = Array2::zeros((rows, features));
                Generator::new(4, Stream::MixtureRows, 0).normal(values.as_slice_mut().unwrap());
                let start =
                    Parameters::initialise(architecture.clone(), 0.7, values.view(), 2).unwrap();
                let mut card = golden.card.clone();
                card.architecture = architecture;
                card.objective.batch = rows;
                jobs.push(Self {
                    name: format!("{hidden:?} {features} {rows}"),
                    card,
                    start,
                    rows: values,
                    settings: TrainingSettings::default(),
                });
            }
        }
        assert!(!jobs.is_empty(), "a golden case has a mixture prior");
        jobs
    }

    fn network(&self) -> Result<Network, String> {
        Network::new(&self.card.architecture, &self.card.objective)
    }

    fn member(&self, seed: u64) -> Member {
        Member {
            seed,
            beta: self.card.objective.beta,
            learning_rate: self.settings.learning_rate,
            start: self.start.clone().into(),
        }
    }

    fn cpu(&self, members: &[Member]) -> Cpu {
        let network = self.network().unwrap();
        let job = Job {
            network: &network,
            rows: self.rows.view(),
            most_rows: 0,
            batch: self.card.objective.batch,
            settings: &self.settings,
        };
        Cpu::new(job, members)
    }

    /// The steps of some epochs.
    fn steps(&self, epochs: u64) -> Vec<Step> {
        let (n, batch) = (self.rows.nrows(), self.card.objective.batch);
        let all = n.div_ceil(batch) * epochs as usize;
        let place = |step: usize| (step / n.div_ceil(batch), step % n.div_ceil(batch) * batch);
        let step = |number| Step {
            epoch: place(number).0 as u64,
            first: place(number).1,
            count: batch.min(n - place(number).1),
            rate: learning_rate(&self.settings, number, all) / self.settings.learning_rate,
            beta: beta_share(&self.settings, number, all),
        };
        (0..all).map(step).collect()
    }

    /// The rows and the noise of a step.
    fn batch(&self, seed: u64, step: &Step) -> (Array2<f32>, Array2<f32>) {
        let shuffle = Generator::new(seed, Stream::Shuffle, step.epoch).shuffle(self.rows.nrows());
        let (features, latent) = (self.rows.ncols(), self.card.architecture.latent);
        let x = Array2::from_shape_fn((step.count, features), |(row, column)| {
            self.rows[[shuffle.row(step.first + row), column]]
        });
        let mut noise = Array2::zeros((step.count, latent));
        Generator::new(seed, Stream::PosteriorNoise, step.epoch)
            .normal_from(step.first * latent, noise.as_slice_mut().unwrap());
        (x, noise)
    }

    /// Trains with burn's automatic differentiation on the same rows and noise.
    fn autodiff(&self, seed: u64, steps: &[Step]) -> (Vec<f32>, Vec<[f32; 3]>) {
        let device = device::open(Backend::Cpu).unwrap().device;
        let mut trainer =
            Autodiff::new(&self.start.clone().into(), self.card.objective, &self.settings, &device);
        let mut losses = Vec::new();
        for step in steps {
            let (x, noise) = self.batch(seed, step);
            let tensor = |rows: ArrayView2<f32>| to_tensor(rows, trainer.device());
            let (x, noise) = (tensor(x.view()), tensor(noise.view()));
            let beta = step.beta * self.card.objective.beta_per_row(step.count);
            let found = trainer.step(x, noise, beta, step.rate * self.settings.learning_rate);
            let value = |tensor| modescope::vae::to_vec::<1>(tensor).unwrap()[0];
            losses.push([value(found.loss), value(found.reconstruction), value(found.kl)]);
        }
        let model = trainer.model().parameters(&self.card.architecture).unwrap();
        (model.values, losses)
    }
}

fn assert_losses(name: &str, found: &BatchLosses, [loss, reconstruction, kl]: [f32; 3]) {
    // A divergence found by draws is a difference of log-densities of size 1 and more.
    let pairs = [
        ("loss", found.loss(), loss, 1e-5),
        ("reconstruction", found.reconstruction, reconstruction, 1e-5),
        ("KL", found.kl, kl, 1e-5),
    ];
    for (what, found, expected, tolerance) in pairs {
        let error = (found - expected).abs() / expected.abs().max(1.0);
        assert!(error <= tolerance, "{name}, {what}: {found} against {expected}");
    }
}

/// The gradient of the first of all steps, after which m = (1 − β₁)·g.
fn first_gradient(cpu: &mut Cpu, small: &Small) -> Vec<f32> {
    let share = (1.0 - small.settings.adam_beta1) as f32;
    let moments = cpu.states().unwrap().remove(0).first_moments;
    moments.into_iter().map(|moment| moment / share).collect()
}

#[test]
fn one_step_equals_automatic_differentiation() {
    for small in Small::goldens().into_iter().chain(Small::shapes()) {
        let device = device::open(Backend::Cpu).unwrap().device;
        let step = small.steps(1)[0];
        let mut cpu = small.cpu(&[small.member(11)]);
        cpu.steps(&[step], false, &mut |_| true).unwrap();
        let losses = cpu.collect().unwrap()[0].losses[0][0];
        let (x, noise) = small.batch(11, &step);
        let expected =
            gradient(&small.card, &small.start, x.view(), noise.view(), &device).unwrap();
        let name = &small.name;
        assert_losses(name, &losses, [expected.loss, expected.reconstruction, expected.kl]);
        let found = first_gradient(&mut cpu, &small);
        for spec in small.card.architecture.layout() {
            let (found, expected) = (&found[spec.range()], &expected.values[spec.range()]);
            let largest = expected.iter().fold(1e-6, |largest: f32, g| largest.max(g.abs()));
            for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
                let error = (found - expected).abs() / largest;
                assert!(error <= 1e-4, "{name}, {}[{i}]: {found} {expected}", spec.name);
            }
        }
    }
}

/// Schedules, clipping, averaging, short last batches and new epochs.
#[test]
fn a_hundred_steps_equal_automatic_differentiation() {
    for mut small in Small::goldens().into_iter().chain(Small::shapes()) {
        small.settings.gradient_clip = Some(1.0);
        small.settings.ema = Some(0.9);
        small.settings.warm_up = 10;
        small.card.objective.batch = small.rows.nrows().div_ceil(4) + 1;
        let epochs = 100_usize.div_ceil(small.rows.nrows().div_ceil(small.card.objective.batch));
        let steps = small.steps(epochs as u64);
        let mut cpu = small.cpu(&[small.member(5)]);
        cpu.steps(&steps, true, &mut |_| true).unwrap();
        let outcome = cpu.collect().unwrap().remove(0);
        let (expected, losses) = small.autodiff(5, &steps);
        for (step, (found, expected)) in outcome.losses.iter().zip(&losses).take(10).enumerate() {
            let error = (found[0].loss() - expected[0]).abs() / expected[0].abs().max(1.0);
            assert!(error < 1e-4, "{}, step {step}: {found:?} {expected:?}", small.name);
        }
        for (i, (found, expected)) in outcome.parameters[0].iter().zip(&expected).enumerate() {
            let error = (found - expected).abs();
            assert!(error <= 1e-3, "{}, parameter {i}: {found} {expected}", small.name);
        }
    }
}

#[test]
fn members_do_not_depend_on_each_other_nor_on_threads() {
    let small = &Small::shapes()[1];
    let steps = small.steps(3);
    let members = [
        small.member(1),
        Member { beta: 0.5, learning_rate: 3e-3, ..small.member(2) },
        small.member(3),
    ];
    let train = |members: &[Member], threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut cpu = small.cpu(members);
            cpu.steps(&steps, true, &mut |_| true).unwrap();
            cpu.collect().unwrap().remove(0)
        })
    };
    let together = train(&members, 2);
    assert_eq!(together, train(&members, 1));
    for (index, member) in members.iter().enumerate() {
        let alone = train(std::slice::from_ref(member), 3);
        assert_eq!(alone.parameters[0], together.parameters[index]);
        assert!(alone.losses.iter().zip(&together.losses).all(|(a, b)| a[0] == b[index]));
    }
    assert_ne!(together.parameters[0], together.parameters[2]);
}

#[test]
fn training_stops_where_the_user_wants_it_to() {
    let small = &Small::shapes()[0];
    let mut cpu = small.cpu(&[small.member(1)]);
    let steps = small.steps(1000);
    let mut heard = 0;
    let mut stop = |taken| {
        heard = taken;
        false
    };
    let taken = cpu.steps(&steps, true, &mut stop).unwrap();
    assert!(taken == heard && taken < steps.len(), "{taken} of {}", steps.len());
    let outcome = cpu.collect().unwrap().remove(0);
    assert!(outcome.losses.len() == taken && outcome.parameters.is_empty());
}

#[test]
fn training_goes_on_from_its_state_to_the_same_bits() {
    let mut small = Small::shapes().remove(1);
    small.settings.ema = Some(0.9);
    let steps = small.steps(4);
    let mut whole = small.cpu(&[small.member(1), small.member(2)]);
    whole.steps(&steps, true, &mut |_| true).unwrap();
    let mut half = small.cpu(&[small.member(1), small.member(2)]);
    let (first, rest) = steps.split_at(steps.len() / 2 - 1);
    half.steps(first, false, &mut |_| true).unwrap();
    let on = |(seed, start): (u64, _)| Member { start, ..small.member(seed) };
    let members: Vec<Member> = (1..).zip(half.states().unwrap()).map(on).collect();
    let mut resumed = small.cpu(&members);
    resumed.steps(rest, true, &mut |_| true).unwrap();
    assert_eq!(resumed.states().unwrap(), whole.states().unwrap());
    assert_eq!(resumed.collect().unwrap()[0].parameters, whole.collect().unwrap()[0].parameters);
}

/// The loss of a batch in double precision, spelled out value by value.
fn loss_in_double(
    small: &Small,
    values: &[f64],
    x: &Array2<f32>,
    noise: &Array2<f32>,
    beta: f64,
) -> f64 {
    use std::f64::consts::TAU;
    let architecture = &small.card.architecture;
    let layout = architecture.layout();
    let of =
        |name: &str| layout.iter().find(|spec| spec.name == name).map(|spec| &values[spec.range()]);
    let dense = |part: &str, widths: Vec<usize>, mut row: Vec<f64>| {
        for layer in 0..widths.len() - 1 {
            let weight = of(&format!("{part}.{layer}.weight")).unwrap();
            let bias = of(&format!("{part}.{layer}.bias")).unwrap();
            let output = |j: usize| {
                let products = row.iter().enumerate().map(|(i, x)| x * weight[i * bias.len() + j]);
                let sum = bias[j] + products.sum::<f64>();
                match architecture.activation {
                    _ if layer + 2 == widths.len() => sum,
                    Activation::Relu => sum.max(0.0),
                    Activation::Tanh => sum.tanh(),
                    _ => sum / (1.0 + (-sum).exp()),
                }
            };
            row = (0..bias.len()).map(output).collect();
        }
        row
    };
    let (latent, features) = (architecture.latent, architecture.features);
    let log_sigma = of("log_sigma");
    let mut total = 0.0;
    for (x, noise) in x.rows().into_iter().zip(noise.rows()) {
        let input = x.iter().map(|&x| f64::from(x)).collect();
        let head = dense("encoder", architecture.encoder_widths(), input);
        let (mut z, mut log_q, mut kl) = (Vec::new(), 0.0, 0.0);
        for unit in 0..latent {
            let (mean, h, epsilon) = (head[unit], head[latent + unit], f64::from(noise[unit]));
            let log = match architecture.posterior_variance {
                PosteriorVariance::Exp => h.clamp(-12.0, 8.0),
                PosteriorVariance::Softplus => (0.5 * h).exp().ln_1p().ln(),
            };
            z.push(mean + (0.5 * log).exp() * epsilon);
            log_q -= 0.5 * (log + epsilon * epsilon + TAU.ln());
            kl += 0.5 * (mean * mean + log.exp() - log - 1.0);
        }
        if let (Some(means), Some(log_variances), Some(logits)) =
            (of("prior.means"), of("prior.log_variances"), of("prior.logits"))
        {
            let weights: f64 = logits.iter().map(|logit| logit.exp()).sum();
            let density = |k: usize| {
                let exponent = |unit: usize| {
                    let s = log_variances[k * latent + unit].clamp(-8.0, 4.0);
                    -0.5 * ((z[unit] - means[k * latent + unit]).powi(2) / s.exp() + s + TAU.ln())
                };
                logits[k].exp() / weights * (0..latent).map(exponent).sum::<f64>().exp()
            };
            kl = log_q - (0..logits.len()).map(density).sum::<f64>().ln();
        }
        let decoded = dense("decoder", architecture.decoder_widths(), z);
        for (column, decoded) in decoded.iter().enumerate() {
            let square = (decoded - f64::from(x[column])).powi(2);
            total += match architecture.likelihood {
                Likelihood::MeanSquaredError => square / features as f64,
                _ => {
                    let fixed = architecture.sigma.unwrap_or(1.0).ln();
                    let log = log_sigma.map_or(fixed, |values| values[column % values.len()]);
                    0.5 * square * (-2.0 * log).exp() + log + 0.5 * TAU.ln()
                }
            };
        }
        total += beta * kl;
    }
    total / x.nrows() as f64
}

/// Along each tensor's own gradient g the loss must rise by |g| a unit of length.
#[test]
fn gradients_equal_finite_differences_in_double_precision() {
    const STEP: f64 = 1e-6;
    for small in Small::goldens().into_iter().chain(Small::shapes().into_iter().skip(1)) {
        let step = small.steps(1)[0];
        let mut cpu = small.cpu(&[small.member(11)]);
        cpu.steps(&[step], false, &mut |_| true).unwrap();
        let found = first_gradient(&mut cpu, &small);
        let (x, noise) = small.batch(11, &step);
        let beta = step.beta * small.card.objective.beta_per_row(step.count);
        for spec in small.card.architecture.layout() {
            let slope = &found[spec.range()];
            let norm = slope.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
            let loss = |sign: f64| {
                let mut values: Vec<f64> =
                    small.start.values.iter().map(|&value| f64::from(value)).collect();
                for (value, &g) in values[spec.range()].iter_mut().zip(slope) {
                    *value += sign * STEP * f64::from(g) / norm.max(1e-12);
                }
                loss_in_double(&small, &values, &x, &noise, beta)
            };
            let difference = (loss(1.0) - loss(-1.0)) / (2.0 * STEP);
            let error = (difference - norm).abs();
            assert!(
                error <= 1e-4 * norm + 1e-7,
                "{}, {}: slope {norm} against difference {difference}",
                small.name,
                spec.name
            );
        }
    }
}
