//! A training in the background.
#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "a test that cannot start or reach its process has failed; no test file uses everything"
)]

use std::io::{BufRead as _, BufReader, Lines, Read as _};
use std::process::{Child, ChildStderr, Command, Stdio};

use super::{Outcome, Workplace, train_args};

/// A training in the background, killed when the test ends, whatever happens.
pub struct Training {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Training {
    pub fn start(place: &Workplace, args: &[&str]) -> Self {
        Self::start_all(place, &train_args(args))
    }

    /// Starts `sentiment` with exactly these arguments.
    pub fn start_all(place: &Workplace, args: &[&str]) -> Self {
        Self::start_command(place.command(args))
    }

    /// Starts a training as `nohup` does: the hang-up of its terminal is ignored, unless the program says otherwise.
    pub fn start_without_hang_up(place: &Workplace, args: &[&str]) -> Self {
        let sentiment = place.command(&train_args(args));
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]);
        command.arg(sentiment.get_program()).args(sentiment.get_args());
        command.envs(sentiment.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(sentiment.get_current_dir().unwrap());
        Self::start_command(command)
    }

    fn start_command(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, stderr }
    }

    /// Reads standard error up to a line that starts with `start`.
    pub fn wait_for(&mut self, start: &str) {
        let found = self.stderr.any(|line| line.unwrap().starts_with(start));
        assert!(found, "the training ended without a line {start:?}");
    }

    pub fn press_ctrl_c(&self) {
        self.send("-INT");
    }

    /// Sends a signal, such as `-TERM`.
    pub fn send(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(status.unwrap().success(), "the training had ended before");
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with a signal that it cannot handle.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end; returns what has not been read yet.
    pub fn finish(mut self) -> Outcome {
        let rest: Vec<String> = self.stderr.by_ref().map(|line| line.unwrap()).collect();
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code();
        Outcome { code, stdout, stderr: rest.join("\n") }
    }
}

impl Drop for Training {
    fn drop(&mut self) {
        // After `finish` the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
