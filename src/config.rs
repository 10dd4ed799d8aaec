//! Settings: what can be set, the defaults, the recipes that ship in the binary, and how the layers
//! (defaults < recipe < file < flags) become one validated [`Settings`].

use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::error::{Error, Result, nearest};

/// A named recipe: a TOML document that ships in the binary.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// The name given to `--recipe`.
    pub name: &'static str,
    /// The document; its first comment line says what the recipe is.
    pub toml: &'static str,
}

/// Most rows that are generated, by a mixture or from a model, in one go.
pub const MOST_ROWS: usize = 100_000_000;
/// Most values that are generated in one go: 4 GB.
pub const MOST_VALUES: usize = 1_000_000_000;

/// Every recipe, the default first.
pub const RECIPES: &[Recipe] = &[
    Recipe { name: "standard", toml: include_str!("../recipes/standard.toml") },
    Recipe { name: "classic", toml: include_str!("../recipes/classic.toml") },
];

impl Recipe {
    /// The recipe with this name.
    ///
    /// # Errors
    /// Where there is none; the message lists those there are.
    pub fn find(name: &str) -> Result<Self> {
        let names = || RECIPES.iter().map(|recipe| recipe.name);
        RECIPES.iter().copied().find(|recipe| recipe.name == name).ok_or_else(|| {
            let known = names().collect::<Vec<_>>().join(", ");
            let error = Error::input(format!("there is no recipe \"{name}\""));
            match nearest(name, names()) {
                Some(guess) => {
                    error.help(format!("did you mean \"{guess}\"? The recipes are: {known}"))
                }
                None => error.help(format!("the recipes are: {known}")),
            }
        })
    }

    /// The first comment line: what the recipe is, in one sentence.
    pub fn summary(&self) -> &'static str {
        self.toml.lines().next().unwrap_or_default().trim_start_matches(['#', ' '])
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

choice! {
    /// Where tensors live.
    Backend {
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

choice! {
    /// Who takes the training steps.
    Engine {
        /// The fastest that does what the settings ask for
        Auto,
        /// burn's automatic differentiation: every recipe, the reference
        Autodiff,
    }
}

choice! {
    /// How columns are scaled before training.
    ScalingKind {
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
        /// Mean squared error over all elements: a Gaussian of fixed, implied variance
        MeanSquaredError,
        /// A Gaussian with one learned standard deviation for all columns
        LearnedSigma,
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
    /// How the learning rate changes with the step.
    RateSchedule {
        /// Constant
        Constant,
        /// Half a cosine from the full rate to `final_rate` of it
        Cosine,
    }
}

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

/// The layers above the defaults, weakest first.
#[derive(Clone, Debug, Default)]
pub struct Layers<'a> {
    /// `--recipe NAME`; else the file's `recipe` key; else the default recipe.
    pub recipe: Option<&'a str>,
    /// `--config FILE`.
    pub file: Option<&'a Path>,
    /// `--set key=value`, in the order given.
    pub assignments: &'a [String],
    /// Flags that name a setting of their own (`--seed`, `--backend`, …), as key and value.
    pub flags: Vec<(&'static str, Value)>,
}

impl Settings {
    /// Puts the layers together and checks the result.
    ///
    /// # Errors
    /// An unknown recipe, key or value, a file that is not TOML, or a value out of its range; the
    /// message names the file, line and column or the key.
    pub fn resolve(layers: &Layers) -> Result<Self> {
        let file = layers.file.map(read_file).transpose()?;
        let file_recipe =
            file.as_ref().and_then(|table| table.get("recipe")).and_then(Value::as_str);
        let recipe = Recipe::find(layers.recipe.or(file_recipe).unwrap_or(RECIPES[0].name))?;

        let mut merged = Table::try_from(Self::default())
            .map_err(|error| Error::failed(format!("default settings: {error}")))?;
        let shipped: Table = recipe
            .toml
            .parse()
            .map_err(|error| Error::failed(format!("recipe {}: {error}", recipe.name)))?;
        merge(&mut merged, shipped);
        merge(&mut merged, file.unwrap_or_default());
        for assignment in layers.assignments {
            let (key, value) = parse_assignment(assignment)?;
            set(&mut merged, &key, value)?;
        }
        for (key, value) in &layers.flags {
            set(&mut merged, key, value.clone())?;
        }
        merged.insert("recipe".into(), recipe.name.into());
        let settings: Self = merged.try_into().map_err(|error| {
            Error::input(format!("settings: {}", error.to_string().trim_end())).help(HELP)
        })?;
        settings.validate()?;
        Ok(settings)
    }

    /// Checks every range that the types do not express.
    fn validate(&self) -> Result<()> {
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

const HELP: &str =
    "`modescope recipes NAME` prints a recipe, whose keys and values show what can be set";

/// Reads `--config FILE` and checks its keys on their own, so that errors carry its lines.
///
/// A run's own `config.toml` serves too: its table `run` records what was decided and sets nothing.
fn read_file(path: &Path) -> Result<Table> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::input(format!("reading settings from {}: {error}", path.display()))
            .help("give --config the path of a TOML file; `modescope recipes NAME` prints one to start from")
    })?;
    let place = |error: toml::de::Error| {
        Error::input(format!("{}: {}", path.display(), error.to_string().trim_end())).help(HELP)
    };
    let mut table: Table = text.parse().map_err(place)?;
    if table.remove("run").is_none() {
        // Parsed from the text, so that the error shows the line.
        toml::from_str::<Settings>(&text).map_err(place)?;
    }
    Ok(table)
}

/// Splits `key=value`; a value that is not TOML is taken as text, so quotes can be left out.
fn parse_assignment(assignment: &str) -> Result<(String, Value)> {
    let (key, value) = assignment.split_once('=').ok_or_else(|| {
        Error::input(format!("--set {assignment}: not of the form key=value"))
            .help("for example --set training.epochs=50")
    })?;
    let (key, value) = (key.trim(), value.trim());
    let parsed = format!("value = {value}").parse::<Table>().ok();
    let value = parsed
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(value.into()));
    Ok((key.into(), value))
}

/// Lays one table over another, key by key.
fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// Sets a dotted key, refusing one that no setting has.
fn set(table: &mut Table, dotted: &str, value: Value) -> Result<()> {
    if !keys().iter().any(|key| key == dotted) {
        let error = Error::input(format!("there is no setting \"{dotted}\""));
        let known = keys();
        return Err(match nearest(dotted, known.iter().map(String::as_str)) {
            Some(guess) => error.help(format!("did you mean {guess}?")),
            None => error.help(format!("the settings are: {}", known.join(", "))),
        });
    }
    let mut nested = value;
    for part in dotted.rsplit('.') {
        nested = Value::Table(Table::from_iter([(part.to_owned(), nested)]));
    }
    if let Value::Table(over) = nested {
        merge(table, over);
    }
    Ok(())
}

/// The dotted name of every setting, those without a default included.
fn keys() -> Vec<String> {
    fn walk(prefix: &str, table: &Table, keys: &mut Vec<String>) {
        for (key, value) in table {
            match value {
                Value::Table(inner) => walk(&format!("{prefix}{key}."), inner, keys),
                _ => keys.push(format!("{prefix}{key}")),
            }
        }
    }
    let mut full = Settings::default();
    full.data.columns = Some(Vec::new());
    full.data.labels = Some(String::new());
    full.training.batch = Some(1);
    full.training.gradient_clip = Some(1.0);
    full.training.patience = Some(1);
    let mut keys = Vec::new();
    if let Ok(table) = Table::try_from(full) {
        walk("", &table, &mut keys);
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(assignments: &[&str]) -> Result<Settings> {
        let assignments: Vec<String> = assignments.iter().map(|&a| a.into()).collect();
        Settings::resolve(&Layers { assignments: &assignments, ..Layers::default() })
    }

    #[test]
    fn every_recipe_resolves_and_says_what_it_is() {
        for recipe in RECIPES {
            let layers = Layers { recipe: Some(recipe.name), ..Layers::default() };
            let settings = Settings::resolve(&layers).unwrap();
            assert_eq!(settings.recipe, recipe.name);
            assert!(recipe.toml.starts_with("# ") && recipe.summary().ends_with('.'));
        }
    }

    #[test]
    fn layers_override_each_other_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, "recipe = \"classic\"\nseed = 5\n[training]\nepochs = 7\nbeta = 2\n")
            .unwrap();
        let assignments = ["training.epochs=8".to_owned(), "model.activation=tanh".to_owned()];
        let settings = Settings::resolve(&Layers {
            file: Some(&file),
            assignments: &assignments,
            flags: vec![("seed", Value::Integer(6))],
            ..Layers::default()
        })
        .unwrap();
        assert_eq!(settings.recipe, "classic");
        assert_eq!(settings.data.scaling, ScalingKind::MinMax);
        assert_eq!((settings.seed, settings.training.epochs), (6, 8));
        assert_eq!(settings.training.beta, 2.0);
        assert_eq!(settings.model.activation, Activation::Tanh);
    }

    #[test]
    fn settings_survive_being_written_and_read() {
        let settings = resolve(&["training.patience=3", "data.labels=species"]).unwrap();
        let text = toml::to_string(&settings).unwrap();
        assert_eq!(toml::from_str::<Settings>(&text).unwrap(), settings);
    }

    #[test]
    fn mistakes_are_named_with_a_remedy() {
        let unknown = resolve(&["training.epoch=5"]).unwrap_err();
        assert_eq!(unknown.message(), "there is no setting \"training.epoch\"");
        assert_eq!(unknown.remedy(), Some("did you mean training.epochs?"));
        let range = resolve(&["model.latent=0"]).unwrap_err();
        assert_eq!(range.message(), "setting model.latent must be at least 1");
        assert!(resolve(&["model.activation=sine"]).unwrap_err().message().contains("sine"));
        assert!(resolve(&["training.epochs=many"]).unwrap_err().message().contains("epochs"));
        assert!(Recipe::find("clasic").unwrap_err().remedy().unwrap().contains("\"classic\""));
    }

    #[test]
    fn a_bad_key_in_a_file_is_shown_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, "[training]\nepoch = 7\n").unwrap();
        let error =
            Settings::resolve(&Layers { file: Some(&file), ..Layers::default() }).unwrap_err();
        assert!(error.message().contains("line 2"), "{error}");
    }
}
