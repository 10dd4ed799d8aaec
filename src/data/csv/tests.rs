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
    // Counts by yes and no; and a boolean above booleans.
    assert_eq!(columns("False,True\n3,4\n5,6\n"), "False|True");
    assert_eq!(columns("True,1\nFalse,2\nTrue,3\n"), "x0|x1");
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
fn names_and_labels_keep_to_one_line_and_command_no_terminal() {
    let text = "\"price\r\n(EUR)\",\"\u{1b}[2Jkind\"\n1,\"a\tb\"\n2,a b\n3,\u{7}c\n";
    let table = load(text, &labelled("[2Jkind")).unwrap().table;
    assert_eq!(table.columns(), ["price (EUR)"]);
    assert_eq!(table.labels().unwrap().names, ["a b", "c"]);
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
    assert_eq!(unknown.remedy(), Some("did you mean \"width\"? the columns are: width, height"));
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
        (
            "1 2 3\n4 5 6\n",
            "data.csv, line 2, column 1 (\"1 2 3\"): \"4 5 6\" is not a number",
            "commas, semicolons or tabs",
        ),
        (
            "a|b\n1|2\n",
            "data.csv, line 2, column 1 (\"a|b\"): \"1|2\" is not a number",
            "commas, semicolons or tabs",
        ),
        (
            "a\n\"to\nnothing\"\n1\n",
            "data.csv, line 2, column 1 (\"a\"): \"to nothing\" is not a number",
            "--labels",
        ),
        ("# new\na,b\n1,2\n", "data.csv, line 2: 1 cells expected, 2 found", "comment lines"),
    ] {
        let (found, remedy) = refusal(text, &ReadOptions::default());
        assert_eq!(found, message);
        assert!(remedy.contains(help), "{remedy}");
    }
    let (message, help) = refusal(b"\x1f\x8b\x08\x00", &ReadOptions::default());
    assert_eq!(message, "data.csv: this is a gzip file, not text");
    assert!(help.contains("unpack it"));
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
        labels in prop::collection::vec("[!-~]([ -~]{0,5}[!-~])?", 3),
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
    for text in
        [format!("{wide}\n1\n"), format!("a,b\n1,2\n{wide}"), format!("\"a\",b\n{wide}\"\"\n1,2\n")]
    {
        let error = load(&text, &ReadOptions::default()).unwrap_err();
        assert!(error.message().contains("200001 columns are more than 10000"), "{error}");
    }
    // Commas within quotes are none.
    let name = ",".repeat(200_000);
    let table = load(format!("\"{name}\",b\n1,2\n"), &ReadOptions::default()).unwrap().table;
    assert_eq!(table.columns()[0].len(), 200_000);
}

#[test]
fn true_and_false_are_numbers_as_in_other_formats() {
    let table = table("a,b\n1,True\n2,false\n3, TRUE \n");
    assert_eq!(table.rows().column(1).to_vec(), [1.0, 0.0, 1.0]);
}
