//! `cargo xtask ci`: everything that must hold before a change is merged.

use std::time::Instant;

use anyhow::Context as _;

use crate::cargo::{cargo_command, check};
use crate::{layers, smoke, wheel};

/// Runs every check that a change must pass before it is merged: formatting, layers, lints, all tests,
/// docs, a training run on a slice of the real reviews, and the Python wheel.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(Args {}: Args) -> anyhow::Result<()> {
    let started = Instant::now();
    step("formatting", || cargo(&["fmt", "--all", "--", "--check"]))?;
    step("layers", layers::check)?;
    step("lints", || {
        cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
    })?;
    // Includes doc tests.
    step("tests", || cargo(&["test", "--workspace", "--locked"]))?;
    step("docs", || {
        let mut command = cargo_command(&["doc", "--workspace", "--no-deps", "--locked"]);
        check(command.env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    step("smoke run", smoke::run)?;
    step("Python wheel", wheel::check_all)?;
    println!("\nci: all passed in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

fn step(name: &str, run: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    println!("\nci: {name}");
    let started = Instant::now();
    run().with_context(|| format!("ci: {name} failed"))?;
    println!("ci: {name} passed in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

fn cargo(args: &[&str]) -> anyhow::Result<()> {
    check(&mut cargo_command(args))
}
