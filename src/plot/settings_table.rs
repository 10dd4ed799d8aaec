//! Combinations of settings as a table, of what differs.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{Area, Drawn};
use super::theme;

/// One column: what stands above it and in each line.
struct Column {
    heading: String,
    cells: Vec<String>,
}

/// A line a combination. Settings that are the same in all are left out, and so are the sections of their
/// names where these differ without.
pub(super) struct SettingsTable {
    columns: Vec<Column>,
}

impl SettingsTable {
    /// From combinations as `training.beta=0.5, model.sigma=1.0`. Those that are not written like this, all
    /// with the same settings, stand in one column as they are.
    pub fn new(combinations: &[String]) -> Self {
        let parsed: Option<Vec<Vec<(&str, &str)>>> =
            combinations.iter().map(|combination| parse(combination)).collect();
        let keys = |line: &[(&str, &str)]| line.iter().map(|(key, _)| key.to_string()).collect();
        let whole = || Self {
            columns: vec![Column { heading: String::new(), cells: combinations.to_vec() }],
        };
        let Some((lines, first)) = parsed.as_ref().and_then(|lines| Some((lines, lines.first()?)))
        else {
            return whole();
        };
        let names: Vec<String> = keys(first);
        if !lines.iter().all(|line| keys(line) == names) {
            return whole();
        }
        let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
        let is_clear =
            |name: &String| names.iter().filter(|other| last(other) == last(name)).count() == 1;
        let are_clear = names.iter().all(is_clear);
        let column = |(index, name): (usize, &String)| Column {
            heading: if are_clear { last(name) } else { name.clone() },
            cells: lines.iter().map(|line| line[index].1.to_owned()).collect(),
        };
        let differs = |column: &Column| column.cells.iter().any(|cell| *cell != column.cells[0]);
        let columns: Vec<Column> = names.iter().enumerate().map(column).filter(differs).collect();
        if columns.is_empty() { whole() } else { Self { columns } }
    }

    /// Pixels that the table takes, with a margin, if these are no more than `most`.
    pub fn width(&self, most: u32) -> i32 {
        let columns = self.columns.iter().map(Column::width).sum::<u32>();
        // The viewer's letters may be wider than those that are measured.
        columns.min(most) as i32 * 9 / 8 + theme::MARGIN
    }

    /// Draws the headings at one height and each line at its own.
    pub fn draw<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        header: i32,
        height: impl Fn(usize) -> i32,
    ) -> Drawn<DB> {
        let style = theme::text(theme::TICK).pos(Pos::new(HPos::Left, VPos::Center));
        let all = area.dim_in_pixel().0 as i32;
        let mut x = theme::MARGIN;
        for column in &self.columns {
            let room = (all - x).max(0) as u32 * 8 / 9;
            let fitted = |text: &str| theme::fitted_in_middle(text, theme::TICK, room);
            area.draw_text(&fitted(&column.heading), &style, (x, header))?;
            for (line, cell) in column.cells.iter().enumerate() {
                area.draw_text(&fitted(cell), &style, (x, height(line)))?;
            }
            x += column.width() as i32 * 9 / 8;
        }
        Ok(())
    }
}

impl Column {
    /// Pixels of the widest text, with a gap to the next column.
    fn width(&self) -> u32 {
        let texts = self.cells.iter().chain([&self.heading]);
        texts.map(|text| theme::width(text, theme::TICK)).max().unwrap_or(0) + theme::TICK
    }
}

/// The settings of a combination; nothing where it is not written as such. Commas in lists separate none.
fn parse(combination: &str) -> Option<Vec<(&str, &str)>> {
    let mut settings = Vec::new();
    let (mut depth, mut from) = (0, 0);
    for (at, c) in combination.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                settings.push(&combination[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    settings.push(&combination[from..]);
    settings.into_iter().map(|setting| setting.trim().split_once('=')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(combinations: &[&str]) -> Vec<(String, Vec<String>)> {
        let combinations: Vec<String> = combinations.iter().map(|text| text.to_string()).collect();
        let columns = SettingsTable::new(&combinations).columns;
        columns.into_iter().map(|column| (column.heading, column.cells)).collect()
    }

    fn column(heading: &str, cells: [&str; 2]) -> (String, Vec<String>) {
        (heading.into(), cells.map(String::from).into())
    }

    #[test]
    fn what_differs_stands_in_columns() {
        let both = table(&[
            "model.sigma=0.1, a.b=1, model.hidden=[8, 4]",
            "model.sigma=1.0, a.b=1, model.hidden=[16]",
        ]);
        assert_eq!(both, [column("sigma", ["0.1", "1.0"]), column("hidden", ["[8, 4]", "[16]"])]);
        let alike = table(&["a.x=1, b.x=2", "a.x=2, b.x=1"]);
        assert_eq!(alike, [column("a.x", ["1", "2"]), column("b.x", ["2", "1"])]);
        for texts in [["the settings as given"; 2], ["a=1, b=2", "a=1"]] {
            assert_eq!(table(&texts), [column("", texts)]);
        }
        assert!(table(&[]).iter().all(|(_, cells)| cells.is_empty()));
    }
}
