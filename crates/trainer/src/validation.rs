//! What a validation measures, and whether the model that it measured is kept.

use std::ops::ControlFlow;
use std::time::Instant;

use classifier::PathLogits;
use measures::Metrics;
use model::RecurrentClassifier;

use crate::config::Keep;
use crate::error::Result;
use crate::evaluate::{path_logits, targets_of};
use crate::job::TrainingJob;
use crate::observer::Event;
use crate::paths::{PathScores, scores};
use crate::profile::Part;
use crate::record::ValidationRecord;
use crate::scoring::{metrics_of, weighted_loss};
use crate::stacking::Stacked;
use crate::training::Training;

/// The result of one validation.
pub(crate) struct Measured {
    /// With the share, temperatures, shifts and thresholds below. The loss is not finite if a logit is not.
    pub(crate) metrics: Metrics,
    /// The loss with the texts weighted; absent where all count equally.
    pub(crate) weighted_loss: Option<f64>,
    /// How the paths are weighted against each other and calibrated.
    pub(crate) stacked: Stacked,
    /// The chosen decision thresholds, if there is a goal for them.
    pub(crate) thresholds: Option<Vec<f32>>,
    /// Each path alone, if there are two.
    pub(crate) alone: Option<PathScores>,
    /// The logits of each path, as a model saved now would have them.
    pub(crate) predictions: PathLogits,
}

/// Measures the current weights on the validation split.
pub(crate) fn measure(training: &mut Training<'_, '_>) -> Result<Measured> {
    let &TrainingJob { data, training: settings, .. } = training.job;
    let task = &data.task;
    let seq_len = data.encoder.config().seq_len;
    let config = training.job.model.for_task(task)?;
    let at = training.stamp();
    let (step, session) = (&mut training.state.step, &mut training.session);
    let weights = step.weights()?;
    let started = Instant::now();
    let network = RecurrentClassifier::frozen(&config, step.vocabularies().clone(), &weights)?;
    let mut told = Ok(());
    let mut on_rows = |n_rows| {
        told = session.tell(&at, &Event::Scored { n_rows });
        if told.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    // The linear path no longer changes.
    let network = network.without_linear_path();
    let recurrent = path_logits(&network, &data.validation, seq_len, &mut on_rows);
    // Why it stopped, if it did.
    told?;
    let recurrent = recurrent?;
    let windows = match &training.state.lengths {
        // Their progress is not that of the validation texts.
        Some(lengths) => {
            let on_rows = &mut |_| ControlFlow::Continue(());
            Some(path_logits(&network, &lengths.windows, seq_len, on_rows)?.recurrent)
        }
        None => None,
    };
    step.profile().add(Part::Evaluation, started.elapsed());
    let linear = training.state.linear_logits.clone();
    let weighting = training.weighting();
    let paths = PathLogits { linear, ..recurrent };
    let targets = targets_of(&data.validation)?;
    let lengths = training.state.lengths.as_ref().zip(windows.as_deref());
    let stacked = match lengths {
        Some((lengths, windows)) => {
            Stacked::fit_by_length(task, (&paths, windows), lengths, weighting)
        }
        None => Stacked::fit(task, &paths, targets, weighting, settings.calibrate),
    };
    let shifted = stacked.shifted(&paths);
    let (logits, alone, predictions) = match (&stacked.by_length, lengths) {
        (Some(scales), Some((lengths, _))) => {
            let scaled = scales.scaled(stacked.scaled(shifted), lengths);
            (scaled.sum(), scores(&scaled, task, targets)?, scaled)
        }
        _ => {
            let logits = stacked.combined(&shifted);
            (logits, scores(&shifted, task, targets)?, stacked.scaled(shifted))
        }
    };
    let is_finite = logits.iter().all(|logit| logit.is_finite());
    let goal = settings.threshold.filter(|_| is_finite);
    let thresholds = goal.and_then(|goal| goal.choose(task, &logits, targets, weighting.rows));
    let mut metrics = metrics_of(&logits, task, targets, thresholds.as_deref())?;
    if !is_finite {
        // The loss of an infinite logit may be 0.
        metrics.set_loss(f64::NAN);
    }
    let is_weighted = !weighting.classes.are_equal() || weighting.rows.is_some();
    let weighted_loss =
        is_weighted.then(|| weighted_loss(&logits, task, targets, weighting)).transpose()?;
    Ok(Measured { metrics, weighted_loss, stacked, thresholds, alone, predictions })
}

/// Whether a model replaces the one kept so far.
pub(crate) fn is_kept(keep: Keep, new: &ValidationRecord, kept: Option<&ValidationRecord>) -> bool {
    kept.is_none_or(|kept| match keep {
        Keep::Last => true,
        Keep::LowestLoss => new.selection_loss() < kept.selection_loss(),
        Keep::HighestAccuracy => new.validation.headline().1 > kept.validation.headline().1,
    })
}
