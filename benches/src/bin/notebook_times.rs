//! `notebook-times`: times the course notebook's whole network, alone or controlled by a script.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use benches::{
    Notebook, NotebookConfig, Prepared, Ready, Timed as _, exit_code, export, serve, time,
};
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

    /// Read lines `go RUNS` from standard input, time that many runs, and answer with a line of JSON
    #[arg(long)]
    serve: bool,

    /// Instead of timing, write the encoded reviews to a folder as .npy files
    #[arg(long, value_name = "FOLDER", conflicts_with = "serve")]
    export: Option<PathBuf>,
}

fn main() -> ExitCode {
    heap::keep_freed_memory();
    exit_code(run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<()> {
    if let Some(folder) = &cli.export {
        return export(&cli.notebook.reviews()?, folder);
    }
    let prepared = prepare(cli)?;
    if cli.serve {
        return serve(io::stdin().lock(), io::stdout().lock(), prepared, |flags| {
            let words = ["notebook-times"].iter().chain(flags);
            prepare(&Cli::try_parse_from(words).map_err(|error| anyhow!("{error}"))?)
        });
    }
    println!("{}", time(prepared, cli.runs, "places")?);
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
