//! A training from its first step to the saved figures: the loop, the test of the kept model, and the linear model
//! that networks without a linear path are compared with.

use std::ops::ControlFlow;

use classifier::Classifier;

use crate::baseline::linear_baseline;
use crate::error::{Error, Result};
use crate::evaluate::test_with_logits;
use crate::job::TrainingJob;
use crate::observer::{Event, Observer, Stamp};
use crate::record::Ending;
use crate::report::TrainingReport;
use crate::run_folder::TEST;
use crate::state::Phase;
use crate::training::{Session, now, save_metrics};

impl TrainingJob<'_> {
    /// [Trains](TrainingJob::run), tests the kept model, if there are texts for testing, and saves the report with the
    /// model. With `comparison`, a linear model is fitted and tested beside a network without a linear path.
    ///
    /// If the control stopped the training before there was a model, none is kept and nothing is tested: the report has
    /// ended as [`Ending::Interrupted`], and [`kept`](TrainingReport::kept) is `None`.
    ///
    /// # Errors
    /// As [`run`](TrainingJob::run); [`Error::NothingKept`]; an error of the test. A comparison that fails is an
    /// [`Event::Compared`] and no error.
    pub fn run_and_test(
        self,
        comparison: bool,
        observer: &mut dyn Observer,
    ) -> Result<TrainingReport> {
        self.run_and_test_in(comparison, &mut Session::watched_by(observer))
    }

    /// The same in a session, as [`run_in`](TrainingJob::run_in). Of a training that was stopped, the model kept so far
    /// is tested, too. Whoever has nothing more to do for the run [ends](crate::RunRecorder::end) its recorder's session
    /// then.
    ///
    /// # Errors
    /// As [`run_and_test`](TrainingJob::run_and_test) and [`run_in`](TrainingJob::run_in).
    pub fn run_and_test_in(
        &self,
        comparison: bool,
        session: &mut Session<'_>,
    ) -> Result<TrainingReport> {
        let &Self { data, folder, device, .. } = self;
        let mut report = self.run_in(session)?;
        if report.kept().is_none() {
            return match report.ended {
                Ending::Interrupted => Ok(report),
                _ => Err(Error::NothingKept),
            };
        }
        // A model folder that is ahead of the report holds another model than the one that was kept.
        if !data.test.is_empty() && folder.saved_id().is_some() {
            let at = stamp(&report);
            session.tell(&at, &Event::TestStart { n_rows: data.test.len() })?;
            let trained = Classifier::open(folder.path(), device)?;
            let mut told = Ok(());
            let mut on_rows = |n_rows| {
                told = session.tell(&at, &Event::Scored { n_rows });
                if told.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            let tested = test_with_logits(&trained, &data.test, &mut on_rows);
            // Why it stopped, if it did.
            told?;
            let (measured, logits) = tested?;
            if let Some(run) = &mut session.run {
                run.keep_predictions(self, TEST, &logits)?;
            }
            report.add_test(measured);
            // Save the result now, in case a later step fails.
            save_metrics(self, &report)?;
            if let Some(metrics) = report.test.clone() {
                session.tell(&at, &Event::Tested { metrics })?;
            }
            if comparison && report.model.ngram_order == 0 {
                session.tell(&at, &Event::ComparisonStart)?;
                let score = linear_baseline(data, &report.training);
                let failure = score.as_ref().err().map(ToString::to_string);
                session.tell(&at, &Event::Compared { failure })?;
                report.linear_baseline = score.ok();
            }
        }
        save_metrics(self, &report)?;
        Ok(report)
    }
}

/// The moment after a training.
fn stamp(report: &TrainingReport) -> Stamp {
    let (epoch, step) = report.kept().map_or((0.0, 0), |kept| (kept.epoch, kept.step));
    let (phase, step) = match &report.refit {
        Some(refit) => (Phase::Refit, refit.n_steps),
        None => (Phase::Epochs, step),
    };
    Stamp { phase, epoch, step, elapsed_s: report.train_s, time: now() }
}
