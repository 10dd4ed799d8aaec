use std::f64::consts::TAU;

use ndarray::array;

use super::*;

/// Weights ¼ and ¾, one correlated covariance.
fn mixture() -> Mixture {
    Mixture::new(
        vec![0.25, 0.75],
        vec![vec![-1.0, 2.0], vec![4.0, 0.0]],
        vec![vec![vec![1.0, 0.0], vec![0.0, 1.0]], vec![vec![2.0, 1.2], vec![1.2, 1.0]]],
    )
    .unwrap()
}

fn refusal(json: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mixture.json");
    std::fs::write(&path, json).unwrap();
    let message = Mixture::read(&path).unwrap_err().message().to_owned();
    message.split_once("mixture.json: ").unwrap().1.to_owned()
}

#[test]
fn draws_have_the_moments_of_the_mixture() {
    let table = mixture().draw(200_000, 5, 0);
    let labels = table.labels().unwrap();
    assert_eq!((table.columns().join(" "), labels.column.as_str()), ("x0 x1".into(), "component"));
    for k in 0..2 {
        let of_k: Vec<usize> = (0..table.len()).filter(|&i| labels.of_row[i] == k).collect();
        let (n, weight) = (of_k.len() as f64, mixture().weights()[k]);
        // Four standard errors of a share, of a mean and of a covariance (at most √(2 · 2²)).
        let share = n / table.len() as f64;
        assert!((share - weight).abs() < 4.0 * (weight * (1.0 - weight) / 2e5).sqrt());
        let rows = table.rows().select(Axis(0), &of_k).mapv(f64::from);
        let mean = rows.mean_axis(Axis(0)).unwrap();
        let centred = rows - &mean;
        let covariance = centred.t().dot(&centred) / n;
        for i in 0..2 {
            assert!((mean[i] - mixture().means()[k][i]).abs() < 4.0 * (2.0 / n).sqrt());
            for j in 0..2 {
                let truth = mixture().covariances()[k][i][j];
                assert!((covariance[(i, j)] - truth).abs() < 4.0 * (8.0 / n).sqrt());
            }
        }
    }
}

#[test]
fn draws_name_every_component_and_depend_on_seed_and_step() {
    let mixture = mixture();
    let table = mixture.draw(3, 1, 0);
    assert_eq!(table.labels().unwrap().names, ["0", "1"]);
    assert_eq!(table, mixture.draw(50, 1, 0).select(&[0, 1, 2]));
    assert_ne!(table, mixture.draw(3, 1, 1));
    assert_ne!(table, mixture.draw(3, 2, 0));
    assert!(mixture.draw(0, 1, 0).is_empty());
}

#[test]
fn rows_are_the_same_however_many_are_drawn_at_a_time() {
    let mixture = mixture();
    let generator = || Generator::new(5, Stream::MixtureRows, 2);
    let (all, of_all) = mixture.draws(generator()).rows(100);
    let mut draws = mixture.draws(generator());
    let parts = [1, 30, 0, 69].map(|rows| draws.rows(rows));
    assert!(parts.iter().flat_map(|(rows, _)| rows).eq(&all));
    assert!(parts.iter().flat_map(|(_, of_row)| of_row).eq(&of_all));
}

#[test]
fn a_component_of_weight_zero_is_never_drawn() {
    let unit = vec![vec![vec![1.0]]; 3];
    let means = vec![vec![0.0], vec![1.0], vec![2.0]];
    let mixture = Mixture::new(vec![0.0, 1.0, 0.0], means, unit).unwrap();
    let table = mixture.draw(1000, 1, 0);
    assert!(table.labels().unwrap().of_row.iter().all(|&k| k == 1));
    let density = mixture.log_densities(array![[1.0_f32]].view())[0];
    assert!((density + 0.5 * TAU.ln()).abs() < 1e-12);
}

/// The last row is so far out that every density underflows.
#[test]
fn log_densities_have_their_closed_form() {
    let mixture = mixture();
    // |Σ| = 2 − 1.44 = 0.56 and Σ⁻¹ = [[1, −1.2], [−1.2, 2]] / 0.56.
    let closed = |x: f64, y: f64| {
        let first = 0.25_f64.ln() - TAU.ln() - 0.5 * ((x + 1.0).powi(2) + (y - 2.0).powi(2));
        let (x, y) = (x - 4.0, y);
        let square = (x * x - 2.4 * x * y + 2.0 * y * y) / 0.56;
        let second = 0.75_f64.ln() - TAU.ln() - 0.5 * 0.56_f64.ln() - 0.5 * square;
        first.max(second) + (-(first - second).abs()).exp().ln_1p()
    };
    for (x, y) in [(0.5, 1.0), (1.5, -0.25), (4.0, 0.0), (1e4, -1e4)] {
        let density = mixture.log_densities(array![[x as f32, y as f32]].view())[0];
        assert!((density / closed(x, y) - 1.0).abs() < 1e-12, "{density} {}", closed(x, y));
    }
}

/// ∫ p = 1 by the trapezium rule, which is exact to rounding for smooth functions that vanish.
#[test]
fn the_density_integrates_to_one() {
    let mixture = mixture();
    let points = |n: i32| (-n..=n).map(|i| i as f32 / 8.0);
    let sum: f64 = points(160)
        .map(|x| {
            Array2::from_shape_fn((321, 2), |(i, j)| if j == 0 { x } else { i as f32 / 8.0 - 20.0 })
        })
        .flat_map(|rows| mixture.log_densities(rows.view()))
        .map(f64::exp)
        .sum();
    assert!((sum / 64.0 - 1.0).abs() < 1e-9, "{}", sum / 64.0);
}

#[test]
fn mixtures_survive_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mixture.json");
    let settings = crate::config::MixtureSettings {
        covariance: crate::config::MixtureCovariance::Full,
        ..Default::default()
    };
    let mixture = Mixture::generate(&settings, 7).unwrap();
    mixture.write(&path).unwrap();
    assert_eq!(Mixture::read(&path).unwrap(), mixture);
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["covariances", "means", "weights"]);
    assert_eq!(json["covariances"][9][2][2], mixture.covariances()[9][2][2]);
    assert_eq!(serde_json::to_value(&mixture).unwrap(), json);
}

#[test]
fn files_that_hold_no_mixture_say_what_is_wrong() {
    let one = |weights: &str, means: &str, covariances: &str| {
        refusal(&format!(
            "{{\"weights\":{weights},\"means\":{means},\"covariances\":{covariances}}}"
        ))
    };
    let unit = "[[[1,0],[0,1]]]";
    for (message, expected) in [
        (one("[]", "[]", "[]"), "weights is empty"),
        (one("[1]", "[]", unit), "means has 0 entries where 1 are expected"),
        (one("[1]", "[[0,0]]", "[]"), "covariances has 0 entries where 1 are expected"),
        (one("[1]", "[[]]", unit), "means[0] is empty"),
        (one("[1]", "[[0,0,0]]", unit), "covariances[0] has 2 entries where 3 are expected"),
        (
            one("[1]", "[[0,0]]", "[[[1,0],[0]]]"),
            "covariances[0][1] has 1 entries where 2 are expected",
        ),
        (one("[-1]", "[[0,0]]", unit), "weights[0] is -1.0; it must be at least 0"),
        (one("[0.9]", "[[0,0]]", unit), "the weights sum to 0.9; they must sum to 1"),
        (one("[1]", "[[0,1e31]]", unit), "means[0][1] is 1e31; it must lie within ±1e30"),
        (
            one("[1]", "[[0,0]]", "[[[1,0.5],[0.4,1]]]"),
            "covariances[0] is not symmetric: [0][1] is 0.5, [1][0] is 0.4",
        ),
        (one("[1]", "[[0,0]]", "[[[1,1],[1,1]]]"), "covariances[0] is not positive definite"),
        (one("[1]", "[[0,0]]", "[[[-1,0],[0,1]]]"), "covariances[0] is not positive definite"),
    ] {
        assert!(message.starts_with(expected), "{message}");
    }
    assert!(refusal("{\"weights\": [1]}").starts_with("missing field `means` at line 1"));
    assert!(refusal("{\"weight\": [1]}").starts_with("unknown field `weight`"));
    assert!(
        serde_json::from_str::<Mixture>(
            "{\"weights\":[2],\"means\":[[0]],\"covariances\":[[[1]]]}"
        )
        .is_err()
    );
    let missing = Mixture::read(Path::new("/nowhere/mixture.json")).unwrap_err();
    assert!(missing.message().contains("/nowhere/mixture.json"));
}

/// The diagonal of Σ⁻¹ is 1/(1 − ρ²) over the variances.
#[test]
fn noise_adds_to_distances_by_the_inverse_covariance() {
    let gaussian = Gaussian::new(&[3.0, -1.0], &[vec![1.0, 1.8], vec![1.8, 4.0]]).unwrap();
    let expected = (0.5 / 1.0 + 0.25 / 4.0) / (1.0 - 0.9 * 0.9);
    assert!((gaussian.added_distance(&[0.5, 0.25]) - expected).abs() < 1e-12);
}
