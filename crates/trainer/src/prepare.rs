//! From a table of labelled texts to encoded splits.

mod classes;
mod overlaps;
mod own;
mod parts;

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use classifier::folder::SeenTexts;
use dataset::{
    Conflicts, Deduplicated, EncodedSplit, Fold, LabelledTexts, MIN_ROWS, Split, SplitConfig,
};
use model::Task;
use serde::{Deserialize, Serialize};
use text_preprocessing::{PreprocessingConfig, TextEncoder, text_digests};

pub use self::classes::{classes_of, task_of};
pub use self::own::prepare_own;
pub(crate) use self::own::prepare_own_few;
pub use self::parts::{digest_of_rows, encode_rows};

use self::parts::{Part, Parts, Used};

use crate::error::Result;
use crate::few_texts::{FewTexts, counted};
use crate::from_model::Start;
use crate::split_texts::SplitTexts;
use crate::summary::DataSummary;

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
    /// The fold that is the test, in a cross-validation; absent for a test drawn by `shares`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<Fold>,
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
    let digests = digests_of(table);
    let unique = unique(table, &digests, plan)?;
    let rows = sampled(table, &unique.kept, plan)?.into_owned();
    Ok(Chosen { unique, digests, rows })
}

/// The digest of every row's text.
fn digests_of(table: &LabelledTexts) -> Vec<u64> {
    text_digests(&table.texts().collect::<Vec<_>>())
}

/// Removes repeated texts; `digests`: of every row's text.
fn unique(
    table: &LabelledTexts,
    digests: &[u64],
    plan: &SplitPlan,
) -> dataset::Result<Deduplicated> {
    let unique = match plan.duplicates {
        Duplicates::SameWords => table.deduplicate(digests, plan.conflicts)?,
        Duplicates::SameBytes => table.deduplicate(&byte_digests(table), plan.conflicts)?,
    };
    let n_unique = unique.kept.len();
    if n_unique < MIN_ROWS && n_unique < table.len() {
        let (n_rows, n_texts, needed) = (table.len(), n_unique, MIN_ROWS);
        return Err(dataset::Error::TooFewTexts { n_rows, n_texts, needed });
    }
    Ok(unique)
}

/// The sample from some rows, if the plan has one.
fn sampled<'a>(
    table: &LabelledTexts,
    rows: &'a [u32],
    plan: &SplitPlan,
) -> dataset::Result<Cow<'a, [u32]>> {
    let n_unique = rows.len();
    Ok(match plan.sample {
        Some(n_rows) if n_rows < n_unique => {
            // The training part of a stratified split is a sample that keeps the class fractions.
            let share = n_rows as f64 / n_unique as f64;
            let shares = SplitConfig {
                train: share,
                validation: 1.0 - share,
                test: 0.0,
                seed: plan.shares.seed,
            };
            Split::stratified(table.targets(), table.classes(), rows, &shares)?.train.into()
        }
        _ => rows.into(),
    })
}

/// Divides some rows of a table by class and seed, or by group; or takes the plan's fold for the test.
pub(crate) fn divide_rows(
    table: &LabelledTexts,
    rows: &[u32],
    plan: &SplitPlan,
) -> dataset::Result<Split> {
    let (targets, classes, groups) = (table.targets(), table.classes(), table.groups());
    if let Some(fold) = plan.fold {
        return Split::fold(targets, classes, rows, groups, fold, &plan.shares)
            .map_err(|error| in_file(table, error));
    }
    match groups {
        None => Split::stratified(targets, classes, rows, &plan.shares),
        Some(groups) => Split::grouped(targets, classes, rows, groups, &plan.shares)
            .map_err(|error| in_file(table, error)),
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
    prepare_few(table, plan, (preprocessing, FewTexts::Keep))
}

/// The same, with settings that may follow the number of texts.
pub(crate) fn prepare_few(
    table: &LabelledTexts,
    plan: &SplitPlan,
    (preprocessing, few_texts): (&PreprocessingConfig, FewTexts),
) -> Result<Prepared> {
    let divided = split(table, plan)?;
    let Split { train, validation, test } = &divided.split;
    let n_train = counted(plan, [train, validation, test].map(Vec::len));
    let config = few_texts.preprocessing(preprocessing, n_train);
    let encoder = parts(table, &divided).encoder(config)?;
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
    let n_groups = table.groups().map(|groups| n_groups(groups, &divided.split));
    let used = Used { unique: divided.unique.clone(), n_groups, left_out: None };
    parts(table, &divided).prepared(encoder, used)
}

fn parts<'a>(table: &'a LabelledTexts, divided: &'a Divided) -> Parts<'a> {
    let Divided { split, digests, .. } = divided;
    let part = |rows| Part { table, digests, rows };
    Parts {
        train: part(&split.train),
        validation: part(&split.validation),
        test: part(&split.test),
    }
}

fn n_groups(groups: &[u32], split: &Split) -> usize {
    let rows = split.train.iter().chain(&split.validation).chain(&split.test);
    rows.map(|&row| groups[row as usize]).collect::<HashSet<u32>>().len()
}
