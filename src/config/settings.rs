//! What can be set, and the defaults.

use serde::{Deserialize, Serialize};

use super::{
    Activation, BackendChoice, BetaSchedule, EngineChoice, KlReduction, Likelihood,
    MixtureCovariance, MixtureWeights, OnDivergence, PosteriorVariance, PriorKind, RECIPES,
    RateSchedule, ScalingChoice,
};

/// Most rows that are generated, by a mixture or from a model, in one go.
pub const MOST_ROWS: usize = 100_000_000;
/// Most values that are generated in one go: 4 GB.
pub const MOST_VALUES: usize = 1_000_000_000;
/// Least weight of the KL divergence: with 0 a mean squared error would stand for no likelihood.
pub const LEAST_BETA: f64 = 1e-12;
/// Least standard deviation of a likelihood, in scaled units.
pub const LEAST_SIGMA: f64 = 1e-6;
/// Steps below which a training leaves modes in the wrong place, however many rows there are.
/// docs/recipes.md has the figures.
pub const FEWEST_STEPS: usize = 2000;
/// Hidden layers of an encoder or decoder at most.
pub const MOST_LAYERS: usize = 100;

/// Every setting of a run. `Settings::default()` is what holds where neither recipe, file nor flag
/// says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Name of the recipe these settings started from.
    pub recipe: String,
    /// Seed of every random stream.
    pub seed: u64,
    /// Where to compute.
    pub backend: BackendChoice,
    /// Who takes the training steps.
    pub engine: EngineChoice,
    /// Rows to generate from the trained model.
    pub samples: usize,
    /// Whether samples get the noise of the likelihood, where it has a σ, or are the decoder's mean.
    pub noise: bool,
    /// How the data are read and split.
    pub data: DataSettings,
    /// The mixture that is generated where no data are given.
    pub mixture: MixtureSettings,
    /// What the model is.
    pub model: ModelSettings,
    /// How it is trained.
    pub training: TrainingSettings,
    /// How samples and latents are analysed.
    pub analysis: AnalysisSettings,
    /// What is done against the loss of work.
    pub safety: SafetySettings,
}

/// How the data are read and split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSettings {
    /// How columns are scaled before training.
    pub scaling: ScalingChoice,
    /// Share of the rows kept out of training, in [0, 0.9]; a generated mixture draws fresh rows
    /// instead.
    pub held_out: f64,
    /// Feature columns by name, or all that are not the label and not constant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// A column that is a label and no feature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// Drop rows with missing or non-finite values instead of refusing them.
    pub drop_missing: bool,
    /// Most values (rows × columns) of a Parquet or NumPy table that is held in memory. One with more
    /// stays in its files: training reads it block by block, a quarter of so many values each, and
    /// everything else looks at a random sample of its rows.
    pub stream_above: usize,
}

/// The Gaussian mixture to generate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MixtureSettings {
    /// Number of components.
    pub components: usize,
    /// Number of columns.
    pub dimensions: usize,
    /// Number of rows.
    pub rows: usize,
    /// Component means are uniform in (−spread, spread) in each column.
    pub spread: f64,
    /// How the weights are drawn.
    pub weights: MixtureWeights,
    /// The covariances.
    pub covariance: MixtureCovariance,
}

/// What the model is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSettings {
    /// Latent units. Left out: as many as columns, from 2 to 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latent: Option<usize>,
    /// Widths of the hidden layers of the encoder; the decoder has them in reverse.
    pub hidden: Vec<usize>,
    /// Non-linearity between the layers.
    pub activation: Activation,
    /// What the decoder's output means.
    pub likelihood: Likelihood,
    /// Standard deviation σ of a Gaussian likelihood in scaled units, at the start of training where
    /// it is learned.
    pub sigma: f64,
    /// How the encoder's second output becomes the posterior's variance.
    pub posterior_variance: PosteriorVariance,
    /// The prior that training uses.
    pub prior: PriorKind,
    /// Gaussians of a mixture prior, or pseudo-inputs of a VampPrior.
    pub prior_components: usize,
    /// Whether a mixture with full covariances is fitted to posterior draws after training and takes
    /// the place of the prior when sampling.
    pub refit_prior: bool,
}

/// How the model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingSettings {
    /// Seed of weights, order and noise. Left out: the run's own, which also draws data and samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Passes over the data. Left out: as many as make 10 000 steps, but at most 400 where these are
    /// 2000 steps or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Rows that training visits, each once in every pass, in place of `epochs`: it may end within a pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
    /// Rows a step. Left out: 32, or all rows where there are fewer; of 640 000 rows or more, the power
    /// of two up to 8192 with which a pass still takes 10 000 steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// Weight of the KL divergence.
    pub beta: f64,
    /// How it changes with the step.
    pub beta_schedule: BetaSchedule,
    /// Share of the steps, or of a cycle, over which it rises from 0 to `beta`.
    pub beta_warm_up: f64,
    /// Number of cycles of a cyclical schedule.
    pub beta_cycles: usize,
    /// How the KL divergence is reduced over the batch.
    pub kl_reduction: KlReduction,
    /// KL divergence in nats that each latent unit has for free: below it, the mean over the batch
    /// costs the loss no less (Kingma et al. 2016, eq. 15).
    pub free_bits: f64,
    /// Posterior draws a row. With more than one the loss is the importance-weighted bound (Burda,
    /// Grosse and Salakhutdinov 2016, eq. 8).
    pub importance_samples: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Adam's decay of the first moment.
    pub adam_beta1: f64,
    /// Adam's decay of the second moment.
    pub adam_beta2: f64,
    /// Adam's ε.
    pub adam_epsilon: f64,
    /// How the learning rate changes.
    pub schedule: RateSchedule,
    /// Steps over which the learning rate rises linearly from 0.
    pub warm_up: usize,
    /// Share of the learning rate left at the end of a cosine schedule.
    pub final_rate: f64,
    /// Largest Euclidean norm of the whole gradient; longer ones are shortened to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient_clip: Option<f64>,
    /// Decay of a moving average of the weights, which is then what is measured and kept. In the
    /// first steps it is less, (1 + step)/(10 + step), so that the start is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema: Option<f64>,
    /// Trainings that differ in weights, order and noise, of which the one with the best held-out
    /// ELBO is kept.
    pub restarts: usize,
    /// Stop after this many epochs without a better held-out ELBO, and keep the best weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
}

/// How samples and latents are analysed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnalysisSettings {
    /// Largest k that K-means tries, from 2.
    pub max_clusters: usize,
    /// Restarts of K-means for each k.
    pub restarts: usize,
    /// Perplexities at which the latent means are embedded.
    pub perplexities: Vec<f64>,
    /// Rows that clustering, t-SNE and pictures use.
    pub rows: usize,
    /// Also the analyses that take longest: a generated mixture is drawn, trained on and clustered
    /// once more with `more_rows` rows, which shows what more data would change.
    pub full: bool,
    /// Rows of that larger data set.
    pub more_rows: usize,
}

/// What is done against the loss of work. A training that does not diverge ends the same whatever
/// these are, so a run may be resumed with others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SafetySettings {
    /// Seconds between two checkpoints of a training.
    pub checkpoint_seconds: f64,
    /// Epochs between two checkpoints that are written whatever the time. Left out: none, or a
    /// twentieth of all where a training that diverges is to be retried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_epochs: Option<usize>,
    /// Checkpoints that are kept, the newest.
    pub checkpoints_kept: usize,
    /// What happens where training diverges.
    pub on_divergence: OnDivergence,
}

impl Settings {
    /// The seed of weights, order and noise.
    pub fn training_seed(&self) -> u64 {
        self.training.seed.unwrap_or(self.seed)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            recipe: RECIPES[0].name.into(),
            seed: 1,
            backend: BackendChoice::Auto,
            engine: EngineChoice::Auto,
            samples: 10_000,
            noise: true,
            data: DataSettings::default(),
            mixture: MixtureSettings::default(),
            model: ModelSettings::default(),
            training: TrainingSettings::default(),
            analysis: AnalysisSettings::default(),
            safety: SafetySettings::default(),
        }
    }
}

impl Default for DataSettings {
    fn default() -> Self {
        Self {
            scaling: ScalingChoice::Auto,
            held_out: 0.1,
            columns: None,
            labels: None,
            drop_missing: false,
            stream_above: 1 << 25,
        }
    }
}

impl Default for MixtureSettings {
    fn default() -> Self {
        Self {
            components: 10,
            dimensions: 3,
            rows: 1000,
            spread: 5.0,
            weights: MixtureWeights::Random,
            covariance: MixtureCovariance::Identity,
        }
    }
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self {
            latent: None,
            hidden: vec![128, 128],
            activation: Activation::Relu,
            likelihood: Likelihood::LearnedSigma,
            sigma: 1.0,
            posterior_variance: PosteriorVariance::Exp,
            prior: PriorKind::StandardNormal,
            prior_components: 64,
            refit_prior: false,
        }
    }
}

impl Default for TrainingSettings {
    fn default() -> Self {
        Self {
            seed: None,
            epochs: None,
            rows: None,
            batch: None,
            beta: 1.0,
            beta_schedule: BetaSchedule::Constant,
            beta_warm_up: 0.3,
            beta_cycles: 4,
            kl_reduction: KlReduction::Mean,
            free_bits: 0.0,
            importance_samples: 1,
            learning_rate: 1e-3,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            schedule: RateSchedule::Constant,
            warm_up: 0,
            final_rate: 0.02,
            gradient_clip: None,
            ema: None,
            restarts: 1,
            patience: None,
        }
    }
}

impl Default for SafetySettings {
    fn default() -> Self {
        Self {
            checkpoint_seconds: 10.0,
            checkpoint_epochs: None,
            checkpoints_kept: 2,
            on_divergence: OnDivergence::Stop,
        }
    }
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        Self {
            max_clusters: 10,
            restarts: 10,
            perplexities: vec![5.0, 30.0, 50.0],
            rows: 1000,
            full: false,
            more_rows: 10_000,
        }
    }
}
