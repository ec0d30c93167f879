//! What a validation measures, and whether the model that it measured is kept.

use model::SentimentRnn;

use crate::calibration::{Fit, Intercept, fit, temperature};
use crate::config::Keep;
use crate::error::Result;
use crate::evaluate::path_logits;
use crate::job::{TrainingJob, labels_of};
use crate::metrics::{Metrics, weighted_loss};
use crate::observer::{Event, Observer};
use crate::paths::{PathLogits, PathScores};
use crate::profile::Part;
use crate::record::EpochRecord;
use crate::step::TrainingStep;

/// Neither path's fraction is 0: a saved path whose logits are all 0 could not be measured alone.
const SMALLEST_SHARE: f64 = 1e-4;

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
            let network = SentimentRnn::frozen(model, vocabularies, variables)?;
            let mut on_rows = |n_rows| observer.on_event(Event::Scored { n_rows });
            // The linear path no longer changes.
            let network = network.without_linear_path();
            path_logits(&network, &data.validation, seq_len, &mut on_rows)
        })
    })?;
    let labels = labels_of(&data.validation)?;
    let paths: Vec<&[f32]> = [Some(&*recurrent), linear].into_iter().flatten().collect();
    let is_weighted = class_weights[0] != class_weights[1];
    let intercept = if is_weighted { Intercept::Fitted } else { Intercept::None };
    let fit = fit(&paths, labels, class_weights, intercept);
    let fit = fit.unwrap_or_else(|| Fit {
        scales: vec![1.0 / paths.len() as f64; paths.len()],
        intercept: 0.0,
    });
    let linear_share = linear.map(|_| share(&fit.scales));
    let temperature = training.calibrate.then(|| temperature(&fit.scales));
    let has_shift = is_weighted && (linear_share.is_some() || temperature.is_some());
    let shift = has_shift.then(|| shift(&fit));
    let shifted = |logits: &[f32]| -> Vec<f32> {
        logits.iter().map(|logit| logit + shift.unwrap_or(0.0) as f32).collect()
    };
    let (recurrent, linear) = (shifted(&recurrent), linear.map(shifted));
    let logits = combined(&recurrent, linear.as_deref(), linear_share, temperature);
    Ok(Measured {
        metrics: Metrics::of_logits(&logits, labels),
        weighted_loss: is_weighted.then(|| weighted_loss(&logits, labels, class_weights)),
        linear_share,
        temperature,
        shift,
        alone: PathLogits { recurrent, linear }.scores(labels),
    })
}

/// The linear path's fraction of the two scales, of the recurrent layers and of the linear path; half
/// if both are 0.
fn share(scales: &[f64]) -> f64 {
    let sum: f64 = scales.iter().sum();
    let share = if sum > 0.0 { scales.last().unwrap_or(&0.0) / sum } else { 0.5 };
    share.clamp(SMALLEST_SHARE, 1.0 - SMALLEST_SHARE)
}

/// The intercept of a fit as what is added to every path's logits before they are scaled; 0 if none counts.
fn shift(fit: &Fit) -> f64 {
    let sum: f64 = fit.scales.iter().sum();
    if sum > 0.0 { fit.intercept / sum } else { 0.0 }
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
pub(crate) fn is_kept(keep: Keep, new: &EpochRecord, kept: Option<&EpochRecord>) -> bool {
    kept.is_none_or(|kept| match keep {
        Keep::Last => true,
        Keep::LowestLoss => new.selection_loss() < kept.selection_loss(),
        Keep::HighestAccuracy => new.validation.accuracy > kept.validation.accuracy,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_temperature_give_each_path_its_scale() {
        let scales = [0.5, 1.5];
        let (share, temperature) = (share(&scales), temperature(&scales));
        assert_eq!((share, temperature), (0.75, 0.5));
        let logits = combined(&[2.0], Some(&[4.0]), Some(share), Some(temperature));
        assert_eq!(logits, [0.5 * 2.0 + 1.5 * 4.0]);
        assert_eq!(combined(&[2.0], None, None, Some(0.5)), [4.0]);
        assert_eq!(combined(&[2.0], None, None, None), [2.0]);
        assert_eq!(super::share(&[0.0, 0.0]), 0.5);
        assert_eq!(super::share(&[3.0, 0.0]), SMALLEST_SHARE);
    }
}
