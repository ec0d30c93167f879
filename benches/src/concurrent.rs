//! Many threads that use the layers at the same time, as in a server: some answer with one shared layer, one
//! may train another.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, Result};
use candle_core::{Tensor, Var};

use crate::build::build;
use crate::callers::{Call, calls_per_second};
use crate::config::{Mode, PassConfig};
use crate::network::{Gradients, Network};
use crate::pass::{normal, train};

/// A layer that threads share, and an input that they share too.
pub struct Answering {
    network: Box<dyn Network>,
    x: Tensor,
    lengths: Option<Vec<usize>>,
}

/// A network to train, and its input.
pub struct Training {
    network: Box<dyn Network>,
    x: Var,
    lengths: Option<Vec<usize>>,
    config: PassConfig,
}

/// How training and answering affect each other: counts per second. Those of several callers are added.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MixedRates {
    /// Training passes, if nothing else runs.
    pub training_alone: f64,
    /// Answers, if nothing else runs.
    pub answers_alone: f64,
    /// Training passes while others answer.
    pub training: f64,
    /// Answers while another thread trains.
    pub answers: f64,
}

impl Answering {
    /// Builds the network of a configuration without variables, and draws its input. The mode is ignored.
    ///
    /// # Errors
    /// If the implementation does not support the configuration.
    pub fn new(config: &PassConfig) -> Result<Self> {
        let device = config.device()?;
        Ok(Self {
            network: build(config, Gradients::Unwanted, &device)?,
            x: normal((config.batch, config.steps, config.input), &device)?,
            lengths: config.lengths(),
        })
    }

    /// Forward passes per second of this many threads together.
    ///
    /// # Errors
    /// If a pass fails.
    pub fn rate(&self, n_callers: usize, duration: Duration) -> Result<f64> {
        Ok(calls_per_second(self.callers(n_callers), duration)?.iter().sum())
    }

    fn callers(&self, n_callers: usize) -> Vec<Call<'_>> {
        let caller = || -> Call<'_> {
            Box::new(|| {
                black_box(self.network.run(&self.x, self.lengths.as_deref())?);
                Ok(())
            })
        };
        (0..n_callers).map(|_| caller()).collect()
    }
}

impl Training {
    /// Builds the network of a configuration with variables, and draws its input. The mode is ignored.
    ///
    /// # Errors
    /// If the implementation does not support the configuration.
    pub fn new(config: &PassConfig) -> Result<Self> {
        let (config, device) =
            (PassConfig { mode: Mode::Training, ..config.clone() }, config.device()?);
        let x = normal((config.batch, config.steps, config.input), &device)?;
        Ok(Self {
            network: build(&config, Gradients::Wanted, &device)?,
            x: Var::from_tensor(&x)?,
            lengths: config.lengths(),
            config,
        })
    }

    fn caller(&self) -> Call<'_> {
        Box::new(|| train(&*self.network, &self.x, self.lengths.as_deref(), self.config.loss))
    }
}

/// One thread trains, `n_callers` answer: each alone, then together, for `duration` each.
///
/// # Errors
/// If a pass fails.
pub fn mixed_rates(
    training: &Training,
    answering: &Answering,
    n_callers: usize,
    duration: Duration,
) -> Result<MixedRates> {
    let training_alone = calls_per_second(vec![training.caller()], duration)?.iter().sum();
    let answers_alone = answering.rate(n_callers, duration)?;
    let mut calls = answering.callers(n_callers);
    calls.push(training.caller());
    let rates = calls_per_second(calls, duration)?;
    let (training, answers) = rates.split_last().context("no thread was started")?;
    Ok(MixedRates {
        training_alone,
        answers_alone,
        training: *training,
        answers: answers.iter().sum(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Lengths;

    #[test]
    fn callers_share_a_layer_alone_and_beside_a_training() -> Result<()> {
        let tiny = PassConfig { batch: 2, steps: 3, input: 4, hidden: 5, ..PassConfig::default() };
        let answering = Answering::new(&PassConfig { bidirectional: true, ..tiny.clone() })?;
        let training = Training::new(&PassConfig { lengths: Lengths::Mixed, ..tiny })?;
        let duration = Duration::from_millis(10);
        assert!(answering.rate(3, duration)? > 0.0);
        let rates = mixed_rates(&training, &answering, 2, duration)?;
        let MixedRates { training_alone, answers_alone, training, answers } = rates;
        for rate in [training_alone, answers_alone, training, answers] {
            assert!(rate.is_finite() && rate > 0.0, "{rates:?}");
        }
        Ok(())
    }
}
