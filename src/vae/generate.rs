//! A trained model in use: drawing samples and encoding rows, in the data's own units.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use ndarray::{Array1, Array2, ArrayView2, Axis, Zip, concatenate, s};

use super::{Vae, to_array, to_tensor};
use crate::config::{MOST_ROWS, MOST_VALUES};
use crate::data::{Labels, Table};
use crate::error::{Error, Result};
use crate::model::{ModelCard, Prior, SavedModel};
use crate::random::{Generator, Stream};

/// Rows computed at once. It also keys the random streams, so changing it changes the samples.
const CHUNK: usize = 4096;

/// A trained model on a device.
#[derive(Debug)]
pub struct Model {
    pub(super) card: ModelCard,
    /// Variance of the likelihood in each column, in scaled units.
    pub(super) variances: Vec<f64>,
    pub(super) vae: Vae,
    pub(super) device: Device,
}

/// The posterior of each row.
#[derive(Clone, Debug, PartialEq)]
pub struct Latents {
    /// Posterior means, n × latent.
    pub means: Array2<f32>,
    /// Natural logarithms of the posterior variances, n × latent.
    pub log_variances: Array2<f32>,
}

impl Latents {
    /// A table with the columns `mean0…` and `log_variance0…`, and labels where rows have them.
    ///
    /// # Errors
    /// Where a value is not finite or the labels are not one a row.
    pub fn to_table(&self, labels: Option<Labels>) -> Result<Table> {
        let units = 0..self.means.ncols();
        let names = units.clone().map(|i| format!("mean{i}"));
        let columns = names.chain(units.map(|i| format!("log_variance{i}"))).collect();
        let values = concatenate(Axis(1), &[self.means.view(), self.log_variances.view()])
            .map_err(|error| Error::failed(format!("latents: {error}")))?;
        Table::new(columns, values, labels)
    }
}

impl Model {
    /// Puts a saved model on a device.
    pub fn new(saved: SavedModel, device: &Device) -> Self {
        Self {
            vae: Vae::new(&saved.parameters, device),
            variances: saved.parameters.likelihood_variances(),
            card: saved.card,
            device: device.clone(),
        }
    }

    /// What the model is.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// The prior of training as it stands, for drawing latents.
    ///
    /// # Errors
    /// Where the device fails, or its parameters are no mixture.
    pub fn trained_prior(&self) -> Result<Prior> {
        self.vae.trained_prior()
    }

    /// Variance of the likelihood p(x|z) in scaled units, mean over the columns.
    pub fn likelihood_variance(&self) -> f64 {
        self.variances.iter().sum::<f64>() / self.variances.len() as f64
    }

    /// Standard deviation of the likelihood's noise in each column, in the data's own units; nothing
    /// where the likelihood is a mean squared error, whose samples get none.
    pub fn noise_deviations(&self) -> Option<Vec<f64>> {
        let scales = self.card.scaling.scale.iter().map(|&scale| f64::from(scale));
        let noisy = self.card.architecture.likelihood.has_sigma();
        noisy
            .then(|| self.variances.iter().zip(scales).map(|(v, scale)| v.sqrt() * scale).collect())
    }

    /// Draws `rows` rows in the data's units: z from the prior, decoded; with `noise` the noise σ·ε
    /// of the likelihood is added, where it has a σ. Row i depends on the seed and i alone.
    ///
    /// # Errors
    /// Where `rows` is 0 or more than can be drawn in one go, the device fails, or `interrupt` is
    /// set.
    pub fn sample(
        &self,
        rows: usize,
        noise: bool,
        seed: u64,
        interrupt: &AtomicBool,
    ) -> Result<Array2<f32>> {
        let features = self.card.architecture.features;
        let fits = rows.checked_mul(features).is_some_and(|values| values <= MOST_VALUES);
        if !(1..=MOST_ROWS).contains(&rows) || !fits {
            return Err(Error::input(format!(
                "{rows} samples of {features} columns cannot be drawn"
            ))
            .help("ask for 1 to 10^8 samples and 10^9 values; draw more with several seeds"));
        }
        let noise = noise.then_some(Stream::ObservationNoise);
        self.generate(rows, seed, noise, interrupt, |index, count| {
            let latent = self.card.architecture.latent;
            match &self.card.prior {
                Prior::StandardNormal => {
                    standard_normal(seed, Stream::PriorDraw, index, count, latent)
                }
                Prior::Mixture(mixture) => {
                    let generator = Generator::new(seed, Stream::PriorDraw, index as u64);
                    mixture.draw_rows(count, generator).0
                }
            }
        })
    }

    /// Draws `count` rows in the data's units as [`sample`](Self::sample) does, but with z from the posterior of one of `rows` (n × features, in the data's units) in turn: what
    /// the decoder makes of the latents that the encoder gives it.
    ///
    /// # Errors
    /// As [`encode`](Self::encode) and [`sample`](Self::sample), or where there are no rows.
    pub fn sample_posterior(
        &self,
        rows: ArrayView2<f32>,
        count: usize,
        noise: bool,
        seed: u64,
        interrupt: &AtomicBool,
    ) -> Result<Array2<f32>> {
        let latents = self.posterior_draws(rows, count, Stream::PosteriorDraw, seed, interrupt)?;
        let noise = noise.then_some(Stream::PosteriorObservation);
        self.generate(count, seed, noise, interrupt, |index, count| {
            latents.slice(s![index * CHUNK..index * CHUNK + count, ..]).to_owned()
        })
    }

    /// Draws `count` latents, each from the posterior of one of `rows` (n × features, in the data's
    /// units) in turn, with noise from `stream`: count × latent.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), or where there are no rows.
    pub fn posterior_draws(
        &self,
        rows: ArrayView2<f32>,
        count: usize,
        stream: Stream,
        seed: u64,
        interrupt: &AtomicBool,
    ) -> Result<Array2<f32>> {
        let n = rows.nrows();
        if n == 0 {
            return Err(Error::input("there are no rows whose posteriors could be drawn from"));
        }
        let Latents { means, log_variances } = self.encode(rows, interrupt)?;
        let mut z = Array2::zeros((count, means.ncols()));
        for (index, mut chunk) in z.axis_chunks_iter_mut(Axis(0), CHUNK).enumerate() {
            let (rows, columns) = chunk.dim();
            chunk.assign(&standard_normal(seed, stream, index, rows, columns));
        }
        for (draw, mut z) in z.rows_mut().into_iter().enumerate() {
            let (means, log_variances) = (means.row(draw % n), log_variances.row(draw % n));
            Zip::from(&mut z).and(means).and(log_variances).for_each(|z, mean, log_variance| {
                *z = mean + (0.5 * log_variance).exp() * *z;
            });
        }
        Ok(z)
    }

    /// Decodes latents (n × latent) to the mean of the likelihood, in the data's units.
    ///
    /// # Errors
    /// Where the device fails, or `interrupt` is set.
    pub fn decode(&self, latents: ArrayView2<f32>, interrupt: &AtomicBool) -> Result<Array2<f32>> {
        self.generate(latents.nrows(), 0, None, interrupt, |index, count| {
            latents.slice(s![index * CHUNK..index * CHUNK + count, ..]).to_owned()
        })
    }

    /// Decodes `rows` latents, given chunk by chunk as `latents(chunk, rows)`, and adds the
    /// likelihood's noise from the stream `noise`, if any.
    fn generate(
        &self,
        rows: usize,
        seed: u64,
        noise: Option<Stream>,
        interrupt: &AtomicBool,
        latents: impl Fn(usize, usize) -> Array2<f32>,
    ) -> Result<Array2<f32>> {
        let noisy = self.card.architecture.likelihood.has_sigma();
        let deviations = Array1::from_iter(self.variances.iter().map(|v| v.sqrt() as f32));
        let mut out = Array2::zeros((rows, self.card.architecture.features));
        for (index, mut chunk) in out.axis_chunks_iter_mut(Axis(0), CHUNK).enumerate() {
            check(interrupt)?;
            let z = latents(index, chunk.nrows());
            let mut decoded = to_array(self.vae.decode(to_tensor(z.view(), &self.device)))?;
            if let Some(noise) = noise.filter(|_| noisy) {
                let (rows, columns) = chunk.dim();
                decoded += &(standard_normal(seed, noise, index, rows, columns) * &deviations);
            }
            chunk.assign(&self.card.scaling.invert(decoded.view()));
        }
        if out.iter().any(|value| !value.is_finite()) {
            return Err(Error::failed("the model generates values that are not finite")
                .help("train again with a lower training.learning_rate"));
        }
        Ok(out)
    }

    /// The posteriors of rows given in the data's units (n × features).
    ///
    /// # Errors
    /// Where the columns are not as many as the model's, the device fails, or `interrupt` is set.
    pub fn encode(&self, rows: ArrayView2<f32>, interrupt: &AtomicBool) -> Result<Latents> {
        let features = self.card.architecture.features;
        if rows.ncols() != features {
            let found = rows.ncols();
            return Err(Error::input(format!("{found} columns for a model of {features}"))
                .help(format!("the model was trained on: {}", self.card.columns.join(", "))));
        }
        let shape = (rows.nrows(), self.card.architecture.latent);
        let mut latents =
            Latents { means: Array2::zeros(shape), log_variances: Array2::zeros(shape) };
        for (index, chunk) in rows.axis_chunks_iter(Axis(0), CHUNK).enumerate() {
            check(interrupt)?;
            let scaled = self.card.scaling.apply(chunk);
            let posterior = self.vae.encode(to_tensor(scaled.view(), &self.device));
            let place = s![index * CHUNK..index * CHUNK + chunk.nrows(), ..];
            latents.means.slice_mut(place).assign(&to_array(posterior.mean)?);
            latents.log_variances.slice_mut(place).assign(&to_array(posterior.log_variance)?);
        }
        Ok(latents)
    }
}

/// Stops between chunks where the user wants to.
pub(super) fn check(interrupt: &AtomicBool) -> Result<()> {
    match interrupt.load(Ordering::Relaxed) {
        true => Err(Error::interrupted("stopped")),
        false => Ok(()),
    }
}

fn standard_normal(
    seed: u64,
    stream: Stream,
    chunk: usize,
    rows: usize,
    columns: usize,
) -> Array2<f32> {
    let mut draws = Array2::zeros((rows, columns));
    if let Some(values) = draws.as_slice_mut() {
        Generator::new(seed, stream, chunk as u64).normal(values);
    }
    draws
}
