//! `cargo xtask fuzz`: feeds damaged tables to the readers, and compares accepted tables with Python.

use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use crate::cargo::{built, cargo_command};

/// Mutates tables of each format and reads them. No reader may panic, and if it accepts a table, its
/// cells must equal those that Python reads: with its csv and json modules, or pyarrow for Parquet.
///
/// Seed, format and number determine each input, so the same call repeats the same inputs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Number of inputs for each reader
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    inputs: u64,

    /// The reader to test [default: each in turn]
    #[arg(long, value_name = "NAME")]
    reader: Option<Reader>,

    /// Seed of the inputs
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,

    /// Print only this input and its result
    #[arg(long, value_name = "N", requires = "reader")]
    only: Option<u64>,

    /// Python interpreter; for Parquet it needs pandas, polars and pyarrow
    #[arg(long, default_value = "python3", value_name = "PROGRAM")]
    python: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Reader {
    Csv,
    Tsv,
    Jsonl,
    Parquet,
}

impl Reader {
    const ALL: [Self; 4] = [Self::Csv, Self::Tsv, Self::Jsonl, Self::Parquet];

    fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
        }
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let program = example("fuzz_tables")?;
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let progress = folder.path().join("progress");
    for reader in Reader::ALL {
        if args.reader.is_some_and(|wanted| wanted != reader) {
            continue;
        }
        let seed = args.seed.to_string();
        let mut command = Command::new(&program);
        command.args(["--reader", reader.name(), "--seed", &seed, "--python", &args.python]);
        command.args(["--inputs", &args.inputs.to_string()]).arg("--progress").arg(&progress);
        if let Some(number) = args.only {
            command.args(["--only", &number.to_string()]);
        }
        let status = command.status().context("cannot run the fuzzer")?;
        if status.code().is_none() {
            // A signal ended it, so it could not report the input.
            let last = std::fs::read(&progress).ok().and_then(|bytes| bytes.try_into().ok());
            let last = last.map_or_else(
                || "an input".to_owned(),
                |bytes| format!("input {}", u64::from_le_bytes(bytes)),
            );
            bail!(
                "{status} at {last} of {}; reproduce it with `cargo xtask fuzz --reader {} --seed {seed} \
                 --only NUMBER`",
                reader.name(),
                reader.name()
            );
        }
        ensure!(status.success(), "the {} reader failed", reader.name());
    }
    Ok(())
}

/// Builds an example program of `dataset` and returns its path.
pub(crate) fn example(name: &str) -> anyhow::Result<std::path::PathBuf> {
    // The whole workspace's features, so that no dependency is built a second time.
    built(&mut cargo_command(&["build", "--locked", "--workspace", "--example", name]), name)
}
