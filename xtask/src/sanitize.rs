//! `cargo xtask sanitize`: the recurrent layers' tests under a sanitiser.

use std::env;
use std::fs;

use anyhow::{Context as _, ensure};

use crate::cargo::cargo_command;

/// Runs the tests of `recurrent` with every memory access checked (AddressSanitizer): reads and
/// writes out of bounds, use after free. Rebuilds its dependencies in a separate folder, which
/// takes a few minutes. x86-64 Linux only.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Check for data races between threads instead (ThreadSanitizer)
    ///
    /// It sees accesses of one number and copies, so of the products only the portable kernels', and
    /// nothing of what happens inside the standard library, which is not built for it. About 15 minutes.
    #[arg(long)]
    threads: bool,
}

/// The sanitiser needs an explicit target, so that it does not affect build scripts.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Reports of races that are none. The standard library is not built for the sanitiser, so it does not see
/// that a contended lock orders accesses: that of the list of free blocks, of candle's and rayon's pools, and
/// those of the test harness.
const NO_RACES: &str = "\
race:recurrent::machine::buffer::lend
race:recurrent::machine::buffer::give_back
race:recurrent::machine::crew::lock
race:test::run_test
race:test::event::CompletedTest
race:rayon
race:gemm_common
race:gemm_f32
race:gemm_f64
";

/// The tests whose passes have several threads.
const THREADED_TESTS: [&str; 4] = ["fused_equals_reference", "blocks", "dropout", "pooled"];

pub(crate) fn run(Args { threads }: Args) -> anyhow::Result<()> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "the sanitiser runs only on {TARGET}"
    );
    // The default folder belongs to the other builds; this would replace their dependencies.
    let here = env::current_dir().context("cannot determine the current folder")?;
    let folder = here.join("target").join(if threads { "tsan" } else { "asan" });
    let mut command = cargo_command(&["test", "--package", "recurrent", "--locked"]);
    if threads {
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let list = folder.join("no-races.txt");
        fs::write(&list, NO_RACES).with_context(|| format!("cannot write {}", list.display()))?;
        for test in THREADED_TESTS {
            command.args(["--test", test]);
        }
        command
            // The standard library is not built for it, which the compiler would refuse.
            .env("RUSTFLAGS", "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer")
            .env("TSAN_OPTIONS", format!("suppressions={}", list.display()))
            .env("RUST_TEST_THREADS", "1");
    } else {
        command.args(["--lib", "--tests"]).env("RUSTFLAGS", "-Zsanitizer=address");
    }
    let status = command
        .args(["--target", TARGET])
        .env("CARGO_TARGET_DIR", folder)
        // A stable compiler includes the sanitiser, but accepts its flag only with unstable features on.
        .env("RUSTC_BOOTSTRAP", "1")
        .status()
        .context("cannot run cargo test")?;
    ensure!(status.success(), "the tests under the sanitiser failed: {status}");
    println!("\nsanitize: no fault found");
    Ok(())
}
