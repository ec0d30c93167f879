//! The logits of any number of texts, in batches.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use candle_core::Tensor;
use model::{Padding, RecurrentClassifier};

use crate::batches::plan;
use crate::error::{Error, Result};

/// The logits of a network's paths for some texts, `[N·O]` each, text by text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PathLogits {
    /// Of the recurrent layers.
    pub recurrent: Vec<f32>,
    /// Of the linear path; absent in a network without one.
    pub linear: Option<Vec<f32>>,
    /// O, the logits of a text.
    pub n_outputs: usize,
}

impl PathLogits {
    /// The network's logits, `[N·O]`.
    #[must_use]
    pub fn sum(&self) -> Vec<f32> {
        match &self.linear {
            None => self.recurrent.clone(),
            Some(linear) => self.recurrent.iter().zip(linear).map(|(a, b)| a + b).collect(),
        }
    }

    /// The network's logits, `[N·O]`, if all are finite.
    ///
    /// # Errors
    /// [`Error::NonFinite`].
    pub fn finite_sum(&self) -> Result<Vec<f32>> {
        let logits = self.sum();
        let is_wrong = |of_text: &&[f32]| !of_text.iter().all(|logit| logit.is_finite());
        let mut texts = logits.chunks_exact(self.n_outputs);
        match texts.find(is_wrong) {
            None => Ok(logits),
            Some(first) => {
                let value =
                    first.iter().copied().find(|logit| !logit.is_finite()).unwrap_or(f32::NAN);
                let n_texts = 1 + texts.filter(is_wrong).count();
                let n_all = logits.len() / self.n_outputs;
                Err(Error::NonFinite { value, n_texts, n_all })
            }
        }
    }

    /// The logits of each path: the recurrent layers', and the linear path's if there is one.
    #[must_use]
    pub fn all(&self) -> Vec<&[f32]> {
        [Some(&*self.recurrent), self.linear.as_deref()].into_iter().flatten().collect()
    }
}

/// Threads share a GPU's libraries, but have streams of their own there, which nobody keeps in order. It works on one
/// call at a time anyway.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The logits of texts given as ids, in their order, finite or not; a text's depend on the others by
/// rounding alone.
///
/// `texts`: the ids of each, without padding; `seq_len`: the encoder's. `on_texts` is called with the number of texts
/// of each batch, and may stop.
///
/// # Errors
/// [`Error::Stopped`]; an error of the network if an id is unknown to it or the device fails.
pub fn path_logits<T: AsRef<[u32]>>(
    network: &RecurrentClassifier,
    texts: &[T],
    seq_len: usize,
    on_texts: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<PathLogits> {
    let _alone = (!network.device().is_cpu())
        .then(|| ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner));
    let length = |text: &T| match network.config().padding {
        Padding::Skip => text.as_ref().len(),
        Padding::Compute => text.as_ref().len().max(seq_len),
    };
    let lengths: Vec<usize> = texts.iter().map(length).collect();
    let (order, batches) = plan(&lengths);
    let n_outputs = network.config().outputs();
    let zeros = || vec![0.0; texts.len() * n_outputs];
    let linear = network.has_linear_path().then(zeros);
    let mut all = PathLogits { recurrent: zeros(), linear, n_outputs };
    let place = |all: &mut [f32], texts: &[u32], of_batch: Tensor| -> Result<()> {
        let of_batch: Vec<f32> = of_batch.flatten_all()?.to_vec1()?;
        for (&text, of_text) in texts.iter().zip(of_batch.chunks_exact(n_outputs)) {
            all[text as usize * n_outputs..][..n_outputs].copy_from_slice(of_text);
        }
        Ok(())
    };
    let mut read = |of_batch: &[u32], logits: model::PathLogits| -> Result<()> {
        place(&mut all.recurrent, of_batch, logits.recurrent)?;
        if let (Some(all), Some(logits)) = (&mut all.linear, logits.linear) {
            place(all, of_batch, logits)?;
        }
        if on_texts(of_batch.len()).is_break() { Err(Error::Stopped) } else { Ok(()) }
    };
    // Reading waits for a device: it is given a batch's work before the last one's logits are read.
    let n_behind = usize::from(!network.device().is_cpu());
    let mut queued = VecDeque::new();
    for batch in batches {
        let of_batch = &order[batch];
        let rows: Vec<&[u32]> =
            of_batch.iter().map(|&text| texts[text as usize].as_ref()).collect();
        queued.push_back((of_batch, network.path_logits_of_rows(&rows, seq_len)?));
        if queued.len() > n_behind
            && let Some((of_batch, logits)) = queued.pop_front()
        {
            read(of_batch, logits)?;
        }
    }
    for (of_batch, logits) in queued {
        read(of_batch, logits)?;
    }
    Ok(all)
}
