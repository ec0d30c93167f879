//! What a validation measures, and whether the model that it measured is kept.

use model::{PathScales, SentimentRnn};

use crate::calibration::fit_temperature;
use crate::config::Keep;
use crate::error::Result;
use crate::evaluate::raw_logits;
use crate::job::{TrainingJob, labels_of};
use crate::linear_path::{fit_share, mixed};
use crate::metrics::Metrics;
use crate::observer::{Event, Observer};
use crate::profile::Part;
use crate::report::EpochRecord;
use crate::step::TrainingStep;

/// What one validation found.
pub(crate) struct Measured {
    /// With the share and the temperature below. The loss is not finite if a logit is not.
    pub(crate) metrics: Metrics,
    /// How much of the logits is the linear path's, if that was fitted before.
    pub(crate) linear_share: Option<f64>,
    /// What the logits are divided by, if they are calibrated.
    pub(crate) temperature: Option<f64>,
}

/// Measures the weights as they are on the validation split.
///
/// `linear_logits`: what the linear path says of these texts, if it was fitted first.
pub(crate) fn measure(
    job: &TrainingJob<'_>,
    step: &mut TrainingStep,
    linear_logits: Option<&[f32]>,
    observer: &mut dyn Observer,
) -> Result<Measured> {
    let &TrainingJob { model, data, training, .. } = job;
    let seq_len = data.encoder.config().seq_len;
    let vocabularies = step.vocabularies().clone();
    let mut logits = step.with_weights(|variables, profile| {
        profile.time(Part::Evaluation, || {
            let mut network = SentimentRnn::frozen(model, vocabularies, variables)?;
            if linear_logits.is_some() {
                network = network.without_linear_path();
            }
            let mut on_rows = |n_rows| observer.on_event(Event::Scored { n_rows });
            raw_logits(&network, &data.validation, seq_len, &mut on_rows)
        })
    })?;
    let labels = labels_of(&data.validation)?;
    let linear_share = linear_logits.map(|linear| {
        let share = fit_share(&logits, linear, labels);
        logits = mixed(&logits, linear, share);
        share
    });
    let temperature = training.calibrate.then(|| fit_temperature(&logits, labels));
    let scale = 1.0 / temperature.unwrap_or(1.0);
    let scaled: Vec<f32> = logits.iter().map(|logit| logit * scale as f32).collect();
    Ok(Measured { metrics: Metrics::of_logits(&scaled, labels), linear_share, temperature })
}

/// What the logits of a validated network are multiplied by when it is kept.
pub(crate) fn path_scales(record: &EpochRecord) -> PathScales {
    let scale = 1.0 / record.temperature.unwrap_or(1.0);
    match record.linear_share {
        Some(share) => PathScales { recurrent: (1.0 - share) * scale, linear: share * scale },
        None => PathScales { recurrent: scale, linear: scale },
    }
}

/// Whether a model takes the place of the one kept so far.
pub(crate) fn is_kept(keep: Keep, new: &Metrics, kept: Option<&Metrics>) -> bool {
    kept.is_none_or(|kept| match keep {
        Keep::Last => true,
        Keep::LowestLoss => new.loss < kept.loss,
        Keep::HighestAccuracy => new.accuracy > kept.accuracy,
    })
}
