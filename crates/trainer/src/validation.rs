//! What a validation measures, and whether the model that it measured is kept.

use model::RecurrentClassifier;

use crate::calibration::{Fit, Intercept, fit, fit_temperature};
use crate::config::Keep;
use crate::error::Result;
use crate::evaluate::path_logits;
use crate::job::{TrainingJob, labels_of};
use crate::metrics::{Metrics, weighted_loss};
use crate::observer::{Event, Observer};
use crate::paths::{PathLogits, PathScores};
use crate::profile::Part;
use crate::record::ValidationRecord;
use crate::step::TrainingStep;

/// Neither path's fraction is 0: a saved path whose logits are all 0 could not be measured alone.
const SMALLEST_SHARE: f64 = 1e-4;
/// The least sum of scales, so that the temperature is a number.
const SMALLEST_SCALE: f64 = 1e-6;

/// The result of one validation.
pub(crate) struct Measured {
    /// With the fraction and the temperature below. The loss is not finite if a logit is not.
    pub(crate) metrics: Metrics,
    /// The loss with the texts weighted by class; absent where all count equally.
    pub(crate) weighted_loss: Option<f64>,
    /// The linear path's fraction of the logits, if there is one.
    pub(crate) linear_share: Option<f64>,
    /// The divisor of the logits, if they are calibrated.
    pub(crate) temperature: Option<f64>,
    /// Added to every path's logits before they are scaled, if the classes are weighted.
    pub(crate) shift: Option<f64>,
    /// Each path alone, if there are two.
    pub(crate) alone: Option<PathScores>,
}

/// Measures the current weights on the validation split.
///
/// `linear`: the linear path's logits of these texts, if there is one; `class_weights`: of negative and
/// positive texts.
pub(crate) fn measure(
    job: &TrainingJob<'_>,
    step: &mut TrainingStep,
    linear: Option<&[f32]>,
    class_weights: [f64; 2],
    observer: &mut dyn Observer,
) -> Result<Measured> {
    let &TrainingJob { model, data, training, .. } = job;
    let seq_len = data.encoder.config().seq_len;
    let vocabularies = step.vocabularies().clone();
    let PathLogits { recurrent, .. } = step.with_weights(|variables, profile| {
        profile.time(Part::Evaluation, || {
            let network = RecurrentClassifier::frozen(model, vocabularies, variables)?;
            let mut on_rows = |n_rows| observer.on_event(Event::Scored { n_rows });
            // The linear path no longer changes.
            let network = network.without_linear_path();
            path_logits(&network, &data.validation, seq_len, &mut on_rows)
        })
    })?;
    let labels = labels_of(&data.validation)?;
    let is_weighted = class_weights[0] != class_weights[1];
    let Stacked { linear_share, temperature, shift } = match linear {
        // Nothing to fit: the logits stay as they are.
        None if !training.calibrate => Stacked::default(),
        None if !is_weighted => {
            let temperature = Some(fit_temperature(&recurrent, labels));
            Stacked { temperature, ..Stacked::default() }
        }
        _ => {
            let paths: Vec<&[f32]> = [Some(&*recurrent), linear].into_iter().flatten().collect();
            let intercept = if is_weighted { Intercept::Fitted } else { Intercept::None };
            let stacked = fit(&paths, labels, class_weights, intercept)
                .map_or_else(Stacked::default, |fit| Stacked::of(&fit, linear.is_some()));
            let temperature = stacked.temperature.filter(|_| training.calibrate);
            Stacked { temperature, shift: stacked.shift.filter(|_| is_weighted), ..stacked }
        }
    };
    let shifted = |logits: &[f32]| -> Vec<f32> {
        logits.iter().map(|logit| logit + shift.unwrap_or(0.0) as f32).collect()
    };
    let (recurrent, linear) = (shifted(&recurrent), linear.map(shifted));
    let logits = combined(&recurrent, linear.as_deref(), linear_share, temperature);
    let mut metrics = Metrics::of_logits(&logits, labels);
    if !logits.iter().all(|logit| logit.is_finite()) {
        // The loss of an infinite logit may be 0.
        metrics.loss = f64::NAN;
    }
    Ok(Measured {
        metrics,
        weighted_loss: is_weighted.then(|| weighted_loss(&logits, labels, class_weights)),
        linear_share,
        temperature,
        shift,
        alone: PathLogits { recurrent, linear }.scores(labels),
    })
}

/// A fit as what is done to a network's logits: `Σ share · (logit + shift) / temperature` over its paths.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Stacked {
    /// The linear path's share, if there is one; the rest is the recurrent layers'.
    linear_share: Option<f64>,
    temperature: Option<f64>,
    shift: Option<f64>,
}

impl Stacked {
    /// `has_linear`: whether the last scale is a linear path's.
    fn of(fit: &Fit, has_linear: bool) -> Self {
        let sum = fit.scales.iter().sum::<f64>();
        let share = if sum > 0.0 { fit.scales.last().unwrap_or(&0.0) / sum } else { 0.5 };
        // If no path counts, the intercept still does.
        let sum = sum.max(SMALLEST_SCALE);
        Self {
            linear_share: has_linear.then(|| share.clamp(SMALLEST_SHARE, 1.0 - SMALLEST_SHARE)),
            temperature: Some(1.0 / sum),
            shift: Some(fit.intercept / sum),
        }
    }
}

/// The logits of a network whose paths have these fractions, divided by this temperature.
fn combined(
    recurrent: &[f32],
    linear: Option<&[f32]>,
    linear_share: Option<f64>,
    temperature: Option<f64>,
) -> Vec<f32> {
    let scale = (1.0 / temperature.unwrap_or(1.0)) as f32;
    match (linear, linear_share) {
        (Some(linear), Some(share)) => {
            let share = share as f32;
            let sum = |(r, l): (&f32, &f32)| ((1.0 - share) * r + share * l) * scale;
            recurrent.iter().zip(linear).map(sum).collect()
        }
        _ => recurrent.iter().map(|logit| logit * scale).collect(),
    }
}

/// Whether a model replaces the one kept so far.
pub(crate) fn is_kept(keep: Keep, new: &ValidationRecord, kept: Option<&ValidationRecord>) -> bool {
    kept.is_none_or(|kept| match keep {
        Keep::Last => true,
        Keep::LowestLoss => new.selection_loss() < kept.selection_loss(),
        Keep::HighestAccuracy => new.validation.accuracy > kept.validation.accuracy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(fit: &Fit, recurrent: f32, linear: f32) -> f64 {
        let Stacked { linear_share, temperature, shift } = Stacked::of(fit, true);
        let shift = shift.unwrap_or(0.0) as f32;
        let logits =
            combined(&[recurrent + shift], Some(&[linear + shift]), linear_share, temperature);
        f64::from(logits[0])
    }

    #[test]
    fn shares_temperature_and_shift_give_the_logits_of_the_fit() {
        for (scales, intercept) in [
            ([0.5, 1.5], 0.0),
            ([0.5, 1.5], -1.25),
            // Untrained layers with tiny logits, and overconfident ones.
            ([130.0, 0.62], -3.7),
            ([0.001, 0.002], -1.3),
            ([0.0, 0.0], -1.1),
        ] {
            let fit = Fit { scales: scales.to_vec(), intercept };
            let expected = scales[0] * 0.02 + scales[1] * 3.0 + intercept;
            let got = applied(&fit, 0.02, 3.0);
            // The floor of the shares moves a little.
            assert!((got - expected).abs() < 0.05, "{fit:?}: {got}, not {expected}");
        }
    }

    #[test]
    fn no_share_is_0() {
        let share = |scales: [f64; 2]| {
            Stacked::of(&Fit { scales: scales.to_vec(), intercept: 0.0 }, true).linear_share
        };
        assert_eq!(share([3.0, 0.0]), Some(SMALLEST_SHARE));
        assert_eq!(share([0.0, 3.0]), Some(1.0 - SMALLEST_SHARE));
        assert_eq!(share([0.0, 0.0]), Some(0.5));
    }
}
