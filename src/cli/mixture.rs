//! `modescope mixture`: a Gaussian-mixture data set and its truth.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::output::Output;
use super::shared::check_free;
use crate::config::{MixtureCovariance, MixtureSettings, MixtureWeights};
use crate::data::{Mixture, write};
use crate::error::Result;
use crate::files::make_folder;
use crate::run::RunDir;

/// Write a Gaussian-mixture data set and its truth
///
/// The folder gets data.csv, with the component of each row in its last column, and mixture.json:
/// weights, means and covariances.
#[derive(Args)]
#[command(after_help = "Examples:
  modescope mixture --out blobs
  modescope mixture --components 25 --dimensions 2 --spread 20 --rows 5000 --out grid
  modescope mixture --weights uniform --covariance full --seed 4 --out tilted")]
pub struct Arguments {
    /// Folder to write into
    #[arg(long, value_name = "DIR", default_value = "mixture")]
    out: PathBuf,
    /// Number of components
    #[arg(long, value_name = "N", default_value_t = MixtureSettings::default().components)]
    components: usize,
    /// Number of columns
    #[arg(long, value_name = "N", default_value_t = MixtureSettings::default().dimensions)]
    dimensions: usize,
    /// Number of rows
    #[arg(long, value_name = "N", default_value_t = MixtureSettings::default().rows)]
    rows: usize,
    /// Means are uniform in (−spread, spread) in each column
    #[arg(long, value_name = "X", default_value_t = MixtureSettings::default().spread)]
    spread: f64,
    /// How the weights are drawn
    #[arg(long, value_enum, default_value_t = MixtureSettings::default().weights)]
    weights: MixtureWeights,
    /// The covariances
    #[arg(long, value_enum, default_value_t = MixtureSettings::default().covariance)]
    covariance: MixtureCovariance,
    /// Seed of every random draw
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
}

pub fn run(arguments: &Arguments, output: &Output) -> Result<()> {
    let settings = MixtureSettings {
        components: arguments.components,
        dimensions: arguments.dimensions,
        rows: arguments.rows,
        spread: arguments.spread,
        weights: arguments.weights,
        covariance: arguments.covariance,
    };
    settings.validate()?;
    let mixture = Mixture::generate(&settings, arguments.seed)?;
    let table = mixture.draw(settings.rows, arguments.seed, 0);
    let (data, truth) = (arguments.out.join(RunDir::DATA), arguments.out.join(RunDir::MIXTURE));
    for path in [&data, &truth] {
        check_free(path, arguments.force)?;
    }
    make_folder(&arguments.out)?;
    write(&data, &table)?;
    mixture.write(&truth)?;
    let text = format!(
        "{} rows of {} components in {} columns\nData: {}\nTruth: {}",
        table.len(),
        mixture.components(),
        table.width(),
        data.display(),
        truth.display()
    );
    output.result(&text, &json!({ "data": data, "mixture": truth, "rows": table.len() }));
    Ok(())
}
