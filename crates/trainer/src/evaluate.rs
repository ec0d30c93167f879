//! Logits and metrics of a network over whole splits, without gradients.

use std::ops::ControlFlow;

use classifier::{Classifier, PathLogits};
use dataset::{BatchPadding, EncodedSplit, Targets};
use measures::{Intervals, Metrics};
use model::{ModelConfig, Padding, RecurrentClassifier};

use crate::error::{Error, Result};
use crate::paths::{PathScores, scores};
use crate::scoring::{intervals_of, metrics_of};

/// How batches of a network are padded: one that computes padding needs its full `seq_len`.
pub(crate) fn batch_padding(config: &ModelConfig, seq_len: usize) -> BatchPadding {
    match config.padding {
        Padding::Skip => BatchPadding::Longest,
        Padding::Compute => BatchPadding::Fixed(seq_len),
    }
}

/// The logits of every row of a split, in the split's order: `[N·O]`, row by row.
///
/// `seq_len`: the encoder's. `on_rows` is called with the number of rows of each batch.
///
/// # Errors
/// [`classifier::Error::NonFinite`] if a logit is not finite, because weights are not; if an id is unknown to
/// the network or the device fails.
pub fn logits(
    network: &RecurrentClassifier,
    split: &EncodedSplit,
    seq_len: usize,
    on_rows: &mut dyn FnMut(usize),
) -> Result<Vec<f32>> {
    Ok(finite_path_logits(network, split, seq_len, &mut without_stopping(on_rows))?.1)
}

/// The logits of each path, and their sum, which is finite. `on_rows` may stop, which is
/// [`classifier::Error::Stopped`].
pub(crate) fn finite_path_logits(
    network: &RecurrentClassifier,
    split: &EncodedSplit,
    seq_len: usize,
    on_rows: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<(PathLogits, Vec<f32>)> {
    let of_paths = path_logits(network, split, seq_len, on_rows)?;
    let logits = of_paths.finite_sum()?;
    Ok((of_paths, logits))
}

/// The logits of each path of a network for every row of a split, in the split's order, finite or not. `on_rows`
/// may stop, as above.
pub(crate) fn path_logits(
    network: &RecurrentClassifier,
    split: &EncodedSplit,
    seq_len: usize,
    on_rows: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<PathLogits> {
    let rows: Vec<&[u32]> = (0..split.len()).map(|row| split.row(row)).collect();
    Ok(classifier::path_logits(network, &rows, seq_len, on_rows)?)
}

/// What a test measures.
#[derive(Debug, Clone)]
pub struct Measurements {
    /// Of the network.
    pub metrics: Metrics,
    /// 95 % bootstrap intervals of these metrics.
    pub intervals: Intervals,
    /// Each path alone, if it has two.
    pub alone: Option<PathScores>,
}

/// Metrics of a model on a labelled split.
///
/// # Errors
/// [`Error::NoLabels`] if the split has none, or those of another task; as [`logits`].
pub fn evaluate(
    model: &Classifier,
    split: &EncodedSplit,
    on_rows: &mut dyn FnMut(usize),
) -> Result<Metrics> {
    let targets = targets_of(split)?;
    let logits = logits(model.network(), split, model.encoder().config().seq_len, on_rows)?;
    metrics_of(&logits, model.task(), targets, model.thresholds())
}

/// Metrics of a model on a labelled split with their intervals, and scores of each path alone, if it has two.
///
/// # Errors
/// As [`evaluate`].
pub fn test(
    model: &Classifier,
    split: &EncodedSplit,
    on_rows: &mut dyn FnMut(usize),
) -> Result<Measurements> {
    Ok(test_with_logits(model, split, &mut without_stopping(on_rows))?.0)
}

/// The same, and the logits of each path; `on_rows` may stop, as above.
pub(crate) fn test_with_logits(
    model: &Classifier,
    split: &EncodedSplit,
    on_rows: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<(Measurements, PathLogits)> {
    let targets = targets_of(split)?;
    let seq_len = model.encoder().config().seq_len;
    let (of_paths, logits) = finite_path_logits(model.network(), split, seq_len, on_rows)?;
    let (task, thresholds) = (model.task(), model.thresholds());
    let measured = Measurements {
        metrics: metrics_of(&logits, task, targets, thresholds)?,
        intervals: intervals_of(&logits, task, targets, thresholds)?,
        alone: scores(&of_paths, task, targets)?,
    };
    Ok((measured, of_paths))
}

/// The same callback as one that may stop, and never does.
pub(crate) fn without_stopping(
    on_rows: &mut dyn FnMut(usize),
) -> impl FnMut(usize) -> ControlFlow<()> {
    |n_rows| {
        on_rows(n_rows);
        ControlFlow::Continue(())
    }
}

pub(crate) fn targets_of(split: &EncodedSplit) -> Result<&Targets> {
    split.targets().ok_or(Error::NoLabels)
}
