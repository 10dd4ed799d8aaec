//! Settings: what can be set, the defaults, the recipes that ship in the binary, and how the layers
//! (defaults < recipe < file < flags) become one validated [`Settings`].

mod checks;
mod choices;
mod grid;
mod layers;
mod recipe;
mod settings;

pub use choices::{
    Activation, Backend, BackendChoice, BetaSchedule, Engine, EngineChoice, KlReduction,
    Likelihood, MixtureCovariance, MixtureWeights, OnDivergence, PosteriorVariance, PriorKind,
    RateSchedule, ScalingChoice, ScalingKind, word,
};
pub use grid::{Grid, Seeds};
pub use layers::Layers;
pub use recipe::{RECIPES, Recipe};
pub use settings::{
    AnalysisSettings, DataSettings, FEWEST_STEPS, LEAST_BETA, LEAST_SIGMA, MOST_LAYERS, MOST_ROWS,
    MOST_VALUES, MixtureSettings, ModelSettings, SafetySettings, Settings, TrainingSettings,
};
