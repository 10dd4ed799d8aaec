//! How defaults, recipe, file and flags become one [`Settings`].

use std::path::Path;

use toml::{Table, Value};

use super::{RECIPES, Recipe, Settings};
use crate::error::{Error, Result, nearest};
use crate::input;

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
    pub flags: Vec<(&'a str, Value)>,
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
        lay(&mut merged, shipped);
        lay(&mut merged, file.unwrap_or_default());
        for assignment in layers.assignments {
            let (key, value) = parse_assignment(assignment)?;
            set(&mut merged, &key, value)?;
        }
        for (key, value) in &layers.flags {
            set(&mut merged, key, value.clone())?;
        }
        merged.insert("recipe".into(), recipe.name.into());
        let settings: Self = merged
            .try_into()
            .map_err(|error| Error::input(format!("settings: {}", in_words(&error))).help(HELP))?;
        settings.validate()?;
        Ok(settings)
    }
}

const HELP: &str = "`modescope recipes NAME` prints a recipe; docs/handbook/parameters.md has every \
                    setting and its values";

/// What is wrong with a value, without the names that Rust has for kinds of them.
fn in_words(error: &toml::de::Error) -> String {
    let names = [
        ("expected f64", "expected a number"),
        ("expected u64", "expected a whole number from 0"),
        ("expected usize", "expected a whole number from 0"),
        ("expected a sequence", "expected a list in brackets"),
        ("type: sequence", "type: a list"),
        ("type: map", "type: a table"),
    ];
    let message = error.to_string().trim_end().to_owned();
    let message = names.iter().fold(message, |message, (from, to)| message.replace(from, to));
    match message.split_once("expected struct ") {
        Some((before, after)) => {
            format!("{before}expected a table{}", after.trim_start_matches(char::is_alphanumeric))
        }
        None => message,
    }
}

/// Reads `--config FILE` and checks its keys on their own, so that errors carry its lines.
///
/// A run's own `config.toml` serves too: its table `run` records what was decided and sets nothing.
fn read_file(path: &Path) -> Result<Table> {
    let text = input::toml(path)?;
    let place = |error: toml::de::Error| {
        Error::input(format!("{}: {}", path.display(), in_words(&error))).help(HELP)
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
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(value.into()));
    Ok((key.into(), value))
}

/// Lays a layer over those below it. Of the settings that say how long training is, the one that it has
/// takes the place of the other.
fn lay(under: &mut Table, over: Table) {
    if let (Some(Value::Table(under)), Some(Value::Table(over))) =
        (under.get_mut("training"), over.get("training"))
    {
        for (one, other) in [("epochs", "rows"), ("rows", "epochs")] {
            if over.contains_key(one) {
                under.remove(other);
            }
        }
    }
    merge(under, over);
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
    if dotted == "recipe" {
        return Err(Error::input("a recipe is no setting to lay over another")
            .help("name it with --recipe NAME, or as `recipe` in the file of --config"));
    }
    if !keys().iter().any(|key| key == dotted) {
        let error = Error::input(format!("there is no setting \"{dotted}\""));
        let mut known = keys();
        known.retain(|key| key != "recipe");
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
        lay(table, over);
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
    full.model.latent = Some(1);
    full.training.seed = Some(1);
    full.training.epochs = Some(1);
    full.training.rows = Some(1);
    full.training.batch = Some(1);
    full.training.gradient_clip = Some(1.0);
    full.training.ema = Some(0.5);
    full.training.patience = Some(1);
    full.safety.checkpoint_epochs = Some(1);
    let mut keys = Vec::new();
    if let Ok(table) = Table::try_from(full) {
        walk("", &table, &mut keys);
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::super::{Activation, ScalingChoice};
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

    /// Those that the error of an unknown one lists, table by table: a setting without a default is
    /// easily forgotten in [`keys`].
    #[test]
    fn every_setting_has_a_key() {
        let names = |prefix: &str| -> Vec<String> {
            let table = match prefix {
                "" => "unknown = 1".into(),
                prefix => format!("[{prefix}]\nunknown = 1"),
            };
            let error = toml::from_str::<Settings>(&table).unwrap_err().to_string();
            let (_, list) = error.split_once("expected one of ").unwrap();
            list.split('`').skip(1).step_by(2).map(String::from).collect()
        };
        let (tables, plain): (Vec<String>, Vec<String>) = names("").into_iter().partition(|name| {
            Table::try_from(Settings::default()).unwrap().get(name).is_some_and(Value::is_table)
        });
        let nested = tables
            .iter()
            .flat_map(|table| names(table).into_iter().map(move |name| format!("{table}.{name}")));
        let mut expected: Vec<String> = plain.into_iter().chain(nested).collect();
        let mut found = keys();
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn of_epochs_and_rows_the_uppermost_layer_counts() {
        let length = |recipe, assignments: &[&str]| {
            let assignments: Vec<String> = assignments.iter().map(|&a| a.into()).collect();
            let recipe = Some(recipe);
            let layers = Layers { recipe, assignments: &assignments, ..Layers::default() };
            let training = Settings::resolve(&layers).unwrap().training;
            (training.epochs, training.rows)
        };
        assert_eq!(length("classic", &[]), (Some(100), None));
        assert_eq!(length("classic", &["training.rows=5000"]), (None, Some(5000)));
        let both = ["training.rows=5000", "training.epochs=3"];
        assert_eq!(length("calibrated", &both), (Some(3), None));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("both.toml");
        std::fs::write(&file, "[training]\nepochs = 7\nrows = 8\n").unwrap();
        let error = Settings::resolve(&Layers { file: Some(&file), ..Layers::default() });
        assert!(error.unwrap_err().message().contains("both say how long training is"));
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
        assert_eq!(settings.data.scaling, ScalingChoice::MinMax);
        assert_eq!((settings.seed, settings.training.epochs), (6, Some(8)));
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
        let recipe = resolve(&["recipe=classic"]).unwrap_err();
        assert!(recipe.remedy().unwrap().contains("--recipe"), "{recipe}");
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
    fn settings_without_a_meaning_together_are_refused_with_the_reason() {
        let normal = "model.prior=standard-normal";
        let bound = ["training.beta_schedule=constant", "training.importance_samples=5"];
        assert!(resolve(&[normal, "training.free_bits=0.1"]).is_ok());
        assert!(resolve(&bound).is_ok());
        let refused = |assignments: &[&str]| resolve(assignments).unwrap_err();
        for (assignments, words) in [
            (&["training.free_bits=0.1"][..], "not a sum over latent units"),
            (&[bound[0], bound[1], normal, "training.free_bits=0.1"], "exclude each other"),
            (&[bound[0], bound[1], "model.likelihood=mean-squared-error"], "no density"),
            (&[bound[1]], "constant schedule"),
            (&[bound[0], bound[1], "training.beta=2"], "constant schedule"),
            (&[bound[0], bound[1], "training.kl_reduction=sum"], "mean reduction"),
        ] {
            let error = refused(assignments);
            assert!(error.message().contains(words), "{assignments:?}: {error}");
            assert!(error.remedy().is_some());
        }
        for (assignment, rule) in [
            ("training.ema=1", "in [0, 1)"),
            ("training.beta_warm_up=0", "above 0"),
            ("training.beta_cycles=0", "at least 1"),
            ("training.free_bits=-1", "at least 0"),
            ("training.importance_samples=0", "in [1, 1000]"),
            ("model.sigma=0", "in [1e-6, 1e6]"),
            ("model.prior_components=0", "in [1, 10^4]"),
        ] {
            assert!(refused(&[assignment]).message().contains(rule), "{assignment}");
        }
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
