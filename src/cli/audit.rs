//! `modescope audit`: judge the samples of any generator.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::arguments::{count, trimmed};
use super::output::Output;
use super::progress::Display;
use super::verdict;
use crate::audit::findings::Findings;
use crate::audit::markdown;
use crate::audit::samples::{Options, Samples, audit, check_values, ticks};
use crate::config::AnalysisSettings;
use crate::data::{Loaded, Mixture, ReadOptions, Table, dropped_note};
use crate::error::{Error, Result};
use crate::files::{check_writable, make_folder_of, write_bytes, write_json};
use crate::run::{Counter, Progress, RunDir, interruptible, read_table};

/// Say which modes of real data the samples of any generator hold, and which are lost
///
/// The modes are the components of a mixture that is given, or the labels of the real data, or, with
/// neither, the components of the Gaussian mixture that describes the real rows best; then one half
/// of the rows shows the modes and the other half checks that they are really there. Without --out
/// nothing is written.
#[derive(Args)]
#[command(after_help = "Examples:
  modescope audit --real real.csv --generated samples.csv
  modescope audit --real data.csv --labels component --generated samples.csv --mixture mixture.json --out audit
  modescope audit --real data.csv --labels species --generated mine.npy --json")]
pub struct Arguments {
    /// Real rows: .csv, .parquet, .npy, or a folder of .parquet files
    #[arg(long, value_name = "A")]
    real: PathBuf,
    /// Generated rows, with the same columns
    #[arg(long, value_name = "B")]
    generated: PathBuf,
    /// The mixture that the real rows were drawn from, as `modescope mixture` writes it
    #[arg(long, value_name = "T.json")]
    mixture: Option<PathBuf>,
    /// A column of the real rows that names the mode of each; beside --mixture it is only left out
    /// of the features
    #[arg(long, value_name = "COLUMN", value_parser = trimmed)]
    labels: Option<String>,
    /// Feature columns by name [default: all but the label]
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = trimmed)]
    columns: Option<Vec<String>>,
    /// Drop rows with missing or non-finite values instead of refusing them
    #[arg(long)]
    drop_missing: bool,
    /// Seed of every random draw
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count())]
    seed: i64,
    /// Folder to write audit.json and audit.md into
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the files if they are there
    #[arg(long)]
    force: bool,
}

pub fn run(arguments: &Arguments, output: &Output, interrupt: &AtomicBool) -> Result<()> {
    let targets = arguments
        .out
        .as_deref()
        .map(|folder| check_targets(folder, arguments.force))
        .transpose()?;
    let display = Display::new(output);
    let real = load(arguments, false, interrupt)?;
    let generated = load(arguments, true, interrupt)?;
    check_labels(arguments, &real.table, &generated.table)?;
    let dropped: Vec<String> = [(&real, &arguments.real), (&generated, &arguments.generated)]
        .into_iter()
        .filter_map(|(of, path)| {
            let note = dropped_note(of.dropped)?;
            Some(format!("{}: {note}, {} are left", path.display(), of.table.len()))
        })
        .collect();
    let (real, generated) = match_columns(arguments, real, generated)?;
    let mixture = arguments.mixture.as_deref();
    let truth = mixture.map(|path| read_mixture(path, arguments, &real)).transpose()?;
    let mut findings =
        findings(real, generated, truth, arguments.seed as u64, &display, interrupt)?;
    findings.notes.extend(dropped);
    let json = serde_json::to_value(&findings)
        .map_err(|error| Error::failed(format!("encoding the audit: {error}")))?;
    let mut text = verdict::show(&findings);
    if let Some([json_file, text_file]) = &targets {
        make_folder_of(json_file)?;
        write_json(json_file, &findings)?;
        write_bytes(text_file, markdown::render(&findings).as_bytes())?;
        text.push_str(&format!("\n\nAudit: {}", text_file.display()));
    }
    output.result(&text, &json);
    Ok(())
}

/// The files to write into `folder`, which must be free unless told otherwise.
fn check_targets(folder: &Path, force: bool) -> Result<[PathBuf; 2]> {
    check_writable(folder)?;
    if RunDir::is_at(folder) && !force {
        let what = format!("{} holds a run, whose own audit is called so too", folder.display());
        return Err(Error::input(what).help("name another folder with --out, or use --force"));
    }
    let targets = [RunDir::AUDIT, RunDir::AUDIT_TEXT].map(|name| folder.join(name));
    match targets.iter().find(|target| target.symlink_metadata().is_ok() && !force) {
        Some(there) => Err(Error::input(format!("{} is already there", there.display()))
            .help("--force replaces it, --out names another folder")),
        None => Ok(targets),
    }
}

fn findings(
    real: Table,
    generated: Table,
    truth: Option<Mixture>,
    seed: u64,
    display: &Display,
    interrupt: &AtomicBool,
) -> Result<Findings> {
    let options = Options::new(&AnalysisSettings::default(), seed);
    let counter = Counter::new(display.begin("audit", ticks(options.max_clusters)));
    let audited = interruptible(interrupt, move || {
        let samples = Samples { truth: truth.as_ref(), ..Samples::new(&real, generated.rows()) };
        audit(samples, options, &|| counter.tick())
    })?;
    Ok(audited.into_findings())
}

fn load(arguments: &Arguments, generated: bool, interrupt: &AtomicBool) -> Result<Loaded> {
    let path = if generated { &arguments.generated } else { &arguments.real };
    let options = ReadOptions {
        columns: arguments.columns.clone(),
        labels: arguments.labels.clone(),
        labels_optional: generated,
        drop_missing: arguments.drop_missing,
        check_precision: !generated,
    };
    let loaded = read_table(path, &options, interrupt)?;
    check_values(loaded.table.rows(), &path.display().to_string(), loaded.table.columns())?;
    Ok(loaded)
}

/// Real and generated rows with the same columns in the same order: by name, or by position where
/// one side has no names.
fn match_columns(arguments: &Arguments, real: Loaded, generated: Loaded) -> Result<(Table, Table)> {
    let [named, other_named] = [real.named, generated.named];
    let (real, generated) = (real.table, generated.table);
    // Names that only one side has say nothing of the other's, even where they are the same.
    if named != other_named && real.width() == generated.width() {
        return Ok((real, generated));
    }
    let (a, b) = (arguments.real.display(), arguments.generated.display());
    let only = |these: &Table, others: &Table| {
        let names = these.columns().iter().filter(|name| !others.columns().contains(name));
        names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    };
    let (only_real, only_generated) = (only(&real, &generated), only(&generated, &real));
    if only_real.is_empty() && only_generated.is_empty() {
        let generated = generated.with_columns(real.columns());
        return Ok((real, generated));
    }
    let lacks = [(&only_real, &b), (&only_generated, &a)]
        .into_iter()
        .filter(|(names, _)| !names.is_empty())
        .map(|(names, file)| format!("{file} has no column {names}"));
    Err(Error::input(format!("{a} and {b} differ: {}", lacks.collect::<Vec<_>>().join(", and ")))
        .help("name a column of labels with --labels, or choose common columns with --columns"))
}

/// The mixture that the real rows were drawn from.
fn read_mixture(path: &Path, arguments: &Arguments, real: &Table) -> Result<Mixture> {
    let mixture = Mixture::read(path)?;
    let (modes, columns) = (mixture.dimensions(), real.width());
    if modes == columns {
        return Ok(mixture);
    }
    Err(Error::input(format!(
        "{} has {modes} dimensions, {} has {columns} feature columns",
        path.display(),
        arguments.real.display()
    ))
    .help("give the mixture that the rows were drawn from, or name the other columns by --labels"))
}

/// Refuses labels of generated rows that no real row has: they are no modes of the data.
fn check_labels(arguments: &Arguments, real: &Table, generated: &Table) -> Result<()> {
    let (Some(real), Some(generated)) = (real.labels(), generated.labels()) else { return Ok(()) };
    match generated.names.iter().find(|name| !real.names.contains(name)) {
        Some(name) => Err(Error::input(format!(
            "{}: column \"{}\" has the label \"{name}\", which no row of {} has",
            arguments.generated.display(),
            generated.column,
            arguments.real.display()
        ))
        .help("the real rows say what the modes are: give rows of every label, or leave it out")),
        None => Ok(()),
    }
}
