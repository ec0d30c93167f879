//! Logits and metrics of a network over whole splits, without gradients.

use std::sync::Arc;

use dataset::{BatchPadding, EncodedSplit, Loader, LoaderConfig, Order};
use model::{ModelConfig, Padding, SentimentRnn};

use crate::error::{Error, Result};
use crate::metrics::Metrics;

/// Texts scored at once. Large, because nothing is kept for a backward pass, and the more words there
/// are together, the more of them repeat.
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
/// `seq_len`: the encoder's. `on_rows` hears how many rows each batch had.
///
/// # Errors
/// [`Error::NonFiniteLogits`] if one is not a finite number, as weights that are not finite give;
/// if an id is unknown to the network or the device fails.
pub fn logits(
    network: &SentimentRnn,
    split: &Arc<EncodedSplit>,
    seq_len: usize,
    on_rows: &mut dyn FnMut(usize),
) -> Result<Vec<f32>> {
    let logits = raw_logits(network, split, seq_len, on_rows)?;
    let is_wrong = |logit: &&f32| !logit.is_finite();
    match logits.iter().find(is_wrong) {
        None => Ok(logits),
        Some(&value) => {
            let n_rows = logits.iter().filter(is_wrong).count();
            Err(Error::NonFiniteLogits { value, n_rows, n_all: logits.len() })
        }
    }
}

/// [`logits`], finite or not.
pub(crate) fn raw_logits(
    network: &SentimentRnn,
    split: &Arc<EncodedSplit>,
    seq_len: usize,
    on_rows: &mut dyn FnMut(usize),
) -> Result<Vec<f32>> {
    check_output_size(network.config())?;
    let config = LoaderConfig {
        batch_size: BATCH_SIZE,
        padding: batch_padding(network.config(), seq_len),
        // Rows of like length together: little padding, and equal work for the threads.
        order: Order::ByLength,
    };
    let mut all = vec![0.0; split.len()];
    for batch in Loader::new(Arc::clone(split), &config, network.device())? {
        let batch = batch?;
        let (logits, _) = network.logits(&batch.ids, None, None)?;
        let logits: Vec<f32> = logits.flatten_all()?.to_vec1()?;
        for (&row, logit) in batch.rows.iter().zip(logits) {
            all[row as usize] = logit;
        }
        on_rows(batch.rows.len());
    }
    Ok(all)
}

/// Whether a network has the one output that two classes need.
pub(crate) fn check_output_size(config: &ModelConfig) -> Result<()> {
    match config.output_size {
        1 => Ok(()),
        got => Err(Error::OutputSize { got }),
    }
}

/// How a network does on a labelled split.
///
/// # Errors
/// [`Error::NoLabels`], and as [`logits`].
pub fn evaluate(
    network: &SentimentRnn,
    split: &Arc<EncodedSplit>,
    seq_len: usize,
    on_rows: &mut dyn FnMut(usize),
) -> Result<Metrics> {
    let labels = split.labels().ok_or(Error::NoLabels)?;
    Ok(Metrics::of_logits(&logits(network, split, seq_len, on_rows)?, labels))
}

/// The probability that belongs to a logit.
pub fn probability(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}
