//! One training with one seed, and its figures.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::cargo::cargo_command;

/// What is trained.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan<'a> {
    pub(super) recipe: &'a str,
    pub(super) settings: &'a [String],
    pub(super) seed: u64,
    /// Files of labelled texts on which the model is evaluated afterwards.
    pub(super) also: &'a [String],
    /// Whether the figures of the test split are wanted.
    pub(super) tests: bool,
}

/// Figures by name.
pub(super) type Figures = BTreeMap<String, f64>;

/// Bytes of a weight, f32.
const WEIGHT_BYTES: u64 = 4;

/// Trains in a folder, which is replaced. The program is this workspace's.
pub(super) fn train(plan: &Plan<'_>, model: &Path) -> anyhow::Result<Figures> {
    let mut command = vec!["train".to_string(), "--json".into(), "--no-baseline".into()];
    command.extend(["--force".into(), "--recipe".into(), plan.recipe.into()]);
    command.extend(["--seed".into(), plan.seed.to_string()]);
    command.extend(["--output".into(), model.to_string_lossy().into_owned()]);
    for setting in plan.settings {
        command.extend(["--set".into(), setting.clone()]);
    }
    let report = &sentiment(&command)?["report"];
    let mut figures = Figures::new();
    let mut add = |name: &str, value: &Value| {
        if let Some(number) = value.as_f64() {
            figures.insert(name.to_string(), number);
        }
    };
    add("validation accuracy", &report["validation"]["accuracy"]);
    add("validation loss", &report["validation"]["loss"]);
    add("train_s", &report["train_s"]);
    let history = report["history"].as_array();
    let kept = history.into_iter().flatten().rfind(|record| record["is_kept"] == true);
    for path in ["linear", "recurrent"] {
        let name = format!("validation accuracy, {path} alone");
        add(&name, kept.map_or(&Value::Null, |record| &record["alone"][path]["accuracy"]));
        if plan.tests {
            add(&format!("test accuracy, {path} alone"), &report["test_alone"][path]["accuracy"]);
        }
    }
    if plan.tests {
        add("test accuracy", &report["test"]["accuracy"]);
        add("test ECE", &report["test"]["calibration_error"]);
    }
    for file in plan.also {
        let folder = model.to_string_lossy();
        let command = ["evaluate", "--json", "--model", &folder, "--data", file].map(String::from);
        let found = sentiment(&command)?;
        let name = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
        add(&format!("{name} accuracy"), &found["accuracy"]);
        add(&format!("{name} ECE"), &found["calibration_error"]);
        for path in ["linear", "recurrent"] {
            let accuracy = &found["alone"][path]["accuracy"];
            add(&format!("{name} accuracy, {path} alone"), accuracy);
        }
    }
    figures.insert("validation loss".into(), number(&report["validation"]["loss"])?);
    let n_bytes = file_size(&model.join("model.safetensors"))?;
    figures.insert("parameters".into(), (n_bytes / WEIGHT_BYTES) as f64);
    figures.insert("bytes".into(), folder_size(model)? as f64);
    Ok(figures)
}

/// Runs `sentiment`, which prints JSON.
fn sentiment(args: &[String]) -> anyhow::Result<Value> {
    let mut command = cargo_command(&["run", "--quiet", "--locked", "--package", "cli", "--"]);
    let output = command.args(args).stderr(Stdio::inherit()).output();
    let output = output.context("cannot run sentiment")?;
    ensure!(output.status.success(), "sentiment {} ended with {}", args[0], output.status);
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("sentiment {} printed no JSON", args[0]))
}

fn number(value: &Value) -> anyhow::Result<f64> {
    value.as_f64().context("sentiment train's report lacks a number")
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
        if path.is_file() && path.extension().is_none_or(|extension| extension != "svg") {
            sum += file_size(&path)?;
        }
    }
    Ok(sum)
}
