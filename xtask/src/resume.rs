//! `cargo xtask resume`: kills training runs at random moments, resumes them, and compares what they leave behind
//! with undisturbed runs.

mod course;
mod kills;
mod outcome;
mod phase;
mod run;
mod settings;
mod trials;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};

use phase::STARTING;
use run::{RUN, TABLE};
use settings::{N_TEXTS, SETTINGS, Setting};
use trials::Trials;

use crate::cargo::sentiment;
use crate::made_texts::made_texts;
use crate::random::Random;

/// Trains small models of every kind, with one thread and with two: undisturbed, and killed (SIGKILL) at random
/// moments and resumed until they are through. Whatever a killed run leaves behind must be what the undisturbed one
/// left: models and predictions byte for byte, and all numbers of the reports, the log and TensorBoard's file that do
/// not depend on the clock.
///
/// A first kill is anywhere in a run, or in the phase that was hit least so far; the next ones come shortly after the
/// run was resumed, or later. Fails if a phase was never hit. Takes several minutes.
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

/// Numbers of kills by phase.
type Hits = BTreeMap<String, usize>;

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
    let mut hits = Hits::new();
    let pairs: Vec<(&Setting, usize)> =
        SETTINGS.iter().flat_map(|setting| THREADS.map(|n_threads| (setting, n_threads))).collect();
    for (idx, &(setting, n_threads)) in pairs.iter().enumerate() {
        let until = |idx: usize| args.kills * idx / pairs.len();
        let n_kills = until(idx + 1) - until(idx);
        let trials = Trials { program, place, setting, n_threads, seed: args.seed };
        trials
            .all(n_kills, &mut random, &mut hits)
            .with_context(|| format!("{}, RAYON_NUM_THREADS={n_threads}", setting.name))?;
    }
    check_hits(&hits)?;
    println!("resume: no fault found");
    Ok(())
}

/// Prints how often each phase was hit, and fails if one was not.
fn check_hits(hits: &Hits) -> anyhow::Result<()> {
    let counts: Vec<String> = hits.iter().map(|(phase, n)| format!("{phase} {n}")).collect();
    println!("resume: kills by phase: {}", counts.join(", "));
    let phases = SETTINGS.iter().flat_map(|setting| setting.phases).chain(&[STARTING]);
    let missed: BTreeSet<&str> =
        phases.copied().filter(|phase| !hits.contains_key(*phase)).collect();
    ensure!(
        missed.is_empty(),
        "no kill hit {}, so nothing is known of it; raise --kills",
        missed.into_iter().collect::<Vec<_>>().join(" or ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_that_no_kill_hit_is_a_failure() {
        let all = ["starting", "linear-path", "pretraining", "epochs", "refit"];
        let mut hits: Hits = all.map(|phase| (phase.to_string(), 1)).into();
        check_hits(&hits).unwrap();
        hits.remove("refit");
        hits.remove("starting");
        let error = check_hits(&hits).unwrap_err().to_string();
        assert_eq!(
            error,
            "no kill hit refit or starting, so nothing is known of it; raise --kills"
        );
    }

    #[test]
    fn settings_have_folders_of_their_own() {
        let names: BTreeSet<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
        assert_eq!(names.len(), SETTINGS.len());
    }
}
