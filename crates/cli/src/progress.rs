//! The training as people see it: one bar on standard error, and a line for every validation.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use trainer::{EpochRecord, Event, Observer};

use crate::interrupt::Interrupt;

const TRAINING: &str =
    "{prefix} {bar:30} {pos}/{len} reviews, {per_sec:>9} reviews/s, {eta} left{msg}";
const SCORING: &str = "{prefix} {bar:30} {pos}/{len} texts, {per_sec:>9} texts/s, {eta} left";

/// Weight of the newest batch in the loss that is shown.
const SMOOTHING: f64 = 0.05;

/// Draws a training and stops it at Ctrl-C.
pub(crate) struct TrainingProgress {
    /// Over all epochs, so that the time left is the training's.
    training: ProgressBar,
    scoring: Option<ProgressBar>,
    interrupt: Interrupt,
    n_epochs: usize,
    shown_loss: Option<f64>,
}

impl TrainingProgress {
    pub(crate) fn new(n_epochs: usize, n_rows: usize, interrupt: Interrupt) -> Self {
        let training = bar(TRAINING, n_epochs * n_rows);
        Self { training, scoring: None, interrupt, n_epochs, shown_loss: None }
    }

    pub(crate) fn finish(&self) {
        self.training.finish_and_clear();
    }

    /// Leaves a line on the screen, or in the log where standard error is none.
    fn line(&self, text: &str) {
        if self.training.is_hidden() {
            eprintln!("{text}");
        } else {
            self.training.println(text);
        }
    }
}

impl Observer for TrainingProgress {
    fn on_event(&mut self, event: Event<'_>) {
        match event {
            Event::EpochStart { epoch, n_rows } => {
                self.training.set_prefix(format!("epoch {epoch}/{}", self.n_epochs));
                self.training.set_position(((epoch - 1) * n_rows) as u64);
            }
            Event::Step { n_rows, loss } => {
                let loss = f64::from(loss);
                let shown = self.shown_loss.map_or(loss, |old| old + SMOOTHING * (loss - old));
                self.shown_loss = Some(shown);
                self.training.set_message(format!(", loss {shown:.4}"));
                self.training.inc(n_rows as u64);
            }
            Event::ValidationStart { n_rows } => {
                recurrent::return_freed_memory();
                self.scoring = Some(scoring_bar("validating", n_rows));
            }
            Event::Scored { n_rows } => {
                if let Some(bar) = &self.scoring {
                    bar.inc(n_rows as u64);
                }
            }
            Event::Validated { record } => {
                recurrent::return_freed_memory();
                if let Some(bar) = self.scoring.take() {
                    bar.finish_and_clear();
                }
                self.line(&validation_line(record));
            }
            Event::Interrupted => {
                self.line("interrupted: validating what was learned (Ctrl-C again ends at once)");
            }
            _ => {}
        }
    }

    fn should_stop(&self) -> bool {
        self.interrupt.is_pressed()
    }
}

/// A bar over texts that are being scored.
pub(crate) fn scoring_bar(what: &'static str, n_rows: usize) -> ProgressBar {
    bar(SCORING, n_rows).with_prefix(what)
}

/// A line that turns while something of unknown length goes on.
pub(crate) fn spinner(what: String) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

fn bar(template: &str, len: usize) -> ProgressBar {
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("per_sec", |state: &indicatif::ProgressState, w: &mut dyn std::fmt::Write| {
            // Nobody is there to hear of a failure to write to a string.
            let _ = write!(w, "{:.0}", state.per_sec());
        });
    let bar = ProgressBar::new(len as u64).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

fn validation_line(record: &EpochRecord) -> String {
    let EpochRecord { epoch, train_loss, validation, train_s, reviews_per_s, is_kept, .. } = record;
    let kept = if *is_kept { "  kept" } else { "" };
    format!(
        "epoch {epoch:<4}  train loss {train_loss:.4}  validation loss {:.4} accuracy {:.4}  \
         {train_s:.0} s, {reviews_per_s:.0} reviews/s{kept}",
        validation.loss, validation.accuracy,
    )
}
