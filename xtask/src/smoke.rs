//! The smoke run of `cargo xtask ci`: a training on a slice of the real reviews, and proof that its checks
//! notice a network whose recurrent layers are dead.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::cargo::{cargo_command, check};

/// Number of real reviews to train on.
const N_TEXTS: &str = "3000";
/// Required accuracy on the held-out texts, of the whole network and of each path alone: far above chance,
/// well below what they actually reach.
const REQUIRED_ACCURACY: f64 = 0.7;

/// Trains on some real reviews, then evaluates and predicts with the resulting model.
pub(crate) fn run() -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let model = folder.path().join("model");
    let name = model.to_str().context("the temporary folder's name is not UTF-8")?;
    let train = ["train", "--sample", N_TEXTS, "--output", name];
    check(&mut sentiment(&train))?;
    verdict(&evaluate(name)?)?;
    check(&mut sentiment(&["predict", "--model", name, "A wonderful film.", "A waste of time."]))?;

    // A check that cannot fail is worth nothing.
    kill_recurrent_layers(&model)?;
    let Err(reason) = verdict(&evaluate(name)?) else {
        bail!("the smoke run does not notice dead recurrent layers");
    };
    println!("smoke run: with its recurrent layers set to 0 the model is refused: {reason}");
    Ok(())
}

fn sentiment(args: &[&str]) -> Command {
    cargo_command(&[&["run", "--locked", "--package", "cli", "--"], args].concat())
}

/// What `sentiment evaluate --json` prints.
fn evaluate(model: &str) -> anyhow::Result<Value> {
    let output = sentiment(&["evaluate", "--model", model, "--json"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run sentiment evaluate")?;
    ensure!(output.status.success(), "sentiment evaluate failed");
    serde_json::from_slice(&output.stdout).context("sentiment evaluate printed no JSON")
}

/// Fails if the network, or either of its paths alone, has learned nothing.
fn verdict(figures: &Value) -> anyhow::Result<()> {
    for (what, figures) in [
        ("the model", figures),
        ("the linear path alone", &figures["alone"]["linear"]),
        ("the recurrent layers alone", &figures["alone"]["recurrent"]),
    ] {
        let accuracy = figures["accuracy"].as_f64();
        let accuracy =
            accuracy.with_context(|| format!("sentiment evaluate has no accuracy of {what}"))?;
        println!("smoke run: test accuracy of {what} {accuracy:.4}");
        ensure!(
            accuracy >= REQUIRED_ACCURACY,
            "test accuracy of {what} {accuracy:.4} is below {REQUIRED_ACCURACY}; training is broken"
        );
    }
    Ok(())
}

/// Overwrites the GRU's weights in a model folder with zeros.
fn kill_recurrent_layers(model: &Path) -> anyhow::Result<()> {
    let path = model.join("model.safetensors");
    let mut bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let ranges = tensor_ranges(&bytes, "gru.").context("the weights are not safetensors")?;
    ensure!(!ranges.is_empty(), "the model has no GRU");
    for range in ranges {
        bytes.get_mut(range).context("the weights file is truncated")?.fill(0);
    }
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Where the numbers of the tensors are in a safetensors file whose names begin with `prefix`: the file holds
/// the header's length in 8 bytes, the header as JSON, and the numbers.
fn tensor_ranges(bytes: &[u8], prefix: &str) -> Option<Vec<std::ops::Range<usize>>> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let header: Value = serde_json::from_slice(rest.get(..length)?).ok()?;
    let tensors = header.as_object()?.iter().filter(|(name, _)| name.starts_with(prefix));
    let offset = |tensor: &Value, idx: usize| {
        Some(8 + length + usize::try_from(tensor["data_offsets"][idx].as_u64()?).ok()?)
    };
    tensors.map(|(_, tensor)| Some(offset(tensor, 0)?..offset(tensor, 1)?)).collect()
}
