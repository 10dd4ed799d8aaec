//! The reference trainer: burn's automatic differentiation and burn's Adam, on any backend.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use ndarray::ArrayView2;

use crate::config::TrainingSettings;
use crate::error::{Error, Result};
use crate::model::{ModelCard, Parameters};
use crate::vae::{Losses, Vae, losses, to_tensor, to_vec};

/// A model in training: weights and Adam's moments.
pub struct Autodiff {
    vae: Vae,
    optimizer: ModuleOptimizer,
    gradient_clip: Option<f64>,
    device: Device,
}

impl Autodiff {
    /// Starts from `start` with Adam (Kingma and Ba, "Adam", ICLR 2015) as the settings say.
    pub fn new(start: &Parameters, settings: &TrainingSettings, device: &Device) -> Self {
        let device = device.clone().autodiff();
        let adam = AdamConfig::new()
            .with_beta_1(settings.adam_beta1 as f32)
            .with_beta_2(settings.adam_beta2 as f32)
            .with_epsilon(settings.adam_epsilon as f32);
        Self {
            vae: Vae::new(start, &device),
            optimizer: adam.init(),
            gradient_clip: settings.gradient_clip,
            device,
        }
    }

    /// The device that [`step`](Self::step) expects its tensors on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The model as it stands, in evaluation mode.
    pub fn model(&self) -> Vae {
        self.vae.valid()
    }

    /// One Adam step with learning rate `rate` on rows `x` (n × features, scaled units) with
    /// standard normal `noise` (n × latent) and weight `beta` on the KL divergence a row.
    ///
    /// Returns the losses before the step; nothing is read back from the device.
    pub fn step(&mut self, x: Tensor<2>, noise: Tensor<2>, beta: f64, rate: f64) -> Losses {
        let losses = losses(&self.vae, x, noise, beta);
        let mut gradients = GradientsParams::from_grads(losses.loss.backward(), &self.vae);
        if let Some(limit) = self.gradient_clip {
            gradients = clip(&self.vae, gradients, limit);
        }
        self.vae = self.optimizer.step(rate, self.vae.clone(), gradients);
        losses.inner()
    }
}

/// The loss of a batch and its gradient with respect to every parameter, in the flat order.
#[derive(Clone, Debug)]
pub struct Gradient {
    /// `reconstruction + β·kl`.
    pub loss: f32,
    /// See [`Losses`](crate::vae::Losses).
    pub reconstruction: f32,
    /// See [`Losses`](crate::vae::Losses).
    pub kl: f32,
    /// ∂loss/∂parameters.
    pub values: Vec<f32>,
}

/// One forward and backward pass on rows `x` (n × features, scaled units) with `noise`
/// (n × latent).
///
/// # Errors
/// Where the device fails.
pub fn gradient(
    card: &ModelCard,
    parameters: &Parameters,
    x: ArrayView2<f32>,
    noise: ArrayView2<f32>,
    device: &Device,
) -> Result<Gradient> {
    let device = device.clone().autodiff();
    let vae = Vae::new(parameters, &device);
    let beta = card.objective.beta_per_row(x.nrows());
    let losses = losses(&vae, to_tensor(x, &device), to_tensor(noise, &device), beta);
    let gradients = GradientsParams::from_grads(losses.loss.clone().backward(), &vae);
    let mut flat = Flatten { gradients: &gradients, values: Vec::new(), error: None };
    vae.visit(&mut flat);
    let scalar = |tensor: Tensor<1>| to_vec(tensor.inner()).map(|values| values[0]);
    match flat.error {
        Some(error) => Err(error),
        None => Ok(Gradient {
            loss: scalar(losses.loss)?,
            reconstruction: scalar(losses.reconstruction)?,
            kl: scalar(losses.kl)?,
            values: flat.values,
        }),
    }
}

struct Flatten<'a> {
    gradients: &'a GradientsParams,
    values: Vec<f32>,
    error: Option<Error>,
}

impl ModuleVisitor for Flatten<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // A parameter that the loss does not reach has no gradient: zero.
        let zeros = || Ok(vec![0.0; param.val().shape().num_elements()]);
        match self.gradients.get::<D>(param.id).map_or_else(zeros, to_vec) {
            Ok(values) => self.values.extend(values),
            Err(error) => self.error = Some(error),
        }
    }
}

/// Shortens the whole gradient to Euclidean norm `limit` where it is longer (Pascanu, Mikolov and
/// Bengio 2013, algorithm 1), without reading the norm back.
fn clip(vae: &Vae, gradients: GradientsParams, limit: f64) -> GradientsParams {
    struct SquaredNorm<'a>(&'a GradientsParams, Option<Tensor<1>>);
    impl ModuleVisitor for SquaredNorm<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                let square = gradient.square().sum();
                self.1 = Some(self.1.take().map_or(square.clone(), |sum| sum + square));
            }
        }
    }
    struct Scale(GradientsParams, Tensor<1>);
    impl ModuleVisitor for Scale {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.remove::<D>(param.id) {
                let factor = self.1.clone().reshape([1; D]);
                self.0.register::<D>(param.id, gradient * factor);
            }
        }
    }
    let mut norm = SquaredNorm(&gradients, None);
    vae.visit(&mut norm);
    let Some(square) = norm.1 else { return gradients };
    let factor = (square.sqrt().clamp_min(f32::MIN_POSITIVE).recip() * limit).clamp_max(1.0);
    let mut scale = Scale(gradients, factor);
    vae.visit(&mut scale);
    scale.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelSettings;
    use crate::model::Architecture;
    use ndarray::Array2;

    #[test]
    fn clipping_shortens_the_whole_gradient_and_keeps_its_direction() {
        let device = crate::device::open(crate::config::Backend::Cpu).unwrap().device.autodiff();
        let settings = ModelSettings { hidden: vec![6], ..ModelSettings::default() };
        let start = Parameters::initialise(Architecture::new(&settings, 3), 1.0, 1).unwrap();
        let vae = Vae::new(&start, &device);
        let x = to_tensor(Array2::from_elem((4, 3), 2.0).view(), &device);
        let noise = to_tensor(Array2::from_elem((4, 2), 0.5).view(), &device);
        let clipped = |limit: f64| {
            let loss = losses(&vae, x.clone(), noise.clone(), 1.0).loss;
            let gradients = GradientsParams::from_grads(loss.backward(), &vae);
            let gradients = clip(&vae, gradients, limit);
            let mut flat = Flatten { gradients: &gradients, values: Vec::new(), error: None };
            vae.visit(&mut flat);
            flat.values
        };
        let norm = |g: &[f32]| g.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
        let whole = clipped(1e9);
        let limit = norm(&whole) / 4.0;
        let short = clipped(limit);
        assert!((norm(&short) / limit - 1.0).abs() < 1e-5);
        assert!(whole.iter().zip(&short).all(|(w, s)| (w / 4.0 - s).abs() < 1e-6));
    }
}
