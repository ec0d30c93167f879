//! What a training leaves behind, and whether another has left the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

use super::run::Run;
use crate::digest::digest;
use crate::event_file::{self, Scalar};
use crate::json::Json;
use crate::kill::hidden_names;
use crate::run_folder::{
    CHECKPOINTS, CLOCK_IN_LOG, CLOCK_IN_METRICS, RESULTS, event_file, read_log,
};

/// Files of the model whose bytes must be the same.
const MODEL_FILES: [&str; 4] = ["model.safetensors", OPTIONAL, "config.json", "tokenizer.json"];
/// A model without a linear path has no n-grams.
const OPTIONAL: &str = "ngrams.safetensors";
const ABSENT: &str = "absent";

/// All of a run that does not depend on the clock.
pub(super) struct Outcome {
    /// SHA-256 of files, or that there is none.
    digests: BTreeMap<String, String>,
    metrics: Json,
    log: Vec<Json>,
    scalars: Vec<Scalar>,
}

impl Outcome {
    /// Reads what a run has left.
    ///
    /// # Errors
    /// If the run is not complete, or if it has left files that belong to a run in progress.
    pub(super) fn read(run: &Run) -> anyhow::Result<Self> {
        let (model, records) = (run.model(), run.records());
        let mut digests = BTreeMap::new();
        for (folder, names) in [(&model, &MODEL_FILES[..]), (&records, &RESULTS[..])] {
            for name in names {
                let path = folder.join(name);
                let is_there = path.exists();
                ensure!(is_there || *name == OPTIONAL, "there is no {}", path.display());
                let digest = if is_there { digest(&path)? } else { ABSENT.to_string() };
                digests.insert((*name).to_string(), digest);
            }
        }
        let metrics = model.join("metrics.json");
        let text = fs::read_to_string(&metrics)
            .with_context(|| format!("cannot read {}", metrics.display()))?;
        let mut metrics =
            Json::parse(&text).with_context(|| format!("{} is not JSON", metrics.display()))?;
        metrics.remove(&CLOCK_IN_METRICS);
        let mut log = read_log(&records)?;
        log.iter_mut().for_each(|line| line.remove(&CLOCK_IN_LOG));
        let mut scalars = event_file::read_scalars(&event_file(&records)?)?;
        scalars.retain(|scalar| !is_of_clock(&scalar.tag));
        ensure!(!scalars.is_empty(), "the event file of {} is empty", records.display());
        for folder in [&run.folder.join("models"), &records] {
            nothing_left(folder)?;
        }
        Ok(Self { digests, metrics, log, scalars })
    }

    /// Fails if anything is not as in `expected`.
    pub(super) fn check(&self, expected: &Self) -> anyhow::Result<()> {
        for (name, digest) in &self.digests {
            let expected = expected.digests.get(name).map_or(ABSENT, String::as_str);
            ensure!(digest == expected, "{name} differs: SHA-256 {digest}, not {expected}");
        }
        if let Some(difference) = self.metrics.difference(&expected.metrics) {
            bail!("metrics.json differs: {difference}");
        }
        for (idx, (line, expected)) in self.log.iter().zip(&expected.log).enumerate() {
            if let Some(difference) = line.difference(expected) {
                bail!("log.jsonl differs: in line {}, {difference}", idx + 1);
            }
        }
        let (lines, expected_lines) = (self.log.len(), expected.log.len());
        ensure!(lines == expected_lines, "log.jsonl has {lines} lines, not {expected_lines}");
        for (idx, (scalar, expected)) in self.scalars.iter().zip(&expected.scalars).enumerate() {
            ensure!(scalar == expected, "scalar {idx} differs: {scalar:?}, not {expected:?}");
        }
        let (n, n_expected) = (self.scalars.len(), expected.scalars.len());
        ensure!(n == n_expected, "the event file has {n} scalars, not {n_expected}");
        Ok(())
    }
}

/// Whether a scalar's value depends on the clock.
fn is_of_clock(tag: &str) -> bool {
    CLOCK_IN_LOG.contains(&tag.rsplit('/').next().unwrap_or(tag))
}

/// Fails if a folder of a complete run holds a checkpoint or a file that was being written.
fn nothing_left(folder: &Path) -> anyhow::Result<()> {
    let hidden = hidden_names(folder)?;
    ensure!(hidden.is_empty(), "files left over in {}: {hidden:?}", folder.display());
    let checkpoints = folder.join(CHECKPOINTS);
    if checkpoints.exists() {
        let read = || format!("cannot read {}", checkpoints.display());
        let n_left = fs::read_dir(&checkpoints).with_context(read)?.count();
        ensure!(n_left == 0, "{} still holds {n_left} files", checkpoints.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        let line = Json::parse(r#"{"kind": "step", "step": 1, "loss": 0.5}"#).unwrap();
        Outcome {
            digests: BTreeMap::from([
                ("config.json".to_string(), "ab".to_string()),
                (OPTIONAL.to_string(), ABSENT.to_string()),
            ]),
            metrics: Json::parse(r#"{"validation": {"loss": 0.25}}"#).unwrap(),
            log: vec![line],
            scalars: vec![Scalar { tag: "train/loss".to_string(), step: 1, bits: 7 }],
        }
    }

    #[test]
    fn equal_outcomes_pass() {
        outcome().check(&outcome()).unwrap();
    }

    #[test]
    fn every_difference_is_found() {
        let said = |change: fn(&mut Outcome)| {
            let mut changed = outcome();
            change(&mut changed);
            changed.check(&outcome()).unwrap_err().to_string()
        };
        let error = said(|outcome| {
            outcome.digests.insert(OPTIONAL.to_string(), "cd".to_string());
        });
        assert_eq!(error, "ngrams.safetensors differs: SHA-256 cd, not absent");
        let error = said(|outcome| {
            outcome.digests.insert("config.json".to_string(), "cd".to_string());
        });
        assert_eq!(error, "config.json differs: SHA-256 cd, not ab");
        let error = said(|outcome| {
            outcome.metrics = Json::parse(r#"{"validation": {"loss": 0.26}}"#).unwrap();
        });
        assert_eq!(error, "metrics.json differs: validation.loss is 0.26, not 0.25");
        let error = said(|outcome| {
            outcome.log[0] = Json::parse(r#"{"kind": "step", "step": 2, "loss": 0.5}"#).unwrap();
        });
        assert_eq!(error, "log.jsonl differs: in line 1, step is 2, not 1");
        let error = said(|outcome| outcome.log.push(outcome.log[0].clone()));
        assert_eq!(error, "log.jsonl has 2 lines, not 1");
        let error = said(|outcome| outcome.scalars[0].bits = 8);
        assert!(error.starts_with("scalar 0 differs"), "{error}");
        let error = said(|outcome| outcome.scalars.clear());
        assert_eq!(error, "the event file has 0 scalars, not 1");
    }

    #[test]
    fn what_depends_on_the_clock_is_known_by_its_tag() {
        assert!(is_of_clock("train/tokens_per_s"));
        assert!(!is_of_clock("train/loss"));
        assert!(!is_of_clock("validation/loss"));
    }
}
