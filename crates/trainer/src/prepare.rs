//! From a table of labelled texts to encoded splits.

use std::path::Path;
use std::sync::Arc;

use dataset::{
    ColumnChoice, ColumnNames, Deduplicated, EncodedSplit, LabelledTexts, Split, SplitConfig,
};
use serde::{Deserialize, Serialize};
use text_preprocessing::{PreprocessingConfig, TextEncoder};

use crate::cache::Cache;
use crate::error::Result;

/// Encoded splits and the encoder that was learned from the training split alone.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The encoder.
    pub encoder: TextEncoder,
    /// What is trained on.
    pub train: Arc<EncodedSplit>,
    /// What decisions during training are made on.
    pub validation: Arc<EncodedSplit>,
    /// What is looked at once, at the end.
    pub test: Arc<EncodedSplit>,
    /// Counts for people to see.
    pub summary: DataSummary,
}

/// What became of a table's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSummary {
    /// Rows read.
    pub n_rows: usize,
    /// Rows left out because an earlier row has exactly the same text.
    pub n_duplicates: usize,
    /// Rows left out whose label differs from that of the row that was kept.
    pub n_conflicting: usize,
    /// Rows of the training split.
    pub n_train: usize,
    /// Rows of the validation split.
    pub n_validation: usize,
    /// Rows of the test split.
    pub n_test: usize,
    /// Ids of the vocabulary.
    pub vocab_size: usize,
}

/// Which rows of a table are used, and how they are divided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SplitPlan {
    /// Use only about so many texts, drawn by class and seed; all if absent.
    pub sample: Option<usize>,
    /// Shares and seed.
    pub shares: SplitConfig,
}

/// Labelled texts in a file, and what is to become of them.
#[derive(Debug, Clone, Copy)]
pub struct DataRequest<'a> {
    /// The file.
    pub path: &'a Path,
    /// Its columns.
    pub columns: &'a ColumnChoice,
    /// The split.
    pub plan: &'a SplitPlan,
    /// How texts become ids.
    pub preprocessing: &'a PreprocessingConfig,
}

/// What became of a [`DataRequest`].
#[derive(Debug, Clone)]
pub struct LoadedData {
    /// The encoded splits.
    pub data: Prepared,
    /// The columns that were read.
    pub columns: ColumnNames,
    /// [`LabelledTexts::fingerprint`] of the file's contents.
    pub fingerprint: String,
    /// Whether it came out of the cache.
    pub is_cached: bool,
}

/// Reads a file and [`prepare`]s it, or takes what an earlier call made of the same bytes with the
/// same settings out of the cache.
///
/// # Errors
/// As [`LabelledTexts::read`] and [`prepare`]. A cache that cannot be read or written is no error.
pub fn load(request: &DataRequest<'_>, cache: Option<&Cache>) -> Result<LoadedData> {
    let entry = cache.and_then(|cache| Some((cache, cache.entry(request)?)));
    if let Some((cache, entry)) = &entry
        && let Some(loaded) = cache.load(entry, request)
    {
        return Ok(loaded);
    }
    let table = LabelledTexts::read(request.path, request.columns)?;
    // The digest needs one core, the words all that are there.
    let (fingerprint, data) = rayon::join(
        || table.fingerprint(),
        || prepare(&table, request.plan, request.preprocessing),
    );
    let columns = table.columns().clone();
    let loaded = LoadedData { data: data?, columns, fingerprint, is_cached: false };
    // A file that was changed while it was read must not be kept under its old contents' name.
    if let Some((cache, entry)) = &entry
        && cache.entry(request).as_ref() == Some(entry)
    {
        let _ = cache.store(entry, &loaded);
    }
    Ok(loaded)
}

/// Removes exact duplicates, draws the sample, and splits by class and seed.
///
/// # Errors
/// If there are too few rows or one class only.
pub fn split(table: &LabelledTexts, plan: &SplitPlan) -> Result<(Split, Deduplicated)> {
    let unique = table.deduplicate();
    let n_unique = unique.kept.len();
    let sampled = match plan.sample {
        Some(n_rows) if n_rows < n_unique => {
            // The training part of a split is a sample that keeps the shares of the classes.
            let share = n_rows as f64 / n_unique as f64;
            let shares = SplitConfig {
                train: share,
                validation: 1.0 - share,
                test: 0.0,
                seed: plan.shares.seed,
            };
            &Split::stratified(table.labels(), &unique.kept, &shares)?.train
        }
        _ => &unique.kept,
    };
    let split = Split::stratified(table.labels(), sampled, &plan.shares)?;
    Ok((split, unique))
}

/// Splits a table ([`split`]), learns the vocabulary from the training texts and encodes all three
/// parts.
///
/// # Errors
/// If there are too few rows, one class only, or no words.
pub fn prepare(
    table: &LabelledTexts,
    plan: &SplitPlan,
    preprocessing: &PreprocessingConfig,
) -> Result<Prepared> {
    let (split, unique) = split(table, plan)?;
    let train_texts: Vec<&str> = table.texts_of(&split.train).collect();
    let encoder = TextEncoder::learn(preprocessing.clone(), &train_texts)?;
    drop(train_texts);
    let encode = |rows: &[u32]| encode_rows(table, rows, &encoder).map(Arc::new);
    let (train, validation, test) =
        (encode(&split.train)?, encode(&split.validation)?, encode(&split.test)?);
    let summary = DataSummary {
        n_rows: table.len(),
        n_duplicates: unique.n_duplicates,
        n_conflicting: unique.n_conflicting,
        n_train: train.len(),
        n_validation: validation.len(),
        n_test: test.len(),
        vocab_size: encoder.vocab_size(),
    };
    Ok(Prepared { encoder, train, validation, test, summary })
}

/// Encodes some rows of a table.
///
/// # Errors
/// If a text cannot be encoded.
pub fn encode_rows(
    table: &LabelledTexts,
    rows: &[u32],
    encoder: &TextEncoder,
) -> Result<EncodedSplit> {
    let texts: Vec<&str> = table.texts_of(rows).collect();
    Ok(EncodedSplit::new(encoder.encode_batch(&texts)?, table.labels_of(rows))?)
}
