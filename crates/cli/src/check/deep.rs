//! `sentiment check --deep`: labels that models which were trained without them find unlikely.

use std::fmt::Write as _;

use dataset::{Fold, LabelledTexts};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use trainer::{
    DoubtfulLabel, DoubtfulLabels, Event, HeldOut, Observer, OutOfFold, Recipe, Session, Stamp,
};

use crate::device::DeviceArgs;
use crate::interrupt::Interrupt;
use crate::progress::bar;

const TRAINING: &str = "{prefix} {bar:30} {pos}/{len} texts, {per_sec:>9} texts/s, {eta} left";
/// Characters of a text that are shown.
const SHOWN: usize = 200;

/// The labels of a table, as models see them that were trained on the other folds.
pub(super) struct Deep {
    texts: LabelledTexts,
    held_out: HeldOut,
    found: DoubtfulLabels,
    recipe: String,
    n_folds: usize,
}

/// Shows how far all trainings together are.
struct Progress(ProgressBar);

impl Observer for Progress {
    fn on(&mut self, _: &Stamp, event: &Event) -> trainer::Result<()> {
        if let Event::Step { n_rows, .. } = event {
            self.0.inc(*n_rows as u64);
        }
        Ok(())
    }
}

impl Deep {
    /// Trains on the folds; `None` if that was interrupted.
    pub(super) fn look(
        texts: LabelledTexts,
        recipe: &Recipe,
        n_folds: usize,
        device: DeviceArgs,
    ) -> anyhow::Result<Option<Self>> {
        let device = device.open()?;
        let scratch = tempfile::tempdir()?;
        let interrupt = Interrupt::listen()?;
        let shown = bar(TRAINING, 0);
        let mut progress = Progress(shown.clone());
        let mut on_fold = |fold: Fold, recipe: &Recipe, n_train: usize| {
            let n_texts = recipe.training.epochs * n_train;
            shown.set_prefix(format!("fold {fold}"));
            shown.set_length((fold.of() * n_texts) as u64);
            shown.set_position(((fold.number() - 1) * n_texts) as u64);
            if shown.is_hidden() {
                eprintln!("fold {fold}: training on {n_train} texts");
            }
        };
        let mut session = Session { observer: &mut progress, control: &interrupt, run: None };
        let out_of_fold = OutOfFold {
            texts: &texts,
            recipe,
            plan: &recipe.split_plan(),
            n_folds,
            device: &device,
            scratch: scratch.path(),
        };
        let held_out = out_of_fold.run_in(&mut session, &mut on_fold);
        shown.finish_and_clear();
        let Some(held_out) = held_out? else { return Ok(None) };
        let found = held_out.doubtful_labels()?;
        let recipe = recipe.name.clone();
        Ok(Some(Self { texts, held_out, found, recipe, n_folds }))
    }

    /// The figures and all labels.
    pub(super) fn as_json(&self) -> Value {
        let class = |class: Option<u32>| class.map(|class| self.class(class));
        let label = |label: &DoubtfulLabel| {
            json!({
                "row": label.row,
                "given": class(label.given),
                "suggested": class(label.suggested),
                "given_probability": label.given_probability,
                "suggested_probability": label.suggested_probability,
                "text": self.text(label.row),
            })
        };
        json!({
            "recipe": self.recipe,
            "folds": self.n_folds,
            "n_judged": self.found.n_judged,
            "n_estimated": self.found.n_estimated,
            "labels": self.found.labels.iter().map(label).collect::<Vec<_>>(),
        })
    }

    /// The first labels.
    pub(super) fn in_words(&self, n_shown: usize) -> Result<String, std::fmt::Error> {
        let Self { found, recipe, n_folds, .. } = self;
        let DoubtfulLabels { labels, n_estimated, n_judged } = found;
        let mut out = String::new();
        let share = 100.0 * labels.len() as f64 / (*n_judged).max(1) as f64;
        write!(
            out,
            "\nlabels that are likely wrong: {} of {n_judged} ({share:.1} %), judged by {n_folds} trainings with recipe \
             {recipe}, each without the texts that it judged; of all labels, about {n_estimated:.0} are wrong or \
             too hard for the models\n",
            labels.len()
        )?;
        for label in labels.iter().take(n_shown) {
            let claim = match (label.given, label.suggested) {
                (Some(given), Some(suggested)) => format!(
                    "labelled {} ({:.3}), looks like {} ({:.3})",
                    self.class(given),
                    label.given_probability,
                    self.class(suggested),
                    label.suggested_probability
                ),
                (Some(given), None) => format!(
                    "labelled {} ({:.3}), which does not look right",
                    self.class(given),
                    label.given_probability
                ),
                (None, suggested) => format!(
                    "not labelled {}, which looks right ({:.3})",
                    suggested.map(|class| self.class(class)).unwrap_or_default(),
                    label.suggested_probability
                ),
            };
            write!(out, "\nrow {}: {claim}\n  {}\n", label.row, self.text(label.row))?;
        }
        match labels.len().saturating_sub(n_shown) {
            0 => {}
            n_more => writeln!(
                out,
                "\nand {n_more} more, which are less certain: --top {} or --json shows all",
                labels.len()
            )?,
        }
        if !labels.is_empty() {
            writeln!(
                out,
                "\nRead these texts and correct the labels that are wrong; models err, too, most of all on irony and \
                 mixed opinions."
            )?;
        }
        Ok(out)
    }

    fn class(&self, class: u32) -> &str {
        self.held_out.task.classes().get(class as usize).map_or("", String::as_str)
    }

    /// The beginning of a text, on one line.
    fn text(&self, row: u32) -> String {
        let n_rows = self.texts.len() as u32;
        // Rows that were left out make the row of the file larger than that of the table.
        let of_table = (0..n_rows.min(row))
            .rev()
            .find(|&of_table| self.texts.file_row(of_table) == row as usize);
        let rows: Vec<u32> = of_table.into_iter().collect();
        let text = self.texts.texts_of(&rows).next().unwrap_or_default();
        let mut words = text.split_whitespace();
        let mut shown = String::new();
        for word in words.by_ref() {
            if shown.chars().count() + word.chars().count() >= SHOWN {
                return shown + " …";
            }
            if !shown.is_empty() {
                shown.push(' ');
            }
            shown.push_str(word);
        }
        shown
    }
}
