//! Dense layers of which nothing is derived on the processor, for samples and encodings: packed once, then
//! a few rows at a time go through all of them, so that what lies between stays in the cache.

use std::f32::consts::FRAC_1_SQRT_2;

use pulp::{Arch, Simd, WithSimd};

use crate::config::Activation;
use crate::model::Parameters;
use crate::product::math::{erf, sigmoid, tanh};
use crate::product::{Buffer, Left, Matrix, Panels, Product, Rows, Start};

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
    panels: Panels,
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
            let between = (1..widths.len()).rev().map(|after| after > 1);
            let layer = |activated: bool| {
                Layer::new(next(), next(), activated.then_some(architecture.activation))
            };
            Self { arch: Arch::new(), layers: between.map(layer).collect() }
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
        let mut input = Matrix::zeros(ROWS, first.inputs);
        let mut outs: Vec<Matrix> =
            self.layers.iter().map(|layer| Matrix::zeros(ROWS, layer.outputs)).collect();
        let blocks = x.chunks(ROWS * first.inputs).zip(y.chunks_mut(ROWS * last.outputs));
        for (x, y) in blocks {
            let rows = x.len() / first.inputs;
            for (row, x) in x.chunks_exact(first.inputs).enumerate() {
                input.row_mut(row, x.len()).copy_from_slice(x);
            }
            let mut before = &input;
            for (layer, out) in self.layers.iter().zip(&mut outs) {
                layer.forward(self.arch, before, rows, out);
                before = out;
            }
            for (row, y) in y.chunks_exact_mut(last.outputs).enumerate() {
                y.copy_from_slice(before.row(row, last.outputs));
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
        Self { inputs, outputs, panels, weights: packed, biases: filled, activation }
    }

    /// Sets the first `rows` rows of `out`.
    fn forward(&self, arch: Arch, x: &Matrix, rows: usize, out: &mut Matrix) {
        let width = self.panels.width;
        let x = Rows::new(arch, x.rows(rows), x.stride, self.inputs);
        for (panel, weights) in self.weights.chunks_exact(self.inputs * width).enumerate() {
            let first = panel * width;
            let out_stride = out.stride;
            Product {
                left: Left::Rows(&x),
                right: weights,
                right_stride: width,
                start: Start::Bias(&self.biases[first..first + width]),
                out: &mut out.rows_mut(rows)[first..],
                out_stride,
                rows,
                width,
            }
            .compute(arch);
        }
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

    /// Widths that fill no panel, rows that fill no block, and every activation, against burn's own
    /// layers on another backend.
    #[test]
    fn layers_equal_those_of_the_ndarray_backend() {
        let device = device::open(Backend::Ndarray).unwrap().device;
        for activation in [Activation::Relu, Activation::Silu, Activation::Tanh, Activation::Gelu] {
            let settings = ModelSettings {
                latent: Some(3),
                hidden: vec![33, 70],
                activation,
                ..ModelSettings::default()
            };
            let none = Array2::zeros((0, 5));
            let architecture = Architecture::new(&settings, 5);
            let mut parameters = Parameters::initialise(architecture, 1.0, none.view(), 1).unwrap();
            // With biases, which begin at zero.
            let mut shifts = vec![0.0; parameters.values.len()];
            Generator::new(2, Stream::Weights, 0).normal(&mut shifts);
            parameters
                .values
                .iter_mut()
                .zip(shifts)
                .for_each(|(value, shift)| *value += 0.1 * shift);
            let vae = Vae::new(&parameters, &device);
            let [encoder, decoder] = Layers::of(&parameters);
            let rows = |columns: usize| {
                let mut rows = Array2::zeros((150, columns));
                Generator::new(3, Stream::MixtureRows, 0).normal(rows.as_slice_mut().unwrap());
                rows
            };
            let (x, z) = (rows(5), rows(3));
            let [mut encoded, mut decoded] = [6, 5].map(|columns| Array2::zeros((150, columns)));
            encoder.forward(x.as_slice().unwrap(), encoded.as_slice_mut().unwrap());
            decoder.forward(z.as_slice().unwrap(), decoded.as_slice_mut().unwrap());
            let means = to_array(vae.encode(to_tensor(x.view(), &device)).mean).unwrap();
            let expected = to_array(vae.decode(to_tensor(z.view(), &device))).unwrap();
            let encoded = encoded.slice(ndarray::s![.., ..3]);
            for (found, expected) in encoded.iter().zip(&means).chain(decoded.iter().zip(&expected))
            {
                assert!((found - expected).abs() < 2e-5, "{activation:?}: {found} {expected}");
            }
        }
    }
}
