//! Many steps: against automatic differentiation, the twin, and themselves.

use serde_json::json;

use super::*;
use crate::fused::Cpu;

/// Parameters after a run of the reference.
fn reference_run(case: &Case, settings: &TrainingSettings, steps: &[Step]) -> Vec<f32> {
    let device = device::open(Backend::Cpu).unwrap().device;
    let mut trainer =
        Autodiff::new(&case.start.clone().into(), case.card.objective, settings, &device);
    for step in steps {
        let (x, noise) = case.batch(7, step);
        let tensor = |rows: ArrayView2<f32>| to_tensor(rows, trainer.device());
        let (x, noise) = (tensor(x.view()), tensor(noise.view()));
        let beta = step.beta * case.card.objective.beta_per_row(step.count);
        trainer.step(x, noise, beta, step.rate * 1e-3);
    }
    trainer.model().parameters(&case.card.architecture).unwrap().values
}

#[test]
fn runs_end_where_autodiff_ends() {
    let mixture = json!({
        "hidden": [16, 40], "prior": "mixture", "prior_components": 4,
        "likelihood": "learned-sigma-per-column",
    });
    let averaged = TrainingSettings { ema: Some(0.9), ..Default::default() };
    let clipped = TrainingSettings { gradient_clip: Some(0.5), ..averaged.clone() };
    let default = TrainingSettings::default();
    for (settings, training, (rows, batch), counts) in [
        (json!({"hidden": [16, 16]}), &default, (50, 16), &[10, 100][..]),
        (mixture.clone(), &clipped, (50, 16), &[10, 100]),
        (mixture, &averaged, (50, 16), &[10, 100]),
        // Tiles of every size, and biases by rows, which take their step.
        (json!({"hidden": [33, 70]}), &averaged, (50, 20), &[10]),
        (json!({"hidden": [20, 30]}), &averaged, (50, 20), &[10]),
        (json!({"hidden": [130, 140]}), &averaged, (450, 200), &[5]),
    ] {
        let case = Case::drawn(settings, (rows, 4), batch);
        for &count in counts {
            let steps = epochs(rows, batch, count);
            let expected = reference_run(&case, training, &steps);
            for target in TARGETS {
                // Behind another, whose state and weights it must not touch.
                let members = [case.member(8), case.member(7)];
                let mut gpu = trainer(case.job(training), &members, target);
                take(&mut gpu, &steps, true);
                let found = gpu.collect().unwrap().remove(0).parameters.remove(1);
                let mut apart = 0;
                for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    let (name, error) = (&case.name, (found - expected).abs());
                    assert!(error < 1e-3, "{name}, {target:?}, {count}, {i}: {found} {expected}");
                    apart += usize::from(error > 1e-5 * count as f32);
                }
                // Adam divides a gradient near zero by its own size, and so its rounding.
                let name = &case.name;
                assert!(apart <= found.len() / 20, "{name}, {target:?}, {count}: {apart} apart");
            }
        }
    }
}

/// Adam, clipping and the average with gradients in slices, the last batch of a row alone.
#[test]
fn a_run_in_slices_ends_where_autodiff_ends() {
    let prior = json!({"hidden": [16], "prior": "mixture", "prior_components": 3});
    let settings =
        TrainingSettings { gradient_clip: Some(0.5), ema: Some(0.9), ..Default::default() };
    let case = Case::drawn(prior, (2081, 3), 1040);
    let steps = epochs(2081, 1040, 9);
    let expected = reference_run(&case, &settings, &steps);
    let members = [case.member(8), case.member(7)];
    let mut gpu = trainer(case.job(&settings), &members, Target::GPU);
    assert_eq!(gpu.sizes.slices, 2);
    take(&mut gpu, &steps, true);
    let found = gpu.collect().unwrap().remove(0).parameters.remove(1);
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!((found - expected).abs() < 1e-3, "{i}: {found} {expected}");
    }
}

#[test]
fn members_are_as_if_alone_and_a_run_repeats_itself() {
    let prior = json!({"hidden": [10, 40], "prior": "mixture", "prior_components": 3});
    let averaged = TrainingSettings { ema: Some(0.9), ..Default::default() };
    let clipped = TrainingSettings { gradient_clip: Some(1.0), ..averaged.clone() };
    let case = Case::drawn(prior, (30, 3), 8);
    let other = Member { beta: 0.25, learning_rate: 3e-3, ..case.member(1 << 40) };
    let members = [case.member(7), other];
    let steps = epochs(30, 8, 40);
    let run = |members: &[Member], target, settings| {
        let mut gpu = trainer(case.job(settings), members, target);
        take(&mut gpu, &steps[..13], true);
        take(&mut gpu, &steps[13..], true);
        let outcomes = gpu.collect().unwrap();
        assert_eq!(outcomes.iter().map(|found| found.losses.len()).collect::<Vec<_>>(), [13, 27]);
        outcomes
    };
    for (target, settings) in TARGETS.into_iter().flat_map(|of| [(of, &clipped), (of, &averaged)]) {
        let both = run(&members, target, settings);
        assert_eq!(both, run(&members, target, settings));
        for (index, member) in members.iter().enumerate() {
            let alone = run(std::slice::from_ref(member), target, settings);
            for (alone, both) in alone.iter().zip(&both) {
                assert_eq!(alone.parameters[0], both.parameters[index]);
                let of_both = both.losses.iter().map(|losses| losses[index]);
                assert!(alone.losses.iter().map(|losses| losses[0]).eq(of_both));
            }
        }
        assert_ne!(both[1].parameters[0], both[1].parameters[1]);
    }
}

/// What waits on the device has bounded room; more than that is read back on the way.
#[test]
fn nothing_is_lost_where_the_room_for_what_waits_is_small() {
    let case = Case::drawn(json!({"hidden": [4]}), (30, 3), 8);
    let settings = TrainingSettings::default();
    let run = |slots: usize, snapshots: usize| {
        let mut gpu = Gpu::new(case.job(&settings), &[case.member(7)]).unwrap();
        assert!(gpu.sizes.slots > slots && gpu.sizes.snapshots > snapshots);
        (gpu.sizes.slots, gpu.sizes.snapshots) = (slots, snapshots);
        epochs(30, 8, 20).chunks(5).for_each(|steps| take(&mut gpu, steps, true));
        let outcomes = gpu.collect().unwrap();
        assert!(gpu.collect().unwrap().is_empty());
        outcomes
    };
    let outcomes = run(100, 20);
    assert!(outcomes.iter().all(|found| found.losses.len() == 5 && found.parameters.len() == 1));
    assert_eq!(outcomes, run(3, 1));
}

#[test]
fn training_stops_between_submissions_and_goes_on_to_the_same_bits() {
    let case = Case::drawn(json!({"hidden": [4, 20]}), (30, 3), 8);
    let settings = TrainingSettings { ema: Some(0.9), ..TrainingSettings::default() };
    let members = [case.member(7), case.member(8)];
    let steps = epochs(30, 8, 100);
    for target in TARGETS {
        let begin = |members: &[Member]| trainer(case.job(&settings), members, target);
        let mut whole = begin(&members);
        take(&mut whole, &steps, true);

        let mut gpu = begin(&members);
        let mut heard = 0;
        let stop = &mut |taken| {
            heard = taken;
            false
        };
        let taken = gpu.steps(&steps, true, stop).unwrap();
        assert_eq!((taken, heard), (1, 1));
        assert!(gpu.collect().unwrap()[0].parameters.is_empty());
        let on = |(member, start): (&Member, _)| Member { start, ..member.clone() };
        let members: Vec<Member> = members.iter().zip(gpu.states().unwrap()).map(on).collect();
        let mut resumed = begin(&members);
        take(&mut resumed, &steps[taken..], true);
        assert_eq!(resumed.states().unwrap(), whole.states().unwrap());
        let last = |gpu: &mut Gpu| gpu.collect().unwrap().remove(0).parameters;
        assert_eq!(last(&mut resumed), last(&mut whole));
    }
}

/// Both twins have the same constants of Adam, also where 1 − β is far from what single precision says.
#[test]
fn adam_of_extreme_constants_is_that_of_the_twin() {
    let settings = TrainingSettings {
        adam_beta1: 0.0,
        adam_beta2: 0.9999,
        ema: Some(0.999),
        ..TrainingSettings::default()
    };
    let case = Case::drawn(json!({"hidden": [12]}), (50, 3), 16);
    let steps = epochs(50, 16, 60);
    let states = |fused: &mut dyn Fused| {
        fused.steps(&steps, false, &mut |_| true).unwrap();
        fused.states().unwrap().remove(0)
    };
    let expected = states(&mut Cpu::new(case.job(&settings), &[case.member(7)]));
    for target in TARGETS {
        let found = states(&mut trainer(case.job(&settings), &[case.member(7)], target));
        let sum = |values: &[f32]| values.iter().map(|&value| f64::from(value)).sum::<f64>();
        let share = sum(&found.second_moments) / sum(&expected.second_moments) - 1.0;
        assert!(share.abs() < 2e-5, "{target:?}: {share:.1e}");
        let pairs = [
            (&found.parameters.values, &expected.parameters.values),
            (found.average.as_ref().unwrap(), expected.average.as_ref().unwrap()),
        ];
        for (i, (found, expected)) in pairs.iter().flat_map(|(a, b)| a.iter().zip(*b)).enumerate() {
            assert!((found - expected).abs() < 1e-3, "{target:?}, {i}: {found} {expected}");
        }
    }
}

/// A weight that is no number ends in a loss that is none, although a GPU's clamps may hide it.
#[test]
fn a_weight_that_is_no_number_is_noticed_whatever_hides_it() {
    let prior = json!({
        "hidden": [5, 6], "latent": 2, "activation": "tanh", "posterior_variance": "softplus",
        "prior": "mixture", "prior_components": 3,
    });
    for settings in [json!({"hidden": [5, 6], "activation": "tanh"}), prior] {
        let mut case = Case::drawn(settings, (16, 3), 8);
        let training = TrainingSettings::default();
        let start = case.start.clone();
        // One member for each tensor.
        let layout = case.card.architecture.layout();
        let members = layout.iter().enumerate().map(|(index, spec)| {
            case.start.values.clone_from(&start.values);
            case.start.values[spec.range().end - 1] = f32::NAN;
            case.member(index as u64)
        });
        let members: Vec<Member> = members.collect();
        for target in TARGETS {
            let mut gpu = trainer(case.job(&training), &members, target);
            take(&mut gpu, &epochs(16, 8, 4), true);
            let losses = gpu.collect().unwrap().remove(0).losses.pop().unwrap();
            for (losses, spec) in losses.iter().zip(&layout) {
                assert!(losses.loss().is_nan(), "{target:?}, {}: {losses:?}", spec.name);
            }
        }
    }
}
