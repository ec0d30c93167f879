//! Logits and metrics of a network over whole splits, without gradients.

use std::sync::Arc;

use candle_core::Tensor;
use dataset::{BatchPadding, EncodedSplit, Loader, LoaderConfig, Order};
use model::{ModelConfig, Padding, RecurrentClassifier};
use text_preprocessing::PAD_ID;

use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::paths::{PathLogits, PathScores};

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

/// The logit of every row of a split, in the split's order.
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
    let logits = path_logits(network, split, seq_len, on_rows)?.sum();
    check_finite(&logits)?;
    Ok(logits)
}

pub(crate) fn check_finite(logits: &[f32]) -> Result<()> {
    let is_wrong = |logit: &&f32| !logit.is_finite();
    match logits.iter().find(is_wrong) {
        None => Ok(()),
        Some(&value) => {
            let n_rows = logits.iter().filter(is_wrong).count();
            Err(Error::NonFiniteLogits { value, n_rows, n_all: logits.len() })
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
    check_output_size(network.config())?;
    let config = LoaderConfig {
        padding_id: PAD_ID,
        batch_size: BATCH_SIZE,
        padding: batch_padding(network.config(), seq_len),
        // Rows of similar length together: little padding, and even work for the threads.
        order: Order::ByLength,
    };
    let zeros = || vec![0.0; split.len()];
    let mut all = PathLogits { recurrent: zeros(), linear: network.has_linear_path().then(zeros) };
    let place = |all: &mut [f32], rows: &[u32], of_batch: Tensor| -> Result<()> {
        let of_batch: Vec<f32> = of_batch.flatten_all()?.to_vec1()?;
        rows.iter().zip(of_batch).for_each(|(&row, logit)| all[row as usize] = logit);
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

/// Checks that a network has the one output that two classes need.
pub(crate) fn check_output_size(config: &ModelConfig) -> Result<()> {
    match config.output_size {
        1 => Ok(()),
        got => Err(Error::OutputSize { got }),
    }
}

/// Metrics of a network on a labelled split.
///
/// # Errors
/// [`Error::NoLabels`], and as [`logits`].
pub fn evaluate(
    network: &RecurrentClassifier,
    split: &Arc<EncodedSplit>,
    seq_len: usize,
    on_rows: &mut dyn FnMut(usize),
) -> Result<Metrics> {
    Ok(evaluate_paths(network, split, seq_len, on_rows)?.0)
}

/// Metrics of a network on a labelled split, and scores of each path alone, if it has two.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_paths(
    network: &RecurrentClassifier,
    split: &Arc<EncodedSplit>,
    seq_len: usize,
    on_rows: &mut dyn FnMut(usize),
) -> Result<(Metrics, Option<PathScores>)> {
    let labels = split.labels().ok_or(Error::NoLabels)?;
    let of_paths = path_logits(network, split, seq_len, on_rows)?;
    let logits = of_paths.sum();
    check_finite(&logits)?;
    Ok((Metrics::of_logits(&logits, labels), of_paths.scores(labels)))
}

/// The probability for a logit.
pub fn probability(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}
