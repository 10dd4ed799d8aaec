//! Where the twin keeps parameters: weights in panels of columns, each filled up with zeros.

use std::ops::Range;

use crate::fused::{Layer, Network};
use crate::product::{Buffer, Panels};

/// A dense layer in the twin's memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct PanelLayer {
    pub(super) layer: Layer,
    /// Panels over its outputs.
    pub(super) panels: Panels,
    /// Where its weights begin: panel after panel, each inputs × width.
    weight: usize,
    /// Where its biases begin.
    bias: usize,
}

impl PanelLayer {
    /// Values of one panel of weights.
    pub(super) fn panel_len(&self) -> usize {
        self.layer.inputs * self.panels.width
    }

    pub(super) fn weights(&self) -> Range<usize> {
        self.weight..self.weight + self.panel_len() * self.panels.count
    }

    pub(super) fn biases(&self) -> Range<usize> {
        self.bias..self.bias + self.panels.columns()
    }
}

/// Every parameter in the twin's memory. Where the filling stands gradients are zero, so that the
/// optimiser leaves it zero.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) encoder: Vec<PanelLayer>,
    pub(super) decoder: Vec<PanelLayer>,
    /// Where the parameters that are no layer's begin, in their flat order.
    pub(super) rest: Range<usize>,
    /// The same in the flat parameters.
    flat_rest: usize,
    /// Length of everything.
    pub(super) len: usize,
}

impl Layout {
    pub(super) fn new(network: &Network) -> Self {
        let mut len = 0;
        let mut place = |layer: &Layer| {
            let panels = Panels::new(layer.outputs);
            let weight = len;
            let bias = weight + layer.inputs * panels.columns();
            len = bias + panels.columns();
            PanelLayer { layer: *layer, panels, weight, bias }
        };
        let encoder = network.encoder.iter().map(&mut place).collect();
        let decoder = network.decoder.iter().map(&mut place).collect();
        let of_layers = network.layers().map(|layer| (layer.inputs + 1) * layer.outputs).sum();
        let rest = len..len + network.parameters - of_layers;
        Self { encoder, decoder, len: rest.end, rest, flat_rest: of_layers }
    }

    /// Where a parameter that is no layer's stands, given its place in the flat parameters.
    pub(super) fn of_rest(&self, flat: usize) -> usize {
        self.rest.start + flat - self.flat_rest
    }

    /// Calls `visit(flat, ours)` with the places of every parameter.
    fn places(&self, mut visit: impl FnMut(usize, usize)) {
        for placed in self.encoder.iter().chain(&self.decoder) {
            let Layer { inputs, outputs, weight, bias, .. } = placed.layer;
            for output in 0..outputs {
                let (panel, column) = (output / placed.panels.width, output % placed.panels.width);
                for input in 0..inputs {
                    let ours = placed.weight
                        + panel * placed.panel_len()
                        + input * placed.panels.width
                        + column;
                    visit(weight + input * outputs + output, ours);
                }
                visit(bias + output, placed.bias + output);
            }
        }
        self.rest.clone().enumerate().for_each(|(i, ours)| visit(self.flat_rest + i, ours));
    }

    /// The twin's arrangement of flat values.
    pub(super) fn arrange(&self, flat: &[f32]) -> Buffer {
        let mut out = Buffer::zeros(self.len);
        self.places(|flat_place, ours| out[ours] = flat[flat_place]);
        out
    }

    /// The flat order of values in the twin's arrangement.
    pub(super) fn flatten(&self, values: &[f32], parameters: usize) -> Vec<f32> {
        let mut out = vec![0.0; parameters];
        self.places(|flat_place, ours| out[flat_place] = values[ours]);
        out
    }
}
