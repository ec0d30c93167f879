//! `cargo xtask resume`: kills training runs at random moments, resumes them, and compares what they leave behind
//! with undisturbed runs.

mod course;
mod kills;
mod outcome;
mod phase;
mod run;
mod settings;
mod tally;
mod trials;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};

use run::{RUN, TABLE};
use settings::{N_TEXTS, SETTINGS, Setting};
use tally::Tally;
use trials::Trials;

use crate::cargo::sentiment;
use crate::made_texts::made_texts;
use crate::random::Random;

/// Trains small models of every kind, with one thread and with two: undisturbed, and killed (SIGKILL) at random
/// moments and resumed until they are through. Whatever a killed run leaves behind must be what the undisturbed one
/// left: model, predictions and curve byte for byte, and all numbers of the report, the log and TensorBoard's file that
/// do not depend on the clock.
///
/// A first kill is anywhere in a run, in the phase that was hit least so far, or between the end of the training and
/// that of the program; the next ones come shortly after the run was resumed, or later. Fails if a phase was never hit,
/// or if too few sessions began from a checkpoint. Takes about five minutes, several times as long on a busy machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask resume
  cargo xtask resume --kills 300 --seed 7")]
pub(crate) struct Args {
    /// Number of kills
    #[arg(long, value_name = "N", default_value = "60")]
    kills: usize,

    /// Seed of the trainings and of the random moments
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,

    /// An existing `sentiment` program to kill, instead of this workspace's
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Numbers of threads: on each, results are the same every time.
const THREADS: [usize; 2] = [1, 2];

pub(crate) fn run(args: &Args, user_folder: &Path) -> anyhow::Result<()> {
    ensure!(args.kills > 0, "--kills must be at least 1");
    ensure!(cfg!(unix), "`cargo xtask resume` runs only on Unix");
    let program = match &args.program {
        Some(program) => user_folder.join(program),
        None => sentiment()?,
    };
    let program =
        program.canonicalize().with_context(|| format!("cannot find {}", program.display()))?;
    let place = tempfile::tempdir().context("cannot create a temporary folder")?;
    prove(args, &program, place.path()).map_err(|error| {
        if !place.path().join(RUN).exists() {
            return error;
        }
        // To be looked at.
        let kept = place.keep().join(RUN);
        anyhow!("{error:#}\nwhat the run has left is kept in {}", kept.display())
    })
}

fn prove(args: &Args, program: &Path, place: &Path) -> anyhow::Result<()> {
    fs::write(place.join(TABLE), made_texts(N_TEXTS)).context("cannot write the texts")?;
    let mut random = Random::new(args.seed);
    let mut tally = Tally::default();
    let pairs: Vec<(&Setting, usize)> =
        SETTINGS.iter().flat_map(|setting| THREADS.map(|n_threads| (setting, n_threads))).collect();
    for (idx, &(setting, n_threads)) in pairs.iter().enumerate() {
        let until = |idx: usize| args.kills * idx / pairs.len();
        let n_kills = until(idx + 1) - until(idx);
        let trials = Trials { program, place, setting, n_threads, seed: args.seed };
        trials
            .all(n_kills, &mut random, &mut tally)
            .with_context(|| format!("{}, RAYON_NUM_THREADS={n_threads}", setting.name))?;
    }
    tally.check()?;
    println!("resume: no fault found");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn settings_have_folders_of_their_own() {
        let names: BTreeSet<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
        assert_eq!(names.len(), SETTINGS.len());
    }
}
