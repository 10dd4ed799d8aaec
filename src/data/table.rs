//! A table of numbers: named columns, rows of `f32`, and optionally a label for each row.

use std::collections::{HashMap, HashSet};

use ndarray::{Array2, ArrayView2, Axis};

use crate::error::{Error, Result};

/// Rows of named numeric columns, with an optional label column that is not a feature.
///
/// Invariants, checked by [`Table::new`]: at least one column, one name a column, no name twice,
/// every value finite, one label a row where there are labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    columns: Vec<String>,
    rows: Array2<f32>,
    labels: Option<Labels>,
}

/// A categorical column: the label of each row as an index into the names.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// The column's name.
    pub column: String,
    /// The distinct labels: ascending as numbers where all are whole numbers, else as text.
    pub names: Vec<String>,
    /// For each row, the index of its label in `names`.
    pub of_row: Vec<usize>,
}

impl Labels {
    fn select(&self, rows: &[usize]) -> Self {
        Self { of_row: rows.iter().map(|&row| self.of_row[row]).collect(), ..self.clone() }
    }
}

/// The labels of rows as they are read, each text kept once.
#[derive(Debug, Default)]
pub(super) struct LabelColumn {
    index: HashMap<String, usize>,
    of_row: Vec<usize>,
}

impl LabelColumn {
    /// Adds the label of one more row.
    pub(super) fn push(&mut self, label: &str) {
        let known = self.index.get(label).copied();
        let index = known.unwrap_or_else(|| {
            let new = self.index.len();
            self.index.insert(label.to_owned(), new);
            new
        });
        self.of_row.push(index);
    }

    /// The labels in order, as a column of this name.
    pub(super) fn named(self, column: impl Into<String>) -> Labels {
        let mut found: Vec<(String, usize)> = self.index.into_iter().collect();
        found.sort();
        if found.iter().all(|(name, _)| name.parse::<i64>().is_ok()) {
            found.sort_by_key(|(name, _)| name.parse::<i64>().unwrap_or_default());
        }
        let mut places = vec![0; found.len()];
        found.iter().enumerate().for_each(|(place, (_, index))| places[*index] = place);
        let of_row = self.of_row.into_iter().map(|index| places[index]).collect();
        let names = found.into_iter().map(|(name, _)| name).collect();
        Labels { column: column.into(), names, of_row }
    }
}

impl Table {
    /// A table of `rows` (n × columns).
    ///
    /// # Errors
    /// Where an invariant of [`Table`] does not hold; the message names the column.
    pub fn new(columns: Vec<String>, rows: Array2<f32>, labels: Option<Labels>) -> Result<Self> {
        if columns.is_empty() {
            return Err(Error::input("the table has no feature column")
                .help("choose at least one numeric column with --columns"));
        }
        if columns.len() != rows.ncols() {
            let (names, width) = (columns.len(), rows.ncols());
            return Err(Error::input(format!("{names} column names for {width} columns")));
        }
        let mut known = HashSet::new();
        if let Some(name) = columns.iter().find(|name| !known.insert(*name)) {
            return Err(Error::input(format!("two columns are called \"{name}\""))
                .help("rename one of them"));
        }
        if let Some(((row, column), _)) = rows.indexed_iter().find(|(_, value)| !value.is_finite())
        {
            let name = &columns[column];
            return Err(Error::input(format!(
                "row {} of column \"{name}\" is not a finite number",
                row + 1
            )));
        }
        if let Some(labels) = labels.as_ref().filter(|labels| labels.of_row.len() != rows.nrows()) {
            let (given, wanted) = (labels.of_row.len(), rows.nrows());
            return Err(Error::input(format!("{given} labels for {wanted} rows")));
        }
        let is_named = |labels: &Labels| labels.of_row.iter().all(|&of| of < labels.names.len());
        if !labels.as_ref().is_none_or(is_named) {
            return Err(Error::input("a row has a label that is not among the names"));
        }
        Ok(Self { columns, rows, labels })
    }

    /// The rows of tables with the same columns one after another; nothing where there are no tables.
    pub(super) fn concatenate(tables: Vec<Self>) -> Result<Option<Self>> {
        let Some(first) = tables.first() else { return Ok(None) };
        let (columns, column) = (first.columns.clone(), first.labels.as_ref());
        let column = column.map(|labels| labels.column.clone());
        let count = tables.iter().map(|table| table.rows.len()).sum();
        let (mut values, mut labels) = (Vec::with_capacity(count), LabelColumn::default());
        for table in tables {
            if let Some(Labels { names, of_row, .. }) = table.labels {
                of_row.into_iter().for_each(|label| labels.push(&names[label]));
            }
            values.extend(table.rows);
        }
        let rows = Array2::from_shape_vec((values.len() / columns.len(), columns.len()), values)
            .map_err(|error| Error::failed(format!("joining tables: {error}")))?;
        Self::new(columns, rows, column.map(|column| labels.named(column))).map(Some)
    }

    /// Names of the feature columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The values, n × columns.
    pub fn rows(&self) -> ArrayView2<'_, f32> {
        self.rows.view()
    }

    /// The label of each row, where the table has them.
    pub fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.nrows()
    }

    /// Whether the table has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of feature columns.
    pub fn width(&self) -> usize {
        self.rows.ncols()
    }

    /// The rows with these indices, in this order.
    ///
    /// # Panics
    /// Where an index is not below [`len`](Self::len).
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            columns: self.columns.clone(),
            rows: self.rows.select(Axis(0), rows),
            labels: self.labels.as_ref().map(|labels| labels.select(rows)),
        }
    }

    /// The same rows with these feature columns, in this order.
    ///
    /// # Panics
    /// Where there is no column of such a name.
    #[must_use]
    pub fn with_columns(&self, names: &[String]) -> Self {
        let place = |name| self.columns.iter().position(|own| own == name);
        let order: Vec<usize> =
            names.iter().map(|name| place(name).expect("a column of the table")).collect();
        let rows = self.rows.select(Axis(1), &order);
        // Rows after one another, as every table has them: sums depend on the layout.
        let rows = rows.as_standard_layout().into_owned();
        Self { columns: names.to_vec(), rows, labels: self.labels.clone() }
    }

    /// Names of the columns in which every row has the same value.
    pub fn constant_columns(&self) -> Vec<&str> {
        let constant = |column: ndarray::ArrayView1<f32>| column.iter().all(|&v| v == column[0]);
        self.rows
            .axis_iter(Axis(1))
            .zip(&self.columns)
            .filter(|(column, _)| column.is_empty() || constant(column.view()))
            .map(|(_, name)| name.as_str())
            .collect()
    }
}
