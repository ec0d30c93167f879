//! `cargo xtask loom`: models of the threads that work on a pass.

use std::env;

use anyhow::{Context as _, ensure};

use crate::cargo::cargo_command;

/// Runs the models of the recurrent layers' threads under loom, which tries the orders in which their
/// steps can happen, with up to two switches that no thread waits for: handing work to a helper, waiting for
/// it, meeting at a barrier, two callers at once.
/// Builds the dependencies in a separate folder, which takes a few minutes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Switches between threads that loom tries in one run, apart from those that a thread forces by waiting: two
/// find almost every fault, and more take hours.
const MAX_PREEMPTIONS: &str = "2";

pub(crate) fn run(Args {}: Args) -> anyhow::Result<()> {
    // The default folder belongs to the other builds; this would replace their dependencies.
    let folder =
        env::current_dir().context("cannot determine the current folder")?.join("target/loom");
    let status = cargo_command(&["test", "--package", "recurrent", "--lib", "--locked", "models"])
        .env("CARGO_TARGET_DIR", folder)
        .env("RUSTFLAGS", "--cfg recurrent_loom")
        .env("LOOM_MAX_PREEMPTIONS", MAX_PREEMPTIONS)
        .env("RUST_TEST_THREADS", "1")
        .status()
        .context("cannot run cargo test")?;
    ensure!(status.success(), "a model of the threads failed: {status}");
    println!("\nloom: no fault found");
    Ok(())
}
