//! `sentiment`: trains, tests and uses recurrent text classifiers. This file parses the command
//! line, dispatches, and prints an error once; one file per command.

mod answer;
mod check;
mod columns;
mod curve;
mod device;
mod error;
mod evaluate;
mod fetch;
mod figures;
mod interrupt;
mod labels;
mod long_run;
mod memory;
mod predict;
mod profile;
mod progress;
mod reading;
mod runs;
mod same_file;
mod settings;
mod shell;
mod train;
mod understanding;
mod vectors;
mod warnings;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Trains, tests and uses recurrent text classifiers.
#[derive(Debug, Parser)]
#[command(
    name = "sentiment",
    version,
    propagate_version = true,
    after_help = "\
Examples:
  sentiment check mine.csv                         look for faults in your labelled texts
  sentiment train                                  train on the IMDB reviews, downloaded when missing
  sentiment train --data mine.csv                  train on your own labelled texts
  sentiment train --resume runs/default            go on with a training that was stopped
  sentiment runs                                   list trainings with their figures
  sentiment evaluate --model models/default        evaluate on the test split
  sentiment predict --model models/default \"What a film!\"
  sentiment vectors glove.6B.100d.txt              word vectors, to start a training from

See `sentiment COMMAND --help` for details. Training uses all cores; set RAYON_NUM_THREADS=1 to use one."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Args),
    Train(Box<train::Args>),
    Runs(runs::Args),
    Evaluate(evaluate::Args),
    Predict(predict::Args),
    Vectors(vectors::Args),
}

fn main() -> ExitCode {
    heap::keep_freed_memory();
    let result = match Cli::parse().command {
        Command::Check(args) => check::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Runs(args) => runs::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Evaluate(args) => evaluate::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Predict(args) => predict::run(&args),
        Command::Vectors(args) => vectors::run(&args).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| error::report(&error))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_defined_without_contradictions() {
        Cli::command().debug_assert();
    }
}
