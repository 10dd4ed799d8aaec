//! Every stage of the fused training step on its own, that of the shaders and that of the twin, and the
//! whole step.
//!
//! `cargo bench --bench stages`; a stage's time on a GPU includes its start, as in a step. Of several
//! members a stage on the CPU is that of one, on a GPU of all.

mod common;

use std::time::{Duration, Instant};

use common::and_wgpu;
use criterion::{Criterion, criterion_group, criterion_main};
use modescope::config::Backend;
use modescope::workload::WORKLOADS;

fn stages(criterion: &mut Criterion) {
    for workload in WORKLOADS {
        let mut group = criterion.benchmark_group(workload.to_string());
        group.sample_size(10).warm_up_time(Duration::from_millis(200));
        group.measurement_time(Duration::from_millis(500));
        for chosen in and_wgpu(&[Backend::Cpu]) {
            let backend = format!("{:?}", chosen.backend).to_lowercase();
            let mut fused = match workload.fused(&chosen) {
                Ok(fused) => fused,
                Err(error) => {
                    eprintln!("{workload} on {backend}: {}", error.message());
                    continue;
                }
            };
            let step = workload.step();
            group.bench_function(format!("{backend}: step"), |bencher| {
                bencher.iter_custom(|times| {
                    let steps = vec![step; times as usize];
                    let clock = Instant::now();
                    fused.steps(&steps, false, &mut |_| true).expect("it trains");
                    fused.collect().expect("it trains");
                    clock.elapsed()
                });
            });
            for (number, stage) in fused.stages().into_iter().enumerate() {
                group.bench_function(format!("{backend}: {number} {stage}"), |bencher| {
                    bencher.iter_custom(|times| {
                        fused.time_stage(number, times as usize).expect("it computes")
                    });
                });
            }
        }
    }
}

criterion_group!(benches, stages);
criterion_main!(benches);
