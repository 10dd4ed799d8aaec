//! Backends and engines side by side: training steps and samples.
//!
//! `cargo bench --bench backends`; `modescope bench` prints a quicker table.

mod common;

use std::sync::atomic::AtomicBool;

use common::and_wgpu;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use modescope::config::Backend;
use modescope::device::Chosen;
use modescope::workload::WORKLOADS;

const SAMPLED: usize = 65_536;

fn name(chosen: &Chosen) -> String {
    match &chosen.adapter {
        Some(adapter) => format!("wgpu ({})", adapter.name),
        None => format!("{:?}", chosen.backend).to_lowercase(),
    }
}

fn training(criterion: &mut Criterion) {
    let running = AtomicBool::new(false);
    for workload in WORKLOADS {
        let mut group = criterion.benchmark_group(format!("training step, {workload}"));
        let rows = (workload.batch * workload.members) as u64;
        group.throughput(Throughput::Elements(rows)).sample_size(10);
        for chosen in and_wgpu(&[Backend::Cpu, Backend::Ndarray]) {
            for &engine in workload.engines(chosen.backend) {
                if let Err(error) = workload.train(1, engine, &chosen, &running) {
                    eprintln!("{workload}, {engine:?}: {}", error.message());
                    continue;
                }
                group.bench_function(format!("{engine:?}, {}", name(&chosen)), |bencher| {
                    bencher.iter_custom(|steps| {
                        workload
                            .train(steps as usize, engine, &chosen, &running)
                            .expect("it trains")
                    });
                });
            }
        }
    }
}

fn sampling(criterion: &mut Criterion) {
    let running = AtomicBool::new(false);
    for workload in WORKLOADS.into_iter().filter(|workload| workload.members == 1) {
        let mut group = criterion.benchmark_group(format!("sampling, hidden {}", workload.hidden));
        group.throughput(Throughput::Elements(SAMPLED as u64)).sample_size(10);
        for chosen in and_wgpu(&[Backend::Cpu, Backend::Ndarray]) {
            group.bench_function(name(&chosen), |bencher| {
                bencher.iter_custom(|times| {
                    let once =
                        |_| workload.sample(SAMPLED, &chosen.device, &running).expect("it samples");
                    (0..times).map(once).sum()
                });
            });
        }
    }
}

criterion_group!(benches, training, sampling);
criterion_main!(benches);
