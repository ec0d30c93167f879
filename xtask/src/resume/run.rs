//! A training of one setting, in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::settings::{SMALL, Setting};
use crate::run_folder::SETTINGS_FILE;
use crate::training::Start;

/// The table, in the folder that holds those of the runs.
pub(super) const TABLE: &str = "texts.csv";
/// The folder of a run, beside the table.
pub(super) const RUN: &str = "run";

pub(super) struct Run<'a> {
    pub(super) program: &'a Path,
    pub(super) setting: &'a Setting,
    /// Whatever it writes is in this folder: [`RUN`].
    pub(super) folder: PathBuf,
    pub(super) n_threads: usize,
    pub(super) seed: u64,
    /// The value of `--checkpoint-every`.
    pub(super) every: &'static str,
}

impl Run<'_> {
    /// Starts the training from the beginning.
    pub(super) fn start(&self) -> Start {
        let Setting { name, recipe, settings, .. } = self.setting;
        let mut command = self.command();
        command.arg("--data").arg(Path::new("..").join(TABLE)).args(["--recipe", recipe]);
        command.arg("--output").arg(Path::new("models").join(name));
        command.args(["--seed", &self.seed.to_string()]);
        for setting in SMALL.iter().chain(*settings) {
            command.args(["--set", setting]);
        }
        Start(command)
    }

    /// Starts it again, to go on.
    pub(super) fn resume(&self) -> Start {
        let mut command = self.command();
        command.arg("--resume").arg(Path::new("runs").join(self.setting.name));
        Start(command)
    }

    /// Whether there is anything to go on with.
    pub(super) fn is_begun(&self) -> bool {
        self.records().join(SETTINGS_FILE).exists()
    }

    /// The model folder.
    pub(super) fn model(&self) -> PathBuf {
        self.folder.join("models").join(self.setting.name)
    }

    /// The run folder.
    pub(super) fn records(&self) -> PathBuf {
        self.folder.join("runs").join(self.setting.name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command.arg("train").current_dir(&self.folder);
        command.args(["--checkpoint-every", self.every, "--log-every", self.setting.log_every]);
        command.env("RAYON_NUM_THREADS", self.n_threads.to_string());
        // The cache of prepared texts, which shortens a second start.
        command.env("XDG_CACHE_HOME", self.folder.join("cache"));
        command
    }
}
