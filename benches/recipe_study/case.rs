//! The data sets of the study.

/// Data sets of one kind, one a seed.
pub struct Case {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, in words.
    pub what: &'static str,
    /// The settings that make it.
    pub settings: &'static [&'static str],
    /// A table of `scripts/real_data.py` and its label column, in place of a mixture.
    pub table: Option<(&'static str, &'static str)>,
}

impl Case {
    /// Whether it is a generated mixture, so that the truth is known.
    pub fn is_mixture(&self) -> bool {
        self.table.is_none()
    }
}

const fn mixture(
    name: &'static str,
    what: &'static str,
    settings: &'static [&'static str],
) -> Case {
    Case { name, what, settings, table: None }
}

const fn table(
    name: &'static str,
    what: &'static str,
    file: &'static str,
    label: &'static str,
) -> Case {
    Case { name, what, settings: &[], table: Some((file, label)) }
}

/// Every case, the two of the reference first.
pub const CASES: &[Case] = &[
    mixture("u5", "means in ±5", &["mixture.spread=5"]),
    mixture("u10", "means in ±10", &["mixture.spread=10"]),
    mixture("2d", "2-D, ±10", &["mixture.spread=10", "mixture.dimensions=2"]),
    mixture("8d", "8-D, ±5", &["mixture.dimensions=8"]),
    mixture("32d", "32-D, ±5", &["mixture.dimensions=32"]),
    mixture("k2", "2 components, ±5", &["mixture.components=2"]),
    mixture("k5", "5 components, ±10", &["mixture.spread=10", "mixture.components=5"]),
    mixture(
        "k25",
        "25 components, ±20, equal weights, 2500 rows",
        &[
            "mixture.spread=20",
            "mixture.components=25",
            "mixture.weights=uniform",
            "mixture.rows=2500",
        ],
    ),
    mixture("tiny", "σ a two-hundredth of ±200", &["mixture.spread=200"]),
    mixture("n300", "300 rows, ±10", &["mixture.spread=10", "mixture.rows=300"]),
    mixture("n5000", "5000 rows, ±5", &["mixture.rows=5000"]),
    mixture("n20000", "20 000 rows, ±5", &["mixture.rows=20000"]),
    mixture(
        "spherical",
        "a variance of its own for each, ±10",
        &["mixture.spread=10", "mixture.covariance=spherical"],
    ),
    mixture("full", "full covariances, ±10", &["mixture.spread=10", "mixture.covariance=full"]),
    mixture(
        "8d-full",
        "8-D, full covariances, ±5",
        &["mixture.dimensions=8", "mixture.covariance=full"],
    ),
    table("iris", "iris: 150 × 4, 3 labels", "iris.csv", "species"),
    table("wine", "wine: 178 × 13, 3 labels", "wine.csv", "cultivar"),
    table("cancer", "breast cancer: 569 × 30, 2 labels", "breast_cancer.csv", "diagnosis"),
];
