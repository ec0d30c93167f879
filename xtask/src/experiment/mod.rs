//! `cargo xtask experiment`: trains with several seeds, and compares settings seed by seed.

mod compare;
mod inputs;
mod list;
mod one;
mod seed;

use std::path::PathBuf;

/// Trains a recipe with several seeds (a seed decides split, initial weights, dropout and order), prints
/// mean and standard deviation, and appends them to the log. Or runs a list of settings and compares each with the
/// first, seed by seed.
///
/// A list is a TOML file with `recipe`, `seeds`, perhaps `also` (more files of labelled texts to evaluate on), and a table
/// `[[try]]` with `name` and `settings` for each. The figures of each training are a line of a .jsonl file beside it; a
/// list that was stopped goes on where it was. A line is used again as long as the recipe, the sources of the program and
/// the files of labelled texts are the same.
///
/// Make choices on validation splits: test accuracies are neither shown nor logged without --test,
/// which is meant for finished recipes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask experiment default --seeds 3
  cargo xtask experiment default --seeds 3 --set regularization.word_dropout=0.2 --note \"word dropout\"
  cargo xtask experiment default --seeds 5 --test
  cargo xtask experiment --list experiments/low-rate.toml")]
pub(crate) struct Args {
    /// A built-in recipe or a TOML file
    #[arg(required_unless_present = "list")]
    recipe: Option<String>,

    /// A list of settings to compare
    #[arg(long, value_name = "FILE", conflicts_with_all = ["recipe", "seeds", "settings", "test", "note", "log"])]
    list: Option<PathBuf>,

    /// Number of seeds, counted from 0
    #[arg(long, value_name = "N", default_value = "3")]
    seeds: u64,

    /// Override a value of the recipe, such as training.epochs=3; may be repeated
    #[arg(long = "set", value_name = "TABLE.KEY=VALUE")]
    settings: Vec<String>,

    /// Also evaluate on the test splits
    #[arg(long)]
    test: bool,

    /// A short note for the log
    #[arg(long, value_name = "WORDS", default_value = "")]
    note: String,

    /// The log file
    #[arg(long, value_name = "FILE", default_value = "EXPERIMENTS.md")]
    log: String,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match (&args.list, &args.recipe) {
        (Some(list), _) => list::run(list),
        (None, Some(recipe)) => one::run(args, recipe),
        // The command line requires one of them.
        (None, None) => Ok(()),
    }
}
