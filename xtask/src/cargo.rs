//! Runs cargo, and other programs that must succeed.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

/// The cargo that runs this program, with these arguments.
pub(crate) fn cargo_command(args: &[&str]) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(Path::new(&cargo));
    command.args(args);
    command
}

/// Runs a command and fails if it does.
pub(crate) fn check(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
