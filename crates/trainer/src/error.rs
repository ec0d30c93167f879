//! Errors of training and evaluation.

use std::path::PathBuf;

use crate::state::Difference;
use crate::summary::{LeftOut, SharedGroups};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why training or evaluation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is outside its range.
    #[error(transparent)]
    Config(#[from] recurrent::OutOfRange),
    /// The loss, the gradient or the weights became infinite or not a number.
    #[error(
        "the {quantity} became {value} in epoch {epoch} at step {step} (learning rate {learning_rate}{batch}); \
         {kept}"
    )]
    NonFinite {
        /// The quantity.
        quantity: String,
        /// Its value.
        value: f64,
        /// Epoch, from 1.
        epoch: usize,
        /// Optimiser step since the start, from 1.
        step: usize,
        /// Learning rate of the step.
        learning_rate: f64,
        /// The batch and the first few of its rows of the training split, in words; empty if a
        /// validation found it.
        batch: String,
        /// Which model was kept, in words.
        kept: String,
    },
    /// The loss, the gradient or the weights became infinite or not a number in retraining.
    #[error(
        "the {quantity} became {value} at step {step} of retraining (learning rate {learning_rate}); \
         the model of the first training run was kept; set refit = false"
    )]
    Refit {
        /// The quantity.
        quantity: String,
        /// Its value.
        value: f64,
        /// Optimiser step, from 1.
        step: usize,
        /// Learning rate of the step.
        learning_rate: f64,
    },
    /// Fitting the linear path gave a value that is not finite.
    #[error(
        "the linear path's {quantity} became {value} (ngram_learning_rate {rate}); try a lower \
         ngram_learning_rate"
    )]
    LinearPath {
        /// The quantity.
        quantity: &'static str,
        /// Its value.
        value: f32,
        /// Its learning rate.
        rate: f64,
    },
    /// The loss or the gradient of pre-training became infinite or not a number.
    #[error(
        "the loss or the gradient became {value} in epoch {epoch} of pre-training at step {step} \
         (learning rate {learning_rate}); try a lower pretraining.learning_rate or pretraining.clip_norm"
    )]
    Pretraining {
        /// Its value.
        value: f64,
        /// Epoch, from 1.
        epoch: usize,
        /// Optimiser step, from 1.
        step: usize,
        /// Learning rate of the step.
        learning_rate: f64,
    },
    /// A store of word vectors cannot be read.
    #[error(transparent)]
    Vectors(#[from] word_vectors::Error),
    /// Word vectors do not have the embedding's dimension.
    #[error(
        "{path} has {dim}-dimensional vectors, but model.embedding_dim is {embedding_dim}; set \
         model.embedding_dim={dim}"
    )]
    VectorWidth {
        /// The file.
        path: PathBuf,
        /// Dimension of its vectors.
        dim: usize,
        /// Dimension of the embedding.
        embedding_dim: usize,
    },
    /// Too few texts are new to the model that a training starts from.
    #[error(
        "{n_learned} of the texts are for training only, because the model has seen them, or texts of their group; the \
         other {n_new} cannot be divided into training, validation and test: {reason}; add texts that are new to the model"
    )]
    NewTexts {
        /// Texts that are new to it.
        n_new: usize,
        /// Texts that it has learned, was chosen by, or that are of a group with one of these.
        n_learned: usize,
        /// Why the new ones cannot be divided.
        reason: String,
    },
    /// Most texts have labels of the model that a training starts from, but not all labels can be read as its classes.
    #[error(
        "of {n_rows} rows with labels, {n_known} have those of the model, so that all must be read as its classes"
    )]
    OtherLabels {
        /// Rows whose labels the model knows.
        n_known: usize,
        /// Rows that have a label.
        n_rows: usize,
        /// The first other label, if it is one, and no label map says what labels stand for.
        label: Option<String>,
        /// What the labels would mean if they were not the model's.
        task: dataset::TaskKind,
        /// What is wrong, and where.
        source: Box<dataset::Error>,
    },
    /// There are fewer training texts than one batch needs.
    #[error(
        "{rows} training texts are fewer than one batch of {batch_size}; use more data or a smaller training.batch_size"
    )]
    FewerThanABatch {
        /// Texts in the training split.
        rows: usize,
        /// Configured batch size.
        batch_size: usize,
    },
    /// No validation had a finite loss, so there is no model.
    #[error(
        "the validation loss was never finite, so no model was kept; try a lower training.learning_rate"
    )]
    NothingKept,
    /// A split to score has no labels, or those of another task.
    #[error("the texts have no labels that predictions can be compared with")]
    NoLabels,
    /// All texts of a split weigh 0.
    #[error("all {part} texts have weight 0; give more of them a weight above 0")]
    NoWeight {
        /// The split.
        part: &'static str,
    },
    /// Too few texts of a file are left, because they are also in others.
    #[error("{}", nothing_left(part, (*n_texts, *n_left, *needed), left_out))]
    NothingLeft {
        /// `training`, `validation` or `test`.
        part: &'static str,
        /// Its texts, without repeated training texts.
        n_texts: usize,
        /// Those that are in no other file.
        n_left: usize,
        /// How many are needed.
        needed: usize,
        /// What was left out.
        left_out: Box<LeftOut>,
    },
    /// The tables of a training have different classes.
    #[error("the {part} texts have other classes than the training texts")]
    OtherClasses {
        /// The split.
        part: &'static str,
    },
    /// Training texts have groups, but there is nothing to be divided by group.
    #[error(
        "groups have no use here: the validation texts are given, so the training texts are not divided"
    )]
    NotDivided,
    /// Texts that the user divided are to be divided into folds.
    #[error("folds divide one table; these texts are divided already")]
    FoldOfOwnSplits,
    /// Something is wrong with a file of a training that has several.
    #[error("{}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<Error>,
    },
    /// A class weight is for a class that does not exist.
    #[error(
        "class_weights names {name:?}, which is not a class; the classes are {}{}",
        quoted(classes),
        nearest.as_ref().map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"))
    )]
    UnknownClass {
        /// The name.
        name: String,
        /// The classes.
        classes: Vec<String>,
        /// The most similar class, if one is similar.
        nearest: Option<String>,
    },
    /// A goal for decision thresholds does not suit the task.
    #[error(
        "threshold {goal} needs two classes, or texts with several labels: where a text has one class of several, \
         only f1 is possible"
    )]
    ThresholdGoal {
        /// The goal.
        goal: String,
    },
    /// `metrics.json` of a model folder could not be read.
    #[error("{path} cannot be read as a training report: {reason}")]
    Report {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A gradient does not match the optimiser's parameters.
    #[error("a gradient does not match the optimiser's parameters: {reason}")]
    Gradient {
        /// What is wrong with it.
        reason: String,
    },
    /// A saved state cannot be used.
    #[error("cannot go on from {path}: {reason}")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A saved state belongs to another training.
    #[error("{path} was saved by another training: {}", listed(differences))]
    OtherTraining {
        /// The file.
        path: PathBuf,
        /// In what that training differs from this one.
        differences: Vec<Difference>,
    },
    /// A part of a training cannot be saved.
    #[error("the {what} of the training cannot be saved: {reason}")]
    Unsaveable {
        /// The part.
        what: String,
        /// Why not.
        reason: String,
    },
    /// A file of a run could not be written.
    #[error("cannot write {path}")]
    Unwritten {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file could not be read.
    #[error("cannot read {path}")]
    Unread {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The training stopped because a file of its run could not be written; it can go on from its last checkpoint.
    #[error(
        "the training stopped: {}; {}", chain(cause),
        last.as_ref().map_or_else(
            || "there is no checkpoint yet, so it has to start again".to_string(),
            |path| format!("its last whole checkpoint is {}", path.display()),
        )
    )]
    RunStopped {
        /// What could not be written.
        cause: Box<Error>,
        /// The last whole checkpoint, if there is one.
        last: Option<PathBuf>,
    },
    /// A file of a run folder is not what it should be.
    #[error("{path} cannot be read as {what}: {reason}")]
    RunFile {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// An observer failed, so the training stopped.
    #[error("the training stopped, because its observer failed: {reason}")]
    Observer {
        /// What it said.
        reason: String,
    },
    /// The data could not be read or split.
    #[error(transparent)]
    Data(#[from] dataset::Error),
    /// The texts could not be encoded.
    #[error(transparent)]
    Text(#[from] text_preprocessing::Error),
    /// Predictions could not be measured.
    #[error(transparent)]
    Measures(#[from] measures::Error),
    /// The network reported an error.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// A trained model could not be saved, opened or asked.
    #[error(transparent)]
    Classifier(#[from] classifier::Error),
    /// The recurrent layers reported an error.
    #[error(transparent)]
    Recurrent(#[from] recurrent::Error),
    /// Candle reported an error.
    #[error("{}", model::error_in_words(.0))]
    Candle(candle_core::Error),
}

impl Error {
    /// Whether values became infinite or not a number, which a lower learning rate may prevent. A model
    /// kept before is unaffected.
    pub fn is_divergence(&self) -> bool {
        matches!(
            self,
            Self::NonFinite { .. }
                | Self::Refit { .. }
                | Self::Pretraining { .. }
                | Self::LinearPath { .. }
        )
    }

    /// Whether a device has no memory left.
    pub fn is_out_of_memory(&self) -> bool {
        match self {
            Self::Candle(error) => model::is_out_of_memory(error),
            Self::Recurrent(error) => error.is_out_of_memory(),
            Self::Model(error) => error.is_out_of_memory(),
            Self::Classifier(error) => error.is_out_of_memory(),
            Self::RunStopped { cause, .. } => cause.is_out_of_memory(),
            _ => false,
        }
    }

    /// A gradient whose dtype differs from its parameter's.
    pub(crate) fn other_dtype() -> Self {
        Self::Gradient { reason: "its dtype differs from its parameter's".to_string() }
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Candle(error)
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn listed(differences: &[Difference]) -> String {
    let words: Vec<String> = differences.iter().map(ToString::to_string).collect();
    words.join("; ")
}

/// Why too few texts are left of `(n_texts, n_left, needed)`.
fn nothing_left(
    part: &str,
    (n_texts, n_left, needed): (usize, usize, usize),
    left_out: &LeftOut,
) -> String {
    let (in_test, in_validation) = match part {
        "training" => (left_out.n_train_in_test, left_out.n_train_in_validation),
        _ => (left_out.n_validation_in_test, 0),
    };
    let also = [(in_test, "test"), (in_validation, "validation")];
    let also = also.into_iter().filter(|(n_also, _)| *n_also > 0);
    let mut also: Vec<String> =
        also.map(|(n_also, file)| format!("{n_also} also in the {file} file")).collect();
    if let ("training", Some(SharedGroups { n_texts: n @ 1.., .. })) = (part, left_out.groups) {
        also.push(format!("{n} of groups in the test file"));
    }
    if also.is_empty() {
        return format!("there are no {part} texts");
    }
    let left = match n_left {
        0 => format!("none of the {n_texts} {part} texts is left"),
        _ => {
            format!("only {n_left} of the {n_texts} {part} texts are left, and {needed} are needed")
        }
    };
    format!("{left}: {}", also.join(", "))
}

/// Names for a message: `"a", "b" and 3 more`.
pub(crate) fn quoted(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("{name:?}")).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        n_more => format!("{} and {n_more} more", shown.join(", ")),
    }
}
