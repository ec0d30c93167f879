//! What is summed up over the steps of one line of the log.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The steps since the last line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct StepSums {
    /// Optimiser steps.
    pub(crate) n_steps: usize,
    n_batches: usize,
    n_texts: usize,
    n_tokens: usize,
    loss_sum: f64,
    rate: f64,
    norm: Option<f64>,
    /// When the first of them began, in seconds of training.
    began_s: f64,
}

impl StepSums {
    /// No steps yet, at this second of training.
    pub(crate) fn starting_at(began_s: f64) -> Self {
        Self { began_s, ..Self::default() }
    }

    /// Adds a batch, which may have ended in a step.
    pub(crate) fn add(
        &mut self,
        (n_texts, n_tokens): (usize, usize),
        (loss, rate, norm): (f64, f64, Option<f64>),
    ) {
        self.n_steps += usize::from(norm.is_some());
        self.n_batches += 1;
        self.n_texts += n_texts;
        self.n_tokens += n_tokens;
        self.loss_sum += loss;
        self.rate = rate;
        self.norm = norm.or(self.norm);
    }

    /// Whether there is anything to tell.
    pub(crate) fn is_empty(&self) -> bool {
        self.n_batches == 0
    }

    /// The fields of a line: the mean loss of the batches, the rate and the norm of the last step.
    pub(crate) fn fields(&self, now_s: f64) -> Value {
        let seconds = now_s - self.began_s;
        json!({
            "loss": self.loss_sum / self.n_batches.max(1) as f64,
            "rate": self.rate,
            "norm": self.norm,
            "n_texts": self.n_texts,
            "n_tokens": self.n_tokens,
            "tokens_per_s": if seconds > 0.0 { self.n_tokens as f64 / seconds } else { 0.0 },
        })
    }
}
