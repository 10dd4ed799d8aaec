//! Dense layers without gradients, on the processor, for samples and encodings: weights are packed once,
//! then a few rows at a time go through all layers, so that what lies between stays in the cache.

use std::f32::consts::FRAC_1_SQRT_2;

use pulp::{Arch, Simd, WithSimd};

use crate::config::Activation;
use crate::model::Parameters;
use crate::product::math::{erf, sigmoid, tanh};
use crate::product::{self, Buffer, Matrix, Panels, Rows};

/// Rows that are computed at a time.
const ROWS: usize = 64;

/// Dense layers one after the other.
#[derive(Debug)]
pub(super) struct Layers {
    arch: Arch,
    layers: Vec<Layer>,
}

/// y = f(xW + b).
#[derive(Debug)]
struct Layer {
    inputs: usize,
    outputs: usize,
    /// Panel after panel, each inputs × width.
    weights: Buffer,
    biases: Buffer,
    /// None is the identity.
    activation: Option<Activation>,
}

impl Layers {
    /// Those of the encoder and of the decoder.
    pub(super) fn of(parameters: &Parameters) -> [Self; 2] {
        let architecture = &parameters.architecture;
        let layout = architecture.layout();
        let mut tensors = layout.iter().map(|spec| &parameters.values[spec.range()]);
        let mut next = || tensors.next().expect("the layout begins with the layers");
        let mut layers = |widths: Vec<usize>| {
            let last = widths.len() - 2;
            let layer = |index| {
                let activation = (index < last).then_some(architecture.activation);
                Layer::new(next(), next(), activation)
            };
            Self { arch: Arch::new(), layers: (0..=last).map(layer).collect() }
        };
        [layers(architecture.encoder_widths()), layers(architecture.decoder_widths())]
    }

    /// One layer, of W (inputs × outputs) and b (outputs).
    pub(super) fn one(weights: &[f32], biases: &[f32], activation: Option<Activation>) -> Self {
        Self { arch: Arch::new(), layers: vec![Layer::new(weights, biases, activation)] }
    }

    /// Sets `y` (n × outputs of the last layer) to what they make of `x` (n × inputs of the first).
    pub(super) fn forward(&self, x: &[f32], y: &mut [f32]) {
        let [Some(first), Some(last)] = [self.layers.first(), self.layers.last()] else { return };
        let mut outs: Vec<Matrix> =
            self.layers.iter().map(|layer| Matrix::zeros(ROWS, layer.outputs)).collect();
        let blocks = x.chunks(ROWS * first.inputs).zip(y.chunks_mut(ROWS * last.outputs));
        for (x, y) in blocks {
            let rows = x.len() / first.inputs;
            let (mut values, mut stride) = (x, first.inputs);
            for (layer, out) in self.layers.iter().zip(&mut outs) {
                let x = Rows::new(self.arch, values, stride, layer.inputs);
                layer.forward(self.arch, &x, rows, out);
                (values, stride) = (out.rows(rows), out.stride);
            }
            for (y, values) in y.chunks_exact_mut(last.outputs).zip(values.chunks(stride)) {
                y.copy_from_slice(&values[..last.outputs]);
            }
        }
    }
}

impl Layer {
    fn new(weights: &[f32], biases: &[f32], activation: Option<Activation>) -> Self {
        let outputs = biases.len();
        let (inputs, panels) = (weights.len() / outputs, Panels::new(outputs));
        let mut packed = Buffer::zeros(inputs * panels.columns());
        for (input, row) in weights.chunks_exact(outputs).enumerate() {
            for (panel, values) in row.chunks(panels.width).enumerate() {
                let place = (panel * inputs + input) * panels.width;
                packed[place..][..values.len()].copy_from_slice(values);
            }
        }
        let mut filled = Buffer::zeros(panels.columns());
        filled[..outputs].copy_from_slice(biases);
        Self { inputs, outputs, weights: packed, biases: filled, activation }
    }

    /// Sets the first `rows` rows of `out`.
    fn forward(&self, arch: Arch, x: &Rows, rows: usize, out: &mut Matrix) {
        product::dense(arch, x, &self.weights, &self.biases, rows, out);
        if let Some(activation) = self.activation {
            arch.dispatch(Activate { activation, values: out.rows_mut(rows) });
        }
    }
}

/// Replaces each value by f of it.
struct Activate<'a> {
    activation: Activation,
    values: &'a mut [f32],
}

impl WithSimd for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let values = self.values.iter_mut();
        match self.activation {
            // Written so that NaN stays NaN.
            Activation::Relu => values.for_each(
                #[inline(always)]
                |x| *x = if *x < 0.0 { 0.0 } else { *x },
            ),
            Activation::Silu => values.for_each(
                #[inline(always)]
                |x| *x *= sigmoid(*x),
            ),
            Activation::Tanh => values.for_each(
                #[inline(always)]
                |x| *x = tanh(*x),
            ),
            Activation::Gelu => values.for_each(
                #[inline(always)]
                |x| *x *= 0.5 * (1.0 + erf(*x * FRAC_1_SQRT_2)),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::config::{Backend, ModelSettings};
    use crate::device;
    use crate::model::Architecture;
    use crate::random::{Generator, Stream};
    use crate::vae::{Vae, to_array, to_tensor};

    fn parameters(hidden: &[usize], activation: Activation) -> Parameters {
        let (latent, hidden) = (Some(3), hidden.to_vec());
        let settings = ModelSettings { latent, hidden, activation, ..ModelSettings::default() };
        let (architecture, none) = (Architecture::new(&settings, 5), Array2::zeros((0, 5)));
        let mut parameters = Parameters::initialise(architecture, 1.0, none.view(), 1).unwrap();
        // With biases, which begin at zero.
        let mut shifts = vec![0.0; parameters.values.len()];
        Generator::new(2, Stream::Weights, 0).normal(&mut shifts);
        let pairs = parameters.values.iter_mut().zip(shifts);
        pairs.for_each(|(value, shift)| *value += 0.1 * shift);
        parameters
    }

    fn rows(columns: usize) -> Array2<f32> {
        let mut rows = Array2::zeros((150, columns));
        Generator::new(3, Stream::MixtureRows, 0).normal(rows.as_slice_mut().unwrap());
        rows
    }

    fn forward(layers: &Layers, x: &Array2<f32>, outputs: usize) -> Array2<f32> {
        let mut y = Array2::zeros((x.nrows(), outputs));
        layers.forward(x.as_slice().unwrap(), y.as_slice_mut().unwrap());
        y
    }

    /// Widths that fill panels and that do not, rows that fill no block, and every activation, against
    /// burn's own layers on another backend.
    #[test]
    fn layers_equal_those_of_the_ndarray_backend() {
        let device = device::open(Backend::Ndarray).unwrap().device;
        for (hidden, activation) in [
            (&[33, 70][..], Activation::Relu),
            (&[33, 70], Activation::Silu),
            (&[32, 64], Activation::Tanh),
            (&[33, 70], Activation::Gelu),
            (&[], Activation::Relu),
        ] {
            let parameters = parameters(hidden, activation);
            let vae = Vae::new(&parameters, &device);
            let [encoder, decoder] = Layers::of(&parameters);
            let (x, z) = (rows(5), rows(3));
            let encoded = forward(&encoder, &x, 6);
            let found = vae.posterior(to_tensor(encoded.view(), &device));
            let expected = vae.encode(to_tensor(x.view(), &device));
            let decoded = to_array(vae.decode(to_tensor(z.view(), &device))).unwrap();
            for (found, expected) in [
                (to_array(found.mean).unwrap(), to_array(expected.mean).unwrap()),
                (to_array(found.log_variance).unwrap(), to_array(expected.log_variance).unwrap()),
                (forward(&decoder, &z, 5), decoded),
            ] {
                for (found, expected) in found.iter().zip(&expected) {
                    let error = (found - expected).abs();
                    assert!(error < 2e-5, "{hidden:?} {activation:?}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_in_its_row_and_no_rows_give_none() {
        let [_, decoder] = Layers::of(&parameters(&[33, 70], Activation::Relu));
        let mut z = rows(3);
        let clean = forward(&decoder, &z, 5);
        z[(70, 1)] = f32::NAN;
        for (row, (found, clean)) in
            forward(&decoder, &z, 5).rows().into_iter().zip(clean.rows()).enumerate()
        {
            match row {
                70 => assert!(found.iter().all(|value| value.is_nan())),
                _ => assert_eq!(found, clean),
            }
        }
        assert_eq!(forward(&decoder, &Array2::zeros((0, 3)), 5).len(), 0);
    }
}
