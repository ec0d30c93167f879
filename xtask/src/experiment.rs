//! `cargo xtask experiment`: trains one recipe with several seeds and adds a line to the experiment log.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::cargo::cargo_command;

/// Trains a recipe with several seeds (a seed decides split, initial weights, dropout and order), prints
/// mean and standard deviation, and appends them to the log.
///
/// Make choices on validation splits: test accuracies are neither shown nor logged without --test,
/// which is meant for finished recipes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask experiment default --seeds 3
  cargo xtask experiment default --seeds 3 --set regularization.word_dropout=0.2 --note \"word dropout\"
  cargo xtask experiment default --seeds 5 --test")]
pub(crate) struct Args {
    /// A built-in recipe or a TOML file
    recipe: String,

    /// Number of seeds, counted from 0
    #[arg(long, value_name = "N", default_value = "3")]
    seeds: u64,

    /// Override a value of the recipe, such as training.epochs=3; may be repeated
    #[arg(long = "set", value_name = "TABLE.KEY=VALUE")]
    settings: Vec<String>,

    /// Also evaluate on the test splits
    #[arg(long)]
    test: bool,

    /// A short note for the log
    #[arg(long, value_name = "WORDS", default_value = "")]
    note: String,

    /// The log file
    #[arg(long, value_name = "FILE", default_value = "EXPERIMENTS.md")]
    log: String,
}

/// Result of one training run.
struct Outcome {
    validation_accuracy: f64,
    validation_loss: f64,
    test_accuracy: f64,
    calibration_error: f64,
    /// Test accuracy of the linear path and of the recurrent layers alone, where there are two paths.
    alone: Option<(f64, f64)>,
    train_s: f64,
    n_parameters: u64,
    /// Size of all files of the model.
    n_bytes: u64,
}

/// Bytes of a weight, f32.
const WEIGHT_BYTES: u64 = 4;

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(args.seeds > 0, "--seeds must be at least 1");
    ensure!(
        Path::new(&args.log).exists(),
        "no log file {}; create it, or name another with --log",
        args.log
    );
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
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
    // Log the seeds that were trained, even if a later one failed.
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
    let number = |value: &Value| value.as_f64().context("sentiment train's report lacks a number");
    let path = |name: &str| report["test_alone"][name]["accuracy"].as_f64();
    let weights = model.join("model.safetensors");
    Ok(Outcome {
        validation_accuracy: number(&report["validation"]["accuracy"])?,
        validation_loss: number(&report["validation"]["loss"])?,
        test_accuracy: number(&report["test"]["accuracy"])?,
        train_s: number(&report["train_s"])?,
        calibration_error: number(&report["test"]["calibration_error"])?,
        alone: path("linear").zip(path("recurrent")),
        n_parameters: file_size(&weights)? / WEIGHT_BYTES,
        n_bytes: folder_size(model)?,
    })
}

fn file_size(path: &Path) -> anyhow::Result<u64> {
    Ok(fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len())
}

/// Size of the files a model needs, without its plot.
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

/// A row for the log's table.
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
        let of_paths: Option<Vec<(f64, f64)>> =
            outcomes.iter().map(|outcome| outcome.alone).collect();
        let alone = of_paths.map_or_else(String::new, |of_paths| {
            let mean =
                |path: fn(&(f64, f64)) -> f64| mean_and_deviation(of_paths.iter().map(path)).0;
            let (linear, recurrent) = (mean(|paths| paths.0), mean(|paths| paths.1));
            format!("alone: linear {linear:.4}, recurrent {recurrent:.4}; ")
        });
        format!("{} ({alone}ECE {error:.3})", spread(|outcome| outcome.test_accuracy))
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

/// Mean and sample standard deviation (0 for one number).
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
