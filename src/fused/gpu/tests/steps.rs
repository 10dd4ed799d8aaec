//! One step against automatic differentiation.

use serde_json::json;

use super::*;

#[test]
fn a_step_equals_autodiff_on_every_golden_case() {
    let cases = goldens();
    assert!(cases.len() >= 9, "{} cases", cases.len());
    cases.iter().for_each(|case| case.assert_equals_autodiff(&STEP));
}

#[test]
fn a_step_equals_autodiff_on_odd_shapes() {
    let deep = json!({"hidden": [33, 130, 7], "latent": 5, "activation": "silu"});
    let wide = json!({
        "hidden": [260], "latent": 3, "prior": "mixture", "prior_components": 37,
        "likelihood": "learned-sigma-per-column", "activation": "tanh",
    });
    let shallow = json!({"hidden": [], "latent": 1, "kl_reduction": "sum", "beta": 0.1});
    // Enough rows for slices, and enough columns for tiles of 32 and of 64.
    let sliced = json!({
        "hidden": [16], "latent": 2, "prior": "mixture", "prior_components": 5,
        "likelihood": "learned-sigma-per-column", "sigma": 0.5,
    });
    let large = json!({"hidden": [70, 520], "latent": 2});
    // All that a block has room for: wide layers at every end, of no even width.
    let block = json!({
        "hidden": [33, 127, 65], "latent": 9, "activation": "silu",
        "prior": "mixture", "prior_components": 21,
    });
    // As wide and as narrow as the kinds of its products are, with a sample that is no narrow one.
    let widths = json!({
        "hidden": [16, 17, 128], "latent": 17, "prior": "mixture", "prior_components": 3,
    });
    // Large tiles, and biases by rows, undivided.
    let medium = json!({"hidden": [130, 129], "latent": 2, "activation": "tanh"});
    // The last batch of an epoch: not at a block of the noise, and shorter than a full one.
    for (settings, shape, batch) in [
        (deep, (83, 9), 37),
        (wide, (75, 35), 41),
        (shallow, (19, 1), 9),
        (sliced.clone(), (1100, 4), 1091),
        // The only column's σ comes with the losses.
        (sliced, (1040, 1), 1030),
        (large, (2069, 3), 2049),
        (block, (75, 35), 41),
        (widths, (42, 128), 33),
        (medium, (283, 4), 200),
    ] {
        let case = Case::drawn(settings, shape, batch);
        let first = shape.0 / batch * batch;
        let step = Step { epoch: 1 << 33, first, count: shape.0 - first, rate: 1.0, beta: 0.5 };
        case.assert_equals_autodiff(&step);
        case.assert_equals_autodiff(&Step { first: 0, count: batch, ..step });
    }
}

/// Every option beside what divides a batch, and sizes at their ends.
#[test]
fn a_step_equals_autodiff_with_every_option_and_at_every_end() {
    let mixture = |components: usize, latent: usize| json!({"hidden": [6], "latent": latent, "prior": "mixture", "prior_components": components});
    // A σ away from its optimum: the gradient there is a difference of equals.
    let softplus = json!({
        "hidden": [128, 40], "latent": 3, "posterior_variance": "softplus", "sigma": 0.5,
    });
    for (settings, shape, batch) in [
        // In slices, and by blocks.
        (softplus, (1040, 4), 1031),
        (json!({"hidden": [8], "likelihood": "fixed-sigma", "sigma": 0.3}), (1030, 2), 1024),
        (json!({"hidden": [8], "likelihood": "mean-squared-error"}), (1030, 2), 1024),
        (mixture(1, 2), (12, 2), 9),
        (mixture(1000, 2), (12, 2), 9),
        (mixture(5, 33), (12, 2), 9),
        (json!({"hidden": [1]}), (12, 3), 9),
        (json!({"hidden": [513]}), (12, 3), 9),
        (json!({"hidden": [5, 4, 3, 4, 5], "activation": "silu"}), (12, 3), 9),
        (json!({"hidden": [7], "likelihood": "learned-sigma-per-column"}), (12, 200), 9),
    ] {
        let case = Case::drawn(settings, shape, batch);
        case.assert_equals_autodiff(&Step { count: batch, beta: 0.5, ..STEP });
    }
}

/// Members of different β, which a sum over the rows multiplies; and of one row, by blocks too.
#[test]
fn a_step_of_each_member_equals_autodiff() {
    let prior = json!({
        "hidden": [9], "latent": 2, "prior": "mixture", "prior_components": 4, "kl_reduction": "sum",
    });
    for (settings, batch) in [(prior, 11), (json!({"hidden": [9], "latent": 2}), 1)] {
        let mut case = Case::drawn(settings, (30, 3), batch);
        let betas = [1.0, 0.25, 3.0];
        let step = Step { count: batch, ..STEP };
        let members = [7, 8, 9].into_iter().zip(betas);
        let members: Vec<Member> =
            members.map(|(seed, beta)| Member { beta, ..case.member(seed) }).collect();
        for target in TARGETS {
            let settings = TrainingSettings::default();
            let found = case.first_step(trainer(case.job(&settings), &members, target), &step);
            for (found, Member { seed, beta, .. }) in found.into_iter().zip(&members) {
                case.card.objective.beta = *beta;
                case.assert_equals(&case.reference(*seed, &step), found, target);
            }
        }
    }
}

/// As where a dimension has no room for all workgroups.
#[test]
fn workgroups_in_two_dimensions_compute_the_same() {
    let prior = json!({"hidden": [70], "latent": 2, "prior": "mixture", "prior_components": 40});
    let case = Case::drawn(prior, (300, 3), 200);
    let (settings, step) = (TrainingSettings::default(), Step { count: 200, ..STEP });
    for target in TARGETS {
        let few = Gpu::within(case.job(&settings), &[case.member(7)], target, 3).unwrap();
        let mut stages = few.dispatches.iter().filter(|dispatch| dispatch.name != "draw");
        assert!(stages.any(|stage| stage.groups[1] > 1), "{target:?}");
        let (losses, gradients) = case.first_step(few, &step).remove(0);
        assert_eq!((losses, gradients), case.step(7, &step, target));
    }
}
