//! What a user should know of the data of a run.

use super::Dataset;
use crate::config::{DataSettings, ScalingKind};
use crate::data::{RowDraws, blocks_of_pass, dropped_note, mixed_spreads};
use crate::run::{RunDir, Source};

impl Dataset {
    /// What a user should hear about the data, given how they are read.
    pub fn notes(&self, settings: &DataSettings) -> Vec<String> {
        let (rows, columns, most) = (self.rows(), self.table.width(), settings.stream_above);
        let large =
            format!("{rows} rows of {columns} are more than data.stream_above ({most} values)");
        let streamed = match &self.streamed {
            Some(files) => Some(format!(
                "{large}: each pass reads them in {} blocks, which are the epochs of the history; {} rows \
                 are held out, and everything but training looks at {} of the others, drawn at random",
                blocks_of_pass(&files.streamed),
                self.held_out.len(),
                self.training.len(),
            )),
            None if self.mixture.is_none() && rows * columns > most => Some(format!(
                "{large}, but CSV files are read whole; Parquet and NumPy files are read in blocks"
            )),
            None => None,
        };
        let (dropped, left_out) = match &self.source {
            Source::File { dropped, constant, .. } => (dropped_note(*dropped), constant.as_slice()),
            Source::Mixture => (None, [].as_slice()),
        };
        let among = if self.streamed.is_some() { " in the sample" } else { "" };
        let kept = self.table.constant_columns().into_iter().map(|name| {
            format!(
                "column \"{name}\" is constant{among}: there is nothing in it to learn, and a σ that all \
                 columns share gets smaller by it"
            )
        });
        let left_out = left_out.iter().map(|name| {
            format!(
                "column \"{name}\" is constant, so it is left out: there is nothing in it to learn"
            )
        });
        let scales = self.scales_note(settings.scaling);
        let label = self.label_note();
        let constant = kept.chain(left_out);
        streamed.into_iter().chain(dropped).chain(constant).chain(scales).chain(label).collect()
    }

    /// What to know where the labels of a generated mixture are taken for a feature.
    fn label_note(&self) -> Option<String> {
        let Source::File { path, .. } = &self.source else { return None };
        let generated = path.with_file_name(RunDir::MIXTURE).exists();
        let label = self.table.columns().iter().find(|name| *name == RowDraws::LABEL)?;
        generated.then(|| {
            format!("column \"{label}\" is a feature here: --labels {label} makes it the label")
        })
    }

    /// What to know where one scale for all columns would hide most of them.
    fn scales_note(&self, scaling: ScalingKind) -> Option<String> {
        let (narrow, wide, times) = mixed_spreads(self.training.rows())?;
        let names = self.training.columns();
        let (narrow, wide) = (&names[narrow], &names[wide]);
        let times = if times < 1e6 { format!("{times:.0}") } else { format!("{times:.0e}") };
        let spread = format!("column \"{wide}\" spreads {times} times as far as \"{narrow}\"");
        match scaling {
            ScalingKind::Auto => Some(format!(
                "{spread}: each column gets a scale of its own; where they share a unit, use --set \
                 data.scaling=rms"
            )),
            ScalingKind::Rms => Some(format!(
                "{spread}: one scale for all columns hides the narrow ones; where units differ, use \
                 --set data.scaling=z-score"
            )),
            ScalingKind::ZScore | ScalingKind::MinMax | ScalingKind::None => None,
        }
    }
}
