//! A trained model in use: drawing samples and encoding rows, in the data's own units.

use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Zip, concatenate, s};
use rayon::prelude::*;

use super::layers::Layers;
use super::near::near_order;
use super::{Vae, to_array, to_tensor};
use crate::config::{MOST_ROWS, MOST_VALUES};
use crate::data::{Labels, Table};
use crate::error::{Error, Result, heed};
use crate::model::{Architecture, ModelCard, Prior, SavedModel};
use crate::random::{Generator, Stream};

/// Rows of a chunk. It keys the random streams, so changing it changes the samples.
const CHUNK: usize = 4096;
/// Samples drawn in one go at most: a larger number is a slip of the keyboard.
const MOST_SAMPLES: usize = 10_000_000_000;
/// Chunks that the processor's cores share out at most.
const CHUNKS_AT_ONCE: usize = 128;
/// Values that those chunks have at most; twice as many are held.
const VALUES_AT_ONCE: usize = 1 << 25;

/// A trained model on a device.
#[derive(Debug)]
pub struct Model {
    pub(super) card: ModelCard,
    /// Variance of the likelihood in each column, in scaled units.
    pub(super) variances: Vec<f64>,
    pub(super) vae: Vae,
    pub(super) device: Device,
    /// Encoder and decoder, packed, where the device is the processor.
    layers: Option<[Layers; 2]>,
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
    /// The names of the columns of so many units: `mean0…`, then `log_variance0…`.
    pub fn columns(units: usize) -> Vec<String> {
        let names = |of: &'static str| (0..units).map(move |unit| format!("{of}{unit}"));
        names("mean").chain(names("log_variance")).collect()
    }

    /// A table with the columns `mean0…` and `log_variance0…`, and labels where rows have them.
    ///
    /// # Errors
    /// Where a value is not finite or the labels are not one a row.
    pub fn to_table(&self, labels: Option<Labels>) -> Result<Table> {
        let columns = Self::columns(self.means.ncols());
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
            layers: (*device == Device::flex()).then(|| Layers::of(&saved.parameters)),
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

    /// Standard deviation of the likelihood's noise in each column, in the data's own units: 0 where the
    /// column is constant. Nothing where the likelihood is a mean squared error, whose samples get none.
    pub fn noise_deviations(&self) -> Option<Vec<f64>> {
        let scaling = &self.card.scaling;
        let of_column = |(column, variance): (usize, &f64)| match scaling.constant.contains(&column)
        {
            true => 0.0,
            false => variance.sqrt() * f64::from(scaling.scale[column]),
        };
        let noisy = self.card.architecture.likelihood.has_sigma();
        noisy.then(|| self.variances.iter().enumerate().map(of_column).collect())
    }

    /// Draws `rows` rows in the data's units: z from the prior, decoded; with `noise` the noise σ·ε
    /// of the likelihood is added, where it has a σ. Row i depends on the seed and i alone.
    ///
    /// # Errors
    /// Where `rows` is 0 or more than memory should hold, the device fails, or `interrupt` is set.
    pub fn sample(
        &self,
        rows: usize,
        noise: bool,
        seed: u64,
        interrupt: &AtomicBool,
    ) -> Result<Array2<f32>> {
        let features = self.card.architecture.features;
        let fits = rows.checked_mul(features).is_some_and(|values| values <= MOST_VALUES);
        if rows > MOST_ROWS || !fits {
            return Err(Error::input(format!(
                "{rows} samples of {features} columns cannot be drawn into memory"
            ))
            .help("ask for up to 10^8 samples and 10^9 values; `modescope sample` writes more"));
        }
        self.gathered(rows, |each| self.sample_chunks(rows, noise, seed, interrupt, each))
    }

    /// Draws the rows of [`sample`](Self::sample) and gives them to `each`, some at a time.
    ///
    /// # Errors
    /// Where `rows` is 0 or above 10¹⁰, the device fails, `interrupt` is set, or what `each` returns.
    pub fn sample_chunks(
        &self,
        rows: usize,
        noise: bool,
        seed: u64,
        interrupt: &AtomicBool,
        each: impl FnMut(ArrayView2<f32>) -> Result<()>,
    ) -> Result<()> {
        check_samples(rows)?;
        let noise = noise.then_some(Stream::ObservationNoise);
        let latent = self.card.architecture.latent;
        let draw = |index, count| match &self.card.prior {
            Prior::StandardNormal => standard_normal(seed, Stream::PriorDraw, index, count, latent),
            Prior::Mixture(mixture) => {
                let generator = Generator::new(seed, Stream::PriorDraw, index as u64);
                mixture.draws(generator).rows(count).0
            }
        };
        self.generate(rows, seed, noise, interrupt, draw, each)
    }

    /// The rows that `fill` gives chunk by chunk, in one matrix.
    fn gathered(
        &self,
        rows: usize,
        fill: impl FnOnce(&mut dyn FnMut(ArrayView2<f32>) -> Result<()>) -> Result<()>,
    ) -> Result<Array2<f32>> {
        let mut out = Array2::zeros((rows, self.card.architecture.features));
        let mut done = 0;
        fill(&mut |chunk| {
            out.slice_mut(s![done..done + chunk.nrows(), ..]).assign(&chunk);
            done += chunk.nrows();
            Ok(())
        })?;
        Ok(out)
    }

    /// Draws `count` rows in the data's units as [`sample`](Self::sample) does, but with z from the posterior
    /// of one of `rows` (n × features, in the data's units) in turn: what the decoder makes of the latents
    /// that the encoder gives it.
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
        self.decode_with(latents.view(), seed, noise, interrupt)
    }

    /// Draws `count` latents, each from the posterior of one of `rows` (n × features, in the data's
    /// units) in turn, with noise from `stream`: count × latent.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), or where there are no rows.
    pub(crate) fn posterior_draws(
        &self,
        rows: ArrayView2<f32>,
        count: usize,
        stream: Stream,
        seed: u64,
        interrupt: &AtomicBool,
    ) -> Result<Array2<f32>> {
        let n = rows.nrows().min(count);
        let rows = rows.slice(s![..n, ..]);
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
    /// Where the columns are not as many as the model's latent units, the device fails, or `interrupt` is
    /// set.
    pub fn decode(&self, latents: ArrayView2<f32>, interrupt: &AtomicBool) -> Result<Array2<f32>> {
        let (found, units) = (latents.ncols(), self.card.architecture.latent);
        if found != units {
            return Err(Error::input(format!(
                "latents of {found} columns for a model of {units} units"
            )));
        }
        self.decode_with(latents, 0, None, interrupt)
    }

    fn decode_with(
        &self,
        latents: ArrayView2<f32>,
        seed: u64,
        noise: Option<Stream>,
        interrupt: &AtomicBool,
    ) -> Result<Array2<f32>> {
        let rows = latents.nrows();
        let of_chunk =
            |index, count| latents.slice(s![index * CHUNK..index * CHUNK + count, ..]).to_owned();
        self.gathered(rows, |each| self.generate(rows, seed, noise, interrupt, of_chunk, each))
    }

    /// Decodes `rows` latents, given chunk by chunk as `latents(chunk, rows)`, adds the likelihood's
    /// noise from the stream `noise`, if any, and gives them to `each` chunk by chunk.
    fn generate(
        &self,
        rows: usize,
        seed: u64,
        noise: Option<Stream>,
        interrupt: &AtomicBool,
        latents: impl Fn(usize, usize) -> Array2<f32> + Sync,
        mut each: impl FnMut(ArrayView2<f32>) -> Result<()>,
    ) -> Result<()> {
        let (scaling, device) = (&self.card.scaling, &self.device);
        let noise = noise.filter(|_| self.card.architecture.likelihood.has_sigma());
        let deviations = Array1::from_iter(self.variances.iter().map(|v| v.sqrt() as f32));
        let chunk = |vae: &mut Vae, index: usize| {
            let z = latents(index, CHUNK.min(rows - index * CHUNK));
            let order = near_order(&z);
            let z = Array2::from_shape_fn(z.dim(), |(place, unit)| z[(order[place], unit)]);
            let (rows, columns) = (z.nrows(), deviations.len());
            let mut means = Array2::zeros((rows, columns));
            match &self.layers {
                Some([_, decoder]) => by_layers(decoder, &z, &mut means),
                None => means = to_array(vae.decode(to_tensor(z.view(), device)))?,
            }
            let mut decoded = match noise {
                Some(noise) => standard_normal(seed, noise, index, rows, columns) * &deviations,
                None => Array2::zeros((rows, columns)),
            };
            for ((place, column), mean) in means.indexed_iter() {
                decoded[(order[place], column)] += mean;
            }
            let chunk = scaling.invert(decoded.view());
            match chunk.iter().all(|value| value.is_finite()) {
                true => Ok(chunk),
                false => Err(Error::diverged("the model generates values that are not finite")
                    .help("train again with a lower training.learning_rate")),
            }
        };
        self.in_chunks(rows, interrupt, chunk, |_, chunk| each(chunk.view()))
    }

    /// Computes `chunk` of the chunks that so many rows make, several at a time on the processor's
    /// cores, and gives each with its place to `each`, in order.
    fn in_chunks<T: Send>(
        &self,
        rows: usize,
        interrupt: &AtomicBool,
        chunk: impl Fn(&mut Vae, usize) -> Result<T> + Sync,
        mut each: impl FnMut(usize, T) -> Result<()>,
    ) -> Result<()> {
        let count = rows.div_ceil(CHUNK);
        let of_index = |vae: &mut Vae, index| {
            heed(interrupt)?;
            chunk(vae, index)
        };
        if self.layers.is_none() {
            let mut vae = self.vae.clone();
            return (0..count).try_for_each(|index| each(index, of_index(&mut vae, index)?));
        }
        let Architecture { features, latent, .. } = self.card.architecture;
        let of_chunk = CHUNK * features.max(2 * latent);
        let at_once = (VALUES_AT_ONCE / of_chunk).clamp(1, CHUNKS_AT_ONCE);
        let compute = |first: usize| -> Vec<Result<T>> {
            let indices = first..count.min(first + at_once);
            // One by one, so that no core waits for another's last few.
            let each = indices.into_par_iter().with_max_len(1);
            each.map_with(self.vae.clone(), &of_index).collect()
        };
        let mut done = compute(0);
        for first in (0..count).step_by(at_once) {
            let mut next = Vec::new();
            // Computed while `each` has the chunks before.
            rayon::in_place_scope(|scope| {
                scope.spawn(|_| next = compute(first + at_once));
                (first..).zip(done).try_for_each(|(index, done)| each(index, done?))
            })?;
            done = next;
        }
        Ok(())
    }

    /// The posteriors of rows given in the data's units (n × features).
    ///
    /// # Errors
    /// Where the columns are not as many as the model's, a value is so far from what it was trained on that
    /// the posterior is no number, the device fails, or `interrupt` is set.
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
        let (scaling, device) = (&self.card.scaling, &self.device);
        let chunk = |vae: &mut Vae, index: usize| {
            let end = rows.nrows().min((index + 1) * CHUNK);
            let scaled = scaling.apply(rows.slice(s![index * CHUNK..end, ..]));
            let posterior = match &self.layers {
                Some([encoder, _]) => {
                    let mut output = Array2::zeros((scaled.nrows(), 2 * shape.1));
                    by_layers(encoder, &scaled, &mut output);
                    vae.posterior(to_tensor(output.view(), device))
                }
                None => vae.encode(to_tensor(scaled.view(), device)),
            };
            let [means, log_variances] =
                [to_array(posterior.mean)?, to_array(posterior.log_variance)?];
            let finite = |values: &Array2<f32>, row: usize| {
                values.row(row).iter().all(|value| value.is_finite())
            };
            let is_astray = |row: &usize| !(finite(&means, *row) && finite(&log_variances, *row));
            match (0..scaled.nrows()).find(is_astray) {
                None => Ok((means, log_variances)),
                Some(row) => Err(self.no_posterior(rows.row(index * CHUNK + row), scaled.row(row))),
            }
        };
        self.in_chunks(rows.nrows(), interrupt, chunk, |index, (means, log_variances)| {
            let place = s![index * CHUNK..index * CHUNK + means.nrows(), ..];
            latents.means.slice_mut(place).assign(&means);
            latents.log_variances.slice_mut(place).assign(&log_variances);
            Ok(())
        })?;
        Ok(latents)
    }

    /// What is wrong with a row that the encoder makes no numbers of.
    fn no_posterior(&self, row: ArrayView1<f32>, scaled: ArrayView1<f32>) -> Error {
        let furthest =
            scaled.iter().enumerate().max_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs()));
        let column = furthest.map_or(0, |(column, _)| column);
        Error::diverged(format!(
            "the model encodes a row to no numbers, with {:e} as its \"{}\"",
            row[column], self.card.columns[column]
        ))
        .help("train again with a lower training.learning_rate")
    }
}

/// Sets the rows of `y` to what the layers make of those of `x`.
fn by_layers(layers: &Layers, x: &Array2<f32>, y: &mut Array2<f32>) {
    let x = x.as_standard_layout();
    let whole = "rows one after the other";
    layers.forward(x.as_slice().expect(whole), y.as_slice_mut().expect(whole));
}

/// Refuses numbers of samples that cannot be drawn in one go.
///
/// # Errors
/// Where there are none, or more than 10¹⁰.
pub fn check_samples(rows: usize) -> Result<()> {
    match (1..=MOST_SAMPLES).contains(&rows) {
        true => Ok(()),
        false => Err(Error::input(format!("{rows} samples cannot be drawn in one go"))
            .help("ask for 1 to 10^10 of them; draw more with several seeds")),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ScalingKind, Settings};
    use crate::data::Scaling;
    use crate::model::Parameters;

    /// A decoder of rectifiers, not trained.
    fn model() -> Model {
        let settings = Settings::default();
        let (columns, none) = (["a", "b", "c"].map(String::from), Array2::zeros((1, 3)));
        let scaling = Scaling::fit(ScalingKind::None, none.view());
        let card = ModelCard::untrained(&settings, 1, &columns, scaling, 32);
        let (architecture, sigma) = (card.architecture.clone(), settings.model.sigma);
        let parameters = Parameters::initialise(architecture, sigma, none.view(), 1).unwrap();
        Model::new(SavedModel { card, parameters }, &Device::flex())
    }

    #[test]
    fn what_does_not_fit_the_model_is_refused() {
        let (model, go_on) = (model(), AtomicBool::new(false));
        for columns in [0, 2, 6] {
            let latents = Array2::zeros((4, columns));
            let error = model.decode(latents.view(), &go_on).unwrap_err();
            let words = format!("latents of {columns} columns for a model of 3 units");
            assert_eq!(error.message(), words);
        }
        let rows = ndarray::array![[1.0, 2.0, 3.0], [1.0, -3.4e38, 3.4e38]];
        let error = model.encode(rows.view(), &go_on).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Diverged);
        assert!(error.message().ends_with("with 3.4e38 as its \"c\""), "{error}");
    }

    #[test]
    fn a_row_depends_neither_on_the_rows_beside_it_nor_on_their_number() {
        let (model, go_on) = (model(), AtomicBool::new(false));
        let sample = |rows| model.sample(rows, true, 7, &go_on).unwrap();
        let many = sample(CHUNK + 100);
        assert_eq!(sample(100), many.slice(s![..100, ..]));
        let z = standard_normal(2, Stream::PriorDraw, 0, 300, model.card.architecture.latent);
        let decoded = model.decode(z.view(), &go_on).unwrap();
        for (z, decoded) in z.axis_chunks_iter(Axis(0), 1).zip(decoded.rows()) {
            let alone = to_array(model.vae.decode(to_tensor(z, &model.device))).unwrap();
            assert_eq!(model.card.scaling.invert(alone.view()).row(0), decoded);
        }
    }
}
