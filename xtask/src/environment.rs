//! Python environments with pinned packages, kept until the packages change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::cargo::check;

/// A file in an environment that says what it was made of; absent while it is being made.
pub(crate) const STAMP: &str = "made-of";

/// The interpreter of an environment with these packages, which is made anew if they have changed.
pub(crate) fn environment(
    python: &str,
    folder: &Path,
    requirements: &Path,
) -> anyhow::Result<PathBuf> {
    made(python, folder, requirements, &["--quiet"])
}

/// The same for packages of gigabytes: pip names each that it downloads.
pub(crate) fn large_environment(
    python: &str,
    folder: &Path,
    requirements: &Path,
) -> anyhow::Result<PathBuf> {
    made(python, folder, requirements, &[])
}

fn made(
    python: &str,
    folder: &Path,
    requirements: &Path,
    pip_flags: &[&str],
) -> anyhow::Result<PathBuf> {
    let wanted = fs::read_to_string(requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let wanted = format!("{}\n{wanted}", version(python)?);
    let bin = folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let interpreter = bin.join(if cfg!(windows) { "python.exe" } else { "python" });
    let stamp = folder.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == wanted) {
        return Ok(interpreter);
    }
    println!("making {}", folder.display());
    check(Command::new(python).args(["-m", "venv", "--clear"]).arg(folder))?;
    let mut pip = Command::new(&interpreter);
    pip.args(["-m", "pip", "install", "--disable-pip-version-check"]).args(pip_flags);
    check(pip.arg("--requirement").arg(requirements))?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(interpreter)
}

fn version(python: &str) -> anyhow::Result<String> {
    let mut command = Command::new(python);
    let output = command.arg("-VV").stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot run {python}"))?;
    ensure!(output.status.success(), "{python} -VV ended with {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
