//! How a network is trained.

use std::fmt;
use std::path::PathBuf;

use model::ModelConfig;
use recurrent::settings;
use serde::{Deserialize, Serialize};

use crate::class_weights::ClassWeights;
use crate::error::Result;
use crate::few_texts::FewTexts;
use crate::optimizer::{OptimizerConfig, OptimizerKind};
use crate::thresholds::ThresholdGoal;

/// Most windows of a text, which together are several times as long as most texts.
const MAX_WINDOWS: usize = 100;

/// Training settings. The default is the notebook's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Word vectors of the embedding's dimension, from which its rows start: a store of the crate `word-vectors`, or a
    /// text file (GloVe, word2vec, fastText); relative to the working directory; absent for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word_vectors: Option<PathBuf>,
    /// Whether the embedding that starts from `word_vectors` is trained.
    #[serde(skip_serializing_if = "VectorTraining::is_tuned")]
    pub vectors: VectorTraining,
    /// Standard deviation of the embedding's normally distributed initial weights.
    pub embedding_std: f64,
    /// Number of training texts in which an n-gram must occur to get a weight in the linear path.
    pub ngram_min_texts: usize,
    /// Most n-grams of the linear path: of more, those that occur in the fewest texts get no weight. Absent for as many as
    /// the program can handle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ngrams: Option<usize>,
    /// Passes over the training texts.
    pub epochs: usize,
    /// Texts in a batch.
    pub batch_size: usize,
    /// What becomes of `batch_size`, `epochs` and the preprocessing's `min_frequency` when there are few texts.
    pub few_texts: FewTexts,
    /// The optimiser's step size; the maximum of the schedule.
    pub learning_rate: f64,
    /// The step size of the linear model, which is fitted by stochastic gradient descent: how far a text moves
    /// its own logit at first, divided by its error (label minus probability). Smaller rates, down to a 16th,
    /// are used where they fit the validation texts better. It starts with a quarter where it goes on from a model.
    pub ngram_learning_rate: f64,
    /// Which optimiser updates the weights.
    pub optimizer: OptimizerKind,
    /// Adam's decoupled weight decay (AdamW); 0 for none.
    pub weight_decay: f64,
    /// The momentum of optimizer `sgd`.
    pub momentum: f64,
    /// Batches whose gradients are averaged into one optimiser step, as if they were one batch.
    pub accumulation: usize,
    /// Decay of an exponential moving average of the weights, such as 0.999; the average is then
    /// validated and kept. 0 for none. It costs a pass over all weights in every step.
    pub average_decay: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Fraction of all steps in which the learning rate rises linearly to the schedule's.
    pub warmup: f64,
    /// Schedules `step` and `plateau`: factor of each reduction of the learning rate.
    pub decay_factor: f64,
    /// Schedule `step`: epochs between two reductions.
    pub decay_epochs: usize,
    /// Schedule `plateau`: validations without a lower loss to tolerate before a reduction.
    pub decay_patience: usize,
    /// Distillation: the share of a teacher's probabilities in the network's targets; the rest is the label's. The
    /// teacher is a linear model over n-grams of one to three words, which has not seen the text: five of them are fitted,
    /// each without a fifth of the texts, whatever their groups. Of a class that few texts have it knows little. 0 for
    /// none, which a training that starts from a model has unless it is set.
    pub distillation: f64,
    /// Windows that the network learns from besides the texts, so many of each: runs of 8 to 80 words, cut at random places
    /// of texts of more than 16 words. Half of a window's target is its text's label, which it need not bear out, and half
    /// what a linear model says of it that has not seen the text (see `distillation`). They count as texts in the progress
    /// and the speed of a training. At most 100; 0 for none, which a training that starts from a model has unless it is set.
    pub windows: usize,
    /// Label smoothing in training: 0.1 turns the labels 0 and 1 of a sigmoid into 0.05 and 0.95; of the C
    /// classes of a softmax, the labelled one into 0.9 + 0.1/C and the others into 0.1/C.
    pub label_smoothing: f64,
    /// Weights of the classes in everything that is fitted and in the loss that selects the model: `none`,
    /// `auto`, `balanced`, or a weight for each of some classes.
    pub class_weights: ClassWeights,
    /// The goal by which decision thresholds are chosen on the validation split and kept in the model; absent for
    /// the most probable class, and a probability of 0.5 for each label where a text may have several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<ThresholdGoal>,
    /// Adversarial training: how far each embedded text is moved, as a fraction of its own norm, in the
    /// direction that raises its loss most; the loss is then the mean over the text and the moved text,
    /// at twice the cost. 0 for none.
    pub adversarial_norm: f64,
    /// How texts are grouped into batches.
    pub batches: BatchOrder,
    /// Largest global norm of the gradient; 0 turns clipping off.
    pub clip_norm: f64,
    /// Whether a batch starts from the previous batch's final state, as in the notebook.
    pub state: StateCarry,
    /// Which model is kept.
    pub keep: Keep,
    /// Whether a kept model's output weights are scaled to calibrate its probabilities on the
    /// validation split (temperature scaling); no predicted class changes, unless `class_weights` weights
    /// the classes: then intercepts are fitted, too.
    pub calibrate: bool,
    /// Whether to retrain on the training and validation texts together, for as long as the selected
    /// model was trained, and keep the result. Validation metrics remain those of the selected model.
    pub refit: bool,
    /// Validations without a lower loss after which training stops early; 0 never stops it early.
    pub patience: usize,
    /// Optimiser steps between validations; 0 validates at the end of each epoch only.
    pub validate_every: usize,
    /// Seed of the split, the initial weights, the dropout and the order of the batches.
    pub seed: u64,
}

/// Whether an embedding that starts from word vectors is trained. Frozen, it is frozen as a whole, in pre-training and
/// retraining, too; words that the vectors lack then keep their random rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VectorTraining {
    /// Like all other weights.
    #[default]
    Tuned,
    /// Not at all.
    Frozen,
    /// Not in the first third of the epochs, rounded to whole ones, and not in pre-training; then like all others.
    FrozenThenTuned,
}

impl VectorTraining {
    /// Whether it is trained from the beginning.
    fn is_tuned(&self) -> bool {
        *self == Self::Tuned
    }

    /// The first epochs in which the embedding is not trained.
    pub(crate) fn n_frozen_epochs(self, epochs: usize) -> usize {
        match self {
            Self::Tuned => 0,
            Self::Frozen => usize::MAX,
            Self::FrozenThenTuned => (epochs + 1) / 3,
        }
    }
}

impl fmt::Display for VectorTraining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tuned => "tuned",
            Self::Frozen => "frozen",
            Self::FrozenThenTuned => "frozen-then-tuned",
        })
    }
}

/// The curve that the learning rate follows; `learning_rate` is its maximum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// A constant rate.
    #[default]
    Constant,
    /// Multiplied by `decay_factor` after every `decay_epochs` epochs
    /// ([StepLR](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html)).
    Step,
    /// Half a cosine wave down to 0
    /// ([CosineAnnealingLR](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html)).
    Cosine,
    /// Up from a 25th of the rate over the first 30 % of the steps, then down to nearly 0, both as
    /// half cosine waves
    /// ([OneCycleLR](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html),
    /// after Smith and Topin 2018).
    OneCycle,
    /// Multiplied by `decay_factor` when more than `decay_patience` validations in a row gave no lower
    /// loss
    /// ([ReduceLROnPlateau](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html),
    /// threshold 0).
    Plateau,
}

/// How texts are grouped into batches. Every text occurs once per epoch either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BatchOrder {
    /// Shuffled texts.
    Shuffled,
    /// Texts of similar length, drawn from shuffled buckets: less padding, and even work for all
    /// threads.
    LengthBuckets,
}

/// Which of the validated models is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// The last, whatever its metrics, as in the notebook.
    Last,
    /// The one with the lowest validation loss (weighted, if classes or texts are): its probabilities are the
    /// most reliable.
    LowestLoss,
    /// The one with the highest validation accuracy (micro F1 where a text may have several labels), often a
    /// later, overconfident one. Weights do not enter.
    HighestAccuracy,
}

/// Where a batch's initial state comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateCarry {
    /// Each batch starts from zeros.
    Zero,
    /// Each batch starts from the previous batch's final state, without its gradient; zeros at the
    /// start of an epoch and for a batch of another size. Texts of different batches are unrelated, so
    /// this is only useful to reproduce the notebook.
    Carry,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            word_vectors: None,
            vectors: VectorTraining::Tuned,
            embedding_std: 1.0,
            ngram_min_texts: 2,
            max_ngrams: None,
            epochs: 4,
            batch_size: 50,
            few_texts: FewTexts::Keep,
            learning_rate: 0.001,
            ngram_learning_rate: 8.0,
            optimizer: OptimizerKind::Adam,
            weight_decay: 0.0,
            momentum: 0.0,
            accumulation: 1,
            average_decay: 0.0,
            schedule: Schedule::Constant,
            warmup: 0.0,
            decay_factor: 0.5,
            decay_epochs: 1,
            decay_patience: 0,
            distillation: 0.0,
            windows: 0,
            label_smoothing: 0.0,
            class_weights: ClassWeights::None,
            threshold: None,
            adversarial_norm: 0.0,
            batches: BatchOrder::Shuffled,
            clip_norm: 5.0,
            state: StateCarry::Carry,
            keep: Keep::Last,
            calibrate: false,
            refit: false,
            patience: 0,
            validate_every: 0,
            seed: 0,
        }
    }
}

impl TrainingConfig {
    /// The optimiser's settings.
    pub fn optimizer(&self) -> OptimizerConfig {
        let &Self { optimizer: kind, weight_decay, momentum, .. } = self;
        OptimizerConfig { kind, weight_decay, momentum }
    }

    /// Checks that a network can be trained like this.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) with the field that does not fit it.
    pub fn check_for(&self, model: &ModelConfig) -> Result<()> {
        let is_calibrated = self.calibrate || model.path_scales.is_constant();
        let expected = "true with model.path_scales by-length, which are a calibration";
        settings::check("calibrate", is_calibrated, expected, self.calibrate)?;
        Ok(())
    }

    /// Checks every value's range.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) with the first field that is out of range.
    pub fn check(&self) -> Result<()> {
        for (field, value) in [
            ("epochs", self.epochs),
            ("batch_size", self.batch_size),
            ("accumulation", self.accumulation),
            ("decay_epochs", self.decay_epochs),
        ] {
            settings::at_least_1(field, value)?;
        }
        settings::above_0("learning_rate", self.learning_rate)?;
        settings::at_least_1("max_ngrams", self.max_ngrams.unwrap_or(1))?;
        settings::above_0("ngram_learning_rate", self.ngram_learning_rate)?;
        settings::above_0("embedding_std", self.embedding_std)?;
        let has_vectors = self.vectors.is_tuned() || self.word_vectors.is_some();
        settings::check("vectors", has_vectors, "tuned without word_vectors", self.vectors)?;
        let is_enough = self.vectors != VectorTraining::FrozenThenTuned || self.epochs > 1;
        let expected = "frozen or tuned with a single epoch, which has no first third";
        settings::check("vectors", is_enough, expected, self.vectors)?;
        self.class_weights.check()?;
        let is_fraction = (0.0..=1.0).contains(&self.warmup);
        settings::check("warmup", is_fraction, "a fraction from 0 to 1", self.warmup)?;
        let (factor, expected) = (self.decay_factor, "above 0 and at most 1");
        settings::check("decay_factor", factor > 0.0 && factor <= 1.0, expected, factor)?;
        settings::rate("label_smoothing", self.label_smoothing)?;
        settings::rate("distillation", self.distillation)?;
        let is_possible = self.windows <= MAX_WINDOWS;
        settings::check("windows", is_possible, "at most 100", self.windows)?;
        settings::rate("average_decay", self.average_decay)?;
        settings::not_negative("adversarial_norm", self.adversarial_norm)?;
        self.optimizer().check()?;
        let is_stable = self.weight_decay * self.learning_rate < 1.0;
        let expected = "less than 1 / learning_rate";
        settings::check("weight_decay", is_stable, expected, self.weight_decay)?;
        let is_planned = !(self.refit && self.schedule == Schedule::Plateau);
        let expected = "false with schedule plateau, which depends on validations";
        settings::check("refit", is_planned, expected, self.refit)?;
        let is_chosen = !(self.patience > 0 && self.keep == Keep::Last);
        let expected = "lowest-loss or highest-accuracy if patience is above 0";
        settings::check("keep", is_chosen, expected, "last")?;
        settings::clip_norm("clip_norm", self.clip_norm)?;
        Ok(())
    }
}
