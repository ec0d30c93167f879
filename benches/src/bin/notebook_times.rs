//! `notebook-times`: times the course notebook's whole network, alone or on a script's word.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use benches::{Notebook, NotebookConfig, Prepared, Ready, Spread, Timed as _, export, serve};
use clap::Parser;

/// Times training and evaluation of the course notebook's network on the real reviews.
#[derive(Debug, Parser)]
#[command(
    name = "notebook-times",
    version,
    after_help = "\
Examples:
  notebook-times                                       one training step of 50 reviews
  notebook-times --work evaluate --padding skip        the test split, real lengths only
  notebook-times --export FOLDER                       the encoded reviews for NumPy

To compare with other programs, run benches/peers/compare_notebook.py, which takes turns."
)]
struct Cli {
    #[command(flatten)]
    notebook: NotebookConfig,

    /// Untimed runs before the first timed one
    #[arg(long, default_value = "2")]
    warmup: usize,

    /// Timed runs
    #[arg(long, default_value = "15", conflicts_with = "serve")]
    runs: usize,

    /// Time as many runs as a line `go RUNS` on standard input says, and answer one line of JSON
    #[arg(long)]
    serve: bool,

    /// Write the encoded reviews to a folder as .npy files instead
    #[arg(long, value_name = "FOLDER", conflicts_with = "serve")]
    export: Option<PathBuf>,
}

fn main() -> ExitCode {
    recurrent::keep_freed_memory();
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    if let Some(folder) = &cli.export {
        return export(&cli.notebook.reviews()?, folder);
    }
    let mut prepared = prepare(cli)?;
    if cli.serve {
        return serve(io::stdin().lock(), io::stdout().lock(), prepared, |flags| {
            let words = ["notebook-times"].iter().chain(flags);
            prepare(&Cli::try_parse_from(words).map_err(|error| anyhow!("{error}"))?)
        });
    }
    let times_s = (0..cli.runs).map(|_| prepared.pass.time_s()).collect::<Result<Vec<_>>>()?;
    let spread = Spread::of(&times_s).context("--runs must be at least 1")?;
    let Ready { program, threads, tokens } = prepared.ready;
    println!("{program}, {threads} threads, {tokens} places, {} runs: {spread}", times_s.len());
    Ok(())
}

fn prepare(cli: &Cli) -> Result<Prepared> {
    let reviews = cli.notebook.reviews()?;
    let tokens = cli.notebook.n_reviews(&reviews) * reviews.encoder.config().seq_len;
    let mut pass = Notebook::new(&cli.notebook, reviews)?;
    for _ in 0..cli.warmup {
        pass.run().context("the warm-up failed")?;
    }
    let program = format!("sentiment-rnn {}", env!("CARGO_PKG_VERSION"));
    let threads = candle_core::utils::get_num_threads();
    Ok(Prepared { pass: Box::new(pass), ready: Ready { program, threads, tokens } })
}
