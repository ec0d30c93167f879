//! Small trainings that have every phase and every part of the state between them.
#![allow(dead_code)] // No test uses all of it.

use std::path::Path;

use candle_core::Device;
use classifier::folder::{Existing, OutputFolder};
use dataset::{LabelledTexts, SplitConfig};
use model::{CellKind, ModelConfig, Padding, PathScaling, Pooling, Regularization};
use recurrent::SeededRng;
use text_preprocessing::{PreprocessingConfig, TokenScheme};
use trainer::{
    BatchOrder, Control, DataOrigin, Keep, Observer, OptimizerKind, Prepared, PretrainingConfig,
    Recipe, RecordPlan, Result, RunAbout, RunFolder, RunRecorder, Schedule, Session, SplitPlan,
    StateCarry, TrainingConfig, TrainingReport, VectorTraining, prepare,
};

/// A training.
#[derive(Clone)]
pub struct Case {
    pub name: &'static str,
    pub recipe: Recipe,
}

/// All of them.
pub fn cases() -> [Case; 6] {
    [plateau(), every_phase(), sparse(), momentum(), vectors(), by_length()]
}

fn recipe(model: ModelConfig, training: TrainingConfig) -> Recipe {
    Recipe {
        name: "small".to_string(),
        preprocessing: PreprocessingConfig {
            seq_len: 24,
            scheme: TokenScheme::WordsAndPunctuation,
            min_frequency: 2,
            ..PreprocessingConfig::default()
        },
        model: ModelConfig { embedding_dim: 6, hidden_dim: 5, ..model },
        regularization: Regularization {
            word_dropout: 0.2,
            embedding_dropout: 0.1,
            output_dropout: 0.3,
            ..Regularization::NONE
        },
        pretraining: PretrainingConfig::default(),
        training: TrainingConfig { batch_size: 16, learning_rate: 0.02, ..training },
    }
}

/// As the notebook, with steps of several batches, an average, and a rate that validations lower.
fn plateau() -> Case {
    let model = ModelConfig::default();
    let training = TrainingConfig {
        epochs: 3,
        accumulation: 2,
        average_decay: 0.9,
        schedule: Schedule::Plateau,
        state: StateCarry::Carry,
        keep: Keep::LowestLoss,
        validate_every: 3,
        weight_decay: 0.01,
        ..TrainingConfig::default()
    };
    let mut recipe = recipe(model, training);
    // Steps so large that validations get worse now and then.
    recipe.training.learning_rate = 0.2;
    Case { name: "plateau", recipe }
}

/// A linear path and a teacher, pre-training in two directions, epochs, retraining, with windows of texts.
pub fn every_phase() -> Case {
    let model = ModelConfig {
        num_layers: 1,
        bidirectional: true,
        pooling: serde_json::from_str::<Pooling>("\"max-mean\"").unwrap(),
        padding: Padding::Skip,
        ngram_order: 2,
        ..ModelConfig::default()
    };
    let training = TrainingConfig {
        epochs: 2,
        schedule: Schedule::OneCycle,
        batches: BatchOrder::LengthBuckets,
        state: StateCarry::Zero,
        keep: Keep::LowestLoss,
        calibrate: true,
        refit: true,
        accumulation: 3,
        distillation: 0.3,
        windows: 2,
        ..TrainingConfig::default()
    };
    let mut recipe = recipe(model, training);
    recipe.pretraining =
        PretrainingConfig { epochs: 2, batch_size: 30, ..PretrainingConfig::default() };
    Case { name: "every phase", recipe }
}

/// A GRU with rows that do not lag, perturbed texts, and an early end.
fn sparse() -> Case {
    let model = ModelConfig {
        cell: CellKind::Gru,
        num_layers: 1,
        padding: Padding::Skip,
        ..ModelConfig::default()
    };
    let training = TrainingConfig {
        epochs: 9,
        optimizer: OptimizerKind::SparseAdam,
        adversarial_norm: 0.01,
        average_decay: 0.8,
        state: StateCarry::Zero,
        keep: Keep::LowestLoss,
        patience: 2,
        ..TrainingConfig::default()
    };
    let mut recipe = recipe(model, training);
    recipe.training.learning_rate = 0.1;
    recipe.regularization.weight_dropout = 0.2;
    recipe.regularization.variational_dropout = 0.1;
    Case { name: "sparse", recipe }
}

/// Gradient descent whose idle rows lag, too.
fn momentum() -> Case {
    let model = ModelConfig { cell: CellKind::RnnTanh, ..ModelConfig::default() };
    let training = TrainingConfig {
        epochs: 2,
        optimizer: OptimizerKind::Sgd,
        momentum: 0.9,
        warmup: 0.3,
        schedule: Schedule::Cosine,
        ..TrainingConfig::default()
    };
    Case { name: "momentum", recipe: recipe(model, training) }
}

/// Paths that are scaled by length, with enough validation texts for it, epochs and retraining.
pub fn by_length() -> Case {
    let Case { mut recipe, .. } = every_phase();
    recipe.model.path_scales = PathScaling::ByLength;
    (recipe.pretraining.epochs, recipe.training.accumulation) = (0, 1);
    Case { name: BY_LENGTH, recipe }
}

const BY_LENGTH: &str = "by length";

/// Vectors for the words, of six features.
pub const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/small_runs/vectors.txt");

/// Word vectors that are frozen at first, in every phase.
pub fn vectors() -> Case {
    let model = ModelConfig { num_layers: 1, padding: Padding::Skip, ..ModelConfig::default() };
    let training = TrainingConfig {
        word_vectors: Some(VECTORS.into()),
        vectors: VectorTraining::FrozenThenTuned,
        epochs: 3,
        accumulation: 2,
        average_decay: 0.7,
        weight_decay: 0.01,
        state: StateCarry::Zero,
        refit: true,
        ..TrainingConfig::default()
    };
    let mut recipe = recipe(model, training);
    recipe.pretraining =
        PretrainingConfig { epochs: 1, batch_size: 30, ..PretrainingConfig::default() };
    Case { name: "vectors", recipe }
}

/// 200 texts of 2 to 29 synthetic words; the label is whether more of them are even than odd.
pub fn table() -> LabelledTexts {
    table_of(200)
}

fn table_of(n_texts: usize) -> LabelledTexts {
    let mut rng = SeededRng::new(20);
    let (texts, labels) = (0..n_texts)
        .map(|_| {
            let length = 2 + rng.below(28);
            let words: Vec<usize> = (0..length).map(|_| rng.below(9) * rng.below(9)).collect();
            let n_even = words.iter().filter(|word| word.is_multiple_of(2)).count();
            let text: Vec<String> = words.iter().map(|word| format!("w{word}")).collect();
            (text.join(" "), u8::from(3 * n_even > 2 * length))
        })
        .unzip::<String, u8, Vec<_>, Vec<_>>();
    LabelledTexts::new(&texts, labels).unwrap()
}

impl Case {
    /// The texts.
    pub fn data(&self) -> (Prepared, DataOrigin) {
        let (table, plan) = match self.name {
            // 176 texts for training, and 220 for validation.
            BY_LENGTH => {
                let shares = SplitConfig { train: 0.4, validation: 0.5, test: 0.1, seed: 0 };
                (table_of(440), SplitPlan { shares, ..SplitPlan::default() })
            }
            _ => (table(), SplitPlan::default()),
        };
        let data = prepare(&table, &plan, &self.recipe.preprocessing).unwrap();
        let options = (dataset::ReadOptions::default(), dataset::LabelOptions::default());
        let columns = table.columns().clone();
        let origin =
            DataOrigin::new("made.csv", columns, options, table.fingerprint(), plan, &data);
        (data, origin)
    }

    /// Trains and tests in `parent/models/m`, with the run in `parent/runs/m` if there is a plan for it; goes on
    /// from there if it can.
    pub fn run(
        &self,
        parent: &Path,
        plan: Option<RecordPlan>,
        control: &dyn Control,
        observer: &mut dyn Observer,
    ) -> Result<TrainingReport> {
        let (data, origin) = self.data();
        let model = parent.join("models/m");
        let folder = OutputFolder::claim(&model, Existing::Replace)?;
        let run = RunFolder::beside(&model);
        if !run.holds_a_run() && plan.is_some() {
            run.create(&RunAbout::new(&self.recipe, &model, &origin, &Device::Cpu))?;
        }
        let mut recorder = plan.map(|plan| RunRecorder::new(&run, plan)).transpose()?;
        let mut session = Session { observer, control, run: recorder.as_mut() };
        let job = self.recipe.job(&data, origin, &Device::Cpu, &folder);
        let outcome = job.run_and_test_in(true, &mut session);
        if let Some(recorder) = &mut recorder {
            recorder.end(&outcome)?;
        }
        outcome
    }
}
