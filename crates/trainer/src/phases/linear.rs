//! Before any epoch: the linear path is fitted, and vectors of words are read.

use std::cell::Cell;

use crate::error::Result;
use crate::evaluate::targets_of;
use crate::job::TrainingJob;
use crate::linear_search::{Fitted, fit_best};
use crate::observer::{Event, Stop};
use crate::scoring::metrics_of;
use crate::state::Phase;
use crate::teacher::{self, Teacher};
use crate::training::Training;
use crate::word_vectors;

/// Fits the linear path, if the network has one, asks the network's teacher, if it has one, and reads the word vectors, if
/// there are any. `Some` if it was asked to stop; a fit that was stopped begins anew.
pub(crate) fn linear(training: &mut Training<'_, '_>) -> Result<Option<Stop>> {
    if training.state.position.phase != Phase::LinearPath {
        return Ok(None);
    }
    if let Some(stop) = training.pause()? {
        return Ok(Some(stop));
    }
    if teacher::is_wanted(training.job.training) {
        // The teacher may be stopped, and what is fitted until then begins anew.
        training.save_state()?;
    }
    fit(training)?;
    if let Some(stop) = teach(training, true)? {
        return Ok(Some(stop));
    }
    let &TrainingJob { training: settings, data, .. } = training.job;
    if let Some(path) = &settings.word_vectors {
        let used = word_vectors::start_from(path, &data.encoder, training.state.step.network().1)?;
        training.tell(Event::WordVectors { used: used.clone() })?;
        training.state.report.word_vectors = Some(used);
    }
    training.state.enter(training.job, Phase::Pretraining);
    Ok(None)
}

fn fit(training: &mut Training<'_, '_>) -> Result<()> {
    let &TrainingJob { training: settings, data, .. } = training.job;
    let Some(vocabulary) = training.state.step.vocabularies().ngrams.clone() else { return Ok(()) };
    training.tell(Event::LinearPathStart { n_ngrams: vocabulary.len() })?;
    let start = data.start.as_ref().map(|start| start.linear(&vocabulary)).transpose()?.flatten();
    let Fitted { model, rate, logits, stacked, .. } =
        fit_best(&vocabulary, data, settings, training.weighting(), start.as_ref())?;
    if let Some(lengths) = &mut training.state.lengths {
        lengths.linear = Some(model.logits(&lengths.windows));
    }
    model.set_path(training.state.step.network().1)?;
    let judged = stacked.combined(&stacked.shifted(&logits));
    let metrics = metrics_of(&judged, &data.task, targets_of(&data.validation)?, None)?;
    training.state.linear_logits = Some(logits.recurrent);
    let report = &mut training.state.report;
    if let (Some(from), Some(start)) = (&mut report.from, &data.start) {
        from.count_ngrams(start, &vocabulary);
    }
    (report.linear_rate, report.linear_path) = (Some(rate), Some(metrics.clone()));
    training.tell(Event::LinearPathFitted { metrics })
}

/// Asks the network's teacher, if it has one, about what the network learns from in this phase. `Some` if the training
/// was asked to stop.
///
/// `may_stop`: whether it looks for that.
pub(super) fn teach(training: &mut Training<'_, '_>, may_stop: bool) -> Result<Option<Stop>> {
    let &TrainingJob { training: settings, data, .. } = training.job;
    if !teacher::is_wanted(settings) {
        return Ok(None);
    }
    training.tell(Event::TeacherStart { n_models: teacher::N_FOLDS })?;
    let state = &mut training.state;
    let rate = match state.report.linear_rate {
        // That of a path which starts from a model is lower.
        Some(rate) if data.start.is_none() => rate,
        _ => teacher::rate(data, settings)?,
    };
    let (control, stop) = (training.session.control, Cell::new(None));
    let is_stopped = || {
        stop.set(control.stop().filter(|_| may_stop));
        stop.get().is_some()
    };
    let teacher = Teacher::ask(&state.lessons, &data.task, (settings, rate), &is_stopped)?;
    if let Some(teacher) = teacher {
        state.step.set_teacher(teacher);
    }
    Ok(stop.get())
}
