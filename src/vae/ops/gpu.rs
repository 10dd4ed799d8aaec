//! The ops on wgpu: the shaders of `shaders/ops/`, and their launches.

use burn::backend::tensor::FloatTensor;
use burn::backend::wgpu::{
    CubeBackend, CubeDim, CubeTensor, KernelSource, SourceKernel, SourceTemplate, into_contiguous,
};
use burn::cubecl::prelude::KernelId;
use burn::cubecl::server::{KernelArguments, MetadataBindingInfo};
use burn::cubecl::{CubeCount, ExecutionMode};
use burn::tensor::Shape;

use super::Kernels;
use super::dense::{self, Function, Layer};
use super::mixture::{self, Gaussians};

/// Invocations of a workgroup.
const LANES: usize = 32;
/// Most workgroups of a dimension.
const MOST_GROUPS: usize = 65_535;
/// Iterations of all loops of an invocation, after which software Vulkan ends it.
const MOST_ITERATIONS: usize = 65_535;
/// Multiplications of a layer's product up to which it is ours, and above which it is burn's, whose
/// tiles share memory. On software Vulkan a step of batch and width 128 takes 0.6 of burn's time, one
/// of 256 twice as long.
const MOST_MULTIPLICATIONS: usize = 1 << 22;

/// A shader of `shaders/ops/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kernel {
    DenseForward,
    DenseInputGradient,
    DenseParameterGradients,
    MixtureForward,
    MixturePointGradients,
    MixtureComponentGradients,
}

/// The named files of `shaders/`, joined.
macro_rules! shader {
    ($($name:literal),+) => {
        concat!($(include_str!(concat!("../../../shaders/", $name, ".wgsl"))),+)
    };
}

impl Kernel {
    #[cfg(test)]
    pub const ALL: [Self; 6] = [
        Self::DenseForward,
        Self::DenseInputGradient,
        Self::DenseParameterGradients,
        Self::MixtureForward,
        Self::MixturePointGradients,
        Self::MixtureComponentGradients,
    ];

    /// The joined WGSL.
    pub fn wgsl(self) -> &'static str {
        match self {
            Self::DenseForward => shader!("ops/product", "common/activation", "ops/dense_forward"),
            Self::DenseInputGradient => {
                shader!("ops/product", "ops/slope", "ops/dense_input_gradient")
            }
            Self::DenseParameterGradients => {
                shader!("ops/product", "ops/slope", "ops/dense_parameter_gradients")
            }
            Self::MixtureForward => {
                shader!("ops/mixture", "common/parts", "common/reduce", "ops/mixture_forward")
            }
            Self::MixturePointGradients => shader!("ops/mixture", "ops/mixture_point_gradients"),
            Self::MixtureComponentGradients => {
                shader!(
                    "ops/mixture",
                    "common/parts",
                    "common/reduce",
                    "ops/mixture_component_gradients"
                )
            }
        }
    }

    /// Queues the shader: `tensors` are its bindings from 0 on, and `sizes` is its uniform, the last.
    fn launch(self, groups: [usize; 2], tensors: &[&CubeTensor], sizes: &[u32]) {
        let [x, y] = groups.map(|groups| groups as u32);
        let bindings = tensors.iter().map(|tensor| tensor.handle.clone().binding());
        // cubecl takes words of eight bytes, and keeps the buffers that it made of equal ones.
        let words = sizes.chunks(2).map(|pair| match *pair {
            [low, high] => u64::from(low) | u64::from(high) << 32,
            _ => u64::from(pair[0]),
        });
        let arguments = KernelArguments::new()
            .with_buffers(bindings.collect())
            .with_info(MetadataBindingInfo::custom(words.collect()));
        let kernel = SourceKernel::new(self, CubeDim::new_1d(LANES as u32));
        tensors[0].client.launch(Box::new(kernel), CubeCount::Static(x, y, 1), arguments);
    }
}

impl KernelSource for Kernel {
    fn source(&self) -> SourceTemplate {
        SourceTemplate::new(self.wgsl())
    }

    fn id(&self) -> KernelId {
        // Every loop of the shaders ends, and naga's own bound of each would cost time.
        KernelId::new::<Self>().info(*self).mode(ExecutionMode::Unchecked)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// A new tensor on the device of `like`, of any values.
fn empty<const D: usize>(like: &CubeTensor, shape: [usize; D]) -> CubeTensor {
    let shape = Shape::new(shape);
    let buffer = like.client.empty(shape.num_elements() * like.dtype.size());
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, buffer, like.dtype)
}

/// A product of matrices by `shaders/ops/product.wgsl`, height × width.
struct Tiles {
    /// Lanes along the columns.
    across: usize,
    groups: [usize; 2],
}

impl Tiles {
    fn of(height: usize, width: usize) -> Self {
        let across = width.div_ceil(4).next_power_of_two().min(LANES);
        let rows = 8 * LANES / across;
        Self { across, groups: [width.div_ceil(4 * across), height.div_ceil(rows)] }
    }
}

impl Layer<CubeBackend> {
    /// n, inputs and outputs.
    fn sizes(&self) -> [usize; 3] {
        let [inputs, outputs] = self.weight.meta.shape().dims();
        [self.x.meta.shape().dims::<2>()[0], inputs, outputs]
    }

    fn contiguous(self) -> Self {
        let [x, weight, bias] = [self.x, self.weight, self.bias].map(into_contiguous);
        Self { x, weight, bias, function: self.function }
    }

    /// Whether the shaders are the fast way.
    fn is_small(&self) -> bool {
        let sizes = self.sizes();
        let product = sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
        // What is left is for the short loops within a tile.
        let loops = sizes.iter().all(|&size| (1..MOST_ITERATIONS - 64).contains(&size));
        loops && product.is_some_and(|product| product <= MOST_MULTIPLICATIONS)
    }

    /// The uniform `Sizes` of the shaders.
    fn uniform(&self, tiles: &Tiles) -> [u32; 5] {
        let [rows, inputs, outputs] = self.sizes().map(|size| size as u32);
        [rows, inputs, outputs, tiles.across as u32, self.function as u32]
    }
}

impl Gaussians<CubeBackend> {
    fn contiguous(self) -> Self {
        let Self { z, means, log_variances, logits, range } = self;
        let [z, means, log_variances, logits] =
            [z, means, log_variances, logits].map(into_contiguous);
        Self { z, means, log_variances, logits, range }
    }

    /// Whether the shaders can do it.
    fn fits(&self) -> bool {
        let [rows, components, latent] = self.sizes();
        let most = rows.max(components);
        // In `mixture_component_gradients` a lane's rows and the sums over the lanes for each unit;
        // in `mixture_forward` likewise, and in `mixture_point_gradients` no more than K.
        let iterations = (most.div_ceil(LANES) + 4 * LANES) * (latent + 4);
        let empty = rows == 0 || components == 0 || latent == 0;
        !empty && most <= MOST_GROUPS && iterations <= MOST_ITERATIONS
    }

    /// The uniform `Sizes` of the shaders.
    fn uniform(&self) -> [u32; 5] {
        let [rows, components, latent] = self.sizes().map(|size| size as u32);
        let (low, high) = self.range;
        [rows, latent, components, low.to_bits(), high.to_bits()]
    }
}

impl Kernels for CubeBackend {
    fn dense_forward(layer: Layer<Self>) -> [FloatTensor<Self>; 2] {
        if !layer.is_small() {
            return dense::forward(layer);
        }
        let layer = layer.contiguous();
        let [rows, _, outputs] = layer.sizes();
        let y = empty(&layer.x, [rows, outputs]);
        let slope = match layer.function {
            Function::Identity => empty(&layer.x, [1, 1]),
            _ => empty(&layer.x, [rows, outputs]),
        };
        let tiles = Tiles::of(rows, outputs);
        let tensors = [&layer.x, &layer.weight, &layer.bias, &y, &slope];
        Kernel::DenseForward.launch(tiles.groups, &tensors, &layer.uniform(&tiles));
        [y, slope]
    }

    fn dense_backward(
        layer: Layer<Self>,
        kept: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        wanted: bool,
    ) -> (Option<FloatTensor<Self>>, [FloatTensor<Self>; 2]) {
        if !layer.is_small() {
            return dense::backward(layer, kept, gradient, wanted);
        }
        let (layer, gradient) = (layer.contiguous(), into_contiguous(gradient));
        let [rows, inputs, outputs] = layer.sizes();
        let of_x = wanted.then(|| {
            let of_x = empty(&layer.x, [rows, inputs]);
            let tiles = Tiles::of(rows, inputs);
            let tensors = [&gradient, &kept, &layer.weight, &of_x];
            Kernel::DenseInputGradient.launch(tiles.groups, &tensors, &layer.uniform(&tiles));
            of_x
        });
        let of_weight = empty(&layer.x, [inputs, outputs]);
        let of_bias = empty(&layer.x, [outputs]);
        let tiles = Tiles::of(inputs, outputs);
        let tensors = [&gradient, &kept, &layer.x, &of_weight, &of_bias];
        Kernel::DenseParameterGradients.launch(tiles.groups, &tensors, &layer.uniform(&tiles));
        (of_x, [of_weight, of_bias])
    }

    fn mixture_forward(gaussians: Gaussians<Self>) -> [FloatTensor<Self>; 2] {
        if !gaussians.fits() {
            return mixture::forward(gaussians);
        }
        let gaussians = gaussians.contiguous();
        let [rows, components, _] = gaussians.sizes();
        let Gaussians { z, means, log_variances, logits, .. } = &gaussians;
        let log_density = empty(z, [rows]);
        let responsibilities = empty(z, [rows + 1, components]);
        let tensors = [z, means, log_variances, logits, &log_density, &responsibilities];
        Kernel::MixtureForward.launch([rows, 1], &tensors, &gaussians.uniform());
        [log_density, responsibilities]
    }

    fn mixture_backward(
        gaussians: Gaussians<Self>,
        kept: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> [FloatTensor<Self>; 4] {
        if !gaussians.fits() {
            return mixture::backward(gaussians, kept, gradient);
        }
        let (gaussians, gradient) = (gaussians.contiguous(), into_contiguous(gradient));
        let [rows, components, latent] = gaussians.sizes();
        let Gaussians { z, means, log_variances, .. } = &gaussians;
        let of_z = empty(z, [rows, latent]);
        let groups = [(rows * latent).div_ceil(LANES), 1];
        let tensors = [z, means, log_variances, &gradient, &kept, &of_z];
        Kernel::MixturePointGradients.launch(groups, &tensors, &gaussians.uniform());

        let [of_means, of_log_variances] = [(); 2].map(|()| empty(z, [components, latent]));
        let of_logits = empty(z, [components]);
        let tensors =
            [z, means, log_variances, &gradient, &kept, &of_means, &of_log_variances, &of_logits];
        Kernel::MixtureComponentGradients.launch([components, 1], &tensors, &gaussians.uniform());
        [of_z, of_means, of_log_variances, of_logits]
    }
}
