//! A training from its first step to the saved figures: the loop, the test of the kept model, and the linear model
//! that networks without a linear path are compared with.

use classifier::Classifier;

use crate::baseline::linear_baseline;
use crate::error::{Error, Result};
use crate::evaluate::test;
use crate::job::TrainingJob;
use crate::observer::{Event, Observer};
use crate::record::Ending;
use crate::report::TrainingReport;

impl TrainingJob<'_> {
    /// [Trains](TrainingJob::run), tests the kept model, if there are texts for testing, and saves the report with the
    /// model. With `comparison`, a linear model is fitted and tested beside a network without a linear path.
    ///
    /// If the observer stopped the training before there was a model, none is kept and nothing is tested: the report
    /// has ended as [`Ending::Interrupted`], and [`kept`](TrainingReport::kept) is `None`.
    ///
    /// # Errors
    /// As [`run`](TrainingJob::run); [`Error::NothingKept`]; an error of the test. A comparison that fails is an
    /// [`Event::Compared`] and no error.
    pub fn run_and_test(
        self,
        comparison: bool,
        observer: &mut dyn Observer,
    ) -> Result<TrainingReport> {
        let (data, folder, device) = (self.data, self.folder, self.device);
        let mut report = self.run(observer)?;
        if report.kept().is_none() {
            return match report.ended {
                Ending::Interrupted => Ok(report),
                _ => Err(Error::NothingKept),
            };
        }
        if !data.test.is_empty() {
            observer.on_event(Event::TestStart { n_rows: data.test.len() });
            let trained = Classifier::open(folder.path(), device)?;
            let mut on_rows = |n_rows| observer.on_event(Event::Scored { n_rows });
            report.add_test(test(&trained, &data.test, &mut on_rows)?);
            // Save the result now, in case a later step fails.
            folder.save_metrics(&report)?;
            observer.on_event(Event::Tested);
            if comparison && report.model.ngram_order == 0 {
                observer.on_event(Event::ComparisonStart);
                let score = linear_baseline(data, &report.training);
                observer.on_event(Event::Compared { failure: score.as_ref().err() });
                report.linear_baseline = score.ok();
            }
        }
        folder.save_metrics(&report)?;
        Ok(report)
    }
}
