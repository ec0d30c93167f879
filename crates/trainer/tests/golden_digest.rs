//! Small trainings, pinned: a refactoring that should not change any number does not.
//!
//! Losses and norms of weights are compared on every machine, to a tolerance, because the order of
//! additions differs between instruction sets and thread counts. Where the golden file knows both,
//! the weights are compared bit for bit.
//!
//! After a change that is meant to change numbers, `UPDATE_GOLDEN=1 cargo test --workspace --test
//! golden_digest` rewrites the file; the commit says why.
#![allow(clippy::unwrap_used)] // A training that cannot be set up is a failure of the test.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;
use candle_core::safetensors::{Load as _, MmapedSafetensors};
use classifier::folder::{self, Existing, OutputFolder};
use dataset::LabelledTexts;
use model::{CellKind, ModelConfig, Padding, Pooling, PoolingPart, Regularization};
use recurrent::{InstructionSet, SeededRng};
use serde::{Deserialize, Serialize};
use text_preprocessing::{PreprocessingConfig, TokenScheme, Truncation};
use trainer::{
    BatchOrder, DataOrigin, Keep, PretrainingConfig, Schedule, Silent, SplitPlan, StateCarry,
    TrainingConfig, TrainingJob, TrainingReport, prepare,
};

/// Rounding of f32 over some hundred steps, on other instruction sets.
const TOLERANCE: f64 = 2e-3;

/// The golden file: one entry for each training, by name.
type Golden = BTreeMap<String, Entry>;

/// The result of one training run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Entry {
    /// The loss of each epoch, and the Euclidean norm of each tensor.
    numbers: BTreeMap<String, f64>,
    /// Digests of losses and tensors by `INSTRUCTION SET, N threads`.
    digests: BTreeMap<String, String>,
}

/// A training to pin, and which of its saved tensors are pinned.
struct Case {
    name: &'static str,
    preprocessing: PreprocessingConfig,
    model: ModelConfig,
    regularization: Regularization,
    pretraining: PretrainingConfig,
    training: TrainingConfig,
    is_pinned: fn(&str) -> bool,
}

/// The notebook's network, training and preprocessing, all sizes small.
fn notebook_like() -> Case {
    Case {
        name: "notebook-like",
        preprocessing: PreprocessingConfig { seq_len: 30, ..PreprocessingConfig::default() },
        model: ModelConfig { embedding_dim: 12, hidden_dim: 16, ..ModelConfig::default() },
        regularization: Regularization::default(),
        pretraining: PretrainingConfig::default(),
        training: TrainingConfig { epochs: 2, batch_size: 20, ..TrainingConfig::default() },
        is_pinned: |_| true,
    }
}

/// The shape of `quick` and `default`: a linear path, which is pinned elsewhere, and what depends on
/// the scales of the paths with it.
fn quick_like() -> Case {
    Case {
        name: "quick-like",
        preprocessing: PreprocessingConfig {
            seq_len: 40,
            scheme: TokenScheme::WordsAndPunctuation,
            min_frequency: 2,
            max_vocab: Some(200),
            truncation: Truncation::HeadTail,
            ..PreprocessingConfig::default()
        },
        model: ModelConfig {
            embedding_dim: 10,
            hidden_dim: 9,
            num_layers: 1,
            bidirectional: true,
            pooling: max_mean(),
            padding: Padding::Skip,
            ngram_order: 2,
            ..ModelConfig::default()
        },
        regularization: Regularization {
            word_dropout: 0.3,
            embedding_dropout: 0.3,
            output_dropout: 0.5,
            ..Regularization::NONE
        },
        pretraining: PretrainingConfig::default(),
        training: TrainingConfig {
            embedding_std: 0.1,
            epochs: 3,
            batch_size: 16,
            learning_rate: 0.02,
            schedule: Schedule::OneCycle,
            batches: BatchOrder::LengthBuckets,
            state: StateCarry::Zero,
            calibrate: true,
            // So that no metric of the linear path decides which epoch is kept.
            keep: Keep::Last,
            ..TrainingConfig::default()
        },
        is_pinned: |name| name.starts_with("embedding.") || name.starts_with("lstm."),
    }
}

/// Every phase there is, on a GRU and without a linear path.
fn accurate_like() -> Case {
    let quick = quick_like();
    Case {
        name: "accurate-like",
        model: ModelConfig { cell: CellKind::Gru, ngram_order: 0, ..quick.model },
        regularization: Regularization {
            variational_dropout: 0.2,
            embedding_dropout: 0.0,
            weight_dropout: 0.2,
            ..quick.regularization
        },
        pretraining: PretrainingConfig { epochs: 1, ..PretrainingConfig::default() },
        training: TrainingConfig {
            accumulation: 2,
            average_decay: 0.9,
            refit: true,
            label_smoothing: 0.1,
            adversarial_norm: 0.01,
            keep: Keep::LowestLoss,
            calibrate: false,
            ..quick.training
        },
        is_pinned: |_| true,
        ..quick
    }
}

fn max_mean() -> Pooling {
    serde_json::from_str("\"max-mean\"").unwrap_or_else(|_| PoolingPart::Max.into())
}

/// 260 texts of 3 to 59 synthetic words; the label is whether more of them are even than odd.
fn table() -> LabelledTexts {
    let mut rng = SeededRng::new(20);
    let (texts, labels) = (0..260)
        .map(|_| {
            let length = 3 + rng.below(57);
            let words: Vec<usize> =
                (0..length).map(|_| rng.below(30) * rng.below(9) + rng.below(7)).collect();
            let n_even = words.iter().filter(|word| word.is_multiple_of(2)).count();
            let text: Vec<String> = words.iter().map(|word| format!("w{word}")).collect();
            (text.join(" "), u8::from(2 * n_even > length))
        })
        .unzip::<String, u8, Vec<_>, Vec<_>>();
    LabelledTexts::new(&texts, labels).unwrap()
}

/// Trains, and returns the saved weights and the report.
fn run(case: &Case) -> (BTreeMap<String, Vec<f32>>, TrainingReport) {
    let (table, plan) = (table(), SplitPlan::default());
    let data = prepare(&table, &plan, &case.preprocessing).unwrap();
    let options = (dataset::ReadOptions::default(), dataset::LabelOptions::default());
    let origin = DataOrigin::new(
        "made.csv",
        table.columns().clone(),
        options,
        table.fingerprint(),
        plan,
        &data,
    );
    let parent = tempfile::tempdir().unwrap();
    let folder = OutputFolder::claim(&parent.path().join("model"), Existing::Refuse).unwrap();
    let job = TrainingJob {
        recipe: case.name,
        model: &case.model,
        regularization: &case.regularization,
        training: &case.training,
        pretraining: &case.pretraining,
        data: &data,
        origin,
        device: &Device::Cpu,
        folder: &folder,
    };
    let report = job.run(&mut Silent).unwrap();
    // SAFETY: nothing else uses this file.
    let file = unsafe { MmapedSafetensors::new(folder.path().join(folder::WEIGHTS_FILE)) }.unwrap();
    let tensors = file.tensors().into_iter().filter(|(name, _)| (case.is_pinned)(name));
    let tensors = tensors.map(|(name, view)| {
        let tensor = view.load(&Device::Cpu).unwrap().flatten_all().unwrap();
        (name, tensor.to_vec1::<f32>().unwrap())
    });
    (tensors.collect(), report)
}

/// The golden file's entry for a training run.
fn entry(case: &Case) -> Entry {
    let (tensors, report) = run(case);
    let mut numbers = BTreeMap::new();
    let mut digest = Fnv::default();
    for (i, record) in (1..).zip(&report.history) {
        digest.add(&record.train_loss.to_bits().to_le_bytes());
        numbers.insert(format!("train loss of epoch {i}"), record.train_loss);
    }
    for (name, values) in &tensors {
        digest.add(name.as_bytes());
        values.iter().for_each(|value| digest.add(&value.to_le_bytes()));
        let squares: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
        numbers.insert(format!("norm of {name}"), squares.sqrt());
    }
    Entry { numbers, digests: BTreeMap::from([(machine(), format!("{:016x}", digest.0))]) }
}

/// What the bits of a training run depend on besides its settings.
fn machine() -> String {
    format!("{}, {} threads", InstructionSet::best(), rayon::current_num_threads())
}

/// FNV-1a: any change of any bit shows.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

fn golden_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/trainings.json")
}

#[test]
fn small_trainings_are_what_they_were() {
    let cases = [notebook_like(), quick_like(), accurate_like()];
    let entries = cases.iter().map(|case| (case.name.to_string(), entry(case)));
    let entries: Golden = entries.collect();
    let old: Option<Golden> =
        fs::read(golden_file()).ok().map(|bytes| serde_json::from_slice(&bytes).unwrap());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(golden_file(), serde_json::to_string_pretty(&entries).unwrap() + "\n").unwrap();
        return;
    }
    let old = old.unwrap();
    assert_eq!(old.keys().collect::<Vec<_>>(), entries.keys().collect::<Vec<_>>());
    let mut n_compared = 0;
    for (name, new) in &entries {
        let old = &old[name];
        assert_eq!(
            old.numbers.keys().collect::<Vec<_>>(),
            new.numbers.keys().collect::<Vec<_>>(),
            "{name}"
        );
        for (what, new) in &new.numbers {
            let old = old.numbers[what];
            let is_close = (new - old).abs() <= TOLERANCE * old.abs().max(1.0);
            assert!(is_close, "{name}: {what} was {old}, is {new}");
        }
        if let Some(digest) = old.digests.get(&machine()) {
            assert_eq!(Some(digest), new.digests.get(&machine()), "{name}: a bit has changed");
            n_compared += 1;
        }
    }
    println!("{n_compared} of {} trainings compared bit for bit ({})", entries.len(), machine());
}
