//! Runs cargo, and other programs that must succeed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// The cargo that runs this program, with these arguments.
pub(crate) fn cargo_command(args: &[&str]) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(Path::new(&cargo));
    command.args(args);
    as_if_typed(&mut command);
    command
}

/// Hides from a command what cargo has told this program about its package. Build scripts look at that, too: with
/// other values than in a terminal, what they build would be built again and again.
pub(crate) fn as_if_typed(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let of_package = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_")
        });
        if of_package {
            command.env_remove(name);
        }
    }
}

/// Runs a command and fails if it does.
pub(crate) fn check(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

/// Builds the workspace's programs and returns the path of `sentiment`.
pub(crate) fn sentiment() -> anyhow::Result<PathBuf> {
    built(&mut cargo_command(&["build", "--workspace", "--bins", "--locked"]), "sentiment")
}

/// Runs a `cargo build` with a command's arguments and returns the path of the program that it names so.
pub(crate) fn built(command: &mut Command, name: &str) -> anyhow::Result<PathBuf> {
    let output = command
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo build")?;
    ensure!(output.status.success(), "cannot build {name}: cargo ended with {}", output.status);
    let messages = output.stdout.split(|&byte| byte == b'\n');
    let path = messages.filter_map(|line| serde_json::from_slice::<Value>(line).ok()).find_map(
        |message| {
            let is_it = message["target"]["name"] == name;
            is_it.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
        },
    );
    path.with_context(|| format!("cargo did not report the path of {name}"))
}
