//! `cargo xtask full-disk`: trains on disks that are too small, enlarges them, and goes on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use crate::cargo::sentiment;
use crate::made_texts::made_texts;

/// Trains a small model on a file system in memory that is too small, larger and larger until it is not, so that the
/// disk is full at one write after the other: of the run's files, of checkpoints, of the model, of the predictions.
///
/// Each time, the training must stop with an error that names the file and the last whole checkpoint, if there is one;
/// on the enlarged disk the same command must go on from that checkpoint, or from the beginning, and leave the same
/// model and predictions as an undisturbed training. Needs Linux, and `unshare` and `mount` for a name space of its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask full-disk")]
pub(crate) struct Args {
    /// Growth of the disk from one training to the next, in per cent; at least 4 KB
    #[arg(long, value_name = "N", default_value = "3")]
    growth: u64,

    /// An existing `sentiment` program, instead of this workspace's
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Texts of the table: enough for every phase, few enough for a fraction of a second.
const N_TEXTS: usize = 400;
/// The size of a disk on which everything fits.
const LARGE_KB: u64 = 200_000;
const STEP_KB: u64 = 4;

/// Every phase, in a second.
const TRAINING: [&str; 20] = [
    "train",
    "--data",
    "../texts.csv",
    "--recipe",
    "quick",
    "--no-cache",
    "--output",
    "models/m",
    "--log-every",
    "2",
    "--set",
    "training.epochs=2",
    "--set",
    "training.batch_size=80",
    "--set",
    "model.hidden_dim=16",
    "--set",
    "pretraining.epochs=1",
    "--set",
    "training.refit=true",
];

/// Time between two checkpoints: after every step, where most writes are of checkpoints, and after validations only,
/// where the model and the predictions are most.
const EVERY: [&str; 2] = ["0s", "1h"];
/// Parts of names of files that must have been the first without space.
const MUST_BE_HIT: [&str; 5] = ["run.toml", "checkpoints/", "events", "models/m/", "predictions/"];

/// Runs the program on a disk of some size, then on a large one with the same files if it failed. `$0`: the place,
/// `$1`: the size in KB, `$2`: the program; the rest are its arguments.
const SCRIPT: &str = r#"
set -u
cd "$0" && mkdir -p disk && mount -t tmpfs -o "size=$1k" tmpfs disk && cd disk || exit 99
size=$1; shift
"$@" >/dev/null 2>../first.txt; code=$?
mount -o remount,size=200000k . || exit 99
if [ $code != 0 ]; then "$@" >/dev/null 2>../second.txt || exit 98; fi
sha256sum models/m/model.safetensors models/m/ngrams.safetensors models/m/config.json \
    runs/m/predictions/validation.parquet runs/m/predictions/test.parquet || exit 97
ls runs/m/checkpoints models -A
exit $code
"#;

pub(crate) fn run(args: &Args, user_folder: &Path) -> anyhow::Result<()> {
    ensure!(cfg!(target_os = "linux"), "`cargo xtask full-disk` runs only on Linux");
    let program = match &args.program {
        Some(program) => user_folder.join(program),
        None => sentiment()?,
    };
    let program =
        program.canonicalize().with_context(|| format!("cannot find {}", program.display()))?;
    let place = tempfile::tempdir().context("cannot create a temporary folder")?;
    fs::write(place.path().join("texts.csv"), made_texts(N_TEXTS))
        .context("cannot write the texts")?;
    let mut tally = Tally::default();
    for every in EVERY {
        let disk = Disk { place: place.path(), program: &program, every };
        let (code, whole) = disk.train(LARGE_KB)?;
        ensure!(code == 0, "the undisturbed training failed: {}", disk.said("first.txt")?);
        let mut size = STEP_KB;
        while disk.is_too_small(size, &whole, &mut tally)? {
            size += STEP_KB.max(size * args.growth / 100);
            ensure!(size < LARGE_KB, "no disk is large enough");
        }
    }
    tally.print();
    for part in MUST_BE_HIT {
        ensure!(tally.full_at.keys().any(|file| file.contains(part)), "{part} was never hit");
    }
    Ok(())
}

/// What was hit.
#[derive(Default)]
struct Tally {
    n_went_on: usize,
    full_at: BTreeMap<String, usize>,
}

impl Tally {
    fn print(&self) {
        let (n_failed, n_went_on) = (self.full_at.values().sum::<usize>(), self.n_went_on);
        println!(
            "full-disk: {n_failed} disks were too small, {n_went_on} of these trainings went on from a checkpoint; all \
             ended like the undisturbed one. Full at:"
        );
        for (file, n) in &self.full_at {
            println!("  {n:4} {file}");
        }
    }
}

struct Disk<'a> {
    place: &'a Path,
    program: &'a Path,
    every: &'static str,
}

impl Disk<'_> {
    /// Whether a disk of this size is too small. If so, the training on it must have ended like the undisturbed one
    /// once the disk was larger.
    fn is_too_small(&self, size_kb: u64, whole: &str, tally: &mut Tally) -> anyhow::Result<bool> {
        let at = || format!("a disk of {size_kb} KB, checkpoints every {}", self.every);
        let (code, left) = self.train(size_kb).with_context(at)?;
        ensure!(left == whole, "{}: not the undisturbed result: {left}", at());
        if code != 0 {
            tally.n_went_on += usize::from(self.check().with_context(at)?);
            *tally.full_at.entry(file_in(&self.said("first.txt")?)?).or_default() += 1;
        }
        Ok(code != 0)
    }

    /// Trains on a disk of this size, and goes on on a large one. Returns the first exit code and what is left in the
    /// end.
    fn train(&self, size_kb: u64) -> anyhow::Result<(i32, String)> {
        let output = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "bash", "-c", SCRIPT])
            .arg(self.place)
            .arg(size_kb.to_string())
            .arg(self.program)
            .args(TRAINING)
            .args(["--checkpoint-every", self.every])
            .output()
            .context("cannot run unshare")?;
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(99) | None => bail!("cannot mount a file system in memory: {said}"),
            Some(98) => bail!("the training did not go on: {}", self.said("second.txt")?),
            Some(97) => bail!("files are missing in the end: {said}"),
            Some(code) => Ok((code, String::from_utf8_lossy(&output.stdout).into_owned())),
        }
    }

    /// Checks what a training on a disk that was too small said, and the one that went on. Returns whether there was a
    /// checkpoint.
    fn check(&self) -> anyhow::Result<bool> {
        let (first, second) = (self.said("first.txt")?, self.said("second.txt")?);
        ensure!(first.contains("No space left on device"), "it does not name the cause: {first}");
        let has_checkpoint =
            first.contains("its last whole checkpoint is runs/m/checkpoints/batch-");
        let goes_on = second.contains("going on from the last checkpoint");
        ensure!(
            goes_on || !has_checkpoint,
            "it named a checkpoint, but did not go on from it: {first}\n{second}"
        );
        let is_lost =
            ["warning: cannot", "has lost lines"].iter().any(|part| second.contains(part));
        ensure!(!is_lost, "it found something lost: {second}");
        Ok(goes_on)
    }

    fn said(&self, file: &str) -> anyhow::Result<String> {
        let path = self.place.join(file);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}

/// The kind of file that an error names: without numbers.
fn file_in(said: &str) -> anyhow::Result<String> {
    let error = said.lines().find(|line| line.starts_with("error: "));
    let error = error.with_context(|| format!("it ended without an error: {said}"))?;
    let named = error.split_once("cannot write ").map_or(error, |(_, rest)| rest);
    let named = named.split(": ").next().unwrap_or(named);
    Ok(named.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_an_error_is_told_by_its_kind() {
        let said = "epoch 1\nerror: the training stopped: cannot write runs/m/checkpoints/batch-07.x: No space left\n";
        assert_eq!(file_in(said).unwrap(), "runs/m/checkpoints/batch-##.x");
        assert_eq!(
            file_in("error: cannot write runs/m/run.toml: full").unwrap(),
            "runs/m/run.toml"
        );
        assert!(file_in("all is well").is_err());
    }
}
