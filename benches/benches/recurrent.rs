//! Times recurrent layers of the notebook's size, fused and in candle's operations: one group per
//! network.

use anyhow::Result;
use benches::{Cell, Implementation, Lengths, Mode, Pass, PassConfig, Timed as _};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};

/// Times the passes of each network: batch 50, 200 steps, 400 -> 256 features.
fn layers(criterion: &mut Criterion) {
    heap::keep_freed_memory();
    let two_layers = PassConfig::default();
    let networks = [
        ("lstm", two_layers.clone()),
        ("gru", PassConfig { cell: Cell::Gru, ..two_layers.clone() }),
        ("rnn", PassConfig { cell: Cell::Rnn, ..two_layers.clone() }),
        ("bidirectional lstm", PassConfig { layers: 1, bidirectional: true, ..two_layers }),
    ];
    for (name, network) in networks {
        if let Err(error) = group(criterion, name, &network) {
            eprintln!("cannot time {name}: {error:#}");
        }
    }
}

fn group(criterion: &mut Criterion, name: &str, network: &PassConfig) -> Result<()> {
    let forward = PassConfig { mode: Mode::Forward, ..network.clone() };
    let mut passes = vec![
        ("training pass", network.clone()),
        ("training pass, mixed lengths", PassConfig { lengths: Lengths::Mixed, ..network.clone() }),
        ("forward pass", forward.clone()),
        ("forward pass of one row", PassConfig { batch: 1, ..forward.clone() }),
    ];
    if !network.bidirectional {
        // One iteration is 200 steps; the throughput counts single steps.
        passes.push(("steps of a stream", PassConfig { mode: Mode::Step, batch: 1, ..forward }));
    }
    let mut group = criterion.benchmark_group(name);
    // A pass takes up to a second: criterion's usual 100 samples of growing size would take an hour.
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for (what, config) in passes {
        for (by, backend) in
            [("fused", Implementation::Fused), ("reference", Implementation::Reference)]
        {
            let config = PassConfig { backend, ..config.clone() };
            let steps = if config.mode == Mode::Step { config.steps } else { 1 };
            group.throughput(Throughput::Elements((config.n_tokens() * steps) as u64));
            // Prepared on demand, so that passes excluded by a filter cost nothing.
            let mut pass: Option<Result<Pass>> = None;
            group.bench_function(format!("{what}, {by}"), |bencher| {
                match pass.get_or_insert_with(|| prepare(&config)) {
                    Ok(pass) => bencher.iter(|| pass.run()),
                    // Criterion requires every benchmark to time something.
                    Err(_) => bencher.iter(|| ()),
                }
            });
            if let Some(Err(error)) = pass {
                return Err(error.context(what));
            }
        }
    }
    group.finish();
    Ok(())
}

/// A pass that has run once, so that any failure occurs here rather than during timing.
fn prepare(config: &PassConfig) -> Result<Pass> {
    let mut pass = Pass::new(config)?;
    pass.run()?;
    Ok(pass)
}

criterion_group!(benches, layers);
criterion_main!(benches);
