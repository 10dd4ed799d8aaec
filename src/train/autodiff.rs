//! The reference trainer: burn's automatic differentiation and burn's Adam, on any backend.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{Adam, AdamConfig, AdamState, AdaptiveMomentumState, GradientsParams, Optimizer};
use burn::tensor::{Device, Tensor, TensorData};
use ndarray::ArrayView2;

use crate::config::TrainingSettings;
use crate::error::Result;
use crate::model::{Architecture, ModelCard, Objective, Parameters, TrainingState};
use crate::vae::{Losses, Vae, losses, to_tensor, to_vec};

/// A model in training: weights, their average and Adam's moments.
pub struct Autodiff {
    vae: Vae,
    architecture: Architecture,
    average: Option<Average>,
    adam: Adam,
    moments: Moments,
    steps: u64,
    objective: Objective,
    gradient_clip: Option<f64>,
    device: Device,
}

impl Autodiff {
    /// Goes on from `start` with Adam (Kingma and Ba, "Adam", ICLR 2015) as the settings say.
    pub fn new(
        start: &TrainingState,
        objective: Objective,
        settings: &TrainingSettings,
        device: &Device,
    ) -> Self {
        let device = device.clone().autodiff();
        let adam = AdamConfig::new()
            .with_beta_1(settings.adam_beta1 as f32)
            .with_beta_2(settings.adam_beta2 as f32)
            .with_epsilon(settings.adam_epsilon as f32);
        let vae = Vae::new(&start.parameters, &device);
        let weights = vae.valid();
        let average = |decay| {
            let values = start.average.as_ref().unwrap_or(&start.parameters.values);
            Average { vae: weights.clone().map(&mut Assign(spread(&weights, values))), decay }
        };
        Self {
            average: settings.ema.map(average),
            moments: Moments {
                first: spread(&weights, &start.first_moments),
                second: spread(&weights, &start.second_moments),
            },
            architecture: start.parameters.architecture.clone(),
            vae,
            adam: adam.build(),
            steps: start.steps,
            objective,
            gradient_clip: settings.gradient_clip,
            device,
        }
    }

    /// The device that [`step`](Self::step) expects its tensors on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The model as it stands, in evaluation mode: its averaged weights, where there are any.
    pub fn model(&self) -> Vae {
        self.average.as_ref().map_or_else(|| self.vae.valid(), |average| average.vae.clone())
    }

    /// Where the training stands.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn state(&self) -> Result<TrainingState> {
        let weights = self.vae.valid();
        let average = self.average.as_ref().filter(|_| self.steps > 0);
        Ok(TrainingState {
            parameters: weights.parameters(&self.architecture)?,
            steps: self.steps,
            first_moments: flatten(&weights, &self.moments.first)?,
            second_moments: flatten(&weights, &self.moments.second)?,
            average: average
                .map(|average| average.vae.parameters(&self.architecture))
                .transpose()?
                .map(|average| average.values),
        })
    }

    /// One Adam step with learning rate `rate` on rows `x` (n × features, scaled units) with
    /// standard normal `noise` (n × (draws · latent)) and weight `beta` on the KL divergence a row.
    ///
    /// Returns the losses before the step; nothing is read back from the device.
    pub fn step(&mut self, x: Tensor<2>, noise: Tensor<2>, beta: f64, rate: f64) -> Losses {
        let losses = losses(&self.vae, x, noise, &self.objective, beta);
        let mut gradients = GradientsParams::from_grads(losses.loss.backward(), &self.vae);
        if let Some(limit) = self.gradient_clip {
            gradients = clip(&self.vae, gradients, limit);
        }
        let (adam, moments, time) = (&self.adam, &mut self.moments, self.steps as usize);
        self.vae = self.vae.clone().map(&mut Update { adam, moments, gradients, time, rate });
        self.steps += 1;
        if let Some(average) = &mut self.average {
            average.update(&self.vae.valid(), self.steps);
        }
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
/// (n × (draws · latent)).
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
    let (x, noise) = (to_tensor(x, &device), to_tensor(noise, &device));
    let losses = losses(&vae, x, noise, &card.objective, beta);
    let gradients = GradientsParams::from_grads(losses.loss.clone().backward(), &vae);
    let scalar = |tensor: Tensor<1>| to_vec(tensor.inner()).map(|values| values[0]);
    Ok(Gradient {
        loss: scalar(losses.loss)?,
        reconstruction: scalar(losses.reconstruction)?,
        kl: scalar(losses.kl)?,
        values: flatten(&vae, &gradients)?,
    })
}

/// The tensors of each parameter of `vae`, in the flat order. One that is missing is zero: a gradient
/// of what the loss does not reach.
fn flatten(vae: &Vae, tensors: &GradientsParams) -> Result<Vec<f32>> {
    struct Flatten<'a>(&'a GradientsParams, Result<Vec<f32>>);
    impl ModuleVisitor for Flatten<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let zeros = || Ok(vec![0.0; param.val().shape().num_elements()]);
            let new = self.0.get::<D>(param.id).map_or_else(zeros, to_vec);
            match (&mut self.1, new) {
                (Ok(values), Ok(new)) => values.extend(new),
                (flat @ Ok(_), Err(error)) => *flat = Err(error),
                (Err(_), _) => {}
            }
        }
    }
    let mut flat = Flatten(tensors, Ok(Vec::new()));
    vae.visit(&mut flat);
    flat.1
}

/// Values in the flat order as tensors of the shapes of `vae`, on its device: the inverse of
/// [`flatten`].
fn spread(vae: &Vae, values: &[f32]) -> GradientsParams {
    struct Spread<'a>(&'a [f32], GradientsParams);
    impl ModuleVisitor for Spread<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            let (own, rest) = self.0.split_at(value.shape().num_elements());
            let data = TensorData::new(own.to_vec(), value.dims());
            self.1.register::<D>(param.id, Tensor::from_data(data, &value.device()));
            self.0 = rest;
        }
    }
    let mut spread = Spread(values, GradientsParams::new());
    vae.visit(&mut spread);
    spread.1
}

/// Puts tensors in the place of the parameters.
struct Assign(GradientsParams);

impl ModuleMapper for Assign {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        Param::from_mapped_value(id, self.0.remove(id).unwrap_or(value), mapper)
    }
}

/// Adam's moments of each parameter.
struct Moments {
    first: GradientsParams,
    second: GradientsParams,
}

/// Takes one Adam step with every parameter. burn's own driver of its optimisers does the same, but
/// does not let a saved state be put back on a device of choice.
struct Update<'a> {
    adam: &'a Adam,
    moments: &'a mut Moments,
    gradients: GradientsParams,
    /// Steps before this one.
    time: usize,
    rate: f64,
}

impl ModuleMapper for Update<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let Moments { first, second } = &mut *self.moments;
        let (Some(gradient), Some(first_moment), Some(second_moment)) =
            (self.gradients.remove::<D>(id), first.remove(id), second.remove(id))
        else {
            return Param::from_mapped_value(id, tensor, mapper);
        };
        let state = AdaptiveMomentumState::new(self.time, first_moment, second_moment);
        let state = Some(AdamState::new(state));
        let (stepped, state) = self.adam.step(self.rate, tensor.inner(), gradient, state);
        if let Some(AdamState { momentum }) = state {
            first.register(id, momentum.moment_1);
            second.register(id, momentum.moment_2);
        }
        Param::from_mapped_value(id, Tensor::from_inner(stepped).require_grad(), mapper)
    }
}

/// An exponential moving average of the weights (Polyak and Juditsky 1992).
struct Average {
    vae: Vae,
    decay: f64,
}

impl Average {
    /// Takes in the weights after step number `step`, from 1.
    fn update(&mut self, vae: &Vae, step: u64) {
        struct Collect(GradientsParams);
        impl ModuleVisitor for Collect {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.0.register::<D>(param.id, param.val());
            }
        }
        struct Blend(GradientsParams, f64);
        impl ModuleMapper for Blend {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                let (id, average, mapper) = param.consume();
                let blended = match self.0.remove::<D>(id) {
                    Some(new) => average.clone() + (new - average) * (1.0 - self.1),
                    None => average,
                };
                Param::from_mapped_value(id, blended, mapper)
            }
        }
        let rising = (1.0 + step as f64) / (10.0 + step as f64);
        let mut new = Collect(GradientsParams::new());
        vae.visit(&mut new);
        self.vae = self.vae.clone().map(&mut Blend(new.0, self.decay.min(rising)));
    }
}

/// 2⁻³², in units of which norms are squared, so that squares of long gradients stay finite.
const NORM_UNIT: f64 = 1.0 / 4_294_967_296.0;

/// Shortens the whole gradient to Euclidean norm `limit` where it is longer (Pascanu, Mikolov and
/// Bengio 2013, algorithm 1), without reading the norm back.
fn clip(vae: &Vae, gradients: GradientsParams, limit: f64) -> GradientsParams {
    struct SquaredNorm<'a>(&'a GradientsParams, Option<Tensor<1>>);
    impl ModuleVisitor for SquaredNorm<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                let square = (gradient * NORM_UNIT).square().sum();
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
    let norm = square.sqrt().clamp_min(f32::MIN_POSITIVE);
    let factor = (norm.recip() * (limit * NORM_UNIT)).clamp_max(1.0);
    let mut scale = Scale(gradients, factor);
    vae.visit(&mut scale);
    scale.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{KlReduction, ModelSettings};
    use crate::model::Architecture;
    use ndarray::Array2;

    const OBJECTIVE: Objective = Objective {
        beta: 1.0,
        kl_reduction: KlReduction::Mean,
        free_bits: 0.0,
        importance_samples: 1,
        batch: 4,
    };

    fn start() -> Parameters {
        let settings =
            ModelSettings { latent: Some(2), hidden: vec![6], ..ModelSettings::default() };
        let none = Array2::zeros((0, 3));
        Parameters::initialise(Architecture::new(&settings, 3), 1.0, none.view(), 1).unwrap()
    }

    /// The average of the weights after each step, with the decay that the step's number allows.
    #[test]
    fn the_average_follows_the_weights() {
        let device = crate::device::open(crate::config::Backend::Cpu).unwrap().device;
        let settings = TrainingSettings { ema: Some(0.25), ..TrainingSettings::default() };
        let plain = TrainingSettings::default();
        let mut averaged = Autodiff::new(&start().into(), OBJECTIVE, &settings, &device);
        let mut followed = Autodiff::new(&start().into(), OBJECTIVE, &plain, &device);
        let values =
            |trainer: &Autodiff| trainer.model().parameters(&start().architecture).unwrap().values;
        let mut expected = values(&followed);
        for decay in [2.0 / 11.0, 0.25, 0.25] {
            for trainer in [&mut averaged, &mut followed] {
                let x = to_tensor(Array2::from_elem((4, 3), 2.0).view(), trainer.device());
                let noise = to_tensor(Array2::from_elem((4, 2), 0.5).view(), trainer.device());
                trainer.step(x, noise, 1.0, 0.1);
            }
            for (expected, new) in expected.iter_mut().zip(values(&followed)) {
                *expected = decay * *expected + (1.0 - decay) * new;
            }
        }
        let found = values(&averaged);
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6));
        assert!(found.iter().zip(values(&followed)).any(|(a, b)| (a - b).abs() > 1e-3));
    }

    /// Also where the average has begun, and where not.
    #[test]
    fn a_training_goes_on_from_its_state_to_the_same_bits() {
        let device = crate::device::open(crate::config::Backend::Cpu).unwrap().device;
        let settings = TrainingSettings { ema: Some(0.9), ..TrainingSettings::default() };
        let take = |trainer: &mut Autodiff, steps: std::ops::Range<usize>| {
            for step in steps {
                let x = Array2::from_elem((4, 3), step as f32);
                let x = to_tensor(x.view(), trainer.device());
                let noise = to_tensor(Array2::from_elem((4, 2), 0.5).view(), trainer.device());
                trainer.step(x, noise, 1.0, 0.1);
            }
        };
        let mut whole = Autodiff::new(&start().into(), OBJECTIVE, &settings, &device);
        take(&mut whole, 0..5);
        let mut from = TrainingState::from(start());
        for stop in [0, 3, 5] {
            let mut trainer = Autodiff::new(&from, OBJECTIVE, &settings, &device);
            take(&mut trainer, from.steps as usize..stop);
            from = trainer.state().unwrap();
        }
        assert_eq!(from, whole.state().unwrap());
        assert!(from.average.is_some());
    }

    #[test]
    fn clipping_shortens_the_whole_gradient_and_keeps_its_direction() {
        let device = crate::device::open(crate::config::Backend::Cpu).unwrap().device.autodiff();
        let vae = Vae::new(&start(), &device);
        let x = to_tensor(Array2::from_elem((4, 3), 2.0).view(), &device);
        let noise = to_tensor(Array2::from_elem((4, 2), 0.5).view(), &device);
        let clipped = |limit: f64| {
            let loss = losses(&vae, x.clone(), noise.clone(), &OBJECTIVE, 1.0).loss;
            let gradients = GradientsParams::from_grads(loss.backward(), &vae);
            let gradients = clip(&vae, gradients, limit);
            flatten(&vae, &gradients).unwrap()
        };
        let norm = |g: &[f32]| g.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
        let whole = clipped(1e9);
        let limit = norm(&whole) / 4.0;
        let short = clipped(limit);
        assert!((norm(&short) / limit - 1.0).abs() < 1e-5);
        assert!(whole.iter().zip(&short).all(|(w, s)| (w / 4.0 - s).abs() < 1e-6));
    }
}
