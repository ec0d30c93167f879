//! Builds our programs for CUDA, and the library that traces a GPU.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::links::Links;
use super::toolkit::Toolkit;
use crate::cargo::{Program, all_built, cargo_command, check};

/// Packages in one build, so that all have the same features, and what they share is built once.
const PACKAGES: [&str; 4] = ["cli", "benches", "recurrent", "trainer"];
/// Targets, and their names in the bundle.
pub(crate) const TARGETS: [Target; 6] = [
    Target { flag: "--bin", name: "sentiment", packed: "sentiment" },
    Target { flag: "--bin", name: "layer-times", packed: "layer-times" },
    Target { flag: "--bin", name: "notebook-times", packed: "notebook-times" },
    Target { flag: "--test", name: "cudnn", packed: "test-cudnn" },
    Target { flag: "--test", name: "cudnn_bf16", packed: "test-cudnn_bf16" },
    Target { flag: "--test", name: "cuda", packed: "test-cuda" },
];

/// A program or test program.
#[derive(Debug)]
pub(crate) struct Target {
    flag: &'static str,
    name: &'static str,
    pub(crate) packed: &'static str,
}

/// Builds all targets and returns their paths, with their names in the bundle.
pub(crate) fn programs(
    toolkit: &Toolkit,
    links: &Links,
    target: &Path,
    compute_cap: u32,
) -> anyhow::Result<Vec<Program>> {
    println!(
        "gpu: building in {} for compute capability {compute_cap}; the first time takes about 16 minutes on 2 cores",
        target.display()
    );
    let mut cargo = cargo_command(&["build", "--release", "--locked"]);
    for package in PACKAGES {
        cargo.args(["--package", package]);
    }
    cargo.args(["--features", &PACKAGES.map(|package| format!("{package}/cuda")).join(",")]);
    for target in &TARGETS {
        cargo.args([target.flag, target.name]);
    }
    cargo.env("CARGO_TARGET_DIR", target);
    cargo.env("CUDA_COMPUTE_CAP", compute_cap.to_string());
    // Build scripts of dependencies look at one or the other.
    for variable in ["CUDA_HOME", "CUDA_PATH", "CUDA_ROOT"] {
        cargo.env(variable, &toolkit.home);
    }
    cargo.env("PATH", before(toolkit.home.join("bin"), "PATH")?);
    cargo.env("LIBRARY_PATH", before(links.folder.clone(), "LIBRARY_PATH")?);
    let built = all_built(&mut cargo).context("cannot build our programs for CUDA")?;
    named(built)
}

/// A variable's list of folders with one more at its start.
fn before(folder: PathBuf, variable: &str) -> anyhow::Result<std::ffi::OsString> {
    let value = env::var_os(variable).unwrap_or_default();
    let others = env::split_paths(&value).filter(|folder| !folder.as_os_str().is_empty());
    env::join_paths([folder].into_iter().chain(others))
        .with_context(|| format!("cannot add to {variable}"))
}

/// The programs of all targets under their names in the bundle.
fn named(built: Vec<Program>) -> anyhow::Result<Vec<Program>> {
    let find = |target: &Target| {
        let program = built.iter().find(|program| program.name == target.name);
        let program =
            program.with_context(|| format!("cargo did not report the path of {}", target.name))?;
        Ok(Program { name: target.packed.to_string(), path: program.path.clone() })
    };
    TARGETS.iter().map(find).collect()
}

/// Builds the library that traces a GPU; `None` if the C compiler does not find CUPTI's headers.
pub(crate) fn trace(toolkit: &Toolkit, target: &Path) -> anyhow::Result<Option<PathBuf>> {
    let compiler = || {
        let mut compiler = Command::new("cc");
        compiler.args(
            toolkit.headers().iter().flat_map(|folder| ["-isystem".as_ref(), folder.as_os_str()]),
        );
        compiler
    };
    let mut probe = compiler();
    probe.args(["-E", "-x", "c", "-include", "cupti.h", "/dev/null"]);
    if !probe.output().context("cannot run cc")?.status.success() {
        println!(
            "gpu: {} has no headers of CUPTI; the bundle will lack libtrace.so, and its step `trace` will be left out \
             (`--toolkit pypi` has them; or name their folder in CPATH)",
            toolkit.home.display()
        );
        return Ok(None);
    }
    let library = target.join("libtrace.so");
    let mut build = compiler();
    build.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden"]);
    build.arg("-o").arg(&library).args(["benches/gpu/trace.c", "-ldl", "-pthread"]);
    check(&mut build).context("cannot build benches/gpu/trace.c")?;
    Ok(Some(library))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_cargo_does_not_report_is_missed_by_name() {
        let program =
            |name: &str| Program { name: name.to_string(), path: PathBuf::from("/t").join(name) };
        let all =
            ["layer-times", "cuda", "heap", "sentiment", "cudnn", "cudnn_bf16", "notebook-times"];
        let packed = named(all.map(program).into()).expect("all are there");
        assert_eq!(packed[3], Program { name: "test-cudnn".into(), path: "/t/cudnn".into() });
        let error = named(vec![program("sentiment")]).expect_err("others are missing");
        assert_eq!(error.to_string(), "cargo did not report the path of layer-times");
    }
}
