//! From the rows of three splits, of one table or of several, to what a training takes.

use std::sync::Arc;

use classifier::folder::SeenTexts;
use dataset::{Deduplicated, EncodedSplit, LabelledTexts};
use text_preprocessing::{Encoded, PreprocessingConfig, TextEncoder, text_digest};

use super::{Prepared, task_of};
use crate::error::{Error, Result};
use crate::split_texts::SplitTexts;
use crate::summary::{DataSummary, LeftOut, SplitSummaries, SplitSummary};

/// One digest for the texts of some rows, in any order; `digests`: of every row's text.
pub fn digest_of_rows(digests: &[u64], rows: &[u32]) -> String {
    let words: Vec<String> =
        sorted_digests(digests, rows).iter().map(|digest| format!("{digest:016x}")).collect();
    format!("{:016x}", text_digest(&words.join(" ")))
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

/// The rows of one split.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    /// The table that they are in.
    pub(super) table: &'a LabelledTexts,
    /// The digests of all its texts.
    pub(super) digests: &'a [u64],
    /// The rows.
    pub(super) rows: &'a [u32],
}

/// The rows of the three splits. Their tables have the same classes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) train: Part<'a>,
    pub(super) validation: Part<'a>,
    pub(super) test: Part<'a>,
}

/// How the rows of the training table were used.
#[derive(Debug, Clone)]
pub(super) struct Used {
    /// The result of deduplication.
    pub(super) unique: Deduplicated,
    /// The groups in the splits, if they were made by group.
    pub(super) n_groups: Option<usize>,
    /// What was left out because it is in another file, if there are others.
    pub(super) left_out: Option<LeftOut>,
}

impl Parts<'_> {
    /// Learns the vocabulary from the training texts.
    ///
    /// # Errors
    /// If there are no words.
    pub(super) fn encoder(&self, config: PreprocessingConfig) -> Result<TextEncoder> {
        let Part { table, rows, .. } = self.train;
        let texts: Vec<&str> = table.texts_of(rows).collect();
        Ok(TextEncoder::learn(config, &texts)?)
    }

    /// Encodes all three splits. Weights of texts are divided by the mean of those of the training texts.
    ///
    /// # Errors
    /// If all training or validation texts weigh 0, or the names of the classes are not distinct.
    pub(super) fn prepared(&self, encoder: TextEncoder, used: Used) -> Result<Prepared> {
        let Self { train: of_train, validation: of_validation, test: of_test } = self;
        let table = of_train.table;
        let weights = |part: &Part<'_>, name| scaled_weights(of_train, (part, name));
        let (train, train_counts) = of_train.encoded(&encoder, weights(of_train, "training")?)?;
        let (validation, validation_counts) =
            of_validation.encoded(&encoder, weights(of_validation, "validation")?)?;
        // Nothing is fitted to the test texts, and figures count texts.
        let (test, test_counts) = of_test.encoded(&encoder, None)?;
        let Used { unique, n_groups, left_out } = used;
        let summary = DataSummary {
            n_rows: table.len(),
            n_missing: table.notes().n_skipped(),
            n_duplicates: unique.n_duplicates,
            n_exact_duplicates: unique.n_exact,
            n_conflicting: unique.n_conflicting,
            conflicting_rows: unique.conflicting_rows,
            n_dropped: unique.n_dropped,
            n_groups,
            n_train: train.len(),
            n_validation: validation.len(),
            n_test: test.len(),
            vocab_size: encoder.vocab_size(),
            test_digest: Some(digest_of_rows(of_test.digests, of_test.rows)),
            seq_len: encoder.config().seq_len,
            splits: Some(SplitSummaries {
                train: train_counts,
                validation: validation_counts,
                test: test_counts,
            }),
            left_out,
        };
        let validation_texts = of_validation.texts();
        let seen = SeenTexts {
            train: sorted_digests(of_train.digests, of_train.rows),
            validation: validation_texts.sorted_digests(),
        };
        Ok(Prepared {
            task: task_of(table.classes())?,
            separator: table.classes().separator,
            encoder,
            train,
            validation,
            test,
            validation_texts,
            test_texts: of_test.texts(),
            seen,
            summary,
            start: None,
        })
    }
}

impl Part<'_> {
    /// The texts as ids, with their classes, and what is to be counted of them.
    fn encoded(
        &self,
        encoder: &TextEncoder,
        weights: Option<Vec<f32>>,
    ) -> Result<(Arc<EncodedSplit>, SplitSummary)> {
        let &Self { table, rows, .. } = self;
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
    }

    /// Where the texts come from.
    fn texts(&self) -> SplitTexts {
        SplitTexts::of(self.table, self.digests, self.rows)
    }

    /// The weights of the rows, if texts have any.
    fn weights(&self) -> Option<Vec<f32>> {
        self.table.weights_of(self.rows)
    }
}

/// The weights of a part's rows, so that those of the training texts are 1 on average; `None` if texts have none.
///
/// # Errors
/// [`Error::NoWeight`] if all are 0.
fn scaled_weights(
    train: &Part<'_>,
    (part, name): (&Part<'_>, &'static str),
) -> Result<Option<Vec<f32>>> {
    let Some(weights) = part.weights() else { return Ok(None) };
    let sum = |weights: &[f32]| weights.iter().map(|weight| f64::from(*weight)).sum::<f64>();
    let of_train = train.weights().unwrap_or_default();
    let mean = sum(&of_train) / of_train.len().max(1) as f64;
    if mean > 0.0 && (sum(&weights) > 0.0 || weights.is_empty()) {
        return Ok(Some(weights.into_iter().map(|w| (f64::from(w) / mean) as f32).collect()));
    }
    let part = if mean > 0.0 { name } else { "training" };
    Err(Error::NoWeight { part })
}

fn ids(encoded: Encoded) -> Vec<u32> {
    encoded.ids
}

fn sorted_digests(digests: &[u64], rows: &[u32]) -> Vec<u64> {
    let mut of_rows: Vec<u64> = rows.iter().map(|&row| digests[row as usize]).collect();
    of_rows.sort_unstable();
    of_rows
}
