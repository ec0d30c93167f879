//! Times the steps from a file of labelled texts to encoded splits, on the real reviews.
//!
//! The reviews come from `data/imdb.parquet` (`cargo xtask fetch-data`) and are first written as
//! CSV, the format that the course notebook uses.
#![allow(clippy::unwrap_used, missing_docs)] // A benchmark that cannot be set up has failed.

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, criterion_group, criterion_main};
use dataset::{ColumnChoice, Conflicts, DataFile, LabelOptions, LabelledTexts, ReadOptions};
use text_preprocessing::{PreprocessingConfig, TextEncoder, TokenScheme, text_digests};
use trainer::{Cache, DataRequest, OwnSplits, SplitPlan, load};

fn reviews(folder: &Path) -> Option<PathBuf> {
    let parquet = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/imdb.parquet");
    if !parquet.exists() {
        eprintln!("no {}: run `cargo xtask fetch-data` first", parquet.display());
        return None;
    }
    let csv = folder.join("reviews.csv");
    benches::write_csv(&parquet, &csv).unwrap();
    Some(csv)
}

fn preparation(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let Some(csv) = reviews(folder.path()) else { return };
    let (columns, labels) = (ColumnChoice::default(), LabelOptions::default());
    let (plan, options) = (SplitPlan::default(), ReadOptions::default());
    let file = DataFile::open(&csv).unwrap();
    let mut group = c.benchmark_group("preparation of 25,000 reviews");
    group.sample_size(10);

    group.bench_function("read CSV", |b| {
        b.iter(|| LabelledTexts::read(&file, &columns, &labels, &options).unwrap());
    });
    let table = LabelledTexts::read(&file, &columns, &labels, &options).unwrap();
    group.bench_function("fingerprint", |b| b.iter(|| table.fingerprint()));
    let texts: Vec<&str> = table.texts().collect();
    group.bench_function("digests of texts", |b| b.iter(|| text_digests(&texts)));
    let digests = text_digests(&texts);
    group.bench_function("deduplicate", |b| {
        b.iter(|| table.deduplicate(&digests, Conflicts::Keep).unwrap());
    });
    group.bench_function("digests, deduplicate and split", |b| {
        b.iter(|| trainer::split(&table, &plan).unwrap());
    });
    for scheme in [TokenScheme::Words, TokenScheme::WordsAndPunctuation] {
        let preprocessing = PreprocessingConfig { scheme, ..PreprocessingConfig::default() };
        group.bench_function(format!("learn vocabulary, {scheme}"), |b| {
            b.iter(|| TextEncoder::learn(preprocessing.clone(), &texts).unwrap());
        });
        let encoder = TextEncoder::learn(preprocessing.clone(), &texts).unwrap();
        group.bench_function(format!("encode, {scheme}"), |b| {
            b.iter(|| encoder.encode_batch_counted(&texts).unwrap());
        });
        let request = DataRequest {
            file: &file,
            others: OwnSplits::default(),
            columns: &columns,
            labels: &labels,
            options: &options,
            plan: &plan,
            preprocessing: &preprocessing,
            few_texts: trainer::FewTexts::Keep,
        };
        group.bench_function(format!("whole, {scheme}"), |b| {
            b.iter(|| black_box(load(&request, None).unwrap()));
        });
        let cache = Cache::new(folder.path().join("cache"));
        assert!(!load(&request, Some(&cache)).unwrap().is_cached);
        group.bench_function(format!("from the cache, {scheme}"), |b| {
            b.iter(|| assert!(load(&request, Some(&cache)).unwrap().is_cached));
        });
    }
}

criterion_group!(benches, preparation);
criterion_main!(benches);
