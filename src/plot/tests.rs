use std::path::Path;

use ndarray::{Array2, array};

use super::axis::Axis;
use super::*;
use crate::error::Kind;

/// Made-up values: a fixed sequence without pattern, in (−1, 1).
fn values(rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(row, column)| {
        ((row * 7919 + column * 104_729 + 1) as f32 * 0.618_034).fract() * 2.0 - 1.0
    })
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("x{i}")).collect()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn standard_normal(dimensions: usize) -> PriorComponent {
    PriorComponent {
        weight: 1.0,
        mean: ndarray::Array1::zeros(dimensions),
        covariance: Array2::eye(dimensions),
    }
}

/// Width and height in a PNG's header (<https://www.w3.org/TR/png/#11IHDR>).
fn png_size(path: &Path) -> (u32, u32) {
    let png = std::fs::read(path).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(&png[12..16], b"IHDR");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

/// The value of an attribute in an element.
fn attribute<'a>(element: &'a str, name: &str) -> &'a str {
    element.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap()
}

/// Both files are there, of one size, and the SVG is safe to put into a page.
fn check(folder: &Path, picture: &Picture) {
    let (name, svg) = (&picture.name, &picture.svg);
    assert_eq!(&std::fs::read_to_string(folder.join(format!("{name}.svg"))).unwrap(), svg);
    let head = svg.split('>').next().unwrap();
    let number = |name| attribute(head, name).parse::<u32>().unwrap();
    let (width, height) = (number("width"), number("height"));
    assert_eq!(attribute(head, "viewBox"), format!("0 0 {} {}", 2 * width, 2 * height));
    assert_eq!(png_size(&folder.join(format!("{name}.png"))), (2 * width, 2 * height));
    assert_eq!(svg.matches("<svg").count(), 1);
    assert!(svg.trim_end().ends_with("</svg>"));
    for unsafe_part in [" id=", "<style", "href", "<script", "NaN", "inf"] {
        assert!(!svg.contains(unsafe_part), "{name} has {unsafe_part}");
    }
    assert!(!picture.alt.is_empty());
}

fn scatter(points: &Array2<f32>, classes: Option<&[usize]>, folder: &Path) -> Picture {
    let columns = names(points.ncols());
    let class_names = names(classes.map_or(0, |classes| classes.iter().max().unwrap() + 1));
    let points = points.view();
    let figure = Scatter {
        title: "Rows",
        columns: &columns,
        points,
        classes,
        class_names: &class_names,
        generated: None,
    };
    figure.draw(folder, "scatter").unwrap()
}

#[test]
fn every_number_of_columns_is_drawn() {
    let folder = folder();
    for columns in 1..=8 {
        let (real, generated) = (values(60, columns), values(40, columns));
        let classes: Vec<usize> = (0..60).map(|row| row % 25).collect();
        let rows = scatter(&real, Some(&classes), folder.path());
        check(folder.path(), &rows);
        let how =
            if (2..=3).contains(&columns) { "named at their medians" } else { "not named here" };
        assert!(rows.svg.contains(&format!("25 modes, {how}")), "{columns} columns");
        let figure = Comparison {
            title: "Real and generated",
            columns: &names(columns),
            real: real.view(),
            generated: generated.view(),
            classes: Some([&classes, &classes[..40]]),
            class_names: &names(25),
            note: None,
            pairs: false,
        };
        check(folder.path(), &figure.draw(folder.path(), "comparison").unwrap());
        let figure = Comparison { pairs: true, ..figure };
        check(folder.path(), &figure.draw(folder.path(), "pairs").unwrap());
        for scale in [1.0, 1e-3] {
            let means = real.mapv(|value| value * scale);
            let figure = Latent {
                title: "Latent space",
                means: means.view(),
                classes: Some(&classes),
                class_names: &names(25),
                prior: &[standard_normal(columns)],
            };
            check(folder.path(), &figure.draw(folder.path(), "latent").unwrap());
        }
    }
}

#[test]
fn marginals_are_drawn_for_every_number_of_columns() {
    let folder = folder();
    for columns in [1, 2, 4, 5, 20] {
        let (mut real, generated) = (values(60, columns), values(40, columns));
        real.column_mut(columns - 1).fill(f32::NAN);
        let (title, columns) = ("Columns", &names(columns)[..]);
        let figure = Marginals { title, columns, real: real.view(), generated: generated.view() };
        check(folder.path(), &figure.draw(folder.path(), "marginals").unwrap());
    }
}

/// Of twenty columns the first sixteen are drawn, as the caption says, and of one with an outlier nearly
/// all rows, not one bar of them.
#[test]
fn marginals_show_what_their_caption_says() {
    let (mut real, generated) = (values(900, 20), values(900, 20));
    real[[7, 1]] = 1e4;
    let (title, columns) = ("Columns", &names(20)[..]);
    let figure = Marginals { title, columns, real: real.view(), generated: generated.view() };
    let picture = figure.draw(folder().path(), "marginals").unwrap();
    let shown: Vec<&str> = picture.svg.lines().filter(|line| line.starts_with('x')).collect();
    assert_eq!(shown.len(), 16, "{shown:?}");
    assert!(picture.svg.contains("x1 (99 % of the rows)") && !picture.svg.contains("10000"));
    assert!(
        picture.alt.contains("16 of 20 columns, those where real and generated differ most"),
        "{}",
        picture.alt
    );
    assert!(picture.alt.contains("The tails of x1 are long"), "{}", picture.alt);
}

#[test]
fn a_latent_map_is_drawn_for_every_number_of_columns() {
    let folder = folder();
    let latents = LatentMap::lattice([[-2.0, 3.0], [0.0, 1.0]], 7);
    assert_eq!((latents.row(0)[0], latents.row(48)[0], latents.row(48)[1]), (-2.0, 3.0, 1.0));
    for columns in [1, 3, 4, 8] {
        let (names, mut decoded) = (names(columns), values(49, columns));
        decoded.column_mut(0).fill(0.25);
        decoded[[3, columns - 1]] = f32::NAN;
        let prior = &[standard_normal(2)];
        let real = values(20, columns);
        let grid = |values, meaning| LatentMap {
            title: "Decoder",
            meaning,
            names: &names,
            latents: latents.view(),
            values,
            prior,
        };
        let of_real = Meaning::Decoded { real: real.view() };
        for meaning in [of_real, Meaning::Holes { decades: 2.0, level: -1.0 }] {
            let picture = grid(decoded.view(), meaning).draw(folder.path(), "grid").unwrap();
            check(folder.path(), &picture);
        }
        let short = values(48, columns);
        assert!(grid(short.view(), of_real).draw(folder.path(), "grid").is_err());
    }
}

/// Both formats share all code but plotters' own, so most odd values are drawn as SVG only, which is
/// much faster.
#[test]
fn odd_values_are_drawn_without_panic() {
    let draw = |points: &Array2<f32>| {
        let columns = names(points.ncols());
        let (classes, class_names, points) = (None, &[], points.view());
        let rows = Scatter {
            title: "Rows",
            columns: &columns,
            points,
            classes,
            class_names,
            generated: None,
        };
        let prior = &[standard_normal(columns.len())];
        let latent = Latent { title: "Latent", means: points, classes, class_names, prior };
        for svg in [canvas::svg(&rows).unwrap(), canvas::svg(&latent).unwrap()] {
            assert!(!svg.contains("NaN") && !svg.contains("inf"));
        }
    };
    for columns in [1, 2, 3, 4] {
        for value in [0.0, -3.0, 1e30, -1e30, f32::MAX, f32::MIN_POSITIVE, f32::NAN, f32::INFINITY]
        {
            // A constant table, a single row, none at all, and one odd value among others.
            for rows in [0, 1, 5] {
                draw(&Array2::from_elem((rows, columns), value));
            }
            let mut odd = values(30, columns);
            odd[[3, columns - 1]] = value;
            draw(&odd);
        }
        let folder = folder();
        let mut odd = values(30, columns);
        odd[[3, columns - 1]] = f32::MAX;
        check(folder.path(), &scatter(&odd, None, folder.path()));
    }
}

#[test]
fn curves_are_drawn() {
    let folder = folder();
    let series: [&[f64]; 5] = [
        &[],
        &[1.0],
        &[3.0, 0.3, 1e-6],
        &[f64::NAN, f64::INFINITY, -1.0, 0.0],
        &[1e300, 1e-320, 0.0, 5.0],
    ];
    for curve in series {
        let figure = Losses {
            title: "Losses",
            epochs: &(0..curve.len()).collect::<Vec<_>>(),
            loss: curve,
            held_out: Some(curve),
            reconstruction: curve,
            kl: curve,
            beta: curve,
            learning_rate: curve,
            loss_unit: "nats a row",
            kl_unit: "nats a row",
        };
        let picture = figure.draw(folder.path(), "losses").unwrap();
        check(folder.path(), &picture);
        let late = curve.first().is_some_and(|beta| *beta != 1.0);
        assert_eq!(picture.svg.contains("held-out (from where β is 1)"), late);
        let history = |name: &str, values: &[f64]| History {
            name: name.into(),
            epochs: (0..values.len()).collect(),
            loss: values.into(),
            held_out_elbo: values.into(),
        };
        let runs = [history("a", curve), history("<b>", &[-1.0, -0.5])];
        let picture = Histories { title: "Runs", runs: &runs }.picture("histories").unwrap();
        assert!(!picture.svg.contains("NaN") && !picture.svg.contains("<b>"));
        assert!(picture.alt.ends_with("<b> ends at -0.500."), "{}", picture.alt);
        let k: Vec<usize> = (2..2 + curve.len()).collect();
        let style = theme::REAL;
        let curve =
            KCurve { name: "real", k: &k, silhouette: curve, inertia: curve, chosen: 3, style };
        let figure = KChoiceFigure { title: "Choice of k", curves: &[curve, curve] };
        check(folder.path(), &figure.draw(folder.path(), "k").unwrap());
    }
}

#[test]
fn text_is_escaped() {
    let folder = folder();
    let columns = [r#"a<b>&"c""#.to_string(), "</svg><script>\u{0}\n".to_string()];
    let points = values(5, 2);
    let figure = Scatter {
        title: "<i>title</i> & \"more\"",
        columns: &columns,
        points: points.view(),
        classes: Some(&[0, 0, 0, 0, 0]),
        class_names: &["<u>".to_string()],
        generated: None,
    };
    let picture = figure.draw(folder.path(), "escaped").unwrap();
    check(folder.path(), &picture);
    assert!(picture.svg.contains("a&lt;b&gt;&amp;&quot;c&quot;"));
    assert!(picture.svg.contains("&lt;u&gt;"));
    for raw in ["<b>", "<i>", "<u>", "\u{0}"] {
        assert!(!picture.svg.contains(raw), "{raw:?} is not escaped");
    }
}

#[test]
fn collapsed_rows_are_small_in_shared_axes() {
    let folder = folder();
    let (real, generated) = (values(200, 2), values(200, 2).mapv(|value| value * 0.05));
    let figure = Comparison {
        title: "Real and generated",
        columns: &names(2),
        real: real.view(),
        generated: generated.view(),
        classes: None,
        class_names: &[],
        note: None,
        pairs: false,
    };
    let svg = figure.draw(folder.path(), "collapsed").unwrap().svg;
    let extent = |fill: &str| {
        let of_fill = |line: &&str| line.starts_with("<circle") && line.contains(fill);
        let x =
            svg.lines().filter(of_fill).map(|line| attribute(line, "cx").parse::<i32>().unwrap());
        let (lo, hi) = x.fold((i32::MAX, 0), |(lo, hi), x| (lo.min(x), hi.max(x)));
        f64::from(hi - lo)
    };
    let ratio = extent("#7A1FD1") / extent("#7F8991");
    assert!((ratio - 0.05).abs() < 0.005, "{ratio}");
}

#[test]
fn components_look_alike_in_every_figure() {
    let styles: Vec<_> = (0..32).map(theme::class_style).collect();
    for (i, style) in styles.iter().enumerate() {
        assert!(!styles[..i].contains(style), "component {i} looks like another");
    }
    let folder = folder();
    let points = values(3, 2);
    let classes = [9, 9, 9];
    let scatter = scatter(&points, Some(&classes), folder.path());
    let panels = [TsnePanel { heading: "perplexity 5", points: points.view(), generated: None }];
    let class_names = names(10);
    let figure = Tsne {
        title: "t-SNE",
        panels: &panels,
        classes: Some(&classes),
        class_names: &class_names,
    };
    let tsne = figure.draw(folder.path(), "tsne").unwrap();
    check(folder.path(), &tsne);
    let color = theme::class_style(9).color;
    let fill = format!("fill=\"#{:02X}{:02X}{:02X}\"", color.0, color.1, color.2);
    // Three points and one entry of the legend.
    for picture in [scatter, tsne] {
        assert_eq!(picture.svg.matches(&fill).count(), 4);
    }
}

#[test]
fn numbers_that_do_not_match_are_errors() {
    let folder = folder();
    let points = values(4, 2);
    let none = Array2::zeros((4, 0));
    let draw = |columns: usize, points: &Array2<f32>, classes: Option<&[usize]>| {
        let (columns, points) = (names(columns), points.view());
        let figure = Scatter {
            title: "Rows",
            columns: &columns,
            points,
            classes,
            class_names: &[],
            generated: None,
        };
        figure.draw(folder.path(), "wrong").unwrap_err().kind()
    };
    assert_eq!(draw(3, &points, None), Kind::Input);
    assert_eq!(draw(2, &points, Some(&[1])), Kind::Input);
    assert_eq!(draw(0, &none, None), Kind::Input);
    let latent = |prior: PriorComponent| {
        let means = points.view();
        let figure = Latent { title: "", means, classes: None, class_names: &[], prior: &[prior] };
        figure.draw(folder.path(), "wrong").unwrap_err().kind()
    };
    assert_eq!(latent(standard_normal(3)), Kind::Input);
    assert_eq!(latent(PriorComponent { weight: f64::NAN, ..standard_normal(2) }), Kind::Input);
    let (title, real, columns) = ("", points.view(), &names(3)[..]);
    let marginals = Marginals { title, columns, real, generated: real };
    assert_eq!(marginals.draw(folder.path(), "wrong").unwrap_err().kind(), Kind::Input);
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[test]
fn ticks_are_round_numbers() {
    let labels = |axis: &Axis, count| -> Vec<String> {
        axis.ticks(count).into_iter().map(|(_, label)| label).collect()
    };
    assert_eq!(labels(&Axis::over("", [-1.0, 1.0]), 4), ["−1.0", "−0.5", "0", "0.5", "1.0"]);
    assert_eq!(labels(&Axis::over("", [0.0, 3e6]), 3), ["0", "1e6", "2e6", "3e6"]);
    assert_eq!(labels(&Axis::whole("", [2.0, 4.0]), 9), ["2", "3", "4"]);
    let wide = Axis::log_if_wide("", &[1e-6, 1e-2]);
    assert_eq!(labels(&wide, 5), ["1e−6", "1e−5", "1e−4", "1e−3", "0.01"]);
    assert_eq!(labels(&Axis::log_if_wide("", &[0.0, 4.0]), 2), ["0", "2", "4"]);
    assert_eq!(labels(&Axis::bare("", [0.0, 4.0]), 2), [""; 0]);
}

/// A ring at r standard deviations is where the squared Mahalanobis distance is r².
#[test]
fn rings_have_the_distance_they_claim() {
    let covariance = array![[2.0, 0.6, 0.1], [0.6, 0.5, 0.0], [0.1, 0.0, 1.0]];
    let prior = [PriorComponent { weight: 1.0, mean: array![1.0, -2.0, 0.5], covariance }];
    let rings = prior::rings(&prior, (0, 1));
    assert_eq!(rings.len(), 3);
    let determinant = 2.0 * 0.5 - 0.6 * 0.6;
    for (ring, radius) in rings.iter().zip([1.0, 2.0, 3.0]) {
        for (x, y) in &ring.places {
            let (x, y) = (x - 1.0, y + 2.0);
            let squared = (0.5 * x * x - 1.2 * x * y + 2.0 * y * y) / determinant;
            assert!((squared - radius * radius).abs() < 1e-9, "{squared} for {radius}");
        }
    }
}

/// Components of hardly any weight are outlined too, but make no room for themselves.
#[test]
fn every_component_that_has_weight_is_outlined() {
    let weighted = |weight| PriorComponent { weight, ..standard_normal(2) };
    let prior = [0.9, 0.099, 0.001, 0.0].map(weighted);
    let light: Vec<bool> = prior::rings(&prior, (0, 1)).iter().map(|ring| ring.is_light).collect();
    assert_eq!(light, [false, false, true]);
    assert_eq!(prior::outlined(&prior).count(), 2);
}

/// A density integrates to 1, and the standard normal's is 1/√(2π) at 0.
#[test]
fn density_is_a_density() {
    let axis = Axis::over("", [-8.0, 8.0]);
    let far = PriorComponent { weight: 3.0, mean: array![2.0], covariance: array![[0.25]] };
    for prior in [vec![standard_normal(1)], vec![standard_normal(1), far]] {
        let curve = prior::density(&prior, 0, &axis);
        let step = curve[1].0 - curve[0].0;
        let whole: f64 = curve.iter().map(|(_, density)| density * step).sum();
        assert!((whole - 1.0).abs() < 1e-6, "{whole}");
    }
    let curve = prior::density(&[standard_normal(1)], 0, &axis);
    assert!((curve[100].1 - 0.398_942_280_401).abs() < 1e-9);
}

/// No count is below 0.
#[test]
fn counts_of_a_sweep_start_at_zero() {
    let panel = |name, value| {
        let row = SweepFigureRow { values: vec![value; 2], mean: Some(value), interval: None };
        SweepPanel { name, most: None, rows: vec![row] }
    };
    let panels = [panel("strict modes", 0.0), panel("held-out ELBO", -7.5)];
    let figure = Sweep { title: "Settings", settings: &names(1), panels };
    let svg = figure.draw(folder().path(), "sweep").unwrap().svg;
    let ticks = |start: char| svg.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!((ticks('0'), ticks('1')), (1, 1));
    assert!(ticks('−') > 1 && !svg.lines().any(|line| line.starts_with("−0")));
}

/// Each setting is named at the left, at the height of its line.
#[test]
fn settings_of_a_sweep_are_named_beside_their_lines() {
    let rows = || {
        let row = |mean| SweepFigureRow {
            values: vec![],
            mean: None,
            interval: Some([mean, mean + 1.0]),
        };
        vec![row(1.0), row(2.0)]
    };
    let settings = ["x=first".to_owned(), "x=second".to_owned()];
    let panels =
        ["strict modes", "held-out ELBO"].map(|name| SweepPanel { name, most: None, rows: rows() });
    let figure = Sweep { title: "Settings", settings: &settings, panels };
    let svg = figure.draw(folder().path(), "sweep").unwrap().svg;
    let lines: Vec<&str> = svg
        .lines()
        .filter(|line| line.starts_with("<polyline") && line.contains("stroke-width=\"4\""))
        .map(|line| attribute(line, "points"))
        .collect();
    for (index, setting) in ["first", "second"].iter().enumerate() {
        let before = svg.lines().zip(svg.lines().skip(1)).find(|(_, text)| text == setting);
        let (element, _) = before.unwrap();
        assert_eq!(attribute(element, "x"), theme::MARGIN.to_string());
        let height = attribute(element, "y");
        assert!(lines[index].contains(&format!(",{height} ")), "{} at {height}", lines[index]);
    }
}
