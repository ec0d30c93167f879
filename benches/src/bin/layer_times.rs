//! `layer-times`: times one pass of our layers (or candle-nn's), alone or on a script's word.

use std::io;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use benches::{
    Implementation, Pass, PassConfig, Prepared, Ready, Spread, Timed as _, measure_memory, serve,
};
use clap::Parser;

/// Times one pass of our recurrent layers.
///
/// The network, its input and its weights are made first; only the pass is timed, together with
/// freeing what it made.
#[derive(Debug, Parser)]
#[command(
    name = "layer-times",
    version,
    after_help = "\
Examples:
  layer-times                                       training pass of the 2-layer LSTM
  layer-times --cell gru --mode forward --batch 1   one row of 200 steps, without gradients
  layer-times --mode step --batch 1                 one step of a stream
  layer-times --lengths mixed --backend reference   rows of 40 to 200 steps, in candle's operations
  layer-times --instructions avx2                   as on a CPU without AVX-512
  layer-times --device cuda                         cuDNN's, if built with --features cuda
  layer-times --memory                              peak memory of one training pass

RAYON_NUM_THREADS sets the threads of all backends. Times on a busy machine mean little: to compare
with other programs, run benches/peers/compare_layers.py, which takes turns."
)]
struct Cli {
    #[command(flatten)]
    pass: PassConfig,

    /// Untimed runs before the first timed one
    #[arg(long, default_value = "2")]
    warmup: usize,

    /// Timed runs
    #[arg(long, default_value = "9", conflicts_with_all = ["serve", "memory"])]
    runs: usize,

    /// Time as many runs as a line `go RUNS` on standard input says, and answer one line of JSON
    ///
    /// A line `use FLAGS` prepares another pass.
    #[arg(long, conflicts_with = "memory")]
    serve: bool,

    /// Leave the C library's settings alone, which `recurrent::keep_freed_memory` would change
    #[arg(long)]
    system_malloc: bool,

    /// Measure the peak memory of one training pass instead (Linux)
    #[arg(long)]
    memory: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if !cli.system_malloc {
        recurrent::keep_freed_memory();
    }
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    if cli.memory {
        println!("{}", measure_memory(&cli.pass)?);
        return Ok(());
    }
    let mut prepared = prepare(cli)?;
    if cli.serve {
        return serve(io::stdin().lock(), io::stdout().lock(), prepared, |flags| {
            let words = ["layer-times"].iter().chain(flags);
            prepare(&Cli::try_parse_from(words).map_err(|error| anyhow!(first_paragraph(&error)))?)
        });
    }
    let times_s = (0..cli.runs).map(|_| prepared.pass.time_s()).collect::<Result<Vec<_>>>()?;
    let spread = Spread::of(&times_s).context("--runs must be at least 1")?;
    let Ready { program, threads, tokens } = prepared.ready;
    println!("{program}, {threads} threads, {tokens} tokens, {} runs: {spread}", times_s.len());
    Ok(())
}

fn prepare(cli: &Cli) -> Result<Prepared> {
    let mut pass = Pass::new(&cli.pass)?;
    for _ in 0..cli.warmup {
        pass.run().context("the warm-up failed")?;
    }
    let program = match cli.pass.backend {
        Implementation::CandleNn => "candle-nn".to_string(),
        _ => format!("recurrent {}, {}", env!("CARGO_PKG_VERSION"), cli.pass.backend()),
    };
    let (threads, tokens) = (candle_core::utils::get_num_threads(), cli.pass.n_tokens());
    Ok(Prepared { pass: Box::new(pass), ready: Ready { program, threads, tokens } })
}

/// What is wrong with the flags, without the usage below it.
fn first_paragraph(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    text.split("\n\n").next().unwrap_or(text).to_string()
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
