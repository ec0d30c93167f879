//! `cargo xtask wheel`: builds the Python wheel, installs it, and tests it from Python.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

use crate::cargo::{as_if_typed, check};
use crate::environment::{STAMP, environment};

const CRATE: &str = "crates/python";
/// The environment's packages, relative to the crate.
const REQUIREMENTS: &str = "requirements-test.txt";
/// What tests depend on besides the wheel, relative to the crate.
const TESTS: [&str; 5] = [REQUIREMENTS, "pyproject.toml", "README.md", "tests", "examples"];
/// The folder of the environment.
const ENVIRONMENT: &str = "environment";

/// Builds the Python wheel with maturin, installs it in an environment of its own, checks its types with mypy, and
/// runs its tests.
///
/// Environments and wheels are in target/wheel. Tests that have passed are not repeated until the wheel, the tests,
/// the interpreter or the requirements change.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Build an optimised wheel, to be published, instead of one that shares its build with `cargo test`
    #[arg(long)]
    release: bool,

    /// Python interpreter that makes the environments
    #[arg(long, default_value = "python3", value_name = "PROGRAM")]
    python: String,

    /// Run the tests although they have passed
    #[arg(long)]
    force: bool,
}

/// Builds and tests the wheel as `cargo xtask wheel` does without flags.
pub(crate) fn check_all() -> anyhow::Result<()> {
    run(&Args { release: false, python: "python3".to_string(), force: false })
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let folder = target_folder()?.join("wheel");
    let (python, wheel) = environment_and_wheel(&args.python, args.release)?;
    println!("wheel: {}", wheel.display());
    // In the environment, so that a new one knows of nothing that has passed.
    let stamp = folder.join(ENVIRONMENT).join("passed");
    let digest = digest(&wheel, &folder.join(ENVIRONMENT).join(STAMP))?;
    if !args.force && fs::read_to_string(&stamp).is_ok_and(|passed| passed == digest) {
        println!("its tests have passed before; --force repeats them");
        return Ok(());
    }
    install(&python, &wheel)?;
    test(&python, &folder)?;
    fs::write(&stamp, digest).with_context(|| format!("cannot write {}", stamp.display()))
}

/// The folder in which cargo builds.
pub(crate) fn target_folder() -> anyhow::Result<PathBuf> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    std::path::absolute(target).context("cannot find the target folder")
}

/// Builds the wheel with an environment made by this interpreter, and returns its path.
pub(crate) fn built(python: &str, release: bool) -> anyhow::Result<PathBuf> {
    Ok(environment_and_wheel(python, release)?.1)
}

fn environment_and_wheel(python: &str, release: bool) -> anyhow::Result<(PathBuf, PathBuf)> {
    let target = target_folder()?;
    let folder = target.join("wheel");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let requirements = Path::new(CRATE).join(REQUIREMENTS);
    let python = environment(python, &folder.join(ENVIRONMENT), &requirements)?;
    let wheel = build(&python, &target, &folder, release)?;
    Ok((python, wheel))
}

/// Builds the wheel and returns its path.
fn build(python: &Path, target: &Path, folder: &Path, release: bool) -> anyhow::Result<PathBuf> {
    let wheels = folder.join(if release { "release" } else { "dev" });
    // Only the new one must be found there.
    match fs::remove_dir_all(&wheels) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", wheels.display()));
        }
        _ => {}
    }
    let mut maturin = Command::new(python);
    maturin.args(["-m", "maturin", "build", "--quiet", "--locked", "--strip"]);
    // The same profile and flags as for the other crates, so that their dependencies are built once.
    maturin.args(["--profile", if release { "release" } else { "dev" }]);
    maturin.arg("--manifest-path").arg(Path::new(CRATE).join("Cargo.toml"));
    maturin.arg("--out").arg(&wheels);
    maturin.env("CARGO_TARGET_DIR", target);
    as_if_typed(&mut maturin);
    check(&mut maturin)?;
    let entries = fs::read_dir(&wheels)
        .with_context(|| format!("cannot read {}", wheels.display()))?
        .collect::<Result<Vec<_>, _>>()?;
    let [wheel] = entries.as_slice() else {
        bail!("maturin wrote {} files to {}, expected one", entries.len(), wheels.display());
    };
    Ok(wheel.path())
}

/// Installs the wheel in place of an earlier one.
pub(crate) fn install(python: &Path, wheel: &Path) -> anyhow::Result<()> {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    check(pip.args(["--no-deps", "--force-reinstall"]).arg(wheel))
}

/// Runs mypy and the tests, in a folder from which only the installed package can be imported.
fn test(python: &Path, folder: &Path) -> anyhow::Result<()> {
    let source = std::path::absolute(CRATE).context("cannot find the crate")?;
    let config = source.join("pyproject.toml");
    let in_folder = |arguments: &[&str]| {
        let mut command = Command::new(python);
        command.current_dir(folder).args(arguments);
        command
    };
    let mut mypy = in_folder(&["-m", "mypy", "--package", "sentiment_rnn", "--config-file"]);
    check(mypy.arg(&config))?;
    let mut stubtest = in_folder(&["-m", "mypy.stubtest", "sentiment_rnn._native"]);
    check(stubtest.arg("--mypy-config-file").arg(&config))?;
    let mut pytest = in_folder(&["-m", "pytest", "--quiet", "-p", "no:cacheprovider", "-c"]);
    check(pytest.arg(&config).arg(source.join("tests")))
}

/// A digest of a wheel's contents and all that its tests depend on; `made_of` names the interpreter.
fn digest(wheel: &Path, made_of: &Path) -> anyhow::Result<String> {
    let mut files = vec![made_of.to_path_buf()];
    for name in TESTS {
        list(&Path::new(CRATE).join(name), &mut files)?;
    }
    files.sort();
    let mut digest = Sha256::new();
    let mut add = |name: &str, contents: &[u8]| {
        for part in [name.as_bytes(), contents] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
    };
    // A wheel's bill of materials has a time and a number of its own, and its list of files a digest of that.
    let is_new_each_time =
        |name: &str| name.contains(".dist-info/sboms/") || name.ends_with(".dist-info/RECORD");
    let file = fs::File::open(wheel).with_context(|| format!("cannot open {}", wheel.display()))?;
    let mut archive = zip::ZipArchive::new(file).context("cannot read the wheel")?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).context("cannot read the wheel")?;
        let name = entry.name().context("cannot read the wheel")?.into_owned();
        if is_new_each_time(&name) {
            continue;
        }
        let mut contents = Vec::new();
        std::io::copy(&mut entry, &mut contents).context("cannot read the wheel")?;
        add(&name, &contents);
    }
    for path in files {
        let contents =
            fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        add(&path.to_string_lossy(), &contents);
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Adds all files below a path, except what Python leaves there.
fn list(path: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if !path.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
        let entry = entry.with_context(|| format!("cannot read {}", path.display()))?;
        if entry.file_name() != "__pycache__" {
            list(&entry.path(), files)?;
        }
    }
    Ok(())
}
