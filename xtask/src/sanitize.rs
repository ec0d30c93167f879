//! `cargo xtask sanitize`: the recurrent layers' tests under an address sanitiser.

use std::env;

use anyhow::{Context as _, ensure};

use crate::ci::cargo_command;

/// Runs the tests of `recurrent` with every memory access checked (AddressSanitizer): reads and
/// writes out of bounds, use after free. Its dependencies are built once more, in a folder of
/// their own (some minutes). x86-64 Linux only.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// The sanitiser needs a target by name, so that build scripts are left alone.
const TARGET: &str = "x86_64-unknown-linux-gnu";

pub(crate) fn run(Args {}: Args) -> anyhow::Result<()> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "the sanitiser is set up for {TARGET} only"
    );
    // The default would be the folder of the other builds, whose dependencies it would replace.
    let folder = env::current_dir().context("cannot tell the current folder")?.join("target/asan");
    let status = cargo_command(&["test", "--package", "recurrent", "--lib", "--tests", "--locked"])
        .args(["--target", TARGET])
        .env("CARGO_TARGET_DIR", folder)
        // A stable compiler has the sanitiser, but takes its flag only when told to be unstable.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Zsanitizer=address")
        .status()
        .context("cannot run cargo test")?;
    ensure!(status.success(), "the tests under the sanitiser ended with {status}");
    println!("\nsanitize: no fault found");
    Ok(())
}
