//! `layer-times`: times one pass of our layers (or candle-nn's), alone or controlled by a script.

use std::io;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use benches::{
    Implementation, Pass, PassConfig, Prepared, Ready, Timed as _, exit_code, measure_memory,
    serve, time,
};
use clap::Parser;

/// Times one pass of our recurrent layers.
///
/// The network, its input and its weights are created first; only the pass is timed, including the
/// time to free what it allocated.
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

    /// Read lines `go RUNS` from standard input, time that many runs, and answer with a line of JSON
    ///
    /// A line `use FLAGS` prepares another pass.
    #[arg(long, conflicts_with = "memory")]
    serve: bool,

    /// Do not call `heap::keep_freed_memory`, which changes the C library's settings
    #[arg(long)]
    system_malloc: bool,

    /// Measure the peak memory of one training pass instead (Linux)
    #[arg(long)]
    memory: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if !cli.system_malloc {
        heap::keep_freed_memory();
    }
    exit_code(run(&cli))
}

fn run(cli: &Cli) -> Result<()> {
    if cli.memory {
        println!("{}", measure_memory(&cli.pass)?);
        return Ok(());
    }
    let prepared = prepare(cli)?;
    if cli.serve {
        return serve(io::stdin().lock(), io::stdout().lock(), prepared, |flags| {
            let words = ["layer-times"].iter().chain(flags);
            prepare(&Cli::try_parse_from(words).map_err(|error| anyhow!(first_paragraph(&error)))?)
        });
    }
    println!("{}", time(prepared, cli.runs, "tokens")?);
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

/// The error about the flags, without the usage text.
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
