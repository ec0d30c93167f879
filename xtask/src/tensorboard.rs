//! `cargo xtask tensorboard`: compares what TensorBoard reads of a training with the log.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::cargo::{check, sentiment};
use crate::environment::environment;
use crate::json::Json;
use crate::made_texts::made_texts;
use crate::run_folder::{Shown, read_log, shown};
use crate::wheel::target_folder;

/// Trains a small model, reads its event file with TensorBoard's own reader, and compares every number with the log:
/// the f32 nearest to each, bit for bit, none missing and none besides.
///
/// The environment with TensorBoard is in target/tensorboard.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Python interpreter that makes the environment
    #[arg(long, default_value = "python3", value_name = "PROGRAM")]
    python: String,

    /// An existing `sentiment` program, instead of this workspace's
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Scripts that read and write event files with TensorBoard.
const SCRIPTS: &str = "crates/trainer/tests/tensorboard";
const NAME: &str = "small";
const N_TEXTS: usize = 2000;
/// A training with everything that is logged.
const SETTINGS: [&str; 9] = [
    "preprocessing.seq_len=48",
    "preprocessing.min_frequency=1",
    "model.embedding_dim=16",
    "model.hidden_dim=16",
    "pretraining.epochs=1",
    "training.batch_size=20",
    "training.epochs=2",
    "training.validate_every=30",
    "training.refit=true",
];

/// What this training's log must have numbers of.
const GROUPS: [&str; 6] =
    ["linear_path/", "pretraining/", "train/", "validation/", "refit/", "test/"];

pub(crate) fn run(args: &Args, user_folder: &Path) -> anyhow::Result<()> {
    let scripts = std::path::absolute(SCRIPTS).context("cannot find the scripts")?;
    let folder = target_folder()?.join("tensorboard");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let requirements = scripts.join("requirements.txt");
    let python = environment(&args.python, &folder.join("environment"), &requirements)?;
    let program = match &args.program {
        Some(program) => user_folder.join(program),
        None => sentiment()?,
    };
    let place = tempfile::tempdir().context("cannot create a temporary folder")?;
    train(&program, place.path())?;
    let records = place.path().join("runs").join(NAME);
    let expected = logged(&records)?;
    let got = read_by_tensorboard(&python, &scripts.join("read_scalars.py"), &records)?;
    compare(&got, &expected)?;
    for (tag, points) in &got {
        println!("tensorboard: {tag}: {} numbers as in the log", points.len());
    }
    println!("tensorboard: no fault found");
    Ok(())
}

fn train(program: &Path, place: &Path) -> anyhow::Result<()> {
    fs::write(place.join("texts.csv"), made_texts(N_TEXTS)).context("cannot write the texts")?;
    let mut command = Command::new(program);
    command.current_dir(place).stdin(Stdio::null()).stdout(Stdio::null());
    command.args(["train", "--no-cache", "--data", "texts.csv", "--recipe", "quick"]);
    command.arg("--output").arg(Path::new("models").join(NAME));
    command.args(["--checkpoint-every", "1s", "--log-every", "1"]);
    for setting in SETTINGS {
        command.args(["--set", setting]);
    }
    check(&mut command)
}

/// Steps, and the bits of their f32s, by tag.
type Points = BTreeMap<String, Vec<(i64, u32)>>;

/// What the log says that TensorBoard shows.
fn logged(records: &Path) -> anyhow::Result<Points> {
    let mut points = Points::new();
    for (idx, line) in read_log(records)?.iter().enumerate() {
        let numbers = shown(line).with_context(|| format!("line {} of the log", idx + 1))?;
        for Shown { tag, step, value } in numbers {
            points.entry(tag).or_default().push((step, (value as f32).to_bits()));
        }
    }
    for group in GROUPS {
        let is_there = points.keys().any(|tag| tag.starts_with(group));
        ensure!(is_there, "the log of {} has no numbers for {group}", records.display());
    }
    Ok(points)
}

/// What TensorBoard's reader returns.
fn read_by_tensorboard(python: &Path, script: &Path, records: &Path) -> anyhow::Result<Points> {
    let mut command = Command::new(python);
    let output = command.arg(script).arg(records).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot run {}", python.display()))?;
    ensure!(output.status.success(), "{} ended with {}", script.display(), output.status);
    let text = String::from_utf8(output.stdout).context("read_scalars.py printed no UTF-8")?;
    points(&text)
}

/// Reads what `read_scalars.py` prints.
fn points(lines: &str) -> anyhow::Result<Points> {
    let mut points = Points::new();
    for line in lines.lines() {
        let odd = || format!("read_scalars.py printed {line}");
        let scalar = Json::parse(line).with_context(odd)?;
        let tag = scalar.get("tag").and_then(Json::as_string).with_context(odd)?;
        let step = scalar.get("step").and_then(Json::as_number).with_context(odd)? as i64;
        let value = scalar.get("value").and_then(Json::as_number).with_context(odd)?;
        points.entry(tag).or_default().push((step, (value as f32).to_bits()));
    }
    Ok(points)
}

/// Fails at the first tag or number that is not the same.
fn compare(got: &Points, expected: &Points) -> anyhow::Result<()> {
    for tag in expected.keys() {
        ensure!(got.contains_key(tag), "TensorBoard has no {tag}, but the log does");
    }
    for (tag, points) in got {
        let Some(expected) = expected.get(tag) else {
            bail!("TensorBoard has {tag}, but the log does not");
        };
        for (idx, (point, logged)) in points.iter().zip(expected).enumerate() {
            let in_words = |(step, bits): (i64, u32)| {
                format!("{:?} ({bits:08x}) at step {step}", f32::from_bits(bits))
            };
            let (point, logged) = (in_words(*point), in_words(*logged));
            ensure!(point == logged, "number {} of {tag} is {point}, not {logged}", idx + 1);
        }
        let (n, n_expected) = (points.len(), expected.len());
        ensure!(n == n_expected, "TensorBoard has {n} numbers of {tag}, the log {n_expected}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALARS: &str = r#"{"tag": "a", "step": 1, "wall_time": 2.5, "value": 0.10000000149011612}
{"tag": "b", "step": 1, "wall_time": 2.5, "value": -0.0}
{"tag": "a", "step": 2, "wall_time": 3.5, "value": 3.0}
"#;

    fn expected() -> Points {
        let bits = |step, value: f64| (step, (value as f32).to_bits());
        Points::from([
            ("a".to_string(), vec![bits(1, 0.1), bits(2, 3.0)]),
            ("b".to_string(), vec![bits(1, -0.0)]),
        ])
    }

    #[test]
    fn equal_numbers_pass() {
        compare(&points(SCALARS).unwrap(), &expected()).unwrap();
    }

    #[test]
    fn a_wrong_a_missing_and_a_further_number_are_found() {
        let said = |from: &str, to: &str| {
            let changed = SCALARS.replace(from, to);
            assert_ne!(changed, SCALARS);
            compare(&points(&changed).unwrap(), &expected()).unwrap_err().to_string()
        };
        let error = said("0.10000000149011612", "0.10000000894069672");
        assert_eq!(
            error,
            "number 1 of a is 0.10000001 (3dccccce) at step 1, not 0.1 (3dcccccd) at step 1"
        );
        let error = said("-0.0", "0.0");
        assert_eq!(
            error,
            "number 1 of b is 0.0 (00000000) at step 1, not -0.0 (80000000) at step 1"
        );
        assert!(said("\"step\": 2", "\"step\": 3").contains("at step 3, not"));
        assert_eq!(said("\"b\"", "\"c\""), "TensorBoard has no b, but the log does");
        let last = SCALARS.lines().last().unwrap();
        assert_eq!(said(&format!("{last}\n"), ""), "TensorBoard has 1 numbers of a, the log 2");
        assert_eq!(
            said(last, &format!("{last}\n{last}")),
            "TensorBoard has 3 numbers of a, the log 2"
        );
        assert_eq!(
            said(last, &format!("{last}\n{}", last.replace("\"a\"", "\"c\""))),
            "TensorBoard has c, but the log does not"
        );
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        let error = points(&SCALARS.replace("3.0", "\"NaN\"")).unwrap_err().to_string();
        assert!(
            error.starts_with("read_scalars.py printed {\"tag\": \"a\", \"step\": 2"),
            "{error}"
        );
    }
}
