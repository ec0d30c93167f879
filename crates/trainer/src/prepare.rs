//! From a table of labelled texts to encoded splits.

use std::sync::Arc;

use dataset::{EncodedSplit, LabelledTexts, Split, SplitConfig};
use serde::{Deserialize, Serialize};
use text_preprocessing::{PreprocessingConfig, TextEncoder};

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

/// Removes exact duplicates, splits by class and seed, learns the vocabulary from the training
/// texts and encodes all three splits.
///
/// # Errors
/// If there are too few rows, one class only, or no words.
pub fn prepare(
    table: &LabelledTexts,
    split: &SplitConfig,
    preprocessing: &PreprocessingConfig,
) -> Result<Prepared> {
    let unique = table.deduplicate();
    let split = Split::stratified(table.labels(), &unique.kept, split)?;
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
