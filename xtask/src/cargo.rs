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
    let programs = all_built(command).with_context(|| format!("cannot build {name}"))?;
    let program = programs.into_iter().find(|program| program.name == name);
    let program = program.with_context(|| format!("cargo did not report the path of {name}"))?;
    Ok(program.path)
}

/// A program or test program that cargo has built.
#[derive(Debug, PartialEq)]
pub(crate) struct Program {
    /// The name of its target, such as that of a test's file.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

/// Runs a `cargo build` with a command's arguments and returns all programs that it builds or finds built.
pub(crate) fn all_built(command: &mut Command) -> anyhow::Result<Vec<Program>> {
    let output = command
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo build")?;
    ensure!(output.status.success(), "cargo ended with {}", output.status);
    Ok(programs(&output.stdout))
}

/// The programs in cargo's messages, one JSON object a line.
fn programs(messages: &[u8]) -> Vec<Program> {
    let messages = messages.split(|&byte| byte == b'\n');
    messages
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.to_string();
            Some(Program { name, path: PathBuf::from(message["executable"].as_str()?) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_other_lines_are_no_programs() {
        let messages =
            br#"{"reason":"compiler-artifact","target":{"name":"heap"},"executable":null}
   Compiling something
{"reason":"compiler-artifact","target":{"name":"cudnn"},"executable":"/t/deps/cudnn-1"}
{"reason":"build-finished","success":true}
"#;
        let path = PathBuf::from("/t/deps/cudnn-1");
        assert_eq!(programs(messages), [Program { name: "cudnn".to_string(), path }]);
    }
}
