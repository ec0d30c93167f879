//! A run of the bundle's run.sh without a GPU.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::links::Links;

/// Runs a bundle's run.sh with a stand-in for the driver. Fails if a step fails for another reason than the missing
/// GPU.
pub(crate) fn run(contents: &Path, links: &Links) -> anyhow::Result<()> {
    println!("gpu: rehearsing; what needs a GPU fails, and nothing else may");
    let contents = std::path::absolute(contents).context("cannot find the bundle")?;
    // What the run leaves there goes, too, except for its results.
    let temporary = tempfile::tempdir().context("cannot make a folder for the rehearsal")?;
    let results = contents.with_file_name("rehearsal");
    let mut command = Command::new(contents.join("run.sh"));
    command.arg(&results).current_dir(temporary.path());
    command.env("REHEARSAL", "1").env("TMPDIR", temporary.path());
    command.env("LD_LIBRARY_PATH", links.library_path()?);
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(
        status.success(),
        "the rehearsal of run.sh ended with {status}: steps failed for other reasons than the missing GPU; the lines \
         above name them, and {} has all that they wrote",
        results.join("results.tar.gz").display()
    );
    println!("gpu: the rehearsal has passed");
    if !has_pytorch() {
        println!(
            "gpu: python3 has no PyTorch, so the flags of PyTorch's scripts have not been tried"
        );
    }
    Ok(())
}

/// Whether the interpreter that run.sh takes has PyTorch.
fn has_pytorch() -> bool {
    let output = Command::new("python3").args(["-c", "import torch"]).output();
    output.is_ok_and(|output| output.status.success())
}
