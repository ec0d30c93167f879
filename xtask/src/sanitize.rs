//! `cargo xtask sanitize`: the recurrent layers' tests under an address sanitiser.

use std::env;

use anyhow::{Context as _, ensure};

use crate::cargo::cargo_command;

/// Runs the tests of `recurrent` with every memory access checked (AddressSanitizer): reads and
/// writes out of bounds, use after free. Rebuilds its dependencies in a separate folder, which
/// takes a few minutes. x86-64 Linux only.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// The sanitiser needs an explicit target, so that it does not affect build scripts.
const TARGET: &str = "x86_64-unknown-linux-gnu";

pub(crate) fn run(Args {}: Args) -> anyhow::Result<()> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "the sanitiser runs only on {TARGET}"
    );
    // The default folder belongs to the other builds; this would replace their dependencies.
    let folder =
        env::current_dir().context("cannot determine the current folder")?.join("target/asan");
    let status = cargo_command(&["test", "--package", "recurrent", "--lib", "--tests", "--locked"])
        .args(["--target", TARGET])
        .env("CARGO_TARGET_DIR", folder)
        // A stable compiler includes the sanitiser, but accepts its flag only with unstable features on.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Zsanitizer=address")
        .status()
        .context("cannot run cargo test")?;
    ensure!(status.success(), "the tests under the sanitiser failed: {status}");
    println!("\nsanitize: no fault found");
    Ok(())
}
