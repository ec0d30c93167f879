//! Times the parts of a training step of the notebook's size: 50 reviews of 200 words, an embedding
//! table of 100,000 rows of 400 numbers, of which a batch uses about 3,500.
#![allow(clippy::unwrap_used, missing_docs)] // A benchmark that cannot be set up has failed.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use dataset::{Batch, BatchPadding, EncodedSplit, Loader, LoaderConfig, Order};
use model::{InitConfig, ModelConfig, RecurrentClassifier, Regularization, TABLE};
use recurrent::SeededRng;
use trainer::{Gradients, Optimizer, OptimizerConfig, OptimizerKind, RowGradient};

const VOCAB: usize = 100_000;
const N_REVIEWS: usize = 2_000;
const WORDS: usize = 200;
const BATCH: usize = 50;

/// Reviews with natural word frequencies: the word of rank r occurs 1/r as often as the first (Zipf).
fn reviews() -> Arc<EncodedSplit> {
    let mut rng = SeededRng::new(7);
    let n = N_REVIEWS * WORDS;
    let uniform = rng.uniform((0.0, 1.0), n, DType::F32, &Device::Cpu).unwrap();
    let largest = (VOCAB as f32 - 1.0).ln();
    let ids: Vec<u32> =
        uniform.to_vec1().unwrap().iter().map(|x: &f32| (x * largest).exp() as u32).collect();
    let rows: Vec<&[u32]> = ids.chunks(WORDS).collect();
    Arc::new(EncodedSplit::new(rows, vec![1; N_REVIEWS]).unwrap())
}

fn parts(c: &mut Criterion) {
    heap::keep_freed_memory();
    let config = ModelConfig::default();
    let init = InitConfig { seed: 1, ..InitConfig::default() };
    let regularization = Regularization::default();
    let (network, variables) =
        RecurrentClassifier::init(&config, &regularization, VOCAB, init, &Device::Cpu).unwrap();
    let split = reviews();
    let padding = BatchPadding::Fixed(WORDS);
    let loader = |order| {
        let config = LoaderConfig { batch_size: BATCH, padding, order };
        Loader::new(Arc::clone(&split), &config).unwrap()
    };
    let batches: Vec<_> = loader(Order::Sequential).map(Result::unwrap).collect();
    let tokens_of = |batch: &Batch| network.tokens_of_rows(&batch.ids(), batch.n_steps).unwrap();
    let tokens = tokens_of(&batches[0]);
    let distinct = network.distinct(&tokens).unwrap();

    let mut group = c.benchmark_group("training step");
    group.sample_size(20);
    group.bench_function("load, 40 batches", |b| {
        b.iter(|| loader(Order::Shuffled { seed: 1, epoch: 1 }).count());
    });
    group.bench_function("take ids apart", |b| {
        b.iter(|| network.distinct(&tokens_of(&batches[0])).unwrap());
    });
    group.bench_function("embed", |b| b.iter(|| network.embed(&tokens).unwrap()));
    let x = network.embed(&tokens).unwrap();
    group.bench_function("embed backward", |b| {
        b.iter(|| network.row_gradient(&x, &distinct).unwrap());
    });

    let values = network.row_gradient(&x, &distinct).unwrap();
    let gradient = RowGradient::new(distinct.rows.clone(), values);
    group.bench_function("clip: norm of the rows' gradient", |b| {
        b.iter(|| trainer::global_norm([&gradient.values]).unwrap());
    });
    let table = model::sorted(&variables).remove(TABLE).unwrap();
    for kind in [OptimizerKind::Adam, OptimizerKind::SparseAdam, OptimizerKind::Sgd] {
        let config = OptimizerConfig { kind, ..OptimizerConfig::default() };
        let mut optimizer =
            Optimizer::new(config, []).unwrap().with_table(TABLE, table.clone()).unwrap();
        let mut next = batches.iter().cycle();
        group.bench_function(format!("optimizer, {kind:?}, rows of a batch"), |b| {
            // A different batch each time, so that rows have missed some steps, as in real training.
            b.iter(|| {
                let rows = network.distinct(&tokens_of(next.next().unwrap())).unwrap().rows;
                optimizer.catch_up(TABLE, &rows).unwrap();
                let shape = (rows.len(), 400);
                let values = Tensor::full(1e-3f32, shape, &Device::Cpu).unwrap();
                let gradients =
                    Gradients::default().with_rows(TABLE, Some(RowGradient::new(rows, values)));
                optimizer.step(&gradients, 1e-4, 1.0).unwrap();
            });
        });
    }
    let mut optimizer =
        Optimizer::new(OptimizerConfig::default(), [(TABLE.to_string(), table.clone())]).unwrap();
    let store = (table.as_tensor() * 1e-3).unwrap().sum_all().unwrap().backward().unwrap();
    let whole = optimizer.gradients(&store);
    group.bench_function("optimizer, Adam, the whole table", |b| {
        b.iter(|| optimizer.step(&whole, 1e-4, 1.0).unwrap());
    });
}

criterion_group!(benches, parts);
criterion_main!(benches);
