//! Shared by the tests of the command: a working folder, running `sentiment` in it, and labelled
//! texts that the smallest network learns in a few epochs.
#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "a test that cannot make its files has failed; no test file uses everything"
)]

pub mod labelled;
pub mod tables;
#[cfg(unix)]
pub mod training;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub const SENTIMENT: &str = env!("CARGO_BIN_EXE_sentiment");

/// Texts in `reviews.csv` of [`Workplace::with_reviews`]; a tenth of them are for testing.
pub const N_REVIEWS: usize = 240;

/// Settings that make the default recipe, as an LSTM, learn [`reviews`] in a tenth of a second.
const TINY: [&str; 15] = [
    "preprocessing.seq_len=12",
    "preprocessing.min_frequency=1",
    "model.embedding_dim=8",
    "model.cell=lstm",
    "model.hidden_dim=8",
    "model.ngram_order=2",
    "model.path_scales=constant",
    "regularization.word_dropout=0.0",
    "training.batch_size=10",
    "training.epochs=4",
    "training.learning_rate=0.02",
    "training.schedule=constant",
    "training.calibrate=false",
    "training.refit=false",
    "training.patience=0",
];

/// A CSV of `n` different texts, in which `good` and `great` or `bad` and `awful` decide the label.
pub fn reviews(n: usize) -> String {
    let mut csv = String::from("text,label\n");
    for idx in 0..n {
        let label = ["negative", "positive"][idx % 2];
        let verdict = [["bad", "awful"], ["good", "great"]][idx % 2][idx / 2 % 2];
        writeln!(csv, "{},{label}", sentence(idx, verdict)).unwrap();
    }
    csv
}

/// A text with this number, different from all others, in which only `verdict` tells anything.
pub fn sentence(idx: usize, verdict: &str) -> String {
    const FILLER: [&str; 10] =
        ["film", "plot", "cast", "music", "scene", "evening", "friend", "seat", "story", "rain"];
    // The digits of the number as words.
    let mut words: Vec<&str> =
        format!("{idx:05}").bytes().map(|digit| FILLER[usize::from(digit - b'0')]).collect();
    words.insert(idx % 6, verdict);
    words.join(" ")
}

/// A temporary folder in which commands run, so that messages hold short relative paths.
pub struct Workplace {
    folder: TempDir,
    /// Keeps tests away from the user's own cache.
    cache: TempDir,
}

impl Workplace {
    /// An empty folder.
    pub fn new() -> Self {
        let new = || tempfile::tempdir().unwrap();
        Self { folder: new(), cache: new() }
    }

    /// A folder with `reviews.csv`.
    pub fn with_reviews() -> Self {
        let place = Self::new();
        place.write("reviews.csv", reviews(N_REVIEWS));
        place
    }

    /// A folder with `reviews.csv`, and a model trained on it in `model`.
    pub fn with_model() -> Self {
        let place = Self::with_reviews();
        place.train(&["--output", "model"]).succeeded();
        place
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub fn read(&self, name: impl AsRef<Path>) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn bytes(&self, name: impl AsRef<Path>) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The names in a folder, including hidden ones, sorted.
    pub fn names(&self, folder: impl AsRef<Path>) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// What is in a run folder; the file of events, which has the time in its name, is called `events`.
    pub fn run_names(&self, folder: impl AsRef<Path>) -> Vec<String> {
        let short = |name: String| match name.starts_with("events.out.tfevents.") {
            true => "events".to_string(),
            false => name,
        };
        self.names(folder).into_iter().map(short).collect()
    }

    /// `sentiment` with these arguments, to run here.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(SENTIMENT);
        command.args(args).current_dir(self.folder.path());
        command.env("XDG_CACHE_HOME", self.cache.path());
        command
    }

    /// How many prepared data sets are in the cache of the commands here.
    pub fn n_prepared(&self) -> usize {
        let folder = self.cache.path().join("sentiment-rnn/prepared");
        fs::read_dir(folder).map_or(0, Iterator::count)
    }

    /// Runs `sentiment` here with nothing on standard input.
    pub fn run(&self, args: &[&str]) -> Outcome {
        self.command(args).stdin(Stdio::null()).output().unwrap().into()
    }

    /// Runs `sentiment` here with these bytes on standard input.
    pub fn run_with_input(&self, args: &[&str], input: &[u8]) -> Outcome {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap().into()
    }

    /// Overwrites the tensors whose names begin with `prefix`, in a model folder, with zeros.
    pub fn zero_tensors(&self, model: &str, prefix: &str) {
        let file = format!("{model}/model.safetensors");
        let mut bytes = self.bytes(&file);
        // The length of the header in 8 bytes, the header as JSON, then the numbers.
        let start = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: Value = serde_json::from_slice(&bytes[8..start]).unwrap();
        for (name, tensor) in header.as_object().unwrap() {
            if name.starts_with(prefix) {
                let at =
                    |idx: usize| start + tensor["data_offsets"][idx].as_u64().unwrap() as usize;
                bytes[at(0)..at(1)].fill(0);
            }
        }
        self.write(&file, bytes);
    }

    /// Runs a small training on `reviews.csv`; `args` come last and take precedence.
    pub fn train(&self, args: &[&str]) -> Outcome {
        self.run(&train_args(args))
    }

    /// Runs a small training on this file.
    pub fn train_on(&self, data: &str, args: &[&str]) -> Outcome {
        let mut all = train_args(args);
        all[2] = data;
        self.run(&all)
    }
}

/// The arguments of a small training on `reviews.csv`, then `args`.
pub fn train_args<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["train", "--data", "reviews.csv"];
    all.extend(TINY.iter().flat_map(|setting| ["--set", setting]));
    all.extend(args);
    all
}

/// How a command ended and what it said.
pub struct Outcome {
    /// `None` if it was ended by a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Outcome {
    /// Checks that the command succeeded.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "standard error:\n{}", self.stderr);
        self
    }

    /// Checks the exit code of a failure, that standard error contains each of `parts` and no panic,
    /// and that standard output is empty.
    #[track_caller]
    pub fn failed(self, code: i32, parts: &[&str]) -> Self {
        let stderr = &self.stderr;
        assert_eq!(self.code, Some(code), "standard error:\n{stderr}");
        assert!(stderr.contains("error: "), "standard error:\n{stderr}");
        assert!(!stderr.contains("panicked"), "standard error:\n{stderr}");
        for part in parts {
            assert!(stderr.contains(part), "no {part:?} in standard error:\n{stderr}");
        }
        assert_eq!(self.stdout, "", "a failure has no result");
        self
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}
