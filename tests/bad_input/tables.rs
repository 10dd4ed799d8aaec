//! Tables: CSV, NumPy and Parquet.

use crate::common::{Place, two_groups};
use crate::make::{doubles, lists, npy, numbers, parquet, structs, words};
use crate::{Case, case, check, each};

fn csv() -> Vec<Case> {
    let wide = |columns: usize| ",".repeat(columns - 1) + "\n";
    let positional: Vec<String> = (0..10_001).map(|column| format!("x{column}")).collect();
    let long = format!("a,b\n1,{}\n2,3\n", "x".repeat(1 << 20));
    let not_utf8 = "the text is not UTF-8";
    let place = "my.csv, line 3, column 2 (\"b\")";
    let unclosed = "a double quote is never closed";
    vec![
        case("no byte", "", &["my.csv: the file is empty"]),
        case("only line ends", "\n\r\n\n", &["my.csv: the file is empty"]),
        case("only a byte order mark", "\u{feff}", &["my.csv: the file is empty"]),
        case("header only", "a,b\n", &["my.csv", "a header only and no rows"]),
        case("byte order mark and header only", "\u{feff}a,b\n", &["a header only and no rows"]),
        case("one row", "a,b\n1,2\n", &["my.csv", "1 row", "at least 2 rows"]),
        case("one row left", "a,b\n1,2\n3,NA\n", &["my.csv", "1 row", "after dropping 1"])
            .with("--drop-missing"),
        case("no row left", "a,b\nNA,2\n3,NA\n", &["my.csv", "all 2 rows"]).with("--drop-missing"),
        case("a cell too many", "a,b\n1,2\n3,4,5\n", &["my.csv, line 3", "2 cells", "3 found"]),
        case("a cell too few", "a,b\r\n1,2\r\n3\r\n", &["my.csv, line 3", "2 cells", "1 found"]),
        case("text", "a,b\n1,2\n3,four\n", &[place, "\"four\"", "--labels b"]),
        case("a hexadecimal number", "a,b\n1,2\n3,0x10\n", &[place, "\"0x10\""]),
        case("decimal commas", "a;b\n1;2\n3;4,5\n", &[place, "\"4,5\""]),
        case("NaN", "a,b\n1,2\n3,NaN\n", &[place, "NaN", "--drop-missing"]),
        case("inf", "a,b\n1,2\n3,inf\n", &[place, "inf", "--drop-missing"]),
        case("-Infinity", "a,b\n1,2\n3,-Infinity\n", &[place, "-Infinity", "--drop-missing"]),
        case("an empty cell", "a,b\n1,2\n3,\n", &[place, "missing", "--drop-missing"]),
        case("beyond f32", "a,b\n1,2\n3,1e39\n", &[place, "1e39 is too large"]),
        case("NUL", "a,b\n1,2\n3,\0\n", &[place, "\"\\u{0}\" is not a number"]),
        // Shown, not sent to the terminal, which `finish` checks.
        case("an escape sequence", "a,b\n1,2\n3,\x1b[31m\n", &[place, "\"\\u{1b}[31m\""]),
        case("a cell of a mebibyte", long, &["line 2", "\"xxxxxx", "…\" is not a number"]),
        case("two columns of one name", "a,b,a\n1,2,3\n", &["columns 1 and 3", "\"a\""]),
        case("a column without a name", "a,\n1,2\n", &["my.csv: column 2 has no name"]),
        case("constant columns", "a,b\n1,2\n1,2\n1,2\n", &["my.csv", "every row", "--columns"]),
        case("Latin-1 in the header", *b"a,gr\xf6\xdfe\n1,2\n", &["line 1, column 2", not_utf8]),
        case("Latin-1 in a row", *b"a,b\n1,2\n\xb5,4\n", &["line 3, column 1", not_utf8]),
        case("UTF-16", *b"\xff\xfea\0,\0b\0\n\0", &["line 1, column 1", not_utf8]),
        case("an open quote", "a,b\n1,2\n3,\"4\n5,6\n", &["my.csv, line 3", unclosed]),
        case("an open quote in a label", "a,kind\n1,l\n3,\"r\n5,l\n", &["line 3", unclosed])
            .with("--labels kind"),
        case("an open quote in the header", "a,\"b\n1,2\n", &["my.csv, line 1", unclosed]),
        case("10 million columns", wide(10_000_000), &["10000000 columns", "10000"]),
        case("10 million columns and rows", wide(10_000_000).repeat(2), &["10000000 columns"]),
        case("10 001 columns", positional.join(",") + "\n1,2\n", &["my.csv: 10001 columns"]),
        case("an unknown feature", two_groups(&["alpha"], 9), &["\"alfa\"", "mean \"alpha\""])
            .with("--columns alfa"),
        case("an unknown label", two_groups(&["a"], 9), &["\"kinds\"", "did you mean \"kind\""])
            .with("--labels kinds"),
        case("a label as a feature", two_groups(&["a"], 9), &["\"kind\"", "both as a feature"])
            .with("--columns a,kind --labels kind"),
    ]
}

fn numpy() -> Vec<Case> {
    let four = doubles(&[1.0, 2.0, 3.0, 4.0]);
    let of = |descr: &str, shape: &str| npy(descr, false, shape, &four);
    let f8 = |shape: &str| of("'<f8'", shape);
    let whole = f8("(2, 2)");
    let large = "not a readable .npy file: its shape is too large for any file";
    let flawed = npy("'<f8'", false, "(2, 2)", &doubles(&[1.0, 2.0, f64::NAN, 4.0]));
    let mark = "it does not start with NumPy's mark";
    vec![
        case("2^60 rows", f8("(1152921504606846976, 1)"), &[large]),
        case("2^60 values", f8("(1152921504606846976,)"), &[large]),
        case("2^40 rows", f8("(1099511627776, 2)"), &["truncated", "1099511627776"]),
        case("2^120 values", f8("(1152921504606846976, 1152921504606846976)"), &[large]),
        case("no rows of many columns", f8("(0, 1000000000)"), &["1000000000 columns"]),
        case("many columns", npy("'|u1'", false, "(1, 20000)", &[1; 20_000]), &["20000 columns"]),
        case("no columns", f8("(2, 0)"), &["my.npy: there is no feature column"]),
        case("no rows", f8("(0, 2)"), &["my.npy: the file has no row"]),
        case("one row", f8("(1, 4)"), &["my.npy", "1 row", "at least 2 rows"]),
        case("complex numbers", of("'<c16'", "(2, 1)"), &["dtype '<c16'", "astype"]),
        case("half precision", of("'<f2'", "(2, 1)"), &["dtype '<f2'", "astype"]),
        case("objects", of("'|O'", "(2, 1)"), &["dtype '|O'", "astype"]),
        case("text", of("'<U2'", "(2, 1)"), &["dtype '<U2'", "astype"]),
        case("records", of("[('a', '<f8')]", "(2,)"), &["cannot be read", "astype"]),
        case("three axes", f8("(1, 2, 2)"), &["my.npy: the array has 3 axes"]),
        case("no axis", f8("()"), &["my.npy: the array has 0 axes"]),
        case("a negative size", f8("(-2, 2)"), &["my.npy: not a readable .npy file"]),
        case("cut in its numbers", &whole[..whole.len() - 9], &["my.npy", "truncated"]),
        case("cut in its header", &whole[..40], &["my.npy", "the header is truncated"]),
        case("cut in its mark", &whole[..4], &["my.npy", mark]),
        case("another mark", "PK\x03\x04 and so on", &["my.npy", mark]),
        case("CSV", "a,b\n1,2\n3,4\n", &["my.npy", mark]),
        case("not a number", flawed, &["my.npy, row 2, column 1 (\"x0\")", "NaN"]),
        case("Fortran order, cut", npy("'<f8'", true, "(2, 3)", &four), &["truncated"]),
    ]
}

fn arrow() -> Vec<Case> {
    let two = || numbers(&[Some(1.0), Some(2.0)]);
    let whole = parquet(&[("a", two()), ("b", numbers(&[Some(3.0), Some(5.0)]))]);
    let unreadable = "my.parquet: not a readable Parquet file";
    let mut claims = whole.clone();
    let place = whole.len() - 8;
    claims[place..place + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let wide: Vec<(String, _)> = (0..10_001).map(|column| (format!("c{column}"), two())).collect();
    let wide: Vec<_> = wide.iter().map(|(name, column)| (name.as_str(), column.clone())).collect();
    vec![
        case("cut at its end", &whole[..whole.len() - 3], &[unreadable]),
        case("cut in the middle", &whole[..whole.len() / 2], &[unreadable]),
        case("its marks only", "PAR1PAR1", &[unreadable]),
        case("its start missing", &whole[9..], &[unreadable]),
        case("a footer of 4 GiB", claims, &[unreadable]),
        case("CSV", "a,b\n1,2\n3,4\n", &[unreadable]),
        // By pyarrow.parquet.write_table(…, compression="brotli").
        case(
            "Brotli",
            include_bytes!("brotli.parquet"),
            &["my.parquet: it is compressed with Brotli", "zstd"],
        ),
        // By the fuzzer: a page of places in a dictionary that is not there, where the library panics.
        case("no dictionary", include_bytes!("no_dictionary.parquet"), &[unreadable]),
        // Also: a dictionary for which the library would set gigabytes aside, and a list in whose elements
        // without a byte it would count for minutes.
        case(
            "a large dictionary",
            include_bytes!("large_dictionary.parquet"),
            &[unreadable, "claims more than it has bytes for"],
        )
        .with("--labels kind"),
        case(
            "a long list",
            include_bytes!("long_list.parquet"),
            &[unreadable, "claims more than it has bytes for"],
        ),
        case(
            "text",
            parquet(&[("a", two()), ("kind", words(&["l", "r"]))]),
            &["column 2", "\"kind\"", "Utf8", "--labels kind"],
        ),
        case("lists", parquet(&[("a", two()), ("l", lists())]), &["column 2 (\"l\")", "List"]),
        case(
            "structs",
            parquet(&[("a", two()), ("s", structs())]),
            &["column 2 (\"s\")", "Struct"],
        ),
        case(
            "null",
            parquet(&[("a", numbers(&[Some(1.0), None]))]),
            &["row 2, column 1 (\"a\")", "null"],
        ),
        case("NaN", parquet(&[("a", numbers(&[Some(f64::NAN), None]))]), &["row 1", "NaN"]),
        case("no rows", parquet(&[("a", numbers(&[]))]), &["my.parquet: the file has no row"]),
        case("one row", parquet(&[("a", numbers(&[Some(1.0)]))]), &["1 row", "at least 2 rows"]),
        case("10 001 columns", parquet(&wide), &["my.parquet: 10001 columns"]),
    ]
}

#[test]
fn of_csv() {
    each(csv(), |case| check(case, "train my.csv", "my.csv"));
}

#[test]
fn of_numpy() {
    each(numpy(), |case| check(case, "train my.npy", "my.npy"));
}

#[test]
fn of_parquet() {
    each(arrow(), |case| check(case, "train my.parquet", "my.parquet"));
}

#[test]
fn what_looks_odd_and_is_right_is_read() {
    let rows = |cells: [&str; 2], end: &str| {
        let row = |i: usize| format!("{}{i}{}{}{end}", cells[0], cells[1], i * i % 5);
        (1..8).map(row).collect::<String>()
    };
    let plain = rows(["", ","], "\n");
    let columns: Vec<f64> = (1..8).chain((1..8).map(|i| i * i % 5)).map(f64::from).collect();
    let expected = embedding("my.csv", format!("a,b\n{plain}").as_bytes());
    for (what, text) in [
        ("a byte order mark", format!("\u{feff}a,b\n{plain}")),
        ("CRLF", format!("a,b\r\n{}", rows(["", ","], "\r\n"))),
        ("CR", format!("a,b\r{}", rows(["", ","], "\r"))),
        ("no last line end", format!("a,b\n{}", plain.trim_end())),
        ("quotes", format!("\"a\",\"b\"\n{}", rows(["\"", "\","], "\n"))),
        ("a quote in a name", format!("\"a \"\"x\"\"\",5\" wide\n{plain}")),
        ("semicolons", format!("a;b\n{}", rows(["", ";"], "\n"))),
        ("tabs", format!("a\tb\n{}", rows(["", "\t"], "\n"))),
        ("white space", format!(" a , b \n{}", rows([" ", " , "], " \n\n"))),
    ] {
        assert_eq!(embedding("my.csv", text.as_bytes()), expected, "{what}");
    }
    let fortran = npy("'<f8'", true, "(7, 2)", &doubles(&columns));
    assert_eq!(embedding("my.npy", &fortran), expected);
}

/// What the program makes of a table.
fn embedding(name: &str, content: &[u8]) -> String {
    let place = Place::new();
    place.write(name, content);
    place.succeed(&format!("tsne {name} --perplexity 1 --epochs 3 --out out.csv"));
    place.read("out.csv")
}
