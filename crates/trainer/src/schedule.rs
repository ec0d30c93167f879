//! How the learning rate changes over a training run.

use serde::{Deserialize, Serialize};

use crate::config::{Schedule, TrainingConfig};

/// One-cycle: fraction of the steps in which the rate rises.
const RISE: f64 = 0.3;
/// One-cycle: the highest rate divided by the first.
const FIRST_DIVISOR: f64 = 25.0;
/// One-cycle: the first rate divided by the last.
const LAST_DIVISOR: f64 = 1e4;

/// What the learning rate depends on besides the settings: the validations so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct ScheduleState {
    /// Plateau: product of the reductions so far.
    fallen: f64,
    /// The lowest validation loss, if there was any.
    lowest_loss: Option<f64>,
    /// Validations since then.
    n_worse: usize,
}

/// The learning rate of each step of one training run.
#[derive(Debug, Clone)]
pub struct LearningRate {
    schedule: Schedule,
    highest: f64,
    steps_per_epoch: usize,
    /// Optimiser steps of the whole training run, without early stopping.
    n_steps: usize,
    n_warmup_steps: usize,
    decay_factor: f64,
    decay_epochs: usize,
    decay_patience: usize,
    state: ScheduleState,
}

impl LearningRate {
    /// The schedule of these settings, with this many optimiser steps in each epoch.
    pub fn new(training: &TrainingConfig, steps_per_epoch: usize) -> Self {
        let n_steps = training.epochs * steps_per_epoch;
        Self {
            schedule: training.schedule,
            highest: training.learning_rate,
            steps_per_epoch: steps_per_epoch.max(1),
            n_steps,
            n_warmup_steps: (training.warmup * n_steps as f64).round() as usize,
            decay_factor: training.decay_factor,
            decay_epochs: training.decay_epochs,
            decay_patience: training.decay_patience,
            state: ScheduleState { fallen: 1.0, lowest_loss: None, n_worse: 0 },
        }
    }

    /// What [`restore`](Self::restore) needs.
    pub(crate) fn state(&self) -> ScheduleState {
        self.state
    }

    /// Takes over the validations of an earlier schedule of the same settings.
    pub(crate) fn restore(&mut self, state: ScheduleState) {
        self.state = state;
    }

    /// The rate of a step, counted from 0. During the warm-up the curve is multiplied by a factor that
    /// rises linearly to 1
    /// ([LinearLR](https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LinearLR.html)).
    pub fn at(&self, step: usize) -> f64 {
        let warmth = (step + 1) as f64 / self.n_warmup_steps.max(1) as f64;
        self.curve(step) * warmth.min(1.0)
    }

    fn curve(&self, step: usize) -> f64 {
        match self.schedule {
            Schedule::Constant => self.highest,
            Schedule::Step => {
                let n_falls = step / self.steps_per_epoch / self.decay_epochs.max(1);
                self.highest * self.decay_factor.powf(n_falls as f64)
            }
            Schedule::Cosine => {
                half_wave(self.highest, 0.0, step as f64 / self.n_steps.max(1) as f64)
            }
            Schedule::OneCycle => self.one_cycle(step as f64),
            Schedule::Plateau => self.highest * self.state.fallen,
        }
    }

    fn one_cycle(&self, step: f64) -> f64 {
        let first = self.highest / FIRST_DIVISOR;
        let last_step = self.n_steps as f64 - 1.0;
        // In a training run of a few steps the rate starts at its highest.
        let top_step = (RISE * self.n_steps as f64 - 1.0).max(0.0);
        if step < top_step {
            half_wave(first, self.highest, step / top_step)
        } else {
            let way = (step - top_step) / (last_step - top_step).max(1.0);
            half_wave(self.highest, first / LAST_DIVISOR, way)
        }
    }

    /// Takes a validation loss, which [`Schedule::Plateau`] depends on.
    pub fn validated(&mut self, loss: f64) {
        let ScheduleState { fallen, lowest_loss, n_worse } = &mut self.state;
        if loss < lowest_loss.unwrap_or(f64::INFINITY) {
            (*lowest_loss, *n_worse) = (Some(loss), 0);
            return;
        }
        *n_worse += 1;
        if *n_worse > self.decay_patience {
            *fallen *= self.decay_factor;
            *n_worse = 0;
        }
    }
}

/// From one value to another along half a cosine wave; `way` goes from 0 to 1.
fn half_wave(from: f64, to: f64, way: f64) -> f64 {
    to + (from - to) / 2.0 * (1.0 + (std::f64::consts::PI * way.min(1.0)).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(training: &TrainingConfig, steps_per_epoch: usize) -> Vec<f64> {
        let rate = LearningRate::new(training, steps_per_epoch);
        (0..training.epochs * steps_per_epoch).map(|step| rate.at(step)).collect()
    }

    fn training(schedule: Schedule) -> TrainingConfig {
        TrainingConfig { schedule, learning_rate: 0.02, epochs: 5, ..TrainingConfig::default() }
    }

    #[test]
    fn a_warm_up_ends_at_the_curve() {
        let training = TrainingConfig { warmup: 0.2, ..training(Schedule::Constant) };
        let rates = rates(&training, 4);
        for (got, expected) in rates.iter().zip([0.005, 0.01, 0.015, 0.02, 0.02]) {
            assert!((got - expected).abs() < 1e-15, "{rates:?}");
        }
    }

    #[test]
    fn a_plateau_lowers_the_rate_once_patience_has_ended() {
        let training = TrainingConfig { decay_patience: 1, ..training(Schedule::Plateau) };
        let mut rate = LearningRate::new(&training, 4);
        let mut rates = Vec::new();
        for loss in [0.6, 0.5, 0.5, 0.7, 0.4, 0.45, f64::NAN, 0.5] {
            rate.validated(loss);
            rates.push(rate.at(9) / 0.02);
        }
        assert_eq!(rates, [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]);
    }

    #[test]
    fn the_shortest_trainings_have_finite_rates_above_zero() {
        for schedule in [
            Schedule::Constant,
            Schedule::Step,
            Schedule::Cosine,
            Schedule::OneCycle,
            Schedule::Plateau,
        ] {
            for steps_per_epoch in [1, 2, 3] {
                let training = TrainingConfig { epochs: 1, warmup: 1.0, ..training(schedule) };
                for rate in rates(&training, steps_per_epoch) {
                    assert!(rate > 0.0 && rate <= 0.02, "{schedule:?} {steps_per_epoch}: {rate}");
                }
            }
        }
    }
}
