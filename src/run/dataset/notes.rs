//! What a user should know of the data of a run.

use ndarray::Axis;

use super::Dataset;
use crate::audit::repeated::share_of_copies;
use crate::audit::subset::subset;
use crate::audit::words::counted;
use crate::config::{DataSettings, ScalingChoice};
use crate::data::{
    Apart, Dependence, RowDraws, apart, blocks_of_pass, counts_rows, dependences, dropped_note,
    mixed_spreads,
};
use crate::run::{RunDir, Source};

/// Rows that columns are looked at in, at most, and that dependence is looked for in.
const MOST_ROWS: usize = 100_000;
const MOST_ROWS_OF_DEPENDENCE: usize = 10_000;
/// Share of rows that are copies of others that is worth a word.
const LEAST_COPIES: f64 = 0.05;
/// Notes of each kind, at most.
const MOST_NOTES: usize = 5;

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
        let odd = self.column_notes().into_iter().chain(self.copies_note());
        let constant = kept.chain(left_out);
        let notes = streamed.into_iter().chain(dropped).chain(constant);
        notes.chain(odd).chain(scales).chain(label).collect()
    }

    /// What to know where rows that are held out are copies of rows that are trained on.
    fn copies_note(&self) -> Option<String> {
        let Source::File { .. } = self.source else { return None };
        let all = self.table.rows();
        let share = share_of_copies(all.select(Axis(0), &subset(all.nrows(), MOST_ROWS)).view());
        (share >= LEAST_COPIES).then(|| {
            format!(
                "{:.0}% of the rows are copies of others: rows that are held out were then trained on too, \
                 so held-out figures do not show overfitting; leave each row once",
                100.0 * share
            )
        })
    }

    /// What to know of columns that are no measurements, hold slips, or say nothing that others do not.
    fn column_notes(&self) -> Vec<String> {
        let Source::File { .. } = self.source else { return Vec::new() };
        let (names, all) = (self.table.columns(), self.table.rows());
        let rows = all.select(Axis(0), &subset(all.nrows(), MOST_ROWS));
        let columns = || names.iter().zip(rows.axis_iter(Axis(1)));
        let counting = columns().filter(|(_, values)| counts_rows(values.view(), self.rows()));
        let counting = counting.map(|(name, _)| {
            format!(
                "column \"{name}\" numbers the rows, so there is nothing in it to learn: leave it out \
                 with --columns"
            )
        });
        let apart = columns().filter_map(|(name, values)| Some((name, apart(values)?)));
        let apart = apart.map(|(name, Apart { count, furthest, others: [low, high] })| {
            let (values, such_as) = (counted(count, "value"), if count > 1 { "such as " } else { "" });
            format!(
                "column \"{name}\": {values} of {} ({such_as}{furthest}) far from all others, which reach \
                 from {low} to {high}; if that stands for a missing value, leave the cell empty and use \
                 --drop-missing",
                rows.nrows()
            )
        });
        let some = all.select(Axis(0), &subset(all.nrows(), MOST_ROWS_OF_DEPENDENCE));
        let dependent = dependences(some.view()).into_iter().map(|Dependence { column, on }| {
            let on: Vec<String> = on.iter().map(|&on| format!("\"{}\"", names[on])).collect();
            format!(
                "column \"{}\" follows from {}: the noise of generated rows does not keep to that, so \
                 they may lie beside every mode; leave it out with --columns and compute it afterwards",
                names[column],
                on.join(", ")
            )
        });
        let kinds = [counting.collect::<Vec<_>>(), apart.collect(), dependent.collect()];
        kinds.into_iter().flat_map(|notes| notes.into_iter().take(MOST_NOTES)).collect()
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
    fn scales_note(&self, scaling: ScalingChoice) -> Option<String> {
        let rows = self.training.rows();
        let (narrow, wide, times) = mixed_spreads(rows)?;
        // A value far from all others is the column's spread, and is named by itself.
        let some = rows.select(Axis(0), &subset(rows.nrows(), MOST_ROWS));
        if matches!(self.source, Source::File { .. }) && apart(some.column(wide)).is_some() {
            return None;
        }
        let names = self.training.columns();
        let (narrow, wide) = (&names[narrow], &names[wide]);
        let times = if times < 1e6 { format!("{times:.0}") } else { format!("{times:.0e}") };
        let spread = format!("column \"{wide}\" spreads {times} times as far as \"{narrow}\"");
        match scaling {
            ScalingChoice::Auto => Some(format!(
                "{spread}: each column gets a scale of its own; where they share a unit, use --set \
                 data.scaling=rms"
            )),
            ScalingChoice::Rms | ScalingChoice::None => Some(format!(
                "{spread}: one scale for all columns hides the narrow ones; where units differ, use \
                 --set data.scaling=z-score"
            )),
            ScalingChoice::ZScore | ScalingChoice::MinMax => None,
        }
    }
}
