//! A trained model in use: drawing samples and encoding rows, in the data's own units.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::{Device, Tensor};
use ndarray::{Array2, ArrayView2, Axis, concatenate, s};

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
    pub(super) sigma: Option<f32>,
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
            sigma: saved.parameters.sigma(),
            card: saved.card,
            device: device.clone(),
        }
    }

    /// What the model is.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// The learned standard deviation of the likelihood in scaled units; nothing where it is fixed.
    pub fn sigma(&self) -> Option<f32> {
        self.sigma
    }

    /// Standard deviation of the observation noise that samples get in each column, in the data's own
    /// units; nothing where they get none.
    pub fn noise_deviations(&self) -> Option<Vec<f64>> {
        let scale = &self.card.scaling.scale;
        self.sigma.map(|sigma| scale.iter().map(|&scale| f64::from(sigma * scale)).collect())
    }

    /// Draws `rows` rows in the data's units: z from the prior, decoded; where the likelihood's σ
    /// is learned, with its noise σ·ε added. Row i depends on the seed and i alone.
    ///
    /// # Errors
    /// Where `rows` is 0 or more than can be drawn in one go, the device fails, or `interrupt` is
    /// set.
    pub fn sample(&self, rows: usize, seed: u64, interrupt: &AtomicBool) -> Result<Array2<f32>> {
        let features = self.card.architecture.features;
        let fits = rows.checked_mul(features).is_some_and(|values| values <= MOST_VALUES);
        if !(1..=MOST_ROWS).contains(&rows) || !fits {
            return Err(Error::input(format!(
                "{rows} samples of {features} columns cannot be drawn"
            ))
            .help("ask for 1 to 10^8 samples and 10^9 values; draw more with several seeds"));
        }
        self.generate(rows, seed, Stream::ObservationNoise, interrupt, |index, count| {
            let latent = self.card.architecture.latent;
            let z = match self.card.prior {
                Prior::StandardNormal => {
                    standard_normal(seed, Stream::PriorDraw, index, count, latent)
                }
            };
            Ok(to_tensor(z.view(), &self.device))
        })
    }

    /// Draws `count` rows in the data's units as [`sample`](Self::sample) does, but with z from the
    /// posterior of one of `rows` (n × features, in the data's units) in turn: what the decoder
    /// makes of the latents that the encoder gives it.
    ///
    /// # Errors
    /// As [`encode`](Self::encode) and [`sample`](Self::sample), or where there are no rows.
    pub fn sample_posterior(
        &self,
        rows: ArrayView2<f32>,
        count: usize,
        seed: u64,
        interrupt: &AtomicBool,
    ) -> Result<Array2<f32>> {
        let n = rows.nrows();
        if n == 0 {
            return Err(Error::input("there are no rows whose posteriors could be drawn from"));
        }
        let Latents { means, log_variances } = self.encode(rows, interrupt)?;
        let deviations = log_variances.mapv(|value| (0.5 * value).exp());
        self.generate(count, seed, Stream::PosteriorObservation, interrupt, |index, count| {
            let turn: Vec<usize> = (0..count).map(|row| (index * CHUNK + row) % n).collect();
            let noise = standard_normal(seed, Stream::PosteriorDraw, index, count, means.ncols());
            let z = means.select(Axis(0), &turn) + deviations.select(Axis(0), &turn) * noise;
            Ok(to_tensor(z.view(), &self.device))
        })
    }

    /// Decodes `rows` latents, given chunk by chunk as `latents(chunk, rows)`, and adds the noise of
    /// a learned σ from stream `noise`.
    fn generate(
        &self,
        rows: usize,
        seed: u64,
        noise: Stream,
        interrupt: &AtomicBool,
        latents: impl Fn(usize, usize) -> Result<Tensor<2>>,
    ) -> Result<Array2<f32>> {
        let mut out = Array2::zeros((rows, self.card.architecture.features));
        for (index, mut chunk) in out.axis_chunks_iter_mut(Axis(0), CHUNK).enumerate() {
            check(interrupt)?;
            let mut decoded = to_array(self.vae.decode(latents(index, chunk.nrows())?))?;
            if let Some(sigma) = self.sigma {
                let (rows, columns) = chunk.dim();
                decoded += &(standard_normal(seed, noise, index, rows, columns) * sigma);
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
