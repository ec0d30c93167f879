//! Times the course notebook's whole network on the real reviews: one training step, or one evaluation
//! of the test split.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use candle_core::{Device, Tensor};
use clap::{Args, ValueEnum};
use dataset::{
    BatchPadding, ColumnChoice, DataFile, EncodedSplit, LabelOptions, Loader, LoaderConfig, Order,
    ReadOptions,
};
use model::{CellKind, ModelConfig, Padding, RecurrentClassifier, Regularization, Task};
use text_preprocessing::PreprocessingConfig;
use trainer::{
    Cache, DataRequest, Prepared, SplitPlan, StepPlan, TrainingConfig, TrainingStep, load,
};

use crate::serve::Timed;

/// What to time of the notebook's network. `benches/peers/torch_notebook.py` has the same flags.
#[derive(Debug, Clone, Args)]
pub struct NotebookConfig {
    /// The work to time
    #[arg(long, value_enum, default_value = "train")]
    pub work: Work,
    /// How to treat padding: compute it as in the notebook, or skip it
    #[arg(long, value_enum, default_value = "compute")]
    pub padding: PaddingKind,
    /// The kind of recurrent layer
    #[arg(long, value_enum, default_value = "lstm")]
    pub cell: NotebookCell,
    /// The labelled reviews
    #[arg(long, value_name = "FILE", default_value = "data/imdb.parquet")]
    pub data: PathBuf,
}

/// The work to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// One training step of 50 reviews: forward, backward, clipping, Adam
    Train,
    /// One evaluation of the test split
    Evaluate,
}

/// How to treat padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PaddingKind {
    /// Compute it like words: every review takes 200 steps
    Compute,
    /// Skip it: a review takes as many steps as it has words, up to 200
    Skip,
}

/// The kind of recurrent layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NotebookCell {
    /// Long short-term memory
    Lstm,
    /// Gated recurrent unit
    Gru,
    /// Plain recurrent network with tanh
    Rnn,
}

impl NotebookConfig {
    /// The network.
    pub fn model(&self) -> ModelConfig {
        ModelConfig {
            cell: match self.cell {
                NotebookCell::Lstm => CellKind::Lstm,
                NotebookCell::Gru => CellKind::Gru,
                NotebookCell::Rnn => CellKind::RnnTanh,
            },
            padding: match self.padding {
                PaddingKind::Compute => Padding::Compute,
                PaddingKind::Skip => Padding::Skip,
            },
            ..ModelConfig::default()
        }
    }

    /// The reviews, encoded as in the notebook.
    ///
    /// # Errors
    /// If the reviews cannot be read.
    pub fn reviews(&self) -> Result<Prepared> {
        ensure!(
            self.data.exists(),
            "no {}; run `cargo xtask fetch-data` first, or name the reviews with --data",
            self.data.display()
        );
        let request = DataRequest {
            file: &DataFile::open(&self.data)?,
            columns: &ColumnChoice::default(),
            labels: &LabelOptions::default(),
            options: &ReadOptions::default(),
            plan: &SplitPlan::default(),
            preprocessing: &PreprocessingConfig::default(),
        };
        Ok(load(&request, Cache::of_user().as_ref())?.data)
    }

    /// Number of reviews per run.
    pub fn n_reviews(&self, reviews: &Prepared) -> usize {
        match self.work {
            Work::Train => TrainingConfig::default().batch_size,
            Work::Evaluate => reviews.test.len(),
        }
    }
}

/// The network, ready to be timed.
pub struct Notebook {
    config: NotebookConfig,
    reviews: Prepared,
    step: TrainingStep,
    batches: Loader,
    epoch: u64,
}

impl Notebook {
    /// Draws the network's weights and starts an epoch.
    ///
    /// # Errors
    /// If the network or the loader cannot be built.
    pub fn new(config: &NotebookConfig, reviews: Prepared) -> Result<Self> {
        let training = TrainingConfig::default();
        let vocab_size = reviews.encoder.vocab_size();
        let plan = StepPlan {
            task: &Task::binary(),
            model: &config.model(),
            regularization: &Regularization::default(),
            training: &training,
        };
        let step = TrainingStep::new(plan, None, vocab_size, &Device::Cpu)?;
        let batches = batches(config, &reviews, &training, 0)?;
        Ok(Self { config: config.clone(), reviews, step, batches, epoch: 0 })
    }

    /// One training step on the next full batch.
    fn train(&mut self) -> Result<()> {
        let training = TrainingConfig::default();
        let batch = loop {
            match self.batches.next().transpose()? {
                Some(batch) if batch.rows.len() == training.batch_size => break batch,
                Some(_) => {}
                None => {
                    self.epoch += 1;
                    self.batches = batches(&self.config, &self.reviews, &training, self.epoch)?;
                    self.step.start_epoch();
                }
            }
        };
        let outcome = self.step.run(&batch, training.learning_rate)?;
        ensure!(outcome.is_ok(), "the loss is not finite");
        Ok(())
    }

    /// One evaluation of the test split.
    fn evaluate(&mut self) -> Result<()> {
        let (config, reviews) = (self.config.model(), &self.reviews);
        let vocab_size = reviews.encoder.vocab_size();
        let network = RecurrentClassifier::frozen(&config, vocab_size, &self.step.weights()?)?;
        let seq_len = reviews.encoder.config().seq_len;
        trainer::logits(&network, &reviews.test, seq_len, &mut |_| {})?;
        Ok(())
    }
}

impl Timed for Notebook {
    fn run(&mut self) -> Result<()> {
        match self.config.work {
            Work::Train => self.train(),
            Work::Evaluate => self.evaluate(),
        }
    }

    fn time_s(&mut self) -> Result<f64> {
        let started = Instant::now();
        self.run()?;
        Ok(started.elapsed().as_secs_f64())
    }
}

fn batches(
    config: &NotebookConfig,
    reviews: &Prepared,
    training: &TrainingConfig,
    epoch: u64,
) -> Result<Loader> {
    let padding = match config.padding {
        PaddingKind::Compute => BatchPadding::Fixed(reviews.encoder.config().seq_len),
        PaddingKind::Skip => BatchPadding::Longest,
    };
    let order = Order::Shuffled { seed: training.seed, epoch };
    let config = LoaderConfig { batch_size: training.batch_size, padding, order };
    Ok(Loader::new(Arc::clone(&reviews.train), &config)?)
}

/// Writes the reviews for the Python programs, so that all compute on the same numbers:
/// `train_ids.npy` and `test_ids.npy` `[N, 200]` u32, padded on the left, `train_labels.npy` and
/// `test_labels.npy` `[N]` f32.
///
/// # Errors
/// If the files cannot be written.
pub fn export(reviews: &Prepared, folder: &Path) -> Result<()> {
    let write = |name: &str, split: &EncodedSplit| -> Result<()> {
        let ids: Vec<u32> =
            (0..split.len()).flat_map(|row| reviews.encoder.pad(split.row(row))).collect();
        let shape = (split.len(), reviews.encoder.config().seq_len);
        let labels = split.targets().and_then(|targets| targets.one_of());
        let labels = labels.context("the reviews have no labels")?;
        let labels: Vec<f32> = labels.iter().map(|&label| label as f32).collect();
        let save = |what: &str, tensor: Tensor| {
            let path = folder.join(format!("{name}_{what}.npy"));
            tensor.write_npy(&path).with_context(|| format!("cannot write {}", path.display()))
        };
        save("ids", Tensor::from_vec(ids, shape, &Device::Cpu)?)?;
        save("labels", Tensor::new(labels, &Device::Cpu)?)
    };
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    write("train", &reviews.train)?;
    write("test", &reviews.test)
}
