//! `concurrent-callers`: how many passes per second threads get from one shared layer.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use benches::{
    Answering, Instructions, MixedRates, Mode, PassConfig, Spread, Training, exit_code, mixed_rates,
};
use clap::Parser;

/// Calls one shared layer from several threads as fast as they can, and prints passes per second.
///
/// A pass is a forward pass of one row of 200 steps through a bidirectional LSTM, 100 -> 64, whose weights are
/// plain tensors: what a server does for one text. The numbers of callers take turns, and the medians and
/// quartiles of the rounds are printed.
#[derive(Debug, Parser)]
#[command(
    name = "concurrent-callers",
    version,
    after_help = "\
Examples:
  concurrent-callers                                1, 2, 4 and 8 callers
  concurrent-callers --threads 1                    each pass on its caller's thread only
  concurrent-callers --callers 1,8 --seconds 1      a quick look
  concurrent-callers --mixed                        a training beside four callers

All passes share the threads that are allowed: one per core, or as CANDLE_NUM_THREADS or
RAYON_NUM_THREADS says. A pass that finds none free runs on its caller's thread. Other work on the
machine distorts the rates: look at the quartiles, and compare only rates from one call."
)]
struct Cli {
    /// Numbers of callers to compare
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_values_t = [1, 2, 4, 8],
        conflicts_with = "mixed"
    )]
    callers: Vec<usize>,

    /// Instead, have one thread train while four others call the layer
    ///
    /// The training pass is that of a 2-layer LSTM, 400 -> 256, with 50 rows of 200 steps. Prints training steps
    /// and answers per second, each alone and together.
    #[arg(long)]
    mixed: bool,

    /// Threads that all passes may use together, besides their callers' (recurrent::set_num_threads)
    /// [default: all]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,

    /// Duration of each measurement in seconds
    #[arg(long, value_name = "S", default_value = "3")]
    seconds: f64,

    /// Rounds; each measures everything once
    #[arg(long, value_name = "N", default_value = "5")]
    rounds: usize,

    /// Instruction set of the fused kernels
    #[arg(long, value_enum, default_value = "auto")]
    instructions: Instructions,

    /// Do not call `heap::keep_freed_memory`, which changes the C library's settings
    #[arg(long)]
    system_malloc: bool,
}

/// Callers beside a training.
const MIXED_CALLERS: usize = 4;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if !cli.system_malloc {
        heap::keep_freed_memory();
    }
    exit_code(run(&cli))
}

fn run(cli: &Cli) -> Result<()> {
    ensure!(cli.rounds > 0, "--rounds must be at least 1");
    ensure!(cli.callers.iter().all(|&n| n > 0), "--callers must be numbers of at least 1");
    ensure!(cli.threads != Some(0), "--threads must be at least 1");
    let duration = Duration::try_from_secs_f64(cli.seconds).ok().filter(|time| !time.is_zero());
    let duration = duration.context("--seconds must be greater than 0")?;
    recurrent::set_num_threads(cli.threads.unwrap_or(0));

    let answer = PassConfig {
        batch: 1,
        input: 100,
        hidden: 64,
        layers: 1,
        bidirectional: true,
        mode: Mode::Forward,
        instructions: cli.instructions,
        ..PassConfig::default()
    };
    let answering = Answering::new(&answer)?;
    println!(
        "recurrent {}, {}; {} threads allowed; {} rounds of {} s",
        env!("CARGO_PKG_VERSION"),
        answer.backend(),
        recurrent::num_threads(),
        cli.rounds,
        cli.seconds
    );
    if cli.mixed {
        let config = PassConfig { instructions: cli.instructions, ..PassConfig::default() };
        print_mixed(&Training::new(&config)?, &answering, cli.rounds, duration)
    } else {
        print_rates(&answering, &cli.callers, cli.rounds, duration)
    }
}

fn print_rates(
    answering: &Answering,
    callers: &[usize],
    rounds: usize,
    duration: Duration,
) -> Result<()> {
    let mut rates = vec![Vec::new(); callers.len()];
    for round in 0..rounds {
        let mut order: Vec<usize> = (0..callers.len()).collect();
        // In turn, so that a slow change of the machine affects all of them alike.
        if round % 2 == 1 {
            order.reverse();
        }
        for index in order {
            rates[index].push(answering.rate(callers[index], duration)?);
        }
    }
    println!("callers  passes/s  quartiles");
    for (n_callers, rates) in callers.iter().zip(&rates) {
        println!("{n_callers:7}  {}", columns(rates)?);
    }
    Ok(())
}

fn print_mixed(
    training: &Training,
    answering: &Answering,
    rounds: usize,
    duration: Duration,
) -> Result<()> {
    let rounds = (0..rounds).map(|_| mixed_rates(training, answering, MIXED_CALLERS, duration));
    let rounds = rounds.collect::<Result<Vec<MixedRates>>>()?;
    let of = |rate: fn(&MixedRates) -> f64| columns(&rounds.iter().map(rate).collect::<Vec<_>>());
    println!("what                           per second  quartiles");
    println!("training steps, alone            {}", of(|round| round.training_alone)?);
    println!("training steps, with answers     {}", of(|round| round.training)?);
    println!("answers to {MIXED_CALLERS} callers, alone      {}", of(|round| round.answers_alone)?);
    println!("answers, with a training         {}", of(|round| round.answers)?);
    Ok(())
}

/// The median and the quartiles of rates.
fn columns(rates: &[f64]) -> Result<String> {
    let spread = Spread::of(rates).context("no rate was measured")?;
    let digits = if spread.median < 10.0 { 3 } else { 0 };
    Ok(format!(
        "{:8.digits$}  {:.digits$} to {:.digits$}",
        spread.median, spread.lower_quartile, spread.upper_quartile
    ))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn numbers_of_callers_are_separated_by_commas() {
        assert_eq!(Cli::parse_from(["concurrent-callers"]).callers, [1, 2, 4, 8]);
        assert_eq!(Cli::parse_from(["concurrent-callers", "--callers", "1,16"]).callers, [1, 16]);
        assert!(Cli::try_parse_from(["concurrent-callers", "--mixed", "--callers", "2"]).is_err());
    }

    #[test]
    fn rates_are_printed_with_their_quartiles() {
        assert_eq!(columns(&[1000.0, 3000.0, 2000.0]).unwrap(), "    2000  1500 to 2500");
        assert_eq!(columns(&[1.5]).unwrap(), "   1.500  1.500 to 1.500");
        assert!(columns(&[]).is_err());
    }
}
