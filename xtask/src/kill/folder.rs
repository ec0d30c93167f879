//! Inspects a model folder after a kill, without the program: is the model complete?

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// A complete model folder: all files exist and belong to one model.
pub(super) struct WholeModel {
    pub(super) id: String,
}

impl WholeModel {
    /// Reads a folder.
    ///
    /// # Errors
    /// If a file is missing, cut short, or from another model.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let config = json(&folder.join("config.json"))?;
        let id = config["model_id"].as_str().context("config.json has no model_id")?.to_string();
        let same = |file: &str, other: Option<&str>| {
            ensure!(
                other == Some(&id),
                "config.json is from model {id}, but {file} is from {other:?}"
            );
            anyhow::Ok(())
        };
        let metrics = json(&folder.join("metrics.json"))?;
        same("metrics.json", metrics["model_id"].as_str())?;
        // The metrics must belong to the weights: the report describes the last model kept.
        let kept = metrics["history"].as_array().and_then(|history| {
            history.iter().rev().find(|record| record["is_kept"] == Value::Bool(true))
        });
        let kept = kept.context("metrics.json lists no model that was kept")?;
        ensure!(
            kept["validation"] == metrics["validation"],
            "metrics.json mixes two models: {} and {}",
            kept["validation"],
            metrics["validation"]
        );
        for file in ["model.safetensors", "ngrams.safetensors", "seen_texts.safetensors"] {
            let path = folder.join(file);
            if path.exists() || file != "seen_texts.safetensors" {
                let header = safetensors_header(&path)?;
                same(file, header["__metadata__"]["model_id"].as_str())?;
            }
        }
        let tokenizer = json(&folder.join("tokenizer.json"))?;
        let words = tokenizer["model"]["vocab"].as_object().map_or(0, serde_json::Map::len);
        let expected = config["vocab_size"].as_u64();
        ensure!(
            expected == Some(words as u64),
            "tokenizer.json has {words} ids; expected {expected:?}"
        );
        Ok(Self { id })
    }
}

fn json(path: &Path) -> anyhow::Result<Value> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", path.display()))
}

/// The header of a safetensors file; the file's length must match it.
fn safetensors_header(path: &Path) -> anyhow::Result<Value> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let cut = || format!("{} is cut short", path.display());
    let (length, rest) = bytes.split_first_chunk::<8>().with_context(cut)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).with_context(cut)?;
    let header: Value = serde_json::from_slice(rest.get(..length).with_context(cut)?)
        .with_context(|| format!("{} has a damaged header", path.display()))?;
    let tensors = header.as_object().into_iter().flatten();
    let end = tensors.filter_map(|(_, tensor)| tensor["data_offsets"][1].as_u64()).max();
    ensure!(end == Some((rest.len() - length) as u64), "{}", cut());
    Ok(header)
}

/// Names of staged folders, current or left over, beside a model.
pub(super) fn staged_beside(model: &Path) -> anyhow::Result<Vec<String>> {
    let name = model.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut names = hidden_names(model.parent().unwrap_or(Path::new(".")))?;
    let prefix = format!(".{name}.");
    names.retain(|other| other.strip_prefix(&prefix).is_some_and(|rest| rest != "lock"));
    Ok(names)
}

/// All hidden names in a folder.
pub(crate) fn hidden_names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let read = || format!("cannot read {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(read)? {
        let name = entry.with_context(read)?.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            names.push(name);
        }
    }
    Ok(names)
}
