//! Comma-separated values.

mod ahead;
mod number;
mod raw;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use csv::{QuoteStyle, ReaderBuilder, StringRecord, WriterBuilder};
use ndarray::ArrayView1;

use self::number::plain_decimal;
use self::raw::{Survey, delimiter, line, only_first_line_quoted, survey};
use super::ReadOptions;
use super::choice::{Choice, check_width, positional};
use super::rows::{Cell, Flaw, NO_ROWS, Number, Rows, Target};
use crate::error::{Error, Result};

/// How a missing value may be written, in any case.
const MISSING: [&str; 6] = ["", "na", "n/a", "nan", "none", "null"];
/// The remedy for commas within numbers.
const DECIMAL_COMMAS: &str =
    "decimal commas are not read: write decimal points, and nothing between thousands";

/// Reads the rows of a CSV file; see [`super::read()`] for what is a header.
pub(super) fn read<'a>(file: File, target: Target<'a>) -> Result<Rows<'a>> {
    let Target { path, options, .. } = target;
    let mut file = BufReader::with_capacity(1 << 16, file);
    let start = file.fill_buf().map_err(|error| Error::io("reading", path, error))?;
    let (delimiter, quoted) = (delimiter(start), only_first_line_quoted(start));
    let Survey { open_quote, widest } = survey(path, delimiter)?;
    // The csv crate takes forty times a record's length for one of many cells.
    check_width(path, widest)?;
    if let Some(byte) = open_quote {
        let place = format!("{}, line {}", path.display(), line(path, byte));
        return Err(Error::input(format!("{place}: a double quote is never closed"))
            .help("close it, or write the cell without quotes"));
    }
    let mut records = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(file);
    let unreadable = |error| unreadable(path, error);
    let (mut first, mut record) = (StringRecord::new(), StringRecord::new());
    if !records.read_record(&mut first).map_err(unreadable)? {
        return Err(Error::input(format!("{}: the file is empty", path.display())).help(NO_ROWS));
    }
    check_width(path, first.len())?;
    let second = records.read_record(&mut record);
    let shown = matches!(second, Ok(true)).then_some(&record);
    let headless = !quoted && is_data(path, &first, shown, options);
    if !headless && matches!(second, Ok(false)) {
        return Err(Error::input(format!(
            "{}: the file has a header only and no rows",
            path.display()
        ))
        .help(NO_ROWS));
    }
    let width = first.len();
    let names = match headless {
        true => positional(width),
        false => first.iter().map(|name| name.trim().to_owned()).collect(),
    };
    let mut rows = Rows::new(target, names, !headless)?;
    let features = rows.choice().features.clone();
    let label = rows.choice().label;
    let mut push = |record: &StringRecord| {
        let place = || format!("line {}", line(path, start_of(record.position())));
        if record.len() == width {
            let values = features.iter().map(|&column| parse(&record[column]));
            let pushed = rows.push(place, values, label.map(|column| &record[column]));
            return pushed.map_err(|error| match has_decimal_comma(record, &features) {
                true => error.help(DECIMAL_COMMAS),
                false => error,
            });
        }
        // A line of white space is as good as an empty one, which is skipped.
        if record.len() == 1 && record[0].trim().is_empty() {
            return Ok(());
        }
        let (file, place, cells) = (path.display(), place(), record.len());
        Err(Error::input(format!("{file}, {place}: {width} cells expected, {cells} found"))
            .help(uneven_help([&first, record])))
    };
    if headless {
        push(&first)?;
    }
    if second.map_err(unreadable)? {
        push(&record)?;
        ahead::for_each(records, push, unreadable)?;
    }
    Ok(rows)
}

/// Whether the first record is a row of data and not a header.
fn is_data(
    path: &Path,
    first: &StringRecord,
    second: Option<&StringRecord>,
    options: &ReadOptions,
) -> bool {
    let named = options.columns.iter().flatten().chain(&options.labels);
    if named.into_iter().any(|name| first.iter().any(|cell| cell.trim() == name)) {
        return false;
    }
    if is_count_of_columns(first) {
        return false;
    }
    let is_number = |cell: &str| parse(cell).is_ok();
    let is_text = |cell: &str| matches!(parse(cell), Err(Flaw::Text(_)));
    let features = match Choice::new(path, &positional(first.len()), options) {
        Ok(choice) => choice.features,
        Err(_) => (0..first.len()).collect(),
    };
    let numeric = features.iter().all(|&column| !is_text(&first[column]));
    let alike = |second: &StringRecord| {
        first.len() == second.len() && first.iter().map(is_text).eq(second.iter().map(is_text))
    };
    first.iter().any(is_number) && (numeric || second.is_some_and(alike))
}

/// Whether these are the names that pandas gives to columns without any: 0, 1, 2, …, behind an empty
/// one where the index is written too. One cell or two say too little: a table of 0 and 1 may begin so.
fn is_count_of_columns(first: &StringRecord) -> bool {
    let index = usize::from(first.get(0).is_some_and(|cell| cell.trim().is_empty()));
    let mut numbers = first.iter().skip(index).enumerate();
    first.len() > 2 && numbers.all(|(number, cell)| cell.trim() == number.to_string())
}

/// Whether the first feature that is no number is one with a decimal comma, or a piece of such numbers
/// that were taken apart at their commas.
fn has_decimal_comma(record: &StringRecord, features: &[usize]) -> bool {
    let flawed = features.iter().map(|&column| &record[column]).find(|cell| parse(cell).is_err());
    let numbers_at = |cell: &str, separator: char| {
        cell.contains(separator) && cell.split(separator).all(|part| parse(part).is_ok())
    };
    flawed.is_some_and(|cell| numbers_at(cell, ',') || numbers_at(cell, ';'))
}

/// What to do about a line that has not as many cells as the first.
fn uneven_help(lines: [&StringRecord; 2]) -> &'static str {
    let is_comment =
        |line: &StringRecord| line.get(0).is_some_and(|cell| cell.trim_start().starts_with('#'));
    match lines.into_iter().any(is_comment) {
        true => "comment lines are not read: take out those that begin with #",
        false => "put cells that contain the separator in double quotes",
    }
}

/// A cell as a feature value; white space about it does not count.
fn parse(cell: &str) -> Cell {
    if let Some(number) = plain_decimal(cell.as_bytes()) {
        return Ok(number);
    }
    let cell = cell.trim();
    match cell.parse::<f32>() {
        Ok(kept) if kept.is_finite() => {
            Ok(Number { kept, written: cell.parse().unwrap_or_else(|_| f64::from(kept)) })
        }
        Ok(_) if cell.contains(|c: char| c.is_ascii_digit()) => Err(Flaw::Range(cell.into())),
        Ok(_) => Err(Flaw::Missing(cell.into())),
        Err(_) if MISSING.iter().any(|marker| cell.eq_ignore_ascii_case(marker)) => {
            Err(Flaw::Missing(cell.into()))
        }
        Err(_) => Err(Flaw::Text(cell.into())),
    }
}

/// Where a record starts; the csv crate counts empty lines before it to the record.
fn start_of(position: Option<&csv::Position>) -> u64 {
    position.map_or(0, csv::Position::byte)
}

/// What the csv crate could not read: in practice the disk, or text that is not UTF-8.
fn unreadable(path: &Path, error: csv::Error) -> Error {
    let place = format!("{}, line {}", path.display(), line(path, start_of(error.position())));
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Error::io("reading", path, error),
        csv::ErrorKind::Utf8 { err, .. } => {
            Error::input(format!("{place}, column {}: the text is not UTF-8", err.field() + 1))
                .help("save the file as UTF-8")
        }
        kind => Error::input(format!("{place}: {kind:?}")),
    }
}

/// Writes rows as CSV with a header, the label last. Every value is the shortest text that reads back
/// to the same f32.
pub(super) struct CsvWriter<W: Write> {
    writer: csv::Writer<W>,
    text: String,
}

impl<W: Write> CsvWriter<W> {
    /// Writes the header.
    pub(super) fn new(mut file: W, columns: &[String], label: Option<&str>) -> csv::Result<Self> {
        let names = || columns.iter().map(String::as_str).chain(label);
        // Quotes keep a header from being read as data, or with a separator that is part of a name.
        let style = match names().any(|name| parse(name).is_ok() || name.contains([';', '\t'])) {
            true => QuoteStyle::Always,
            false => QuoteStyle::Necessary,
        };
        let mut header = WriterBuilder::new().quote_style(style).from_writer(&mut file);
        header.write_record(names())?;
        header.flush()?;
        drop(header);
        Ok(Self { writer: csv::Writer::from_writer(file), text: String::new() })
    }

    /// Writes one row.
    pub(super) fn push(&mut self, row: ArrayView1<f32>, label: Option<&str>) -> csv::Result<()> {
        for value in row {
            self.text.clear();
            // The shortest text, with an exponent where that is shorter; a String takes any.
            let _ = write!(self.text, "{value:?}");
            self.writer.write_field(&self.text)?;
        }
        label.map_or(Ok(()), |label| self.writer.write_field(label))?;
        self.writer.write_record(None::<&[u8]>)
    }

    pub(super) fn finish(mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;
    use crate::data::table::LabelColumn;
    use crate::data::{Labels, Loaded, Table, read as read_table, write};

    fn load(bytes: impl AsRef<[u8]>, options: &ReadOptions) -> Result<Loaded> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.csv");
        std::fs::write(&path, bytes).unwrap();
        read_table(&path, options)
    }

    fn table(text: &str) -> Table {
        load(text, &ReadOptions::default()).unwrap().table
    }

    fn label_column(column: impl Into<String>, cells: &[String]) -> Labels {
        let mut labels = LabelColumn::default();
        cells.iter().for_each(|cell| labels.push(cell));
        labels.named(column)
    }

    fn labelled(label: &str) -> ReadOptions {
        ReadOptions { labels: Some(label.into()), ..ReadOptions::default() }
    }

    /// The message from the file's name on, and the remedy.
    fn refusal(bytes: impl AsRef<[u8]>, options: &ReadOptions) -> (String, String) {
        let error = load(bytes, options).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Input);
        let message = error.message();
        let start = message.find("data.csv").unwrap();
        (message[start..].to_owned(), error.remedy().unwrap_or_default().to_owned())
    }

    #[test]
    fn headers_are_told_from_data() {
        let columns = |text: &str| table(text).columns().join("|");
        assert_eq!(columns("a,b\n1,2\n3,4\n"), "a|b");
        assert_eq!(columns("1,2\n3,4\n"), "x0|x1");
        assert_eq!(columns("1e-3,-.5\n+3,4.\n"), "x0|x1");
        assert_eq!(columns("year,2019\n1,2\n3,4\n"), "year|2019");
        assert_eq!(columns("\"2019\",\"2020\"\n1,2\n3,4\n"), "2019|2020");
        assert_eq!(columns("\"1\",\"2\"\n\"3\",\"4\"\n"), "x0|x1");
        // As pandas names columns without names.
        assert_eq!(columns("0,1,2\n3,4,5\n6,7,8\n"), "0|1|2");
        assert_eq!(columns("0,1,3\n3,4,5\n6,7,8\n"), "x0|x1|x2");
        assert_eq!(columns("0\n1\n2\n"), "x0");
        assert_eq!(table("1,2\n3,4\n").rows(), array![[1.0, 2.0], [3.0, 4.0]]);
    }

    #[test]
    fn options_decide_where_numbers_and_text_are_mixed() {
        // Without a header, as the iris data are often handed on.
        let text = "5.1,3.5,setosa\n7.0,3.2,versicolor\n6.3,3.3,setosa\n";
        let loaded = load(text, &labelled("x2")).unwrap().table;
        assert_eq!((loaded.columns().join("|"), loaded.len()), ("x0|x1".into(), 3));
        assert_eq!(loaded.labels().unwrap().names, ["setosa", "versicolor"]);
        let (message, help) = refusal(text, &ReadOptions::default());
        assert_eq!(message, "data.csv, line 1, column 3 (\"x2\"): \"setosa\" is not a number");
        assert!(help.contains("--labels x2"));
        // A name that the first line holds makes it the header.
        let by_year = load("country,1,2\nChad,3,4\nMali,5,6\n", &labelled("country")).unwrap();
        assert_eq!(by_year.table.columns(), ["1", "2"]);
    }

    #[test]
    fn separators_white_space_byte_order_marks_and_line_ends_are_understood() {
        let expected = table("a,b\n1,2\n3,4\n");
        for text in [
            "a;b\n1;2\n3;4",
            "\n\na\tb\n1\t2\n3\t4\n",
            "\u{feff}a,b\r\n1,2\r\n3,4\r\n",
            " a , b \n 1 ,2\n\n3,\t4\n  \n",
            "\"a\",b\r1,\"2\"\r3,4\r",
        ] {
            assert_eq!(table(text), expected, "{text:?}");
        }
        assert_eq!(table("a;\"b,,c\"\n1;2\n3;4\n").columns(), ["a", "b,,c"]);
        assert_eq!(table("a\n1\n2\n").rows(), array![[1.0], [2.0]]);
    }

    #[test]
    fn columns_are_chosen_and_ordered() {
        let text = "id,a,b,kind\nq,1,2,2\nr,3,4,10\ns,5,6,2\n";
        let chosen = Some(vec!["b".into(), "a".into()]);
        let options = ReadOptions { columns: chosen, ..labelled("kind") };
        let table = load(text, &options).unwrap().table;
        assert_eq!(table.columns(), ["b", "a"]);
        assert_eq!(table.rows(), array![[2.0, 1.0], [4.0, 3.0], [6.0, 5.0]]);
        let labels = table.labels().unwrap();
        assert_eq!((labels.names.join("|"), &labels.of_row), ("2|10".into(), &vec![0, 1, 0]));
    }

    #[test]
    fn wrong_choices_of_columns_are_refused() {
        let choose = |columns: &[&str], labels: Option<&str>| {
            let columns = columns.iter().map(|&name| name.to_owned()).collect();
            let labels = labels.map(str::to_owned);
            let options = ReadOptions { columns: Some(columns), labels, ..ReadOptions::default() };
            load("width,height,\n1,2,3\n4,5,6\n", &options).unwrap_err()
        };
        let unknown = choose(&["widht"], None);
        assert!(unknown.message().ends_with("there is no column \"widht\""));
        assert_eq!(
            unknown.remedy(),
            Some("did you mean \"width\"? the columns are: width, height")
        );
        assert!(choose(&["width", "width"], None).message().contains("chosen twice"));
        assert!(choose(&["width"], Some("width")).message().contains("both as a feature"));
        assert!(choose(&[], None).message().ends_with("there is no feature column"));
        assert!(choose(&["width"], Some("kind")).message().ends_with("no column \"kind\""));
    }

    #[test]
    fn missing_values_are_named_or_dropped() {
        for (cell, what) in [
            ("", "the value is missing"),
            ("NA", "the value is NA"),
            ("nan", "the value is nan"),
            ("-inf", "the value is -inf"),
            ("null", "the value is null"),
        ] {
            let text = format!("a,b\n1,2\n3,{cell}\n5,6\n");
            let (message, help) = refusal(&text, &ReadOptions::default());
            assert_eq!(message, format!("data.csv, line 3, column 2 (\"b\"): {what}"));
            assert!(help.contains("--drop-missing") && help.contains("--columns"));
            let drop = ReadOptions { drop_missing: true, ..ReadOptions::default() };
            let loaded = load(&text, &drop).unwrap();
            assert_eq!(loaded.dropped, 1);
            assert_eq!(loaded.table.rows(), array![[1.0, 2.0], [5.0, 6.0]]);
        }
        let text = "a,kind\n1,u\n2,\n,v\n4,u\n";
        let (message, _) = refusal(text, &labelled("kind"));
        assert_eq!(message, "data.csv, line 3, column 2 (\"kind\"): the value is missing");
        let drop = ReadOptions { drop_missing: true, ..labelled("kind") };
        let loaded = load(text, &drop).unwrap();
        assert_eq!((loaded.dropped, loaded.table.labels().unwrap().of_row.len()), (2, 2));
        let (message, _) = refusal("a,b\n1,2\n,zwei\n3,4\n", &ReadOptions { labels: None, ..drop });
        assert_eq!(message, "data.csv, line 3, column 2 (\"b\"): \"zwei\" is not a number");
        let all = ReadOptions { drop_missing: true, ..ReadOptions::default() };
        let (message, _) = refusal("a\nNaN\nNA\n", &all);
        assert_eq!(message, "data.csv: all 2 rows have missing values");
    }

    #[test]
    fn every_fault_names_its_place() {
        for (text, message, help) in [
            ("", "data.csv: the file is empty", ""),
            ("\n\n", "data.csv: the file is empty", ""),
            ("a,b\n", "data.csv: the file has a header only and no rows", ""),
            ("a,b\n1,2\n\n1,2,3\n", "data.csv, line 4: 2 cells expected, 3 found", "double quotes"),
            ("a,b\r\n1,2\r\n\r\n3\r\n", "data.csv, line 4: 2 cells expected, 1 found", ""),
            ("\na,b\r1,2\r3\r", "data.csv, line 4: 2 cells expected, 1 found", ""),
            ("a,\"b\nc\"\n1,2\n3\n", "data.csv, line 4: 2 cells expected, 1 found", ""),
            (
                "a,kind\n1,2\n\"2\",setosa\n",
                "data.csv, line 3, column 2 (\"kind\"): \"setosa\" is not a number",
                "--labels kind",
            ),
            (
                "a,b\n1,2\n3,4e38\n",
                "data.csv, line 3, column 2 (\"b\"): 4e38 is too large for a 32-bit float",
                "±3.4e38",
            ),
            ("a,b,a\n1,2,3\n", "data.csv: columns 1 and 3 are both called \"a\"", "rename"),
            ("a,\n1,2\n3,4\n", "data.csv: column 2 has no name", "--columns"),
            (",0,1\n0,5,6\n1,7,8\n", "data.csv: column 1 has no name", "--columns"),
            (
                "a;b\n0,987;1\n2;3\n",
                "data.csv, line 2, column 1 (\"a\"): \"0,987\" is not a number",
                "decimal points",
            ),
            (
                "0,9;1,5;2,5\n1,9;2,5;3,5\n",
                "data.csv, line 1, column 2 (\"x1\"): \"9;1\" is not a number",
                "decimal points",
            ),
            ("# new\na,b\n1,2\n", "data.csv, line 2: 1 cells expected, 2 found", "comment lines"),
        ] {
            let (found, remedy) = refusal(text, &ReadOptions::default());
            assert_eq!(found, message);
            assert!(remedy.contains(help), "{remedy}");
        }
        let (message, help) = refusal(b"a,b\n1,2\n3,\xff\n", &ReadOptions::default());
        assert_eq!(message, "data.csv, line 3, column 2: the text is not UTF-8");
        assert_eq!(help, "save the file as UTF-8");
    }

    /// Wherever it is in a file of many batches, and the thread that reads ahead ends.
    #[test]
    fn a_fault_is_found_at_its_place_in_a_long_file() {
        let mut lines = vec!["0.25,1"; 200_000];
        lines[0] = "a,b";
        for place in [2, 100_000, 199_999] {
            let whole = std::mem::replace(&mut lines[place], "0.25,one");
            let (message, _) = refusal(lines.join("\n"), &ReadOptions::default());
            let line = place + 1;
            assert_eq!(
                message,
                format!("data.csv, line {line}, column 2 (\"b\"): \"one\" is not a number")
            );
            lines[place] = whole;
        }
        assert_eq!(table(&lines.join("\n")).len(), 199_999);
        let mut bytes = lines.join("\n").into_bytes();
        let last = bytes.len() - 1;
        bytes[last] = 0xFF;
        let (message, _) = refusal(bytes, &ReadOptions::default());
        assert_eq!(message, "data.csv, line 200000, column 2: the text is not UTF-8");
    }

    #[test]
    fn a_constant_column_is_kept() {
        assert_eq!(table("a,b\n1,2\n1,3\n").constant_columns(), ["a"]);
    }

    proptest! {
        #[test]
        fn tables_survive_their_file(
            bits in prop::collection::vec(any::<u32>(), 12),
            names in prop::collection::hash_set("[ -~é]{0,5}[a-z0-9,;\"]", 4),
            labels in prop::collection::vec("[!-~]([ -~\n]{0,5}[!-~])?", 3),
        ) {
            let finite = |bits: &u32| Some(f32::from_bits(*bits)).filter(|v| v.is_finite());
            let values = bits.iter().map(|bits| finite(bits).unwrap_or(-0.0)).collect();
            let rows = ndarray::Array2::from_shape_vec((4, 3), values).unwrap();
            let rows = rows.slice_move(ndarray::s![..3, ..]);
            let mut names: Vec<String> = names.iter().map(|name| name.trim().to_owned()).collect();
            names.sort();
            names.dedup();
            prop_assume!(names.len() == 4 && rows.rows().into_iter().any(|r| r != rows.row(0)));
            let label = names.pop().unwrap();
            let options = ReadOptions { labels: Some(label.clone()), ..ReadOptions::default() };
            let labels = label_column(label, &labels);
            for (labels, options) in [(Some(labels), options), (None, ReadOptions::default())] {
                let table = Table::new(names.clone(), rows.clone(), labels).unwrap();
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("data.csv");
                write(&path, &table).unwrap();
                let back = read_table(&path, &options).unwrap().table;
                prop_assert_eq!(&back, &table);
            }
        }
    }

    #[test]
    fn values_are_written_in_their_shortest_form() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.csv");
        let labels = label_column("kind", &["b".into(), "a, c".into()]);
        let rows = array![[0.1, 1e-40], [16_777_216.0, f32::MAX]];
        let table = Table::new(vec!["x0".into(), "x1".into()], rows, Some(labels)).unwrap();
        write(&path, &table).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(text, "x0,x1,kind\n0.1,1e-40,b\n16777216.0,3.4028235e38,\"a, c\"\n");
    }

    #[test]
    fn a_quote_behind_the_mark_of_byte_order_opens_a_cell() {
        let table = load("\u{feff}\"a,b\",c\n1,2\n3,4\n", &ReadOptions::default()).unwrap().table;
        assert_eq!(
            (table.columns(), table.rows()),
            (&["a,b", "c"].map(String::from)[..], array![[1.0, 2.0], [3.0, 4.0]].view())
        );
        let error = load("\u{feff}\"a,b\n1,2\n", &ReadOptions::default()).unwrap_err();
        assert!(error.message().contains("line 1: a double quote is never closed"), "{error}");
    }

    /// A value of a row that is dropped does not make the others look farther apart.
    #[test]
    fn what_single_precision_loses_is_found_beside_dropped_rows() {
        let lines: String = (0..20).map(|i| format!("{},{i}\n", 1_700_000_000 + i)).collect();
        let options =
            ReadOptions { drop_missing: true, check_precision: true, ..ReadOptions::default() };
        for more in ["", "0,\n"] {
            let error = load(format!("t,x\n{lines}{more}"), &options).unwrap_err();
            assert!(error.message().contains("column \"t\": single precision"), "{error}");
        }
    }

    /// Many cells are counted before memory is set aside for each, in whatever record they are.
    #[test]
    fn wide_records_are_refused_wherever_they_are() {
        let wide = ",".repeat(200_000);
        for text in [
            format!("{wide}\n1\n"),
            format!("a,b\n1,2\n{wide}"),
            format!("\"a\",b\n{wide}\"\"\n1,2\n"),
        ] {
            let error = load(&text, &ReadOptions::default()).unwrap_err();
            assert!(error.message().contains("200001 columns are more than 10000"), "{error}");
        }
        // Commas within quotes are none.
        let name = ",".repeat(200_000);
        let table = load(format!("\"{name}\",b\n1,2\n"), &ReadOptions::default()).unwrap().table;
        assert_eq!(table.columns()[0].len(), 200_000);
    }
}
