//! Training runs as processes, which can be killed.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};

/// A training run that has not been started.
pub(crate) struct Start(pub(crate) Command);

impl Start {
    pub(crate) fn start(mut self) -> anyhow::Result<Training> {
        // A file rather than a pipe: nothing reads the output during the run, and a full pipe would
        // block it.
        let said = tempfile::tempfile().context("cannot make a temporary file")?;
        let stderr = said.try_clone().context("cannot make a temporary file")?;
        let child = self.0.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn();
        Ok(Training { child: child.context("cannot start sentiment train")?, said })
    }
}

/// A training run in progress; killed on drop.
pub(crate) struct Training {
    child: Child,
    said: File,
}

/// How a training run ended.
#[derive(Debug)]
pub(crate) struct End {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it printed on standard error.
    pub(crate) said: String,
}

impl Training {
    pub(crate) fn has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait().context("cannot query a training run")?.is_some())
    }

    /// Kills it (SIGKILL). Returns whether it had already ended.
    pub(crate) fn kill(&mut self) -> anyhow::Result<bool> {
        self.child.kill().context("cannot kill a training run")?;
        let status = self.child.wait().context("cannot wait for a training run")?;
        // Also if it ended by itself just before the signal.
        Ok(status.code().is_some())
    }

    /// Waits for it to end.
    pub(crate) fn ended(mut self) -> anyhow::Result<End> {
        let status = self.child.wait().context("cannot wait for a training run")?;
        let mut said = String::new();
        self.said.rewind().context("cannot read what a training run said")?;
        self.said.read_to_string(&mut said).context("cannot read what a training run said")?;
        Ok(End { code: status.code(), said })
    }

    /// Waits for it to end; it must succeed.
    pub(crate) fn ended_well(self) -> anyhow::Result<()> {
        let end = self.ended()?;
        ensure!(end.code == Some(0), "a training run ended with {:?}:\n{}", end.code, end.said);
        Ok(())
    }
}

impl Drop for Training {
    fn drop(&mut self) {
        // Does nothing if it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
