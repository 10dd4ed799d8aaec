//! Settings that are one of a few words.

use serde::{Deserialize, Serialize};

/// A choice as it is written on the command line.
pub fn word(choice: impl Serialize) -> String {
    match serde_json::json!(choice) {
        serde_json::Value::String(word) => word,
        other => other.to_string(),
    }
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }
    };
}

/// A setting that may be left to the program: `$asked` can say `auto`, `$name` is the decision.
macro_rules! choice_or_auto {
    ($(#[$doc:meta])* $name:ident, $(#[$asked_doc:meta])* $asked:ident {
        $(#[$auto_doc:meta])* Auto, $($(#[$variant_doc:meta])* $variant:ident),+ $(,)?
    }) => {
        choice! { $(#[$doc])* $name { $($(#[$variant_doc])* $variant),+ } }
        choice! {
            $(#[$asked_doc])* $asked { $(#[$auto_doc])* Auto, $($(#[$variant_doc])* $variant),+ }
        }

        impl $asked {
            /// What was asked for, if anything.
            pub fn named(self) -> Option<$name> {
                match self {
                    Self::Auto => None,
                    $(Self::$variant => Some($name::$variant)),+
                }
            }
        }
    };
}

choice_or_auto! {
    /// Where tensors live.
    Backend,
    /// Where tensors are to live.
    BackendChoice {
        /// A real GPU through wgpu where there is one, else the CPU
        Auto,
        /// Any wgpu adapter: Vulkan, Metal or DX12, software ones too
        Wgpu,
        /// burn's flex backend: the fast one on a CPU
        Cpu,
        /// burn's ndarray backend: deprecated upstream and slower, kept for comparison
        Ndarray,
    }
}

choice_or_auto! {
    /// Who takes the training steps.
    Engine,
    /// Who is to take the training steps.
    EngineChoice {
        /// The fastest that does what the settings ask for
        Auto,
        /// Our own: the whole step in a few passes, in shaders on wgpu and SIMD on the CPU
        Fused,
        /// burn's automatic differentiation: every recipe, the reference
        Autodiff,
    }
}

choice! {
    /// What happens where training diverges.
    OnDivergence {
        /// The run ends
        Stop,
        /// Training goes back to the last checkpoint of `safety.checkpoint_epochs` and on with a quarter of the
        /// rate, three times at most
        Retry,
    }
}

choice_or_auto! {
    /// How columns are scaled before training.
    ScalingKind,
    /// How columns are to be scaled before training.
    ScalingChoice {
        /// `rms`, or `z-score` where one column spreads more than ten times as far as another
        Auto,
        /// Subtract each mean, divide by one standard deviation for all columns; keeps the geometry
        Rms,
        /// Subtract each mean, divide by each standard deviation
        ZScore,
        /// Map each column's range to [0, 1]
        MinMax,
        /// Leave the values as they are
        None,
    }
}

choice! {
    /// How the weights of a generated mixture are drawn.
    MixtureWeights {
        /// Uniform draws divided by their sum
        Random,
        /// All equal
        Uniform,
        /// One draw from the flat Dirichlet distribution
        Dirichlet,
    }
}

choice! {
    /// The covariances of a generated mixture.
    MixtureCovariance {
        /// The identity for every component
        Identity,
        /// One random variance a component, in [0.25, 2.25]
        Spherical,
        /// A random rotation of random variances in [0.25, 2.25]
        Full,
    }
}

choice! {
    /// The non-linearity between dense layers.
    Activation {
        /// max(0, x)
        Relu,
        /// x · sigmoid(x)
        Silu,
        /// Hyperbolic tangent
        Tanh,
        /// x · Φ(x)
        Gelu,
    }
}

choice! {
    /// What the decoder's output means.
    Likelihood {
        /// Mean squared error over all elements: a Gaussian of fixed variance, half the columns;
        /// samples are the decoder's mean without noise
        MeanSquaredError,
        /// A Gaussian with the standard deviation `sigma`
        FixedSigma,
        /// A Gaussian with one learned standard deviation for all columns
        LearnedSigma,
        /// A Gaussian with a learned standard deviation for each column
        LearnedSigmaPerColumn,
    }
}

impl Likelihood {
    /// Whether it has a standard deviation, given or learned, which samples get as noise.
    pub fn has_sigma(self) -> bool {
        self != Self::MeanSquaredError
    }

    /// Whether that is learned.
    pub fn learns_sigma(self) -> bool {
        matches!(self, Self::LearnedSigma | Self::LearnedSigmaPerColumn)
    }
}

choice! {
    /// The distribution of the latents that the KL divergence is taken from.
    PriorKind {
        /// N(0, I)
        StandardNormal,
        /// A mixture of diagonal Gaussians, learned jointly
        Mixture,
        /// The mean posterior of learned pseudo-inputs (VampPrior)
        Vamp,
    }
}

choice! {
    /// How the encoder's second output becomes the posterior's variance.
    PosteriorVariance {
        /// exp(h), h clamped to [−12, 8]
        Exp,
        /// softplus(h / 2)
        Softplus,
    }
}

choice! {
    /// How the KL divergence is reduced over the rows of a batch.
    KlReduction {
        /// The mean over rows: the evidence lower bound
        Mean,
        /// The sum over rows, beside a reconstruction that is a mean: multiplies β by the batch
        Sum,
    }
}

choice! {
    /// How the weight of the KL divergence changes with the step.
    BetaSchedule {
        /// `beta` from the first step
        Constant,
        /// From 0 to `beta` over the first `beta_warm_up` of the steps, then constant
        Linear,
        /// `beta_cycles` times from 0 to `beta`, each rise taking `beta_warm_up` of its cycle
        Cyclical,
    }
}

choice! {
    /// How the learning rate changes with the step.
    RateSchedule {
        /// Constant
        Constant,
        /// Half a cosine from the full rate to `final_rate` of it
        Cosine,
    }
}
