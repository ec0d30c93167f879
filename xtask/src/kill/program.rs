//! The program under test: starts training runs that can be killed, and loads their models.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::cargo::sentiment;
use crate::training::{End, Start};

/// The recipe of the training runs; also the folder name of models without --output.
pub(super) const RECIPE: &str = "quick";

/// Settings with which a training run takes a fraction of a second and saves a dozen times.
const SETTINGS: [&str; 15] = [
    "preprocessing.seq_len=12",
    "preprocessing.min_frequency=1",
    "model.embedding_dim=16",
    "model.hidden_dim=8",
    "model.path_scales=constant",
    "regularization.word_dropout=0.0",
    "training.batch_size=10",
    "training.epochs=4",
    "training.validate_every=6",
    "training.learning_rate=0.02",
    "training.schedule=constant",
    "training.calibrate=false",
    "training.patience=0",
    "training.keep=last",
    "training.batches=shuffled",
];

/// A built `sentiment`, and the folder with texts in which it runs.
pub(super) struct Program {
    program: PathBuf,
    folder: PathBuf,
}

impl Program {
    /// Builds the workspace's program.
    pub(super) fn built(folder: &Path) -> anyhow::Result<Self> {
        Self::at(&sentiment()?, folder)
    }

    /// Uses an existing program.
    pub(super) fn at(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let program =
            program.canonicalize().with_context(|| format!("cannot find {}", program.display()))?;
        fs::write(folder.join("reviews.csv"), reviews(240)).context("cannot write the texts")?;
        Ok(Self { program, folder: folder.to_path_buf() })
    }

    /// The folder in which it runs.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A training run that replaces the model in `output`.
    pub(super) fn training(&self, output: &str, seed: u64) -> Start {
        let mut start = self.unnamed();
        let seed = seed.to_string();
        start.0.args(["--output", output, "--force", "--seed", &seed]);
        start
    }

    /// A training run that chooses its own folder.
    pub(super) fn unnamed(&self) -> Start {
        let mut command = self.command();
        command.args(["train", "--data", "reviews.csv", "--recipe", RECIPE]);
        command.args(["--no-cache", "--no-baseline"]);
        for setting in SETTINGS {
            command.args(["--set", setting]);
        }
        Start(command)
    }

    /// Loads a model and predicts with it.
    ///
    /// # Errors
    /// If loading or predicting fails.
    pub(super) fn loads(&self, model: &str) -> anyhow::Result<()> {
        let mut command = self.command();
        command.args(["predict", "--json", "--model", model, "a good film", "an awful plot"]);
        let output = command.output().context("cannot run sentiment predict")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "sentiment predict failed: {said}");
        let n_answers =
            output.stdout.split(|&byte| byte == b'\n').filter(|l| !l.is_empty()).count();
        ensure!(n_answers == 2, "sentiment predict gave {n_answers} answers to 2 texts");
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }
}

impl End {
    /// Whether it was refused because another training run was writing to its folder.
    pub(super) fn is_told_of_another(&self, model: &str) -> bool {
        let told = format!("another training run is writing to {model}");
        self.code == Some(1) && self.said.contains(&told)
    }
}

/// A CSV of `n` different texts in two easily distinguished classes.
fn reviews(n: usize) -> String {
    const FILLER: [&str; 10] =
        ["film", "plot", "cast", "score", "scene", "night", "friend", "seat", "tale", "rain"];
    let mut csv = String::from("text,label\n");
    for idx in 0..n {
        let label = ["negative", "positive"][idx % 2];
        let verdict = [["bad", "awful"], ["good", "great"]][idx % 2][idx / 2 % 2];
        let mut words: Vec<&str> =
            format!("{idx:04}").bytes().map(|digit| FILLER[usize::from(digit - b'0')]).collect();
        words.insert(idx % 5, verdict);
        // Writing to a string cannot fail.
        let _ = writeln!(csv, "{},{label}", words.join(" "));
    }
    csv
}
