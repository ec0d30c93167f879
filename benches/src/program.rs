//! What the timing programs have in common.

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::serve::{Prepared, Ready};
use crate::spread::Spread;

/// Times some runs of a prepared pass, and says so in one line; `unit`: what its tokens are called.
///
/// # Errors
/// If a run fails, or there are none.
pub fn time(mut prepared: Prepared, runs: usize, unit: &str) -> Result<String> {
    let times_s = (0..runs).map(|_| prepared.pass.time_s()).collect::<Result<Vec<_>>>()?;
    let spread = Spread::of(&times_s).context("--runs must be at least 1")?;
    let Ready { program, threads, tokens } = prepared.ready;
    Ok(format!("{program}, {threads} threads, {tokens} {unit}, {runs} runs: {spread}"))
}

/// The exit code of a program that ends so; prints an error once.
pub fn exit_code(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
