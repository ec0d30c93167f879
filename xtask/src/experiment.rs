//! `cargo xtask experiment`: one recipe over several seeds, and a line in the laboratory's log.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::ci::cargo_command;

/// Trains a recipe with several seeds (a seed decides split, initial weights, dropout and order), prints
/// mean and standard deviation, and appends them to the log.
///
/// Choices are made on validation splits: test accuracies are neither shown nor logged without --test,
/// which is meant for recipes that are done.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask experiment default --seeds 3
  cargo xtask experiment default --seeds 3 --set model.word_dropout=0.2 --note \"word dropout\"
  cargo xtask experiment default --seeds 5 --test")]
pub(crate) struct Args {
    /// A built-in recipe or a TOML file
    recipe: String,

    /// How many seeds, from 0
    #[arg(long, value_name = "N", default_value = "3")]
    seeds: u64,

    /// A value to put over the recipe's, such as training.epochs=3; may be repeated
    #[arg(long = "set", value_name = "TABLE.KEY=VALUE")]
    settings: Vec<String>,

    /// Read the test splits, too
    #[arg(long)]
    test: bool,

    /// What is tried, in a few words, for the log
    #[arg(long, value_name = "WORDS", default_value = "")]
    note: String,

    /// The log
    #[arg(long, value_name = "FILE", default_value = "EXPERIMENTS.md")]
    log: String,
}

/// What one training came to.
struct Outcome {
    validation_accuracy: f64,
    validation_loss: f64,
    test_accuracy: f64,
    calibration_error: f64,
    train_s: f64,
    n_parameters: u64,
    /// Of all files of the model.
    n_bytes: u64,
}

/// Bytes of a weight, f32.
const WEIGHT_BYTES: u64 = 4;

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(args.seeds > 0, "--seeds must be at least 1");
    ensure!(Path::new(&args.log).exists(), "there is no log {}", args.log);
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let (mut outcomes, mut failure) = (Vec::new(), None);
    for seed in 0..args.seeds {
        let outcome = match train(args, seed, &folder.path().join("model")) {
            Ok(outcome) => outcome,
            Err(error) => {
                failure = Some(error.context(format!("seed {seed} failed")));
                break;
            }
        };
        println!(
            "seed {seed}: validation accuracy {:.4}, loss {:.4}, {:.0} s",
            outcome.validation_accuracy, outcome.validation_loss, outcome.train_s
        );
        outcomes.push(outcome);
    }
    // Seeds that were trained are logged, whatever became of a later one.
    if let (true, Some(failure)) = (outcomes.is_empty(), &mut failure) {
        bail!("{failure:#}");
    }
    let line = log_line(args, &outcomes);
    println!("{line}");
    let mut log = fs::File::options()
        .append(true)
        .open(&args.log)
        .with_context(|| format!("cannot write {}", args.log))?;
    writeln!(log, "{line}").with_context(|| format!("cannot write {}", args.log))?;
    failure.map_or(Ok(()), Err)
}

fn train(args: &Args, seed: u64, model: &Path) -> anyhow::Result<Outcome> {
    let mut command =
        cargo_command(&["run", "--quiet", "--locked", "--package", "cli", "--", "train", "--json"]);
    command.args(["--no-baseline", "--force", "--recipe", &args.recipe]);
    command.arg("--seed").arg(seed.to_string()).arg("--output").arg(model);
    for setting in &args.settings {
        command.args(["--set", setting]);
    }
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot run sentiment train")?;
    ensure!(output.status.success(), "sentiment train ended with {}", output.status);
    let printed: Value =
        serde_json::from_slice(&output.stdout).context("sentiment train printed no JSON")?;
    let report = &printed["report"];
    let number = |value: &Value| value.as_f64().context("the report lacks a number");
    let weights = model.join("model.safetensors");
    Ok(Outcome {
        validation_accuracy: number(&report["validation"]["accuracy"])?,
        validation_loss: number(&report["validation"]["loss"])?,
        test_accuracy: number(&report["test"]["accuracy"])?,
        train_s: number(&report["train_s"])?,
        calibration_error: number(&report["test"]["calibration_error"])?,
        n_parameters: file_size(&weights)? / WEIGHT_BYTES,
        n_bytes: folder_size(model)?,
    })
}

fn file_size(path: &Path) -> anyhow::Result<u64> {
    Ok(fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len())
}

/// What a model needs, without its picture.
fn folder_size(folder: &Path) -> anyhow::Result<u64> {
    let read = || format!("cannot read {}", folder.display());
    let mut sum = 0;
    for entry in fs::read_dir(folder).with_context(read)? {
        let path = entry.with_context(read)?.path();
        if path.extension().is_none_or(|extension| extension != "svg") {
            sum += file_size(&path)?;
        }
    }
    Ok(sum)
}

/// A row of the log's table.
fn log_line(args: &Args, outcomes: &[Outcome]) -> String {
    let spread = |of: fn(&Outcome) -> f64| {
        let (mean, deviation) = mean_and_deviation(outcomes.iter().map(of));
        format!("{mean:.4} ± {deviation:.4}")
    };
    let settings = match args.settings.as_slice() {
        [] => String::new(),
        settings => format!("`{}`", settings.join("` `")),
    };
    let test = if args.test {
        let error = outcomes.iter().map(|outcome| outcome.calibration_error);
        let (error, _) = mean_and_deviation(error);
        format!("{} (ECE {error:.3})", spread(|outcome| outcome.test_accuracy))
    } else {
        String::new()
    };
    let (train_s, _) = mean_and_deviation(outcomes.iter().map(|outcome| outcome.train_s));
    let (n_parameters, n_bytes) =
        outcomes.first().map_or((0, 0), |outcome| (outcome.n_parameters, outcome.n_bytes));
    format!(
        "| {} | {} | {settings} | {} | {} | {} | {test} | {train_s:.0} s | {:.1} M | {:.0} MB |",
        args.recipe,
        args.note,
        outcomes.len(),
        spread(|outcome| outcome.validation_accuracy),
        spread(|outcome| outcome.validation_loss),
        n_parameters as f64 / 1e6,
        n_bytes as f64 / 1e6,
    )
}

/// The standard deviation is that of a sample; 0 for one number.
fn mean_and_deviation(numbers: impl ExactSizeIterator<Item = f64> + Clone) -> (f64, f64) {
    let n = numbers.len() as f64;
    let mean = numbers.clone().sum::<f64>() / n;
    let squares: f64 = numbers.map(|x| (x - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0).max(1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        let (mean, deviation) = mean_and_deviation([1.0, 2.0, 3.0, 4.0].into_iter());
        assert_eq!(mean, 2.5);
        assert!((deviation - (5.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(mean_and_deviation([7.0].into_iter()), (7.0, 0.0));
    }
}
