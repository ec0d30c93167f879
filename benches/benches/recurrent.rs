//! Recurrent layers: training pass and forward pass, fused and reference.

use std::hint::black_box;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use recurrent::{Backend, Gru, Lstm, Nonlinearity, RecurrentConfig, Rnn, SeededRng};

/// The notebook's network: batch 50, 200 steps, 400 -> 256, two layers.
const BATCH: usize = 50;
const STEPS: usize = 200;

/// A layer's forward pass, whatever its kind: the outputs.
type Forward = Box<dyn Fn(&Tensor) -> Result<Tensor>>;

fn notebook_config() -> RecurrentConfig {
    RecurrentConfig { num_layers: 2, ..RecurrentConfig::new(400, 256) }
}

fn build(kind: &str, trainable: bool, backend: Backend) -> Result<Forward> {
    let config = notebook_config();
    let mut rng = SeededRng::new(0);
    let device = Device::Cpu;
    let weights = match kind {
        "lstm" => Lstm::initial_weights(&config, &mut rng, DType::F32, &device)?,
        "gru" => Gru::initial_weights(&config, &mut rng, DType::F32, &device)?,
        _ => Rnn::initial_weights(&config, &mut rng, DType::F32, &device)?,
    };
    let weights = weights.into_iter().map(|(name, tensor)| {
        let tensor = if trainable { Var::from_tensor(&tensor)?.into_inner() } else { tensor };
        Ok((name, tensor))
    });
    let vb = VarBuilder::from_tensors(weights.collect::<Result<_>>()?, DType::F32, &device);
    Ok(match kind {
        "lstm" => {
            let layer = Lstm::new(&config, vb)?.with_backend(backend);
            Box::new(move |x| Ok(layer.forward(x)?.0))
        }
        "gru" => {
            let layer = Gru::new(&config, vb)?.with_backend(backend);
            Box::new(move |x| Ok(layer.forward(x)?.0))
        }
        _ => {
            let layer = Rnn::new(&config, Nonlinearity::Tanh, vb)?.with_backend(backend);
            Box::new(move |x| Ok(layer.forward(x)?.0))
        }
    })
}

fn layers(criterion: &mut Criterion) {
    let mut run = || -> Result<()> {
        let mut rng = SeededRng::new(1);
        let x = rng.standard_normal((BATCH, STEPS, 400), DType::F32, &Device::Cpu)?;
        let x_var = Var::from_tensor(&x)?;
        let x_one = x.narrow(0, 0, 1)?.contiguous()?;
        for kind in ["lstm", "gru", "rnn"] {
            let mut group = criterion.benchmark_group(kind);
            group.sample_size(10).throughput(Throughput::Elements((BATCH * STEPS) as u64));
            for backend in [Backend::Auto, Backend::Reference] {
                let train = build(kind, true, backend)?;
                group.bench_function(format!("training pass, {backend}"), |bencher| {
                    bencher.iter(|| -> Result<()> {
                        let loss = train(&x_var)?.narrow(1, STEPS - 1, 1)?.sum_all()?;
                        black_box(loss.backward()?);
                        Ok(())
                    });
                });
                let infer = build(kind, false, backend)?;
                group.bench_function(format!("forward pass, {backend}"), |bencher| {
                    bencher.iter(|| black_box(infer(&x)));
                });
            }
            let infer = build(kind, false, Backend::Auto)?;
            group.throughput(Throughput::Elements(STEPS as u64));
            group.bench_function("forward pass of one row", |bencher| {
                bencher.iter(|| black_box(infer(&x_one)));
            });
        }
        Ok(())
    };
    if let Err(error) = run() {
        eprintln!("the benchmark could not be set up: {error}");
    }
}

criterion_group!(benches, layers);
criterion_main!(benches);
