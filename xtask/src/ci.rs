//! `cargo xtask ci`: everything that must hold before a change is merged.

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::layers;

/// Texts of the real reviews that the smoke run trains on.
const SMOKE_TEXTS: &str = "3000";
/// What it must reach on the texts it holds back: far above chance, well below what it does reach.
const SMOKE_ACCURACY: f64 = 0.6;

/// Runs what must hold before a change is merged: formatting, layers, lints, all tests, docs, and a
/// training on a slice of the real reviews.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(Args {}: Args) -> anyhow::Result<()> {
    let started = Instant::now();
    step("formatting", || cargo(&["fmt", "--all", "--", "--check"]))?;
    step("layers", layers::check)?;
    step("lints", || {
        cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
    })?;
    // Doc tests are among them.
    step("tests", || cargo(&["test", "--workspace", "--locked"]))?;
    step("docs", || {
        let mut command = cargo_command(&["doc", "--workspace", "--no-deps", "--locked"]);
        check(command.env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    step("smoke run", smoke_run)?;
    println!("\nci: all passed in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Trains on some real reviews, and evaluates and predicts with what came out.
fn smoke_run() -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let model = folder.path().join("model");
    let model = model.to_str().context("the temporary folder's name is not UTF-8")?;
    let sentiment = ["run", "--locked", "--package", "cli", "--"];
    let call = |args: &[&str]| cargo_command(&[&sentiment, args].concat());
    check(&mut call(&[
        "train",
        "--sample",
        SMOKE_TEXTS,
        "--set",
        "training.epochs=3",
        "--output",
        model,
    ]))?;

    let output = call(&["evaluate", "--model", model, "--json"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot run sentiment evaluate")?;
    ensure!(output.status.success(), "sentiment evaluate failed");
    let metrics: Value =
        serde_json::from_slice(&output.stdout).context("evaluate printed no JSON")?;
    let accuracy = metrics["accuracy"].as_f64().context("evaluate printed no accuracy")?;
    println!("smoke run: test accuracy {accuracy:.4}");
    ensure!(accuracy >= SMOKE_ACCURACY, "that is below {SMOKE_ACCURACY}: training is broken");

    check(&mut call(&["predict", "--model", model, "A wonderful film.", "A waste of time."]))
}

fn step(name: &str, run: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    println!("\nci: {name}");
    let started = Instant::now();
    run().with_context(|| format!("ci: {name} failed"))?;
    println!("ci: {name} passed in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

fn cargo(args: &[&str]) -> anyhow::Result<()> {
    check(&mut cargo_command(args))
}

pub(crate) fn cargo_command(args: &[&str]) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(Path::new(&cargo));
    command.args(args);
    command
}

fn check(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
