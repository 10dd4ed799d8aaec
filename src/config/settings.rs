//! What can be set, the defaults, and what is allowed.

use serde::{Deserialize, Serialize};

use super::{
    Activation, Backend, Engine, KlReduction, Likelihood, MixtureCovariance, MixtureWeights,
    PosteriorVariance, RECIPES, RateSchedule, ScalingKind,
};
use crate::error::{Error, Result};

/// Most rows that are generated, by a mixture or from a model, in one go.
pub const MOST_ROWS: usize = 100_000_000;
/// Most values that are generated in one go: 4 GB.
pub const MOST_VALUES: usize = 1_000_000_000;

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
    pub backend: Backend,
    /// Who takes the training steps.
    pub engine: Engine,
    /// Rows to generate from the trained model.
    pub samples: usize,
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
}

/// How the data are read and split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSettings {
    /// How columns are scaled before training.
    pub scaling: ScalingKind,
    /// Share of the rows kept out of training, in [0, 0.9]; a generated mixture draws fresh rows
    /// instead.
    pub held_out: f64,
    /// Feature columns by name, or all that are not the label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// A column that is a label and no feature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// Drop rows with missing or non-finite values instead of refusing them.
    pub drop_missing: bool,
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
    /// Latent units.
    pub latent: usize,
    /// Widths of the hidden layers of the encoder; the decoder has them in reverse.
    pub hidden: Vec<usize>,
    /// Non-linearity between the layers.
    pub activation: Activation,
    /// What the decoder's output means.
    pub likelihood: Likelihood,
    /// Standard deviation at the start of training where it is learned, in scaled units.
    pub initial_sigma: f64,
    /// How the encoder's second output becomes the posterior's variance.
    pub posterior_variance: PosteriorVariance,
}

/// How the model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingSettings {
    /// Passes over the data.
    pub epochs: usize,
    /// Rows a step. Left out: 32, or all rows where there are fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// Weight of the KL divergence.
    pub beta: f64,
    /// How the KL divergence is reduced over the batch.
    pub kl_reduction: KlReduction,
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
    /// Rows that clustering, t-SNE and pictures use: the first so many.
    pub rows: usize,
    /// For a generated mixture: rows of the larger data set that shows what more data would
    /// change; 0 leaves that out.
    pub more_rows: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            recipe: RECIPES[0].name.into(),
            seed: 1,
            backend: Backend::Auto,
            engine: Engine::Auto,
            samples: 10_000,
            data: DataSettings::default(),
            mixture: MixtureSettings::default(),
            model: ModelSettings::default(),
            training: TrainingSettings::default(),
            analysis: AnalysisSettings::default(),
        }
    }
}

impl Default for DataSettings {
    fn default() -> Self {
        Self {
            scaling: ScalingKind::Rms,
            held_out: 0.1,
            columns: None,
            labels: None,
            drop_missing: false,
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
            latent: 2,
            hidden: vec![128, 128],
            activation: Activation::Relu,
            likelihood: Likelihood::LearnedSigma,
            initial_sigma: 1.0,
            posterior_variance: PosteriorVariance::Exp,
        }
    }
}

impl Default for TrainingSettings {
    fn default() -> Self {
        Self {
            epochs: 100,
            batch: None,
            beta: 1.0,
            kl_reduction: KlReduction::Mean,
            learning_rate: 1e-3,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            schedule: RateSchedule::Constant,
            warm_up: 0,
            final_rate: 0.02,
            gradient_clip: None,
            patience: None,
        }
    }
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        Self {
            max_clusters: 10,
            restarts: 20,
            perplexities: vec![5.0, 30.0],
            rows: 1000,
            more_rows: 10_000,
        }
    }
}

impl Settings {
    /// Checks every range that the types do not express.
    pub(super) fn validate(&self) -> Result<()> {
        self.mixture.validate()?;
        let (model, training, analysis) = (&self.model, &self.training, &self.analysis);
        let mut perplexities = analysis.perplexities.clone();
        perplexities.sort_by(f64::total_cmp);
        perplexities.dedup();
        check(&[
            ("samples", "in [2, 10^8]", (2..=MOST_ROWS).contains(&self.samples)),
            ("data.held_out", "in [0, 0.9]", (0.0..=0.9).contains(&self.data.held_out)),
            ("model.latent", "at least 1", model.latent >= 1),
            ("model.hidden", "a list of widths of at least 1", !model.hidden.contains(&0)),
            ("model.initial_sigma", "positive and finite", positive(model.initial_sigma)),
            ("training.epochs", "in [1, 10^9]", (1..=1_000_000_000).contains(&training.epochs)),
            ("training.batch", "at least 1", training.batch != Some(0)),
            (
                "training.beta",
                "at least 0 and finite",
                training.beta >= 0.0 && training.beta.is_finite(),
            ),
            (
                "training.beta",
                "above 0 with likelihood mean-squared-error, whose variance it stands for",
                training.beta > 0.0 || model.likelihood != Likelihood::MeanSquaredError,
            ),
            ("training.learning_rate", "positive and finite", positive(training.learning_rate)),
            ("training.adam_beta1", "in [0, 1)", (0.0..1.0).contains(&training.adam_beta1)),
            ("training.adam_beta2", "in [0, 1)", (0.0..1.0).contains(&training.adam_beta2)),
            ("training.adam_epsilon", "positive and finite", positive(training.adam_epsilon)),
            ("training.final_rate", "in [0, 1]", (0.0..=1.0).contains(&training.final_rate)),
            (
                "training.gradient_clip",
                "positive and finite",
                training.gradient_clip.is_none_or(positive),
            ),
            ("training.patience", "at least 1", training.patience != Some(0)),
            ("analysis.max_clusters", "in [2, 1000]", (2..=1000).contains(&analysis.max_clusters)),
            ("analysis.more_rows", "at most 10^6", analysis.more_rows <= 1_000_000),
            ("analysis.restarts", "at least 1", analysis.restarts >= 1),
            ("analysis.rows", "at least 2", analysis.rows >= 2),
            (
                "analysis.perplexities",
                "a list of different numbers of at least 1",
                perplexities.iter().all(|&p| p >= 1.0 && p.is_finite())
                    && perplexities.len() == analysis.perplexities.len(),
            ),
        ])
    }
}

impl MixtureSettings {
    /// Checks every range that the types do not express.
    ///
    /// # Errors
    /// The first setting out of its range.
    pub fn validate(&self) -> Result<()> {
        check(&[
            ("mixture.components", "at least 1", self.components >= 1),
            ("mixture.dimensions", "at least 1", self.dimensions >= 1),
            ("mixture.rows", "in [2, 10^8]", (2..=MOST_ROWS).contains(&self.rows)),
            (
                "mixture.dimensions",
                "such that rows × dimensions is at most 10^9",
                self.rows.checked_mul(self.dimensions).is_some_and(|n| n <= MOST_VALUES),
            ),
            ("mixture.spread", "positive and finite", positive(self.spread)),
        ])
    }
}

/// Each check is a setting, the rule it must follow, and whether it does.
fn check(checks: &[(&str, &str, bool)]) -> Result<()> {
    match checks.iter().find(|(.., holds)| !holds) {
        Some((key, rule, _)) => Err(Error::input(format!("setting {key} must be {rule}"))
            .help(format!("change it with --set {key}=VALUE, or in the file given to --config"))),
        None => Ok(()),
    }
}

fn positive(value: f64) -> bool {
    value > 0.0 && value.is_finite()
}
