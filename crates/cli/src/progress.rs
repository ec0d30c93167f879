//! Training progress on standard error: one bar, and a line for each validation.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use trainer::{
    Event, Metrics, Observer, Phase, PretrainingRecord, Recipe, Stamp, Stop, ValidationRecord,
};

use crate::memory::return_freed_memory;

const TRAINING: &str = "{prefix} {bar:30} {pos}/{len} texts, {per_sec:>9} texts/s, {eta} left{msg}";
/// What a bar for scoring shows.
pub(crate) const SCORING: &str =
    "{prefix} {bar:30} {pos}/{len} texts, {per_sec:>9} texts/s, {eta} left";

/// Weight of the newest batch in the displayed loss.
const SMOOTHING: f64 = 0.05;

/// Shows the progress of a training.
pub(crate) struct TrainingProgress {
    /// Covers all epochs, so the time left is that of the whole training.
    training: ProgressBar,
    /// The bar of a validation or the test, or the spinner of the comparison.
    scoring: Option<ProgressBar>,
    n_pretraining_epochs: usize,
    n_epochs: usize,
    phase: Phase,
    shown_loss: Option<f64>,
}

impl TrainingProgress {
    pub(crate) fn new(recipe: &Recipe, n_rows: usize) -> Self {
        let (n_pretraining_epochs, n_epochs) = (recipe.pretraining.epochs, recipe.training.epochs);
        let first = if n_pretraining_epochs > 0 { n_pretraining_epochs } else { n_epochs };
        let training = bar(TRAINING, first * n_rows);
        Self {
            training,
            scoring: None,
            n_pretraining_epochs,
            n_epochs,
            phase: Phase::Pretraining,
            shown_loss: None,
        }
    }

    pub(crate) fn finish(&mut self) {
        self.training.finish_and_clear();
        self.end_scoring();
    }

    fn end_scoring(&mut self) {
        if let Some(bar) = self.scoring.take() {
            bar.finish_and_clear();
        }
    }

    /// Prints a line above the bar, or without a bar if standard error is not a terminal.
    fn line(&self, text: &str) {
        if self.training.is_hidden() {
            eprintln!("{text}");
        } else {
            self.training.println(text);
        }
    }
}

impl Observer for TrainingProgress {
    fn on(&mut self, _: &Stamp, event: &Event) -> trainer::Result<()> {
        self.show(event);
        Ok(())
    }
}

impl TrainingProgress {
    fn show(&mut self, event: &Event) {
        match event {
            Event::Resumed { position, notes } => {
                for note in notes {
                    self.line(&format!("warning: {note}"));
                }
                self.line(&format!("going on from the last checkpoint: {position}"));
            }
            Event::LinearPathStart { n_ngrams } => {
                self.line(&format!("fitting a linear path over {n_ngrams} n-grams"));
            }
            Event::LinearPathFitted { metrics } => self.line(&format!(
                "linear path alone  validation loss {:.4} {}",
                metrics.loss(),
                headline(metrics)
            )),
            Event::TeacherStart { n_models } => {
                self.line(&format!("fitting {n_models} linear models to teach the network"));
            }
            Event::WordVectors { used } => self.line(&format!(
                "{}: found vectors for {} of the {} words",
                used.path.display(),
                used.n_found,
                used.n_words
            )),
            Event::PretrainingStart { epoch, n_rows, n_done } => {
                let n_epochs = self.n_pretraining_epochs;
                self.training.set_prefix(format!("pre-training, epoch {epoch}/{n_epochs}"));
                self.start_at((epoch - 1) * n_rows + n_done);
            }
            Event::Pretrained { record } => self.line(&pretraining_line(record)),
            Event::EpochStart { epoch, n_rows, n_done } => {
                // Speed and loss of the pre-training do not apply.
                self.enter(Phase::Epochs, self.n_epochs * n_rows);
                self.training.set_prefix(format!("epoch {epoch}/{}", self.n_epochs));
                self.start_at((epoch - 1) * n_rows + n_done);
            }
            Event::Step { n_rows, loss, .. } => {
                let shown = self.shown_loss.map_or(*loss, |old| old + SMOOTHING * (loss - old));
                self.shown_loss = Some(shown);
                self.training.set_message(format!(", loss {shown:.4}"));
                self.training.inc(*n_rows as u64);
            }
            Event::ValidationStart { n_rows } => {
                return_freed_memory();
                self.scoring = Some(scoring_bar("validating", *n_rows));
            }
            Event::Scored { n_rows } => {
                if let Some(bar) = &self.scoring {
                    bar.inc(*n_rows as u64);
                }
            }
            Event::Validated { record } => {
                return_freed_memory();
                self.end_scoring();
                self.line(&validation_line(record));
            }
            Event::RefitStart { epoch, n_rows, n_done, n_epochs } => {
                self.enter(Phase::Refit, (n_epochs * *n_rows as f64) as usize);
                self.training.set_prefix(format!("retraining, epoch {epoch}"));
                self.start_at((epoch - 1) * n_rows + n_done);
            }
            Event::Refitted { record } => self.line(&format!(
                "retrained on {} texts, including the validation texts: train loss {:.4}  {:.0} s",
                record.n_rows, record.train_loss, record.train_s
            )),
            Event::Stopped { stop, is_saved, validates } => {
                let why = match stop {
                    Stop::Deadline => "the time is up",
                    _ => "interrupted",
                };
                let saved = if *is_saved { ": the state of the training is saved" } else { "" };
                let validates = match validates {
                    true => "; validating the model (press Ctrl-C again to quit at once)",
                    false => "",
                };
                self.line(&format!("{why}{saved}{validates}"));
            }
            Event::TestStart { n_rows } => {
                self.finish();
                return_freed_memory();
                self.scoring = Some(scoring_bar("testing", *n_rows));
            }
            Event::Tested { .. } => self.end_scoring(),
            Event::ComparisonStart => {
                let what = "fitting a linear model for comparison".to_string();
                self.scoring = Some(spinner(what));
            }
            Event::Compared { failure } => {
                self.end_scoring();
                if let Some(error) = failure {
                    // The network is kept even without the comparison.
                    eprintln!("warning: cannot fit a linear model for comparison: {error}");
                }
            }
            _ => {}
        }
    }

    /// Begins the bar of a phase, if it is another than before.
    fn enter(&mut self, phase: Phase, n_rows: usize) {
        if self.phase != phase {
            self.phase = phase;
            self.training.set_length(n_rows as u64);
            self.training.reset();
            self.shown_loss = None;
        }
    }

    /// Goes to a place that need not have been reached by training.
    fn start_at(&self, n_rows: usize) {
        if self.training.position() != n_rows as u64 {
            self.training.set_position(n_rows as u64);
            self.training.reset_eta();
        }
    }
}

/// A progress bar for scoring texts.
pub(crate) fn scoring_bar(what: &'static str, n_rows: usize) -> ProgressBar {
    bar(SCORING, n_rows).with_prefix(what)
}

/// A spinner for work of unknown length.
pub(crate) fn spinner(what: String) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// A bar that shows its rate.
pub(crate) fn bar(template: &str, len: usize) -> ProgressBar {
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("per_sec", |state: &indicatif::ProgressState, w: &mut dyn std::fmt::Write| {
            // There is nowhere to report a failed write.
            let _ = write!(w, "{:.0}", state.per_sec());
        });
    let bar = ProgressBar::new(len as u64).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

fn pretraining_line(record: &PretrainingRecord) -> String {
    let PretrainingRecord { epoch, train_loss, train_s, perplexity } = record;
    let perplexity = match perplexity.as_deref() {
        Some([forward]) => format!("  validation perplexity {forward:.0}"),
        Some([forward, backward]) => {
            format!("  validation perplexity {forward:.0} forward, {backward:.0} backward")
        }
        _ => String::new(),
    };
    format!("pre-training epoch {epoch:<4}  loss {train_loss:.4}{perplexity}  {train_s:.0} s")
}

fn validation_line(record: &ValidationRecord) -> String {
    let ValidationRecord { epoch, train_loss, validation, train_s, texts_per_s, is_kept, .. } =
        record;
    let kept = if *is_kept { "  kept" } else { "" };
    let weighted =
        record.weighted_loss.map_or_else(String::new, |loss| format!(" (weighted {loss:.4})"));
    let alone = record.alone.as_ref().map_or_else(String::new, |alone| {
        format!(" (recurrent layers alone {:.4})", alone.recurrent.headline())
    });
    format!(
        "epoch {epoch:<4}  train loss {train_loss:.4}  validation loss {:.4}{weighted} {}{alone}  \
         {train_s:.0} s, {texts_per_s:.0} texts/s{kept}",
        validation.loss(),
        headline(validation),
    )
}

/// The most telling metric with its name.
fn headline(metrics: &Metrics) -> String {
    let (name, value) = metrics.headline();
    format!("{name} {value:.4}")
}
