//! From a table of labelled texts to encoded splits.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use classifier::folder::SeenTexts;
use dataset::{
    Classes, ColumnChoice, ColumnNames, Conflicts, DataFile, Deduplicated, EncodedSplit,
    LabelOptions, LabelledTexts, MIN_ROWS, ReadNotes, ReadOptions, Split, SplitConfig,
};
use model::Task;
use serde::{Deserialize, Serialize};
use text_preprocessing::{Encoded, PreprocessingConfig, TextEncoder, text_digest, text_digests};

use crate::error::{Error, Result};
use crate::from_model::Start;
use crate::split_texts::SplitTexts;
use crate::summary::{DataSummary, SplitSummaries, SplitSummary};

/// Encoded splits, and the encoder learned from the training split alone.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What is asked about a text, with the names of the classes.
    pub task: Task,
    /// The separator of several labels in one cell, if the labels were read so.
    pub separator: Option<char>,
    /// The encoder.
    pub encoder: TextEncoder,
    /// The training split.
    pub train: Arc<EncodedSplit>,
    /// The validation split, for decisions during training.
    pub validation: Arc<EncodedSplit>,
    /// The test split, scored once, at the end.
    pub test: Arc<EncodedSplit>,
    /// Where the texts of the validation split come from.
    pub validation_texts: SplitTexts,
    /// Where the texts of the test split come from.
    pub test_texts: SplitTexts,
    /// Digests of the training and validation texts.
    pub seen: SeenTexts,
    /// Counts for the user.
    pub summary: DataSummary,
    /// The model from which the training starts, if it starts from one; the encoder is then that model's.
    pub start: Option<Arc<Start>>,
}

/// Which rows of a table are used, and how they are divided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SplitPlan {
    /// Approximate number of texts to use, sampled by class and seed; all if absent.
    pub sample: Option<usize>,
    /// Split fractions and seed.
    pub shares: SplitConfig,
    /// What to do with texts that occur with different labels.
    #[serde(default)]
    pub conflicts: Conflicts,
    /// Which texts count as duplicates.
    #[serde(default = "Duplicates::of_earlier_versions")]
    pub duplicates: Duplicates,
}

/// Which texts count as duplicates; only the first of them is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duplicates {
    /// Those with the same [`text_digest`](text_preprocessing::text_digest): differences in case, space
    /// and punctuation do not count.
    #[default]
    SameWords,
    /// Those that are the same byte for byte, as in version 0.1: needed to reproduce the test split of
    /// a model that it trained.
    SameBytes,
}

impl Duplicates {
    /// The rule for plans that do not name one.
    fn of_earlier_versions() -> Self {
        Self::SameBytes
    }
}

/// Labelled texts in a file, and how to prepare them.
#[derive(Debug, Clone, Copy)]
pub struct DataRequest<'a> {
    /// The file.
    pub file: &'a DataFile,
    /// Its columns.
    pub columns: &'a ColumnChoice,
    /// What its labels mean.
    pub labels: &'a LabelOptions,
    /// How it is to be read.
    pub options: &'a ReadOptions,
    /// The split.
    pub plan: &'a SplitPlan,
    /// How texts become ids.
    pub preprocessing: &'a PreprocessingConfig,
}

/// The result of a [`DataRequest`].
#[derive(Debug, Clone)]
pub struct LoadedData {
    /// The encoded splits.
    pub data: Prepared,
    /// The columns that were read.
    pub columns: ColumnNames,
    /// The reader's notes for the user.
    pub notes: ReadNotes,
    /// [`LabelledTexts::fingerprint`] of the file's contents.
    pub fingerprint: String,
    /// Whether it came from the cache.
    pub is_cached: bool,
}

/// A split table, before its texts are encoded.
#[derive(Debug, Clone)]
pub struct Divided {
    /// The rows of each split.
    pub split: Split,
    /// The result of deduplication.
    pub unique: Deduplicated,
    /// The digest of every row's text ([`text_digest`](text_preprocessing::text_digest)).
    pub digests: Vec<u64>,
}

/// Removes repeated texts, draws the sample, and splits by class and seed, or by group where the table
/// has groups. No text and no group is ever in two splits.
///
/// # Errors
/// If there are too few rows, texts or groups, one class only, or texts with different labels where the plan
/// forbids them.
pub fn split(table: &LabelledTexts, plan: &SplitPlan) -> Result<Divided> {
    Ok(divide(table, plan).map_err(|error| table.worded(error))?)
}

fn divide(table: &LabelledTexts, plan: &SplitPlan) -> dataset::Result<Divided> {
    let Chosen { unique, digests, rows } = choose(table, plan)?;
    let split = divide_rows(table, &rows, plan)?;
    Ok(Divided { split, unique, digests })
}

/// The rows of a table that are used, before they are divided.
pub(crate) struct Chosen {
    pub(crate) unique: Deduplicated,
    /// Of every row's text.
    pub(crate) digests: Vec<u64>,
    pub(crate) rows: Vec<u32>,
}

/// Removes repeated texts, and draws the sample.
pub(crate) fn choose(table: &LabelledTexts, plan: &SplitPlan) -> dataset::Result<Chosen> {
    let texts: Vec<&str> = table.texts().collect();
    let digests = text_digests(&texts);
    let unique = match plan.duplicates {
        Duplicates::SameWords => table.deduplicate(&digests, plan.conflicts)?,
        Duplicates::SameBytes => table.deduplicate(&byte_digests(table), plan.conflicts)?,
    };
    let n_unique = unique.kept.len();
    if n_unique < MIN_ROWS && n_unique < table.len() {
        let (n_rows, n_texts, needed) = (table.len(), n_unique, MIN_ROWS);
        return Err(dataset::Error::TooFewTexts { n_rows, n_texts, needed });
    }
    let rows = match plan.sample {
        Some(n_rows) if n_rows < n_unique => {
            // The training part of a stratified split is a sample that keeps the class fractions.
            let share = n_rows as f64 / n_unique as f64;
            let shares = SplitConfig {
                train: share,
                validation: 1.0 - share,
                test: 0.0,
                seed: plan.shares.seed,
            };
            Split::stratified(table.targets(), table.classes(), &unique.kept, &shares)?.train
        }
        _ => unique.kept.clone(),
    };
    Ok(Chosen { unique, digests, rows })
}

/// Divides some rows of a table by class and seed, or by group.
pub(crate) fn divide_rows(
    table: &LabelledTexts,
    rows: &[u32],
    plan: &SplitPlan,
) -> dataset::Result<Split> {
    match table.groups() {
        None => Split::stratified(table.targets(), table.classes(), rows, &plan.shares),
        Some(groups) => {
            Split::grouped(table.targets(), table.classes(), rows, groups, &plan.shares)
                .map_err(|error| in_file(table, error))
        }
    }
}

/// Replaces a row of the table in an error by the row of the file.
fn in_file(table: &LabelledTexts, error: dataset::Error) -> dataset::Error {
    match error {
        dataset::Error::LargeGroup { n_rows, n_all, row } => {
            dataset::Error::LargeGroup { n_rows, n_all, row: table.file_row(row as u32 - 1) }
        }
        other => other,
    }
}

/// Digests that are equal for texts of the same bytes.
fn byte_digests(table: &LabelledTexts) -> Vec<u64> {
    let digest = |text: &str| {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        hasher.finish()
    };
    table.texts().map(digest).collect()
}

/// Splits a table ([`split`]), learns the vocabulary from the training texts and encodes all three
/// splits. Weights of texts are divided by the mean of those of the training texts.
///
/// # Errors
/// As [`split`], and if there are no words, all training texts weigh 0, or the names of the classes are not
/// distinct.
pub fn prepare(
    table: &LabelledTexts,
    plan: &SplitPlan,
    preprocessing: &PreprocessingConfig,
) -> Result<Prepared> {
    let divided = split(table, plan)?;
    let train_texts: Vec<&str> = table.texts_of(&divided.split.train).collect();
    let encoder = TextEncoder::learn(preprocessing.clone(), &train_texts)?;
    drop(train_texts);
    encode(table, divided, encoder)
}

/// Encodes all three splits of a table.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn encode(
    table: &LabelledTexts,
    divided: Divided,
    encoder: TextEncoder,
) -> Result<Prepared> {
    let Divided { split, unique, digests } = divided;
    let encode = |rows: &[u32], weights: Option<Vec<f32>>| -> Result<_> {
        let texts: Vec<&str> = table.texts_of(rows).collect();
        let targets = table.targets_of(rows);
        let encoded = encoder.encode_batch_counted(&texts)?;
        let summary = SplitSummary::of(&encoded, &targets, table.classes().len());
        let summary = summary.with_scripts(&texts);
        let encoded = EncodedSplit::with_targets(encoded.into_iter().map(ids), targets)?;
        let encoded = match weights {
            Some(weights) => encoded.with_weights(weights)?,
            None => encoded,
        };
        Ok((Arc::new(encoded), summary))
    };
    let weights = |rows, part| scaled_weights(table, &split.train, (rows, part));
    let (train, of_train) = encode(&split.train, weights(&split.train, "training")?)?;
    let (validation, of_validation) =
        encode(&split.validation, weights(&split.validation, "validation")?)?;
    // Nothing is fitted to the test texts, and figures count texts.
    let (test, of_test) = encode(&split.test, None)?;
    let summary = DataSummary {
        n_rows: table.len(),
        n_missing: table.notes().n_skipped(),
        n_duplicates: unique.n_duplicates,
        n_exact_duplicates: unique.n_exact,
        n_conflicting: unique.n_conflicting,
        conflicting_rows: unique.conflicting_rows,
        n_dropped: unique.n_dropped,
        n_groups: table.groups().map(|groups| n_groups(groups, &split)),
        n_train: train.len(),
        n_validation: validation.len(),
        n_test: test.len(),
        vocab_size: encoder.vocab_size(),
        test_digest: Some(digest_of_rows(&digests, &split.test)),
        seq_len: encoder.config().seq_len,
        splits: Some(SplitSummaries { train: of_train, validation: of_validation, test: of_test }),
    };
    let validation_texts = SplitTexts::of(table, &digests, &split.validation);
    let test_texts = SplitTexts::of(table, &digests, &split.test);
    let seen = SeenTexts {
        train: sorted_digests(&digests, &split.train),
        validation: validation_texts.sorted_digests(),
    };
    let task = task_of(table.classes())?;
    Ok(Prepared {
        task,
        separator: table.classes().separator,
        encoder,
        train,
        validation,
        test,
        validation_texts,
        test_texts,
        seen,
        summary,
        start: None,
    })
}

/// The weights of some rows, so that those of the training texts are 1 on average; `None` if texts have none.
///
/// # Errors
/// [`Error::NoWeight`] if all are 0.
fn scaled_weights(
    table: &LabelledTexts,
    train: &[u32],
    (rows, part): (&[u32], &'static str),
) -> Result<Option<Vec<f32>>> {
    let Some(weights) = table.weights_of(rows) else { return Ok(None) };
    let sum = |weights: &[f32]| weights.iter().map(|weight| f64::from(*weight)).sum::<f64>();
    let of_train = table.weights_of(train).unwrap_or_default();
    let mean = sum(&of_train) / of_train.len().max(1) as f64;
    if mean > 0.0 && (sum(&weights) > 0.0 || rows.is_empty()) {
        return Ok(Some(weights.into_iter().map(|w| (f64::from(w) / mean) as f32).collect()));
    }
    let part = if mean > 0.0 { part } else { "training" };
    Err(Error::NoWeight { part })
}

/// The task of a table's labels.
///
/// # Errors
/// If the names of the classes are not distinct.
pub fn task_of(classes: &Classes) -> Result<Task> {
    let kind = match classes.task {
        dataset::TaskKind::Binary => model::TaskKind::Binary,
        dataset::TaskKind::OneOf => model::TaskKind::OneOf,
        dataset::TaskKind::AnyOf => model::TaskKind::AnyOf,
    };
    Ok(Task::new(kind, classes.names.iter().cloned())?)
}

/// The classes of a model, as those of a table whose labels must be among them. `separator`: of several labels
/// in one cell.
pub fn classes_of(task: &Task, separator: Option<char>) -> Classes {
    let kind = match task.kind() {
        model::TaskKind::Binary => dataset::TaskKind::Binary,
        model::TaskKind::OneOf => dataset::TaskKind::OneOf,
        model::TaskKind::AnyOf => dataset::TaskKind::AnyOf,
    };
    Classes { separator, ..Classes::new(kind, task.classes().to_vec()) }
}

fn ids(encoded: Encoded) -> Vec<u32> {
    encoded.ids
}

fn n_groups(groups: &[u32], split: &Split) -> usize {
    let rows = split.train.iter().chain(&split.validation).chain(&split.test);
    rows.map(|&row| groups[row as usize]).collect::<HashSet<u32>>().len()
}

/// One digest for the texts of some rows, in any order; `digests`: of every row's text.
pub fn digest_of_rows(digests: &[u64], rows: &[u32]) -> String {
    let words: Vec<String> =
        sorted_digests(digests, rows).iter().map(|digest| format!("{digest:016x}")).collect();
    format!("{:016x}", text_digest(&words.join(" ")))
}

fn sorted_digests(digests: &[u64], rows: &[u32]) -> Vec<u64> {
    let mut of_rows: Vec<u64> = rows.iter().map(|&row| digests[row as usize]).collect();
    of_rows.sort_unstable();
    of_rows
}

/// Encodes some rows of a table, with their classes and without their weights.
///
/// # Errors
/// If a text cannot be encoded.
pub fn encode_rows(
    table: &LabelledTexts,
    rows: &[u32],
    encoder: &TextEncoder,
) -> Result<EncodedSplit> {
    let texts: Vec<&str> = table.texts_of(rows).collect();
    Ok(EncodedSplit::with_targets(encoder.encode_batch(&texts)?, table.targets_of(rows))?)
}
