//! `sentiment`: trains, tests and uses recurrent text classifiers. This file parses the command
//! line, dispatches, and prints an error once; one file a command.

mod curve;
mod error;
mod evaluate;
mod fetch;
mod interrupt;
mod output_folder;
mod predict;
mod profile;
mod progress;
mod reading;
mod recipe;
mod shell;
mod train;
mod understanding;
mod warnings;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use model::DeviceChoice;

/// Trains, tests and uses recurrent text classifiers.
#[derive(Debug, Parser)]
#[command(
    name = "sentiment",
    version,
    propagate_version = true,
    after_help = "\
Examples:
  sentiment train                                  train on the IMDB reviews, fetched when missing
  sentiment train --data mine.csv                  train on your own labelled texts
  sentiment evaluate --model models/default        measure on the test split
  sentiment predict --model models/default \"What a film!\"

`sentiment COMMAND --help` tells more. Training uses all cores; set RAYON_NUM_THREADS=1 to use one."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(train::Args),
    Evaluate(evaluate::Args),
    Predict(predict::Args),
}

/// `--device`.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum DeviceName {
    /// CUDA, then Metal, then the CPU: the first that this build and machine have
    #[default]
    Auto,
    /// The CPU
    Cpu,
    /// The first CUDA device (needs a build with --features cuda)
    Cuda,
    /// The first Metal device (needs a build with --features metal)
    Metal,
}

impl From<DeviceName> for DeviceChoice {
    fn from(name: DeviceName) -> Self {
        match name {
            DeviceName::Auto => DeviceChoice::Auto,
            DeviceName::Cpu => DeviceChoice::Cpu,
            DeviceName::Cuda => DeviceChoice::Cuda,
            DeviceName::Metal => DeviceChoice::Metal,
        }
    }
}

fn main() -> ExitCode {
    recurrent::keep_freed_memory();
    let result = match Cli::parse().command {
        Command::Train(args) => train::run(&args),
        Command::Evaluate(args) => evaluate::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Predict(args) => predict::run(&args).map(|()| ExitCode::SUCCESS),
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
