//! `notebook-times`: times the whole network of a recipe, alone or controlled by a script.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use benches::{
    Notebook, NotebookConfig, Place, Prepared, Ready, Timed as _, exit_code, export, serve, time,
};
use clap::Parser;
use trainer::Cache;

/// Times training and evaluation of the course notebook's network, or of the default recipe's, on the real
/// reviews.
#[derive(Debug, Parser)]
#[command(
    name = "notebook-times",
    version,
    after_help = "\
Examples:
  notebook-times                                       one training step of 50 reviews
  notebook-times --work evaluate --padding skip        the test split, real lengths only
  notebook-times --recipe default                      a training step of the default recipe
  notebook-times --device cuda --steps-per-run 20      on a GPU, if built with --features cuda
  notebook-times --export FOLDER                       the encoded reviews for NumPy
  notebook-times --recipe default --export FOLDER      those of the default recipe, with its batches

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
        let recipe = cli.notebook.recipe()?;
        let reviews = cli.notebook.reviews(&recipe, Cache::of_user().as_ref())?;
        return export(&cli.notebook, &recipe, &reviews, folder);
    }
    let prepared = prepare(cli)?;
    if cli.serve {
        return serve(io::stdin().lock(), io::stdout().lock(), prepared, |flags| {
            let words = ["notebook-times"].iter().chain(flags);
            prepare(&Cli::try_parse_from(words).map_err(|error| anyhow!("{error}"))?)
        });
    }
    println!("{}", time(prepared, cli.runs, cli.notebook.unit())?);
    Ok(())
}

fn prepare(cli: &Cli) -> Result<Prepared> {
    let recipe = cli.notebook.recipe()?;
    let reviews = cli.notebook.reviews(&recipe, Cache::of_user().as_ref())?;
    let tokens = cli.notebook.n_tokens(&recipe, &reviews)?;
    let mut pass = Notebook::new(&cli.notebook, recipe, reviews)?;
    for _ in 0..cli.warmup {
        pass.run().context("the warm-up failed")?;
    }
    let place = match cli.notebook.device {
        Place::Cpu => "",
        Place::Cuda => ", cuDNN",
    };
    let program = format!("sentiment-rnn {}{place}", env!("CARGO_PKG_VERSION"));
    let threads = candle_core::utils::get_num_threads();
    Ok(Prepared { pass: Box::new(pass), ready: Ready { program, threads, tokens } })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_fit_together() {
        Cli::command().debug_assert();
    }
}
