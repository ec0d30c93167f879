//! The whole state of a training.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use candle_core::Tensor;
use dataset::EncodedSplit;
use serde::{Deserialize, Serialize};

use super::position::{Phase, Position};
use super::restored::Restored;
use super::snapshot::Snapshot;
use crate::error::Result;
use crate::evaluate::targets_of;
use crate::job::{TrainingJob, new_step, steps_per_epoch, vocabularies};
use crate::lessons::Lessons;
use crate::path_scaling::LengthSample;
use crate::pretraining::LanguageModel;
use crate::record::Ending;
use crate::report::TrainingReport;
use crate::schedule::LearningRate;
use crate::step::TrainingStep;
use crate::teacher::Teacher;

/// The initial weights of a training run, by name, without the linear path's.
pub(crate) type Start = BTreeMap<String, Tensor>;

/// Before the names of initial weights.
const START: &str = "start.";
const LINEAR_LOGITS: &str = "linear logits";
/// A teacher's probabilities of the texts and windows of this phase.
const TEACHER: &str = "teacher";
const WINDOW_LOGITS: &str = "linear logits of windows";
/// The id of the model that is in the model folder.
const MODEL: &str = "model";
/// The id of the model that was in the folder when the training began.
const REPLACED: &str = "replaced model";

/// Everything that a training consists of between two batches. The texts and the settings are not part of it.
pub(crate) struct TrainState {
    /// The next batch.
    pub(crate) position: Position,
    /// Batches so far, of all phases.
    pub(crate) n_batches: u64,
    /// How the epochs ended, once they have.
    pub(crate) ended: Option<Ending>,
    /// The texts that this phase learns from.
    pub(crate) texts: Arc<EncodedSplit>,
    /// What its batches are made of, except in pre-training: these texts, and windows of them.
    pub(crate) lessons: Lessons,
    /// The network that this phase trains, its optimiser, and what batches pass on.
    pub(crate) step: TrainingStep,
    /// The learning rate of this phase.
    pub(crate) schedule: LearningRate,
    /// What pre-training has besides the network.
    pub(crate) language_model: Option<LanguageModel>,
    /// The weights that retraining starts from.
    pub(crate) start: Option<Start>,
    /// The linear path's logits of the validation texts, once it is fitted.
    pub(crate) linear_logits: Option<Vec<f32>>,
    /// What scales by length are fitted on, if the network has them; not in retraining.
    pub(crate) lengths: Option<LengthSample>,
    /// What was trained since the last measurement.
    pub(crate) progress: Progress,
    /// Validations since the lowest loss.
    pub(crate) n_worse: usize,
    /// The id of the model that was in the model folder when the training began, and that it may replace.
    replaced: Option<String>,
    /// The figures so far.
    pub(crate) report: TrainingReport,
    /// When this phase began, in seconds of training.
    phase_began_s: f64,
    /// Seconds in earlier sessions, and the start of this one.
    clock: (f64, Instant),
}

/// What was trained since the last measurement: a validation, or an epoch's beginning in phases without any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) n_rows: usize,
    pub(crate) n_batches: usize,
    /// Weights of the summed losses.
    pub(crate) n_words: usize,
    pub(crate) loss_sum: f64,
    /// When it began, in seconds of training.
    began_s: f64,
}

impl TrainState {
    /// A training that has not begun.
    pub(crate) fn new(job: &TrainingJob<'_>, report: TrainingReport) -> Result<Self> {
        let replaced = job.folder.there()?.map(|id| id.to_string());
        Ok(Self { replaced, ..Self::at(job, Phase::LinearPath, report, (0.0, Instant::now()))? })
    }

    /// The beginning of a phase with a new network.
    fn at(
        job: &TrainingJob<'_>,
        phase: Phase,
        report: TrainingReport,
        clock: (f64, Instant),
    ) -> Result<Self> {
        let texts = match phase {
            Phase::Refit => Arc::new(EncodedSplit::joined(&job.data.train, &job.data.validation)?),
            _ => Arc::clone(&job.data.train),
        };
        let lessons = Lessons::new(&texts, job.training.windows, job.training.seed)?;
        let vocabularies = vocabularies(job, &texts)?;
        let has_lengths = !job.model.path_scales.is_constant() && phase != Phase::Refit;
        let ngrams = vocabularies.ngrams.as_ref();
        let sample = || LengthSample::new(&job.data.validation, ngrams, job.training.seed);
        let lengths = has_lengths.then(sample).transpose()?;
        let step = new_step(job, vocabularies, targets_of(&texts)?)?;
        let mut state = Self {
            position: Position::start_of(phase),
            n_batches: 0,
            ended: None,
            schedule: schedule(job, phase, rows_of(phase, &texts, &lessons)),
            texts,
            lessons,
            step,
            language_model: None,
            start: None,
            linear_logits: None,
            lengths,
            progress: Progress::default(),
            n_worse: 0,
            replaced: None,
            report,
            phase_began_s: 0.0,
            clock,
        };
        state.phase_began_s = state.elapsed_s();
        state.restart_progress();
        Ok(state)
    }

    /// What the batches of the current phase are made of.
    pub(crate) fn rows(&self) -> &Arc<EncodedSplit> {
        rows_of(self.position.phase, &self.texts, &self.lessons)
    }

    /// Seconds of training so far, of all sessions.
    pub(crate) fn elapsed_s(&self) -> f64 {
        let (before, started) = self.clock;
        before + started.elapsed().as_secs_f64()
    }

    /// Begins to count anew what is trained.
    pub(crate) fn restart_progress(&mut self) {
        self.progress = Progress { began_s: self.elapsed_s(), ..Progress::default() };
    }

    /// Seconds since [`restart_progress`](Self::restart_progress).
    pub(crate) fn progress_s(&self) -> f64 {
        self.elapsed_s() - self.progress.began_s
    }

    /// Seconds since the beginning of this phase.
    pub(crate) fn phase_s(&self) -> f64 {
        self.elapsed_s() - self.phase_began_s
    }

    /// Goes to the first batch of a phase that trains the same network.
    pub(crate) fn enter(&mut self, job: &TrainingJob<'_>, phase: Phase) {
        self.position = Position::start_of(phase);
        self.schedule = schedule(job, phase, self.rows());
        self.phase_began_s = self.elapsed_s();
        self.restart_progress();
    }

    /// Goes to retraining: a new network that learns from all texts outside the test split.
    pub(crate) fn enter_refit(&mut self, job: &TrainingJob<'_>) -> Result<()> {
        // Moments and averages take several times the memory of the weights, and are no longer needed.
        self.step.forget()?;
        let new = Self::at(job, Phase::Refit, self.report.clone(), self.clock)?;
        let (n_batches, ended) = (self.n_batches, self.ended);
        let (start, replaced) = (self.start.take(), self.replaced.take());
        *self = Self { n_batches, ended, start, replaced, ..new };
        Ok(())
    }

    /// Optimiser steps of this phase.
    pub(crate) fn n_steps(&self) -> usize {
        match (&self.language_model, self.position.phase) {
            (Some(language_model), Phase::Pretraining) => language_model.n_steps(),
            _ => self.step.n_steps(),
        }
    }

    /// Lends everything to a file. Nothing is changed: what follows is the same as without it.
    pub(crate) fn snapshot(&self, job: &TrainingJob<'_>) -> Result<Snapshot<'_>> {
        let mut to = Snapshot::default();
        to.fact("position", &self.position)?;
        to.fact("n_batches", &self.n_batches)?;
        to.fact("ended", &self.ended)?;
        to.fact("schedule", &self.schedule.state())?;
        to.fact("progress", &self.progress)?;
        to.fact("n_worse", &self.n_worse)?;
        to.fact("report", &self.report)?;
        to.fact(MODEL, &job.folder.saved_id().map(|id| id.to_string()))?;
        to.fact(REPLACED, &self.replaced)?;
        to.fact("phase_began_s", &self.phase_began_s)?;
        to.fact("elapsed_s", &self.elapsed_s())?;
        self.step.snapshot(&mut to)?;
        if let Some(language_model) = &self.language_model {
            language_model.snapshot(&mut to)?;
        }
        to.fact("retrains", &self.start.is_some())?;
        for (name, tensor) in self.start.iter().flatten() {
            to.tensor(format!("{START}{name}"), tensor)?;
        }
        if let Some(teacher) = self.step.teacher() {
            to.numbers(TEACHER, teacher.probabilities(), &[teacher.probabilities().len()]);
        }
        if let Some(logits) = &self.linear_logits {
            to.numbers(LINEAR_LOGITS, logits, &[logits.len()]);
        }
        let of_windows = self.lengths.as_ref().and_then(|lengths| lengths.linear.as_ref());
        // Of short texts there are no windows, and nothing to save.
        if let Some(logits) = of_windows.filter(|logits| !logits.is_empty()) {
            to.numbers(WINDOW_LOGITS, logits, &[logits.len()]);
        }
        Ok(to)
    }

    /// The state that [`snapshot`](Self::snapshot) saved, of the same job.
    ///
    /// `is_exact`: whether numbers are rounded as before.
    pub(crate) fn restored(
        job: &TrainingJob<'_>,
        from: &mut Restored,
        is_exact: bool,
    ) -> Result<Self> {
        let position: Position = from.fact("position")?;
        let mut report: TrainingReport = from.fact("report")?;
        // The file may have moved.
        report.data = job.origin.clone();
        let replaced: Option<String> = from.fact(REPLACED)?;
        let saved: Option<String> = from.fact(MODEL)?;
        adopt(job, &report, (saved.as_deref(), replaced.as_deref()), is_exact)
            .map_err(|reason| from.unfit(reason))?;
        let mut state = Self::at(job, position.phase, report, (0.0, Instant::now()))?;
        (state.position, state.replaced) = (position, replaced);
        state.n_batches = from.fact("n_batches")?;
        state.ended = from.fact("ended")?;
        state.schedule.restore(from.fact("schedule")?);
        state.progress = from.fact("progress")?;
        state.n_worse = from.fact("n_worse")?;
        state.phase_began_s = from.fact("phase_began_s")?;
        state.step.restore(from)?;
        if position.phase == Phase::Pretraining {
            let mut language_model = LanguageModel::of(job, &state.step)?;
            language_model.restore(from)?;
            state.language_model = Some(language_model);
        }
        if from.fact("retrains")? {
            let names = from.names(START).into_iter();
            let tensors = names.map(|name| {
                let tensor = from.tensor(&format!("{START}{name}"), job.device)?;
                Ok((name, tensor))
            });
            state.start = Some(tensors.collect::<Result<_>>()?);
        }
        if from.has(TEACHER) {
            let n_probabilities = state.lessons.rows().len() * job.data.task.n_outputs();
            let probabilities = from.numbers(TEACHER, &[n_probabilities])?;
            state.step.set_teacher(Teacher::of(probabilities, &state.lessons, job.training));
        }
        if from.has(LINEAR_LOGITS) {
            let n_logits = job.data.validation.len() * job.data.task.n_outputs();
            state.linear_logits = Some(from.numbers(LINEAR_LOGITS, &[n_logits])?);
        }
        if let Some(lengths) = &mut state.lengths
            && state.linear_logits.is_some()
        {
            let n_logits = lengths.windows.len() * job.data.task.n_outputs();
            lengths.linear = Some(match n_logits {
                0 => Vec::new(),
                _ => from.numbers(WINDOW_LOGITS, &[n_logits])?,
            });
        }
        // Last: building the network took time that was counted before.
        state.clock = (from.fact("elapsed_s")?, Instant::now());
        Ok(state)
    }
}

/// Goes on with the model folder, if it is as the training left it. Otherwise the reason.
///
/// The program may have ended after it saved a model and before it saved the state that knows of it: the folder is then
/// ahead, with a model that this training will save again. It is not adopted, so that no figures are written to it and it
/// is not tested.
fn adopt(
    job: &TrainingJob<'_>,
    report: &TrainingReport,
    (saved, replaced): (Option<&str>, Option<&str>),
    is_exact: bool,
) -> std::result::Result<(), String> {
    let folder = job.folder.path();
    let there = job.folder.there().map_err(|error| error.to_string())?;
    let Some(there) = there else {
        return match report.kept() {
            Some(_) => Err(format!("the model kept so far is no longer in {}", folder.display())),
            None => Ok(()),
        };
    };
    let id = there.to_string();
    if saved == Some(&id) {
        job.folder.adopt(there);
        return Ok(());
    }
    if report.kept().is_none() && replaced == Some(&id) {
        return Ok(());
    }
    let is_ours = TrainingReport::load(folder).is_ok_and(|found| found.is_ahead_of(report));
    if !is_ours {
        return Err(format!(
            "{} holds a model that this training did not save; move it away",
            folder.display()
        ));
    }
    if !is_exact && report.kept().is_some() {
        return Err(format!(
            "the model in {} is of a later step, to which rounding may lead no more; start again",
            folder.display()
        ));
    }
    Ok(())
}

/// What the batches of a phase are made of: a language model learns from texts as they are.
fn rows_of<'a>(
    phase: Phase,
    texts: &'a Arc<EncodedSplit>,
    lessons: &'a Lessons,
) -> &'a Arc<EncodedSplit> {
    match phase {
        Phase::Pretraining => texts,
        Phase::LinearPath | Phase::Epochs | Phase::Refit => lessons.rows(),
    }
}

/// The learning rate of a phase over these rows.
fn schedule(job: &TrainingJob<'_>, phase: Phase, rows: &EncodedSplit) -> LearningRate {
    match phase {
        Phase::Pretraining => job.pretraining.learning_rate(rows.len()),
        Phase::LinearPath | Phase::Epochs | Phase::Refit => {
            LearningRate::new(job.training, steps_per_epoch(job.training, rows.len()))
        }
    }
}
