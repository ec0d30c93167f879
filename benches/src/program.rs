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
    Ok(format!("{program}, {threads} threads, {tokens} {unit}, {runs} runs: {}", times(&spread)))
}

/// Times in seconds, for people.
fn times(spread: &Spread) -> String {
    let (unit, scale) = if spread.median < 1e-3 { ("µs", 1e6) } else { ("ms", 1e3) };
    format!(
        "median {:.1} {unit}, quartiles {:.1} and {:.1}, range {:.1} to {:.1}",
        spread.median * scale,
        spread.lower_quartile * scale,
        spread.upper_quartile * scale,
        spread.min * scale,
        spread.max * scale,
    )
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
