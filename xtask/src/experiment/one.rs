//! One recipe with several seeds, as a line of the experiment log.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use measures::Spread;

use super::Args;
use super::seed::{Figures, Plan, train};

pub(super) fn run(args: &Args, recipe: &str) -> anyhow::Result<()> {
    ensure!(args.seeds > 0, "--seeds must be at least 1");
    ensure!(
        Path::new(&args.log).exists(),
        "no log file {}; create it, or name another with --log",
        args.log
    );
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let (mut outcomes, mut failure) = (Vec::new(), None);
    for seed in 0..args.seeds {
        let plan = Plan { recipe, settings: &args.settings, seed, also: &[], tests: true };
        let outcome = match train(&plan, &folder.path().join("model")) {
            Ok(outcome) => outcome,
            Err(error) => {
                failure = Some(error.context(format!("seed {seed} failed")));
                break;
            }
        };
        println!(
            "seed {seed}: validation accuracy {:.4}, loss {:.4}, {:.0} s",
            of(&outcome, "validation accuracy"),
            of(&outcome, "validation loss"),
            of(&outcome, "train_s")
        );
        outcomes.push(outcome);
    }
    // Log the seeds that were trained, even if a later one failed.
    if let (true, Some(failure)) = (outcomes.is_empty(), &mut failure) {
        bail!("{failure:#}");
    }
    let line = log_line(args, recipe, &outcomes);
    println!("{line}");
    let mut log = fs::File::options()
        .append(true)
        .open(&args.log)
        .with_context(|| format!("cannot write {}", args.log))?;
    writeln!(log, "{line}").with_context(|| format!("cannot write {}", args.log))?;
    failure.map_or(Ok(()), Err)
}

/// A figure, which every training has.
fn of(figures: &Figures, name: &str) -> f64 {
    figures.get(name).copied().unwrap_or(f64::NAN)
}

/// A row for the log's table.
fn log_line(args: &Args, recipe: &str, outcomes: &[Figures]) -> String {
    let spread_of = |name: &str| {
        let values: Vec<f64> = outcomes.iter().map(|figures| of(figures, name)).collect();
        Spread::of(&values).map_or((f64::NAN, f64::NAN), |of| (of.mean, of.deviation))
    };
    let spread = |name| {
        let (mean, deviation) = spread_of(name);
        format!("{mean:.4} ± {deviation:.4}")
    };
    let settings = match args.settings.as_slice() {
        [] => String::new(),
        settings => format!("`{}`", settings.join("` `")),
    };
    let test = if args.test {
        let (error, _) = spread_of("test ECE");
        let (linear, _) = spread_of("test accuracy, linear alone");
        let (recurrent, _) = spread_of("test accuracy, recurrent alone");
        let alone = match linear.is_nan() {
            true => String::new(),
            false => format!("alone: linear {linear:.4}, recurrent {recurrent:.4}; "),
        };
        format!("{} ({alone}ECE {error:.3})", spread("test accuracy"))
    } else {
        String::new()
    };
    let (train_s, _) = spread_of("train_s");
    let first = |name| outcomes.first().map_or(0.0, |figures| of(figures, name));
    format!(
        "| {recipe} | {} | {settings} | {} | {} | {} | {test} | {train_s:.0} s | {:.1} M | {:.0} MB |",
        args.note,
        outcomes.len(),
        spread("validation accuracy"),
        spread("validation loss"),
        first("parameters") / 1e6,
        first("bytes") / 1e6,
    )
}
