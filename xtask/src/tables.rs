//! `cargo xtask tables`: reads large tables from other programs, and has other programs read ours.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};

use crate::fuzz::example;

/// Has Python, pandas, polars and pyarrow write large tables, reads them with 1, 2 and 8 threads, and
/// compares all cells. Also writes tables in every format and has these programs and DuckDB read them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Number of rows of each large table
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    rows: u64,

    /// Python interpreter with pandas, polars, pyarrow and duckdb
    #[arg(long, default_value = "python3", value_name = "PROGRAM")]
    python: String,

    /// Python interpreters with other versions of pyarrow, to open and filter the Parquet files that we
    /// write
    #[arg(long, value_name = "PROGRAM")]
    also: Vec<String>,
}

const GOLDEN: &str = "crates/dataset/tests/golden";

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let program = example("tables")?;
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let written = folder.path().join("written");
    std::fs::create_dir(&written).context("cannot make a folder")?;
    let read_back = Path::new(GOLDEN).join("read_back.py");
    step(Command::new(&program).arg("write").arg(GOLDEN).arg(&written))?;
    step(Command::new(&args.python).arg(&read_back).arg(GOLDEN).arg(&written))?;
    for python in &args.also {
        step(Command::new(python).arg(&read_back).arg("--parquet-only").arg(GOLDEN).arg(&written))?;
    }

    let large = folder.path().join("large");
    std::fs::create_dir(&large).context("cannot make a folder")?;
    step(
        Command::new(&args.python)
            .arg(Path::new(GOLDEN).join("make_tables.py"))
            .args(["--rows", &args.rows.to_string(), "--output"])
            .arg(&large),
    )?;
    for n_threads in ["1", "2", "8"] {
        println!("with {n_threads} threads:");
        let mut command = Command::new(&program);
        command.arg("digest").arg(&large);
        step(command.envs([("RAYON_NUM_THREADS", n_threads), ("POLARS_MAX_THREADS", n_threads)]))?;
    }
    Ok(())
}

fn step(command: &mut Command) -> anyhow::Result<()> {
    let started = Instant::now();
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    println!("{:.0} s\n", started.elapsed().as_secs_f64());
    Ok(())
}
