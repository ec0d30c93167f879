//! What a training writes to its run folder: names, the log, and which of its numbers TensorBoard shows.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use crate::json::Json;

/// Written first: how the run was started.
pub(crate) const SETTINGS_FILE: &str = "run.toml";
pub(crate) const LOG: &str = "log.jsonl";
pub(crate) const STATUS: &str = "status.json";
pub(crate) const CHECKPOINTS: &str = "checkpoints";
/// Files that are written whole, and are the same in a repeated run.
pub(crate) const RESULTS: [&str; 3] =
    ["predictions/validation.parquet", "predictions/test.parquet", "curve.svg"];

/// Fields of the log that depend on the clock; all others are the same in a repeated run.
pub(crate) const CLOCK_IN_LOG: [&str; 6] =
    ["time", "elapsed_s", "tokens_per_s", "texts_per_s", "train_s", "seconds"];
/// The same of `metrics.json`, at any depth.
pub(crate) const CLOCK_IN_METRICS: [&str; 3] = ["train_s", "texts_per_s", "profile"];

/// Numbers of a `step`, and their names in TensorBoard.
const OF_STEP: [(&str, &str); 4] = [
    ("loss", "loss"),
    ("rate", "learning_rate"),
    ("norm", "gradient_norm"),
    ("tokens_per_s", "tokens_per_s"),
];
/// Numbers of a measurement, which keep their names. A line has the first, and some of the others.
const OF_MEASUREMENT: [&str; 5] = ["loss", "accuracy", "micro_f1", "macro_f1", "weighted_loss"];
/// Groups of tags: of steps by their phase, ...
const OF_PHASE: [(&str, &str); 3] =
    [("pretraining", "pretraining"), ("epochs", "train"), ("refit", "refit")];
/// ... of measurements by the kind of their line.
const OF_KIND: [(&str, &str); 3] =
    [("linear-path", "linear_path"), ("validation", "validation"), ("test", "test")];

/// A number that TensorBoard shows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    pub(crate) tag: String,
    pub(crate) step: i64,
    /// As the log has it; TensorBoard gets the nearest f32.
    pub(crate) value: f64,
}

/// The lines of a log.
///
/// # Errors
/// If it cannot be read, or if a line is not an object or does not end.
pub(crate) fn read_log(folder: &Path) -> anyhow::Result<Vec<Json>> {
    let path = folder.join(LOG);
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(text.ends_with('\n'), "{}: its last line does not end", path.display());
    let lines = text.lines().enumerate().map(|(idx, line)| {
        let at = || format!("{}: line {}", path.display(), idx + 1);
        let json = Json::parse(line).with_context(at)?;
        ensure!(matches!(json, Json::Object(_)), "{} is not a JSON object", at());
        Ok(json)
    });
    lines.collect()
}

/// The numbers of a log line that TensorBoard shows. A number that is null is not one of them.
///
/// # Errors
/// If the line lacks its kind, or a phase, step or number that its kind should have.
pub(crate) fn shown(line: &Json) -> anyhow::Result<Vec<Shown>> {
    let word = |key: &str| {
        line.get(key).and_then(Json::as_string).with_context(|| format!("it has no {key}"))
    };
    let kind = word("kind")?;
    let group = |groups: &[(&str, &'static str)], name: &str| {
        groups.iter().find(|(other, _)| *other == name).map(|&(_, group)| group)
    };
    // Whether a line of the kind must have the number, too.
    let (group, names) = match (kind.as_str(), group(&OF_KIND, &kind)) {
        (_, Some(group)) => (group, OF_MEASUREMENT.map(|key| (key, key, key == "loss")).to_vec()),
        ("step", _) => {
            let phase = word("phase")?;
            let group = group(&OF_PHASE, &phase)
                .with_context(|| format!("its phase, {phase}, has no steps"))?;
            (group, OF_STEP.map(|(key, name)| (key, name, true)).to_vec())
        }
        _ => return Ok(Vec::new()),
    };
    let step = line.get("step").and_then(Json::as_number).context("it has no step")? as i64;
    let mut found = Vec::new();
    for (key, name, is_needed) in names {
        let Some(number) = line.get(key) else {
            ensure!(!is_needed, "it has no {key}");
            continue;
        };
        match number.as_number() {
            Some(value) => found.push(Shown { tag: format!("{group}/{name}"), step, value }),
            None if *number == Json::Plain("null".to_string()) => {}
            None => bail!("{key} is not a number"),
        }
    }
    Ok(found)
}

/// The event file of a run folder.
///
/// # Errors
/// If there is not exactly one: of several, TensorBoard shows all, one over the other.
pub(crate) fn event_file(folder: &Path) -> anyhow::Result<PathBuf> {
    let read = || format!("cannot read {}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(read)? {
        let entry = entry.with_context(read)?;
        if entry.file_name().to_string_lossy().contains("tfevents") {
            found.push(entry.path());
        }
    }
    match found.as_slice() {
        [path] => Ok(path.clone()),
        _ => bail!("{} has {} event files, expected one", folder.display(), found.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_in(line: &str) -> anyhow::Result<Vec<(String, i64, f64)>> {
        let found = shown(&Json::parse(line)?)?.into_iter();
        Ok(found.map(|Shown { tag, step, value }| (tag, step, value)).collect())
    }

    #[test]
    fn a_step_has_four_numbers_and_no_norm_if_it_is_null() {
        let line = r#"{"kind": "step", "phase": "epochs", "step": 7, "loss": 0.1, "rate": 1e-3, "norm": 2.5,
            "n_texts": 3, "tokens_per_s": 9}"#;
        let expected = [
            ("train/loss", 0.1),
            ("train/learning_rate", 1e-3),
            ("train/gradient_norm", 2.5),
            ("train/tokens_per_s", 9.0),
        ];
        let expected = expected.map(|(tag, value)| (tag.to_string(), 7, value));
        assert_eq!(shown_in(line).unwrap(), expected);
        let without = shown_in(&line.replace("2.5", "null")).unwrap();
        assert_eq!(without, [expected[0].clone(), expected[1].clone(), expected[3].clone()]);
        let of_refit = shown_in(&line.replace("epochs", "refit")).unwrap();
        assert_eq!(of_refit[0].0, "refit/loss");

        let said = |from, to| shown_in(&line.replace(from, to)).unwrap_err().to_string();
        assert_eq!(said("loss", "los"), "it has no loss");
        assert_eq!(said("2.5", "\"NaN\""), "norm is not a number");
        assert_eq!(said("epochs", "linear-path"), "its phase, linear-path, has no steps");
    }

    #[test]
    fn a_measurement_shows_what_it_has() {
        let line = r#"{"kind": "validation", "phase": "epochs", "time": "1970", "elapsed_s": 2, "step": 40,
            "epoch": 0.5, "loss": 0.25, "accuracy": 0.75, "macro_f1": 0.5, "train_loss": 0.125,
            "weighted_loss": null, "is_kept": true, "train_s": 1.5, "texts_per_s": 100}"#;
        let expected = [
            ("validation/loss", 0.25),
            ("validation/accuracy", 0.75),
            ("validation/macro_f1", 0.5),
        ];
        let expected = expected.map(|(tag, value)| (tag.to_string(), 40, value));
        assert_eq!(shown_in(line).unwrap(), expected);
        let of_path = shown_in(&line.replace("\"validation\"", "\"linear-path\"")).unwrap();
        assert_eq!(of_path[1].0, "linear_path/accuracy");
        assert!(shown_in(&line.replace("\"loss\"", "\"los\"")).is_err());
    }

    #[test]
    fn other_lines_show_nothing_but_must_have_a_kind() {
        assert!(shown_in(r#"{"kind": "stopped", "loss": 1}"#).unwrap().is_empty());
        assert!(shown_in(r#"{"loss": 1}"#).is_err());
    }

    #[test]
    fn a_log_whose_last_line_was_cut_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(LOG), "{\"kind\": \"step\"}\n{\"kind\": 1}").unwrap();
        let error = read_log(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("log.jsonl: its last line does not end"), "{error}");
        fs::write(folder.path().join(LOG), "{\"kind\": \"step\"}\n{\"kind\": \n").unwrap();
        let error = read_log(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("log.jsonl: line 2"), "{error}");
    }
}
