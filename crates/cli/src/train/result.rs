//! Prints the result of a training.

use std::io::Write as _;
use std::path::Path;

use classifier::folder;
use measures::Metrics;
use trainer::{Ending, PathScore, PathScores, TrainingReport};

use crate::figures;
use crate::shell::{program, quoted};

pub(super) fn print(
    as_json: bool,
    report: &TrainingReport,
    (folder, run): (&Path, &Path),
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        let value = serde_json::json!({ "folder": folder, "run": run, "report": report });
        writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
        return Ok(());
    }
    let how = match report.ended {
        Ending::EarlyStopping => "stopped early (the validation loss stopped falling)",
        Ending::Interrupted => "interrupted",
        Ending::Diverged => "diverged",
        Ending::Complete | Ending::Running | Ending::Failed => "complete",
    };
    if let Some(kept) = report.kept() {
        writeln!(
            out,
            "training {how} after {:.0} s; kept the model after epoch {:.4}: validation loss {:.4}, \
             {}",
            report.train_s,
            kept.epoch,
            kept.validation.loss(),
            headline("", &kept.validation),
        )?;
    }
    if let Some(refit) = &report.refit {
        writeln!(
            out,
            "then retrained for as many epochs on {} texts, including the validation texts",
            refit.n_rows
        )?;
    }
    if let Some(test) = &report.test {
        let n_texts = test.n_rows();
        writeln!(
            out,
            "test loss {:.4}, {} ({n_texts} texts)",
            test.loss(),
            headline("test ", test)
        )?;
        if let Some(thresholds) = &report.kept().and_then(|kept| kept.thresholds.as_ref()) {
            writeln!(out, "{}", figures::thresholds_in_words(thresholds, &report.task))?;
        }
    }
    if let Some(alone) = &report.test_alone {
        writeln!(out, "{}", in_words(alone, "test"))?;
    }
    if let Some(score) = &report.linear_baseline {
        let (name, value) = (name_of(score), score.headline());
        writeln!(
            out,
            "for comparison: a linear model over words and word pairs has test {name} {value:.4}"
        )?;
    }
    writeln!(out, "model: {0}   learning curve: {0}/{1}", folder.display(), folder::CURVE_FILE)?;
    writeln!(out, "run: {}   log, predictions, TensorBoard's events", run.display())?;
    let (program, folder) = (program(), folder.to_string_lossy());
    writeln!(out, "try it: {program} predict --model {} \"your text\"", quoted(&folder))?;
    Ok(())
}

/// The most telling metrics: accuracy, and macro F1 where classes may be rare; micro and macro F1 where a text may
/// have several labels.
fn headline(prefix: &str, metrics: &Metrics) -> String {
    let (name, value) = metrics.headline();
    match metrics {
        Metrics::Binary(_) => format!("{prefix}{name} {value:.4}"),
        _ => format!("{prefix}{name} {value:.4}, macro F1 {:.4}", metrics.macro_f1()),
    }
}

/// The name of a path's headline.
fn name_of(score: &PathScore) -> &'static str {
    if score.micro_f1.is_some() { "micro F1" } else { "accuracy" }
}

/// The headline of each path alone, in words.
pub(crate) fn in_words(alone: &PathScores, texts: &str) -> String {
    let PathScores { linear, recurrent } = alone;
    let name = name_of(linear);
    format!(
        "{texts} {name} of each path alone: linear {:.4}, recurrent {:.4}",
        linear.headline(),
        recurrent.headline()
    )
}
