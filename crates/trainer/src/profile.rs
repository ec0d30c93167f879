//! Where training time goes.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A part of a training run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Waiting for the next batch, and splitting its ids.
    Load,
    /// From ids to vectors, including the steps that the batch's rows had missed.
    Embed,
    /// The recurrent layers' forward pass.
    RecurrentForward,
    /// Pooling, the fully connected layer and the loss.
    Head,
    /// The backward pass down to the vectors: nearly all of it in the recurrent layers.
    RecurrentBackward,
    /// From the vectors' gradients to the gradients of the embedding's rows.
    EmbedBackward,
    /// The gradients' norm.
    Clip,
    /// The optimiser's step, and the weights' average.
    Optimizer,
    /// Validations.
    Evaluation,
    /// Saving models.
    Save,
}

impl Part {
    /// Every part, in the order of a step.
    pub const ALL: [Self; 10] = [
        Self::Load,
        Self::Embed,
        Self::RecurrentForward,
        Self::Head,
        Self::RecurrentBackward,
        Self::EmbedBackward,
        Self::Clip,
        Self::Optimizer,
        Self::Evaluation,
        Self::Save,
    ];

    /// Its human-readable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Embed => "embed",
            Self::RecurrentForward => "recurrent forward",
            Self::Head => "pooling and loss",
            Self::RecurrentBackward => "recurrent backward",
            Self::EmbedBackward => "embed backward",
            Self::Clip => "clip",
            Self::Optimizer => "optimizer",
            Self::Evaluation => "evaluation",
            Self::Save => "save",
        }
    }
}

/// Time by part, and what was computed in it. On a GPU, queued work counts in the part that waits for
/// it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    seconds: [f64; Part::ALL.len()],
    flops: [f64; Part::ALL.len()],
    /// Steps of the optimiser.
    pub n_steps: usize,
    /// Seconds from start to end, including time outside all parts.
    pub total_s: f64,
}

impl Profile {
    /// Runs `work` as a part of the training run.
    pub(crate) fn time<R>(&mut self, part: Part, work: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = work();
        self.add(part, start.elapsed());
        result
    }

    pub(crate) fn add(&mut self, part: Part, time: Duration) {
        self.seconds[part as usize] += time.as_secs_f64();
    }

    pub(crate) fn add_flops(&mut self, part: Part, flops: f64) {
        self.flops[part as usize] += flops;
    }

    /// Seconds spent in a part.
    pub fn seconds(&self, part: Part) -> f64 {
        self.seconds[part as usize]
    }

    /// Billions of floating-point operations per second in a part's matrix products; `None` where
    /// there are none.
    pub fn gflops(&self, part: Part) -> Option<f64> {
        let (flops, seconds) = (self.flops[part as usize], self.seconds(part));
        (flops > 0.0 && seconds > 0.0).then(|| flops / seconds / 1e9)
    }

    /// Seconds outside all parts.
    pub fn other_s(&self) -> f64 {
        (self.total_s - self.seconds.iter().sum::<f64>()).max(0.0)
    }
}
