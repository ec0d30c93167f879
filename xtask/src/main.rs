//! Development tasks of the workspace: `cargo xtask TASK`. This file only dispatches; one file per task.

mod big_table;
mod cargo;
mod ci;
mod class_data;
mod cluster;
mod digest;
mod environment;
mod event_file;
mod experiment;
mod fetch_data;
mod fetch_vectors;
mod full_disk;
mod fuzz;
mod gpu;
mod instructions;
mod json;
mod kill;
mod layers;
mod loom;
mod made_texts;
mod random;
mod resume;
mod run_folder;
mod sanitize;
mod smoke;
mod tables;
mod tensorboard;
mod training;
mod wheel;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use dataset::fetch::FetchError;

/// Development tasks of the workspace.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    FetchData(fetch_data::Args),
    FetchVectors(fetch_vectors::Args),
    ClassData(class_data::Args),
    Ci(ci::Args),
    Sanitize(sanitize::Args),
    Loom(loom::Args),
    Instructions(instructions::Args),
    Experiment(experiment::Args),
    Kill(kill::Args),
    Resume(resume::Args),
    FullDisk(full_disk::Args),
    Tensorboard(tensorboard::Args),
    BigTable(big_table::Args),
    Fuzz(fuzz::Args),
    Tables(tables::Args),
    Wheel(wheel::Args),
    Cluster(cluster::Args),
    Gpu(gpu::Args),
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            if let Some(error) = error.downcast_ref::<FetchError>() {
                eprintln!("\n{}", error.advice());
            }
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    // Paths that the user types are relative to the current folder, all others to the root.
    let user_folder = env::current_dir().context("cannot determine the current folder")?;
    let xtask_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = xtask_folder.parent().unwrap_or(xtask_folder);
    env::set_current_dir(root).with_context(|| format!("cannot enter {}", root.display()))?;
    match task {
        Task::FetchData(args) => fetch_data::run(args, &user_folder),
        Task::FetchVectors(args) => fetch_vectors::run(args, &user_folder),
        Task::ClassData(args) => class_data::run(&args, &user_folder),
        Task::Ci(args) => ci::run(args),
        Task::Sanitize(args) => sanitize::run(args),
        Task::Loom(args) => loom::run(args),
        Task::Instructions(args) => instructions::run(&args),
        Task::Experiment(args) => experiment::run(&args),
        Task::Kill(args) => kill::run(&args),
        Task::Resume(args) => resume::run(&args, &user_folder),
        Task::FullDisk(args) => full_disk::run(&args, &user_folder),
        Task::Tensorboard(args) => tensorboard::run(&args, &user_folder),
        Task::BigTable(args) => big_table::run(&args, &user_folder),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Tables(args) => tables::run(&args),
        Task::Wheel(args) => wheel::run(&args),
        Task::Cluster(args) => cluster::run(&args, &user_folder),
        Task::Gpu(args) => gpu::run(&args, &user_folder),
    }
}
