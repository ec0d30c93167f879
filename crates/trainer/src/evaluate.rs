//! Logits and metrics of a network over whole splits, without gradients.

use std::sync::Arc;

use candle_core::Tensor;
use dataset::{BatchPadding, EncodedSplit, Loader, LoaderConfig, Order, Targets};
use measures::{Intervals, Metrics};
use model::{ModelConfig, Padding, RecurrentClassifier, TrainedModel};
use text_preprocessing::PAD_ID;

use crate::error::{Error, Result};
use crate::paths::{PathLogits, PathScores};
use crate::scoring::{intervals_of, metrics_of};

/// Texts scored at once. Large, because nothing is kept for a backward pass, and in larger batches more
/// words repeat.
const BATCH_SIZE: usize = 256;

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
/// [`Error::NonFiniteLogits`] if a logit is not finite, because weights are not; if an id is unknown to
/// the network or the device fails.
pub fn logits(
    network: &RecurrentClassifier,
    split: &Arc<EncodedSplit>,
    seq_len: usize,
    on_rows: &mut dyn FnMut(usize),
) -> Result<Vec<f32>> {
    Ok(finite_path_logits(network, split, seq_len, on_rows)?.1)
}

/// The logits of each path, and their sum, which is finite.
pub(crate) fn finite_path_logits(
    network: &RecurrentClassifier,
    split: &Arc<EncodedSplit>,
    seq_len: usize,
    on_rows: &mut dyn FnMut(usize),
) -> Result<(PathLogits, Vec<f32>)> {
    let of_paths = path_logits(network, split, seq_len, on_rows)?;
    let logits = of_paths.sum();
    let is_wrong = |of_text: &&[f32]| !of_text.iter().all(|logit| logit.is_finite());
    let mut texts = logits.chunks_exact(of_paths.n_outputs);
    match texts.find(is_wrong) {
        None => Ok((of_paths, logits)),
        Some(first) => {
            let value = first.iter().copied().find(|logit| !logit.is_finite()).unwrap_or(f32::NAN);
            let n_rows = 1 + texts.filter(is_wrong).count();
            Err(Error::NonFiniteLogits { value, n_rows, n_all: split.len() })
        }
    }
}

/// The logits of each path of a network for every row of a split, in the split's order, finite or not.
pub(crate) fn path_logits(
    network: &RecurrentClassifier,
    split: &Arc<EncodedSplit>,
    seq_len: usize,
    on_rows: &mut dyn FnMut(usize),
) -> Result<PathLogits> {
    let config = LoaderConfig {
        padding_id: PAD_ID,
        batch_size: BATCH_SIZE,
        padding: batch_padding(network.config(), seq_len),
        // Rows of similar length together: little padding, and even work for the threads.
        order: Order::ByLength,
    };
    let n_outputs = network.config().outputs();
    let zeros = || vec![0.0; split.len() * n_outputs];
    let linear = network.has_linear_path().then(zeros);
    let mut all = PathLogits { recurrent: zeros(), linear, n_outputs };
    let place = |all: &mut [f32], rows: &[u32], of_batch: Tensor| -> Result<()> {
        let of_batch: Vec<f32> = of_batch.flatten_all()?.to_vec1()?;
        for (&row, of_row) in rows.iter().zip(of_batch.chunks_exact(n_outputs)) {
            all[row as usize * n_outputs..][..n_outputs].copy_from_slice(of_row);
        }
        Ok(())
    };
    for batch in Loader::new(Arc::clone(split), &config, network.device())? {
        let batch = batch?;
        let (of_batch, _) = network.path_logits(&batch.ids, None, None)?;
        place(&mut all.recurrent, &batch.rows, of_batch.recurrent)?;
        if let (Some(all), Some(of_batch)) = (&mut all.linear, of_batch.linear) {
            place(all, &batch.rows, of_batch)?;
        }
        on_rows(batch.rows.len());
    }
    Ok(all)
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
    model: &TrainedModel,
    split: &Arc<EncodedSplit>,
    on_rows: &mut dyn FnMut(usize),
) -> Result<Metrics> {
    let targets = targets_of(split)?;
    let logits = logits(&model.network, split, model.encoder.config().seq_len, on_rows)?;
    metrics_of(&logits, &model.task, targets, model.thresholds.as_deref())
}

/// Metrics of a model on a labelled split with their intervals, and scores of each path alone, if it has two.
///
/// # Errors
/// As [`evaluate`].
pub fn test(
    model: &TrainedModel,
    split: &Arc<EncodedSplit>,
    on_rows: &mut dyn FnMut(usize),
) -> Result<Measurements> {
    let targets = targets_of(split)?;
    let seq_len = model.encoder.config().seq_len;
    let (of_paths, logits) = finite_path_logits(&model.network, split, seq_len, on_rows)?;
    let (task, thresholds) = (&model.task, model.thresholds.as_deref());
    Ok(Measurements {
        metrics: metrics_of(&logits, task, targets, thresholds)?,
        intervals: intervals_of(&logits, task, targets, thresholds)?,
        alone: of_paths.scores(task, targets)?,
    })
}

pub(crate) fn targets_of(split: &EncodedSplit) -> Result<&Targets> {
    split.targets().ok_or(Error::NoLabels)
}
